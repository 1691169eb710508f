//! Recipes of releases, read back from the registry.

use std::collections::BTreeMap;

use ringsite_images::{EntryKind, Recipe, RecipeEntry};
use ringsite_names::RepositoryName;
use ringsite_oci::{OciError, Registry, TagOrDigest};
use ringsite_rings::Release;

use crate::error::EngineError;
use crate::limits::RECIPE_BYTES_MAX;

/// Returns what a release was built from; nothing when it has no recipe, or when that is gone.
///
/// # Errors
/// A recipe that is damaged, or that is no recipe; what the registry meets.
pub(crate) async fn read_recipe(
    registry: &impl Registry,
    repository: &RepositoryName,
    release: &Release,
) -> Result<Option<Recipe>, EngineError> {
    let Some(digest) = release.recipe else { return Ok(None) };
    let stored = match registry.manifest(repository, &TagOrDigest::Digest(digest)).await {
        Ok(stored) => stored,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let manifest = stored.image()?;
    let invalid =
        |reason: String| OciError::Invalid { what: format!("recipe {repository}@{digest}"), reason };
    let [layer] = manifest.layers.as_slice() else {
        return Err(invalid(format!("it has {} layers, expected one", manifest.layers.len())).into());
    };
    let bytes = registry.blob_bytes(repository, &layer.digest, RECIPE_BYTES_MAX).await?;
    let recipe = Recipe::from_json(&bytes).map_err(|error| invalid(error.to_string()))?;
    Ok(Some(recipe))
}

/// Returns the paths whose content, kind or presence differs, by path.
pub(crate) fn changed_paths(old: &Recipe, new: &Recipe) -> Vec<String> {
    changed(old.sources.entries(), new.sources.entries())
}

/// Returns the paths that differ between two lists of entries, by path.
pub(crate) fn changed(old: &[RecipeEntry], new: &[RecipeEntry]) -> Vec<String> {
    /// Returns what stands where; paths are borrowed, because a recipe can have a million of them.
    fn by_path(entries: &[RecipeEntry]) -> BTreeMap<&str, (EntryKind, &[u8; 32])> {
        entries.iter().map(|entry| (entry.path.as_str(), (entry.kind, &entry.sha256))).collect()
    }
    let (old, new) = (by_path(old), by_path(new));
    let is_new = |(path, is): &(&&str, &(EntryKind, &[u8; 32]))| old.get(**path) != Some(*is);
    let mut paths: Vec<String> = new.iter().filter(is_new).map(|(path, _)| (*path).to_owned()).collect();
    paths.extend(old.keys().filter(|path| !new.contains_key(*path)).map(|path| (*path).to_owned()));
    paths.sort();
    paths
}
