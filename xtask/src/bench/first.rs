//! A release of 1,000 images from nothing, with what each phase costs; beside it the bounds of the
//! machine: reading and hashing the same files, and writing as many bytes durably.

use std::fs;

use super::Bench;
use super::measure::{Cost, cost};
use super::noop::SHAPE;
use super::report::{Goal, Report, Side};
use crate::error::{Result, TaskError};

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let project = SHAPE.write(&bench.folder("noop"))?;
    let state = project.join(".ring");
    let release = || -> Result<Cost> {
        if state.exists() {
            fs::remove_dir_all(&state).map_err(TaskError::at("remove", &state))?;
        }
        cost(&mut bench.ring(&project, &["release"]))
    };
    let hash = Side::new("find | xargs sha256sum", || {
        let mut shell = std::process::Command::new("sh");
        cost(shell.arg("-c").arg("find images -type f -print0 | xargs -0 sha256sum").current_dir(&project))
    });
    // Two rounds are enough for a bound: each takes seconds, and no goal hangs on it.
    report.pair(
        "release of 1,000 images from nothing",
        2,
        Goal::Shown,
        Side::new("ring release", release),
        hash,
    )?;
    let copy = Side::new("cp -r and sync", || {
        let target = bench.folder("copy");
        let mut shell = std::process::Command::new("sh");
        let script = "rm -rf \"$0\" && cp -r images \"$0\" && sync \"$0\"";
        cost(shell.arg("-c").arg(script).arg(target).current_dir(&project))
    });
    report.pair(
        "the same beside a copy of the files",
        2,
        Goal::Shown,
        Side::new("ring release", release),
        copy,
    )?;
    if state.exists() {
        fs::remove_dir_all(&state).map_err(TaskError::at("remove", &state))?;
    }
    let mut verbose = bench.ring(&project, &["release", "-v", "--progress", "none"]);
    let output = verbose.output().map_err(TaskError::start("ring"))?;
    report.say("phases, as `ring release -v` prints them:");
    let words = String::from_utf8_lossy(&output.stderr);
    for line in words.lines().filter(|line| is_phase(line)) {
        report.say(line);
    }
    Ok(())
}

/// Says whether a line is a phase: a time, its unit, and words.
fn is_phase(line: &str) -> bool {
    let mut parts = line.split_whitespace();
    let is_time = parts.next().is_some_and(|time| time.parse::<f64>().is_ok());
    is_time && parts.next() == Some("ms") && parts.next().is_some()
}

#[cfg(test)]
mod tests {
    use super::is_phase;

    #[test]
    fn phases_are_told_from_other_words() {
        assert!(is_phase("     10.9 ms  open the record"));
        assert!(!is_phase("built base 0.1.0 in 84.1 ms"));
        assert!(!is_phase("release recorded as entry 3"));
    }
}
