//! The same tree gives the same digest, wherever and however it is built (R9).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::project::write_mini;
use super::sandbox::{Sandbox, check_same, list_at, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "same-digest-in-varied-conditions", peers: &[], run: varied },
    Scenario { name: "prove-builds-the-same-digest-again", peers: &[], run: prove },
];

/// How often the tree is built; the bench `same` does it a hundred times.
const BUILDS: usize = 20;

fn varied(sandbox: &Sandbox) -> Result<Verdict> {
    let digests = digests(sandbox, BUILDS)?;
    check_same(&format!("the digests of {BUILDS} builds, {digests:?}"), digests.len(), 1)?;
    Ok(Verdict::Passed)
}

/// The digest of each image of one build.
type Digests = Vec<(String, String)>;

/// Builds one tree again and again, each time under other conditions; returns the different outcomes.
pub(super) fn digests(sandbox: &Sandbox, builds: usize) -> Result<BTreeSet<Digests>> {
    write_mini(sandbox)?;
    for number in 0..40 {
        let name = format!("project/images/api/data/{}/{number}.txt", number % 7);
        sandbox.write(&name, format!("file {number}\n").repeat(number + 1))?;
    }
    sandbox
        .write("project/images/api/Containerfile", "FROM base\nCOPY data /data\nCOPY app.conf /app.conf\n")?;
    let original = sandbox.path("original");
    fs::rename(sandbox.project(), &original).map_err(TaskError::at("rename", &original))?;
    let mut outcomes = BTreeSet::new();
    for number in 0..builds {
        let umask = ["022", "077", "002", "027"][number % 4];
        copy_in_order(&original, &sandbox.project(), number, umask == "077")?;
        outcomes.insert(build(sandbox, number, umask)?);
        fs::remove_dir_all(sandbox.project()).map_err(TaskError::at("remove", &sandbox.project()))?;
    }
    Ok(outcomes)
}

/// Releases with the conditions of a number, and returns each image with its digest.
fn build(sandbox: &Sandbox, number: usize, umask: &str) -> Result<Digests> {
    let ring = sandbox.ring_command(&["release", "-o", "json"]);
    let mut shell = sandbox.command("sh");
    shell
        .arg("-c")
        .arg(format!("umask {umask}; exec \"$0\" \"$@\""))
        .arg(ring.get_program())
        .args(ring.get_args());
    let zone = ["UTC", "Asia/Kolkata", "America/St_Johns", "Pacific/Chatham"][number % 4];
    let locale = ["C", "C.UTF-8", "tr_TR.UTF-8"][number % 3];
    let threads = ["1", "2", "8"][number % 3];
    shell.env("TZ", zone).env("LANG", locale).env("LC_ALL", locale);
    shell.env("TOKIO_WORKER_THREADS", threads).env("RAYON_NUM_THREADS", threads);
    shell.env("SOURCE_DATE_EPOCH", (1_000_000 * number).to_string());
    let report = sandbox.run(&mut shell)?.expect(0)?.json()?;
    let images = list_at(&report, "/images")?.iter();
    images
        .map(|image| Ok((text_at(image, "/image")?.to_owned(), text_at(image, "/digest")?.to_owned())))
        .collect()
}

/// Copies a tree so that folders list their entries in another order and files have other times and modes.
fn copy_in_order(from: &Path, to: &Path, number: usize, is_private: bool) -> Result<()> {
    let mut paths = Vec::new();
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.map_err(|error| TaskError::new(format!("list {}: {error}", from.display())))?;
        if entry.file_type().is_file() {
            paths.push(entry.path().strip_prefix(from).unwrap_or(entry.path()).to_path_buf());
        }
    }
    paths.sort();
    let length = paths.len();
    paths.rotate_left(number * 7 % length.max(1));
    if number % 2 == 1 {
        paths.reverse();
    }
    for path in paths {
        let target = to.join(&path);
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder).map_err(TaskError::at("create", folder))?;
        fs::copy(from.join(&path), &target).map_err(TaskError::at("copy to", &target))?;
        let mode = if is_private { 0o600 } else { 0o664 };
        fs::set_permissions(&target, fs::Permissions::from_mode(mode))
            .map_err(TaskError::at("change", &target))?;
    }
    Ok(())
}

fn prove(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    sandbox.ask(&["release"])?;
    for image in ["base", "api", "mini"] {
        let proof = sandbox.ask(&["prove", image, "0.1.0"])?;
        check_same(&format!("the proof of {image}"), &proof["identical"], &serde_json::Value::Bool(true))?;
    }
    sandbox.write("project/images/api/app.conf", "port = 9090\n")?;
    sandbox.ring(&["prove", "api", "0.1.0"])?.expect(5)?.says("app.conf")?;
    sandbox.ring(&["prove", "base", "0.1.0"])?.expect(0)?;
    Ok(Verdict::Passed)
}
