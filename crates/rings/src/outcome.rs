//! What a decision does to the rings: which cells change, how each ring holds together afterwards,
//! and which sites would get another root.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, Version};

use crate::cells::{Rings, difference_parts};
use crate::completeness::{Completeness, NotLoaded, completeness};
use crate::setting::{Draft, Setting};
use crate::{CellWrite, Cells, Configuration, Delta, RefusalCode, SiteChange, Step, Written};

/// The rings before and after a decision.
pub(crate) struct Outcome<'a> {
    pub(crate) setting: &'a Setting<'a>,
    after: Rings,
    /// The rings that are written, in chain order.
    pub(crate) written: Vec<WrittenRing<'a>>,
}

/// One ring that is written.
pub(crate) struct WrittenRing<'a> {
    pub(crate) ring: &'a Position,
    /// The cells that change, by name.
    pub(crate) cells: Vec<ChangedCell>,
    /// How the ring holds together afterwards.
    pub(crate) completeness: Completeness,
}

/// One cell that changes.
pub(crate) struct ChangedCell {
    pub(crate) image: ImageName,
    pub(crate) from: Option<Version>,
    pub(crate) to: Option<Version>,
}

impl<'a> Outcome<'a> {
    /// Applies the decision. A delta that does not fit (an inverse of another state) is refused.
    pub(crate) fn new(setting: &'a Setting<'a>, draft: &mut Draft) -> Result<Self, NotLoaded> {
        let mut after = setting.state.rings().clone();
        if draft.delta.iter().try_for_each(|part| after.forward(part)).is_err() {
            after = setting.state.rings().clone();
            draft.delta.clear();
            if draft.refusals.is_empty() {
                draft.refuse(
                    RefusalCode::RingChanged,
                    "the rings have changed since this was decided",
                    "look at `ring state`, then run the command again",
                );
            }
        }
        let touched: BTreeSet<&Position> = draft.delta.iter().map(Delta::ring).collect();
        let mut written = Vec::with_capacity(touched.len());
        for ring in setting.chain().positions().iter().filter(|ring| touched.contains(ring)) {
            let parts = difference_parts(ring, setting.state.cells(ring), after.cells(ring));
            let cells = parts.into_iter().filter_map(|part| match part {
                Delta::Cell { image, from, to, .. } => Some(ChangedCell { image, from, to }),
                Delta::Copy { .. } | Delta::Root { .. } => None,
            });
            let steps = draft.steps.as_deref().unwrap_or_default();
            let completeness = complete_after(setting, ring, after.cells(ring), steps)?;
            written.push(WrittenRing { ring, cells: cells.collect(), completeness });
        }
        Ok(Self { setting, after, written })
    }

    pub(crate) fn before(&self, ring: &Position) -> &'a Cells {
        self.setting.state.cells(ring)
    }

    pub(crate) fn after(&self, ring: &Position) -> &Cells {
        self.after.cells(ring)
    }

    /// Returns each cell that changes, by ring in chain order and by name.
    pub(crate) fn cells(&self) -> impl Iterator<Item = (&'a Position, &ChangedCell)> {
        self.written.iter().flat_map(|written| written.cells.iter().map(|cell| (written.ring, cell)))
    }

    /// Returns each site that would get another root. A site on a ring that is not complete keeps
    /// what it runs.
    pub(crate) fn sites(&self, draft: &Draft) -> Result<Vec<SiteChange>, NotLoaded> {
        let in_force = self.setting.state.configuration();
        let next: &Configuration = draft.configuration.as_ref().unwrap_or(self.setting.configuration);
        let root = |cells: &Cells| cells.root().cloned().zip(cells.root_version());
        let mut sites = Vec::new();
        for site in next.sites() {
            let old_ring = in_force.and_then(|known| known.site(&site.name)).map(|site| &site.ring);
            let from = old_ring.and_then(|ring| root(self.before(ring)));
            let to = root(self.after(&site.ring));
            if to.is_none() || from == to {
                continue;
            }
            let is_complete = match self.written.iter().find(|written| *written.ring == site.ring) {
                Some(written) => written.completeness.is_complete(),
                None => self.setting.state.completeness(&site.ring)?.is_complete(),
            };
            if is_complete {
                let version = |root: Option<(ImageName, Version)>| root.map(|(_, version)| version);
                sites.push(SiteChange { site: site.name.clone(), from: version(from), to: version(to) });
            }
        }
        Ok(sites)
    }

    /// Returns each cell that changes, with digests.
    pub(crate) fn writes(&self, steps: &[Step]) -> Result<Vec<CellWrite>, NotLoaded> {
        let builds: BTreeMap<(&Position, &ImageName), &Step> = steps
            .iter()
            .filter(|step| step.build.is_some())
            .map(|step| ((&step.ring, &step.image), step))
            .collect();
        let digest = |image: &ImageName, version: Version| {
            let release = self.setting.state.release(image, version);
            release.map(|release| release.digest).ok_or_else(|| NotLoaded { image: image.clone() })
        };
        let mut writes = Vec::new();
        for (ring, ChangedCell { image, from, to }) in self.cells() {
            let recipe = builds.get(&(ring, image)).and_then(|step| step.build.as_ref());
            let written = match (to, recipe) {
                (None, _) => Written::Nothing,
                (Some(version), Some(recipe)) => Written::Build {
                    version: *version,
                    revision: recipe.revision,
                    inputs: recipe.inputs,
                    dependencies: recipe.dependencies.clone(),
                },
                (Some(version), None) => Written::Image(digest(image, *version)?),
            };
            let from = from.map(|version| digest(image, version)).transpose()?;
            writes.push(CellWrite { ring: ring.clone(), image: image.clone(), from, to: written });
        }
        Ok(writes)
    }
}

/// Returns how a ring holds together afterwards, with what the steps would build.
fn complete_after(
    setting: &Setting<'_>,
    ring: &Position,
    cells: &Cells,
    steps: &[Step],
) -> Result<Completeness, NotLoaded> {
    let builds: BTreeMap<&ImageName, &Step> = steps
        .iter()
        .filter(|step| step.build.is_some() && step.ring == *ring)
        .map(|step| (&step.image, step))
        .collect();
    completeness(cells, |image, version| {
        let built = builds.get(image).filter(|step| step.to == Some(version));
        match built.and_then(|step| step.build.as_ref()) {
            Some(recipe) => Some(&recipe.dependencies),
            None => setting.state.release(image, version).map(|release| &release.dependencies),
        }
    })
}
