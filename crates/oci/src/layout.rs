//! An OCI image layout on disk that is a registry.
//!
//! | File | What it is | Who writes it |
//! |--|--|--|
//! | `oci-layout`, `blobs/` | as the image specification says | everybody |
//! | `index.json` | every tag and manifest; a projection | this program late, other tools at any time |
//! | `.ringsite/tags.log` | every tag and manifest; the truth | this program, before it confirms |
//! | `.ringsite/projected` | which `index.json` is ours | this program |
//! | `.ringsite/lock`, `.ringsite/tmp/` | order of writers, unfinished files | this program |
//!
//! Blobs are shared by all repositories, manifests are not. A folder that does not exist is an empty
//! registry; reading never makes it. Several processes may use one folder at once.

mod adopt;
mod blobs;
mod index;
mod log;
mod note;
mod paths;
mod projection;
mod queue;
mod record;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use futures_util::StreamExt;
use ringsite_names::{Digest, Hasher, RepositoryName, Tag};
use tokio::sync::mpsc;

use self::blobs::check_expected;
use self::projection::Projector;
use self::queue::{PutWish, Queue, Wish};
use self::record::Record;
use crate::descriptor::Descriptor;
use crate::disk::Disk;
use crate::error::OciError;
use crate::intake::Intake;
use crate::limits::{BLOB_BYTES_IN_MEMORY, CHUNKS_IN_FLIGHT, MANIFEST_BYTES_MAX};
use crate::names::MEDIA_TYPE_OCTETS;
use crate::registry::{Abilities, Condition, Page, Put, Registry, StoredManifest, TagOrDigest, TagPage};
use crate::stream::BlobStream;

/// A registry in a folder, in the form of an OCI image layout.
///
/// End with [`Layout::close`], which writes `index.json` and tells whether that worked; dropping
/// does the same and only logs an error. A process that is killed loses nothing: the next one that
/// writes finishes `index.json`.
#[derive(Debug)]
pub struct Layout {
    store: Arc<Store>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Store {
    record: Record,
    queue: Queue,
    projector: Projector,
}

impl Layout {
    /// Returns the layout in `folder`, which need not exist; nothing is read yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on_disk(Disk::default(), folder.into())
    }

    fn on_disk(disk: Disk, folder: PathBuf) -> Self {
        let record = Record::new(disk, folder);
        let store = Store { record, queue: Queue::default(), projector: Projector::default() };
        Self { store: Arc::new(store), thread: Mutex::new(None) }
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        &self.store.record.paths.root
    }

    /// Writes `index.json` now if it is behind what was confirmed.
    ///
    /// # Errors
    /// `Disk` and `Damaged`; what was confirmed is safe all the same.
    pub async fn sync(&self) -> Result<(), OciError> {
        self.blocking(|store| store.projector.sync(&store.record)).await
    }

    /// Writes `index.json` if it is behind, and ends the thread that would do it.
    ///
    /// # Errors
    /// As [`Layout::sync`].
    pub async fn close(self) -> Result<(), OciError> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.blocking(move |store| {
            store.end(thread);
            store.projector.catch_up(&store.record)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, OciError> + Send + 'static,
    ) -> Result<T, OciError> {
        let store = Arc::clone(&self.store);
        match tokio::task::spawn_blocking(move || work(&store)).await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(OciError::Unanswered {
                    what: "work on the layout".to_owned(),
                    source: Box::new(error),
                }),
            },
        }
    }

    async fn submit(&self, wish: Wish) -> Result<bool, OciError> {
        self.start_thread();
        self.blocking(move |store| store.submit(wish)).await
    }

    /// Starts the projecting thread with the first change; a layout that is only read has none.
    fn start_thread(&self) {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_some() {
            return;
        }
        let store = Arc::clone(&self.store);
        let started = std::thread::Builder::new()
            .name("layout-projector".to_owned())
            .spawn(move || store.projector.run(&store.record));
        match started {
            Ok(handle) => *thread = Some(handle),
            // `index.json` is then written by `sync`, `close` or the drop.
            Err(error) => tracing::warn!(%error, "no thread for index.json"),
        }
    }

    /// Takes content that is too large for memory, through a bounded channel to a blocking thread.
    async fn put_large(
        &self,
        expected: Option<Digest>,
        begun: Vec<Bytes>,
        mut rest: BlobStream,
    ) -> Result<(Digest, u64), OciError> {
        let (sender, mut receiver) = mpsc::channel::<Option<Bytes>>(CHUNKS_IN_FLIGHT);
        let writing = self.blocking(move |store| {
            let blobs = &store.record.blobs;
            let mut incoming = blobs.begin(expected.map_or_else(Hasher::sha256, |digest| digest.hasher()))?;
            for chunk in begun {
                incoming.write(&chunk)?;
            }
            loop {
                match receiver.blocking_recv() {
                    Some(Some(chunk)) => incoming.write(&chunk)?,
                    Some(None) => return blobs.finish(incoming, expected.as_ref()).map(Some),
                    // The stream failed or was given up: the unfinished file goes with `incoming`.
                    None => return Ok(None),
                }
            }
        });
        let reading = async move {
            while let Some(chunk) = rest.next().await {
                if sender.send(Some(chunk?)).await.is_err() {
                    return Ok(());
                }
            }
            // A writer that is gone has its own error to tell.
            let _ = sender.send(None).await;
            Ok(())
        };
        let (written, read) = futures_util::join!(writing, reading);
        match (written, read) {
            (Ok(Some(stored)), Ok(())) => Ok(stored),
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(None), Ok(())) => Err(OciError::Unanswered {
                what: "store a blob".to_owned(),
                source: "its producer stopped before the end".into(),
            }),
        }
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.store.end(thread);
        if let Err(error) = self.store.projector.catch_up(&self.store.record) {
            tracing::warn!(%error, "index.json could not be written; the next writer does it");
        }
    }
}

impl Store {
    fn end(&self, thread: Option<JoinHandle<()>>) {
        self.projector.stop();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes index.json has panicked");
        }
    }

    fn submit(&self, wish: Wish) -> Result<bool, OciError> {
        let outcome = self.queue.submit(&self.record, wish);
        if outcome.is_ok() {
            self.projector.mark();
        }
        outcome
    }

    fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<StoredManifest, OciError> {
        let unknown =
            || OciError::ManifestUnknown { repository: repository.clone(), reference: reference.clone() };
        let find = || {
            self.record.read(|state| {
                state.find(repository, reference).map(|(digest, facts)| (digest, facts.clone()))
            })
        };
        let mut found = find()?.ok_or_else(unknown)?;
        loop {
            let (digest, facts) = found;
            if let Some(bytes) = self.record.blobs.read(&digest, MANIFEST_BYTES_MAX)? {
                return Ok(StoredManifest { bytes, digest, media_type: facts.media_type.to_string() });
            }
            // Somebody may have replaced and removed it between the two looks.
            found = find()?.ok_or_else(unknown)?;
            if found.0 == digest {
                return Err(OciError::Damaged {
                    place: format!("{repository}@{digest} in {}", self.record.paths.root.display()),
                    reason: "its content is missing".to_owned(),
                });
            }
        }
    }

    fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<Option<Descriptor>, OciError> {
        let found = self.record.read(|state| {
            let (digest, facts) = state.find(repository, reference)?;
            Some(Descriptor::new(&*facts.media_type, digest, facts.size))
        })?;
        let Some(descriptor) = found else { return Ok(None) };
        let is_there = self.record.blobs.size(&descriptor.digest)? == Some(descriptor.size);
        Ok(is_there.then_some(descriptor))
    }

    fn put_manifest(&self, wish: PutWish) -> Result<Digest, OciError> {
        let digest = wish.intake.digest;
        self.check_condition(&wish)?;
        for blob in &wish.intake.blobs {
            if !self.record.blobs.settle(blob)? {
                return Err(OciError::BlobUnknown { repository: wish.repository, digest: *blob });
            }
        }
        self.record.make_layout()?;
        self.record.blobs.store(&digest, &wish.bytes)?;
        self.submit(Wish::Put(Box::new(wish)))?;
        Ok(digest)
    }

    /// Refuses early what will be refused under the lock, so that a lost race leaves no content behind.
    fn check_condition(&self, wish: &PutWish) -> Result<(), OciError> {
        let Some(tag) = &wish.put.tag else { return Ok(()) };
        let found = self.record.read(|state| state.tagged(&wish.repository, tag))?;
        let holds = match &wish.put.condition {
            Condition::None => true,
            Condition::Match(wanted) => found.as_ref() == Some(wanted),
            Condition::Absent => found.is_none(),
        };
        if holds {
            return Ok(());
        }
        Err(OciError::ConditionFailed { repository: wish.repository.clone(), tag: tag.clone(), found })
    }

    fn put_small(&self, expected: Option<Digest>, bytes: &[u8]) -> Result<(Digest, u64), OciError> {
        let mut hasher = expected.map_or_else(Hasher::sha256, |digest| digest.hasher());
        hasher.update(bytes);
        let digest = hasher.finish();
        check_expected(expected.as_ref(), &digest)?;
        self.record.make_layout()?;
        self.record.blobs.store(&digest, bytes)?;
        Ok((digest, bytes.len() as u64))
    }

    fn referrers(&self, repository: &RepositoryName, subject: &Digest) -> Result<Vec<Descriptor>, OciError> {
        let mut list = Vec::new();
        for (digest, facts) in self.record.read(|state| state.referrers(repository, subject))? {
            // One that is removed this moment is no referrer any more.
            if let Some(bytes) = self.record.blobs.read(&digest, MANIFEST_BYTES_MAX)? {
                list.push(Intake::read(&bytes)?.into_referrer(&facts.media_type, facts.size));
            }
        }
        Ok(list)
    }
}

impl Registry for Layout {
    fn abilities(&self) -> Abilities {
        Abilities { conditional_put: true, delete: true, referrers: true, mount: true, local: true }
    }

    async fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<StoredManifest, OciError> {
        let (repository, reference) = (repository.clone(), reference.clone());
        self.blocking(move |store| store.manifest(&repository, &reference)).await
    }

    async fn head_manifest(
        &self,
        repository: &RepositoryName,
        reference: &TagOrDigest,
    ) -> Result<Option<Descriptor>, OciError> {
        let (repository, reference) = (repository.clone(), reference.clone());
        self.blocking(move |store| store.head_manifest(&repository, &reference)).await
    }

    /// Order of writes: the content and its name, then under the lock the frame that names it.
    async fn put_manifest(
        &self,
        repository: &RepositoryName,
        put: &Put,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<Digest, OciError> {
        let intake = Intake::judge(repository, put, media_type, &bytes)?;
        let (repository, put) = (repository.clone(), put.clone());
        let wish = PutWish { repository, put, media_type: media_type.to_owned(), bytes, intake };
        self.start_thread();
        self.blocking(move |store| store.put_manifest(wish)).await
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<BlobStream, OciError> {
        let (repository, wanted) = (repository.clone(), *digest);
        let (small, size) = self
            .blocking(move |store| {
                let unknown = || OciError::BlobUnknown { repository, digest: wanted };
                let blobs = &store.record.blobs;
                let size = blobs.size(&wanted)?.ok_or_else(unknown.clone())?;
                if size > BLOB_BYTES_IN_MEMORY as u64 {
                    return Ok((None, size));
                }
                let bytes = blobs.read(&wanted, BLOB_BYTES_IN_MEMORY as u64)?.ok_or_else(unknown)?;
                Ok((Some(bytes), size))
            })
            .await?;
        if let Some(bytes) = small {
            return Ok(BlobStream::from_bytes(bytes));
        }
        let (sender, stream) = BlobStream::channel(Some(size));
        let store = Arc::clone(&self.store);
        let reading = move || match store.record.blobs.open(&wanted) {
            Ok(Some((file, _))) => store.record.blobs.send(&wanted, file, sender),
            Ok(None) => sender.fail_blocking(OciError::damaged_file(
                &store.record.blobs.path(&wanted),
                "it was removed while it was read",
            )),
            Err(error) => sender.fail_blocking(error),
        };
        // The thread ends with the stream: it stops at the first piece that nobody takes.
        drop(tokio::task::spawn_blocking(reading));
        Ok(stream)
    }

    async fn put_blob(
        &self,
        _repository: &RepositoryName,
        expected: Option<&Digest>,
        mut content: BlobStream,
    ) -> Result<Descriptor, OciError> {
        let expected = expected.copied();
        let mut begun: Vec<Bytes> = Vec::new();
        let mut begun_bytes = 0;
        let mut is_whole = true;
        while let Some(chunk) = content.next().await {
            let chunk = chunk?;
            begun_bytes += chunk.len();
            begun.push(chunk);
            if begun_bytes > BLOB_BYTES_IN_MEMORY {
                is_whole = false;
                break;
            }
        }
        let (digest, size) = if is_whole {
            let bytes = match <[Bytes; 1]>::try_from(begun) {
                Ok([only]) => only,
                Err(several) => several.concat().into(),
            };
            self.blocking(move |store| store.put_small(expected, &bytes)).await?
        } else {
            self.blocking(|store| store.record.make_layout()).await?;
            self.put_large(expected, begun, content).await?
        };
        Ok(Descriptor::new(MEDIA_TYPE_OCTETS, digest, size))
    }

    async fn has_blob(&self, _repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        let digest = *digest;
        self.blocking(move |store| Ok(store.record.blobs.size(&digest)?.is_some())).await
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
        let (repository, page) = (repository.clone(), page.clone());
        self.blocking(move |store| store.record.read(|state| state.page(&repository, &page))).await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        let (repository, digest) = (repository.clone(), *digest);
        let mut list = self.blocking(move |store| store.referrers(&repository, &digest)).await?;
        list.retain(|found| artifact_type.is_none() || found.artifact_type.as_deref() == artifact_type);
        Ok(list)
    }

    async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, OciError> {
        self.submit(Wish::DeleteTag(repository.clone(), tag.clone())).await
    }

    /// Order of writes: the frame; the content goes after the next `index.json`, which no longer names it.
    async fn delete_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.submit(Wish::DeleteManifest(repository.clone(), *digest)).await
    }

    /// Takes the lock, so that no manifest is being put that names the blob.
    async fn flush(&self) -> Result<(), OciError> {
        self.sync().await
    }

    async fn delete_blob(&self, _repository: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        let digest = *digest;
        self.blocking(move |store| {
            if store.record.blobs.size(&digest)?.is_none() {
                return Ok(false);
            }
            store.record.write(|_| store.record.blobs.remove(&digest))
        })
        .await
    }
}

#[cfg(test)]
mod tests;
