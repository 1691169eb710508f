//! The union of the layers of an image, of which only the environments and the images file are kept.
//!
//! | In a layer | Does to the layers below |
//! |--|--|
//! | file, link | takes the place of what had its name, a folder with all it holds |
//! | folder | takes the place of a file or a link; of a folder nothing changes |
//! | `.wh.NAME` | takes NAME away with all it holds |
//! | `.wh..wh..opq` | takes away everything in its folder |
//!
//! Whiteouts act on lower layers only, wherever they stand in their own. A hard link becomes a copy.
//! A symbolic link inside `/environments` is kept as such, so that whoever refers to it is refused
//! with his place; one that leaves it is refused here.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use crate::archive::{ArchiveError, ArchiveRule, Budget, Entries, Node, Scope, hostile, read};
use crate::names::{ENVIRONMENTS, IMAGES_FILE};
use crate::tree::Tree;

/// The union so far.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    tree: Tree,
    budget: Budget,
}

impl Overlay {
    /// Puts a layer on top, reading it to the end of its archive.
    pub(crate) fn apply(&mut self, layer: impl Read) -> Result<(), ArchiveError> {
        let entries = read(layer, Scope::Layer, &mut self.budget)?;
        for hidden in &entries.whiteouts {
            self.tree.remove_all(hidden);
        }
        for folder in &entries.opaques {
            self.tree.remove_below(folder);
        }
        merge(&mut self.tree, entries, &mut self.budget, check_link)
    }

    /// Returns the files below `/environments` and the content of the images file.
    pub(crate) fn finish(mut self) -> (Tree, Option<Vec<u8>>) {
        let images = self.tree.file(IMAGES_FILE).map(|file| file.bytes.to_vec());
        if let Some((top, _)) = IMAGES_FILE.split_once('/') {
            self.tree.remove_all(top);
        }
        (self.tree, images)
    }
}

/// Reads a site's artifact back into a tree.
///
/// # Errors
/// `ArchiveError` as for a layer.
pub(crate) fn unpack(reader: impl Read) -> Result<Tree, ArchiveError> {
    let mut budget = Budget::default();
    let entries = read(reader, Scope::Whole, &mut budget)?;
    let mut tree = Tree::new();
    merge(&mut tree, entries, &mut budget, |_, _| Ok(()))?;
    Ok(tree)
}

type LinkCheck = fn(path: &str, target: &str) -> Result<(), ArchiveError>;

fn merge(
    tree: &mut Tree,
    entries: Entries,
    budget: &mut Budget,
    check_link: LinkCheck,
) -> Result<(), ArchiveError> {
    let Entries { mut nodes, .. } = entries;
    resolve_hard_links(&mut nodes, tree, budget)?;
    for (path, node) in nodes {
        make_way(tree, &path, &node)?;
        let named = |_| hostile(path.as_bytes(), ArchiveRule::Name);
        match node {
            Node::Folder => {}
            Node::File { bytes, executable } => {
                tree.insert_shared(&path, bytes, executable).map_err(named)?
            }
            Node::Link { target } => {
                check_link(&path, &target)?;
                tree.insert_link(&path, &target).map_err(named)?;
            }
            Node::HardLink { .. } => unreachable!("hard links were resolved above"),
        }
    }
    Ok(())
}

/// Puts copies of their targets in the place of hard links. A target is a file of the same layer or
/// of one below; a chain of hard links has no meaning in tar.
fn resolve_hard_links(
    nodes: &mut BTreeMap<String, Node>,
    tree: &Tree,
    budget: &mut Budget,
) -> Result<(), ArchiveError> {
    let mut copies = Vec::new();
    for (path, node) in nodes.iter() {
        let Node::HardLink { target } = node else { continue };
        let (bytes, executable) = match (nodes.get(target), tree.file(target)) {
            (Some(Node::File { bytes, executable }), _) => (bytes, *executable),
            (None, Some(file)) => (&file.bytes, file.executable),
            _ => return Err(hostile(path.as_bytes(), ArchiveRule::LinkLeaves)),
        };
        budget.take_bytes(path.as_bytes(), bytes.len() as u64)?;
        copies.push((path.clone(), Node::File { bytes: Arc::clone(bytes), executable }));
    }
    nodes.extend(copies);
    Ok(())
}

/// Takes away what stands in the way of `path`; refuses a way through a link.
fn make_way(tree: &mut Tree, path: &str, node: &Node) -> Result<(), ArchiveError> {
    for (at, _) in path.match_indices('/') {
        let above = &path[..at];
        if tree.link(above).is_some() {
            return Err(hostile(path.as_bytes(), ArchiveRule::ThroughLink));
        }
        if tree.file(above).is_some() {
            tree.remove_all(above);
        }
    }
    if *node == Node::Folder {
        if tree.file(path).is_some() || tree.link(path).is_some() {
            tree.remove_all(path);
        }
    } else {
        tree.remove_all(path);
    }
    Ok(())
}

fn check_link(path: &str, target: &str) -> Result<(), ArchiveError> {
    let leaves = || hostile(path.as_bytes(), ArchiveRule::LinkLeaves);
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(leaves)?;
            }
            part => parts.push(part),
        }
    }
    if parts.first() == Some(&ENVIRONMENTS) && path != ENVIRONMENTS { Ok(()) } else { Err(leaves()) }
}
