//! What happened.

use schemars::JsonSchema;
use serde::Serialize;

use super::WarningView;

/// The outcome of an operation that writes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The operation, for example `promote`.
    pub operation: String,
    /// Whether an entry was written.
    pub changed: bool,
    /// The sequence of the entry, or of the head when nothing changed.
    pub sequence: u64,
    /// The digest of that entry; null while the ledger is empty.
    pub entry: Option<String>,
    /// Each image whose cell changed, in the order of the plan.
    pub images: Vec<ReportImage>,
    /// Each site that was looked at, by name.
    pub sites: Vec<ReportSite>,
    /// What deserves a second look.
    pub warnings: Vec<WarningView>,
}

/// One cell that was written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportImage {
    /// The image.
    pub image: String,
    /// The ring.
    pub ring: String,
    /// What was done: `build`, `adopt`, `move` or `remove`.
    pub action: String,
    /// The version before.
    pub from: Option<String>,
    /// The version now.
    pub to: Option<String>,
    /// The digest of the image now; null when it was removed.
    pub digest: Option<String>,
}

/// One site that was placed, or looked at.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSite {
    /// The site.
    pub site: String,
    /// The version of the root image that it gets; null when its ring holds no complete set.
    pub version: Option<String>,
    /// The reference of the artifact.
    pub reference: Option<String>,
    /// The digest of the artifact.
    pub digest: Option<String>,
    /// Whether anything was pushed or delivered.
    pub changed: bool,
    /// Why the site was not placed.
    pub error: Option<String>,
}

/// The outcome of placing sites only.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The operation: `place`.
    pub operation: String,
    /// Whether anything was written: an entry, an artifact, a tag or a file.
    pub changed: bool,
    /// The sequence of the head afterwards.
    pub sequence: u64,
    /// The digest of the head entry; null while the ledger is empty.
    pub entry: Option<String>,
    /// Each site, by name.
    pub sites: Vec<ReportSite>,
    /// What deserves a second look.
    pub warnings: Vec<WarningView>,
}
