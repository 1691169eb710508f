//! The index of one layer: entries, what it takes away from lower layers, and who its users are.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Bound;
use std::sync::Arc;

use ringsite_names::Hasher;

use crate::archive::{Member, MemberKind, Reader, fail_read};
use crate::error::BuildError;
use crate::layer::{Content, Entry, Origin, Stored};
use crate::limits::{READ_BYTES, USERS_BYTES_MAX};
use crate::names::{WHITEOUT_OPAQUE, WHITEOUT_PREFIX};

/// The files whose content an index keeps, to resolve names of users and groups.
pub(crate) const KEPT_FILES: [&str; 2] = ["etc/passwd", "etc/group"];

/// What one layer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    /// The entries sorted by path, none twice.
    pub(crate) entries: Arc<Vec<Entry>>,
    /// Paths that are taken away from lower layers, sorted.
    pub(crate) whiteouts: Vec<Box<str>>,
    /// Folders whose content in lower layers is taken away, sorted.
    pub(crate) opaques: Vec<Box<str>>,
    /// The content of [`KEPT_FILES`] where the layer has them.
    pub(crate) kept: BTreeMap<Box<str>, Vec<u8>>,
}

impl Index {
    /// Returns the index of a layer that is being built.
    pub(crate) fn of_entries(entries: Vec<Entry>) -> Self {
        Self { entries: Arc::new(entries), ..Self::default() }
    }

    /// Returns the entry at exactly `path`.
    pub(crate) fn entry(&self, path: &str) -> Option<&Entry> {
        let found = self.entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()?;
        Some(&self.entries[found])
    }

    /// Returns the entries below `folder`, without itself; all for the root.
    pub(crate) fn below<'i>(&'i self, folder: &str) -> impl Iterator<Item = &'i Entry> + use<'i> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let start = self.entries.partition_point(|entry| *entry.path < *prefix);
        self.entries[start..]
            .iter()
            .take_while(move |entry| entry.path.starts_with(&prefix))
            .filter(|entry| !entry.path.is_empty())
    }

    /// Returns whether anything lies below `folder`.
    pub(crate) fn has_below(&self, folder: &str) -> bool {
        self.below(folder).next().is_some()
    }

    /// Returns whether lower layers no longer show `path`.
    pub(crate) fn hides(&self, path: &str) -> bool {
        let has = |list: &[Box<str>], path: &str| list.binary_search_by(|one| (**one).cmp(path)).is_ok();
        if has(&self.whiteouts, path) || (!path.is_empty() && has(&self.opaques, "")) {
            return true;
        }
        path.match_indices('/').any(|(at, _)| {
            let above = &path[..at];
            has(&self.whiteouts, above)
                || has(&self.opaques, above)
                || self.entry(above).is_some_and(|entry| !entry.is_directory())
        })
    }
}

/// Reads the index of an archive that is not compressed any more; whiteouts mean something in
/// layers only.
///
/// # Errors
/// `Base` with the rule that the archive breaks.
pub(crate) fn read_index(
    tar: &mut Reader<impl Read>,
    origin: &Arc<Origin>,
    is_layer: bool,
) -> Result<Index, BuildError> {
    let mut reading = Reading { files: 0, entries: BTreeMap::new(), index: Index::default() };
    let mut buffer = vec![0; READ_BYTES];
    while let Some(member) = tar.next()? {
        reading.member(tar, member, origin, is_layer, &mut buffer)?;
    }
    let mut index = reading.index;
    index.entries = Arc::new(reading.entries.into_values().collect());
    index.whiteouts.sort_unstable();
    index.opaques.sort_unstable();
    Ok(index)
}

struct Reading {
    files: u32,
    entries: BTreeMap<Box<str>, Entry>,
    index: Index,
}

impl Reading {
    fn member(
        &mut self,
        tar: &mut Reader<impl Read>,
        member: Member,
        origin: &Arc<Origin>,
        is_layer: bool,
        buffer: &mut [u8],
    ) -> Result<(), BuildError> {
        let ordinal = self.files;
        let is_file = member.kind == MemberKind::File;
        self.files += u32::from(is_file);
        let (folder, name) = member.path.rsplit_once('/').unwrap_or(("", &member.path));
        if is_layer && let Some(hidden) = name.strip_prefix(WHITEOUT_PREFIX) {
            return self.whiteout(tar.what(), folder, name, hidden);
        }
        if member.path.is_empty() && member.kind != MemberKind::Directory {
            return Err(BuildError::rule(tar.what(), "path-name", "an entry that is no folder has no name"));
        }
        let Member { path, mode, uid, gid, bytes, .. } = member;
        let content = match member.kind {
            MemberKind::Directory => Content::Directory,
            MemberKind::Device => Content::Device,
            MemberKind::Symlink(target) => Content::Symlink(target.into()),
            MemberKind::HardLink(target) => return self.hard_link(tar.what(), path, &target),
            MemberKind::File => {
                let sha256 = self.hash(tar, &path, bytes, buffer)?;
                Content::Stored(Arc::new(Stored { origin: origin.clone(), ordinal, bytes, sha256 }))
            }
        };
        self.insert(Entry { path: path.into(), mode, uid, gid, content });
        Ok(())
    }

    /// Takes the place of what the archive had at this path before, as extraction does.
    fn insert(&mut self, entry: Entry) {
        if !entry.is_directory() && self.entries.get(&entry.path).is_some_and(Entry::is_directory) {
            let below = format!("{}/", entry.path);
            let gone: Vec<_> = self
                .entries
                .range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded))
                .take_while(|(path, _)| path.starts_with(&below))
                .map(|(path, _)| path.clone())
                .collect();
            for path in gone {
                self.entries.remove(&path);
            }
        }
        self.entries.insert(entry.path.clone(), entry);
    }

    fn whiteout(&mut self, what: &str, folder: &str, name: &str, hidden: &str) -> Result<(), BuildError> {
        if name == WHITEOUT_OPAQUE {
            self.index.opaques.push(folder.into());
            return Ok(());
        }
        // Names such as `.wh..wh.plnk` are notes of old union file systems, and hide nothing.
        if hidden.starts_with(WHITEOUT_PREFIX) {
            return Ok(());
        }
        if hidden.is_empty() || hidden == "." || hidden == ".." {
            return Err(BuildError::rule(what, "whiteout", format!("`{folder}/{name}` names nothing")));
        }
        self.index.whiteouts.push(crate::archive::join(folder, hidden).into());
        Ok(())
    }

    fn hard_link(&mut self, what: &str, path: String, target: &str) -> Result<(), BuildError> {
        match self.entries.get(target) {
            Some(entry) if !entry.is_directory() => {
                let entry = Entry { path: path.into(), ..entry.clone() };
                if let Some(kept) = self.index.kept.get(target).cloned() {
                    self.index.kept.insert(entry.path.clone(), kept);
                }
                self.insert(entry);
                Ok(())
            }
            _ => {
                let reason = format!("`{path}` is a hard link to `{target}`, which is no earlier file of it");
                Err(BuildError::rule(what, "link-target", reason))
            }
        }
    }

    fn hash(
        &mut self,
        tar: &mut Reader<impl Read>,
        path: &str,
        bytes: u64,
        buffer: &mut [u8],
    ) -> Result<[u8; 32], BuildError> {
        let mut hasher = Hasher::sha256();
        let mut kept = (KEPT_FILES.contains(&path) && bytes <= USERS_BYTES_MAX).then(Vec::new);
        loop {
            match tar.read(buffer) {
                Ok(0) => break,
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    if let Some(kept) = &mut kept {
                        kept.extend_from_slice(&buffer[..count]);
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fail_read(tar.what(), error)),
            }
        }
        if let Some(kept) = kept {
            self.index.kept.insert(path.into(), kept);
        }
        match hasher.finish() {
            ringsite_names::Digest::Sha256(raw) => Ok(raw),
            ringsite_names::Digest::Sha512(_) => unreachable!("the hasher is one for sha256"),
        }
    }
}
