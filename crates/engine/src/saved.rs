//! A plan in a file: what `ring plan --save` writes and `ring apply` does.

use serde::{Deserialize, Serialize};

use crate::request::Operation;
use crate::view::PlanView;

/// The version of the file's form.
const SCHEMA: u32 = 1;

/// The file of a plan: the request, and the plan that was shown for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedPlan {
    schema: u32,
    request: Operation,
    plan: PlanView,
}

/// A file that is no plan.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// The file is no JSON, or lacks something.
    #[error("is no plan: {0}")]
    Form(#[from] serde_json::Error),
    /// A newer program wrote it.
    #[error("is a plan of form {schema}, and this program knows form {SCHEMA}")]
    Schema {
        /// The form of the file.
        schema: u32,
    },
}

impl SavedPlan {
    /// Returns the file for `plan`, which was made for `request`.
    pub fn new(request: Operation, plan: PlanView) -> Self {
        Self { schema: SCHEMA, request, plan }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// `SavedPlanError` when it is no plan, or one of a newer program.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SavedPlanError> {
        let saved: Self = serde_json::from_slice(bytes)?;
        if saved.schema != SCHEMA {
            return Err(SavedPlanError::Schema { schema: saved.schema });
        }
        Ok(saved)
    }

    /// Returns the bytes of the file.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("view shapes are always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// Returns what was asked for.
    pub fn request(&self) -> &Operation {
        &self.request
    }

    /// Returns the plan as it was shown.
    pub fn plan(&self) -> &PlanView {
        &self.plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_plan_says_what_is_wrong() {
        assert!(SavedPlan::from_json(b"{").expect_err("is cut").to_string().starts_with("is no plan: "));
        let other = br#"{"schema": 9, "request": {"operation": "redo"}, "plan": {"operation": "redo", "ring": null,
            "digest": "", "state": "", "changes": false, "images": [], "sites": [], "gates": [], "warnings": [],
            "refusals": []}}"#;
        assert!(matches!(SavedPlan::from_json(other), Err(SavedPlanError::Schema { schema: 9 })));
    }
}
