//! Follows the path of a source through links, and never out of the context.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, readlinkat, statat};
use rustix::io::Errno;

use super::is_never_in_context;
use crate::limits::LINKS_MAX;
use crate::stamp::Stamp;

/// Where a path really leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The path without links, relative to the context; empty for the context itself.
    pub(super) real: String,
    /// What is there.
    pub(super) stamp: Stamp,
}

/// Why a path leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is there.
    Absent,
    /// A part of the path that is not the last is no folder.
    NoFolder(String),
    /// A link leads out of the context.
    Outside { link: String, target: String },
    /// Links lead to each other.
    Loop(String),
    /// A link leads into a folder that is part of no context.
    Never(String),
    /// The target of a link is not UTF-8.
    NotText(String),
    /// The file system says no.
    Io(String, Errno),
}

impl Fault {
    /// Returns what is wrong with `source`, and the remedy.
    pub(super) fn explain(&self, source: &str) -> (String, String) {
        match self {
            Self::Absent => (
                format!("the source `{source}` is not in the build context"),
                "check its spelling (paths are relative to the context), or create it".to_owned(),
            ),
            Self::NoFolder(path) => (
                format!("the source `{source}` does not exist: `{path}` is no folder"),
                "check the spelling of the path".to_owned(),
            ),
            Self::Outside { link, target } => (
                format!("the source `{source}` leaves the build context: `{link}` is a link to `{target}`"),
                "copy the file into the context, or make the link a relative one inside it".to_owned(),
            ),
            Self::Loop(link) => (
                format!(
                    "the source `{source}` leads in circles: more than {LINKS_MAX} links, the last is `{link}`"
                ),
                "let the link point to a file".to_owned(),
            ),
            Self::Never(path) => (
                format!(
                    "the source `{source}` is `{path}`, and `.git` and `.ring` are never part of a build context"
                ),
                "copy what is needed to another folder".to_owned(),
            ),
            Self::NotText(path) => (
                format!(
                    "the source `{source}` cannot be followed: the target of the link `{path}` is not UTF-8"
                ),
                "rename the target".to_owned(),
            ),
            Self::Io(path, error) => (
                format!("the source `{source}` cannot be read: `{path}`: {}", std::io::Error::from(*error)),
                "make it readable for the user who builds".to_owned(),
            ),
        }
    }
}

/// Follows `path`, relative to the context, to what is there.
pub(super) fn resolve(root: &OwnedFd, path: &str) -> Result<Resolved, Fault> {
    let mut real: Vec<String> = Vec::new();
    // The parts that are still to go, the next one last.
    let mut open: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
    let mut links = 0;
    // What is at `real`; nothing for a folder that need not be asked for.
    let mut stamp: Option<Stamp> = None;
    let mut last_link = (String::new(), String::new());
    while let Some(part) = open.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                if real.pop().is_none() {
                    let (link, target) = last_link;
                    return Err(Fault::Outside { link, target });
                }
                // What was a folder before the last part still is one.
                stamp = None;
                continue;
            }
            _ => {}
        }
        if stamp.is_some_and(|stamp| stamp.file_type() != FileType::Directory) {
            return Err(Fault::NoFolder(real.join("/")));
        }
        if is_never_in_context(&part) {
            return Err(Fault::Never(part));
        }
        real.push(part);
        let here = real.join("/");
        let found = stat(root, &here)?;
        stamp = Some(found);
        if found.file_type() == FileType::Symlink {
            links += 1;
            if links > LINKS_MAX {
                return Err(Fault::Loop(here));
            }
            let target = read_link(root, &here)?;
            if target.starts_with('/') {
                return Err(Fault::Outside { link: here, target });
            }
            open.extend(target.split('/').rev().map(str::to_owned));
            real.pop();
            stamp = None;
            last_link = (here, target);
        }
    }
    let real = real.join("/");
    let stamp = match stamp {
        Some(stamp) => stamp,
        None => stat(root, &real)?,
    };
    Ok(Resolved { real, stamp })
}

fn stat(root: &OwnedFd, path: &str) -> Result<Stamp, Fault> {
    let at = if path.is_empty() { "." } else { path };
    match statat(root, at, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Stamp::of(&stat)),
        Err(Errno::NOENT) => Err(Fault::Absent),
        Err(Errno::NOTDIR) => Err(Fault::NoFolder(path.to_owned())),
        Err(error) => Err(Fault::Io(path.to_owned(), error)),
    }
}

fn read_link(root: &OwnedFd, path: &str) -> Result<String, Fault> {
    let target = readlinkat(root, path, Vec::new()).map_err(|error| Fault::Io(path.to_owned(), error))?;
    target.into_string().map_err(|_| Fault::NotText(path.to_owned()))
}
