//! Everything that one head says: read with at most three requests, checked before it is used.

use ringsite_commit::{Head, Register};
use ringsite_names::Tag;
use ringsite_oci::Registry;
use ringsite_rings::State;

use crate::checkpoint::Checkpoint;
use crate::codec::{CHECKPOINT, ENTRIES};
use crate::error::{LedgerError, Mover};
use crate::kind::Kind;
use crate::limits::READ_ATTEMPTS_MAX;
use crate::manifests::HeadManifest;
use crate::names::{HEAD_TAG, PROTOCOL_A};
use crate::seen::Place;
use crate::segment::{Before, Segment, StateChecks};
use crate::store::Store;

/// The ledger as one head shows it.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) head: Head,
    pub(crate) manifest: HeadManifest,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) segment: Segment,
    pub(crate) state: State,
}

/// Returns the register whose head is the ledger's.
pub(crate) fn register<R: Registry>(store: &Store<R>) -> Register<'_, R> {
    let tag = Tag::new(HEAD_TAG).expect("`head` is a tag");
    Register::new(&store.registry, store.repository.clone(), tag)
}

impl View {
    /// Reads the newest head and what it names; nothing when there is no ledger.
    ///
    /// A head may be replaced, and its objects removed, between two requests of ours. So an object
    /// that is missing counts as damage only while the head stays the same.
    pub(crate) async fn newest<R: Registry>(store: &Store<R>) -> Result<Option<Self>, LedgerError> {
        let Some(mut head) = register(store).read().await? else { return Ok(None) };
        for _ in 0..READ_ATTEMPTS_MAX {
            let error = match Self::of(store, head.clone()).await {
                Ok(view) => return Ok(Some(view)),
                Err(error @ LedgerError::Damaged { .. }) => error,
                Err(error) => return Err(error),
            };
            match register(store).read().await? {
                Some(now) if now.digest != head.digest => head = now,
                _ => return Err(error),
            }
        }
        Err(LedgerError::Busy { repository: store.repository.clone(), attempts: READ_ATTEMPTS_MAX })
    }

    /// Reads what a head names.
    async fn of<R: Registry>(store: &Store<R>, head: Head) -> Result<Self, LedgerError> {
        let manifest = HeadManifest::read(&head.manifest, &head.digest)?;
        if manifest.protocol != PROTOCOL_A {
            let what = format!("head {} with commit protocol {}", head.digest, manifest.protocol);
            return Err(LedgerError::Newer { what });
        }
        let (checkpoint, entries) = futures_util::try_join!(
            store.text("checkpoint", &manifest.checkpoint, CHECKPOINT),
            store.text("open segment", &manifest.entries, ENTRIES),
        )?;
        let checkpoint = Checkpoint::read(&checkpoint, &manifest.checkpoint.digest)?;
        let place = format!("open segment {}", manifest.entries.digest);
        let segment = Segment::read(&entries, Before::Known(checkpoint.last), &place)?;
        let state = checkpoint.to_state(&manifest.checkpoint.digest)?;
        let state = segment.fold(state, StateChecks::Last)?;
        let view = Self { head, manifest, checkpoint, segment, state };
        view.check_ends()?;
        Ok(view)
    }

    /// Checks that the head says what its last entry says.
    fn check_ends(&self) -> Result<(), LedgerError> {
        let damaged = |reason| Err(LedgerError::damaged(format!("head {}", self.head.digest), reason));
        let Some(last) = self.segment.lines.last() else {
            return damaged("its open segment has no entry".to_owned());
        };
        let said = self.manifest.last;
        if last.place() != said {
            return damaged(format!("it says that it ends at {said}, and ends at {}", last.place()));
        }
        if last.entry.state != self.manifest.state {
            let (said, found) = (self.manifest.state, last.entry.state);
            return damaged(format!("it says state {said}, and its last {} says {found}", last.place()));
        }
        Ok(())
    }

    /// Returns the newest entry's place.
    pub(crate) fn last(&self) -> Place {
        self.manifest.last
    }

    /// Returns a word of a newer program, or of a kind that this version does not carry out.
    pub(crate) fn not_carried_out(&self) -> Option<Kind> {
        let mut kinds = self.segment.kinds().chain(&self.checkpoint.kinds);
        kinds.find(|kind| !kind.is_carried_out()).cloned()
    }

    /// Returns who moved the head after `place`, as far as the open segment tells.
    pub(crate) fn movers_since(&self, place: Place) -> Vec<Mover> {
        let newer = self.segment.lines.iter().filter(|line| line.entry.sequence > place.sequence);
        let movers = newer.map(|line| Mover {
            place: line.place(),
            kind: line.entry.kind.to_string(),
            actor: line.entry.actor.clone(),
        });
        movers.collect()
    }
}
