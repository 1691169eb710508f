//! Lost answers, lies, errors and crashes at every call: nothing lost, nothing twice.

use ringsite_ledger::{Draft, Ledger, LedgerError};
use ringsite_oci::{Memory, Registry};
use ringsite_testkit::{Fault, Faulty};

use crate::world::{begin, beginning, fill_segment, project, release, time};

const FAULTS: [Fault; 6] =
    [Fault::Fail, Fault::LoseAnswer, Fault::ErrorAfterWrite, Fault::Lie, Fault::KillBefore, Fault::KillAfter];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Segment {
    HasRoom,
    IsFull,
}

/// Opens the ledger and commits, as one run of the program does.
async fn run<R: Registry>(registry: R, draft: &Draft) -> Result<u64, LedgerError> {
    let mut ledger = Ledger::open(registry, &project(), None).await?;
    Ok(ledger.commit(draft.clone()).await?.entry.sequence)
}

/// Runs with one fault at each call, then again without: the entry must be there once, and an
/// acknowledged entry must have been there before the second run.
async fn check_each_fault(segment: Segment) {
    let (template, draft) = prepared(segment).await;
    let counting = Faulty::new(&template);
    let expected = run(&counting, &draft).await.unwrap();
    let calls = counting.calls().len();
    for fault in FAULTS {
        for call in 1..=calls {
            let (registry, draft) = prepared(segment).await;
            let faulty = Faulty::new(&registry).with_fault(call, fault);
            let first = run(&faulty, &draft).await;
            let between = Ledger::open(&registry, &project(), None).await.unwrap().head().sequence;
            if let Ok(sequence) = first {
                assert_eq!(sequence, between, "{fault:?} at call {call}: acknowledged and not there");
            }
            let second = run(&registry, &draft).await.unwrap();
            assert_eq!(second, expected, "{fault:?} at call {call}");
            let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
            assert_eq!(ledger.head().sequence, expected, "{fault:?} at call {call}");
        }
    }
}

/// A ledger, and a draft that follows it.
async fn prepared(segment: Segment) -> (Memory, Draft) {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    if segment == Segment::IsFull {
        fill_segment(&mut ledger).await;
    }
    let mut draft = release(ledger.state(), time(3), &[1]);
    draft.operation_id = "the-same-intent".parse().unwrap();
    draft.request = ringsite_names::Digest::sha256(b"the same request");
    (registry, draft)
}

#[tokio::test]
async fn a_fault_at_any_call_of_a_commit_loses_nothing_and_doubles_nothing() {
    check_each_fault(Segment::HasRoom).await;
}

#[tokio::test]
async fn a_fault_at_any_call_of_a_commit_that_closes_a_segment_loses_nothing_and_doubles_nothing() {
    check_each_fault(Segment::IsFull).await;
}

#[tokio::test]
async fn a_fault_at_any_call_of_a_beginning_leaves_no_or_one_ledger() {
    for fault in FAULTS {
        for call in 1..=8 {
            let registry = Memory::new();
            let faulty = Faulty::new(&registry).with_fault(call, fault);
            let same = beginning();
            let first =
                Ledger::init(&faulty, &project(), None, same.clone()).await.map(|ledger| ledger.head());
            let second = Ledger::init(&registry, &project(), None, same).await.unwrap();
            assert_eq!(second.head().sequence, 1);
            if let Ok(first) = first {
                assert_eq!(first, second.head(), "{fault:?} at call {call}");
            }
        }
    }
}

#[tokio::test]
async fn a_registry_that_never_answers_again_leaves_the_outcome_unknown_with_the_way_to_find_it() {
    let (registry, draft) = prepared(Segment::HasRoom).await;
    let counting = Faulty::new(&registry);
    let mut ledger = Ledger::open(&counting, &project(), None).await.unwrap();
    ledger.commit(draft.clone()).await.unwrap();
    let calls = counting.calls();
    let put = calls.iter().rposition(|call| *call == "put_manifest").unwrap() + 1;
    let (registry, draft) = prepared(Segment::HasRoom).await;
    let faulty = Faulty::new(&registry).with_fault(put, Fault::KillAfter);
    let error = run(&faulty, &draft).await.unwrap_err();
    assert!(matches!(error, LedgerError::Unknown { .. }), "{error}");
    assert!(error.help().unwrap().contains("--operation-id the-same-intent"));
    assert_eq!(run(&registry, &draft).await.unwrap(), 4);
}

#[tokio::test]
async fn a_registry_that_fails_every_tenth_call_gets_every_entry_once() {
    for seed in 1..=5 {
        let registry = Memory::new();
        let before = begin(&registry, None, 3).await.head().sequence;
        let faulty = Faulty::new(&registry).with_seed(seed, 100);
        for step in 0..20 {
            let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
            let draft = release(ledger.state(), time(10 + step), &[1]);
            let mut attempts = 0;
            while run(&faulty, &draft).await.is_err() {
                attempts += 1;
                assert!(attempts < 50, "seed {seed}: no progress");
            }
        }
        let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
        assert_eq!(ledger.head().sequence, before + 20, "seed {seed}");
    }
}
