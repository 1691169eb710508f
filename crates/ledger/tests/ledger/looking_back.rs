//! History, entries by name, states of the past, the way back, and the audit.

use bytes::Bytes;
use ringsite_ledger::{EntryName, Filter, Kind, Ledger, LedgerError, Point, ProblemCode};
use ringsite_names::Digest;
use ringsite_oci::{Descriptor, ImageManifest, Memory, Put, Registry, names::MEDIA_TYPE_EMPTY};
use ringsite_rings::{InEffect, Operation, TakeBack, Target};

use crate::world::{START, begin, draft, fill, fill_many, image, position, project, promote, time};

#[tokio::test]
async fn history_goes_backwards_over_closed_segments_and_through_filters() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 5).await;
    fill_many(&mut ledger, 5, 350).await;
    ledger.commit(promote(ledger.state(), time(500), "developers", "testers")).await.unwrap();
    fill_many(&mut ledger, 5, 350).await;
    let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
    let mut history = ledger.history();
    let mut expected = ledger.head().sequence;
    while let Some(recorded) = history.next().await.unwrap() {
        assert_eq!(recorded.entry.sequence, expected);
        expected -= 1;
    }
    assert_eq!(expected, 0);
    for (filter, count) in [
        (Filter { image: Some(image(3)), ..Filter::default() }, 1 + 70 + 1 + 70),
        (Filter { ring: Some(position("testers")), ..Filter::default() }, 1),
        (Filter { actor: Some("eve".to_owned()), ..Filter::default() }, 0),
        (Filter { since: Some(time(600)), ..Filter::default() }, 114),
    ] {
        let mut history = ledger.history_of(filter.clone());
        let mut found = 0;
        while history.next().await.unwrap().is_some() {
            found += 1;
        }
        assert_eq!(found, count, "{filter:?}");
    }
}

#[tokio::test]
async fn entries_are_found_by_number_digest_and_prefix() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    fill_many(&mut ledger, 2, 600).await;
    let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
    for sequence in [1, 3, 250, 601, 603] {
        let by_number = ledger.entry(&EntryName::Sequence(sequence)).await.unwrap();
        assert_eq!(by_number.entry.sequence, sequence);
        let digest = by_number.digest;
        assert_eq!(ledger.entry(&digest.to_string().parse().unwrap()).await.unwrap(), by_number);
        let prefix = format!("sha256:{}", digest.short(12));
        assert_eq!(ledger.entry(&prefix.parse().unwrap()).await.unwrap(), by_number);
    }
    for name in ["0", "604", "sha256:abcdef012345", &Digest::sha256(b"x").to_string()] {
        let error = ledger.entry(&name.parse().unwrap()).await.unwrap_err();
        assert!(matches!(error, LedgerError::NoEntry { .. }), "{error}");
    }
    for name in ["", "abc", "sha256:xyz", "HEAD"] {
        assert!(name.parse::<EntryName>().is_err(), "{name}");
    }
}

#[tokio::test]
async fn every_state_of_the_past_can_be_had_by_entry_and_by_time() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    let mut states = vec![ledger.state().clone()];
    for _ in 0..450 {
        fill(&mut ledger, 2, 1).await;
        states.push(ledger.state().clone());
    }
    let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
    for (index, state) in states.iter().enumerate().step_by(37).chain([(450, &states[450])]) {
        let sequence = 3 + index as u64;
        let (entry, found) = ledger.at(&Point::Entry(EntryName::Sequence(sequence))).await.unwrap();
        assert_eq!(entry.entry.sequence, sequence);
        assert_eq!(found.state_digest(), state.state_digest());
        let (by_time, _) = ledger.at(&Point::Time(entry.entry.at)).await.unwrap();
        assert_eq!(by_time.entry.sequence, sequence);
        let (by_text, _) = ledger.at(&sequence.to_string().parse().unwrap()).await.unwrap();
        assert_eq!(by_text, by_time);
    }
    let early: Point = Point::Time(ringsite_names::Timestamp::from_seconds(START - 1).unwrap());
    assert!(matches!(ledger.at(&early).await, Err(LedgerError::NoEntry { .. })));
    assert!(ledger.at(&Point::Entry(EntryName::Sequence(454))).await.is_err());
    let (last, _) = ledger.at(&"2999-01-01T00:00:00Z".parse().unwrap()).await.unwrap();
    assert_eq!(last.place(), ledger.head());
}

#[tokio::test]
async fn the_way_back_is_walked_over_closed_segments() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let before = ledger.state().clone();
    let promoted = ledger.commit(promote(ledger.state(), time(9), "developers", "users")).await.unwrap();
    for at in 0..600 {
        let body = ringsite_ledger::Body::Place(ringsite_ledger::PlaceBody::default());
        ledger.commit(draft(Kind::Place, time(10 + at), Default::default(), body)).await.unwrap();
    }
    let ledger = Ledger::open(&registry, &project(), None).await.unwrap();
    let mut search = InEffect::newest(TakeBack::Undo);
    let mut history = ledger.history();
    while let Some(recorded) = history.next().await.unwrap() {
        if let Some(past) = recorded.past_move()
            && search.visit(past).is_break()
        {
            break;
        }
    }
    let Target::Found { sequence, operation, inverse } = search.finish(ledger.state()).unwrap() else {
        panic!("nothing to take back");
    };
    assert_eq!((sequence, operation), (promoted.entry.sequence, Operation::Promote));
    let change = ringsite_rings::Change { delta: inverse.delta, ..Default::default() };
    let state = ledger.state().apply(&change).unwrap();
    assert_eq!(state.cells(&position("users")), before.cells(&position("users")));
}

#[tokio::test]
async fn the_audit_counts_every_entry_and_names_every_artifact_that_is_gone() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 2).await;
    fill_many(&mut ledger, 2, 400).await;
    let (first, second) = (image(0), image(1));
    let verification = ledger.verify().await.unwrap();
    assert_eq!(verification.entries, 403);
    assert_eq!(verification.problems.len(), 402, "the digests of these releases are made up");
    assert!(verification.problems.iter().all(|problem| problem.code == ProblemCode::Missing));
    let message = &verification.problems[0].message;
    assert!(message.contains("entry 3") && message.contains(first.as_str()), "{message}");

    let registry = Memory::new();
    let digests = [push(&registry, &first).await, push(&registry, &second).await];
    let mut ledger = begin(&registry, None, 0).await;
    let mut release = crate::world::release(ledger.state(), time(3), &[0, 1]);
    for ((_, release), digest) in release.change.releases.iter_mut().zip(digests) {
        release.digest = digest;
    }
    ledger.commit(release).await.unwrap();
    assert!(ledger.verify().await.unwrap().ok);
    registry.delete_manifest(&project().image_repository(&second), &digests[1]).await.unwrap();
    let verification = ledger.verify().await.unwrap();
    assert_eq!(verification.problems.len(), 1, "{verification:?}");
    assert!(verification.problems[0].message.contains(&digests[1].to_string()));
}

async fn push(registry: &Memory, image: &ringsite_names::ImageName) -> Digest {
    let repository = project().image_repository(image);
    let empty = Bytes::from_static(ringsite_oci::EMPTY_CONFIG);
    registry.put_bytes(&repository, MEDIA_TYPE_EMPTY, empty).await.unwrap();
    let manifest =
        ImageManifest::image(Descriptor::empty_config(), Vec::new()).with_annotation("image", image.as_str());
    let bytes = Bytes::from(manifest.to_bytes());
    registry.put_manifest(&repository, &Put::by_digest(), manifest.media_type(), bytes).await.unwrap()
}
