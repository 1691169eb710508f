//! Indexes of base layers in the cache, one file for each layer digest.
//!
//! The first line is the magic and the sha256 of the rest, the rest is JSON. A file that does not
//! fit its sum is as good as none, so a damaged cache costs the time to read the layer again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringsite_names::Digest;
use serde::{Deserialize, Serialize};

use crate::base::index::Index;
use crate::layer::{Content, Entry, Origin, Stored};
use crate::limits::CACHE_BYTES_MAX;
use crate::names::{CACHE_BASES, INDEX_MAGIC};

#[derive(Serialize, Deserialize)]
struct StoredIndex {
    entries: Vec<Row>,
    whiteouts: Vec<Box<str>>,
    opaques: Vec<Box<str>>,
    kept: BTreeMap<Box<str>, Vec<u8>>,
}

/// Path, mode, user, group and content of an entry.
#[derive(Serialize, Deserialize)]
struct Row(Box<str>, u32, u32, u32, RowContent);

#[derive(Serialize, Deserialize)]
enum RowContent {
    #[serde(rename = "D")]
    Directory,
    #[serde(rename = "N")]
    Device,
    #[serde(rename = "L")]
    Symlink(Box<str>),
    /// Position, size and sha256.
    #[serde(rename = "F")]
    File(u32, u64, Digest),
}

/// Returns the file of a layer's index.
fn file(cache: &Path, layer: &Digest) -> PathBuf {
    let hex = layer.to_hex();
    cache.join(CACHE_BASES).join(&hex[..2]).join(&hex[2..])
}

/// Returns the index that was kept of a layer.
pub(super) fn read(cache: &Path, layer: &Digest, origin: &Arc<Origin>) -> Option<Index> {
    let file = file(cache, layer);
    if fs::metadata(&file).ok()?.len() > CACHE_BYTES_MAX {
        return None;
    }
    let bytes = fs::read(&file).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, json) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]);
    (head == first_line(layer, json)).then_some(())?;
    let stored: StoredIndex = serde_json::from_slice(json).ok()?;
    let entries = stored.entries.into_iter().map(|Row(path, mode, uid, gid, content)| {
        let content = match content {
            RowContent::Directory => Content::Directory,
            RowContent::Device => Content::Device,
            RowContent::Symlink(target) => Content::Symlink(target),
            RowContent::File(ordinal, bytes, Digest::Sha256(sha256)) => {
                Content::Stored(Arc::new(Stored { origin: origin.clone(), ordinal, bytes, sha256 }))
            }
            RowContent::File(..) => return None,
        };
        Some(Entry { path, mode, uid, gid, content })
    });
    let StoredIndex { whiteouts, opaques, kept, .. } = stored;
    let entries = Arc::new(entries.collect::<Option<_>>()?);
    Some(Index { entries, whiteouts, opaques, kept })
}

/// Keeps the index of a layer; a cache that cannot be written costs time only.
pub(super) fn write(cache: &Path, layer: &Digest, index: &Index) {
    let rows = index.entries.iter().filter_map(|entry| {
        let content = match &entry.content {
            Content::Directory => RowContent::Directory,
            Content::Device => RowContent::Device,
            Content::Symlink(target) => RowContent::Symlink(target.clone()),
            Content::Stored(stored) => {
                RowContent::File(stored.ordinal, stored.bytes, Digest::Sha256(stored.sha256))
            }
            Content::Context(_) | Content::Inline(_) => return None,
        };
        Some(Row(entry.path.clone(), entry.mode, entry.uid, entry.gid, content))
    });
    let stored = StoredIndex {
        entries: rows.collect(),
        whiteouts: index.whiteouts.clone(),
        opaques: index.opaques.clone(),
        kept: index.kept.clone(),
    };
    let json = serde_json::to_vec(&stored).expect("an index always has a JSON form");
    let whole = [first_line(layer, &json).as_bytes(), b"\n", &json].concat();
    let file = file(cache, layer);
    if let Err(error) = crate::layer::write_whole(&file, &whole) {
        tracing::warn!(file = %file.display(), %error, "the index of a layer is not remembered");
    }
}

fn first_line(layer: &Digest, json: &[u8]) -> String {
    format!("{INDEX_MAGIC} {layer} {}", Digest::sha256(json))
}
