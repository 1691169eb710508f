//! A small project to record: images, rings, and drafts of moves that fit the state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use ringsite_ledger::{
    Beginning, Body, ConfigureBody, Draft, Kind, Ledger, MoveBody, OperationId, PlaceBody, Seen,
};
use ringsite_names::{Digest, ImageName, Position, ProjectName, Timestamp, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Change, Configuration, Delta, Release, State};

pub(crate) const START: i64 = 1_795_000_000;

static COUNTER: AtomicU64 = AtomicU64::new(0);

pub(crate) fn project() -> ProjectName {
    ProjectName::new("acme/shop").unwrap()
}

pub(crate) fn image(index: usize) -> ImageName {
    ImageName::new(&format!("image-{index}")).unwrap()
}

pub(crate) fn position(name: &str) -> Position {
    name.parse().unwrap()
}

pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(START + seconds).unwrap()
}

/// An id that differs from all others of this process and, unlike a random one, from run to run
/// only in the order in which ids are asked for.
pub(crate) fn id(at: Timestamp) -> OperationId {
    let mut randomness = [0; 10];
    randomness[2..].copy_from_slice(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    OperationId::new(at, randomness)
}

pub(crate) fn beginning() -> Beginning {
    Beginning {
        operation_id: id(time(0)),
        request: Digest::sha256(b"init"),
        actor: "ada@example.com".to_owned(),
        reason: None,
        at: time(0),
        probe: BTreeMap::new(),
    }
}

pub(crate) fn draft(kind: Kind, at: Timestamp, change: Change, body: Body) -> Draft {
    let operation_id = id(at);
    Draft {
        request: Digest::sha256(operation_id.as_str().as_bytes()),
        operation_id,
        kind,
        actor: "ada@example.com".to_owned(),
        reason: None,
        at,
        change,
        body,
        gates: Vec::new(),
    }
}

pub(crate) fn configure(at: Timestamp) -> Draft {
    let json = r#"{"rings": ["developers", "testers", "users"], "root": "image-0"}"#;
    let configuration: Configuration = serde_json::from_str(json).unwrap();
    let change = Change { configuration: Some(configuration.clone()), ..Change::default() };
    draft(Kind::Configure, at, change, Body::Configure(ConfigureBody { configuration }))
}

pub(crate) fn moved() -> Body {
    Body::Move(MoveBody { plan: Some(Digest::sha256(b"plan")), ..MoveBody::default() })
}

/// Builds `images` again onto the first ring.
pub(crate) fn release(state: &State, at: Timestamp, images: &[usize]) -> Draft {
    let ring = position("developers");
    let mut change = Change::default();
    for image in images.iter().map(|index| image(*index)) {
        let from = state.cells(&ring).version(&image);
        let to = from.map_or(Version::new(0, 1, 0), |from| Version { patch: from.patch + 1, ..from });
        let content = format!("{image} {to}");
        let release = Release {
            version: to,
            digest: Digest::sha256(content.as_bytes()),
            revision: Digest::sha256(format!("revision of {content}").as_bytes()),
            inputs: Digest::sha256(format!("inputs of {content}").as_bytes()),
            dependencies: BTreeMap::new(),
            built_by: "native/1".to_owned(),
            built_on: ring.clone(),
            built_at: at,
            recipe: None,
        };
        change.releases.push((image.clone(), release));
        change.delta.push(Delta::Cell { ring: ring.clone(), image, from, to: Some(to) });
    }
    draft(Kind::Release, at, change, moved())
}

/// Gives ring `to` what ring `from` holds.
pub(crate) fn promote(state: &State, at: Timestamp, from: &str, to: &str) -> Draft {
    let (source, ring) = (state.cells(&position(from)), position(to));
    let target = state.cells(&ring);
    let images: BTreeSet<&ImageName> = source.images().keys().chain(target.images().keys()).collect();
    let parts =
        images.into_iter().filter(|image| source.version(image) != target.version(image)).map(|image| {
            Delta::Cell {
                ring: ring.clone(),
                image: image.clone(),
                from: target.version(image),
                to: source.version(image),
            }
        });
    let change = Change { delta: parts.collect(), ..Change::default() };
    draft(Kind::Promote, at, change, moved())
}

/// Begins a ledger with a configuration and a first release of `images`.
pub(crate) async fn begin<R: Registry>(registry: R, seen: Option<Seen>, images: usize) -> Ledger<R> {
    let mut ledger = Ledger::init(registry, &project(), seen, beginning()).await.unwrap();
    let configure = configure(time(1));
    let configured = ledger.state().apply(&configure.change).unwrap();
    let first = release(&configured, time(2), &(0..images).collect::<Vec<_>>());
    ledger.commit_all(vec![configure, first]).await.unwrap();
    ledger
}

/// Fills the open segment with entries of long reasons, so that the next commit closes it.
pub(crate) async fn fill_segment<R: Registry>(ledger: &mut Ledger<R>) {
    let drafts = (0..64).map(|index| {
        let mut place = draft(Kind::Place, time(5), Change::default(), Body::Place(PlaceBody::default()));
        place.reason = Some(format!("{index:04096}"));
        place
    });
    ledger.commit_all(drafts.collect()).await.unwrap();
}

/// Releases one image after the other, `count` times.
pub(crate) async fn fill<R: Registry>(ledger: &mut Ledger<R>, images: usize, count: usize) {
    for index in 0..count {
        let at = time(10 + i64::try_from(ledger.head().sequence).unwrap());
        let draft = release(ledger.state(), at, &[index % images]);
        ledger.commit(draft).await.unwrap();
    }
}

/// Releases one image after the other, `count` times, twenty with each move of the head.
pub(crate) async fn fill_many<R: Registry>(ledger: &mut Ledger<R>, images: usize, count: usize) {
    let mut left = count;
    while left > 0 {
        let mut state = ledger.state().clone();
        let drafts: Vec<Draft> = (0..left.min(20))
            .map(|step| {
                let sequence = ledger.head().sequence + step as u64;
                let at = time(10 + i64::try_from(sequence).unwrap());
                let draft = release(&state, at, &[(count - left + step) % images]);
                state = state.apply(&draft.change).unwrap();
                draft
            })
            .collect();
        left -= drafts.len();
        ledger.commit_all(drafts).await.unwrap();
    }
}
