//! P9: how long the program takes to start, and how large it is.

use super::Bench;
use super::measure::cost;
use super::report::{Goal, Report, Side, mebibytes};
use crate::error::{Result, TaskError};

/// A person notices nothing below this.
const START_MILLISECONDS_MAX: f64 = 3.0;
/// What a download of the program may weigh.
const PROGRAM_MEGABYTES_MAX: f64 = 20.0;
/// A start is so short that more runs are needed for a steady median.
const RUNS: usize = 40;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let here = bench.workspace.root().to_path_buf();
    for argument in ["version", "--version"] {
        let ours = Side::new(format!("ring {argument}"), || cost(&mut bench.ring(&here, &[argument])));
        let work = format!("start, `ring {argument}`");
        match bench.peer("git") {
            Ok(_) => {
                let theirs = Side::new("git --version", || {
                    let mut git = bench.peer("git").map_err(TaskError::new)?;
                    cost(git.arg("--version"))
                });
                report.pair(&work, RUNS, Goal::Shown, ours, theirs)?;
            }
            Err(why) => report.missing(&work, &why),
        }
        let mut milliseconds = Vec::new();
        for _ in 0..RUNS {
            milliseconds.push(cost(&mut bench.ring(&here, &[argument]))?.wall.as_secs_f64() * 1_000.0);
        }
        milliseconds.sort_by(f64::total_cmp);
        report.value(
            &format!("median of {work}"),
            milliseconds[RUNS / 2],
            "ms",
            Some(START_MILLISECONDS_MAX),
        );
    }
    let size = bench.ring.metadata().map_err(TaskError::at("read", &bench.ring))?.len();
    let megabytes = mebibytes(size) * 1.048_576;
    report.value("size of the program", megabytes, "MB", Some(PROGRAM_MEGABYTES_MAX));
    Ok(())
}
