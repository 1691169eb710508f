//! The one way to a disk for everything that writes.
//!
//! Every step that changes a file or a folder, or makes a change durable, passes here, so that tests
//! can fail it, stop at it, or play a power loss from the list of steps. Reading needs no such care
//! and is done where it is needed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::OciError;

/// One step on the disk, as the witness of a test sees it before it is taken.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "only a witness looks into a step"))]
pub(crate) enum Step<'a> {
    /// A folder is made.
    MakeFolder,
    /// An empty file is made that did not exist.
    Create(&'a Path),
    /// Bytes are written at the end of a file.
    Append(&'a Path, &'a [u8]),
    /// A file is cut to a length.
    Truncate(&'a Path, u64),
    /// The content of a file is made durable.
    Sync(&'a Path),
    /// A file gets another name, in place of what had it.
    Rename(&'a Path, &'a Path),
    /// The names in a folder are made durable.
    SyncFolder(&'a Path),
    /// A file is removed.
    Remove(&'a Path),
}

/// What a test puts between us and the disk: an error instead of a step that is not taken.
pub(crate) type Witness = Arc<dyn Fn(&Step<'_>) -> io::Result<()> + Send + Sync>;

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct Disk {
    witness: Option<Witness>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Disk").finish_non_exhaustive()
    }
}

impl Disk {
    /// Returns a disk that asks `witness` before each step.
    #[cfg(test)]
    pub(crate) fn with_witness(witness: Witness) -> Self {
        Self { witness: Some(witness) }
    }

    fn take<T>(
        &self,
        action: &'static str,
        path: &Path,
        step: &Step<'_>,
        work: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, OciError> {
        let allowed = self.witness.as_ref().map_or(Ok(()), |witness| witness(step));
        allowed.and_then(|()| work()).map_err(|source| OciError::disk(action, path, source))
    }

    /// Makes a folder with all above it, each durable in the folder that holds it.
    pub(crate) fn make_folders(&self, path: &Path) -> Result<(), OciError> {
        let mut missing = Vec::new();
        let mut folder = path;
        while !folder.is_dir() {
            missing.push(folder);
            match folder.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => folder = parent,
                _ => break,
            }
        }
        for folder in missing.into_iter().rev() {
            let made = self.take("make folder", folder, &Step::MakeFolder, || fs::create_dir(folder));
            match made {
                Err(OciError::Disk { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
            let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
            self.sync_folder(parent.unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub(crate) fn sync_folder(&self, path: &Path) -> Result<(), OciError> {
        self.take("sync folder", path, &Step::SyncFolder(path), || File::open(path)?.sync_all())
    }

    /// Makes the content of a file durable.
    pub(crate) fn sync(&self, file: &File, path: &Path) -> Result<(), OciError> {
        self.take("sync", path, &Step::Sync(path), || file.sync_data())
    }

    /// Writes bytes at the end of a file that was opened for appending.
    pub(crate) fn append(&self, mut file: &File, path: &Path, bytes: &[u8]) -> Result<(), OciError> {
        self.take("write", path, &Step::Append(path, bytes), || file.write_all(bytes))
    }

    /// Cuts a file.
    pub(crate) fn truncate(&self, file: &File, path: &Path, length: u64) -> Result<(), OciError> {
        self.take("cut", path, &Step::Truncate(path, length), || file.set_len(length))
    }

    /// Gives a file another name, in place of what had it.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), OciError> {
        self.take("rename to", to, &Step::Rename(from, to), || fs::rename(from, to))
    }

    /// Removes a file; returns whether it was there.
    pub(crate) fn remove(&self, path: &Path) -> Result<bool, OciError> {
        match self.take("remove", path, &Step::Remove(path), || fs::remove_file(path)) {
            Ok(()) => Ok(true),
            Err(OciError::Disk { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Opens a file for appending, which is made when it does not exist.
    pub(crate) fn open_append(&self, path: &Path) -> Result<File, OciError> {
        let opened = OpenOptions::new().append(true).read(true).open(path);
        match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.take("create", path, &Step::Create(path), || {
                    OpenOptions::new().append(true).read(true).create(true).open(path)
                })
            }
            other => other.map_err(|source| OciError::disk("open", path, source)),
        }
    }

    /// Makes an unfinished file with a name of its own in `folder`.
    pub(crate) fn unfinished(&self, folder: &Path) -> Result<Unfinished, OciError> {
        let path = folder.join(unique_name());
        let file = self.take("create", &path, &Step::Create(&path), || {
            OpenOptions::new().append(true).create_new(true).open(&path)
        })?;
        Ok(Unfinished { disk: self.clone(), file, path, is_named: false })
    }

    /// Replaces a file by `bytes`: unfinished file, sync, rename, sync of the folder.
    pub(crate) fn replace(&self, tmp: &Path, path: &Path, bytes: &[u8]) -> Result<(), OciError> {
        let mut file = self.unfinished(tmp)?;
        file.write(bytes)?;
        file.sync()?;
        file.rename(path)?;
        self.sync_folder(path.parent().unwrap_or(Path::new(".")))
    }
}

/// A name that no other file has: other processes, also in other containers, use the folder too.
pub(crate) fn unique_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{}-{next}", std::process::id(), since.as_nanos())
}

/// A file that has no lasting name yet; it is removed when it never gets one.
#[derive(Debug)]
pub(crate) struct Unfinished {
    disk: Disk,
    file: File,
    path: PathBuf,
    is_named: bool,
}

impl Unfinished {
    /// Writes at the end.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), OciError> {
        self.disk.append(&self.file, &self.path, bytes)
    }

    /// Makes the content durable.
    pub(crate) fn sync(&self) -> Result<(), OciError> {
        self.disk.sync(&self.file, &self.path)
    }

    /// Gives the file its lasting name; the caller makes the name durable.
    pub(crate) fn rename(mut self, to: &Path) -> Result<(), OciError> {
        self.disk.rename(&self.path, to)?;
        self.is_named = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_named
            && let Err(error) = self.disk.remove(&self.path)
        {
            // It stays as garbage that the next writer removes after a day.
            tracing::debug!(%error, "unfinished file stays");
        }
    }
}
