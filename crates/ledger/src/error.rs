//! What can go wrong with the ledger, and whose turn it is then.

use std::path::PathBuf;

use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::OciError;

use crate::operation::OperationId;
use crate::seen::{Place, SeenError};

/// An operation on the ledger that did not succeed.
///
/// Unless a variant says otherwise nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The repository holds no ledger.
    #[error("{repository} holds no ledger")]
    Missing {
        /// Where it would be.
        repository: RepositoryName,
    },
    /// The repository holds a ledger already.
    #[error("{repository} holds a ledger already, up to {head}")]
    Exists {
        /// Where it is.
        repository: RepositoryName,
        /// Its newest entry.
        head: Box<Place>,
    },
    /// What is stored is not what was once written.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// The object, with its digest, and the entry where one is known.
        place: String,
        /// What does not hold.
        reason: String,
    },
    /// The registry answers with a history that does not hold what this client has seen before.
    #[error("the ledger was rolled back: {seen} was seen before, and the registry now {}", ending(found.as_deref()))]
    Rollback {
        /// The newest entry that this client has seen.
        seen: Box<Place>,
        /// The newest entry of the registry; none when it holds no ledger at all.
        found: Option<Box<Place>>,
        /// The file that remembers what was seen.
        memory: PathBuf,
    },
    /// A newer program wrote something that this one cannot carry on.
    #[error("{what} was written by a newer version of this program: the ledger can be read, not changed")]
    Newer {
        /// The entry and what is not known about it.
        what: String,
    },
    /// Somebody else moved the head first. The ledger now stands on the new head.
    #[error("the ledger has moved on: {}", movers(by))]
    Moved {
        /// What was committed meanwhile, oldest first.
        by: Vec<Mover>,
    },
    /// The operation id stands in the chain with another request.
    #[error("operation id `{id}` was used by {entry} for another request")]
    OperationReused {
        /// The id.
        id: OperationId,
        /// The entry that has it.
        entry: Box<Place>,
    },
    /// The operation id is so old that its entry might be out of reach of the search.
    #[error(
        "operation id `{id}` was made before entry {first}, the oldest that is searched for it, so its outcome cannot be told"
    )]
    OperationTooOld {
        /// The id.
        id: OperationId,
        /// The number of the first entry that is searched.
        first: u64,
    },
    /// Whether the entry was recorded is not known, and the registry cannot be asked.
    #[error("it is not known whether operation `{id}` was recorded: {source}")]
    Unknown {
        /// The id by which the outcome can be found.
        id: OperationId,
        /// What the registry said last.
        source: Box<OciError>,
    },
    /// The registry has no way to move the head atomically.
    #[error(
        "the registry of {repository} ignores conditions on writes: two writers could lose each other's entries"
    )]
    Unconditional {
        /// The ledger.
        repository: RepositoryName,
    },
    /// The draft cannot follow the state that it says it was decided on.
    #[error("the entry cannot be recorded: {reason}")]
    Draft {
        /// What contradicts the state.
        reason: String,
    },
    /// No entry has this number, digest or prefix.
    #[error("there is no entry `{point}`: {reason}")]
    NoEntry {
        /// What was asked for.
        point: String,
        /// Why there is none, or that there are several.
        reason: String,
    },
    /// The head was replaced again and again while it was being read.
    #[error("the head of {repository} was replaced {attempts} times while it was being read")]
    Busy {
        /// The ledger.
        repository: RepositoryName,
        /// How often it was tried.
        attempts: u32,
    },
    /// The memory of the newest head does not work.
    #[error(transparent)]
    Seen(#[from] SeenError),
    /// The registry does not work.
    #[error(transparent)]
    Registry(#[from] OciError),
}

/// One entry that moved the head before ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mover {
    /// The entry.
    pub place: Place,
    /// Its kind, as a word.
    pub kind: String,
    /// Who.
    pub actor: String,
}

/// Whose turn it is after an error; `cli` makes an exit code of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be (exit 2).
    Usage,
    /// A rule says no (exit 3).
    Refused,
    /// Somebody else was faster (exit 4).
    LostRace,
    /// The history is damaged or was rolled back (exit 6).
    Damaged,
    /// The registry or the network (exit 7).
    Registry,
    /// This machine's disk or permissions (exit 9).
    Machine,
    /// This program (exit 70).
    Bug,
}

impl LedgerError {
    /// Returns whose turn it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::OperationReused { .. } | Self::OperationTooOld { .. } | Self::NoEntry { .. } => {
                Fault::Usage
            }
            Self::Missing { .. } | Self::Exists { .. } | Self::Newer { .. } => Fault::Refused,
            Self::Moved { .. } | Self::Busy { .. } => Fault::LostRace,
            Self::Damaged { .. } | Self::Rollback { .. } => Fault::Damaged,
            Self::Draft { .. } => Fault::Bug,
            Self::Unconditional { .. } => Fault::Registry,
            Self::Seen(_) => Fault::Machine,
            Self::Unknown { source, .. } => of_registry(source),
            Self::Registry(source) => of_registry(source),
        }
    }

    /// Returns what a person can do next, where there is something to say.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => "run `ring ledger init`".to_owned(),
            Self::Exists { .. } => "go on with `ring state`".to_owned(),
            Self::Damaged { .. } => {
                "nothing was written; see what else is damaged with `ring ledger verify`, and restore the \
                 registry from a copy"
                    .to_owned()
            }
            Self::Rollback { memory, .. } => format!(
                "if the registry was restored from a backup, or begun anew, on purpose: remove `{}`; otherwise \
                 find out who answers in the registry's name",
                memory.display()
            ),
            Self::Newer { .. } => "use the newer version".to_owned(),
            Self::Moved { .. } | Self::Busy { .. } => {
                "look at the new plan and run the command again".to_owned()
            }
            Self::OperationReused { .. } => "give each request an operation id of its own".to_owned(),
            Self::OperationTooOld { id, .. } => format!("look for `{id}` in `ring log`"),
            Self::Unknown { id, .. } => {
                format!(
                    "run the same command again with `--operation-id {id}`: what was recorded is found and kept"
                )
            }
            Self::NoEntry { .. } => "see `ring log`".to_owned(),
            Self::Unconditional { .. } => {
                "keep the ledger in a layout on disk, or in a registry that answers 412 to a wrong `If-Match`"
                    .to_owned()
            }
            Self::Seen(_) => "make the cache folder readable and writable".to_owned(),
            Self::Registry(source) => source.help()?.to_owned(),
            Self::Draft { .. } => return None,
        })
    }

    /// Returns the error for a stored object that is not what it should be.
    pub(crate) fn damaged(place: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged { place: place.into(), reason: reason.into() }
    }

    /// Returns the error for an object that `digest` names and that cannot be had.
    pub(crate) fn object(what: &str, digest: &Digest, source: OciError) -> Self {
        if source.is_not_found() || matches!(source, OciError::Damaged { .. } | OciError::Invalid { .. }) {
            Self::damaged(format!("{what} {digest}"), source.to_string())
        } else {
            Self::Registry(source)
        }
    }
}

fn of_registry(source: &OciError) -> Fault {
    match source {
        OciError::Disk { .. } => Fault::Machine,
        OciError::Damaged { .. } => Fault::Damaged,
        _ => Fault::Registry,
    }
}

fn ending(found: Option<&Place>) -> String {
    match found {
        Some(place) => format!("ends at {place}, which does not follow it"),
        None => "holds no ledger".to_owned(),
    }
}

fn movers(by: &[Mover]) -> String {
    let one = |mover: &Mover| format!("{} ({}) by {}", mover.place, mover.kind, mover.actor);
    match by {
        [] => "somebody else was faster".to_owned(),
        [first] => one(first),
        [.., last] => format!("{} entries, the last of them {}", by.len(), one(last)),
    }
}
