//! Reads tar archives of others without trusting them: every entry is judged before it is kept.
//!
//! Used for the layers of a root image and for a site's artifact. Nothing is written to a disk, and
//! memory is bounded by `limits.rs` whatever the archive says. Entries are read raw, so that long
//! names and PAX records are bounded too.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use tar::{EntryType, PaxExtensions};

use crate::limits::{
    EXTENDED_HEADER_BYTES_MAX, FILE_BYTES_MAX, LAYER_ENTRIES_MAX, LAYERS_UNPACKED_BYTES_MAX, TREE_BYTES_MAX,
    TREE_FILES_MAX,
};

/// A rule that a hostile or broken archive breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveRule {
    /// A name with `..` in it.
    #[error("its name goes up with `..`")]
    ParentReference,
    /// A name that begins with `/` and lies outside what is read.
    #[error("its name is absolute")]
    Absolute,
    /// A name that agents refuse.
    #[error("its name is not UTF-8, has a backslash or a control character, or is too long")]
    Name,
    /// A link that points outside what is read.
    #[error("it is a link that leaves the tree")]
    LinkLeaves,
    /// A name that goes through a link.
    #[error("its name goes through a link")]
    ThroughLink,
    /// A device, a pipe or something unknown.
    #[error("it is neither a file, a folder nor a link")]
    Special,
    /// The same name twice in one archive, or a file that is also a folder.
    #[error("its name occurs twice in one archive")]
    Duplicate,
    /// A whiteout of nothing that has a name.
    #[error("it is a whiteout without a proper name")]
    Whiteout,
    /// A sparse file, or sizes that contradict each other.
    #[error("it is sparse, or its sizes contradict each other")]
    Sparse,
    /// An extended header above its bound.
    #[error("its extended header has more than 64 KiB")]
    HeaderTooLarge,
    /// A file above its bound.
    #[error("it has more than 16 MiB")]
    FileTooLarge,
    /// All files together above their bound.
    #[error("all files together have more than 128 MiB")]
    TreeTooLarge,
    /// More files, folders and links than the bound.
    #[error("there are more than 50000 files, folders and links")]
    TooManyFiles,
    /// More entries than the bound.
    #[error("there are more than 4000000 entries")]
    TooManyEntries,
    /// More unpacked bytes than the bound.
    #[error("the archives unpack to more than 16 GiB")]
    Bomb,
}

/// An archive that is not read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An entry breaks a rule.
    #[error("entry `{path}`: {rule}")]
    Hostile {
        /// The name of the entry, cut after 200 characters.
        path: String,
        /// The rule.
        rule: ArchiveRule,
    },
    /// The archive is damaged.
    #[error("the archive is damaged: {0}")]
    Damaged(#[source] io::Error),
    /// The archive is compressed in a way that is not read here.
    #[error("the archive is compressed with zstd, and only plain and gzip archives are read")]
    Zstd,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File { bytes: Arc<[u8]>, executable: bool },
    Folder,
    Link { target: String },
    HardLink { target: String },
}

/// The entries of one archive that were asked for, and what it takes away from those below it.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) whiteouts: Vec<String>,
    pub(crate) opaques: Vec<String>,
}

/// What has been read so far, across the archives of one image.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    entries: usize,
    nodes: usize,
    bytes: u64,
    unpacked: u64,
}

impl Budget {
    /// Counts an entry that is kept.
    fn take_node(&mut self, name: &[u8]) -> Result<(), ArchiveError> {
        self.nodes += 1;
        if self.nodes > TREE_FILES_MAX { Err(hostile(name, ArchiveRule::TooManyFiles)) } else { Ok(()) }
    }

    /// Counts the content of a file that is kept; a hard link counts as the copy that it becomes.
    pub(crate) fn take_bytes(&mut self, name: &[u8], bytes: u64) -> Result<(), ArchiveError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > TREE_BYTES_MAX { Err(hostile(name, ArchiveRule::TreeTooLarge)) } else { Ok(()) }
    }
}

/// What is read of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The environments and the images file of a layer; whiteouts mean something.
    Layer,
    /// Every entry; whiteouts are ordinary names.
    Whole,
}

impl Scope {
    fn keeps(self, path: &str) -> bool {
        use crate::names::{ENVIRONMENTS, IMAGES_FILE};
        self == Self::Whole
            || path == ENVIRONMENTS
            || path.strip_prefix(ENVIRONMENTS).is_some_and(|rest| rest.starts_with('/'))
            || path == IMAGES_FILE
            || IMAGES_FILE.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// Reads the entries of a plain or gzip archive.
///
/// # Errors
/// `ArchiveError`, naming the first entry that breaks a rule.
pub(crate) fn read(reader: impl Read, scope: Scope, budget: &mut Budget) -> Result<Entries, ArchiveError> {
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let start = peek(&mut reader).map_err(ArchiveError::Damaged)?;
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(ArchiveError::Zstd);
    }
    if start.starts_with(&[0x1f, 0x8b]) {
        read_plain(MultiGzDecoder::new(reader), scope, budget)
    } else {
        read_plain(reader, scope, budget)
    }
}

fn peek<R: Read>(reader: &mut BufReader<R>) -> io::Result<Vec<u8>> {
    use std::io::BufRead;
    Ok(reader.fill_buf()?.iter().take(4).copied().collect())
}

/// Counts what is read and stops at the bound of the budget.
struct Bounded<'b, R> {
    inner: R,
    unpacked: &'b std::cell::Cell<u64>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let unpacked = self.unpacked.get() + read as u64;
        self.unpacked.set(unpacked);
        if unpacked > LAYERS_UNPACKED_BYTES_MAX {
            return Err(io::Error::other("above the bound of unpacked bytes"));
        }
        Ok(read)
    }
}

/// What extended headers say about the entry that follows them.
#[derive(Default)]
struct Extended {
    name: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

fn read_plain(reader: impl Read, scope: Scope, budget: &mut Budget) -> Result<Entries, ArchiveError> {
    let unpacked = std::cell::Cell::new(budget.unpacked);
    let damaged = |error: io::Error| match unpacked.get() > LAYERS_UNPACKED_BYTES_MAX {
        true => hostile(b"", ArchiveRule::Bomb),
        false => ArchiveError::Damaged(error),
    };
    let mut archive = tar::Archive::new(Bounded { inner: reader, unpacked: &unpacked });
    let mut found = Entries::default();
    let mut extended = Extended::default();
    for entry in archive.entries().map_err(damaged)?.raw(true) {
        let mut entry = entry.map_err(damaged)?;
        budget.entries += 1;
        let header_name = entry.path_bytes().into_owned();
        if budget.entries > LAYER_ENTRIES_MAX {
            return Err(hostile(&header_name, ArchiveRule::TooManyEntries));
        }
        let kind = entry.header().entry_type();
        let size = entry.header().entry_size().map_err(damaged)?;
        if matches!(kind, EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader) {
            if size > EXTENDED_HEADER_BYTES_MAX {
                return Err(hostile(&header_name, ArchiveRule::HeaderTooLarge));
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(damaged)?;
            extended.take(kind, &content).map_err(damaged)?;
            continue;
        }
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let this = std::mem::take(&mut extended);
        let name = this.name.unwrap_or(header_name);
        if kind == EntryType::GNUSparse || this.size.is_some_and(|said| said != size) {
            return Err(hostile(&name, ArchiveRule::Sparse));
        }
        let header_link = entry.header().link_name_bytes().map(std::borrow::Cow::into_owned);
        let link = this.link.or(header_link).unwrap_or_default();
        let head =
            Head { name: &name, kind, link: &link, size, mode: entry.header().mode().unwrap_or(0o644) };
        found.take(&head, scope, budget, &mut entry).map_err(|error| match error {
            ArchiveError::Damaged(error) => damaged(error),
            other => other,
        })?;
    }
    budget.unpacked = unpacked.get();
    Ok(found)
}

impl Extended {
    fn take(&mut self, kind: EntryType, content: &[u8]) -> io::Result<()> {
        let without_end = |bytes: &[u8]| bytes.strip_suffix(b"\0").unwrap_or(bytes).to_vec();
        match kind {
            EntryType::GNULongName => self.name = Some(without_end(content)),
            EntryType::GNULongLink => self.link = Some(without_end(content)),
            _ => {
                for record in PaxExtensions::new(content) {
                    let record = record?;
                    match record.key_bytes() {
                        b"path" => self.name = Some(record.value_bytes().to_vec()),
                        b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                        b"size" => {
                            let size = record.value().ok().and_then(|text| text.parse().ok());
                            self.size = Some(size.unwrap_or(u64::MAX));
                        }
                        key if key.starts_with(b"GNU.sparse.") => self.size = Some(u64::MAX),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is known about an entry before its content is read.
struct Head<'a> {
    name: &'a [u8],
    kind: EntryType,
    link: &'a [u8],
    size: u64,
    mode: u32,
}

impl Entries {
    fn take(
        &mut self,
        head: &Head<'_>,
        scope: Scope,
        budget: &mut Budget,
        content: &mut impl Read,
    ) -> Result<(), ArchiveError> {
        let Some(path) = normal(head.name, scope)? else { return Ok(()) };
        if scope == Scope::Layer && self.take_whiteout(&path, head)? {
            return Ok(());
        }
        if path.is_empty() || !scope.keeps(&path) {
            return Ok(());
        }
        budget.take_node(head.name)?;
        let is_folder =
            head.kind == EntryType::Directory || (head.kind.is_file() && head.name.ends_with(b"/"));
        let node = match head.kind {
            _ if is_folder => Node::Folder,
            EntryType::Regular | EntryType::Continuous => read_file(head, budget, content)?,
            EntryType::Symlink => Node::Link { target: link_text(head)? },
            EntryType::Link => Node::HardLink {
                target: normal(head.link, Scope::Whole)?
                    .ok_or_else(|| hostile(head.name, ArchiveRule::LinkLeaves))?,
            },
            _ => return Err(hostile(head.name, ArchiveRule::Special)),
        };
        let twice = match self.nodes.get(&path) {
            None => false,
            Some(Node::Folder) => node != Node::Folder,
            Some(_) => true,
        };
        if twice {
            return Err(hostile(head.name, ArchiveRule::Duplicate));
        }
        self.nodes.insert(path, node);
        Ok(())
    }

    /// Takes the entry as a whiteout, and returns whether it is one.
    fn take_whiteout(&mut self, path: &str, head: &Head<'_>) -> Result<bool, ArchiveError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(hidden) = name.strip_prefix(".wh.") else { return Ok(false) };
        match hidden {
            ".wh..opq" => self.opaques.push(folder.to_owned()),
            // Notes that old storage drivers leave for themselves.
            _ if hidden.starts_with(".wh.") => {}
            "" | "." | ".." => return Err(hostile(head.name, ArchiveRule::Whiteout)),
            _ if folder.is_empty() => self.whiteouts.push(hidden.to_owned()),
            _ => self.whiteouts.push(format!("{folder}/{hidden}")),
        }
        Ok(true)
    }
}

fn read_file(head: &Head<'_>, budget: &mut Budget, content: &mut impl Read) -> Result<Node, ArchiveError> {
    if head.size > FILE_BYTES_MAX {
        return Err(hostile(head.name, ArchiveRule::FileTooLarge));
    }
    budget.take_bytes(head.name, head.size)?;
    let mut bytes = Vec::new();
    content.take(head.size).read_to_end(&mut bytes).map_err(ArchiveError::Damaged)?;
    if bytes.len() as u64 != head.size {
        let cut = io::Error::new(io::ErrorKind::UnexpectedEof, "it ends inside a file");
        return Err(ArchiveError::Damaged(cut));
    }
    Ok(Node::File { bytes: bytes.into(), executable: head.mode & 0o111 != 0 })
}

fn link_text(head: &Head<'_>) -> Result<String, ArchiveError> {
    std::str::from_utf8(head.link).map(str::to_owned).map_err(|_| hostile(head.name, ArchiveRule::Name))
}

/// Returns the normal, relative form of a name; nothing for names outside the scope that need no
/// closer look because they are no text.
fn normal(name: &[u8], scope: Scope) -> Result<Option<String>, ArchiveError> {
    let parts = name.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let parts: Vec<&[u8]> = parts.collect();
    if parts.contains(&b"..".as_slice()) {
        return Err(hostile(name, ArchiveRule::ParentReference));
    }
    let joined = parts.join(&b'/');
    let Ok(path) = String::from_utf8(joined) else {
        let kept = scope == Scope::Whole || parts.first() == Some(&crate::names::ENVIRONMENTS.as_bytes());
        return if kept { Err(hostile(name, ArchiveRule::Name)) } else { Ok(None) };
    };
    if name.starts_with(b"/") && scope == Scope::Layer && !scope.keeps(&path) {
        return Err(hostile(name, ArchiveRule::Absolute));
    }
    Ok(Some(path))
}

pub(crate) fn hostile(name: &[u8], rule: ArchiveRule) -> ArchiveError {
    let text = String::from_utf8_lossy(name);
    ArchiveError::Hostile { path: text.chars().take(200).collect(), rule }
}
