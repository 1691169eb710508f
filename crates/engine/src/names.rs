//! Strings that other programs or later runs see.

/// In the cache folder: the stat cache.
pub(crate) const STAT_CACHE: &str = "stat";
/// In the cache folder: the head up to which the tags were brought up to date.
pub(crate) const PROJECTED: &str = "projected";
/// In a `place` entry: the outcome of a site whose artifact is published.
pub(crate) const PLACED: &str = "placed";
/// In the cache folder: the head up to which every site was placed.
pub(crate) const PLACED_UP_TO: &str = "placed";
