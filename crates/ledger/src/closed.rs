//! Closed segments: they never change, and each names the one before.

use ringsite_names::Digest;
use ringsite_oci::Registry;
use ringsite_rings::State;

use crate::checkpoint::Checkpoint;
use crate::codec::{CHECKPOINT, ENTRIES};
use crate::error::LedgerError;
use crate::manifests::SegmentManifest;
use crate::names::SEGMENT_TYPE;
use crate::seen::Place;
use crate::segment::{Before, Segment};
use crate::store::Store;

/// Reads the manifest of a closed segment.
pub(crate) async fn manifest<R: Registry>(
    store: &Store<R>,
    digest: &Digest,
) -> Result<SegmentManifest, LedgerError> {
    let manifest = store.manifest("segment", digest, SEGMENT_TYPE).await?;
    SegmentManifest::read(&manifest, digest)
}

/// Reads the entries of a closed segment, whose last entry must be `last`.
pub(crate) async fn entries<R: Registry>(
    store: &Store<R>,
    manifest: &SegmentManifest,
    last: Place,
    before: Before,
) -> Result<Segment, LedgerError> {
    let text = store.text("entries of a segment", &manifest.entries, ENTRIES).await?;
    let place = format!("segment {} ({})", manifest.number, manifest.entries.digest);
    let segment = Segment::read(&text, before, &place)?;
    match segment.last() {
        Some(found) if found == last && manifest.last == last => Ok(segment),
        Some(found) => Err(LedgerError::damaged(place, format!("it ends at {found}, expected {last}"))),
        None => Err(LedgerError::damaged(place, "it has no entry".to_owned())),
    }
}

/// Reads the checkpoint that a closed segment began with, and its state.
pub(crate) async fn beginning<R: Registry>(
    store: &Store<R>,
    manifest: &SegmentManifest,
) -> Result<(Checkpoint, State), LedgerError> {
    let text = store.text("checkpoint", &manifest.checkpoint, CHECKPOINT).await?;
    let checkpoint = Checkpoint::read(&text, &manifest.checkpoint.digest)?;
    let state = checkpoint.to_state(&manifest.checkpoint.digest)?;
    Ok((checkpoint, state))
}
