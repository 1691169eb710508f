//! One writer: what is committed is there, in order, and can be looked back at.

use std::sync::Arc;

use ringsite_ledger::{Body, EntryName, Filter, Kind, Ledger, LedgerError, PlaceBody, Point};
use ringsite_oci::{Layout, Memory};
use ringsite_rings::Change;

use crate::world::{begin, beginning, draft, fill, image, position, project, promote, release, time};

#[tokio::test]
async fn what_is_committed_is_found_when_the_ledger_is_opened_again() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let recorded = ledger.commit(promote(ledger.state(), time(3), "developers", "testers")).await.unwrap();
    assert_eq!(recorded.entry.sequence, 4);
    assert_eq!(recorded.digest, recorded.entry.digest());
    let again = Ledger::open(&registry, &project(), None).await.unwrap();
    assert_eq!(again.head(), recorded.place());
    assert_eq!(again.state(), ledger.state());
    assert_eq!(again.state().state_digest(), recorded.entry.state);
    assert_eq!(again.state().cells(&position("testers")).images().len(), 3);
    assert!(again.verify().await.unwrap().entries == 4);
}

#[tokio::test]
async fn a_ledger_that_was_never_begun_is_missing_and_begun_only_once() {
    let registry = Memory::new();
    let error = Ledger::open(&registry, &project(), None).await.unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
    let first = beginning();
    Ledger::init(&registry, &project(), None, first.clone()).await.unwrap();
    let again = Ledger::init(&registry, &project(), None, first).await.unwrap();
    assert_eq!(again.head().sequence, 1);
    let error = Ledger::init(&registry, &project(), None, beginning()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Exists { .. }), "{error}");
}

#[tokio::test]
async fn history_goes_backwards_over_closed_segments_and_through_filters() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 5).await;
    fill(&mut ledger, 5, 1100).await;
    let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
    let mut history = ledger.history();
    let mut expected = ledger.head().sequence;
    while let Some(recorded) = history.next().await.unwrap() {
        assert_eq!(recorded.entry.sequence, expected);
        expected -= 1;
    }
    assert_eq!(expected, 0);
    let filter = Filter { image: Some(image(3)), ..Filter::default() };
    let mut history = ledger.history_of(filter);
    let mut count = 0;
    while let Some(recorded) = history.next().await.unwrap() {
        assert!(recorded.entry.releases.iter().any(|new| new.image == image(3)));
        count += 1;
    }
    assert_eq!(count, 1 + 1100 / 5);
    let verification = ledger.verify().await.unwrap();
    assert_eq!(verification.entries, 1103);
}
