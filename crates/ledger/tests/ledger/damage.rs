//! What is stored is judged before it is used: each object damaged, swapped or stale.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ringsite_ledger::names::{ENTRIES_PLAIN, ENTRY, HEAD_TAG, SEQUENCE, STATE};
use ringsite_ledger::{Entry, Fault, Ledger, LedgerError};
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::{Descriptor, ImageManifest, Layout, Memory, Put, Registry};

use crate::world::{begin, fill, fill_segment, position, project, promote, release, time};

fn repository() -> RepositoryName {
    project().repository("ledger").unwrap()
}

fn head() -> Tag {
    Tag::new(HEAD_TAG).unwrap()
}

async fn head_manifest(registry: &Memory) -> ImageManifest {
    registry.manifest(&repository(), &head().into()).await.unwrap().image().unwrap()
}

async fn put_head(registry: &Memory, manifest: &ImageManifest) {
    let bytes = Bytes::from(manifest.to_bytes());
    registry.put_manifest(&repository(), &Put::under(head()), manifest.media_type(), bytes).await.unwrap();
}

async fn put_entries(registry: &Memory, text: String) -> Descriptor {
    registry.put_bytes(&repository(), ENTRIES_PLAIN, Bytes::from(text)).await.unwrap()
}

async fn open_segment(registry: &Memory, manifest: &ImageManifest) -> String {
    let layer = &manifest.layers[1];
    let bytes = registry.blob_bytes(&repository(), &layer.digest, 1 << 24).await.unwrap();
    let text = match layer.media_type == ENTRIES_PLAIN {
        true => bytes.to_vec(),
        false => zstd::decode_all(bytes.as_ref()).unwrap(),
    };
    String::from_utf8(text).unwrap()
}

/// Writes the last entry of the open segment anew, with a head that names it: what only somebody
/// who knows the format does.
pub(crate) async fn replace_in_open_segment(registry: &Memory, from: &str, to: &str) {
    let mut manifest = head_manifest(registry).await;
    let text = open_segment(registry, &manifest).await.replace(from, to);
    let last = Digest::sha256(text.lines().last().unwrap().as_bytes());
    manifest.layers[1] = put_entries(registry, text).await;
    put_head(registry, &manifest.with_annotation(ENTRY, last.to_string())).await;
}

async fn small_ledger(layout: &Layout) {
    let mut ledger = begin(layout, None, 40).await;
    ledger.commit(promote(ledger.state(), time(3), "developers", "testers")).await.unwrap();
    fill_segment(&mut ledger).await;
    fill(&mut ledger, 40, 2).await;
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Reads everything that the ledger holds: head, state, T of all images, history, audit.
async fn read_everything(layout: &Layout) -> Result<String, LedgerError> {
    let mut ledger = Ledger::open(layout, &project(), None).await?;
    ledger.load(&(0..40).map(crate::world::image).collect()).await?;
    let mut history = ledger.history();
    let mut digests = String::new();
    while let Some(recorded) = history.next().await? {
        digests.push_str(&recorded.digest.to_string());
    }
    ledger.at(&"2".parse().unwrap()).await?;
    Ok(format!("{digests}{:?}", ledger.state()))
}

#[tokio::test]
async fn a_flipped_byte_or_a_cut_in_any_object_is_detected_before_use() {
    let folder = tempfile::tempdir().unwrap();
    small_ledger(&Layout::new(folder.path())).await;
    let whole = read_everything(&Layout::new(folder.path())).await.unwrap();
    let mut detected = 0;
    for path in files(folder.path()) {
        let bytes = std::fs::read(&path).unwrap();
        let mut matters = false;
        let places = [0, bytes.len() / 3, bytes.len() - 1];
        for damage in
            places.iter().map(|index| flipped(&bytes, *index)).chain([bytes[..bytes.len() / 2].to_vec()])
        {
            std::fs::write(&path, damage).unwrap();
            match read_everything(&Layout::new(folder.path())).await {
                // A head that was replaced is not read by anybody.
                Ok(read) => assert_eq!(read, whole, "{}", path.display()),
                Err(error) => {
                    assert_eq!(error.fault(), Fault::Damaged, "{error}");
                    matters = true;
                }
            }
        }
        std::fs::write(&path, &bytes).unwrap();
        detected += usize::from(matters);
    }
    // The head, two checkpoints, two segments, the manifests of segment and table, and most shards.
    assert!(detected >= 7 + 20, "{detected}");
    assert_eq!(read_everything(&Layout::new(folder.path())).await.unwrap(), whole);
}

fn flipped(bytes: &[u8], index: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[index] ^= 0x10;
    flipped
}

#[tokio::test]
async fn a_missing_object_of_the_head_is_damage_and_names_its_digest() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let manifest = head_manifest(&registry).await;
    for layer in &manifest.layers {
        let bytes = registry.blob_bytes(&repository(), &layer.digest, 1 << 24).await.unwrap();
        registry.delete_blob(&repository(), &layer.digest).await.unwrap();
        let error = Ledger::open(&registry, &project(), None).await.unwrap_err();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(&layer.digest.to_string()), "{error}");
        registry.put_bytes(&repository(), &layer.media_type, bytes).await.unwrap();
    }
    assert_eq!(Ledger::open(&registry, &project(), None).await.unwrap().head(), ledger.head());
    ledger.commit(release(ledger.state(), time(9), &[1])).await.unwrap();
}

#[tokio::test]
async fn a_head_that_says_another_thing_than_its_entries_is_refused() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let old = head_manifest(&registry).await;
    ledger.commit(promote(ledger.state(), time(3), "developers", "testers")).await.unwrap();
    let good = head_manifest(&registry).await;
    let other = Digest::sha256(b"other").to_string();
    let mut stale = good.clone();
    stale.layers[1] = old.layers[1].clone();
    let mut swapped = good.clone();
    swapped.layers.reverse();
    let mut short = good.clone();
    short.layers.pop();
    let mut foreign = good.clone();
    foreign.artifact_type = Some("application/x".to_owned());
    let mut sized = good.clone();
    sized.layers[1].size += 1;
    for (manifest, word) in [
        (good.clone().with_annotation(SEQUENCE, "7"), "it says that it ends at entry 7"),
        (good.clone().with_annotation(ENTRY, other.clone()), "it says that it ends at"),
        (good.clone().with_annotation(STATE, other), "it says state"),
        (good.clone().with_annotation(SEQUENCE, "x"), "cannot be read"),
        (stale, "it says that it ends at"),
        (swapped, "media type"),
        (short, "1 layers"),
        (foreign, "it is no"),
        (sized, "bytes"),
    ] {
        put_head(&registry, &manifest).await;
        let error = Ledger::open(&registry, &project(), None).await.unwrap_err();
        assert_eq!(error.fault(), Fault::Damaged, "{error}");
        assert!(error.to_string().contains(word), "{word}: {error}");
    }
    put_head(&registry, &good).await;
    assert_eq!(Ledger::open(&registry, &project(), None).await.unwrap().state(), ledger.state());
}

#[tokio::test]
async fn an_entry_that_was_written_anew_does_not_lead_to_its_state() {
    let registry = Memory::new();
    let mut ledger = begin(&registry, None, 3).await;
    let recorded = ledger.commit(promote(ledger.state(), time(3), "developers", "testers")).await.unwrap();
    assert!(!ledger.state().cells(&position("testers")).is_empty());
    let entry: Entry = serde_json::to_string(&recorded.entry).unwrap().parse().unwrap();
    assert_eq!(entry, recorded.entry);
    replace_in_open_segment(&registry, "[\"testers\",\"image-1\",null,\"0.1.0\"],", "").await;
    let error = Ledger::open(&registry, &project(), None).await.unwrap_err();
    assert!(error.to_string().contains("entry 4") && error.to_string().contains("it says state"), "{error}");
}
