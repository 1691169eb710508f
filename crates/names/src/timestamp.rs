//! Points in time, in whole seconds of UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time in whole seconds of UTC, printed in the form of RFC 3339 (`2026-11-21T06:00:00Z`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

/// A text or number that is no point in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time: expected RFC 3339 such as `2026-11-21T06:00:00Z`, in the years -9999 to 9999")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// Returns the point `seconds` after the start of 1970.
    ///
    /// # Errors
    /// `TimestampError` when the year would not be in -9999 to 9999.
    pub fn from_seconds(seconds: i64) -> Result<Self, TimestampError> {
        jiff::Timestamp::from_second(seconds)
            .map(Self)
            .map_err(|_| TimestampError { text: seconds.to_string() })
    }

    /// Returns the seconds since the start of 1970.
    pub fn as_seconds(&self) -> i64 {
        self.0.as_second()
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        let error = || TimestampError { text: text.chars().take(200).collect() };
        let parsed: jiff::Timestamp = text.parse().map_err(|_| error())?;
        Self::from_seconds(parsed.as_second()).map_err(|_| error())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.to_string())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_whole_seconds_of_utc() {
        let time: Timestamp = "2026-11-21T08:00:00.75+02:00".parse().expect("is a time");
        assert_eq!(time.to_string(), "2026-11-21T06:00:00Z");
        assert_eq!(Timestamp::from_seconds(0).expect("is a time").to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "yesterday", "2026-11-21", "2026-13-01T00:00:00Z"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
        assert!(Timestamp::from_seconds(i64::MAX).is_err());
    }
}
