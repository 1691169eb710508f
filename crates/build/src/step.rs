//! What a builder is told, and what it says when it is done.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ringsite_images::{Inputs, Platform, Recipe, Sources, Variant, normalise};
use ringsite_names::{Digest, ImageName, ProjectName, Reference, RepositoryName, Version};
use ringsite_oci::{Descriptor, ImageConfig};

/// One image to build.
#[derive(Clone, Debug)]
pub struct BuildStep {
    /// The image.
    pub image: ImageName,
    /// The project of the image.
    pub project: ProjectName,
    /// The repository that takes layers, configuration and manifest.
    pub repository: RepositoryName,
    /// The version that the image gets; the labels say it, too.
    pub version: Version,
    /// The labels of the release, set after all of the containerfile. They decide over others.
    pub labels: BTreeMap<String, String>,
    /// The containerfile as it is for each platform, at least one; an index is made for more than one only.
    pub platforms: Vec<Variant>,
    /// The time of every file and of the image, in seconds since the start of 1970.
    pub epoch: i64,
    /// What the revision was computed from; every source is compared with it while it is read.
    pub sources: Arc<Sources>,
    /// What else the image is built from, for its recipe.
    pub inputs: Inputs,
    /// The content of `/.ring/images.json`, for the root image only.
    pub pins: Option<Bytes>,
}

/// An image that another is built from, in the same registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseImage {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest or index.
    pub digest: Digest,
    /// The version, for images of the project.
    pub version: Option<Version>,
}

/// The images that an image is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bases {
    /// Images of the project.
    pub project: BTreeMap<ImageName, BaseImage>,
    /// Images from elsewhere, by the normalised reference; see [`ringsite_images::normalise`].
    pub external: BTreeMap<Reference, BaseImage>,
}

impl Bases {
    /// Returns the copy of an external image, by its reference as written.
    pub fn external(&self, reference: &str) -> Option<&BaseImage> {
        self.external.get(&normalise(reference).ok()?)
    }
}

/// An image that is in the registry, named by nothing but its digest yet.
#[derive(Clone, Debug)]
pub struct Built {
    /// The digest of the manifest, or of the index for several platforms.
    pub digest: Digest,
    /// The bytes that were pushed.
    pub manifest: Bytes,
    /// Their media type.
    pub media_type: String,
    /// The image of each platform, in the order of the step.
    pub platforms: Vec<BuiltPlatform>,
    /// What it was built from; [`push_recipe`](crate::push_recipe) makes it a referrer.
    pub recipe: Recipe,
    /// What was done although it may not be what was meant, one line each.
    pub warnings: Vec<String>,
    /// Where the time went.
    pub phases: Phases,
}

impl Built {
    /// Returns type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.manifest.len() as u64)
    }

    /// Returns how many layers were taken as they were, and how many were made.
    pub fn layer_counts(&self) -> (usize, usize) {
        let reused = self.platforms.iter().map(|platform| platform.layers_reused).sum();
        (reused, self.platforms.iter().map(|platform| platform.layers_made).sum())
    }
}

/// The image of one platform.
#[derive(Clone, Debug)]
pub struct BuiltPlatform {
    /// The platform.
    pub platform: Platform,
    /// The manifest.
    pub descriptor: Descriptor,
    /// The configuration.
    pub config: ImageConfig,
    /// All layers, those of the base first.
    pub layers: Vec<Descriptor>,
    /// Layers that were not made again, those of the base included.
    pub layers_reused: usize,
    /// Layers that were read, compressed and pushed.
    pub layers_made: usize,
}

/// Where the time of a build went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Reading bases, and deciding what each layer holds.
    pub planning: Duration,
    /// Making layers and pushing them; the whole run of an external builder.
    pub layers: Duration,
    /// Configuration and manifests.
    pub manifests: Duration,
}
