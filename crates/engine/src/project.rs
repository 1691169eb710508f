//! The working copy, surveyed: what is desired of each image, and what each is built from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use ringsite_images::{Definition, LockFile, Platform, Problem, Problems, StatCache, Survey};
use ringsite_names::{Digest, EnvironmentName, ImageName, Reference};
use ringsite_oci::Registry;
use ringsite_rings::{Desired, Release, State};
use ringsite_sites::Tree;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::names::STAT_CACHE;
use crate::recipes::{changed, read_recipe};
use crate::request::{Operation, StatCacheUse};
use crate::view::{ExternalView, ImageView, ImagesView, SourceView};

/// What the working copy declares, with every source hashed.
pub(crate) struct Declared {
    pub(crate) survey: Arc<Survey>,
    pub(crate) lock: LockFile,
    desired: Vec<Desired>,
}

impl Declared {
    /// Returns a survey with the pins of one recipe, for building that version again.
    pub(crate) fn of_recipe(survey: Arc<Survey>, lock: LockFile) -> Self {
        Self { survey, lock, desired: Vec::new() }
    }

    /// Returns what is desired of each image, in build order.
    pub(crate) fn desired(&self) -> &[Desired] {
        &self.desired
    }

    /// Returns one image.
    pub(crate) fn definition(&self, image: &ImageName) -> Option<&Definition> {
        self.survey.definition(image)
    }

    /// Returns what is desired, with words for what changed since the release that the ring holds.
    ///
    /// Only images whose revision or inputs differ cost a request each.
    pub(crate) async fn explained<R: Registry + 'static>(
        &self,
        engine: &Engine<R>,
        state: &State,
        operation: &Operation,
    ) -> Result<Vec<Desired>, EngineError> {
        let Operation::Release { ring, .. } = operation else { return Ok(self.desired.clone()) };
        let ring = ring.clone().unwrap_or_else(|| engine.first_ring(state));
        let mut explained = self.desired.clone();
        for desired in &mut explained {
            let held = state.cells(&ring).version(&desired.image);
            let Some(release) = held.and_then(|version| state.release(&desired.image, version)) else {
                continue;
            };
            if release.revision != desired.revision || release.inputs != desired.inputs {
                self.explain(engine, release, desired).await?;
            }
        }
        Ok(explained)
    }

    async fn explain<R: Registry + 'static>(
        &self,
        engine: &Engine<R>,
        release: &Release,
        desired: &mut Desired,
    ) -> Result<(), EngineError> {
        let repository = engine.name().image_repository(&desired.image);
        let Some(recipe) = read_recipe(&*engine.registry, &repository, release).await? else { return Ok(()) };
        let Some(definition) = self.definition(&desired.image) else { return Ok(()) };
        desired.detail.revision = changed(recipe.sources.entries(), definition.sources.entries());
        let inputs = definition.inputs(&self.lock)?;
        let (old, new) = (&recipe.inputs, &inputs);
        let mut words = differing("external", &old.externals, &new.externals);
        words.extend(differing("label", &old.labels, &new.labels));
        if old.vendor != new.vendor {
            words.push("vendor".into());
        }
        if old.platforms != new.platforms {
            words.push("platforms".into());
        }
        if old.epoch != new.epoch {
            words.push("source_date_epoch".into());
        }
        desired.detail.inputs = words;
        Ok(())
    }
}

fn differing<V: PartialEq>(what: &str, old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) -> Vec<String> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter().filter(|key| old.get(*key) != new.get(*key)).map(|key| format!("{what} {key}")).collect()
}

impl<R: Registry + 'static> Engine<R> {
    /// Surveys the working copy when `operation` looks at it, and pins what is not pinned yet.
    pub(crate) async fn declared_for(&self, operation: &Operation) -> Result<Option<Declared>, EngineError> {
        match operation {
            Operation::Release { .. } => {
                let project = self.working_copy()?;
                for note in &project.notes {
                    self.note(note.clone());
                }
                if project.sign.is_some() {
                    self.note("`[sign]` is set, and this version of ring does not sign: nothing that it publishes is signed");
                }
                self.check_environments()?;
                Ok(Some(self.declare().await?))
            }
            _ => Ok(None),
        }
    }

    /// Surveys the working copy, and pins external images that have no pin yet.
    pub(crate) async fn declare(&self) -> Result<Declared, EngineError> {
        let survey = self.survey().await?;
        let mut lock = LockFile::read(&self.working_copy()?.folder)?;
        self.pin_missing(&survey, &mut lock).await?;
        let desired = survey.desired(&lock)?;
        Ok(Declared { survey, lock, desired })
    }

    /// Surveys the working copy.
    ///
    /// On this thread where that is allowed: the survey allocates a lot, and the allocator grows the
    /// first thread's arena in large steps and every other one page by page.
    pub(crate) async fn survey(&self) -> Result<Arc<Survey>, EngineError> {
        let begin = Instant::now();
        let project = Arc::clone(self.working_copy()?);
        let (trust, path) = (self.sources.cache, self.cache.join(STAT_CACHE));
        let work = move || survey(&project, trust, &path);
        let survey = if Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
            tokio::task::block_in_place(work)?
        } else {
            let worker = tokio::task::spawn_blocking(work);
            worker.await.map_err(|error| EngineError::Bug(format!("the survey stopped: {error}")))??
        };
        self.phase("read the project", begin);
        Ok(Arc::new(survey))
    }

    /// Returns what is declared, without touching the registry.
    ///
    /// # Errors
    /// An image that is not declared; every problem of the project's files.
    pub fn images(&self, names: &[ImageName], sources: Listed) -> Result<ImagesView, EngineError> {
        let project = self.working_copy()?;
        if let Some(missing) = names.iter().find(|name| !project.images.contains_key(*name)) {
            let known: Vec<&str> = project.images.keys().map(ImageName::as_str).collect();
            return Err(EngineError::unknown(
                format!("there is no image `{missing}`"),
                format!("the images are {}", known.join(", ")),
            ));
        }
        let survey = survey(project, self.sources.cache, &self.cache.join(STAT_CACHE))?;
        let lock = LockFile::read(&self.working_copy()?.folder)?;
        let chosen = survey.definitions().iter().filter(|one| names.is_empty() || names.contains(&one.image));
        Ok(ImagesView { images: chosen.map(|one| image_view(&project.root, one, &lock, sources)).collect() })
    }

    /// Returns every problem of containerfiles, sources and environments; none when all is well.
    ///
    /// # Errors
    /// What this machine meets.
    pub fn check(&self) -> Result<Option<Problems>, EngineError> {
        let project = self.working_copy()?;
        let mut problems: Vec<Problem> = Vec::new();
        if let Err(found) = survey(project, self.sources.cache, &self.cache.join(STAT_CACHE)) {
            problems.extend(found.into_vec());
        }
        match self.check_environments() {
            Ok(()) => {}
            Err(EngineError::Environment(found)) => problems.extend(found.as_slice().iter().map(|one| {
                let place = if one.field.is_empty() { String::new() } else { format!("{}: ", one.field) };
                let file = project.folder.join(&one.file);
                Problem::in_file(&file, format!("{place}{}", one.message), one.help.clone())
            })),
            Err(EngineError::Problems(found)) => problems.extend(found.into_vec()),
            Err(error) => return Err(error),
        }
        Ok(Problems::check(problems).err())
    }

    /// Checks what the environments of the declared sites refer to, before anything is built.
    fn check_environments(&self) -> Result<(), EngineError> {
        let environments: BTreeSet<&EnvironmentName> =
            self.working_copy()?.configuration().sites().iter().map(|site| &site.environment).collect();
        if environments.is_empty() {
            return Ok(());
        }
        ringsite_sites::closures(&self.environments()?, environments)?;
        Ok(())
    }

    /// Reads the environments of the working copy, which the root image copies.
    fn environments(&self) -> Result<Tree, EngineError> {
        let mut tree = Tree::new();
        for file in self.working_copy()?.environment_files()? {
            tree.insert(&file.path, &file.bytes, file.is_executable)
                .map_err(|error| EngineError::unknown(error.to_string(), "rename the file"))?;
        }
        Ok(tree)
    }
}

/// Whether every source is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Yes.
    Yes,
    /// No.
    No,
}

fn survey(
    project: &ringsite_images::Project,
    trust: StatCacheUse,
    path: &std::path::Path,
) -> Result<Survey, Problems> {
    let mut cache = match trust {
        StatCacheUse::Trust => StatCache::open(path),
        StatCacheUse::Ignore => StatCache::disabled(),
    };
    let survey = project.survey(&cache)?;
    // The cache saves time only; a machine that cannot write it hashes again.
    let _ = cache.save();
    Ok(survey)
}

/// Returns the platforms for which an external image is needed.
pub(crate) fn platforms_of(survey: &Survey, reference: &Reference) -> Vec<Platform> {
    let uses = survey
        .definitions()
        .iter()
        .filter(|one| one.externals.iter().any(|use_| use_.reference == *reference));
    let platforms: BTreeSet<Platform> =
        uses.flat_map(|one| one.declaration.platforms.iter().cloned()).collect();
    platforms.into_iter().collect()
}

fn image_view(root: &ImageName, definition: &Definition, lock: &LockFile, sources: Listed) -> ImageView {
    let declaration = &definition.declaration;
    let variant = definition.variants.first().expect("an image has a platform");
    let stages = variant.needed.iter().map(|index| {
        let stage = &variant.containerfile.stages[*index];
        stage.name.clone().unwrap_or_else(|| index.to_string())
    });
    let needs_run = variant.first_run().is_some();
    ImageView {
        image: definition.image.to_string(),
        context: declaration.context_written.display().to_string(),
        containerfile: declaration.containerfile_written.display().to_string(),
        root: definition.image == *root,
        builder: match (declaration.builder.as_str(), needs_run) {
            ("auto", false) => "native".to_owned(),
            ("auto", true) => "external".to_owned(),
            (named, _) => named.to_owned(),
        },
        stages: stages.collect(),
        dependencies: definition.dependencies.iter().map(ToString::to_string).collect(),
        externals: definition
            .externals
            .iter()
            .map(|external| ExternalView {
                reference: external.reference.to_string(),
                digest: lock.digest(&external.reference).map(|digest| digest.to_string()),
            })
            .collect(),
        revision: definition.sources.revision().to_string(),
        // Without every pin the inputs are not known yet.
        inputs: definition.inputs(lock).map(|inputs| inputs.digest().to_string()).unwrap_or_default(),
        sources: match sources {
            Listed::No => Vec::new(),
            Listed::Yes => definition.sources.entries().iter().map(source_view).collect(),
        },
    }
}

fn source_view(entry: &ringsite_images::RecipeEntry) -> SourceView {
    SourceView {
        path: entry.path.clone(),
        kind: entry.kind.letter().to_string(),
        bytes: entry.bytes,
        sha256: Digest::Sha256(entry.sha256).to_hex(),
    }
}
