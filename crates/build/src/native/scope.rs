//! What variables are worth at a line: `ENV` of the image so far, then `ARG`.

use std::collections::BTreeMap;

use ringsite_images::{ExpandError, expand, expand_heredoc};

/// The variables of one stage.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    escape: char,
    arguments: BTreeMap<String, String>,
}

impl Scope {
    /// Returns a scope without arguments.
    pub(crate) fn new(escape: char) -> Self {
        Self { escape, arguments: BTreeMap::new() }
    }

    /// Declares an argument; without a value it is unset.
    pub(crate) fn declare(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.arguments.insert(name.to_owned(), value),
            None => self.arguments.remove(name),
        };
    }

    fn lookup(&self, env: &[String], name: &str) -> Option<String> {
        let from_env = env.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        from_env.map(str::to_owned).or_else(|| self.arguments.get(name).cloned())
    }

    /// Expands a word.
    pub(crate) fn expand(&self, env: &[String], word: &str) -> Result<String, ExpandError> {
        expand(word, |name| self.lookup(env, name), self.escape)
    }

    /// Expands the text of a heredoc.
    pub(crate) fn expand_heredoc(&self, env: &[String], text: &str) -> Result<String, ExpandError> {
        expand_heredoc(text, |name| self.lookup(env, name))
    }
}

/// Sets a variable in an environment, at its old place when it has one.
pub(crate) fn set_env(env: &mut Vec<String>, name: &str, value: &str) {
    let line = format!("{name}={value}");
    let is_same = |known: &&mut String| known.split('=').next() == Some(name);
    match env.iter_mut().find(is_same) {
        Some(known) => *known = line,
        None => env.push(line),
    }
}
