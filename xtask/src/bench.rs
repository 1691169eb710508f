//! `cargo xtask bench NAME`: the product beside other programs, in one interleaved run.
//!
//! Figures are ratios between two programs on the same machine, because machines differ and drift.
//! Both sides run in turn after a warm-up; each pair gives one ratio, and the median of them is
//! compared with the goal. A goal that is missed is said, and so is a program that is missing.

mod build;
mod edits;
mod first;
mod hash;
mod measure;
mod noop;
mod report;
mod same;
mod start;
mod tree;

use std::path::PathBuf;

use clap::Args;

use crate::error::{Result, TaskError};
use crate::workspace::{Workspace, succeeds};
use report::Report;

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The benches; all of them otherwise
    #[arg(value_name = "NAME", value_parser = ["noop", "edits", "hash", "build", "same", "start", "first"])]
    names: Vec<String>,
    /// How often each side of a pair runs, after a warm-up
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: usize,
    /// Also what takes many minutes: a million files, a hundred builds of a large tree
    #[arg(long)]
    long: bool,
    /// Print the figures as JSON on stdout, and words on stderr
    #[arg(long)]
    json: bool,
    /// Measure this program instead of building one for release
    #[arg(long, value_name = "FILE")]
    ring: Option<PathBuf>,
}

/// What every bench gets.
pub(crate) struct Bench {
    /// The workspace.
    pub(crate) workspace: Workspace,
    /// The program under test, a release build.
    pub(crate) ring: PathBuf,
    /// How often each side runs.
    pub(crate) rounds: usize,
    /// Whether to do what takes many minutes.
    pub(crate) long: bool,
}

/// Measures one thing and reports it.
type Measure = fn(&Bench, &mut Report) -> Result<()>;

/// The benches in the order in which they run, quick ones first.
const BENCHES: &[(&str, Measure)] = &[
    ("start", start::run),
    ("first", first::run),
    ("noop", noop::run),
    ("hash", hash::run),
    ("edits", edits::run),
    ("same", same::run),
    ("build", build::run),
];

/// Builds the product for release, runs the benches and prints what they measured.
///
/// Goals that are missed are said, and do not make the task fail: a figure is not a test.
///
/// # Errors
/// The product cannot be built, or a program that is measured fails.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let ring = match &options.ring {
        Some(file) => std::path::absolute(file).map_err(TaskError::at("find", file))?,
        None => build_program(workspace)?,
    };
    let bench =
        Bench { workspace: workspace.clone(), ring, rounds: options.rounds.max(1), long: options.long };
    let mut report = Report::new(options.json);
    for (name, measure) in BENCHES {
        if options.names.is_empty() || options.names.iter().any(|wanted| wanted == name) {
            report.begin(name);
            measure(&bench, &mut report)?;
        }
    }
    report.finish()?;
    Ok(true)
}

/// Builds the product for release and returns the program.
fn build_program(workspace: &Workspace) -> Result<PathBuf> {
    let arguments = ["build", "--release", "--locked", "-p", "ringsite-cli", "--bin", "ring"];
    if !succeeds(&mut workspace.cargo(&arguments))? {
        return Err(TaskError::new("build ring for release"));
    }
    Ok(workspace.target().join("release/ring"))
}
