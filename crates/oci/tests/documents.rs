//! Manifests, indexes and configurations: others read ours, and we lose nothing of theirs.

use bytes::Bytes;
use oci_spec::image as spec;
use ringsite_names::{Digest, canonical_json};
use ringsite_oci::names::{
    MEDIA_TYPE_CONFIG, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_MANIFEST,
};
use ringsite_oci::{
    Descriptor, Healthcheck, History, ImageConfig, ImageIndex, ImageManifest, Manifest, OciError, Platform,
    StoredManifest,
};

fn manifest() -> ImageManifest {
    let layer =
        Descriptor::of(MEDIA_TYPE_LAYER_GZIP, b"layer").with_annotation("b", "2").with_annotation("a", "1");
    ImageManifest::image(Descriptor::of(MEDIA_TYPE_CONFIG, b"config"), vec![layer])
        .with_annotation("org.opencontainers.image.version", "1.2.3")
        .with_subject(Descriptor::of(MEDIA_TYPE_MANIFEST, b"subject"))
}

#[test]
fn other_tools_read_our_manifests_and_indexes() {
    let bytes = manifest().to_bytes();
    let read: spec::ImageManifest = serde_json::from_slice(&bytes).expect("follows the specification");
    assert_eq!(read.layers()[0].digest().to_string(), Digest::sha256(b"layer").to_string());
    assert_eq!(read.layers()[0].size(), 5);
    assert!(read.subject().is_some());
    let child = Descriptor::of(MEDIA_TYPE_MANIFEST, &bytes).with_platform(Platform::new("linux", "arm64"));
    let index = ImageIndex::new(vec![child]).to_bytes();
    let read: spec::ImageIndex = serde_json::from_slice(&index).expect("follows the specification");
    let platform = read.manifests()[0].platform().clone().expect("was given");
    assert_eq!((platform.os(), platform.architecture()), (&spec::Os::Linux, &spec::Arch::ARM64));
}

#[test]
fn other_tools_read_our_configurations() {
    let mut config = ImageConfig::new("linux", "amd64");
    config.config.labels.insert("dependency.base".to_owned(), "1.0.0".to_owned());
    config.config.env.push("PATH=/bin".to_owned());
    config.config.exposed_ports.insert("80/tcp".to_owned(), ringsite_oci::Empty {});
    config.config.cmd = Some(vec!["serve".to_owned()]);
    config.config.healthcheck = Some(Healthcheck { test: vec!["NONE".to_owned()], ..Healthcheck::default() });
    config.rootfs.diff_ids.push(Digest::sha256(b"layer"));
    config.history.push(History { created_by: Some("COPY".to_owned()), ..History::default() });
    let bytes = config.to_bytes();
    let read: spec::ImageConfiguration = serde_json::from_slice(&bytes).expect("follows the specification");
    let execution = read.config().clone().expect("was given");
    assert_eq!(execution.labels().clone().expect("was given")["dependency.base"], "1.0.0");
    assert_eq!(execution.exposed_ports().clone().expect("was given"), ["80/tcp"]);
    assert_eq!(ImageConfig::from_bytes(&bytes).expect("reads back"), config);
}

#[test]
fn the_same_content_is_always_the_same_bytes() {
    let bytes = manifest().to_bytes();
    assert_eq!(ImageManifest::from_bytes(&bytes).expect("reads back").to_bytes(), bytes);
    let text = String::from_utf8(bytes).expect("is text");
    assert!(text.starts_with(r#"{"annotations":{"#), "{text}");
    assert!(text.contains(r#""annotations":{"a":"1","b":"2"}"#), "{text}");
}

#[test]
fn what_docker_writes_is_read_and_nothing_is_lost() {
    let text = r#"{"architecture":"amd64","config":{"ArgsEscaped":true,"Cmd":null,"Entrypoint":["/x"],"Env":null,
        "ExposedPorts":null,"Image":"sha256:1","Labels":null,"OnBuild":null,"Volumes":null,"User":"","WorkingDir":"/"},
        "container":"abc","created":"2026-01-01T00:00:00Z","docker_version":"1","history":null,"os":"linux",
        "rootfs":{"type":"layers","diff_ids":null}}"#;
    let config = ImageConfig::from_bytes(text.as_bytes()).expect("is a configuration");
    assert_eq!(config.config.entrypoint.as_deref(), Some(&["/x".to_owned()][..]));
    assert!(config.config.env.is_empty() && config.rootfs.diff_ids.is_empty());
    let again: serde_json::Value = serde_json::from_slice(&config.to_bytes()).expect("is JSON");
    assert_eq!(again["container"], "abc");
    assert_eq!(again["config"]["ArgsEscaped"], true);
    assert_eq!(again["config"]["Image"], "sha256:1");
    let config = ImageConfig::from_bytes(br#"{"config":null,"rootfs":{"type":"layers"}}"#);
    assert!(config.is_ok(), "{config:?}");
}

#[test]
fn a_stored_manifest_is_read_by_its_media_type() {
    let index = ImageIndex::new(Vec::new());
    let stored = |media_type: &str, bytes: Vec<u8>| StoredManifest {
        digest: Digest::sha256(&bytes),
        media_type: media_type.to_owned(),
        bytes: Bytes::from(bytes),
    };
    let image = stored(MEDIA_TYPE_MANIFEST, manifest().to_bytes());
    assert_eq!(image.image().expect("is one"), manifest());
    assert!(matches!(image.index(), Err(OciError::Invalid { .. })));
    assert_eq!(image.descriptor().size, image.bytes.len() as u64);
    let list = stored(index.media_type(), index.to_bytes());
    assert_eq!(list.index().expect("is one"), index);
    assert!(matches!(list.image(), Err(OciError::Invalid { .. })));
    let docker = stored(MEDIA_TYPE_DOCKER_MANIFEST, manifest().to_bytes());
    assert!(matches!(docker.parse(), Ok(Manifest::Image(_))));
    let other = stored("text/plain", manifest().to_bytes());
    let error = other.parse().expect_err("is no manifest");
    assert!(error.to_string().contains("text/plain"), "{error}");
}

#[test]
fn wrong_documents_are_errors_that_name_them() {
    let old = br#"{"schemaVersion":1,"config":{"mediaType":"a","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}"#;
    for bytes in [&b""[..], b"[]", b"{}", b"{\"schemaVersion\":2}", b"\xff", old] {
        let error = ImageManifest::from_bytes(bytes).expect_err("is no manifest");
        assert!(error.to_string().contains(&Digest::sha256(bytes).to_string()), "{error}");
    }
    let negative = br#"{"mediaType":"a","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":-2}"#;
    assert!(serde_json::from_slice::<Descriptor>(negative).is_err());
    assert!(ImageConfig::from_bytes(b"{\"rootfs\":7}").is_err());
    assert_eq!(canonical_json(&Descriptor::empty_config())[..12], *b"{\"digest\":\"s");
}
