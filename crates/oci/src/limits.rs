//! Every bound of this crate, with its reason.

use std::time::Duration;

/// Bytes of a manifest. The distribution specification asks for at least 4 MiB; a larger one is
/// refused so that a manifest always fits into memory.
pub const MANIFEST_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of an `index.json`. A layout of 100,000 tags has about 30 MiB; this leaves room for ten times that.
pub const INDEX_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes of the tag log. It is rewritten at twice its live size, so this is far beyond any real layout.
pub const LOG_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Bytes of the note about the last projection. It has four short fields.
pub const PROJECTED_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of `oci-layout`. It has one field.
pub const OCI_LAYOUT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a piece of a streamed blob: large enough that a system call does not show, small enough
/// that a few of them in flight stay within the memory goal of 24 MiB.
pub const CHUNK_BYTES: usize = 256 * 1024;
/// Pieces in flight between the reader and the writer of one blob.
pub const CHUNKS_IN_FLIGHT: usize = 4;
/// Bytes of a blob that are kept in memory before a file is opened for it; most configurations,
/// manifests and layers of configuration are below it.
pub const BLOB_BYTES_IN_MEMORY: usize = 256 * 1024;
/// Bytes of a tag log below which it is never rewritten: rewriting a small file gains nothing.
pub const LOG_BYTES_KEPT: u64 = 256 * 1024;
/// Bytes of changes in one record when the log is rewritten: reading checks a record at a time.
pub const FRAME_BYTES: usize = 1024 * 1024;
/// How long changes gather before `index.json` is written, which then is at most 1 s behind while it is small.
pub const PROJECTION_DELAY: Duration = Duration::from_millis(500);
/// The projection sleeps this many times as long as it took, so that it costs at most 4 % of the time.
pub const PROJECTION_REST: u32 = 25;
/// Age at which an unfinished file is garbage: no upload of ours is quiet that long.
pub const TMP_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Digests that are remembered as durable, so that naming them again needs no sync: 4 MiB of memory.
pub const DURABLE_REMEMBERED_MAX: usize = 65_536;
/// Tags in one page when the caller asks for more.
pub const TAGS_PER_PAGE_MAX: usize = 10_000;
/// How often a reader reads again what a writer changed under its hands, before it believes what it sees.
/// A writer would have to be in the middle of a change each time.
pub const LOAD_ATTEMPTS_MAX: u32 = 5;
