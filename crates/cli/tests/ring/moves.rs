//! Moving sets from ring to ring, and back.

use ringsite_testkit::ProjectFolder;
use serde_json::json;

use crate::run::{answer, ring, version};

fn rings(project: &ProjectFolder) -> serde_json::Value {
    answer(project, &["state"])["rings"].clone()
}

#[test]
fn a_promotion_copies_the_whole_set_and_unshift_takes_it_back_exactly() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let before = rings(&project);
    let report = answer(&project, &["promote", "developers"]);
    assert_eq!(report["operation"], "promote");
    assert_eq!(version(&project, "testers", "api").as_deref(), Some("0.1.0"));
    assert_eq!(version(&project, "developers", "api").as_deref(), Some("0.1.0"));
    let back = answer(&project, &["unshift"]);
    assert_eq!(back["operation"], "unshift");
    assert_eq!(rings(&project), before);
}

#[test]
fn undo_and_redo_walk_through_the_history() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let released = rings(&project);
    answer(&project, &["promote", "developers"]);
    let promoted = rings(&project);
    answer(&project, &["undo"]);
    assert_eq!(rings(&project), released);
    answer(&project, &["redo"]);
    assert_eq!(rings(&project), promoted);
    answer(&project, &["undo"]);
    answer(&project, &["undo"]);
    assert_eq!(version(&project, "developers", "api"), None);
}

#[test]
fn shifting_the_whole_chain_moves_every_set_one_ring_on() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    answer(&project, &["promote", "testers"]);
    project.write("images/api/api.conf", "port = 1\n");
    answer(&project, &["release"]);
    answer(&project, &["shift"]);
    assert_eq!(version(&project, "post", "api").as_deref(), Some("0.1.0"));
    assert_eq!(version(&project, "testers", "api").as_deref(), Some("0.2.0"));
    answer(&project, &["unshift"]);
    assert_eq!(version(&project, "post", "api"), None);
    assert_eq!(version(&project, "testers", "api").as_deref(), Some("0.1.0"));
}

#[test]
fn what_was_shifted_off_the_chain_can_be_brought_back() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    for ring in ["developers", "testers", "users"] {
        answer(&project, &["promote", ring]);
    }
    answer(&project, &["empty", "users"]);
    assert_eq!(version(&project, "users", "api"), None);
    answer(&project, &["unshift", "post"]);
    assert_eq!(version(&project, "users", "api").as_deref(), Some("0.1.0"));
}

#[test]
fn a_refusal_names_every_reason_and_exits_3_without_a_trace() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let before = answer(&project, &["ledger", "head"]);
    let run = ring(&project, &["promote", "testers", "-o", "json"]).exits(3);
    let error: serde_json::Value = serde_json::from_str(&run.stderr).unwrap();
    assert_eq!(error["kind"], "Error");
    assert_eq!(error["refusals"][0]["code"], "source-empty");
    assert!(!error["refusals"][0]["help"].as_str().unwrap().is_empty());
    assert_eq!(run.stdout, "");
    ring(&project, &["promote", "post"]).exits(3);
    ring(&project, &["unshift", "ante"]).exits(3);
    let plan = ring(&project, &["plan", "promote", "testers", "-o", "json"]).exits(3).json();
    assert_eq!(plan["refusals"][0]["code"], "source-empty");
    assert_eq!(answer(&project, &["ledger", "head"]), before);
}

#[test]
fn a_downgrade_is_refused_unless_it_is_allowed() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    project.write("images/api/api.conf", "port = 2\n");
    answer(&project, &["release", "--ring", "testers"]);
    let run = ring(&project, &["promote", "developers"]).exits(3);
    assert!(run.stderr.contains("target-higher"), "{}", run.stderr);
    answer(&project, &["promote", "developers", "--allow-downgrade"]);
    assert_eq!(version(&project, "testers", "api").as_deref(), Some("0.1.0"));
}

#[test]
fn a_saved_plan_is_applied_exactly_or_not_at_all() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let plan = answer(&project, &["plan", "promote", "developers", "--save", "plan.json"]);
    let report = answer(&project, &["apply", "plan.json"]);
    assert_eq!(report["changed"], true);
    assert_eq!(answer(&project, &["show", &report["sequence"].to_string()])["body"]["plan"], plan["digest"]);
    let run = ring(&project, &["apply", "plan.json"]).exits(3);
    assert!(run.stderr.contains("ring-changed"), "{}", run.stderr);
    project.write("plan.json", "{}");
    ring(&project, &["apply", "plan.json"]).exits(2);
    ring(&project, &["apply", "missing.json"]).exits(9);
}

#[test]
fn an_entry_that_was_overwritten_cannot_be_undone() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let promoted = answer(&project, &["promote", "developers"]);
    project.write("images/api/api.conf", "port = 3\n");
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    let run = ring(&project, &["undo", &promoted["sequence"].to_string()]).exits(3);
    assert!(run.stderr.contains("ring-changed"), "{}", run.stderr);
}

#[test]
fn the_rings_in_force_change_only_on_purpose() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    project.edit("rings.toml", "\"testers\", ", "\"testers\", \"stakeholders\", ");
    let diff = answer(&project, &["config", "diff"]);
    assert_eq!(diff["changes"][0]["change"], "added");
    project.write("images/api/api.conf", "port = 4\n");
    answer(&project, &["release"]);
    let names: Vec<_> = rings(&project).as_array().unwrap().iter().map(|ring| ring["name"].clone()).collect();
    assert_eq!(json!(names), json!(["ante", "developers", "testers", "stakeholders", "users", "post"]));
    project.edit("rings.toml", "\"testers\", ", "");
    project.edit("rings.toml", "ring = \"testers\"", "ring = \"stakeholders\"");
    project.write("images/api/api.conf", "port = 5\n");
    let run = ring(&project, &["release"]).exits(3);
    assert!(run.stderr.contains("configuration-differs"), "{}", run.stderr);
    answer(&project, &["config", "apply"]);
    answer(&project, &["release"]);
    let names: Vec<_> = rings(&project).as_array().unwrap().iter().map(|ring| ring["name"].clone()).collect();
    assert_eq!(json!(names), json!(["ante", "developers", "stakeholders", "users", "post"]));
}

#[test]
fn a_ring_that_holds_a_set_cannot_be_removed() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    project.edit("rings.toml", "\"testers\", ", "");
    project.edit("rings.toml", "ring = \"testers\"", "ring = \"users\"");
    let run = ring(&project, &["config", "apply"]).exits(3);
    assert!(run.stderr.contains("testers"), "{}", run.stderr);
    answer(&project, &["empty", "testers"]);
    answer(&project, &["config", "apply"]);
}
