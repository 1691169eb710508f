//! A program that builds images: where it is, what it calls itself, and how it is run.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use ringsite_names::ImageName;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::error::BuildError;
use crate::limits::{OUTPUT_BYTES_KEPT, OUTPUT_LINES_SHOWN};

/// A program that builds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `buildah`.
    Buildah,
    /// `docker` with the plug-in `buildx`.
    Buildx,
    /// `podman`.
    Podman,
}

impl Tool {
    /// All tools, in the order in which they are chosen.
    pub const ALL: [Self; 3] = [Self::Buildah, Self::Buildx, Self::Podman];

    fn file_name(self) -> &'static str {
        match self {
            Self::Buildah => "buildah",
            Self::Buildx => "docker",
            Self::Podman => "podman",
        }
    }

    /// Returns the arguments that make it say its version.
    fn version_arguments(self) -> &'static [&'static str] {
        match self {
            Self::Buildah | Self::Podman => &["--version"],
            Self::Buildx => &["buildx", "version"],
        }
    }

    /// Returns the first version that reads here-documents.
    fn heredocs_since(self) -> (u64, u64) {
        match self {
            Self::Buildah => (1, 33),
            Self::Buildx => (0, 0),
            Self::Podman => (4, 8),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Buildah => "buildah",
            Self::Buildx => "docker buildx",
            Self::Podman => "podman",
        })
    }
}

/// A program that was found.
#[derive(Clone, Debug)]
pub(super) struct Program {
    tool: Tool,
    path: PathBuf,
    version: (u64, u64),
}

impl Program {
    /// Returns the first of `programs`, which are files or folders, that is `tool` and says its version.
    pub(super) fn find(tool: Tool, programs: &[PathBuf]) -> Option<Self> {
        let name = tool.file_name();
        let found = programs.iter().find_map(|path| {
            let file = if path.file_name().is_some_and(|last| last == name) && path.is_file() {
                path.clone()
            } else {
                path.join(name)
            };
            // It is started in another folder than this process is in.
            std::path::absolute(file).ok().filter(|file| is_executable(file))
        })?;
        let mut command = std::process::Command::new(&found);
        command.args(tool.version_arguments()).stdin(Stdio::null());
        let said = command.output().ok().filter(|output| output.status.success())?;
        let version = version(&String::from_utf8_lossy(&said.stdout))?;
        Some(Self { tool, path: found, version })
    }

    pub(super) fn tool(&self) -> Tool {
        self.tool
    }

    /// Returns name and version, as recipes and errors say it.
    pub(super) fn built_by(&self) -> String {
        format!("{} {}.{}", self.tool, self.version.0, self.version.1)
    }

    /// Returns whether it understands here-documents; older versions read their text as instructions.
    pub(super) fn reads_heredocs(&self) -> bool {
        self.version >= self.tool.heredocs_since()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the program and returns the end of what it wrote to its standard output.
    ///
    /// It and everything that it started is killed when the future is dropped.
    ///
    /// # Errors
    /// `Failed` with the last lines of both outputs; `Disk` when it cannot be started.
    pub(super) async fn run(
        &self,
        image: &ImageName,
        folder: &Path,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<String, BuildError> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        tracing::debug!(program = %self.path.display(), ?arguments, "run");
        let mut command = Command::new(&self.path);
        command.args(&arguments).current_dir(folder).env("TMPDIR", folder);
        // What a person set for builds of their own must not change what is built here.
        for name in FOREIGN_SETTINGS {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| BuildError::disk("start", &self.path, source))?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        let (all, own) = (Tail::default(), Tail::default());
        let stdout = child.stdout.take().expect("the output was asked for");
        let stderr = child.stderr.take().expect("the output was asked for");
        let (_, _, status) = tokio::join!(
            keep(stdout, [all.clone(), own.clone()]),
            keep(stderr, [all.clone(), Tail::default()]),
            child.wait()
        );
        let status = status.map_err(|source| BuildError::disk("wait for", &self.path, source))?;
        // Nobody of the group is left that this program started and waits for.
        drop(group);
        if status.success() {
            return Ok(own.text());
        }
        let builder = self.built_by();
        let reason = format!("it ended with {status}, and its last lines are\n{}", all.last_lines());
        Err(BuildError::Failed { builder, image: image.clone(), reason })
    }
}

/// Variables that change what buildah and podman do.
const FOREIGN_SETTINGS: [&str; 7] = [
    "BUILDAH_FORMAT",
    "BUILDAH_HISTORY",
    "BUILDAH_ISOLATION",
    "BUILDAH_LAYERS",
    "SOURCE_DATE_EPOCH",
    "STORAGE_DRIVER",
    "STORAGE_OPTS",
];

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Finds the first `major.minor` in what a program says about its version.
fn version(said: &str) -> Option<(u64, u64)> {
    said.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        let number = |part: Option<&str>| part?.parse::<u64>().ok();
        number(parts.next()).zip(number(parts.next()))
    })
}

/// Kills a group of processes when it is dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // None is left in the normal case.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The end of an output.
#[derive(Clone, Default)]
struct Tail(Arc<Mutex<VecDeque<u8>>>);

impl Tail {
    fn push(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(bytes);
        let over = kept.len().saturating_sub(OUTPUT_BYTES_KEPT);
        kept.drain(..over);
    }

    fn text(&self) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(kept.make_contiguous()).into_owned()
    }

    fn last_lines(&self) -> String {
        let text = self.text();
        let is_shown = |character: &char| !character.is_control() || *character == '\t';
        let clean = |line: &str| line.chars().filter(is_shown).collect::<String>();
        let mut lines: Vec<_> = text
            .lines()
            .rev()
            .filter(|line| !line.trim().is_empty())
            .take(OUTPUT_LINES_SHOWN)
            .map(clean)
            .collect();
        lines.reverse();
        lines.join("\n")
    }
}

async fn keep(mut output: impl AsyncRead + Unpin, tails: [Tail; 2]) {
    let mut buffer = [0; 8192];
    // An output that cannot be read any more ends; the status says how the program fared.
    while let Ok(count @ 1..) = output.read(&mut buffer).await {
        tails.iter().for_each(|tail| tail.push(&buffer[..count]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_say_them() {
        for (said, expected) in [
            ("buildah version 1.28.2 (image-spec 1.1.0-rc2, runtime-spec 1.0.2-dev)", Some((1, 28))),
            ("podman version 4.3.1", Some((4, 3))),
            ("github.com/docker/buildx v0.11.2 9872040b6626fb7d87ef7296fd5b832e8cc2ad17", Some((0, 11))),
            ("docker: unknown command", None),
        ] {
            assert_eq!(version(said), expected, "{said}");
        }
    }

    /// Writes a program by another process: one that this process has open cannot be started, and
    /// what a test of another thread starts at this moment would have it open, too.
    fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
        let (source, path) = (folder.join("source"), folder.join(name));
        fs::write(&source, format!("#!/bin/sh\n{text}\n")).expect("is written");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).expect("is changed");
        let copied = std::process::Command::new("cp").args([&source, &path]).status();
        assert!(copied.expect("is started").success());
        path
    }

    #[test]
    fn a_program_is_found_by_name_or_in_folders_and_counts_when_it_says_its_version() {
        let (one, two) = (tempfile::tempdir().expect("is made"), tempfile::tempdir().expect("is made"));
        let path = script(two.path(), "buildah", "echo buildah version 1.2.3");
        script(one.path(), "docker", "echo unknown command >&2; exit 1");
        fs::write(one.path().join("podman"), "not executable").expect("is written");
        let folders = [one.path().to_path_buf(), two.path().to_path_buf()];
        let found = Program::find(Tool::Buildah, &folders).expect("is found");
        assert_eq!((found.path(), found.built_by()), (path.as_path(), "buildah 1.2".to_owned()));
        assert!(!found.reads_heredocs());
        assert!(Program::find(Tool::Buildah, &[path]).is_some());
        for tool in [Tool::Buildx, Tool::Podman] {
            assert!(Program::find(tool, &folders).is_none(), "{tool}");
        }
    }

    #[tokio::test]
    async fn a_failure_says_how_it_ended_with_the_last_lines_only() {
        let folder = tempfile::tempdir().expect("is made");
        let loud = "[ \"$1\" = --version ] && echo v1.2 && exit; seq 1 50000; echo why >&2; exit 3";
        let path = script(folder.path(), "podman", loud);
        let program = Program::find(Tool::Podman, &[path]).expect("is found");
        let image = ImageName::new("api").expect("is a name");
        let error = program.run(&image, folder.path(), ["build"]).await.expect_err("fails");
        let text = error.to_string();
        assert!(text.starts_with("podman 1.2 could not build api: it ended with exit status: 3"), "{text}");
        assert!(text.ends_with("\nwhy") || text.ends_with("\n50000"), "{text}");
        assert_eq!(text.lines().count(), 1 + OUTPUT_LINES_SHOWN);
    }

    #[tokio::test]
    async fn what_a_program_started_ends_with_it() {
        let folder = tempfile::tempdir().expect("is made");
        let text =
            "[ \"$1\" = --version ] && echo v1.2 && exit; sleep 600 & echo $! > pid; echo $$ >> pid; wait";
        let path = script(folder.path(), "podman", text);
        let program = Program::find(Tool::Podman, &[path]).expect("is found");
        let image = ImageName::new("api").expect("is a name");
        let pids = folder.path().join("pid");
        let started = async {
            while fs::read_to_string(&pids).map_or(0, |text| text.lines().count()) < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = program.run(&image, folder.path(), ["build"]) => panic!("it waits"),
            () = started => {}
        }
        for pid in fs::read_to_string(&pids).expect("is written").lines() {
            // A killed process may still be listed, as one that nobody waited for.
            let stat = format!("/proc/{pid}/stat");
            let is_gone = || match fs::read_to_string(&stat) {
                Err(_) => true,
                Ok(text) => text.contains(") Z ") || text.contains(") X "),
            };
            let begin = std::time::Instant::now();
            while !is_gone() {
                assert!(begin.elapsed().as_secs() < 10, "{pid} is alive");
                tokio::task::yield_now().await;
            }
        }
    }
}
