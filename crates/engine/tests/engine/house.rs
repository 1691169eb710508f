//! An engine on a project folder and any registry.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ringsite_engine::{
    Clock, Engine, Intent, LockFileUse, LogRequest, Network, Observer, Operation, Placing, Setup, Shrink,
    Sources, StatCacheUse,
};
use ringsite_images::{Overrides, load};
use ringsite_names::{Position, Timestamp};
use ringsite_oci::Registry;
use ringsite_testkit::ProjectFolder;

/// A clock that goes on by a second whenever it is looked at.
#[derive(Debug, Default)]
pub(crate) struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + self.0.fetch_add(1, Ordering::Relaxed)).unwrap()
    }
}

/// Returns an engine that keeps its caches in the project's folder, below `machine`.
pub(crate) fn engine<R: Registry + 'static>(
    project: &ProjectFolder,
    registry: Arc<R>,
    machine: &str,
) -> Engine<R> {
    let own: PathBuf = project.path(".ring").join(machine);
    let loaded = load(&project.path("rings.toml"), &Overrides::default()).unwrap();
    Engine::new(Setup {
        registry,
        place: "memory".into(),
        name: loaded.name.clone(),
        project: Some(Arc::new(loaded)),
        cache: own.join("cache"),
        scratch: own.join("scratch"),
        clock: Arc::new(Ticking::default()),
        observer: Observer::none(),
        sources: Sources {
            cache: StatCacheUse::Trust,
            lock: LockFileUse::ReadOnly,
            network: Network::Offline,
        },
        kustomize: None,
        programs: Vec::new(),
    })
}

pub(crate) fn intent(actor: &str) -> Intent {
    Intent {
        actor: actor.into(),
        reason: None,
        operation_id: None,
        place: Placing::Sites,
        shrink: Shrink::Guarded,
    }
}

pub(crate) fn release() -> Operation {
    Operation::Release { ring: None, images: Vec::new(), majors: Vec::new(), force: false }
}

pub(crate) fn promote(ring: &str) -> Operation {
    Operation::Promote { ring: ring.parse::<Position>().unwrap(), images: Vec::new(), allow_downgrade: false }
}

/// Returns the kinds of all entries, oldest first.
pub(crate) async fn kinds<R: Registry + 'static>(engine: &Engine<R>) -> Vec<String> {
    let mut kinds: Vec<String> = engine
        .log(&LogRequest::default())
        .await
        .unwrap()
        .entries
        .into_iter()
        .map(|entry| entry.operation)
        .collect();
    kinds.reverse();
    kinds
}

/// Returns the version of an image on a ring.
pub(crate) async fn version<R: Registry + 'static>(
    engine: &Engine<R>,
    ring: &str,
    image: &str,
) -> Option<String> {
    let state = engine.state(None).await.unwrap();
    let ring = state.rings.into_iter().find(|one| one.name == ring).unwrap();
    ring.images.get(image).map(|image| image.version.clone())
}

/// Asserts that the whole ledger holds.
pub(crate) async fn assert_sound<R: Registry + 'static>(engine: &Engine<R>) {
    let verification = engine.verify().await.unwrap();
    assert!(verification.ok, "{:?}", verification.problems);
}
