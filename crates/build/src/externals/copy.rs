//! Copies one pinned image, for the platforms of a project, into its own registry.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use ringsite_images::Platform;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::names::MEDIA_TYPE_INDEX;
use ringsite_oci::{Descriptor, ImageIndex, Manifest, OciError, Put, Registry, StoredManifest};

use crate::base::is_same_platform;
use crate::error::BuildError;
use crate::externals::{ExternalRequest, Source, pin_tag};
use crate::limits::{CHILDREN_MAX, COPIES_AT_ONCE};
use crate::names::ANNOTATION_PINNED;
use crate::step::BaseImage;

pub(super) async fn copy(
    registry: &impl Registry,
    source: &Source,
    request: &ExternalRequest,
    repository: &RepositoryName,
    pinned: &Digest,
    platforms: &[Platform],
) -> Result<BaseImage, BuildError> {
    let copier = Copier { registry, source, request, repository };
    let stored = source.manifest(request, Some(pinned)).await?;
    let index = match parse(&stored, request)? {
        Manifest::Image(_) => {
            copier.image(&stored).await?;
            copier.tag(pinned, &stored).await?;
            return Ok(copier.base(stored.digest));
        }
        Manifest::Index(index) => index,
    };
    let mut children = Vec::new();
    for platform in platforms {
        let child = child_for(&index, platform).ok_or_else(|| {
            request.failed(format!("it has nothing for {platform}; it has {}", platforms_of(&index)))
        })?;
        if !children.contains(&child) {
            children.push(child);
        }
    }
    for child in &children {
        let image = source.manifest(request, Some(&child.digest)).await?;
        copier.image(&image).await?;
    }
    let top = if children.len() == index.manifests.len() {
        stored
    } else {
        reduced(pinned, children.into_iter().cloned().collect())
    };
    copier.tag(pinned, &top).await?;
    Ok(copier.base(top.digest))
}

fn parse(stored: &StoredManifest, request: &ExternalRequest) -> Result<Manifest, BuildError> {
    let manifest = stored.parse().map_err(|error| request.failed(error.to_string()))?;
    match &manifest {
        Manifest::Index(index) if index.manifests.len() > CHILDREN_MAX => {
            Err(request.failed(format!("its index has more than {CHILDREN_MAX} children")))
        }
        _ => Ok(manifest),
    }
}

fn child_for<'i>(index: &'i ImageIndex, platform: &Platform) -> Option<&'i Descriptor> {
    let fits =
        |child: &&Descriptor| child.platform.as_ref().is_some_and(|found| is_same_platform(found, platform));
    index.manifests.iter().find(fits)
}

fn platforms_of(index: &ImageIndex) -> String {
    let names: Vec<_> = index
        .manifests
        .iter()
        .filter_map(|child| child.platform.as_ref())
        .map(ToString::to_string)
        .filter(|name| !name.starts_with("unknown"))
        .collect();
    names.join(", ")
}

/// Returns an index of some children that stands in for the pinned one.
fn reduced(pinned: &Digest, children: Vec<Descriptor>) -> StoredManifest {
    let mut index = ImageIndex::new(children);
    index.annotations = BTreeMap::from([(ANNOTATION_PINNED.to_owned(), pinned.to_string())]);
    let bytes = Bytes::from(index.to_bytes());
    StoredManifest { digest: Digest::sha256(&bytes), bytes, media_type: MEDIA_TYPE_INDEX.to_owned() }
}

struct Copier<'c, R> {
    registry: &'c R,
    source: &'c Source,
    request: &'c ExternalRequest,
    repository: &'c RepositoryName,
}

impl<R: Registry> Copier<'_, R> {
    fn base(&self, digest: Digest) -> BaseImage {
        BaseImage { repository: self.repository.clone(), digest, version: None }
    }

    /// Copies the blobs of an image, then its manifest.
    async fn image(&self, stored: &StoredManifest) -> Result<(), BuildError> {
        let Manifest::Image(manifest) = parse(stored, self.request)? else {
            return Err(self.request.failed("an index has another index among its children"));
        };
        stream::iter(std::iter::once(&manifest.config).chain(&manifest.layers))
            .map(|blob| self.blob(blob))
            .buffer_unordered(COPIES_AT_ONCE)
            .try_collect::<()>()
            .await?;
        let put = Put::by_digest();
        self.registry.put_manifest(self.repository, &put, &stored.media_type, stored.bytes.clone()).await?;
        Ok(())
    }

    async fn blob(&self, blob: &Descriptor) -> Result<(), BuildError> {
        if self.registry.has_blob(self.repository, &blob.digest).await? {
            return Ok(());
        }
        let stream = self.source.blob(self.request, blob).await?;
        match self.registry.put_blob(self.repository, Some(&blob.digest), stream).await {
            Ok(_) => Ok(()),
            Err(error @ (OciError::Unanswered { .. } | OciError::DigestMismatch { .. })) => {
                let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
                Err(self.request.failed(format!("{error}{}", cause.unwrap_or_default())))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn tag(&self, pinned: &Digest, stored: &StoredManifest) -> Result<(), BuildError> {
        let put = Put::under(pin_tag(pinned));
        self.registry.put_manifest(self.repository, &put, &stored.media_type, stored.bytes.clone()).await?;
        Ok(())
    }
}
