//! The configuration in force against the project file.

use ringsite_oci::Registry;
use ringsite_rings::{Difference, differences};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::view::{ConfigurationChange, ConfigurationDiff};

impl<R: Registry + 'static> Engine<R> {
    /// Returns how the project file differs from the configuration in force.
    ///
    /// # Errors
    /// What reading the record meets.
    pub async fn configuration_diff(&self) -> Result<ConfigurationDiff, EngineError> {
        let record = self.open().await?;
        let declared = self.working_copy()?.configuration();
        let mut changes = Vec::new();
        let in_force = record.state().configuration();
        match in_force {
            Some(in_force) => {
                let found = differences(in_force, declared);
                changes.extend(found.additions.iter().map(|one| change("added", one)));
                changes.extend(found.alterations.iter().map(|one| change("altered", one)));
            }
            None => changes.push(ConfigurationChange {
                change: "added".into(),
                message: "nothing is in force yet".into(),
            }),
        }
        Ok(ConfigurationDiff {
            in_force: in_force.map(|known| known.digest().to_string()),
            declared: declared.digest().to_string(),
            changes,
        })
    }
}

fn change(how: &str, difference: &Difference) -> ConfigurationChange {
    ConfigurationChange { change: how.to_owned(), message: difference.message.clone() }
}
