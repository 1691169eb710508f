//! The two manifests of the chain: the head, which moves, and the closed segment, which never does.
//!
//! | Manifest | Layers | Annotations |
//! |--|--|--|
//! | head | checkpoint, open segment | sequence, entry, state, protocol, and what the heads before it named |
//! | segment | its checkpoint, its entries | number, sequence and entry of the last entry, time of the first, the segment before |
//!
//! A closed segment keeps the checkpoint that it began with, so that any state of the past is one
//! checkpoint and at most one segment away.

use std::str::FromStr;

use ringsite_names::{Digest, Tag, Timestamp};
use ringsite_oci::{Descriptor, ImageManifest};

use crate::error::LedgerError;
use crate::names;
use crate::seen::Place;

/// What moves: the newest entry and where to find everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadManifest {
    pub(crate) last: Place,
    pub(crate) state: Digest,
    pub(crate) protocol: String,
    pub(crate) checkpoint: Descriptor,
    pub(crate) entries: Descriptor,
    /// The heads before this one, newest first.
    pub(crate) replaced: Vec<Replaced>,
}

/// A head that was replaced, and the open segment that only it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub(crate) manifest: Digest,
    pub(crate) entries: Digest,
}

impl HeadManifest {
    /// Returns the manifest to push.
    pub(crate) fn to_manifest(&self) -> ImageManifest {
        let layers = vec![self.checkpoint.clone(), self.entries.clone()];
        let replaced: Vec<String> = self.replaced.iter().map(|head| head.to_text()).collect();
        let manifest = ImageManifest::artifact(names::HEAD_TYPE, layers)
            .with_annotation(names::SEQUENCE, self.last.sequence.to_string())
            .with_annotation(names::ENTRY, self.last.digest.to_string())
            .with_annotation(names::STATE, self.state.to_string())
            .with_annotation(names::PROTOCOL, self.protocol.clone());
        if replaced.is_empty() {
            manifest
        } else {
            manifest.with_annotation(names::REPLACED, replaced.join(" "))
        }
    }

    /// Reads a head's manifest; `digest` is for messages.
    pub(crate) fn read(manifest: &ImageManifest, digest: &Digest) -> Result<Self, LedgerError> {
        let damaged = |reason: String| LedgerError::damaged(format!("head {digest}"), reason);
        if manifest.artifact_type.as_deref() != Some(names::HEAD_TYPE) {
            return Err(damaged(format!("it is no `{}`", names::HEAD_TYPE)));
        }
        let [checkpoint, entries] = manifest.layers.as_slice() else {
            return Err(damaged(format!("it has {} layers, not 2", manifest.layers.len())));
        };
        let replaced = manifest.annotations.get(names::REPLACED).map_or("", String::as_str);
        let replaced: Option<Vec<Replaced>> =
            replaced.split_ascii_whitespace().map(Replaced::from_text).collect();
        Ok(Self {
            last: Place {
                sequence: annotation(manifest, names::SEQUENCE).map_err(damaged)?,
                digest: annotation(manifest, names::ENTRY).map_err(damaged)?,
            },
            state: annotation(manifest, names::STATE).map_err(damaged)?,
            protocol: annotation(manifest, names::PROTOCOL).map_err(damaged)?,
            checkpoint: checkpoint.clone(),
            entries: entries.clone(),
            replaced: replaced
                .ok_or_else(|| damaged(format!("its annotation `{}` cannot be read", names::REPLACED)))?,
        })
    }
}

impl Replaced {
    fn to_text(self) -> String {
        format!("{}+{}", self.manifest, self.entries)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (manifest, entries) = text.split_once('+')?;
        Some(Self { manifest: manifest.parse().ok()?, entries: entries.parse().ok()? })
    }
}

/// A closed segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentManifest {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// Its last entry.
    pub(crate) last: Place,
    /// The time of its first entry.
    pub(crate) since: Timestamp,
    /// The manifest of the segment before; none for the first.
    pub(crate) previous: Option<Digest>,
    pub(crate) checkpoint: Descriptor,
    pub(crate) entries: Descriptor,
}

impl SegmentManifest {
    /// Returns the manifest to push.
    pub(crate) fn to_manifest(&self) -> ImageManifest {
        let layers = vec![self.checkpoint.clone(), self.entries.clone()];
        let manifest = ImageManifest::artifact(names::SEGMENT_TYPE, layers)
            .with_annotation(names::NUMBER, self.number.to_string())
            .with_annotation(names::SEQUENCE, self.last.sequence.to_string())
            .with_annotation(names::ENTRY, self.last.digest.to_string())
            .with_annotation(names::SINCE, self.since.to_string());
        match &self.previous {
            Some(previous) => manifest.with_annotation(names::PREVIOUS, previous.to_string()),
            None => manifest,
        }
    }

    /// Returns the tag that keeps the manifest from being collected.
    pub(crate) fn tag(&self, manifest: &Digest) -> Tag {
        numbered_tag(names::SEGMENT_TAG_PREFIX, self.number, manifest)
    }

    /// Reads a segment's manifest; `digest` is for messages.
    pub(crate) fn read(manifest: &ImageManifest, digest: &Digest) -> Result<Self, LedgerError> {
        let damaged = |reason: String| LedgerError::damaged(format!("segment {digest}"), reason);
        let [checkpoint, entries] = manifest.layers.as_slice() else {
            return Err(damaged(format!("it has {} layers, not 2", manifest.layers.len())));
        };
        Ok(Self {
            number: annotation(manifest, names::NUMBER).map_err(damaged)?,
            last: Place {
                sequence: annotation(manifest, names::SEQUENCE).map_err(damaged)?,
                digest: annotation(manifest, names::ENTRY).map_err(damaged)?,
            },
            since: annotation(manifest, names::SINCE).map_err(damaged)?,
            previous: match manifest.annotations.contains_key(names::PREVIOUS) {
                true => Some(annotation(manifest, names::PREVIOUS).map_err(damaged)?),
                false => None,
            },
            checkpoint: checkpoint.clone(),
            entries: entries.clone(),
        })
    }
}

/// Returns the tag `<prefix><number>-<12 hex>`.
pub(crate) fn numbered_tag(prefix: &str, number: u64, digest: &Digest) -> Tag {
    Tag::new(&format!("{prefix}{number}-{}", digest.short(names::TAG_HEX_DIGITS)))
        .expect("a short word, a number and hex digits make a tag")
}

/// Reads an annotation that must be there.
pub(crate) fn annotation<T: FromStr>(manifest: &ImageManifest, name: &str) -> Result<T, String> {
    let text = manifest.annotations.get(name).ok_or_else(|| format!("its annotation `{name}` is missing"))?;
    text.parse().map_err(|_| format!("its annotation `{name}` cannot be read"))
}
