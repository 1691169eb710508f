//! The projection: writing `index.json` from the state, and the thread that does it in time.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringsite_names::Digest;

use super::index;
use super::log;
use super::note::{Note, Projected};
use super::record::{Record, Session};
use crate::disk::unique_name;
use crate::error::OciError;
use crate::limits::{LOG_BYTES_KEPT, PROJECTION_DELAY, PROJECTION_REST};

impl Record {
    /// Writes `index.json` if it does not show the state, then removes what nothing names any more.
    ///
    /// Order of writes: what other tools changed into the log; the note that names the new
    /// `index.json`; `index.json`; the note that it is in place; removals; a shorter log.
    pub(super) fn project(&self, session: &mut Session) -> Result<(), OciError> {
        self.take_over(session)?;
        let (bytes, shown) = self.look(|view| {
            let bytes = index::render(&view.state);
            let index = Digest::sha256(&bytes);
            (bytes, Projected { generation: view.generation.clone(), offset: view.offset, index })
        });
        let note = Note::read(&self.paths.projected)?;
        let is_written = self.read_index()?.is_some_and(|found| found == bytes);
        if !is_written {
            self.write_note(&note.with_next(shown.clone()))?;
            self.disk.replace(&self.paths.tmp, &self.paths.index, &bytes)?;
        }
        if !is_written || !note.is_settled_on(&shown) {
            self.write_note(&Note::settled(shown.clone()))?;
        }
        self.remove_doomed(session)?;
        self.shorten_log(session, &shown)
    }

    fn write_note(&self, note: &Note) -> Result<(), OciError> {
        self.disk.replace(&self.paths.tmp, &self.paths.projected, &note.to_bytes())
    }

    fn remove_doomed(&self, session: &mut Session) -> Result<(), OciError> {
        while let Some(digest) = session.doomed.last() {
            if !self.look(|view| view.state.has_anywhere(digest)) {
                self.blobs.remove(digest)?;
            }
            session.doomed.pop();
        }
        Ok(())
    }

    /// Rewrites the log when it is twice as long as what is still true in it.
    fn shorten_log(&self, session: &mut Session, shown: &Projected) -> Result<(), OciError> {
        let (offset, live) = self.look(|view| (view.offset, view.state.live_bytes() as u64));
        if offset <= LOG_BYTES_KEPT || offset / 2 <= live {
            return Ok(());
        }
        let generation = unique_name();
        let mut bytes = log::header(&generation).into_bytes();
        self.look(|view| bytes.extend_from_slice(&log::snapshot(&view.state)));
        let next = Projected { generation, offset: bytes.len() as u64, index: shown.index };
        self.write_note(&Note::settled(shown.clone()).with_next(next.clone()))?;
        self.rewrite_log(session, &next.generation, &bytes)?;
        self.write_note(&Note::settled(next))
    }
}

/// Tells the projecting thread what there is to do.
#[derive(Debug, Default)]
pub(super) struct Projector {
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Wishes {
    is_behind: bool,
    /// Something was changed since the layout was opened.
    was_marked: bool,
    is_stopping: bool,
}

impl Projector {
    /// Says that the state has changed.
    pub(super) fn mark(&self) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.was_marked = true;
        if !wishes.is_behind {
            wishes.is_behind = true;
            self.changed.notify_all();
        }
    }

    /// Takes it that `index.json` is no longer behind; returns whether it was.
    fn take(&self) -> bool {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut wishes.is_behind)
    }

    /// Tells the thread to end without another projection.
    pub(super) fn stop(&self) {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).is_stopping = true;
        self.changed.notify_all();
    }

    /// Projects now if `index.json` is behind; another thread may be doing it and not be done.
    pub(super) fn catch_up(&self, record: &Record) -> Result<(), OciError> {
        if !self.take() {
            return Ok(());
        }
        self.project(record)
    }

    /// Returns when `index.json` shows every change that this process made.
    pub(super) fn sync(&self, record: &Record) -> Result<(), OciError> {
        let was_marked = self.wishes.lock().unwrap_or_else(PoisonError::into_inner).was_marked;
        if !was_marked {
            return Ok(());
        }
        self.take();
        self.project(record)
    }

    fn project(&self, record: &Record) -> Result<(), OciError> {
        let outcome = record.write(|session| record.project(session));
        if outcome.is_err() {
            self.mark();
        }
        outcome
    }

    /// Runs until it is stopped: waits for changes, lets some gather, projects, and rests.
    pub(super) fn run(&self, record: &Record) {
        let mut rest = PROJECTION_DELAY;
        while self.wait(rest) {
            let begun = Instant::now();
            if let Err(error) = self.catch_up(record) {
                tracing::warn!(%error, "index.json could not be written; it is tried again");
            }
            rest = PROJECTION_DELAY.max(begun.elapsed().saturating_mul(PROJECTION_REST));
        }
    }

    /// Waits for a change and then for `rest`; false when the thread shall end.
    fn wait(&self, rest: Duration) -> bool {
        let wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle = |wishes: &mut Wishes| !wishes.is_behind && !wishes.is_stopping;
        let wishes = self.changed.wait_while(wishes, is_idle).unwrap_or_else(PoisonError::into_inner);
        let is_quiet = |wishes: &mut Wishes| !wishes.is_stopping;
        let (wishes, _) =
            self.changed.wait_timeout_while(wishes, rest, is_quiet).unwrap_or_else(PoisonError::into_inner);
        !wishes.is_stopping
    }
}
