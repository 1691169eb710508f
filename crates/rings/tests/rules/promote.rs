//! Moves of sets along the chain.

use ringsite_rings::{Action, Delta, Operation, PlanError, Switch, TakeBack};

use crate::world::{
    World, at, configuration, configure, empty, image, promote, promote_images, release, release_images,
    shift, steps, unshift, with,
};

/// Three generations of a project with one image: users 0.1.0, testers 0.2.0, developers 0.3.0.
fn three_generations() -> World {
    let mut world = World::new(&["developers", "testers", "users"], &[]);
    for (text, moves) in [("1", vec!["developers", "testers"]), ("2", vec!["developers"]), ("3", vec![])] {
        world.edit("shop", text);
        world.run(&release("developers")).unwrap();
        for ring in moves {
            world.run(&promote(ring)).unwrap();
        }
    }
    world
}

fn all(world: &World) -> [String; 5] {
    ["ante", "developers", "testers", "users", "post"].map(|ring| world.on(ring).replace("shop ", ""))
}

#[test]
fn promote_copies_the_whole_set_and_keeps_the_source() {
    let mut world = World::shop().does(&[release("developers")]);
    let plan = world.run(&promote("developers")).unwrap();
    assert_eq!(plan.delta, [Delta::Copy { from: at("developers"), to: at("testers") }]);
    assert_eq!(plan.steps.len(), 4);
    assert_eq!(plan.steps[0].causes[0].message, "developers -> testers");
    assert_eq!(world.on("testers"), world.on("developers"));
    assert!(world.state.completeness(&at("testers")).unwrap().is_complete());
}

#[test]
fn a_second_promote_changes_nothing() {
    let world = World::shop().does(&[release("developers"), promote("developers")]);
    assert!(!world.plan(&promote("developers")).unwrap().has_changes());
}

#[test]
fn what_the_last_ring_held_goes_to_post_in_the_same_change() {
    let mut world = three_generations();
    assert_eq!(all(&world), ["", "0.3.0", "0.2.0", "0.1.0", ""]);
    let plan = world.run(&promote("testers")).unwrap();
    assert_eq!(steps(&plan), ["shop move 0.1.0 -> 0.2.0 none", "shop move - -> 0.1.0 none"]);
    assert_eq!(all(&world), ["", "0.3.0", "0.2.0", "0.2.0", "0.1.0"]);
    world.run(&unshift("post")).unwrap();
    assert_eq!(all(&world), ["", "0.3.0", "0.2.0", "0.1.0", "0.1.0"]);
}

#[test]
fn a_promote_that_would_change_nothing_leaves_post_alone() {
    let world = three_generations().does(&[promote("testers")]);
    let plan = world.plan(&promote("testers")).unwrap();
    assert!(!plan.has_changes());
}

#[test]
fn single_images_into_the_last_ring_also_keep_the_whole_old_set_in_post() {
    let mut world = World::shop().does(&[release("developers"), promote("developers"), promote("testers")]);
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&promote("developers")).unwrap();
    let old = world.on("users");
    world.run(&promote_images("testers", &["api"])).unwrap();
    assert_eq!(world.on("users"), "api 0.2.0, base 0.1.0, shop 0.1.0, web 0.1.0");
    assert_eq!(world.on("post"), old);
}

#[test]
fn promoting_the_last_ring_stores_its_set_in_post() {
    let mut world = three_generations();
    world.run(&promote("users")).unwrap();
    assert_eq!(all(&world), ["", "0.3.0", "0.2.0", "0.1.0", "0.1.0"]);
}

#[test]
fn post_only_stores_so_versions_may_go_down_there() {
    let mut world = three_generations().does(&[promote("testers")]);
    world.run(&unshift("post")).unwrap();
    world.run(&promote("users")).unwrap();
    assert_eq!(world.on("post"), "shop 0.1.0");
}

#[test]
fn a_shift_of_the_whole_chain_moves_every_set_one_place_on() {
    let mut world = three_generations();
    let plan = world.run(&shift()).unwrap();
    assert_eq!(plan.ring, None);
    assert_eq!(all(&world), ["", "0.3.0", "0.3.0", "0.2.0", "0.1.0"]);
    world.edit("shop", "4");
    world.run(&release("developers")).unwrap();
    assert_eq!(all(&world)[1], "0.4.0");
}

#[test]
fn an_empty_ring_leaves_its_target_as_it_is_when_the_chain_is_shifted() {
    let mut world = three_generations().does(&[empty("testers")]);
    world.run(&shift()).unwrap();
    assert_eq!(all(&world), ["", "0.3.0", "0.3.0", "0.1.0", "0.1.0"]);
}

#[test]
fn taking_back_a_shift_gives_every_ring_what_it_had() {
    let mut world = three_generations();
    let before = world.state.clone();
    world.run(&shift()).unwrap();
    let plan = world.run(&world.take_back(TakeBack::Unshift)).unwrap();
    assert_eq!(plan.operation, Operation::Unshift);
    assert_eq!(plan.takes_back, Some(world.sequence - 1));
    assert_eq!(world.state.state_digest(), before.state_digest());
}

#[test]
fn images_from_ante_are_merged_into_the_first_ring() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("base", "other");
    world.run(&release_images("ante", &["base"])).unwrap();
    assert_eq!(world.on("ante"), "base 0.2.0");
    let plan = world.run(&promote("ante")).unwrap();
    assert_eq!(steps(&plan), ["base move 0.1.0 -> 0.2.0 none"]);
    assert_eq!(world.on("developers"), "api 0.1.0, base 0.2.0, shop 0.1.0, web 0.1.0");
    let stale = world.state.completeness(&at("developers")).unwrap();
    assert_eq!(stale.stale(), [image("api"), image("shop"), image("web")]);
    world.run(&release("developers")).unwrap();
    assert!(world.state.completeness(&at("developers")).unwrap().is_complete());
}

#[test]
fn a_merge_keeps_the_name_of_the_targets_root_or_takes_that_of_ante() {
    let mut world = World::shop().does(&[release_images("ante", &["base"]), promote("ante")]);
    assert_eq!(world.state.cells(&at("developers")).root(), None);
    world.run(&empty("developers")).unwrap();
    world.run(&release_images("ante", &["shop"])).unwrap();
    world.run(&promote("ante")).unwrap();
    assert_eq!(world.state.cells(&at("developers")).root(), Some(&image("shop")));
}

#[test]
fn unshift_gives_the_ring_before_what_a_ring_holds() {
    let mut world = three_generations();
    world.run(&unshift("users")).unwrap();
    assert_eq!(all(&world), ["", "0.3.0", "0.1.0", "0.1.0", ""]);
    world.run(&unshift("developers")).unwrap();
    assert_eq!(all(&world)[0], "0.3.0");
}

#[test]
fn empty_takes_everything_off_a_ring() {
    let mut world = three_generations();
    let plan = world.run(&empty("testers")).unwrap();
    assert_eq!(plan.steps[0].action, Action::Remove);
    assert!(world.state.cells(&at("testers")).is_empty());
    assert!(!world.plan(&empty("testers")).unwrap().has_changes());
}

#[test]
fn rings_can_be_inserted_anywhere_and_are_empty() {
    let mut world = three_generations();
    let more = configuration(r#"{"rings":["developers","testers","pilots","users"],"root":"shop"}"#);
    world.run(&configure(more.clone())).unwrap();
    assert_eq!(world.state.configuration(), Some(&more));
    assert_eq!(world.on("pilots"), "");
    assert!(!world.plan(&configure(more)).unwrap().has_changes());
    world.run(&promote("testers")).unwrap();
    assert_eq!(world.on("pilots"), "shop 0.2.0");
}

#[test]
fn a_release_takes_over_what_a_changed_file_adds() {
    let mut world = World::shop().does(&[release("developers")]);
    let more = configuration(
        r#"{"rings":["developers","testers","users"],"root":"shop",
            "sites":[{"name":"eu","environment":"test","ring":"developers"}]}"#,
    );
    world.facts.declared = Some(more.clone());
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(plan.takes_over(), Some(&more));
    assert!(plan.has_changes());
    assert_eq!(plan.sites.len(), 1);
    assert_eq!(plan.sites[0].from, None);
    assert_eq!(world.state.configuration(), Some(&more));
}

#[test]
fn the_first_release_puts_the_declared_configuration_in_force() {
    let mut world = World::shop();
    let declared = world.facts.declared.clone();
    world.state = ringsite_rings::State::new();
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(plan.takes_over(), declared.as_ref());
    assert_eq!(world.state.configuration(), declared.as_ref());
    world.state = ringsite_rings::State::new();
    world.facts.declared = None;
    let Err(PlanError::Request(problems)) = world.plan(&promote("developers")) else {
        panic!("no configuration is in force");
    };
    assert!(problems[0].help.contains("ring config apply"));
}

#[test]
fn only_sites_of_complete_rings_get_another_root() {
    let sited = configuration(
        r#"{"rings":["developers","testers","users"],"root":"shop","sites":[
            {"name":"a","environment":"e","ring":"developers"},{"name":"b","environment":"e","ring":"testers"},
            {"name":"c","environment":"e","ring":"ante"}]}"#,
    );
    let mut world = World::shop();
    world.run(&configure(sited.clone())).unwrap();
    world.facts.declared = Some(sited);
    let sites = |plan: &ringsite_rings::Plan| -> Vec<String> {
        plan.sites.iter().map(|site| format!("{} {:?} {:?}", site.site, site.from, site.to)).collect()
    };
    assert_eq!(sites(&world.run(&release("developers")).unwrap()), ["a None Some(0.1.0)"]);
    assert_eq!(sites(&world.run(&promote("developers")).unwrap()), ["b None Some(0.1.0)"]);
    world.edit("api", "other");
    assert!(sites(&world.run(&release_images("developers", &["api"])).unwrap()).is_empty());
    assert_eq!(sites(&world.run(&release("developers")).unwrap()), ["a Some(0.1.0) Some(0.2.0)"]);
    assert!(sites(&world.run(&promote_images("developers", &["api"])).unwrap()).is_empty());
    assert_eq!(sites(&world.run(&with(Switch::AllowDowngrade, promote("developers"))).unwrap()).len(), 1);
}
