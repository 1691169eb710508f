//! Where the files of a layout lie, and how a layout comes to be.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::log;
use super::record::{Record, is_missing, read_bounded};
use crate::disk::unique_name;
use crate::error::OciError;
use crate::limits::{OCI_LAYOUT_BYTES_MAX, TMP_AGE_MAX};
use crate::names::{
    FILE_INDEX, FILE_LOCK, FILE_LOG, FILE_OCI_LAYOUT, FILE_PROJECTED, FOLDER_BLOBS, FOLDER_OWN, FOLDER_TMP,
};

const LAYOUT_VERSION: &str = "1.0.0";

/// The files of a layout.
#[derive(Debug)]
pub(super) struct Paths {
    pub(super) root: PathBuf,
    pub(super) oci_layout: PathBuf,
    pub(super) index: PathBuf,
    pub(super) own: PathBuf,
    pub(super) log: PathBuf,
    pub(super) projected: PathBuf,
    pub(super) lock: PathBuf,
    pub(super) tmp: PathBuf,
}

impl Paths {
    pub(super) fn new(root: PathBuf) -> Self {
        let own = root.join(FOLDER_OWN);
        Self {
            oci_layout: root.join(FILE_OCI_LAYOUT),
            index: root.join(FILE_INDEX),
            log: own.join(FILE_LOG),
            projected: own.join(FILE_PROJECTED),
            lock: own.join(FILE_LOCK),
            tmp: own.join(FOLDER_TMP),
            own,
            root,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct OciLayout {
    image_layout_version: String,
}

impl Record {
    /// Makes the folders that every write needs.
    ///
    /// # Errors
    /// `Invalid` for a folder that holds something else: nobody wants 4,000 files in a home folder.
    pub(super) fn make_layout(&self) -> Result<(), OciError> {
        let blobs = self.paths.root.join(FOLDER_BLOBS).join("sha256");
        if self.paths.tmp.is_dir() && blobs.is_dir() {
            return Ok(());
        }
        self.refuse_other_folder()?;
        self.disk.make_folders(&self.paths.tmp)?;
        self.disk.make_folders(&blobs)
    }

    fn refuse_other_folder(&self) -> Result<(), OciError> {
        let paths = &self.paths;
        if paths.own.exists() || paths.oci_layout.exists() || paths.index.exists() {
            return Ok(());
        }
        let entries = match fs::read_dir(&paths.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(OciError::disk("look into", &paths.root, source)),
        };
        // Another writer may be making the layout this very moment.
        let is_ours = |name: &std::ffi::OsStr| name == FOLDER_OWN || name == FOLDER_BLOBS;
        if entries.flatten().all(|entry| is_ours(&entry.file_name())) || paths.own.exists() {
            return Ok(());
        }
        Err(OciError::Invalid {
            what: paths.root.display().to_string(),
            reason: "it is neither an OCI image layout nor empty; choose another folder".to_owned(),
        })
    }

    /// Writes what makes the folder a layout; under the lock.
    pub(super) fn finish_layout(&self) -> Result<(), OciError> {
        let paths = &self.paths;
        match read_bounded(&paths.oci_layout, OCI_LAYOUT_BYTES_MAX)? {
            Some(bytes) => self.check_version(&bytes)?,
            None => {
                let layout = OciLayout { image_layout_version: LAYOUT_VERSION.to_owned() };
                let bytes = ringsite_names::canonical_json(&layout);
                self.disk.replace(&paths.tmp, &paths.oci_layout, &bytes)?;
            }
        }
        if !paths.log.exists() {
            // Without its log the note would call an `index.json` ours that is all we have.
            self.disk.remove(&paths.projected)?;
            let header = log::header(&unique_name());
            self.disk.replace(&paths.tmp, &paths.log, header.as_bytes())?;
        }
        self.clean_tmp();
        Ok(())
    }

    fn check_version(&self, bytes: &[u8]) -> Result<(), OciError> {
        let path = &self.paths.oci_layout;
        let layout: OciLayout = serde_json::from_slice(bytes).map_err(|error| {
            OciError::damaged_file(path, format!("{error}; remove it, it is written again"))
        })?;
        if layout.image_layout_version == LAYOUT_VERSION {
            return Ok(());
        }
        Err(OciError::Invalid {
            what: path.display().to_string(),
            reason: format!("layout version `{}`, expected `{LAYOUT_VERSION}`", layout.image_layout_version),
        })
    }

    /// Removes what broken writers left; a file that cannot be removed is somebody else's to care for.
    fn clean_tmp(&self) {
        let Ok(entries) = fs::read_dir(&self.paths.tmp) else { return };
        let now = SystemTime::now();
        for entry in entries.flatten() {
            let changed = entry.metadata().and_then(|found| found.modified());
            let age = changed.ok().and_then(|changed| now.duration_since(changed).ok());
            if age.is_some_and(|age| age > TMP_AGE_MAX) {
                match self.disk.remove(&entry.path()) {
                    Ok(_) => {}
                    Err(OciError::Disk { source, .. }) if is_missing(&source) => {}
                    Err(error) => tracing::warn!(%error, "an old unfinished file stays"),
                }
            }
        }
    }
}
