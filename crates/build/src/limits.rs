//! Every bound of this crate, with its reason.

/// Bytes of tar that make one gzip member. Small enough that a few of them in flight stay within
/// the memory goal of a build (32 MiB), large enough that the restart of the window costs under 0.5 %.
pub(crate) const MEMBER_BYTES: usize = 512 * 1024;
/// Level of the compressor. Pinned, because another level gives another digest.
pub(crate) const GZIP_LEVEL: i32 = 6;
/// Threads that compress one layer. More gain nothing while one thread reads and hashes.
pub(crate) const COMPRESS_THREADS_MAX: usize = 8;
/// Bytes that are read from a source at once: large enough that system calls do not show.
pub(crate) const READ_BYTES: usize = 128 * 1024;

/// Bytes of content that one part of a large copy aims at. A changed file costs reading and
/// compressing its part only; smaller parts would cost layers.
pub(crate) const PART_BYTES: u64 = 16 << 20;
/// Parts of one copy. Runtimes stop at about 127 layers, and images stand on other images.
pub(crate) const PARTS_MAX: u64 = 32;
/// Layers that one image adds to its base. Runtimes stop at about 127 layers in all.
pub(crate) const LAYERS_ADDED_MAX: usize = 60;

/// Bytes of a path in a layer: what Linux takes for a path.
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// Bytes of the extension records before one entry of an archive: names, links and a few attributes.
pub(crate) const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// Entries of one foreign layer or archive: the largest public images have about 500,000.
pub(crate) const ARCHIVE_ENTRIES_MAX: usize = 2_000_000;
/// Bytes of one foreign layer or archive without compression: larger is a bomb or not for a container.
pub(crate) const ARCHIVE_BYTES_MAX: u64 = 64 << 30;
/// Bytes of all paths and link targets of one foreign archive, so that its index fits into memory.
pub(crate) const ARCHIVE_NAMES_BYTES_MAX: usize = 256 << 20;
/// Bytes of `/etc/passwd` and `/etc/group` that are kept of a layer: 10,000 users need 1 MiB.
pub(crate) const USERS_BYTES_MAX: u64 = 1 << 20;
/// Layers of a base: runtimes stop at about 127.
pub(crate) const BASE_LAYERS_MAX: usize = 512;
/// Links that are followed for one path, as the kernel does: more is a loop.
pub(crate) const LINKS_MAX: usize = 40;
/// Bytes of one cached index or layer note that are read back.
pub(crate) const CACHE_BYTES_MAX: u64 = 512 << 20;

/// Bytes of an image configuration that is read into memory.
pub(crate) const CONFIG_BYTES_MAX: u64 = 8 << 20;
/// Bytes of a recipe: one of a million files has about 200 MiB.
pub(crate) const RECIPE_BYTES_MAX: u64 = 1 << 30;
/// Bytes of a manifest that is read from another registry.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;
/// Children of a foreign index: a few platforms and their attestations.
pub(crate) const CHILDREN_MAX: usize = 1_000;
/// Blobs that are copied from another registry at the same time.
pub(crate) const COPIES_AT_ONCE: usize = 4;
/// Seconds that another registry may be silent before a pull is given up.
pub(crate) const PULL_SILENCE_SECONDS: u64 = 60;
/// Characters of another registry's message that an error shows: a reason, not a page.
pub(crate) const PULL_MESSAGE_CHARACTERS_MAX: usize = 500;
/// Seconds that connecting to another registry may take.
pub(crate) const PULL_CONNECT_SECONDS: u64 = 15;
/// Lines of an external builder's output that an error shows.
pub(crate) const OUTPUT_LINES_SHOWN: usize = 20;
/// Bytes of an external builder's output that are kept.
pub(crate) const OUTPUT_BYTES_KEPT: usize = 64 * 1024;
/// Age after which the folder of a build that did not end is removed: no build takes a day.
pub(crate) const LEFTOVER_SECONDS: u64 = 24 * 60 * 60;
