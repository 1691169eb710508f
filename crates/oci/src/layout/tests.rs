//! What the layout does when the disk, another tool or another process gets in its way.

mod damage;
mod faults;
mod foreign;
mod power;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName, Tag};
use serde_json::Value;
use tempfile::TempDir;

use super::Layout;
use crate::disk::{Disk, Witness};
use crate::error::OciError;
use crate::manifest::{EMPTY_CONFIG, ImageManifest};
use crate::names::{MEDIA_TYPE_EMPTY, MEDIA_TYPE_LAYER, MEDIA_TYPE_MANIFEST};
use crate::registry::{Page, Put, Registry, TagOrDigest};
use crate::stream::BlobStream;

/// A folder for one test, and the layouts that are opened in it.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    /// For tests that sync tens of thousands of times, where what a sync does is played anyway.
    fn in_memory() -> Self {
        let shared = Path::new("/dev/shm");
        match tempfile::tempdir_in(shared) {
            Ok(folder) => Self { folder },
            Err(_) => Self::new(),
        }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("registry")
    }

    fn open(&self) -> Layout {
        Layout::new(self.root())
    }

    fn open_with(&self, witness: Witness) -> Layout {
        Layout::on_disk(Disk::with_witness(witness), self.root())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.root().join("blobs").join(digest.algorithm()).join(digest.to_hex())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime for the test");
    runtime.block_on(work)
}

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).expect("is a repository name")
}

fn tag(name: &str) -> Tag {
    Tag::new(name).expect("is a tag")
}

/// Pushes an artifact whose layer is `text`, and returns its manifest's digest.
async fn push(layout: &Layout, name: &str, put: &Put, text: &str) -> Result<Digest, OciError> {
    let name = repository(name);
    layout.put_bytes(&name, MEDIA_TYPE_EMPTY, Bytes::from_static(EMPTY_CONFIG)).await?;
    let layer = layout.put_bytes(&name, MEDIA_TYPE_LAYER, Bytes::copy_from_slice(text.as_bytes())).await?;
    let manifest = ImageManifest::artifact("application/vnd.example", vec![layer]);
    layout.put_manifest(&name, put, MEDIA_TYPE_MANIFEST, manifest.to_bytes().into()).await
}

async fn push_tag(layout: &Layout, name: &str, text: &str) -> Digest {
    let (repository, name) = name.rsplit_once(':').expect("has a tag");
    push(layout, repository, &Put::under(tag(name)), text).await.expect("is pushed")
}

/// Returns what a tag names, after reading all of it.
async fn read_tag(layout: &Layout, name: &str) -> Result<Digest, OciError> {
    let (name, text) = name.rsplit_once(':').expect("has a tag");
    read_whole(layout, &repository(name), &TagOrDigest::Tag(tag(text))).await
}

async fn read_whole(
    layout: &Layout,
    name: &RepositoryName,
    reference: &TagOrDigest,
) -> Result<Digest, OciError> {
    let stored = layout.manifest(name, reference).await?;
    let manifest = stored.image()?;
    for blob in manifest.layers.iter().chain([&manifest.config]) {
        let content = layout.blob_bytes(name, &blob.digest, blob.size).await?;
        assert_eq!(content.len() as u64, blob.size);
    }
    Ok(stored.digest)
}

async fn all_tags(layout: &Layout, name: &str) -> Vec<String> {
    let page = layout.tags(&repository(name), &Page::first(1000)).await.expect("are listed");
    page.tags.iter().map(Tag::to_string).collect()
}

/// Stores a blob that does not fit into memory.
async fn put_large(layout: &Layout, byte: u8) -> Result<Digest, OciError> {
    let chunks: Vec<_> = (0..3).map(|_| Ok(Bytes::from(vec![byte; 100_000]))).collect();
    let stream = BlobStream::new(None, futures_util::stream::iter(chunks));
    Ok(layout.put_blob(&repository("acme/shop"), None, stream).await?.digest)
}

/// Returns the entries of `index.json` by their names, and checks that it is a valid image layout.
fn read_index(root: &Path) -> BTreeMap<String, Digest> {
    let layout = std::fs::read(root.join("oci-layout")).expect("every layout has this file");
    assert_eq!(layout, br#"{"imageLayoutVersion":"1.0.0"}"#);
    let bytes = std::fs::read(root.join("index.json")).expect("every layout has this file");
    let index: oci_spec::image::ImageIndex = serde_json::from_slice(&bytes).expect("is an image index");
    assert_eq!(index.schema_version(), 2);
    let mut names = BTreeMap::new();
    for entry in index.manifests() {
        let digest: Digest = entry.digest().to_string().parse().expect("is a digest");
        let file = root.join("blobs").join(digest.algorithm()).join(digest.to_hex());
        let content = std::fs::read(file).expect("every entry has its content");
        assert_eq!(content.len() as u64, entry.size());
        assert!(digest.matches(&content));
        let annotations = entry.annotations().clone().unwrap_or_default();
        let name = annotations.get("org.opencontainers.image.ref.name").cloned();
        let name = name.unwrap_or_else(|| {
            format!("{}@{digest}", annotations.get("dev.ringsite.repository").map_or("", String::as_str))
        });
        assert!(names.insert(name.clone(), digest).is_none(), "{name} is listed twice");
    }
    names
}

/// Changes `index.json` as another tool would.
fn edit_index(root: &Path, edit: impl FnOnce(&mut Vec<Value>)) {
    let path = root.join("index.json");
    let bytes = std::fs::read(&path).expect("is there");
    let mut index: Value = serde_json::from_slice(&bytes).expect("is JSON");
    edit(index["manifests"].as_array_mut().expect("is a list"));
    std::fs::write(&path, index.to_string()).expect("is written");
}

/// Returns the entry that another tool would write for a manifest.
fn entry(digest: &Digest, size: u64, name: Option<&str>) -> Value {
    let mut entry = serde_json::json!({
        "mediaType": MEDIA_TYPE_MANIFEST, "digest": digest.to_string(), "size": size,
    });
    if let Some(name) = name {
        entry["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": name});
    }
    entry
}
