//! Many layers seen as one tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::archive::join;
use crate::base::index::{Index, KEPT_FILES};
use crate::error::BuildError;
use crate::layer::{Content, Entry};
use crate::limits::LINKS_MAX;

/// The layers of an image or a stage, the base first.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    layers: Vec<Arc<Index>>,
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node<'v> {
    /// An entry of a layer.
    Entry(&'v Entry),
    /// A folder that no layer has an entry for, but something stands in it.
    Implied,
}

impl Node<'_> {
    /// Returns whether it is a folder.
    pub(crate) fn is_directory(&self) -> bool {
        match self {
            Self::Entry(entry) => entry.is_directory(),
            Self::Implied => true,
        }
    }
}

impl View {
    /// Puts a layer on top.
    pub(crate) fn push(&mut self, layer: Arc<Index>) {
        self.layers.push(layer);
    }

    /// Returns what stands at exactly `path`, without following links.
    pub(crate) fn node(&self, path: &str) -> Option<Node<'_>> {
        if path.is_empty() {
            return Some(Node::Implied);
        }
        let mut is_implied = false;
        for layer in self.layers.iter().rev() {
            match layer.entry(path) {
                Some(entry) if entry.is_directory() || !is_implied => return Some(Node::Entry(entry)),
                // Something was put below it above, so it became a folder there.
                Some(_) => return Some(Node::Implied),
                None => {}
            }
            is_implied |= layer.has_below(path);
            if layer.hides(path) {
                break;
            }
        }
        is_implied.then_some(Node::Implied)
    }

    /// Follows every link in `path`, also in its last part, as a process in the image would.
    ///
    /// The path need not exist; `..` above the root stays at the root.
    ///
    /// # Errors
    /// Rule `link-loop`.
    pub(crate) fn resolve(&self, path: &str) -> Result<String, BuildError> {
        let mut open: Vec<String> = parts_reversed(path);
        let mut real = String::new();
        let mut links = 0;
        while let Some(part) = open.pop() {
            if part == ".." {
                real.truncate(real.rfind('/').unwrap_or(0));
                continue;
            }
            let next = join(&real, &part);
            let target = match self.node(&next) {
                Some(Node::Entry(Entry { content: Content::Symlink(target), .. })) => target,
                _ => {
                    real = next;
                    continue;
                }
            };
            links += 1;
            if links > LINKS_MAX {
                let reason = format!("`/{path}` goes through more than {LINKS_MAX} links");
                return Err(BuildError::rule("the image below", "link-loop", reason));
            }
            if target.starts_with('/') {
                real.clear();
            }
            open.extend(parts_reversed(target));
        }
        Ok(real)
    }

    /// Returns everything below `folder`, by path, with entries for folders that have none.
    pub(crate) fn below(&self, folder: &str) -> BTreeMap<String, Entry> {
        let mut found: BTreeMap<String, Entry> = BTreeMap::new();
        for layer in &self.layers {
            let is_replaced = layer.entry(folder).is_some_and(|entry| !entry.is_directory());
            let is_opaque = layer.opaques.iter().any(|opaque| **opaque == *folder);
            if is_replaced || is_opaque || (!folder.is_empty() && layer.hides(folder)) {
                found.clear();
            }
            for opaque in &layer.opaques {
                remove_below(&mut found, opaque);
            }
            for whiteout in &layer.whiteouts {
                found.remove(&**whiteout);
                remove_below(&mut found, whiteout);
            }
            for entry in layer.below(folder) {
                if !entry.is_directory() {
                    remove_below(&mut found, &entry.path);
                }
                add_parents(&mut found, folder, &entry.path);
                found.insert(entry.path.to_string(), entry.clone());
            }
        }
        found
    }

    /// Returns the entries of the files that name users and groups, where an index has no copy.
    pub(crate) fn users(&self) -> Vec<&Entry> {
        let not_kept = |path: &&str| match self.kept(path) {
            Some(Kept::Entry(entry)) => Some(entry),
            Some(Kept::Bytes(_)) | None => None,
        };
        KEPT_FILES.iter().filter_map(not_kept).collect()
    }

    /// Returns the content of a small file that indexes keep, following links.
    pub(crate) fn kept(&self, path: &str) -> Option<Kept<'_>> {
        let real = self.resolve(path).ok()?;
        let Node::Entry(entry) = self.node(&real)? else { return None };
        for layer in self.layers.iter().rev() {
            if layer.entry(&real) == Some(entry) {
                return Some(match layer.kept.get(&*real) {
                    Some(bytes) => Kept::Bytes(bytes),
                    None => Kept::Entry(entry),
                });
            }
        }
        None
    }
}

/// The content of a small file: at hand, or to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kept<'v> {
    /// The index has it.
    Bytes(&'v [u8]),
    /// It is the content of this entry.
    Entry(&'v Entry),
}

fn parts_reversed(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

fn remove_below(found: &mut BTreeMap<String, Entry>, folder: &str) {
    if folder.is_empty() {
        found.clear();
        return;
    }
    let prefix = format!("{folder}/");
    let gone = found.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
    let gone: Vec<String> = gone.map(|(path, _)| path.clone()).collect();
    for path in gone {
        found.remove(&path);
    }
}

/// Adds the folders between `folder` and `path` that have no entry, or were something else.
fn add_parents(found: &mut BTreeMap<String, Entry>, folder: &str, path: &str) {
    let start = if folder.is_empty() { 0 } else { folder.len() + 1 };
    for (at, _) in path[start..].match_indices('/') {
        let parent = &path[..start + at];
        if !found.get(parent).is_some_and(Entry::is_directory) {
            found.insert(parent.to_owned(), Entry::directory(parent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(path: &str, target: &str) -> Entry {
        Entry { content: Content::Symlink(target.into()), ..Entry::directory(path) }
    }

    fn file(path: &str) -> Entry {
        Entry { content: Content::Device, ..Entry::directory(path) }
    }

    fn layer(mut entries: Vec<Entry>, whiteouts: &[&str], opaques: &[&str]) -> Arc<Index> {
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let boxed = |list: &[&str]| list.iter().map(|path| (*path).into()).collect();
        let index = Index::of_entries(entries);
        Arc::new(Index { whiteouts: boxed(whiteouts), opaques: boxed(opaques), ..index })
    }

    fn view(layers: Vec<Arc<Index>>) -> View {
        View { layers }
    }

    fn paths(view: &View, folder: &str) -> Vec<String> {
        view.below(folder).into_keys().collect()
    }

    #[test]
    fn upper_layers_hide_replace_and_take_away() {
        let lower = layer(vec![file("a/x"), file("a/y"), file("b"), file("c/d/e")], &[], &[]);
        let upper = layer(vec![file("a/z"), file("b/inside"), file("c")], &["a/x"], &[]);
        let view = view(vec![lower, upper]);
        assert_eq!(view.node("a/x"), None);
        assert!(view.node("a").unwrap().is_directory() && view.node("b").unwrap().is_directory());
        assert!(!view.node("c").unwrap().is_directory());
        assert_eq!(view.node("c/d/e"), None);
        assert_eq!(paths(&view, ""), ["a", "a/y", "a/z", "b", "b/inside", "c"]);
        assert_eq!(paths(&view, "a"), ["a/y", "a/z"]);
        assert_eq!(paths(&view, "c"), Vec::<String>::new());
    }

    #[test]
    fn an_opaque_folder_shows_nothing_from_below() {
        let lower = layer(vec![file("a/b/x"), file("a/y")], &[], &[]);
        let upper = layer(vec![file("a/b/z")], &[], &["a"]);
        let view = view(vec![lower, upper]);
        assert_eq!((view.node("a/b/x"), view.node("a/y")), (None, None));
        assert_eq!(paths(&view, ""), ["a", "a/b", "a/b/z"]);
        assert_eq!(paths(&view, "a/b"), ["a/b/z"]);
    }

    #[test]
    fn links_are_followed_in_every_part_and_never_out_of_the_image() {
        let entries = vec![
            link("bin", "usr/bin"),
            link("usr/bin/sh", "../../lib/sh"),
            link("up", "../../x"),
            link("abs", "/bin/."),
        ];
        let view = view(vec![layer(entries, &[], &[])]);
        for (path, real) in [
            ("bin/ls", "usr/bin/ls"),
            ("bin/sh", "lib/sh"),
            ("up/y", "x/y"),
            ("abs/z", "usr/bin/z"),
            ("none/../bin", "usr/bin"),
            ("../../bin", "usr/bin"),
            ("", ""),
        ] {
            assert_eq!(view.resolve(path).unwrap(), real, "{path}");
        }
    }

    #[test]
    fn links_that_lead_round_in_a_circle_are_refused() {
        let view = view(vec![layer(vec![link("a", "b/x"), link("b", "a")], &[], &[])]);
        assert!(matches!(view.resolve("a"), Err(BuildError::Base { rule: "link-loop", .. })));
    }
}
