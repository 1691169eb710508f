//! R9: one tree, built many times in varied conditions, gives one digest.

use super::Bench;
use super::report::Report;
use crate::e2e::build_many;
use crate::error::Result;

/// How often the tree is built.
const BUILDS: usize = 100;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let digests = build_many(&bench.workspace, &bench.ring, BUILDS)?;
    report.value(
        &format!(
            "digests over {BUILDS} builds: umask, time zone, locale, directory order, threads, clock of files"
        ),
        f64::from(u32::try_from(digests).unwrap_or(u32::MAX)),
        "digests",
        Some(1.0),
    );
    Ok(())
}
