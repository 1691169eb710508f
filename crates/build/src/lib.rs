//! Builds images: a native reproducible builder and external builders.
//!
//! Step 4 of the flow: one step of a plan becomes layers, a configuration and a manifest in the
//! registry, named by digest only. Which image is built, and which version it gets, was decided
//! before; what names it is written afterwards.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod any;
mod archive;
mod base;
mod builder;
mod error;
mod external;
mod externals;
mod layer;
mod limits;
pub mod names;
mod native;
mod prove;
mod referrer;
mod relabel;
mod sbom;
mod step;

pub use any::AnyBuilder;
pub use builder::Builder;
pub use error::{BuildError, FailureKind, Place};
pub use external::{External, Tool};
pub use externals::{ExternalRequest, NetworkUse, copy_external, external_repository, resolve_external};
pub use native::Native;
pub use prove::{Proof, differing_source, prove};
pub use referrer::{push_recipe, push_sbom, read_recipe};
pub use relabel::relabel;
pub use sbom::sbom;
pub use step::{BaseImage, Bases, BuildStep, Built, BuiltPlatform, Phases};
