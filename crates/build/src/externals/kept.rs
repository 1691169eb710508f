//! What the project's registry keeps of an external image, and whether that is enough.

use bytes::Bytes;
use ringsite_images::Platform;
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::names::{MEDIA_TYPE_EMPTY, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{
    Descriptor, EMPTY_CONFIG, ImageConfig, ImageIndex, ImageManifest, Manifest, OciError, Put, Registry,
    StoredManifest, TagOrDigest,
};

use crate::base::is_same_platform;
use crate::error::BuildError;
use crate::externals::ExternalRequest;
use crate::limits::{CONFIG_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::names::{MEDIA_TYPE_EXTERNAL_INDEX, PIN_TAG_PREFIX};

/// Returns the tag that keeps the copy of a pinned digest.
fn pin_tag(pinned: &Digest) -> Tag {
    let text = format!("{PIN_TAG_PREFIX}{}", pinned.short(16));
    Tag::new(&text).expect("letters, digits and a hyphen make a tag")
}

/// Returns a manifest by digest; an index of which some children are not here is kept as a blob.
///
/// # Errors
/// `ManifestUnknown`; the registry's own.
pub(crate) async fn kept_manifest(
    registry: &impl Registry,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<StoredManifest, OciError> {
    let unknown = match registry.manifest(repository, &TagOrDigest::Digest(*digest)).await {
        Err(error) if error.is_not_found() => error,
        other => return other,
    };
    match registry.blob_bytes(repository, digest, MANIFEST_BYTES_MAX).await {
        Ok(bytes) => Ok(StoredManifest { digest: *digest, media_type: media_type(&bytes), bytes }),
        // What is too large, too, is no manifest.
        Err(error) if error.is_not_found() => Err(unknown),
        Err(OciError::TooLarge { .. }) => Err(unknown),
        Err(error) => Err(error),
    }
}

/// Returns what a manifest says it is, or what its fields say when it does not.
pub(super) fn media_type(bytes: &[u8]) -> String {
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    match json["mediaType"].as_str() {
        Some(said) => said.to_owned(),
        None if json["manifests"].is_array() => MEDIA_TYPE_INDEX.to_owned(),
        None => MEDIA_TYPE_MANIFEST.to_owned(),
    }
}

/// Returns whether a pin is here for every platform asked for; its tag is written again if it is gone.
pub(super) async fn is_kept(
    registry: &impl Registry,
    repository: &RepositoryName,
    pinned: &Digest,
    request: &ExternalRequest<'_>,
) -> Result<bool, BuildError> {
    let stored = match kept_manifest(registry, repository, pinned).await {
        Ok(stored) => stored,
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    match stored.parse()? {
        Manifest::Image(manifest) => {
            let config = registry.blob_bytes(repository, &manifest.config.digest, CONFIG_BYTES_MAX).await;
            match config {
                Ok(config) => check_platforms(&config, request)?,
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Manifest::Index(index) => {
            for child in children_for(&index, request)? {
                if registry.head_manifest(repository, &child.digest.into()).await?.is_none() {
                    return Ok(false);
                }
            }
        }
    }
    let tag = TagOrDigest::Tag(pin_tag(pinned));
    if registry.head_manifest(repository, &tag).await?.is_none() {
        keep(registry, repository, &stored).await?;
    }
    Ok(true)
}

/// Returns the children of an index for the platforms asked for, each once.
pub(super) fn children_for<'i>(
    index: &'i ImageIndex,
    request: &ExternalRequest<'_>,
) -> Result<Vec<&'i Descriptor>, BuildError> {
    let mut children = Vec::new();
    for platform in request.platforms {
        let child = child_for(index, platform)
            .ok_or_else(|| request.wrong_platform(has_nothing(platform, &platforms_of(index))))?;
        if !children.contains(&child) {
            children.push(child);
        }
    }
    Ok(children)
}

fn child_for<'i>(index: &'i ImageIndex, platform: &Platform) -> Option<&'i Descriptor> {
    let fits =
        |child: &&Descriptor| child.platform.as_ref().is_some_and(|found| is_same_platform(found, platform));
    index.manifests.iter().find(fits)
}

fn platforms_of(index: &ImageIndex) -> String {
    let platforms = index.manifests.iter().filter_map(|child| child.platform.as_ref());
    // Attestations are children for `unknown/unknown`.
    let names: Vec<_> =
        platforms.map(ToString::to_string).filter(|name| !name.starts_with("unknown")).collect();
    names.join(", ")
}

fn has_nothing(platform: &Platform, found: &str) -> String {
    format!("has nothing for {platform}, only for {}", if found.is_empty() { "no platform" } else { found })
}

/// Checks that a single image is for the platforms asked for.
pub(super) fn check_platforms(config: &[u8], request: &ExternalRequest<'_>) -> Result<(), BuildError> {
    let config = ImageConfig::from_bytes(config).map_err(|error| request.failed(error.to_string()))?;
    let mut found = ringsite_oci::Platform::new(config.os, config.architecture);
    found.variant = config.variant;
    match request.platforms.iter().find(|platform| !is_same_platform(&found, platform)) {
        None => Ok(()),
        Some(platform) => Err(request.wrong_platform(has_nothing(platform, &found.to_string()))),
    }
}

/// Makes the tag of a pin name everything of it that is here.
///
/// Order of writes: what the tag names, then the tag. Of two that keep different children of one
/// index at once, the later tag may leave out a child of the other; the next look finds it again.
pub(super) async fn keep(
    registry: &impl Registry,
    repository: &RepositoryName,
    stored: &StoredManifest,
) -> Result<(), OciError> {
    let put = Put::under(pin_tag(&stored.digest));
    let Manifest::Index(index) = stored.parse()? else {
        registry.put_manifest(repository, &put, &stored.media_type, stored.bytes.clone()).await?;
        return Ok(());
    };
    let mut here = Vec::with_capacity(index.manifests.len());
    for child in &index.manifests {
        if registry.head_manifest(repository, &child.digest.into()).await?.is_some() {
            here.push(child.clone());
        }
    }
    if here.len() == index.manifests.len() {
        registry.put_manifest(repository, &put, &stored.media_type, stored.bytes.clone()).await?;
        return Ok(());
    }
    here.push(keep_as_blob(registry, repository, stored).await?);
    let bytes = Bytes::from(ImageIndex::new(here).to_bytes());
    registry.put_manifest(repository, &put, MEDIA_TYPE_INDEX, bytes).await?;
    Ok(())
}

/// Keeps the bytes of an index as the one layer of an artifact.
async fn keep_as_blob(
    registry: &impl Registry,
    repository: &RepositoryName,
    stored: &StoredManifest,
) -> Result<Descriptor, OciError> {
    let layer = registry.put_bytes(repository, MEDIA_TYPE_EXTERNAL_INDEX, stored.bytes.clone()).await?;
    registry.put_bytes(repository, MEDIA_TYPE_EMPTY, Bytes::from_static(EMPTY_CONFIG)).await?;
    let manifest = ImageManifest::artifact(MEDIA_TYPE_EXTERNAL_INDEX, vec![layer]);
    let bytes = Bytes::from(manifest.to_bytes());
    let mut descriptor = Descriptor::of(MEDIA_TYPE_MANIFEST, &bytes);
    descriptor.artifact_type = Some(MEDIA_TYPE_EXTERNAL_INDEX.to_owned());
    registry.put_manifest(repository, &Put::by_digest(), MEDIA_TYPE_MANIFEST, bytes).await?;
    Ok(descriptor)
}
