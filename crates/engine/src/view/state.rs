//! What stands where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Images by rings.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RingState {
    /// The project.
    pub project: String,
    /// The sequence of the entry that this state is after; 0 for an empty ledger.
    pub sequence: u64,
    /// The digest of that entry; null for an empty ledger.
    pub head: Option<String>,
    /// `ante`, the rings and `post`, in chain order.
    pub rings: Vec<RingView>,
    /// What is held, in the order of ring, image, site, all, and by name.
    pub locks: Vec<LockView>,
}

/// What one ring holds.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RingView {
    /// The ring.
    pub name: String,
    /// Whether it holds a root image and exactly the versions that the root image names.
    pub complete: bool,
    /// The images that must be built before it is complete, by name.
    pub stale: Vec<String>,
    /// The version of the root image; null when the ring is empty or has no root.
    pub root: Option<String>,
    /// The name of the root image that the set was made with.
    pub root_image: Option<String>,
    /// What stands on it, by image.
    pub images: BTreeMap<String, RingImage>,
}

/// One release on a ring.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RingImage {
    /// The version.
    pub version: String,
    /// The digest of the image.
    pub digest: String,
    /// The hash of its containerfile and sources.
    pub revision: String,
    /// The versions that it was built with.
    pub dependencies: BTreeMap<String, String>,
    /// The ring that it was built on.
    pub built_on: String,
    /// When.
    pub built_at: String,
}

/// A hold on a ring, an image, a site or everything.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// `ring`, `image`, `site` or `all`.
    pub what: String,
    /// The name of what is held.
    pub name: String,
    /// `lock` or `freeze`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Until when; null for until it is taken away.
    pub until: Option<String>,
}

/// The sites and what they should and do run.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sites {
    /// Each site of the configuration in force, by name.
    pub sites: Vec<SiteView>,
}

/// One site.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteView {
    /// The site.
    pub site: String,
    /// Its environment.
    pub environment: String,
    /// Its ring.
    pub ring: String,
    /// The root version that its ring holds.
    pub wanted: Option<String>,
    /// The root version that its artifact has.
    pub published: Option<String>,
    /// The root version that its agent has seen; null when no agent reports.
    pub seen: Option<String>,
    /// The root version that runs; null when no agent reports.
    pub running: Option<String>,
    /// What the agent says about health; null when no agent reports.
    pub health: Option<String>,
    /// How many seconds the site has lagged behind; null when it does not, or when no agent reports.
    pub lag_seconds: Option<u64>,
    /// What is wrong, for example a ring that is not complete.
    pub error: Option<String>,
}
