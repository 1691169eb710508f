//! References to artifacts: `host[:port]/repository[:tag][@digest]`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{Digest, RepositoryName, Tag};

/// A reference to an artifact, as people write it; `oci://` in front is accepted and dropped.
///
/// The first path part is a host when it has a `.` or a `:`, or is `localhost`. No default host
/// is put in: what is written is what is meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// The registry's host with its port, when one was written.
    pub host: Option<String>,
    /// The repository in the registry.
    pub repository: RepositoryName,
    /// The tag, when one was written.
    pub tag: Option<Tag>,
    /// The digest, when one was written; it decides over the tag.
    pub digest: Option<Digest>,
}

/// A text that is no reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reference: {reason}; expected `host[:port]/repository[:tag][@digest]`")]
pub struct ReferenceError {
    text: String,
    reason: String,
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let error = |reason: String| ReferenceError { text: text.chars().take(300).collect(), reason };
        let bare = text.strip_prefix("oci://").unwrap_or(text);
        let (bare, digest) = match bare.split_once('@') {
            Some((bare, digest)) => {
                (bare, Some(digest.parse::<Digest>().map_err(|source| error(source.to_string()))?))
            }
            None => (bare, None),
        };
        let (host, path) = match bare.split_once('/') {
            Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), rest),
            _ => (None, bare),
        };
        if let Some(host) = host {
            check_host(host).map_err(error)?;
        }
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => {
                (repository, Some(Tag::new(tag).map_err(|source| error(source.to_string()))?))
            }
            None => (path, None),
        };
        let repository = RepositoryName::new(repository).map_err(|source| error(source.to_string()))?;
        Ok(Self { host: host.map(str::to_owned), repository, tag, digest })
    }
}

fn check_host(host: &str) -> Result<(), String> {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if let Some(port) = port
        && port.parse::<u16>().is_err()
    {
        return Err(format!("`{port}` is no port"));
    }
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    if bracketed || plain { Ok(()) } else { Err(format!("`{name}` is no host")) }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(formatter, "{host}/")?;
        }
        write!(formatter, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(formatter, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(formatter, "@{digest}")?;
        }
        Ok(())
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_whatever_else_is_written() {
        let digest = Digest::sha256(b"x");
        let cases = [
            ("nginx", None, "nginx", None, false),
            ("nginx:1.27", None, "nginx", Some("1.27"), false),
            ("acme/shop/api:0.1.0", None, "acme/shop/api", Some("0.1.0"), false),
            ("localhost/a", Some("localhost"), "a", None, false),
            ("localhost:5000/a/b:t", Some("localhost:5000"), "a/b", Some("t"), false),
            ("oci://registry.example.com/a", Some("registry.example.com"), "a", None, true),
            ("[::1]:5000/a:t", Some("[::1]:5000"), "a", Some("t"), true),
        ];
        for (text, host, repository, tag, pinned) in cases {
            let text = if pinned { format!("{text}@{digest}") } else { text.to_owned() };
            let reference: Reference = text.parse().expect("is a reference");
            assert_eq!(reference.host.as_deref(), host, "{text}");
            assert_eq!(reference.repository.as_str(), repository, "{text}");
            assert_eq!(reference.tag.as_ref().map(Tag::as_str), tag, "{text}");
            assert_eq!(reference.digest, pinned.then_some(digest), "{text}");
            assert_eq!(reference.to_string(), text.trim_start_matches("oci://"));
        }
    }

    #[test]
    fn what_is_no_reference_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "repository"),
            ("a:", "tag"),
            ("a@sha256:00", "digest"),
            ("Nginx", "repository"),
            ("host.example:99999/a", "port"),
            ("ho_st.example/a", "host"),
            ("oci://", "repository"),
        ] {
            let error = text.parse::<Reference>().expect_err("is no reference");
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
