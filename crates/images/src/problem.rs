//! What is wrong with the files of a project: each mistake with its place and its remedy.
//!
//! Reading never stops at the first mistake. Readers collect `Problem`s and hand them over together
//! as `Problems`, so that a person repairs a file once and not once per mistake.

use std::fmt;
use std::path::{Path, PathBuf};

/// One mistake in one file of the project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as it should be shown.
    pub file: PathBuf,
    /// The line, counted from 1, when the mistake has one.
    pub line: Option<u32>,
    /// The column in characters, counted from 1, when the mistake has one.
    pub column: Option<u32>,
    /// What is wrong, lower case, without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Problem {
    /// Returns a problem with a whole file.
    pub fn in_file(file: &Path, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            file: file.to_path_buf(),
            line: None,
            column: None,
            message: message.into(),
            help: help.into(),
        }
    }

    /// Returns the same problem at `line`, counted from 1.
    #[must_use]
    pub fn at_line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Returns the same problem at `column`, counted from 1.
    #[must_use]
    pub fn at_column(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(formatter, ":{line}")?;
            if let Some(column) = self.column {
                write!(formatter, ":{column}")?;
            }
        }
        write!(formatter, ": {}", self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(formatter, "\n  help: {}", self.help) }
    }
}

/// Every mistake that was found: at least one, sorted by file, line and column, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Returns `Ok` when nothing was found, and all that was found as an error otherwise.
    ///
    /// # Errors
    /// `Problems` with everything in `found`, sorted, when `found` is not empty.
    pub fn check(mut found: Vec<Problem>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        found.sort();
        found.dedup();
        Err(Self(found))
    }

    /// Returns the problems in their order.
    pub fn as_slice(&self) -> &[Problem] {
        &self.0
    }

    /// Returns the problems one by one in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Returns the problems as a list, to collect them with others.
    pub fn into_vec(self) -> Vec<Problem> {
        self.0
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("\n")?;
            }
            fmt::Display::fmt(problem, formatter)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_sorted_by_file_and_line_and_none_is_said_twice() {
        let at = |file: &str, line| Problem::in_file(Path::new(file), "is wrong", "repair it").at_line(line);
        let found = vec![at("b", 1), at("a", 10), at("a", 2), at("a", 10)];
        let problems = Problems::check(found).expect_err("something was found");
        let places: Vec<_> = problems.as_slice().iter().map(|one| (one.file.clone(), one.line)).collect();
        assert_eq!(places, [("a".into(), Some(2)), ("a".into(), Some(10)), ("b".into(), Some(1))]);
    }

    #[test]
    fn nothing_found_is_no_error() {
        assert_eq!(Problems::check(Vec::new()), Ok(()));
    }

    #[test]
    fn all_problems_are_printed_with_place_and_remedy() {
        let whole = Problem::in_file(Path::new("Containerfile"), "is empty", "write FROM");
        let placed = Problem::in_file(Path::new("rings.toml"), "no root", "add root").at_line(3).at_column(1);
        let problems = Problems::check(vec![placed, whole]).expect_err("something was found");
        assert_eq!(
            problems.to_string(),
            "Containerfile: is empty\n  help: write FROM\nrings.toml:3:1: no root\n  help: add root"
        );
    }
}
