//! The Kustomize environments of the working copy, read so that they can be checked before a release.
//!
//! What a site gets comes from the root image, never from here. But the root image copies this
//! folder, so a reference that leads nowhere is better said before anything is built.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use walkdir::WalkDir;

use crate::limits::ENVIRONMENTS_BYTES_MAX;
use crate::names::ENVIRONMENTS_FOLDER;
use crate::{Problem, Problems, Project};

/// One file of the environments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The path relative to the project folder, with `/` between its parts.
    pub path: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// Whether anybody may execute it.
    pub is_executable: bool,
}

impl Project {
    /// Reads every file below `environments/`, sorted by path. Links are left out: nothing may refer
    /// to one.
    ///
    /// # Errors
    /// `Problems` for what cannot be read, names that are not UTF-8, and a folder that is too large.
    pub fn environment_files(&self) -> Result<Vec<EnvironmentFile>, Problems> {
        let folder = self.folder.join(ENVIRONMENTS_FOLDER);
        let (mut files, mut problems) = (Vec::new(), Vec::new());
        let mut bytes_left = ENVIRONMENTS_BYTES_MAX;
        if !folder.is_dir() {
            return Ok(files);
        }
        for found in WalkDir::new(&folder).sort_by_file_name() {
            match found {
                Ok(found) if found.file_type().is_file() => {
                    match self.environment_file(found.path(), &mut bytes_left) {
                        Ok(file) => files.push(file),
                        Err(problem) => problems.push(problem),
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(&folder).to_path_buf();
                    problems.push(Problem::in_file(&path, error.to_string(), "check its permissions"));
                }
            }
        }
        Problems::check(problems)?;
        Ok(files)
    }

    fn environment_file(&self, path: &Path, bytes_left: &mut u64) -> Result<EnvironmentFile, Problem> {
        let unreadable = |error: std::io::Error| {
            Problem::in_file(path, format!("cannot be read: {error}"), "check its permissions")
        };
        let shown = path.strip_prefix(&self.folder).unwrap_or(path);
        let name = shown.to_str().ok_or_else(|| {
            Problem::in_file(
                path,
                "has a name that is not UTF-8",
                "rename it: other systems read these names",
            )
        })?;
        let metadata = fs::metadata(path).map_err(unreadable)?;
        *bytes_left = bytes_left.checked_sub(metadata.len()).ok_or_else(|| {
            Problem::in_file(
                path,
                format!("makes `{ENVIRONMENTS_FOLDER}/` larger than {ENVIRONMENTS_BYTES_MAX} bytes"),
                "keep only Kustomize sources there",
            )
        })?;
        Ok(EnvironmentFile {
            path: name.to_owned(),
            bytes: fs::read(path).map_err(unreadable)?,
            is_executable: metadata.permissions().mode() & 0o111 != 0,
        })
    }
}
