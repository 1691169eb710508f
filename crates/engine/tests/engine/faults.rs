//! A process that dies, or a registry that fails, at any call: nothing half done, nothing lost,
//! nothing twice, and the same command again finishes the work.

use std::sync::Arc;

use ringsite_engine::Operation;
use ringsite_oci::Memory;
use ringsite_testkit::{Fault, Faulty, ProjectFolder};

use crate::house::{assert_sound, engine, intent, kinds, promote, release, version};

/// The faults that every call gets in turn; a release has a few hundred calls, so each test takes
/// every few calls, beginning at another one for each fault.
const FAULTS: [Fault; 4] = [Fault::KillBefore, Fault::KillAfter, Fault::Fail, Fault::LoseAnswer];

/// Returns how many calls `operation` makes on a copy of the world that `prepare` makes.
async fn calls(project: &ProjectFolder, prepared: &[Operation], operation: &Operation) -> usize {
    let memory = Arc::new(Memory::default());
    let healthy = engine(project, Arc::clone(&memory), "count");
    for operation in prepared {
        healthy.run(operation, &intent("first")).await.unwrap();
    }
    let faulty = Arc::new(Faulty::new(memory));
    engine(project, Arc::clone(&faulty), "count").run(operation, &intent("first")).await.unwrap();
    faulty.calls().len()
}

async fn survives(prepared: &[Operation], operation: &Operation, step: usize, expected: &[&str]) {
    let project = ProjectFolder::shop();
    let total = calls(&project, prepared, operation).await;
    assert!(total > step, "the operation makes {total} calls");
    for (offset, fault) in FAULTS.into_iter().enumerate() {
        for call in (1 + offset..=total).step_by(step) {
            let memory = Arc::new(Memory::default());
            let machine = format!("{fault:?}-{call}");
            let healthy = engine(&project, Arc::clone(&memory), &machine);
            for operation in prepared {
                healthy.run(operation, &intent("first")).await.unwrap();
            }
            let faulty = Arc::new(Faulty::new(Arc::clone(&memory)).with_fault(call, fault));
            let broken = engine(&project, faulty, &machine);
            // Whether it succeeded is not the point: what it left is.
            let outcome = broken.run(operation, &intent("broken")).await;
            let again = healthy.run(operation, &intent("again")).await;
            let place = format!("{fault:?} at call {call} of {total}: {outcome:?}, then {again:?}");
            assert_sound(&healthy).await;
            let kinds = kinds(&healthy).await;
            assert_eq!(kinds, expected, "{place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_release_that_is_cut_anywhere_is_finished_by_the_same_command() {
    survives(&[], &release(), 9, &["init", "configure", "release", "place"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_is_cut_anywhere_is_finished_by_the_same_command() {
    let expected = ["init", "configure", "release", "place", "promote", "place"];
    survives(&[release()], &promote("developers"), 7, &expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_that_fails_now_and_then_never_gets_a_release_twice() {
    let project = ProjectFolder::shop();
    for seed in 1..=6 {
        let memory = Arc::new(Memory::default());
        let machine = format!("seed-{seed}");
        for _ in 0..40 {
            let faulty = Arc::new(Faulty::new(Arc::clone(&memory)).with_seed(seed, 20));
            let _ = engine(&project, faulty, &machine).run(&release(), &intent("flaky")).await;
        }
        let healthy = engine(&project, memory, &machine);
        healthy.run(&release(), &intent("last")).await.unwrap();
        assert_sound(&healthy).await;
        assert_eq!(version(&healthy, "developers", "shop").await.as_deref(), Some("0.1.0"), "seed {seed}");
        assert_eq!(kinds(&healthy).await.iter().filter(|kind| *kind == "release").count(), 1, "seed {seed}");
    }
}
