//! Runs `ring` on a project.

use std::process::Command;

use ringsite_testkit::ProjectFolder;
use serde_json::Value;

/// What a run left.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `ring` in the folder of `project` with a clean environment.
pub(crate) fn ring(project: &ProjectFolder, arguments: &[&str]) -> Run {
    ring_with(project, arguments, &[])
}

/// Runs `ring` with variables.
pub(crate) fn ring_with(project: &ProjectFolder, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_ring"))
        .arg("-C")
        .arg(project.folder())
        .args(arguments)
        .env_clear()
        .env("RING_ACTOR", "tester")
        .envs(variables.iter().copied())
        .output()
        .expect("ring starts");
    Run {
        code: output.status.code().expect("ring ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("stdout is text"),
        stderr: String::from_utf8(output.stderr).expect("stderr is text"),
    }
}

impl Run {
    /// Asserts the exit code, showing everything when it is another.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Returns stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }
}

/// Runs `ring … -o json`, expects success, and returns the answer.
pub(crate) fn answer(project: &ProjectFolder, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
    ring(project, &arguments).exits(0).json()
}

/// Returns the version of an image on a ring, as `ring state` says it.
pub(crate) fn version(project: &ProjectFolder, ring: &str, image: &str) -> Option<String> {
    let state = answer(project, &["state"]);
    let rings = state["rings"].as_array().expect("rings").clone();
    let found = rings.iter().find(|one| one["name"] == ring).expect("the ring is there").clone();
    found["images"][image]["version"].as_str().map(str::to_owned)
}
