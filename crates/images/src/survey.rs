//! Looks at all images of a project at once: what each is built from, and in which order.
//!
//! Step 1 of the flow. Containerfiles are read, the graph is ordered, sources are found and hashed,
//! all in parallel, and all problems of all images are told together. Nothing is decided here, and
//! nothing outside the project folder is looked at: digests of external images come from the lock.

mod finding;
mod loading;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ringsite_names::{Digest, ImageName, Reference};
use ringsite_rings::{Desired, Detail};

use self::finding::find_all;
use self::loading::{PlannedImage, load_all, order, plan_all};
use crate::cache::StatCache;
use crate::context::Context;
use crate::environment::Variant;
use crate::{
    ImageDeclaration, Inputs, LockFile, Platform, Problem, Problems, Project, ProjectNames, Recipe,
    RegistryLocation, Sources,
};

/// Every image of a project, in the order in which they are built: the root last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    definitions: Vec<Definition>,
}

/// What one image is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The image.
    pub image: ImageName,
    /// What the project file says about it.
    pub declaration: ImageDeclaration,
    /// The bytes of the containerfile that everything here was read from.
    pub containerfile: Vec<u8>,
    /// The folder that its sources come from.
    pub context: Context,
    /// The containerfile for each platform, in the order of the declaration, at least one.
    pub variants: Vec<Variant>,
    /// Its sources with their hashes, and the revision.
    pub sources: Sources,
    /// The images of the project that it takes something from.
    pub dependencies: BTreeSet<ImageName>,
    /// The images whose versions its labels name: its dependencies; for the root, every other image.
    pub pinned: BTreeSet<ImageName>,
    /// The external images that it takes something from.
    pub externals: Vec<ExternalUse>,
    labels: BTreeMap<String, String>,
    vendor: Option<String>,
    epoch: i64,
}

/// One external image that a containerfile names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalUse {
    /// The full spelling, which the lock file uses.
    pub reference: Reference,
    /// The spelling in the containerfile, after expansion.
    pub written: String,
    /// The containerfile, as problems show it.
    pub file: PathBuf,
    /// The first line that names it.
    pub line: u32,
}

impl Project {
    /// Looks at all images.
    ///
    /// `cache` spares reading files that did not change; the caller saves it afterwards.
    ///
    /// # Errors
    /// All problems of all images: containerfiles, ignore files, sources, cycles.
    pub fn survey(&self, cache: &StatCache) -> Result<Survey, Problems> {
        let mut problems = Vec::new();
        let epoch = match self.epoch_seconds() {
            Ok(epoch) => epoch,
            Err(found) => {
                problems.extend(found.into_vec());
                0
            }
        };
        let loaded = load_all(self, &mut problems);
        let ordered = order(self, loaded, &mut problems);
        let planned = plan_all(ordered, &mut problems);
        let found = find_all(&planned, cache, &mut problems);
        Problems::check(problems)?;
        let images = planned.into_iter().zip(found);
        let definitions = images.map(|(image, sources)| self.definition(image, sources, epoch));
        Ok(Survey { definitions: definitions.collect() })
    }

    fn definition(&self, image: PlannedImage<'_>, sources: Sources, epoch: i64) -> Definition {
        let PlannedImage { loaded, externals, variants } = image;
        let name = loaded.declaration.name.clone();
        let others = || self.images.keys().filter(|other| **other != name).cloned().collect();
        Definition {
            pinned: if name == self.root { others() } else { loaded.dependencies.clone() },
            image: name,
            declaration: loaded.declaration.clone(),
            containerfile: loaded.bytes,
            context: loaded.context,
            variants,
            sources,
            dependencies: loaded.dependencies,
            externals,
            labels: self.labels.clone(),
            vendor: self.vendor.clone(),
            epoch,
        }
    }

    /// Returns the names that tell images of the project from external ones.
    pub fn names(&self) -> ProjectNames {
        let registry = match &self.registry {
            RegistryLocation::Remote { host, .. } => Some(host.clone()),
            RegistryLocation::OciLayout(_) => None,
        };
        ProjectNames {
            project: self.name.clone(),
            registry,
            images: self.images.keys().cloned().collect(),
            rings: self.rings.iter().cloned().collect(),
        }
    }
}

impl Survey {
    /// Returns the images in the order in which they are built.
    pub fn definitions(&self) -> &[Definition] {
        &self.definitions
    }

    /// Returns one image.
    pub fn definition(&self, image: &ImageName) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.image == *image)
    }

    /// Returns every external image with the places that name it.
    pub fn externals(&self) -> BTreeMap<Reference, Vec<ExternalUse>> {
        let mut found: BTreeMap<Reference, Vec<ExternalUse>> = BTreeMap::new();
        for external in self.definitions.iter().flat_map(|definition| &definition.externals) {
            found.entry(external.reference.clone()).or_default().push(external.clone());
        }
        found
    }

    /// Returns what is desired of each image, in the order in which they are built.
    ///
    /// # Errors
    /// A problem for each external image that `lock` has no digest of.
    pub fn desired(&self, lock: &LockFile) -> Result<Vec<Desired>, Problems> {
        let mut problems = Vec::new();
        let mut all = Vec::with_capacity(self.definitions.len());
        for definition in &self.definitions {
            match definition.inputs(lock) {
                Ok(inputs) => all.push(Desired {
                    image: definition.image.clone(),
                    revision: definition.sources.revision(),
                    inputs: inputs.digest(),
                    dependencies: definition.pinned.clone(),
                    detail: Detail::default(),
                }),
                Err(found) => problems.extend(found.into_vec()),
            }
        }
        Problems::check(problems)?;
        Ok(all)
    }
}

impl Definition {
    /// Returns what the image is built from beside its sources and dependencies.
    ///
    /// # Errors
    /// A problem for each external image that `lock` has no digest of.
    pub fn inputs(&self, lock: &LockFile) -> Result<Inputs, Problems> {
        let mut externals = BTreeMap::new();
        let mut problems = Vec::new();
        for external in &self.externals {
            match lock.digest(&external.reference).or(external.reference.digest) {
                Some(digest) => {
                    externals.insert(external.reference.to_string(), digest);
                }
                None => {
                    let message =
                        format!("the external image {} is not pinned in rings.lock", external.reference);
                    let help = "run `ring update` where the registry can be reached, and commit rings.lock";
                    problems.push(Problem::in_file(&external.file, message, help).at_line(external.line));
                }
            }
        }
        Problems::check(problems)?;
        Ok(Inputs {
            externals,
            labels: self.labels.clone(),
            vendor: self.vendor.clone(),
            platforms: self.declaration.platforms.iter().map(Platform::to_string).collect(),
            epoch: self.epoch,
        })
    }

    /// Returns the recipe of a build with these inputs.
    pub fn recipe(&self, inputs: Inputs, built_by: &str) -> Recipe {
        Recipe { sources: self.sources.clone(), inputs, built_by: built_by.to_owned() }
    }

    /// Returns the digest that the lock gives to an external image as the containerfile writes it.
    pub fn external(&self, written: &str, lock: &LockFile) -> Option<Digest> {
        let external = self.externals.iter().find(|external| external.written == written)?;
        lock.digest(&external.reference).or(external.reference.digest)
    }
}
