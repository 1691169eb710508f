//! Builds a version again from its recipe and compares the digests.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_build::{BaseImage, Proof as Comparison};
use ringsite_images::LockFile;
use ringsite_names::{ImageName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Recipe, Release};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::project::Declared;
use crate::recipes::read_recipe;
use crate::view::Proof;
use crate::workshop::Order;

impl<R: Registry + 'static> Engine<R> {
    /// Returns whether building `image` again from the working copy gives the digest of `version`.
    ///
    /// Sources come from the working copy, everything else from the record: inputs, dependencies,
    /// external images.
    ///
    /// # Errors
    /// `Unproven` when the sources are not those of the version; a version that was never given, or
    /// that has no recipe; what building meets.
    pub async fn prove(&self, image: &ImageName, version: Version) -> Result<Proof, EngineError> {
        let record = self.open().await?;
        let images = BTreeSet::from([image.clone()]);
        let state = record.with_releases(record.state().clone(), &images).await?;
        let release = state.release(image, version).cloned().ok_or_else(|| {
            EngineError::unknown(
                format!("{image} {version} was never given"),
                "`ring log --image` lists its releases",
            )
        })?;
        let repository = self.name().image_repository(image);
        let recipe = read_recipe(&*self.registry, &repository, &release).await?.ok_or_else(|| {
            EngineError::unknown(
                format!("the recipe of {image} {version} is gone"),
                "a version without its recipe cannot be proved",
            )
        })?;
        let survey = self.survey().await?;
        let definition = survey.definition(image).ok_or_else(|| {
            EngineError::Unproven(format!(
                "sources are not those of {version}: {image} is not declared any more"
            ))
        })?;
        if let Some(path) = ringsite_build::differing_source(&recipe, &definition.sources) {
            return Err(EngineError::Unproven(format!("sources are not those of {version}: {path}")));
        }
        let mut lock = LockFile::default();
        for external in &definition.externals {
            if let Some(pinned) = recipe.inputs.externals.get(&external.reference.to_string()) {
                lock.pin(external.reference.clone(), *pinned);
                let platforms = &definition.declaration.platforms;
                self.copy_of(&external.reference, Some(external), Some(*pinned), platforms).await?;
            }
        }
        let dependencies: BTreeSet<ImageName> = release.dependencies.keys().cloned().collect();
        let state = record.with_releases(state, &dependencies).await?;
        let mut with = BTreeMap::new();
        for (dependency, version) in &release.dependencies {
            with.insert(dependency.clone(), (*version, self.release(&state, dependency, *version)?.digest));
        }
        let is_root = state.configuration().is_some_and(|known| known.root() == image);
        let wanted = wanted(&release);
        let order = Order { image, version, recipe: &wanted, definition, with, is_root };
        let declared = Declared::of_recipe(survey.clone(), lock);
        let built = self.build_with(&order, &declared, Some(&recipe.inputs)).await?;
        let then = BaseImage { repository, digest: release.digest, version: Some(version) };
        let comparison = ringsite_build::prove(&*self.registry, &then, &built).await?;
        let first_difference = match comparison {
            Comparison::Same => None,
            Comparison::Different { first } => Some(first),
        };
        Ok(Proof {
            image: image.to_string(),
            version: version.to_string(),
            identical: first_difference.is_none(),
            first_difference,
        })
    }
}

fn wanted(release: &Release) -> Recipe {
    Recipe { revision: release.revision, inputs: release.inputs, dependencies: release.dependencies.clone() }
}
