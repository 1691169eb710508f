//! State and sites as text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ringsite_engine::view::{RingState, RingView, Sites};

use super::{or_dash, short};
use crate::output::{Faces, Printer, Table, Width};

/// Prints images by rings.
pub(crate) fn state(printer: &Printer, view: &RingState) {
    printer.answer(
        view,
        Faces {
            text: &|width| state_text(view, width),
            short: &|| view.head.iter().cloned().collect(),
            names: &|| view.rings.iter().map(|ring| ring.name.clone()).collect(),
        },
    );
}

/// Prints the sites.
pub(crate) fn sites(printer: &Printer, view: &Sites) {
    printer.answer(
        view,
        Faces {
            text: &|width| sites_text(view, width),
            short: &|| view.sites.iter().filter_map(|site| site.published.clone()).collect(),
            names: &|| view.sites.iter().map(|site| site.site.clone()).collect(),
        },
    );
}

fn state_text(view: &RingState, width: Width) -> String {
    let mut text = String::new();
    let head = view.head.as_deref().map(short).unwrap_or_else(|| "empty".into());
    let _ = writeln!(text, "{} at entry {} ({head})", view.project, view.sequence);
    let shown: Vec<&RingView> = view
        .rings
        .iter()
        .filter(|ring| {
            width == Width::Wide || !matches!(ring.name.as_str(), "ante" | "post") || !ring.images.is_empty()
        })
        .collect();
    let images: BTreeSet<&String> = shown.iter().flat_map(|ring| ring.images.keys()).collect();
    let mut heads = vec!["image"];
    heads.extend(shown.iter().map(|ring| ring.name.as_str()));
    let mut table = Table::new(&heads);
    for image in images {
        let root = shown.iter().any(|ring| ring.root_image.as_ref() == Some(image));
        let mut row = vec![if root { format!("{image} (root)") } else { image.clone() }];
        row.extend(shown.iter().map(|ring| {
            let version = ring.images.get(image).map(|image| image.version.clone());
            let mark = if ring.stale.contains(image) { " stale" } else { "" };
            version.map_or_else(|| "-".into(), |version| format!("{version}{mark}"))
        }));
        table.row(row);
    }
    let mut row = vec!["set".to_owned()];
    row.extend(shown.iter().map(|ring| {
        match (ring.images.is_empty(), ring.complete) {
            (true, _) => "empty",
            (false, true) => "complete",
            (false, false) => "stale",
        }
        .to_owned()
    }));
    table.row(row);
    let _ = write!(text, "{table}");
    for lock in &view.locks {
        let until = lock.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "{} {} {}{until} by {}: {}",
            lock.kind, lock.what, lock.name, lock.actor, lock.reason
        );
    }
    text
}

fn sites_text(view: &Sites, width: Width) -> String {
    if view.sites.is_empty() {
        return "no sites are in force; declare them in rings.toml and release".into();
    }
    let mut heads = vec!["site", "environment", "ring", "wanted", "published"];
    if width == Width::Wide {
        heads.extend(["seen", "running", "health", "lag"]);
    }
    heads.push("note");
    let mut table = Table::new(&heads);
    for site in &view.sites {
        let mut row = vec![
            site.site.clone(),
            site.environment.clone(),
            site.ring.clone(),
            or_dash(site.wanted.as_ref()),
            or_dash(site.published.as_ref()),
        ];
        if width == Width::Wide {
            row.extend([
                or_dash(site.seen.as_ref()),
                or_dash(site.running.as_ref()),
                or_dash(site.health.as_ref()),
            ]);
            row.push(site.lag_seconds.map_or_else(|| "-".into(), |lag| format!("{lag}s")));
        }
        row.push(site.error.clone().unwrap_or_default());
        table.row(row);
    }
    table.to_string()
}
