//! The release table: T up to a checkpoint, in shards, so that a look-up reads one of them and a
//! close rewrites only those that grew.
//!
//! | Part | Content |
//! |--|--|
//! | shard of an image | the first byte of sha256 of the image's name, modulo the number of shards |
//! | shard | one `{image, release}` on each line, by image and version |
//! | manifest | one layer for each shard that is not empty, by number; the number of the shard as annotation |

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use ringsite_names::{Digest, ImageName, Version, canonical_json};
use ringsite_oci::{Descriptor, ImageManifest, Registry};
use ringsite_rings::Release;

use crate::checkpoint::Numbered;
use crate::codec::SHARD;
use crate::entry::NewRelease;
use crate::error::LedgerError;
use crate::limits::{KEPT_COMPRESSION_LEVEL, SHARD_READS_MAX, TABLE_SHARDS};
use crate::manifests::{annotation, numbered_tag};
use crate::names;
use crate::store::Store;

/// The releases of one shard, by image and version.
pub(crate) type Shard = BTreeMap<ImageName, BTreeMap<Version, Release>>;

/// The manifest of a release table: where each shard is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The table before, which readers of a replaced head may still read.
    pub(crate) previous: Option<Digest>,
    pub(crate) shards: BTreeMap<u8, Descriptor>,
}

/// Returns the shard that holds the releases of `image`.
pub(crate) fn shard_of(image: &ImageName) -> u8 {
    Digest::sha256(image.as_str().as_bytes()).as_bytes()[0] % TABLE_SHARDS
}

impl Table {
    fn to_manifest(&self, number: u64) -> ImageManifest {
        let layers = self
            .shards
            .iter()
            .map(|(shard, descriptor)| descriptor.clone().with_annotation(names::SHARD, shard.to_string()));
        let manifest = ImageManifest::artifact(names::TABLE_TYPE, layers.collect())
            .with_annotation(names::NUMBER, number.to_string());
        match &self.previous {
            Some(previous) => manifest.with_annotation(names::PREVIOUS, previous.to_string()),
            None => manifest,
        }
    }

    /// Reads the manifest of a release table.
    pub(crate) async fn read<R: Registry>(store: &Store<R>, digest: &Digest) -> Result<Self, LedgerError> {
        let manifest = store.manifest("release table", digest, names::TABLE_TYPE).await?;
        let damaged = |reason: String| LedgerError::damaged(format!("release table {digest}"), reason);
        let mut shards = BTreeMap::new();
        for layer in &manifest.layers {
            let number = layer.annotations.get(names::SHARD).and_then(|text| text.parse::<u8>().ok());
            let number = number.filter(|number| *number < TABLE_SHARDS);
            let number =
                number.ok_or_else(|| damaged("a layer does not say which shard it is".to_owned()))?;
            let mut descriptor = layer.clone();
            descriptor.annotations.clear();
            if shards.insert(number, descriptor).is_some() {
                return Err(damaged(format!("it has shard {number} twice")));
            }
        }
        let previous = match manifest.annotations.contains_key(names::PREVIOUS) {
            true => Some(annotation(&manifest, names::PREVIOUS).map_err(damaged)?),
            false => None,
        };
        Ok(Self { previous, shards })
    }

    /// Reads some shards, several at a time; those without a release are left out.
    pub(crate) async fn load<R: Registry>(
        &self,
        store: &Store<R>,
        wanted: &BTreeSet<u8>,
    ) -> Result<Vec<(u8, Shard)>, LedgerError> {
        let present = wanted.iter().filter_map(|number| Some((*number, self.shards.get(number)?)));
        // The futures are boxed so that what awaits them can be sent to another thread.
        let reads: Vec<_> =
            present.map(|(number, descriptor)| read_shard(store, number, descriptor).boxed()).collect();
        stream::iter(reads).buffered(SHARD_READS_MAX).try_collect().await
    }

    /// Pushes the table that follows this one, `number`, when `added` is added to it, and its shards
    /// that grew. Order of writes: shards, then the manifest under its tag.
    pub(crate) async fn grow<R: Registry>(
        &self,
        store: &Store<R>,
        own: Option<Digest>,
        number: u64,
        added: impl IntoIterator<Item = NewRelease>,
    ) -> Result<Numbered, LedgerError> {
        let mut grown: BTreeMap<u8, Vec<NewRelease>> = BTreeMap::new();
        for new in added {
            grown.entry(shard_of(&new.image)).or_default().push(new);
        }
        let mut next = Self { previous: own, shards: self.shards.clone() };
        for (shard, added) in grown {
            let mut releases = self.load(store, &[shard].into()).await?.pop().unwrap_or_default().1;
            for NewRelease { image, release } in added {
                releases.entry(image).or_default().insert(release.version, release);
            }
            let coded = SHARD.encode(&render(&releases), KEPT_COMPRESSION_LEVEL);
            next.shards.insert(shard, store.push(coded).await?);
        }
        let manifest = next.to_manifest(number);
        let digest = Digest::sha256(&manifest.to_bytes());
        let tag = numbered_tag(names::TABLE_TAG_PREFIX, number, &digest);
        let digest = store.push_manifest(tag, &manifest).await?;
        Ok(Numbered { number, digest })
    }
}

async fn read_shard<R: Registry>(
    store: &Store<R>,
    number: u8,
    descriptor: &Descriptor,
) -> Result<(u8, Shard), LedgerError> {
    let text = store.text("shard of the release table", descriptor, SHARD).await?;
    Ok((number, parse(&text, number, &descriptor.digest)?))
}

fn render(shard: &Shard) -> Vec<u8> {
    let mut text = Vec::new();
    for (image, releases) in shard {
        for release in releases.values() {
            text.extend(canonical_json(&NewRelease { image: image.clone(), release: release.clone() }));
            text.push(b'\n');
        }
    }
    text
}

fn parse(text: &[u8], number: u8, digest: &Digest) -> Result<Shard, LedgerError> {
    let damaged = |reason: String| {
        LedgerError::damaged(format!("shard {number} of the release table ({digest})"), reason)
    };
    let mut shard = Shard::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let new: NewRelease = serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
        if shard_of(&new.image) != number {
            return Err(damaged(format!("it holds {}, which belongs to another shard", new.image)));
        }
        let (image, version) = (new.image.clone(), new.release.version);
        if shard.entry(new.image).or_default().insert(version, new.release).is_some() {
            return Err(damaged(format!("it holds {image} {version} twice")));
        }
    }
    Ok(shard)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringsite_names::Position;

    fn new(image: &str, patch: u64) -> NewRelease {
        let release = Release {
            version: Version::new(0, 1, patch),
            digest: Digest::sha256(b"d"),
            revision: Digest::sha256(b"r"),
            inputs: Digest::sha256(b"i"),
            dependencies: BTreeMap::new(),
            built_by: "native/1".to_owned(),
            built_on: Position::Ante,
            built_at: "2026-11-21T06:00:00Z".parse().unwrap(),
            recipe: None,
        };
        NewRelease { image: ImageName::new(image).unwrap(), release }
    }

    #[test]
    fn a_shard_is_read_as_it_was_written() {
        let image = ImageName::new("api").unwrap();
        let mut shard = Shard::new();
        for patch in [10, 2, 1] {
            let NewRelease { image, release } = new("api", patch);
            shard.entry(image).or_default().insert(release.version, release);
        }
        let text = render(&shard);
        assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 3);
        let digest = Digest::sha256(&text);
        assert_eq!(parse(&text, shard_of(&image), &digest).unwrap(), shard);
        let elsewhere = parse(&text, (shard_of(&image) + 1) % TABLE_SHARDS, &digest).unwrap_err();
        assert!(elsewhere.to_string().contains("another shard"), "{elsewhere}");
        let twice = parse(&[text.clone(), text].concat(), shard_of(&image), &digest).unwrap_err();
        assert!(twice.to_string().contains("twice"), "{twice}");
    }

    #[test]
    fn a_thousand_images_spread_over_all_shards() {
        let mut counts = BTreeMap::new();
        for index in 0..1000 {
            *counts.entry(shard_of(&ImageName::new(&format!("image-{index}")).unwrap())).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), usize::from(TABLE_SHARDS));
        assert!(counts.values().all(|count| (10..=60).contains(count)), "{counts:?}");
    }
}
