//! Several processes on one registry at once: whatever was acknowledged is there afterwards.

use std::collections::BTreeSet;

use serde_json::Value;

use super::project::{entries, release, verify, write_mini};
use super::sandbox::{Run, Running, Sandbox, check, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] =
    &[Scenario { name: "releases-and-promotions-at-once-lose-nothing", peers: &[], run: at_once }];

/// Rounds of three processes each; enough for most of the orders in which their steps can fall.
const ROUNDS: usize = 8;

fn at_once(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let registry = format!("oci-layout:{}", sandbox.registry().display());
    let checkouts = ["one", "two"];
    for checkout in checkouts {
        sandbox.copy_tree(&sandbox.project(), &sandbox.path(checkout))?;
    }
    let mut acknowledged = BTreeSet::new();
    let mut refused = 0;
    for round in 0..ROUNDS {
        let mut running = Vec::new();
        for (checkout, image) in checkouts.iter().zip(["api/app.conf", "base/etc/motd"]) {
            sandbox.write(&format!("{checkout}/images/{image}"), format!("{checkout} in round {round}\n"))?;
            running.push(start(sandbox, checkout, &registry, &["release"])?);
        }
        running.push(start(sandbox, "project", &registry, &["promote", "developers", "--allow-downgrade"])?);
        for process in running {
            let run = sandbox.finish(process)?;
            match run.code {
                0 => acknowledged.extend(entry_of(&run)?),
                // Told to look again, or nothing to move: both leave the record as it was.
                3 | 4 => refused += 1,
                _ => {
                    run.expect(0)?;
                }
            }
        }
    }
    let written: BTreeSet<String> = entries(sandbox)?
        .iter()
        .map(|entry| text_at(entry, "/digest").map(str::to_owned))
        .collect::<Result<_>>()?;
    let lost: Vec<_> = acknowledged.difference(&written).collect();
    check(lost.is_empty(), || format!("acknowledged and lost: {lost:?}"))?;
    check(acknowledged.len() > ROUNDS, || {
        format!(
            "only {} of {} operations went through, {refused} were refused",
            acknowledged.len(),
            3 * ROUNDS
        )
    })?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn start(sandbox: &Sandbox, checkout: &str, registry: &str, arguments: &[&str]) -> Result<Running> {
    let ring = sandbox.ring_command(&[]);
    let mut command = sandbox.command(ring.get_program());
    command
        .arg("-C")
        .arg(sandbox.path(checkout))
        .args(["--registry", registry, "-o", "json"])
        .args(arguments);
    sandbox.start(&mut command)
}

/// Returns the entry that a report acknowledges; none when nothing was changed.
fn entry_of(run: &Run) -> Result<Option<String>> {
    let report = run.json()?;
    if report["changed"] != Value::Bool(true) {
        return Ok(None);
    }
    let entry = report["entry"].as_str();
    entry
        .map(|entry| Some(entry.to_owned()))
        .ok_or_else(|| TaskError::new("a report of a change names no entry"))
}
