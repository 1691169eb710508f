//! Reports as text.

use std::fmt::Write as _;

use ringsite_engine::view::{Placement, Report, ReportSite};

use super::{or_dash, short};
use crate::output::{Faces, Printer, Table, Width};

/// Prints the outcome of an operation.
pub(crate) fn report(printer: &Printer, view: &Report) {
    printer.answer(
        view,
        Faces {
            text: &|width| report_text(view, width),
            short: &|| view.entry.iter().cloned().collect(),
            names: &|| view.images.iter().map(|image| image.image.clone()).collect(),
        },
    );
}

/// Prints the outcome of placing sites.
pub(crate) fn placement(printer: &Printer, view: &Placement) {
    printer.answer(
        view,
        Faces {
            text: &|_| {
                let mut text = String::new();
                if view.sites.is_empty() {
                    text.push_str("no sites\n");
                }
                write_sites(&mut text, &view.sites);
                text
            },
            short: &|| view.sites.iter().filter_map(|site| site.digest.clone()).collect(),
            names: &|| view.sites.iter().map(|site| site.site.clone()).collect(),
        },
    );
}

fn report_text(view: &Report, width: Width) -> String {
    let mut text = String::new();
    if view.changed {
        let entry = view.entry.as_deref().map(short).unwrap_or_default();
        let _ = writeln!(text, "{} recorded as entry {} ({entry})", view.operation, view.sequence);
    } else {
        let _ = writeln!(text, "{}: nothing to do, nothing was written", view.operation);
    }
    if !view.images.is_empty() {
        let mut heads = vec!["image", "ring", "action", "from", "to"];
        if width == Width::Wide {
            heads.push("digest");
        }
        let mut table = Table::new(&heads);
        for image in &view.images {
            let mut row = vec![
                image.image.clone(),
                image.ring.clone(),
                image.action.clone(),
                or_dash(image.from.as_ref()),
                or_dash(image.to.as_ref()),
            ];
            if width == Width::Wide {
                row.push(or_dash(image.digest.as_ref()));
            }
            table.row(row);
        }
        let _ = write!(text, "{table}");
    }
    write_sites(&mut text, &view.sites);
    text
}

fn write_sites(text: &mut String, sites: &[ReportSite]) {
    for site in sites {
        let version = or_dash(site.version.as_ref());
        let _ = match (&site.error, &site.reference) {
            (Some(error), _) => writeln!(text, "site {}: not placed: {error}", site.site),
            (None, Some(reference)) => {
                let what = if site.changed { "placed" } else { "already placed" };
                let digest = site.digest.as_deref().map(short).unwrap_or_default();
                writeln!(text, "site {}: {version} {what} as {reference} ({digest})", site.site)
            }
            (None, None) => writeln!(text, "site {}: nothing to place", site.site),
        };
    }
}
