//! A position in the release chain: `ante`, a ring, or `post`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{NameError, RingName};

/// A place where releases stand: before, on, or after the configured rings.
///
/// The order of two positions is `ante`, rings by name, `post`; the order of the rings among
/// themselves is the chain's business.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Position {
    /// Before every audience: where new base images are prepared.
    Ante,
    /// One of the configured rings.
    Ring(RingName),
    /// Behind the last ring: holds what was shifted off the chain.
    Post,
}

impl Position {
    /// Returns the name that people and files use.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ante => "ante",
            Self::Ring(ring) => ring.as_str(),
            Self::Post => "post",
        }
    }
}

impl From<RingName> for Position {
    fn from(ring: RingName) -> Self {
        Self::Ring(ring)
    }
}

impl FromStr for Position {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text {
            "ante" => Ok(Self::Ante),
            "post" => Ok(Self::Post),
            _ => RingName::new(text).map(Self::Ring),
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_as_they_are_printed() {
        for text in ["ante", "developers", "post"] {
            let position: Position = text.parse().expect("is a position");
            assert_eq!(position.to_string(), text);
        }
        assert!("Ante".parse::<Position>().is_err());
    }
}
