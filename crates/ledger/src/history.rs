//! Looking back: entries newest first, reading closed segments only when they are reached.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use ringsite_names::{Digest, ImageName, Position, Timestamp};
use ringsite_oci::Registry;
use ringsite_rings::{Delta, Rewind};

use crate::body::Body;
use crate::closed;
use crate::entry::{Entry, Line, Recorded};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::limits::{CLOCK_DIFFERENCE_MAX, PREFIX_DIGITS_MIN};
use crate::seen::Place;
use crate::segment::{Before, Segment};

/// Which entries are asked for; the default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those that changed this ring.
    pub ring: Option<Position>,
    /// Those that released, moved or placed this image.
    pub image: Option<ImageName>,
    /// Those of this actor.
    pub actor: Option<String>,
    /// Those recorded at this time or later.
    pub since: Option<Timestamp>,
}

/// One entry as a person names it: its number, its digest, or the first hex digits of that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryName {
    /// By number.
    Sequence(u64),
    /// By digest.
    Digest(Digest),
    /// By the first hex digits of the digest, six at the least.
    Prefix(String),
}

/// A text that names no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no entry: expected its number, its digest, or at least {PREFIX_DIGITS_MIN} hex digits of the digest"
)]
pub struct EntryNameError {
    text: String,
}

impl FromStr for EntryName {
    type Err = EntryNameError;

    /// Digits alone are a number; write `sha256:` before a prefix that has digits only.
    fn from_str(text: &str) -> Result<Self, EntryNameError> {
        if let Ok(digest) = text.parse() {
            return Ok(Self::Digest(digest));
        }
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Sequence(sequence));
        }
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex && (PREFIX_DIGITS_MIN..64).contains(&hex.len()) {
            return Ok(Self::Prefix(hex.to_owned()));
        }
        Err(EntryNameError { text: text.chars().take(100).collect() })
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
            Self::Prefix(hex) => hex.fmt(formatter),
        }
    }
}

/// Goes from entry to entry, newest first.
#[derive(Debug)]
pub struct History<'l, R> {
    walk: Walk<'l, R>,
    filter: Filter,
    /// What stood on the rings after the entry that comes next; only needed to know which images a
    /// whole-ring copy moved.
    rings: Option<Rewind>,
}

impl<R: Registry> Ledger<R> {
    /// Returns all entries, newest first.
    pub fn history(&self) -> History<'_, R> {
        self.history_of(Filter::default())
    }

    /// Returns the entries that `filter` lets through, newest first.
    pub fn history_of(&self, filter: Filter) -> History<'_, R> {
        let rings = filter.image.is_some().then(|| Rewind::new(&self.view.state));
        History { walk: Walk::new(self), filter, rings }
    }

    /// Returns one entry.
    ///
    /// # Errors
    /// `NoEntry` when there is none, or when a prefix fits several; `Damaged`, `Registry`.
    pub async fn entry(&self, name: &EntryName) -> Result<Recorded, LedgerError> {
        let no_entry = |reason: String| LedgerError::NoEntry { point: name.to_string(), reason };
        let mut walk = Walk::new(self);
        let mut found: Option<Recorded> = None;
        match name {
            EntryName::Sequence(sequence) => {
                let last = self.head().sequence;
                if !(1..=last).contains(sequence) {
                    return Err(no_entry(format!("the ledger has the entries 1 to {last}")));
                }
                walk.skip_to(*sequence).await?;
                found = walk.next().await?.map(|line| line.recorded());
            }
            EntryName::Digest(digest) => {
                while let Some(line) = walk.next().await? {
                    if line.digest == *digest {
                        found = Some(line.recorded());
                        break;
                    }
                }
            }
            EntryName::Prefix(hex) => {
                while let Some(line) = walk.next().await? {
                    if !line.digest.to_hex().starts_with(hex.as_str()) {
                        continue;
                    }
                    if let Some(other) = &found {
                        return Err(no_entry(format!("{} and {} begin so", other.place(), line.place())));
                    }
                    found = Some(line.recorded());
                }
            }
        }
        found.ok_or_else(|| no_entry("no entry of the ledger has this digest".to_owned()))
    }
}

impl<R: Registry> History<'_, R> {
    /// Returns the next older entry that the filter lets through; none at the beginning.
    ///
    /// # Errors
    /// `Damaged` when a link of the chain does not hold, `Registry`.
    pub async fn next(&mut self) -> Result<Option<Recorded>, LedgerError> {
        while let Some(line) = self.walk.next().await? {
            // Clocks of two machines differ, so an older entry may carry a later time.
            let end = self.filter.since.map(|since| since.as_seconds().saturating_sub(CLOCK_DIFFERENCE_MAX));
            if end.is_some_and(|end| line.entry.at.as_seconds() < end) {
                return Ok(None);
            }
            let is_wanted = self.is_wanted(&line.entry);
            if let Some(rings) = &mut self.rings {
                rings.back(&line.entry.delta).map_err(|violation| {
                    LedgerError::damaged(line.place().to_string(), violation.to_string())
                })?;
            }
            if is_wanted {
                return Ok(Some(line.recorded()));
            }
        }
        Ok(None)
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        let Filter { ring, image, actor, since } = &self.filter;
        let has_ring = |ring: &Position| entry.delta.iter().any(|part| part.ring() == ring);
        ring.as_ref().is_none_or(has_ring)
            && image.as_ref().is_none_or(|image| self.has_image(entry, image))
            && actor.as_ref().is_none_or(|actor| entry.actor == *actor)
            && since.is_none_or(|since| entry.at >= since)
    }

    fn has_image(&self, entry: &Entry, image: &ImageName) -> bool {
        let is_copied = |ring: &Position| {
            self.rings.as_ref().is_some_and(|rings| rings.cells(ring).version(image).is_some())
        };
        let in_delta = entry.delta.iter().any(|part| match part {
            Delta::Cell { image: moved, .. } => moved == image,
            Delta::Copy { to, .. } => is_copied(to),
            Delta::Root { .. } => false,
        });
        let in_body = match &entry.body {
            Body::Place(body) => body.placements.iter().any(|placement| placement.root == *image),
            Body::Reject(body) => body.image == *image,
            Body::Gc(body) => body.removed.contains_key(image),
            _ => false,
        };
        in_delta || in_body || entry.releases.iter().any(|new| new.image == *image)
    }
}

/// Goes from line to line, newest first.
#[derive(Debug)]
pub(crate) struct Walk<'l, R> {
    ledger: &'l Ledger<R>,
    /// The segment that is being read; none means the open one.
    closed: Option<Segment>,
    /// How many lines of it are still to come.
    left: usize,
    /// The closed segment before it, and the entry that it must end with.
    before: Option<(Digest, Place)>,
}

impl<'l, R: Registry> Walk<'l, R> {
    pub(crate) fn new(ledger: &'l Ledger<R>) -> Self {
        let checkpoint = &ledger.view.checkpoint;
        let before = checkpoint.segment.map(|segment| segment.digest).zip(checkpoint.last);
        Self { ledger, closed: None, left: ledger.view.segment.lines.len(), before }
    }

    /// Returns the next older line; none at the beginning.
    pub(crate) async fn next(&mut self) -> Result<Option<Arc<Line>>, LedgerError> {
        while self.left == 0 {
            if !self.step_back(u64::MAX).await? {
                return Ok(None);
            }
        }
        self.left -= 1;
        let segment = self.closed.as_ref().unwrap_or(&self.ledger.view.segment);
        Ok(segment.lines.get(self.left).cloned())
    }

    /// Goes back so that the entry `sequence` comes next, without reading what lies between.
    async fn skip_to(&mut self, sequence: u64) -> Result<(), LedgerError> {
        loop {
            let segment = self.closed.as_ref().unwrap_or(&self.ledger.view.segment);
            if let Some(index) = segment.lines.iter().position(|line| line.entry.sequence == sequence) {
                self.left = index + 1;
                return Ok(());
            }
            if !self.step_back(sequence).await? {
                self.left = 0;
                return Ok(());
            }
        }
    }

    /// Goes to the newest closed segment not yet seen that begins at `sequence` or before. Returns
    /// false at the beginning.
    async fn step_back(&mut self, sequence: u64) -> Result<bool, LedgerError> {
        while let Some((digest, last)) = self.before.take() {
            let store = &self.ledger.store;
            let manifest = closed::manifest(store, &digest).await?;
            if sequence < last.sequence
                && let Some(previous) = manifest.previous
            {
                let older = closed::manifest(store, &previous).await?.last;
                if sequence <= older.sequence {
                    self.before = Some((previous, older));
                    continue;
                }
            }
            let known = self.ledger.previous.as_ref().filter(|(known, _)| *known == digest);
            let segment = match known {
                Some((_, segment)) => segment.clone(),
                None => closed::entries(store, &manifest, last, Before::Unknown).await?,
            };
            if manifest.previous.is_some() != segment.before().is_some() {
                let reason = "its entries and its manifest do not agree whether a segment is before it";
                return Err(LedgerError::damaged(format!("segment {} ({digest})", manifest.number), reason));
            }
            self.before = manifest.previous.zip(segment.before());
            self.left = segment.lines.len();
            self.closed = Some(segment);
            return Ok(true);
        }
        Ok(false)
    }
}
