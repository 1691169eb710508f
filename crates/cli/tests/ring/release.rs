//! Releasing: versions decided, images built, recorded once.

use ringsite_testkit::ProjectFolder;

use crate::run::{answer, ring, ring_with, version};

#[test]
fn the_first_release_gives_every_image_the_initial_version_and_records_it_once() {
    let project = ProjectFolder::shop();
    let report = answer(&project, &["release"]);
    assert_eq!(report["kind"], "Report");
    assert_eq!(report["changed"], true);
    // Entry 1 is init, entry 2 configure, entry 3 this release, entry 4 the placement.
    assert_eq!(report["sequence"], 3);
    let images: Vec<&str> =
        report["images"].as_array().unwrap().iter().map(|one| one["image"].as_str().unwrap()).collect();
    assert_eq!(images, ["api", "base", "shop"]);
    assert!(
        report["images"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["to"] == "0.1.0" && one["action"] == "build")
    );
    let state = answer(&project, &["state"]);
    assert_eq!(state["sequence"], 4);
    assert_eq!(state["rings"][1]["name"], "developers");
    assert_eq!(state["rings"][1]["complete"], true);
    assert_eq!(state["rings"][1]["root"], "0.1.0");
    assert_eq!(state["rings"][1]["rootImage"], "shop");
    assert_eq!(state["rings"][1]["images"]["api"]["dependencies"]["base"], "0.1.0");
}

#[test]
fn a_release_of_nothing_new_writes_nothing() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let before = answer(&project, &["ledger", "head"]);
    let report = answer(&project, &["release"]);
    assert_eq!(report["changed"], false);
    assert_eq!(answer(&project, &["ledger", "head"]), before);
}

#[test]
fn a_changed_source_rebuilds_its_image_and_what_depends_on_it() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    project.write("images/api/api.conf", "port = 9090\n");
    let plan = answer(&project, &["plan", "release"]);
    let causes: Vec<(&str, &str)> = plan["images"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["action"] == "build")
        .map(|one| (one["image"].as_str().unwrap(), one["causes"][0]["code"].as_str().unwrap()))
        .collect();
    assert_eq!(causes, [("api", "revision"), ("shop", "dependency-changed")]);
    let text = ring(&project, &["plan", "release"]).exits(0).stdout;
    assert!(text.contains("api.conf"), "the file that changed is named:\n{text}");
    answer(&project, &["release"]);
    assert_eq!(version(&project, "developers", "api").as_deref(), Some("0.1.1"));
    assert_eq!(version(&project, "developers", "base").as_deref(), Some("0.1.0"));
    assert_eq!(version(&project, "developers", "shop").as_deref(), Some("0.1.1"));
}

#[test]
fn a_release_after_a_promotion_opens_a_new_minor_version() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    project.write("images/base/etc/motd", "hello\n");
    answer(&project, &["release"]);
    for image in ["base", "api", "shop"] {
        assert_eq!(version(&project, "developers", image).as_deref(), Some("0.2.0"), "{image}");
        assert_eq!(version(&project, "testers", image).as_deref(), Some("0.1.0"), "{image}");
    }
}

#[test]
fn a_major_version_is_given_on_request_only() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["release", "--major", "api", "--reason", "new protocol"]);
    assert_eq!(version(&project, "developers", "api").as_deref(), Some("1.0.0"));
    assert_eq!(version(&project, "developers", "base").as_deref(), Some("0.1.0"));
}

#[test]
fn what_was_undone_is_adopted_again_and_not_built_twice() {
    let project = ProjectFolder::shop();
    let first = answer(&project, &["release"]);
    answer(&project, &["undo"]);
    assert_eq!(version(&project, "developers", "api"), None);
    let again = answer(&project, &["release"]);
    assert!(again["images"].as_array().unwrap().iter().all(|one| one["action"] == "adopt"), "{again}");
    let digest = |report: &serde_json::Value| report["images"][0]["digest"].clone();
    assert_eq!(digest(&first), digest(&again));
}

#[test]
fn the_plan_of_a_release_has_the_digest_under_which_it_is_recorded() {
    let project = ProjectFolder::shop();
    let plan = answer(&project, &["plan", "release"]);
    assert_eq!(plan["changes"], true);
    answer(&project, &["release"]);
    let entry = answer(&project, &["show", "3"]);
    assert_eq!(entry["body"]["plan"], plan["digest"]);
}

#[test]
fn exit_code_1_of_a_plan_means_that_something_would_change() {
    let project = ProjectFolder::shop();
    ring(&project, &["plan", "release", "--exit-code"]).exits(1);
    ring(&project, &["release"]).exits(0);
    ring(&project, &["plan", "release", "--exit-code"]).exits(0);
    ring(&project, &["release", "--plan", "--exit-code"]).exits(0);
}

#[test]
fn base_images_can_be_prepared_before_the_first_ring() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    project.write("images/base/etc/motd", "prepared\n");
    answer(&project, &["release", "--ring", "ante", "--image", "base"]);
    let prepared = version(&project, "ante", "base");
    assert!(prepared.is_some());
    answer(&project, &["promote", "ante"]);
    let state = answer(&project, &["state"]);
    assert_eq!(state["rings"][1]["complete"], false);
    assert_eq!(state["rings"][1]["stale"], serde_json::json!(["api", "shop"]));
    answer(&project, &["release"]);
    let state = answer(&project, &["state"]);
    assert_eq!(state["rings"][1]["complete"], true);
    assert_eq!(state["rings"][1]["images"]["base"]["version"].as_str(), prepared.as_deref());
}

#[test]
fn an_image_that_is_no_longer_declared_leaves_the_ring_with_the_next_release() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    project.edit("rings.toml", "[images.api]\n", "");
    let report = answer(&project, &["release"]);
    let removed =
        report["images"].as_array().unwrap().iter().find(|one| one["image"] == "api").unwrap().clone();
    assert_eq!((removed["action"].as_str(), removed["to"].as_str()), (Some("remove"), None));
    assert_eq!(version(&project, "developers", "api"), None);
}

#[test]
fn the_same_operation_id_is_never_done_twice() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let first = answer(&project, &["promote", "developers", "--operation-id", "deploy-17"]);
    let again = answer(&project, &["promote", "developers", "--operation-id", "deploy-17"]);
    assert_eq!(first["entry"], again["entry"]);
    ring(&project, &["promote", "testers", "--operation-id", "deploy-17"]).exits(2);
}

#[test]
fn quiet_prints_the_digest_of_the_entry_only() {
    let project = ProjectFolder::shop();
    let run = ring(&project, &["release", "-q"]).exits(0);
    assert!(run.stdout.starts_with("sha256:") && run.stdout.lines().count() == 1, "{}", run.stdout);
    assert_eq!(run.stderr, "");
}

#[test]
fn two_folders_with_the_same_sources_give_the_same_digests() {
    let (one, two) = (ProjectFolder::shop(), ProjectFolder::shop());
    let digests = |project: &ProjectFolder| {
        let report = answer(project, &["release"]);
        report["images"].as_array().unwrap().iter().map(|image| image["digest"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(digests(&one), digests(&two));
}

#[test]
fn in_ci_the_lock_of_external_images_is_never_written() {
    let project = ProjectFolder::shop();
    project.write("images/api/Containerfile", "FROM registry.invalid/base:1\nCOPY api.conf /etc/api.conf\n");
    let run = ring_with(&project, &["release"], &[("CI", "true")]).exits(2);
    assert!(run.stderr.contains("Containerfile:1") && run.stderr.contains("rings.lock"), "{}", run.stderr);
    assert!(!project.path("rings.lock").exists());
}
