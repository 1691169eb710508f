//! What must be learned about manifests that another tool put into `index.json`.

use std::collections::{HashSet, VecDeque};

use ringsite_names::Digest;

use super::blobs::Blobs;
use crate::intake::Intake;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::manifest::ImageIndex;
use crate::state::{Change, Facts};

/// Completes added manifests by their subject, and adds the children of indexes, which other tools
/// do not list, so that they can be asked for by digest.
///
/// A manifest whose content is missing or damaged stays as it is; reading it will say so.
pub(super) fn describe(blobs: &Blobs, changes: Vec<Change>) -> Vec<Change> {
    let mut described = Vec::with_capacity(changes.len());
    let mut seen: HashSet<Digest> = HashSet::new();
    let mut waiting: VecDeque<Change> = changes.into();
    while let Some(change) = waiting.pop_front() {
        let Change::Manifest { repository, digest, mut facts } = change else {
            described.push(change);
            continue;
        };
        if let Ok(Some(bytes)) = blobs.read(&digest, MANIFEST_BYTES_MAX)
            && let Ok(intake) = Intake::read(&bytes)
        {
            facts.subject = intake.subject;
            if !intake.manifests.is_empty() && seen.insert(digest) {
                for child in children(blobs, &bytes) {
                    let (child, facts) = child;
                    waiting.push_back(Change::Manifest {
                        repository: repository.clone(),
                        digest: child,
                        facts,
                    });
                }
            }
        }
        described.push(Change::Manifest { repository, digest, facts });
    }
    described
}

fn children(blobs: &Blobs, bytes: &[u8]) -> Vec<(Digest, Facts)> {
    let Ok(index) = ImageIndex::from_bytes(bytes) else { return Vec::new() };
    let is_there = |digest: &Digest| matches!(blobs.size(digest), Ok(Some(_)));
    let present = index.manifests.into_iter().filter(|child| is_there(&child.digest));
    present
        .map(|child| {
            let media_type = child.media_type.as_str().into();
            (child.digest, Facts { media_type, size: child.size, subject: None, extra: None })
        })
        .collect()
}
