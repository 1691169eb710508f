//! The content of a layout: files named by their digest.
//!
//! A file gets its name only when it is whole and synced. A blob counts as stored when the name is
//! durable too; callers that wait together share one sync of the folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use bytes::Bytes;
use ringsite_names::{Digest, Hasher};

use crate::disk::{Disk, Unfinished};
use crate::error::OciError;
use crate::limits::{CHUNK_BYTES, DURABLE_REMEMBERED_MAX};
use crate::names::FOLDER_BLOBS;
use crate::stream::BlobSender;

/// The folder of all content.
#[derive(Debug)]
pub(super) struct Blobs {
    disk: Disk,
    root: PathBuf,
    tmp: PathBuf,
    sha256: FolderSync,
    sha512: FolderSync,
    durable: Mutex<HashSet<Digest>>,
}

impl Blobs {
    pub(super) fn new(disk: Disk, layout: &Path, tmp: PathBuf) -> Self {
        let root = layout.join(FOLDER_BLOBS);
        Self {
            sha256: FolderSync::new(root.join("sha256")),
            sha512: FolderSync::new(root.join("sha512")),
            durable: Mutex::new(HashSet::new()),
            disk,
            root,
            tmp,
        }
    }

    /// Returns where a blob lies.
    pub(super) fn path(&self, digest: &Digest) -> PathBuf {
        self.root.join(digest.algorithm()).join(digest.to_hex())
    }

    /// Returns the size of a blob, or nothing when it is not there.
    pub(super) fn size(&self, digest: &Digest) -> Result<Option<u64>, OciError> {
        let path = self.path(digest);
        match fs::metadata(&path) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(OciError::disk("look at", &path, source)),
        }
    }

    /// Opens a blob, or nothing when it is not there.
    pub(super) fn open(&self, digest: &Digest) -> Result<Option<(File, u64)>, OciError> {
        let path = self.path(digest);
        let opened = File::open(&path).and_then(|file| {
            let size = file.metadata()?.len();
            Ok((file, size))
        });
        match opened {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(source) => Err(OciError::disk("open", &path, source)),
        }
    }

    /// Reads a whole blob of at most `bytes_max` bytes and verifies it; nothing when it is not there.
    pub(super) fn read(&self, digest: &Digest, bytes_max: u64) -> Result<Option<Bytes>, OciError> {
        let Some((file, size)) = self.open(digest)? else { return Ok(None) };
        if size > bytes_max {
            return Err(OciError::TooLarge { what: format!("content {digest}"), bytes_max });
        }
        let path = self.path(digest);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        let read = file.take(bytes_max + 1).read_to_end(&mut bytes);
        read.map_err(|source| OciError::disk("read", &path, source))?;
        if !digest.matches(&bytes) {
            return Err(OciError::damaged_file(&path, content_reason(&Digest::sha256(&bytes))));
        }
        Ok(Some(bytes.into()))
    }

    /// Sends a blob piece by piece; the last piece only when the whole has the right digest.
    pub(super) fn send(&self, digest: &Digest, mut file: File, mut sender: BlobSender) {
        let path = self.path(digest);
        let mut hasher = digest.hasher();
        let mut held: Option<Bytes> = None;
        loop {
            let mut chunk = vec![0; CHUNK_BYTES];
            let count = match read_full(&mut file, &mut chunk) {
                Ok(count) => count,
                Err(source) => return sender.fail_blocking(OciError::disk("read", &path, source)),
            };
            if count == 0 {
                break;
            }
            chunk.truncate(count);
            hasher.update(&chunk);
            if let Some(previous) = held.replace(chunk.into())
                && sender.send_blocking(previous).is_err()
            {
                return;
            }
        }
        let found = hasher.finish();
        if found != *digest {
            return sender.fail_blocking(OciError::damaged_file(&path, content_reason(&found)));
        }
        // A reader that went away does not need the rest.
        if let Some(last) = held
            && sender.send_blocking(last).is_err()
        {
            return;
        }
        let _ = sender.finish_blocking();
    }

    /// Stores content that is in memory, durably.
    pub(super) fn store(&self, digest: &Digest, bytes: &[u8]) -> Result<(), OciError> {
        if !self.is_stored(digest, bytes)? {
            self.make_folder(digest)?;
            let mut file = self.disk.unfinished(&self.tmp)?;
            file.write(bytes)?;
            file.sync()?;
            file.rename(&self.path(digest))?;
            self.folder(digest).sync(&self.disk)?;
            self.remember(digest);
            return Ok(());
        }
        self.settle(digest).map(|_| ())
    }

    /// Returns whether the very same bytes are there; damaged content is not, and is written again.
    fn is_stored(&self, digest: &Digest, bytes: &[u8]) -> Result<bool, OciError> {
        match self.read(digest, bytes.len() as u64) {
            Ok(found) => Ok(found.is_some()),
            Err(OciError::Damaged { .. } | OciError::TooLarge { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes sure that content which somebody wrote is durable; false when it is not there.
    ///
    /// Another process may have renamed it this moment, and another tool may never sync.
    pub(super) fn settle(&self, digest: &Digest) -> Result<bool, OciError> {
        if self.durable.lock().unwrap_or_else(PoisonError::into_inner).contains(digest) {
            return Ok(self.size(digest)?.is_some());
        }
        let Some((file, _)) = self.open(digest)? else { return Ok(false) };
        self.disk.sync(&file, &self.path(digest))?;
        self.folder(digest).sync(&self.disk)?;
        self.remember(digest);
        Ok(true)
    }

    /// Begins to store content whose digest is told at the end.
    pub(super) fn begin(&self, hasher: Hasher) -> Result<Incoming, OciError> {
        Ok(Incoming { file: self.disk.unfinished(&self.tmp)?, hasher, size: 0 })
    }

    /// Ends storing: durable, under the name of its digest, in place of what may be damaged there.
    pub(super) fn finish(
        &self,
        incoming: Incoming,
        expected: Option<&Digest>,
    ) -> Result<(Digest, u64), OciError> {
        let digest = incoming.hasher.finish();
        check_expected(expected, &digest)?;
        self.make_folder(&digest)?;
        incoming.file.sync()?;
        incoming.file.rename(&self.path(&digest))?;
        self.folder(&digest).sync(&self.disk)?;
        self.remember(&digest);
        Ok((digest, incoming.size))
    }

    /// Removes content; returns whether it was there.
    pub(super) fn remove(&self, digest: &Digest) -> Result<bool, OciError> {
        self.durable.lock().unwrap_or_else(PoisonError::into_inner).remove(digest);
        self.disk.remove(&self.path(digest))
    }

    fn remember(&self, digest: &Digest) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        if durable.len() >= DURABLE_REMEMBERED_MAX {
            durable.clear();
        }
        durable.insert(*digest);
    }

    fn folder(&self, digest: &Digest) -> &FolderSync {
        match digest {
            Digest::Sha256(_) => &self.sha256,
            Digest::Sha512(_) => &self.sha512,
        }
    }

    /// The folder of sha256 is made with the layout, the other one only when it is needed.
    fn make_folder(&self, digest: &Digest) -> Result<(), OciError> {
        match digest {
            Digest::Sha256(_) => Ok(()),
            Digest::Sha512(_) => self.disk.make_folders(&self.sha512.path),
        }
    }
}

/// Content on its way to the disk.
#[derive(Debug)]
pub(super) struct Incoming {
    file: Unfinished,
    hasher: Hasher,
    size: u64,
}

impl Incoming {
    /// Takes the next piece.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), OciError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.file.write(bytes)
    }
}

/// Refuses content that is not what was announced.
pub(super) fn check_expected(expected: Option<&Digest>, found: &Digest) -> Result<(), OciError> {
    match expected {
        Some(expected) if expected != found => {
            Err(OciError::DigestMismatch { expected: Box::new(*expected), found: Box::new(*found) })
        }
        _ => Ok(()),
    }
}

fn content_reason(found: &Digest) -> String {
    format!("its content has digest {found}; push the same content again to replace it")
}

/// A folder that is missing, or a file in its place, holds no blob.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Syncs a folder once for all who renamed something into it before the sync began.
#[derive(Debug)]
struct FolderSync {
    path: PathBuf,
    rounds: Mutex<Rounds>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rounds {
    /// The last round that has begun.
    begun: u64,
    /// The last round that has ended.
    ended: u64,
    /// The last round that failed, and how.
    failed: Option<(u64, io::ErrorKind, Option<i32>)>,
}

impl FolderSync {
    fn new(path: PathBuf) -> Self {
        Self { path, rounds: Mutex::default(), changed: Condvar::new() }
    }

    /// Returns when a sync that began after this call has ended.
    fn sync(&self, disk: &Disk) -> Result<(), OciError> {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = rounds.begun + 1;
        while rounds.ended < wanted {
            if rounds.begun > rounds.ended {
                rounds = self.changed.wait(rounds).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            rounds.begun += 1;
            let round = rounds.begun;
            drop(rounds);
            let outcome = disk.sync_folder(&self.path);
            rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
            rounds.ended = round;
            self.changed.notify_all();
            if let Err(OciError::Disk { source, .. }) = &outcome {
                rounds.failed = Some((round, source.kind(), source.raw_os_error()));
            }
        }
        match rounds.failed {
            // A later round that succeeds does not prove that what the failed one left is durable.
            Some((round, kind, code)) if round >= wanted => {
                let source = code.map_or_else(|| io::Error::from(kind), io::Error::from_raw_os_error);
                Err(OciError::disk("sync folder", &self.path, source))
            }
            _ => Ok(()),
        }
    }
}
