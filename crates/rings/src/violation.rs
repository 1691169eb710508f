//! What must never happen to the record. A violation is damage or a bug, never a person's mistake.

use ringsite_names::{ImageName, Position, RingName, Version};

use crate::delta::text;
use crate::limits::VERSION_NUMBER_MAX;

/// A change that contradicts the state that it is applied to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A cell does not hold what the change says it holds.
    #[error("ring {ring} holds {image} {}, but the change expects {}", text(found), text(expected))]
    Cell {
        /// The ring.
        ring: Position,
        /// The image.
        image: ImageName,
        /// What the change says.
        expected: Option<Version>,
        /// What the ring holds.
        found: Option<Version>,
    },
    /// A ring's set was made with another root than the change says.
    #[error("the set of ring {ring} has the root {}, but the change expects {}", text(found), text(expected))]
    Root {
        /// The ring.
        ring: Position,
        /// What the change says.
        expected: Option<ImageName>,
        /// What the ring has.
        found: Option<ImageName>,
    },
    /// A part of a change changes nothing, which is never written.
    #[error("a change of ring {ring} changes nothing")]
    Nothing {
        /// The ring.
        ring: Position,
    },
    /// A whole ring is copied onto a ring that still holds something, or onto itself.
    #[error("ring {from} is copied onto ring {to}, which is not empty at that point")]
    CopyOnto {
        /// The ring that is copied.
        from: Position,
        /// The ring that is written.
        to: Position,
    },
    /// While going back: two rings that were made equal are not equal.
    #[error("ring {to} was made equal to ring {from}, but is not")]
    CopyDiffers {
        /// The ring that was copied.
        from: Position,
        /// The ring that was written.
        to: Position,
    },
    /// A ring is written that is not in the chain.
    #[error("ring {ring} is not in the chain")]
    UnknownRing {
        /// The ring.
        ring: Position,
    },
    /// A cell would hold a version that was never given.
    #[error("{image} {version} was never released")]
    UnknownRelease {
        /// The image.
        image: ImageName,
        /// The version.
        version: Version,
    },
    /// A version would be given twice.
    #[error("{image} {version} was given before: a version names one digest for ever")]
    VersionTaken {
        /// The image.
        image: ImageName,
        /// The version.
        version: Version,
    },
    /// A version has a number that nobody can count on from.
    #[error("{image} {version} has a number above {VERSION_NUMBER_MAX}")]
    VersionNumber {
        /// The image.
        image: ImageName,
        /// The version.
        version: Version,
    },
    /// A configuration leaves out a ring that holds a set.
    #[error("ring {ring} holds a set and cannot leave the chain")]
    RingInUse {
        /// The ring.
        ring: RingName,
    },
    /// A configuration changes the order of rings that hold sets.
    #[error("ring {ring} holds a set and cannot change its place in the chain")]
    RingMoved {
        /// The ring.
        ring: RingName,
    },
    /// A snapshot's running hash is no sha256.
    #[error("the running hash of a snapshot is no sha256")]
    RunningHash,
}
