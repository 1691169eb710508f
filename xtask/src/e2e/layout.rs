//! Reads an OCI layout with nothing but `serde_json`: what any other tool would see.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::sandbox::{list_at, text_at};
use crate::error::{Result, TaskError};

/// The annotation that names what an index entry is.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A layout on disk.
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Returns the layout in a folder.
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Returns every name in the index with its digest, in the order of the index.
    ///
    /// # Errors
    /// There is no index, or it has another shape.
    pub(crate) fn names(&self) -> Result<Vec<(String, String)>> {
        let index = read_json(&self.folder.join("index.json"))?;
        let mut names = Vec::new();
        for entry in list_at(&index, "/manifests")? {
            let name = entry["annotations"][REF_NAME].as_str();
            if let Some(name) = name {
                names.push((name.to_owned(), text_at(entry, "/digest")?.to_owned()));
            }
        }
        Ok(names)
    }

    /// Returns the digest that a name stands for.
    ///
    /// # Errors
    /// The index does not have the name.
    pub(crate) fn digest(&self, name: &str) -> Result<String> {
        let names = self.names()?;
        let found = names.iter().find(|(found, _)| found == name).map(|(_, digest)| digest.clone());
        found.ok_or_else(|| {
            let known: Vec<&str> = names.iter().map(|(name, _)| &**name).collect();
            TaskError::new(format!("the layout has no `{name}`, it has {}", known.join(", ")))
        })
    }

    /// Returns a JSON document by digest.
    ///
    /// # Errors
    /// It is not there, or is not JSON.
    pub(crate) fn json(&self, digest: &str) -> Result<Value> {
        read_json(&self.blob(digest))
    }

    /// Returns where a blob is.
    pub(crate) fn blob(&self, digest: &str) -> PathBuf {
        self.folder.join("blobs").join(digest.replace(':', "/"))
    }
}

fn read_json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(TaskError::at("read", path))?;
    serde_json::from_slice(&bytes).map_err(TaskError::json(format!("read {}", path.display())))
}
