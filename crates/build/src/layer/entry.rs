//! One entry of a layer, and where its content comes from.

use std::sync::Arc;

use ringsite_images::{RecipeEntry, Sources};
use ringsite_names::{Digest, RepositoryName};

/// One entry of a layer that is built, or of the index of a base layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path in the image, relative and cleaned; empty only for the root.
    pub(crate) path: Box<str>,
    /// Permission bits.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// What it is.
    pub(crate) content: Content,
}

/// What an entry is, and where the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A folder.
    Directory,
    /// A symbolic link with its target.
    Symlink(Box<str>),
    /// A device, pipe or socket of a base layer; never written.
    Device,
    /// A file of the build context, by its position in `Sources::files`.
    Context(u32),
    /// A file whose content is in memory: a heredoc, or the pins of the root image.
    Inline(Arc<Inline>),
    /// A file inside an archive: a layer of an image, or an archive that `ADD` unpacks.
    Stored(Arc<Stored>),
}

/// Content in memory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inline {
    /// The content.
    pub(crate) bytes: Vec<u8>,
    /// Its sha256.
    pub(crate) sha256: [u8; 32],
}

/// A file inside an archive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The archive.
    pub(crate) origin: Arc<Origin>,
    /// How many files stand before it in the archive.
    pub(crate) ordinal: u32,
    /// Size in bytes.
    pub(crate) bytes: u64,
    /// The sha256 of the content.
    pub(crate) sha256: [u8; 32],
}

/// Where an archive is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A layer in the registry.
    Blob {
        /// The repository that has it.
        repository: RepositoryName,
        /// The layer.
        digest: Digest,
    },
    /// A file of the build context, by its position in `Sources::files`.
    Context(u32),
}

impl Inline {
    /// Returns `bytes` as content.
    pub(crate) fn new(bytes: Vec<u8>) -> Arc<Self> {
        let sha256 = sha256(&bytes);
        Arc::new(Self { bytes, sha256 })
    }
}

/// Returns the raw sha256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    match Digest::sha256(bytes) {
        Digest::Sha256(raw) => raw,
        Digest::Sha512(_) => unreachable!("sha256 makes a sha256 digest"),
    }
}

impl Entry {
    /// Returns a folder that root owns, with the mode of every folder of ours.
    pub(crate) fn directory(path: impl Into<Box<str>>) -> Self {
        Self { path: path.into(), mode: 0o755, uid: 0, gid: 0, content: Content::Directory }
    }

    /// Returns whether it is a folder.
    pub(crate) fn is_directory(&self) -> bool {
        self.content == Content::Directory
    }

    /// Returns size and sha256 of the content: of the target for a link, nothing for a folder.
    pub(crate) fn identity(&self, sources: &Sources) -> (u64, [u8; 32]) {
        match &self.content {
            Content::Directory | Content::Device => (0, [0; 32]),
            Content::Symlink(target) => (target.len() as u64, sha256(target.as_bytes())),
            Content::Context(index) => {
                let file = source_file(sources, *index);
                (file.bytes, file.sha256)
            }
            Content::Inline(inline) => (inline.bytes.len() as u64, inline.sha256),
            Content::Stored(stored) => (stored.bytes, stored.sha256),
        }
    }

    /// Returns the size of the content in bytes.
    pub(crate) fn bytes(&self, sources: &Sources) -> u64 {
        match &self.content {
            Content::Context(index) => source_file(sources, *index).bytes,
            Content::Inline(inline) => inline.bytes.len() as u64,
            Content::Stored(stored) => stored.bytes,
            Content::Directory | Content::Device | Content::Symlink(_) => 0,
        }
    }

    /// Returns the letter that stands for the kind in cache keys and indexes.
    pub(crate) fn letter(&self) -> char {
        match self.content {
            Content::Directory => 'D',
            Content::Symlink(_) => 'L',
            Content::Device => 'N',
            Content::Context(_) | Content::Inline(_) | Content::Stored(_) => 'F',
        }
    }
}

/// Returns the file of a recipe at a position that planning has found.
pub(crate) fn source_file(sources: &Sources, index: u32) -> &RecipeEntry {
    &sources.files()[index as usize]
}
