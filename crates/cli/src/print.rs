//! The face for people: each view as text.

mod history;
mod plan;
mod project;
mod report;
mod state;

pub(crate) use history::{diff, entry, log, proof, verification, why};
pub(crate) use plan::{plan, text as plan_text};
pub(crate) use project::{configuration, configuration_diff, images, update};
pub(crate) use report::{placement, report};
pub(crate) use state::{sites, state};

/// Returns `value`, or a dash where there is none.
fn or_dash(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "-".to_owned())
}

/// Returns the first 12 hex digits of a digest, which is what people compare.
fn short(digest: &str) -> String {
    digest.split_once(':').map_or(digest, |(_, hex)| hex).chars().take(12).collect()
}
