//! A release: one version of one image, with everything that is known about it.

use std::collections::BTreeMap;

use ringsite_names::{Digest, ImageName, Position, Timestamp, Version};
use serde::{Deserialize, Serialize};

/// One version of one image. It is written once and never changes: `(image, version)` names one
/// digest for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// The digest of the image's manifest or index.
    pub digest: Digest,
    /// The hash of its containerfile and sources.
    pub revision: Digest,
    /// The digest of everything else that decides about a build: externals, labels, platforms, epoch.
    pub inputs: Digest,
    /// The versions of the project's images that it was built with; for a root, of every other image.
    pub dependencies: BTreeMap<ImageName, Version>,
    /// The builder, for example `native/1`; never compared.
    pub built_by: String,
    /// The position that it was built on.
    pub built_on: Position,
    /// When it was built, by the clock of the machine that built it.
    pub built_at: Timestamp,
    /// The digest of the recipe, the list of everything that was hashed.
    pub recipe: Option<Digest>,
}

/// What a builder knows about an image after building it; the plan knows the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// The digest of the image's manifest or index.
    pub digest: Digest,
    /// The builder, for example `native/1`.
    pub built_by: String,
    /// When it was built.
    pub built_at: Timestamp,
    /// The digest of the recipe.
    pub recipe: Option<Digest>,
}
