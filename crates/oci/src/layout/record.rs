//! The record of a layout in memory and on disk: loading the tag log, and adding to it under the lock.
//!
//! Readers look at the log's size before each answer and take no lock. Writers hold the lock of the
//! file `lock`, one process at a time; writers of one process that wait together share one sync.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockWriteGuard};

use ringsite_names::Digest;

use super::blobs::Blobs;
use super::index::{Listing, foreign_changes};
use super::log::{self, Fault};
use super::note::Note;
use super::paths::Paths;
use crate::disk::Disk;
use crate::error::OciError;
use crate::limits::{INDEX_BYTES_MAX, LOAD_ATTEMPTS_MAX, LOG_BYTES_MAX};
use crate::state::{Change, State};

/// The record and everything that is needed to change it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) disk: Disk,
    pub(super) paths: Paths,
    pub(super) blobs: Blobs,
    view: RwLock<View>,
    session: Mutex<Session>,
    /// Until this process writes, what other tools did to `index.json` is only laid over what is read.
    has_written: AtomicBool,
}

/// Device and inode of a file: another log has others while we hold this one open.
type Identity = (u64, u64);

/// What was read of the tag log.
#[derive(Debug, Default)]
pub(super) struct View {
    /// Device and inode of the log that was read; none when there was no log.
    identity: Option<Identity>,
    /// The log that was read, open so that no other one gets its inode.
    file: Option<File>,
    is_loaded: bool,
    pub(super) generation: String,
    /// Where the next frame belongs.
    pub(super) offset: u64,
    /// Length of the log when it was read; longer than `offset` when its tail is torn.
    length: u64,
    /// This process is writing to the log, and has the lock. Until that is durable, and in the state,
    /// its readers answer from the state before it.
    is_held: bool,
    pub(super) state: State,
}

/// A log as it was read from an offset on.
struct LogRead {
    bytes: Vec<u8>,
    identity: Identity,
    file: File,
}

/// What a writer keeps between two turns.
#[derive(Debug, Default)]
pub(super) struct Session {
    lock: Option<File>,
    log: Option<(File, Identity)>,
    is_started: bool,
    /// The log is known to be durable up to here.
    synced: u64,
    /// Where a frame begins and ends that could be neither confirmed nor cut off again.
    uncut: Option<(u64, u64)>,
    /// Manifests that are gone from the state and not yet from `index.json`.
    pub(super) doomed: Vec<Digest>,
}

/// The lock of the layout, given back when it is dropped.
struct Locked<'f>(&'f File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "lock of the layout was not given back");
        }
    }
}

impl Record {
    pub(super) fn new(disk: Disk, root: PathBuf) -> Self {
        let paths = Paths::new(root);
        Self {
            blobs: Blobs::new(disk.clone(), &paths.root, paths.tmp.clone()),
            disk,
            paths,
            view: RwLock::default(),
            session: Mutex::default(),
            has_written: AtomicBool::new(false),
        }
    }

    /// Answers a question about the state as it is now.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, OciError> {
        self.refresh()?;
        Ok(self.look(|view| look(&view.state)))
    }

    /// Answers a question about what was last read.
    pub(super) fn look<T>(&self, look: impl FnOnce(&View) -> T) -> T {
        look(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the lock and runs `work` on a record that is up to date.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, OciError>,
    ) -> Result<T, OciError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_layout()?;
        let lock = match session.lock.take() {
            Some(lock) => lock,
            None => self.disk.open_append(&self.paths.lock)?,
        };
        let outcome = self.write_locked(&lock, &mut session, work);
        session.lock = Some(lock);
        outcome
    }

    fn write_locked<T>(
        &self,
        lock: &File,
        session: &mut Session,
        work: impl FnOnce(&mut Session) -> Result<T, OciError>,
    ) -> Result<T, OciError> {
        lock.lock().map_err(|source| OciError::disk("lock", &self.paths.lock, source))?;
        let _locked = Locked(lock);
        if !session.is_started || !self.paths.log.exists() {
            self.start(session)?;
            session.is_started = true;
        }
        self.cut_unconfirmed(session)?;
        self.refresh()?;
        self.cut_tail(session)?;
        work(session)
    }

    /// What a process does when it writes for the first time: finish the layout, clean up, and take
    /// over what other tools changed.
    fn start(&self, session: &mut Session) -> Result<(), OciError> {
        self.finish_layout()?;
        self.has_written.store(true, Ordering::Release);
        *self.view_mut() = View::default();
        self.refresh()?;
        self.cut_tail(session)?;
        let is_changed = self.take_over(session)?;
        if is_changed || !self.paths.index.exists() {
            self.project(session)?;
        }
        Ok(())
    }

    /// Adds changes to the log; they are durable, and then visible, when it answers.
    ///
    /// Order of writes: the frame, its sync, and only then the state in memory. A frame that could
    /// not be written or synced is cut off again.
    pub(super) fn append(&self, session: &mut Session, changes: Vec<Change>) -> Result<(), OciError> {
        let (offset, identity) = self.look(|view| (view.offset, view.identity));
        if changes.is_empty() && session.synced == offset {
            return Ok(());
        }
        let file = self.open_log(session, identity)?;
        if changes.is_empty() {
            // Another process wrote what we are about to confirm, and may have died before its sync.
            self.disk.sync(file, &self.paths.log)?;
            session.synced = offset;
            return Ok(());
        }
        let frame = log::frame(&changes);
        self.view_mut().is_held = true;
        let written = self.disk.append(file, &self.paths.log, &frame);
        let written = written.and_then(|()| self.disk.sync(file, &self.paths.log));
        if let Err(error) = written {
            session.uncut = Some((offset, offset + frame.len() as u64));
            if let Err(second) = self.cut_unconfirmed(session) {
                tracing::warn!(%second, "a record that was not confirmed stays in the tag log for now");
            }
            return Err(error);
        }
        let mut view = self.view_mut();
        view.is_held = false;
        for change in changes {
            view.state.apply(change).expect("changes are decided on this very state");
        }
        view.offset += frame.len() as u64;
        view.length = view.offset;
        session.synced = view.offset;
        Ok(())
    }

    /// Cuts off a frame that was written and refused; until that works, this process answers from the
    /// state before it and writes nothing.
    ///
    /// When another process has built on the frame, it stands.
    fn cut_unconfirmed(&self, session: &mut Session) -> Result<(), OciError> {
        let Some((begin, end)) = session.uncut else { return Ok(()) };
        let (identity, length) = self.look_at_log()?.unwrap_or_default();
        if self.look(|view| view.identity) == Some(identity) && length > begin && length <= end {
            let file = self.open_log(session, Some(identity))?;
            self.disk.truncate(file, &self.paths.log, begin)?;
        }
        session.uncut = None;
        self.view_mut().is_held = false;
        Ok(())
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the log anew with only what is there now, under a new generation.
    pub(super) fn rewrite_log(
        &self,
        session: &mut Session,
        generation: &str,
        bytes: &[u8],
    ) -> Result<(), OciError> {
        self.disk.replace(&self.paths.tmp, &self.paths.log, bytes)?;
        session.log = None;
        session.synced = bytes.len() as u64;
        let read = self.read_log(bytes.len() as u64)?;
        let mut view = self.view_mut();
        view.identity = read.as_ref().map(|read| read.identity);
        view.file = read.map(|read| read.file);
        view.offset = bytes.len() as u64;
        view.length = view.offset;
        generation.clone_into(&mut view.generation);
        Ok(())
    }

    /// Appends what other tools did to `index.json`; returns whether they did anything.
    pub(super) fn take_over(&self, session: &mut Session) -> Result<bool, OciError> {
        let note = Note::read(&self.paths.projected)?;
        let Some(index) = self.read_index()? else { return Ok(false) };
        let changes = self.look(|view| {
            self.foreign_changes(view, &note, &index, &|offset| {
                let bytes = self.read_log(0)?.map(|read| read.bytes).unwrap_or_default();
                self.state_at(&bytes, offset)
            })
        })?;
        let Some(changes) = changes else { return Ok(false) };
        if !changes.is_empty() {
            tracing::info!(changes = changes.len(), "another tool changed index.json");
            self.append(session, changes)?;
        }
        Ok(true)
    }

    /// Reads `index.json`; nothing when it is missing.
    pub(super) fn read_index(&self) -> Result<Option<Vec<u8>>, OciError> {
        read_bounded(&self.paths.index, INDEX_BYTES_MAX)
    }

    /// Returns what other tools did to `index.json` since we wrote it; nothing when it is ours.
    fn foreign_changes(
        &self,
        view: &View,
        note: &Note,
        index: &[u8],
        state_at: &dyn Fn(u64) -> Result<State, OciError>,
    ) -> Result<Option<Vec<Change>>, OciError> {
        let digest = Digest::sha256(index);
        if view.identity.is_some() && note.candidates().any(|ours| ours.index == digest) {
            return Ok(None);
        }
        let theirs = Listing::read(index).map_err(|error| {
            let reason = format!("{error}; remove the file, it is written again from the tag log");
            OciError::damaged_file(&self.paths.index, reason)
        })?;
        let mut bases = Vec::new();
        for ours in note.candidates().filter(|ours| ours.generation == view.generation) {
            bases.push(Listing::of_state(&state_at(ours.offset)?));
        }
        let has_content = |digest: &Digest| self.blobs.size(digest).map(|size| size.is_some());
        let changes = foreign_changes(&theirs, &bases, &view.state, &has_content)?;
        Ok(Some(super::adopt::describe(&self.blobs, changes)))
    }

    fn state_at(&self, log: &[u8], offset: u64) -> Result<State, OciError> {
        let end = usize::try_from(offset).unwrap_or(usize::MAX).min(log.len());
        let mut state = State::default();
        if let Some((_, start)) = log::read_header(&log[..end]).map_err(|fault| self.damaged(&fault))? {
            log::replay(&log[..end], start, &mut state).map_err(|fault| self.damaged(&fault))?;
        }
        Ok(state)
    }

    /// Reads what was added to the log since the last look.
    pub(super) fn refresh(&self) -> Result<(), OciError> {
        let found = self.look_at_log()?;
        let is_current = |view: &View| {
            let length = found.map_or(0, |(_, length)| length);
            let is_same = view.identity == found.map(|(identity, _)| identity) && view.length == length;
            view.is_loaded && (view.is_held || is_same)
        };
        if self.look(is_current) {
            return Ok(());
        }
        let mut view = self.view_mut();
        if is_current(&view) {
            return Ok(());
        }
        let is_same = view.is_loaded && view.identity == found.map(|(identity, _)| identity);
        if is_same && found.is_some_and(|(_, length)| length >= view.offset) && self.load_more(&mut view)? {
            return Ok(());
        }
        view.is_loaded = false;
        *view = self.load()?;
        Ok(())
    }

    /// Loads the frames behind the view; false when they do not fit and all must be read again.
    fn load_more(&self, view: &mut View) -> Result<bool, OciError> {
        let Some(read) = self.read_log(view.offset)? else { return Ok(false) };
        let bytes = read.bytes;
        if Some(read.identity) != view.identity {
            return Ok(false);
        }
        let Ok(end) = log::replay(&bytes, 0, &mut view.state) else { return Ok(false) };
        view.length = view.offset + bytes.len() as u64;
        view.offset += end as u64;
        Ok(true)
    }

    /// Loads the whole log, and lays over it what other tools did as long as this process only reads.
    ///
    /// A reader has no lock, so a writer may be at work: what looks wrong is read again before it is
    /// called damage, and another tool's change is only believed when the note stood still meanwhile.
    fn load(&self) -> Result<View, OciError> {
        let mut attempt = 1;
        loop {
            // The note before the log: the log is then at least as long as the note says.
            let note = Note::read(&self.paths.projected)?;
            let outcome = self.load_once(&note);
            let is_quiet = Note::read(&self.paths.projected)? == note;
            match outcome {
                Ok((view, None)) => return Ok(view),
                Ok((mut view, Some(changes))) if is_quiet => {
                    for change in changes {
                        let applied = view.state.apply(change);
                        applied.map_err(|reason| OciError::damaged_file(&self.paths.index, reason))?;
                    }
                    return Ok(view);
                }
                Ok((view, Some(_))) if attempt == LOAD_ATTEMPTS_MAX => return Ok(view),
                Err(error) if attempt == LOAD_ATTEMPTS_MAX => return Err(error),
                _ => attempt += 1,
            }
        }
    }

    fn load_once(&self, note: &Note) -> Result<(View, Option<Vec<Change>>), OciError> {
        let mut view = View { is_loaded: true, ..View::default() };
        let mut bytes = Vec::new();
        if let Some(read) = self.read_log(0)? {
            bytes = read.bytes;
            view.identity = Some(read.identity);
            view.file = Some(read.file);
            let header = log::read_header(&bytes).map_err(|fault| self.damaged(&fault))?;
            let Some((generation, start)) = header else {
                let reason = "it ends before its first record".to_owned();
                return Err(self.damaged(&Fault { offset: 0, reason }));
            };
            let end = log::replay(&bytes, start, &mut view.state).map_err(|fault| self.damaged(&fault))?;
            view.generation = generation;
            view.offset = end as u64;
            view.length = bytes.len() as u64;
            self.check_length(&view, note)?;
        }
        if self.has_written.load(Ordering::Acquire) {
            return Ok((view, None));
        }
        let Some(index) = self.read_index()? else { return Ok((view, None)) };
        let state_at = |offset| self.state_at(&bytes, offset);
        let changes = self.foreign_changes(&view, note, &index, &state_at)?;
        Ok((view, changes))
    }

    /// A log that is shorter than when it was last projected has lost records that were confirmed.
    fn check_length(&self, view: &View, note: &Note) -> Result<(), OciError> {
        let longest = note.candidates().filter(|ours| ours.generation == view.generation);
        match longest.map(|ours| ours.offset).max() {
            Some(offset) if offset > view.offset => {
                let reason = format!("its records end here, and went on to byte {offset} before");
                Err(self.damaged(&Fault { offset: usize::try_from(view.offset).unwrap_or(0), reason }))
            }
            _ => Ok(()),
        }
    }

    fn damaged(&self, fault: &Fault) -> OciError {
        OciError::damaged_file(&self.paths.log, format!("at byte {}: {}", fault.offset, fault.reason))
    }

    fn look_at_log(&self) -> Result<Option<(Identity, u64)>, OciError> {
        match fs::metadata(&self.paths.log) {
            Ok(found) => Ok(Some(((found.dev(), found.ino()), found.len()))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(OciError::disk("look at", &self.paths.log, source)),
        }
    }

    fn read_log(&self, offset: u64) -> Result<Option<LogRead>, OciError> {
        let read = || {
            let mut file = File::open(&self.paths.log)?;
            let found = file.metadata()?;
            let mut bytes =
                Vec::with_capacity(usize::try_from(found.len() - offset.min(found.len())).unwrap_or(0));
            file.seek(SeekFrom::Start(offset))?;
            (&file).take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
            Ok(LogRead { bytes, identity: (found.dev(), found.ino()), file })
        };
        match read() {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(source) => Err(OciError::disk("read", &self.paths.log, source)),
        }
    }

    /// Cuts what a writer that died left half written.
    fn cut_tail(&self, session: &mut Session) -> Result<(), OciError> {
        let (offset, length, identity) = self.look(|view| (view.offset, view.length, view.identity));
        if length <= offset {
            return Ok(());
        }
        tracing::warn!(bytes = length - offset, "cutting a record that was never confirmed");
        let file = self.open_log(session, identity)?;
        self.disk.truncate(file, &self.paths.log, offset)?;
        self.view_mut().length = offset;
        Ok(())
    }

    fn open_log<'s>(
        &self,
        session: &'s mut Session,
        identity: Option<Identity>,
    ) -> Result<&'s File, OciError> {
        let is_open = session.log.as_ref().is_some_and(|(_, opened)| Some(*opened) == identity);
        if !is_open {
            let file = self.disk.open_append(&self.paths.log)?;
            let found = file.metadata().map_err(|source| OciError::disk("open", &self.paths.log, source))?;
            session.log = Some((file, (found.dev(), found.ino())));
            session.synced = 0;
        }
        Ok(&session.log.as_ref().expect("was opened above").0)
    }
}

/// Reads a whole file; nothing when it is missing.
pub(super) fn read_bounded(path: &std::path::Path, bytes_max: u64) -> Result<Option<Vec<u8>>, OciError> {
    let read = || {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(bytes_max)).unwrap_or(0) + 1);
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    match read() {
        Ok(bytes) if bytes.len() as u64 > bytes_max => {
            Err(OciError::TooLarge { what: path.display().to_string(), bytes_max })
        }
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(source) => Err(OciError::disk("read", path, source)),
    }
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
