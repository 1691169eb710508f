//! Bad input: a clear error with place and remedy, the documented exit code, and no trace.

use ringsite_testkit::ProjectFolder;

use crate::run::{answer, ring};

/// Runs a release that must fail with `code`, and returns stderr. Nothing may be recorded.
fn fails(project: &ProjectFolder, code: i32) -> String {
    let had_record = project.path(".ring/registry/index.json").exists();
    let run = ring(project, &["release"]).exits(code);
    assert_eq!(run.stdout, "");
    if !had_record {
        assert_eq!(answer(project, &["state"])["sequence"], 0, "nothing was recorded");
    }
    run.stderr
}

#[test]
fn wrong_usage_exits_2() {
    let project = ProjectFolder::shop();
    for arguments in
        [&["nonsense"][..], &["release", "--ring", "Bad Ring"], &["promote"], &["release", "--frobnicate"]]
    {
        ring(&project, arguments).exits(2);
    }
    ring(&project, &["release", "--ring", "nowhere"]).exits(2);
    ring(&project, &["release", "--image", "nothing"]).exits(2);
    ring(&project, &["release", "--timeout", "soon"]).exits(2);
    ring(&project, &["release", "--save", "x"]).exits(2);
}

#[test]
fn a_folder_without_a_project_says_how_to_get_one() {
    let project = ProjectFolder::empty();
    let run = ring(&project, &["state"]).exits(2);
    assert!(run.stderr.contains("rings.toml") && run.stderr.contains("ring init"), "{}", run.stderr);
}

#[test]
fn every_mistake_of_the_project_file_is_told_at_once_with_its_line() {
    let project = ProjectFolder::shop();
    project.edit("rings.toml", "root = \"shop\"", "root = \"shopp\"\ncolour = \"red\"");
    project.edit("rings.toml", "ring = \"testers\"", "ring = \"tester\"");
    let text = fails_to_load(&project);
    for part in ["shopp", "colour", "`tester`", "rings.toml:2", "rings.toml:3"] {
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
    ring(&project, &["config", "check"]).exits(2);
}

fn fails_to_load(project: &ProjectFolder) -> String {
    ring(project, &["release"]).exits(2).stderr
}

#[test]
fn mistakes_in_containerfiles_name_file_and_line() {
    for (content, part) in [
        ("", "Containerfile"),
        ("FROM scratch\nFLY away\n", "Containerfile:2"),
        ("FROM scratch\nCOPY missing /\n", "Containerfile:2"),
        ("FROM scratch\nCOPY $NOWHERE /\n", "Containerfile:2"),
        ("FROM scratch\nLABEL org.opencontainers.image.version=9\n", "Containerfile:2"),
    ] {
        let project = ProjectFolder::shop();
        project.write("images/base/Containerfile", content);
        let text = fails(&project, 2);
        assert!(text.contains(part), "`{part}` is missing:\n{text}");
    }
}

#[test]
fn a_circle_of_images_is_listed() {
    let project = ProjectFolder::shop();
    project.write("images/base/Containerfile", "FROM api\n");
    let text = fails(&project, 2);
    assert!(text.contains("base") && text.contains("api"), "{text}");
}

#[test]
fn an_environment_that_refers_to_nothing_is_refused_before_anything_is_built() {
    let project = ProjectFolder::shop();
    project.write("environments/test/kustomization.yaml", "resources:\n- ../base\n- missing.yaml\n");
    let text = fails(&project, 2);
    assert!(text.contains("missing.yaml") && text.contains("environments/test"), "{text}");
    ring(&project, &["config", "check"]).exits(2);
}

#[test]
fn a_run_without_a_builder_exits_8_and_names_the_line() {
    let project = ProjectFolder::shop();
    project.write("images/base/Containerfile", "FROM scratch\nRUN true\n");
    let text = fails(&project, 8);
    assert!(text.contains("Containerfile:2"), "{text}");
}

#[test]
fn a_missing_external_image_without_a_network_exits_7() {
    let project = ProjectFolder::shop();
    project.write("images/base/Containerfile", "FROM registry.invalid/base:1\n");
    let run = ring(&project, &["release", "--offline"]).exits(7);
    assert!(
        run.stderr.contains("registry.invalid/base:1") && run.stderr.contains("Containerfile:1"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_damaged_head_stops_everything_with_exit_6() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let blobs = project.path(".ring/registry/blobs/sha256");
    for blob in std::fs::read_dir(&blobs).unwrap() {
        let path = blob.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        std::fs::write(&path, bytes).unwrap();
    }
    ring(&project, &["state"]).exits(6);
    ring(&project, &["promote", "developers"]).exits(6);
}

#[test]
fn an_older_record_than_was_seen_is_a_rollback() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    copy(&project.path(".ring/registry"), &project.path("backup"));
    answer(&project, &["promote", "developers"]);
    std::fs::remove_dir_all(project.path(".ring/registry")).unwrap();
    copy(&project.path("backup"), &project.path(".ring/registry"));
    let run = ring(&project, &["state"]).exits(6);
    assert!(run.stderr.contains("rolled back"), "{}", run.stderr);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn init_writes_a_project_that_releases_and_never_overwrites() {
    let project = ProjectFolder::empty();
    ring(&project, &["init", "shop"]).exits(0);
    ring(&project, &["init", "shop"]).exits(2);
    let run = ring(&project, &["-C", "shop", "release"]);
    assert_eq!(run.code, 2, "-C is given twice: {}", run.stderr);
}

#[test]
fn words_go_to_stderr_and_data_to_stdout() {
    let project = ProjectFolder::shop();
    let run = ring(&project, &["release", "-o", "json"]).exits(0);
    assert!(run.stdout.starts_with('{') && run.stdout.ends_with("}\n"), "{}", run.stdout);
    assert!(!run.stderr.contains("built"), "who asks for a document gets no progress: {}", run.stderr);
    let text = ring(&ProjectFolder::shop(), &["release"]).exits(0);
    assert!(text.stderr.contains("built api 0.1.0"), "{}", text.stderr);
    let version = ring(&project, &["version"]).exits(0);
    assert_eq!(version.stdout, format!("ring {}\n", env!("CARGO_PKG_VERSION")));
    let yaml = ring(&project, &["state", "-o", "yaml"]).exits(0);
    assert!(yaml.stdout.contains("kind: RingState"), "{}", yaml.stdout);
    let names = ring(&project, &["images", "-o", "name"]).exits(0);
    assert_eq!(names.stdout, "base\napi\nshop\n");
}
