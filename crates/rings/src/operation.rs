//! The operations of which there are plans and whose entries change cells.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operation, as plans and entries name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Builds, adopts and removes images on a ring.
    Release,
    /// Gives the next ring the set of a ring.
    Promote,
    /// Moves the whole chain one place on.
    Shift,
    /// Gives the ring before the set of a ring; without a ring, takes a promote or shift back.
    Unshift,
    /// Takes an entry back.
    Undo,
    /// Takes an undo back.
    Redo,
    /// Takes everything off a ring.
    Empty,
    /// Puts a configuration in force.
    Configure,
    /// Takes over releases of another system.
    Import,
}

impl Operation {
    /// Every operation, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Release,
        Self::Promote,
        Self::Shift,
        Self::Unshift,
        Self::Undo,
        Self::Redo,
        Self::Empty,
        Self::Configure,
        Self::Import,
    ];

    /// Returns the word that plans and entries use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Promote => "promote",
            Self::Shift => "shift",
            Self::Unshift => "unshift",
            Self::Undo => "undo",
            Self::Redo => "redo",
            Self::Empty => "empty",
            Self::Configure => "configure",
            Self::Import => "import",
        }
    }
}

/// A word that names no operation of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no operation that changes rings")]
pub struct OperationError(String);

impl FromStr for Operation {
    type Err = OperationError;

    fn from_str(text: &str) -> Result<Self, OperationError> {
        let known = Self::ALL.into_iter().find(|operation| operation.as_str() == text);
        known.ok_or_else(|| OperationError(text.chars().take(100).collect()))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_they_are_printed() {
        for operation in Operation::ALL {
            assert_eq!(operation.to_string().parse(), Ok(operation));
            assert_eq!(serde_json::to_value(operation).unwrap(), operation.as_str());
        }
        assert!("place".parse::<Operation>().is_err());
    }
}
