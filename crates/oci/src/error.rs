//! What can go wrong between us and stored artifacts.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use ringsite_names::{Digest, RepositoryName, Tag};

use crate::registry::TagOrDigest;

/// An operation on a registry, a layout or a manifest that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The repository has no such manifest.
    #[error("{repository} has no manifest {reference}")]
    ManifestUnknown {
        /// The repository that was asked.
        repository: RepositoryName,
        /// The tag or digest that was asked for.
        reference: TagOrDigest,
    },
    /// The repository has no such blob.
    #[error("{repository} has no blob {digest}")]
    BlobUnknown {
        /// The repository that was asked.
        repository: RepositoryName,
        /// The digest that was asked for.
        digest: Digest,
    },
    /// The tag was not what the condition asked for; nothing was written.
    #[error("{repository}:{tag} {}", found_text(found.as_ref()))]
    ConditionFailed {
        /// The repository of the tag.
        repository: RepositoryName,
        /// The tag that was to be written.
        tag: Tag,
        /// What the tag names now, where the registry tells.
        found: Option<Digest>,
    },
    /// Something that was given to us, or read from another system, does not follow its specification.
    #[error("{what} is not valid: {reason}")]
    Invalid {
        /// What it is, with its name or digest.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something is larger than its limit.
    #[error("{what} is larger than the limit of {bytes_max} bytes")]
    TooLarge {
        /// What it is, with its name or digest.
        what: String,
        /// The limit in bytes.
        bytes_max: u64,
    },
    /// Content that was given to us to store is not the content that was announced.
    #[error("content announced as {expected} has digest {found}")]
    DigestMismatch {
        /// The digest that was announced.
        expected: Box<Digest>,
        /// The digest of what came.
        found: Box<Digest>,
    },
    /// Stored content or a file of the layout is not what was once written.
    #[error("{place} is damaged: {reason}")]
    Damaged {
        /// The file, or the artifact with its repository.
        place: String,
        /// What is wrong, and what can be done about it.
        reason: String,
    },
    /// This machine's disk or its permissions stand in the way.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was being done, for example `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The registry did not answer; whether the request had an effect is not known.
    #[error("{what}: no answer: {source}")]
    Unanswered {
        /// The request.
        what: String,
        /// Why there is no answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The registry cannot do what was asked.
    #[error("{registry} does not support {what}")]
    Unsupported {
        /// The registry, in words or with its address.
        registry: String,
        /// The operation.
        what: &'static str,
    },
}

fn found_text(found: Option<&Digest>) -> String {
    match found {
        Some(digest) => format!("names {digest} now, not what was seen before"),
        None => "does not name what was seen before".to_owned(),
    }
}

impl OciError {
    /// Returns the error for a disk operation that failed.
    pub(crate) fn disk(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_owned(), source }
    }

    /// Returns the error for a file of a layout that is not what it should be.
    pub(crate) fn damaged_file(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { place: path.display().to_string(), reason: reason.into() }
    }

    /// Returns whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::ManifestUnknown { .. } | Self::BlobUnknown { .. })
    }

    /// Returns whether asking again may succeed without anything else being changed first.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
    }

    /// Returns whether a write may have had its effect although it failed.
    ///
    /// A disk error counts: a record that was written, and could not be synced or cut off again, is there.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unanswered { .. } | Self::Disk { .. })
    }

    /// Returns what a person can do next, where there is something to say.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Damaged { .. } => Some(
                "restore the layout from a copy, or push the named content again: a push replaces damaged content",
            ),
            Self::Disk { source, .. } => Some(match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    "free some space and run the same command again: nothing that was recorded is lost"
                }
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "give this user the right to write there, or choose another folder"
                }
                _ => "run the same command again when the disk works: nothing that was recorded is lost",
            }),
            Self::Unanswered { .. } => {
                Some("run the same command again: what was done already is found and kept")
            }
            Self::ConditionFailed { .. } => Some("somebody else was faster: look again and decide anew"),
            _ => None,
        }
    }
}
