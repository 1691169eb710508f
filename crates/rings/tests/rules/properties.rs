//! The six properties of moves, over random histories of at least 200 steps.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use ringsite_names::{Digest, ImageName, Position, Version, canonical_json};
use ringsite_rings::{Action, Operation, Plan, PlanError, Request, Rewind, State, Switch, TakeBack, needs};

use crate::world::{
    World, at, configuration, configure, content, empty, image, images, project, promote_images,
    release_images, shift, unshift, with, with_major,
};

const RINGS: [&str; 4] = ["developers", "testers", "pilots", "users"];
const IMAGES: [&str; 5] = ["api", "base", "tool", "web", "shop"];

/// One step of a history: what is done, and two numbers that choose with what.
type Choice = (u8, u8, u8);

#[derive(Clone, Debug)]
struct History {
    rings: usize,
    steps: Vec<Choice>,
}

fn history() -> impl Strategy<Value = History> {
    (1..=RINGS.len(), prop::collection::vec(any::<Choice>(), 200..=240))
        .prop_map(|(rings, steps)| History { rings, steps })
}

fn world(rings: usize) -> World {
    World::new(
        &RINGS[..rings],
        &[("base", &[]), ("tool", &[]), ("api", &["base"]), ("web", &["api", "tool"])],
    )
}

/// Does what changes the sources, and returns the request for everything else.
fn choose(world: &mut World, (kind, first, second): Choice) -> Option<Request> {
    let chain = world.state.configuration().unwrap().chain().clone();
    let ring = chain.positions()[usize::from(first) % chain.positions().len()].to_string();
    let name = IMAGES[usize::from(second) % IMAGES.len()];
    let allow = |request| if first % 2 == 0 { with(Switch::AllowDowngrade, request) } else { request };
    let is_declared = world.desired.iter().any(|desired| desired.image.as_str() == name);
    match kind % 24 {
        // Few different contents, so that the same sources come back and are adopted.
        0..=3 if is_declared => world.edit(name, &(first % 4).to_string()),
        4 if is_declared => world.desired(name).inputs = content(&(first % 2).to_string()),
        5 if is_declared && name == "web" => {
            let other = if first % 2 == 0 { &["tool"][..] } else { &["api", "tool"] };
            world.desired("web").dependencies = images(other);
        }
        6 if name == "web" && is_declared => world.forget("web"),
        6 if name == "web" => world.declare("web", &["api", "tool"]),
        7..=10 => return Some(release_images(&ring, &[])),
        11 if is_declared => return Some(release_images(&ring, &[name])),
        12 if is_declared => return Some(with_major(release_images(&ring, &[]), &[name])),
        13 => return Some(with(Switch::Force, release_images(&ring, &[]))),
        14..=16 => return Some(allow(promote_images(&ring, &[]))),
        17 => return Some(allow(promote_images(&ring, &[name]))),
        18 => return Some(if second % 2 == 0 { with(Switch::AllowDowngrade, shift()) } else { shift() }),
        19 => return Some(unshift(&ring)),
        20 => return Some(world.take_back(TakeBack::Undo)),
        21 => return Some(world.take_back(TakeBack::Redo)),
        22 if second % 4 == 0 => return Some(empty(&ring)),
        22 => return Some(world.take_back(TakeBack::Unshift)),
        23 if second % 3 == 0 => {
            let count = 1 + usize::from(first) % RINGS.len();
            let rings = serde_json::to_string(&RINGS[..count]).unwrap();
            return Some(configure(configuration(&format!(r#"{{"rings":{rings},"root":"shop"}}"#))));
        }
        23 => {
            let sequence = world.past.get(usize::from(first) % world.past.len().max(1))?.sequence;
            return Some(world.take_back_entry(TakeBack::Undo, sequence));
        }
        _ => {}
    }
    None
}

/// The sets of all rings as bytes.
fn rings(state: &State) -> Vec<u8> {
    canonical_json(&state.snapshot().rings)
}

fn digests(state: &State) -> BTreeMap<(ImageName, Version), Digest> {
    let all = IMAGES.iter().flat_map(|name| {
        let releases = state.releases(&image(name)).values();
        releases.map(|release| ((image(name), release.version), release.digest))
    });
    all.collect()
}

/// Property 6, and that T of the images that `needs` names is all that a plan looks at.
fn check_plan_is_a_function(world: &World, request: &Request, found: &Result<Plan, PlanError>) {
    let mut partial = State::from_snapshot(world.state.snapshot()).unwrap();
    for name in needs(&world.state, &world.desired, request) {
        let releases = world.state.releases(&name).values().map(|release| (**release).clone());
        partial = partial.with_releases(&name, releases).unwrap();
    }
    assert_eq!(partial.state_digest(), world.state.state_digest());
    let again = World { state: partial, ..world.clone() };
    let again = again.plan(request);
    assert_eq!(&again, found, "a plan depends on more than it says");
    if let (Ok(found), Ok(again)) = (found, &again) {
        assert_eq!(canonical_json(found), canonical_json(again));
        assert_eq!(found.digest(&project()), again.digest(&project()));
        assert!(found.recheck(&world.state).is_empty());
    }
}

/// Property 5: what is built gets a version that was never given; and a release goes up only.
fn check_versions(before: &State, plan: &Plan) {
    for (step, _) in plan.builds() {
        let version = step.to.unwrap();
        assert!(before.release(&step.image, version).is_none(), "{} {version} was given before", step.image);
    }
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Build | Action::Adopt)) {
        assert!(step.to > step.from, "{step:?}");
    }
}

/// Properties 2 and 3.
fn check_record(before: &State, after: &State, plan: &Plan) {
    let (old, new) = (digests(before), digests(after));
    assert!(old.iter().all(|(key, digest)| new.get(key) == Some(digest)), "T shrank or changed");
    let goes_down = match plan.operation {
        Operation::Unshift | Operation::Undo | Operation::Redo => true,
        Operation::Promote | Operation::Shift => plan.options.contains(&Switch::AllowDowngrade),
        _ => false,
    };
    let chain = after.configuration().unwrap().chain().clone();
    for position in chain.positions().iter().filter(|position| **position != Position::Post) {
        for (image, version) in after.cells(position).images() {
            let lowered = before.cells(position).version(image).is_some_and(|old| old > *version);
            assert!(!lowered || goes_down, "{image} on {position} went down by {}", plan.operation);
        }
    }
}

/// Property 1.
fn check_back_and_forth(before: &State, world: &World, operation: Operation) {
    let after = rings(&world.state);
    let mut undone = world.clone();
    undone.run(&undone.take_back(TakeBack::Undo)).unwrap();
    assert_eq!(rings(&undone.state), rings(before), "undo after {operation}");
    if matches!(operation, Operation::Promote | Operation::Shift) {
        let mut unshifted = world.clone();
        unshifted.run(&unshifted.take_back(TakeBack::Unshift)).unwrap();
        assert_eq!(rings(&unshifted.state), rings(before), "unshift after {operation}");
    }
    undone.run(&undone.take_back(TakeBack::Redo)).unwrap();
    assert_eq!(rings(&undone.state), after, "redo after undo of {operation}");
}

/// Property 4.
fn check_complete(before: &State, world: &World, request: &Request, plan: &Plan) {
    let Request::Promote(request) = request else { return };
    let chain = world.state.configuration().unwrap().chain().clone();
    let Some(target) = chain.next(&request.ring) else { return };
    let was_complete = before.completeness(&request.ring).unwrap().is_complete();
    if request.images.is_empty() && was_complete {
        let found = world.state.completeness(target).unwrap();
        assert!(found.is_complete(), "{} -> {target}: {found:?}, {plan:?}", request.ring);
    }
}

/// Goes back to the beginning, and forward again from what the entries say.
fn check_whole_record(world: &World) {
    let mut rewind = Rewind::new(&world.state);
    for past in world.past.iter().rev() {
        rewind.back(&past.delta).unwrap();
    }
    let positions = RINGS.map(at).into_iter().chain([Position::Ante, Position::Post]);
    for position in positions {
        assert!(rewind.cells(&position).is_empty(), "{position} does not begin empty");
    }
}

fn play(history: &History) -> BTreeMap<Operation, usize> {
    let mut world = world(history.rings);
    let mut done: BTreeMap<Operation, usize> = BTreeMap::new();
    for choice in &history.steps {
        let Some(request) = choose(&mut world, *choice) else { continue };
        let found = world.plan(&request);
        check_plan_is_a_function(&world, &request, &found);
        let Ok(plan) = found else { continue };
        let before = world.state.clone();
        world.record(&plan);
        check_versions(&before, &plan);
        check_record(&before, &world.state, &plan);
        check_complete(&before, &world, &request, &plan);
        if plan.delta.is_empty() {
            continue;
        }
        *done.entry(plan.operation).or_default() += 1;
        let is_undoable = match plan.operation {
            Operation::Release | Operation::Promote | Operation::Shift | Operation::Empty => true,
            Operation::Unshift => plan.takes_back.is_none(),
            _ => false,
        };
        if is_undoable {
            check_back_and_forth(&before, &world, plan.operation);
        }
    }
    check_whole_record(&world);
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_keeps_the_six_properties(history in history()) {
        play(&history);
    }
}

#[test]
fn random_histories_reach_every_operation() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached: BTreeSet<Operation> = BTreeSet::new();
    let mut steps = 0;
    for _ in 0..8 {
        let done = play(&history().new_tree(&mut runner).unwrap().current());
        steps += done.values().sum::<usize>();
        reached.extend(done.into_keys());
    }
    let all = [
        Operation::Release,
        Operation::Promote,
        Operation::Shift,
        Operation::Unshift,
        Operation::Undo,
        Operation::Redo,
        Operation::Empty,
    ];
    assert!(all.iter().all(|operation| reached.contains(operation)), "{reached:?}");
    assert!(steps > 8 * 40, "only {steps} steps changed anything");
}
