//! Images on other images, of the project and from elsewhere; hostile ones are refused.

use bytes::Bytes;
use ringsite_build::{BaseImage, BuildError};
use ringsite_images::normalise;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::names::{MEDIA_TYPE_CONFIG, MEDIA_TYPE_LAYER, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{ImageConfig, ImageManifest, Put, Registry};

use crate::harness::{World, listing, run};

/// One raw tar header with content; nothing is checked, so that it can be hostile.
fn raw(path: &str, kind: u8, content: &[u8], link: &str, mode: u32) -> Vec<u8> {
    let mut block = [0_u8; 512];
    block[..path.len()].copy_from_slice(path.as_bytes());
    block[100..107].copy_from_slice(format!("{mode:07o}").as_bytes());
    block[108..115].copy_from_slice(b"0000000");
    block[116..123].copy_from_slice(b"0000000");
    block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    block[136..147].copy_from_slice(b"00000000000");
    block[156] = kind;
    block[157..157 + link.len()].copy_from_slice(link.as_bytes());
    block[257..263].copy_from_slice(b"ustar\0");
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut whole = block.to_vec();
    whole.extend_from_slice(content);
    whole.resize(whole.len().div_ceil(512) * 512, 0);
    whole
}

fn file(path: &str, content: &str) -> Vec<u8> {
    raw(path, b'0', content.as_bytes(), "", 0o644)
}

fn folder(path: &str) -> Vec<u8> {
    raw(path, b'5', b"", "", 0o755)
}

fn link(path: &str, target: &str) -> Vec<u8> {
    raw(path, b'2', b"", target, 0o777)
}

/// Pushes an external image with these layers and makes it the one that `redis:7` names.
fn external(world: &mut World, layers: &[Vec<Vec<u8>>], config: ImageConfig) {
    let repository = RepositoryName::new("acme/shop/external/docker.io/library/redis").unwrap();
    let mut config = config;
    let mut descriptors = Vec::new();
    for layer in layers {
        let mut tar = layer.concat();
        tar.resize(tar.len() + 1024, 0);
        config.rootfs.diff_ids.push(Digest::sha256(&tar));
        descriptors.push(run(world.registry.put_bytes(&repository, MEDIA_TYPE_LAYER, tar.into())).unwrap());
    }
    let bytes = Bytes::from(config.to_bytes());
    let config = run(world.registry.put_bytes(&repository, MEDIA_TYPE_CONFIG, bytes)).unwrap();
    let bytes = Bytes::from(ImageManifest::image(config, descriptors).to_bytes());
    let put = Put::by_digest();
    let digest = run(world.registry.put_manifest(&repository, &put, MEDIA_TYPE_MANIFEST, bytes)).unwrap();
    let reference = normalise("redis:7").unwrap();
    world.lock.pin(reference.clone(), digest);
    world.externals.insert(reference, BaseImage { repository, digest, version: None });
}

fn on(layers: &[Vec<Vec<u8>>], containerfile: &str) -> World {
    let mut world = World::of(containerfile).source("x", "x");
    external(&mut world, layers, ImageConfig::new("linux", "amd64"));
    world
}

#[test]
fn destinations_go_through_the_links_of_the_base() {
    let base = vec![folder("usr/"), folder("usr/bin/"), link("bin", "usr/bin"), link("loc", "/etc/./../opt")];
    let world = on(&[base], "FROM redis:7\nCOPY x /bin/\nCOPY x /loc/y\n");
    let layers = world.layers_added(1);
    assert_eq!(listing(&layers[0]), ["F644 usr/bin/x"]);
    assert_eq!(listing(&layers[1]), ["D755 opt/", "F644 opt/y"]);
}

impl World {
    /// Builds `shop` and returns its layers above `base` layers.
    fn layers_added(&self, base: usize) -> Vec<Vec<crate::harness::Seen>> {
        let built = self.build();
        let repository = RepositoryName::new("acme/shop/shop").unwrap();
        let read = |digest| run(self.registry.blob_bytes(&repository, digest, 1 << 30)).unwrap();
        built.platforms[0].layers[base..]
            .iter()
            .map(|layer| crate::harness::read_layer(&read(&layer.digest)))
            .collect()
    }
}

#[test]
fn layers_of_a_base_hide_what_lies_below_them() {
    let lower = vec![
        folder("a/"),
        file("a/one", "1"),
        file("a/two", "2"),
        folder("b/"),
        file("b/old", "o"),
        file("c", "c"),
    ];
    let upper = vec![
        file("a/.wh.one", ""),
        file("b/.wh..wh..opq", ""),
        file("b/new", "n"),
        file(".wh.c", ""),
        file("a/three", "3"),
    ];
    let world = on(&[lower, upper], "FROM redis:7\nCOPY --from=redis:7 /a /x/\nCOPY --from=redis:7 /b /y/\n");
    let layers = world.layers_added(2);
    assert_eq!(listing(&layers[0]), ["D755 x/", "F644 x/three", "F644 x/two"]);
    assert_eq!(layers[0][2].content, b"2");
    assert_eq!(listing(&layers[1]), ["D755 y/", "F644 y/new"]);
    let world =
        on(&[vec![file("c", "c")], vec![file(".wh.c", "")]], "FROM scratch\nCOPY --from=redis:7 /c /x\n");
    assert!(world.error().to_string().contains("`/c`"));
}

#[test]
fn files_of_images_keep_mode_and_content_and_hard_links_become_files() {
    let base = vec![
        raw("run", b'0', b"go", "", 0o4755),
        raw("same", b'1', b"", "run", 0),
        folder("d/"),
        link("d/l", "../run"),
    ];
    let world = on(&[base], "FROM scratch\nCOPY --from=redis:7 /run /same /d/l /o/\n");
    let layers = world.layers_added(0);
    assert_eq!(listing(&layers[0]), ["D755 o/", "F4755 o/l", "F4755 o/run", "F4755 o/same"]);
    assert!(layers[0][1..].iter().all(|seen| seen.content == b"go"));
}

#[test]
fn the_index_of_a_base_is_kept_and_a_damaged_one_is_read_again() {
    let world = on(
        &[vec![folder("opt/"), file("f", "f")]],
        "FROM redis:7\nCOPY x /opt/\nCOPY --from=redis:7 /f /g\n",
    );
    let expected = world.build().digest;
    let kept = world.path(".ring/cache/bases");
    let mut damaged = 0;
    for folder in std::fs::read_dir(kept).unwrap() {
        for index in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = index.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::write(&path, text.replace("opt", "bad")).unwrap();
            damaged += 1;
        }
    }
    assert_eq!(damaged, 1);
    assert_eq!(world.build().digest, expected);
}

#[test]
fn hostile_layers_are_refused_by_rule() {
    let long = "a/".repeat(2100);
    let cases: Vec<(&str, Vec<Vec<u8>>)> = vec![
        ("parent-path", vec![file("../x", "")]),
        ("parent-path", vec![file("a/../../x", "")]),
        ("absolute-path", vec![file("/etc/passwd", "")]),
        ("link-target", vec![raw("a", b'1', b"", "../../etc/passwd", 0)]),
        ("link-target", vec![raw("a", b'1', b"", "none", 0)]),
        ("link-target", vec![folder("d/"), raw("a", b'1', b"", "d", 0)]),
        ("link-target", vec![link("a", "")]),
        ("sparse", vec![raw("a", b'S', b"", "", 0)]),
        ("kind", vec![raw("a", b'Z', b"", "", 0)]),
        ("whiteout", vec![file("a/.wh.", "")]),
        ("whiteout", vec![file(".wh...", "")]),
        ("size", vec![raw("a/", b'5', b"hidden", "", 0o755)]),
        ("truncated", vec![file("a", "x")[..512].to_vec()]),
        (
            "header",
            vec![{
                let mut bad = file("a", "");
                bad[0] = b'b';
                bad
            }],
        ),
        (
            "number",
            vec![{
                let mut bad = file("a", "");
                bad[100] = b'9';
                let sum: u32 =
                    bad[..148].iter().chain(&bad[156..512]).map(|b| u32::from(*b)).sum::<u32>() + 256;
                bad[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
                bad
            }],
        ),
        ("extension", vec![raw("x", b'x', b"nonsense", "", 0), file("a", "")]),
        ("extension", vec![raw("g", b'g', b"10 path=b\n", "", 0), file("a", "")]),
        ("parent-path", vec![raw("x", b'x', b"13 path=../b\n", "", 0), file("a", "")]),
        ("parent-path", vec![raw("L", b'L', b"../../b\0", "", 0), file("a", "")]),
        ("path-length", vec![raw("L", b'L', long.as_bytes(), "", 0), file("a", "")]),
        ("sparse", vec![raw("x", b'x', b"22 GNU.sparse.major=1\n", "", 0), file("a", "")]),
    ];
    for (rule, layer) in cases {
        let mut layer = layer;
        if rule == "truncated" {
            // Without the blocks of zeros that end an archive.
            layer = vec![raw("a", b'0', &vec![b'x'; 4096], "", 0o644)[..600].to_vec()];
        }
        let mut world = World::of("FROM redis:7\nCOPY x /y\n").source("x", "x");
        external_exact(&mut world, layer, rule == "truncated");
        match world.error() {
            BuildError::Base { rule: found, .. } => assert_eq!(found, rule),
            error => panic!("{rule}: {error}"),
        }
    }
}

fn external_exact(world: &mut World, layer: Vec<Vec<u8>>, is_cut: bool) {
    if !is_cut {
        return external(world, &[layer], ImageConfig::new("linux", "amd64"));
    }
    let repository = RepositoryName::new("acme/shop/external/docker.io/library/redis").unwrap();
    let tar = layer.concat();
    let mut config = ImageConfig::new("linux", "amd64");
    config.rootfs.diff_ids.push(Digest::sha256(&tar));
    let layer = run(world.registry.put_bytes(&repository, MEDIA_TYPE_LAYER, tar.into())).unwrap();
    let bytes = Bytes::from(config.to_bytes());
    let config = run(world.registry.put_bytes(&repository, MEDIA_TYPE_CONFIG, bytes)).unwrap();
    let bytes = Bytes::from(ImageManifest::image(config, vec![layer]).to_bytes());
    let digest =
        run(world.registry.put_manifest(&repository, &Put::by_digest(), MEDIA_TYPE_MANIFEST, bytes)).unwrap();
    let reference = normalise("redis:7").unwrap();
    world.lock.pin(reference.clone(), digest);
    world.externals.insert(reference, BaseImage { repository, digest, version: None });
}

#[test]
fn loops_of_links_and_devices_are_refused_where_they_are_used() {
    let base = vec![link("a", "b"), link("b", "a"), raw("null", b'3', b"", "", 0o666), file("ok", "ok")];
    for (line, rule) in [
        ("COPY x /a/", "link-loop"),
        ("COPY --from=redis:7 /null /n", "device"),
        ("COPY --from=redis:7 /a /n", "link-loop"),
    ] {
        let world = on(std::slice::from_ref(&base), &format!("FROM redis:7\n{line}\n"));
        assert!(matches!(world.error(), BuildError::Base { rule: found, .. } if found == rule), "{line}");
    }
    on(&[base], "FROM redis:7\nCOPY --from=redis:7 /ok /n\n").build();
}

#[test]
fn a_link_of_the_base_never_leads_out_of_the_image() {
    let base = vec![link("up", "../../../../etc"), folder("etc/")];
    let world = on(&[base], "FROM redis:7\nCOPY x /up/y\n");
    assert_eq!(listing(&world.layers_added(1)[0]), ["F644 etc/y"]);
}

#[test]
fn a_base_for_another_platform_is_refused_by_name() {
    let mut world = World::of("FROM redis:7\n");
    external(&mut world, &[], ImageConfig::new("linux", "arm64"));
    let error = world.error().to_string();
    assert!(error.contains("platform") && error.contains("linux/amd64"), "{error}");
}

#[test]
fn triggers_of_the_base_run_first_and_those_with_sources_are_refused_from_outside() {
    let mut config = ImageConfig::new("linux", "amd64");
    config.config.on_build = vec!["ENV T=1".to_owned(), "WORKDIR /w".to_owned()];
    config.config.env = vec!["E=5".to_owned()];
    let mut world = World::of("FROM redis:7\nLABEL t=$T$E\n");
    external(&mut world, &[], config.clone());
    let image = world.build().platforms.remove(0).config;
    assert_eq!(image.config.labels["t"], "15");
    assert_eq!(image.config.working_dir.as_deref(), Some("/w"));
    assert!(image.config.on_build.is_empty());
    config.config.on_build.push("COPY . /app".to_owned());
    external(&mut world, &[], config);
    let error = world.error().to_string();
    assert!(error.contains("Containerfile:1") && error.contains("ONBUILD COPY . /app"), "{error}");
}

#[test]
fn images_of_the_project_are_bases_and_sources_with_their_triggers() {
    let world = World::empty();
    world.write("rings.toml", crate::harness::ROOTED);
    world.write(
        "images/base/Containerfile",
        "FROM scratch\nCOPY b /usr/lib/b\nLABEL keep=1\nONBUILD COPY conf /etc/\n",
    );
    world.write("images/base/b", "b");
    world.write("images/tool/Containerfile", "FROM scratch\nCOPY t /t\n");
    world.write("images/tool/t", "tool");
    world.write("images/shop/Containerfile", "FROM base\nCOPY --from=tool /t /usr/bin/t\n");
    world.write("images/shop/conf", "c");
    let built = world.build();
    let layers = world.layers(&built);
    let listings: Vec<_> = layers.iter().map(|layer| listing(layer)).collect();
    assert_eq!(
        listings,
        [
            vec!["D755 usr/", "D755 usr/lib/", "F644 usr/lib/b"],
            vec!["D755 etc/", "F644 etc/conf"],
            vec!["D755 usr/bin/", "F644 usr/bin/t"]
        ]
    );
    let config = &built.platforms[0].config;
    assert_eq!(config.config.labels["keep"], "1");
    assert_eq!(config.config.labels["dependency.base"], "1.2.3");
    assert_eq!(config.config.labels["org.opencontainers.image.ref.name"], "acme/shop/shop");
    assert_eq!(config.history.len(), 5);
}

#[test]
fn labels_that_say_what_the_base_is_are_not_inherited() {
    let mut config = ImageConfig::new("linux", "amd64");
    config.config.labels.insert("org.opencontainers.image.vendor".into(), "Other".into());
    config.config.labels.insert("dependency.libc".into(), "2.0.0".into());
    config.config.labels.insert("team".into(), "other".into());
    let mut world = World::of("FROM redis:7\n");
    external(&mut world, &[], config);
    let labels = world.build().platforms.remove(0).config.config.labels;
    assert!(
        !labels.contains_key("org.opencontainers.image.vendor") && !labels.contains_key("dependency.libc")
    );
    assert_eq!(labels["team"], "other");
}
