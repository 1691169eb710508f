//! What a person asks for.

use ringsite_names::{ImageName, Position, SiteName, Timestamp};
pub use ringsite_sites::Format;
use serde::{Deserialize, Serialize};

/// An operation that writes the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "operation")]
pub enum Operation {
    /// Decide, build, push, record.
    Release {
        /// The ring to build on; the first configured ring otherwise.
        ring: Option<Position>,
        /// Only these images and what they need; all when empty.
        images: Vec<ImageName>,
        /// Images that get a new major version.
        majors: Vec<ImageName>,
        /// Whether to build what did not change.
        force: bool,
    },
    /// Move the set of a ring one ring on.
    Promote {
        /// Where the set comes from.
        ring: Position,
        /// Only these images; all when empty.
        images: Vec<ImageName>,
        /// Whether the target may hold higher versions.
        allow_downgrade: bool,
    },
    /// Move one ring, or the whole chain, one ring on.
    Shift {
        /// Where the set comes from; the whole chain otherwise.
        ring: Option<Position>,
        /// Whether a target may hold higher versions.
        allow_downgrade: bool,
    },
    /// Move a ring's set back, or take back the newest promote or shift.
    Unshift {
        /// Where the set comes from; the newest move is taken back otherwise.
        ring: Option<Position>,
    },
    /// Take back an entry.
    Undo {
        /// The entry; the newest one in effect otherwise.
        entry: Option<u64>,
    },
    /// Take back the newest undo.
    Redo,
    /// Take every release off a ring.
    Empty {
        /// The ring.
        ring: Position,
    },
    /// Put the configuration of the project file in force.
    Configure,
}

impl Operation {
    /// Returns whether the operation looks at the working copy.
    pub fn needs_project(&self) -> bool {
        matches!(self, Self::Release { .. } | Self::Configure)
    }
}

/// What holds for every operation of one intent.
#[derive(Clone, Debug)]
pub struct Intent {
    /// Who asks, for the record.
    pub actor: String,
    /// Why, for the record.
    pub reason: Option<String>,
    /// The id of the intent; one is made when there is none.
    pub operation_id: Option<String>,
    /// Whether the sites of the rings that change are placed.
    pub place: Placing,
    /// Whether a site may lose most of its objects.
    pub shrink: Shrink,
}

/// Whether sites are placed after a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placing {
    /// The sites of every ring that changes.
    Sites,
    /// None; `ring place` does it later.
    Nothing,
}

/// Whether a site may lose most of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shrink {
    /// No: the move is refused.
    Guarded,
    /// Yes.
    Allowed,
}

/// How sources and external images are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Whether the stat cache may decide that a file is unchanged.
    pub cache: StatCacheUse,
    /// Whether `rings.lock` may be written.
    pub lock: LockFileUse,
    /// Whether the network may be used.
    pub network: Network,
}

/// Whether the stat cache may decide that a file is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatCacheUse {
    /// Yes.
    Trust,
    /// No: every byte is read and hashed.
    Ignore,
}

/// Whether `rings.lock` may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockFileUse {
    /// Yes: what is not pinned yet is pinned on first use.
    Write,
    /// No: a missing pin is an error.
    ReadOnly,
}

/// Whether the network may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// HTTPS only.
    Https,
    /// Plain HTTP too.
    PlainHttp,
    /// No.
    Offline,
}

/// Which sites to place.
#[derive(Clone, Debug, Default)]
pub struct PlaceRequest {
    /// These sites; all of the configuration in force when empty.
    pub sites: Vec<SiteName>,
    /// Only the sites of this ring.
    pub ring: Option<Position>,
    /// Also write each site's files below this folder.
    pub output: Option<std::path::PathBuf>,
    /// Also publish each site in these formats, under tags of their own.
    pub formats: Vec<Format>,
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct LogRequest {
    /// Only entries that write this ring.
    pub ring: Option<Position>,
    /// Only entries that write this image.
    pub image: Option<ImageName>,
    /// Only entries at or after this time.
    pub since: Option<Timestamp>,
    /// Only entries by this actor.
    pub actor: Option<String>,
    /// At most this many; all otherwise.
    pub limit: Option<usize>,
}

/// A point in the history of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After the entry with this number.
    Entry(u64),
    /// After the last entry at or before this time.
    Time(Timestamp),
}

impl std::str::FromStr for Point {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(sequence) = text.parse() {
            return Ok(Self::Entry(sequence));
        }
        text.parse().map(Self::Time).map_err(|_| {
            format!("`{text}` is neither the number of an entry nor a time such as `2026-11-21T06:00:00Z`")
        })
    }
}
