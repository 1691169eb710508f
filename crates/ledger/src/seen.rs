//! The newest head that this client has seen, kept in its own cache: the defence against rollback.
//!
//! A registry that was restored from a backup, or that lies, may answer with a head of last week.
//! Nothing in the registry can show that; a client that remembers can. The file is a cache: losing
//! it loses the protection until the next read, never the ledger.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ringsite_names::{Digest, ProjectName};
use serde::{Deserialize, Serialize};

use crate::names::SEEN_FILE_PREFIX;

/// A place in the chain: an entry's number and digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The number of the entry.
    pub sequence: u64,
    /// The digest of the entry.
    pub digest: Digest,
}

impl std::fmt::Display for Place {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "entry {} ({})", self.sequence, self.digest)
    }
}

/// The file that remembers the newest head of one ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    path: PathBuf,
    registry: String,
    project: ProjectName,
}

/// A memory that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SeenError {
    /// The disk says no.
    #[error("{action} `{}`, which remembers the newest ledger head: {source}", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("`{}` does not hold a ledger head ({reason}): remove the file to go on without its protection", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Record {
    schema: u32,
    registry: String,
    project: ProjectName,
    #[serde(flatten)]
    place: Place,
}

impl Seen {
    /// Returns the memory of the ledger of `project` in `registry` inside `folder`.
    ///
    /// `registry` is the address or path of the registry as the user gave it: two registries may
    /// hold two ledgers of one project.
    pub fn new(folder: &Path, registry: &str, project: &ProjectName) -> Self {
        let name = Digest::sha256(format!("{registry}\n{project}").as_bytes()).short(16);
        let path = folder.join(format!("{SEEN_FILE_PREFIX}{name}.json"));
        Self { path, registry: registry.to_owned(), project: project.clone() }
    }

    /// Returns the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the newest head that was seen; none when nothing is remembered.
    ///
    /// # Errors
    /// `Disk` when the file is there and cannot be read, `Content` when it holds something else.
    pub fn read(&self) -> Result<Option<Place>, SeenError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.disk("read", source)),
        };
        let content = |reason: String| SeenError::Content { path: self.path.clone(), reason };
        let record: Record = serde_json::from_slice(&text).map_err(|error| content(error.to_string()))?;
        if record.schema != 1 {
            return Err(content(format!("schema {} is not 1", record.schema)));
        }
        Ok(Some(record.place))
    }

    /// Remembers `place`. The file is replaced as a whole, so that no reader sees half of it.
    ///
    /// # Errors
    /// `Disk` when the folder or the file cannot be written.
    pub fn write(&self, place: Place) -> Result<(), SeenError> {
        let (registry, project) = (self.registry.clone(), self.project.clone());
        let record = Record { schema: 1, registry, project, place };
        let mut text = serde_json::to_vec(&record).expect("the record is JSON");
        text.push(b'\n');
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| self.disk("create the folder of", source))?;
        }
        let temporary = self.path.with_extension(format!("{}.tmp", std::process::id()));
        let written = std::fs::File::create(&temporary)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| std::fs::rename(&temporary, &self.path));
        written.map_err(|source| self.disk("write", source))
    }

    fn disk(&self, action: &'static str, source: std::io::Error) -> SeenError {
        SeenError::Disk { action, path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_remembered_for_each_registry_and_project() {
        let folder = tempfile::tempdir().unwrap();
        let project = ProjectName::new("acme/shop").unwrap();
        let cache = folder.path().join("cache");
        let seen = Seen::new(&cache, "a", &project);
        assert_eq!(seen.read().unwrap(), None);
        let place = Place { sequence: 7, digest: Digest::sha256(b"x") };
        seen.write(place).unwrap();
        assert_eq!(seen.read().unwrap(), Some(place));
        assert_eq!(Seen::new(&cache, "b", &project).read().unwrap(), None);
    }

    #[test]
    fn a_memory_that_holds_something_else_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let project = ProjectName::new("shop").unwrap();
        let seen = Seen::new(folder.path(), "a", &project);
        std::fs::write(&seen.path, "{}").unwrap();
        let error = seen.read().unwrap_err().to_string();
        assert!(error.contains("remove the file"), "{error}");
    }
}
