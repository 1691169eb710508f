//! The seam between this program and every place that keeps artifacts.
//!
//! Implemented by the layout on disk, the store in memory, the client of other people's registries,
//! and the faulty registry of the tests.

use std::fmt;
use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use ringsite_names::{Digest, NameError, RepositoryName, Tag};

use crate::descriptor::Descriptor;
use crate::error::OciError;
use crate::manifest::{ImageIndex, ImageManifest, Manifest};
use crate::stream::BlobStream;

/// How a manifest is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagOrDigest {
    /// By a name that can move.
    Tag(Tag),
    /// By its content.
    Digest(Digest),
}

impl From<Tag> for TagOrDigest {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for TagOrDigest {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

impl FromStr for TagOrDigest {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.parse() {
            Ok(digest) => Ok(Self::Digest(digest)),
            Err(_) => Tag::new(text).map(Self::Tag),
        }
    }
}

impl fmt::Display for TagOrDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

/// What must hold for a tag to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: the last writer wins.
    None,
    /// The tag names this digest now.
    Match(Digest),
    /// The tag does not exist.
    Absent,
}

/// Where a manifest is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The tag that shall name it; without one it is put by digest only.
    pub tag: Option<Tag>,
    /// What must hold for the tag to be written; only with a tag.
    pub condition: Condition,
}

impl Put {
    /// Puts a manifest by digest only.
    pub fn by_digest() -> Self {
        Self { tag: None, condition: Condition::None }
    }

    /// Puts a manifest under a tag, whatever the tag named before.
    pub fn under(tag: Tag) -> Self {
        Self { tag: Some(tag), condition: Condition::None }
    }

    /// Puts a manifest under a tag if the condition holds.
    pub fn under_if(tag: Tag, condition: Condition) -> Self {
        Self { tag: Some(tag), condition }
    }
}

/// A manifest as it was received, its digest verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The bytes as received.
    pub bytes: Bytes,
    /// Their digest.
    pub digest: Digest,
    /// The media type that it was pushed with.
    pub media_type: String,
}

impl StoredManifest {
    /// Returns type, digest and size.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(self.media_type.clone(), self.digest, self.bytes.len() as u64)
    }

    /// Reads the bytes in the form that the media type names.
    ///
    /// # Errors
    /// `Invalid` when they do not have it.
    pub fn parse(&self) -> Result<Manifest, OciError> {
        Manifest::from_bytes(&self.media_type, &self.bytes)
    }

    /// Reads the manifest of one image or artifact.
    ///
    /// # Errors
    /// `Invalid` when it is an index or malformed.
    pub fn image(&self) -> Result<ImageManifest, OciError> {
        match self.parse()? {
            Manifest::Image(manifest) => Ok(manifest),
            Manifest::Index(_) => Err(self.invalid("it is an index, expected the manifest of one image")),
        }
    }

    /// Reads an index.
    ///
    /// # Errors
    /// `Invalid` when it is the manifest of one image or malformed.
    pub fn index(&self) -> Result<ImageIndex, OciError> {
        match self.parse()? {
            Manifest::Index(index) => Ok(index),
            Manifest::Image(_) => Err(self.invalid("it is the manifest of one image, expected an index")),
        }
    }

    fn invalid(&self, reason: &str) -> OciError {
        OciError::Invalid { what: format!("manifest {}", self.digest), reason: reason.to_owned() }
    }
}

/// Which part of a sorted list is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Begin after this tag; it need not exist.
    pub after: Option<Tag>,
    /// At most this many.
    pub limit: usize,
}

impl Page {
    /// Returns the first page of at most `limit` tags.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }
}

/// A part of the sorted list of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagPage {
    /// The tags in byte order.
    pub tags: Vec<Tag>,
    /// The page that follows, when there is more.
    pub next: Option<Page>,
}

/// What a registry can do beyond storing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// It honours [`Condition`]s, atomically for each tag.
    pub conditional_put: bool,
    /// It deletes tags, manifests and blobs.
    pub delete: bool,
    /// It lists referrers.
    pub referrers: bool,
    /// It can give a blob of one repository to another without sending it again.
    pub mount: bool,
    /// It reads or writes a folder of this machine, so that cheap questions are cheap.
    pub local: bool,
}

/// A place that keeps manifests, blobs and tags.
///
/// Every write is durable when it answers. Dropping a future leaves the registry valid: the write
/// happens or not. The order of a push is the caller's: blobs, then the manifest that names them.
pub trait Registry: Send + Sync {
    /// Returns what this registry can do.
    fn abilities(&self) -> Abilities;

    /// Returns a manifest with its bytes as received and its digest verified.
    ///
    /// # Errors
    /// `ManifestUnknown`; `Damaged` when its content is missing or not what was pushed.
    fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> impl Future<Output = Result<StoredManifest, OciError>> + Send;

    /// Returns type, digest and size of a manifest, or nothing when it or its content is missing.
    fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> impl Future<Output = Result<Option<Descriptor>, OciError>> + Send;

    /// Stores a manifest, and moves the tag of `put` to it if the condition holds.
    ///
    /// # Errors
    /// `ConditionFailed`, and nothing was written; `Invalid` for bytes that are no manifest of the
    /// media type, or for a condition without a tag; `BlobUnknown` for content that it names and that
    /// is not there; `TooLarge`; `Unsupported` for a condition that the registry does not honour.
    fn put_manifest(
        &self,
        repository: &RepositoryName,
        put: &Put,
        media_type: &str,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Digest, OciError>> + Send;

    /// Returns the content of a blob, verified while it streams.
    ///
    /// # Errors
    /// `BlobUnknown`; the stream ends with `Damaged` when the content is not what was pushed.
    fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<BlobStream, OciError>> + Send;

    /// Stores a blob and returns its descriptor, with the media type of unknown content.
    ///
    /// # Errors
    /// `DigestMismatch` when `expected` is given and is not the digest of the content; the stream's own.
    fn put_blob(
        &self,
        repository: &RepositoryName,
        expected: Option<&Digest>,
        content: BlobStream,
    ) -> impl Future<Output = Result<Descriptor, OciError>> + Send;

    /// Returns whether a blob is there.
    fn has_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<bool, OciError>> + Send;

    /// Makes a blob of `from` one of `to` without sending it; false when it must be sent.
    fn mount(
        &self,
        from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<bool, OciError>> + Send;

    /// Returns a page of the tags of a repository in byte order; a repository that does not exist has none.
    fn tags(
        &self,
        repository: &RepositoryName,
        page: &Page,
    ) -> impl Future<Output = Result<TagPage, OciError>> + Send;

    /// Returns the manifests whose subject is `digest`, sorted by digest, with artifact type and annotations.
    fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Descriptor>, OciError>> + Send;

    /// Removes a tag; what it names stays. Returns whether it was there.
    fn delete_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> impl Future<Output = Result<bool, OciError>> + Send;

    /// Removes a manifest from a repository with every tag that names it. Returns whether it was there.
    fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<bool, OciError>> + Send;

    /// Removes a blob; the caller knows that no manifest needs it. Returns whether it was there.
    fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> impl Future<Output = Result<bool, OciError>> + Send;

    /// Makes what other programs read follow what was confirmed; the end of every command asks for it.
    ///
    /// Nothing that was confirmed depends on it. A registry that has no such second form does nothing.
    ///
    /// # Errors
    /// `Disk` and `Damaged` of a registry in a folder.
    fn flush(&self) -> impl Future<Output = Result<(), OciError>> + Send {
        std::future::ready(Ok(()))
    }

    /// Stores a blob that is in memory.
    ///
    /// # Errors
    /// As [`Registry::put_blob`].
    fn put_bytes(
        &self,
        repository: &RepositoryName,
        media_type: &str,
        bytes: Bytes,
    ) -> impl Future<Output = Result<Descriptor, OciError>> + Send {
        async move {
            let stored = self.put_blob(repository, None, BlobStream::from_bytes(bytes)).await?;
            Ok(stored.with_media_type(media_type))
        }
    }

    /// Returns the content of a blob of at most `bytes_max` bytes, verified.
    ///
    /// # Errors
    /// As [`Registry::blob`]; `TooLarge`.
    fn blob_bytes(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        bytes_max: u64,
    ) -> impl Future<Output = Result<Bytes, OciError>> + Send {
        async move {
            let stream = self.blob(repository, digest).await?;
            stream.into_bytes(bytes_max).await.map_err(|error| match error {
                OciError::TooLarge { bytes_max, .. } => {
                    OciError::TooLarge { what: format!("blob {digest} of {repository}"), bytes_max }
                }
                other => other,
            })
        }
    }
}

macro_rules! forward {
    ($($holder:ty),*) => {$(
        impl<R: Registry> Registry for $holder {
            fn abilities(&self) -> Abilities {
                R::abilities(self)
            }
            fn manifest(
                &self,
                repository: &RepositoryName,
                reference: &TagOrDigest,
            ) -> impl Future<Output = Result<StoredManifest, OciError>> + Send {
                R::manifest(self, repository, reference)
            }
            fn head_manifest(
                &self,
                repository: &RepositoryName,
                reference: &TagOrDigest,
            ) -> impl Future<Output = Result<Option<Descriptor>, OciError>> + Send {
                R::head_manifest(self, repository, reference)
            }
            fn put_manifest(
                &self,
                repository: &RepositoryName,
                put: &Put,
                media_type: &str,
                bytes: Bytes,
            ) -> impl Future<Output = Result<Digest, OciError>> + Send {
                R::put_manifest(self, repository, put, media_type, bytes)
            }
            fn blob(
                &self,
                repository: &RepositoryName,
                digest: &Digest,
            ) -> impl Future<Output = Result<BlobStream, OciError>> + Send {
                R::blob(self, repository, digest)
            }
            fn put_blob(
                &self,
                repository: &RepositoryName,
                expected: Option<&Digest>,
                content: BlobStream,
            ) -> impl Future<Output = Result<Descriptor, OciError>> + Send {
                R::put_blob(self, repository, expected, content)
            }
            fn has_blob(
                &self,
                repository: &RepositoryName,
                digest: &Digest,
            ) -> impl Future<Output = Result<bool, OciError>> + Send {
                R::has_blob(self, repository, digest)
            }
            fn mount(
                &self,
                from: &RepositoryName,
                to: &RepositoryName,
                digest: &Digest,
            ) -> impl Future<Output = Result<bool, OciError>> + Send {
                R::mount(self, from, to, digest)
            }
            fn tags(
                &self,
                repository: &RepositoryName,
                page: &Page,
            ) -> impl Future<Output = Result<TagPage, OciError>> + Send {
                R::tags(self, repository, page)
            }
            fn referrers(
                &self,
                repository: &RepositoryName,
                digest: &Digest,
                artifact_type: Option<&str>,
            ) -> impl Future<Output = Result<Vec<Descriptor>, OciError>> + Send {
                R::referrers(self, repository, digest, artifact_type)
            }
            fn delete_tag(
                &self,
                repository: &RepositoryName,
                tag: &Tag,
            ) -> impl Future<Output = Result<bool, OciError>> + Send {
                R::delete_tag(self, repository, tag)
            }
            fn delete_manifest(
                &self,
                repository: &RepositoryName,
                digest: &Digest,
            ) -> impl Future<Output = Result<bool, OciError>> + Send {
                R::delete_manifest(self, repository, digest)
            }
            fn delete_blob(
                &self,
                repository: &RepositoryName,
                digest: &Digest,
            ) -> impl Future<Output = Result<bool, OciError>> + Send {
                R::delete_blob(self, repository, digest)
            }
            fn flush(&self) -> impl Future<Output = Result<(), OciError>> + Send {
                R::flush(self)
            }
        }
    )*};
}

forward!(&R, Arc<R>);
