//! Walks a folder of the build context, with the ignore file applied.

use std::borrow::Cow;
use std::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, RawDir, statat};
use rustix::io::Errno;

use super::walk::{join, open_folder};
use super::{Context, Entry, is_never_in_context};
use crate::ignore::{Ignore, Inherited};
use crate::limits::FOLDERS_TO_SPREAD;
use crate::parallel;
use crate::stamp::Stamp;
use crate::{EntryKind, Problem};

/// Bytes of the buffer that names of files are read into: the kernel fills it with about 1,000.
pub(super) const NAMES_BYTES: usize = 32 << 10;

/// Entries that room is made for at once: few folders have more.
const ENTRIES_EXPECTED: usize = 32;

/// Whether a walk may use all processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    /// Nothing else is walked: a large tree may be walked by all processors.
    Alone,
    /// Other contexts are walked at the same time.
    Shared,
}

/// What a walk needs to know.
#[derive(Clone, Copy)]
pub(super) struct Walker<'a> {
    pub(super) context: &'a Context,
    pub(super) root: &'a OwnedFd,
    pub(super) exclude: &'a Ignore,
}

/// Returns the entry of a file or link; something else is a problem.
pub(super) fn entry(context: &Context, path: String, real: &str, stamp: &Stamp) -> Result<Entry, Problem> {
    let kind = match stamp.file_type() {
        FileType::RegularFile if stamp.is_executable() => EntryKind::Executable,
        FileType::RegularFile => EntryKind::File,
        FileType::Symlink => EntryKind::Link,
        other => {
            let what = match other {
                FileType::Socket => "a socket",
                FileType::Fifo => "a named pipe",
                _ => "a device",
            };
            return Err(problem(context, real, format!("is {what}, which cannot be part of an image")));
        }
    };
    Ok(Entry { path, kind, bytes: stamp.bytes, mode: stamp.mode & 0o7777, stamp: Some(*stamp) })
}

fn problem(context: &Context, real: &str, message: String) -> Problem {
    let help = "remove it, or leave it out with the ignore file";
    Problem::in_file(&context.show(real), message, help)
}

fn unreadable(error: Errno) -> String {
    format!("cannot be read: {}", std::io::Error::from(error))
}

impl Walker<'_> {
    /// Returns everything in a folder, sorted by path. `names` is a buffer that can be used again.
    pub(super) fn folder(
        self,
        real: &str,
        named: &str,
        names: &mut Vec<u8>,
        spread: Spread,
    ) -> (Vec<Entry>, Vec<Problem>) {
        let mut top = Folder { real: real.to_owned(), ..Folder::default() };
        if !real.is_empty() {
            let verdict = self.context.ignore.judge_path(real);
            top.is_left_out = verdict.is_excluded;
            top.above = verdict.inherited;
        }
        let mut tree = Tree::new(self, real, named, top);
        tree.walk(names, spread);
        let Tree { mut entries, bare, problems, .. } = tree;
        entries.sort_unstable_by(|a: &Entry, b: &Entry| a.path.cmp(&b.path));
        add_bare(&mut entries, bare);
        (entries, problems)
    }
}

/// A folder that is still to be read.
#[derive(Clone, Default)]
struct Folder {
    /// Where it is, relative to the context.
    real: String,
    is_left_out: bool,
    above: Inherited,
    excluded_above: Inherited,
}

/// A folder that is being walked.
struct Tree<'a> {
    walker: Walker<'a>,
    /// Where it really is.
    base: &'a str,
    /// The path that the source names.
    named: &'a str,
    open: Vec<Folder>,
    entries: Vec<Entry>,
    /// Folders without a file of their own.
    bare: Vec<String>,
    problems: Vec<Problem>,
    /// The path of the thing that is being looked at: one buffer for all of them.
    path: String,
}

impl<'a> Tree<'a> {
    fn new(walker: Walker<'a>, base: &'a str, named: &'a str, top: Folder) -> Self {
        Self {
            walker,
            base,
            named,
            open: vec![top],
            entries: Vec::with_capacity(ENTRIES_EXPECTED),
            bare: Vec::new(),
            problems: Vec::new(),
            path: String::new(),
        }
    }

    /// Reads all folders that are open, and those in them.
    fn walk(&mut self, names: &mut Vec<u8>, spread: Spread) {
        names.reserve(NAMES_BYTES);
        while let Some(folder) = self.open.pop() {
            let before = self.entries.len();
            self.read_folder(&folder, names);
            // Only folders are in it: it is empty when all of them turn out to be left out.
            if self.entries.len() == before && !folder.is_left_out {
                self.bare.push(self.named(&folder.real));
            }
            if spread == Spread::Alone && self.open.len() >= FOLDERS_TO_SPREAD {
                self.spread_out();
            }
        }
    }

    /// Reads all folders that are open on all processors.
    fn spread_out(&mut self) {
        let folders = std::mem::take(&mut self.open);
        let (walker, base, named) = (self.walker, self.base, self.named);
        let parts = parallel::map(&folders, Vec::new, |names, folder| {
            let mut part = Tree::new(walker, base, named, folder.clone());
            part.walk(names, Spread::Shared);
            (part.entries, part.bare, part.problems)
        });
        for (entries, bare, problems) in parts {
            self.entries.extend(entries);
            self.bare.extend(bare);
            self.problems.extend(problems);
        }
    }

    fn problem(&mut self, real: &str, message: String) {
        self.problems.push(problem(self.walker.context, real, message));
    }

    /// Reads one folder: its files into the entries, its folders into those still to be read.
    fn read_folder(&mut self, folder: &Folder, names: &mut Vec<u8>) {
        let descriptor = match open_folder(self.walker.root, &folder.real) {
            Ok(descriptor) => descriptor,
            Err(error) => return self.problem(&folder.real, unreadable(error)),
        };
        let mut directory = RawDir::new(&descriptor, names.spare_capacity_mut());
        while let Some(item) = directory.next() {
            match item {
                Ok(item) if matches!(item.file_name().to_bytes(), b"." | b"..") => {}
                Ok(item) => {
                    if let Err(message) = self.item(folder, &descriptor, item.file_name(), item.file_type()) {
                        let path = std::mem::take(&mut self.path);
                        self.problem(&path, message);
                    }
                }
                Err(error) => return self.problem(&folder.real, unreadable(error)),
            }
        }
    }

    /// Takes one thing of a folder; what is wrong with it is an error.
    fn item(
        &mut self,
        folder: &Folder,
        descriptor: &OwnedFd,
        name: &CStr,
        mut kind: FileType,
    ) -> Result<(), String> {
        let text = name.to_string_lossy();
        if is_never_in_context(&text) {
            return Ok(());
        }
        self.enter(&folder.real, &text);
        let (ignore, exclude) = (&self.walker.context.ignore, self.walker.exclude);
        let verdict = ignore.judge(&folder.above, &self.path);
        let excluded = exclude.judge(&folder.excluded_above, self.below(&self.path));
        let is_left_out = verdict.is_excluded || excluded.is_excluded;
        if matches!(text, Cow::Owned(_)) {
            return if is_left_out { Ok(()) } else { Err("has a name that is not UTF-8".to_owned()) };
        }
        let mut stamp = None;
        if kind == FileType::Unknown || (kind != FileType::Directory && !is_left_out) {
            match statat(descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stamp = Some(Stamp::of(&stat)),
                // It was removed since the folder was listed.
                Err(Errno::NOENT) => return Ok(()),
                Err(error) => return Err(unreadable(error)),
            }
            kind = stamp.map_or(kind, |stamp| stamp.file_type());
        }
        if kind == FileType::Directory {
            let may_return = (!verdict.is_excluded || ignore.may_take_back_below(&self.path))
                && (!excluded.is_excluded || exclude.may_take_back_below(self.below(&self.path)));
            if !is_left_out || may_return {
                let (above, excluded_above) = (verdict.inherited, excluded.inherited);
                self.open.push(Folder { real: self.path.clone(), is_left_out, above, excluded_above });
            }
        } else if let (false, Some(stamp)) = (is_left_out, stamp) {
            match entry(self.walker.context, self.named(&self.path), &self.path, &stamp) {
                Ok(entry) => self.entries.push(entry),
                Err(problem) => self.problems.push(problem),
            }
        }
        Ok(())
    }

    fn enter(&mut self, folder: &str, name: &str) {
        self.path.clear();
        self.path.push_str(folder);
        if !folder.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(name);
    }

    /// Returns the part of a real path below the source.
    fn below<'p>(&self, real: &'p str) -> &'p str {
        let rest = &real[self.base.len()..];
        rest.strip_prefix('/').unwrap_or(rest)
    }

    /// Returns a real path as the source names it.
    fn named(&self, real: &str) -> String {
        if self.base == self.named { real.to_owned() } else { join(self.named, self.below(real)) }
    }
}

/// Adds the folders among `bare` that have nothing in them; `entries` are sorted and stay so.
fn add_bare(entries: &mut Vec<Entry>, mut bare: Vec<String>) {
    // The deepest first, so that an empty folder fills the one above it.
    bare.sort_unstable_by(|a, b| b.cmp(a));
    for path in bare.into_iter().filter(|path| !path.is_empty()) {
        let below = format!("{path}/");
        let at = entries.partition_point(|entry| entry.path < below);
        if entries.get(at).is_none_or(|entry| !entry.path.starts_with(&below)) {
            let at = entries.partition_point(|entry| entry.path < path);
            entries.insert(at, Entry { path, kind: EntryKind::Directory, bytes: 0, mode: 0, stamp: None });
        }
    }
}
