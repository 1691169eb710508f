//! Entries in a row: reading them with every link of the chain checked, and folding them.

use std::sync::Arc;

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
    pub(crate) lines: Vec<Arc<Line>>,
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
        self.lines.push(Arc::new(line));
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
        self.lines.first().and_then(|line| line.before())
    }

    /// Returns the digest of an entry of the segment.
    pub(crate) fn digest_of(&self, sequence: u64) -> Option<Digest> {
        let line = self.lines.iter().find(|line| line.entry.sequence == sequence);
        line.map(|line| line.digest)
    }

    /// Returns the last entry's place.
    pub(crate) fn last(&self) -> Option<Place> {
        self.lines.last().map(|line| line.place())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Body, PlaceBody};
    use crate::draft::Draft;
    use ringsite_names::Timestamp;
    use ringsite_rings::Change;
    use serde_json::{Value, json};

    fn draft(kind: Kind, body: Body) -> Draft {
        Draft {
            operation_id: "x".parse().unwrap(),
            request: Digest::sha256(b"request"),
            kind,
            actor: "ada".to_owned(),
            reason: None,
            at: Timestamp::from_seconds(0).unwrap(),
            change: Change::default(),
            body,
            gates: Vec::new(),
        }
    }

    /// A segment of a beginning and `count` entries that place nothing.
    fn segment(count: usize) -> Segment {
        let mut segment = Segment::default();
        let state = State::new();
        let init = crate::body::InitBody { protocol: "A".to_owned(), probe: Default::default() };
        let first = draft(Kind::Init, Body::Init(init)).follow(None, &state).unwrap().0;
        segment.push(first);
        for _ in 0..count {
            let place = draft(Kind::Place, Body::Place(PlaceBody::default()));
            segment.push(place.follow(segment.last(), &state).unwrap().0);
        }
        segment
    }

    /// The text of a segment in which one field of one entry is another.
    fn with(index: usize, field: &str, value: Value) -> Vec<u8> {
        let lines = segment(3).to_text();
        let mut lines: Vec<Vec<u8>> =
            lines.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let mut entry: Value = serde_json::from_slice(&lines[index]).unwrap();
        entry[field] = value;
        lines[index] = ringsite_names::canonical_json(&entry);
        lines[index].push(b'\n');
        lines.concat()
    }

    fn error(text: &[u8]) -> String {
        let read = Segment::read(text, Before::Known(None), "the test");
        let folded = read.and_then(|segment| segment.fold(State::new(), StateChecks::Each));
        folded.unwrap_err().to_string()
    }

    #[test]
    fn a_segment_is_read_as_it_was_written() {
        let segment = segment(3);
        let read = Segment::read(&segment.to_text(), Before::Known(None), "the test").unwrap();
        assert_eq!(read, segment);
        assert_eq!(read.fold(State::new(), StateChecks::Each).unwrap(), State::new());
    }

    #[test]
    fn every_broken_link_names_the_entry_and_what_was_expected() {
        let whole = segment(3).to_text();
        let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
        let gap = [lines[0], lines[1], lines[3]].concat();
        let swapped = [lines[0], lines[2], lines[1], lines[3]].concat();
        for (text, words) in [
            (with(2, "parent", json!(Digest::sha256(b"other"))), ["entry 3", "its parent is"]),
            (with(2, "parent", json!(null)), ["entry 3", "its parent is nothing"]),
            (with(1, "sequence", json!(7)), ["entry 7", "expected entry 2"]),
            (with(1, "actor", json!("eve")), ["entry 3", "its parent is"]),
            (with(3, "state", json!(Digest::sha256(b"other"))), ["entry 4", "it says state"]),
            (with(2, "kind", json!("init")), ["entry 3", "no entry"]),
            (with(3, "delta", json!([["ante", "x", "0.1.0", null]])), ["entry 4", "expects 0.1.0"]),
            (gap, ["entry 4", "expected entry 3"]),
            (swapped, ["entry 3", "expected entry 2"]),
            (lines[1].to_vec(), ["entry 2", "expected entry 1"]),
            (whole[..whole.len() - 1].to_vec(), ["the test", "cut off"]),
        ] {
            let error = error(&text);
            assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
        }
    }

    #[test]
    fn a_segment_is_full_at_its_count_or_its_bytes() {
        let line = Arc::clone(&segment(1).lines[1]);
        let of = |count: usize, bytes: usize| Segment { lines: vec![Arc::clone(&line); count], bytes };
        assert!(!of(SEGMENT_ENTRIES_MAX - 1, 0).is_full());
        assert!(of(SEGMENT_ENTRIES_MAX, 0).is_full());
        assert!(!of(1, SEGMENT_BYTES_MAX - 1).is_full());
        assert!(of(1, SEGMENT_BYTES_MAX).is_full());
        let bytes = segment(5);
        assert_eq!(bytes.bytes, bytes.to_text().len());
    }

    #[test]
    fn any_flipped_byte_of_a_segment_is_detected() {
        let text = segment(2).to_text();
        let last = segment(2).last();
        for index in 0..text.len() {
            let mut flipped = text.clone();
            flipped[index] ^= 1;
            let read = Segment::read(&flipped, Before::Known(None), "the test");
            assert!(read.is_err() || read.unwrap().last() != last, "byte {index}");
        }
    }
}
