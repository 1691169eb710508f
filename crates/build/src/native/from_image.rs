//! Sources of `COPY --from`: stages and images, seen through their views.

use ringsite_images::{Exclusions, Glob};

use crate::archive::join;
use crate::base::{Node, View};
use crate::error::{BuildError, Place};
use crate::layer::Entry;
use crate::native::target::Piece;

/// What one source, or one match of a pattern, brings.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The last part of the source's path.
    pub(crate) name: String,
    /// What `--parents` keeps of the path.
    pub(crate) kept: String,
    /// Whether it is a folder, so that its content is copied.
    pub(crate) is_directory: bool,
    /// What is in it; a folder begins with itself, unless the context does not say how it is.
    pub(crate) pieces: Vec<Piece>,
}

/// Sources to look for in a view.
pub(crate) struct Wanted<'w> {
    pub(crate) place: &'w Place,
    pub(crate) sources: &'w [String],
    pub(crate) exclude: &'w [String],
    pub(crate) parents: bool,
}

/// Finds what the sources mean in an image or a stage.
///
/// # Errors
/// `Instruction` when a source is not there.
pub(crate) fn select(view: &View, wanted: &Wanted<'_>) -> Result<Vec<Group>, BuildError> {
    let exclude = Exclusions::new(wanted.exclude.iter().map(String::as_str)).map_err(|message| {
        BuildError::at(wanted.place, format!("--exclude: {message}"), "write a pattern such as `*.md`")
    })?;
    let mut groups = Vec::new();
    for source in wanted.sources {
        let before =
            source.split_once("/./").filter(|_| wanted.parents).map_or(0, |(before, _)| depth(before));
        let paths = match Glob::is_pattern(source) {
            true => matches(view, source, wanted)?,
            false => vec![cleaned(source)],
        };
        let is_pattern = Glob::is_pattern(source);
        for path in paths {
            match group(view, &path, before, &exclude)? {
                Some(group) => groups.push(group),
                None if is_pattern => {}
                None => {
                    let message = format!("the source `{source}` is not in the image or stage of --from");
                    return Err(BuildError::at(wanted.place, message, "check the path in the other image"));
                }
            }
        }
    }
    if groups.is_empty() {
        let message = format!("nothing matches {}", wanted.sources.join(" "));
        return Err(BuildError::at(wanted.place, message, "check the patterns in the other image"));
    }
    Ok(groups)
}

fn cleaned(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

fn depth(path: &str) -> usize {
    cleaned(path).split('/').filter(|part| !part.is_empty()).count()
}

/// Returns the paths that match a pattern, sorted.
fn matches(view: &View, source: &str, wanted: &Wanted<'_>) -> Result<Vec<String>, BuildError> {
    let wrong = |message: String| {
        let message = format!("`{source}` is no pattern: {message}");
        BuildError::at(wanted.place, message, "write `\\\\` before a character that is meant as it is")
    };
    let clean = cleaned(source);
    let literal: Vec<_> = clean.split('/').take_while(|part| !Glob::is_pattern(part)).collect();
    let base = literal.join("/");
    let rest = clean[base.len()..].trim_start_matches('/');
    let pattern = if wanted.parents { Glob::deep(rest) } else { Glob::flat(rest) }.map_err(wrong)?;
    let real = view.resolve(&base)?;
    let start = if real.is_empty() { 0 } else { real.len() + 1 };
    let found = view.below(&real);
    let mut paths: Vec<String> = Vec::new();
    for path in found.keys().map(|path| &path[start..]).filter(|path| pattern.matches(path)) {
        let is_inside_last = paths.last().is_some_and(|last| {
            join(&base, path).strip_prefix(last.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        // What lies in a folder that matches comes with the folder.
        if !is_inside_last {
            paths.push(join(&base, path));
        }
    }
    Ok(paths)
}

/// Returns what a path brings; a source that is a link is followed.
fn group(view: &View, path: &str, before: usize, exclude: &Exclusions) -> Result<Option<Group>, BuildError> {
    let real = view.resolve(path)?;
    let Some(node) = view.node(&real) else { return Ok(None) };
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let kept = path.split('/').skip(before).collect::<Vec<_>>().join("/");
    let own = match node {
        Node::Entry(entry) => entry.clone(),
        Node::Implied => Entry::directory(real.as_str()),
    };
    let is_directory = own.is_directory();
    if !is_directory && exclude.excludes(&name) {
        return Ok(None);
    }
    let mut pieces = vec![piece(own, String::new())];
    if is_directory {
        let start = if real.is_empty() { 0 } else { real.len() + 1 };
        for (path, entry) in view.below(&real) {
            if !exclude.excludes(&path[start..]) {
                pieces.push(piece(entry, path[start..].to_owned()));
            }
        }
    }
    Ok(Some(Group { name, kept, is_directory, pieces }))
}

fn piece(entry: Entry, below: String) -> Piece {
    Piece { below, mode: entry.mode, uid: entry.uid, gid: entry.gid, content: entry.content }
}
