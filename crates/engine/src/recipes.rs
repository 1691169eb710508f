//! Recipes of releases, read back from the registry.

use std::collections::BTreeMap;

use ringsite_images::{EntryKind, Recipe, RecipeEntry};
use ringsite_names::RepositoryName;
use ringsite_oci::Registry;
use ringsite_rings::Release;

use crate::error::EngineError;

/// Returns what a release was built from; nothing when it has no recipe, or when that is gone.
///
/// # Errors
/// A recipe that is damaged; what the registry meets.
pub(crate) async fn read_recipe(
    registry: &impl Registry,
    repository: &RepositoryName,
    release: &Release,
) -> Result<Option<Recipe>, EngineError> {
    match &release.recipe {
        Some(recipe) => Ok(ringsite_build::read_recipe(registry, repository, recipe).await?),
        None => Ok(None),
    }
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
