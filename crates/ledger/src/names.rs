//! Every string of the ledger that another program sees: who writes it, who reads it.
//!
//! All of them live in the repository `<project>/ledger` and are written by this crate. They are
//! read by this crate, by `gc` (which keeps what the tags reach) and by people with any OCI tool.

/// The last part of the ledger's repository, after the project.
pub const REPOSITORY: &str = "ledger";

/// The tag that names the newest head; moving it is the commit.
pub const HEAD_TAG: &str = "head";

/// The first part of a closed segment's tag, `segment-<number>-<12 hex>`.
pub const SEGMENT_TAG_PREFIX: &str = "segment-";

/// The first part of a release table's tag, `releases-<number>-<12 hex>`.
pub const TABLE_TAG_PREFIX: &str = "releases-";

/// How many hex digits of the digest stand in a tag.
pub const TAG_HEX_DIGITS: usize = 12;

/// The artifact type of a head.
pub const HEAD_TYPE: &str = "application/vnd.ringsite.ledger.head.v1+json";

/// The artifact type of a closed segment.
pub const SEGMENT_TYPE: &str = "application/vnd.ringsite.ledger.segment.v1+json";

/// The artifact type of a release table.
pub const TABLE_TYPE: &str = "application/vnd.ringsite.ledger.releases.v1+json";

/// The media type of a checkpoint as it is.
pub const CHECKPOINT_PLAIN: &str = "application/vnd.ringsite.ledger.checkpoint.v1+json";

/// The media type of a checkpoint compressed with zstd.
pub const CHECKPOINT_ZSTD: &str = "application/vnd.ringsite.ledger.checkpoint.v1+json+zstd";

/// The media type of entries, one on each line.
pub const ENTRIES_PLAIN: &str = "application/vnd.ringsite.ledger.entries.v1+jsonl";

/// The media type of entries, one on each line, compressed with zstd.
pub const ENTRIES_ZSTD: &str = "application/vnd.ringsite.ledger.entries.v1+jsonl+zstd";

/// The media type of a shard of the release table, one release on each line.
pub const SHARD_PLAIN: &str = "application/vnd.ringsite.ledger.releases.v1+jsonl";

/// The media type of a shard of the release table compressed with zstd.
pub const SHARD_ZSTD: &str = "application/vnd.ringsite.ledger.releases.v1+jsonl+zstd";

/// Annotation of a head and of a segment: the sequence of the last entry in it.
pub const SEQUENCE: &str = "dev.ringsite.ledger.sequence";

/// Annotation of a head and of a segment: the digest of the last entry in it.
pub const ENTRY: &str = "dev.ringsite.ledger.entry";

/// Annotation of a head: the state digest after its last entry.
pub const STATE: &str = "dev.ringsite.ledger.state";

/// Annotation of a head: the commit protocol that moves it.
pub const PROTOCOL: &str = "dev.ringsite.ledger.protocol";

/// The commit protocol of registries that honour conditions on writes, among them the layout on disk.
pub const PROTOCOL_A: &str = "A";

/// Annotation of a head: the heads before it and their open segments, newest first, so that whoever
/// replaces it can remove what nobody reads any more. Read by the committer only.
pub const REPLACED: &str = "dev.ringsite.ledger.replaced";

/// Annotation of a segment and of a release table: its number, from 1.
pub const NUMBER: &str = "dev.ringsite.ledger.number";

/// Annotation of a segment and of a release table: the digest of the manifest before it; absent for
/// the first.
pub const PREVIOUS: &str = "dev.ringsite.ledger.previous";

/// Annotation of a segment: the time of its first entry.
pub const SINCE: &str = "dev.ringsite.ledger.since";

/// Annotation of a layer of the release table: the number of the shard.
pub const SHARD: &str = "dev.ringsite.ledger.shard";

/// The name of the file, in the client's own cache, that keeps the newest head which it has seen.
pub const SEEN_FILE_PREFIX: &str = "head-";

/// The part of a site artifact's repository between project and site. Written by the crate `sites`;
/// read here, to see whether what was placed is still there.
pub const SITES_REPOSITORY: &str = "sites";
