//! Every reason to say no, each with a help that names a command of this program.

use ringsite_names::Position;
use ringsite_rings::{
    Configuration, PlanError, RefusalCode, Request, Snapshot, State, Switch, TakeBack, WarningCode,
};

use crate::world::{
    World, at, configuration, configure, empty, image, promote, promote_images, release, release_images,
    shift, unshift, version, with,
};

/// Asserts the codes, and that every help is one that a person of this version can follow.
fn assert_refused(world: &World, request: &Request, codes: &[RefusalCode]) {
    let Err(PlanError::Refused(refused)) = world.plan(request) else {
        panic!("expected {codes:?} for {request:?}");
    };
    let found: Vec<RefusalCode> = refused.refusals.iter().map(|refusal| refusal.code).collect();
    assert_eq!(found, codes, "{refused}");
    for refusal in &refused.refusals {
        for word in ["ring lock", "ring gate", "ring approve", "ring freeze", "ring thaw", "ring reject"] {
            assert!(!refusal.help.contains(word), "{}", refusal.help);
        }
        let is_helpful = refusal.help.contains("`ring ") || refusal.help.contains("--");
        assert!(is_helpful, "{}: {}", refusal.code.as_str(), refusal.help);
        assert!(refused.to_string().contains(refusal.code.as_str()));
    }
}

fn guarded(gates: &str) -> Configuration {
    configuration(&format!(
        r#"{{"rings":["developers","testers","users"],"root":"shop","gates":{{{gates}}}}}"#
    ))
}

/// The world with holds or rejected versions in its state.
fn with_locks(world: &World, locks: &str) -> World {
    let mut snapshot: Snapshot = world.state.snapshot();
    snapshot.locks = serde_json::from_str(locks).unwrap();
    let mut held = world.clone();
    let mut state = State::from_snapshot(snapshot).unwrap();
    for desired in &world.desired {
        let releases = world.state.releases(&desired.image).values().map(|release| (**release).clone());
        state = state.with_releases(&desired.image, releases).unwrap();
    }
    held.state = state;
    held
}

#[test]
fn an_empty_source_is_refused() {
    let world = World::shop();
    for request in [promote("developers"), promote("ante"), unshift("testers"), unshift("post"), shift()] {
        assert_refused(&world, &request, &[RefusalCode::SourceEmpty]);
    }
    let world = world.does(&[release("developers")]);
    assert_refused(&world, &promote_images("developers", &["ghost"]), &[RefusalCode::SourceEmpty]);
}

#[test]
fn an_incomplete_source_is_refused_unless_single_images_move_or_it_is_ante() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("base", "other");
    world.run(&release_images("developers", &["base"])).unwrap();
    assert_refused(&world, &promote("developers"), &[RefusalCode::SourceIncomplete]);
    assert_refused(&world, &shift(), &[RefusalCode::SourceIncomplete]);
    assert!(world.plan(&promote_images("developers", &["base"])).is_ok());
    let world = World::shop().does(&[release_images("ante", &["base"]), promote("ante")]);
    assert_refused(&world, &promote("developers"), &[RefusalCode::SourceIncomplete]);
}

#[test]
fn a_higher_target_is_refused_unless_a_downgrade_is_allowed() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("api", "hotfix");
    world.run(&release("testers")).unwrap();
    assert_refused(&world, &promote("developers"), &[RefusalCode::TargetHigher]);
    assert_refused(&world, &shift(), &[RefusalCode::TargetHigher]);
    let allowed = with(Switch::AllowDowngrade, promote("developers"));
    let plan = world.run(&allowed).unwrap();
    assert!(plan.options.contains(&Switch::AllowDowngrade));
    assert_eq!(world.on("testers"), world.on("developers"));
}

#[test]
fn every_reason_is_given_at_once() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("api", "hotfix");
    world.run(&release("testers")).unwrap();
    world.edit("base", "other");
    world.run(&release_images("developers", &["base"])).unwrap();
    world.run(&configure(guarded(r#""testers":{"soak":"24h","checks":[{"name":"x","url":"y"}]}"#))).unwrap();
    assert_refused(
        &world,
        &promote("developers"),
        &[
            RefusalCode::SourceIncomplete,
            RefusalCode::TargetHigher,
            RefusalCode::GateSoak,
            RefusalCode::GateCheck,
        ],
    );
}

#[test]
fn the_ends_of_the_chain_are_refused() {
    let world = World::shop().does(&[release("developers")]);
    for request in [promote("post"), unshift("ante"), release("post"), release("ante")] {
        assert_refused(&world, &request, &[RefusalCode::Boundary]);
    }
    assert_refused(&world, &release_images("post", &["base"]), &[RefusalCode::Boundary]);
}

#[test]
fn every_gate_that_is_set_refuses_a_move_into_its_ring_because_none_is_evaluated() {
    let world = World::shop().does(&[release("developers")]);
    for (gate, code) in [
        (r#""soak":"24h""#, RefusalCode::GateSoak),
        (r#""approvals":{"count":1,"keys":["a.pub"]}"#, RefusalCode::GateApprovals),
        (r#""windows":["Mon-Fri 09:00-17:00"]"#, RefusalCode::GateWindow),
        (r#""freezes":[{"from":"2026-12-24","to":"2026-12-27"}]"#, RefusalCode::GateWindow),
        (r#""require":["sbom"]"#, RefusalCode::GateRequire),
        (r#""checks":[{"name":"smoke","command":["./smoke"]}]"#, RefusalCode::GateCheck),
    ] {
        let mut world = world.clone();
        world.facts.declared = None;
        world.run(&configure(guarded(&format!(r#""testers":{{{gate}}}"#)))).unwrap();
        for request in
            [promote("developers"), promote_images("developers", &["base"]), shift(), release("testers")]
        {
            assert_refused(&world, &request, &[code]);
        }
        let Err(PlanError::Refused(refused)) = world.plan(&promote("developers")) else {
            panic!("the gate is not evaluated");
        };
        assert_eq!(refused.plan.gates.len(), 1);
        assert_eq!(refused.plan.gates[0].met, None);
        assert!(refused.plan.gates[0].detail.contains("does not evaluate gates"));
        assert!(refused.refusals[0].help.contains("ring config apply"));
        assert!(world.plan(&release_images("ante", &["base"])).is_ok());
    }
}

#[test]
fn a_release_onto_the_first_ring_looks_at_the_calendar_only() {
    let mut world = World::shop();
    world.facts.declared = None;
    world.run(&configure(guarded(r#""developers":{"soak":"24h","require":["sbom"]}"#))).unwrap();
    assert!(world.plan(&release("developers")).unwrap().gates.is_empty());
    world
        .run(&configure(guarded(r#""developers":{"soak":"24h","windows":["Mon-Fri 09:00-17:00"]}"#)))
        .unwrap();
    assert_refused(&world, &release("developers"), &[RefusalCode::GateWindow]);
    world.run(&configure(guarded(""))).unwrap();
    world.run(&release_images("ante", &["base"])).unwrap();
    world.run(&configure(guarded(r#""developers":{"soak":"24h"}"#))).unwrap();
    assert_refused(&world, &promote("ante"), &[RefusalCode::GateSoak]);
}

#[test]
fn steps_back_meet_gates_only_with_a_set_that_is_new_on_the_ring_and_never_the_calendar() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&promote("developers")).unwrap();
    world.facts.declared = None;
    let gates = r#""testers":{"soak":"24h","windows":["Mon-Fri 09:00-17:00"]}"#;
    world.run(&configure(guarded(gates))).unwrap();
    let undo = world.take_back(TakeBack::Undo);
    assert_refused(&world, &undo, &[RefusalCode::GateSoak]);
    world.facts.recorded_before.insert(at("testers"));
    world.run(&undo).unwrap();
    let redo = world.take_back(TakeBack::Redo);
    assert_refused(&world, &redo, &[RefusalCode::GateSoak, RefusalCode::GateWindow]);
    assert!(world.plan(&empty("testers")).is_ok());
}

#[test]
fn a_configuration_is_not_refused_for_gates_and_lists_those_that_it_changes() {
    let mut world = World::shop();
    world.run(&configure(guarded(r#""users":{"soak":"24h","approvals":{"count":1,"keys":[]}}"#))).unwrap();
    let plan = world.plan(&configure(guarded(""))).unwrap();
    assert_eq!(plan.gates.len(), 1);
    assert_eq!(plan.gates[0].gate.as_str(), "approvals");
    assert_eq!(plan.gates[0].met, None);
}

#[test]
fn a_release_is_refused_when_the_files_would_take_something_away_and_other_operations_warn() {
    let mut world = World::shop().does(&[release("developers")]);
    for declared in [
        r#"{"rings":["developers","users"],"root":"shop"}"#,
        r#"{"rings":["testers","developers","users"],"root":"shop"}"#,
        r#"{"rings":["developers","testers","users"],"root":"api"}"#,
    ] {
        world.facts.declared = Some(configuration(declared));
        assert_refused(&world, &release("developers"), &[RefusalCode::ConfigurationDiffers]);
        assert_eq!(world.warning_codes(&promote("developers")), [WarningCode::ConfigurationDiffers]);
    }
}

#[test]
fn a_ring_that_is_declared_but_not_in_force_is_explained() {
    let mut world = World::shop().does(&[release("developers")]);
    world.facts.declared =
        Some(configuration(r#"{"rings":["developers","pilots","testers","users"],"root":"shop"}"#));
    let Err(PlanError::Request(problems)) = world.plan(&promote("pilots")) else {
        panic!("pilots is not in force");
    };
    assert!(problems[0].help.contains("ring config apply"), "{problems:?}");
    assert!(world.plan(&release("pilots")).is_ok());
}

#[test]
fn a_ring_that_holds_a_set_cannot_leave_the_chain_or_change_its_place() {
    let world = World::shop().does(&[release("developers"), promote("developers")]);
    let rings = |rings: &str| configure(configuration(&format!(r#"{{"rings":[{rings}],"root":"shop"}}"#)));
    assert_refused(&world, &rings(r#""developers","users""#), &[RefusalCode::RingInUse]);
    assert_refused(&world, &rings(r#""users""#), &[RefusalCode::RingInUse, RefusalCode::RingInUse]);
    assert_refused(&world, &rings(r#""testers","developers""#), &[RefusalCode::RingInUse]);
    assert!(world.plan(&rings(r#""users","developers","testers""#)).is_ok());
    assert!(world.plan(&rings(r#""developers","testers""#)).is_ok());
}

#[test]
fn what_is_held_is_not_written() {
    let world = World::shop().does(&[release("developers")]);
    let sited = configuration(
        r#"{"rings":["developers","testers","users"],"root":"shop",
            "sites":[{"name":"eu","environment":"e","ring":"testers"}]}"#,
    );
    let world = world.does(&[configure(sited.clone())]);
    for (what, code) in [
        (r#""what":"ring","name":"testers""#, RefusalCode::Locked),
        (r#""what":"image","name":"api""#, RefusalCode::Locked),
        (r#""what":"site","name":"eu""#, RefusalCode::Locked),
        (r#""what":"all""#, RefusalCode::Frozen),
    ] {
        let hold = |until: &str| {
            let mut held =
                with_locks(&world, &format!(r#"{{"holds":[{{{what},"reason":"r","actor":"a"{until}}}]}}"#));
            held.facts.declared = None;
            held
        };
        assert_refused(&hold(""), &promote("developers"), &[code]);
        assert_refused(&hold(r#","until":"2026-11-22T00:00:00Z""#), &promote("developers"), &[code]);
        assert!(hold(r#","until":"2026-11-21T06:00:00Z""#).plan(&promote("developers")).is_ok());
        assert!(hold("").plan(&release("developers")).is_ok(), "nothing changes");
    }
}

#[test]
fn a_stopped_line_still_goes_back() {
    let world = World::shop().does(&[release("developers"), promote("developers")]);
    let mut frozen = with_locks(&world, r#"{"holds":[{"what":"all","reason":"r","actor":"a"}]}"#);
    assert!(frozen.plan(&frozen.take_back(TakeBack::Undo)).is_ok());
    frozen.run(&frozen.take_back(TakeBack::Undo)).unwrap();
    assert_refused(&frozen, &frozen.take_back(TakeBack::Redo), &[RefusalCode::Frozen]);
}

#[test]
fn a_rejected_version_arrives_nowhere_and_is_not_adopted() {
    let mut world = World::shop().does(&[release("developers")]);
    let rejected = with_locks(&world, r#"{"rejected":{"api":["0.1.0"]}}"#);
    assert_refused(&rejected, &promote("developers"), &[RefusalCode::Rejected]);
    assert!(rejected.plan(&with(Switch::Force, promote("developers"))).is_ok());
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    let rejected = with_locks(&world, r#"{"rejected":{"api":["0.1.1"]}}"#);
    assert_refused(&rejected, &release("developers"), &[RefusalCode::Rejected]);
    let plan = rejected.plan(&with(Switch::Force, release("developers"))).unwrap();
    let api = plan.steps.iter().find(|step| step.image == image("api")).unwrap();
    assert_eq!(api.to, Some(version("0.1.2")));
}

#[test]
fn a_saved_plan_is_refused_when_its_rings_changed_or_its_versions_were_given() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    let saved = world.plan(&release("developers")).unwrap();
    let text = serde_json::to_string(&saved).unwrap();
    let saved: ringsite_rings::Plan = serde_json::from_str(&text).unwrap();
    assert!(saved.recheck(&world.state).is_empty());
    world.run(&promote("developers")).unwrap();
    assert!(saved.recheck(&world.state).is_empty(), "testers is not read by this plan");
    world.run(&release("testers")).unwrap();
    let taken = saved.recheck(&world.state);
    assert_eq!(taken.len(), 2, "api and shop 0.1.1 were given on testers: {taken:?}");
    assert!(taken.iter().all(|refusal| refusal.message.contains("given")), "{taken:?}");
    world.run(&release("developers")).unwrap();
    let changed = saved.recheck(&world.state);
    assert!(changed.iter().any(|refusal| refusal.message.contains("ring developers has changed")));
    assert!(changed.iter().all(|refusal| refusal.code == RefusalCode::RingChanged));
    assert!(changed.iter().all(|refusal| refusal.help.contains("ring plan")));
}

#[test]
fn a_version_that_another_build_took_meanwhile_refuses_a_saved_plan() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "one");
    let saved = world.plan(&release_images("developers", &["api"])).unwrap();
    world.run(&release_images("developers", &["api"])).unwrap();
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    let refusals = saved.recheck(&world.state);
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].message.contains("api 0.1.1 was given"), "{refusals:?}");
}

#[test]
fn a_saved_plan_does_not_slip_through_a_gate_that_was_set_meanwhile() {
    let mut world = World::shop().does(&[release("developers")]);
    let saved = world.plan(&promote("developers")).unwrap();
    world.run(&configure(guarded(r#""testers":{"soak":"24h"}"#))).unwrap();
    let refusals = saved.recheck(&world.state);
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].message.contains("configuration in force"), "{refusals:?}");
}

#[test]
fn releases_that_are_not_loaded_are_named() {
    let world = World::shop().does(&[release("developers")]);
    let mut bare = world.clone();
    bare.state = State::from_snapshot(world.state.snapshot()).unwrap();
    let error = bare.plan(&promote("developers")).unwrap_err();
    assert!(matches!(&error, PlanError::NotLoaded(missing) if missing.image == image("api")), "{error}");
    assert!(bare.state.completeness(&at("developers")).is_err());
    assert!(bare.state.completeness(&Position::Post).is_ok());
}
