//! Collects the problems of one TOML file and turns byte positions into lines and columns.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use crate::limits::SYNTAX_PROBLEMS_MAX;
use crate::problem::{Problem, Problems};

/// The problems found so far in one file.
pub(crate) struct Findings<'t> {
    file: PathBuf,
    text: &'t str,
    line_starts: Vec<usize>,
    broken_lines: BTreeSet<u32>,
    found: Vec<Problem>,
}

impl<'t> Findings<'t> {
    /// Returns no findings in `file`, whose content is `text`.
    pub(crate) fn new(file: &Path, text: &'t str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self {
            file: file.to_path_buf(),
            text,
            line_starts: std::iter::once(0).chain(breaks).collect(),
            broken_lines: BTreeSet::new(),
            found: Vec::new(),
        }
    }

    /// Parses the text; what is no TOML is kept as a problem, and the rest is still returned.
    pub(crate) fn parse(&mut self) -> DeTable<'t> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in errors.iter().take(SYNTAX_PROBLEMS_MAX) {
            let at = error.span().map_or(0, |span| span.start);
            let problem = self.problem(at, error.message(), syntax_help(error.message()));
            self.broken_lines.extend(problem.line);
            self.found.push(problem);
        }
        self.break_tables();
        table.into_inner()
    }

    /// Takes the lines below a broken table header as broken too: nobody knows which table they are in.
    fn break_tables(&mut self) {
        let mut is_broken = false;
        for (line, text) in (1..).zip(self.text.lines()) {
            if text.trim_start().starts_with('[') {
                is_broken = self.broken_lines.contains(&line);
            }
            if is_broken {
                self.broken_lines.insert(line);
            }
        }
    }

    /// Keeps a problem at the byte `at`, unless its line could not even be parsed.
    pub(crate) fn add(&mut self, at: usize, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.problem(at, &message.into(), help);
        if problem.line.is_none_or(|line| !self.broken_lines.contains(&line)) {
            self.found.push(problem);
        }
    }

    /// Keeps a problem that may only follow from a line that could not be parsed: something that is
    /// missing, or a name that is declared elsewhere. Says nothing in a file with broken lines.
    pub(crate) fn add_unless_broken(
        &mut self,
        at: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if self.broken_lines.is_empty() {
            self.add(at, message, help);
        }
    }

    /// Keeps a problem that was found elsewhere.
    pub(crate) fn add_problem(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Returns the line of the byte `at`, counted from 1.
    pub(crate) fn line(&self, at: usize) -> u32 {
        self.place(at).0
    }

    /// Ends the collection.
    ///
    /// # Errors
    /// `Problems` when there are any.
    pub(crate) fn finish(self) -> Result<(), Problems> {
        Problems::check(self.found)
    }

    fn place(&self, at: usize) -> (u32, u32) {
        let index = self.line_starts.partition_point(|start| *start <= at) - 1;
        let start = self.line_starts[index];
        let column = self.text.get(start..at).map_or(0, |before| before.chars().count());
        let number = |index: usize| u32::try_from(index + 1).unwrap_or(u32::MAX);
        (number(index), number(column))
    }

    fn problem(&self, at: usize, message: &str, help: impl Into<String>) -> Problem {
        let (line, column) = self.place(at);
        Problem::in_file(&self.file, message, help).at_line(line).at_column(column)
    }
}

fn syntax_help(message: &str) -> &'static str {
    if message.contains("duplicate key") {
        "keep one of the two: TOML allows each key once"
    } else {
        "this is no TOML: strings stand in quotes, lists in [ ], one `key = value` per line"
    }
}

/// A string of the file with its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'v> {
    pub(crate) text: &'v str,
    pub(crate) at: usize,
}

/// Returns the string under `key`; nothing when it is absent or of another type (`shape` says so).
pub(crate) fn text<'v>(table: &'v DeTable<'_>, key: &str) -> Option<Text<'v>> {
    let value = table.get(key)?;
    value.get_ref().as_str().map(|text| Text { text, at: value.span().start })
}

/// Returns the strings of the list under `key`, with its own place; nothing when it is absent.
pub(crate) fn texts<'v>(table: &'v DeTable<'_>, key: &str) -> Option<(Vec<Text<'v>>, usize)> {
    let value = table.get(key)?;
    let list = value.get_ref().as_array()?;
    let texts = list
        .iter()
        .filter_map(|item| item.get_ref().as_str().map(|text| Text { text, at: item.span().start }))
        .collect();
    Some((texts, value.span().start))
}

/// Returns the whole number under `key`; one that is too large for 64 bits is `None` inside.
pub(crate) fn integer(table: &DeTable<'_>, key: &str) -> Option<(Option<i64>, usize)> {
    let value = table.get(key)?;
    let integer = value.get_ref().as_integer()?;
    Some((i64::from_str_radix(integer.as_str(), integer.radix()).ok(), value.span().start))
}

/// Returns the table under `key` with the place of the key.
pub(crate) fn table<'v, 'i>(table: &'v DeTable<'i>, key: &str) -> Option<(&'v DeTable<'i>, usize)> {
    let (key, value) = table.get_key_value(key)?;
    value.get_ref().as_table().map(|inner| (inner, key.span().start))
}

/// Returns the tables of the list under `key`, each with its place.
pub(crate) fn tables<'v, 'i>(table: &'v DeTable<'i>, key: &str) -> Vec<(&'v DeTable<'i>, usize)> {
    let list = table.get(key).and_then(|value| value.get_ref().as_array());
    list.into_iter()
        .flat_map(|list| list.iter())
        .filter_map(|item| item.get_ref().as_table().map(|inner| (inner, item.span().start)))
        .collect()
}

/// Returns the place of the key, or `otherwise` when it is absent.
pub(crate) fn place_of(table: &DeTable<'_>, key: &str, otherwise: usize) -> usize {
    table.get_key_value(key).map_or(otherwise, |(key, _)| key.span().start)
}

/// Returns the entries of the table under `key` that are strings: name, place of the name, value.
pub(crate) fn text_map<'v>(table: &'v DeTable<'_>, key: &str) -> Vec<(&'v str, usize, Text<'v>)> {
    let inner = table.get(key).and_then(|value| value.get_ref().as_table());
    inner
        .into_iter()
        .flat_map(|inner| inner.iter())
        .filter_map(|(name, value)| match value.get_ref() {
            DeValue::String(text) => {
                Some((name.get_ref().as_ref(), name.span().start, Text { text, at: value.span().start }))
            }
            _ => None,
        })
        .collect()
}
