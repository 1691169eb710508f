//! Taking entries back.

use ringsite_names::Digest;
use ringsite_rings::{
    InEffect, Operation, PastMove, PlanError, RefusalCode, Rewind, State, TakeBack, Target, arriving,
};

use crate::world::{
    World, at, configuration, configure, empty, promote, promote_images, release, release_images, shift,
    unshift,
};

#[test]
fn undo_walks_further_back_each_time_and_redo_comes_forward_again() {
    let mut world = World::shop();
    let mut digests = vec![world.state.state_digest()];
    let rings = |world: &World| ["ante", "developers", "testers", "users", "post"].map(|ring| world.on(ring));
    let mut sets = vec![rings(&world)];
    for request in [release("developers"), promote("developers"), promote("testers"), empty("developers")] {
        world.run(&request).unwrap();
        digests.push(world.state.state_digest());
        sets.push(rings(&world));
    }
    for expected in sets.iter().rev().skip(1) {
        world.run(&world.take_back(TakeBack::Undo)).unwrap();
        assert_eq!(rings(&world), *expected);
    }
    assert!(!world.plan(&world.take_back(TakeBack::Undo)).unwrap().has_changes());
    for expected in sets.iter().skip(1) {
        world.run(&world.take_back(TakeBack::Redo)).unwrap();
        assert_eq!(rings(&world), *expected);
    }
    assert!(!world.plan(&world.take_back(TakeBack::Redo)).unwrap().has_changes());
    assert_eq!(world.state.state_digest(), digests[4]);
}

#[test]
fn an_entry_that_was_taken_back_is_in_effect_again_when_that_is_taken_back() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let promoted = world.sequence;
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    world.run(&world.take_back(TakeBack::Redo)).unwrap();
    let target = world.find(InEffect::newest(TakeBack::Undo));
    assert!(matches!(target, Target::Found { sequence, .. } if sequence == promoted), "{target:?}");
    assert_eq!(world.find(InEffect::newest(TakeBack::Redo)), Target::Nothing);
}

#[test]
fn each_command_takes_back_its_own_kinds() {
    let mut world = World::shop().does(&[release("developers"), promote("developers"), unshift("testers")]);
    // This unshift changed nothing, so there is no entry of it.
    let newest = |world: &World, command| match world.find(InEffect::newest(command)) {
        Target::Found { operation, .. } => Some(operation),
        _ => None,
    };
    assert_eq!(newest(&world, TakeBack::Undo), Some(Operation::Promote));
    world.run(&empty("developers")).unwrap();
    assert_eq!(newest(&world, TakeBack::Undo), Some(Operation::Empty));
    assert_eq!(newest(&world, TakeBack::Unshift), Some(Operation::Promote));
    world.run(&unshift("testers")).unwrap();
    assert_eq!(newest(&world, TakeBack::Undo), Some(Operation::Unshift));
    assert_eq!(newest(&world, TakeBack::Unshift), Some(Operation::Promote));
    world.run(&world.take_back(TakeBack::Unshift)).unwrap();
    // An unshift that took a promote back is no move of its own.
    assert_eq!(newest(&world, TakeBack::Undo), Some(Operation::Unshift));
    assert_eq!(newest(&world, TakeBack::Unshift), None);
    assert_eq!(newest(&world, TakeBack::Redo), None);
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    assert_eq!(newest(&world, TakeBack::Redo), Some(Operation::Undo));
}

#[test]
fn an_older_entry_can_be_taken_back_while_what_it_wrote_is_still_there() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let promoted = world.sequence;
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&world.take_back_entry(TakeBack::Undo, promoted)).unwrap();
    assert_eq!(world.on("testers"), "");
    assert_eq!(world.on("developers"), "api 0.2.0, base 0.1.0, shop 0.2.0, web 0.1.0");
}

#[test]
fn an_entry_whose_writing_was_changed_is_refused_naming_ring_and_entry() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let promoted = world.sequence;
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&promote("developers")).unwrap();
    world.run(&empty("testers")).unwrap();
    let newer = world.sequence;
    let request = world.take_back_entry(TakeBack::Undo, promoted);
    let Err(PlanError::Refused(refused)) = world.plan(&request) else { panic!("testers was changed") };
    assert_eq!(refused.refusals[0].code, RefusalCode::RingChanged);
    let message = &refused.refusals[0].message;
    assert!(message.contains("testers") && message.contains(&format!("entry {newer}")), "{message}");
}

#[test]
fn entries_that_cannot_be_taken_back_say_why() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let promoted = world.sequence;
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    let undone = world.sequence;
    let taken = world.take_back_entry(TakeBack::Undo, promoted);
    assert_eq!(world.refusal_codes(&taken), [RefusalCode::RingChanged]);
    for (command, sequence) in [(TakeBack::Undo, undone), (TakeBack::Redo, promoted), (TakeBack::Undo, 99)] {
        let Err(PlanError::Request(problems)) = world.plan(&world.take_back_entry(command, sequence)) else {
            panic!("entry {sequence} is not for {command:?}");
        };
        assert!(problems[0].help.contains("ring log"), "{problems:?}");
    }
    let mut search = InEffect::entry(TakeBack::Undo, 5);
    let older = PastMove {
        sequence: 4,
        digest: Digest::sha256(b""),
        operation: Operation::Release,
        takes_back: None,
        delta: Vec::new(),
    };
    assert!(search.visit(older).is_break());
    assert_eq!(search.finish(&State::new()), Ok(Target::Unknown { sequence: 5 }));
}

#[test]
fn an_entry_on_a_ring_that_left_the_chain_cannot_be_taken_back() {
    let mut world = World::shop().does(&[release("developers"), promote("developers"), empty("testers")]);
    let fewer = configuration(r#"{"rings":["developers","users"],"root":"shop"}"#);
    world.run(&configure(fewer)).unwrap();
    let undo = world.take_back(TakeBack::Undo);
    assert_eq!(world.refusal_codes(&undo), [RefusalCode::RingChanged]);
}

#[test]
fn an_inverse_that_was_made_for_another_state_is_refused() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let stale = world.take_back(TakeBack::Undo);
    world.run(&empty("testers")).unwrap();
    assert_eq!(world.refusal_codes(&stale), [RefusalCode::RingChanged]);
}

#[test]
fn going_back_through_the_whole_record_ends_with_nothing() {
    let mut world = World::shop().does(&[release("developers"), release_images("ante", &["base"])]);
    world.edit("base", "other");
    let requests = [
        promote("developers"),
        release("developers"),
        empty("ante"),
        shift(),
        promote_images("developers", &["base"]),
    ];
    for request in requests {
        world.run(&request).unwrap();
    }
    let mut rewind = Rewind::new(&world.state);
    for past in world.past.iter().rev() {
        rewind.back(&past.delta).unwrap();
    }
    for ring in ["ante", "developers", "testers", "users", "post"] {
        assert!(rewind.cells(&at(ring)).is_empty(), "{ring}");
    }
    let first = &world.past[0].delta;
    assert!(rewind.back(first).is_err(), "the same entry cannot be taken back twice");
}

#[test]
fn the_set_that_would_arrive_on_a_guarded_ring_is_told_beforehand() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    let standing = world.state.ring_digest(&at("testers"));
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&promote("developers")).unwrap();
    let guarded =
        r#"{"rings":["developers","testers","users"],"root":"shop","gates":{"testers":{"soak":"1h"}}}"#;
    world.run(&configure(configuration(guarded))).unwrap();
    let found = arriving(&world.state, &world.take_back(TakeBack::Undo));
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(at("testers"), standing)]);
    assert!(arriving(&world.state, &unshift("testers")).is_empty());
    assert!(arriving(&world.state, &promote("developers")).is_empty());
}
