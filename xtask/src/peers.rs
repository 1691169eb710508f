//! `cargo xtask peers`: the foreign programs that `e2e` and `bench` run beside ours.
//!
//! A program in `RING_PEERS_DIR` or on `PATH` is used as it is. What the registries of Go modules
//! have is built into `target/peers/` from a small module of its own below `xtask/peers/`. What is
//! still missing is named with the way to get it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Result, TaskError};
use crate::workspace::{Workspace, succeeds};

/// A foreign program.
#[derive(Clone, Copy, Debug)]
struct Peer {
    /// What it is called on `PATH`.
    program: &'static str,
    /// How to get it.
    from: Origin,
}

/// Where a foreign program comes from.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// A package of a Debian-like distribution.
    Package(&'static str),
    /// The main package of a Go module, pinned by the module in `xtask/peers/<program>/`.
    GoModule(&'static str),
}

/// Every foreign program that a scenario or a bench names.
const PEERS: &[Peer] = &[
    Peer { program: "buildah", from: Origin::Package("buildah") },
    Peer { program: "busybox", from: Origin::Package("busybox-static") },
    Peer { program: "docker-registry", from: Origin::Package("docker-registry") },
    Peer { program: "git", from: Origin::Package("git") },
    Peer { program: "kustomize", from: Origin::GoModule("sigs.k8s.io/kustomize/kustomize/v5") },
    Peer { program: "pigz", from: Origin::Package("pigz") },
    Peer { program: "podman", from: Origin::Package("podman") },
    Peer { program: "skopeo", from: Origin::Package("skopeo") },
    Peer { program: "tar", from: Origin::Package("tar") },
    Peer { program: "umoci", from: Origin::Package("umoci") },
];

/// Shows where each program is, and builds what can be built.
///
/// # Errors
/// `go` does not start although it is on `PATH`.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let mut is_complete = true;
    for peer in PEERS {
        match locate(workspace, peer.program) {
            Ok(path) => println!("{:<16} {}", peer.program, path.display()),
            Err(missing) => {
                is_complete = false;
                println!("{:<16} missing: {missing}", peer.program);
            }
        }
    }
    Ok(is_complete)
}

/// Returns where a program is, building it first when it is one that we build.
///
/// # Errors
/// In words: what is missing and how to get it.
pub(crate) fn locate(workspace: &Workspace, program: &str) -> std::result::Result<PathBuf, String> {
    if let Some(path) = find(program) {
        return Ok(path);
    }
    match PEERS.iter().find(|peer| peer.program == program).map(|peer| peer.from) {
        Some(Origin::GoModule(package)) => {
            build(workspace, program, package).map_err(|error| crate::error::chain(&error))
        }
        Some(Origin::Package(package)) => {
            Err(format!("`{program}` is not on PATH (apt-get install {package}, or RING_PEERS_DIR)"))
        }
        None => Err(format!("`{program}` is not on PATH")),
    }
}

/// Returns where a program is that somebody else has put there.
fn find(program: &str) -> Option<PathBuf> {
    let own = env::var_os("RING_PEERS_DIR").map(PathBuf::from);
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = own.into_iter().chain(env::split_paths(&path));
    folders.map(|folder| folder.join(program)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// Builds a program from its Go module; does nothing when it is younger than the module.
fn build(workspace: &Workspace, program: &str, package: &str) -> Result<PathBuf> {
    let module = workspace.root().join("xtask/peers").join(program);
    let output = workspace.target().join("peers").join(program);
    if is_program(&output) && is_younger(&output, &module.join("go.mod")) {
        return Ok(output);
    }
    if find("go").is_none() {
        return Err(TaskError::new(format!(
            "`{program}` is built with Go, and `go` is not on PATH (or RING_PEERS_DIR)"
        )));
    }
    println!("building {program} from its Go module");
    let mut command = Command::new("go");
    command.current_dir(&module).env("CGO_ENABLED", "0");
    command.args(["build", "-trimpath", "-ldflags", "-s -w", "-o"]).arg(&output).arg(package);
    if succeeds(&mut command)? {
        Ok(output)
    } else {
        Err(TaskError::new(format!("go could not build {program}")))
    }
}

fn is_younger(output: &Path, source: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    match (time(output), time(source)) {
        (Some(output), Some(source)) => output > source,
        _ => false,
    }
}
