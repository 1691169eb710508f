//! Every reason to look twice.

use ringsite_rings::{TakeBack, WarningCode};

use crate::world::{World, configuration, promote, promote_images, release, release_images, unshift, with};

fn message(world: &World, request: &ringsite_rings::Request, code: WarningCode) -> String {
    let plan = world.plan(request).unwrap();
    let found = plan.warnings.iter().find(|warning| warning.code == code);
    found.unwrap_or_else(|| panic!("{code:?} is not in {:?}", plan.warnings)).message.clone()
}

#[test]
fn a_hotfix_puts_a_ring_ahead_of_an_earlier_one() {
    let mut world = World::shop().does(&[release("developers"), promote("developers"), promote("testers")]);
    world.edit("api", "hotfix");
    let text = message(&world, &release("testers"), WarningCode::Inversion);
    assert!(text.contains("developers is behind testers") && text.contains("api 0.1.0 < 0.2.0"), "{text}");
    world.run(&release("testers")).unwrap();
    world.edit("web", "other");
    let text = message(&world, &release("testers"), WarningCode::Inversion);
    assert!(text.contains("web") && !text.contains("shop"), "only what is new is said: {text}");
}

#[test]
fn taking_a_release_back_can_leave_a_ring_behind_the_next() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    let second = world.sequence + 1;
    world.run(&release("developers")).unwrap();
    world.run(&promote("developers")).unwrap();
    let undo = world.take_back_entry(TakeBack::Undo, second);
    let text = message(&world, &undo, WarningCode::Inversion);
    assert!(text.contains("developers is behind testers"), "{text}");
}

#[test]
fn promoting_over_a_hotfix_warns_that_it_is_lost() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("api", "hotfix");
    world.run(&release("testers")).unwrap();
    world.edit("api", "feature");
    world.run(&release("developers")).unwrap();
    world.run(&release("developers")).unwrap();
    let allowed = with(ringsite_rings::Switch::AllowDowngrade, promote("developers"));
    let text = message(&world, &allowed, WarningCode::HotfixLost);
    assert!(text.contains("built on testers") && text.contains("api 0.1.1"), "{text}");
    let mut fixed = world.clone();
    fixed.edit("api", "hotfix");
    fixed.run(&release("developers")).unwrap();
    assert!(
        !fixed
            .warning_codes(&with(ringsite_rings::Switch::AllowDowngrade, promote("developers")))
            .contains(&WarningCode::HotfixLost)
    );
}

#[test]
fn a_ring_that_is_not_complete_afterwards_is_named_with_what_must_be_built() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("base", "other");
    let text = message(&world, &release_images("developers", &["base"]), WarningCode::Stale);
    assert!(text.contains("api, shop, web must be built") && text.contains("ring release --ring developers"));
    world.run(&release("developers")).unwrap();
    let text = message(&world, &promote_images("developers", &["base"]), WarningCode::Stale);
    assert!(text.contains("testers"), "{text}");
    let world = World::shop().does(&[release_images("ante", &["base"])]);
    assert!(message(&world, &promote("ante"), WarningCode::Stale).contains("no root image"));
}

#[test]
fn a_ring_that_only_stores_or_prepares_is_never_called_stale() {
    let world = World::shop();
    assert!(world.warning_codes(&release_images("ante", &["base"])).is_empty());
}

#[test]
fn what_a_release_takes_over_is_said() {
    let mut world = World::shop().does(&[release("developers")]);
    world.facts.declared =
        Some(configuration(r#"{"rings":["developers","testers","pilots","users"],"root":"shop"}"#));
    let text = message(&world, &release("developers"), WarningCode::ConfigurationDiffers);
    assert!(text.contains("takes over") && text.contains("pilots"), "{text}");
    let text = message(&world, &promote("developers"), WarningCode::ConfigurationDiffers);
    assert!(text.contains("ring config diff"), "{text}");
}

#[test]
fn an_undone_release_warns_that_it_is_adopted_again() {
    let mut world = World::shop().does(&[release("developers")]);
    let undo = world.take_back(TakeBack::Undo);
    let text = message(&world, &undo, WarningCode::AdoptedAgain);
    assert!(text.contains("ring release --force") && !text.contains("reject"), "{text}");
    world.run(&promote("developers")).unwrap();
    assert!(world.warning_codes(&world.take_back(TakeBack::Undo)).is_empty());
}

#[test]
fn steps_back_ask_for_nothing_and_say_when_a_ring_becomes_stale() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("base", "other");
    world.run(&release_images("testers", &["base"])).unwrap();
    let text = message(&world, &unshift("testers"), WarningCode::Stale);
    assert!(text.contains("developers"), "{text}");
}
