//! The record: log, entries, the state of the past, explanations, verification.

use ringsite_testkit::ProjectFolder;

use crate::run::{answer, ring};

#[test]
fn the_log_lists_every_entry_newest_first() {
    let project = ProjectFolder::shop();
    answer(&project, &["release", "--reason", "first"]);
    answer(&project, &["promote", "developers"]);
    let log = answer(&project, &["log"]);
    let kinds: Vec<&str> =
        log["entries"].as_array().unwrap().iter().map(|entry| entry["operation"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["place", "promote", "place", "release", "configure", "init"]);
    assert_eq!(log["entries"][3]["reason"], "first");
    assert_eq!(log["entries"][3]["actor"], "tester");
    let one = answer(&project, &["log", "-n", "1", "--ring", "testers"]);
    assert_eq!(one["entries"][0]["operation"], "promote");
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
    let none = answer(&project, &["log", "--actor", "nobody"]);
    assert_eq!(none["entries"].as_array().unwrap().len(), 0);
}

#[test]
fn an_entry_is_shown_by_number_digest_or_the_beginning_of_it() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let entry = answer(&project, &["show", "3"]);
    let digest = entry["digest"].as_str().unwrap();
    assert_eq!(answer(&project, &["show", digest]), entry);
    assert_eq!(answer(&project, &["show", &digest[..17]]), entry);
    ring(&project, &["show", "99"]).exits(2);
    ring(&project, &["show", "nonsense"]).exits(2);
}

#[test]
fn the_state_of_the_past_is_what_stood_there_then() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let before = answer(&project, &["state"]);
    answer(&project, &["promote", "developers"]);
    let sequence = before["sequence"].to_string();
    assert_eq!(answer(&project, &["state", "--at", &sequence]), before);
    ring(&project, &["state", "--at", "yesterday"]).exits(2);
    ring(&project, &["state", "--at", "99"]).exits(2);
}

#[test]
fn why_names_the_rule_the_cause_and_the_files_that_changed() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    project.write("images/api/api.conf", "port = 7\n");
    answer(&project, &["release", "--reason", "new port"]);
    let why = answer(&project, &["why", "api"]);
    assert_eq!(why["version"], "0.2.0");
    assert_eq!(why["rule"], "minor");
    assert_eq!(why["causes"][0]["code"], "revision");
    assert_eq!(why["recipe"]["changed"], serde_json::json!(["api.conf"]));
    let older = answer(&project, &["why", "api", "--ring", "testers"]);
    assert_eq!((older["version"].as_str(), older["rule"].as_str()), (Some("0.1.0"), Some("initial")));
    assert_eq!(older["causes"][0]["code"], "absent");
    ring(&project, &["why", "api", "--ring", "users"]).exits(2);
}

#[test]
fn a_whole_ledger_verifies_and_a_damaged_one_does_not() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    let verification = answer(&project, &["ledger", "verify"]);
    assert_eq!((verification["ok"].as_bool(), verification["entries"].as_u64()), (Some(true), Some(6)));
    let digest = answer(&project, &["state"])["rings"][1]["images"]["api"]["digest"].clone();
    let hex = digest.as_str().unwrap().trim_start_matches("sha256:").to_owned();
    std::fs::remove_file(project.path(&format!(".ring/registry/blobs/sha256/{hex}"))).unwrap();
    let run = ring(&project, &["ledger", "verify", "-o", "json"]).exits(6);
    assert!(run.stdout.contains(&hex), "{}", run.stdout);
}

#[test]
fn a_version_is_proved_by_building_it_again() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let proof = answer(&project, &["prove", "api", "0.1.0"]);
    assert_eq!(proof["identical"], true);
    project.write("images/api/api.conf", "port = 8\n");
    let run = ring(&project, &["prove", "api", "0.1.0"]).exits(5);
    assert!(run.stderr.contains("api.conf"), "{}", run.stderr);
    ring(&project, &["prove", "api", "9.9.9"]).exits(2);
}

#[test]
fn the_declared_images_are_shown_without_a_registry() {
    let project = ProjectFolder::shop();
    let images = answer(&project, &["images", "--sources"]);
    let names: Vec<&str> =
        images["images"].as_array().unwrap().iter().map(|image| image["image"].as_str().unwrap()).collect();
    assert_eq!(names, ["base", "api", "shop"]);
    assert_eq!(images["images"][1]["dependencies"], serde_json::json!(["base"]));
    assert_eq!(images["images"][2]["root"], true);
    let paths: Vec<&str> = images["images"][1]["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["Containerfile", "api.conf"]);
    assert!(!project.path(".ring/registry").exists());
}

#[test]
fn a_ledger_is_begun_once() {
    let project = ProjectFolder::shop();
    let entry = answer(&project, &["ledger", "init"]);
    assert_eq!((entry["sequence"].as_u64(), entry["operation"].as_str()), (Some(1), Some("init")));
    let run = ring(&project, &["ledger", "init"]).exits(3);
    assert!(run.stderr.contains("already"), "{}", run.stderr);
    assert_eq!(answer(&project, &["release"])["sequence"], 3);
}
