//! A store in memory with the semantics of the layout, for tests and for short-lived content.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName, Tag};

use crate::descriptor::Descriptor;
use crate::error::OciError;
use crate::intake::Intake;
use crate::names::MEDIA_TYPE_OCTETS;
use crate::registry::{Abilities, Page, Put, Registry, StoredManifest, TagOrDigest, TagPage};
use crate::state::{Draft, Facts, State};
use crate::stream::BlobStream;

/// Keeps everything in memory; blobs are shared by all repositories, manifests are not.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    state: State,
    content: HashMap<Digest, Bytes>,
}

impl Memory {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change below is made in one piece, so what a panic leaves behind is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draft<T>(&self, decide: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let mut inner = self.inner();
        let mut draft = Draft::new(&inner.state);
        let answer = decide(&mut draft);
        for change in draft.into_changes() {
            inner.state.apply(change).expect("a decided change fits the state it was decided on");
        }
        answer
    }
}

impl Registry for Memory {
    fn abilities(&self) -> Abilities {
        Abilities { conditional_put: true, delete: true, referrers: true, mount: true, local: true }
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<StoredManifest, OciError> {
        let inner = self.inner();
        let found = inner.state.find(repository, reference).and_then(|(digest, facts)| {
            let bytes = inner.content.get(&digest)?.clone();
            Some(StoredManifest { bytes, digest, media_type: facts.media_type.to_string() })
        });
        found.ok_or_else(|| OciError::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        })
    }

    async fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<Option<Descriptor>, OciError> {
        let inner = self.inner();
        let found = inner.state.find(repository, reference);
        let found = found.filter(|(digest, _)| inner.content.contains_key(digest));
        Ok(found.map(|(digest, facts)| Descriptor::new(&*facts.media_type, digest, facts.size)))
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        put: &Put,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Digest, OciError> {
        let intake = Intake::judge(repository, put, media_type, &bytes)?;
        let digest = intake.digest;
        let mut inner = self.inner();
        let missing = intake.blobs.iter().find(|blob| !inner.content.contains_key(blob));
        let has = |child: &Digest| inner.state.find(repository, &TagOrDigest::Digest(*child)).is_some();
        if let Some(missing) = missing.or_else(|| intake.manifests.iter().find(|child| !has(child))) {
            return Err(OciError::BlobUnknown { repository: repository.clone(), digest: *missing });
        }
        let size = bytes.len() as u64;
        let facts = Facts { media_type: media_type.into(), size, subject: intake.subject, extra: None };
        let mut draft = Draft::new(&inner.state);
        draft.put(repository, put, digest, facts)?;
        for change in draft.into_changes() {
            inner.state.apply(change).expect("a decided change fits the state it was decided on");
        }
        inner.content.insert(digest, bytes);
        Ok(digest)
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobStream, OciError> {
        let found = self.inner().content.get(digest).cloned();
        let unknown = || OciError::BlobUnknown { repository: repository.clone(), digest: *digest };
        found.map(BlobStream::from_bytes).ok_or_else(unknown)
    }

    async fn put_blob(
        &self,
        _repository: &RepositoryName,
        expected: Option<&Digest>,
        content: BlobStream,
    ) -> Result<Descriptor, OciError> {
        let bytes = content.into_bytes(u64::MAX).await?;
        let mut hasher = expected.map_or_else(ringsite_names::Hasher::sha256, Digest::hasher);
        hasher.update(&bytes);
        let found = hasher.finish();
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            let (expected, found) = (Box::new(*expected), Box::new(found));
            return Err(OciError::DigestMismatch { expected, found });
        }
        let size = bytes.len() as u64;
        self.inner().content.insert(found, bytes);
        Ok(Descriptor::new(MEDIA_TYPE_OCTETS, found, size))
    }

    async fn has_blob(&self, _repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        Ok(self.inner().content.contains_key(digest))
    }

    async fn mount(
        &self,
        _from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, OciError> {
        self.has_blob(to, digest).await
    }

    async fn tags(&self, repository: &RepositoryName, page: &Page) -> Result<TagPage, OciError> {
        Ok(self.inner().state.page(repository, page))
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let inner = self.inner();
        let mut list = Vec::new();
        for (referrer, facts) in inner.state.referrers(repository, digest) {
            if let Some(bytes) = inner.content.get(&referrer) {
                list.push(Intake::read(bytes)?.into_referrer(&facts.media_type, facts.size));
            }
        }
        list.retain(|found| artifact_type.is_none() || found.artifact_type.as_deref() == artifact_type);
        Ok(list)
    }

    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, OciError> {
        Ok(self.draft(|draft| draft.delete_tag(repository, tag)))
    }

    async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        let was_there = self.draft(|draft| draft.delete_manifest(repository, digest));
        let mut inner = self.inner();
        if was_there && !inner.state.has_anywhere(digest) {
            inner.content.remove(digest);
        }
        Ok(was_there)
    }

    async fn delete_blob(&self, _repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        Ok(self.inner().content.remove(digest).is_some())
    }
}
