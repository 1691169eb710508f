//! `cargo xtask codegen`: the pages of `docs/reference` that are made from the code.
//!
//! The pages come from `crates/cli/examples/reference.rs`, which knows the types; this module runs
//! it and compares or copies what it wrote. So the tasks import nothing of the product, and run
//! while it does not compile.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::{Result, TaskError};
use crate::workspace::{Workspace, succeeds};

/// Where the generated pages stand.
const REFERENCE: &str = "docs/reference";

/// Names every page that is not what the code says.
///
/// # Errors
/// The generator cannot be built or run, or a page cannot be read.
pub(crate) fn check(workspace: &Workspace) -> Result<bool> {
    let made = make(workspace)?;
    let kept = read(&workspace.root().join(REFERENCE))?;
    let mut stale = Vec::new();
    for (path, text) in &made {
        if kept.get(path) != Some(text) {
            stale.push(format!("{REFERENCE}/{path} is not what the code says: run `cargo xtask codegen`"));
        }
    }
    for path in kept.keys().filter(|path| !made.contains_key(*path)) {
        stale.push(format!("{REFERENCE}/{path} is made by nothing: remove it"));
    }
    for line in &stale {
        println!("{line}");
    }
    println!("codegen: {} pages, {} out of date", made.len(), stale.len());
    Ok(stale.is_empty())
}

/// Writes every page, and removes those that nothing makes any more.
///
/// # Errors
/// The generator cannot be built or run, or a page cannot be written.
pub(crate) fn write(workspace: &Workspace) -> Result<bool> {
    let made = make(workspace)?;
    let folder = workspace.root().join(REFERENCE);
    for path in read(&folder)?.keys().filter(|path| !made.contains_key(*path)) {
        let path = folder.join(path);
        fs::remove_file(&path).map_err(TaskError::at("remove", &path))?;
    }
    for (path, text) in &made {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(&folder);
        fs::create_dir_all(parent).map_err(TaskError::at("create", parent))?;
        fs::write(&path, text).map_err(TaskError::at("write", &path))?;
    }
    println!("codegen: {} pages written", made.len());
    Ok(true)
}

/// Returns what the code says now, by path below the folder of the pages.
fn make(workspace: &Workspace) -> Result<BTreeMap<String, String>> {
    // The whole workspace is named so that features are those of `cargo test`, and nothing is built twice.
    let build = ["build", "--quiet", "--workspace", "--example", "reference"];
    if !succeeds(&mut workspace.cargo(&build))? {
        return Err(TaskError::new("build the generator crates/cli/examples/reference.rs"));
    }
    let folder = tempfile::tempdir().map_err(TaskError::at("create", &std::env::temp_dir()))?;
    let program = workspace.target().join("debug/examples/reference");
    if !succeeds(Command::new(&program).arg(folder.path()))? {
        return Err(TaskError::new(format!("run {}", program.display())));
    }
    read(folder.path())
}

/// Returns every file below a folder with its path; an absent folder has none.
fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut pages = BTreeMap::new();
    if !folder.exists() {
        return Ok(pages);
    }
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|error| TaskError::new(format!("list {}: {error}", folder.display())))?;
        if entry.file_type().is_file() {
            let text = fs::read_to_string(entry.path()).map_err(TaskError::at("read", entry.path()))?;
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            pages.insert(path.to_string_lossy().into_owned(), text);
        }
    }
    Ok(pages)
}
