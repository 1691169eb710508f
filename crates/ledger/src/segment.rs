//! Entries in a row: reading them with every link of the chain checked, and folding them.

use ringsite_names::Digest;
use ringsite_rings::State;

use crate::entry::{EntryError, Line};
use crate::error::LedgerError;
use crate::kind::Kind;
use crate::limits::{SEGMENT_BYTES_MAX, SEGMENT_ENTRIES_MAX};
use crate::seen::Place;

/// The entries of one segment, linked to each other and to the entry before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) lines: Vec<Line>,
    bytes: usize,
}

impl Segment {
    /// Reads the text of a segment; `place` is for messages.
    pub(crate) fn read(text: &[u8], before: Before, place: &str) -> Result<Self, LedgerError> {
        let mut segment = Self::default();
        let (mut before, mut is_known) = match before {
            Before::Known(before) => (before, true),
            Before::Unknown => (None, false),
        };
        if !text.is_empty() && text.last() != Some(&b'\n') {
            return Err(LedgerError::damaged(place, "its last line is cut off"));
        }
        for text in text.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
            let line = Line::read(text).map_err(|error| unreadable(error, place, before))?;
            if !is_known {
                before = line.before();
                is_known = true;
            }
            check_link(&line, before)
                .map_err(|reason| LedgerError::damaged(format!("{} in {place}", line.place()), reason))?;
            before = Some(line.place());
            segment.push(line);
        }
        Ok(segment)
    }

    /// Adds an entry that follows the last one.
    pub(crate) fn push(&mut self, line: Line) {
        self.bytes += line.text.len() + 1;
        self.lines.push(line);
    }

    /// Returns the stored text.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.bytes);
        for line in &self.lines {
            text.extend_from_slice(&line.text);
            text.push(b'\n');
        }
        text
    }

    /// Returns whether the next commit closes the segment.
    pub(crate) fn is_full(&self) -> bool {
        self.lines.len() >= SEGMENT_ENTRIES_MAX || self.bytes >= SEGMENT_BYTES_MAX
    }

    /// Returns the place before the first entry, as that entry says it.
    pub(crate) fn before(&self) -> Option<Place> {
        self.lines.first().and_then(Line::before)
    }

    /// Returns the last entry's place.
    pub(crate) fn last(&self) -> Option<Place> {
        self.lines.last().map(Line::place)
    }

    /// Returns the kinds of the entries.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.lines.iter().map(|line| &line.entry.kind)
    }

    /// Returns the state after the entries; each contradiction names its entry.
    ///
    /// The state digest is recomputed where `checks` says so.
    pub(crate) fn fold(&self, state: State, checks: StateChecks) -> Result<State, LedgerError> {
        let mut state = state;
        for (index, line) in self.lines.iter().enumerate() {
            state = advance(state, line)?;
            if checks == StateChecks::Each || index + 1 == self.lines.len() {
                check_state(&state, line)?;
            }
        }
        Ok(state)
    }
}

/// What is known about the entry before a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// The entry; none before the first.
    Known(Option<Place>),
    /// Nothing yet: the reader goes backwards, and checks what the first entry says when it gets there.
    Unknown,
}

/// After which entries the state digest is recomputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateChecks {
    /// After each entry: for an audit.
    Each,
    /// After the last one: it covers everything that the entries before it left behind.
    Last,
}

/// Returns the state after one entry.
pub(crate) fn advance(state: State, line: &Line) -> Result<State, LedgerError> {
    state
        .advance(&line.entry.change())
        .map_err(|violation| LedgerError::damaged(line.place().to_string(), violation.to_string()))
}

/// Checks that an entry says the state digest that it leads to.
pub(crate) fn check_state(state: &State, line: &Line) -> Result<(), LedgerError> {
    let found = state.state_digest();
    if found == line.entry.state {
        return Ok(());
    }
    let said = line.entry.state;
    Err(LedgerError::damaged(line.place().to_string(), format!("it says state {said}, and leads to {found}")))
}

fn check_link(line: &Line, before: Option<Place>) -> Result<(), String> {
    let expected = before.map_or(1, |before| before.sequence + 1);
    if line.entry.sequence != expected {
        return Err(format!("expected entry {expected} here"));
    }
    let parent = before.map(|before| before.digest);
    if line.entry.parent != parent {
        let text = |digest: Option<Digest>| digest.map_or("nothing".to_owned(), |digest| digest.to_string());
        return Err(format!("its parent is {}, expected {}", text(line.entry.parent), text(parent)));
    }
    if (line.entry.kind == Kind::Init) != (expected == 1) {
        return Err("the first entry, and no other, is the beginning of the ledger".to_owned());
    }
    Ok(())
}

fn unreadable(error: EntryError, place: &str, before: Option<Place>) -> LedgerError {
    match error {
        EntryError::Schema { .. } => LedgerError::Newer { what: format!("{place}: {error}") },
        EntryError::Form(reason) => {
            let after =
                before.map_or("the first line".to_owned(), |before| format!("the line after {before}"));
            LedgerError::damaged(format!("{after} in {place}"), format!("it is no entry: {reason}"))
        }
    }
}
