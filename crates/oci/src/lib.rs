//! OCI descriptors, manifests and the registry seam, with a layout on disk and a store in memory.
//!
//! Everything that touches stored artifacts goes through [`Registry`]. Digests are verified on every
//! read, writes are durable when they answer, and a tag moves atomically under a [`Condition`].
//! This crate decides nothing about releases.

pub mod limits;
pub mod names;

mod config;
mod descriptor;
mod disk;
mod error;
mod intake;
mod layout;
mod manifest;
mod memory;
mod registry;
mod state;
mod stream;

pub use config::{Empty, Execution, Healthcheck, History, ImageConfig, RootFs};
pub use descriptor::{Descriptor, Platform};
pub use error::OciError;
pub use layout::Layout;
pub use manifest::{EMPTY_CONFIG, ImageIndex, ImageManifest, Manifest};
pub use memory::Memory;
pub use registry::{Abilities, Condition, Page, Put, Registry, StoredManifest, TagOrDigest, TagPage};
pub use stream::{BlobSender, BlobStream, ReaderGone};
