//! The build context: the only reader of project files.
//!
//! It says which files the sources of an instruction mean ([`Context::select`]) and hands them out
//! for building ([`Context::open`], [`Context::link_target`], [`Context::copy_to`]), hashed again
//! while they are read. `.git` and `.ring` are never part of it, and what the ignore file leaves out
//! is not there. A source that itself is a link is followed and must stay inside; links below a
//! source are links.

mod hand_out;
mod resolve;
mod tree;
mod walk;

use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::ignore::{Ignore, candidates};
use crate::limits::IGNORE_BYTES_MAX;
use crate::names::NEVER_IN_CONTEXT;
use crate::small_file::read_small;
use crate::stamp::Stamp;
use crate::{EntryKind, Problem};

pub(crate) use tree::Spread;

pub use hand_out::{HandOutError, SourceReader};

/// A folder that images are built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    root: PathBuf,
    shown: PathBuf,
    ignore: Ignore,
}

/// Sources to look for, and where they are written.
#[derive(Clone, Copy, Debug)]
pub struct SelectRequest<'a> {
    /// The containerfile, as problems show it.
    pub file: &'a Path,
    /// The line of the instruction.
    pub line: u32,
    /// The expanded sources.
    pub sources: &'a [String],
    /// The expanded patterns of `--exclude`, relative to each source that is a folder; for a source
    /// that is a file they are compared with its name.
    pub exclude: &'a [String],
    /// Whether `--parents` is on, which also gives `**` its meaning in sources.
    pub parents: bool,
}

/// What one source, or one match of a pattern, brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The path relative to the context, empty for the context itself.
    pub source: String,
    /// What `--parents` keeps of the path: all of it, or what stands after `/./`.
    pub kept: String,
    /// Whether it is a folder, so that its content is copied.
    pub is_directory: bool,
    /// What is in it, sorted by path; for a file exactly one entry.
    pub entries: Vec<Entry>,
    /// Where the source really is, when links lead elsewhere.
    pub(crate) real: String,
}

/// One file, link or empty folder of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path relative to the context: `source`, or `source`, `/` and the path below it.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The size in bytes; for a link that of its target, for a folder 0.
    pub bytes: u64,
    /// The permission bits; 0 for a folder, which is not asked.
    pub mode: u32,
    pub(crate) stamp: Option<Stamp>,
}

impl Selection {
    /// Returns the part of `entry`'s path below the source; empty for the source itself.
    pub fn below<'e>(&self, entry: &'e Entry) -> &'e str {
        let rest = &entry.path[self.source.len()..];
        rest.strip_prefix('/').unwrap_or(rest)
    }

    /// Returns where an entry really is, relative to the context.
    pub(crate) fn real_path<'e>(&self, entry: &'e Entry) -> std::borrow::Cow<'e, str> {
        if self.real == self.source {
            return std::borrow::Cow::Borrowed(&entry.path);
        }
        let below = self.below(entry);
        let joined = match (self.real.is_empty(), below.is_empty()) {
            (true, _) => below.to_owned(),
            (false, true) => self.real.clone(),
            (false, false) => format!("{}/{below}", self.real),
        };
        std::borrow::Cow::Owned(joined)
    }
}

impl Context {
    /// Makes the context `root`, which problems show as `shown`, with the ignore file of
    /// `containerfile` (`<containerfile>.dockerignore`), else its own `.dockerignore`.
    ///
    /// # Errors
    /// Problems when `root` is no folder, or the ignore file cannot be read or has bad lines.
    pub fn new(root: &Path, shown: &Path, containerfile: &Path) -> Result<Self, Vec<Problem>> {
        let bare = Self::bare(root, shown);
        let open = bare.open_root().map_err(|problem| vec![problem])?;
        Self::new_below(&open, bare, containerfile, &mut Vec::new())
    }

    /// Gives the context `bare`, whose folder is open, its ignore file.
    pub(crate) fn new_below(
        open: &OwnedFd,
        bare: Self,
        containerfile: &Path,
        buffer: &mut Vec<u8>,
    ) -> Result<Self, Vec<Problem>> {
        for file in candidates(&bare.root, containerfile) {
            let shown = match file.strip_prefix(&bare.root) {
                Ok(inside) => bare.shown.join(inside),
                Err(_) => file.clone(),
            };
            let problem = |message: String| {
                let help = "make it a small text file in UTF-8, or remove it";
                vec![Problem::in_file(&shown, message, help)]
            };
            let read = read_small((open, &bare.root), &file, IGNORE_BYTES_MAX, buffer).map_err(|error| {
                problem(format!("the ignore file cannot be read: {}", std::io::Error::from(error)))
            })?;
            let Some(bytes) = read else { continue };
            if bytes.len() > IGNORE_BYTES_MAX {
                return Err(problem(format!("the ignore file is larger than {IGNORE_BYTES_MAX} bytes")));
            }
            let text = std::str::from_utf8(bytes)
                .map_err(|_| problem("the ignore file is not UTF-8 text".to_owned()))?;
            return Ok(Self { ignore: Ignore::read(&shown, text)?, ..bare });
        }
        Ok(bare)
    }

    /// Returns the context `root` without an ignore file.
    pub(crate) fn bare(root: &Path, shown: &Path) -> Self {
        Self { root: root.to_path_buf(), shown: shown.to_path_buf(), ignore: Ignore::default() }
    }

    /// Returns the folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns how problems show a path of the context.
    pub(crate) fn show(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.shown.clone() } else { self.shown.join(path) }
    }

    pub(crate) fn open_root(&self) -> Result<OwnedFd, Problem> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(CWD, &self.root, flags, Mode::empty()).map_err(|error| {
            let message = format!("the build context cannot be opened: {}", std::io::Error::from(error));
            Problem::in_file(&self.shown, message, "name a folder that can be read as `context` of the image")
        })
    }

    /// Finds what the sources of one instruction mean, each with everything in it.
    ///
    /// A pattern that matches nothing brings nothing, as long as another source brings something.
    ///
    /// # Errors
    /// A problem for each source that is not there, leaves the context or is left out of it, and
    /// for each file below that has a name that is not UTF-8, or is a device or socket.
    pub fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<Selection>, Vec<Problem>> {
        let root = self.open_root().map_err(|problem| vec![problem])?;
        self.select_below(&root, (&mut Vec::new(), Spread::Alone), request)
    }

    /// Does what [`select`](Self::select) does, with the folder already open and a buffer for names.
    pub(crate) fn select_below(
        &self,
        root: &OwnedFd,
        buffer: (&mut Vec<u8>, Spread),
        request: &SelectRequest<'_>,
    ) -> Result<Vec<Selection>, Vec<Problem>> {
        walk::select(self, root, buffer, request)
    }
}

/// Returns whether a name is that of a folder that is part of no context.
pub(crate) fn is_never_in_context(name: &str) -> bool {
    NEVER_IN_CONTEXT.contains(&name)
}
