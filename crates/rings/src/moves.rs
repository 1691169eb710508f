//! Moves of whole sets: promote, shift, unshift and empty.
//!
//! A ring that is named is always the one that the set comes from. Every move is one change and
//! touches all images of a set at once.

use std::collections::BTreeSet;

use ringsite_names::{ImageName, Position};

use crate::cells::{Rings, copy_parts, difference_parts};
use crate::completeness::NotLoaded;
use crate::refusal::listed;
use crate::setting::{Draft, Setting};
use crate::{
    Cells, Completeness, Delta, EmptyRequest, Operation, PlanError, PromoteRequest, RefusalCode,
    UnshiftRequest,
};

/// Plans `promote R`: the next ring gets the set of R, and R keeps it.
pub(crate) fn promote(setting: &Setting<'_>, request: &PromoteRequest) -> Result<Draft, PlanError> {
    setting.check_ring(&request.ring).map_err(PlanError::Request)?;
    let source = &request.ring;
    let mut draft = Draft::new(Operation::Promote, Some(source));
    let Some(target) = setting.chain().next(source) else {
        draft.refuse(
            RefusalCode::Boundary,
            "post is the end of the chain: there is no ring behind it",
            "to bring back what was shifted off, run `ring unshift post`",
        );
        return Ok(draft);
    };
    draft.reads.insert(target.clone());
    check_source(setting, &mut draft, source, &request.images)?;
    let rings = setting.state.rings();
    if rings.cells(source).is_empty() {
        return Ok(draft);
    }
    let parts = if request.images.is_empty() && *source != Position::Ante {
        copy_parts(rings, source, target)
    } else {
        merge_parts(rings, source, target, &request.images)
    };
    if parts.is_empty() {
        return Ok(draft);
    }
    if target == setting.chain().last() && !rings.cells(target).is_empty() {
        // What the last ring held is stored before it is replaced.
        draft.reads.insert(Position::Post);
        draft.delta.extend(copy_parts(rings, target, &Position::Post));
        draft.origins.insert(Position::Post, arrow(target, &Position::Post));
    }
    draft.delta.extend(parts);
    draft.origins.insert(target.clone(), arrow(source, target));
    Ok(draft)
}

/// Plans `shift`: the whole chain one place on, from right to left, so that nothing is lost on the
/// way. An empty ring leaves its target as it is; `ante` is merged and keeps its own.
pub(crate) fn shift(setting: &Setting<'_>) -> Result<Draft, PlanError> {
    let mut draft = Draft::new(Operation::Shift, None);
    let positions = setting.chain().positions();
    draft.reads.extend(positions.iter().cloned());
    let mut rings = setting.state.rings().clone();
    let mut has_source = false;
    for pair in positions.windows(2).rev() {
        let [source, target] = pair else { continue };
        if rings.cells(source).is_empty() {
            continue;
        }
        has_source = true;
        check_source(setting, &mut draft, source, &BTreeSet::new())?;
        let parts = match source {
            Position::Ante => merge_parts(&rings, source, target, &BTreeSet::new()),
            Position::Ring(_) | Position::Post => copy_parts(&rings, source, target),
        };
        for part in &parts {
            rings.forward(part).expect("parts are made from these rings");
        }
        draft.delta.extend(parts);
        draft.origins.insert(target.clone(), arrow(source, target));
    }
    if !has_source {
        draft.refuse(
            RefusalCode::SourceEmpty,
            "no ring holds anything that could be shifted",
            "build a first set: `ring release`",
        );
    }
    Ok(draft)
}

/// Plans `unshift R`: the ring before R gets the set of R. A deliberate step back, so neither a
/// complete source nor higher versions are asked for.
pub(crate) fn unshift(setting: &Setting<'_>, request: &UnshiftRequest) -> Result<Draft, PlanError> {
    setting.check_ring(&request.ring).map_err(PlanError::Request)?;
    let source = &request.ring;
    let mut draft = Draft::new(Operation::Unshift, Some(source));
    let Some(target) = setting.chain().previous(source) else {
        draft.refuse(
            RefusalCode::Boundary,
            "ante is the start of the chain: there is no ring before it",
            "to clear it, run `ring empty ante`",
        );
        return Ok(draft);
    };
    draft.reads.insert(target.clone());
    if setting.state.cells(source).is_empty() {
        refuse_empty(setting, &mut draft, source);
        return Ok(draft);
    }
    draft.delta = copy_parts(setting.state.rings(), source, target);
    draft.origins.insert(target.clone(), arrow(source, target));
    Ok(draft)
}

/// Plans `empty R`: no release stands on R afterwards.
pub(crate) fn empty(setting: &Setting<'_>, request: &EmptyRequest) -> Result<Draft, PlanError> {
    setting.check_ring(&request.ring).map_err(PlanError::Request)?;
    let ring = &request.ring;
    let mut draft = Draft::new(Operation::Empty, Some(ring));
    draft.delta = difference_parts(ring, setting.state.cells(ring), &Cells::default());
    draft.origins.insert(ring.clone(), format!("{ring} is emptied"));
    Ok(draft)
}

/// Returns the parts that put images of `source` onto `target` and leave the others there. The
/// target keeps the name of its root, or takes the source's when it has none.
fn merge_parts(
    rings: &Rings,
    source: &Position,
    target: &Position,
    images: &BTreeSet<ImageName>,
) -> Vec<Delta> {
    let (from, onto) = (rings.cells(source), rings.cells(target));
    let moving = from.images().iter().filter(|(image, _)| images.is_empty() || images.contains(*image));
    let cells = moving.filter_map(|(image, version)| {
        let held = onto.version(image);
        (held != Some(*version)).then(|| Delta::Cell {
            ring: target.clone(),
            image: image.clone(),
            from: held,
            to: Some(*version),
        })
    });
    let mut parts: Vec<Delta> = cells.collect();
    if onto.root().is_none()
        && let Some(root) = from.root()
    {
        parts.push(Delta::Root { ring: target.clone(), from: None, to: Some(root.clone()) });
    }
    parts
}

/// Refuses what cannot be a source: an empty ring, one without an image that was named, and one
/// whose set does not belong together, unless single images are moved or it is `ante`.
fn check_source(
    setting: &Setting<'_>,
    draft: &mut Draft,
    source: &Position,
    images: &BTreeSet<ImageName>,
) -> Result<(), NotLoaded> {
    let cells = setting.state.cells(source);
    if cells.is_empty() {
        refuse_empty(setting, draft, source);
        return Ok(());
    }
    let missing: Vec<&ImageName> = images.iter().filter(|image| cells.version(image).is_none()).collect();
    if !missing.is_empty() {
        draft.refuse(
            RefusalCode::SourceEmpty,
            format!("{source} does not hold {}", listed(&missing)),
            "`ring state` shows which images stand on it",
        );
    }
    if images.is_empty()
        && *source != Position::Ante
        && let Completeness::Incomplete { stale } = setting.state.completeness(source)?
    {
        let (message, help) = match &*stale {
            [] => (
                format!("{source} is not complete: it holds no root image"),
                format!("complete it: `ring release --ring {source}`"),
            ),
            stale => (
                format!("{source} is not complete: {} must be built on it first", listed(stale)),
                format!(
                    "complete it: `ring release --ring {source}`; or move single images: `ring promote {source} --image IMAGE`"
                ),
            ),
        };
        draft.refuse(RefusalCode::SourceIncomplete, message, help);
    }
    Ok(())
}

fn refuse_empty(setting: &Setting<'_>, draft: &mut Draft, source: &Position) {
    let help = match source {
        Position::Ante => "prepare images on it: `ring release --ring ante --image IMAGE`".to_owned(),
        Position::Post => {
            "nothing was shifted off the chain; `ring state` shows what stands where".to_owned()
        }
        Position::Ring(_) => match setting.chain().previous(source) {
            Some(Position::Ring(before)) => {
                format!("bring a set onto it: `ring promote {before}`, or `ring release --ring {source}`")
            }
            _ => format!("build a set on it: `ring release --ring {source}`"),
        },
    };
    draft.refuse(RefusalCode::SourceEmpty, format!("{source} holds nothing"), help);
}

fn arrow(source: &Position, target: &Position) -> String {
    format!("{source} -> {target}")
}
