//! What stands on a ring, and on all rings together.
//!
//! | Digest | sha256 of the RFC 8785 form of |
//! |--|--|
//! | ring digest | `{root, images: {image: version}}` |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use ringsite_names::{Digest, ImageName, Position, Version};
use serde::{Deserialize, Serialize};

use crate::{Delta, Violation};

/// The set of one ring: the name of the root that it was made with, and a version for each image.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cells {
    root: Option<ImageName>,
    images: BTreeMap<ImageName, Version>,
    /// Kept once it was asked for; every change empties it.
    #[serde(skip)]
    digest: OnceLock<Digest>,
}

impl PartialEq for Cells {
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root && self.images == other.images
    }
}

impl Eq for Cells {}

/// What a ring holds that nothing was ever put on.
static EMPTY: Cells = Cells { root: None, images: BTreeMap::new(), digest: OnceLock::new() };

impl Cells {
    /// Returns the name of the root image that the set was made with.
    pub fn root(&self) -> Option<&ImageName> {
        self.root.as_ref()
    }

    /// Returns every image with its version.
    pub fn images(&self) -> &BTreeMap<ImageName, Version> {
        &self.images
    }

    /// Returns the version of an image.
    pub fn version(&self, image: &ImageName) -> Option<Version> {
        self.images.get(image).copied()
    }

    /// Returns the version of the root image, when the set has one.
    pub fn root_version(&self) -> Option<Version> {
        self.version(self.root()?)
    }

    /// Returns whether nothing stands here.
    pub fn is_empty(&self) -> bool {
        self.root.is_none() && self.images.is_empty()
    }

    /// Returns the ring digest; it is computed at most once for a set.
    pub fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::sha256(self.canonical().as_bytes()))
    }

    /// Writes the RFC 8785 form directly: names and versions are ASCII without anything to escape,
    /// so the order of the map is the order of RFC 8785.
    fn canonical(&self) -> String {
        let mut json = String::with_capacity(32 + self.images.len() * 32);
        json.push_str("{\"images\":{");
        for (index, (image, version)) in self.images.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let Version { major, minor, patch } = version;
            write!(json, "{comma}\"{image}\":\"{major}.{minor}.{patch}\"")
                .expect("a string takes every write");
        }
        match &self.root {
            Some(root) => write!(json, "}},\"root\":\"{root}\"}}").expect("a string takes every write"),
            None => json.push_str("},\"root\":null}"),
        }
        json
    }

    fn set_version(&mut self, image: &ImageName, version: Option<Version>) {
        self.digest = OnceLock::new();
        match version {
            Some(version) => self.images.insert(image.clone(), version),
            None => self.images.remove(image),
        };
    }

    fn set_root(&mut self, root: Option<&ImageName>) {
        self.digest = OnceLock::new();
        self.root = root.cloned();
    }
}

/// The sets of all rings. A ring without a set is not in the map, so equal states are equal maps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rings(BTreeMap<Position, Arc<Cells>>);

impl Rings {
    /// Takes sets as they were stored; empty ones are dropped.
    pub(crate) fn new(sets: impl IntoIterator<Item = (Position, Cells)>) -> Self {
        let full = sets.into_iter().filter(|(_, cells)| !cells.is_empty());
        Self(full.map(|(position, cells)| (position, Arc::new(cells))).collect())
    }

    /// Returns what stands on a ring.
    pub(crate) fn cells(&self, position: &Position) -> &Cells {
        self.0.get(position).map_or(&EMPTY, |cells| cells)
    }

    /// Returns each ring that holds a set.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Position, &Cells)> {
        self.0.iter().map(|(position, cells)| (position, &**cells))
    }

    /// Applies one part of a change.
    pub(crate) fn forward(&mut self, delta: &Delta) -> Result<(), Violation> {
        match delta {
            Delta::Cell { ring, image, from, to } => self.change_cell(ring, image, *from, *to),
            Delta::Root { ring, from, to } => self.change_root(ring, from.as_ref(), to.as_ref()),
            Delta::Copy { from, to } => {
                if from == to || !self.cells(to).is_empty() {
                    return Err(Violation::CopyOnto { from: from.clone(), to: to.clone() });
                }
                match self.0.get(from) {
                    Some(cells) => {
                        let cells = Arc::clone(cells);
                        self.0.insert(to.clone(), cells);
                        Ok(())
                    }
                    None => Err(Violation::Nothing { ring: to.clone() }),
                }
            }
        }
    }

    /// Takes one part of a change back.
    pub(crate) fn backward(&mut self, delta: &Delta) -> Result<(), Violation> {
        match delta {
            Delta::Cell { ring, image, from, to } => self.change_cell(ring, image, *to, *from),
            Delta::Root { ring, from, to } => self.change_root(ring, to.as_ref(), from.as_ref()),
            Delta::Copy { from, to } => {
                if from == to || self.cells(from) != self.cells(to) {
                    return Err(Violation::CopyDiffers { from: from.clone(), to: to.clone() });
                }
                self.0.remove(to);
                Ok(())
            }
        }
    }

    fn change_cell(
        &mut self,
        ring: &Position,
        image: &ImageName,
        expected: Option<Version>,
        next: Option<Version>,
    ) -> Result<(), Violation> {
        if expected == next {
            return Err(Violation::Nothing { ring: ring.clone() });
        }
        let found = self.cells(ring).version(image);
        if found != expected {
            return Err(Violation::Cell { ring: ring.clone(), image: image.clone(), expected, found });
        }
        self.edit(ring, |cells| cells.set_version(image, next));
        Ok(())
    }

    fn change_root(
        &mut self,
        ring: &Position,
        expected: Option<&ImageName>,
        next: Option<&ImageName>,
    ) -> Result<(), Violation> {
        if expected == next {
            return Err(Violation::Nothing { ring: ring.clone() });
        }
        let found = self.cells(ring).root();
        if found != expected {
            let (expected, found) = (expected.cloned(), found.cloned());
            return Err(Violation::Root { ring: ring.clone(), expected, found });
        }
        self.edit(ring, |cells| cells.set_root(next));
        Ok(())
    }

    fn edit(&mut self, ring: &Position, edit: impl FnOnce(&mut Cells)) {
        let cells = Arc::make_mut(self.0.entry(ring.clone()).or_default());
        edit(cells);
        if cells.is_empty() {
            self.0.remove(ring);
        }
    }
}

/// Returns the parts that make ring `to` equal to ring `from`, in the shorter of two forms: each
/// cell that differs, or a whole-ring copy after emptying the target. A tie goes to the cells.
pub(crate) fn copy_parts(rings: &Rings, from: &Position, to: &Position) -> Vec<Delta> {
    let (source, target) = (rings.cells(from), rings.cells(to));
    let differing = difference_parts(to, target, source);
    let mut copying = difference_parts(to, target, &EMPTY);
    copying.push(Delta::Copy { from: from.clone(), to: to.clone() });
    if source.is_empty() || differing.len() <= copying.len() { differing } else { copying }
}

/// Returns the parts that turn what stands on `ring` from `before` into `after`: images by name,
/// then the root.
pub(crate) fn difference_parts(ring: &Position, before: &Cells, after: &Cells) -> Vec<Delta> {
    let images: BTreeSet<&ImageName> = before.images.keys().chain(after.images.keys()).collect();
    let cells = images.into_iter().filter_map(|image| {
        let (from, to) = (before.version(image), after.version(image));
        (from != to).then(|| Delta::Cell { ring: ring.clone(), image: image.clone(), from, to })
    });
    let mut parts: Vec<Delta> = cells.collect();
    if before.root != after.root {
        parts.push(Delta::Root { ring: ring.clone(), from: before.root.clone(), to: after.root.clone() });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringsite_names::digest_of;

    fn position(name: &str) -> Position {
        name.parse().unwrap()
    }

    fn cells(root: Option<&str>, images: &[(&str, &str)]) -> Cells {
        let images = images.iter().map(|(image, version)| (image.to_string(), version.to_string()));
        let images: BTreeMap<String, String> = images.collect();
        serde_json::from_value(serde_json::json!({"root": root, "images": images})).unwrap()
    }

    #[test]
    fn the_ring_digest_is_that_of_the_canonical_json() {
        for set in [
            Cells::default(),
            cells(None, &[("base", "1.0.0")]),
            cells(Some("shop"), &[("a-b", "0.1.0"), ("a", "10.2.3"), ("shop", "1.0.0"), ("0", "0.0.1")]),
        ] {
            let value = serde_json::json!({"root": set.root(), "images": set.images()});
            assert_eq!(set.digest(), digest_of(&value));
        }
    }

    #[test]
    fn a_digest_that_was_asked_for_is_not_kept_over_a_change() {
        let ring = position("a");
        let mut rings = Rings::new([(ring.clone(), cells(None, &[("x", "0.1.0")]))]);
        let before = rings.cells(&ring).digest();
        let delta: Delta = serde_json::from_str(r#"["a","x","0.1.0","0.2.0"]"#).unwrap();
        rings.forward(&delta).unwrap();
        assert_ne!(rings.cells(&ring).digest(), before);
        rings.backward(&delta).unwrap();
        assert_eq!(rings.cells(&ring).digest(), before);
    }

    #[test]
    fn copying_takes_the_shorter_form_and_both_forms_mean_the_same() {
        let (from, to) = (position("a"), position("b"));
        let source = cells(Some("r"), &[("r", "2.0.0"), ("x", "1.0.0"), ("y", "1.0.0"), ("z", "1.0.0")]);
        let nearly = cells(Some("r"), &[("r", "1.0.0"), ("x", "1.0.0"), ("y", "1.0.0"), ("z", "1.0.0")]);
        for (target, length) in [(Cells::default(), 1), (nearly, 1), (source.clone(), 0)] {
            let mut rings = Rings::new([(from.clone(), source.clone()), (to.clone(), target.clone())]);
            let parts = copy_parts(&rings, &from, &to);
            assert_eq!(parts.len(), length, "{parts:?}");
            parts.iter().for_each(|part| rings.forward(part).unwrap());
            assert_eq!(rings.cells(&to), &source);
            parts.iter().rev().for_each(|part| rings.backward(part).unwrap());
            assert_eq!(rings.cells(&to), &target);
        }
    }

    #[test]
    fn a_part_that_contradicts_the_cells_is_a_violation() {
        let set = cells(Some("r"), &[("r", "1.0.0")]);
        let rings = Rings::new([(position("a"), set.clone()), (position("b"), set)]);
        for (text, word) in [
            (r#"["a","r","0.1.0","0.2.0"]"#, "expects 0.1.0"),
            (r#"["a","r",null,"0.2.0"]"#, "expects nothing"),
            (r#"["root","a","x",null]"#, "has the root r"),
            (r#"["copy","a","b"]"#, "not empty"),
            (r#"["copy","c","d"]"#, "changes nothing"),
            (r#"["copy","d","d"]"#, "not empty"),
        ] {
            let delta: Delta = serde_json::from_str(text).unwrap();
            let error = rings.clone().forward(&delta).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
        let version = Some(Version::new(1, 0, 0));
        let idle = Delta::Cell {
            ring: position("a"),
            image: ImageName::new("r").unwrap(),
            from: version,
            to: version,
        };
        assert!(matches!(rings.clone().forward(&idle), Err(Violation::Nothing { .. })));
        let copy = Delta::Copy { from: position("a"), to: position("c") };
        assert!(matches!(rings.clone().backward(&copy), Err(Violation::CopyDiffers { .. })));
    }
}
