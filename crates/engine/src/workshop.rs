//! Builds what a plan asks for: in dependency order, independent images side by side.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringsite_build::{AnyBuilder, BaseImage, Bases, BuildStep, Builder};
use ringsite_images::{Definition, Inputs, LabelRequest, labels};
use ringsite_names::{Digest, ImageName, Version, canonical_json};
use ringsite_oci::{Put, Registry};
use ringsite_rings::{Built, Recipe, Step};

use crate::decide::Decided;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::event::Event;
use crate::limits::BUILDS_MAX;
use crate::project::Declared;

/// What was built for one intent; it survives a lost race.
#[derive(Default)]
pub(crate) struct Workshop {
    finished: BTreeMap<ImageName, Finished>,
}

/// One finished build, and what it was built from.
struct Finished {
    version: Version,
    recipe: Recipe,
    /// The digest of each image of the project that it was built with.
    with: BTreeMap<ImageName, Digest>,
    built: ringsite_build::Built,
    report: Built,
}

/// One image to build, with what it is built with.
pub(crate) struct Order<'a> {
    pub(crate) image: &'a ImageName,
    pub(crate) version: Version,
    pub(crate) recipe: &'a Recipe,
    pub(crate) definition: &'a Definition,
    /// Version and digest of each image of the project that its labels name.
    pub(crate) with: BTreeMap<ImageName, (Version, Digest)>,
    /// Whether it is the root image, which carries the digests of all others.
    pub(crate) is_root: bool,
}

/// The builds of a plan, handed out when everything that they are built with is there.
struct Queue<'a> {
    ready: VecDeque<(&'a Step, &'a Recipe)>,
    /// Builds that wait, with the number of builds that they wait for.
    waiting: BTreeMap<&'a ImageName, (usize, &'a Step, &'a Recipe)>,
    /// Which builds wait for an image.
    dependents: BTreeMap<&'a ImageName, Vec<&'a ImageName>>,
}

impl<'a> Queue<'a> {
    fn new(builds: impl Iterator<Item = (&'a Step, &'a Recipe)>) -> Self {
        let builds: Vec<(&Step, &Recipe)> = builds.collect();
        let building: BTreeSet<&ImageName> = builds.iter().map(|(step, _)| &step.image).collect();
        let mut queue =
            Self { ready: VecDeque::new(), waiting: BTreeMap::new(), dependents: BTreeMap::new() };
        for (step, recipe) in builds {
            let open: Vec<&ImageName> =
                recipe.dependencies.keys().filter(|image| building.contains(image)).collect();
            if open.is_empty() {
                queue.ready.push_back((step, recipe));
            } else {
                queue.waiting.insert(&step.image, (open.len(), step, recipe));
            }
            for image in open {
                queue.dependents.entry(image).or_default().push(&step.image);
            }
        }
        queue
    }

    /// Returns how many builds were not handed out yet.
    fn len(&self) -> usize {
        self.ready.len() + self.waiting.len()
    }

    /// Returns a build that can begin, in the order of the plan.
    fn next(&mut self) -> Option<(&'a Step, &'a Recipe)> {
        self.ready.pop_front()
    }

    /// Takes note that an image is there.
    fn finish(&mut self, image: &ImageName) {
        for dependent in self.dependents.remove(image).unwrap_or_default() {
            let Some((open, step, recipe)) = self.waiting.get_mut(dependent) else { continue };
            *open -= 1;
            if *open == 0 {
                self.ready.push_back((*step, *recipe));
                self.waiting.remove(dependent);
            }
        }
    }
}

impl<R: Registry + 'static> Engine<R> {
    /// Builds every step of the plan that builds, and pushes the images by digest.
    ///
    /// What an earlier attempt built from the same versions is taken as it is. A build that fails stops
    /// those that have not begun.
    pub(crate) async fn build_all(
        &self,
        decided: &Decided,
        declared: &Declared,
        workshop: &mut Workshop,
    ) -> Result<BTreeMap<ImageName, Built>, EngineError> {
        let begin = Instant::now();
        let mut queue = Queue::new(decided.plan.builds());
        self.observer.tell(Event::Building { images: queue.len() });
        let mut done: BTreeMap<ImageName, Built> = BTreeMap::new();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < BUILDS_MAX
                && let Some((step, recipe)) = queue.next()
            {
                let order = self.order(step, recipe, decided, declared, &done)?;
                if let Some(finished) = workshop.finished.get(&step.image).filter(|one| is_same(one, &order))
                {
                    queue.finish(&step.image);
                    done.insert(step.image.clone(), finished.report.clone());
                    continue;
                }
                running.push(self.build_one(order, declared));
            }
            let Some(finished) = running.next().await else { break };
            let (image, finished) = finished?;
            queue.finish(&image);
            done.insert(image.clone(), finished.report.clone());
            workshop.finished.insert(image, finished);
        }
        self.phase("build", begin);
        Ok(done)
    }

    /// Collects what one image is built with.
    fn order<'a>(
        &self,
        step: &'a Step,
        recipe: &'a Recipe,
        decided: &Decided,
        declared: &'a Declared,
        done: &BTreeMap<ImageName, Built>,
    ) -> Result<Order<'a>, EngineError> {
        let missing = || EngineError::Bug(format!("{} is planned and not declared", step.image));
        let definition = declared.definition(&step.image).ok_or_else(missing)?;
        let mut with = BTreeMap::new();
        for (image, version) in &recipe.dependencies {
            let digest = match done.get(image) {
                Some(built) => built.digest,
                None => self.release(&decided.state, image, *version)?.digest,
            };
            with.insert(image.clone(), (*version, digest));
        }
        let version = step.to.ok_or_else(|| EngineError::Bug(format!("{} has no version", step.image)))?;
        let is_root = Some(&step.image) == decided.root();
        Ok(Order { image: &step.image, version, recipe, definition, with, is_root })
    }

    async fn build_one(
        &self,
        order: Order<'_>,
        declared: &Declared,
    ) -> Result<(ImageName, Finished), EngineError> {
        let begin = Instant::now();
        let (image, version) = (order.image.clone(), order.version);
        self.observer.tell(Event::BuildStarted { image: image.clone(), version });
        let built = self.build_with(&order, declared, None).await?;
        for warning in &built.warnings {
            self.note(format!("{image}: {warning}"));
        }
        let repository = self.name().image_repository(&image);
        let recipe =
            ringsite_build::push_recipe(&*self.registry, &repository, &built.descriptor(), &built.recipe)
                .await?;
        let (digest, duration) = (built.digest, begin.elapsed());
        self.observer.tell(Event::BuildDone { image: image.clone(), version, digest, duration });
        let report = Built {
            digest,
            built_by: built.recipe.built_by.clone(),
            built_at: self.clock.now(),
            recipe: Some(recipe.digest),
        };
        let with = order.with.into_iter().map(|(image, (_, digest))| (image, digest)).collect();
        Ok((image, Finished { version, recipe: order.recipe.clone(), with, built, report }))
    }

    /// Builds one image and pushes it by digest; with `inputs` of an older release, as that was built.
    pub(crate) async fn build_with(
        &self,
        order: &Order<'_>,
        declared: &Declared,
        inputs: Option<&Inputs>,
    ) -> Result<ringsite_build::Built, EngineError> {
        let Order { image, version, recipe, definition, with, is_root } = order;
        let inputs = match inputs {
            Some(inputs) => inputs.clone(),
            None => definition.inputs(&declared.lock)?,
        };
        let step = BuildStep {
            image: (*image).clone(),
            project: self.name().clone(),
            repository: self.name().image_repository(image),
            version: *version,
            labels: labels(&LabelRequest {
                project: self.name(),
                image,
                version: *version,
                revision: recipe.revision,
                vendor: inputs.vendor.as_deref(),
                dependencies: &recipe.dependencies,
                labels: &inputs.labels,
            }),
            platforms: definition.variants.clone(),
            epoch: inputs.epoch,
            sources: Arc::new(definition.sources.clone()),
            inputs,
            pins: if *is_root { Some(self.pins(with)?) } else { None },
        };
        let bases = self.bases(definition, declared, with).await?;
        let builder = AnyBuilder::choose(definition, &self.programs, &self.cache)?;
        let built = builder.build(&step, &definition.context, &bases, &*self.registry).await?;
        if self.working_copy()?.sbom.is_some() {
            let document = Bytes::from(ringsite_build::sbom(&built, &step, &bases));
            let image = built.descriptor();
            ringsite_build::push_sbom(&*self.registry, &step.repository, &image, document).await?;
        }
        Ok(built)
    }

    /// Returns what the root image says about every other image.
    fn pins(&self, with: &BTreeMap<ImageName, (Version, Digest)>) -> Result<Bytes, EngineError> {
        let images: serde_json::Map<String, serde_json::Value> = with
            .iter()
            .map(|(image, (version, digest))| {
                (image.to_string(), serde_json::json!({"version": version, "digest": digest}))
            })
            .collect();
        let mut pins = serde_json::json!({"schema": 1, "project": self.name(), "images": images});
        if let Some(source) = &self.working_copy()?.source {
            // Site artifacts name it, and they are made from the root image alone.
            pins["source"] = source.clone().into();
        }
        Ok(Bytes::from(canonical_json(&pins)))
    }

    /// Returns the images that one image is built from, all of them in our registry.
    async fn bases(
        &self,
        definition: &Definition,
        declared: &Declared,
        with: &BTreeMap<ImageName, (Version, Digest)>,
    ) -> Result<Bases, EngineError> {
        let mut bases = Bases::default();
        for image in &definition.dependencies {
            let (version, digest) = with.get(image).ok_or_else(|| {
                EngineError::Bug(format!("{} needs {image}, which has no release", definition.image))
            })?;
            let repository = self.name().image_repository(image);
            bases
                .project
                .insert(image.clone(), BaseImage { repository, digest: *digest, version: Some(*version) });
        }
        for external in &definition.externals {
            let digest = definition
                .external(&external.written, &declared.lock)
                .ok_or_else(|| EngineError::Bug(format!("{} is used and not pinned", external.reference)))?;
            let platforms = &definition.declaration.platforms;
            let digest = self.copy_of(&external.reference, Some(external), Some(digest), platforms).await?;
            let repository = ringsite_build::external_repository(self.name(), &external.reference)?;
            let copy = BaseImage { repository, digest, version: None };
            bases.external.insert(external.reference.clone(), copy);
        }
        Ok(bases)
    }

    /// Asks for every image that the entry will name, and pushes again what is gone: some registries
    /// remove manifests that no tag names.
    pub(crate) async fn reassure(
        &self,
        built: &BTreeMap<ImageName, Built>,
        workshop: &Workshop,
    ) -> Result<(), EngineError> {
        for (image, report) in built {
            let repository = self.name().image_repository(image);
            if self.registry.head_manifest(&repository, &report.digest.into()).await?.is_some() {
                continue;
            }
            let finished = workshop.finished.get(image).filter(|one| one.built.digest == report.digest);
            let again =
                finished.ok_or_else(|| EngineError::Bug(format!("{image} was built and is not kept")))?;
            let bytes = again.built.manifest.clone();
            self.registry
                .put_manifest(&repository, &Put::by_digest(), &again.built.media_type, bytes)
                .await?;
        }
        Ok(())
    }
}

/// Returns whether a finished build is what is asked for now.
fn is_same(finished: &Finished, order: &Order<'_>) -> bool {
    let with: BTreeMap<&ImageName, &Digest> =
        order.with.iter().map(|(image, (_, digest))| (image, digest)).collect();
    finished.version == order.version
        && finished.recipe == *order.recipe
        && finished.with.iter().collect::<BTreeMap<_, _>>() == with
}
