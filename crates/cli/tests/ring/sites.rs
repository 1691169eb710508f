//! Sites: what their agents would pull.

use ringsite_testkit::ProjectFolder;

use crate::run::{answer, ring, ring_with};

#[test]
fn a_release_places_the_sites_of_its_ring_and_a_promotion_those_of_the_next() {
    let project = ProjectFolder::shop();
    let report = answer(&project, &["release"]);
    assert_eq!(report["sites"][0]["site"], "dev");
    assert_eq!(report["sites"][0]["version"], "0.1.0");
    assert_eq!(report["sites"].as_array().unwrap().len(), 1);
    let report = answer(&project, &["promote", "developers"]);
    assert_eq!(report["sites"][0]["site"], "eu-test");
    let sites = answer(&project, &["sites"]);
    let rows: Vec<(&str, &str)> = sites["sites"]
        .as_array()
        .unwrap()
        .iter()
        .map(|site| (site["site"].as_str().unwrap(), site["published"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, [("dev", "0.1.0"), ("eu-test", "0.1.0")]);
}

#[test]
fn placing_again_writes_nothing() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let head = answer(&project, &["ledger", "head"]);
    let placement = answer(&project, &["place"]);
    assert_eq!(placement["changed"], false);
    assert_eq!(answer(&project, &["ledger", "head"]), head);
    ring(&project, &["place", "nowhere"]).exits(2);
}

#[test]
fn the_files_of_a_site_pin_every_image_by_digest() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["place", "dev", "--output", "out"]);
    let kustomization = project.read("out/dev/kustomization.yaml");
    let digest = answer(&project, &["state"])["rings"][1]["images"]["api"]["digest"].clone();
    assert!(kustomization.contains(digest.as_str().unwrap()), "{kustomization}");
    assert!(kustomization.contains("environments/test"), "{kustomization}");
    assert!(project.path("out/dev/environments/base/api.yaml").exists());
    assert!(project.read("out/dev/ringsite.yaml").contains("0.1.0"));
}

#[test]
fn a_site_that_would_lose_most_of_its_objects_is_refused_before_anything_is_recorded() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    project.write("environments/base/kustomization.yaml", "resources:\n- settings.yaml\n");
    project.write(
        "environments/base/settings.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: other\n",
    );
    let head = answer(&project, &["ledger", "head"]);
    let run = ring(&project, &["release"]).exits(3);
    assert!(run.stderr.contains("shrink"), "{}", run.stderr);
    assert_eq!(answer(&project, &["ledger", "head"]), head);
    answer(&project, &["release", "--allow-shrink"]);
}

#[test]
fn no_place_leaves_the_sites_to_a_later_place() {
    let project = ProjectFolder::shop();
    answer(&project, &["release", "--no-place"]);
    assert_eq!(answer(&project, &["sites"])["sites"][0]["published"], serde_json::Value::Null);
    let placement = answer(&project, &["place"]);
    assert_eq!(placement["changed"], true);
    assert_eq!(answer(&project, &["sites"])["sites"][0]["published"], "0.1.0");
}

#[test]
fn the_difference_between_rings_reaches_down_to_the_files_of_a_site() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    answer(&project, &["promote", "developers"]);
    ring(&project, &["diff", "--from", "developers", "--to", "testers", "--exit-code"]).exits(0);
    project.edit("environments/base/settings.yaml", "42", "43");
    answer(&project, &["release"]);
    let run =
        ring(&project, &["diff", "--from", "developers", "--to", "testers", "--exit-code", "-o", "json"])
            .exits(1);
    let diff = run.json();
    assert_eq!(diff["images"][0]["image"], "shop");
    assert_eq!(diff["sites"][0]["site"], "eu-test");
    assert!(
        diff["sites"][0]["objects"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["diff"].as_str().unwrap().contains("43"))
    );
    ring(&project, &["diff", "--from", "developers", "--to", "nowhere"]).exits(2);
}

#[test]
fn a_site_is_placed_from_the_record_alone() {
    let project = ProjectFolder::shop();
    project.edit(
        "rings.toml",
        "root = \"shop\"",
        "root = \"shop\"\npull = \"registry.example.com\"\nsource = \"https://example.com/shop\"",
    );
    let report = answer(&project, &["release"]);
    let elsewhere = ProjectFolder::empty();
    let registry = format!("oci-layout:{}", project.path(".ring/registry").display());
    let record = ["--registry", registry.as_str(), "--project", "acme/shop"];
    let cache = elsewhere.path("cache").display().to_string();
    let run = |arguments: &[&str]| {
        let arguments: Vec<&str> = arguments.iter().chain(&record).copied().collect();
        ring_with(&elsewhere, &arguments, &[("XDG_CACHE_HOME", &cache)])
    };
    let placement = run(&["place", "dev", "--output", "out", "-o", "json"]).exits(0).json();
    assert_eq!(placement["sequence"], 4, "files were written, and no entry");
    assert_eq!(placement["sites"][0]["digest"], report["sites"][0]["digest"]);
    assert!(elsewhere.read("out/dev/kustomization.yaml").contains("registry.example.com/acme/shop/api"));
    let state = run(&["state", "-o", "json"]).exits(0).json();
    assert_eq!(state["rings"][1]["root"], "0.1.0");
    run(&["ledger", "verify"]).exits(0);
    run(&["release"]).exits(2);
}

#[test]
fn a_site_is_published_in_the_formats_that_are_asked_for() {
    let project = ProjectFolder::shop();
    answer(&project, &["release"]);
    let placement = answer(&project, &["place", "dev", "--format", "flux", "--format", "argo-tar"]);
    assert_eq!(placement["changed"], true);
    let index = project.read(".ring/registry/index.json");
    for tag in ["latest", "latest-flux", "latest-argo-tar", "0.1.0", "0.1.0-flux", "0.1.0-argo-tar"] {
        assert!(index.contains(&format!("\"acme/shop/sites/dev:{tag}\"")), "{tag} is missing");
    }
    let again = answer(&project, &["place", "dev", "--format", "flux"]);
    assert_eq!(again["changed"], false);
    ring(&project, &["place", "--format", "zip"]).exits(2);
}
