//! The one error of the tasks: what went wrong, where, and what the world said.

use std::path::Path;

/// What every fallible function of the tasks answers.
pub(crate) type Result<T> = std::result::Result<T, TaskError>;

/// Why a task cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// A file, a folder or a program did not do what it should.
    #[error("{what}")]
    Io { what: String, source: std::io::Error },
    /// Something that should be JSON is not, or has another shape.
    #[error("{what}")]
    Json { what: String, source: serde_json::Error },
    /// Everything else, in words.
    #[error("{0}")]
    Failed(String),
}

impl TaskError {
    /// Returns an error in words.
    pub(crate) fn new(words: impl Into<String>) -> Self {
        Self::Failed(words.into())
    }

    /// Returns what to do with an I/O error at a path.
    pub(crate) fn at(verb: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("{verb} {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// Returns what to do with a program that does not start.
    pub(crate) fn start(program: &str) -> impl FnOnce(std::io::Error) -> Self {
        let what = format!("start {program}");
        move |source| Self::Io { what, source }
    }

    /// Returns what to do with text that is not the JSON that it should be.
    pub(crate) fn json(what: impl Into<String>) -> impl FnOnce(serde_json::Error) -> Self {
        let what = what.into();
        move |source| Self::Json { what, source }
    }
}

/// Returns the error and its causes in one line.
pub(crate) fn chain(error: &TaskError) -> String {
    let mut line = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}
