//! `cargo xtask tidy`: the rules of the house that no compiler checks.
//!
//! Each rule is a function from files or from `cargo metadata` to findings; this module collects
//! and prints them. Nothing is changed. What the compiler, clippy or rustfmt can say is left to them.

mod floors;
mod forbidden;
mod licences;
mod links;
mod mask;
mod sizes;
mod words;

pub(crate) use licences::host_triple;

use std::fmt;

use crate::error::Result;
use crate::workspace::{SourceFile, Workspace};

/// A rule that is broken at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The file, relative to the root.
    pub(crate) path: String,
    /// The line, counted from 1; 0 for the file as a whole.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

impl Finding {
    /// Returns a finding at a line of a file.
    pub(crate) fn at(file: &SourceFile, line: usize, message: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, message: message.into() }
    }

    /// Returns a finding about a whole file or folder.
    pub(crate) fn about(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: 0, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            write!(formatter, "{}: {}", self.path, self.message)
        } else {
            write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
        }
    }
}

/// Checks every rule and prints what is broken.
///
/// # Errors
/// The files cannot be read, or `cargo metadata` does not answer.
pub(crate) fn run(workspace: &Workspace) -> Result<bool> {
    let findings = check(workspace)?;
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} broken", findings.len());
    Ok(findings.is_empty())
}

/// Returns everything that breaks a rule, by rule and place.
fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let files = workspace.files()?;
    let packages = floors::packages(workspace)?;
    let mut findings = floors::check(workspace.root(), &packages);
    findings.extend(floors::check_manifests(&files));
    findings.extend(licences::check(workspace, &files)?);
    for file in files.iter().filter(|file| file.is_rust()) {
        let source = mask::Source::of(&file.text);
        findings.extend(sizes::check(file, &source));
        findings.extend(forbidden::check(file, &source));
    }
    for file in &files {
        findings.extend(words::check(file));
    }
    findings.extend(links::check(&files));
    Ok(findings)
}
