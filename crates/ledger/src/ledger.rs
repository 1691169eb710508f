//! The ledger as a value: opened on one head, asked for its state, moved on by commits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringsite_names::{Digest, ImageName, ProjectName, RepositoryName};
use ringsite_oci::Registry;
use ringsite_rings::State;

use crate::closed;
use crate::error::LedgerError;
use crate::seen::{Place, Seen};
use crate::segment::{Before, Segment};
use crate::store::Store;
use crate::table::{Shard, Table, shard_of};
use crate::view::View;

/// The record of every operation of one project, as one head shows it.
///
/// A value stands on one head until [`Ledger::commit`] or [`Ledger::refresh`] moves it on. What was
/// decided on its state is recorded on that head or not at all.
#[derive(Debug)]
pub struct Ledger<R> {
    pub(crate) store: Store<R>,
    pub(crate) seen: Option<Seen>,
    pub(crate) view: View,
    /// The last closed segment, whose operation ids are searched, once it was read.
    pub(crate) previous: Option<(Digest, Segment)>,
    /// The shards of the release table that were read.
    shards: Mutex<KnownShards>,
}

/// What was read of one release table.
#[derive(Debug, Default)]
struct KnownShards {
    table: Option<Digest>,
    shards: BTreeMap<u8, Arc<Shard>>,
}

impl<R: Registry> Ledger<R> {
    /// Opens the ledger of `project` with at most three reads: head, checkpoint, open segment.
    ///
    /// `seen` remembers the newest head between runs and refuses one that is older; without it a
    /// rollback of the registry goes unnoticed.
    ///
    /// # Errors
    /// `Missing` when there is none; `Damaged`, `Rollback`, `Newer`; `Busy` when writers were always
    /// faster; `Registry` and `Seen`.
    pub async fn open(registry: R, project: &ProjectName, seen: Option<Seen>) -> Result<Self, LedgerError> {
        let store = Store::new(registry, project.clone());
        let known = seen.as_ref().map(Seen::read).transpose()?.flatten();
        let Some(view) = View::newest(&store).await? else {
            return Err(match (known, &seen) {
                (Some(place), Some(seen)) => rollback(place, None, seen),
                _ => LedgerError::Missing { repository: store.repository },
            });
        };
        Self::standing(store, seen, known, view).await
    }

    /// Returns the ledger standing on `view`, after looking whether it follows what was seen before.
    pub(crate) async fn standing(
        store: Store<R>,
        seen: Option<Seen>,
        known: Option<Place>,
        view: View,
    ) -> Result<Self, LedgerError> {
        let ledger = Self { store, seen, view, previous: None, shards: Mutex::default() };
        if let (Some(known), Some(seen)) = (known, &ledger.seen)
            && !follows(&ledger.store, &ledger.view, known).await?
        {
            return Err(rollback(known, Some(ledger.view.last()), seen));
        }
        if known != Some(ledger.view.last()) {
            ledger.remember();
        }
        Ok(ledger)
    }

    /// Returns the project.
    pub fn project(&self) -> &ProjectName {
        &self.store.project
    }

    /// Returns the repository of the ledger.
    pub fn repository(&self) -> &RepositoryName {
        &self.store.repository
    }

    /// Returns the registry.
    pub fn registry(&self) -> &R {
        &self.store.registry
    }

    /// Returns the newest entry's number and digest.
    pub fn head(&self) -> Place {
        self.view.last()
    }

    /// Returns the digest of the head's manifest.
    pub fn head_manifest(&self) -> Digest {
        self.view.head.digest
    }

    /// Returns the state after the newest entry. T is loaded for the images that [`Ledger::load`]
    /// was asked for.
    pub fn state(&self) -> &State {
        &self.view.state
    }

    /// Loads T of these images, so that the rules can look at it, and returns the state.
    ///
    /// # Errors
    /// `Moved` when the table was replaced meanwhile: the ledger then stands on the new head. `Damaged`,
    /// `Registry`.
    pub async fn load(&mut self, images: &BTreeSet<ImageName>) -> Result<&State, LedgerError> {
        let missing: BTreeSet<&ImageName> =
            images.iter().filter(|image| !self.view.state.is_loaded(image)).collect();
        if !missing.is_empty() {
            let shards = match self.shards_of(&missing).await {
                Err(error @ LedgerError::Damaged { .. }) => return Err(self.moved_or(error).await?),
                shards => shards?,
            };
            let state = std::mem::take(&mut self.view.state);
            self.view.state = with_releases(state, &missing, &shards)?;
        }
        Ok(&self.view.state)
    }

    /// Returns `state`, a state of now or of the past, with T of these images. T is that of now:
    /// versions are never given twice, so every release that stood on a ring then is in it.
    ///
    /// # Errors
    /// `Damaged`, `Registry`.
    pub async fn with_releases(
        &self,
        state: State,
        images: &BTreeSet<ImageName>,
    ) -> Result<State, LedgerError> {
        let missing: BTreeSet<&ImageName> = images.iter().filter(|image| !state.is_loaded(image)).collect();
        if missing.is_empty() {
            return Ok(state);
        }
        let shards = self.shards_of(&missing).await?;
        let mut open = Shard::new();
        for new in self.view.segment.lines.iter().flat_map(|line| &line.entry.releases) {
            if missing.contains(&new.image) {
                let releases = open.entry(new.image.clone()).or_default();
                releases.insert(new.release.version, new.release.clone());
            }
        }
        with_releases(state, &missing, &[shards, vec![Arc::new(open)]].concat())
    }

    /// Reads the head again. Returns whether it has moved; T must then be loaded again.
    ///
    /// # Errors
    /// As [`Ledger::open`]; `Rollback` when the head is now an older one.
    pub async fn refresh(&mut self) -> Result<bool, LedgerError> {
        let view = View::newest(&self.store).await?;
        let Some(view) = view else {
            return Err(match &self.seen {
                Some(seen) => rollback(self.head(), None, seen),
                None => LedgerError::Missing { repository: self.store.repository.clone() },
            });
        };
        if view.head.digest == self.view.head.digest {
            return Ok(false);
        }
        self.stand_on(view).await?;
        Ok(true)
    }

    /// Moves on to another head, which must follow the one of now.
    async fn stand_on(&mut self, view: View) -> Result<(), LedgerError> {
        let (before, found) = (self.head(), view.last());
        if follows(&self.store, &view, before).await? {
            self.view = view;
            self.remember();
            return Ok(());
        }
        Err(match &self.seen {
            Some(seen) => rollback(before, Some(found), seen),
            None => LedgerError::damaged(
                format!("the head of {}", self.store.repository),
                format!("it ends at {found}, which does not follow {before}"),
            ),
        })
    }

    /// Writes down the head of now as the newest that was seen. Without it only the protection
    /// against rollback is less, so a folder that cannot be written stops nobody from reading, and
    /// makes no failure of a commit that is done.
    pub(crate) fn remember(&self) {
        if let Some(seen) = &self.seen
            && let Err(error) = seen.write(self.head())
        {
            tracing::warn!(%error, "a rollback of the registry to before now would not be noticed");
        }
    }

    /// Returns the shards of these images from the table of the checkpoint; each is read once.
    async fn shards_of(&self, images: &BTreeSet<&ImageName>) -> Result<Vec<Arc<Shard>>, LedgerError> {
        let Some(table) = self.view.checkpoint.table else { return Ok(Vec::new()) };
        let wanted: BTreeSet<u8> = images.iter().map(|image| shard_of(image)).collect();
        let missing: BTreeSet<u8> = {
            let mut known = self.known_shards();
            if known.table != Some(table.digest) {
                *known = KnownShards { table: Some(table.digest), shards: BTreeMap::new() };
            }
            wanted.iter().copied().filter(|shard| !known.shards.contains_key(shard)).collect()
        };
        let read = match missing.is_empty() {
            true => Vec::new(),
            false => Table::read(&self.store, &table.digest).await?.load(&self.store, &missing).await?,
        };
        let mut known = self.known_shards();
        known.shards.extend(read.into_iter().map(|(number, shard)| (number, Arc::new(shard))));
        Ok(wanted.iter().filter_map(|number| known.shards.get(number).cloned()).collect())
    }

    fn known_shards(&self) -> MutexGuard<'_, KnownShards> {
        // It is filled in one step, so what a panic leaves behind is whole.
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns `error`, or `Moved` when the head it was met under is no longer the newest.
    async fn moved_or(&mut self, error: LedgerError) -> Result<LedgerError, LedgerError> {
        let before = self.head();
        if self.refresh().await? {
            return Ok(LedgerError::Moved { by: self.view.movers_since(before) });
        }
        Ok(error)
    }
}

/// Returns whether the chain of the head that `view` shows holds `place`.
async fn follows<R: Registry>(store: &Store<R>, view: &View, place: Place) -> Result<bool, LedgerError> {
    if place.sequence > view.last().sequence {
        return Ok(false);
    }
    if let Some(digest) = view.segment.digest_of(place.sequence) {
        return Ok(digest == place.digest);
    }
    let mut last = view.checkpoint.last;
    let mut next = view.checkpoint.segment.map(|segment| segment.digest);
    while let (Some(end), Some(digest)) = (last, next) {
        if end.sequence <= place.sequence {
            return Ok(end == place);
        }
        let manifest = closed::manifest(store, &digest).await?;
        let segment = closed::entries(store, &manifest, end, Before::Unknown).await?;
        if let Some(digest) = segment.digest_of(place.sequence) {
            return Ok(digest == place.digest);
        }
        last = segment.before();
        next = manifest.previous;
    }
    Ok(false)
}

/// Gives a state T of `images`, as far as the shards have it.
fn with_releases(
    mut state: State,
    images: &BTreeSet<&ImageName>,
    shards: &[Arc<Shard>],
) -> Result<State, LedgerError> {
    for image in images {
        let known = shards.iter().filter_map(|shard| shard.get(*image)).flat_map(BTreeMap::values);
        state = state.with_releases(image, known.cloned()).map_err(contradiction)?;
    }
    Ok(state)
}

fn contradiction(violation: ringsite_rings::Violation) -> LedgerError {
    LedgerError::damaged("the release table", violation.to_string())
}

pub(crate) fn rollback(seen: Place, found: Option<Place>, memory: &Seen) -> LedgerError {
    LedgerError::Rollback {
        seen: Box::new(seen),
        found: found.map(Box::new),
        memory: memory.path().to_owned(),
    }
}
