//! The view model: what every operation answers, the same for terminal, web board and JSON.
//!
//! These shapes are a contract (`docs/reference/schemas/`): keys may be added, never changed or
//! removed. They hold text where the floors below hold checked types, because this is where the
//! values leave the program. Every list has a defined order, named at its field.

mod history;
mod plan;
mod project;
mod report;
mod state;

pub use history::{
    DeltaView, Diff, EntryView, Log, LogEntry, ObjectDiff, Proof, SiteDiff, Verification,
    VerificationProblem, VersionDiff, Why, WhyRecipe,
};
pub use plan::{CauseView, GateView, PlanImage, PlanSite, PlanView, RefusalView, WarningView};
pub use project::{
    ConfigurationChange, ConfigurationDiff, ConfigurationValue, ConfigurationView, ExternalView, ImageView,
    ImagesView, ProblemView, SourceView, Update, UpdatedPin,
};
pub use report::{Placement, Report, ReportImage, ReportSite};
pub use state::{LockView, RingImage, RingState, RingView, SiteView, Sites};

use serde::Serialize;

/// The version of every JSON document of this program.
pub const API_VERSION: &str = "ringsite/v1";

/// One JSON document: the version, the kind, and the fields of the kind beside them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document<T> {
    /// Always [`API_VERSION`].
    pub api_version: &'static str,
    /// The name of the kind, for example `RingState`.
    pub kind: &'static str,
    /// The fields of the kind.
    #[serde(flatten)]
    pub body: T,
}

/// A shape that is a JSON document of its own.
pub trait Kind: Serialize + schemars::JsonSchema {
    /// The name of the kind.
    const KIND: &'static str;

    /// Returns the document with version and kind.
    fn document(&self) -> Document<&Self> {
        Document { api_version: API_VERSION, kind: Self::KIND, body: self }
    }
}

macro_rules! kinds {
    ($($type:ty => $kind:literal),+ $(,)?) => {
        $(impl Kind for $type { const KIND: &'static str = $kind; })+

        /// Returns the JSON schema of every kind, in alphabetical order of the kinds.
        pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
            let mut schemas = vec![$(($kind, schema::<$type>($kind))),+];
            schemas.sort_by_key(|(kind, _)| *kind);
            schemas
        }
    };
}

kinds! {
    RingState => "RingState",
    PlanView => "Plan",
    Report => "Report",
    Log => "Log",
    ImagesView => "Images",
    Sites => "Sites",
    Placement => "Placement",
    EntryView => "Entry",
    Why => "Why",
    Diff => "Diff",
    Proof => "Proof",
    Verification => "Verification",
    ConfigurationView => "Configuration",
    ConfigurationDiff => "ConfigurationDiff",
    Update => "Update",
    ErrorView => "Error",
}

/// What went wrong, written to stderr with `-o json`.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorView {
    /// The area and cause in one word, for example `refused`.
    pub code: String,
    /// What happened, naming the thing.
    pub message: String,
    /// What to do next.
    pub help: Option<String>,
    /// Every reason, when a rule said no.
    pub refusals: Vec<RefusalView>,
}

/// The schema of one kind, with the two fields that every document has.
fn schema<T: schemars::JsonSchema>(kind: &str) -> serde_json::Value {
    let mut schema = schemars::schema_for!(T).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), kind.into());
        if let Some(properties) = object.get_mut("properties").and_then(|value| value.as_object_mut()) {
            properties.insert("apiVersion".into(), serde_json::json!({"const": API_VERSION}));
            properties.insert("kind".into(), serde_json::json!({"const": kind}));
        }
        if let Some(required) =
            object.entry("required").or_insert_with(|| serde_json::json!([])).as_array_mut()
        {
            required.push("apiVersion".into());
            required.push("kind".into());
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_carries_its_version_and_kind_beside_its_fields() {
        let proof =
            Proof { image: "api".into(), version: "0.1.0".into(), identical: true, first_difference: None };
        let json = serde_json::to_value(proof.document()).expect("is JSON");
        assert_eq!(
            json,
            serde_json::json!({"apiVersion": "ringsite/v1", "kind": "Proof", "image": "api",
                "version": "0.1.0", "identical": true, "firstDifference": null})
        );
    }

    #[test]
    fn every_kind_has_a_schema_that_asks_for_version_and_kind() {
        let schemas = schemas();
        assert_eq!(schemas.len(), 16);
        for (kind, schema) in schemas {
            assert_eq!(schema["properties"]["kind"]["const"], kind);
            assert!(
                schema["required"].as_array().is_some_and(|keys| keys.contains(&"apiVersion".into())),
                "{kind}"
            );
        }
    }
}
