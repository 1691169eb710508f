//! The folder of one build: sources, exported images, the tool's storage and its result.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use tokio::task::spawn_blocking;

use crate::error::BuildError;
use crate::external::program::{Program, Tool};
use crate::limits::LEFTOVER_SECONDS;
use crate::names::BUILD_FOLDER_PREFIX;

/// A folder that is removed with everything in it when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    /// Nothing when it was removed.
    folder: Option<PathBuf>,
    program: Program,
}

impl Scratch {
    /// Makes a new folder in `builds`, and removes what killed builds left there long ago.
    pub(super) async fn new(builds: &Path, program: &Program) -> Result<Self, BuildError> {
        let (builds, program) = (builds.to_path_buf(), program.clone());
        let made = spawn_blocking(move || {
            let failed = |path: &Path| {
                let path = path.to_path_buf();
                move |source| BuildError::disk("make", &path, source)
            };
            fs::create_dir_all(&builds).map_err(failed(&builds))?;
            // Tools take absolute paths only.
            let builds = fs::canonicalize(&builds).map_err(failed(&builds))?;
            remove_leftovers(&builds, &program);
            let folder = tempfile::Builder::new().prefix(BUILD_FOLDER_PREFIX).tempdir_in(&builds);
            let scratch = Self { folder: Some(folder.map_err(failed(&builds))?.keep()), program };
            fs::create_dir(scratch.sources()).map_err(failed(&scratch.sources()))?;
            Ok(scratch)
        });
        made.await.map_err(|error| BuildError::Worker(Box::new(error)))?
    }

    /// Returns the folder itself.
    pub(super) fn folder(&self) -> &Path {
        self.folder.as_deref().expect("a folder is removed only when it is given up")
    }

    /// Returns a path in the folder.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Returns the folder of the sources.
    pub(super) fn sources(&self) -> PathBuf {
        self.path("sources")
    }

    /// Returns the folder of an exported image.
    pub(super) fn image(&self, index: usize) -> PathBuf {
        self.path(&format!("image-{index}"))
    }

    /// Removes the folder without blocking.
    pub(super) async fn remove(self) {
        // A removal that fails leaves a folder that a later build removes.
        let _ = spawn_blocking(move || drop(self)).await;
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take() {
            remove(&folder, &self.program);
        }
    }
}

/// Removes a folder; files that belong to other users of the tool's name space need its help.
fn remove(folder: &Path, program: &Program) {
    let Err(error) = fs::remove_dir_all(folder) else { return };
    if program.tool() != Tool::Buildx {
        let mut command = std::process::Command::new(program.path());
        command.args(["unshare", "rm", "-rf", "--"]).arg(folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_ok_and(|status| status.success()) {
            return;
        }
    }
    tracing::warn!(folder = %folder.display(), %error, "the folder of a build could not be removed");
}

fn remove_leftovers(builds: &Path, program: &Program) {
    let Ok(found) = fs::read_dir(builds) else { return };
    let is_old = |entry: &fs::DirEntry| {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        age.is_some_and(|age| age > Duration::from_secs(LEFTOVER_SECONDS))
            && entry.file_name().to_string_lossy().starts_with(BUILD_FOLDER_PREFIX)
    };
    for entry in found.flatten().filter(is_old) {
        remove(&entry.path(), program);
    }
}
