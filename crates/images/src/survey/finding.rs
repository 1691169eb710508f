//! Finds the sources of all images and hashes what the cache does not know.

use std::path::Path;

use super::loading::PlannedImage;
use crate::cache::StatCache;
use crate::context::{Entry, SelectRequest, Selection, Spread};
use crate::environment::StepSources;
use crate::hashing::{Job, hash_all};
use crate::limits::IMAGES_TO_SHARE;
use crate::parallel;
use crate::stamp::Stamp;
use crate::{EntryKind, Problem, RecipeEntry, Sources};

/// The sources of an image, with the hashes that were known.
#[derive(Default)]
struct Found {
    /// The sources, when every hash was known.
    sources: Option<Sources>,
    files: Vec<RecipeEntry>,
    /// Files whose hash is not known: where each stands in `files`, where it really is, and what it
    /// was like.
    unread: Vec<(usize, String, Stamp)>,
}

/// What one thread keeps from image to image.
#[derive(Default)]
struct Worker {
    names: Vec<u8>,
    files: Vec<(RecipeEntry, Option<(String, Stamp)>)>,
}

/// Finds and hashes the sources of all images.
pub(super) fn find_all(
    planned: &[PlannedImage<'_>],
    cache: &StatCache,
    problems: &mut Vec<Problem>,
) -> Vec<Sources> {
    let spread = if planned.len() > IMAGES_TO_SHARE { Spread::Shared } else { Spread::Alone };
    let found = parallel::map(planned, Worker::default, |worker, image| find(image, cache, worker, spread));
    let mut images = Vec::with_capacity(found.len());
    for result in found {
        images.push(result.unwrap_or_else(|found| {
            problems.extend(found);
            Found::default()
        }));
    }
    let mut jobs = Vec::new();
    let mut places = Vec::new();
    for (context, image) in images.iter_mut().enumerate() {
        for (at, real, stamp) in image.unread.drain(..) {
            jobs.push(Job { context, real, stamp });
            places.push((context, at));
        }
    }
    let contexts: Vec<_> = planned.iter().map(|image| &image.loaded.context).collect();
    for ((image, at), result) in places.into_iter().zip(hash_all(&contexts, &jobs, cache)) {
        match result {
            Ok((stamp, sha256)) => {
                let entry = &mut images[image].files[at];
                (entry.sha256, entry.bytes, entry.kind) = (sha256, stamp.bytes, kind(&stamp));
            }
            Err(problem) => problems.push(problem),
        }
    }
    let sources = planned.iter().zip(images).map(|(image, found)| match found.sources {
        Some(sources) => sources,
        None => Sources::new(&image.loaded.bytes, image.loaded.arguments(), found.files),
    });
    sources.collect()
}

fn kind(stamp: &Stamp) -> EntryKind {
    match stamp.file_type() {
        rustix::fs::FileType::Symlink => EntryKind::Link,
        _ if stamp.is_executable() => EntryKind::Executable,
        _ => EntryKind::File,
    }
}

/// Finds the sources of one image, with the hashes that the cache knows.
fn find(
    image: &PlannedImage<'_>,
    cache: &StatCache,
    worker: &mut Worker,
    spread: Spread,
) -> Result<Found, Vec<Problem>> {
    let context = &image.loaded.context;
    let file = &image.loaded.declaration.containerfile_written;
    let mut seen: Vec<&StepSources> = Vec::new();
    let mut root = None;
    let mut problems = Vec::new();
    let files = &mut worker.files;
    files.clear();
    for step in image.variants.iter().flat_map(|variant| variant.stages.iter().flatten()) {
        let Some(sources) = &step.sources else { continue };
        if seen.contains(&sources) {
            continue;
        }
        seen.push(sources);
        let root = match &mut root {
            Some(root) => root,
            none => none.insert(context.open_root().map_err(|problem| vec![problem])?),
        };
        match context.select_below(root, (&mut worker.names, spread), &request(sources, file, step.step.line))
        {
            Ok(selections) => selections.into_iter().for_each(|selection| take(selection, cache, files)),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    if seen.len() > 1 || !files.is_sorted_by(|(a, _), (b, _)| a.path < b.path) {
        files.sort_by(|(a, _), (b, _)| (&a.path, a.kind).cmp(&(&b.path, b.kind)));
        files.dedup_by(|(a, _), (b, _)| a.path == b.path && a.kind == b.kind);
    }
    let mut found = Found { files: Vec::with_capacity(files.len()), ..Found::default() };
    for (at, (entry, unread)) in files.drain(..).enumerate() {
        found.files.push(entry);
        found.unread.extend(unread.map(|(real, stamp)| (at, real, stamp)));
    }
    if found.unread.is_empty() {
        let files = std::mem::take(&mut found.files);
        found.sources = Some(Sources::new(&image.loaded.bytes, image.loaded.arguments(), files));
    }
    Ok(found)
}

fn request<'a>(sources: &'a StepSources, file: &'a Path, line: u32) -> SelectRequest<'a> {
    let StepSources { sources, exclude, parents } = sources;
    SelectRequest { file, line, sources, exclude, parents: *parents }
}

/// Takes the files of one selection, with the hashes that the cache knows.
fn take(
    mut selection: Selection,
    cache: &StatCache,
    files: &mut Vec<(RecipeEntry, Option<(String, Stamp)>)>,
) {
    let entries = std::mem::take(&mut selection.entries);
    files.reserve(entries.len());
    for entry in entries {
        let (sha256, unread) = match entry.stamp.map(|stamp| (stamp, cache.find(&stamp))) {
            None => (RecipeEntry::of(EntryKind::Directory, "", b"").sha256, None),
            Some((_, Some(sha256))) => (sha256, None),
            Some((stamp, None)) => ([0; 32], Some((selection.real_path(&entry).into_owned(), stamp))),
        };
        let Entry { path, kind, bytes, .. } = entry;
        files.push((RecipeEntry { path, kind, bytes, sha256 }, unread));
    }
}
