//! The state as a value: digests, snapshots, and changes that contradict it.

use std::collections::BTreeMap;

use ringsite_names::{Digest, Position, canonical_json, digest_of};
use ringsite_rings::{Change, Delta, Release, State, TakeBack, Violation, Written};

use crate::world::{
    World, at, configuration, configure, content, image, project, promote, release, release_images,
    some_release, version, with,
};

fn change(delta: &[&str]) -> Change {
    let delta = delta.iter().map(|text| serde_json::from_str::<Delta>(text).unwrap()).collect();
    Change { delta, ..Change::default() }
}

#[test]
fn the_state_digest_is_the_one_that_is_written_down() {
    let world = World::shop().does(&[release("developers")]);
    let mut running = [0; 32].to_vec();
    let order = ["base", "api", "web", "shop"];
    for name in order {
        let one: &Release = world.state.release(&image(name), version("0.1.0")).unwrap();
        let named = digest_of(&serde_json::json!({"image": name, "release": one}));
        running.extend_from_slice(named.as_bytes());
        running = Digest::sha256(&running).as_bytes().to_vec();
    }
    let running: Digest = format!("sha256:{}", hex(&running)).parse().unwrap();
    let ring = |name: &str| {
        let cells = world.state.cells(&at(name));
        digest_of(&serde_json::json!({"root": cells.root(), "images": cells.images()}))
    };
    let rings: BTreeMap<&str, Digest> =
        ["ante", "developers", "testers", "users", "post"].map(|name| (name, ring(name))).into();
    let value = serde_json::json!({"schema": 1, "rings": rings, "releases": running});
    assert_eq!(world.state.state_digest(), digest_of(&value));
    assert_eq!(world.state.snapshot().releases, running);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_digest_of_the_empty_state_never_changes() {
    // Computed once with another program: sha256 of
    // {"releases":"sha256:00…00","rings":{"ante":E,"post":E},"schema":1},
    // E being the sha256 of {"images":{},"root":null}.
    let empty = Digest::sha256(br#"{"images":{},"root":null}"#);
    let zeros = format!("sha256:{}", "0".repeat(64));
    let text =
        format!(r#"{{"releases":"{zeros}","rings":{{"ante":"{empty}","post":"{empty}"}},"schema":1}}"#);
    assert_eq!(State::new().state_digest(), Digest::sha256(text.as_bytes()));
    assert_eq!(State::new().ring_digest(&Position::Ante), empty);
}

#[test]
fn a_state_survives_its_snapshot() {
    let world = World::shop().does(&[release("developers"), promote("developers")]);
    let json = canonical_json(&world.state.snapshot());
    let mut state = State::from_snapshot(serde_json::from_slice(&json).unwrap()).unwrap();
    assert_eq!(state.state_digest(), world.state.state_digest());
    for name in ["base", "api", "web", "shop"] {
        let releases = world.state.releases(&image(name)).values().map(|release| (**release).clone());
        assert!(!state.is_loaded(&image(name)));
        state = state.with_releases(&image(name), releases).unwrap();
        assert!(state.is_loaded(&image(name)));
        assert_eq!(state.releases(&image(name)), world.state.releases(&image(name)));
    }
}

#[test]
fn releases_of_the_record_join_those_of_newer_entries() {
    let world = World::shop().does(&[release("developers")]);
    let state = State::from_snapshot(world.state.snapshot()).unwrap();
    let newer =
        Change { releases: vec![(image("api"), some_release("api", version("0.2.0")))], ..Change::default() };
    let state = state.apply(&newer).unwrap();
    let old = (**world.state.release(&image("api"), version("0.1.0")).unwrap()).clone();
    let state = state.with_releases(&image("api"), [old.clone()]).unwrap();
    assert_eq!(state.releases(&image("api")).len(), 2);
    let other = Release { digest: content("other"), ..old };
    let error = state.with_releases(&image("api"), [other]).unwrap_err();
    assert_eq!(error, Violation::VersionTaken { image: image("api"), version: version("0.1.0") });
}

#[test]
fn a_snapshot_that_contradicts_itself_is_refused() {
    let world = World::shop().does(&[release("developers")]);
    let mut outside = world.state.snapshot();
    outside.configuration = Some(configuration(r#"{"rings":["users"],"root":"shop"}"#));
    assert_eq!(State::from_snapshot(outside), Err(Violation::UnknownRing { ring: at("developers") }));
    let mut sha512 = world.state.snapshot();
    sha512.releases = Digest::sha512(b"");
    assert_eq!(State::from_snapshot(sha512), Err(Violation::RunningHash));
    let mut snapshot = serde_json::to_value(world.state.snapshot()).unwrap();
    snapshot["rings"]["developers"]["images"]["api"] = "0.1.18446744073709551615".into();
    let huge = State::from_snapshot(serde_json::from_value(snapshot).unwrap());
    assert!(matches!(huge, Err(Violation::VersionNumber { .. })), "{huge:?}");
}

#[test]
fn a_change_that_contradicts_the_state_is_a_violation() {
    let world = World::shop().does(&[release("developers")]);
    let state = &world.state;
    for (delta, word) in [
        (r#"["nowhere","api",null,"0.1.0"]"#, "not in the chain"),
        (r#"["testers","api",null,"9.9.9"]"#, "never released"),
        (r#"["testers","api","0.1.0",null]"#, "holds api nothing"),
        (r#"["developers","api",null,"0.1.0"]"#, "expects nothing"),
        (r#"["copy","testers","users"]"#, "changes nothing"),
        (r#"["copy","testers","developers"]"#, "not empty"),
        (r#"["root","developers",null,"shop"]"#, "has the root shop"),
        (r#"["testers","api",null,"0.1.9007199254740992"]"#, "above"),
    ] {
        let error = state.apply(&change(&[delta])).unwrap_err().to_string();
        assert!(error.contains(word), "{delta}: {error}");
    }
    let again =
        Change { releases: vec![(image("api"), some_release("api", version("0.1.0")))], ..Change::default() };
    assert!(matches!(state.apply(&again), Err(Violation::VersionTaken { .. })));
    let configured = |json: &str| Change { configuration: Some(configuration(json)), ..Change::default() };
    let gone = state.apply(&configured(r#"{"rings":["testers","users"],"root":"shop"}"#));
    assert!(matches!(gone, Err(Violation::RingInUse { .. })));
    let world = world.does(&[promote("developers")]);
    let moved = world.state.apply(&configured(r#"{"rings":["testers","developers"],"root":"shop"}"#));
    assert!(matches!(moved, Err(Violation::RingMoved { .. })));
    assert!(State::new().apply(&change(&[r#"["copy","developers","testers"]"#])).is_err());
}

#[test]
fn a_plan_gives_its_change_only_when_everything_was_built() {
    let world = World::shop();
    let plan = world.plan(&release("developers")).unwrap();
    let error = plan.change(&BTreeMap::new()).unwrap_err();
    assert_eq!(error.to_string(), "base 0.1.0 is part of the plan but was not built");
}

#[test]
fn the_plan_digest_is_the_one_that_is_written_down() {
    let world = World::shop();
    let plan = world.plan(&release_images("developers", &["api"])).unwrap();
    let (revision, inputs) = (content("base"), content("inputs"));
    let value = serde_json::json!({
        "schema": 1, "project": "acme/shop", "operation": "release", "ring": "developers", "options": [],
        "reads": {"developers": world.state.ring_digest(&at("developers"))},
        "writes": [
            ["developers", "api", null, {"version": "0.1.0", "revision": content("api"), "inputs": inputs,
                "dependencies": {"base": "0.1.0"}}],
            ["developers", "base", null, {"version": "0.1.0", "revision": revision, "inputs": inputs,
                "dependencies": {}}],
        ],
        "configuration": null,
    });
    assert_eq!(plan.digest(&project()), digest_of(&value));
}

#[test]
fn the_plan_digest_covers_switches_and_the_new_configuration_but_not_what_is_taken_over() {
    let mut world = World::shop().does(&[release("developers")]);
    let plain = world.plan(&promote("developers")).unwrap();
    let open = with(ringsite_rings::Switch::AllowDowngrade, promote("developers"));
    assert_ne!(plain.digest(&project()), world.plan(&open).unwrap().digest(&project()));
    assert!(matches!(plain.writes[0].to, Written::Image(_)));
    let more = configuration(r#"{"rings":["developers","testers","pilots","users"],"root":"shop"}"#);
    let even_more = configuration(r#"{"rings":["developers","testers","users","all"],"root":"shop"}"#);
    let digest = |world: &World, request| world.plan(&request).unwrap().digest(&project());
    assert_ne!(digest(&world, configure(more.clone())), digest(&world, configure(even_more)));
    let before = digest(&world, release("developers"));
    world.facts.declared = Some(more);
    assert_eq!(digest(&world, release("developers")), before);
}

#[test]
fn a_plan_is_stored_and_read_again_without_loss() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("api", "other");
    for request in [release("developers"), with(ringsite_rings::Switch::Force, release("testers"))] {
        let plan = world.plan(&request).unwrap();
        let again: ringsite_rings::Plan = serde_json::from_slice(&canonical_json(&plan)).unwrap();
        assert_eq!(again, plan);
        assert_eq!(again.digest(&project()), plan.digest(&project()));
    }
    let undo = world.plan(&world.take_back(TakeBack::Undo)).unwrap();
    let again: ringsite_rings::Plan = serde_json::from_slice(&canonical_json(&undo)).unwrap();
    assert_eq!(again, undo);
}
