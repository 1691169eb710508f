//! Instructions that change the configuration.

use ringsite_build::BuildError;
use ringsite_oci::ImageConfig;

use crate::harness::{ROOTED, World};

fn config(containerfile: &str) -> ImageConfig {
    World::of(containerfile).build().platforms.remove(0).config
}

#[test]
fn every_instruction_sets_its_field() {
    let text = r#"FROM scratch
ENV A=1 B="two words"
ENV A=3
EXPOSE 80 53/udp 7000-7002
LABEL one=1 "two words"=2
USER app:staff
WORKDIR /srv
VOLUME /data ["/logs"]
VOLUME ["/more", "/and more"]
STOPSIGNAL SIGINT
SHELL ["/bin/bash", "-c"]
ENTRYPOINT exec top
CMD ["-b"]
HEALTHCHECK --interval=5s --timeout=1m --retries=3 CMD ["true"]
MAINTAINER someone
ONBUILD USER root
"#;
    let text = text
        .replace("USER app:staff", "USER 5:6")
        .replace("VOLUME /data [\"/logs\"]\n", "VOLUME /data /logs\n");
    let config = config(&text);
    let run = &config.config;
    assert!(run.env.iter().any(|line| line.starts_with("PATH=")));
    assert_eq!(run.env[1..], ["A=3", "B=two words"]);
    let ports: Vec<_> = run.exposed_ports.keys().map(String::as_str).collect();
    assert_eq!(ports, ["53/udp", "7000/tcp", "7001/tcp", "7002/tcp", "80/tcp"]);
    assert_eq!(run.labels["one"], "1");
    assert_eq!(run.labels["two words"], "2");
    assert_eq!(run.user.as_deref(), Some("5:6"));
    assert_eq!(run.working_dir.as_deref(), Some("/srv"));
    let volumes: Vec<_> = run.volumes.keys().map(String::as_str).collect();
    assert_eq!(volumes, ["/and more", "/data", "/logs", "/more"]);
    assert_eq!(run.stop_signal.as_deref(), Some("SIGINT"));
    assert_eq!(run.shell.as_deref(), Some(&["/bin/bash".to_owned(), "-c".to_owned()][..]));
    assert_eq!(run.entrypoint.as_deref().unwrap(), ["/bin/bash", "-c", "exec top"]);
    assert_eq!(run.cmd.as_deref().unwrap(), ["-b"]);
    let health = run.healthcheck.as_ref().unwrap();
    assert_eq!(
        (health.test.as_slice(), health.interval),
        (&["CMD".to_owned(), "true".to_owned()][..], Some(5_000_000_000))
    );
    assert_eq!((health.timeout, health.retries), (Some(60_000_000_000), Some(3)));
    assert_eq!(config.author.as_deref(), Some("someone"));
    assert_eq!(run.on_build, ["USER root"]);
    assert_eq!(config.created.as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!((config.os.as_str(), config.architecture.as_str()), ("linux", "amd64"));
}

#[test]
fn a_new_entrypoint_forgets_the_inherited_command_and_not_its_own() {
    let base = "FROM scratch AS base\nENTRYPOINT [\"a\"]\nCMD [\"b\"]\n";
    let inherited = config(&format!("{base}FROM base\n")).config;
    assert_eq!(
        (inherited.entrypoint.unwrap(), inherited.cmd.unwrap()),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    let replaced = config(&format!("{base}FROM base\nENTRYPOINT [\"c\"]\n")).config;
    assert_eq!((replaced.entrypoint.unwrap(), replaced.cmd), (vec!["c".to_owned()], None));
    let own = config(&format!("{base}FROM base\nCMD [\"d\"]\nENTRYPOINT [\"c\"]\n")).config;
    assert_eq!(own.cmd.unwrap(), ["d"]);
}

#[test]
fn arguments_and_environment_expand_with_their_modifiers() {
    let text = "ARG V=1\nFROM scratch\nARG V\nARG W=w$V\nENV X=${W}-${NONE:-n} V=2\nLABEL l=\"$V ${X%n} $TARGETARCH\"\nARG TARGETARCH\nLABEL a=$TARGETARCH\n";
    let labels = config(text).config.labels;
    assert_eq!(labels["l"], "2 w1- ");
    assert_eq!(labels["a"], "amd64");
    let world = World::of("FROM scratch\nARG V=1\nLABEL v=$V\n");
    let toml = format!("{ROOTED}[images.shop]\ncontext = \"images/shop\"\nargs = {{ V = \"9\" }}\n");
    world.write("rings.toml", toml);
    assert_eq!(world.build().platforms[0].config.config.labels["v"], "9");
}

#[test]
fn the_labels_of_the_release_come_last() {
    let world = World::of("FROM scratch\nLABEL team=core\n");
    let labels = world.build().platforms.remove(0).config.config.labels;
    assert_eq!(labels["team"], "core");
    assert_eq!(labels["org.opencontainers.image.version"], "1.2.3");
    assert_eq!(labels["org.opencontainers.image.ref.name"], "acme/shop/shop");
    assert!(labels["org.opencontainers.image.revision"].starts_with("sha256:"));
}

#[test]
fn the_history_names_every_instruction_and_marks_those_without_a_layer() {
    let world = World::of("FROM scratch\nENV A=1\nCOPY a /\n").source("a", "1");
    let config = world.build().platforms.remove(0).config;
    let history: Vec<_> =
        config.history.iter().map(|line| (line.created_by.as_deref().unwrap(), line.empty_layer)).collect();
    assert_eq!(history, [("ENV A=1", true), ("COPY a /", false)]);
    assert_eq!(config.rootfs.diff_ids.len(), 1);
}

#[test]
fn bad_values_are_refused_by_line() {
    for (line, part) in
        [("EXPOSE http", "http"), ("EXPOSE 99999", "99999"), ("ENV A=\"${B:?must be set}\"", "must be set")]
    {
        let error = World::of(&format!("FROM scratch\n{line}\n")).error();
        assert!(matches!(error, BuildError::Instruction { .. }), "{error}");
        assert!(error.to_string().contains("Containerfile:2") && error.to_string().contains(part), "{error}");
    }
}

#[test]
fn a_needed_run_asks_for_an_external_builder_and_an_unneeded_one_does_not() {
    let error = World::of("FROM scratch\nRUN true\n").error();
    assert!(matches!(&error, BuildError::NoBuilder { place, .. } if place.line == 2), "{error}");
    World::of("FROM scratch AS tool\nRUN true\nFROM scratch\n").build();
}

#[test]
fn several_platforms_give_an_index_and_one_gives_a_manifest() {
    let world = World::of("FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /bin/app\n")
        .source("amd64", "x")
        .source("arm64", "y");
    assert!(world.build().media_type.contains("manifest.v1"));
    world.write("rings.toml", format!("platforms = [\"linux/amd64\", \"linux/arm64\"]\n{ROOTED}"));
    let built = world.build();
    assert!(built.media_type.contains("index.v1"));
    assert_eq!(built.platforms.len(), 2);
    assert_ne!(built.platforms[0].layers, built.platforms[1].layers);
    assert_eq!(built.platforms[1].config.architecture, "arm64");
}
