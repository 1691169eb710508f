//! What the working copy declares.

use schemars::JsonSchema;
use serde::Serialize;

/// The images that are declared.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImagesView {
    /// Each image, in build order: dependencies first, the root last.
    pub images: Vec<ImageView>,
}

/// One declared image.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageView {
    /// The image.
    pub image: String,
    /// Its build context, relative to the project.
    pub context: String,
    /// Its containerfile, relative to the project.
    pub containerfile: String,
    /// Whether it is the root image.
    pub root: bool,
    /// The builder that would build it.
    pub builder: String,
    /// The stages that the build needs, in file order; an unnamed stage is its number.
    pub stages: Vec<String>,
    /// The images of the project that it is built with, by name.
    pub dependencies: Vec<String>,
    /// The images of others that it is built with, by reference.
    pub externals: Vec<ExternalView>,
    /// The hash of containerfile and sources.
    pub revision: String,
    /// The digest of everything else that decides about a build.
    pub inputs: String,
    /// Every file that the revision covers, by path; empty unless asked for.
    pub sources: Vec<SourceView>,
}

/// An image of somebody else.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExternalView {
    /// The normalised reference.
    pub reference: String,
    /// The digest that `rings.lock` pins it to; null until the first release or update.
    pub digest: Option<String>,
}

/// One file that a revision covers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceView {
    /// The path relative to the context.
    pub path: String,
    /// `F` file, `X` executable file, `L` symbolic link, `D` empty directory, `A` arguments.
    pub kind: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The sha256 of the content in hex.
    pub sha256: String,
}

/// The configuration, and where each value comes from.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationView {
    /// Each value, by key.
    pub values: Vec<ConfigurationValue>,
    /// What is wrong, by place.
    pub problems: Vec<ProblemView>,
}

/// One value of the configuration.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationValue {
    /// The key, with dots between the parts.
    pub key: String,
    /// The value as TOML.
    pub value: String,
    /// Where it comes from: a flag, a variable, a file with its line, or `default`.
    pub origin: String,
}

/// One thing that is wrong in the project's files.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemView {
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// The outcome of refreshing the pins of external images.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// Whether `rings.lock` was written.
    pub changed: bool,
    /// Each external image, by reference.
    pub pins: Vec<UpdatedPin>,
}

/// One pin.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdatedPin {
    /// The normalised reference.
    pub reference: String,
    /// The digest before; null when it is new.
    pub from: Option<String>,
    /// The digest now; null when nothing names it any more.
    pub to: Option<String>,
}

/// How the configuration of the project file differs from the one in force.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationDiff {
    /// The digest of the configuration in force; null before the first release.
    pub in_force: Option<String>,
    /// The digest of the configuration that the project file declares.
    pub declared: String,
    /// Each difference.
    pub changes: Vec<ConfigurationChange>,
}

/// One difference between the two configurations.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigurationChange {
    /// `added` when the next release takes it over, `altered` when only `ring config apply` does.
    pub change: String,
    /// What differs, in words.
    pub message: String,
}
