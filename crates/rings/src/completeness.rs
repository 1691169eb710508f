//! Whether a ring holds a set that belongs together, and what must be built until it does.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, Version};

use crate::{Cells, State};

/// How a ring's set holds together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing stands on the ring.
    Empty,
    /// The ring holds its root, and every image in exactly the version that the root names. Only
    /// such a set can be placed on a site or promoted as a whole.
    Complete,
    /// The set does not belong together, or has no root.
    Incomplete {
        /// The images that must be built on the ring, by name. Empty when only a root is missing
        /// that nobody named, as on a ring with base images only.
        stale: Vec<ImageName>,
    },
}

impl Completeness {
    /// Returns whether the set belongs together.
    pub fn is_complete(&self) -> bool {
        *self == Self::Complete
    }

    /// Returns the images that must be built on the ring, by name.
    pub fn stale(&self) -> &[ImageName] {
        match self {
            Self::Incomplete { stale } => stale,
            Self::Empty | Self::Complete => &[],
        }
    }
}

/// A release that a rule has to look at is not loaded. That is a mistake of the caller, or damage:
/// `needs` says which images to load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the releases of {image} are needed but not loaded")]
pub struct NotLoaded {
    /// The image.
    pub image: ImageName,
}

impl State {
    /// Returns how the set of a ring holds together.
    ///
    /// The release of the ring's root must be loaded; for a ring that is not complete, those of
    /// all its images.
    ///
    /// # Errors
    /// `NotLoaded` when a release is needed that is not loaded.
    ///
    /// # Examples
    /// ```
    /// use ringsite_names::Position;
    /// use ringsite_rings::{Completeness, State};
    ///
    /// assert_eq!(State::new().completeness(&Position::Ante), Ok(Completeness::Empty));
    /// ```
    pub fn completeness(&self, position: &Position) -> Result<Completeness, NotLoaded> {
        completeness(self.cells(position), |image, version| {
            self.release(image, version).map(|release| &release.dependencies)
        })
    }
}

/// Returns how `cells` hold together; `dependencies` knows what each release was built with.
pub(crate) fn completeness<'a>(
    cells: &Cells,
    dependencies: impl Fn(&ImageName, Version) -> Option<&'a BTreeMap<ImageName, Version>>,
) -> Result<Completeness, NotLoaded> {
    if cells.is_empty() {
        return Ok(Completeness::Empty);
    }
    let built_with = |image: &ImageName, version: Version| {
        dependencies(image, version).ok_or_else(|| NotLoaded { image: image.clone() })
    };
    if let Some((root, version)) = cells.root().zip(cells.root_version())
        && holds_all(cells, built_with(root, version)?)
    {
        return Ok(Completeness::Complete);
    }
    let mut edges = Vec::with_capacity(cells.images().len());
    for (image, version) in cells.images() {
        edges.push((image, built_with(image, *version)?));
    }
    Ok(Completeness::Incomplete { stale: stale(cells, &edges) })
}

/// Returns whether `cells` hold exactly these versions. Both maps are sorted, so one walk through
/// both is enough.
fn holds_all(cells: &Cells, dependencies: &BTreeMap<ImageName, Version>) -> bool {
    let mut held = cells.images().iter();
    dependencies
        .iter()
        .all(|(image, version)| held.find(|(name, _)| *name >= image) == Some((image, version)))
}

/// Walks the whole graph: what misses a dependency in its version is stale, and so is everything
/// that was built with something stale, and every dependency that is not there at all.
fn stale(cells: &Cells, edges: &[(&ImageName, &BTreeMap<ImageName, Version>)]) -> Vec<ImageName> {
    let mut dependents: BTreeMap<&ImageName, Vec<&ImageName>> = BTreeMap::new();
    let mut stale: BTreeSet<&ImageName> = BTreeSet::new();
    let mut waiting: Vec<&ImageName> = Vec::new();
    for (image, dependencies) in edges {
        for (dependency, version) in *dependencies {
            dependents.entry(dependency).or_default().push(image);
            let found = cells.version(dependency);
            if found.is_none() && stale.insert(dependency) {
                waiting.push(dependency);
            }
            if found != Some(*version) && stale.insert(image) {
                waiting.push(image);
            }
        }
    }
    while let Some(image) = waiting.pop() {
        for dependent in dependents.get(image).into_iter().flatten() {
            if stale.insert(dependent) {
                waiting.push(dependent);
            }
        }
    }
    stale.extend(cells.root().filter(|_| cells.root_version().is_none()));
    stale.into_iter().cloned().collect()
}
