//! The state before a segment, so that nobody folds more than one segment.
//!
//! Written only when a segment closes, by the commit after it is full, and by the first commit of
//! all. It holds committed entries only, so every writer would write the same one.

use std::collections::BTreeSet;

use ringsite_names::{Digest, canonical_json};
use ringsite_rings::{Snapshot, State};
use serde::{Deserialize, Serialize};

use crate::error::LedgerError;
use crate::kind::Kind;
use crate::seen::Place;

const SCHEMA: u32 = 1;

/// Everything that was known before the first entry of a segment, except T.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    schema: u32,
    /// The last entry before the segment; none before the first.
    pub(crate) last: Option<Place>,
    /// The state digest there.
    pub(crate) state: Digest,
    /// The segment before.
    pub(crate) segment: Option<Numbered>,
    /// The release table with every release up to there; none while there is no release.
    pub(crate) table: Option<Numbered>,
    /// The kinds of all entries before, so that a reader knows what it has not seen.
    pub(crate) kinds: BTreeSet<Kind>,
    /// The state there, without T.
    pub(crate) snapshot: Snapshot,
}

/// A manifest of a numbered series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) digest: Digest,
}

impl Checkpoint {
    /// Returns the checkpoint of the first segment.
    pub(crate) fn first() -> Self {
        let state = State::new();
        Self {
            schema: SCHEMA,
            last: None,
            state: state.state_digest(),
            segment: None,
            table: None,
            kinds: BTreeSet::new(),
            snapshot: state.snapshot(),
        }
    }

    /// Returns the checkpoint that follows this one when its segment, which leads to `state` and ends
    /// at `last`, is closed as `segment`.
    pub(crate) fn following(
        &self,
        last: Place,
        state: &State,
        kinds: impl IntoIterator<Item = Kind>,
        segment: Numbered,
        table: Option<Numbered>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            last: Some(last),
            state: state.state_digest(),
            segment: Some(segment),
            table,
            kinds: self.kinds.iter().cloned().chain(kinds).collect(),
            snapshot: state.snapshot(),
        }
    }

    /// Returns the stored text.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// Reads a checkpoint; `digest` is for messages.
    pub(crate) fn read(text: &[u8], digest: &Digest) -> Result<Self, LedgerError> {
        let damaged = |reason: String| LedgerError::damaged(format!("checkpoint {digest}"), reason);
        let checkpoint: Self = serde_json::from_slice(text).map_err(|error| damaged(error.to_string()))?;
        if checkpoint.schema != SCHEMA {
            return Err(LedgerError::Newer {
                what: format!("checkpoint {digest} with schema {}", checkpoint.schema),
            });
        }
        Ok(checkpoint)
    }

    /// Returns the state of the checkpoint, with its digest recomputed; `digest` is for messages.
    ///
    /// T is known as far as it is empty: before the first entry.
    pub(crate) fn to_state(&self, digest: &Digest) -> Result<State, LedgerError> {
        let damaged = |reason: String| LedgerError::damaged(format!("checkpoint {digest}"), reason);
        if self.last.is_none() {
            return if *self == Self::first() {
                Ok(State::new())
            } else {
                Err(damaged("it is before the first entry and not empty".to_owned()))
            };
        }
        let state =
            State::from_snapshot(self.snapshot.clone()).map_err(|error| damaged(error.to_string()))?;
        if state.state_digest() == self.state {
            Ok(state)
        } else {
            Err(damaged(format!("its state has digest {}, not {}", state.state_digest(), self.state)))
        }
    }
}
