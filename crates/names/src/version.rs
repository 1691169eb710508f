//! The semantic version of an image: three numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A semantic version without pre-release and build metadata, printed `1.2.3`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Raised on request only.
    pub major: u64,
    /// Raised when the next ring already has this line.
    pub minor: u64,
    /// Raised otherwise.
    pub patch: u64,
}

/// A text that is no version of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no version of an image: expected three numbers such as `1.2.3`, without pre-release or build metadata"
)]
pub struct VersionError {
    text: String,
}

impl Version {
    /// Returns `major.minor.patch`.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self { major, minor, patch }
    }

    /// Returns the line that the version belongs to: its major and minor number.
    pub const fn line(&self) -> (u64, u64) {
        (self.major, self.minor)
    }
}

impl From<Version> for semver::Version {
    fn from(version: Version) -> Self {
        Self::new(version.major, version.minor, version.patch)
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let bare = text.strip_prefix('v').unwrap_or(text);
        match semver::Version::parse(bare) {
            Ok(version) if version.pre.is_empty() && version.build.is_empty() => {
                Ok(Self::new(version.major, version.minor, version.patch))
            }
            _ => Err(VersionError { text: text.chars().take(200).collect() }),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&format!("{}.{}.{}", self.major, self.minor, self.patch))
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_leading_v_is_read_and_never_written() {
        let version: Version = "v1.2.3".parse().expect("is a version");
        assert_eq!(version.to_string(), "1.2.3");
    }

    #[test]
    fn what_images_never_have_is_refused() {
        for text in [
            "",
            "1",
            "1.2",
            "1.2.3-rc1",
            "1.2.3+build",
            "01.2.3",
            "1.2.x",
            "vv1.2.3",
            "1.2.99999999999999999999",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn versions_are_ordered_as_semantic_versions_are(a: (u64, u64, u64), b: (u64, u64, u64)) {
            let (left, right) = (Version::new(a.0, a.1, a.2), Version::new(b.0, b.1, b.2));
            prop_assert_eq!(left.cmp(&right), semver::Version::from(left).cmp(&semver::Version::from(right)));
            prop_assert_eq!(left.to_string().parse::<Version>().expect("reads back"), left);
        }
    }
}
