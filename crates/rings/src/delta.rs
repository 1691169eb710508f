//! The parts of a change to the cells, in the compact form in which the ledger keeps them.
//!
//! | Part | JSON | Meaning |
//! |--|--|--|
//! | cell | `[ring, image, from, to]` | the ring's cell of the image goes from one version to another; null means none |
//! | copy | `["copy", from, to]` | the empty ring `to` takes root and cells of the ring `from` |
//! | root | `["root", ring, from, to]` | the name of the root image of the ring's set changes |
//!
//! A ring may be called `copy` or `root`. The shape decides: three elements are a copy; four
//! elements are a root when the first is `root` and the last two are not versions (a version has
//! dots, an image name has none, and at least one of the two is not null because a part that
//! changes nothing is never written); everything else is a cell.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use ringsite_names::{ImageName, Position, Version};
use serde::ser::SerializeTuple;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One part of a change. Parts are applied in order and taken back in reverse order.
///
/// A copy is preceded by the parts that empty its target, so that taking back is exact.
///
/// # Examples
/// ```
/// use ringsite_rings::Delta;
///
/// let text = r#"["testers","api",null,"0.1.0"]"#;
/// let delta: Delta = serde_json::from_str(text).unwrap();
/// assert!(matches!(&delta, Delta::Cell { ring, .. } if ring.as_str() == "testers"));
/// assert_eq!(serde_json::to_string(&delta).unwrap(), text);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// One cell changes.
    Cell {
        /// The ring.
        ring: Position,
        /// The image.
        image: ImageName,
        /// The version before.
        from: Option<Version>,
        /// The version after.
        to: Option<Version>,
    },
    /// An empty ring takes the whole set of another.
    Copy {
        /// The ring that is copied, and keeps its set.
        from: Position,
        /// The ring that is written.
        to: Position,
    },
    /// The name of the root that a ring's set was made with changes.
    Root {
        /// The ring.
        ring: Position,
        /// The name before.
        from: Option<ImageName>,
        /// The name after.
        to: Option<ImageName>,
    },
}

impl Delta {
    /// Returns the ring that is written.
    pub fn ring(&self) -> &Position {
        match self {
            Self::Cell { ring, .. } | Self::Root { ring, .. } | Self::Copy { to: ring, .. } => ring,
        }
    }
}

/// Prints a value that may be missing, for messages.
pub(crate) fn text<T: fmt::Display>(value: &Option<T>) -> String {
    value.as_ref().map_or_else(|| "nothing".to_owned(), T::to_string)
}

impl Serialize for Delta {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Cell { ring, image, from, to } => {
                let mut tuple = serializer.serialize_tuple(4)?;
                tuple.serialize_element(ring)?;
                tuple.serialize_element(image)?;
                tuple.serialize_element(from)?;
                tuple.serialize_element(to)?;
                tuple.end()
            }
            Self::Copy { from, to } => {
                let mut tuple = serializer.serialize_tuple(3)?;
                tuple.serialize_element("copy")?;
                tuple.serialize_element(from)?;
                tuple.serialize_element(to)?;
                tuple.end()
            }
            Self::Root { ring, from, to } => {
                let mut tuple = serializer.serialize_tuple(4)?;
                tuple.serialize_element("root")?;
                tuple.serialize_element(ring)?;
                tuple.serialize_element(from)?;
                tuple.serialize_element(to)?;
                tuple.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Delta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::<Option<Cow<'de, str>>>::deserialize(deserializer)?;
        let parts: Vec<Option<&str>> = parts.iter().map(Option::as_deref).collect();
        from_parts(&parts).map_err(de::Error::custom)
    }
}

fn from_parts(parts: &[Option<&str>]) -> Result<Delta, String> {
    match *parts {
        [Some("copy"), Some(from), Some(to)] => Ok(Delta::Copy { from: read(from)?, to: read(to)? }),
        [Some(_), Some(_), None, None] => Err("a change that changes nothing".to_owned()),
        [Some("root"), Some(ring), from, to] if !is_version(from) && !is_version(to) => {
            Ok(Delta::Root { ring: read(ring)?, from: read_some(from)?, to: read_some(to)? })
        }
        [Some(ring), Some(image), from, to] => Ok(Delta::Cell {
            ring: read(ring)?,
            image: read(image)?,
            from: read_some(from)?,
            to: read_some(to)?,
        }),
        _ => Err(format!(
            "{} elements are no change: expected [ring, image, from, to], [\"copy\", from, to] or [\"root\", ring, from, to]",
            parts.len()
        )),
    }
}

fn is_version(part: Option<&str>) -> bool {
    part.is_some_and(|part| part.contains('.'))
}

fn read<T: FromStr<Err: fmt::Display>>(part: &str) -> Result<T, String> {
    part.parse().map_err(|error: T::Err| error.to_string())
}

fn read_some<T: FromStr<Err: fmt::Display>>(part: Option<&str>) -> Result<Option<T>, String> {
    part.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_by_their_shape_even_when_rings_have_confusing_names() {
        for (text, is_cell, is_copy, is_root) in [
            (r#"["testers","api","0.1.0",null]"#, true, false, false),
            (r#"["copy","developers","testers"]"#, false, true, false),
            (r#"["copy","copy","root"]"#, false, true, false),
            (r#"["copy","api",null,"0.1.0"]"#, true, false, false),
            (r#"["root","testers",null,"shop"]"#, false, false, true),
            (r#"["root","root","shop",null]"#, false, false, true),
            (r#"["root","api","0.1.0","0.2.0"]"#, true, false, false),
            (r#"["root","api","0.1.0",null]"#, true, false, false),
            (r#"["ante","base",null,"1.0.0"]"#, true, false, false),
        ] {
            let delta: Delta = serde_json::from_str(text).unwrap();
            assert_eq!(matches!(delta, Delta::Cell { .. }), is_cell, "{text}");
            assert_eq!(matches!(delta, Delta::Copy { .. }), is_copy, "{text}");
            assert_eq!(matches!(delta, Delta::Root { .. }), is_root, "{text}");
            assert_eq!(serde_json::to_string(&delta).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_part_of_a_change_is_refused() {
        for text in [
            "[]",
            r#"["copy","a"]"#,
            r#"["a","b",null,null]"#,
            r#"["root","a",null,null]"#,
            r#"["move","a","b"]"#,
            r#"["a","b","c","d"]"#,
            r#"["a","b","0.1.0","shop"]"#,
            r#"[null,"b","0.1.0",null]"#,
            r#"["copy","a",null]"#,
            r#"["A","b","0.1.0",null]"#,
            "{}",
            "[1,2,3]",
        ] {
            assert!(serde_json::from_str::<Delta>(text).is_err(), "{text}");
        }
    }
}
