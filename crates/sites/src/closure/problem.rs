//! Why an environment cannot be released: rule, place and remedy of each problem.

use std::collections::BTreeSet;
use std::fmt;

use crate::names::ENVIRONMENTS;
use crate::yaml::YamlError;

/// The rule that a reference breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Names something on the network.
    Remote,
    /// Names something outside `/environments`.
    Outside,
    /// Goes through, or is, a symbolic link.
    Link,
    /// Names something that is not there.
    Missing,
    /// Names a folder where a file belongs, or the other way round.
    Kind,
    /// Is not YAML, or not of the shape that kustomize reads.
    Unreadable,
    /// Comes back to a folder that it started from.
    Cycle,
}

/// One reason why an environment cannot be released.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClosureProblem {
    /// The file that has to be changed, relative to the top of the tree.
    pub file: String,
    /// The field in that file, for example `resources[0]`; empty when the whole file is meant.
    pub field: String,
    /// The rule that is broken.
    pub rule: Rule,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl fmt::Display for ClosureProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if !self.field.is_empty() {
            write!(formatter, ": {}", self.field)?;
        }
        write!(formatter, ": {}", self.message)
    }
}

/// Every reason at once why an environment cannot be released; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosureProblems(Vec<ClosureProblem>);

impl ClosureProblems {
    pub(super) fn new(problems: Vec<ClosureProblem>) -> Self {
        assert!(!problems.is_empty(), "problems are reported only when there is one");
        Self(problems)
    }

    pub(super) fn one(problem: ClosureProblem) -> Self {
        Self(vec![problem])
    }

    /// Returns the problems, sorted by file and field.
    pub fn as_slice(&self) -> &[ClosureProblem] {
        &self.0
    }

    /// Returns the problems, sorted by file and field.
    pub fn into_vec(self) -> Vec<ClosureProblem> {
        self.0
    }
}

impl fmt::Display for ClosureProblems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            problem.fmt(formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for ClosureProblems {}

const BELOW: &str = "copy it below `environments/` and refer to the copy, so that the root image freezes it";

impl ClosureProblem {
    fn new(rule: Rule, file: &str, field: &str, message: String, help: &str) -> Self {
        Self { file: file.to_owned(), field: field.to_owned(), rule, message, help: help.to_owned() }
    }

    pub(super) fn no_environment(folder: &str, known: &BTreeSet<&str>) -> Self {
        let help = match known.is_empty() {
            true => format!("make the folder `{folder}` with a `kustomization.yaml`"),
            false => {
                let known: Vec<&str> = known.iter().copied().collect();
                format!("make the folder, or name one of: {}", known.join(", "))
            }
        };
        Self::new(Rule::Missing, folder, "", "there is no such environment".to_owned(), &help)
    }

    pub(super) fn no_kustomization(file: &str, field: &str, folder: &str) -> Self {
        let message = format!("`{}` has no `kustomization.yaml`", shown(folder));
        Self::new(Rule::Missing, file, field, message, "add one that lists the resources of the folder")
    }

    pub(super) fn several_kustomizations(folder: &str, found: &[String]) -> Self {
        let message = format!("has several kustomizations: {}", found.join(", "));
        Self::new(Rule::Unreadable, &shown(folder), "", message, "keep one of them")
    }

    pub(super) fn malformed(file: &str, field: &str, expected: &str) -> Self {
        let message = format!("expected {expected}");
        Self::new(Rule::Unreadable, file, field, message, "see the reference of kustomize for the field")
    }

    pub(super) fn unreadable(file: &str, field: &str, path: &str, error: &YamlError) -> Self {
        let message = if file == path {
            format!("cannot be read: {error}")
        } else {
            format!("`{path}` cannot be read: {error}")
        };
        Self::new(Rule::Unreadable, file, field, message, "repair the YAML of the file")
    }

    pub(super) fn remote(file: &str, field: &str, text: &str) -> Self {
        let message = format!("`{}` is on the network, so what a site gets would not be frozen", cut(text));
        Self::new(Rule::Remote, file, field, message, BELOW)
    }

    pub(super) fn leaves(file: &str, field: &str, text: &str) -> Self {
        let message = format!("`{}` leaves `/{ENVIRONMENTS}`", cut(text));
        Self::new(Rule::Outside, file, field, message, BELOW)
    }

    pub(super) fn link(file: &str, field: &str, link: &str) -> Self {
        let message = format!("`{link}` is a symbolic link, which agents skip");
        Self::new(Rule::Link, file, field, message, "put the file itself in the place of the link")
    }

    pub(super) fn missing(file: &str, field: &str, path: &str) -> Self {
        let message = format!("`{}` does not exist", shown(path));
        Self::new(
            Rule::Missing,
            file,
            field,
            message,
            "add the file, or take the reference away; an ignore file may leave it out",
        )
    }

    pub(super) fn chart_not_vendored(file: &str, field: &str, repository: &str, path: &str) -> Self {
        let message = format!("the chart is on the network (`{}`) and not at `{path}`", cut(repository));
        let help = format!("vendor it: helm pull --untar into `{path}`");
        Self::new(Rule::Remote, file, field, message, &help)
    }

    pub(super) fn not_a_folder(file: &str, field: &str, path: &str) -> Self {
        let message = format!("`{path}` is a file, and the field names a folder");
        Self::new(Rule::Kind, file, field, message, "name the folder that holds the component or the chart")
    }

    pub(super) fn not_a_file(file: &str, field: &str, path: &str) -> Self {
        let message = format!("`{path}` is a folder, and the field names a file");
        Self::new(Rule::Kind, file, field, message, "name the files one by one")
    }

    pub(super) fn cycle(file: &str, field: &str, path: &str) -> Self {
        let message = format!("`{}` is, or holds, a folder that refers to this one", shown(path));
        Self::new(Rule::Cycle, file, field, message, "move what both need into a base of its own")
    }
}

fn shown(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

fn cut(text: &str) -> String {
    text.chars().take(200).collect()
}
