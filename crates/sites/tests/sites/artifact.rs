//! What a site's artifact holds, and that the same content always has the same digest.

use std::io::Read;

use ringsite_names::Digest;
use ringsite_oci::{ImageConfig, ImageManifest};
use ringsite_sites::{Artifact, Format, Tree, rendered, yaml};
use serde_json::{Value, json};

use crate::support::{Parts, SOURCES, environment, hosts, root, site, tree};

fn read(tree: &Tree, path: &str) -> Value {
    let documents = yaml::documents(&tree.file(path).unwrap().bytes).unwrap();
    assert_eq!(documents.len(), 1);
    documents.into_iter().next().unwrap()
}

#[test]
fn a_site_gets_the_environment_the_pins_and_one_config_map() {
    let parts = Parts::new(site(r#""namespace":"shop-test""#));
    let tree = environment("test", &tree(&SOURCES)).tree(&parts.request());
    let root = root();
    let pin = |name: &str, image: &str, digest: Digest| json!({"name": name, "newName": format!("localhost:5000/acme/shop/{image}"), "digest": digest.to_string()});
    let mut pins = Vec::new();
    for (prefix, _) in [("acme/shop/", 0), ("", 1), ("localhost:5000/acme/shop/", 2)] {
        for (image, digest) in
            [("api", root.images["api"]), ("shop", root.digest), ("web", root.images["web"])]
        {
            pins.push(pin(&format!("{prefix}{image}"), image, digest));
        }
    }
    pins.sort_by_key(|pin| pin["name"].as_str().unwrap().to_owned());
    assert_eq!(
        read(&tree, "kustomization.yaml"),
        json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": "shop-test",
            "resources": ["environments/test", "ringsite.yaml"],
            "labels": [{
                "pairs": {"ringsite.dev/site": "eu-test", "ringsite.dev/ring": "testers"},
                "includeSelectors": false,
                "includeTemplates": false,
            }],
            "images": pins,
        })
    );
    assert_eq!(
        read(&tree, "ringsite.yaml"),
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "ringsite-eu-test"},
            "data": {
                "project": "acme/shop", "site": "eu-test", "ring": "testers",
                "rootVersion": "1.4.2", "rootDigest": root.digest.to_string(),
            },
        })
    );
}

#[test]
fn the_written_files_are_these_bytes() {
    let mut parts = Parts::new(site(""));
    parts.hosts = hosts(None, None);
    parts.root.images.clear();
    let tree = environment("test", &tree(&SOURCES)).tree(&parts.request());
    let digest = parts.root.digest;
    let text = |path: &str| String::from_utf8(tree.file(path).unwrap().bytes.to_vec()).unwrap();
    assert_eq!(
        text("kustomization.yaml"),
        format!(
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- environments/test\n- ringsite.yaml\n\
             labels:\n- pairs:\n    ringsite.dev/ring: testers\n    ringsite.dev/site: eu-test\n  includeSelectors: false\n  \
             includeTemplates: false\nimages:\n- name: acme/shop/shop\n  newName: acme/shop/shop\n  digest: {digest}\n\
             - name: shop\n  newName: acme/shop/shop\n  digest: {digest}\n"
        )
    );
    assert_eq!(
        text("ringsite.yaml"),
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ringsite-eu-test\ndata:\n  project: acme/shop\n  ring: testers\n  \
             rootDigest: {digest}\n  rootVersion: \"1.4.2\"\n  site: eu-test\n"
        )
    );
}

#[test]
fn names_that_yaml_1_1_would_read_as_something_else_stay_strings() {
    for name in
        ["yes", "no", "on", "off", "y", "n", "true", "null", "1", "012", "0x1f", "1e3", "12e03", "2001-01-01"]
    {
        let json =
            format!(r#"{{"name":"{name}","environment":"test","ring":"{name}","namespace":"{name}"}}"#);
        let parts = Parts::new(serde_json::from_str(&json).unwrap());
        let tree = environment("test", &tree(&SOURCES)).tree(&parts.request());
        let text = String::from_utf8(tree.file("kustomization.yaml").unwrap().bytes.to_vec()).unwrap();
        for key in ["namespace", "ringsite.dev/site", "ringsite.dev/ring"] {
            let quoted = [format!("{key}: '{name}'"), format!("{key}: \"{name}\"")];
            assert!(quoted.iter().any(|quoted| text.contains(quoted)), "{text}");
        }
    }
}

#[test]
fn the_host_is_the_sites_else_the_projects_else_the_registrys() {
    let cases = [
        (r#""pull":"site.example""#, Some("reg.example:5000"), Some("project.example"), Some("site.example")),
        ("", Some("reg.example:5000"), Some("project.example"), Some("project.example")),
        ("", Some("reg.example:5000"), None, Some("reg.example:5000")),
        ("", Some("https://reg.example/"), None, Some("reg.example")),
        ("", None, None, None),
    ];
    for (more, registry, pull, expected) in cases {
        let mut parts = Parts::new(site(more));
        parts.hosts = hosts(registry, pull);
        assert_eq!(parts.hosts.for_site(&parts.site), expected, "{more} {registry:?} {pull:?}");
        let tree = environment("test", &tree(&SOURCES)).tree(&parts.request());
        let names: Vec<String> = read(&tree, "kustomization.yaml")["images"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|pin| pin["name"].as_str().unwrap().ends_with("api"))
            .map(|pin| format!("{} -> {}", pin["name"].as_str().unwrap(), pin["newName"].as_str().unwrap()))
            .collect();
        let to = expected.map_or("acme/shop/api".to_owned(), |host| format!("{host}/acme/shop/api"));
        assert!(names.contains(&format!("api -> {to}")), "{names:?}");
        assert!(names.contains(&format!("acme/shop/api -> {to}")), "{names:?}");
        if registry.is_some() {
            assert!(
                names.iter().any(|name| name.starts_with("reg.example") && name.ends_with(&to)),
                "{names:?}"
            );
        }
    }
}

#[test]
fn the_same_content_has_the_same_digest_and_this_one() {
    let parts = Parts::new(site(""));
    let request = parts.request();
    let one = Artifact::new(&request, environment("test", &tree(&SOURCES)).pack(&request), Format::Default);
    let mut turned = SOURCES;
    turned.reverse();
    let two = Artifact::new(&request, environment("test", &tree(&turned)).pack(&request), Format::Default);
    assert_eq!((one.digest, one.layer.digest), (two.digest, two.layer.digest));
    // A change of these is a change of what every site sees: it needs a note in the design.
    assert_eq!(
        one.packed.diff_id().to_string(),
        "sha256:989533a18537e0f4be2508f0bd3821cd706bc4e993ff1c7a6ee1fc167ea52a33"
    );
    assert_eq!(
        one.layer.digest.to_string(),
        "sha256:3cdbb663684bc91546a7b12369d52d35fbd8be4a273a044e86680519cfbd0cfb"
    );
    assert_eq!(
        one.digest.to_string(),
        "sha256:a60e7ab511657e12088d689ea372cf09ccf6bb55bb50e33356fb2955641295a1"
    );
}

#[test]
fn every_input_of_the_table_changes_the_digest_and_nothing_else_does() {
    let sources = tree(&SOURCES);
    let digest = |parts: &Parts| {
        let request = parts.request();
        Artifact::new(&request, environment("test", &sources).pack(&request), Format::Default).digest
    };
    let base = digest(&Parts::new(site("")));
    for irrelevant in
        [r#""deliver":["files"]"#, r#""context":"c""#, r#""maxShrink":10"#, r#""kustomizeOptions":"x""#]
    {
        assert_eq!(digest(&Parts::new(site(irrelevant))), base, "{irrelevant}");
    }
    for relevant in [r#""namespace":"x""#, r#""pull":"x.example""#] {
        assert_ne!(digest(&Parts::new(site(relevant))), base, "{relevant}");
    }
    let mut parts = Parts::new(site(""));
    parts.root.digest = Digest::sha256(b"another root");
    assert_ne!(digest(&parts), base);
}

#[test]
fn three_formats_wrap_the_same_tar_in_the_types_that_their_readers_know() {
    let parts = Parts::new(site(""));
    let request = parts.request();
    let packed = environment("test", &tree(&SOURCES)).pack(&request);
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    let plain = "application/vnd.oci.image.layer.v1.tar";
    let image = "application/vnd.oci.image.config.v1+json";
    let flux = ("application/vnd.cncf.flux.content.v1.tar+gzip", "application/vnd.cncf.flux.config.v1+json");
    let cases = [
        (Format::Default, gzip, image, packed.digest()),
        (Format::Flux, flux.0, flux.1, packed.digest()),
        (Format::ArgoTar, plain, image, packed.diff_id()),
    ];
    for (format, layer_type, config_type, digest) in cases {
        let artifact = Artifact::new(&request, packed.clone(), format);
        let manifest = ImageManifest::from_bytes(&artifact.manifest).unwrap();
        assert_eq!(Digest::sha256(&artifact.manifest), artifact.digest);
        assert_eq!(manifest.layers, std::slice::from_ref(&artifact.layer));
        assert_eq!((manifest.layers[0].media_type.as_str(), manifest.layers[0].digest), (layer_type, digest));
        assert_eq!(
            (manifest.config.media_type.as_str(), manifest.config.digest),
            (config_type, Digest::sha256(&artifact.config))
        );
        let bytes: Vec<u8> = artifact.layer_pieces().into_iter().flatten().collect();
        assert_eq!((Digest::sha256(&bytes), bytes.len() as u64), (digest, artifact.layer.size));
        let config = ImageConfig::from_bytes(&artifact.config).unwrap();
        assert_eq!(config.rootfs.diff_ids, [packed.diff_id()]);
        let annotation =
            |name: &str| manifest.annotations[&format!("org.opencontainers.image.{name}")].clone();
        assert_eq!(annotation("version"), "1.4.2");
        assert_eq!(annotation("revision"), format!("testers@{}", parts.root.digest));
        assert_eq!(annotation("created"), "2026-11-21T06:00:00Z");
        assert_eq!(annotation("source"), "https://example.com/shop");
        assert_eq!(manifest.artifact_type.as_deref(), Some("application/vnd.ringsite.site.v1+json"));
        assert_eq!(artifact.content_tag().to_string(), format!("c-{}", digest.short(16)));
    }
}

#[test]
fn the_archive_is_two_gzip_members_of_which_sites_of_one_environment_share_the_first() {
    let environment = environment("test", &tree(&SOURCES));
    let one = environment.pack(&Parts::new(site("")).request());
    let two = environment.pack(&Parts::new(site(r#""namespace":"other""#)).request());
    let (one, two): (Vec<_>, Vec<_>) = (one.gzip_members().collect(), two.gzip_members().collect());
    assert_eq!((one.len(), two.len()), (2, 2));
    assert_eq!(one[0], two[0]);
    assert_ne!(one[1], two[1]);
    let mut alone = Vec::new();
    flate2::read::GzDecoder::new(one[1].as_ref()).read_to_end(&mut alone).unwrap();
    assert!(alone.starts_with(b"kustomization.yaml\0"));
}

#[test]
fn agents_find_plain_entries_in_order_and_folders_before_their_files() {
    let packed = environment("test", &tree(&SOURCES)).pack(&Parts::new(site("")).request());
    let tar = packed.tar();
    let mut archive = tar::Archive::new(tar.as_slice());
    let mut names = Vec::new();
    for entry in archive.entries().unwrap().raw(true) {
        let entry = entry.unwrap();
        let kind = entry.header().entry_type();
        assert!(kind.is_file() || kind.is_dir(), "{kind:?}");
        names.push(String::from_utf8(entry.path_bytes().to_vec()).unwrap());
    }
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(names, sorted);
    assert_eq!(names.first().map(String::as_str), Some("environments/"));
    assert_eq!(names.last().map(String::as_str), Some("ringsite.yaml"));
    let escapes = |name: &String| {
        name.starts_with('/') || name.contains("..") || name.contains('\\') || name.is_empty()
    };
    assert!(!names.iter().any(escapes), "{names:?}");
}

#[test]
fn a_rendered_artifact_holds_what_kustomize_printed_and_nothing_of_the_sources() {
    let packed = rendered(b"kind: X\n");
    let names: Vec<&String> = packed.tree().files().map(|(path, _)| path).collect();
    assert_eq!(names, ["kustomization.yaml", "rendered.yaml"]);
    assert_eq!(read(packed.tree(), "kustomization.yaml")["resources"], json!(["rendered.yaml"]));
    assert_eq!(&*packed.tree().file("rendered.yaml").unwrap().bytes, b"kind: X\n");
}
