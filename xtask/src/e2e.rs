//! `cargo xtask e2e`: the product from the outside, beside real programs.
//!
//! Every scenario has a folder of its own with a fresh copy of an example, runs `ring` as a person
//! or a CI job would, and looks at exit codes, JSON and files only. A foreign program that is missing
//! is named; with `CI` set that is a failure, so that nothing goes unchecked in silence.

mod bases;
mod builders;
mod crash;
mod damage;
mod input;
mod layout;
mod project;
mod quickstart;
mod races;
mod readers;
mod same;
mod sandbox;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use crate::error::{Result, TaskError, chain};
use crate::peers;
use crate::workspace::{Workspace, succeeds};
use sandbox::Sandbox;

/// Which scenarios to run.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Run only scenarios whose name contains this text; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Name the scenarios and run nothing
    #[arg(long)]
    list: bool,
    /// Keep the folders of scenarios that fail
    #[arg(long)]
    keep: bool,
    /// Run this program instead of building one
    #[arg(long, value_name = "FILE")]
    ring: Option<PathBuf>,
}

/// How a scenario ended that found nothing wrong.
pub(crate) enum Verdict {
    /// Everything was checked.
    Passed,
    /// This machine cannot run what is needed, although it is installed; the words say what and why.
    NotHere(String),
}

/// One story about the product.
pub(crate) struct Scenario {
    /// What it is called, `topic-behaviour`.
    pub(crate) name: &'static str,
    /// The foreign programs that it runs.
    pub(crate) peers: &'static [&'static str],
    /// The story itself.
    pub(crate) run: fn(&Sandbox) -> Result<Verdict>,
}

/// Every scenario, in the order in which they run: what most of the others rest on comes first.
fn scenarios() -> Vec<Scenario> {
    [
        quickstart::SCENARIOS,
        readers::SCENARIOS,
        bases::SCENARIOS,
        builders::SCENARIOS,
        same::SCENARIOS,
        races::SCENARIOS,
        crash::SCENARIOS,
        damage::SCENARIOS,
        input::SCENARIOS,
    ]
    .into_iter()
    .flatten()
    .map(|scenario| Scenario { name: scenario.name, peers: scenario.peers, run: scenario.run })
    .collect()
}

/// Runs the scenarios and ends with the line `N passed, N failed`.
///
/// # Errors
/// The product cannot be built.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let is_wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|part| name.contains(&**part));
    let scenarios: Vec<_> = scenarios().into_iter().filter(|scenario| is_wanted(scenario.name)).collect();
    if options.list {
        for scenario in &scenarios {
            println!("{}", scenario.name);
        }
        return Ok(true);
    }
    let ring = match &options.ring {
        Some(file) => std::path::absolute(file).map_err(TaskError::at("find", file))?,
        None => build(workspace)?,
    };
    let (mut passed, mut failed) = (0_u32, 0_u32);
    for scenario in &scenarios {
        match run_one(workspace, &ring, scenario, options.keep)? {
            Some(true) => passed += 1,
            Some(false) => failed += 1,
            None => {}
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

/// Builds the product and returns the program.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    // The whole workspace is named so that features are those of `cargo test`, and nothing is built twice.
    let arguments = ["build", "--workspace", "--bin", "ring", "--locked"];
    if !succeeds(&mut workspace.cargo(&arguments))? {
        return Err(TaskError::new("build ring"));
    }
    Ok(workspace.target().join("debug/ring"))
}

/// Builds one tree many times in varied conditions, for the bench; returns how many different digests came out.
///
/// # Errors
/// A build fails.
pub(crate) fn build_many(workspace: &Workspace, ring: &Path, builds: usize) -> Result<usize> {
    let sandbox = Sandbox::new(workspace, ring, "same")?;
    same::digests(&sandbox, builds).map(|digests| digests.len())
}

/// Runs one scenario and prints how it ended; none when it neither passed nor failed.
fn run_one(workspace: &Workspace, ring: &Path, scenario: &Scenario, keep: bool) -> Result<Option<bool>> {
    let name = scenario.name;
    let missing: Vec<String> =
        scenario.peers.iter().filter_map(|peer| peers::locate(workspace, peer).err()).collect();
    if !missing.is_empty() {
        let is_ci = std::env::var_os("CI").is_some();
        let word = if is_ci { "FAILED" } else { "missing" };
        println!("{name:<44} {word}: {}", missing.join("; "));
        return Ok(is_ci.then_some(false));
    }
    let begin = Instant::now();
    let sandbox = Sandbox::new(workspace, ring, name)?;
    let outcome = (scenario.run)(&sandbox);
    let seconds = begin.elapsed().as_secs_f64();
    match outcome {
        Ok(Verdict::Passed) => {
            println!("{name:<44} ok ({seconds:.1} s)");
            Ok(Some(true))
        }
        Ok(Verdict::NotHere(why)) => {
            println!("{name:<44} not on this machine: {why}");
            Ok(None)
        }
        Err(error) => {
            println!("{name:<44} FAILED ({seconds:.1} s)\n    {}", chain(&error));
            println!("{}", sandbox.story());
            if keep {
                println!("    kept {}", sandbox.keep().display());
            }
            Ok(Some(false))
        }
    }
}
