//! The bounds of the ledger, each with its reason.

use std::time::Duration;

/// Entries in an open segment after which the next commit closes it.
///
/// A reader folds at most this many entries, and the operation ids of the open and the last closed
/// segment are searched, so this is also how far back an operation id is good at the least.
pub const SEGMENT_ENTRIES_MAX: usize = 1024;

/// Bytes of entries (not compressed, so that every writer decides alike) after which the next commit
/// closes the segment. The open segment is rewritten by each commit: this bounds what that costs.
pub const SEGMENT_BYTES_MAX: usize = 256 * 1024;

/// Bytes of one entry. A release of 10,000 images takes about 6 MB; a segment may hold one of these.
pub const ENTRY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Bytes of a stored object, as stored and when decompressed. Above the largest that this crate
/// writes, and small enough that a hostile registry cannot fill the memory.
pub const OBJECT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes below which an object is stored as it is: zstd gains nothing that a disk block would show.
pub const PLAIN_BYTES_MAX: usize = 1024;

/// The zstd level of objects that the next commit replaces: fast, because every commit pays for it.
pub const OPEN_COMPRESSION_LEVEL: i32 = 1;

/// The zstd level of objects that stay.
pub const KEPT_COMPRESSION_LEVEL: i32 = 9;

/// Shards of the release table. One look-up reads one of them, a plan for every image reads all:
/// more shards make the first cheaper and the second dearer.
pub const TABLE_SHARDS: u8 = 32;

/// Shards that are read at the same time.
pub const SHARD_READS_MAX: usize = 8;

/// Replaced heads whose objects stay, for readers that have just read one of them.
pub const REPLACED_HEADS_KEPT: usize = 16;

/// Replaced heads that are removed together, so that the registry can sync their removal once.
pub const REPLACED_HEADS_AT_ONCE: usize = 16;

/// How often a reader begins again when a blob of the head that it read is gone, because the head
/// was replaced meanwhile.
pub const READ_ATTEMPTS_MAX: u32 = 5;

/// How often a writer asks a registry that does not answer what became of its commit.
pub const RESOLVE_ATTEMPTS_MAX: u32 = 4;

/// The pause before the second of those questions; each further one waits twice as long.
pub const RESOLVE_PAUSE: Duration = Duration::from_millis(10);

/// Characters of an operation id. Long enough for the ids of CI systems.
pub const OPERATION_ID_CHARACTERS_MAX: usize = 128;

/// Characters of an actor.
pub const ACTOR_CHARACTERS_MAX: usize = 256;

/// Characters of a reason.
pub const REASON_CHARACTERS_MAX: usize = 4096;

/// Hex digits that an abbreviated entry digest needs at the least; fewer are too often ambiguous.
pub const PREFIX_DIGITS_MIN: usize = 6;

/// Problems that a verification lists before it stops listing; one damaged object can cause thousands.
pub const PROBLEMS_MAX: usize = 1000;

/// Artifacts that a verification asks for at the same time.
pub const ARTIFACT_QUESTIONS_MAX: usize = 16;

/// Seconds by which the clocks of two machines that write to one ledger may differ; a search that
/// ends at a time goes on for so long before it, so that it misses nothing.
pub const CLOCK_DIFFERENCE_MAX: i64 = 24 * 60 * 60;
