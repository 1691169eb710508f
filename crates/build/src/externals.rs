//! Images from elsewhere: their digests are looked up once, and they are copied into the project's
//! own registry, so that everything after the first time needs no network.
//!
//! A reference `host/repo:tag` is copied to `<project>/external/<host>/<repo>` and tagged
//! `pin-<first 16 hex digits of the pinned digest>`, so that no registry collects it. Of an index
//! only the children for the project's platforms are copied. When that is not all of them, an index
//! of our own with just those stands in for it and names the pinned digest in an annotation.
//!
//! Other people's registries are read through `oci-client`, over HTTPS. Plain HTTP is used only for
//! hosts that the caller names; a loopback host has to be named like any other.

mod copy;
mod source;

use std::collections::BTreeSet;

use ringsite_images::Platform;
use ringsite_names::{Digest, ProjectName, Reference, RepositoryName, Tag};
use ringsite_oci::{Manifest, Registry, TagOrDigest};

use crate::base::{is_same_platform, load_image};
use crate::error::{BuildError, Place};
use crate::names::{ANNOTATION_PINNED, EXTERNAL_FOLDER, PIN_TAG_PREFIX};
use crate::step::BaseImage;

pub use source::Source;

/// Which external image is needed, and who asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalRequest {
    /// The full spelling; see [`ringsite_images::normalise`].
    pub reference: Reference,
    /// The first line that names it, when there is one.
    pub place: Option<Place>,
}

impl ExternalRequest {
    /// Returns the error for an image that is not to be had.
    pub fn failed(&self, reason: impl Into<String>) -> BuildError {
        BuildError::External {
            place: self.place.clone(),
            reference: self.reference.to_string(),
            reason: reason.into(),
        }
    }
}

/// Returns the repository that keeps the copies of an external image.
///
/// # Errors
/// `External` when host and repository make no name that a registry takes.
pub fn external_repository(
    project: &ProjectName,
    request: &ExternalRequest,
) -> Result<RepositoryName, BuildError> {
    let Reference { host, repository, .. } = &request.reference;
    let host = host.as_deref().unwrap_or_default().to_ascii_lowercase();
    // A name has no colons and no brackets: the port follows a hyphen.
    let host = host.replace(':', "-").replace(['[', ']'], "").trim_matches('-').replace("--", "-");
    project
        .repository(&format!("{EXTERNAL_FOLDER}/{host}/{repository}"))
        .map_err(|error| request.failed(error.to_string()))
}

/// Returns the tag that keeps the copy of a pinned digest.
pub fn pin_tag(pinned: &Digest) -> Tag {
    let text = format!("{PIN_TAG_PREFIX}{}", pinned.short(16));
    Tag::new(&text).expect("letters, digits and a hyphen make a tag")
}

/// Looks a reference up where it points to.
///
/// # Errors
/// `External` when it cannot be reached or is not there.
pub async fn resolve(source: &Source, request: &ExternalRequest) -> Result<Digest, BuildError> {
    match request.reference.digest {
        Some(digest) => Ok(digest),
        None => source.manifest(request, None).await.map(|manifest| manifest.digest),
    }
}

/// Returns the copy of a pinned image in the project's registry, complete for the platforms; nothing
/// when it is not, or not whole, there.
///
/// # Errors
/// The registry's own.
pub async fn find_external(
    registry: &impl Registry,
    project: &ProjectName,
    request: &ExternalRequest,
    pinned: &Digest,
    platforms: &[Platform],
) -> Result<Option<BaseImage>, BuildError> {
    let repository = external_repository(project, request)?;
    let tag = TagOrDigest::Tag(pin_tag(pinned));
    let stored = match registry.manifest(&repository, &tag).await {
        Ok(stored) => stored,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let is_pinned = match stored.parse()? {
        Manifest::Image(_) => stored.digest == *pinned,
        Manifest::Index(index) => {
            let said = index.annotations.get(ANNOTATION_PINNED);
            let has = |platform: &Platform| {
                index
                    .manifests
                    .iter()
                    .filter_map(|child| child.platform.as_ref())
                    .any(|found| is_same_platform(found, platform))
            };
            (stored.digest == *pinned || said == Some(&pinned.to_string())) && platforms.iter().all(has)
        }
    };
    if !is_pinned {
        return Ok(None);
    }
    let image = BaseImage { repository, digest: stored.digest, version: None };
    for platform in platforms {
        if !is_whole(registry, &image, platform).await? {
            return Ok(None);
        }
    }
    Ok(Some(image))
}

async fn is_whole(
    registry: &impl Registry,
    image: &BaseImage,
    platform: &Platform,
) -> Result<bool, BuildError> {
    let loaded = match load_image(registry, image, platform).await {
        Ok(loaded) => loaded,
        Err(BuildError::Registry(error)) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    };
    let blobs: BTreeSet<_> = loaded.layers.iter().map(|layer| layer.digest).collect();
    for blob in blobs {
        if !registry.has_blob(&image.repository, &blob).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns the copy of a pinned image in the project's registry, and makes it when it is not there.
///
/// Order of writes: blobs, the manifests of the platforms, the index, and last the tag that keeps
/// them; what was copied before a failure is found the next time.
///
/// # Errors
/// `External` when it is not here and not to be had; the registry's own.
pub async fn import_external(
    registry: &impl Registry,
    project: &ProjectName,
    source: &Source,
    request: &ExternalRequest,
    pinned: &Digest,
    platforms: &[Platform],
) -> Result<BaseImage, BuildError> {
    if let Some(image) = find_external(registry, project, request, pinned, platforms).await? {
        return Ok(image);
    }
    let repository = external_repository(project, request)?;
    copy::copy(registry, source, request, &repository, pinned, platforms).await
}
