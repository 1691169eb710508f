//! What is pushed about an image: its recipe and its bill of materials, as referrers.

use bytes::Bytes;
use ringsite_images::Recipe;
use ringsite_images::names::RECIPE_MEDIA_TYPE;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::names::{MEDIA_TYPE_EMPTY, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{Descriptor, EMPTY_CONFIG, ImageManifest, OciError, Put, Registry};

use crate::error::BuildError;
use crate::limits::RECIPE_BYTES_MAX;
use crate::names::MEDIA_TYPE_SPDX;

/// Makes the recipe of an image its referrer.
///
/// # Errors
/// The registry's own.
pub async fn push_recipe(
    registry: &impl Registry,
    repository: &RepositoryName,
    image: &Descriptor,
    recipe: &Recipe,
) -> Result<Descriptor, BuildError> {
    push(registry, repository, image, RECIPE_MEDIA_TYPE, recipe.to_json().into()).await
}

/// Makes a bill of materials, see [`sbom`](crate::sbom), a referrer of its image.
///
/// # Errors
/// The registry's own.
pub async fn push_sbom(
    registry: &impl Registry,
    repository: &RepositoryName,
    image: &Descriptor,
    document: Bytes,
) -> Result<Descriptor, BuildError> {
    push(registry, repository, image, MEDIA_TYPE_SPDX, document).await
}

/// Returns the recipe that [`push_recipe`] stored as `recipe`; nothing when it is gone.
///
/// A release names its recipe by digest. Asking for referrers instead would take whatever somebody
/// else made one.
///
/// # Errors
/// `Damaged` when it is no recipe; the registry's own.
pub async fn read_recipe(
    registry: &impl Registry,
    repository: &RepositoryName,
    recipe: &Digest,
) -> Result<Option<Recipe>, BuildError> {
    let stored = match registry.manifest(repository, &(*recipe).into()).await {
        Ok(stored) => stored,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let manifest = stored.image()?;
    let damaged =
        |reason: String| OciError::Damaged { place: format!("the recipe {repository}@{recipe}"), reason };
    let [layer] = manifest.layers.as_slice() else {
        return Err(damaged(format!("it has {} parts instead of one", manifest.layers.len())).into());
    };
    let bytes = registry.blob_bytes(repository, &layer.digest, RECIPE_BYTES_MAX).await?;
    let recipe = Recipe::from_json(&bytes).map_err(|error| damaged(error.to_string()))?;
    Ok(Some(recipe))
}

/// Order of writes: both blobs, then the manifest that names them and its subject.
async fn push(
    registry: &impl Registry,
    repository: &RepositoryName,
    image: &Descriptor,
    media_type: &str,
    content: Bytes,
) -> Result<Descriptor, BuildError> {
    let layer = registry.put_bytes(repository, media_type, content).await?;
    registry.put_bytes(repository, MEDIA_TYPE_EMPTY, Bytes::from_static(EMPTY_CONFIG)).await?;
    let manifest = ImageManifest::artifact(media_type, vec![layer]).with_subject(image.clone());
    let bytes = Bytes::from(manifest.to_bytes());
    let descriptor = Descriptor::of(MEDIA_TYPE_MANIFEST, &bytes);
    registry.put_manifest(repository, &Put::by_digest(), MEDIA_TYPE_MANIFEST, bytes).await?;
    Ok(descriptor)
}
