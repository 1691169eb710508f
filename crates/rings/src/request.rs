//! What is asked for: requests, what is wanted of each image, and facts that only others can know.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position, Version};
use serde::{Deserialize, Serialize};

use crate::{Configuration, Target};

/// What one declared image should be, as read from the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The image.
    pub image: ImageName,
    /// The hash of its containerfile and sources.
    pub revision: Digest,
    /// The digest of everything else that decides about a build.
    pub inputs: Digest,
    /// The images of the project that it is built with; for the root, every other image.
    pub dependencies: BTreeSet<ImageName>,
    /// What is known about the reasons of a difference, for messages only.
    pub detail: Detail,
}

/// What changed since the release on the ring, in words. Empty when nobody looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Which sources changed, for example `src/main.rs`.
    pub revision: Vec<String>,
    /// Which inputs changed, for example `label x`.
    pub inputs: Vec<String>,
}

/// One thing that a person asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Build what has changed onto a ring.
    Release(ReleaseRequest),
    /// Move a set, or some images of it, to the next ring: `promote R` and `shift R`.
    Promote(PromoteRequest),
    /// Move the whole chain one place on: `shift` without a ring.
    Shift(ShiftRequest),
    /// Move a set to the ring before: `unshift R`.
    Unshift(UnshiftRequest),
    /// Take an entry back: `undo`, `redo`, and `unshift` without a ring.
    TakeBack(TakeBackRequest),
    /// Take everything off a ring.
    Empty(EmptyRequest),
    /// Put a configuration in force.
    Configure(ConfigureRequest),
}

/// A check that was switched off on purpose. It is part of the plan digest and of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Switch {
    /// A ring may get a lower version than it holds.
    AllowDowngrade,
    /// A site may lose more objects than its guard allows. Judged where artifacts are made.
    AllowShrink,
    /// Images are built though nothing changed, and a rejected version may arrive.
    Force,
}

impl Switch {
    /// Returns the flag without its dashes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllowDowngrade => "allow-downgrade",
            Self::AllowShrink => "allow-shrink",
            Self::Force => "force",
        }
    }
}

/// Asks for a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRequest {
    /// The ring to build on.
    pub ring: Position,
    /// The images to build; empty means all.
    pub images: BTreeSet<ImageName>,
    /// The images that get a new major version.
    pub majors: BTreeSet<ImageName>,
    /// The version of an image that never had one.
    pub initial_version: Version,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// Asks for a promotion. Also what `shift R` means, so that both have one plan digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromoteRequest {
    /// The ring that the set comes from.
    pub ring: Position,
    /// The images to move; empty means the whole set.
    pub images: BTreeSet<ImageName>,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// Asks to move the whole chain one place on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShiftRequest {
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// Asks to give the ring before what a ring holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnshiftRequest {
    /// The ring that the set comes from.
    pub ring: Position,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// Asks for the inverse of an entry. `InEffect` finds the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakeBackRequest {
    /// Which command asks.
    pub command: TakeBack,
    /// What was found in the history.
    pub target: Target,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// The commands that take an entry back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakeBack {
    /// `undo`: takes back a move or a release.
    Undo,
    /// `redo`: takes back an undo.
    Redo,
    /// `unshift` without a ring: takes back a promote or a shift.
    Unshift,
}

/// Asks to take everything off a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmptyRequest {
    /// The ring.
    pub ring: Position,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// Asks to put a configuration in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigureRequest {
    /// The configuration.
    pub configuration: Configuration,
    /// The checks that are switched off.
    pub switches: BTreeSet<Switch>,
}

/// What the rules cannot see for themselves. The default is that nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The configuration that the project's files declare; none without a working copy.
    pub declared: Option<Configuration>,
    /// The versions whose manifest is gone, so that they cannot be adopted.
    pub gone: BTreeMap<ImageName, BTreeSet<Version>>,
    /// The rings on which the set that would arrive was recorded before; see `arriving`. Only
    /// looked at for `undo` and `unshift` onto a ring with gates.
    pub recorded_before: BTreeSet<Position>,
}

impl Request {
    /// Returns the checks that are switched off.
    pub fn switches(&self) -> &BTreeSet<Switch> {
        match self {
            Self::Release(request) => &request.switches,
            Self::Promote(request) => &request.switches,
            Self::Shift(request) => &request.switches,
            Self::Unshift(request) => &request.switches,
            Self::TakeBack(request) => &request.switches,
            Self::Empty(request) => &request.switches,
            Self::Configure(request) => &request.switches,
        }
    }

    /// Returns whether a check is switched off.
    pub fn has(&self, switch: Switch) -> bool {
        self.switches().contains(&switch)
    }
}
