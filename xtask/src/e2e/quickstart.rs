//! What the README promises: released, moved on, taken back, placed, explained.

use std::fs;

use serde_json::Value;

use super::project::{entries, release, ring, rings, verify, version};
use super::sandbox::{Sandbox, check, check_same, list_at, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "quickstart-released-moved-and-taken-back", peers: &[], run: main_job },
    Scenario { name: "quickstart-one-change-rebuilds-its-dependents", peers: &[], run: one_change },
    Scenario { name: "quickstart-plans-are-kept-and-done-exactly", peers: &[], run: plans },
    Scenario { name: "quickstart-questions-are-answered", peers: &[], run: questions },
    Scenario { name: "init-writes-a-project-that-releases", peers: &[], run: init },
];

fn main_job(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    let report = release(sandbox)?;
    let images = list_at(&report, "/images")?;
    check(images.len() >= 5, || format!("the quickstart has at least five images, not {}", images.len()))?;
    for image in images {
        check_same("what the first release does", text_at(image, "/action")?, "build")?;
        check_same("the first version", text_at(image, "/to")?, "0.1.0")?;
    }
    let again = sandbox.ask(&["release"])?;
    check(again["changed"] == false, || "a second release of the same tree must change nothing".into())?;

    let first_state = sandbox.ask(&["state"])?;
    let rings = rings(&first_state)?;
    let [first, second, ..] = &*rings else {
        return Err(TaskError::new("the quickstart has two rings or more"));
    };
    check(ring(&first_state, first)?["complete"] == true, || format!("{first} should be complete"))?;

    sandbox.ask(&["promote", first])?;
    let moved = sandbox.ask(&["state"])?;
    check_same("the promoted set", &ring(&moved, second)?["images"], &ring(&moved, first)?["images"])?;
    sandbox.ask(&["unshift"])?;
    let back = sandbox.ask(&["state"])?;
    check_same("the rings after the step back", &back["rings"], &first_state["rings"])?;

    let kinds: Vec<String> = entries(sandbox)?
        .iter()
        .map(|entry| text_at(entry, "/operation").map(str::to_owned))
        .filter(|kind| !matches!(kind, Ok(kind) if kind == "place"))
        .collect::<Result<_>>()?;
    check_same(
        "the moves in the ledger",
        kinds,
        ["init", "configure", "release", "promote", "unshift"].map(str::to_owned).to_vec(),
    )?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn one_change(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    release(sandbox)?;
    let state = sandbox.ask(&["state"])?;
    let first = rings(&state)?.remove(0);
    let images = sandbox.ask(&["images", "--sources"])?;
    let (base, source) = some_base(&images)?;
    let path = sandbox.project().join(&source);
    let mut content = fs::read(&path).map_err(TaskError::at("read", &path))?;
    content.extend_from_slice(b"\n");
    fs::write(&path, content).map_err(TaskError::at("write", &path))?;

    let report = release(sandbox)?;
    let built: Vec<&str> =
        list_at(&report, "/images")?.iter().map(|image| text_at(image, "/image")).collect::<Result<_>>()?;
    let expected = dependents(&images, &base)?;
    let mut sorted = built.clone();
    sorted.sort_unstable();
    check_same(
        "what is built after one change",
        sorted,
        expected.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let state = sandbox.ask(&["state"])?;
    check_same("the version of what changed", version(&state, &first, &base)?, "0.1.1")?;

    // The next ring has the same minor version from here on: the version rule gives a new one.
    sandbox.ask(&["promote", &first])?;
    fs::write(&path, b"another content\n").map_err(TaskError::at("write", &path))?;
    release(sandbox)?;
    let state = sandbox.ask(&["state"])?;
    check_same("the version after a promotion", version(&state, &first, &base)?, "0.2.0")?;
    Ok(Verdict::Passed)
}

/// Returns an image that others are built with and that has a source of its own, and that source.
fn some_base(images: &Value) -> Result<(String, String)> {
    let images = list_at(images, "/images")?;
    for image in images {
        let name = text_at(image, "/image")?;
        let is_needed = images.iter().any(|other| {
            other["root"] == false
                && other["dependencies"].as_array().is_some_and(|list| list.contains(&name.into()))
        });
        let source = list_at(image, "/sources")?
            .iter()
            .find(|source| source["kind"] == "F" && source["path"] != "Containerfile");
        if let (true, Some(source)) = (is_needed, source) {
            let path = format!("{}/{}", text_at(image, "/context")?, text_at(source, "/path")?);
            return Ok((name.to_owned(), path));
        }
    }
    Err(TaskError::new("no image with a source of its own is the base of another"))
}

/// Returns the image, everything that is built with it, and the root, which names them all, sorted.
fn dependents(images: &Value, base: &str) -> Result<Vec<String>> {
    let mut found = vec![base.to_owned()];
    // The list is in build order: whatever an image is built with stands before it.
    for image in list_at(images, "/images")? {
        let name = text_at(image, "/image")?.to_owned();
        let uses = list_at(image, "/dependencies")?
            .iter()
            .any(|dependency| found.iter().any(|name| dependency == name.as_str()));
        if (uses || image["root"] == true) && !found.contains(&name) {
            found.push(name);
        }
    }
    found.sort();
    Ok(found)
}

fn plans(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    sandbox.ring(&["plan", "release", "--exit-code"])?.expect(1)?;
    release(sandbox)?;
    sandbox.ring(&["plan", "release", "--exit-code"])?.expect(0)?;
    let before = entries(sandbox)?.len();
    let state = sandbox.ask(&["state"])?;
    let first = rings(&state)?.remove(0);
    let file = sandbox.path("plan.json");
    let file = file.to_string_lossy();
    let plan = sandbox.ask(&["plan", "promote", &first, "--save", &file])?;
    check(plan["changes"] == true, || "the promotion should change something".into())?;
    check_same("the number of entries after a plan", entries(sandbox)?.len(), before)?;
    sandbox.ask(&["apply", &file])?;
    // The ring that the plan read has changed: the same file is refused from now on.
    let again = sandbox.ring(&["apply", &file, "-o", "json"])?;
    check(again.code == 3 || again.json().is_ok_and(|report| report["changed"] == false), || {
        format!("a plan that was done must not be done again, it ended with {}", again.code)
    })?;
    sandbox.ring(&["promote", "post"])?.expect(3)?;
    sandbox.ring(&["unshift", "ante"])?.expect(3)?;
    sandbox.ring(&["release", "--ring", "post"])?.expect(3)?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn questions(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    release(sandbox)?;
    let state = sandbox.ask(&["state"])?;
    let rings = rings(&state)?;
    let image = text_at(&ring(&state, &rings[0])?["rootImage"], "")?.to_owned();
    check_same(
        "why the root has its version",
        text_at(&sandbox.ask(&["why", &image])?, "/rule")?,
        "initial",
    )?;
    let diff = sandbox.ask(&["diff", "--from", &rings[0], "--to", &rings[1]])?;
    check(!list_at(&diff, "/images")?.is_empty(), || "an empty ring differs from a full one".into())?;
    sandbox.ring(&["diff", "--from", &rings[0], "--to", &rings[1], "--exit-code"])?.expect(1)?;
    check_same("the third entry", text_at(&sandbox.ask(&["show", "3"])?, "/operation")?, "release")?;
    let sites = sandbox.ask(&["sites"])?;
    check(list_at(&sites, "/sites")?.len() >= 3, || "the quickstart has three sites".into())?;
    sandbox.ask(&["ledger", "head"])?;
    sandbox.ask(&["config", "show", "--origin"])?;
    sandbox.ring(&["config", "check"])?.expect(0)?;
    sandbox.ring(&["config", "diff", "--exit-code"])?.expect(0)?;
    sandbox.ring(&["completion", "bash"])?.expect(0)?;
    sandbox.ring(&["version"])?.expect(0)?;
    let before = sandbox.ask(&["state", "--at", "2"])?;
    check_same("the state before the first release", &before["sequence"], &Value::from(2))?;

    sandbox.ask(&["promote", &rings[0]])?;
    let promoted = sandbox.ask(&["state"])?;
    sandbox.ask(&["undo"])?;
    sandbox.ask(&["redo"])?;
    check_same("the rings after undo and redo", &sandbox.ask(&["state"])?["rings"], &promoted["rings"])?;
    sandbox.ask(&["empty", &rings[1]])?;
    sandbox.ask(&["shift"])?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn init(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.make_folder("project")?;
    sandbox.ring(&["init"])?.expect(0)?;
    sandbox.ring(&["init"])?.expect(2)?;
    release(sandbox)?;
    sandbox.ring(&["config", "check"])?.expect(0)?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}
