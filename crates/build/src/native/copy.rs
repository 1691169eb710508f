//! `COPY` and `ADD`: from expanded words to the entries of a layer.

use std::sync::Arc;

use ringsite_images::{Context, EntryKind, Heredoc, SelectRequest, Selection, Sources, is_address};

use crate::archive::join;
use crate::base::{Index, View};
use crate::error::{BuildError, Place};
use crate::layer::{Content, Contents, Entry, Inline, hand_out_failed};
use crate::native::from_image::{Group, Wanted, select};
use crate::native::ownership::Ownership;
use crate::native::target::{Follow, Piece, Target, Written};

/// A `COPY` or `ADD` whose words are expanded.
#[derive(Clone, Debug)]
pub(crate) struct Transfer {
    /// The sources.
    pub(crate) sources: Vec<String>,
    /// Names and contents of heredocs.
    pub(crate) heredocs: Vec<(String, Vec<u8>)>,
    /// The destination: where it is in the image, and whether it was written as a folder.
    pub(crate) destination: Destination,
    /// Patterns that are left out.
    pub(crate) exclude: Vec<String>,
    /// Whether paths are kept.
    pub(crate) parents: bool,
}

/// Where something is copied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// The path in the image, relative, without `.` and `..`.
    pub(crate) path: String,
    /// Whether it was written with a `/` at its end.
    pub(crate) is_folder: bool,
}

impl Destination {
    /// Reads an expanded destination, relative to a folder.
    pub(crate) fn new(written: &str, working_dir: &str) -> Self {
        let whole =
            if written.starts_with('/') { written.to_owned() } else { format!("{working_dir}/{written}") };
        let is_folder =
            written.is_empty() || written.ends_with('/') || written == "." || written.ends_with("/.");
        Self { path: normalised(&whole), is_folder }
    }
}

/// Returns a path of an image, relative to its root, without `.` and `..`.
pub(crate) fn normalised(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Which sources of a recipe were found again.
#[derive(Clone, Debug)]
pub(crate) struct Used(Vec<bool>);

impl Used {
    /// Returns that none of the sources was found yet.
    pub(crate) fn none_of(sources: &Sources) -> Self {
        Self(vec![false; sources.files().len()])
    }

    /// Says that these were found.
    pub(crate) fn mark(&mut self, found: &[u32]) {
        for index in found {
            self.0[*index as usize] = true;
        }
    }

    /// Checks that every source was found.
    ///
    /// # Errors
    /// `SourceChanged` with the first that was not.
    pub(crate) fn check(&self, sources: &Sources) -> Result<(), BuildError> {
        match self.0.iter().position(|is_used| !is_used) {
            None => Ok(()),
            Some(index) => Err(BuildError::SourceChanged {
                path: sources.files()[index].path.clone(),
                reason: "it is gone, or has become something else".to_owned(),
            }),
        }
    }
}

/// What is noted while sources are looked for.
pub(crate) struct Notes<'n> {
    /// What may not be meant.
    pub(crate) warnings: &'n mut Vec<String>,
    /// Which sources of the recipe were found.
    pub(crate) found: &'n mut Vec<u32>,
}

/// Returns the groups of sources in the build context, and warnings.
///
/// # Errors
/// What the context says; `Instruction` for a source that the revision does not know.
pub(crate) fn context_groups(
    contents: &Contents,
    place: &Place,
    transfer: &Transfer,
    mut notes: Notes<'_>,
) -> Result<Vec<Group>, BuildError> {
    if transfer.sources.is_empty() {
        return Ok(Vec::new());
    }
    let request = SelectRequest {
        file: &place.file,
        line: place.line,
        sources: &transfer.sources,
        exclude: &transfer.exclude,
        parents: transfer.parents,
    };
    let selections = contents.context().select(&request)?;
    let mut cursor = Cursor { sources: &contents.sources, next: 0 };
    selections
        .into_iter()
        .map(|selection| context_group(contents.context(), &mut cursor, place, selection, &mut notes))
        .collect()
}

fn context_group(
    context: &Context,
    cursor: &mut Cursor<'_>,
    place: &Place,
    mut selection: Selection,
    notes: &mut Notes<'_>,
) -> Result<Group, BuildError> {
    let mut pieces = Vec::with_capacity(selection.entries.len());
    // One by one, so that a large context is not in memory twice.
    for entry in std::mem::take(&mut selection.entries) {
        let Some(index) = cursor.find(&entry.path, entry.kind) else {
            return Err(BuildError::SourceChanged {
                path: entry.path.clone(),
                reason: "it was not there, or was something else, when the revision was computed".to_owned(),
            });
        };
        notes.found.push(index);
        let (mode, content) = match entry.kind {
            EntryKind::Executable => (0o755, Content::Context(index)),
            EntryKind::Directory => (0o755, Content::Directory),
            EntryKind::Link => {
                let file = &cursor.sources.files()[index as usize];
                (0o777, Content::Symlink(context.link_target(file).map_err(hand_out_failed)?.into()))
            }
            EntryKind::File | EntryKind::Arguments => (0o644, Content::Context(index)),
        };
        if entry.mode & 0o7000 != 0 && content != Content::Directory {
            notes.warnings.push(format!(
                "{place}: the setuid, setgid and sticky bits of {} are dropped; --chmod sets them",
                entry.path
            ));
        }
        let below = selection.below(&entry).to_owned();
        pieces.push(Piece { below, mode, uid: 0, gid: 0, content });
    }
    let name = selection.source.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Group { name, kept: selection.kept, is_directory: selection.is_directory, pieces })
}

/// Finds files of a recipe; those that follow each other are found without searching.
struct Cursor<'s> {
    sources: &'s Sources,
    next: usize,
}

impl Cursor<'_> {
    fn find(&mut self, path: &str, kind: EntryKind) -> Option<u32> {
        let files = self.sources.files();
        let is_it =
            |index: usize| files.get(index).is_some_and(|file| file.path == path && file.kind == kind);
        let index = match is_it(self.next) {
            true => self.next,
            false => {
                files.binary_search_by(|file| (file.path.as_str(), file.kind).cmp(&(path, kind))).ok()?
            }
        };
        self.next = index + 1;
        u32::try_from(index).ok()
    }
}

/// Returns the groups of sources in an image or a stage.
///
/// # Errors
/// `Instruction` when a source is not there.
pub(crate) fn view_groups(view: &View, place: &Place, transfer: &Transfer) -> Result<Vec<Group>, BuildError> {
    if transfer.sources.is_empty() {
        return Ok(Vec::new());
    }
    let wanted =
        Wanted { place, sources: &transfer.sources, exclude: &transfer.exclude, parents: transfer.parents };
    select(view, &wanted)
}

/// Returns what an instruction writes on top of `view`, with archives already unpacked.
///
/// # Errors
/// `Instruction` when the destination cannot take it.
pub(crate) fn write(
    view: &View,
    place: &Place,
    ownership: Ownership,
    transfer: &Transfer,
    groups: Vec<Group>,
    archives: Vec<Index>,
) -> Result<Written, BuildError> {
    let mut target = Target::new(view, place, ownership);
    let destination = &transfer.destination;
    let files = groups.iter().filter(|group| !group.is_directory).count() + transfer.heredocs.len();
    let is_folder = destination.is_folder || transfer.parents || target.is_folder(&destination.path)?;
    if !is_folder && (files > 1 || (files == 1 && groups.len() + transfer.heredocs.len() > 1)) {
        let message = format!("several sources are copied to `/{}`, which is no folder", destination.path);
        return Err(BuildError::at(place, message, "write a `/` after the destination"));
    }
    let place_of_file = |name: &str| match is_folder {
        true => (join(&destination.path, name), Follow::Folders),
        false => (destination.path.clone(), Follow::Last),
    };
    target.reserve(groups.iter().map(|group| group.pieces.len() + 1).sum());
    for group in groups {
        let start = match (transfer.parents, group.is_directory) {
            (true, _) => (join(&destination.path, &group.kept), Follow::Folders),
            (false, true) => (destination.path.clone(), Follow::Folders),
            (false, false) => place_of_file(&group.name),
        };
        write_group(&mut target, &start, group)?;
    }
    for (name, bytes) in &transfer.heredocs {
        let (path, follow) = place_of_file(name);
        let content = Content::Inline(Inline::new(bytes.clone()));
        let piece = Piece { below: String::new(), mode: 0o644, uid: 0, gid: 0, content };
        target.put(&path, piece, follow)?;
    }
    for archive in archives {
        target.parent(&destination.path)?;
        for Entry { path, mode, uid, gid, content } in Arc::unwrap_or_clone(archive.entries) {
            let piece = Piece { below: String::new(), mode, uid, gid, content };
            if !path.is_empty() {
                target.put(&join(&destination.path, &path), piece, Follow::Folders)?;
            }
        }
    }
    target.finish()
}

fn write_group(target: &mut Target<'_>, start: &(String, Follow), group: Group) -> Result<(), BuildError> {
    let (start, follow) = start;
    let is_described = group.pieces.first().is_some_and(|piece| piece.below.is_empty());
    if group.is_directory && !is_described {
        let itself = Piece { below: String::new(), mode: 0o755, uid: 0, gid: 0, content: Content::Directory };
        put_folder(target, start, itself)?;
    }
    for mut piece in group.pieces {
        let path = join(start, &std::mem::take(&mut piece.below));
        match piece.content {
            Content::Directory => put_folder(target, &path, piece)?,
            _ => target.put(&path, piece, *follow)?,
        }
    }
    Ok(())
}

/// Writes a folder; the root of an image is always there.
fn put_folder(target: &mut Target<'_>, path: &str, piece: Piece) -> Result<(), BuildError> {
    if path.is_empty() { Ok(()) } else { target.put(path, piece, Follow::Folders) }
}

/// Returns the first source of an `ADD` that is an address.
pub(crate) fn address(transfer: &Transfer) -> Option<&str> {
    transfer.sources.iter().map(String::as_str).find(|source| is_address(source))
}

/// Returns the name and content of a heredoc.
pub(crate) fn heredoc_file(heredoc: &Heredoc, content: String) -> (String, Vec<u8>) {
    (heredoc.name.clone(), content.into_bytes())
}
