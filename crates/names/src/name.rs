//! The names of images, rings, sites, environments, projects, repositories and tags.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Image names that this project's own repositories need, so that no image may have them.
pub const RESERVED_IMAGE_NAMES: [&str; 8] =
    ["ledger", "sites", "reports", "external", "scratch", "probe", "component-descriptors", "latest"];

/// A text that is not a name of the kind that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text does not follow the grammar of its kind.
    #[error("`{text}` is no {kind} name: expected {grammar}")]
    Grammar {
        /// What was being named, for example `image`.
        kind: &'static str,
        /// The text as given, cut after 200 characters.
        text: String,
        /// What the kind allows, in words.
        grammar: &'static str,
    },
    /// The text is a name that this project keeps for itself.
    #[error("`{text}` is reserved: no {kind} can have this name")]
    Reserved {
        /// What was being named.
        kind: &'static str,
        /// The reserved name.
        text: String,
    },
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, $grammar:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks and keeps `text`.
            ///
            /// # Errors
            /// `NameError` when `text` does not follow the grammar, or is reserved.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), Fault> = $check;
                match check(text) {
                    Ok(()) => Ok(Self(text.into())),
                    Err(Fault::Grammar) => Err(NameError::Grammar {
                        kind: $kind,
                        text: text.chars().take(200).collect(),
                        grammar: $grammar,
                    }),
                    Err(Fault::Reserved) => Err(NameError::Reserved { kind: $kind, text: text.into() }),
                }
            }

            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, formatter)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(de::Error::custom)
            }
        }
    };
}

enum Fault {
    Grammar,
    Reserved,
}

name!(
    /// The name of a container image of the project, for example `api`.
    ImageName, "image", "lower-case letters, digits and inner `-`, 1 to 63 characters",
    |text| {
        label(text)?;
        if RESERVED_IMAGE_NAMES.contains(&text) { Err(Fault::Reserved) } else { Ok(()) }
    }
);

name!(
    /// The name of a configured ring, for example `developers`; `ante` and `post` are positions, not rings.
    RingName, "ring", "lower-case letters, digits and inner `-`, 1 to 63 characters",
    |text| {
        label(text)?;
        if text == "ante" || text == "post" { Err(Fault::Reserved) } else { Ok(()) }
    }
);

name!(
    /// The name of a site, for example `eu-test`.
    SiteName, "site", "lower-case letters, digits and inner `-`, 1 to 63 characters", label
);

name!(
    /// The name of an environment, a folder below `environments/`.
    EnvironmentName, "environment", "lower-case letters, digits and inner `-`, 1 to 63 characters", label
);

name!(
    /// The name of a project, the prefix of its repositories, for example `acme/shop`.
    ProjectName, "project", "the OCI repository grammar (lower-case path parts joined by `/`), at most 128 characters",
    |text| repository(text, 128)
);

name!(
    /// The name of a repository in a registry, without the host.
    RepositoryName, "repository", "the OCI repository grammar (lower-case path parts joined by `/`), at most 255 characters",
    |text| repository(text, 255)
);

name!(
    /// A tag of a repository.
    Tag, "tag", "a letter, digit or `_`, then up to 127 letters, digits, `.`, `_` or `-`",
    |text| {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if first && rest && text.len() <= 128 { Ok(()) } else { Err(Fault::Grammar) }
    }
);

impl ProjectName {
    /// Returns the repository `<project>/<rest>`.
    ///
    /// # Errors
    /// `NameError` when `rest` breaks the repository grammar or the whole is too long.
    pub fn repository(&self, rest: &str) -> Result<RepositoryName, NameError> {
        RepositoryName::new(&format!("{self}/{rest}"))
    }

    /// Returns the repository of an image, which always exists: both names were checked.
    ///
    /// # Panics
    /// Never for names of this crate: 128 + 1 + 63 characters are within the limit of 255.
    pub fn image_repository(&self, image: &ImageName) -> RepositoryName {
        self.repository(image.as_str()).expect("project and image names make a repository name")
    }
}

fn label(text: &str) -> Result<(), Fault> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(inner) && bytes.last().copied().is_some_and(inner);
    let all = bytes.iter().all(|&byte| inner(byte) || byte == b'-');
    if ends && all && bytes.len() <= 63 { Ok(()) } else { Err(Fault::Grammar) }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` joined by `/`.
fn repository(text: &str, characters_max: usize) -> Result<(), Fault> {
    let part = |part: &str| {
        let mut previous_is_word = false;
        let mut separator = String::new();
        for character in part.chars() {
            if character.is_ascii_lowercase() || character.is_ascii_digit() {
                let allowed = matches!(separator.as_str(), "" | "." | "_" | "__")
                    || separator.chars().all(|c| c == '-');
                if !allowed {
                    return false;
                }
                separator.clear();
                previous_is_word = true;
            } else if matches!(character, '.' | '_' | '-') && previous_is_word {
                separator.push(character);
            } else {
                return false;
            }
        }
        previous_is_word && separator.is_empty()
    };
    if text.len() <= characters_max && text.split('/').all(part) { Ok(()) } else { Err(Fault::Grammar) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_follow_the_grammar_of_kubernetes_names() {
        let longest = "a".repeat(63);
        for good in ["a", "0", "a-b", "a--b", "eu-test-2", longest.as_str()] {
            assert!(ImageName::new(good).is_ok(), "{good}");
            assert!(SiteName::new(good).is_ok(), "{good}");
        }
        let too_long = "a".repeat(64);
        for bad in ["", "-a", "a-", "A", "a_b", "a.b", "a/b", "ä", " a", too_long.as_str()] {
            assert!(ImageName::new(bad).is_err(), "{bad}");
            assert!(RingName::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn reserved_names_are_refused_and_say_so() {
        for name in RESERVED_IMAGE_NAMES {
            let error = ImageName::new(name).expect_err("is reserved");
            assert_eq!(error.to_string(), format!("`{name}` is reserved: no image can have this name"));
        }
        assert!(RingName::new("ante").is_err());
        assert!(RingName::new("post").is_err());
        assert!(RingName::new("latest").is_ok());
    }

    #[test]
    fn repositories_follow_the_grammar_of_the_distribution_specification() {
        for good in ["a", "acme/shop", "a.b/c_d/e__f/g---h", "0/1"] {
            assert!(RepositoryName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", ".a", "a.", "a/-b"] {
            assert!(RepositoryName::new(bad).is_err(), "{bad}");
        }
        assert!(ProjectName::new(&"a".repeat(128)).is_ok());
        assert!(ProjectName::new(&"a".repeat(129)).is_err());
    }

    #[test]
    fn tags_follow_the_grammar_of_the_distribution_specification() {
        let longest = "t".repeat(128);
        for good in ["latest", "1.2.3", "_x", "A-b_c.d", longest.as_str()] {
            assert!(Tag::new(good).is_ok(), "{good}");
        }
        let too_long = "t".repeat(129);
        for bad in ["", ".a", "-a", "a+b", "a/b", "a:b", too_long.as_str()] {
            assert!(Tag::new(bad).is_err(), "{bad}");
        }
    }
}
