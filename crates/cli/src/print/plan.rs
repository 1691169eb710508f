//! Plans as text.

use std::fmt::Write as _;

use ringsite_engine::view::{PlanImage, PlanView};

use super::{or_dash, short};
use crate::output::{Faces, Printer, Table, Width};

/// Prints a plan.
pub(crate) fn plan(printer: &Printer, view: &PlanView) {
    printer.answer(
        view,
        Faces {
            text: &|width| wide_text(view, width),
            short: &|| vec![view.digest.clone()],
            names: &|| changed(view).map(|image| image.image.clone()).collect(),
        },
    );
}

fn changed(view: &PlanView) -> impl Iterator<Item = &PlanImage> {
    view.images.iter().filter(|image| image.action != "keep")
}

/// Returns the plan as text, also for the question before a move.
pub(crate) fn text(view: &PlanView) -> String {
    wide_text(view, Width::Normal)
}

fn wide_text(view: &PlanView, width: Width) -> String {
    let mut text = String::new();
    let ring = view.ring.as_deref().map(|ring| format!(" {ring}")).unwrap_or_default();
    let _ = writeln!(text, "{}{ring}, plan {}", view.operation, short(&view.digest));
    let kept = view.images.len() - changed(view).count();
    if changed(view).next().is_some() {
        let mut table = Table::new(&["image", "action", "ring", "from", "to", "rule", "because"]);
        for image in view.images.iter().filter(|image| width == Width::Wide || image.action != "keep") {
            let causes: Vec<&str> = image.causes.iter().map(|cause| cause.message.as_str()).collect();
            table.row(vec![
                image.image.clone(),
                image.action.clone(),
                image.ring.clone(),
                or_dash(image.from.as_ref()),
                or_dash(image.to.as_ref()),
                if image.rule == "none" { "-".into() } else { image.rule.clone() },
                causes.join("; "),
            ]);
        }
        let _ = write!(text, "{table}");
    }
    if kept > 0 && width == Width::Normal {
        let _ =
            writeln!(text, "{kept} {} as they are", if kept == 1 { "image stays" } else { "images stay" });
    }
    if !view.changes && view.refusals.is_empty() {
        let _ = writeln!(text, "nothing to do");
    }
    for site in &view.sites {
        let _ = writeln!(
            text,
            "site {}: {} -> {}",
            site.site,
            or_dash(site.from.as_ref()),
            or_dash(site.to.as_ref())
        );
    }
    for gate in &view.gates {
        let met = match gate.met {
            Some(true) => "met",
            Some(false) => "not met",
            None => "unknown",
        };
        let _ = writeln!(text, "gate {} of {}: {met} ({})", gate.gate, gate.ring, gate.detail);
    }
    for warning in &view.warnings {
        let _ = writeln!(text, "warning ({}): {}", warning.code, warning.message);
    }
    for refusal in &view.refusals {
        let _ = writeln!(text, "refused ({}): {}\n  help: {}", refusal.code, refusal.message, refusal.help);
    }
    text
}
