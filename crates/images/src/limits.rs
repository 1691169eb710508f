//! Bounds on what a project may hold, each with its reason.

/// Bytes of `rings.toml`: 10,000 images with arguments need about 2 MiB.
pub(crate) const PROJECT_FILE_BYTES_MAX: u64 = 8 << 20;

/// Bytes of `rings.lock`: 10,000 references need about 2 MiB.
pub(crate) const LOCK_FILE_BYTES_MAX: u64 = 8 << 20;

/// Bytes of the user's own file, which names a registry.
pub(crate) const USER_FILE_BYTES_MAX: u64 = 64 << 10;

/// Images of one project: ten times the largest project that the program is measured with.
pub(crate) const IMAGES_MAX: usize = 10_000;

/// Sites of one project: each is one artifact to push at every move.
pub(crate) const SITES_MAX: usize = 10_000;

/// Platforms of one image: more exist in no image that is known.
pub(crate) const PLATFORMS_MAX: usize = 32;

/// Mistakes of syntax that are shown: a file that is no TOML at all has one in every line.
pub(crate) const SYNTAX_PROBLEMS_MAX: usize = 20;

/// Largest time of a file in an image: eleven octal digits, what a tar header holds.
pub(crate) const EPOCH_SECONDS_MAX: i64 = 0o777_7777_7777;

/// Longest duration, ten years: a longer one is a slip of the unit.
pub(crate) const DURATION_SECONDS_MAX: u64 = 3_650 * 86_400;

/// Bytes of one containerfile, heredocs included: the largest of 2,000 public ones has 120 KiB.
pub(crate) const CONTAINERFILE_BYTES_MAX: usize = 1 << 20;

/// Stages of one containerfile: the largest public ones have about 100.
pub(crate) const STAGES_MAX: usize = 1_000;

/// Expansions that stand inside each other in one word: people write two or three.
pub(crate) const EXPANSION_DEPTH_MAX: usize = 32;

/// Bytes of one expanded word: the kernel takes 128 KiB for one argument of a program.
pub(crate) const EXPANSION_BYTES_MAX: usize = 128 << 10;

/// Characters of a pattern in a variable: one bit of a word stands for each.
pub(crate) const PATTERN_PIECES_MAX: usize = 63;

/// Characters of a value that a pattern is compared with: time grows with their square.
pub(crate) const PATTERN_VALUE_MAX: usize = 1_024;

/// Bytes of one pattern of paths: no path is longer.
pub(crate) const PATTERN_BYTES_MAX: usize = 4_096;

/// Bytes of one ignore file: it is a list that people write.
pub(crate) const IGNORE_BYTES_MAX: usize = 1 << 20;

/// Links that are followed for one path, as the kernel does: more is a loop.
pub(crate) const LINKS_MAX: usize = 40;

/// Bytes that are read from a file at once: large enough that system calls do not count, small
/// enough that one buffer for each thread stays in the processor's cache.
pub(crate) const READ_BYTES: usize = 128 << 10;

/// Bytes of the stat cache that are read: ten million files need about 1 GiB.
pub(crate) const CACHE_BYTES_MAX: u64 = 1 << 30;

/// Threads that read and hash: more do not make a disk faster.
pub(crate) const THREADS_MAX: usize = 16;

/// Items that a thread takes at once: few enough to keep all busy, enough to ask seldom.
pub(crate) const ITEMS_PER_CLAIM: usize = 8;

/// How often a file that changes while it is read is read again before it is given up.
pub(crate) const READ_ATTEMPTS_MAX: usize = 3;

/// The bytes below `environments/`: Kustomize sources are text, and 64 MiB is far beyond any real tree.
pub(crate) const ENVIRONMENTS_BYTES_MAX: u64 = 64 << 20;

/// Folders that are still to be read when a walk goes on on all processors: fewer are read sooner
/// than threads are started.
pub(crate) const FOLDERS_TO_SPREAD: usize = 16;

/// Images from which on each is walked by one thread: with fewer, one large one would be waited for.
pub(crate) const IMAGES_TO_SHARE: usize = 64;
