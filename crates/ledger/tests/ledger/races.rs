//! Several writers at once: nothing lost, nothing twice, every entry decided on its own head.

use std::sync::Arc;

use ringsite_ledger::{Fault, Ledger, LedgerError};
use ringsite_oci::{Layout, Memory, Registry};

use crate::world::{begin, beginning, project, promote, release, time};

/// Commits `count` releases of one image, deciding again whenever somebody else was faster.
async fn write<R: Registry>(registry: R, image: usize, count: usize) {
    let mut ledger = Ledger::open(registry, &project(), None).await.unwrap();
    for step in 0..count {
        let mut draft = release(ledger.state(), time(10), &[image]);
        draft.operation_id = format!("writer-{image}-{step}").parse().unwrap();
        draft.request = ringsite_names::Digest::sha256(draft.operation_id.as_str().as_bytes());
        loop {
            match ledger.commit(draft.clone()).await {
                Ok(_) => break,
                Err(LedgerError::Moved { .. }) => {
                    let (id, request) = (draft.operation_id.clone(), draft.request);
                    draft = release(ledger.state(), time(10), &[image]);
                    (draft.operation_id, draft.request) = (id, request);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn check<R: Registry>(registry: R, writers: usize, count: usize) {
    let ledger = Ledger::open(registry, &project(), None).await.unwrap();
    assert_eq!(ledger.head().sequence, (3 + writers * count) as u64);
    for image in (0..writers).map(crate::world::image) {
        let version = ledger.state().cells(&crate::world::position("developers")).version(&image).unwrap();
        assert_eq!(version.patch, count as u64, "{image}");
    }
}

async fn race<R: Registry + 'static>(registries: Vec<Arc<R>>, count: usize) {
    let writers = registries.len();
    begin(Arc::clone(&registries[0]), None, writers).await;
    let tasks: Vec<_> = registries
        .iter()
        .enumerate()
        .map(|(image, registry)| tokio::spawn(write(Arc::clone(registry), image, count)))
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    check(Arc::clone(&registries[0]), writers, count).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_one_store_in_memory_lose_nothing() {
    let registry = Arc::new(Memory::new());
    race(vec![registry; 6], 25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_with_layouts_of_their_own_over_one_folder_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let registries = (0..3).map(|_| Arc::new(Layout::new(folder.path()))).collect();
    race(registries, 12).await;
}

/// The part of the test below that runs in another process: it does nothing unless it is told where.
#[tokio::test]
async fn writer_of_another_process() {
    let Some(folder) = std::env::var_os("RINGSITE_LEDGER_TEST_FOLDER") else { return };
    let image = std::env::var("RINGSITE_LEDGER_TEST_IMAGE").unwrap().parse().unwrap();
    write(Layout::new(folder), image, 10).await;
}

#[tokio::test]
async fn writers_of_two_processes_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    begin(Layout::new(folder.path()), None, 2).await;
    let children: Vec<_> = (0..2)
        .map(|image| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "races::writer_of_another_process"])
                .env("RINGSITE_LEDGER_TEST_FOLDER", folder.path())
                .env("RINGSITE_LEDGER_TEST_IMAGE", image.to_string())
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    check(Layout::new(folder.path()), 2, 10).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_begin_a_ledger_at_once_exactly_one_does() {
    let registry = Arc::new(Memory::new());
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let registry = Arc::clone(&registry);
            tokio::spawn(
                async move { Ledger::init(registry, &project(), None, beginning()).await.map(|_| ()) },
            )
        })
        .collect();
    let mut begun = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(()) => begun += 1,
            Err(LedgerError::Exists { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(begun, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_question_can_be_asked_on_another_thread() {
    let registry = Arc::new(Memory::new());
    begin(Arc::clone(&registry), None, 1).await;
    let task = tokio::spawn(async move {
        let ledger = Ledger::open_or_init(registry, &project(), None, beginning()).await;
        let mut ledger = ledger.unwrap();
        let images = std::collections::BTreeSet::from([crate::world::image(0)]);
        ledger.load(&images).await.unwrap();
        let state = ledger.at(&"2".parse().unwrap()).await.unwrap().1;
        ledger.with_releases(state, &images).await.unwrap();
        ledger.entry(&"1".parse().unwrap()).await.unwrap();
        ledger.history().next().await.unwrap();
        assert!(!ledger.refresh().await.unwrap());
        ledger.verify().await.unwrap().entries
    });
    assert_eq!(task.await.unwrap(), 3);
}

#[tokio::test]
async fn who_loses_is_told_who_won_and_stands_on_the_new_head() {
    let registry = Memory::new();
    let mut first = begin(&registry, None, 3).await;
    let mut second = Ledger::open(&registry, &project(), None).await.unwrap();
    let mut promotion = promote(first.state(), time(3), "developers", "testers");
    promotion.actor = "grace@example.com".to_owned();
    let won = first.commit(promotion).await.unwrap();
    let error = second.commit(release(second.state(), time(4), &[1])).await.unwrap_err();
    let LedgerError::Moved { by } = &error else { panic!("{error}") };
    assert_eq!(by.len(), 1);
    assert_eq!(
        (by[0].place, by[0].kind.as_str(), by[0].actor.as_str()),
        (won.place(), "promote", "grace@example.com")
    );
    assert_eq!(error.fault(), Fault::LostRace);
    assert_eq!(second.head(), first.head());
    assert_eq!(second.state(), first.state());
    second.commit(release(second.state(), time(4), &[1])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_read_while_writers_replace_and_remove_heads() {
    let registry = Arc::new(Memory::new());
    begin(Arc::clone(&registry), None, 1).await;
    let writer = tokio::spawn(write(Arc::clone(&registry), 0, 150));
    let mut last = 0;
    while !writer.is_finished() {
        let ledger = Ledger::open(&*registry, &project(), None).await.unwrap();
        assert!(ledger.head().sequence >= last);
        last = ledger.head().sequence;
    }
    writer.await.unwrap();
}
