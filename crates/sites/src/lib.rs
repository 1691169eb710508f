//! Turns a root image and an environment into what a site's agent pulls.

pub mod limits;
pub mod names;

mod artifact;
mod closure;
mod objects;
mod pack;
mod tree;
pub mod yaml;

pub use artifact::{Artifact, Environment, Format, Hosts, Root, SiteRequest, rendered, repository};
pub use closure::{Closure, ClosureProblem, ClosureProblems, Rule, closure, closure_of_artifact};
pub use objects::{ObjectKey, Objects, objects};
pub use pack::{End, Packed, Part};
pub use tree::{FileEntry, PathError, Tree};
pub use yaml::YamlError;
