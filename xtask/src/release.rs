//! `cargo xtask release`: this workspace released by itself.
//!
//! `ring` is built as a static program, so that its image needs nothing else, and that very program
//! then releases the `rings.toml` at the root. The C library of the usual target can be linked
//! statically, so no other target has to be installed.

use std::fs;
use std::process::Command;

use crate::error::{Result, TaskError};
use crate::tidy::host_triple;
use crate::workspace::{Workspace, succeeds};

/// Where the root's `rings.toml` expects the program, below the target folder.
const PROGRAM: &str = "release-image/ring";

/// Builds the program, puts it where its image is built from, and runs `ring release` with it.
///
/// # Errors
/// A program does not start, the build fails, or a file cannot be copied.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let host = host_triple()?;
    // With the target named, these flags reach only the program, not the build scripts, and Cargo
    // keeps the output apart, so that the next usual build finds everything as it was.
    let mut build =
        workspace.cargo(&["build", "--release", "--locked", "-p", "ringsite-cli", "--bin", "ring"]);
    build.args(["--target", &host]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    if !succeeds(&mut build)? {
        return Err(TaskError::new("build ring as a static program"));
    }
    let built = workspace.target().join(&host).join("release/ring");
    let program = workspace.root().join("target").join(PROGRAM);
    let folder = program.parent().expect("the path of the program has a folder");
    fs::create_dir_all(folder).map_err(TaskError::at("create", folder))?;
    fs::copy(&built, &program).map_err(TaskError::at("copy to", &program))?;
    let mut release = Command::new(&program);
    release.arg("-C").arg(workspace.root()).arg("release").args(arguments);
    succeeds(&mut release)
}
