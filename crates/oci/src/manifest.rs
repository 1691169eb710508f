//! Image manifests and indexes: reading what others wrote, writing ours in one form.
//!
//! What we write is RFC 8785 JSON, so that the same content always has the same digest. What we read
//! is judged by the bytes that were received: nobody may write a manifest again and expect its digest.

use std::collections::BTreeMap;

use ringsite_names::{Digest, canonical_json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::descriptor::{Descriptor, null_as_default};
use crate::error::OciError;
use crate::names::{
    MEDIA_TYPE_DOCKER_INDEX, MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST,
};

/// The bytes of the configuration of an artifact that has none.
pub const EMPTY_CONFIG: &[u8] = b"{}";

const SCHEMA_VERSION: u32 = 2;

/// The manifest of one image or artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// Always 2.
    pub schema_version: u32,
    /// Media type of the manifest itself; older tools leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is; images have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the base first.
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations, sorted by key.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Fields that this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl ImageManifest {
    /// Returns the manifest of an image with this configuration and these layers.
    pub fn image(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            media_type: Some(MEDIA_TYPE_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }

    /// Returns the manifest of an artifact with the empty configuration.
    ///
    /// The blob of [`EMPTY_CONFIG`] must be pushed like any other.
    pub fn artifact(artifact_type: impl Into<String>, layers: Vec<Descriptor>) -> Self {
        let mut manifest = Self::image(Descriptor::empty_config(), layers);
        manifest.artifact_type = Some(artifact_type.into());
        manifest
    }

    /// Returns the manifest with one more annotation.
    #[must_use]
    pub fn with_annotation(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(key.into(), value.into());
        self
    }

    /// Returns the manifest as being about another one, which makes it a referrer.
    #[must_use]
    pub fn with_subject(mut self, subject: Descriptor) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Returns the bytes to push: RFC 8785 JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// Returns the media type to push it with.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or(MEDIA_TYPE_MANIFEST)
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// `Invalid` when `bytes` are no image manifest.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OciError> {
        let manifest: Self = read_json(bytes, "image manifest")?;
        check_schema_version(manifest.schema_version, bytes)?;
        Ok(manifest)
    }
}

/// A list of manifests, for example one for each platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// Always 2.
    pub schema_version: u32,
    /// Media type of the index itself; older tools leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The children.
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Annotations, sorted by key.
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Fields that this program does not know.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

impl ImageIndex {
    /// Returns the index of these children.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            media_type: Some(MEDIA_TYPE_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            other: BTreeMap::new(),
        }
    }

    /// Returns the bytes to push: RFC 8785 JSON.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical_json(self)
    }

    /// Returns the media type to push it with.
    pub fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or(MEDIA_TYPE_INDEX)
    }

    /// Reads an index.
    ///
    /// # Errors
    /// `Invalid` when `bytes` are no image index.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OciError> {
        let index: Self = read_json(bytes, "image index")?;
        check_schema_version(index.schema_version, bytes)?;
        Ok(index)
    }
}

/// A manifest of either form.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one at a time is read, looked at and dropped")]
pub enum Manifest {
    /// One image or artifact.
    Image(ImageManifest),
    /// A list of manifests.
    Index(ImageIndex),
}

impl Manifest {
    /// Reads a manifest of the form that its media type names.
    ///
    /// # Errors
    /// `Invalid` when the media type is none that we know, or the bytes do not have its form.
    pub fn from_bytes(media_type: &str, bytes: &[u8]) -> Result<Self, OciError> {
        match media_type {
            MEDIA_TYPE_MANIFEST | MEDIA_TYPE_DOCKER_MANIFEST => {
                ImageManifest::from_bytes(bytes).map(Self::Image)
            }
            MEDIA_TYPE_INDEX | MEDIA_TYPE_DOCKER_INDEX => ImageIndex::from_bytes(bytes).map(Self::Index),
            other => Err(OciError::Invalid {
                what: format!("manifest {}", Digest::sha256(bytes)),
                reason: format!("its media type `{other}` is neither an image manifest nor an index"),
            }),
        }
    }

    /// Returns the annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Image(manifest) => &manifest.annotations,
            Self::Index(index) => &index.annotations,
        }
    }

    /// Returns what kind of artifact it is, as the referrers list tells it: the artifact type, or the
    /// media type of the configuration.
    pub fn artifact_type(&self) -> Option<&str> {
        match self {
            Self::Image(manifest) => {
                Some(manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type))
            }
            Self::Index(index) => index.artifact_type.as_deref(),
        }
    }
}

/// Reads one JSON object; serde would also take a list for a structure.
pub(crate) fn read_json<'a, T: Deserialize<'a>>(bytes: &'a [u8], kind: &str) -> Result<T, OciError> {
    let invalid =
        |reason: String| OciError::Invalid { what: format!("{kind} {}", Digest::sha256(bytes)), reason };
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid("it is no JSON object".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| invalid(error.to_string()))
}

fn check_schema_version(version: u32, bytes: &[u8]) -> Result<(), OciError> {
    if version == SCHEMA_VERSION {
        return Ok(());
    }
    Err(OciError::Invalid {
        what: format!("manifest {}", Digest::sha256(bytes)),
        reason: format!("its schema version is {version}, expected {SCHEMA_VERSION}"),
    })
}
