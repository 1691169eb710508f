//! Paths that the project file names: do they exist, and do they stay inside the project folder?
//!
//! A path is walked part by part, so that a symbolic link on the way is noticed; parents that were
//! seen once are not asked for again, which keeps a project of a thousand images at two calls each.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, FileType};
use std::path::{Component, Path, PathBuf};

/// Why a path cannot be used.
#[derive(Debug)]
pub(crate) enum PathFault {
    /// Nothing is there.
    Missing,
    /// The path is absolute or leaves the project folder, directly or through a link.
    Leaves,
    /// The path cannot be looked at.
    Unreadable(std::io::Error),
}

/// What is at a path inside the project.
#[derive(Debug)]
pub(crate) struct Found {
    /// The absolute path.
    pub(crate) path: PathBuf,
    /// What it is, links followed.
    pub(crate) kind: FileType,
}

/// Looks at paths below the project folder.
pub(crate) struct Folders<'p> {
    project: &'p Path,
    plain: HashSet<PathBuf>,
}

impl<'p> Folders<'p> {
    /// Returns a walker below `project`, which is absolute and free of links.
    pub(crate) fn new(project: &'p Path) -> Self {
        Self { project, plain: HashSet::new() }
    }

    /// Looks at `written`, a path relative to the project folder.
    ///
    /// # Errors
    /// `PathFault` when nothing is there, it is outside, or it cannot be looked at.
    pub(crate) fn look(&mut self, written: &Path) -> Result<Found, PathFault> {
        let mut path = self.project.to_path_buf();
        let mut kind = None;
        for part in written.components() {
            match part {
                Component::CurDir => continue,
                Component::Normal(part) => path.push(part),
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return self.look_by_link(written);
                }
            }
            if self.plain.contains(&path) {
                kind = None;
                continue;
            }
            let found = fs::symlink_metadata(&path).map_err(fault)?.file_type();
            if found.is_symlink() {
                return self.look_by_link(written);
            }
            if found.is_dir() {
                self.plain.insert(path.clone());
            }
            kind = Some(found);
        }
        let kind = match kind {
            Some(kind) => kind,
            None => fs::metadata(&path).map_err(fault)?.file_type(),
        };
        Ok(Found { path, kind })
    }

    /// Looks at a path with links or `..` in it, as the operating system resolves it.
    fn look_by_link(&self, written: &Path) -> Result<Found, PathFault> {
        if written.is_absolute() {
            return Err(PathFault::Leaves);
        }
        let path = fs::canonicalize(self.project.join(written)).map_err(fault)?;
        if !path.starts_with(self.project) {
            return Err(PathFault::Leaves);
        }
        let kind = fs::metadata(&path).map_err(fault)?.file_type();
        Ok(Found { path, kind })
    }

    /// Returns the names of what is in the folder `written`, sorted; nothing when there is no folder.
    ///
    /// A name that is not UTF-8 has the replacement character in it.
    pub(crate) fn names_in(&self, written: &Path) -> std::io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.project.join(written)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
        };
        let mut names = entries.map(name).collect::<std::io::Result<Vec<String>>>()?;
        names.sort();
        Ok(names)
    }

    /// Returns the first of `names` that is a file in the folder `written`.
    pub(crate) fn first_file(&mut self, written: &Path, names: &[&str]) -> Option<(PathBuf, Found)> {
        names.iter().find_map(|name| {
            let written = plain(&written.join(OsStr::new(name)));
            let found = self.look(&written).ok()?;
            found.kind.is_file().then_some((written, found))
        })
    }
}

/// Returns the path without `.` parts.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let plain: PathBuf = path.components().filter(|part| *part != Component::CurDir).collect();
    if plain.as_os_str().is_empty() { PathBuf::from(".") } else { plain }
}

fn fault(error: std::io::Error) -> PathFault {
    match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => PathFault::Missing,
        _ => PathFault::Unreadable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_are_found_and_paths_outside_are_not() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let outer = folder.path().canonicalize().expect("is there");
        let project = outer.join("project");
        fs::create_dir_all(project.join("images/base")).expect("makes folders");
        fs::create_dir_all(outer.join("other")).expect("makes a folder");
        fs::write(project.join("images/base/Containerfile"), "FROM scratch\n").expect("writes");
        std::os::unix::fs::symlink("images/base", project.join("inside")).expect("links");
        std::os::unix::fs::symlink("../other", project.join("outside")).expect("links");
        std::os::unix::fs::symlink("loop", project.join("loop")).expect("links");
        let mut folders = Folders::new(&project);
        for (written, found) in [
            (".", Some("")),
            ("images/base", Some("images/base")),
            ("./images/./base/", Some("images/base")),
            ("images/../images/base", Some("images/base")),
            ("inside", Some("images/base")),
            ("outside", None),
            ("../other", None),
            ("..", None),
            ("/", None),
            ("missing", None),
            ("images/base/Containerfile/x", None),
            ("loop", None),
        ] {
            let path = folders.look(Path::new(written)).map(|found| found.path).ok();
            assert_eq!(path, found.map(|found| plain(&project.join(found))), "{written}");
        }
        let twice = folders.look(Path::new("images/base")).expect("is there");
        assert!(twice.kind.is_dir());
    }
}
