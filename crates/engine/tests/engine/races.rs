//! Several people at the same second: nobody's operation is lost, and nobody does what he did not see.

use std::sync::Arc;

use ringsite_engine::{Class, Operation};
use ringsite_oci::Memory;
use ringsite_testkit::ProjectFolder;

use crate::house::{assert_sound, engine, intent, kinds, promote, release, version};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_first_releases_both_end_well_and_one_of_them_built_it() {
    let memory = Arc::new(Memory::default());
    let (one, two) = (ProjectFolder::shop(), ProjectFolder::shop());
    let (first, second) = (engine(&one, Arc::clone(&memory), "a"), engine(&two, memory, "b"));
    let (operation, ann, bob) = (release(), intent("ann"), intent("bob"));
    let (a, b) = tokio::join!(first.run(&operation, &ann), second.run(&operation, &bob));
    let changed = [a.unwrap().changed, b.unwrap().changed];
    assert!(changed.contains(&true));
    assert_sound(&first).await;
    assert_eq!(kinds(&first).await.iter().filter(|kind| *kind == "release").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_releases_of_different_sources_get_different_versions() {
    let memory = Arc::new(Memory::default());
    let (one, two) = (ProjectFolder::shop(), ProjectFolder::shop());
    let (first, second) = (engine(&one, Arc::clone(&memory), "a"), engine(&two, memory, "b"));
    first.run(&release(), &intent("ann")).await.unwrap();
    for round in 1..=5 {
        one.write("images/api/api.conf", &format!("ann {round}\n"));
        two.write("images/api/api.conf", &format!("bob {round}\n"));
        let (operation, ann, bob) = (release(), intent("ann"), intent("bob"));
        let (a, b) = tokio::join!(first.run(&operation, &ann), second.run(&operation, &bob));
        let versions = [a.unwrap(), b.unwrap()].map(|report| {
            report.images.iter().find(|image| image.image == "api").unwrap().to.clone().unwrap()
        });
        assert_ne!(versions[0], versions[1], "round {round}");
    }
    assert_sound(&first).await;
    assert_eq!(version(&first, "developers", "api").await.as_deref(), Some("0.1.10"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_never_moves_a_set_that_nobody_saw() {
    let memory = Arc::new(Memory::default());
    let (one, two) = (ProjectFolder::shop(), ProjectFolder::shop());
    let (first, second) = (engine(&one, Arc::clone(&memory), "a"), engine(&two, memory, "b"));
    first.run(&release(), &intent("ann")).await.unwrap();
    let seen = second.plan(&promote("developers"), &intent("bob")).await.unwrap();
    one.write("images/api/api.conf", "newer\n");
    first.run(&release(), &intent("ann")).await.unwrap();
    let error = second.run_planned(&promote("developers"), &intent("bob"), &seen.digest).await.unwrap_err();
    assert_eq!(error.class(), Class::Race, "{error}");
    assert_eq!(version(&first, "testers", "api").await, None);
    second.run(&promote("developers"), &intent("bob")).await.unwrap();
    assert_eq!(version(&first, "testers", "api").await.as_deref(), Some("0.1.1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_moves_at_once_lose_nothing_that_was_acknowledged() {
    let memory = Arc::new(Memory::default());
    let projects: Vec<ProjectFolder> = (0..4).map(|_| ProjectFolder::shop()).collect();
    let engines: Vec<_> = projects
        .iter()
        .enumerate()
        .map(|(number, project)| Arc::new(engine(project, Arc::clone(&memory), &number.to_string())))
        .collect();
    engines[0].run(&release(), &intent("first")).await.unwrap();
    let mut tasks = Vec::new();
    for (number, engine) in engines.iter().cloned().enumerate() {
        tasks.push(tokio::spawn(async move {
            let mut acknowledged = 0;
            for round in 0..6 {
                let operation = match (number + round) % 3 {
                    0 => promote("developers"),
                    1 => Operation::Unshift { ring: None },
                    _ => Operation::Undo { entry: None },
                };
                match engine.run(&operation, &intent("somebody")).await {
                    Ok(report) if report.changed => acknowledged += 1,
                    Ok(_) => {}
                    Err(error) => assert!(matches!(error.class(), Class::Race | Class::Refused), "{error}"),
                }
            }
            acknowledged
        }));
    }
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += task.await.unwrap();
    }
    assert_sound(&engines[0]).await;
    let moves = kinds(&engines[0])
        .await
        .iter()
        .filter(|kind| matches!(kind.as_str(), "promote" | "unshift" | "undo"))
        .count();
    assert_eq!(moves, acknowledged, "every acknowledged move is in the ledger, and no other");
}
