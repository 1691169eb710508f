//! Reads the containerfiles of all images, orders the images, and plans what each takes.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::ImageName;
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use super::ExternalUse;
use crate::context::Context;
use crate::environment::{Heritage, PlanRequest, Planned, Variant, plan};
use crate::limits::CONTAINERFILE_BYTES_MAX;
use crate::small_file::read_small;
use crate::{
    Arguments, Base, Containerfile, ImageDeclaration, Platform, Problem, Project, ProjectNames, ReadRequest,
    graph, normalise, parallel,
};

/// An image whose containerfile was read.
pub(super) struct Loaded<'p> {
    pub(super) declaration: &'p ImageDeclaration,
    pub(super) bytes: Vec<u8>,
    pub(super) context: Context,
    files: Vec<ReadFile>,
    pub(super) dependencies: BTreeSet<ImageName>,
}

/// A containerfile for one platform with what is needed of it.
struct ReadFile {
    platform: Platform,
    containerfile: Containerfile,
    target: usize,
    needed: Vec<usize>,
}

impl Loaded<'_> {
    pub(super) fn externals(&self) -> Vec<ExternalUse> {
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

    pub(super) fn arguments(&self) -> Arguments {
        Arguments { args: self.declaration.args.clone(), target: self.declaration.target.clone() }
    }
}

/// Reads the containerfiles of all images.
pub(super) fn load_all<'p>(project: &'p Project, problems: &mut Vec<Problem>) -> Vec<Loaded<'p>> {
    let names = project.names();
    let declarations: Vec<_> = project.images.values().collect();
    let loaded =
        parallel::map(&declarations, Vec::new, |buffer, declaration| load(declaration, &names, buffer));
    let mut good = Vec::with_capacity(loaded.len());
    for result in loaded {
        match result {
            Ok(loaded) => good.push(loaded),
            Err(found) => problems.extend(found),
        }
    }
    good
}

fn load<'p>(
    declaration: &'p ImageDeclaration,
    names: &ProjectNames,
    buffer: &mut Vec<u8>,
) -> Result<Loaded<'p>, Vec<Problem>> {
    let mut problems = Vec::new();
    let bare = Context::bare(&declaration.context, &declaration.context_written);
    let root = bare.open_root().map_err(|problem| vec![problem])?;
    let context = Context::new_below(&root, bare, &declaration.containerfile, buffer);
    let context = context.map_err(|found| problems.extend(found)).ok();
    let bytes = read_containerfile(&root, declaration, buffer).map_err(|problem| problems.push(problem)).ok();
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

fn read_containerfile(
    root: &OwnedFd,
    declaration: &ImageDeclaration,
    buffer: &mut Vec<u8>,
) -> Result<Vec<u8>, Problem> {
    let place = (root, declaration.context.as_path());
    let unreadable = |error: Errno| {
        let message = format!("the containerfile cannot be read: {}", std::io::Error::from(error));
        let help = "name a file that can be read as `containerfile` of the image";
        Problem::in_file(&declaration.containerfile_written, message, help)
    };
    match read_small(place, &declaration.containerfile, CONTAINERFILE_BYTES_MAX, buffer) {
        // What is too large is refused by whoever reads it.
        Ok(Some(bytes)) => Ok(bytes.to_vec()),
        Ok(None) => Err(unreadable(Errno::NOENT)),
        Err(error) => Err(unreadable(error)),
    }
}

/// Orders the images that were read; with a cycle, none.
pub(super) fn order<'p>(
    project: &Project,
    loaded: Vec<Loaded<'p>>,
    problems: &mut Vec<Problem>,
) -> Vec<Loaded<'p>> {
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
    let mut by_name: BTreeMap<_, _> =
        loaded.into_iter().map(|image| (image.declaration.name.clone(), image)).collect();
    match graph::order(&declared, &edges) {
        Ok(order) => order.iter().filter_map(|name| by_name.remove(name)).collect(),
        Err(cycle) => {
            problems.push(cycle_problem(project, &cycle, &by_name));
            Vec::new()
        }
    }
}

fn cycle_problem(
    project: &Project,
    cycle: &[ImageName],
    by_name: &BTreeMap<ImageName, Loaded<'_>>,
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
    let image = by_name.get(&cycle[start % cycle.len()]);
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
pub(super) struct PlannedImage<'p> {
    pub(super) loaded: Loaded<'p>,
    pub(super) externals: Vec<ExternalUse>,
    pub(super) variants: Vec<Variant>,
}

/// Finds out what each image takes from its context; an image comes after its dependencies.
pub(super) fn plan_all<'p>(order: Vec<Loaded<'p>>, problems: &mut Vec<Problem>) -> Vec<PlannedImage<'p>> {
    let mut heritages: BTreeMap<ImageName, Vec<(Platform, Heritage)>> = BTreeMap::new();
    let mut planned = Vec::with_capacity(order.len());
    for mut image in order {
        // Without its base nothing can be said about an image; what is wrong with the base is told.
        if image.bases().any(|base| !heritages.contains_key(base)) {
            continue;
        }
        let externals = image.externals();
        let mut variants = Vec::with_capacity(image.files.len());
        let mut own = Vec::with_capacity(image.files.len());
        let mut is_whole = true;
        for file in std::mem::take(&mut image.files) {
            match plan_file(&file, image.declaration, &heritages) {
                Ok(plan) => {
                    own.push((file.platform.clone(), plan.heritage));
                    let ReadFile { platform, containerfile, target, needed } = file;
                    variants.push(Variant { platform, containerfile, target, needed, stages: plan.stages });
                }
                Err(found) => {
                    problems.extend(found);
                    is_whole = false;
                }
            }
        }
        if is_whole {
            heritages.insert(image.declaration.name.clone(), own);
            planned.push(PlannedImage { loaded: image, externals, variants });
        }
    }
    planned
}

fn plan_file(
    file: &ReadFile,
    declaration: &ImageDeclaration,
    heritages: &BTreeMap<ImageName, Vec<(Platform, Heritage)>>,
) -> Result<Planned, Vec<Problem>> {
    let heritage_of = |name: &ImageName| {
        let all = heritages.get(name).map(Vec::as_slice).unwrap_or_default();
        let same = all.iter().find(|(platform, _)| *platform == file.platform);
        same.or(all.first()).map(|(_, heritage)| heritage.clone()).unwrap_or_default()
    };
    plan(&PlanRequest {
        containerfile: &file.containerfile,
        target: file.target,
        needed: &file.needed,
        arguments: &declaration.args,
        heritage_of: &heritage_of,
    })
}
