//! Remembers which layer became which blob; see the module above for the key and for what counts.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringsite_images::Sources;
use ringsite_names::{Digest, Hasher, RepositoryName};
use serde::{Deserialize, Serialize};

use crate::layer::entry::Entry;
use crate::names::{CACHE_LAYERS, LAYER_KEY_HEADER};

/// Returns the key of a layer: the sha256 of everything that decides over its bytes.
pub(crate) fn layer_key<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    epoch: u64,
    sources: &Sources,
) -> Digest {
    let mut hasher = Hasher::sha256();
    hasher.update(LAYER_KEY_HEADER.as_bytes());
    let mut frame = String::with_capacity(256);
    writeln!(frame, "{epoch}").expect("a text takes everything");
    for entry in entries {
        let (bytes, sha256) = entry.identity(sources);
        let Entry { mode, uid, gid, path, .. } = entry;
        write!(frame, "{} {mode:o} {uid} {gid} {bytes} {path}\0", entry.letter())
            .expect("a text takes everything");
        hasher.update(frame.as_bytes());
        hasher.update(&sha256);
        frame.clear();
    }
    hasher.update(frame.as_bytes());
    hasher.finish()
}

/// What a layer became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) repository: RepositoryName,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) diff_id: Digest,
}

#[derive(Serialize, Deserialize)]
struct Checked {
    key: Digest,
    note: Note,
    sum: Digest,
}

/// The notes about layers below a folder; without a folder nothing is remembered.
#[derive(Clone, Debug)]
pub(crate) struct LayerCache {
    folder: Option<Arc<Path>>,
}

impl LayerCache {
    /// Returns the cache below the cache folder of a project.
    pub(crate) fn new(cache: Option<&Path>) -> Self {
        Self { folder: cache.map(|cache| cache.join(CACHE_LAYERS).into()) }
    }

    fn file(&self, key: &Digest) -> Option<PathBuf> {
        let hex = key.to_hex();
        Some(self.folder.as_ref()?.join(&hex[..2]).join(&hex[2..]))
    }

    /// Returns what a layer became; nothing for a note that is missing or damaged.
    pub(crate) fn note(&self, key: &Digest) -> Option<Note> {
        let bytes = fs::read(self.file(key)?).ok()?;
        let checked: Checked = serde_json::from_slice(&bytes).ok()?;
        (checked.key == *key && checked.sum == sum(key, &checked.note)).then_some(checked.note)
    }

    /// Remembers what a layer became. A cache that cannot be written costs time only.
    pub(crate) fn keep(&self, key: &Digest, note: Note) {
        let Some(file) = self.file(key) else { return };
        let checked = Checked { key: *key, sum: sum(key, &note), note };
        if let Err(error) = write_whole(&file, &ringsite_names::canonical_json(&checked)) {
            tracing::warn!(file = %file.display(), %error, "a layer is not remembered");
        }
    }
}

fn sum(key: &Digest, note: &Note) -> Digest {
    ringsite_names::digest_of(&(key, note))
}

/// Writes a file of the cache so that another process sees all of it or nothing.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().expect("a file of the cache has a folder");
    fs::create_dir_all(folder)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut temporary, bytes)?;
    temporary.persist(file).map(drop).map_err(|error| error.error)
}
