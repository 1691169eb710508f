//! One writer: what is committed is there, in order, and is committed once.

use std::collections::BTreeSet;

use ringsite_ledger::{Body, Fault, Kind, Ledger, LedgerError, MoveBody, PlaceBody};
use ringsite_oci::{Layout, Memory};
use ringsite_rings::Change;

use crate::world::{
    begin, beginning, configure, draft, fill, fill_many, image, moved, position, project, promote, release,
    time,
};

#[tokio::test]
async fn what_is_committed_is_found_when_the_ledger_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Layout::new(folder.path());
    let mut ledger = begin(&registry, None, 3).await;
    let recorded = ledger.commit(promote(ledger.state(), time(3), "developers", "testers")).await.unwrap();
    assert_eq!(recorded.entry.sequence, 4);
    assert_eq!(recorded.digest, recorded.entry.digest());
    let again = Layout::new(folder.path());
    let again = Ledger::open(&again, &project(), None).await.unwrap();
    assert_eq!(again.head(), recorded.place());
    assert_eq!(again.state(), ledger.state());
    assert_eq!(again.state().state_digest(), recorded.entry.state);
    assert_eq!(again.state().cells(&position("testers")).images().len(), 3);
}

#[tokio::test]
async fn a_ledger_that_was_never_begun_is_missing_and_is_begun_only_once() {
    let registry = Memory::new();
    let error = Ledger::open(&registry, &project(), None).await.unwrap_err();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
    let first = beginning();
    Ledger::init(&registry, &project(), None, first.clone()).await.unwrap();
    let again = Ledger::init(&registry, &project(), None, first).await.unwrap();
    assert_eq!(again.head().sequence, 1);
    let error = Ledger::init(&registry, &project(), None, beginning()).await.unwrap_err();
    assert!(matches!(error, LedgerError::Exists { .. }), "{error}");
    let opened = Ledger::open_or_init(&registry, &project(), None, beginning()).await.unwrap();
    assert_eq!(opened.head(), again.head());
}

#[tokio::test]
async fn a_repeated_operation_returns_its_entry_and_another_request_under_its_id_is_refused() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let once = release(ledger.state(), time(3), &[1]);
    let recorded = ledger.commit(once.clone()).await.unwrap();
    fill(&mut ledger, 3, 5).await;
    assert_eq!(ledger.commit(once.clone()).await.unwrap(), recorded);
    let mut again = Ledger::open(&registry, &project(), None).await.unwrap();
    assert_eq!(again.commit(once.clone()).await.unwrap(), recorded);
    let mut other = once;
    other.request = ringsite_names::Digest::sha256(b"something else");
    let error = again.commit(other).await.unwrap_err();
    assert!(matches!(error, LedgerError::OperationReused { .. }), "{error}");
    assert_eq!(error.fault(), Fault::Usage);
}

#[tokio::test]
async fn steps_of_one_intent_share_its_id_and_are_recorded_together_or_not_at_all() {
    let registry = Memory::new();
    let mut ledger = Ledger::init(&registry, &project(), None, beginning()).await.unwrap();
    let first = configure(time(1));
    let configured = ledger.state().apply(&first.change).unwrap();
    let mut second = release(&configured, time(2), &[0, 1]);
    (second.operation_id, second.request) = (first.operation_id.clone(), first.request);
    let both = ledger.commit_all(vec![first.clone(), second.clone()]).await.unwrap();
    assert_eq!(both.iter().map(|entry| entry.entry.sequence).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(ledger.commit_all(vec![first.clone(), second]).await.unwrap(), both);
    let mut third = draft(Kind::Place, time(3), Change::default(), Body::Place(PlaceBody::default()));
    (third.operation_id, third.request) = (first.operation_id.clone(), first.request);
    let error = ledger.commit_all(vec![first, third]).await.unwrap_err();
    assert!(matches!(error, LedgerError::Moved { .. }), "{error}");
    assert_eq!(ledger.head().sequence, 3);
}

#[tokio::test]
async fn an_id_from_before_everything_that_is_searched_is_refused_as_unknown() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    let old = release(ledger.state(), time(3), &[1]);
    fill_many(&mut ledger, 2, 900).await;
    let mut late = release(ledger.state(), time(1000), &[1]);
    late.operation_id = old.operation_id;
    let error = ledger.commit(late.clone()).await.unwrap_err();
    assert!(matches!(error, LedgerError::OperationTooOld { .. }), "{error}");
    late.operation_id = "given-by-a-person".parse().unwrap();
    ledger.commit(late).await.unwrap();
}

#[tokio::test]
async fn a_draft_that_contradicts_the_state_or_itself_is_refused_and_nothing_is_written() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    let head = ledger.head();
    let good = || release(ledger.state(), time(3), &[1]);
    let mut taken = good();
    taken.change.releases[0].1.version = ringsite_names::Version::new(0, 1, 0);
    let mut foreign = good();
    foreign.body = Body::Place(PlaceBody::default());
    let mut nameless = good();
    nameless.actor = String::new();
    let mut moving = good();
    (moving.kind, moving.body) = (Kind::Place, Body::Place(PlaceBody::default()));
    let mut configured = good();
    configured.change.configuration = configure(time(1)).change.configuration;
    let locking = draft(Kind::Reject, time(3), Change::default(), moved());
    for (draft, word) in [
        (taken, "given before"),
        (foreign, "its body"),
        (nameless, "its actor"),
        (moving, "does not move"),
        (configured, "configurations"),
        (locking, "its body"),
    ] {
        let error = ledger.commit(draft).await.unwrap_err();
        assert!(matches!(error, LedgerError::Draft { .. }), "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    assert_eq!(Ledger::open(&registry, &project(), None).await.unwrap().head(), head);
}

#[tokio::test]
async fn releases_of_closed_segments_are_loaded_from_the_table_and_those_of_now_from_the_entries() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 40).await;
    fill_many(&mut ledger, 40, 700).await;
    let mut opened = Ledger::open(&registry, &project(), None).await.unwrap();
    assert!(!opened.state().is_loaded(&image(7)));
    let wanted = BTreeSet::from([image(7), image(12), image(4711)]);
    let state = opened.with_releases(opened.state().clone(), &wanted).await.unwrap();
    let loaded = opened.load(&wanted).await.unwrap();
    for image in &wanted {
        assert!(loaded.is_loaded(image));
        assert_eq!(loaded.releases(image), ledger.state().releases(image));
        assert_eq!(state.releases(image), ledger.state().releases(image));
    }
    assert_eq!(loaded.releases(&image(7)).len(), 1 + 700 / 40 + 1);
    let next = release(loaded, time(2000), &[7]);
    assert_eq!(opened.commit(next).await.unwrap().entry.sequence, 704);
}

#[tokio::test]
async fn a_ledger_with_an_entry_of_a_newer_program_can_be_read_and_not_changed() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    let take_back = Body::Move(MoveBody { takes_back: Some(3), ..MoveBody::default() });
    let undo = draft(Kind::Undo, time(3), Change::default(), take_back);
    ledger.commit(undo).await.unwrap();
    crate::damage::replace_in_open_segment(&registry, "\"kind\":\"undo\"", "\"kind\":\"teleport\"").await;
    let mut opened = Ledger::open(&registry, &project(), None).await.unwrap();
    assert_eq!(opened.state(), ledger.state());
    let error = opened.commit(release(ledger.state(), time(4), &[1])).await.unwrap_err();
    assert!(error.to_string().contains("teleport"), "{error}");
    assert_eq!(error.fault(), Fault::Refused);
}
