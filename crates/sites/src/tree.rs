//! A tree of files in memory: what lies below `/environments`, and what a site's artifact holds.
//!
//! Paths are relative, `/`-separated and normal: no empty part, no `.`, no `..`. The tree reads no
//! disk; whoever has files (a root image, a working copy, an artifact) puts them in.

use std::collections::{BTreeMap, btree_map};
use std::sync::Arc;

use crate::limits::PATH_BYTES_MAX;

/// One regular file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The content; shared, so that many sites of one environment cost one copy.
    pub bytes: Arc<[u8]>,
    /// Whether any execute bit is set.
    pub executable: bool,
}

/// Files and symbolic links by path, in the order of their path bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, FileEntry>,
    links: BTreeMap<String, String>,
}

/// A path that cannot be in a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` cannot be a file of an environment: {reason}")]
pub struct PathError {
    path: String,
    reason: &'static str,
}

impl Tree {
    /// Returns an empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a file in, in the place of what was there.
    ///
    /// # Errors
    /// `PathError` when `path` is not relative and normal, or agents would refuse the name.
    pub fn insert(&mut self, path: &str, bytes: &[u8], executable: bool) -> Result<(), PathError> {
        self.insert_shared(path, bytes.into(), executable)
    }

    /// Puts a file in whose content is shared with somebody else.
    ///
    /// # Errors
    /// `PathError` as in [`insert`](Self::insert).
    pub fn insert_shared(&mut self, path: &str, bytes: Arc<[u8]>, executable: bool) -> Result<(), PathError> {
        check(path)?;
        self.links.remove(path);
        self.files.insert(path.to_owned(), FileEntry { bytes, executable });
        Ok(())
    }

    /// Puts in that `path` is a symbolic link to `target`, so that whoever refers to it is refused.
    ///
    /// # Errors
    /// `PathError` as in [`insert`](Self::insert).
    pub fn insert_link(&mut self, path: &str, target: &str) -> Result<(), PathError> {
        check(path)?;
        self.files.remove(path);
        self.links.insert(path.to_owned(), target.to_owned());
        Ok(())
    }

    /// Returns the file at `path`.
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.get(path)
    }

    /// Returns the target of the symbolic link at `path`.
    pub fn link(&self, path: &str) -> Option<&str> {
        self.links.get(path).map(String::as_str)
    }

    /// Returns the files in the order of their path bytes.
    pub fn files(&self) -> btree_map::Iter<'_, String, FileEntry> {
        self.files.iter()
    }

    /// Returns the symbolic links in the order of their path bytes.
    pub fn links(&self) -> btree_map::Iter<'_, String, String> {
        self.links.iter()
    }

    /// Returns the files below the folder `folder`; the empty folder is the whole tree.
    pub fn files_below(&self, folder: &str) -> impl Iterator<Item = (&str, &FileEntry)> {
        let prefix = prefix(folder);
        let range = self.files.range(prefix.clone()..);
        range.take_while(move |(path, _)| path.starts_with(&prefix)).map(|(path, file)| (path.as_str(), file))
    }

    /// Returns the symbolic links below the folder `folder`.
    pub fn links_below(&self, folder: &str) -> impl Iterator<Item = (&str, &str)> {
        let prefix = prefix(folder);
        let range = self.links.range(prefix.clone()..);
        range
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, target)| (path.as_str(), target.as_str()))
    }

    /// Returns whether anything lies below `path`.
    pub fn is_folder(&self, path: &str) -> bool {
        self.files_below(path).next().is_some() || self.links_below(path).next().is_some()
    }

    /// Returns the number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Returns whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Returns the bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes.len() as u64).sum()
    }

    pub(crate) fn insert_entry(&mut self, path: &str, entry: FileEntry) {
        self.files.insert(path.to_owned(), entry);
    }

    /// Takes away what is at `path` and below it.
    pub(crate) fn remove_all(&mut self, path: &str) {
        self.files.remove(path);
        self.links.remove(path);
        self.remove_below(path);
    }

    /// Takes away what is below `folder`.
    pub(crate) fn remove_below(&mut self, folder: &str) {
        let files: Vec<String> = self.files_below(folder).map(|(path, _)| path.to_owned()).collect();
        let links: Vec<String> = self.links_below(folder).map(|(path, _)| path.to_owned()).collect();
        for path in files {
            self.files.remove(&path);
        }
        for path in links {
            self.links.remove(&path);
        }
    }
}

fn prefix(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

/// Flux refuses an archive with an empty name, a backslash, a leading `/` or `..` in it.
fn check(path: &str) -> Result<(), PathError> {
    let error = |reason| Err(PathError { path: path.chars().take(200).collect(), reason });
    if path.is_empty() {
        return error("the name is empty");
    }
    if path.len() > PATH_BYTES_MAX {
        return error("the name has more than 1024 bytes");
    }
    if path.contains('\\') || path.chars().any(char::is_control) {
        return error("backslashes and control characters are refused by agents");
    }
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return error("the path is not relative and normal");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_agents_refuse_cannot_be_put_in() {
        let long = "a/".repeat(600);
        for path in ["", "/a", "a/", "a//b", "./a", "a/../b", "..", "a\\b", "a\nb", long.as_str()] {
            assert!(Tree::new().insert(path, b"", false).is_err(), "{path}");
            assert!(Tree::new().insert_link(path, "x").is_err(), "{path}");
        }
        for path in ["a", "a/b.yaml", "..a/b..", "ä/ö"] {
            assert!(Tree::new().insert(path, b"", false).is_ok(), "{path}");
        }
    }

    #[test]
    fn a_folder_is_what_something_lies_below_and_neighbours_with_its_name_do_not_count() {
        let mut tree = Tree::new();
        for path in ["a-b/x", "a.yaml", "a/y", "a/z/w"] {
            tree.insert(path, path.as_bytes(), false).expect("is a path");
        }
        assert!(tree.is_folder("a") && tree.is_folder("a/z") && tree.is_folder(""));
        assert!(!tree.is_folder("a.yaml") && !tree.is_folder("b"));
        let below: Vec<&str> = tree.files_below("a").map(|(path, _)| path).collect();
        assert_eq!(below, ["a/y", "a/z/w"]);
        tree.remove_all("a");
        assert_eq!(tree.files().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["a-b/x", "a.yaml"]);
    }

    #[test]
    fn a_file_takes_the_place_of_a_link_and_a_link_that_of_a_file() {
        let mut tree = Tree::new();
        tree.insert_link("a", "b").expect("is a path");
        tree.insert("a", b"1", false).expect("is a path");
        assert_eq!((tree.link("a"), tree.len()), (None, 1));
        tree.insert_link("a", "b").expect("is a path");
        assert_eq!((tree.link("a"), tree.len()), (Some("b"), 0));
    }
}
