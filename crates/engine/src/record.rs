//! The ledger as operations need it: there, or not begun yet.

use std::collections::BTreeSet;
use std::sync::Arc;

use ringsite_ledger::{Draft, Entry, EntryName, Ledger, LedgerError, Place, Point, Recorded, Seen};
use ringsite_names::{ImageName, Position, ProjectName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Delta, Rewind, State};

use crate::decide::bug;
use crate::error::EngineError;

/// The record of a project on one head, or no record yet.
pub(crate) struct Record<R> {
    ledger: Option<Ledger<Arc<R>>>,
    empty: State,
}

impl<R: Registry + 'static> Record<R> {
    /// Opens the record as it is now.
    pub(crate) async fn open(
        registry: &Arc<R>,
        project: &ProjectName,
        seen: Seen,
    ) -> Result<Self, EngineError> {
        let ledger = match Ledger::open(Arc::clone(registry), project, Some(seen)).await {
            Ok(ledger) => Some(ledger),
            Err(LedgerError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Self { ledger, empty: State::new() })
    }

    /// Returns the record that stands on `ledger`.
    pub(crate) fn of(ledger: Ledger<Arc<R>>) -> Self {
        Self { ledger: Some(ledger), empty: State::new() }
    }

    /// Returns the ledger, when it was begun.
    pub(crate) fn ledger(&self) -> Option<&Ledger<Arc<R>>> {
        self.ledger.as_ref()
    }

    /// Returns the ledger, or says how to begin one.
    pub(crate) fn begun(&self) -> Result<&Ledger<Arc<R>>, EngineError> {
        self.ledger.as_ref().ok_or_else(|| {
            EngineError::unknown("there is no ledger yet: nothing was released", "run `ring release` first")
        })
    }

    /// Returns the state after the newest entry.
    pub(crate) fn state(&self) -> &State {
        self.ledger.as_ref().map_or(&self.empty, Ledger::state)
    }

    /// Returns the newest entry.
    pub(crate) fn head(&self) -> Option<Place> {
        self.ledger.as_ref().map(Ledger::head)
    }

    /// Returns `state` with every release of `images`.
    pub(crate) async fn with_releases(
        &self,
        state: State,
        images: &BTreeSet<ImageName>,
    ) -> Result<State, EngineError> {
        match &self.ledger {
            Some(ledger) => Ok(ledger.with_releases(state, images).await?),
            None => Ok(state),
        }
    }

    /// Reads every release of each image that stands on a ring, and keeps them.
    pub(crate) async fn load_standing(&mut self) -> Result<(), EngineError> {
        if let Some(ledger) = &mut self.ledger {
            let images = standing(ledger.state());
            ledger.load(&images).await?;
        }
        Ok(())
    }

    /// Returns the state of now with every release of each image that stands on a ring, and of `more`.
    pub(crate) async fn whole_state(&self, more: &BTreeSet<ImageName>) -> Result<State, EngineError> {
        let state = self.state().clone();
        let mut images = standing(&state);
        images.extend(more.iter().cloned());
        self.with_releases(state, &images).await
    }

    /// Reads the head again.
    pub(crate) async fn refresh(&mut self) -> Result<(), EngineError> {
        if let Some(ledger) = &mut self.ledger {
            ledger.refresh().await?;
        }
        Ok(())
    }

    /// Records `drafts` on the head of now, all or none.
    ///
    /// # Errors
    /// The ledger's; `Moved` when somebody was quicker, and the record then stands on the new head.
    pub(crate) async fn commit_all(&mut self, drafts: Vec<Draft>) -> Result<Vec<Recorded>, LedgerError> {
        let ledger = self.ledger.as_mut().expect("a record is begun before something is committed to it");
        ledger.commit_all(drafts).await
    }

    /// Returns each cell that an entry changed, by ring in the order of the entry and by image.
    pub(crate) async fn cells_written(&self, entry: &Entry) -> Result<Vec<CellWritten>, EngineError> {
        let ledger = self.begun()?;
        let after = if ledger.head().sequence == entry.sequence {
            ledger.state().clone()
        } else {
            ledger.at(&Point::Entry(EntryName::Sequence(entry.sequence))).await?.1
        };
        let mut before = Rewind::new(&after);
        before.back(&entry.delta).map_err(bug)?;
        let mut written = Vec::new();
        for ring in rings_written(&entry.delta) {
            let (old, new) = (before.cells(ring), after.cells(ring));
            let images: BTreeSet<&ImageName> = old.images().keys().chain(new.images().keys()).collect();
            for image in images {
                let (from, to) = (old.version(image), new.version(image));
                if from != to {
                    written.push(CellWritten { ring: ring.clone(), image: image.clone(), from, to });
                }
            }
        }
        Ok(written)
    }
}

/// Returns each ring that a change writes, in the order of the change.
pub(crate) fn rings_written(delta: &[Delta]) -> Vec<&Position> {
    let mut rings: Vec<&Position> = Vec::new();
    for part in delta {
        if !rings.contains(&part.ring()) {
            rings.push(part.ring());
        }
    }
    rings
}

/// One cell that an entry changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CellWritten {
    pub(crate) ring: Position,
    pub(crate) image: ImageName,
    pub(crate) from: Option<Version>,
    pub(crate) to: Option<Version>,
}

/// Returns each image that stands on some ring.
pub(crate) fn standing(state: &State) -> BTreeSet<ImageName> {
    let Some(configuration) = state.configuration() else { return BTreeSet::new() };
    let positions = configuration.chain().positions().to_vec();
    positions.iter().flat_map(|position| state.cells(position).images().keys().cloned()).collect()
}
