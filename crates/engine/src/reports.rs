//! What happened, as reports: from the entry that was written, not from what was meant.

use std::collections::BTreeSet;

use ringsite_ledger::{Entry, Kind, Recorded};
use ringsite_names::{ImageName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Action, Warning};

use crate::decide::Decided;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::record::Record;
use crate::show;
use crate::view::{Report, ReportImage, WarningView};

impl<R: Registry + 'static> Engine<R> {
    /// Returns what an entry did, as a report.
    pub(crate) async fn report_of(
        &self,
        record: &Record<R>,
        recorded: &Recorded,
    ) -> Result<Report, EngineError> {
        let entry: &Entry = &recorded.entry;
        Ok(Report {
            operation: entry.kind.to_string(),
            changed: true,
            sequence: entry.sequence,
            entry: Some(recorded.digest.to_string()),
            images: self.images_of(record, entry).await?,
            sites: Vec::new(),
            warnings: Vec::new(),
        })
    }

    /// Returns each cell that an entry wrote, with what it names.
    async fn images_of(&self, record: &Record<R>, entry: &Entry) -> Result<Vec<ReportImage>, EngineError> {
        let cells = record.cells_written(entry).await?;
        let images = cells.iter().map(|cell| cell.image.clone()).collect();
        let state = record.with_releases(record.state().clone(), &images).await?;
        let built: BTreeSet<(&ImageName, Version)> =
            entry.releases.iter().map(|new| (&new.image, new.release.version)).collect();
        let mut reported = Vec::new();
        for cell in &cells {
            let digest = match cell.to {
                Some(version) => Some(self.release(&state, &cell.image, version)?.digest.to_string()),
                None => None,
            };
            let action = match cell.to {
                None => Action::Remove,
                Some(version) if built.contains(&(&cell.image, version)) => Action::Build,
                Some(_) if entry.kind == Kind::Release => Action::Adopt,
                Some(_) => Action::Move,
            };
            reported.push(ReportImage {
                image: cell.image.to_string(),
                ring: cell.ring.to_string(),
                action: action.as_str().to_owned(),
                from: cell.from.map(|version| version.to_string()),
                to: cell.to.map(|version| version.to_string()),
                digest,
            });
        }
        Ok(reported)
    }
}

/// Returns the warnings of a plan and those that came up while it was done.
pub(crate) fn show_warnings(decided: &Decided, more: &[Warning]) -> Vec<WarningView> {
    decided.plan.warnings.iter().chain(more).map(show::warning).collect()
}

/// Returns the warning that something that follows the record is behind it.
pub(crate) fn behind(what: &str, error: &EngineError) -> WarningView {
    WarningView {
        code: "behind".into(),
        message: format!("{what} are behind the record: {error}; the next command brings them up to date"),
    }
}
