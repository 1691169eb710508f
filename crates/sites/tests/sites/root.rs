//! Reading root images: the union of layers, and archives that nobody should trust.

use std::io::Write;

use bytes::Bytes;
use ringsite_names::Digest;
use ringsite_oci::names::{MEDIA_TYPE_INDEX, MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{ImageIndex, Memory, Registry};
use ringsite_sites::{ArchiveError, ArchiveRule, RootError, RootImage, read_root};

use crate::support::{
    Raw, descriptor, file, gzip, images_file, layer, push_image, put_manifest, root_repository, special,
};

async fn read(layers: &[Vec<u8>]) -> Result<RootImage, RootError> {
    let registry = Memory::new();
    let digest = push_image(&registry, layers).await;
    read_root(&registry, &root_repository(), digest).await
}

fn paths(root: &RootImage) -> Vec<&str> {
    root.environments.files().map(|(path, _)| path.as_str()).collect()
}

fn images() -> Vec<u8> {
    let text = images_file();
    layer(&[file(".ring/images.json", &text)])
}

#[tokio::test]
async fn environments_and_digests_are_read_from_gzip_and_plain_layers() {
    let base = gzip(&layer(&[
        special("usr/", b'5', ""),
        file("usr/bin/tool", "binary"),
        special("dev/null", b'3', ""),
        file("./environments/test/kustomization.yaml", "resources: []"),
    ]));
    let root = read(&[base, images()]).await.unwrap();
    assert_eq!(paths(&root), ["environments/test/kustomization.yaml"]);
    assert_eq!(root.created.as_deref(), Some("2026-11-21T06:00:00Z"));
    assert_eq!(root.project.as_str(), "acme/shop");
    assert_eq!(root.images["api"].version.to_string(), "0.3.1");
    let release = root.release("shop".parse().unwrap(), "1.4.2".parse().unwrap());
    assert_eq!((release.digest, release.images["api"]), (root.digest, Digest::sha256(b"api")));
}

#[tokio::test]
async fn upper_layers_replace_hide_and_empty_what_is_below() {
    let below = layer(&[
        file("environments/a/x", "1"),
        file("environments/a/y", "1"),
        file("environments/b/x", "1"),
        file("environments/c/x", "1"),
        file("environments/d", "1"),
        special("environments/l", b'2', "a"),
        file("environments/e/x", "1"),
    ]);
    let above = layer(&[
        // The order inside a layer does not matter: whiteouts act on what is below.
        file("environments/b/new", "2"),
        file("environments/b/.wh..wh..opq", ""),
        file("environments/a/.wh.x", ""),
        file("environments/.wh.c", ""),
        file("environments/c/again", "2"),
        special("environments/d/", b'5', ""),
        file("environments/d/x", "2"),
        special("environments/l/", b'5', ""),
        file("environments/l/x", "2"),
        file("environments/e", "2"),
        file("environments/.wh..wh.aufs", ""),
    ]);
    let root = read(&[below, above, images()]).await.unwrap();
    assert_eq!(
        paths(&root),
        [
            "environments/a/y",
            "environments/b/new",
            "environments/c/again",
            "environments/d/x",
            "environments/e",
            "environments/l/x",
        ]
    );
}

#[tokio::test]
async fn everything_can_be_hidden_at_once() {
    for hidden in [".wh.environments", ".wh..wh..opq"] {
        let layers = [layer(&[file("environments/a/x", "1")]), layer(&[file(hidden, "")]), images()];
        assert!(matches!(read(&layers).await.unwrap_err(), RootError::NoEnvironments { .. }), "{hidden}");
    }
}

#[tokio::test]
async fn links_inside_are_kept_as_links_and_hard_links_become_files() {
    let root = read(&[
        layer(&[
            file("environments/a/x", "1"),
            special("environments/a/hard", b'1', "environments/a/x"),
            special("environments/a/soft", b'2', "../a/x"),
            special("environments/a/absolute", b'2', "/environments/a/x"),
        ]),
        layer(&[special("environments/b", b'1', "./environments/a/x")]),
        images(),
    ])
    .await
    .unwrap();
    assert_eq!(paths(&root), ["environments/a/hard", "environments/a/x", "environments/b"]);
    assert_eq!(
        root.environments.file("environments/b").unwrap().bytes,
        root.environments.file("environments/a/x").unwrap().bytes
    );
    let links: Vec<&str> = root.environments.links().map(|(path, _)| path.as_str()).collect();
    assert_eq!(links, ["environments/a/absolute", "environments/a/soft"]);
}

#[tokio::test]
async fn hostile_archives_are_refused_by_the_name_of_the_rule() {
    let cases: Vec<(Raw<'_>, ArchiveRule)> = vec![
        (file("environments/../../etc/passwd", ""), ArchiveRule::ParentReference),
        (file("usr/../x", ""), ArchiveRule::ParentReference),
        (file("/etc/passwd", ""), ArchiveRule::Absolute),
        (file("environments/a\\b", ""), ArchiveRule::Name),
        (file("environments/a\nb", ""), ArchiveRule::Name),
        (special("environments/l", b'2', "/etc"), ArchiveRule::LinkLeaves),
        (special("environments/l", b'2', "../etc"), ArchiveRule::LinkLeaves),
        (special("environments/l", b'2', "../../../environments/x"), ArchiveRule::LinkLeaves),
        (special("environments", b'2', "srv/environments"), ArchiveRule::LinkLeaves),
        (special("environments/h", b'1', "etc/passwd"), ArchiveRule::LinkLeaves),
        (special("environments/h", b'1', "environments/nothing"), ArchiveRule::LinkLeaves),
        (special("environments/dev", b'3', ""), ArchiveRule::Special),
        (special("environments/dev", b'4', ""), ArchiveRule::Special),
        (special("environments/pipe", b'6', ""), ArchiveRule::Special),
        (special("environments/odd", b'Z', ""), ArchiveRule::Special),
        (special("environments/s", b'S', ""), ArchiveRule::Sparse),
        (file("environments/a/x", "twice"), ArchiveRule::Duplicate),
        (special("environments/a/x/", b'5', ""), ArchiveRule::Duplicate),
        (file("environments/.wh.", ""), ArchiveRule::Whiteout),
        (file("environments/.wh...", ""), ArchiveRule::Whiteout),
    ];
    for (entry, rule) in cases {
        let name = entry.name.to_owned();
        let layers = [layer(&[file("environments/a/x", "1"), entry]), images()];
        match read(&layers).await {
            Err(RootError::Layer { source: ArchiveError::Hostile { path, rule: found }, .. }) => {
                assert_eq!((found, path), (rule, name));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_file_through_a_link_is_refused_unless_the_layer_replaces_the_link() {
    let below = layer(&[file("environments/a/x", "1"), special("environments/l", b'2', "a")]);
    let through = layer(&[file("environments/l/x", "2")]);
    match read(&[below.clone(), through, images()]).await {
        Err(RootError::Layer { source: ArchiveError::Hostile { rule, .. }, .. }) => {
            assert_eq!(rule, ArchiveRule::ThroughLink);
        }
        other => panic!("{other:?}"),
    }
    let replaced = layer(&[special("environments/l/", b'5', ""), file("environments/l/x", "2")]);
    assert!(read(&[below, replaced, images()]).await.is_ok());
}

#[tokio::test]
async fn names_of_both_long_forms_are_read_and_sizes_that_contradict_are_not() {
    let long = format!("environments/{}/x", "n".repeat(200));
    let with_end = format!("{long}\0");
    let pax = |records: &[(&str, &str)]| -> String {
        records
            .iter()
            .map(|(key, value)| {
                let rest = key.len() + value.len() + 3;
                let size = (rest + 1..).find(|size| rest + size.to_string().len() == *size).unwrap();
                format!("{size} {key}={value}\n")
            })
            .collect()
    };
    let records = pax(&[("path", &long), ("mtime", "1.5")]);
    let size = pax(&[("size", "7")]);
    let header =
        |kind, content: &'static str| Raw { name: "header", kind, link: "", content: content.as_bytes() };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    for extended in [header(b'L', leak(with_end)), header(b'x', leak(records))] {
        let root = read(&[layer(&[extended, file("short", "1")]), images()]).await.unwrap();
        assert_eq!(paths(&root), [long.as_str()]);
    }
    let contradicts = layer(&[header(b'x', leak(size)), file("environments/a", "1")]);
    assert!(read(&[contradicts, images()]).await.unwrap_err().to_string().contains("sizes contradict"));
    let large = layer(&[header(b'L', leak("n".repeat(70_000))), file("environments/a", "1")]);
    assert!(read(&[large, images()]).await.unwrap_err().to_string().contains("64 KiB"));
}

#[tokio::test]
async fn bombs_are_refused_before_they_fill_the_memory() {
    // 17 MiB of zeros in one file.
    let large = "\0".repeat(17 * 1024 * 1024);
    let error = read(&[gzip(&layer(&[file("environments/a", &large)])), images()]).await.unwrap_err();
    assert!(error.to_string().contains("more than 16 MiB"), "{error}");
    // Hard links to one file of 15 MiB: each becomes a copy when it is packed.
    let names: Vec<String> = (0..10).map(|number| format!("environments/h{number}")).collect();
    let content = "\0".repeat(15 * 1024 * 1024);
    let mut entries = vec![file("environments/a", &content)];
    entries.extend(names.iter().map(|name| special(name, b'1', "environments/a")));
    let error = read(&[gzip(&layer(&entries)), images()]).await.unwrap_err();
    assert!(error.to_string().contains("more than 128 MiB"), "{error}");
    // Empty folders cost no content, and still count.
    let names: Vec<String> = (0..50_001).map(|number| format!("environments/f{number}/")).collect();
    let entries: Vec<Raw<'_>> = names.iter().map(|name| special(name, b'5', "")).collect();
    let error = read(&[gzip(&layer(&entries)), images()]).await.unwrap_err();
    assert!(error.to_string().contains("more than 50000"), "{error}");
}

#[tokio::test]
async fn damaged_and_foreign_archives_are_errors_and_never_a_part_of_a_tree() {
    let whole = gzip(&layer(&[file("environments/a/x", "some content"), file("environments/a/y", "more")]));
    for cut in [20, whole.len() / 2] {
        let error = read(&[whole[..cut].to_vec(), images()]).await.unwrap_err();
        assert!(matches!(error, RootError::Layer { source: ArchiveError::Damaged(_), .. }), "{cut}: {error}");
    }
    let mut crooked = layer(&[file("environments/a/x", "1")]);
    crooked[5] ^= 1;
    let error = read(&[crooked, images()]).await.unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    let error = read(&[vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0], images()]).await.unwrap_err();
    assert!(error.to_string().contains("zstd"), "{error}");
    let inside = layer(&[file("environments/a/x", "1")])[..600].to_vec();
    assert!(read(&[inside, images()]).await.is_err());
}

#[tokio::test]
async fn several_gzip_members_are_one_archive() {
    let plain = layer(&[file("environments/a/x", "1")]);
    let mut members = gzip(&plain[..512]);
    members.write_all(&gzip(&plain[512..])).unwrap();
    assert_eq!(paths(&read(&[members, images()]).await.unwrap()), ["environments/a/x"]);
}

#[tokio::test]
async fn a_root_without_environments_says_which_line_to_add() {
    let error = read(&[layer(&[file("usr/x", "1")]), images()]).await.unwrap_err();
    assert!(matches!(error, RootError::NoEnvironments { .. }));
    assert!(error.help().ends_with("COPY environments/ /environments/"), "{}", error.help());
}

#[tokio::test]
async fn a_root_without_digests_of_its_images_was_not_built_by_us() {
    let environments = layer(&[file("environments/a/x", "1")]);
    let error = read(std::slice::from_ref(&environments)).await.unwrap_err();
    assert!(error.to_string().contains("`/.ring/images.json` is missing"), "{error}");
    for (text, reason) in [
        ("{}", "not readable"),
        (r#"{"schema":2,"project":"a","images":{}}"#, "schema 2, expected 1"),
        (r#"{"schema":1,"project":"a","images":{"x":{"version":"1","digest":"y"}}}"#, "not readable"),
    ] {
        let layers = [environments.clone(), layer(&[file(".ring/images.json", text)])];
        let error = read(&layers).await.unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.help().contains("ring release"));
    }
}

#[tokio::test]
async fn an_index_means_its_first_platform() {
    let registry = Memory::new();
    let image = push_image(&registry, &[layer(&[file("environments/a/x", "1")]), images()]).await;
    let stored = registry.manifest(&root_repository(), &image.into()).await.unwrap();
    let index = ImageIndex::new(vec![stored.descriptor()]).to_bytes();
    let index = put_manifest(&registry, MEDIA_TYPE_INDEX, index).await;
    let root = read_root(&registry, &root_repository(), index).await.unwrap();
    assert_eq!((paths(&root), root.digest), (vec!["environments/a/x"], index));
    let empty = put_manifest(&registry, MEDIA_TYPE_INDEX, ImageIndex::new(Vec::new()).to_bytes()).await;
    let error = read_root(&registry, &root_repository(), empty).await.unwrap_err();
    assert!(error.to_string().contains("without children"), "{error}");
}

#[tokio::test]
async fn a_root_that_is_not_there_names_repository_and_digest() {
    let registry = Memory::new();
    let digest = descriptor(MEDIA_TYPE_MANIFEST, Digest::sha256(b"nothing")).digest;
    let error = read_root(&registry, &root_repository(), digest).await.unwrap_err();
    assert!(matches!(error, RootError::Registry { .. }));
    assert!(error.to_string().contains(&format!("acme/shop/shop@{digest}")), "{error}");
    let bytes = Bytes::from_static(b"x");
    registry.put_bytes(&root_repository(), MEDIA_TYPE_LAYER_GZIP, bytes).await.unwrap();
}
