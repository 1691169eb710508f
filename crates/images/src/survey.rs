//! Looks at all images of a project at once: what each is built from, and in which order.
//!
//! Step 1 of the flow. Containerfiles are read, the graph is ordered, sources are found and hashed,
//! all in parallel, and all problems of all images are told together. Nothing is decided here, and
//! nothing outside the project folder is looked at: digests of external images come from the lock.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use ringsite_names::{Digest, ImageName, Reference};
use ringsite_rings::{Desired, Detail};

use crate::cache::StatCache;
use crate::context::{Context, Entry, SelectRequest, Selection};
use crate::environment::{Heritage, PlanRequest, PlannedStep, StepSources, Variant, plan};
use crate::graph;
use crate::hashing::{Job, hash_all};
use crate::limits::CONTAINERFILE_BYTES_MAX;
use crate::parallel;
use crate::stamp::Stamp;
use crate::{
    Arguments, Base, Containerfile, EntryKind, ImageDeclaration, Inputs, LockFile, Platform, Problem,
    Problems, Project, ProjectNames, ReadRequest, Recipe, RecipeEntry, RegistryLocation, Sources, normalise,
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
        let order = order(self, &loaded, &mut problems);
        let planned = plan_all(&order, &mut problems);
        let found = find_all(&planned, cache, &mut problems);
        Problems::check(problems)?;
        let definitions =
            planned.iter().zip(found).map(|(image, sources)| self.definition(image, sources, epoch));
        Ok(Survey { definitions: definitions.collect() })
    }

    fn definition(&self, image: &PlannedImage<'_>, sources: Sources, epoch: i64) -> Definition {
        let loaded = image.loaded;
        let name = loaded.declaration.name.clone();
        let others = || self.images.keys().filter(|other| **other != name).cloned().collect();
        Definition {
            pinned: if name == self.root { others() } else { loaded.dependencies.clone() },
            image: name,
            declaration: loaded.declaration.clone(),
            containerfile: loaded.bytes.clone(),
            context: loaded.context.clone(),
            variants: image.variants.clone(),
            sources,
            dependencies: loaded.dependencies.clone(),
            externals: loaded.externals(),
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

    /// Finds the files that a step of the image takes from the context, as they were when the
    /// revision was computed.
    ///
    /// # Errors
    /// Problems when the folder cannot be read any more, or holds a file that the revision does not
    /// have: `source changed while building`.
    pub fn select(&self, step: &PlannedStep) -> Result<Vec<Selection>, Vec<Problem>> {
        let Some(sources) = &step.sources else { return Ok(Vec::new()) };
        let file = &self.declaration.containerfile_written;
        let selections = self.context.select(&request(sources, file, step.step.line))?;
        let is_known = |entry: &Entry| {
            let known = self.sources.file(&entry.path, entry.kind);
            known.is_some_and(|known| known.bytes == entry.bytes || entry.kind == EntryKind::Directory)
        };
        let changed =
            selections.iter().flat_map(|selection| &selection.entries).filter(|entry| !is_known(entry));
        let problems: Vec<_> = changed
            .map(|entry| {
                let help = "wait until nothing writes into the project, and run the command again";
                Problem::in_file(&self.context.show(&entry.path), "source changed while building", help)
            })
            .collect();
        if problems.is_empty() { Ok(selections) } else { Err(problems) }
    }
}

/// An image whose containerfile was read.
struct Loaded<'p> {
    declaration: &'p ImageDeclaration,
    bytes: Vec<u8>,
    context: Context,
    files: Vec<ReadFile>,
    dependencies: BTreeSet<ImageName>,
}

/// A containerfile for one platform with what is needed of it.
struct ReadFile {
    platform: Platform,
    containerfile: Containerfile,
    target: usize,
    needed: Vec<usize>,
}

impl Loaded<'_> {
    fn externals(&self) -> Vec<ExternalUse> {
        let mut found = BTreeSet::new();
        for file in &self.files {
            for (written, line) in file.containerfile.externals(&file.needed) {
                // A name that is no reference was a problem when the file was read.
                if let Ok(reference) = normalise(&written) {
                    let file = file.containerfile.path.clone();
                    found.insert(ExternalUse { reference, written, file, line });
                }
            }
        }
        found.into_iter().collect()
    }

    /// Returns the images of the project that a needed stage begins with.
    fn bases(&self) -> impl Iterator<Item = &ImageName> {
        let stages = self
            .files
            .iter()
            .flat_map(|file| file.needed.iter().map(|&index| &file.containerfile.stages[index]));
        stages.filter_map(|stage| match &stage.base {
            Base::Project(image) => Some(image),
            _ => None,
        })
    }

    fn arguments(&self) -> Arguments {
        Arguments { args: self.declaration.args.clone(), target: self.declaration.target.clone() }
    }
}

fn load_all<'p>(project: &'p Project, problems: &mut Vec<Problem>) -> Vec<Loaded<'p>> {
    let names = project.names();
    let declarations: Vec<_> = project.images.values().collect();
    let loaded = parallel::map(&declarations, || (), |(), declaration| load(declaration, &names));
    let mut good = Vec::with_capacity(loaded.len());
    for result in loaded {
        match result {
            Ok(loaded) => good.push(loaded),
            Err(found) => problems.extend(found),
        }
    }
    good
}

fn load<'p>(declaration: &'p ImageDeclaration, names: &ProjectNames) -> Result<Loaded<'p>, Vec<Problem>> {
    let mut problems = Vec::new();
    let context =
        Context::new(&declaration.context, &declaration.context_written, &declaration.containerfile);
    let context = context.map_err(|found| problems.extend(found)).ok();
    let bytes = read_containerfile(declaration).map_err(|problem| problems.push(problem)).ok();
    let mut files = Vec::new();
    for platform in bytes.iter().flat_map(|_| &declaration.platforms) {
        let request = ReadRequest {
            path: &declaration.containerfile_written,
            bytes: bytes.as_deref().unwrap_or_default(),
            names,
            image: &declaration.name,
            arguments: &declaration.args,
            platform,
        };
        let read = Containerfile::read(&request).and_then(|containerfile| {
            let target =
                containerfile.target(declaration.target.as_deref()).map_err(|problem| vec![problem])?.index;
            let needed = containerfile.needed(target);
            Ok(ReadFile { platform: platform.clone(), containerfile, target, needed })
        });
        match read {
            Ok(file) => files.push(file),
            Err(found) => problems.extend(found),
        }
    }
    let dependencies = files.iter().flat_map(|file| file.containerfile.dependencies(&file.needed)).collect();
    match (context, bytes, problems.is_empty()) {
        (Some(context), Some(bytes), true) => Ok(Loaded { declaration, bytes, context, files, dependencies }),
        _ => Err(problems),
    }
}

fn read_containerfile(declaration: &ImageDeclaration) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::with_capacity(4 << 10);
    let limit = CONTAINERFILE_BYTES_MAX as u64 + 1;
    let read =
        File::open(&declaration.containerfile).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("the containerfile cannot be read: {error}");
            let help = "name a file that can be read as `containerfile` of the image";
            Err(Problem::in_file(&declaration.containerfile_written, message, help))
        }
    }
}

/// Orders the images that were read; with a cycle, as they were declared.
fn order<'l, 'p>(
    project: &Project,
    loaded: &'l [Loaded<'p>],
    problems: &mut Vec<Problem>,
) -> Vec<&'l Loaded<'p>> {
    let declared: Vec<_> = loaded.iter().map(|image| image.declaration.name.clone()).collect();
    let edges: BTreeMap<_, BTreeSet<_>> = loaded
        .iter()
        .map(|image| {
            let name = &image.declaration.name;
            let everything = || declared.iter().filter(|other| *other != name).cloned().collect();
            let all = if *name == project.root { everything() } else { image.dependencies.clone() };
            (name.clone(), all)
        })
        .collect();
    let by_name: BTreeMap<_, _> = loaded.iter().map(|image| (&image.declaration.name, image)).collect();
    match graph::order(&declared, &edges) {
        Ok(order) => order.iter().filter_map(|name| by_name.get(name).copied()).collect(),
        Err(cycle) => {
            problems.push(cycle_problem(project, &cycle, &by_name));
            Vec::new()
        }
    }
}

fn cycle_problem(
    project: &Project,
    cycle: &[ImageName],
    by_name: &BTreeMap<&ImageName, &Loaded<'_>>,
) -> Problem {
    // Begin after the root, which depends on all images and so is never the one to change.
    let start = cycle.iter().position(|image| *image == project.root).map_or(0, |at| at + 1);
    let turned: Vec<_> =
        cycle.iter().cycle().skip(start).take(cycle.len() + 1).map(ImageName::as_str).collect();
    let message = format!("images depend on each other in a circle: {}", turned.join(" -> "));
    let help = if start > 0 {
        format!(
            "take the use of {} out: the root image is built last and pins every other image",
            project.root
        )
    } else {
        "take one of these uses out".to_owned()
    };
    let image = by_name.get(&cycle[start % cycle.len()]).copied();
    let next = &cycle[(start + 1) % cycle.len()];
    let line = image.and_then(|image| {
        image.files.iter().find_map(|file| file.containerfile.dependency_line(&file.needed, next))
    });
    let file = image.map_or(&project.file, |image| &image.declaration.containerfile_written);
    let problem = Problem::in_file(file, message, help);
    match line {
        Some(line) => problem.at_line(line),
        None => problem,
    }
}

/// An image whose sources are known by name.
struct PlannedImage<'l> {
    loaded: &'l Loaded<'l>,
    variants: Vec<Variant>,
}

fn plan_all<'l>(order: &[&'l Loaded<'l>], problems: &mut Vec<Problem>) -> Vec<PlannedImage<'l>> {
    let mut heritages: BTreeMap<&ImageName, Vec<(Platform, Heritage)>> = BTreeMap::new();
    let mut planned = Vec::with_capacity(order.len());
    for image in order {
        // Without its base nothing can be said about an image; what is wrong with the base is told.
        if image.bases().any(|base| !heritages.contains_key(base)) {
            continue;
        }
        let count = problems.len();
        let mut variants = Vec::with_capacity(image.files.len());
        let mut own = Vec::with_capacity(image.files.len());
        for file in &image.files {
            let heritage_of = |name: &ImageName| {
                let all = heritages.get(name).map(Vec::as_slice).unwrap_or_default();
                let same = all.iter().find(|(platform, _)| *platform == file.platform);
                same.or(all.first()).map(|(_, heritage)| heritage.clone()).unwrap_or_default()
            };
            let request = PlanRequest {
                containerfile: &file.containerfile,
                target: file.target,
                needed: &file.needed,
                arguments: &image.declaration.args,
                heritage_of: &heritage_of,
            };
            match plan(&request) {
                Ok(plan) => {
                    own.push((file.platform.clone(), plan.heritage));
                    variants.push(Variant {
                        platform: file.platform.clone(),
                        containerfile: file.containerfile.clone(),
                        target: file.target,
                        needed: file.needed.clone(),
                        stages: plan.stages,
                    });
                }
                Err(found) => problems.extend(found),
            }
        }
        if problems.len() == count {
            heritages.insert(&image.declaration.name, own);
            planned.push(PlannedImage { loaded: image, variants });
        }
    }
    planned
}

fn request<'a>(sources: &'a StepSources, file: &'a std::path::Path, line: u32) -> SelectRequest<'a> {
    SelectRequest {
        file,
        line,
        sources: &sources.sources,
        exclude: &sources.exclude,
        parents: sources.parents,
    }
}

/// A file of an image that was found, hashed or not.
struct Found {
    entry: RecipeEntry,
    /// Where it really is and what it was like, when it still has to be read.
    unread: Option<(String, Stamp)>,
}

/// Finds and hashes the sources of all images.
fn find_all(planned: &[PlannedImage<'_>], cache: &StatCache, problems: &mut Vec<Problem>) -> Vec<Sources> {
    let found = parallel::map(planned, || (), |(), image| find(image, cache));
    let mut images = Vec::with_capacity(found.len());
    for result in found {
        images.push(result.unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        }));
    }
    let mut jobs = Vec::new();
    let mut places = Vec::new();
    for (context, files) in images.iter_mut().enumerate() {
        for (at, file) in files.iter_mut().enumerate() {
            if let Some((real, stamp)) = file.unread.take() {
                jobs.push(Job { context, real, stamp });
                places.push((context, at));
            }
        }
    }
    let contexts: Vec<_> = planned.iter().map(|image| &image.loaded.context).collect();
    for ((image, at), result) in places.into_iter().zip(hash_all(&contexts, &jobs, cache)) {
        match result {
            Ok((stamp, sha256)) => {
                let entry = &mut images[image][at].entry;
                (entry.sha256, entry.bytes, entry.kind) = (sha256, stamp.bytes, kind(&stamp));
            }
            Err(problem) => problems.push(problem),
        }
    }
    let done: Vec<_> = planned.iter().zip(images).collect();
    parallel::map(
        &done,
        || (),
        |(), (image, files)| {
            let files = files.iter().map(|file| file.entry.clone()).collect();
            Sources::new(&image.loaded.bytes, image.loaded.arguments(), files)
        },
    )
}

fn kind(stamp: &Stamp) -> EntryKind {
    match stamp.file_type() {
        rustix::fs::FileType::Symlink => EntryKind::Link,
        _ if stamp.is_executable() => EntryKind::Executable,
        _ => EntryKind::File,
    }
}

/// Finds the sources of one image, with the hashes that the cache knows.
fn find(image: &PlannedImage<'_>, cache: &StatCache) -> Result<Vec<Found>, Vec<Problem>> {
    let mut seen: Vec<&StepSources> = Vec::new();
    let mut problems = Vec::new();
    let mut files: Vec<Found> = Vec::new();
    let file = &image.loaded.declaration.containerfile_written;
    for step in image.variants.iter().flat_map(|variant| variant.stages.iter().flatten()) {
        let Some(sources) = &step.sources else { continue };
        if seen.contains(&sources) {
            continue;
        }
        seen.push(sources);
        match image.loaded.context.select(&request(sources, file, step.step.line)) {
            Ok(selections) => selections.into_iter().for_each(|selection| take(selection, cache, &mut files)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    files.sort_unstable_by(|a, b| (&a.entry.path, a.entry.kind).cmp(&(&b.entry.path, b.entry.kind)));
    files.dedup_by(|a, b| a.entry.path == b.entry.path && a.entry.kind == b.entry.kind);
    Ok(files)
}

/// Takes the files of one selection, with the hashes that the cache knows.
fn take(mut selection: Selection, cache: &StatCache, files: &mut Vec<Found>) {
    for entry in std::mem::take(&mut selection.entries) {
        let known = entry.stamp.map(|stamp| (stamp, cache.find(&stamp)));
        let (sha256, unread) = match known {
            None => (RecipeEntry::of(EntryKind::Directory, "", b"").sha256, None),
            Some((_, Some(sha256))) => (sha256, None),
            Some((stamp, None)) => ([0; 32], Some((selection.real_path(&entry).into_owned(), stamp))),
        };
        let Entry { path, kind, bytes, .. } = entry;
        files.push(Found { entry: RecipeEntry { path, kind, bytes, sha256 }, unread });
    }
}
