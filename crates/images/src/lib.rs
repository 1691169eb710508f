//! Reads a project: rings.toml, containerfiles and sources, and says what is desired.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod containerfile;
mod context;
mod environment;
mod environments;
mod expand;
mod external;
mod glob;
mod graph;
mod hashing;
mod ignore;
mod init;
mod labels;
mod limits;
pub mod names;
mod nearest;
mod parallel;
mod pattern;
mod platform;
mod problem;
mod project;
mod recipe;
mod small_file;
mod stamp;
mod survey;

pub use cache::StatCache;
pub use containerfile::{
    Base, Classified, Command, Containerfile, Healthcheck, Heredoc, Instruction, Mount, MountKind, Onbuild,
    Origin, ProjectNames, ReadRequest, Run, Stage, Step, Transfer, is_address, read_triggers,
};
pub use context::{Context, Entry, HandOutError, SelectRequest, Selection, SourceReader};
pub use environment::{PlannedStep, StepSources, Variant};
pub use environments::EnvironmentFile;
pub use expand::{ExpandError, Unset, expand, expand_heredoc, expand_with};
pub use external::{DOCKER_HOST, LockFile, LockWriteError, normalise};
pub use glob::{Exclusions, Glob};
pub use graph::order;
pub use init::{InitError, init};
pub use labels::{LabelRequest, labels};
pub use platform::{Platform, PlatformError};
pub use problem::{Problem, Problems};
pub use project::{
    BuilderChoice, Epoch, ImageDeclaration, KEYS, Key, Kind, Override, Overrides, Project, RegistryLocation,
    Retention, Sbom, Scheme, Setting, SettingOrigin, Sign, ValueError, find, load, parse_duration,
};
pub use recipe::{Arguments, EntryKind, Inputs, Recipe, RecipeEntry, RecipeError, Sources};
pub use survey::{Definition, ExternalUse, Survey};
