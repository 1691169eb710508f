//! The working copy as text.

use std::fmt::Write as _;

use ringsite_engine::view::{ConfigurationDiff, ConfigurationView, ImagesView, Update};

use super::{or_dash, short};
use crate::output::{Faces, Printer, Table, Width};

/// Prints the declared images.
pub(crate) fn images(printer: &Printer, view: &ImagesView) {
    printer.answer(
        view,
        Faces {
            text: &|width| images_text(view, width),
            short: &|| view.images.iter().map(|image| image.revision.clone()).collect(),
            names: &|| view.images.iter().map(|image| image.image.clone()).collect(),
        },
    );
}

fn images_text(view: &ImagesView, width: Width) -> String {
    let mut heads = vec!["image", "context", "builder", "stages", "built with", "revision"];
    if width == Width::Wide {
        heads.extend(["containerfile", "inputs"]);
    }
    let mut table = Table::new(&heads);
    for image in &view.images {
        let mut with: Vec<String> = image.dependencies.clone();
        with.extend(image.externals.iter().map(|external| external.reference.clone()));
        let mut row = vec![
            if image.root { format!("{} (root)", image.image) } else { image.image.clone() },
            image.context.clone(),
            image.builder.clone(),
            image.stages.join(", "),
            if with.is_empty() { "-".into() } else { with.join(", ") },
            short(&image.revision),
        ];
        if width == Width::Wide {
            row.extend([image.containerfile.clone(), short(&image.inputs)]);
        }
        table.row(row);
    }
    let mut text = table.to_string();
    for image in view.images.iter().filter(|image| !image.sources.is_empty()) {
        let _ = writeln!(text, "\nsources of {}:", image.image);
        for source in &image.sources {
            let _ = writeln!(
                text,
                "  {} {:>10} {} {}",
                source.kind,
                source.bytes,
                short(&source.sha256),
                source.path
            );
        }
    }
    text
}

/// Prints the configuration.
pub(crate) fn configuration(printer: &Printer, view: &ConfigurationView, origins: bool) {
    printer.answer(
        view,
        Faces {
            text: &|_| {
                let mut text = String::new();
                for value in &view.values {
                    let _ = match origins {
                        true => writeln!(text, "{} = {}   # {}", value.key, value.value, value.origin),
                        false => writeln!(text, "{} = {}", value.key, value.value),
                    };
                }
                for problem in &view.problems {
                    let line = problem.line.map(|line| format!(":{line}")).unwrap_or_default();
                    let _ = writeln!(
                        text,
                        "{}{line}: {}\n  help: {}",
                        problem.file, problem.message, problem.help
                    );
                }
                if view.values.is_empty() && view.problems.is_empty() {
                    text.push_str("no problems\n");
                }
                text
            },
            short: &|| view.values.iter().map(|value| value.value.clone()).collect(),
            names: &|| view.values.iter().map(|value| value.key.clone()).collect(),
        },
    );
}

/// Prints what became of the pins of external images.
pub(crate) fn update(printer: &Printer, view: &Update) {
    printer.answer(
        view,
        Faces {
            text: &|_| {
                let mut table = Table::new(&["reference", "from", "to"]);
                for pin in &view.pins {
                    let digest =
                        |digest: Option<&String>| or_dash(digest.map(|digest| short(digest)).as_ref());
                    table.row(vec![
                        pin.reference.clone(),
                        digest(pin.from.as_ref()),
                        digest(pin.to.as_ref()),
                    ]);
                }
                let outcome =
                    if view.changed { "rings.lock is written" } else { "rings.lock stays as it is" };
                if view.pins.is_empty() { "no external images".into() } else { format!("{table}{outcome}") }
            },
            short: &|| view.pins.iter().filter_map(|pin| pin.to.clone()).collect(),
            names: &|| view.pins.iter().map(|pin| pin.reference.clone()).collect(),
        },
    );
}

/// Prints how the project file differs from the configuration in force.
pub(crate) fn configuration_diff(printer: &Printer, view: &ConfigurationDiff) {
    printer.answer(
        view,
        Faces {
            text: &|_| {
                if view.changes.is_empty() {
                    return "the project file declares what is in force".into();
                }
                let mut text = String::new();
                for change in &view.changes {
                    let how = if change.change == "added" {
                        "the next release takes this over"
                    } else {
                        "needs `ring config apply`"
                    };
                    let _ = writeln!(text, "{}: {} ({how})", change.change, change.message);
                }
                text
            },
            short: &|| vec![view.declared.clone()],
            names: &|| view.changes.iter().map(|change| change.change.clone()).collect(),
        },
    );
}
