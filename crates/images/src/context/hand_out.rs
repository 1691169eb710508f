//! Hands out what a recipe names, and refuses anything that is not as the recipe says.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::Context;
use super::resolve::resolve;
use super::walk::join;
use crate::limits::READ_BYTES;
use crate::stamp::Stamp;
use crate::{EntryKind, RecipeEntry, Sources};

/// Why something of a recipe cannot be handed out.
#[derive(Debug, thiserror::Error)]
pub enum HandOutError {
    /// It is not what the revision was computed from.
    #[error("source changed while building: {}", .0.display())]
    Changed(PathBuf),
    /// The file system says no.
    #[error("cannot read {}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The staged folder cannot be written.
    #[error("cannot write {}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
}

/// Reads a source and compares it with its recipe: before the last byte is handed out, or as soon as
/// it is too long, reading fails with a [`HandOutError::Changed`] when it differs.
#[derive(Debug)]
pub struct SourceReader {
    file: File,
    hasher: Option<Sha256>,
    bytes_left: u64,
    sha256: [u8; 32],
    shown: PathBuf,
}

impl SourceReader {
    fn changed(&self) -> io::Error {
        io::Error::other(HandOutError::Changed(self.shown.clone()))
    }
}

impl Read for SourceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(hasher) = &mut self.hasher else { return Ok(0) };
        if buffer.is_empty() {
            return Ok(0);
        }
        // One byte more than the recipe says shows a file that has grown.
        let wanted = usize::try_from(self.bytes_left).map_or(usize::MAX, |left| left.saturating_add(1));
        let wanted = wanted.min(buffer.len());
        let count = self.file.read(&mut buffer[..wanted])?;
        hasher.update(&buffer[..count]);
        match self.bytes_left.checked_sub(count as u64) {
            Some(left) => self.bytes_left = left,
            None => return Err(self.changed()),
        }
        // The last byte is handed out only with the right hash, whether or not the caller reads on.
        if self.bytes_left == 0 {
            let is_same = self.hasher.take().is_some_and(|hasher| hasher.finalize()[..] == self.sha256);
            return if is_same { Ok(count) } else { Err(self.changed()) };
        }
        if count == 0 { Err(self.changed()) } else { Ok(count) }
    }
}

impl Context {
    /// Opens a file of a recipe; what is read is hashed again.
    ///
    /// # Errors
    /// [`HandOutError::Changed`] when it is no file any more, or is executable and was not, or the
    /// other way round; [`HandOutError::Io`] when it cannot be opened. Reading fails when the
    /// content differs.
    pub fn open(&self, entry: &RecipeEntry) -> Result<SourceReader, HandOutError> {
        let shown = self.show(&entry.path);
        let io = |error: io::Error| HandOutError::Io { path: shown.clone(), source: error };
        // Nearly every source is no link. Where a link stands in the middle of the path, the kernel
        // follows it: whatever is found has to have the hash of the recipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = match openat(CWD, self.root.join(&entry.path), flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::LOOP) => {
                let root = self.open_root().map_err(|problem| io(io::Error::other(problem.message)))?;
                let real =
                    resolve(&root, &entry.path).map_err(|_| HandOutError::Changed(shown.clone()))?.real;
                openat(&root, &*real, flags, Mode::empty()).map_err(|error| io(error.into()))?
            }
            Err(Errno::NOENT | Errno::NOTDIR) => return Err(HandOutError::Changed(shown)),
            Err(error) => return Err(io(error.into())),
        };
        let stamp = Stamp::of(&fstat(&descriptor).map_err(|error| io(error.into()))?);
        let is_same_kind = match entry.kind {
            EntryKind::File => !stamp.is_executable(),
            EntryKind::Executable => stamp.is_executable(),
            _ => false,
        };
        if stamp.file_type() != FileType::RegularFile || stamp.bytes != entry.bytes || !is_same_kind {
            return Err(HandOutError::Changed(shown));
        }
        Ok(SourceReader {
            file: File::from(descriptor),
            hasher: Some(Sha256::new()),
            bytes_left: entry.bytes,
            sha256: entry.sha256,
            shown,
        })
    }

    /// Returns the target of a link of a recipe.
    ///
    /// # Errors
    /// [`HandOutError::Changed`] when it is no link any more or leads elsewhere.
    pub fn link_target(&self, entry: &RecipeEntry) -> Result<String, HandOutError> {
        let shown = self.show(&entry.path);
        let changed = || HandOutError::Changed(shown.clone());
        let root = self.open_root().map_err(|problem| HandOutError::Io {
            path: shown.clone(),
            source: io::Error::other(problem.message),
        })?;
        let (folder, name) = entry.path.rsplit_once('/').unwrap_or(("", &entry.path));
        let folder = resolve(&root, folder).map_err(|_| changed())?;
        let path = join(&folder.real, name);
        let target = readlinkat(&root, &*path, Vec::new()).map_err(|_| changed())?;
        let is_same = entry.kind == EntryKind::Link && Sha256::digest(target.to_bytes())[..] == entry.sha256;
        target.into_string().ok().filter(|_| is_same).ok_or_else(changed)
    }

    /// Copies exactly the sources of a recipe into the empty folder `target`, for builders that
    /// need a folder. Files become 0644 or 0755, folders 0755.
    ///
    /// Where one path is a file by one source and a link by another, the link counts: what it leads
    /// to is then a source, too.
    ///
    /// # Errors
    /// [`HandOutError::Changed`] when a source differs from the recipe, [`HandOutError::Io`] and
    /// [`HandOutError::Write`] for what the file system refuses.
    pub fn copy_to(&self, sources: &Sources, target: &Path) -> Result<(), HandOutError> {
        let files = sources.files();
        let is_link = |path: &str| sources.file(path, EntryKind::Link).is_some();
        let mut buffer = vec![0; READ_BYTES];
        for entry in files {
            let stands_below_link = entry.path.match_indices('/').any(|(at, _)| is_link(&entry.path[..at]));
            if stands_below_link || (entry.kind != EntryKind::Link && is_link(&entry.path)) {
                continue;
            }
            let path = target.join(&entry.path);
            let write = |error: io::Error| HandOutError::Write { path: path.clone(), source: error };
            if entry.kind == EntryKind::Directory {
                fs::create_dir_all(&path).map_err(write)?;
                continue;
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(write)?;
            }
            if entry.kind == EntryKind::Link {
                std::os::unix::fs::symlink(self.link_target(entry)?, &path).map_err(write)?;
            } else {
                self.copy_file(entry, &path, &mut buffer)?;
            }
        }
        Ok(())
    }

    fn copy_file(&self, entry: &RecipeEntry, path: &Path, buffer: &mut [u8]) -> Result<(), HandOutError> {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        let write = |error: io::Error| HandOutError::Write { path: path.to_path_buf(), source: error };
        let mut reader = self.open(entry)?;
        let mut file = File::create(path).map_err(write)?;
        loop {
            let count = match reader.read(buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) => return Err(from_read(error, &reader.shown)),
            };
            file.write_all(&buffer[..count]).map_err(write)?;
        }
        let mode = if entry.kind == EntryKind::Executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(write)
    }
}

/// Takes the error that [`SourceReader`] put into an `io::Error` out again.
fn from_read(error: io::Error, shown: &Path) -> HandOutError {
    match error.downcast::<HandOutError>() {
        Ok(error) => error,
        Err(source) => HandOutError::Io { path: shown.to_path_buf(), source },
    }
}
