//! A project of a thousand images: what must not be quadratic.

use ringsite_rings::{Delta, TakeBack};

use crate::world::{World, at, promote, release, shift};

/// One base, 998 images on it, and a root on everything.
fn thousand() -> World {
    let names: Vec<String> = (0..998).map(|index| format!("image-{index:03}")).collect();
    let mut declared: Vec<(&str, &[&str])> = vec![("base", &[])];
    declared.extend(names.iter().map(|name| (name.as_str(), &["base"][..])));
    World::new(&["developers", "testers", "users"], &declared)
}

#[test]
fn a_thousand_images_are_released_promoted_shifted_and_taken_back() {
    let mut world = thousand();
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(plan.builds().count(), 1_000);
    assert!(!world.plan(&release("developers")).unwrap().has_changes());
    let plan = world.run(&promote("developers")).unwrap();
    assert_eq!(plan.delta, [Delta::Copy { from: at("developers"), to: at("testers") }]);
    world.edit("image-500", "other");
    world.run(&release("developers")).unwrap();
    let before = world.state.state_digest();
    let plan = world.run(&shift()).unwrap();
    assert_eq!(plan.delta.len(), 3, "a copy onto users, and two cells of testers");
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    assert_eq!(world.state.state_digest(), before);
}
