//! History and explanations as text.

use std::fmt::Write as _;

use ringsite_engine::view::{DeltaView, Diff, EntryView, Log, Proof, Verification, Why};

use super::{or_dash, short};
use crate::output::{Faces, Printer, Table, Width};

/// Prints entries, newest first.
pub(crate) fn log(printer: &Printer, view: &Log) {
    printer.answer(
        view,
        Faces {
            text: &|width| log_text(view, width),
            short: &|| view.entries.iter().map(|entry| entry.digest.clone()).collect(),
            names: &|| view.entries.iter().map(|entry| entry.sequence.to_string()).collect(),
        },
    );
}

fn log_text(view: &Log, width: Width) -> String {
    let mut table = Table::new(&["entry", "digest", "at", "actor", "operation", "what"]);
    for entry in &view.entries {
        let reason = entry.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        table.row(vec![
            entry.sequence.to_string(),
            if width == Width::Wide { entry.digest.clone() } else { short(&entry.digest) },
            entry.at.clone(),
            entry.actor.clone(),
            entry.operation.clone(),
            format!("{}{reason}", entry.summary),
        ]);
    }
    if view.entries.is_empty() { "no entries".into() } else { table.to_string() }
}

/// Prints one entry.
pub(crate) fn entry(printer: &Printer, view: &EntryView) {
    printer.answer(
        view,
        Faces {
            text: &|_| entry_text(view),
            short: &|| vec![view.digest.clone()],
            names: &|| vec![view.sequence.to_string()],
        },
    );
}

fn entry_text(view: &EntryView) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "entry {} {}", view.sequence, view.digest);
    let _ = writeln!(text, "  parent    {}", or_dash(view.parent.as_ref()));
    let _ = writeln!(text, "  operation {} (id {})", view.operation, view.operation_id);
    let _ = writeln!(text, "  actor     {}", view.actor);
    let _ = writeln!(text, "  reason    {}", or_dash(view.reason.as_ref()));
    let _ = writeln!(text, "  at        {}", view.at);
    let _ = writeln!(text, "  state     {}", view.state);
    let _ = writeln!(text, "  summary   {}", view.summary);
    if let Some(sequence) = view.takes_back {
        let _ = writeln!(text, "  takes back entry {sequence}");
    }
    for delta in &view.delta {
        let _ = writeln!(text, "  {}", delta_line(delta));
    }
    if !view.body.is_null() {
        let body = serde_json::to_string_pretty(&view.body).expect("is JSON already");
        let _ = writeln!(text, "{body}");
    }
    text
}

fn delta_line(delta: &DeltaView) -> String {
    let (from, to) = (or_dash(delta.from.as_ref()), or_dash(delta.to.as_ref()));
    match (delta.change.as_str(), &delta.image) {
        ("copy", _) => format!("{to} := {from}"),
        ("root", _) => format!("{} root: {from} -> {to}", delta.ring),
        (_, Some(image)) => format!("{} {image}: {from} -> {to}", delta.ring),
        (_, None) => format!("{}: {from} -> {to}", delta.ring),
    }
}

/// Prints why an image has its version.
pub(crate) fn why(printer: &Printer, view: &Why) {
    printer.answer(
        view,
        Faces {
            text: &|_| why_text(view),
            short: &|| view.version.iter().cloned().collect(),
            names: &|| vec![view.image.clone()],
        },
    );
}

fn why_text(view: &Why) -> String {
    let mut text = String::new();
    let version = or_dash(view.version.as_ref());
    let _ = writeln!(text, "{} on {}: {version} (rule: {})", view.image, view.ring, view.rule);
    for cause in &view.causes {
        let _ = writeln!(text, "  {}: {}", cause.code, cause.message);
    }
    if let Some(recipe) = &view.recipe {
        let _ = writeln!(
            text,
            "  built by {} from {} files, revision {}",
            recipe.built_by, recipe.files, recipe.revision
        );
        for path in &recipe.changed {
            let _ = writeln!(text, "  changed: {path}");
        }
    }
    text
}

/// Prints the difference between two rings.
pub(crate) fn diff(printer: &Printer, view: &Diff) {
    printer.answer(
        view,
        Faces {
            text: &|_| diff_text(view),
            short: &|| view.images.iter().filter_map(|image| image.from.clone()).collect(),
            names: &|| view.images.iter().map(|image| image.image.clone()).collect(),
        },
    );
}

fn diff_text(view: &Diff) -> String {
    let mut text = String::new();
    if view.images.is_empty() {
        let _ = writeln!(text, "{} and {} hold the same versions", view.from, view.to);
    } else {
        let mut table = Table::new(&["image", &view.from, &view.to]);
        for image in &view.images {
            table.row(vec![image.image.clone(), or_dash(image.from.as_ref()), or_dash(image.to.as_ref())]);
        }
        let _ = write!(text, "{table}");
    }
    for site in &view.sites {
        let objects = site.objects.len();
        let _ = writeln!(
            text,
            "site {}: {objects} {}",
            site.site,
            if objects == 1 { "object differs" } else { "objects differ" }
        );
        for object in &site.objects {
            let namespace =
                if object.namespace.is_empty() { String::new() } else { format!("{}/", object.namespace) };
            let _ = writeln!(text, "{} {} {namespace}{}", object.change, object.kind, object.name);
            let _ = writeln!(text, "{}", object.diff.trim_end());
        }
    }
    text
}

/// Prints the outcome of building a version again.
pub(crate) fn proof(printer: &Printer, view: &Proof) {
    let outcome = match &view.first_difference {
        None => "identical".to_owned(),
        Some(difference) => format!("different: {difference}"),
    };
    printer.answer(
        view,
        Faces {
            text: &|_| format!("{} {}: {outcome}", view.image, view.version),
            short: &|| vec![if view.identical { "identical" } else { "different" }.to_owned()],
            names: &|| vec![view.image.clone()],
        },
    );
}

/// Prints the outcome of checking the ledger.
pub(crate) fn verification(printer: &Printer, view: &Verification) {
    printer.answer(
        view,
        Faces {
            text: &|_| {
                let mut text = String::new();
                for problem in &view.problems {
                    let _ = writeln!(text, "{}: {}", problem.code, problem.message);
                }
                let outcome = if view.ok { "every digest, state and artifact holds" } else { "damaged" };
                let _ = writeln!(text, "{} entries checked: {outcome}", view.entries);
                text
            },
            short: &|| vec![if view.ok { "ok" } else { "damaged" }.to_owned()],
            names: &|| view.problems.iter().map(|problem| problem.code.clone()).collect(),
        },
    );
}
