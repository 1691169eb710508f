//! Finds the files that sources mean: patterns expanded, folders walked, the ignore file applied.

use std::borrow::Cow;
use std::ffi::CStr;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;

use super::resolve::{Fault, Resolved, resolve};
use super::{Context, Entry, SelectRequest, Selection, is_never_in_context};
use crate::ignore::{Ignore, Inherited};
use crate::pattern::{Depth, Pattern, has_wildcard};
use crate::stamp::Stamp;
use crate::{EntryKind, Problem};

/// Bytes of the buffer that names of files are read into: the kernel fills it with about 1,000.
const NAMES_BYTES: usize = 32 << 10;

/// Entries that room is made for at once: few folders have more.
const ENTRIES_EXPECTED: usize = 32;

/// Finds what sources mean. `names` is a buffer that can be used again.
pub(super) fn select(
    context: &Context,
    root: &OwnedFd,
    names: &mut Vec<u8>,
    request: &SelectRequest<'_>,
) -> Result<Vec<Selection>, Vec<Problem>> {
    let at_line =
        |message: String, help: String| Problem::in_file(request.file, message, help).at_line(request.line);
    let exclude = Ignore::of_patterns(request.exclude.iter().map(String::as_str)).map_err(|message| {
        vec![at_line(format!("--exclude: {message}"), "write a pattern such as `*.md`".to_owned())]
    })?;
    names.reserve(NAMES_BYTES);
    let mut walk = Walk { context, root, exclude, problems: Vec::new(), names };
    let mut found = Vec::new();
    for written in request.sources {
        match walk.source(written, request.parents) {
            Ok(selections) => found.extend(selections),
            Err((message, help)) => walk.problems.push(at_line(message, help)),
        }
    }
    if found.is_empty() && walk.problems.is_empty() && !request.sources.is_empty() {
        let message = format!("nothing matches {}", request.sources.join(" "));
        walk.problems.push(at_line(message, "check the patterns and the ignore file".to_owned()));
    }
    if walk.problems.is_empty() { Ok(found) } else { Err(walk.problems) }
}

type Said = (String, String);

struct Walk<'a> {
    context: &'a Context,
    root: &'a OwnedFd,
    exclude: Ignore,
    problems: Vec<Problem>,
    names: &'a mut Vec<u8>,
}

/// A folder that is still to be read.
#[derive(Default)]
struct Folder {
    /// Where it is, relative to the context.
    real: String,
    is_left_out: bool,
    above: Inherited,
    excluded_above: Inherited,
}

impl Walk<'_> {
    /// Finds what one source means.
    fn source(&mut self, written: &str, has_parents: bool) -> Result<Vec<Selection>, Said> {
        let (before, after) = match written.split_once("/./") {
            Some((before, after)) if has_parents => (parts(before)?.len(), after),
            _ => (0, written),
        };
        let wanted = parts(written)?;
        if has_parents && after.is_empty() {
            return Err((
                format!("nothing stands after `/./` in `{written}`"),
                "write a path after it".into(),
            ));
        }
        let depth = if has_parents { Depth::Deep } else { Depth::Flat };
        let mut found = Vec::new();
        if wanted.iter().any(|part| has_wildcard(part)) {
            for path in self.expand(written, &wanted, depth)? {
                match resolve(self.root, &path) {
                    Ok(resolved) => found.extend(self.selection(&path, resolved)),
                    // A link that leads nowhere is none of the files that a pattern means.
                    Err(Fault::Absent) => {}
                    Err(fault) => return Err(fault.explain(&path)),
                }
            }
        } else {
            let path = wanted.join("/");
            let resolved = resolve(self.root, &path).map_err(|fault| fault.explain(written))?;
            let count = self.problems.len();
            match self.selection(&path, resolved) {
                Some(selection) => found.push(selection),
                None if self.problems.len() > count => {}
                None => {
                    let message = format!("the source `{written}` is left out of the build context");
                    let help = "the ignore file or --exclude leaves it out: take it back in with `!`, or remove the source";
                    return Err((message, help.to_owned()));
                }
            }
        }
        for selection in &mut found {
            selection.kept = selection.source.split('/').skip(before).collect::<Vec<_>>().join("/");
        }
        Ok(found)
    }

    /// Returns the paths that match a pattern, sorted.
    fn expand(&self, written: &str, wanted: &[&str], depth: Depth) -> Result<Vec<String>, Said> {
        let literal = wanted.iter().take_while(|part| !has_wildcard(part)).count();
        let base = wanted[..literal].join("/");
        let text = wanted[literal..].join("/");
        let bad = |bad: crate::pattern::BadPattern| {
            (
                format!("`{written}` is no pattern: {}", bad.0),
                "write `\\\\` before a character that is meant as it is".into(),
            )
        };
        let pattern = Pattern::new(&text, depth).map_err(bad)?;
        let levels =
            if text.contains("**") && depth == Depth::Deep { usize::MAX } else { wanted.len() - literal };
        let resolved = match resolve(self.root, &base) {
            Ok(resolved) if resolved.stamp.file_type() == FileType::Directory => resolved,
            Ok(_) | Err(Fault::Absent | Fault::NoFolder(_)) => return Ok(Vec::new()),
            Err(fault) => return Err(fault.explain(written)),
        };
        let mut matches = Vec::new();
        let mut open = vec![(String::new(), 1)];
        while let Some((folder, level)) = open.pop() {
            let at = join(&resolved.real, &folder);
            let listed =
                list(self.root, &at).map_err(|error| Fault::Io(at.clone(), error).explain(written))?;
            for (name, is_folder) in listed {
                let below = join(&folder, &name);
                if pattern.matches(&below) {
                    matches.push(join(&base, &below));
                } else if is_folder && level < levels {
                    open.push((below, level + 1));
                }
            }
        }
        matches.sort_unstable();
        Ok(matches)
    }

    /// Returns what a path brings; nothing when it is left out.
    fn selection(&mut self, named: &str, resolved: Resolved) -> Option<Selection> {
        let named_is_left_out = self.context.ignore.judge_path(named).is_excluded && !named.is_empty();
        let is_directory = resolved.stamp.file_type() == FileType::Directory;
        let mut selection = Selection {
            source: named.to_owned(),
            kept: String::new(),
            is_directory,
            entries: Vec::new(),
            real: resolved.real,
        };
        if is_directory {
            let is_link = selection.real != named;
            if is_link && named_is_left_out && !self.context.ignore.may_take_back_below(named) {
                return None;
            }
            selection.entries = self.folder(&selection.real, named);
            let real_is_left_out =
                !selection.real.is_empty() && self.context.ignore.judge_path(&selection.real).is_excluded;
            return (!selection.entries.is_empty() || !real_is_left_out).then_some(selection);
        }
        let name = named.rsplit('/').next().unwrap_or(named);
        let real_is_left_out = self.context.ignore.judge_path(&selection.real).is_excluded;
        if named_is_left_out || real_is_left_out || self.exclude.judge_path(name).is_excluded {
            return None;
        }
        let entry = self.file(named.to_owned(), &selection.real, &resolved.stamp)?;
        selection.entries.push(entry);
        Some(selection)
    }

    /// Returns the entry of a file or link; something else is a problem.
    fn file(&mut self, path: String, real: &str, stamp: &Stamp) -> Option<Entry> {
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
                self.problem(real, format!("is {what}, which cannot be part of an image"));
                return None;
            }
        };
        Some(Entry { path, kind, bytes: stamp.bytes, mode: stamp.mode & 0o7777, stamp: Some(*stamp) })
    }

    fn problem(&mut self, real: &str, message: String) {
        let help = "remove it, or leave it out with the ignore file";
        self.problems.push(Problem::in_file(&self.context.show(real), message, help));
    }

    /// Returns everything in a folder, sorted by path.
    fn folder(&mut self, real: &str, named: &str) -> Vec<Entry> {
        let mut top = Folder { real: real.to_owned(), ..Folder::default() };
        if !real.is_empty() {
            let verdict = self.context.ignore.judge_path(real);
            top.is_left_out = verdict.is_excluded;
            top.above = verdict.inherited;
        }
        let mut tree = Tree {
            base: real,
            named,
            open: vec![top],
            entries: Vec::with_capacity(ENTRIES_EXPECTED),
            path: String::new(),
        };
        let mut bare = Vec::new();
        while let Some(folder) = tree.open.pop() {
            let before = tree.entries.len();
            self.read_folder(&folder, &mut tree);
            // Only folders are in it: it is empty when all of them turn out to be left out.
            if tree.entries.len() == before && !folder.is_left_out {
                bare.push(tree.named(&folder.real));
            }
        }
        let mut entries = tree.entries;
        entries.sort_unstable_by(|a: &Entry, b: &Entry| a.path.cmp(&b.path));
        add_bare(&mut entries, bare);
        entries
    }

    /// Reads one folder: its files into the entries, its folders into those still to be read.
    fn read_folder(&mut self, folder: &Folder, tree: &mut Tree<'_>) {
        let unreadable = |error: Errno| format!("cannot be read: {}", std::io::Error::from(error));
        let descriptor = match open_folder(self.root, &folder.real) {
            Ok(descriptor) => descriptor,
            Err(error) => return self.problem(&folder.real, unreadable(error)),
        };
        let mut names = std::mem::take(self.names);
        let mut directory = RawDir::new(&descriptor, names.spare_capacity_mut());
        while let Some(item) = directory.next() {
            match item {
                Ok(item) if matches!(item.file_name().to_bytes(), b"." | b"..") => {}
                Ok(item) => self.item(folder, &descriptor, (item.file_name(), item.file_type()), tree),
                Err(error) => {
                    self.problem(&folder.real, unreadable(error));
                    break;
                }
            }
        }
        *self.names = names;
    }

    /// Takes one thing of a folder.
    fn item(
        &mut self,
        folder: &Folder,
        descriptor: &OwnedFd,
        (name, mut kind): (&CStr, FileType),
        tree: &mut Tree<'_>,
    ) {
        let text = name.to_string_lossy();
        if is_never_in_context(&text) {
            return;
        }
        tree.enter(&folder.real, &text);
        let verdict = self.context.ignore.judge(&folder.above, &tree.path);
        let excluded = self.exclude.judge(&folder.excluded_above, tree.below(&tree.path));
        let is_left_out = verdict.is_excluded || excluded.is_excluded;
        if matches!(text, Cow::Owned(_)) {
            if !is_left_out {
                self.problem(&tree.path, "has a name that is not UTF-8".to_owned());
            }
            return;
        }
        let mut stamp = None;
        if kind == FileType::Unknown || (kind != FileType::Directory && !is_left_out) {
            match statat(descriptor, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stamp = Some(Stamp::of(&stat)),
                // It was removed since the folder was listed.
                Err(Errno::NOENT) => return,
                Err(error) => {
                    let message = format!("cannot be read: {}", std::io::Error::from(error));
                    return self.problem(&tree.path, message);
                }
            }
            kind = stamp.map_or(kind, |stamp| stamp.file_type());
        }
        if kind == FileType::Directory {
            let may_return = (!verdict.is_excluded || self.context.ignore.may_take_back_below(&tree.path))
                && (!excluded.is_excluded || self.exclude.may_take_back_below(tree.below(&tree.path)));
            if !is_left_out || may_return {
                let (above, excluded_above) = (verdict.inherited, excluded.inherited);
                tree.open.push(Folder { real: tree.path.clone(), is_left_out, above, excluded_above });
            }
        } else if let (false, Some(stamp)) = (is_left_out, stamp) {
            let entry = self.file(tree.named(&tree.path), &tree.path, &stamp);
            tree.entries.extend(entry);
        }
    }
}

/// A folder that is being walked.
struct Tree<'a> {
    /// Where it really is.
    base: &'a str,
    /// The path that the source names.
    named: &'a str,
    open: Vec<Folder>,
    entries: Vec<Entry>,
    /// The path of the thing that is being looked at: one buffer for all of them.
    path: String,
}

impl Tree<'_> {
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

/// Returns the parts of a source; an absolute one begins at the context, as in Docker.
fn parts(written: &str) -> Result<Vec<&str>, Said> {
    let mut parts = Vec::new();
    for part in written.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_some() => {}
            ".." => {
                let message = format!("the source `{written}` leaves the build context");
                return Err((
                    message,
                    "set `context` of the image to a folder that holds all its sources".into(),
                ));
            }
            _ => parts.push(part),
        }
    }
    Ok(parts)
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() || name.is_empty() {
        return [folder, name].concat();
    }
    let mut path = String::with_capacity(folder.len() + 1 + name.len());
    path.push_str(folder);
    path.push('/');
    path.push_str(name);
    path
}

fn open_folder(root: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(root, if path.is_empty() { "." } else { path }, flags, Mode::empty())
}

/// Lists the names in a folder that are text, with whether each is a folder.
fn list(root: &OwnedFd, path: &str) -> Result<Vec<(String, bool)>, Errno> {
    let descriptor = open_folder(root, path)?;
    let mut names = Vec::with_capacity(NAMES_BYTES);
    let mut directory = RawDir::new(&descriptor, names.spare_capacity_mut());
    let mut found = Vec::new();
    while let Some(item) = directory.next() {
        let item = item?;
        // A name that is not text matches no pattern.
        let Ok(name) = item.file_name().to_str() else { continue };
        if name == "." || name == ".." || is_never_in_context(name) {
            continue;
        }
        let is_folder = match item.file_type() {
            FileType::Unknown => statat(&descriptor, item.file_name(), AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory),
            kind => kind == FileType::Directory,
        };
        found.push((name.to_owned(), is_folder));
    }
    Ok(found)
}
