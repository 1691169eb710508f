//! Names, digests, versions and references: parsing and printing, nothing else.
//!
//! The ground floor of the house. Everything that can be wrong about a name is checked once, in a
//! constructor here, so that the floors above never see a malformed one. Nothing in this crate
//! reads a file, a clock, an environment variable or a socket.

mod canonical;
mod digest;
mod name;
mod position;
mod reference;
mod timestamp;
mod version;

pub use canonical::{canonical_json, digest_of};
pub use digest::{Digest, DigestError, Hasher};
pub use name::{
    EnvironmentName, ImageName, NameError, ProjectName, RESERVED_IMAGE_NAMES, RepositoryName, RingName,
    SiteName, Tag,
};
pub use position::Position;
pub use reference::{Reference, ReferenceError};
pub use timestamp::{Timestamp, TimestampError};
pub use version::{Version, VersionError};
