//! Where the workspace is, how its files are listed, and how `cargo` is called in it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Result, TaskError};

/// The root folder of the workspace.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Returns the workspace that this program belongs to: the folder above its own.
    ///
    /// Cargo says where the package is when it runs the program; the place at build time stands in
    /// when the program is started by hand.
    pub(crate) fn find() -> Self {
        let package = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Self { root }
    }

    /// Returns the root folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the folder that Cargo builds into.
    pub(crate) fn target(&self) -> PathBuf {
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from)
    }

    /// Returns a call of the same `cargo` that runs this program, at the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.current_dir(&self.root).args(arguments);
        // What Cargo tells this program about its own package is not for the packages that are built now.
        for (name, _) in env::vars_os() {
            let is_of_package = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_"));
            if is_of_package {
                command.env_remove(name);
            }
        }
        command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_MANIFEST_PATH");
        command
    }

    /// Returns every file of the project as (path relative to the root, content), sorted by path.
    ///
    /// Left out are what Git ignores here (build output, registries of the examples), Git's own
    /// folder, and files that are not text.
    ///
    /// # Errors
    /// A folder or a file cannot be read.
    pub(crate) fn files(&self) -> Result<Vec<SourceFile>> {
        let mut files = Vec::new();
        let walk = walkdir::WalkDir::new(&self.root).sort_by_file_name();
        for entry in walk.into_iter().filter_entry(|entry| !is_output(entry)) {
            let entry = entry.map_err(|error| {
                TaskError::new(format!("list the files of {}: {error}", self.root.display()))
            })?;
            if !entry.file_type().is_file() {
                continue;
            }
            let bytes = fs::read(entry.path()).map_err(TaskError::at("read", entry.path()))?;
            let path = entry.path().strip_prefix(&self.root).unwrap_or(entry.path());
            if let (Some(path), Ok(text)) = (path.to_str(), String::from_utf8(bytes)) {
                files.push(SourceFile { path: path.to_owned(), text });
            }
        }
        Ok(files)
    }
}

/// A text file of the project.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Its path relative to the root, with `/` between the parts.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl SourceFile {
    /// Says whether it is a Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Says whether it is a Markdown page.
    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }
}

/// Folders that no rule looks into: what is built or stored there is not written by anybody.
fn is_output(entry: &walkdir::DirEntry) -> bool {
    if !entry.file_type().is_dir() {
        return false;
    }
    let name = entry.file_name();
    let is_target = name == "target" && entry.path().join("CACHEDIR.TAG").exists();
    name == ".git" || name == ".ring" || is_target
}

/// Runs a command to its end with its output on the terminal, and says whether it succeeded.
///
/// # Errors
/// The program does not start.
pub(crate) fn succeeds(command: &mut Command) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.status().map_err(TaskError::start(&program))?;
    Ok(status.success())
}
