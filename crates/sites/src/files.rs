//! Delivery as `files`: the tree of a site in a folder of its own below an output folder.
//!
//! A site's folder is replaced as a whole: everything is written beside it, made durable, and then
//! takes its place by renaming. Readers see the old tree or the new one; on Linux there is no moment
//! without one. What the last placement wrote goes away with it. A folder that we did not write, or
//! that holds something that we did not write, is not touched.
//!
//! Blocking: call it from a thread that may wait.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ringsite_names::{Digest, SiteName};
use serde::{Deserialize, Serialize};

use crate::limits::MARKER_BYTES_MAX;
use crate::names::DELIVERY_MARKER;
use crate::tree::Tree;

/// A tree that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The folder holds something that we did not write.
    #[error("{} holds what ring did not write: {}", folder.display(), found.join(", "))]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// The first foreign files.
        found: Vec<String>,
    },
    /// The note of what we wrote is damaged, or of a newer program.
    #[error("{} is not readable: {reason}", marker.display())]
    Marker {
        /// The note.
        marker: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk or its permissions stand in the way.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl DeliverError {
    /// Returns what to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "move it away, or choose another folder with --output",
            Self::Marker { .. } => "move the folder away; it is then written anew",
            Self::Disk { .. } => "repair the disk or its permissions and run the same command again",
        }
    }

    fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Disk { action, path, source }
    }
}

/// What was delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The site's folder.
    pub folder: PathBuf,
    /// Whether anything was written.
    pub changed: bool,
}

/// The note in a folder that we wrote.
#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    schema: u32,
    site: SiteName,
    digest: Digest,
    files: BTreeSet<String>,
}

const MARKER_SCHEMA: u32 = 1;

/// Files that an error names.
const FOREIGN_LISTED_MAX: usize = 5;

/// Writes the tree of the artifact `digest` to `<output>/<site>`.
///
/// Order of writes: the new folder beside the old one, synced; the exchange of the two; the old
/// folder is removed. A crash leaves a hidden folder that the next call removes.
///
/// # Errors
/// `Foreign` when the folder holds what we did not write; `Marker`; `Disk`.
pub fn deliver_files(
    output: &Path,
    site: &SiteName,
    digest: Digest,
    tree: &Tree,
) -> Result<Delivered, DeliverError> {
    fs::create_dir_all(output).map_err(DeliverError::disk("create", output))?;
    let _lock = lock(output, site)?;
    let folder = output.join(site.as_str());
    let hidden = |kind: &str| output.join(format!(".ringsite-{site}.{kind}"));
    let (new, old) = (hidden("new"), hidden("old"));
    for leftover in [&new, &old] {
        remove(leftover)?;
    }
    let exists = check_is_ours(&folder)?;
    if exists && is_delivered(&folder, digest, tree)? {
        return Ok(Delivered { folder, changed: false });
    }
    write_tree(&new, tree, Durable::Yes)?;
    let files = tree.files().map(|(path, _)| path.clone()).collect();
    let marker = Marker { schema: MARKER_SCHEMA, site: site.clone(), digest, files };
    write_file(&new.join(DELIVERY_MARKER), &ringsite_names::canonical_json(&marker), false, Durable::Yes)?;
    sync_folder(&new)?;
    if exists {
        exchange(&new, &folder, &old)?;
    } else {
        fs::rename(&new, &folder).map_err(DeliverError::disk("rename to", &folder))?;
    }
    sync_folder(output)?;
    remove(&new)?;
    remove(&old)?;
    Ok(Delivered { folder, changed: true })
}

/// Holds the site's folder for this process; the lock goes with the file handle.
fn lock(output: &Path, site: &SiteName) -> Result<File, DeliverError> {
    let path = output.join(format!(".ringsite-{site}.lock"));
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(DeliverError::disk("open", &path))?;
    file.lock().map_err(DeliverError::disk("lock", &path))?;
    Ok(file)
}

/// Puts `new` in the place of `folder`: in one step where the file system can, else in two with the
/// old folder kept until the new one stands.
fn exchange(new: &Path, folder: &Path, old: &Path) -> Result<(), DeliverError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        if renameat_with(CWD, new, CWD, folder, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
    }
    fs::rename(folder, old).map_err(DeliverError::disk("rename", folder))?;
    fs::rename(new, folder).map_err(|source| {
        // The old tree goes back; when even that fails, the error tells where it stands.
        let _ = fs::rename(old, folder);
        DeliverError::Disk { action: "rename to", path: folder.to_owned(), source }
    })
}

/// Returns whether the folder is there, and refuses one that holds what we did not write.
fn check_is_ours(folder: &Path) -> Result<bool, DeliverError> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(DeliverError::disk("look at", folder)(error)),
        Ok(metadata) if !metadata.is_dir() => {
            let found = vec!["it is no folder".to_owned()];
            return Err(DeliverError::Foreign { folder: folder.to_owned(), found });
        }
        Ok(_) => {}
    }
    let mut known = read_marker(folder)?.map(|marker| marker.files).unwrap_or_default();
    known.insert(DELIVERY_MARKER.to_owned());
    let present = list(folder)?;
    let found: Vec<String> =
        present.into_iter().filter(|path| !known.contains(path)).take(FOREIGN_LISTED_MAX).collect();
    if found.is_empty() { Ok(true) } else { Err(DeliverError::Foreign { folder: folder.to_owned(), found }) }
}

fn read_marker(folder: &Path) -> Result<Option<Marker>, DeliverError> {
    let path = folder.join(DELIVERY_MARKER);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DeliverError::disk("open", &path)(error)),
    };
    let mut bytes = Vec::new();
    file.take(MARKER_BYTES_MAX).read_to_end(&mut bytes).map_err(DeliverError::disk("read", &path))?;
    let wrong = |reason: String| DeliverError::Marker { marker: path.clone(), reason };
    let marker: Marker = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    match marker.schema {
        MARKER_SCHEMA => Ok(Some(marker)),
        other => Err(wrong(format!("it has schema {other}, expected {MARKER_SCHEMA}"))),
    }
}

/// Every path below `folder` that is no folder; links count as what they are and are not followed.
fn list(folder: &Path) -> Result<BTreeSet<String>, DeliverError> {
    let mut found = BTreeSet::new();
    let mut open = vec![(folder.to_owned(), String::new())];
    while let Some((here, prefix)) = open.pop() {
        for entry in fs::read_dir(&here).map_err(DeliverError::disk("list", &here))? {
            let entry = entry.map_err(DeliverError::disk("list", &here))?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(DeliverError::disk("look at", &entry.path()))?;
            if kind.is_dir() {
                open.push((entry.path(), format!("{path}/")));
            } else {
                found.insert(path);
            }
        }
    }
    Ok(found)
}

/// Returns whether the folder holds exactly this artifact, whatever was done to the files since.
fn is_delivered(folder: &Path, digest: Digest, tree: &Tree) -> Result<bool, DeliverError> {
    if read_marker(folder)?.is_none_or(|marker| marker.digest != digest) {
        return Ok(false);
    }
    if list(folder)?.len() != tree.len() + 1 {
        return Ok(false);
    }
    for (path, file) in tree.files() {
        let at = folder.join(path);
        let same = match fs::symlink_metadata(&at) {
            Ok(metadata) => {
                metadata.is_file()
                    && metadata.len() == file.bytes.len() as u64
                    && (metadata.permissions().mode() & 0o111 != 0) == file.executable
                    && fs::read(&at).map_err(DeliverError::disk("read", &at))?.as_slice() == &*file.bytes
            }
            Err(_) => false,
        };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether files reach the disk before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durable {
    Yes,
    No,
}

/// Writes a tree into a folder that does not exist yet, or is empty.
pub(crate) fn write_tree(folder: &Path, tree: &Tree, durable: Durable) -> Result<(), DeliverError> {
    fs::create_dir_all(folder).map_err(DeliverError::disk("create", folder))?;
    let mut folders = BTreeSet::from([folder.to_owned()]);
    for (path, file) in tree.files() {
        let at = folder.join(path);
        let parent = at.parent().unwrap_or(folder);
        if !folders.contains(parent) {
            fs::create_dir_all(parent).map_err(DeliverError::disk("create", parent))?;
            folders.extend(parent.ancestors().take_while(|above| *above != folder).map(Path::to_owned));
        }
        write_file(&at, &file.bytes, file.executable, durable)?;
    }
    if durable == Durable::Yes {
        folders.iter().try_for_each(|folder| sync_folder(folder))?;
    }
    Ok(())
}

fn write_file(path: &Path, bytes: &[u8], executable: bool, durable: Durable) -> Result<(), DeliverError> {
    let mode = if executable { 0o755 } else { 0o644 };
    let file = fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = file.map_err(DeliverError::disk("create", path))?;
    file.write_all(bytes).map_err(DeliverError::disk("write", path))?;
    // The mask of the process must not show in what is delivered (trap T9).
    file.set_permissions(fs::Permissions::from_mode(mode))
        .map_err(DeliverError::disk("set mode of", path))?;
    if durable == Durable::Yes {
        file.sync_all().map_err(DeliverError::disk("sync", path))?;
    }
    Ok(())
}

fn sync_folder(folder: &Path) -> Result<(), DeliverError> {
    File::open(folder).and_then(|file| file.sync_all()).map_err(DeliverError::disk("sync", folder))
}

/// Removes a hidden folder of ours, if it is there.
fn remove(folder: &Path) -> Result<(), DeliverError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(DeliverError::disk("remove", folder)(error))
        }
        _ => Ok(()),
    }
}
