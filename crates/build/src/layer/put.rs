//! Makes layers of entries and puts them into the registry, streaming.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::names::MEDIA_TYPE_LAYER_GZIP;
use ringsite_oci::{BlobStream, Descriptor, OciError, Registry};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::archive::{Reader, decompress};
use crate::error::BuildError;
use crate::layer::cache::{LayerCache, Note, layer_key};
use crate::layer::content::{Contents, hand_out_failed};
use crate::layer::entry::{Entry, Origin, source_file};
use crate::layer::gzip::Compressors;
use crate::layer::parts::Part;
use crate::layer::spool::{Spool, needed, origin_text};
use crate::layer::tar::write_tar;

/// A layer that is in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    /// What the manifest says about it.
    pub(crate) descriptor: Descriptor,
    /// Its digest without compression.
    pub(crate) diff_id: Digest,
    /// Whether it was there already.
    pub(crate) is_reused: bool,
}

/// Everything that making the layers of one image needs.
#[derive(Clone, Debug)]
pub(crate) struct LayerWriter {
    /// Where layers go.
    pub(crate) repository: RepositoryName,
    /// The time of every entry in seconds.
    pub(crate) epoch: u64,
    /// Threads that compress.
    pub(crate) threads: usize,
    /// What is remembered.
    pub(crate) cache: LayerCache,
}

impl LayerWriter {
    /// Returns the layers of `parts`, taken from the registry where they are known there.
    ///
    /// Order of writes: a layer is complete in the registry before it is remembered.
    ///
    /// # Errors
    /// What sources, archives and the registry say.
    pub(crate) async fn put_all(
        &self,
        registry: &impl Registry,
        contents: &Contents,
        parts: Vec<Part>,
    ) -> Result<Vec<Layer>, BuildError> {
        let mut layers = Vec::with_capacity(parts.len());
        let mut missing = Vec::new();
        for part in &parts {
            let key = layer_key(part.iter(), self.epoch, &contents.sources);
            let known = self.known(registry, &key).await?;
            if known.is_none() {
                missing.push(part);
            }
            layers.push((key, known));
        }
        let compressors = (!missing.is_empty()).then(|| Arc::new(Compressors::start(self.threads)));
        let contents = take_out(registry, contents, missing.into_iter().flat_map(Part::iter)).await?;
        let mut whole = Vec::with_capacity(layers.len());
        for ((key, known), part) in layers.into_iter().zip(parts) {
            whole.push(match (known, &compressors) {
                (Some(layer), _) => layer,
                (None, Some(compressors)) => {
                    let made = self.make(contents.clone(), part, compressors.clone());
                    self.put(registry, made, &key).await?
                }
                (None, None) => unreachable!("a layer that is not known is among the missing ones"),
            });
        }
        Ok(whole)
    }

    /// Returns a layer that the cache knows and the registry has.
    async fn known(&self, registry: &impl Registry, key: &Digest) -> Result<Option<Layer>, BuildError> {
        let Some(note) = self.cache.note(key) else { return Ok(None) };
        let Note { repository, digest, size, diff_id } = note;
        let is_there = registry.has_blob(&self.repository, &digest).await?
            || (repository != self.repository
                && registry.abilities().mount
                && registry.mount(&repository, &self.repository, &digest).await?);
        let descriptor = Descriptor::new(MEDIA_TYPE_LAYER_GZIP, digest, size);
        Ok(is_there.then_some(Layer { descriptor, diff_id, is_reused: true }))
    }

    /// Makes the bytes of a layer on a thread that may block; returns their stream, and what
    /// becomes the digest without compression.
    fn make(&self, contents: Contents, part: Part, compressors: Arc<Compressors>) -> Making {
        let (sender, stream) = BlobStream::channel(None);
        let epoch = self.epoch;
        let work = spawn_blocking(move || {
            let mut sender = sender;
            let produce = |sink: &mut dyn io::Write| write_tar(part.iter(), epoch, &contents, sink);
            let take = |member: Bytes| sender.send_blocking(member).map_err(io::Error::other);
            let made = compressors.compress(produce, take);
            match &made {
                // A reader that is gone has its own error, which counts.
                Ok(_) => drop(sender.finish_blocking()),
                // The reader must see that this is not the whole layer.
                Err(_) => drop(sender),
            }
            made
        });
        Making { stream, work }
    }

    async fn put(
        &self,
        registry: &impl Registry,
        Making { stream, work }: Making,
        key: &Digest,
    ) -> Result<Layer, BuildError> {
        let (stored, made) = tokio::join!(registry.put_blob(&self.repository, None, stream), work);
        let made = made.map_err(|error| BuildError::Worker(Box::new(error)))?;
        let (descriptor, diff_id) = match (stored, made) {
            (Ok(descriptor), Ok(diff_id)) => (descriptor.with_media_type(MEDIA_TYPE_LAYER_GZIP), diff_id),
            // When the registry stops taking, the worker only notices that nobody listens.
            (Err(error), Err(BuildError::Worker(_)) | Ok(_)) => return Err(error.into()),
            (_, Err(error)) => return Err(error),
        };
        let note = Note {
            repository: self.repository.clone(),
            digest: descriptor.digest,
            size: descriptor.size,
            diff_id,
        };
        self.cache.keep(key, note);
        Ok(Layer { descriptor, diff_id, is_reused: false })
    }
}

/// A layer on its way: its bytes, and the thread that makes them.
struct Making {
    stream: BlobStream,
    work: JoinHandle<Result<Digest, BuildError>>,
}

/// Puts aside what the entries need from archives.
pub(crate) async fn take_out<'e>(
    registry: &impl Registry,
    contents: &Contents,
    entries: impl Iterator<Item = &'e Entry>,
) -> Result<Contents, BuildError> {
    let needed = needed(entries);
    let mut spool = Spool::default();
    for (origin, ordinals) in needed {
        spool = take_from(registry, contents, spool, origin, ordinals).await?;
    }
    Ok(Contents { spool: Arc::new(spool), ..contents.clone() })
}

async fn take_from(
    registry: &impl Registry,
    contents: &Contents,
    mut spool: Spool,
    origin: Arc<Origin>,
    ordinals: BTreeSet<u32>,
) -> Result<Spool, BuildError> {
    let blob = match &*origin {
        Origin::Blob { repository, digest } => Some(registry.blob(repository, digest).await?),
        Origin::Context(_) => None,
    };
    let contents = contents.clone();
    let work = spawn_blocking_reader(blob, move |blob| {
        let what = origin_text(&origin);
        let stream: Box<dyn Read> = match (blob, &*origin) {
            (Some(blob), _) => Box::new(blob),
            (None, Origin::Context(index)) => {
                let file = source_file(&contents.sources, *index);
                Box::new(contents.context().open(file).map_err(hand_out_failed)?)
            }
            (None, Origin::Blob { .. }) => unreachable!("the blob of a layer was opened above"),
        };
        let mut tar = Reader::new(decompress(&what, stream)?, what);
        spool.take(&origin, &ordinals, &mut tar)?;
        Ok(spool)
    });
    work.await
}

/// Runs `work` on a thread that may block, with a reader of `blob`.
pub(crate) async fn spawn_blocking_reader<T: Send + 'static>(
    blob: Option<BlobStream>,
    work: impl FnOnce(Option<BlobReader>) -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let handle = Handle::current();
    let reader = blob.map(|stream| blocking_reader(handle, stream));
    spawn_blocking(move || work(reader)).await.map_err(|error| BuildError::Worker(Box::new(error)))?
}

/// Returns a reader of a stream for threads that may block.
pub(crate) fn blocking_reader(handle: Handle, stream: BlobStream) -> BlobReader {
    BlobReader { handle, stream, piece: Bytes::new() }
}

/// Reads a [`BlobStream`] on a thread that may block.
#[derive(Debug)]
pub(crate) struct BlobReader {
    handle: Handle,
    stream: BlobStream,
    piece: Bytes,
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.handle.block_on(self.stream.next()) {
                None => return Ok(0),
                Some(Ok(piece)) => self.piece = piece,
                Some(Err(error)) => return Err(io::Error::other::<OciError>(error)),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece[..count]);
        self.piece.advance(count);
        Ok(count)
    }
}
