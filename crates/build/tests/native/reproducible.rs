//! The same inputs give the same bytes, and the cache only saves time.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use ringsite_build::{
    BaseImage, BuildError, Builder, Built, Proof, differing_source, prove, push_recipe, push_sbom,
    read_recipe, relabel, sbom,
};
use ringsite_images::StatCache;
use ringsite_names::{Digest, Version};
use ringsite_oci::Registry;

use crate::harness::{ROOTED, World, run};

const EXAMPLE: &str = "FROM scratch\nCOPY app etc /srv/\nENTRYPOINT [\"/srv/app\"]\n";

fn example(order: &[&str]) -> World {
    let world = World::of(EXAMPLE);
    for name in order {
        match *name {
            "app" => {
                world.write("images/shop/app", "hello\n");
                world.chmod("images/shop/app", 0o755);
            }
            name => world.write(&format!("images/shop/etc/{name}"), name),
        }
    }
    world
}

fn digest(world: &World) -> String {
    world.build().digest.to_string()
}

#[test]
fn the_worked_example_has_the_digests_of_the_documentation() {
    let built = example(&["app", "one", "two"]).build();
    let image = &built.platforms[0];
    assert_eq!(
        image.layers[0].digest.to_string(),
        "sha256:a2474f5161b0b9310c3568833ba69765ac281e574e555703710c1ecd227f541b"
    );
    assert_eq!(
        image.config.rootfs.diff_ids[0].to_string(),
        "sha256:f8637627408d6b9ec29a12b01422f2628052b4540cf97a9ac4b1c7161f39880c"
    );
    assert_eq!(
        built.digest.to_string(),
        "sha256:7a49b1ca1509f46c259fe51a1f0d7c2e9260210c3c40862cba5ddb986e9d5d68"
    );
}

#[test]
fn threads_times_modes_and_the_order_of_files_do_not_count() {
    let expected = digest(&example(&["app", "one", "two"]));
    for threads in [1, 2, 8] {
        let mut world = example(&["two", "one", "app"]);
        world.threads = threads;
        world.has_cache = threads == 2;
        world.chmod("images/shop/app", 0o711);
        world.chmod("images/shop/etc/one", 0o600);
        let file = File::options().write(true).open(world.path("images/shop/etc/two")).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(86_400)).unwrap();
        fs::set_permissions(world.path("images/shop/etc"), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(digest(&world), expected, "{threads} threads");
    }
}

#[test]
fn the_epoch_of_the_project_is_the_time_of_everything() {
    let world = example(&["app", "one"]);
    world.write("rings.toml", format!("source_date_epoch = 1700000000\n{ROOTED}"));
    let built = world.build();
    assert!(world.layers(&built)[0].iter().all(|seen| seen.mtime == 1_700_000_000));
    assert_eq!(built.platforms[0].config.created.as_deref(), Some("2023-11-14T22:13:20Z"));
}

#[test]
fn a_layer_that_is_known_is_not_made_again_and_its_sources_are_not_read() {
    let world = example(&["app", "one"]);
    assert_eq!(world.build().layer_counts(), (0, 1));
    let again = world.build();
    assert_eq!(again.layer_counts(), (1, 0));
    world.write("images/shop/etc/one", "changed");
    assert_eq!(world.build().layer_counts(), (0, 1));
}

#[test]
fn a_damaged_cache_costs_time_only() {
    let world = example(&["app", "one"]);
    let expected = digest(&world);
    for content in [&b""[..], b"{}", b"\xff\xff"] {
        for file in files(&world.path(".ring/cache/layers")) {
            fs::write(file, content).unwrap();
        }
        let again = world.build();
        assert_eq!((again.digest.to_string(), again.layer_counts()), (expected.clone(), (0, 1)));
    }
    for file in files(&world.path(".ring/cache/layers")) {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("\"size\":", "\"size\":1", 1)).unwrap();
    }
    assert_eq!(world.build().layer_counts(), (0, 1));
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

#[test]
fn a_large_copy_is_cut_and_a_changed_file_costs_its_part_only() {
    let world = World::of("FROM scratch\nCOPY --chown=3 data /data\n");
    for number in 0..160 {
        let noise: Vec<u8> = (0..256 * 1024_u32).map(|at| (at.wrapping_mul(number + 7) >> 9) as u8).collect();
        world.write(&format!("images/shop/data/{:02}/{number:03}", number % 13), noise);
    }
    let built = world.build();
    let layers = world.layers(&built);
    assert!(layers.len() > 1 && layers.len() <= 12, "{} layers", layers.len());
    assert_eq!(layers.iter().flatten().filter(|seen| seen.kind == 'F').count(), 160);
    let history = &built.platforms[0].config.history;
    assert_eq!(history.len(), layers.len());
    assert!(history[0].comment.as_deref().unwrap().starts_with("part 1 of"));
    for layer in &layers {
        let owned = layer.iter().filter(|seen| seen.path == "data/").all(|seen| seen.owner == (3, 3));
        assert!(owned && layer.iter().any(|seen| seen.path == "data/"), "an owned folder is in every part");
    }
    world.write("images/shop/data/05/044", "other");
    let again = world.build();
    assert!(again.layer_counts().1 <= 2, "{:?}", again.layer_counts());
}

#[test]
fn a_source_that_changes_while_building_stops_the_build() {
    let world = example(&["app", "one"]);
    let project = world.project();
    let survey = project.survey(&StatCache::disabled()).unwrap();
    let definition = &survey.definitions()[0];
    let (step, bases) = world.step(&project, definition, &Default::default());
    for content in ["oxe", "longer than it was", ""] {
        world.write("images/shop/etc/one", content);
        let native = world.native();
        let error =
            run(Builder::build(&native, &step, &definition.context, &bases, &world.registry)).unwrap_err();
        assert!(matches!(&error, BuildError::SourceChanged { path, .. } if path.contains("one")), "{error}");
        assert_eq!(error.kind(), ringsite_build::FailureKind::Input);
    }
    fs::remove_file(world.path("images/shop/etc/one")).unwrap();
    let native = world.native();
    let error =
        run(Builder::build(&native, &step, &definition.context, &bases, &world.registry)).unwrap_err();
    assert!(matches!(&error, BuildError::SourceChanged { .. }), "{error}");
    world.write("images/shop/etc/one", "one");
    world.write("images/shop/etc/new", "new");
    let work = Builder::build(&native, &step, &definition.context, &bases, &world.registry);
    let error = run(work).unwrap_err();
    assert!(matches!(&error, BuildError::SourceChanged { path, .. } if path == "etc/new"), "{error}");
}

fn again(world: &World, built: &Built) -> BaseImage {
    let repository = world.project().name.image_repository(&ringsite_names::ImageName::new("shop").unwrap());
    BaseImage { repository, digest: built.digest, version: None }
}

#[test]
fn a_release_is_proven_or_the_first_difference_is_named() {
    let world = example(&["app", "one"]);
    let first = world.build();
    let release = again(&world, &first);
    assert_eq!(run(prove(&world.registry, &release, &world.build())).unwrap(), Proof::Same);
    world.write("images/shop/etc/one", "other");
    let rebuilt = world.build();
    let Proof::Different { first: place } = run(prove(&world.registry, &release, &rebuilt)).unwrap() else {
        panic!("it differs")
    };
    assert_eq!(place, "layer 1: srv/one: other content");
    assert_eq!(differing_source(&first.recipe, &rebuilt.recipe.sources).as_deref(), Some("etc/one"));
    assert_eq!(differing_source(&first.recipe, &first.recipe.sources), None);
    world.write("images/shop/etc/one", "one");
    world.write("images/shop/Containerfile", EXAMPLE.replace("/srv/app\"]", "/srv/other\"]"));
    let Proof::Different { first: place } = run(prove(&world.registry, &release, &world.build())).unwrap()
    else {
        panic!("it differs")
    };
    assert!(place.starts_with("configuration.config.Entrypoint"), "{place}");
}

#[test]
fn recipes_and_bills_of_materials_are_referrers() {
    let world = example(&["app", "one"]);
    let built = world.build();
    let release = again(&world, &built);
    let (registry, repository) = (&world.registry, &release.repository);
    let stored = run(push_recipe(registry, repository, &built.descriptor(), &built.recipe)).unwrap();
    assert_eq!(run(read_recipe(registry, repository, &stored.digest)).unwrap(), Some(built.recipe.clone()));
    assert_eq!(run(read_recipe(registry, repository, &Digest::sha256(b"gone"))).unwrap(), None);
    assert!(run(read_recipe(registry, repository, &built.digest)).is_err(), "an image is no recipe");
    let referrers = run(registry.referrers(repository, &built.digest, None)).unwrap();
    assert_eq!(referrers.len(), 1);
    let project = world.project();
    let survey = project.survey(&StatCache::disabled()).unwrap();
    let (step, bases) = world.step(&project, &survey.definitions()[0], &Default::default());
    let document = sbom(&built, &step, &bases);
    assert_eq!(document, sbom(&world.build(), &step, &bases));
    let json: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(json["spdxVersion"], "SPDX-2.3");
    assert_eq!(json["files"][1]["fileName"], "./app");
    run(push_sbom(&world.registry, &release.repository, &built.descriptor(), document.into())).unwrap();
}

#[test]
fn another_version_changes_labels_and_pins_and_no_other_layer() {
    let world = example(&["app", "one"]);
    let project = world.project();
    let survey = project.survey(&StatCache::disabled()).unwrap();
    let definition = &survey.definitions()[0];
    let (mut step, bases) = world.step(&project, definition, &Default::default());
    step.pins = Some("{\"first\":1}".into());
    let native = world.native();
    let build = |step: &ringsite_build::BuildStep| {
        run(Builder::build(&native, step, &definition.context, &bases, &world.registry)).unwrap()
    };
    let built = build(&step);
    let layers = world.layers(&built);
    assert_eq!(crate::harness::listing(&layers[1]), ["D755 .ring/", "F644 .ring/images.json"]);
    assert_eq!(layers[1][1].content, b"{\"first\":1}");
    step.version = Version::new(2, 0, 0);
    step.labels.insert("org.opencontainers.image.version".into(), "2.0.0".into());
    step.pins = Some("{\"second\":2}".into());
    let other = run(relabel(&built, &step, &world.registry)).unwrap();
    assert_eq!(other.platforms[0].layers[0], built.platforms[0].layers[0]);
    assert_ne!(other.platforms[0].layers[1], built.platforms[0].layers[1]);
    assert_eq!(other.digest, build(&step).digest, "the same as building it so from the start");
}
