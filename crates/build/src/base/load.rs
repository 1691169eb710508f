//! Reads images that others are built from: manifest, configuration, and the index of each layer.

use std::path::Path;
use std::sync::Arc;

use ringsite_images::Platform;
use ringsite_names::Digest;
use ringsite_oci::{Descriptor, ImageConfig, Manifest, Registry, TagOrDigest};

use crate::archive::{Reader, decompress};
use crate::base::index::{Index, read_index};
use crate::base::store;
use crate::error::BuildError;
use crate::externals::kept_manifest;
use crate::layer::{Origin, origin_text, spawn_blocking_reader};
use crate::limits::{BASE_LAYERS_MAX, CONFIG_BYTES_MAX};
use crate::step::BaseImage;

/// An image that was read, for one platform.
#[derive(Clone, Debug)]
pub(crate) struct LoadedImage {
    /// Its configuration.
    pub(crate) config: ImageConfig,
    /// Its layers.
    pub(crate) layers: Vec<Descriptor>,
    /// The image that it is.
    pub(crate) image: BaseImage,
}

/// Reads manifest and configuration of an image for a platform.
///
/// # Errors
/// `Base` when it has no such platform or is no image; the registry's own.
pub(crate) async fn load_image(
    registry: &impl Registry,
    image: &BaseImage,
    platform: &Platform,
) -> Result<LoadedImage, BuildError> {
    let name = format!("{}@{}", image.repository, image.digest);
    let mut stored = kept_manifest(registry, &image.repository, &image.digest).await?;
    if let Manifest::Index(index) = stored.parse()? {
        let child = index
            .manifests
            .iter()
            .find(|child| child.platform.as_ref().is_some_and(|found| is_same_platform(found, platform)));
        let Some(child) = child else {
            return Err(BuildError::rule(name, "platform", format!("it has nothing for {platform}")));
        };
        stored = registry.manifest(&image.repository, &TagOrDigest::Digest(child.digest)).await?;
    }
    let manifest = stored.image()?;
    if manifest.layers.len() > BASE_LAYERS_MAX {
        let reason = format!("it has {} layers, over {BASE_LAYERS_MAX}", manifest.layers.len());
        return Err(BuildError::rule(name, "entries", reason));
    }
    let bytes = registry.blob_bytes(&image.repository, &manifest.config.digest, CONFIG_BYTES_MAX).await?;
    let config = ImageConfig::from_bytes(&bytes)?;
    if config.rootfs.diff_ids.len() != manifest.layers.len() {
        let reason = "its configuration and its manifest do not name the same number of layers";
        return Err(BuildError::rule(name, "layers", reason));
    }
    let found = ringsite_oci::Platform {
        variant: config.variant.clone(),
        ..ringsite_oci::Platform::new(config.os.clone(), config.architecture.clone())
    };
    // Very old images do not say what they are for.
    if !config.architecture.is_empty() && !is_same_platform(&found, platform) {
        return Err(BuildError::rule(name, "platform", format!("it is for {found}, not for {platform}")));
    }
    Ok(LoadedImage { config, layers: manifest.layers, image: image.clone() })
}

/// Returns whether a child of an index is for a platform; a variant counts only when both have one.
pub(crate) fn is_same_platform(found: &ringsite_oci::Platform, wanted: &Platform) -> bool {
    found.os == wanted.os()
        && found.architecture == wanted.architecture()
        && match (found.variant.as_deref(), wanted.variant()) {
            (Some(found), Some(wanted)) => found == wanted,
            _ => true,
        }
}

impl LoadedImage {
    /// Returns the index of each layer, from the cache where it is known.
    ///
    /// # Errors
    /// `Base` with the rule that a layer breaks; the registry's own.
    pub(crate) async fn indexes(
        &self,
        registry: &impl Registry,
        cache: Option<&Path>,
    ) -> Result<Vec<Arc<Index>>, BuildError> {
        let mut indexes = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            indexes.push(Arc::new(self.index(registry, &layer.digest, cache).await?));
        }
        Ok(indexes)
    }

    /// Returns the index of the layer at a position, read anew.
    ///
    /// # Errors
    /// As [`LoadedImage::indexes`].
    pub(crate) async fn layer_index(
        &self,
        registry: &impl Registry,
        position: usize,
    ) -> Result<Index, BuildError> {
        self.index(registry, &self.layers[position].digest, None).await
    }

    async fn index(
        &self,
        registry: &impl Registry,
        digest: &Digest,
        cache: Option<&Path>,
    ) -> Result<Index, BuildError> {
        let origin = Arc::new(Origin::Blob { repository: self.image.repository.clone(), digest: *digest });
        if let Some(index) = cache.and_then(|cache| store::read(cache, digest, &origin)) {
            return Ok(index);
        }
        let blob = registry.blob(&self.image.repository, digest).await?;
        let (cache, digest) = (cache.map(Path::to_path_buf), *digest);
        let work = move |blob| {
            let what = origin_text(&origin);
            let blob = Option::expect(blob, "a reader was asked for");
            let mut tar = Reader::new(decompress(&what, blob)?, what);
            let index = read_index(&mut tar, &origin, true)?;
            if let Some(cache) = cache {
                store::write(&cache, &digest, &index);
            }
            Ok(index)
        };
        spawn_blocking_reader(Some(blob), work).await
    }
}
