//! What would happen, and why.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A plan: every step with its cause, every site, every reason against it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The operation, for example `promote`.
    pub operation: String,
    /// The ring that was named, or null for an operation on the whole chain.
    pub ring: Option<String>,
    /// The plan digest: same digest, same effect.
    pub digest: String,
    /// The digest of the state that the plan was made on.
    pub state: String,
    /// Whether applying it would change anything.
    pub changes: bool,
    /// Each image concerned, in build order for a release, else by ring and name.
    pub images: Vec<PlanImage>,
    /// Each site that would get another root, by name.
    pub sites: Vec<PlanSite>,
    /// Each gate that was looked at.
    pub gates: Vec<GateView>,
    /// What deserves a second look.
    pub warnings: Vec<WarningView>,
    /// Every reason why the plan must not be applied; empty when it may.
    pub refusals: Vec<RefusalView>,
}

/// One image in a plan.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanImage {
    /// The image.
    pub image: String,
    /// `build`, `adopt`, `keep`, `move` or `remove`.
    pub action: String,
    /// The ring whose cell is written.
    pub ring: String,
    /// The version that the cell holds now.
    pub from: Option<String>,
    /// The version that it would hold.
    pub to: Option<String>,
    /// The clause of the version rule: `initial`, `patch`, `minor`, `major` or `none`.
    pub rule: String,
    /// Why, most important first.
    pub causes: Vec<CauseView>,
}

/// One cause of a step.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CauseView {
    /// The cause as a code, for example `revision`.
    pub code: String,
    /// The cause in words.
    pub message: String,
}

/// A site that would get another root.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanSite {
    /// The site.
    pub site: String,
    /// The root version that its ring has now.
    pub from: Option<String>,
    /// The root version that it would have.
    pub to: Option<String>,
}

/// A gate that was looked at.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateView {
    /// The gate, for example `soak`.
    pub gate: String,
    /// The ring that it guards.
    pub ring: String,
    /// Whether it is met; null when that is unknown.
    pub met: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// Something that deserves a second look.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WarningView {
    /// The warning as a code, for example `inversion`.
    pub code: String,
    /// The warning in words.
    pub message: String,
}

/// One reason why a rule said no.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    /// The reason as a code, for example `source-empty`.
    pub code: String,
    /// The reason in words.
    pub message: String,
    /// What to do next.
    pub help: String,
}
