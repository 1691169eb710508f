//! Writes an image of the registry as an OCI layout that a tool can read.

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use ringsite_names::Digest;
use ringsite_oci::names::{
    ANNOTATION_REF_NAME, FILE_INDEX, FILE_OCI_LAYOUT, FOLDER_BLOBS, MEDIA_TYPE_CONFIG,
    MEDIA_TYPE_DOCKER_LAYER_GZIP, MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_MANIFEST,
};
use ringsite_oci::{Descriptor, ImageIndex, ImageManifest, Registry};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

use crate::base::LoadedImage;
use crate::error::BuildError;

/// The marker of a layout, as the image specification has it.
const OCI_LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// An image in a layout of its own.
pub(super) struct Exported {
    pub(super) folder: PathBuf,
    pub(super) digest: Digest,
}

/// Writes an image into the folder `folder`, which must not exist; the layout names it as the folder.
///
/// Triggers are left out of the configuration: they are written out in the containerfile, and would
/// be done twice by tools that know them. Layers stay as they are.
///
/// # Errors
/// The registry's own; `Disk`.
pub(super) async fn export(
    image: &LoadedImage,
    folder: &Path,
    registry: &impl Registry,
) -> Result<Exported, BuildError> {
    let blobs = folder.join(FOLDER_BLOBS);
    let mut layers = Vec::with_capacity(image.layers.len());
    for layer in &image.layers {
        let path = blob(&blobs, &layer.digest).await?;
        // An image may have the same layer twice.
        if !fs::try_exists(&path).await.unwrap_or(false) {
            let mut file =
                File::create(&path).await.map_err(|source| BuildError::disk("make", &path, source))?;
            let mut content = registry.blob(&image.image.repository, &layer.digest).await?;
            while let Some(piece) = content.next().await {
                let written = file.write_all(&piece?).await;
                written.map_err(|source| BuildError::disk("write", &path, source))?;
            }
            file.flush().await.map_err(|source| BuildError::disk("write", &path, source))?;
        }
        layers.push(Descriptor::new(layer_type(&layer.media_type), layer.digest, layer.size));
    }
    let mut config = image.config.clone();
    config.config.on_build.clear();
    let config = put(&blobs, MEDIA_TYPE_CONFIG, &config.to_bytes()).await?;
    let manifest = put(&blobs, MEDIA_TYPE_MANIFEST, &ImageManifest::image(config, layers).to_bytes()).await?;
    let digest = manifest.digest;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let manifest = manifest.with_annotation(ANNOTATION_REF_NAME, name);
    write(&folder.join(FILE_INDEX), &ImageIndex::new(vec![manifest]).to_bytes()).await?;
    write(&folder.join(FILE_OCI_LAYOUT), OCI_LAYOUT).await?;
    Ok(Exported { folder: folder.to_path_buf(), digest })
}

/// Returns the media type of a layer in an OCI manifest.
fn layer_type(media_type: &str) -> &str {
    match media_type {
        MEDIA_TYPE_DOCKER_LAYER_GZIP => MEDIA_TYPE_LAYER_GZIP,
        other => other,
    }
}

async fn blob(blobs: &Path, digest: &Digest) -> Result<PathBuf, BuildError> {
    let folder = blobs.join(digest.algorithm());
    fs::create_dir_all(&folder).await.map_err(|source| BuildError::disk("make", &folder, source))?;
    Ok(folder.join(digest.to_hex()))
}

async fn put(blobs: &Path, media_type: &str, bytes: &[u8]) -> Result<Descriptor, BuildError> {
    let descriptor = Descriptor::of(media_type, bytes);
    write(&blob(blobs, &descriptor.digest).await?, bytes).await?;
    Ok(descriptor)
}

async fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    fs::write(path, bytes).await.map_err(|source| BuildError::disk("write", path, source))
}
