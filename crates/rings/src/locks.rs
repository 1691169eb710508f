//! Holds and rejected versions as data. No command of this version writes one; a state that has
//! some is nevertheless obeyed.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, SiteName, Timestamp, Version};
use serde::{Deserialize, Serialize};

/// Everything that is held, and every version that was rejected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locks {
    /// What is held, in the order in which it was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The versions that must not arrive anywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<ImageName, BTreeSet<Version>>,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// What is held.
    #[serde(flatten)]
    pub held: Held,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub actor: String,
    /// Until when; none means until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a hold covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "what", content = "name", rename_all = "lowercase")]
pub enum Held {
    /// A ring: nothing is written to it.
    Ring(Position),
    /// An image: no ring gets another version of it.
    Image(ImageName),
    /// A site: nothing that it would get changes.
    Site(SiteName),
    /// Everything: the line is stopped, except for steps back.
    All,
}

impl Locks {
    /// Returns the holds that count at `now`.
    pub fn in_effect(&self, now: Timestamp) -> impl Iterator<Item = &Hold> {
        self.holds.iter().filter(move |hold| hold.until.is_none_or(|until| now < until))
    }

    /// Returns whether a version was rejected.
    pub fn is_rejected(&self, image: &ImageName, version: Version) -> bool {
        self.rejected.get(image).is_some_and(|versions| versions.contains(&version))
    }

    /// Returns whether nothing is held and nothing was rejected.
    pub fn is_empty(&self) -> bool {
        self.holds.is_empty() && self.rejected.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_ends_at_its_time() {
        let json = r#"{"holds":[{"what":"ring","name":"users","reason":"r","actor":"a","until":"2026-01-02T00:00:00Z"},
            {"what":"all","reason":"r","actor":"a"}]}"#;
        let locks: Locks = serde_json::from_str(json).unwrap();
        let at = |text: &str| locks.in_effect(text.parse().unwrap()).count();
        assert_eq!(at("2026-01-01T23:59:59Z"), 2);
        assert_eq!(at("2026-01-02T00:00:00Z"), 1);
        let again: Locks = serde_json::from_value(serde_json::to_value(&locks).unwrap()).unwrap();
        assert_eq!(again, locks);
    }
}
