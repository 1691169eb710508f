//! Reads what a site gets from a root image: its environments and the digests that it pins.
//!
//! Step 1 of a placement; needs no working copy. Layers stream from the registry through a thread
//! that unpacks them: memory holds what is kept and a few pieces on their way. Nothing is returned
//! before the digest of every layer was checked.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bytes::Bytes;
use futures_util::StreamExt;
use ringsite_names::{Digest, ImageName, ProjectName, RepositoryName, Version};
use ringsite_oci::{
    BlobStream, Descriptor, ImageConfig, ImageManifest, Manifest, OciError, Registry, TagOrDigest,
};
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::archive::ArchiveError;
use crate::artifact::Root;
use crate::limits::{CONFIG_BYTES_MAX, LAYER_PIECES_QUEUED_MAX};
use crate::names::IMAGES_FILE;
use crate::overlay::Overlay;
use crate::tree::Tree;

/// What a root image carries for its sites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootImage {
    /// The digest that was asked for; of an index when the image has several platforms.
    pub digest: Digest,
    /// When the image was made, as its configuration says.
    pub created: Option<String>,
    /// The labels of the image.
    pub labels: BTreeMap<String, String>,
    /// Everything below `/environments`, with that folder in each path.
    pub environments: Tree,
    /// The project that the image says it is of.
    pub project: ProjectName,
    /// Where the sources are published, when the image says so.
    pub source: Option<String>,
    /// Version and digest of every other image of the project.
    pub images: BTreeMap<ImageName, ImageOfRoot>,
}

impl RootImage {
    /// Returns the release that a site gets from this image; name and version are what the ledger
    /// says that it is.
    pub fn release(&self, name: ImageName, version: Version) -> Root {
        let images = self.images.iter().map(|(image, of_root)| (image.clone(), of_root.digest)).collect();
        Root { name, version, digest: self.digest, created: self.created.clone(), images }
    }
}

/// What the root image says about another image.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ImageOfRoot {
    /// The version.
    pub version: Version,
    /// The digest.
    pub digest: Digest,
}

/// A root image that cannot be placed.
#[derive(Debug, thiserror::Error)]
pub enum RootError {
    /// The registry or the stored image is at fault.
    #[error("read root image {repository}@{digest}: {source}")]
    Registry {
        /// The repository.
        repository: RepositoryName,
        /// The root image.
        digest: Digest,
        /// What happened.
        source: OciError,
    },
    /// A layer breaks a rule.
    #[error("root image {repository}@{digest}, layer {layer}: {source}")]
    Layer {
        /// The repository.
        repository: RepositoryName,
        /// The root image.
        digest: Digest,
        /// The layer.
        layer: Digest,
        /// The rule and the entry.
        source: ArchiveError,
    },
    /// There is no `/environments`.
    #[error("root image {repository}@{digest} has no files below `/environments`")]
    NoEnvironments {
        /// The repository.
        repository: RepositoryName,
        /// The root image.
        digest: Digest,
    },
    /// The images file is missing or wrong.
    #[error("root image {repository}@{digest}: `/{IMAGES_FILE}` {reason}")]
    Images {
        /// The repository.
        repository: RepositoryName,
        /// The root image.
        digest: Digest,
        /// What is wrong with it.
        reason: String,
    },
}

impl RootError {
    /// Returns what to do next.
    pub fn help(&self) -> String {
        match self {
            Self::Registry { source, .. } => source.help().unwrap_or("see what the registry says").to_owned(),
            Self::Layer { .. } => {
                "repair what is copied to `/environments` in the root's containerfile, and release again".to_owned()
            }
            Self::NoEnvironments { .. } => {
                "add this line to the last stage of the root's containerfile: COPY environments/ /environments/"
                    .to_owned()
            }
            Self::Images { .. } => {
                "the file is written by `ring release`: name a root image that it built, or release again".to_owned()
            }
        }
    }
}

/// Reads a root image by digest.
///
/// # Errors
/// `Registry` when it cannot be read or its content is damaged; `Layer` for a hostile or broken
/// layer; `NoEnvironments`; `Images` when the file with the digests is missing or wrong.
pub async fn read_root(
    registry: &impl Registry,
    repository: &RepositoryName,
    digest: Digest,
) -> Result<RootImage, RootError> {
    let failed = |source| RootError::Registry { repository: repository.clone(), digest, source };
    let manifest = first_platform(registry, repository, digest).await.map_err(failed)?;
    let config = registry.blob_bytes(repository, &manifest.config.digest, CONFIG_BYTES_MAX).await;
    let config = config.and_then(|bytes| ImageConfig::from_bytes(&bytes)).map_err(failed)?;
    let mut overlay = Overlay::default();
    for layer in &manifest.layers {
        overlay = match apply(registry, repository, layer, overlay).await {
            Ok(overlay) => overlay,
            Err(LayerError::Registry(source)) => return Err(failed(source)),
            Err(LayerError::Archive(source)) => {
                let repository = repository.clone();
                return Err(RootError::Layer { repository, digest, layer: layer.digest, source });
            }
        };
    }
    let (environments, images) = overlay.finish();
    if environments.is_empty() {
        return Err(RootError::NoEnvironments { repository: repository.clone(), digest });
    }
    let images = parse_images(images.as_deref()).map_err(|reason| RootError::Images {
        repository: repository.clone(),
        digest,
        reason,
    })?;
    Ok(RootImage {
        digest,
        created: config.created,
        labels: config.config.labels,
        environments,
        project: images.project,
        source: images.source,
        images: images.images,
    })
}

/// The image of the first platform: every platform carries the same environments.
async fn first_platform(
    registry: &impl Registry,
    repository: &RepositoryName,
    digest: Digest,
) -> Result<ImageManifest, OciError> {
    let invalid =
        |reason: &str| OciError::Invalid { what: format!("manifest {digest}"), reason: reason.to_owned() };
    match registry.manifest(repository, &TagOrDigest::Digest(digest)).await?.parse()? {
        Manifest::Image(manifest) => Ok(manifest),
        Manifest::Index(index) => {
            let child = index.manifests.first().ok_or_else(|| invalid("it is an index without children"))?;
            registry.manifest(repository, &TagOrDigest::Digest(child.digest)).await?.image()
        }
    }
}

enum LayerError {
    Registry(OciError),
    Archive(ArchiveError),
}

/// Puts one layer on top. The registry's stream is always read to its end, where its digest is
/// checked, before what the layer holds counts.
async fn apply(
    registry: &impl Registry,
    repository: &RepositoryName,
    layer: &Descriptor,
    mut overlay: Overlay,
) -> Result<Overlay, LayerError> {
    let stream = registry.blob(repository, &layer.digest).await.map_err(LayerError::Registry)?;
    unpack_stream(stream, move |reader| {
        overlay.apply(reader)?;
        Ok(overlay)
    })
    .await
}

/// Runs `unpack` on a thread that may block, and feeds it from the stream.
async fn unpack_stream<T: Send + 'static>(
    mut stream: BlobStream,
    unpack: impl FnOnce(&mut PieceReader) -> Result<T, ArchiveError> + Send + 'static,
) -> Result<T, LayerError> {
    let (sender, receiver) = mpsc::channel(LAYER_PIECES_QUEUED_MAX);
    let worker = tokio::task::spawn_blocking(move || {
        let mut reader = PieceReader { receiver, piece: Bytes::new() };
        let unpacked = unpack(&mut reader)?;
        io::copy(&mut reader, &mut io::sink()).map_err(ArchiveError::Damaged)?;
        Ok(unpacked)
    });
    let mut failed = None;
    while let Some(piece) = stream.next().await {
        match piece {
            // A worker that is gone has an error to tell.
            Ok(piece) => {
                if sender.send(piece).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    drop(sender);
    let unpacked = worker.await.expect("the thread that unpacks does not panic and is not cancelled");
    match failed {
        Some(error) => Err(LayerError::Registry(error)),
        None => unpacked.map_err(LayerError::Archive),
    }
}

/// The pieces of a blob as one reader, for a thread that may block.
pub(crate) struct PieceReader {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let size = self.piece.len().min(buffer.len());
        buffer[..size].copy_from_slice(&self.piece.split_to(size));
        Ok(size)
    }
}

#[derive(Deserialize)]
struct ImagesFile {
    schema: u32,
    project: ProjectName,
    #[serde(default)]
    source: Option<String>,
    images: BTreeMap<ImageName, ImageOfRoot>,
}

fn parse_images(bytes: Option<&[u8]>) -> Result<ImagesFile, String> {
    let bytes = bytes.ok_or_else(|| "is missing".to_owned())?;
    let file: ImagesFile =
        serde_json::from_slice(bytes).map_err(|error| format!("is not readable: {error}"))?;
    match file.schema {
        1 => Ok(file),
        other => Err(format!("has schema {other}, expected 1: a newer program wrote it")),
    }
}
