//! A registry that fails on purpose: at a given call, by a seed, or for good.
//!
//! Calls are counted from 1 over all operations, so that a test can run an operation once to learn
//! how many calls it makes, and then once more for each of them and each [`Fault`].

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::{
    Abilities, BlobStream, Descriptor, OciError, Page, Put, Registry, StoredManifest, TagOrDigest, TagPage,
};

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and there is no answer.
    Fail,
    /// It is done, and the answer is lost. Reads fail.
    LoseAnswer,
    /// It is done, and the answer is an error of the disk. Reads fail so too.
    ErrorAfterWrite,
    /// Nothing is done, and the answer is that of success; only for `put_manifest`, else nothing special.
    Lie,
    /// Nothing is done, by this call or any later one: the process is gone before it.
    KillBefore,
    /// It is done, the answer is lost, and nothing is done by any later call: the process is gone after it.
    KillAfter,
}

/// Wraps a registry with faults.
#[derive(Debug)]
pub struct Faulty<R> {
    inner: R,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: Vec<&'static str>,
    faults: BTreeMap<usize, Fault>,
    is_killed: bool,
    /// State of the generator, and how many of 1,000 calls fail.
    random: Option<(u64, u64)>,
}

/// How a call goes on after the fault was drawn.
enum Course {
    Do,
    Skip,
    DoAndLose,
    DoAndError,
    Pretend,
}

impl<R: Registry> Faulty<R> {
    /// Wraps `inner` without any fault.
    pub fn new(inner: R) -> Self {
        Self { inner, plan: Mutex::default() }
    }

    /// Adds a fault at the call with this number, counted from 1.
    #[must_use]
    pub fn with_fault(self, call: usize, fault: Fault) -> Self {
        self.plan().faults.insert(call, fault);
        self
    }

    /// Lets `per_mille` of 1,000 calls fail, before or after they take effect, as `seed` has it.
    #[must_use]
    pub fn with_seed(self, seed: u64, per_mille: u64) -> Self {
        self.plan().random = Some((seed | 1, per_mille));
        self
    }

    /// Returns the registry inside, which has no faults.
    pub fn inner(&self) -> &R {
        &self.inner
    }

    /// Returns the operations that were called so far, in order.
    pub fn calls(&self) -> Vec<&'static str> {
        self.plan().calls.clone()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn course(&self, operation: &'static str) -> Course {
        let mut plan = self.plan();
        plan.calls.push(operation);
        if plan.is_killed {
            return Course::Skip;
        }
        let number = plan.calls.len();
        match plan.faults.get(&number).copied().or_else(|| plan.draw()) {
            None => Course::Do,
            Some(Fault::Fail) => Course::Skip,
            Some(Fault::LoseAnswer) => Course::DoAndLose,
            Some(Fault::ErrorAfterWrite) => Course::DoAndError,
            Some(Fault::Lie) => Course::Pretend,
            Some(Fault::KillBefore) => {
                plan.is_killed = true;
                Course::Skip
            }
            Some(Fault::KillAfter) => {
                plan.is_killed = true;
                Course::DoAndLose
            }
        }
    }

    async fn run<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, OciError>>,
    ) -> Result<T, OciError> {
        match self.course(operation) {
            Course::Do | Course::Pretend => call.await,
            Course::Skip => Err(no_answer(operation)),
            Course::DoAndLose => {
                call.await?;
                Err(no_answer(operation))
            }
            Course::DoAndError => {
                call.await?;
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(OciError::Disk { action: "sync", path: "faulty".into(), source })
            }
        }
    }
}

impl Plan {
    fn draw(&mut self) -> Option<Fault> {
        let (state, per_mille) = self.random.as_mut()?;
        // The generator is xorshift64: a seed gives the same faults on every machine.
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let draw = *state % 1000;
        let is_late = (*state >> 32) & 1 == 1;
        (draw < *per_mille).then_some(if is_late { Fault::LoseAnswer } else { Fault::Fail })
    }
}

fn no_answer(operation: &'static str) -> OciError {
    OciError::Unanswered { what: operation.to_owned(), source: "the connection was cut on purpose".into() }
}

impl<R: Registry> Registry for Faulty<R> {
    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<StoredManifest, OciError> {
        self.run("manifest", self.inner.manifest(repository, reference)).await
    }

    async fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<Option<Descriptor>, OciError> {
        self.run("head_manifest", self.inner.head_manifest(repository, reference)).await
    }

    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        put: &Put,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Digest, OciError> {
        let digest = Digest::sha256(&bytes);
        let operation = "put_manifest";
        match self.course(operation) {
            Course::Do => self.inner.put_manifest(repository, put, media_type, bytes).await,
            Course::Pretend => Ok(digest),
            Course::Skip => Err(no_answer(operation)),
            Course::DoAndLose => {
                self.inner.put_manifest(repository, put, media_type, bytes).await?;
                Err(no_answer(operation))
            }
            Course::DoAndError => {
                self.inner.put_manifest(repository, put, media_type, bytes).await?;
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull);
                Err(OciError::Disk { action: "sync", path: "faulty".into(), source })
            }
        }
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobStream, OciError> {
        self.run("blob", self.inner.blob(repository, digest)).await
    }

    async fn put_blob(
        &self,
        repository: &RepositoryName,
        expected: Option<&Digest>,
        content: BlobStream,
    ) -> Result<Descriptor, OciError> {
        self.run("put_blob", self.inner.put_blob(repository, expected, content)).await
    }

    async fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.run("has_blob", self.inner.has_blob(repository, digest)).await
    }

    async fn mount(
        &self,
        from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, OciError> {
        self.run("mount", self.inner.mount(from, to, digest)).await
    }

    async fn tags(&self, repository: &RepositoryName, page: &Page) -> Result<TagPage, OciError> {
        self.run("tags", self.inner.tags(repository, page)).await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        self.run("referrers", self.inner.referrers(repository, digest, artifact_type)).await
    }

    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, OciError> {
        self.run("delete_tag", self.inner.delete_tag(repository, tag)).await
    }

    async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.run("delete_manifest", self.inner.delete_manifest(repository, digest)).await
    }

    async fn flush(&self) -> Result<(), OciError> {
        self.inner.flush().await
    }

    async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.run("delete_blob", self.inner.delete_blob(repository, digest)).await
    }
}
