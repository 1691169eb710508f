//! Turns a root image and an environment into what a site's agent pulls.

pub mod limits;
pub mod names;

mod archive;
mod artifact;
mod closure;
mod compare;
mod diff;
mod files;
mod objects;
mod overlay;
mod pack;
mod publish;
mod render;
mod root;
mod shrink;
mod tree;
pub mod yaml;

pub use archive::{ArchiveError, ArchiveRule};
pub use artifact::{Artifact, Environment, Format, Hosts, Root, SiteRequest, rendered, repository};
pub use closure::{Closure, ClosureProblem, ClosureProblems, Rule, closure, closure_of_artifact};
pub use compare::{GuardError, Preview, guard, preview};
pub use diff::{Change, ObjectChange, diff_files, diff_objects};
pub use files::{DeliverError, Delivered, deliver_files};
pub use objects::{ObjectKey, Objects, objects};
pub use pack::{End, Packed, Part};
pub use publish::{FetchError, Placement, PublishError, fetch, published, push, tag};
pub use render::{Helm, Kustomize, RenderError, SiteRefusal, artifact, check_site};
pub use root::{ImageOfRoot, RootError, RootImage, read_root};
pub use shrink::{ShrinkRefusal, count_documents, count_objects, shrink};
pub use tree::{FileEntry, PathError, Tree};
pub use yaml::YamlError;
