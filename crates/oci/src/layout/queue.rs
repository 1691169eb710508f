//! Wishes to change the record, gathered so that those who wait together share one sync.
//!
//! The first who finds no leader becomes it, takes every wish that waits, and decides them in order
//! under the lock as one frame of the log. The others sleep until their answer is there.

use std::collections::HashMap;
use std::io;
use std::sync::{Condvar, Mutex, PoisonError};

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName, Tag};

use super::record::{Record, Session};
use crate::error::OciError;
use crate::intake::Intake;
use crate::registry::Put;
use crate::state::{Draft, Facts};

/// One change that somebody asks for.
#[derive(Debug)]
pub(super) enum Wish {
    /// Store a manifest whose content is stored already, and move a tag.
    Put(Box<PutWish>),
    /// Remove a tag.
    DeleteTag(RepositoryName, Tag),
    /// Remove a manifest with its tags.
    DeleteManifest(RepositoryName, Digest),
}

#[derive(Debug)]
pub(super) struct PutWish {
    pub(super) repository: RepositoryName,
    pub(super) put: Put,
    pub(super) media_type: String,
    pub(super) bytes: Bytes,
    pub(super) intake: Intake,
}

/// Whether something was there to change.
type Answer = Result<bool, OciError>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    line: Mutex<Line>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: Vec<(u64, Wish)>,
    answers: HashMap<u64, Answer>,
    has_leader: bool,
}

impl Queue {
    /// Brings a wish before the record and returns when it is durable or refused.
    pub(super) fn submit(&self, record: &Record, wish: Wish) -> Answer {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = line.next;
        line.next += 1;
        line.waiting.push((ticket, wish));
        loop {
            if let Some(answer) = line.answers.remove(&ticket) {
                return answer;
            }
            if line.has_leader {
                line = self.moved.wait(line).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            line.has_leader = true;
            let (tickets, wishes) = std::mem::take(&mut line.waiting).into_iter().unzip();
            drop(line);
            let mut turn = Turn { queue: self, tickets, answers: Vec::new() };
            turn.run(record, wishes);
            drop(turn);
            line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The time in which one waiter works for all; its end hands out the answers and wakes the others.
struct Turn<'q> {
    queue: &'q Queue,
    tickets: Vec<u64>,
    answers: Vec<Answer>,
}

impl Turn<'_> {
    fn run(&mut self, record: &Record, wishes: Vec<Wish>) {
        self.answers = match record.write(|session| decide(record, session, &wishes)) {
            Ok(answers) => answers,
            Err(error) => self.tickets.iter().map(|_| Err(again(&error))).collect(),
        };
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut line = self.queue.line.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answers = std::mem::take(&mut self.answers).into_iter();
        for ticket in &self.tickets {
            // There are fewer answers than tickets only when the leader panicked; nobody may wait for it.
            line.answers.insert(*ticket, answers.next().unwrap_or_else(|| Err(leader_gone())));
        }
        line.has_leader = false;
        self.queue.moved.notify_all();
    }
}

fn leader_gone() -> OciError {
    OciError::Unanswered {
        what: "write to the layout".to_owned(),
        source: "the thread that wrote for several callers has panicked".into(),
    }
}

fn decide(record: &Record, session: &mut Session, wishes: &[Wish]) -> Result<Vec<Answer>, OciError> {
    let mut removed = Vec::new();
    let (answers, changes) = record.look(|view| {
        let mut draft = Draft::new(&view.state);
        let mut answers = Vec::with_capacity(wishes.len());
        for wish in wishes {
            answers.push(match wish {
                Wish::Put(wish) => decide_put(record, &mut draft, wish).map(|()| true),
                Wish::DeleteTag(repository, tag) => Ok(draft.delete_tag(repository, tag)),
                Wish::DeleteManifest(repository, digest) => {
                    let was_there = draft.delete_manifest(repository, digest);
                    removed.extend(was_there.then_some(*digest));
                    Ok(was_there)
                }
            });
        }
        (answers, draft.into_changes())
    });
    record.append(session, changes)?;
    session.doomed.append(&mut removed);
    Ok(answers)
}

/// Decides under the lock, so that nobody removes in between what the manifest names.
fn decide_put(record: &Record, draft: &mut Draft<'_>, wish: &PutWish) -> Result<(), OciError> {
    let (repository, digest) = (&wish.repository, wish.intake.digest);
    let unknown = |digest: &Digest| OciError::BlobUnknown { repository: repository.clone(), digest: *digest };
    for blob in &wish.intake.blobs {
        if record.blobs.size(blob)?.is_none() {
            return Err(unknown(blob));
        }
    }
    if let Some(child) = wish.intake.manifests.iter().find(|child| !draft.has(repository, child)) {
        return Err(unknown(child));
    }
    let size = wish.bytes.len() as u64;
    if record.blobs.size(&digest)? != Some(size) {
        record.blobs.store(&digest, &wish.bytes)?;
    }
    let media_type = wish.media_type.as_str().into();
    let facts = Facts { media_type, size, subject: wish.intake.subject, extra: None };
    draft.put(repository, &wish.put, digest, facts)
}

/// Returns the error that stopped a whole turn once more, for one of its wishes.
fn again(error: &OciError) -> OciError {
    match error {
        OciError::Disk { action, path, source } => {
            let source = match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            };
            OciError::disk(action, path, source)
        }
        OciError::Damaged { place, reason } => {
            OciError::Damaged { place: place.clone(), reason: reason.clone() }
        }
        OciError::Invalid { what, reason } => {
            OciError::Invalid { what: what.clone(), reason: reason.clone() }
        }
        OciError::TooLarge { what, bytes_max } => {
            OciError::TooLarge { what: what.clone(), bytes_max: *bytes_max }
        }
        other => OciError::Damaged { place: "layout".to_owned(), reason: other.to_string() },
    }
}
