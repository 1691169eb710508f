//! Finds the files that sources mean: patterns expanded, links followed, what is left out told.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, statat};
use rustix::io::Errno;

use super::resolve::{Fault, Resolved, resolve};
use super::tree::{NAMES_BYTES, Spread, Walker, entry};
use super::{Context, SelectRequest, Selection, is_never_in_context};
use crate::Problem;
use crate::ignore::Ignore;
use crate::pattern::{Depth, Pattern, has_wildcard};

/// Finds what sources mean. `names` is a buffer that can be used again.
pub(super) fn select(
    context: &Context,
    root: &OwnedFd,
    (names, spread): (&mut Vec<u8>, Spread),
    request: &SelectRequest<'_>,
) -> Result<Vec<Selection>, Vec<Problem>> {
    let at_line =
        |message: String, help: String| Problem::in_file(request.file, message, help).at_line(request.line);
    let exclude = Ignore::of_patterns(request.exclude.iter().map(String::as_str)).map_err(|message| {
        vec![at_line(format!("--exclude: {message}"), "write a pattern such as `*.md`".to_owned())]
    })?;
    names.reserve(NAMES_BYTES);
    let mut walk = Walk { context, root, exclude: &exclude, spread, problems: Vec::new(), names };
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
    exclude: &'a Ignore,
    spread: Spread,
    problems: Vec<Problem>,
    names: &'a mut Vec<u8>,
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
            let walker = Walker { context: self.context, root: self.root, exclude: self.exclude };
            let (entries, problems) = walker.folder(&selection.real, named, self.names, self.spread);
            selection.entries = entries;
            self.problems.extend(problems);
            let real_is_left_out =
                !selection.real.is_empty() && self.context.ignore.judge_path(&selection.real).is_excluded;
            return (!selection.entries.is_empty() || !real_is_left_out).then_some(selection);
        }
        let name = named.rsplit('/').next().unwrap_or(named);
        let real_is_left_out = self.context.ignore.judge_path(&selection.real).is_excluded;
        if named_is_left_out || real_is_left_out || self.exclude.judge_path(name).is_excluded {
            return None;
        }
        match entry(self.context, named.to_owned(), &selection.real, &resolved.stamp) {
            Ok(entry) => selection.entries.push(entry),
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        }
        Some(selection)
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

pub(super) fn open_folder(root: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
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
