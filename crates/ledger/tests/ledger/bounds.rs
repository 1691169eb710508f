//! How much is read, kept and left behind.

use std::collections::BTreeMap;

use ringsite_ledger::Ledger;
use ringsite_names::{RepositoryName, Version};
use ringsite_oci::{Layout, Memory, Page, Registry};
use ringsite_rings::State;
use ringsite_testkit::Faulty;

use crate::world::{begin, fill, fill_many, fill_segment, image, project, promote, release, time};

fn repository() -> RepositoryName {
    project().repository("ledger").unwrap()
}

async fn tags(registry: &impl Registry) -> Vec<String> {
    let page = registry.tags(&repository(), &Page::first(10_000)).await.unwrap();
    page.tags.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_ledger_of_three_thousand_entries_is_opened_with_three_reads() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 10).await;
    fill_many(&mut ledger, 10, 2997).await;
    let counting = Faulty::new(&registry);
    let opened = Ledger::open(&counting, &project(), None).await.unwrap();
    assert_eq!(counting.calls(), ["manifest", "blob", "blob"]);
    assert_eq!(opened.head().sequence, 3000);
    assert_eq!(opened.state().state_digest(), ledger.state().state_digest());

    let tags = tags(&registry).await;
    let segments = tags.iter().filter(|tag| tag.starts_with("segment-")).count();
    let tables = tags.iter().filter(|tag| tag.starts_with("releases-")).count();
    assert!((3..=20).contains(&segments), "{tags:?}");
    assert_eq!(tables, 2, "the table of now and the one before");
    assert_eq!(tags.len(), segments + tables + 1);
}

#[tokio::test]
async fn an_entry_that_moves_ten_images_keeps_at_most_four_hundred_bytes() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 10).await;
    let images: Vec<usize> = (0..10).collect();
    while tags(&registry).await.len() < 5 {
        let at = time(ledger.head().sequence as i64);
        ledger.commit(release(ledger.state(), at, &images)).await.unwrap();
        ledger.commit(promote(ledger.state(), at, "developers", "testers")).await.unwrap();
    }
    let mut moves = BTreeMap::new();
    let mut history = ledger.history();
    while let Some(recorded) = history.next().await.unwrap() {
        let is_promotion = recorded.entry.kind.as_str() == "promote";
        let bytes = serde_json::to_vec(&recorded.entry).unwrap();
        moves.entry(is_promotion).or_insert_with(Vec::new).extend([bytes, b"\n".to_vec()].concat());
    }
    let count = moves[&true].iter().filter(|byte| **byte == b'\n').count();
    let bytes =
        zstd::bulk::compress(&moves[&true], ringsite_ledger::limits::KEPT_COMPRESSION_LEVEL).unwrap().len();
    assert!(bytes / count <= 400, "{} bytes an entry", bytes / count);
}

#[tokio::test]
async fn objects_of_replaced_heads_do_not_pile_up_on_a_layout() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::new(folder.path());
    let mut ledger = begin(&layout, None, 2).await;
    fill(&mut ledger, 2, 120).await;
    layout.sync().await.unwrap();
    let count = std::fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count();
    // At most 32 replaced heads with their segments, the head of now, the checkpoint, the configuration.
    assert!((2 * 16..=2 * 33 + 4).contains(&count), "{count} objects");
    Ledger::open(&layout, &project(), None).await.unwrap();
}

#[tokio::test]
async fn a_segment_is_closed_by_the_commit_after_it_is_full() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 50).await;
    fill_segment(&mut ledger).await;
    assert_eq!(tags(&registry).await, ["head"]);
    ledger.commit(release(ledger.state(), time(6), &[1])).await.unwrap();
    let tags = tags(&registry).await;
    assert!(tags.iter().any(|tag| tag.starts_with("segment-1-")), "{tags:?}");
    assert!(tags.iter().any(|tag| tag.starts_with("releases-1-")), "{tags:?}");
    let mut opened = Ledger::open(&registry, &project(), None).await.unwrap();
    let all = (0..50).map(image).collect();
    let state: &State = opened.load(&all).await.unwrap();
    let versions: Vec<Version> = state.releases(&image(1)).keys().copied().collect();
    assert_eq!(versions, [Version::new(0, 1, 0), Version::new(0, 1, 1)]);
    assert!(all.iter().all(|image| !state.releases(image).is_empty()));
}
