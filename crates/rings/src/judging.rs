//! From a decision to a plan: what changes on each ring, for which sites, and every rule that looks
//! at the outcome.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, Version};

use crate::cells::{Rings, difference_parts};
use crate::completeness::{Completeness, NotLoaded, completeness};
use crate::gatekeeping::judge_gates;
use crate::refusal::listed;
use crate::setting::{Draft, Setting};
use crate::{
    Action, Cause, CauseCode, CellWrite, Cells, Configuration, Delta, Held, Operation, Plan, PlanError,
    Refusal, RefusalCode, Refused, Rule, SiteChange, Step, Switch, WarningCode, Written,
};

/// One cell that changes.
pub(crate) struct Changed {
    pub(crate) ring: Position,
    pub(crate) image: ImageName,
    pub(crate) from: Option<Version>,
    pub(crate) to: Option<Version>,
}

/// The rings before and after a decision.
pub(crate) struct Outcome<'a> {
    setting: &'a Setting<'a>,
    after: Rings,
    /// The rings that are written, in chain order.
    pub(crate) written: Vec<&'a Position>,
    /// The cells that change, by ring in chain order and by name.
    pub(crate) changed: Vec<Changed>,
    /// How each written ring holds together afterwards.
    completeness: BTreeMap<Position, Completeness>,
}

/// Judges a decision and makes the plan of it.
pub(crate) fn judge(setting: &Setting<'_>, mut draft: Draft) -> Result<Plan, PlanError> {
    let outcome = Outcome::new(setting, &mut draft)?;
    refuse_higher_targets(&outcome, &mut draft);
    warn_of_lost_hotfixes(&outcome, &mut draft)?;
    warn_of_stale_rings(&outcome, &mut draft);
    warn_of_inversions(&outcome, &mut draft);
    let sites = outcome.sites(&draft)?;
    judge_locks(&outcome, &mut draft, &sites);
    let gates = judge_gates(setting, &outcome, &mut draft);
    let steps = draft.steps.take().unwrap_or_else(|| move_steps(&outcome, &draft));
    let plan = Plan {
        operation: draft.operation,
        ring: draft.ring,
        options: setting.request.switches().clone(),
        takes_back: draft.takes_back,
        writes: outcome.writes(&steps)?,
        steps,
        delta: draft.delta,
        configuration: draft.configuration,
        sites,
        gates,
        warnings: draft.warnings,
        reads: draft.reads.iter().map(|ring| (ring.clone(), setting.state.ring_digest(ring))).collect(),
    };
    if draft.refusals.is_empty() {
        Ok(plan)
    } else {
        Err(PlanError::Refused(Refused { plan: Box::new(plan), refusals: draft.refusals }))
    }
}

impl<'a> Outcome<'a> {
    /// Applies the decision. A delta that does not fit (an inverse of another state) is refused.
    fn new(setting: &'a Setting<'a>, draft: &mut Draft) -> Result<Self, NotLoaded> {
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
        let positions = setting.chain().positions().iter();
        let written: Vec<&Position> = positions.filter(|ring| touched.contains(ring)).collect();
        let mut changed = Vec::new();
        for ring in &written {
            let parts = difference_parts(ring, setting.state.cells(ring), after.cells(ring));
            changed.extend(parts.into_iter().filter_map(|part| match part {
                Delta::Cell { ring, image, from, to } => Some(Changed { ring, image, from, to }),
                Delta::Copy { .. } | Delta::Root { .. } => None,
            }));
        }
        let mut outcome = Self { setting, after, written, changed, completeness: BTreeMap::new() };
        for ring in outcome.written.clone() {
            let found = outcome.complete_after(ring, draft.steps.as_deref().unwrap_or_default())?;
            outcome.completeness.insert(ring.clone(), found);
        }
        Ok(outcome)
    }

    pub(crate) fn before(&self, ring: &Position) -> &'a Cells {
        self.setting.state.cells(ring)
    }

    pub(crate) fn after(&self, ring: &Position) -> &Cells {
        self.after.cells(ring)
    }

    /// Returns how a ring holds together afterwards, with what the steps would build.
    fn complete_after(&self, ring: &Position, steps: &[Step]) -> Result<Completeness, NotLoaded> {
        let builds: BTreeMap<&ImageName, &Step> = steps
            .iter()
            .filter(|step| step.build.is_some() && step.ring == *ring)
            .map(|step| (&step.image, step))
            .collect();
        completeness(self.after(ring), |image, version| {
            let built = builds.get(image).filter(|step| step.to == Some(version));
            match built.and_then(|step| step.build.as_ref()) {
                Some(recipe) => Some(&recipe.dependencies),
                None => self.setting.state.release(image, version).map(|release| &release.dependencies),
            }
        })
    }

    /// Returns each site that would get another root. A site on a ring that is not complete keeps
    /// what it runs.
    fn sites(&self, draft: &Draft) -> Result<Vec<SiteChange>, NotLoaded> {
        let in_force = self.setting.state.configuration();
        let next: &Configuration = draft.configuration.as_ref().unwrap_or(self.setting.configuration);
        let mut sites = Vec::new();
        for site in next.sites() {
            let old_ring = in_force.and_then(|known| known.site(&site.name)).map(|site| &site.ring);
            let root = |cells: &Cells| cells.root().cloned().zip(cells.root_version());
            let from = old_ring.and_then(|ring| root(self.before(ring)));
            let to = root(self.after(&site.ring));
            if to.is_none() || from == to {
                continue;
            }
            let is_complete = match self.completeness.get(&site.ring) {
                Some(found) => found.is_complete(),
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
    fn writes(&self, steps: &[Step]) -> Result<Vec<CellWrite>, NotLoaded> {
        let builds: BTreeMap<(&Position, &ImageName), &Step> = steps
            .iter()
            .filter(|step| step.build.is_some())
            .map(|step| ((&step.ring, &step.image), step))
            .collect();
        let digest = |image: &ImageName, version: Version| {
            let release = self.setting.state.release(image, version);
            release.map(|release| release.digest).ok_or_else(|| NotLoaded { image: image.clone() })
        };
        let mut writes = Vec::with_capacity(self.changed.len());
        for Changed { ring, image, from, to } in &self.changed {
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

/// Returns the steps of a move: each cell that changes, with where its content comes from.
fn move_steps(outcome: &Outcome<'_>, draft: &Draft) -> Vec<Step> {
    let steps = outcome.changed.iter().map(|changed| Step {
        image: changed.image.clone(),
        ring: changed.ring.clone(),
        action: if changed.to.is_some() { Action::Move } else { Action::Remove },
        from: changed.from,
        to: changed.to,
        rule: Rule::None,
        causes: vec![Cause {
            code: CauseCode::Moved,
            message: draft.origins.get(&changed.ring).cloned().unwrap_or_default(),
        }],
        build: None,
    });
    steps.collect()
}

/// Refuses a `promote` or `shift` that would lower a version. `post` only stores.
fn refuse_higher_targets(outcome: &Outcome<'_>, draft: &mut Draft) {
    if !matches!(draft.operation, Operation::Promote | Operation::Shift)
        || outcome.setting.request.has(Switch::AllowDowngrade)
    {
        return;
    }
    for ring in outcome.written.iter().filter(|ring| ***ring != Position::Post) {
        let lowered =
            outcome.changed.iter().filter(|changed| changed.ring == **ring && changed.to < changed.from);
        let lowered: Vec<String> = lowered
            .filter_map(|changed| {
                Some(format!("{} {} (arriving: {})", changed.image, changed.from?, changed.to?))
            })
            .collect();
        if !lowered.is_empty() {
            draft.refuse(
                RefusalCode::TargetHigher,
                format!("{ring} holds higher versions: {}", listed(&lowered)),
                "release newer versions on the source first, or go back on purpose with --allow-downgrade",
            );
        }
    }
}

/// Warns when a release that was built on the target is replaced by other sources.
fn warn_of_lost_hotfixes(outcome: &Outcome<'_>, draft: &mut Draft) -> Result<(), NotLoaded> {
    if !matches!(draft.operation, Operation::Promote | Operation::Shift) {
        return Ok(());
    }
    for ring in &outcome.written {
        let mut lost = Vec::new();
        for changed in outcome.changed.iter().filter(|changed| changed.ring == **ring) {
            let Some((from, to)) = changed.from.zip(changed.to) else { continue };
            let release = |version| {
                let release = outcome.setting.state.release(&changed.image, version);
                release.ok_or_else(|| NotLoaded { image: changed.image.clone() })
            };
            let (held, arriving) = (release(from)?, release(to)?);
            if held.built_on == **ring && held.revision != arriving.revision {
                lost.push(format!("{} {from} (arriving: {to})", changed.image));
            }
        }
        if !lost.is_empty() {
            draft.warn(
                WarningCode::HotfixLost,
                format!("built on {ring} and replaced by other sources: {}", listed(&lost)),
            );
        }
    }
    Ok(())
}

/// Warns of configured rings that are not complete afterwards: sites go on running the last
/// complete set.
fn warn_of_stale_rings(outcome: &Outcome<'_>, draft: &mut Draft) {
    for ring in outcome.written.iter().filter(|ring| matches!(ring, Position::Ring(_))) {
        let Some(Completeness::Incomplete { stale }) = outcome.completeness.get(*ring) else { continue };
        let message = match &**stale {
            [] => format!("{ring} holds no root image afterwards: run `ring release --ring {ring}`"),
            stale => format!(
                "{ring} is not complete afterwards: {} must be built on it (`ring release --ring {ring}`)",
                listed(stale)
            ),
        };
        draft.warn(WarningCode::Stale, message);
    }
}

/// Warns when a ring is newly ahead of the nearest earlier configured ring that has the image.
fn warn_of_inversions(outcome: &Outcome<'_>, draft: &mut Draft) {
    let rings = outcome.setting.chain().rings();
    let mut found: BTreeMap<(usize, usize), Vec<String>> = BTreeMap::new();
    for changed in &outcome.changed {
        let Some(place) = rings.iter().position(|ring| *ring == changed.ring) else { continue };
        let Some(version) = changed.to else { continue };
        let image = &changed.image;
        let has = |ring: &usize| outcome.after(&rings[*ring]).version(image).is_some();
        let earlier = (0..place).rev().find(has).map(|ring| (ring, place));
        let later = (place + 1..rings.len()).find(has).map(|ring| (place, ring));
        for (behind, ahead) in [earlier, later].into_iter().flatten() {
            let versions = |cells: [&Cells; 2]| cells.map(|cells| cells.version(image));
            let after = versions([outcome.after(&rings[behind]), outcome.after(&rings[ahead])]);
            let before = versions([outcome.before(&rings[behind]), outcome.before(&rings[ahead])]);
            let is_inverted = |[behind, ahead]: [Option<Version>; 2]| behind.is_some() && behind < ahead;
            if is_inverted(after) && !is_inverted(before) {
                let other = if behind == place { after[1] } else { after[0] };
                let (low, high) =
                    if behind == place { (Some(version), other) } else { (other, Some(version)) };
                let text = low.zip(high).map(|(low, high)| format!("{image} {low} < {high}"));
                found.entry((behind, ahead)).or_default().extend(text);
            }
        }
    }
    for ((behind, ahead), mut images) in found {
        images.sort();
        images.dedup();
        draft.warn(
            WarningCode::Inversion,
            format!("{} is behind {} afterwards: {}", rings[behind], rings[ahead], listed(&images)),
        );
    }
}

/// Refuses what touches something held, and the arrival of rejected versions.
fn judge_locks(outcome: &Outcome<'_>, draft: &mut Draft, sites: &[SiteChange]) {
    let setting = outcome.setting;
    let locks = setting.state.locks();
    let stops = matches!(
        draft.operation,
        Operation::Release | Operation::Promote | Operation::Shift | Operation::Redo
    );
    let has_effect = !draft.delta.is_empty();
    for hold in locks.in_effect(setting.now) {
        let (code, what) = match &hold.held {
            Held::All if stops && has_effect => (RefusalCode::Frozen, "the line".to_owned()),
            Held::Ring(ring) if outcome.written.contains(&ring) => {
                (RefusalCode::Locked, format!("ring {ring}"))
            }
            Held::Image(image) if outcome.changed.iter().any(|changed| changed.image == *image) => {
                (RefusalCode::Locked, format!("image {image}"))
            }
            Held::Site(site) if sites.iter().any(|change| change.site == *site) => {
                (RefusalCode::Locked, format!("site {site}"))
            }
            Held::All | Held::Ring(_) | Held::Image(_) | Held::Site(_) => continue,
        };
        let until = hold.until.map_or(String::new(), |until| format!(" until {until}"));
        draft.refuse(
            code,
            format!("{what} is held by {}{until}: {}", hold.actor, hold.reason),
            "`ring state` shows what is held and by whom",
        );
    }
    if setting.request.has(Switch::Force) {
        return;
    }
    let arriving = outcome.changed.iter().filter_map(|changed| Some((&changed.image, changed.to?)));
    let rejected: BTreeSet<(&ImageName, Version)> =
        arriving.filter(|(image, version)| locks.is_rejected(image, *version)).collect();
    let refusals = rejected.into_iter().map(|(image, version)| Refusal {
        code: RefusalCode::Rejected,
        message: format!("{image} {version} was rejected"),
        help: "move another version, or let it arrive on purpose with --force --reason TEXT".to_owned(),
    });
    draft.refusals.extend(refusals);
}
