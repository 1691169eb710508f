//! Compares the sets of two rings, down to the objects of the sites.

use std::collections::BTreeSet;

use ringsite_names::{ImageName, Position};
use ringsite_oci::Registry;
use ringsite_sites::Change;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::placing::Shelf;
use crate::view::{Diff, ObjectDiff, SiteDiff, VersionDiff};

impl<R: Registry + 'static> Engine<R> {
    /// Returns what would differ on the sites of `to` if they got the set of `from`.
    ///
    /// # Errors
    /// A ring that does not exist; what reading the record and the artifacts meets.
    pub async fn diff(&self, from: &Position, to: &Position) -> Result<Diff, EngineError> {
        let record = self.open().await?;
        let state = record.whole_state(&BTreeSet::new()).await?;
        record.begun()?;
        let nothing = || EngineError::unknown("nothing is in force yet", "run `ring release` first");
        let configuration = state.configuration().ok_or_else(nothing)?;
        for ring in [from, to] {
            if !configuration.chain().contains(ring) {
                let known: Vec<&str> =
                    configuration.chain().positions().iter().map(Position::as_str).collect();
                return Err(EngineError::unknown(
                    format!("there is no ring `{ring}`"),
                    format!("the rings are {}", known.join(", ")),
                ));
            }
        }
        let (old, new) = (state.cells(to), state.cells(from));
        let images: BTreeSet<&ImageName> = old.images().keys().chain(new.images().keys()).collect();
        let differing = images.into_iter().filter(|image| old.version(image) != new.version(image));
        let images = differing
            .map(|image| VersionDiff {
                image: image.to_string(),
                from: new.version(image).map(|version| version.to_string()),
                to: old.version(image).map(|version| version.to_string()),
            })
            .collect();
        let (before, after) = (self.root_of(&state, to)?, self.root_of(&state, from)?);
        let mut shelf = Shelf::default();
        let mut sites = Vec::new();
        for site in configuration.sites().iter().filter(|site| site.ring == *to) {
            let mut trees = [None, None];
            for (tree, root) in trees.iter_mut().zip([&before, &after]) {
                if let Some(root) = root {
                    *tree = Some(self.prepare(&mut shelf, site, root).await?.artifact.packed.tree().clone());
                }
            }
            let [before, after] = trees;
            let kustomize = self.kustomize();
            let preview =
                ringsite_sites::preview(site, before.as_ref(), after.as_ref(), kustomize.as_ref()).await?;
            let objects = preview.changes.into_iter().map(|change| ObjectDiff {
                group: change.key.group,
                kind: change.key.kind,
                namespace: change.key.namespace,
                name: change.key.name,
                change: match change.change {
                    Change::Added => "added",
                    Change::Removed => "removed",
                    Change::Changed => "changed",
                }
                .to_owned(),
                diff: change.diff,
            });
            sites.push(SiteDiff { site: site.name.to_string(), objects: objects.collect() });
        }
        sites.sort_by(|a, b| a.site.cmp(&b.site));
        Ok(Diff { from: from.to_string(), to: to.to_string(), images, sites })
    }
}
