//! `cargo xtask test`: everything that must hold before a change lands, with the Rust toolchain alone.
//!
//! Every step runs, also after one that failed, so that one call shows everything there is to mend.
//! No step sets `RUSTFLAGS`: a different value would build every dependency again.
//! Lints are given to clippy behind `--`, which reaches the crates of the workspace only.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Instant;

use crate::error::{Result, TaskError};
use crate::workspace::{Workspace, succeeds};
use crate::{codegen, tidy};

/// Counts of tests, as `cargo test` prints them for each of its programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

impl Tally {
    /// Adds the counts of a line `test result: …`; every other line adds nothing.
    pub(crate) fn add_line(&mut self, line: &str) {
        let Some((_, counts)) =
            line.trim().strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let Some(number) = words.next().and_then(|word| word.parse::<u64>().ok()) else { continue };
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                _ => {}
            }
        }
    }
}

/// Runs all steps and ends with the line `N passed, N failed` over all test programs.
///
/// # Errors
/// A program does not start, or the rules cannot read the workspace.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    let mut step = |name: &'static str, work: &mut dyn FnMut() -> Result<bool>| -> Result<()> {
        println!("== {name}");
        let begin = Instant::now();
        let is_good = work()?;
        println!(
            "== {name}: {} ({:.1} s)",
            if is_good { "ok" } else { "FAILED" },
            begin.elapsed().as_secs_f64()
        );
        if !is_good {
            failed.push(name);
        }
        Ok(())
    };
    step("format", &mut || succeeds(&mut workspace.cargo(&["fmt", "--all", "--check"])))?;
    step("clippy", &mut || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
        succeeds(&mut workspace.cargo(&arguments))
    })?;
    step("tests", &mut || run_tests(workspace, &mut tally))?;
    step("docs", &mut || {
        let mut command = workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        succeeds(command.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    step("examples", &mut || {
        // Not a member of the workspace, as a stranger's crate would not be; it must still build.
        let arguments =
            ["clippy", "--locked", "--manifest-path", "examples/embed/Cargo.toml", "--target-dir"];
        let mut command = workspace.cargo(&arguments);
        succeeds(command.arg(workspace.target()).args(["--", "-D", "warnings"]))
    })?;
    step("tidy", &mut || tidy::run(workspace))?;
    step("codegen", &mut || codegen::check(workspace))?;
    if !failed.is_empty() {
        println!("failed steps: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(failed.is_empty())
}

/// Runs all tests of the workspace, shows what they print, and adds up their summaries.
fn run_tests(workspace: &Workspace, tally: &mut Tally) -> Result<bool> {
    let mut command = workspace.cargo(&["test", "--workspace", "--no-fail-fast", "--locked"]);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(TaskError::start("cargo test"))?;
    let stdout = child.stdout.take().expect("stdout was asked for as a pipe");
    let mut terminal = std::io::stdout().lock();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.map_err(|source| TaskError::Io { what: "read from cargo test".into(), source })?;
        let line = String::from_utf8_lossy(&line);
        tally.add_line(&line);
        writeln!(terminal, "{line}")
            .map_err(|source| TaskError::Io { what: "write to the terminal".into(), source })?;
    }
    drop(terminal);
    let status = child.wait().map_err(TaskError::start("cargo test"))?;
    Ok(status.success() && tally.failed == 0 && tally.passed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_several_test_programs_add_up() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 5 passed; 1 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.20s",
        ] {
            tally.add_line(line);
        }
        assert_eq!(tally, Tally { passed: 7, failed: 1 });
    }

    #[test]
    fn a_line_that_only_mentions_a_result_adds_nothing() {
        let mut tally = Tally::default();
        tally.add_line("the words `test result: ok. 9 passed` in a sentence");
        tally.add_line("test result: none");
        assert_eq!(tally, Tally::default());
    }
}
