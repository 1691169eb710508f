//! Every bound of this crate, with its reason.

/// The most rings that a project configures: a plan prints one column for each, and nobody can
/// follow a release through more audiences than this.
pub const RINGS_MAX: usize = 64;

/// The largest number in a version: 2^53 - 1, the largest that every semantic version reader in
/// use (those written in JavaScript included) reads exactly. It also keeps `+ 1` from overflowing.
pub const VERSION_NUMBER_MAX: u64 = (1 << 53) - 1;

/// The percentage of objects that a site may lose at once when its declaration says nothing.
pub const MAX_SHRINK_DEFAULT: u8 = 50;

/// How many names a message lists before it says how many more there are: about two lines of text.
pub(crate) const NAMES_LISTED_MAX: usize = 12;
