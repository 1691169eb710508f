//! Exit codes: the contract of CI jobs.

/// How the program ends; `docs/architecture.md` says when each is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or no difference.
    Done,
    /// A difference, only when asked for with `--exit-code`.
    Difference,
    /// Wrong usage or configuration.
    Usage,
    /// Refused by a rule.
    Refused,
    /// Lost a race after retries.
    Race,
    /// A verification that failed.
    Unproven,
    /// Damaged history, or a rollback.
    Damaged,
    /// Registry or network.
    Registry,
    /// The build failed, or there is no builder.
    Build,
    /// This machine: disk, permissions.
    Machine,
    /// A bug in this program.
    Bug,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// Returns the number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Difference => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Race => 4,
            Self::Unproven => 5,
            Self::Damaged => 6,
            Self::Registry => 7,
            Self::Build => 8,
            Self::Machine => 9,
            Self::Bug => 70,
            Self::Interrupted => 130,
        }
    }
}
