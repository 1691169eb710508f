//! Judging a manifest that is being pushed: its form, and what it says must be there already.

use std::collections::BTreeMap;

use ringsite_names::{Digest, RepositoryName};
use serde::Deserialize;

use crate::descriptor::{Descriptor, null_as_default};
use crate::error::OciError;
use crate::limits::MANIFEST_BYTES_MAX;
use crate::manifest::read_json;
use crate::registry::{Condition, Put};

/// What a store must know about a manifest; every form of manifest is read, whatever its media type.
#[derive(Debug)]
pub(crate) struct Intake {
    /// Digest of the bytes.
    pub(crate) digest: Digest,
    /// The manifest that it is about, which need not exist.
    pub(crate) subject: Option<Digest>,
    /// What kind of artifact it is, as the referrers list tells it.
    pub(crate) artifact_type: Option<String>,
    /// Its annotations.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Blobs that must exist.
    pub(crate) blobs: Vec<Digest>,
    /// Manifests that must exist in the same repository.
    pub(crate) manifests: Vec<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyManifest {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    layers: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    blobs: Vec<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default, deserialize_with = "null_as_default")]
    annotations: BTreeMap<String, String>,
}

impl Intake {
    /// Reads what a manifest names, without asking whether its media type is right.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, OciError> {
        let manifest: AnyManifest = read_json(bytes, "manifest")?;
        Ok(Self::from_parts(Digest::sha256(bytes), manifest))
    }

    /// Judges a manifest that is being pushed to `repository`.
    ///
    /// # Errors
    /// `TooLarge`; `Invalid` for what is no manifest, says another media type than it is pushed
    /// with, or is put under a condition without a tag.
    pub(crate) fn judge(
        repository: &RepositoryName,
        put: &Put,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Self, OciError> {
        if bytes.len() as u64 > MANIFEST_BYTES_MAX {
            let what = format!("manifest for {repository}");
            return Err(OciError::TooLarge { what, bytes_max: MANIFEST_BYTES_MAX });
        }
        let digest = Digest::sha256(bytes);
        let invalid = |reason: String| OciError::Invalid { what: format!("manifest {digest}"), reason };
        if put.tag.is_none() && put.condition != Condition::None {
            return Err(invalid("it is put under a condition but without a tag".to_owned()));
        }
        if media_type.is_empty() || !media_type.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid(format!("`{}` is no media type", media_type.escape_debug())));
        }
        let manifest: AnyManifest = read_json(bytes, "manifest")?;
        if let Some(own) = &manifest.media_type
            && own != media_type
        {
            return Err(invalid(format!("it says media type `{own}` and is pushed as `{media_type}`")));
        }
        Ok(Self::from_parts(digest, manifest))
    }

    fn from_parts(digest: Digest, manifest: AnyManifest) -> Self {
        let artifact_type = manifest
            .artifact_type
            .filter(|kind| !kind.is_empty())
            .or_else(|| manifest.config.as_ref().map(|config| config.media_type.clone()));
        let content = manifest.config.iter().chain(&manifest.layers).chain(&manifest.blobs);
        Self {
            digest,
            subject: manifest.subject.map(|subject| subject.digest),
            artifact_type,
            annotations: manifest.annotations,
            blobs: content.filter(|blob| is_distributed(blob)).map(|blob| blob.digest).collect(),
            manifests: manifest.manifests.iter().map(|child| child.digest).collect(),
        }
    }

    /// Returns the entry of the referrers list for a manifest stored with this type and size.
    pub(crate) fn into_referrer(self, media_type: &str, size: u64) -> Descriptor {
        let mut descriptor = Descriptor::new(media_type, self.digest, size);
        descriptor.artifact_type = self.artifact_type;
        descriptor.annotations = self.annotations;
        descriptor
    }
}

/// Layers that are only allowed to be had elsewhere are not stored with the image.
fn is_distributed(descriptor: &Descriptor) -> bool {
    let kind = &descriptor.media_type;
    descriptor.urls.is_empty() && !kind.contains(".nondistributable.") && !kind.contains(".foreign.")
}
