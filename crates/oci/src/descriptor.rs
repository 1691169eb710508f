//! Descriptors: what a manifest says about the content that it names.

use std::collections::BTreeMap;

use ringsite_names::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::names::MEDIA_TYPE_EMPTY;

/// The type, digest and size of some content, as manifests and indexes name it.
///
/// Fields that we do not know are kept in `other`, so that what we read and write again loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Media type of the content.
    pub media_type: String,
    /// Digest of the content.
    pub digest: Digest,
    /// Size of the content in bytes.
    pub size: u64,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Annotations, sorted by key.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The platform of a child of an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Other places where the content can be had.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// Fields that this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl Descriptor {
    /// Returns a descriptor with the three fields that every descriptor has.
    pub fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            artifact_type: None,
            annotations: BTreeMap::new(),
            platform: None,
            urls: Vec::new(),
            other: BTreeMap::new(),
        }
    }

    /// Returns the descriptor of `bytes`.
    pub fn of(media_type: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::sha256(bytes), bytes.len() as u64)
    }

    /// Returns the descriptor of the empty configuration `{}` that artifacts have.
    pub fn empty_config() -> Self {
        Self::of(MEDIA_TYPE_EMPTY, crate::EMPTY_CONFIG)
    }

    /// Returns the descriptor with another media type.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<String>) -> Self {
        self.media_type = media_type.into();
        self
    }

    /// Returns the descriptor with one more annotation.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Returns the descriptor with a platform.
    #[must_use]
    pub fn with_platform(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }
}

/// The machine that an image runs on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// Processor architecture in Go's words, for example `amd64`.
    pub architecture: String,
    /// Operating system in Go's words, for example `linux`.
    pub os: String,
    /// Version of the operating system.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Features that the operating system must have.
    #[serde(
        default,
        rename = "os.features",
        deserialize_with = "null_as_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub os_features: Vec<String>,
    /// Variant of the processor, for example `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Returns the platform of an operating system and an architecture.
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self {
            architecture: architecture.into(),
            os: os.into(),
            os_version: None,
            os_features: Vec::new(),
            variant: None,
        }
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(formatter, "/{variant}"),
            None => Ok(()),
        }
    }
}

/// Go programs write `null` for empty lists and maps; this reads it as the empty one.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_survive_reading_and_writing() {
        let text = r#"{"annotations":{"a":"b"},"data":"e30=","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.oci.empty.v1+json","size":2}"#;
        let descriptor: Descriptor = serde_json::from_str(text).expect("is a descriptor");
        assert_eq!(descriptor.other["data"], "e30=");
        assert_eq!(String::from_utf8(ringsite_names::canonical_json(&descriptor)).expect("is UTF-8"), text);
    }

    #[test]
    fn null_lists_are_empty_lists() {
        let text = r#"{"annotations":null,"urls":null,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"x/y","size":2}"#;
        let descriptor: Descriptor = serde_json::from_str(text).expect("is a descriptor");
        assert!(descriptor.annotations.is_empty());
        assert!(descriptor.urls.is_empty());
    }

    #[test]
    fn platforms_are_printed_as_people_write_them() {
        let mut platform = Platform::new("linux", "arm64");
        assert_eq!(platform.to_string(), "linux/arm64");
        platform.variant = Some("v8".to_owned());
        assert_eq!(platform.to_string(), "linux/arm64/v8");
    }
}
