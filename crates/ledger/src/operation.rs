//! Operation ids: one for each intent, fixed before the first attempt to fulfil it.
//!
//! A writer that does not know whether its commit arrived looks for its id in the chain. So the id
//! must be made once for each intent and kept over every repetition of it.

use std::fmt;
use std::str::FromStr;

use ringsite_names::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits::OPERATION_ID_CHARACTERS_MAX;

/// The id of one intent to change the ledger.
///
/// Ids that this crate makes are UUIDs of version 7, which carry the time at which they were made.
/// Given ids may be any text of 1 to 128 visible ASCII characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(String);

/// A text that is no operation id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no operation id: expected 1 to 128 visible ASCII characters without spaces")]
pub struct OperationIdError {
    text: String,
}

impl OperationId {
    /// Returns the id of an intent that begins at `now`.
    ///
    /// `randomness` makes the difference between two intents of one second: it comes from the
    /// operating system, never from a counter or a seed that another machine may share.
    pub fn new(now: Timestamp, randomness: [u8; 10]) -> Self {
        let milliseconds = u64::try_from(now.as_seconds()).unwrap_or(0).saturating_mul(1000);
        let id = uuid::Builder::from_unix_timestamp_millis(milliseconds, &randomness).into_uuid();
        Self(id.to_string())
    }

    /// Returns the id of an intent that begins at `now`, with randomness of the operating system.
    pub fn fresh(now: Timestamp) -> Self {
        let source = uuid::Uuid::now_v7();
        let mut randomness = [0; 10];
        randomness.copy_from_slice(&source.as_bytes()[6..]);
        Self::new(now, randomness)
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns when the id was made, for ids of version 7; nothing else tells.
    pub fn made_at(&self) -> Option<Timestamp> {
        let id = uuid::Uuid::parse_str(&self.0).ok()?;
        if id.get_version_num() != 7 {
            return None;
        }
        let (seconds, _) = id.get_timestamp()?.to_unix();
        Timestamp::from_seconds(i64::try_from(seconds).ok()?).ok()
    }
}

impl FromStr for OperationId {
    type Err = OperationIdError;

    fn from_str(text: &str) -> Result<Self, OperationIdError> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if visible && !text.is_empty() && text.len() <= OPERATION_ID_CHARACTERS_MAX {
            Ok(Self(text.to_owned()))
        } else {
            Err(OperationIdError { text: text.chars().take(OPERATION_ID_CHARACTERS_MAX).collect() })
        }
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for OperationId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_ids_tell_when_they_were_made_and_differ_within_a_second() {
        let now = Timestamp::from_seconds(1_795_000_000).unwrap();
        let id = OperationId::new(now, [7; 10]);
        assert_eq!(id.made_at(), Some(now));
        assert_ne!(id, OperationId::new(now, [8; 10]));
        assert_ne!(OperationId::fresh(now), OperationId::fresh(now));
        assert_eq!(OperationId::fresh(now).made_at(), Some(now));
    }

    #[test]
    fn given_ids_are_kept_as_they_are_and_tell_no_time() {
        for text in ["ci-4711", "x", "6f1e7c9e-2c55-4b6e-9a43-6b1d1e3f8f00"] {
            let id: OperationId = text.parse().unwrap();
            assert_eq!((id.as_str(), id.made_at()), (text, None));
        }
    }

    #[test]
    fn ids_with_spaces_controls_or_too_many_characters_are_refused() {
        for text in ["", "a b", "a\n", "ä", &"x".repeat(129)] {
            assert!(text.parse::<OperationId>().is_err(), "{text}");
        }
    }
}
