//! What happened before, and explanations.

use schemars::JsonSchema;
use serde::Serialize;

use super::CauseView;

/// Entries of the ledger, newest first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// The entries, newest first.
    pub entries: Vec<LogEntry>,
}

/// One entry in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogEntry {
    /// Its number; the first entry is 1.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
    /// Its kind, for example `promote`.
    pub operation: String,
    /// Who.
    pub actor: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// When, by the clock of the machine that wrote it.
    pub at: String,
    /// What it did, in one line.
    pub summary: String,
}

/// One entry with everything in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntryView {
    /// Its number.
    pub sequence: u64,
    /// Its digest.
    pub digest: String,
    /// The digest of the entry before; null for the first.
    pub parent: Option<String>,
    /// Its kind.
    pub operation: String,
    /// The id of the intent that it fulfils.
    pub operation_id: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// When.
    pub at: String,
    /// The state digest after it.
    pub state: String,
    /// What it did, in one line.
    pub summary: String,
    /// The entry that it takes back, when it does.
    pub takes_back: Option<u64>,
    /// Each change, in the order in which it is applied.
    pub delta: Vec<DeltaView>,
    /// What belongs to the kind: plan, options, warnings, placements, configuration.
    pub body: serde_json::Value,
}

/// One change of a cell or of a whole ring.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeltaView {
    /// `cell`, `copy` or `root`.
    pub change: String,
    /// The ring that is written.
    pub ring: String,
    /// The image, for a cell.
    pub image: Option<String>,
    /// The version or root name before; the ring that is copied, for `copy`.
    pub from: Option<String>,
    /// The version or root name after; the ring that is written, for `copy`.
    pub to: Option<String>,
}

/// Why an image has the version that it has.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Why {
    /// The image.
    pub image: String,
    /// The ring.
    pub ring: String,
    /// The version on the ring; null when there is none.
    pub version: Option<String>,
    /// The clause of the version rule that gave the number: `initial`, `patch`, `minor`, `major` or `none`.
    pub rule: String,
    /// Why it was built, and how it came to the ring, in the order of what happened.
    pub causes: Vec<CauseView>,
    /// What was built from.
    pub recipe: Option<WhyRecipe>,
}

/// What a release was built from, and what changed since the release before it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhyRecipe {
    /// The hash of its containerfile and sources.
    pub revision: String,
    /// The number of files that the revision covers.
    pub files: usize,
    /// The program that built it.
    pub built_by: String,
    /// The files that differ from the release before it, by path.
    pub changed: Vec<String>,
}

/// The difference between two rings.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// The ring compared from.
    pub from: String,
    /// The ring compared to.
    pub to: String,
    /// Each image whose version differs, by name.
    pub images: Vec<VersionDiff>,
    /// Each site of the second ring, by name, as if the first ring's set stood on it.
    pub sites: Vec<SiteDiff>,
}

/// An image whose version differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionDiff {
    /// The image.
    pub image: String,
    /// The version on the first ring.
    pub from: Option<String>,
    /// The version on the second ring.
    pub to: Option<String>,
}

/// What a site's objects would change.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SiteDiff {
    /// The site.
    pub site: String,
    /// Each object that differs, by group, kind, namespace and name.
    pub objects: Vec<ObjectDiff>,
}

/// One Kubernetes object, or one file, that differs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectDiff {
    /// The API group; empty for the core group.
    pub group: String,
    /// The kind; `File` when nothing could render the objects.
    pub kind: String,
    /// The namespace; empty when none is written.
    pub namespace: String,
    /// The name; the path for a file.
    pub name: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// The difference in unified form, with the values of Secrets masked.
    pub diff: String,
}

/// The outcome of building a version again.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The image.
    pub image: String,
    /// The version.
    pub version: String,
    /// Whether the same digest came out.
    pub identical: bool,
    /// The first entry that differs.
    pub first_difference: Option<String>,
}

/// The outcome of checking the whole ledger.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether everything holds.
    pub ok: bool,
    /// How many entries were checked.
    pub entries: u64,
    /// What does not hold, in the order of the entries.
    pub problems: Vec<VerificationProblem>,
}

/// One thing that does not hold.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationProblem {
    /// The kind of problem as a code.
    pub code: String,
    /// What and where.
    pub message: String,
}
