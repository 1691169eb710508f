//! Puts a site's artifact into a registry, and reads back what is there.
//!
//! The order of writes, so that a crash leaves garbage and never a lie: layer and configuration, then
//! the manifest by digest ([`push`]); the engine records the placement; then the tags ([`tag`]), of
//! which `latest` is the last. Each is its own decision and can be run again at any time.

use bytes::Bytes;
use futures_util::stream;
use ringsite_names::{Digest, Reference, RepositoryName, SiteName, Tag, Version};
use ringsite_oci::names::MEDIA_TYPE_MANIFEST;
use ringsite_oci::{BlobStream, Condition, OciError, Put, Registry, TagOrDigest};
use ringsite_rings::Site;

use crate::archive::ArchiveError;
use crate::artifact::{Artifact, Hosts};
use crate::limits::ARTIFACT_BYTES_MAX;
use crate::names::TAG_LATEST;
use crate::overlay::unpack;
use crate::tree::Tree;

/// What a site got, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The site.
    pub site: SiteName,
    /// The version of the root image.
    pub version: Version,
    /// The artifact, with the host that clusters pull from, its version and its digest.
    pub reference: Reference,
    /// The digest of the artifact's manifest.
    pub digest: Digest,
    /// Whether anything was written.
    pub changed: bool,
}

impl Placement {
    /// Returns the placement of an artifact, whose host is empty when no cluster can pull it.
    pub fn new(site: &Site, hosts: &Hosts, artifact: &Artifact, changed: bool) -> Self {
        let reference = Reference {
            host: hosts.for_site(site).map(str::to_owned),
            repository: artifact.repository.clone(),
            tag: Some(artifact.version_tag()),
            digest: Some(artifact.digest),
        };
        Self {
            site: site.name.clone(),
            version: artifact.version,
            reference,
            digest: artifact.digest,
            changed,
        }
    }
}

/// A registry that did not take or give an artifact.
#[derive(Debug, thiserror::Error)]
#[error("{action} site artifact {repository}: {source}")]
pub struct PublishError {
    action: &'static str,
    repository: RepositoryName,
    source: OciError,
}

impl PublishError {
    /// Returns what the registry said.
    pub fn registry(&self) -> &OciError {
        &self.source
    }
}

/// Returns the digest that `latest` names; a site that was never placed has none.
///
/// # Errors
/// `PublishError` when the registry does not answer or its content is damaged.
pub async fn published(
    registry: &impl Registry,
    repository: &RepositoryName,
) -> Result<Option<Digest>, PublishError> {
    let failed = |source| PublishError { action: "look up", repository: repository.clone(), source };
    let found = registry.head_manifest(repository, &latest().into()).await.map_err(failed)?;
    Ok(found.map(|manifest| manifest.digest))
}

/// Pushes layer, configuration and manifest by digest. What is there is not sent again.
///
/// Returns whether anything was written. Dropping the future leaves blobs that nothing names.
///
/// # Errors
/// `PublishError` when the registry does not take it.
pub async fn push(registry: &impl Registry, artifact: &Artifact) -> Result<bool, PublishError> {
    let repository = &artifact.repository;
    let failed = |source| PublishError { action: "push", repository: repository.clone(), source };
    let mut changed = false;
    if !registry.has_blob(repository, &artifact.layer.digest).await.map_err(failed)? {
        let pieces = artifact.layer_pieces().into_iter().map(Ok);
        let content = BlobStream::new(Some(artifact.layer.size), stream::iter(pieces));
        registry.put_blob(repository, Some(&artifact.layer.digest), content).await.map_err(failed)?;
        changed = true;
    }
    let config = Digest::sha256(&artifact.config);
    if !registry.has_blob(repository, &config).await.map_err(failed)? {
        let content = BlobStream::from_bytes(artifact.config.clone());
        registry.put_blob(repository, Some(&config), content).await.map_err(failed)?;
        changed = true;
    }
    if registry.head_manifest(repository, &artifact.digest.into()).await.map_err(failed)?.is_none() {
        put(registry, artifact, &Put::by_digest()).await.map_err(failed)?;
        changed = true;
    }
    Ok(changed)
}

/// Writes the tags of an artifact that was pushed: `c-<layer>` once, then the root's version, then
/// `latest`, both moved. A tag that names the artifact already is left alone. Formats beside the
/// default have tags of their own, so that one site may serve several kinds of agents.
///
/// Returns whether anything was written. A crash between two tags is healed by calling it again.
///
/// # Errors
/// `PublishError` when the registry does not take a tag.
pub async fn tag(registry: &impl Registry, artifact: &Artifact) -> Result<bool, PublishError> {
    let repository = &artifact.repository;
    let failed = |source| PublishError { action: "tag", repository: repository.clone(), source };
    let mut changed = create(registry, artifact).await.map_err(failed)?;
    for name in [artifact.version_tag(), artifact.latest_tag()] {
        let found = registry.head_manifest(repository, &name.clone().into()).await.map_err(failed)?;
        if found.is_none_or(|found| found.digest != artifact.digest) {
            put(registry, artifact, &Put::under(name)).await.map_err(failed)?;
            changed = true;
        }
    }
    Ok(changed)
}

/// Creates the tag of the content. One that exists is kept: it names the same layer, perhaps in a
/// manifest of another format.
async fn create(registry: &impl Registry, artifact: &Artifact) -> Result<bool, OciError> {
    let name = artifact.content_tag();
    let found = registry.head_manifest(&artifact.repository, &TagOrDigest::Tag(name.clone())).await?;
    if found.is_some() {
        return Ok(false);
    }
    let condition = match registry.abilities().conditional_put {
        true => Condition::Absent,
        false => Condition::None,
    };
    match put(registry, artifact, &Put::under_if(name, condition)).await {
        Ok(_) => Ok(true),
        Err(OciError::ConditionFailed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn put(registry: &impl Registry, artifact: &Artifact, put: &Put) -> Result<Digest, OciError> {
    let manifest = artifact.manifest.clone();
    registry.put_manifest(&artifact.repository, put, MEDIA_TYPE_MANIFEST, manifest).await
}

fn latest() -> Tag {
    Tag::new(TAG_LATEST).expect("the name is a constant")
}

/// A site's artifact that cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The registry is at fault, or what it has is no artifact.
    #[error("read site artifact {repository}@{digest}: {source}")]
    Registry {
        /// The repository.
        repository: RepositoryName,
        /// The artifact.
        digest: Digest,
        /// What happened.
        source: OciError,
    },
    /// The archive breaks a rule.
    #[error("site artifact {repository}@{digest}: {source}")]
    Archive {
        /// The repository.
        repository: RepositoryName,
        /// The artifact.
        digest: Digest,
        /// The rule and the entry.
        source: ArchiveError,
    },
}

/// Reads the files of a site's artifact, whatever its format.
///
/// # Errors
/// `FetchError` when it cannot be read, has not exactly one layer, or its archive breaks a rule.
pub async fn fetch(
    registry: &impl Registry,
    repository: &RepositoryName,
    digest: Digest,
) -> Result<Tree, FetchError> {
    let failed = |source| FetchError::Registry { repository: repository.clone(), digest, source };
    let stored = registry.manifest(repository, &TagOrDigest::Digest(digest)).await.map_err(failed)?;
    let manifest = stored.image().map_err(failed)?;
    let [layer] = manifest.layers.as_slice() else {
        let reason = format!("it has {} layers, expected one", manifest.layers.len());
        return Err(failed(OciError::Invalid { what: format!("manifest {digest}"), reason }));
    };
    let bytes: Bytes =
        registry.blob_bytes(repository, &layer.digest, ARTIFACT_BYTES_MAX).await.map_err(failed)?;
    let unpacked = tokio::task::spawn_blocking(move || unpack(bytes.as_ref())).await;
    let unpacked = unpacked.expect("the thread that unpacks does not panic and is not cancelled");
    unpacked.map_err(|source| FetchError::Archive { repository: repository.clone(), digest, source })
}
