//! Copies one external image, for the platforms of a project, into its own registry.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt, TryStreamExt, stream};
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::{Descriptor, ImageManifest, Manifest, OciError, Put, Registry, StoredManifest};

use crate::error::BuildError;
use crate::externals::ExternalRequest;
use crate::externals::kept::{check_platforms, children_for, keep};
use crate::externals::source::Source;
use crate::limits::{ARCHIVE_BYTES_MAX, BASE_LAYERS_MAX, CHILDREN_MAX, CONFIG_BYTES_MAX, COPIES_AT_ONCE};

/// Copies an image and tags it; returns its digest.
pub(super) async fn copy(
    registry: &impl Registry,
    source: &Source,
    request: &ExternalRequest<'_>,
    repository: &RepositoryName,
) -> Result<Digest, BuildError> {
    let copier = Copier { registry, source, request, repository };
    let stored = copier.manifest(request.pinned().as_ref()).await?;
    match copier.parse(&stored)? {
        Manifest::Image(manifest) => {
            copier.image(&stored, &manifest).await?;
            let config = registry.blob_bytes(repository, &manifest.config.digest, CONFIG_BYTES_MAX).await?;
            check_platforms(&config, request)?;
        }
        Manifest::Index(index) => {
            for child in children_for(&index, request)? {
                if registry.head_manifest(repository, &child.digest.into()).await?.is_some() {
                    continue;
                }
                let image = copier.manifest(Some(&child.digest)).await?;
                let Manifest::Image(manifest) = copier.parse(&image)? else {
                    return Err(request.failed("its index has another index among its children"));
                };
                copier.image(&image, &manifest).await?;
            }
        }
    }
    keep(registry, repository, &stored).await?;
    Ok(stored.digest)
}

struct Copier<'c, R> {
    registry: &'c R,
    source: &'c Source,
    request: &'c ExternalRequest<'c>,
    repository: &'c RepositoryName,
}

impl<R: Registry> Copier<'_, R> {
    async fn manifest(&self, digest: Option<&Digest>) -> Result<StoredManifest, BuildError> {
        let found = self.source.manifest(self.request.reference, digest).await;
        found.map_err(|reason| self.request.failed(reason))
    }

    fn parse(&self, stored: &StoredManifest) -> Result<Manifest, BuildError> {
        let manifest = stored.parse().map_err(|error| self.request.failed(error.to_string()))?;
        match &manifest {
            Manifest::Index(index) if index.manifests.len() > CHILDREN_MAX => {
                Err(self.request.failed(format!("its index has more than {CHILDREN_MAX} children")))
            }
            _ => Ok(manifest),
        }
    }

    /// Copies the blobs of an image, then its manifest.
    async fn image(&self, stored: &StoredManifest, manifest: &ImageManifest) -> Result<(), BuildError> {
        self.check(manifest)?;
        let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
        // Some tools make the same layer twice.
        let blobs: BTreeMap<Digest, &Descriptor> = blobs.map(|blob| (blob.digest, blob)).collect();
        let copies: Vec<_> = blobs.into_values().map(|blob| self.blob(blob)).collect();
        stream::iter(copies).buffer_unordered(COPIES_AT_ONCE).try_collect::<()>().await?;
        let put = Put::by_digest();
        self.registry.put_manifest(self.repository, &put, &stored.media_type, stored.bytes.clone()).await?;
        Ok(())
    }

    fn check(&self, manifest: &ImageManifest) -> Result<(), BuildError> {
        let refuse = |reason: String| Err(self.request.failed(reason));
        if manifest.layers.len() > BASE_LAYERS_MAX {
            return refuse(format!("it has {} layers, over {BASE_LAYERS_MAX}", manifest.layers.len()));
        }
        if manifest.config.size > CONFIG_BYTES_MAX {
            return refuse(format!("its configuration has more than {CONFIG_BYTES_MAX} bytes"));
        }
        if let Some(layer) = manifest.layers.iter().find(|layer| layer.size > ARCHIVE_BYTES_MAX) {
            return refuse(format!("its layer {} has more than {ARCHIVE_BYTES_MAX} bytes", layer.digest));
        }
        match manifest.layers.iter().find(|layer| !layer.urls.is_empty()) {
            Some(layer) => refuse(format!("its layer {} may only be had from its maker", layer.digest)),
            None => Ok(()),
        }
    }

    /// Copies a blob that is not here yet; length and digest are checked while it streams.
    async fn blob(&self, blob: &Descriptor) -> Result<(), BuildError> {
        if self.registry.has_blob(self.repository, &blob.digest).await? {
            return Ok(());
        }
        let failure = Arc::new(Mutex::new(None));
        let pulled = self.source.blob(self.request.reference, blob, failure.clone()).await;
        let content = pulled.map_err(|reason| self.request.failed(reason))?;
        let stored = self.registry.put_blob(self.repository, Some(&blob.digest), content).await;
        // The other side decides over the error, whatever our registry made of it.
        if let Some(reason) = failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(self.request.failed(reason));
        }
        match stored {
            Ok(_) => Ok(()),
            Err(error @ OciError::DigestMismatch { .. }) => Err(self.request.failed(error.to_string())),
            Err(error) => Err(error.into()),
        }
    }
}
