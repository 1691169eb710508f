//! A registry that answers with an older or another history than this client has seen.

use bytes::Bytes;
use ringsite_ledger::{Fault, Ledger, LedgerError, Seen};
use ringsite_names::{RepositoryName, Tag};
use ringsite_oci::{Memory, Put, Registry, StoredManifest};

use crate::world::{begin, fill, fill_many, project, release, time};

fn repository() -> RepositoryName {
    project().repository("ledger").unwrap()
}

fn head() -> Tag {
    Tag::new("head").unwrap()
}

async fn take(registry: &Memory) -> StoredManifest {
    registry.manifest(&repository(), &head().into()).await.unwrap()
}

async fn restore(registry: &Memory, stored: &StoredManifest) {
    let bytes = Bytes::clone(&stored.bytes);
    registry.put_manifest(&repository(), &Put::under(head()), &stored.media_type, bytes).await.unwrap();
}

#[tokio::test]
async fn an_older_head_and_a_head_of_another_history_are_refused_with_both_digests() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Seen::new(folder.path(), "memory", &project());
    let registry = Memory::new();
    let mut ledger = begin(&registry, Some(seen.clone()), 2).await;
    let (backup, before) = (take(&registry).await, ledger.head());
    fill(&mut ledger, 2, 3).await;
    let newest = ledger.head();

    restore(&registry, &backup).await;
    let error = Ledger::open(&registry, &project(), Some(seen.clone())).await.unwrap_err();
    assert!(matches!(error, LedgerError::Rollback { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Damaged);
    let text = error.to_string();
    assert!(text.contains(&before.to_string()) && text.contains(&newest.to_string()), "{text}");

    let mut fork = Ledger::open(&registry, &project(), None).await.unwrap();
    fill(&mut fork, 2, 5).await;
    let error = Ledger::open(&registry, &project(), Some(seen.clone())).await.unwrap_err();
    assert!(matches!(error, LedgerError::Rollback { .. }), "{error}");

    std::fs::remove_file(seen.path()).unwrap();
    let opened = Ledger::open(&registry, &project(), Some(seen.clone())).await.unwrap();
    assert_eq!(opened.head(), fork.head());
    assert_eq!(seen.read().unwrap(), Some(fork.head()));
}

#[tokio::test]
async fn a_ledger_that_is_gone_is_a_rollback_for_who_has_seen_it() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Seen::new(folder.path(), "memory", &project());
    begin(&Memory::new(), Some(seen.clone()), 2).await;
    let empty = Memory::new();
    let error = Ledger::open(&empty, &project(), Some(seen.clone())).await.unwrap_err();
    assert!(matches!(error, LedgerError::Rollback { found: None, .. }), "{error}");
    assert!(error.help().unwrap().contains(&seen.path().display().to_string()));
    let error = Ledger::init(&empty, &project(), Some(seen), crate::world::beginning()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Rollback { found: None, .. }), "{error}");
}

#[tokio::test]
async fn who_was_away_for_long_finds_what_it_saw_in_a_closed_segment() {
    let folder = tempfile::tempdir().unwrap();
    let seen = Seen::new(folder.path(), "memory", &project());
    let registry = Memory::new();
    let mut ledger = begin(&registry, Some(seen.clone()), 2).await;
    let mut other = Ledger::open(&registry, &project(), None).await.unwrap();
    fill_many(&mut other, 2, 900).await;
    let opened = Ledger::open(&registry, &project(), Some(seen.clone())).await.unwrap();
    assert_eq!(seen.read().unwrap(), Some(opened.head()));
    assert!(ledger.refresh().await.unwrap());
    assert_eq!(ledger.head(), other.head());
    assert!(!ledger.refresh().await.unwrap());
}

#[tokio::test]
async fn a_rollback_between_reading_and_committing_is_noticed() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    let backup = take(&registry).await;
    fill(&mut ledger, 2, 2).await;
    restore(&registry, &backup).await;
    let error = ledger.commit(release(ledger.state(), time(50), &[1])).await.unwrap_err();
    assert_eq!(error.fault(), Fault::Damaged, "{error}");
}
