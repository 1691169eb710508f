//! External builders from outside: a script in place of the tool, which notes what it is told and
//! hands out what a test wants. What real tools do with it is another suite's business.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "native/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use bytes::Bytes;
use harness::{World, run};
use ringsite_build::{AnyBuilder, Bases, BuildError, BuildStep, Builder, Built, FailureKind};
use ringsite_images::{BuilderChoice, Definition, StatCache};
use ringsite_names::{Digest, ImageName};
use ringsite_oci::{Descriptor, ImageConfig, ImageManifest};
use tempfile::TempDir;

/// What the script does: it notes its arguments, the sources and the containerfile.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
[ "$1" = --version ] && echo "buildah version VERSION (and more)" && exit
[ "$1 $2" = "buildx version" ] && echo "github.com/docker/buildx vVERSION abc" && exit
printf '%s\n' "$*" >> "$here/calls"
for word; do
    case "$word" in
        pull) echo "id-of-image"; exit ;;
        push) cp -r "$here/result" output; exit ;;
        --iidfile=*) echo sha256:result > "${word#--iidfile=}" ;;
        --file=*) cp "${word#--file=}" "$here/containerfile" ;;
        --output=*) cp -r "$here/result" "${word##*dest=}" ;;
    esac
done
(cd sources && find . -type f | sort) > "$here/sources"
[ -e "$here/fail" ] && echo "step 3 went wrong" >&2 && exit 7
exit 0
"#;

/// A project whose image `shop` runs something on `base`, and a folder with the script.
struct Stage {
    world: World,
    programs: TempDir,
    base: Built,
    definition: Definition,
    step: BuildStep,
    bases: Bases,
}

impl Stage {
    fn new(tool: &str, version: &str, containerfile: &str) -> Self {
        let world = World::of(containerfile).source("app", "1").source("left-out", "2");
        world.write("images/shop/.dockerignore", "left-out\n");
        world.write("images/base/Containerfile", "FROM scratch\nCOPY x /x\nONBUILD RUN trigger\n");
        world.write("images/base/x", "x");
        let programs = tempfile::tempdir().unwrap();
        let (source, program) = (programs.path().join("source"), programs.path().join(tool));
        fs::write(&source, SCRIPT.replace("VERSION", version)).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        // By another process: a program that some process has open for writing cannot be started.
        assert!(std::process::Command::new("cp").args([&source, &program]).status().unwrap().success());

        let project = world.project();
        let survey = project.survey(&StatCache::disabled()).unwrap_or_else(|problems| panic!("{problems}"));
        let definition = |name: &str| survey.definition(&ImageName::new(name).unwrap()).unwrap().clone();
        let (step, bases) = world.step(&project, &definition("base"), &BTreeMap::new());
        let native = world.native();
        let base = run(native.build(&step, &definition("base").context, &bases, &world.registry)).unwrap();
        let built = BTreeMap::from([(ImageName::new("base").unwrap(), base.clone())]);
        let definition = definition("shop");
        let (step, bases) = world.step(&project, &definition, &built);
        Self { world, programs, base, definition, step, bases }
    }

    fn builder(&self) -> Result<AnyBuilder, BuildError> {
        let programs = [self.programs.path().to_path_buf()];
        AnyBuilder::choose(&self.definition, &programs, &self.world.path(".ring/cache"))
    }

    fn build(&self) -> Result<Built, BuildError> {
        let builder = self.builder()?;
        let built =
            run(builder.build(&self.step, &self.definition.context, &self.bases, &self.world.registry));
        let builds = self.world.path(".ring/cache/builds");
        assert_eq!(fs::read_dir(builds).map_or(0, Iterator::count), 0, "nothing is left");
        built
    }

    fn noted(&self, name: &str) -> String {
        fs::read_to_string(self.programs.path().join(name)).unwrap()
    }

    /// Returns what a tool that does what it is told would hand out, with one layer of `layer`.
    fn result(&self, layer: &[u8]) -> (ImageConfig, Vec<Vec<u8>>) {
        let mut config = self.base.platforms[0].config.clone();
        config.config.labels.extend(self.step.labels.clone());
        config.config.labels.insert("dependency.other".into(), "9.9.9".into());
        config.config.env.push("FROM=tool".into());
        config.config.user = Some(String::new());
        config.config.on_build.clear();
        config.created = Some("2026-01-01T00:00:00Z".into());
        config.other.insert("container".into(), "random".into());
        config.rootfs.diff_ids.push(Digest::sha256(layer));
        // The layers of the base are never read.
        let mut layers = vec![Vec::new(); config.rootfs.diff_ids.len() - 1];
        layers.push(layer.to_vec());
        (config, layers)
    }

    /// Makes the script hand out a result, in the form `dir:` or as a layout.
    fn hand_out(&self, config: &ImageConfig, layers: &[Vec<u8>], is_layout: bool) {
        let folder = self.programs.path().join("result");
        let blobs = if is_layout { folder.join("blobs/sha256") } else { folder.clone() };
        fs::create_dir_all(&blobs).unwrap();
        let put = |bytes: &[u8]| {
            let descriptor = Descriptor::of("application/octet-stream", bytes);
            fs::write(blobs.join(descriptor.digest.to_hex()), bytes).unwrap();
            descriptor
        };
        let layers = layers.iter().map(|layer| put(layer)).collect();
        let manifest = ImageManifest::image(put(&config.to_bytes()), layers).to_bytes();
        if is_layout {
            let index = serde_json::json!({"schemaVersion": 2, "manifests": [put(&manifest)]});
            fs::write(folder.join("index.json"), index.to_string()).unwrap();
        } else {
            fs::write(folder.join("manifest.json"), manifest).unwrap();
        }
    }
}

const RUNS: &str =
    "FROM scratch AS unused\nRUN no\n\nFROM base\nLABEL a=b\nRUN make \\\n  all\nCOPY app /app\n";

#[test]
fn what_a_tool_built_becomes_an_image_of_ours() {
    for (tool, version, is_layout) in
        [("buildah", "1.28.2", false), ("podman", "4.3.1", false), ("docker", "0.11.2", true)]
    {
        let mut stage = Stage::new(tool, version, RUNS);
        stage.step.pins = Some(Bytes::from_static(b"{}"));
        let (config, layers) = stage.result(b"a layer");
        stage.hand_out(&config, &layers, is_layout);
        let built = stage.build().unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert_eq!(stage.noted("sources"), "./app\n");
        let base_name = if is_layout { "ringsite-image-0" } else { "id-of-image" };
        let expected = format!(
            "ARG PROJECT='acme/shop'\n\n\nFROM {base_name} AS stage-1\nRUN trigger\nLABEL a=b\nRUN make   all\nCOPY app /app\n"
        );
        assert_eq!(stage.noted("containerfile"), expected);

        let calls = stage.noted("calls");
        let version_label = "--label=org.opencontainers.image.version=1.2.3";
        assert!(calls.contains(version_label) && calls.contains("--platform=linux/amd64"), "{calls}");
        let own: &[&str] = match is_layout {
            true => &["--build-context ringsite-image-0=oci-layout:///", "--build-arg=SOURCE_DATE_EPOCH=0"],
            false => &[
                "pull --quiet",
                "oci:image-0:image-0",
                "--pull=never",
                "--isolation=chroot",
                "--storage-driver vfs",
                "--timestamp=0",
            ],
        };
        own.iter().for_each(|part| assert!(calls.contains(part), "{part} in {calls}"));

        let image = &built.platforms[0];
        assert_eq!(image.layers[0], stage.base.platforms[0].layers[0], "the layer of the base as it was");
        assert_eq!((image.layers.len(), image.layers_reused, image.layers_made), (3, 1, 2));
        let read = |layer: &Descriptor| {
            let blob = ringsite_oci::Registry::blob_bytes(
                &stage.world.registry,
                &stage.step.repository,
                &layer.digest,
                1 << 20,
            );
            let mut content = Vec::new();
            let bytes = run(blob).unwrap();
            std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(&*bytes), &mut content)
                .unwrap();
            content
        };
        assert_eq!(read(&image.layers[1]), b"a layer");
        let config = &image.config;
        for (diff_id, layer) in config.rootfs.diff_ids.iter().zip(&image.layers) {
            assert_eq!(*diff_id, Digest::sha256(&read(layer)));
        }
        assert_eq!(config.created.as_deref(), Some("1970-01-01T00:00:00Z"));
        assert!(config.other.is_empty() && config.config.user.is_none());
        assert!(config.config.env.contains(&"FROM=tool".to_owned()));
        assert!(
            !config.config.labels.contains_key("dependency.other"),
            "labels of the base say nothing here"
        );
        assert_eq!(config.config.labels["dependency.base"], "1.2.3");
        let layers = config.history.iter().filter(|line| !line.empty_layer).count();
        assert_eq!(layers, image.layers.len());
        assert!(config.history.iter().any(|line| line.created_by.as_deref() == Some("RUN make   all")));
        let by = &built.recipe.built_by;
        assert!(by.starts_with(tool) && version.starts_with(by.rsplit_once(' ').unwrap().1), "{by}");
    }
}

/// A change of what a tool hands out.
type Change = fn(&mut ImageConfig, &mut Vec<Vec<u8>>);

#[test]
fn what_was_not_asked_for_is_refused_with_the_difference() {
    let changes: [(&str, Change); 6] = [
        ("version is 6.6.6", |config, _| {
            config.config.labels.insert("org.opencontainers.image.version".into(), "6.6.6".into());
        }),
        ("no label org.opencontainers.image.revision", |config, _| {
            config.config.labels.remove("org.opencontainers.image.revision");
        }),
        ("for linux/arm64, not for linux/amd64", |config, _| config.architecture = "arm64".into()),
        ("not those of its base", |config, _| config.rootfs.diff_ids[0] = Digest::sha256(b"other")),
        ("does not fit its layers", |_, layers| drop(layers.pop())),
        ("its configuration says", |_, layers| *layers.last_mut().unwrap() = b"other".to_vec()),
    ];
    let stage = Stage::new("buildah", "1.28.2", RUNS);
    for (reason, change) in changes {
        let (mut config, mut layers) = stage.result(b"a layer");
        change(&mut config, &mut layers);
        stage.hand_out(&config, &layers, false);
        let error = stage.build().expect_err(reason);
        assert!(matches!(error, BuildError::Mismatch { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("what buildah 1.28 built for shop ") && text.contains(reason), "{text}");
        assert_eq!(error.kind(), FailureKind::Build);
    }
    fs::remove_file(stage.programs.path().join("result/manifest.json")).unwrap();
    assert!(stage.build().expect_err("has no manifest").to_string().contains("cannot be read"));
}

#[test]
fn a_tool_that_fails_is_quoted() {
    let stage = Stage::new("podman", "4.3.1", RUNS);
    fs::write(stage.programs.path().join("fail"), "").unwrap();
    let error = stage.build().expect_err("fails");
    let text = error.to_string();
    assert!(text.starts_with("podman 4.3 could not build shop: it ended with exit status: 7"), "{text}");
    assert!(text.ends_with("\nstep 3 went wrong"), "{text}");
}

#[test]
fn a_source_that_changed_stops_the_build() {
    let stage = Stage::new("buildah", "1.28.2", RUNS);
    stage.world.write("images/shop/app", "another");
    let error = stage.build().expect_err("has changed");
    assert!(matches!(error, BuildError::SourceChanged { .. }), "{error:?}");
    assert!(!stage.programs.path().join("calls").exists(), "the tool is not started");
}

#[test]
fn what_a_tool_would_do_in_another_way_is_refused_by_line() {
    for (containerfile, line, reason) in [
        ("FROM base\nRUN <<EOF\nCOPY a /b\nEOF\n", 2, "buildah 1.28 does not know heredocs"),
        ("FROM base\n\nRUN --mount=type=secret,id=a x\n", 3, "no secret is given"),
        ("FROM base\nRUN --mount=type=ssh x\n", 2, "no ssh agent is given"),
        ("FROM base\nRUN --security=insecure x\n", 2, "--security=insecure"),
    ] {
        let stage = Stage::new("buildah", "1.28.2", containerfile);
        let error = stage.build().expect_err(reason);
        let text = error.to_string();
        assert!(text.contains(&format!("images/shop/Containerfile:{line}: ")), "{text}");
        assert!(text.contains(reason), "{text}");
        assert_eq!(error.kind(), FailureKind::Input);
    }
    let stage = Stage::new("buildah", "1.33.0", "FROM base\nRUN <<EOF\nCOPY a /b\nEOF\n");
    let (config, layers) = stage.result(b"a layer");
    stage.hand_out(&config, &layers, false);
    stage.build().expect("a newer one knows heredocs");
}

#[test]
fn the_builder_is_the_one_that_is_named_or_the_first_that_is_there() {
    let native = "FROM base\nCOPY app /app\n";
    for (tool, choice, containerfile, expected) in [
        ("buildah", BuilderChoice::Auto, RUNS, Ok("buildah 1.28")),
        ("podman", BuilderChoice::Auto, RUNS, Ok("podman 1.28")),
        ("podman", BuilderChoice::Podman, RUNS, Ok("podman 1.28")),
        ("none", BuilderChoice::Auto, RUNS, Err("buildah, docker with buildx and podman are not there")),
        ("podman", BuilderChoice::Buildah, RUNS, Err("`builder = \"buildah\"`, and buildah is not there")),
        ("podman", BuilderChoice::Native, RUNS, Err("`builder = \"native\"` does not execute RUN")),
        // The base has a trigger that runs something.
        ("none", BuilderChoice::Auto, native, Err("not there")),
        ("none", BuilderChoice::Auto, "FROM scratch\nCOPY app /app\n", Ok("native/1")),
        ("buildah", BuilderChoice::Auto, "FROM scratch\nCOPY app /app\n", Ok("native/1")),
        ("buildah", BuilderChoice::Buildah, "FROM scratch\nCOPY app /app\n", Ok("buildah 1.28")),
    ] {
        let mut stage = Stage::new(tool, "1.28.2", containerfile);
        stage.definition.declaration.builder = choice;
        match (stage.builder(), expected) {
            (Ok(builder), Ok(expected)) => assert_eq!(builder.built_by(), expected),
            (Err(error), Err(expected)) => {
                let text = error.to_string();
                let line = if containerfile == RUNS { 4 } else { 1 };
                assert!(
                    text.starts_with(&format!("images/shop/Containerfile:{line}: image shop ")),
                    "{text}"
                );
                assert!(text.contains(expected), "{text}");
                assert_eq!(error.kind(), FailureKind::Build);
                assert!(error.help().unwrap().contains("install buildah"));
            }
            (found, expected) => panic!("{tool} {choice:?}: {found:?}, expected {expected:?}"),
        }
    }
    let stage = Stage::new("buildah", "1.28.2", RUNS);
    let programs: [PathBuf; 2] = ["/nowhere".into(), stage.programs.path().join("buildah")];
    let found = AnyBuilder::choose(&stage.definition, &programs, &stage.world.path(".ring/cache"));
    assert_eq!(found.expect("is named by its path").built_by(), "buildah 1.28");
}
