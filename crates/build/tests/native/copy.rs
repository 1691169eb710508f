//! `COPY`, `ADD` and `WORKDIR`.

use std::io::Write;
use std::os::unix::fs::symlink;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{World, listing};

fn copied(containerfile: &str, sources: &[(&str, &str)]) -> Vec<String> {
    let world = World::of(containerfile);
    for (path, content) in sources {
        world.write(&format!("images/shop/{path}"), content);
    }
    listing(&world.last_layer())
}

const TREE: [(&str, &str); 3] = [("src/b/c.txt", "c"), ("src/a.txt", "a"), ("README.md", "r")];

#[test]
fn a_folder_is_copied_by_content_and_its_parents_are_made() {
    let found = copied("FROM scratch\nCOPY src /opt/app\n", &TREE);
    let expected =
        ["D755 opt/", "D755 opt/app/", "F644 opt/app/a.txt", "D755 opt/app/b/", "F644 opt/app/b/c.txt"];
    assert_eq!(found, expected);
}

#[test]
fn a_file_takes_the_name_of_the_destination_or_goes_into_a_folder() {
    for (destination, expected) in [
        ("/x", vec!["F644 x"]),
        ("/x/", vec!["D755 x/", "F644 x/README.md"]),
        ("y/../x", vec!["F644 x"]),
        (".", vec!["F644 README.md"]),
    ] {
        let found = copied(&format!("FROM scratch\nCOPY README.md {destination}\n"), &TREE);
        assert_eq!(found, expected, "{destination}");
    }
}

#[test]
fn patterns_and_several_sources_go_into_a_folder() {
    let found = copied("FROM scratch\nCOPY *.md src/?.txt /doc/\n", &TREE);
    assert_eq!(found, ["D755 doc/", "F644 doc/README.md", "F644 doc/a.txt"]);
    let world = World::of("FROM scratch\nCOPY README.md src/a.txt /doc\n")
        .source("README.md", "r")
        .source("src/a.txt", "");
    let error = world.error();
    assert!(error.to_string().contains("Containerfile:2") && error.help().unwrap().contains('/'), "{error}");
}

#[test]
fn parents_and_exclusions_are_kept_and_left_out() {
    let found = copied("FROM scratch\nCOPY --parents src/./b/c.txt /x/\n", &TREE);
    assert_eq!(found, ["D755 x/", "D755 x/b/", "F644 x/b/c.txt"]);
    let found = copied("FROM scratch\nCOPY --exclude=b src /\n", &TREE);
    assert_eq!(found, ["F644 a.txt"]);
}

#[test]
fn execute_bits_links_and_empty_folders_are_what_they_are_in_the_context() {
    let world = World::of("FROM scratch\nCOPY src /s\n").source("src/run", "#!").source("src/data", "d");
    world.chmod("images/shop/src/run", 0o4710);
    world.chmod("images/shop/src/data", 0o600);
    symlink("run", world.path("images/shop/src/link")).unwrap();
    std::fs::create_dir(world.path("images/shop/src/void")).unwrap();
    let built = world.build();
    let layer = world.layers(&built).pop().unwrap();
    assert_eq!(listing(&layer), ["D755 s/", "F644 s/data", "L777 s/link", "F755 s/run", "D755 s/void/"]);
    assert_eq!(layer[2].content, b"run");
    assert!(layer.iter().all(|seen| seen.owner == (0, 0) && seen.mtime == 0));
    assert!(built.warnings.iter().any(|warning| warning.contains("setuid")), "{:?}", built.warnings);
}

#[test]
fn owner_and_mode_are_those_of_the_flags() {
    let world = World::of("FROM scratch\nCOPY --chown=7:8 --chmod=0640 src /s/\n").source("src/a", "a");
    let layer = world.last_layer();
    assert_eq!(listing(&layer), ["D640 s/", "F640 s/a"]);
    assert!(layer.iter().all(|seen| seen.owner == (7, 8)));
    let world = World::of("FROM scratch\nCOPY --chmod=u+x src /s/\n").source("src/a", "a");
    assert!(world.error().to_string().contains("--chmod=u+x"));
}

#[test]
fn names_of_owners_are_those_of_the_image() {
    let text = "FROM scratch\nCOPY passwd group /etc/\nCOPY --chown=app:staff passwd /a\nCOPY --chown=app passwd /b\n";
    let world = World::of(text)
        .source("passwd", "root:x:0:0::/:\napp:x:1000:1001::/:\n")
        .source("group", "staff:x:50:\n");
    let layers = world.layers(&world.build());
    assert_eq!(layers[1][0].owner, (1000, 50));
    assert_eq!(layers[2][0].owner, (1000, 1001));
    let world = World::of("FROM scratch\nCOPY --chown=nobody a /a\n").source("a", "");
    let error = world.error().to_string();
    assert!(
        error.contains("Containerfile:2") && error.contains("nobody") && error.contains("/etc/passwd"),
        "{error}"
    );
}

#[test]
fn heredocs_become_files() {
    let text = "FROM scratch\nENV NAME=ring\nCOPY <<one <<'two' /etc/\nhello $NAME\none\nhello $NAME\ntwo\n";
    let layer = World::of(text).last_layer();
    assert_eq!(listing(&layer), ["D755 etc/", "F644 etc/one", "F644 etc/two"]);
    assert_eq!(layer[1].content, b"hello ring\n");
    assert_eq!(layer[2].content, b"hello $NAME\n");
}

#[test]
fn later_copies_of_one_instruction_win_and_clashes_are_refused() {
    let world = World::of("FROM scratch\nCOPY one/ two/ /x/\n").source("one/a", "1").source("two/a", "2");
    assert_eq!(world.last_layer()[1].content, b"2");
    let world = World::of("FROM scratch\nCOPY one/ two/ /x/\n").source("one/a", "1").source("two/a/b", "2");
    assert!(world.error().to_string().contains("/x/a"));
}

#[test]
fn a_file_never_takes_the_place_of_a_folder_nor_the_other_way_round() {
    let world = World::of("FROM scratch\nCOPY a /x/y/a\nCOPY a /x/y/a/b\n").source("a", "1");
    assert!(world.error().to_string().contains("Containerfile:3: `/x/y/a` is no folder"));
    let world = World::of("FROM scratch\nCOPY a /x/y/\nCOPY t /x/\n").source("a", "1").source("t/y", "2");
    assert!(world.error().to_string().contains("Containerfile:3: `/x/y` is a folder"));
}

#[test]
fn folders_of_lower_layers_are_not_written_again_unless_they_are_unusual() {
    let text = "FROM scratch\nCOPY --chmod=1777 t /tmp\nCOPY a /usr/a\nCOPY a /usr/b\nCOPY a /tmp/\n";
    let world = World::of(text).source("a", "1").source("t/keep", "");
    let layers = world.layers(&world.build());
    assert_eq!(listing(&layers[2]), ["F644 usr/b"]);
    assert_eq!(listing(&layers[3]), ["D1777 tmp/", "F644 tmp/a"]);
}

#[test]
fn copies_with_link_do_not_look_below() {
    let text = "FROM scratch\nCOPY a /usr/a\nCOPY --link a /usr/b\n";
    let layers = {
        let world = World::of(text).source("a", "1");
        world.layers(&world.build())
    };
    assert_eq!(listing(&layers[1]), ["D755 usr/", "F644 usr/b"]);
}

#[test]
fn stages_are_copied_from_and_never_pushed() {
    let text = "FROM scratch AS files\nWORKDIR /out\nCOPY --chown=5:6 src ./\nCOPY src/a.txt /unused\nFROM scratch\nCOPY --from=files /out/*.txt /x/\nCOPY --from=0 /out /y\n";
    let world = World::of(text);
    for (path, content) in TREE {
        world.write(&format!("images/shop/{path}"), content);
    }
    let built = world.build();
    let layers = world.layers(&built);
    assert_eq!(layers.len(), 2);
    assert_eq!(listing(&layers[0]), ["D755 x/", "F644 x/a.txt"]);
    assert_eq!(listing(&layers[1]), ["D755 y/", "F644 y/a.txt", "D755 y/b/", "F644 y/b/c.txt"]);
    assert_eq!(layers[0][1].owner, (5, 6));
    let world = World::of("FROM scratch AS files\nFROM scratch\nCOPY --from=files /none /x\n");
    assert!(world.error().to_string().contains("Containerfile:3"));
}

#[test]
fn working_folders_are_made_and_copies_are_relative_to_them() {
    let world =
        World::of("FROM scratch\nUSER 3:4\nWORKDIR /a\nWORKDIR b\nCOPY x y\nWORKDIR /a\n").source("x", "1");
    let built = world.build();
    let layers = world.layers(&built);
    let listings: Vec<_> = layers.iter().map(|layer| listing(layer)).collect();
    assert_eq!(
        listings,
        [vec!["D755 a/"], vec!["D755 a/", "D755 a/b/"], vec!["D755 a/", "D755 a/b/", "F644 a/b/y"]]
    );
    assert_eq!(layers[0][0].owner, (3, 4));
    assert_eq!(built.platforms[0].config.config.working_dir.as_deref(), Some("/a"));
}

fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, content: &[u8], link: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o750);
        header.set_uid(9);
        header.set_gid(9);
        header.set_mtime(1_700_000_000);
        if link.is_empty() {
            archive.append_data(&mut header, path, content).unwrap();
        } else {
            archive.append_link(&mut header, path, link).unwrap();
        }
    };
    add("lib", tar::EntryType::Directory, b"", "");
    add("lib/z", tar::EntryType::Regular, b"zz", "");
    add("lib/a", tar::EntryType::Regular, b"aa", "");
    add("lib/hard", tar::EntryType::Link, b"", "lib/z");
    add("lib/soft", tar::EntryType::Symlink, b"", "a");
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn local_archives_are_unpacked_by_add_whatever_they_are_called() {
    let tar = archive();
    let zstd = zstd::encode_all(tar.as_slice(), 1).unwrap();
    for packed in [tar.clone(), gzip(&tar), zstd] {
        let world = World::of("FROM scratch\nADD some.file /opt/\n").source("some.file", packed);
        let layer = world.last_layer();
        assert_eq!(
            listing(&layer),
            [
                "D755 opt/",
                "D750 opt/lib/",
                "F750 opt/lib/a",
                "F750 opt/lib/hard",
                "L777 opt/lib/soft",
                "F750 opt/lib/z"
            ]
        );
        assert_eq!((layer[3].content.as_slice(), layer[3].owner, layer[3].mtime), (&b"zz"[..], (9, 9), 0));
    }
}

#[test]
fn add_copies_what_is_no_archive_and_refuses_what_it_cannot_unpack() {
    let world = World::of("FROM scratch\nADD a.gz b /x/\n").source("a.gz", gzip(b"text")).source("b", "b");
    assert_eq!(listing(&world.last_layer()), ["D755 x/", "F644 x/a.gz", "F644 x/b"]);
    let world =
        World::of("FROM scratch\nADD a.tar /x/\nADD --unpack=false a.tar /y/\n").source("a.tar", archive());
    assert_eq!(listing(&world.last_layer()), ["D755 y/", "F644 y/a.tar"]);
    for (start, method) in [(&b"BZh91AY"[..], "bzip2"), (&b"\xfd7zXZ\0"[..], "xz")] {
        let world = World::of("FROM scratch\nADD a /x/\n").source("a", start);
        let error = world.error();
        assert!(error.to_string().contains(method) && error.to_string().contains(":2"), "{error}");
    }
}

#[test]
fn addresses_are_refused_because_a_build_has_no_network() {
    let sum = format!("sha256:{}", "0".repeat(64));
    let world = World::of(&format!("FROM scratch\nADD --checksum={sum} https://example.com/x /x\n"));
    let error = world.error();
    assert!(error.to_string().contains("network") && error.help().unwrap().contains("COPY"), "{error}");
}
