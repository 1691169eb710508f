//! Cuts the entries of a large copy into parts; the module above says by which rule.

use std::ops::Range;
use std::sync::Arc;

use ringsite_images::Sources;

use crate::layer::entry::Entry;
use crate::limits::{PART_BYTES, PARTS_MAX};

/// The entries of one layer: a range of what an instruction writes, and folders to repeat.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    entries: Arc<Vec<Entry>>,
    range: Range<usize>,
    extra: Vec<Entry>,
}

impl Part {
    /// Returns a part; `extra` is sorted, and none of it is in the range.
    pub(crate) fn new(entries: Arc<Vec<Entry>>, range: Range<usize>, extra: Vec<Entry>) -> Self {
        Self { entries, range, extra }
    }

    /// Returns a part that holds all of `entries`, which are sorted.
    pub(crate) fn whole(entries: Vec<Entry>) -> Self {
        Self { range: 0..entries.len(), entries: Arc::new(entries), extra: Vec::new() }
    }

    /// Returns the entries in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        let mut own = self.entries[self.range.clone()].iter().peekable();
        let mut extra = self.extra.iter().peekable();
        std::iter::from_fn(move || match (own.peek(), extra.peek()) {
            (Some(one), Some(other)) if one.path < other.path => own.next(),
            (_, Some(_)) => extra.next(),
            (_, None) => own.next(),
        })
    }
}

/// Bytes that an entry costs beside its content: its header and padding.
const ENTRY_BYTES: u64 = 1024;

/// Returns the size that the parts of a copy of `total` bytes aim at.
pub(crate) fn part_bytes_for(total: u64) -> u64 {
    let mut bytes = PART_BYTES;
    while total / bytes > PARTS_MAX {
        bytes *= 2;
    }
    bytes
}

/// Cuts sorted `entries` into parts that aim at `part_bytes`; nothing is cut up to that size.
pub(crate) fn cut(entries: &[Entry], sources: &Sources, part_bytes: u64) -> Vec<Range<usize>> {
    let cost = |entry: &Entry| entry.bytes(sources) + ENTRY_BYTES;
    if entries.iter().map(cost).sum::<u64>() <= part_bytes {
        return std::iter::once(0..entries.len()).collect();
    }
    let mut parts = Vec::new();
    let mut start = 0;
    let mut bytes = 0;
    for (index, entry) in entries.iter().enumerate() {
        let cost = cost(entry);
        // A file as large as a part stands alone, so that its neighbours do not drag it along.
        if index > start && (bytes + cost > 2 * part_bytes || cost >= part_bytes) {
            parts.push(start..index);
            start = index;
            bytes = 0;
        }
        bytes += cost;
        if bytes >= part_bytes / 4 && is_end(&entry.path, cost, part_bytes) {
            parts.push(start..index + 1);
            start = index + 1;
            bytes = 0;
        }
    }
    if start < entries.len() {
        parts.push(start..entries.len());
    }
    parts
}

/// Returns whether a part may end after an entry: for one in `part_bytes * 3/4` bytes it is so.
fn is_end(path: &str, cost: u64, part_bytes: u64) -> bool {
    hash(path.as_bytes()) % (part_bytes / 4 * 3) < cost
}

/// FNV-1a with a final mix: fixed for ever, because the layers of every large image depend on it.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use ringsite_images::{Arguments, EntryKind, RecipeEntry};

    use super::*;
    use crate::layer::entry::Content;

    fn tree(files: usize, bytes: u64, without: Option<usize>) -> (Vec<Entry>, Sources) {
        let keep = |index: &usize| Some(*index) != without;
        let path = |index: usize| format!("src/{:03}/{:05}", index / 100, index);
        let recipe = (0..files).filter(keep).map(|index| RecipeEntry {
            path: path(index),
            kind: EntryKind::File,
            bytes,
            sha256: [0; 32],
        });
        let sources = Sources::new(b"", Arguments::default(), recipe.collect());
        let entries = sources.files().iter().enumerate().map(|(index, file)| Entry {
            path: file.path.clone().into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
            content: Content::Context(u32::try_from(index).unwrap()),
        });
        (entries.collect(), sources)
    }

    fn parts(files: usize, bytes: u64, without: Option<usize>) -> Vec<Vec<String>> {
        let (entries, sources) = tree(files, bytes, without);
        let total = files as u64 * bytes;
        let parts = cut(&entries, &sources, part_bytes_for(total));
        let paths = |part: &Range<usize>| entries[part.clone()].iter().map(|entry| entry.path.to_string());
        parts.iter().map(|part| paths(part).collect()).collect()
    }

    #[test]
    fn a_small_copy_is_one_part() {
        assert_eq!(parts(1_000, 10_000, None).len(), 1);
        assert_eq!(parts(0, 1, None).len(), 1);
    }

    #[test]
    fn a_large_copy_is_cut_into_a_bounded_number_of_parts_of_bounded_size() {
        for (files, bytes) in [(50_000, 10_240), (3_000, 1 << 20), (10, 1 << 32), (2_000, 16 << 20)] {
            let found = parts(files, bytes, None);
            let all: usize = found.iter().map(Vec::len).sum();
            assert_eq!(all, files);
            let part = part_bytes_for(files as u64 * bytes);
            assert!(found.len() > 1 && found.len() <= 60, "{} parts", found.len());
            for paths in &found {
                assert!(paths.len() == 1 || paths.len() as u64 * bytes <= 2 * part);
            }
        }
    }

    #[test]
    fn a_file_less_changes_the_parts_of_its_neighbourhood_only() {
        let whole = parts(50_000, 10_240, None);
        for without in [0, 777, 25_000, 49_999] {
            let less = parts(50_000, 10_240, Some(without));
            let changed = less.iter().filter(|part| !whole.contains(part)).count();
            assert!(changed <= 4, "{changed} parts changed without file {without}");
        }
    }
}
