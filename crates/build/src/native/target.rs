//! Where copies land: destinations are resolved through the links of the image below, folders that
//! are missing are made, and what cannot be is refused.

use std::collections::{BTreeMap, HashMap};

use crate::archive::join;
use crate::base::{Node, View};
use crate::error::{BuildError, Place};
use crate::layer::{Content, Entry};
use crate::native::ownership::Ownership;

/// Something to be written, whose place is known by its requested path only.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The path below what is copied; empty for itself.
    pub(crate) below: String,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// What it is.
    pub(crate) content: Content,
}

/// What an instruction writes: its entries, and the folders below that each part must repeat.
pub(crate) type Written = (Vec<Entry>, BTreeMap<Box<str>, Entry>);

/// The entries of one instruction while they are collected.
#[derive(Debug)]
pub(crate) struct Target<'t> {
    view: &'t View,
    place: &'t Place,
    ownership: Ownership,
    /// Where requested folders really are.
    folders: HashMap<String, String>,
    entries: Vec<Entry>,
    /// Folders below that must be repeated, because their owner or mode is unusual.
    repeated: BTreeMap<Box<str>, Entry>,
}

/// Whether the flags of an instruction count for a folder that is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// It is on the way to what is copied: the owner counts.
    Parent,
    /// It is part of what is copied: owner and mode count.
    Copied { mode: u32, uid: u32, gid: u32 },
}

impl<'t> Target<'t> {
    /// Returns a target without entries over what is there already.
    pub(crate) fn new(view: &'t View, place: &'t Place, ownership: Ownership) -> Self {
        Self {
            view,
            place,
            ownership,
            folders: HashMap::from([(String::new(), String::new())]),
            entries: Vec::new(),
            repeated: BTreeMap::new(),
        }
    }

    /// Makes room for so many entries, because growing step by step takes twice the memory.
    pub(crate) fn reserve(&mut self, entries: usize) {
        self.entries.reserve_exact(entries);
    }

    /// Returns whether a folder stands at a path, links followed.
    ///
    /// # Errors
    /// Rule `link-loop`.
    pub(crate) fn is_folder(&self, path: &str) -> Result<bool, BuildError> {
        let real = self.view.resolve(path)?;
        Ok(self.view.node(&real).is_some_and(|node| node.is_directory()))
    }

    /// Writes a piece at `path`; with `follow` a link that stands there is followed.
    ///
    /// # Errors
    /// `Instruction` when something of another kind is in the way.
    pub(crate) fn put(&mut self, path: &str, piece: Piece, follow: Follow) -> Result<(), BuildError> {
        if piece.content == Content::Directory {
            let made = Made::Copied { mode: piece.mode, uid: piece.uid, gid: piece.gid };
            return self.folder(path, made).map(drop);
        }
        if piece.content == Content::Device {
            let reason = format!("`/{path}` is a device, pipe or socket");
            return Err(BuildError::rule("the image or stage of --from", "device", reason));
        }
        let resolved;
        let path = match follow {
            Follow::Last => {
                resolved = self.view.resolve(path)?;
                resolved.as_str()
            }
            Follow::Folders => path,
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let real = join(&self.parent(folder)?, name);
        if name.is_empty() || self.view.node(&real).is_some_and(|node| node.is_directory()) {
            let message = format!("`/{path}` is a folder in the image, and a file would take its place");
            return Err(BuildError::at(
                self.place,
                message,
                "write a `/` after the destination, or choose another",
            ));
        }
        let (uid, gid) = self.owner(piece.uid, piece.gid);
        let mode = match piece.content {
            Content::Symlink(_) => 0o777,
            _ => self.ownership.mode.unwrap_or(piece.mode),
        };
        self.entries.push(Entry { path: real.into(), mode, uid, gid, content: piece.content });
        Ok(())
    }

    /// Makes the folder that things are copied into, where it is missing.
    ///
    /// # Errors
    /// As [`Target::put`].
    pub(crate) fn parent(&mut self, path: &str) -> Result<String, BuildError> {
        if let Some(real) = self.folders.get(path) {
            return Ok(real.clone());
        }
        self.folder(path, Made::Parent)
    }

    fn owner(&self, uid: u32, gid: u32) -> (u32, u32) {
        self.ownership.owner.map_or((uid, gid), |owner| (owner.uid, owner.gid))
    }

    /// Returns where a requested folder really is, and makes what is missing of it.
    fn folder(&mut self, path: &str, made: Made) -> Result<String, BuildError> {
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let mut real = String::new();
        for end in ends {
            let requested = &path[..end];
            let made = if end == path.len() { made } else { Made::Parent };
            real = match self.folders.get(requested) {
                Some(known) if end < path.len() || made == Made::Parent => known.clone(),
                _ => {
                    let name = requested.rsplit('/').next().unwrap_or(requested);
                    let next = self.one_folder(&join(&real, name), made)?;
                    self.folders.insert(requested.to_owned(), next.clone());
                    next
                }
            };
        }
        Ok(real)
    }

    /// Looks at, or makes, one folder whose own folder is there.
    fn one_folder(&mut self, path: &str, made: Made) -> Result<String, BuildError> {
        let real = match self.view.node(path) {
            Some(Node::Entry(Entry { content: Content::Symlink(_), .. })) => self.view.resolve(path)?,
            _ => path.to_owned(),
        };
        let flags_count = self.ownership != Ownership::default() && made != Made::Parent;
        match self.view.node(&real) {
            Some(Node::Entry(entry)) if entry.is_directory() => {
                if flags_count {
                    let (uid, gid) = self.owner(entry.uid, entry.gid);
                    let mode = self.ownership.mode.unwrap_or(entry.mode);
                    self.entries.push(Entry { mode, uid, gid, ..entry.clone() });
                } else if is_unusual(entry) {
                    self.repeated.insert(entry.path.clone(), entry.clone());
                }
            }
            Some(Node::Implied) => {}
            Some(Node::Entry(_)) => {
                let message =
                    format!("`/{real}` is no folder in the image, and something would be put below it");
                return Err(BuildError::at(self.place, message, "choose another destination"));
            }
            None => {
                // The target of a link that leads nowhere may need folders of its own.
                if real != path {
                    let above = real.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
                    self.parent(&above)?;
                }
                self.make(&real, made);
            }
        }
        Ok(real)
    }

    fn make(&mut self, real: &str, made: Made) {
        let (mode, uid, gid) = match made {
            Made::Parent => (0o755, 0, 0),
            Made::Copied { mode, uid, gid } => (self.ownership.mode.unwrap_or(mode), uid, gid),
        };
        let (uid, gid) = self.owner(uid, gid);
        self.entries.push(Entry { path: real.into(), mode, uid, gid, content: Content::Directory });
    }

    /// Returns the entries sorted, none twice, and the folders to repeat in every part.
    ///
    /// # Errors
    /// `Instruction` when the instruction itself puts a file and a folder at one path.
    pub(crate) fn finish(mut self) -> Result<Written, BuildError> {
        // The last one counts, as if each were written in turn.
        self.entries.reverse();
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
        let mut clash = None;
        self.entries.dedup_by(|later, kept| {
            let is_same = later.path == kept.path;
            if is_same && later.is_directory() != kept.is_directory() {
                clash = Some(kept.path.clone());
            }
            is_same
        });
        match clash {
            Some(path) => {
                let message = format!("`/{path}` would be a file and a folder at once");
                Err(BuildError::at(self.place, message, "copy to different destinations"))
            }
            None => Ok((self.entries, self.repeated)),
        }
    }
}

/// Which links of a destination are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Those of the folders; what stands at the end is replaced.
    Folders,
    /// All, also the last part.
    Last,
}

/// Returns whether a folder differs from what a runtime makes of one that no entry describes.
pub(crate) fn is_unusual(entry: &Entry) -> bool {
    entry.is_directory() && (entry.mode != 0o755 || entry.uid != 0 || entry.gid != 0)
}
