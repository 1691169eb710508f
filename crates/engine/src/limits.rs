//! Bounds, each with its reason.

use std::time::Duration;

/// How often an operation is decided again after somebody else moved the head. With the back-off
/// below that is about ten seconds of losing every race, which means that something is wrong.
pub(crate) const ATTEMPTS_MAX: u32 = 12;

/// The pause before the second attempt; each further pause is twice as long, up to the longest.
pub(crate) const BACK_OFF_FIRST: Duration = Duration::from_millis(10);

/// The longest pause between two attempts: a person who waits should see that something happens.
pub(crate) const BACK_OFF_LONGEST: Duration = Duration::from_secs(1);

/// How many manifests are asked for or tagged at the same time.
pub(crate) const REQUESTS_MAX: usize = 32;

/// How often a projection is written again because the head moved meanwhile.
pub(crate) const PROJECTION_ROUNDS_MAX: u32 = 16;

/// How many of the newest entries are searched for an operation id that was given: those of the open
/// and of the last closed segment, as the ledger itself does.
pub(crate) const SEARCHED_MAX: usize = 2048;

/// How many images are built at the same time. Small images wait for the disk, each for itself, so
/// there are more of them than processors; a build keeps a few MiB, whatever the size of its layers.
pub(crate) const BUILDS_MAX: usize = 16;
