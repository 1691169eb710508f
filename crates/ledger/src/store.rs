//! The ledger's repository: reading objects by digest with their errors made plain, and pushing.

use bytes::Bytes;
use ringsite_names::{Digest, ProjectName, RepositoryName, Tag};
use ringsite_oci::names::MEDIA_TYPE_EMPTY;
use ringsite_oci::{Descriptor, EMPTY_CONFIG, ImageManifest, OciError, Put, Registry, TagOrDigest};

use crate::codec::{Coded, Form};
use crate::error::LedgerError;
use crate::limits::OBJECT_BYTES_MAX;
use crate::names::REPOSITORY;

/// The repository `<project>/ledger` of a registry.
#[derive(Clone, Debug)]
pub(crate) struct Store<R> {
    pub(crate) registry: R,
    pub(crate) project: ProjectName,
    pub(crate) repository: RepositoryName,
}

impl<R: Registry> Store<R> {
    pub(crate) fn new(registry: R, project: ProjectName) -> Self {
        let repository = project
            .repository(REPOSITORY)
            .expect("a project name of at most 128 characters leaves room for the ledger's part");
        Self { registry, project, repository }
    }

    /// Returns the text of an object that `descriptor` names. The registry has verified its digest;
    /// the size is compared here.
    pub(crate) async fn text(
        &self,
        what: &str,
        descriptor: &Descriptor,
        form: Form,
    ) -> Result<Vec<u8>, LedgerError> {
        let digest = &descriptor.digest;
        let bytes_max = u64::try_from(OBJECT_BYTES_MAX).unwrap_or(u64::MAX);
        let bytes = self.registry.blob_bytes(&self.repository, digest, bytes_max).await;
        let bytes = bytes.map_err(|source| LedgerError::object(what, digest, source))?;
        let damaged = |reason: String| LedgerError::damaged(format!("{what} {digest}"), reason);
        if bytes.len() as u64 != descriptor.size {
            return Err(damaged(format!("it has {} bytes, not {}", bytes.len(), descriptor.size)));
        }
        form.decode(bytes.into(), &descriptor.media_type).map_err(|error| damaged(format!("it {error}")))
    }

    /// Returns a manifest of the ledger that is named by digest.
    pub(crate) async fn manifest(
        &self,
        what: &str,
        digest: &Digest,
        artifact_type: &str,
    ) -> Result<ImageManifest, LedgerError> {
        let stored = self.registry.manifest(&self.repository, &(*digest).into()).await;
        let stored = stored.map_err(|source| LedgerError::object(what, digest, source))?;
        let damaged = |reason: String| LedgerError::damaged(format!("{what} {digest}"), reason);
        let manifest = ImageManifest::from_bytes(&stored.bytes);
        let manifest = manifest.map_err(|error| damaged(error.to_string()))?;
        if manifest.artifact_type.as_deref() != Some(artifact_type) {
            return Err(damaged(format!("it is no `{artifact_type}`")));
        }
        Ok(manifest)
    }

    /// Pushes an object and returns its descriptor.
    pub(crate) async fn push(&self, coded: Coded) -> Result<Descriptor, LedgerError> {
        let bytes = Bytes::from(coded.bytes);
        Ok(self.registry.put_bytes(&self.repository, coded.media_type, bytes).await?)
    }

    /// Pushes a manifest whose content is there already, under a tag that names nothing else ever.
    ///
    /// An answer of success is not believed: the head will name the manifest from afar, so no
    /// registry checks that it is there.
    pub(crate) async fn push_manifest(
        &self,
        tag: Tag,
        manifest: &ImageManifest,
    ) -> Result<Digest, LedgerError> {
        let bytes = Bytes::from(manifest.to_bytes());
        let reference = TagOrDigest::Tag(tag.clone());
        let put = Put::under(tag);
        let digest = self.registry.put_manifest(&self.repository, &put, manifest.media_type(), bytes).await?;
        let found = self.registry.head_manifest(&self.repository, &reference).await?;
        if found.is_some_and(|found| found.digest == digest) {
            return Ok(digest);
        }
        Err(LedgerError::Registry(OciError::Unanswered {
            what: format!("push {}:{reference}", self.repository),
            source: "the registry confirmed it and does not have it".into(),
        }))
    }

    /// Pushes the empty configuration that every manifest of the ledger names.
    pub(crate) async fn push_empty_config(&self) -> Result<(), LedgerError> {
        let bytes = Bytes::from_static(EMPTY_CONFIG);
        self.registry.put_bytes(&self.repository, MEDIA_TYPE_EMPTY, bytes).await?;
        Ok(())
    }
}
