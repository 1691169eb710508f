//! The note about the last projection: which `index.json` is ours, and what it shows.

use std::fs;
use std::io;
use std::path::Path;

use ringsite_names::{Digest, canonical_json};
use serde::{Deserialize, Serialize};

use crate::error::OciError;
use crate::limits::PROJECTED_BYTES_MAX;

const SCHEMA: u32 = 1;

/// An `index.json` that we wrote: the projection of the tag log up to an offset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Projected {
    /// The generation of the tag log.
    pub(super) generation: String,
    /// Offset in the tag log.
    pub(super) offset: u64,
    /// Digest of the `index.json`.
    pub(super) index: Digest,
}

/// The content of the file `projected`.
///
/// `next` is written before an `index.json` takes its place and becomes `current` after it, so that
/// a crash in between cannot make our own file look like that of another tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    schema: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    current: Option<Projected>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<Projected>,
}

impl Note {
    /// Reads the note; one that does not exist knows nothing.
    ///
    /// # Errors
    /// `Damaged` when it is not a note; removing it costs nothing but what other tools took away
    /// since the last projection.
    pub(super) fn read(path: &Path) -> Result<Self, OciError> {
        let bytes = match fs::metadata(path) {
            Ok(found) if found.len() > PROJECTED_BYTES_MAX => {
                Err(io::Error::from(io::ErrorKind::FileTooLarge))
            }
            Ok(_) => fs::read(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => Err(error),
        };
        let bytes = bytes.map_err(|source| OciError::disk("read", path, source))?;
        let note = serde_json::from_slice::<Self>(&bytes);
        note.map_err(|error| OciError::damaged_file(path, format!("{error}; remove it, it is written again")))
    }

    /// Returns the bytes of the note.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// Returns the note for the time while `next` takes its place.
    pub(super) fn with_next(&self, next: Projected) -> Self {
        Self { schema: SCHEMA, current: self.current.clone(), next: Some(next) }
    }

    /// Returns the note for when `current` is in its place.
    pub(super) fn settled(current: Projected) -> Self {
        Self { schema: SCHEMA, current: Some(current), next: None }
    }

    /// Returns whether `current` is known to be in its place.
    pub(super) fn is_settled_on(&self, current: &Projected) -> bool {
        self.current.as_ref() == Some(current) && self.next.is_none()
    }

    /// Returns every `index.json` that may be the last one that we wrote.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &Projected> {
        self.current.iter().chain(&self.next)
    }
}
