//! The project file: found, read, checked, and handed over as one value that cannot be wrong.
//!
//! Step 1 of the flow begins here. Everything that is wrong with the file is found in one go, each
//! mistake with line, column and remedy. Containerfiles are not opened here; that they exist is
//! checked. Neither an environment variable nor a flag is read here: the caller hands over what it
//! was given, as [`Overrides`].

mod findings;
mod folders;
mod gates;
mod images;
mod keys;
mod origins;
mod reader;
mod shape;
mod sites;
mod top;
mod user;
mod values;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indexmap::IndexMap;
use ringsite_names::{ImageName, ProjectName, RingName, Version};
use ringsite_rings::Configuration;

use crate::limits::PROJECT_FILE_BYTES_MAX;
use crate::names::PROJECT_FILE;
use crate::{Platform, Problem, Problems};

pub use images::ImageDeclaration;
pub use keys::{KEYS, Key, Kind};
pub use origins::{Setting, SettingOrigin};
pub use values::{BuilderChoice, Epoch, RegistryLocation, Sbom, Scheme, ValueError, parse_duration};

/// Values that count more than the project file, and the user's own file, which counts less.
///
/// The caller reads flags and variables; a flag that is given hides its variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Instead of the key `project`.
    pub project: Option<Override>,
    /// Instead of the key `registry`.
    pub registry: Option<Override>,
    /// Where a relative folder in `registry` begins; the project folder when not given.
    pub folder: Option<PathBuf>,
    /// The value of the variable `SOURCE_DATE_EPOCH`, which counts when the file says `"env"`.
    pub source_date_epoch: Option<String>,
    /// The user's own file, whether it exists or not.
    pub user_file: Option<PathBuf>,
}

/// A value that was given on the command line or in the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The value as it was given.
    pub value: String,
    /// Where it was given: [`SettingOrigin::Flag`] or [`SettingOrigin::Variable`].
    pub origin: SettingOrigin,
}

/// What a project declares. Only [`load`] makes one, and only from a file without mistakes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Project {
    /// The project file, by an absolute path.
    pub file: PathBuf,
    /// The folder of the project file, absolute and free of links.
    pub folder: PathBuf,
    /// The prefix of every repository.
    pub name: ProjectName,
    /// Where the images and the ledger are.
    pub registry: RegistryLocation,
    /// The host by which clusters know the registry.
    pub pull: Option<String>,
    /// The vendor label of every image.
    pub vendor: Option<String>,
    /// Where the sources are published.
    pub source: Option<String>,
    /// The root image, one of `images`.
    pub root: ImageName,
    /// The rings in their order, 1 to 64, all different.
    pub rings: Vec<RingName>,
    /// The platforms of images that do not name their own, sorted.
    pub platforms: Vec<Platform>,
    /// The time that files in images get.
    pub source_date_epoch: Epoch,
    /// The version of an image that never had one.
    pub initial_version: Version,
    /// What builds images that do not say.
    pub builder: BuilderChoice,
    /// The bill of materials to publish.
    pub sbom: Option<Sbom>,
    /// The images, in the order of the file or, when found as folders, by name.
    pub images: IndexMap<ImageName, ImageDeclaration>,
    /// Labels that are put on every image.
    pub labels: BTreeMap<String, String>,
    /// How what is published is signed.
    pub sign: Option<Sign>,
    /// What garbage collection keeps.
    pub retention: Retention,
    /// What a person should know although nothing is wrong.
    pub notes: Vec<String>,
    configuration: Configuration,
    environment_epoch: Option<i64>,
    settings: Vec<Setting>,
}

/// The keys of `[sign]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The private key, by an absolute path.
    pub key: Option<PathBuf>,
    /// The public keys, by absolute paths.
    pub public: Vec<PathBuf>,
}

/// The keys of `[retention]`; without a bound nothing is collected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How many of the newest releases of each image are kept.
    pub keep: Option<u64>,
    /// How old a release may become.
    pub age: Option<Duration>,
}

impl Project {
    /// Returns the rings, root, sites and gates that the file declares, in the ledger's words.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Returns every setting with its value and where the value came from.
    ///
    /// The order is that of the reference page for the keys at the top of the file, then that of the file.
    pub fn origins(&self) -> &[Setting] {
        &self.settings
    }

    /// Returns the time that files in images get, in seconds since the start of 1970.
    ///
    /// # Errors
    /// `Problems` when the file says `"env"` and the variable `SOURCE_DATE_EPOCH` was not given.
    pub fn epoch_seconds(&self) -> Result<i64, Problems> {
        match (self.source_date_epoch, self.environment_epoch) {
            (Epoch::Fixed(seconds), _) | (Epoch::Env, Some(seconds)) => Ok(seconds),
            (Epoch::Env, None) => Err(Problem::in_file(
                &self.file,
                "`source_date_epoch` is \"env\" and the variable SOURCE_DATE_EPOCH is not set",
                "set SOURCE_DATE_EPOCH to seconds since 1970, or write a number into the file",
            )
            .into()),
        }
    }

    /// Returns the declaration of the root image.
    pub fn root_image(&self) -> &ImageDeclaration {
        self.images.get(&self.root).expect("the root is one of the images: it was checked")
    }
}

/// Returns the project file that `start` belongs to: in `start` itself or the nearest folder above.
pub fn find(start: &Path) -> Option<PathBuf> {
    start.ancestors().map(|folder| folder.join(PROJECT_FILE)).find(|file| file.is_file())
}

/// Reads and checks the project file `path`.
///
/// # Errors
/// `Problems` with everything that is wrong: with the file, with what it refers to on disk, with an
/// override (its file is then the flag or the variable), with the user's own file.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Project, Problems> {
    let text =
        read_text(path, PROJECT_FILE_BYTES_MAX, "name another file with --config, or run `ring init`")?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().map_err(|error| {
        Problem::in_file(path, format!("cannot find its folder: {error}"), "check the path of the file")
    })?;
    top::read(top::Input { path, text: &text, folder: &folder, overrides })
}

/// Returns the text of a file, up to `bytes_max` bytes of it.
fn read_text(path: &Path, bytes_max: u64, help: &str) -> Result<String, Problem> {
    let unreadable = |error: std::io::Error| Problem::in_file(path, format!("cannot be read: {error}"), help);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > bytes_max {
        let message = format!("is larger than {bytes_max} bytes");
        return Err(Problem::in_file(path, message, "keep generated content out of this file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::in_file(path, "is not text in UTF-8", "save the file as UTF-8 text")
            .at_line(u32::try_from(line).unwrap_or(u32::MAX))
    })
}
