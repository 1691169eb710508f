//! Reads a project: rings.toml, containerfiles and sources, and says what is desired.

mod cache;
mod containerfile;
mod context;
mod expand;
mod external;
mod hashing;
mod ignore;
mod init;
mod limits;
pub mod names;
mod nearest;
mod parallel;
mod pattern;
mod platform;
mod problem;
mod project;
mod recipe;
mod stamp;

pub use cache::StatCache;
pub use containerfile::{
    Base, Classified, Command, Containerfile, Healthcheck, Heredoc, Instruction, Mount, MountKind, Onbuild,
    Origin, ProjectNames, Run, Stage, Step, Transfer,
};
pub use context::{Context, Entry, HandOutError, SelectRequest, Selection, SourceReader};
pub use expand::{ExpandError, Unset, expand, expand_heredoc, expand_with};
pub use external::{DOCKER_HOST, LockFile, LockWriteError, Locking, normalise};
pub use init::{InitError, init};
pub use platform::{Platform, PlatformError};
pub use problem::{Problem, Problems};
pub use project::{
    BuilderChoice, Epoch, ImageDeclaration, KEYS, Key, Kind, Override, Overrides, Project, RegistryLocation,
    Retention, Sbom, Scheme, Setting, SettingOrigin, Sign, ValueError, find, load,
};
pub use recipe::{Arguments, EntryKind, Inputs, Recipe, RecipeEntry, RecipeError, Sources};
