//! What a release builds, adopts, keeps and removes.

use ringsite_rings::{Action, CauseCode, PlanError, Switch, TakeBack};

use crate::world::{World, at, image, promote, release, release_images, steps, version, with, with_major};

fn causes(world: &World, request: &ringsite_rings::Request, name: &str) -> Vec<(CauseCode, String)> {
    let plan = world.plan(request).unwrap();
    let step = plan.steps.iter().find(|step| step.image.as_str() == name).unwrap();
    step.causes.iter().map(|cause| (cause.code, cause.message.clone())).collect()
}

#[test]
fn the_first_release_builds_everything_dependencies_first_and_the_root_last() {
    let mut world = World::shop();
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(
        steps(&plan),
        [
            "base build - -> 0.1.0 initial",
            "api build - -> 0.1.0 initial",
            "web build - -> 0.1.0 initial",
            "shop build - -> 0.1.0 initial"
        ]
    );
    assert_eq!(world.on("developers"), "api 0.1.0, base 0.1.0, shop 0.1.0, web 0.1.0");
    assert_eq!(world.state.cells(&at("developers")).root(), Some(&image("shop")));
    assert!(world.state.completeness(&at("developers")).unwrap().is_complete());
    let root = world.state.release(&image("shop"), version("0.1.0")).unwrap();
    assert_eq!(root.dependencies.len(), 3);
}

#[test]
fn a_release_without_changes_keeps_everything_and_writes_nothing() {
    let world = World::shop().does(&[release("developers")]);
    let plan = world.plan(&release("developers")).unwrap();
    assert!(!plan.has_changes());
    assert!(plan.steps.iter().all(|step| step.action == Action::Keep && step.causes.is_empty()));
}

#[test]
fn a_change_reaches_everything_that_is_built_with_it_and_says_why() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("base", "other");
    world.desired("base").detail.revision = vec!["src/main.rs".to_owned()];
    let request = release("developers");
    let plan = world.plan(&request).unwrap();
    assert!(plan.steps.iter().all(|step| step.action == Action::Build && step.to == Some(version("0.1.1"))));
    assert_eq!(
        causes(&world, &request, "base"),
        [(CauseCode::Revision, "revision changed: src/main.rs".to_owned())]
    );
    assert_eq!(
        causes(&world, &request, "api"),
        [(CauseCode::DependencyChanged, "dependency base 0.1.0 -> 0.1.1".to_owned())]
    );
    assert_eq!(causes(&world, &request, "shop").len(), 3);
}

#[test]
fn every_cause_of_a_build_has_its_code() {
    let mut world = World::shop().does(&[release("developers")]);
    world.desired("api").inputs = crate::world::content("other inputs");
    world.desired("api").detail.inputs = vec!["label x".to_owned()];
    world.desired("web").dependencies = crate::world::images(&["api"]);
    world.declare("tool", &[]);
    let request = with_major(release("developers"), &["base"]);
    assert_eq!(causes(&world, &request, "base")[0].0, CauseCode::Major);
    assert_eq!(
        causes(&world, &request, "tool")[0],
        (CauseCode::Absent, "no release on this ring".to_owned())
    );
    assert_eq!(
        causes(&world, &request, "api")[0],
        (CauseCode::InputsChanged, "inputs changed: label x".to_owned())
    );
    let codes: Vec<CauseCode> = causes(&world, &request, "web").into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, [CauseCode::DependencyAdded, CauseCode::DependencyRemoved]);
    let forced = with(Switch::Force, release("developers"));
    assert_eq!(causes(&world, &forced, "base"), [(CauseCode::Forced, "forced".to_owned())]);
}

#[test]
fn an_image_that_is_no_longer_declared_leaves_with_the_next_full_release_and_stays_in_the_table() {
    let mut world = World::shop().does(&[release("developers")]);
    world.forget("web");
    let partial = world.plan(&release_images("developers", &["api"])).unwrap();
    assert!(partial.steps.iter().all(|step| step.action != Action::Remove));
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(steps(&plan).last().unwrap(), "web remove 0.1.0 -> - none");
    assert_eq!(plan.steps.last().unwrap().causes[0].code, CauseCode::Undeclared);
    assert_eq!(world.on("developers"), "api 0.1.0, base 0.1.0, shop 0.1.1");
    assert_eq!(world.state.releases(&image("web")).len(), 1);
}

#[test]
fn named_images_are_built_with_their_dependencies_and_nothing_else() {
    let mut world = World::shop();
    let plan = world.run(&release_images("developers", &["api"])).unwrap();
    assert_eq!(steps(&plan), ["base build - -> 0.1.0 initial", "api build - -> 0.1.0 initial"]);
    assert_eq!(world.state.cells(&at("developers")).root(), None);
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    world.edit("web", "other");
    let plan = world.run(&release_images("developers", &["api"])).unwrap();
    assert_eq!(steps(&plan), ["base keep 0.1.0 -> 0.1.0 none", "api build 0.1.0 -> 0.1.1 patch"]);
    assert!(plan.warnings[0].message.contains("shop must be built"), "{:?}", plan.warnings);
    assert_eq!(world.state.completeness(&at("developers")).unwrap().stale(), [image("shop")]);
}

#[test]
fn naming_the_root_on_ante_takes_its_whole_closure() {
    let mut world = World::shop();
    world.run(&release_images("ante", &["shop"])).unwrap();
    assert!(world.state.completeness(&at("ante")).unwrap().is_complete());
}

#[test]
fn a_major_version_is_built_even_when_nothing_changed_and_selects_nothing_else() {
    let world = World::shop().does(&[release("developers")]);
    let request = with_major(release_images("developers", &["base"]), &["web"]);
    assert_eq!(
        steps(&world.plan(&request).unwrap()),
        ["base keep 0.1.0 -> 0.1.0 none", "web build 0.1.0 -> 1.0.0 major"]
    );
    let all = with_major(release("developers"), &["web"]);
    assert_eq!(
        steps(&world.plan(&all).unwrap())[1..],
        ["api keep 0.1.0 -> 0.1.0 none", "web build 0.1.0 -> 1.0.0 major", "shop build 0.1.0 -> 0.1.1 patch"]
    );
}

#[test]
fn force_builds_what_is_named_and_else_everything() {
    let world = World::shop().does(&[release("developers")]);
    let named = with(Switch::Force, release_images("developers", &["api"]));
    assert_eq!(
        steps(&world.plan(&named).unwrap()),
        ["base keep 0.1.0 -> 0.1.0 none", "api build 0.1.0 -> 0.1.1 patch"]
    );
    let all = world.plan(&with(Switch::Force, release("developers"))).unwrap();
    assert!(all.steps.iter().all(|step| step.action == Action::Build));
}

#[test]
fn a_base_prepared_on_ante_is_the_same_release_on_the_first_ring() {
    let mut world = World::shop().does(&[release_images("ante", &["base"])]);
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(steps(&plan)[0], "base adopt - -> 0.1.0 none");
    assert_eq!(plan.steps[0].causes[0].code, CauseCode::Absent);
    assert_eq!(world.on("ante"), "base 0.1.0");
}

#[test]
fn what_was_undone_is_adopted_again_from_the_same_sources() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    let after = world.on("developers");
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    let plan = world.run(&release("developers")).unwrap();
    let actions: Vec<Action> = plan.steps.iter().map(|step| step.action).collect();
    assert_eq!(actions, [Action::Keep, Action::Adopt, Action::Keep, Action::Adopt]);
    assert_eq!(world.on("developers"), after);
}

#[test]
fn force_major_and_a_manifest_that_is_gone_switch_adoption_off() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.run(&world.take_back(TakeBack::Undo)).unwrap();
    let action = |world: &World, request| {
        let plan = world.plan(&request).unwrap();
        (plan.steps[1].action, plan.steps[1].to.unwrap().to_string())
    };
    assert_eq!(action(&world, release("developers")), (Action::Adopt, "0.1.1".to_owned()));
    let forced = with(Switch::Force, release("developers"));
    assert_eq!(action(&world, forced), (Action::Build, "0.1.2".to_owned()));
    let major = with_major(release("developers"), &["api"]);
    assert_eq!(action(&world, major), (Action::Build, "1.0.0".to_owned()));
    world.facts.gone.entry(image("api")).or_default().insert(version("0.1.1"));
    assert_eq!(action(&world, release("developers")), (Action::Build, "0.1.2".to_owned()));
}

#[test]
fn a_lower_release_of_the_same_content_is_not_adopted() {
    let mut world = World::shop().does(&[release("developers")]);
    world.edit("api", "other");
    world.run(&release("developers")).unwrap();
    world.edit("api", "");
    world.desired("api").revision = crate::world::content("api");
    let plan = world.plan(&release("developers")).unwrap();
    assert_eq!(steps(&plan)[1], "api build 0.1.1 -> 0.1.2 patch");
}

#[test]
fn a_promoted_line_goes_on_with_a_new_minor_version() {
    let mut world = World::shop().does(&[release("developers"), promote("developers")]);
    world.edit("web", "other");
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(steps(&plan)[2..], ["web build 0.1.0 -> 0.2.0 minor", "shop build 0.1.0 -> 0.2.0 minor"]);
    world.edit("web", "third");
    let plan = world.run(&release("developers")).unwrap();
    assert_eq!(steps(&plan)[2], "web build 0.2.0 -> 0.2.1 patch");
}

#[test]
fn wrong_names_are_wrong_usage_and_all_are_named() {
    let world = World::shop();
    let Err(PlanError::Request(problems)) = world.plan(&release_images("developers", &["x", "y"])) else {
        panic!("x and y are not declared");
    };
    assert_eq!(problems.len(), 2);
    assert!(problems[0].help.contains("ring images"));
    let Err(PlanError::Request(problems)) = world.plan(&release("nowhere")) else {
        panic!("nowhere is no ring");
    };
    assert!(problems[0].help.contains("ante, developers"), "{}", problems[0].help);
    let mut circle = World::shop();
    circle.desired("base").dependencies = crate::world::images(&["api"]);
    assert!(matches!(circle.plan(&release("developers")), Err(PlanError::Request(_))));
    let mut twice = World::shop();
    twice.declare("api", &[]);
    assert!(matches!(twice.plan(&release("developers")), Err(PlanError::Request(_))));
    let mut unknown = World::shop();
    unknown.desired("api").dependencies = crate::world::images(&["ghost"]);
    assert!(matches!(unknown.plan(&release("developers")), Err(PlanError::Request(_))));
    let mut rootless = World::shop();
    rootless.forget("shop");
    assert!(matches!(rootless.plan(&release("developers")), Err(PlanError::Request(_))));
}
