//! Turns the values of the floors below into the view model.

use ringsite_names::{Position, ProjectName};
use ringsite_rings::{Delta, Plan, Refusal, State, Step, Warning};

use crate::view::{CauseView, DeltaView, GateView, PlanImage, PlanSite, PlanView, RefusalView, WarningView};

/// Returns a plan as it is shown and stored.
pub(crate) fn plan(project: &ProjectName, plan: &Plan, refusals: &[Refusal], state: &State) -> PlanView {
    PlanView {
        operation: plan.operation.to_string(),
        ring: plan.ring.as_ref().map(Position::to_string),
        digest: plan.digest(project).to_string(),
        state: state.state_digest().to_string(),
        changes: plan.has_changes(),
        images: plan.steps.iter().map(step).collect(),
        sites: plan
            .sites
            .iter()
            .map(|site| PlanSite {
                site: site.site.to_string(),
                from: site.from.map(|version| version.to_string()),
                to: site.to.map(|version| version.to_string()),
            })
            .collect(),
        gates: plan
            .gates
            .iter()
            .map(|gate| GateView {
                gate: gate.gate.as_str().to_owned(),
                ring: gate.ring.to_string(),
                met: gate.met,
                detail: gate.detail.clone(),
            })
            .collect(),
        warnings: plan.warnings.iter().map(warning).collect(),
        refusals: refusals.iter().map(refusal).collect(),
    }
}

fn step(step: &Step) -> PlanImage {
    PlanImage {
        image: step.image.to_string(),
        action: step.action.as_str().to_owned(),
        ring: step.ring.to_string(),
        from: step.from.map(|version| version.to_string()),
        to: step.to.map(|version| version.to_string()),
        rule: step.rule.as_str().to_owned(),
        causes: step
            .causes
            .iter()
            .map(|cause| CauseView { code: cause.code.as_str().to_owned(), message: cause.message.clone() })
            .collect(),
    }
}

/// Returns a warning as it is shown.
pub(crate) fn warning(warning: &Warning) -> WarningView {
    WarningView { code: warning.code.as_str().to_owned(), message: warning.message.clone() }
}

/// Returns a refusal as it is shown.
pub(crate) fn refusal(refusal: &Refusal) -> RefusalView {
    RefusalView {
        code: refusal.code.as_str().to_owned(),
        message: refusal.message.clone(),
        help: refusal.help.clone(),
    }
}

/// Returns one part of a change as it is shown.
pub(crate) fn delta(delta: &Delta) -> DeltaView {
    let view = |change: &str, ring: &Position| DeltaView {
        change: change.to_owned(),
        ring: ring.to_string(),
        image: None,
        from: None,
        to: None,
    };
    match delta {
        Delta::Cell { ring, image, from, to } => DeltaView {
            image: Some(image.to_string()),
            from: from.map(|version| version.to_string()),
            to: to.map(|version| version.to_string()),
            ..view("cell", ring)
        },
        Delta::Copy { from, to } => {
            DeltaView { from: Some(from.to_string()), to: Some(to.to_string()), ..view("copy", to) }
        }
        Delta::Root { ring, from, to } => DeltaView {
            from: from.as_ref().map(ToString::to_string),
            to: to.as_ref().map(ToString::to_string),
            ..view("root", ring)
        },
    }
}
