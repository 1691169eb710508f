//! The way back: which entry is in effect, and what its exact inverse is.
//!
//! History is handed over newest first, and only as much of it as is needed: [`InEffect`] says when
//! the wanted entry is found. An entry m takes back an entry n when it says so; n is in effect
//! while no entry in effect takes it back. Because only newer entries can take an entry back, one
//! walk from the newest entry decides.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position};

use crate::cells::{Rings, difference_parts};
use crate::{Cells, Delta, Operation, State, TakeBack, Violation};

/// An entry of the ledger that changed rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastMove {
    /// Its number.
    pub sequence: u64,
    /// Its digest.
    pub digest: Digest,
    /// What it was.
    pub operation: Operation,
    /// The entry that it takes back.
    pub takes_back: Option<u64>,
    /// What it changed.
    pub delta: Vec<Delta>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// There is no entry that could be taken back.
    Nothing,
    /// The entry that was named is not in the history, or changed no ring.
    Unknown {
        /// The entry.
        sequence: u64,
    },
    /// The entry that was named is of a kind that the command does not take back.
    WrongKind {
        /// The entry.
        sequence: u64,
        /// What it was.
        operation: Operation,
    },
    /// The entry that was named was taken back already.
    TakenBack {
        /// The entry.
        sequence: u64,
        /// The entry that took it back.
        by: u64,
    },
    /// The entry, with its inverse.
    Found {
        /// The entry.
        sequence: u64,
        /// What it was.
        operation: Operation,
        /// How it is taken back.
        inverse: Inverse,
    },
}

/// The exact inverse of an entry, by value.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Inverse {
    /// The parts that bring back every cell and root name that the entry wrote, by ring, image
    /// and then root.
    pub delta: Vec<Delta>,
    /// The rings on which something that the entry wrote is no longer there, with the newest entry
    /// that wrote there afterwards. Not empty means that the inverse is not possible.
    pub changed: BTreeMap<Position, u64>,
}

/// The search for the entry that a command takes back.
///
/// # Examples
/// ```
/// use ringsite_names::Digest;
/// use ringsite_rings::{InEffect, Operation, PastMove, State, TakeBack, Target};
///
/// let past = |sequence, operation, takes_back| PastMove {
///     sequence, digest: Digest::sha256(b"entry"), operation, takes_back, delta: vec![],
/// };
/// // Entry 3 took entry 2 back, so the newest entry in effect is entry 1.
/// let mut search = InEffect::newest(TakeBack::Undo);
/// assert!(search.visit(past(3, Operation::Undo, Some(2))).is_continue());
/// assert!(search.visit(past(2, Operation::Promote, None)).is_continue());
/// assert!(search.visit(past(1, Operation::Release, None)).is_break());
/// let target = search.finish(&State::new()).unwrap();
/// assert!(matches!(target, Target::Found { sequence: 1, .. }));
/// ```
#[derive(Clone, Debug)]
pub struct InEffect {
    command: TakeBack,
    /// The entry that was named; none for the newest.
    named: Option<u64>,
    /// Each entry that was taken back by an entry in effect, with that entry.
    taken: BTreeMap<u64, u64>,
    /// Every entry that was visited, newest first.
    visited: Vec<PastMove>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Debug)]
enum Outcome {
    Found,
    WrongKind,
    TakenBack(u64),
}

impl InEffect {
    /// Begins the search for the newest entry in effect that `command` takes back.
    pub fn newest(command: TakeBack) -> Self {
        Self { command, named: None, taken: BTreeMap::new(), visited: Vec::new(), outcome: None }
    }

    /// Begins the search for the entry `sequence`.
    pub fn entry(command: TakeBack, sequence: u64) -> Self {
        Self { named: Some(sequence), ..Self::newest(command) }
    }

    /// Takes the next older entry that changed rings. Break means that no older entry is needed.
    pub fn visit(&mut self, past: PastMove) -> std::ops::ControlFlow<()> {
        let taken_by = self.taken.get(&past.sequence).copied();
        if taken_by.is_none()
            && let Some(older) = past.takes_back
        {
            self.taken.entry(older).or_insert(past.sequence);
        }
        let is_wanted = match self.named {
            Some(sequence) => sequence == past.sequence,
            None => taken_by.is_none() && self.command.takes(&past),
        };
        let is_past = self.named.is_some_and(|sequence| past.sequence < sequence);
        if is_wanted {
            self.outcome = Some(match taken_by {
                _ if !self.command.takes(&past) => Outcome::WrongKind,
                Some(by) => Outcome::TakenBack(by),
                None => Outcome::Found,
            });
        }
        self.visited.push(past);
        if is_wanted || is_past {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    }

    /// Returns what was found, with the inverse on `state`, the state after the newest entry.
    ///
    /// # Errors
    /// A violation when the entries cannot have led to this state.
    pub fn finish(self, state: &State) -> Result<Target, Violation> {
        let Some(found) = self.visited.last() else {
            return Ok(self.named.map_or(Target::Nothing, |sequence| Target::Unknown { sequence }));
        };
        let (sequence, operation) = (found.sequence, found.operation);
        Ok(match (self.outcome, self.named) {
            (None, None) => Target::Nothing,
            (None, Some(sequence)) => Target::Unknown { sequence },
            (Some(Outcome::TakenBack(by)), _) => Target::TakenBack { sequence, by },
            (Some(Outcome::WrongKind), _) => Target::WrongKind { sequence, operation },
            (Some(Outcome::Found), _) => {
                Target::Found { sequence, operation, inverse: inverse(state, &self.visited)? }
            }
        })
    }
}

impl TakeBack {
    /// Returns whether this command takes back entries of that kind.
    fn takes(self, past: &PastMove) -> bool {
        match self {
            Self::Undo => match past.operation {
                Operation::Release
                | Operation::Promote
                | Operation::Shift
                | Operation::Empty
                | Operation::Import => true,
                // An unshift without a ring took something back itself: it is no move of its own.
                Operation::Unshift => past.takes_back.is_none(),
                Operation::Undo | Operation::Redo | Operation::Configure => false,
            },
            Self::Redo => past.operation == Operation::Undo,
            Self::Unshift => matches!(past.operation, Operation::Promote | Operation::Shift),
        }
    }

    /// Returns the operation that is recorded.
    pub fn operation(self) -> Operation {
        match self {
            Self::Undo => Operation::Undo,
            Self::Redo => Operation::Redo,
            Self::Unshift => Operation::Unshift,
        }
    }
}

/// Goes back through the record, entry by entry, from a known state.
#[derive(Clone, Debug)]
pub struct Rewind(Rings);

impl Rewind {
    /// Begins at `state`.
    pub fn new(state: &State) -> Self {
        Self(state.rings().clone())
    }

    /// Goes back to the state before the entry that made this change.
    ///
    /// # Errors
    /// A violation when that entry cannot have led to the state of now.
    pub fn back(&mut self, delta: &[Delta]) -> Result<(), Violation> {
        delta.iter().rev().try_for_each(|part| self.0.backward(part))
    }

    /// Returns what stood on a ring.
    pub fn cells(&self, position: &Position) -> &Cells {
        self.0.cells(position)
    }
}

/// Returns the inverse, on `state`, of the last of `entries`, which are given newest first and
/// without a gap.
///
/// The inverse is by value: it is possible when every cell and root name that the entry wrote still
/// holds what the entry wrote, whatever happened in between.
///
/// # Errors
/// A violation when the entries cannot have led to `state`.
///
/// # Examples
/// ```
/// use ringsite_rings::{Inverse, State, inverse};
///
/// // Without an entry there is nothing to take back.
/// assert_eq!(inverse(&State::new(), &[]), Ok(Inverse::default()));
/// ```
pub fn inverse(state: &State, entries: &[PastMove]) -> Result<Inverse, Violation> {
    let Some((wanted, newer)) = entries.split_last() else { return Ok(Inverse::default()) };
    let mut after = Rewind::new(state);
    let mut writers: BTreeMap<&Position, u64> = BTreeMap::new();
    for entry in newer {
        after.back(&entry.delta)?;
        for part in &entry.delta {
            writers.entry(part.ring()).or_insert(entry.sequence);
        }
    }
    let mut before = after.clone();
    before.back(&wanted.delta)?;

    let written: BTreeSet<&Position> = wanted.delta.iter().map(Delta::ring).collect();
    let mut inverse = Inverse::default();
    for ring in written {
        let mine = difference_parts(ring, before.cells(ring), after.cells(ring));
        let holds = mine.iter().all(|part| holds(state.cells(ring), part));
        if !holds {
            inverse.changed.insert(ring.clone(), writers.get(ring).copied().unwrap_or(wanted.sequence));
        }
        inverse.delta.extend(mine.into_iter().map(reversed));
    }
    Ok(inverse)
}

/// Returns whether what `part` wrote is there.
fn holds(cells: &Cells, part: &Delta) -> bool {
    match part {
        Delta::Cell { image, to, .. } => cells.version(image) == *to,
        Delta::Root { to, .. } => cells.root() == to.as_ref(),
        Delta::Copy { .. } => false,
    }
}

/// Swaps before and after of a cell or root; differences of sets contain nothing else.
fn reversed(part: Delta) -> Delta {
    match part {
        Delta::Cell { ring, image, from, to } => Delta::Cell { ring, image, from: to, to: from },
        Delta::Root { ring, from, to } => Delta::Root { ring, from: to, to: from },
        copy @ Delta::Copy { .. } => copy,
    }
}

impl Inverse {
    /// Returns each image of which a cell changes.
    pub fn images(&self) -> BTreeSet<&ImageName> {
        let cells = self.delta.iter().filter_map(|part| match part {
            Delta::Cell { image, .. } => Some(image),
            Delta::Copy { .. } | Delta::Root { .. } => None,
        });
        cells.collect()
    }
}
