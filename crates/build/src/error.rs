//! What can go wrong while an image is built.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ringsite_images::{Problem, Problems};
use ringsite_names::ImageName;
use ringsite_oci::OciError;

/// A line of a containerfile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, as it should be shown.
    pub file: PathBuf,
    /// The line, counted from 1.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.file.display(), self.line)
    }
}

/// What kind of failure an error is, which decides over the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The input cannot be built, or changed meanwhile: exit 2.
    Input,
    /// Stored content is not what was written: exit 6.
    Damaged,
    /// A registry or the network: exit 7.
    Network,
    /// The build failed, or there is no builder: exit 8.
    Build,
    /// This machine's disk or permissions: exit 9.
    Machine,
}

/// An image that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// What a containerfile asks for cannot be done as it is written.
    #[error("{place}: {message}")]
    Instruction {
        /// Where it is written.
        place: Place,
        /// What is wrong.
        message: String,
        /// What to do about it.
        help: String,
    },
    /// Sources are missing or cannot be read, as the build context says it.
    #[error("{0}")]
    Sources(Problems),
    /// A source is not what the recipe says any more.
    #[error("source changed while building: {path}: {reason}")]
    SourceChanged {
        /// The path in the build context.
        path: String,
        /// What is different.
        reason: String,
    },
    /// An image that this one is built from cannot be used.
    #[error("{what} is not usable: {reason} (rule `{rule}`)")]
    Base {
        /// The layer, image or archive.
        what: String,
        /// The rule that it breaks.
        rule: &'static str,
        /// How it breaks it.
        reason: String,
    },
    /// The image needs an external builder, and none can be used.
    #[error("{place}: image {image} needs an external builder: {reason}")]
    NoBuilder {
        /// Where the instruction stands that needs one.
        place: Place,
        /// The image.
        image: ImageName,
        /// Why there is none.
        reason: String,
    },
    /// An external builder failed.
    #[error("{builder} could not build {image}: {reason}")]
    Failed {
        /// The program with its version.
        builder: String,
        /// The image.
        image: ImageName,
        /// How it ended, with the last lines that it printed.
        reason: String,
    },
    /// An external builder made something else than was asked for.
    #[error("what {builder} built for {image} is not what was asked for: {reason}")]
    Mismatch {
        /// The program with its version.
        builder: String,
        /// The image.
        image: ImageName,
        /// What is different.
        reason: String,
    },
    /// An external image is neither here nor to be had.
    #[error("{}external image {reference} is not to be had: {reason}", place_text(place.as_ref()))]
    External {
        /// Where it is named.
        place: Option<Place>,
        /// The reference as written.
        reference: String,
        /// Why.
        reason: String,
    },
    /// A registry failed.
    #[error(transparent)]
    Registry(#[from] OciError),
    /// This machine's disk failed.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A worker of this program stopped, which is a bug.
    #[error("a worker stopped: {0}")]
    Worker(Box<dyn Error + Send + Sync>),
}

fn place_text(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!("{place}: "))
}

impl BuildError {
    /// Returns the error of an instruction.
    pub(crate) fn at(place: &Place, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Instruction { place: place.clone(), message: message.into(), help: help.into() }
    }

    /// Returns the error of a disk operation.
    pub(crate) fn disk(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Disk { action, path: path.to_path_buf(), source }
    }

    /// Returns the error of a foreign archive that breaks a rule.
    pub(crate) fn rule(what: impl Into<String>, rule: &'static str, reason: impl Into<String>) -> Self {
        Self::Base { what: what.into(), rule, reason: reason.into() }
    }

    /// Returns what kind of failure it is.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Instruction { .. } | Self::Sources(_) | Self::SourceChanged { .. } | Self::Base { .. } => {
                FailureKind::Input
            }
            Self::NoBuilder { .. } | Self::Failed { .. } | Self::Mismatch { .. } | Self::Worker(_) => {
                FailureKind::Build
            }
            Self::External { .. } => FailureKind::Network,
            Self::Registry(OciError::Disk { .. }) | Self::Disk { .. } => FailureKind::Machine,
            Self::Registry(OciError::Damaged { .. }) => FailureKind::Damaged,
            Self::Registry(_) => FailureKind::Network,
        }
    }

    /// Returns what a person can do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Instruction { help, .. } => Some(help.clone()),
            // Each problem is printed with its own remedy.
            Self::Sources(_) => None,
            Self::SourceChanged { .. } => {
                Some("stop what writes into the build context, and run the same command again".into())
            }
            Self::Base { .. } => Some("build from another image or archive, or have this one repaired".into()),
            Self::NoBuilder { .. } => Some(
                "install buildah, docker with buildx, or podman; or do without RUN, for example by copying what was built before"
                    .into(),
            ),
            Self::Failed { .. } => Some("repair what the lines above name, and run the same command again".into()),
            Self::Mismatch { .. } => Some("update the builder, or choose another one with `builder` in rings.toml".into()),
            Self::External { .. } => {
                Some("check the name and the network; once copied into the project's registry it is never fetched again".into())
            }
            Self::Registry(source) => source.help().map(str::to_owned),
            Self::Disk { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                Some("free some space, and run the same command again".into())
            }
            Self::Disk { .. } => Some("check the folder and its permissions, and run the same command again".into()),
            Self::Worker(_) => Some("this is a bug of the program; the same command may work when run again".into()),
        }
    }
}

impl From<Problem> for BuildError {
    fn from(problem: Problem) -> Self {
        Self::Sources(problem.into())
    }
}

impl From<Vec<Problem>> for BuildError {
    /// # Panics
    /// When there is no problem, which is no error.
    fn from(problems: Vec<Problem>) -> Self {
        Self::Sources(Problems::check(problems).expect_err("an error has at least one problem"))
    }
}
