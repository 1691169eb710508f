//! Turns a root image and an environment into what a site's agent pulls.
//!
//! | Step | Where | Kind |
//! |--|--|--|
//! | read the root image | [`read_root`] | async, reads the registry |
//! | the environment and everything it refers to | [`closure()`], [`closures`] | pure; at release time on the working copy too |
//! | reasons why a site cannot have it | [`check_site`] | pure |
//! | the artifact | [`Environment`], [`artifact()`] | pure; runs kustomize for a site with `render` |
//! | what it would take away | [`guard`] | async |
//! | push by digest, then, after the record, tags | [`push`], [`tag`] | async |
//! | delivery as files | [`deliver_files`] | blocking |
//! | what would change | [`preview`] | async |
//!
//! Nothing here decides which release a site gets, records anything, or talks to a cluster.

pub mod limits;
pub mod names;
pub mod yaml;

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

pub use archive::{ArchiveError, ArchiveRule};
pub use artifact::{
    Artifact, Environment, Format, FormatError, Hosts, Root, SiteRequest, rendered, repository,
};
pub use closure::{Closure, ClosureProblem, ClosureProblems, Rule, closure, closure_of_artifact, closures};
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
