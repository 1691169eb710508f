//! From a decision to a plan: every rule that looks at the outcome, whatever the operation was.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, Version};

use crate::completeness::{Completeness, NotLoaded};
use crate::gatekeeping::judge_gates;
use crate::outcome::Outcome;
use crate::refusal::listed;
use crate::setting::{Draft, Setting};
use crate::{
    Action, Cause, CauseCode, Cells, Configuration, Held, Operation, Plan, PlanError, Refusal, RefusalCode,
    Refused, Rule, SiteChange, Step, Switch, WarningCode,
};

/// Judges a decision and makes the plan of it.
pub(crate) fn judge(setting: &Setting<'_>, mut draft: Draft) -> Result<Plan, PlanError> {
    let outcome = Outcome::new(setting, &mut draft)?;
    refuse_higher_targets(&outcome, &mut draft);
    warn_of_lost_hotfixes(&outcome, &mut draft)?;
    warn_of_stale_rings(&outcome, &mut draft);
    warn_of_inversions(&outcome, &mut draft);
    let sites = outcome.sites(&draft)?;
    judge_locks(&outcome, &mut draft, &sites);
    refuse_rejected(&outcome, &mut draft);
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
        in_force: setting.state.configuration().map(Configuration::digest),
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

/// Returns the steps of a move: each cell that changes, with where its content comes from.
fn move_steps(outcome: &Outcome<'_>, draft: &Draft) -> Vec<Step> {
    let steps = outcome.cells().map(|(ring, cell)| Step {
        image: cell.image.clone(),
        ring: ring.clone(),
        action: if cell.to.is_some() { Action::Move } else { Action::Remove },
        from: cell.from,
        to: cell.to,
        rule: Rule::None,
        causes: vec![Cause {
            code: CauseCode::Moved,
            message: draft.origins.get(ring).cloned().unwrap_or_default(),
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
    for written in outcome.written.iter().filter(|written| *written.ring != Position::Post) {
        let ring = written.ring;
        let lowered = written.cells.iter().filter_map(|cell| {
            let (from, to) = cell.from.zip(cell.to)?;
            (to < from).then(|| format!("{} {from} (arriving: {to})", cell.image))
        });
        let lowered: Vec<String> = lowered.collect();
        if lowered.is_empty() {
            continue;
        }
        let help = if outcome.setting.chain().first() == ring {
            "clear ante with `ring empty ante` when it is out of date, or go back on purpose with --allow-downgrade"
        } else {
            "release newer versions on the source first (`ring release --ring RING`), or go back on purpose with --allow-downgrade"
        };
        let message = format!("{ring} holds higher versions: {}", listed(&lowered));
        draft.refuse(RefusalCode::TargetHigher, message, help);
    }
}

/// Warns when a release that was built on the target is replaced by other sources.
fn warn_of_lost_hotfixes(outcome: &Outcome<'_>, draft: &mut Draft) -> Result<(), NotLoaded> {
    if !matches!(draft.operation, Operation::Promote | Operation::Shift) {
        return Ok(());
    }
    for written in &outcome.written {
        let mut lost = Vec::new();
        for cell in &written.cells {
            let Some((from, to)) = cell.from.zip(cell.to) else { continue };
            let release = |version| {
                let release = outcome.setting.state.release(&cell.image, version);
                release.ok_or_else(|| NotLoaded { image: cell.image.clone() })
            };
            let (held, arriving) = (release(from)?, release(to)?);
            if held.built_on == *written.ring && held.revision != arriving.revision {
                lost.push(format!("{} {from} (arriving: {to})", cell.image));
            }
        }
        if !lost.is_empty() {
            let message =
                format!("built on {} and replaced by other sources: {}", written.ring, listed(&lost));
            draft.warn(WarningCode::HotfixLost, message);
        }
    }
    Ok(())
}

/// Warns of configured rings that are not complete afterwards: sites go on running the last
/// complete set.
fn warn_of_stale_rings(outcome: &Outcome<'_>, draft: &mut Draft) {
    for written in outcome.written.iter().filter(|written| matches!(written.ring, Position::Ring(_))) {
        let Completeness::Incomplete { stale } = &written.completeness else { continue };
        let ring = written.ring;
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

/// Warns when a ring is newly behind the nearest later configured ring that has the image.
fn warn_of_inversions(outcome: &Outcome<'_>, draft: &mut Draft) {
    let rings = outcome.setting.chain().rings();
    let mut found: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
    for (place, ring) in rings.iter().enumerate() {
        let Some(written) = outcome.written.iter().find(|written| written.ring == ring) else { continue };
        for cell in written.cells.iter().filter(|cell| cell.to.is_some()) {
            let image = &cell.image;
            let has = |other: &usize| outcome.after(&rings[*other]).version(image).is_some();
            let earlier = (0..place).rev().find(has).map(|other| (other, place));
            let later = (place + 1..rings.len()).find(has).map(|other| (place, other));
            for (behind, ahead) in [earlier, later].into_iter().flatten() {
                let before = inverted(image, outcome.before(&rings[behind]), outcome.before(&rings[ahead]));
                let after = inverted(image, outcome.after(&rings[behind]), outcome.after(&rings[ahead]));
                if let (None, Some((low, high))) = (before, after) {
                    found.entry((behind, ahead)).or_default().insert(format!("{image} {low} < {high}"));
                }
            }
        }
    }
    for ((behind, ahead), images) in found {
        let images: Vec<String> = images.into_iter().collect();
        let message = format!("{} is behind {} afterwards: {}", rings[behind], rings[ahead], listed(&images));
        draft.warn(WarningCode::Inversion, message);
    }
}

/// Returns both versions when the earlier ring's is lower than the later ring's.
fn inverted(image: &ImageName, earlier: &Cells, later: &Cells) -> Option<(Version, Version)> {
    earlier.version(image).zip(later.version(image)).filter(|(earlier, later)| earlier < later)
}

/// Refuses what touches something held.
fn judge_locks(outcome: &Outcome<'_>, draft: &mut Draft, sites: &[SiteChange]) {
    let setting = outcome.setting;
    let is_stopped = !draft.delta.is_empty()
        && matches!(
            draft.operation,
            Operation::Release | Operation::Promote | Operation::Shift | Operation::Redo
        );
    for hold in setting.state.locks().in_effect(setting.now) {
        let (code, what) = match &hold.held {
            Held::All if is_stopped => (RefusalCode::Frozen, "the line".to_owned()),
            Held::Ring(ring) if outcome.written.iter().any(|written| written.ring == ring) => {
                (RefusalCode::Locked, format!("ring {ring}"))
            }
            Held::Image(image) if outcome.cells().any(|(_, cell)| cell.image == *image) => {
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
}

/// Refuses the arrival of rejected versions, unless that is asked for.
fn refuse_rejected(outcome: &Outcome<'_>, draft: &mut Draft) {
    if outcome.setting.request.has(Switch::Force) {
        return;
    }
    let locks = outcome.setting.state.locks();
    let arriving = outcome.cells().filter_map(|(_, cell)| Some((&cell.image, cell.to?)));
    let rejected: BTreeSet<(&ImageName, Version)> =
        arriving.filter(|(image, version)| locks.is_rejected(image, *version)).collect();
    let refusals = rejected.into_iter().map(|(image, version)| Refusal {
        code: RefusalCode::Rejected,
        message: format!("{image} {version} was rejected"),
        help: "move another version, or let it arrive on purpose with --force --reason TEXT".to_owned(),
    });
    draft.refusals.extend(refusals);
}
