//! The state of the past: the checkpoint before a segment, and the entries up to a point.

use std::fmt;
use std::str::FromStr;

use ringsite_names::Timestamp;
use ringsite_oci::Registry;
use ringsite_rings::State;

use crate::closed;
use crate::entry::Recorded;
use crate::error::LedgerError;
use crate::history::{EntryName, EntryNameError};
use crate::ledger::Ledger;
use crate::segment::{Before, Segment, advance, check_state};

/// A point of the past: an entry, or a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Point {
    /// After this entry.
    Entry(EntryName),
    /// After the newest entry recorded at this time or before.
    Time(Timestamp),
}

impl FromStr for Point {
    type Err = EntryNameError;

    fn from_str(text: &str) -> Result<Self, EntryNameError> {
        match text.parse() {
            Ok(time) => Ok(Self::Time(time)),
            Err(_) => text.parse().map(Self::Entry),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(name) => name.fmt(formatter),
            Self::Time(time) => time.fmt(formatter),
        }
    }
}

impl<R: Registry> Ledger<R> {
    /// Returns the state at a point of the past, and the entry that led to it. T is not loaded: see
    /// [`Ledger::with_releases`].
    ///
    /// # Errors
    /// `NoEntry` when there is no such entry, or when the ledger began later; `Damaged`, `Registry`.
    pub async fn at(&self, point: &Point) -> Result<(Recorded, State), LedgerError> {
        let sequence = match point {
            Point::Time(_) => None,
            Point::Entry(EntryName::Sequence(sequence)) => Some(*sequence),
            Point::Entry(name) => Some(self.entry(name).await?.entry.sequence),
        };
        let last = self.head().sequence;
        let no_entry = |reason: String| LedgerError::NoEntry { point: point.to_string(), reason };
        if sequence.is_some_and(|sequence| !(1..=last).contains(&sequence)) {
            return Err(no_entry(format!("the ledger has the entries 1 to {last}")));
        }
        let is_before = |sequence_of: u64, at: Timestamp| match (sequence, point) {
            (Some(sequence), _) => sequence_of <= sequence,
            (None, Point::Time(time)) => at <= *time,
            (None, Point::Entry(_)) => false,
        };
        let Some((segment, state)) = self.segment_of(is_before).await? else {
            return Err(no_entry("the ledger began later".to_owned()));
        };
        let mut lines = segment.lines.iter();
        let end = lines.rposition(|line| is_before(line.entry.sequence, line.entry.at)).unwrap_or(0);
        let mut state = state;
        for line in &segment.lines[..=end] {
            state = advance(state, line)?;
        }
        check_state(&state, &segment.lines[end])?;
        Ok((segment.lines[end].recorded(), state))
    }

    /// Returns the newest segment whose first entry is at or before the point, and the state before it.
    async fn segment_of(
        &self,
        is_before: impl Fn(u64, Timestamp) -> bool,
    ) -> Result<Option<(Segment, State)>, LedgerError> {
        let view = &self.view;
        let begins_before = |segment: &Segment| {
            segment.lines.first().is_some_and(|line| is_before(line.entry.sequence, line.entry.at))
        };
        if begins_before(&view.segment) {
            let state = view.checkpoint.to_state(&view.manifest.checkpoint.digest)?;
            return Ok(Some((view.segment.clone(), state)));
        }
        let mut next = view.checkpoint.segment.map(|segment| segment.digest);
        while let Some(digest) = next {
            let manifest = closed::manifest(&self.store, &digest).await?;
            let is_near = is_before(0, manifest.since);
            next = manifest.previous;
            if !is_near {
                continue;
            }
            let (checkpoint, state) = closed::beginning(&self.store, &manifest).await?;
            let first = checkpoint.last.map_or(1, |last| last.sequence + 1);
            if !is_before(first, manifest.since) {
                continue;
            }
            let before = Before::Known(checkpoint.last);
            let segment = closed::entries(&self.store, &manifest, manifest.last, before).await?;
            return Ok(Some((segment, state)));
        }
        Ok(None)
    }
}
