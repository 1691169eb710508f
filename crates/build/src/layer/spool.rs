//! Files that were taken out of archives, in one nameless file on disk.
//!
//! An archive can only be read from its beginning, and the entries of a layer are sorted by path. So
//! what a layer needs is put aside first, in the order of the archive, and read from there. Names of
//! the archive never become names on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use ringsite_names::Hasher;

use crate::archive::{MemberKind, Reader};
use crate::error::BuildError;
use crate::layer::content::is_sha256;
use crate::layer::entry::{Content, Entry, Origin, Stored};
use crate::limits::READ_BYTES;

/// What was put aside, and where each file of it begins.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    file: Option<File>,
    length: u64,
    places: BTreeMap<(Arc<Origin>, u32), u64>,
}

/// The files of one archive that are needed, by their position in it.
pub(crate) type Needed = BTreeMap<Arc<Origin>, BTreeSet<u32>>;

/// Returns which files of which archives the entries need.
pub(crate) fn needed<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Needed {
    let mut needed = Needed::new();
    for entry in entries {
        if let Content::Stored(stored) = &entry.content {
            needed.entry(stored.origin.clone()).or_default().insert(stored.ordinal);
        }
    }
    needed
}

impl Spool {
    /// Takes files out of the archive `tar`, which is not compressed any more.
    ///
    /// # Errors
    /// The archive's rules; `Disk` when they cannot be put aside.
    pub(crate) fn take(
        &mut self,
        origin: &Arc<Origin>,
        ordinals: &BTreeSet<u32>,
        tar: &mut Reader<impl Read>,
    ) -> Result<(), BuildError> {
        let disk = |source| BuildError::Disk { action: "write", path: std::env::temp_dir(), source };
        if self.file.is_none() {
            self.file = Some(tempfile::tempfile().map_err(disk)?);
        }
        let mut buffer = vec![0; READ_BYTES];
        let mut ordinal = 0;
        while let Some(member) = tar.next()? {
            if member.kind != MemberKind::File {
                continue;
            }
            if ordinals.contains(&ordinal) {
                let start = self.length;
                self.length += self.copy(tar, &mut buffer)?;
                self.places.insert((origin.clone(), ordinal), start);
            }
            ordinal += 1;
        }
        Ok(())
    }

    fn copy(&mut self, tar: &mut Reader<impl Read>, buffer: &mut [u8]) -> Result<u64, BuildError> {
        let file = self.file.as_mut().expect("the file was made before anything is copied");
        let mut copied = 0;
        loop {
            let count = match tar.read(buffer) {
                Ok(0) => return Ok(copied),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(crate::archive::fail_read(tar.what(), error)),
            };
            let disk = |source| BuildError::Disk { action: "write", path: std::env::temp_dir(), source };
            file.write_all(&buffer[..count]).map_err(disk)?;
            copied += count as u64;
        }
    }

    /// Opens a file that was put aside; reading fails at the end when it is not what the index says.
    ///
    /// # Errors
    /// `Base` when the archive did not have it.
    pub(crate) fn open(&self, stored: &Stored) -> Result<impl Read + '_, BuildError> {
        let place = self.places.get(&(stored.origin.clone(), stored.ordinal));
        let (Some(offset), Some(file)) = (place, &self.file) else {
            let reason = format!("it does not have file {} that its index names", stored.ordinal);
            return Err(BuildError::rule(origin_text(&stored.origin), "truncated", reason));
        };
        Ok(SpooledFile {
            file,
            offset: *offset,
            left: stored.bytes,
            hasher: Some(Hasher::sha256()),
            sha256: stored.sha256,
        })
    }
}

/// Returns how errors call an archive.
pub(crate) fn origin_text(origin: &Origin) -> String {
    match origin {
        Origin::Blob { repository, digest } => format!("layer {digest} of {repository}"),
        Origin::Context(_) => "an archive of the build context".to_owned(),
    }
}

struct SpooledFile<'s> {
    file: &'s File,
    offset: u64,
    left: u64,
    hasher: Option<Hasher>,
    sha256: [u8; 32],
}

impl Read for SpooledFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            let digest = self.hasher.take().map(Hasher::finish);
            return match digest.is_none_or(|digest| is_sha256(&digest, &self.sha256)) || buffer.is_empty() {
                true => Ok(0),
                false => Err(io::Error::other(BuildError::SourceChanged {
                    path: PathBuf::from("archive").display().to_string(),
                    reason: "a file in it is not what its index says".to_owned(),
                })),
            };
        }
        let count = self.file.read_at(&mut buffer[..wanted], self.offset)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&buffer[..count]);
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}
