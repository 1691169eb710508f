//! Version tags and ring tags: written for people and other tools, never read by us.
//!
//! The ledger decides; a tag is what it says, written down where other programs look. Each is
//! written so: take the value from the ledger, write it, read the head again, and begin again when
//! the head has moved meanwhile. So a slow machine never leaves an older value behind. What a crash
//! left behind is brought up to date by the next command: a small file in the cache folder holds the
//! head for which this was done last, so that looking costs nothing when nothing happened.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use futures_util::stream::{FuturesUnordered, TryStreamExt};
use ringsite_ledger::Place;
use ringsite_names::{Digest, ImageName, Position, Tag, Version};
use ringsite_oci::{Put, Registry};
use ringsite_rings::State;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::limits::{PROJECTION_ROUNDS_MAX, REQUESTS_MAX};
use crate::names::PROJECTED;
use crate::record::{Record, standing};

/// One tag and what it should name; nothing when it should not exist.
struct Wanted {
    image: ImageName,
    tag: Tag,
    digest: Option<Digest>,
}

impl<R: Registry + 'static> Engine<R> {
    /// Brings every tag up to date with the newest head, unless this machine knows that they are.
    ///
    /// `given` are versions that were given just now, which get their tags although no ring may hold
    /// them any more. The root's tags are written last: who sees them finds everything that it names.
    pub(crate) async fn update_tags(
        &self,
        record: &mut Record<R>,
        given: &[(ImageName, Version)],
    ) -> Result<(), EngineError> {
        let begin = Instant::now();
        for _ in 0..PROJECTION_ROUNDS_MAX {
            let Some(head) = record.head() else { return Ok(()) };
            if self.is_marked(PROJECTED, &head) {
                return Ok(());
            }
            self.write_tags(record, given).await?;
            record.refresh().await?;
            if record.head().is_some_and(|now| now.digest == head.digest) {
                self.set_mark(PROJECTED, &head);
                self.phase("write the tags", begin);
                return Ok(());
            }
        }
        self.note(
            "others move the head faster than tags can be written; the next command brings them up to date",
        );
        Ok(())
    }

    /// Returns whether this machine knows that what `mark` stands for was done up to `head`.
    pub(crate) fn is_marked(&self, mark: &str, head: &Place) -> bool {
        let seen = std::fs::read_to_string(self.cache.join(mark));
        seen.is_ok_and(|seen| seen == head.digest.to_string())
    }

    /// Remembers that what `mark` stands for was done up to `head`.
    ///
    /// The file saves time only; a machine that cannot write it does the work again.
    pub(crate) fn set_mark(&self, mark: &str, head: &Place) {
        let _ = std::fs::create_dir_all(&self.cache);
        let _ = std::fs::write(self.cache.join(mark), head.digest.to_string());
    }

    async fn write_tags(
        &self,
        record: &Record<R>,
        given: &[(ImageName, Version)],
    ) -> Result<(), EngineError> {
        let mut images: BTreeSet<ImageName> = standing(record.state());
        images.extend(self.project.iter().flat_map(|project| project.images.keys().cloned()));
        images.extend(given.iter().map(|(image, _)| image.clone()));
        let state = record.whole_state(&images).await?;
        let root = state.configuration().map(|known| known.root().clone());
        let (last, first): (Vec<Wanted>, Vec<Wanted>) = self
            .wanted(&state, &images, given)?
            .into_iter()
            .partition(|wanted| Some(&wanted.image) == root.as_ref());
        for batch in [first, last] {
            let mut running = FuturesUnordered::new();
            for wanted in &batch {
                if running.len() == REQUESTS_MAX {
                    running.try_next().await?;
                }
                running.push(self.write_tag(wanted));
            }
            running.try_collect::<()>().await?;
        }
        Ok(())
    }

    fn wanted(
        &self,
        state: &State,
        images: &BTreeSet<ImageName>,
        given: &[(ImageName, Version)],
    ) -> Result<Vec<Wanted>, EngineError> {
        let chain = state.configuration().map(|known| known.chain());
        let positions: Vec<Position> = chain.map(|chain| chain.positions().to_vec()).unwrap_or_default();
        let mut versions: BTreeMap<(ImageName, Version), Digest> = BTreeMap::new();
        let mut wanted = Vec::new();
        for position in &positions {
            let tag = Tag::new(position.as_str()).expect("a ring name is a tag");
            for image in images {
                let version = state.cells(position).version(image);
                let digest = version.map(|version| self.release(state, image, version)).transpose()?;
                let digest = digest.map(|release| release.digest);
                if let (Some(version), Some(digest)) = (version, digest) {
                    versions.insert((image.clone(), version), digest);
                }
                wanted.push(Wanted { image: image.clone(), tag: tag.clone(), digest });
            }
        }
        for (image, version) in given {
            versions.insert((image.clone(), *version), self.release(state, image, *version)?.digest);
        }
        wanted.extend(versions.into_iter().map(|((image, version), digest)| Wanted {
            image,
            tag: Tag::new(&version.to_string()).expect("a version is a tag"),
            digest: Some(digest),
        }));
        Ok(wanted)
    }

    async fn write_tag(&self, wanted: &Wanted) -> Result<(), EngineError> {
        let repository = self.name().image_repository(&wanted.image);
        let found = self.registry.head_manifest(&repository, &wanted.tag.clone().into()).await?;
        match (&wanted.digest, found) {
            (Some(digest), Some(found)) if found.digest == *digest => {}
            (Some(digest), _) => {
                let stored = match self.registry.manifest(&repository, &(*digest).into()).await {
                    Ok(stored) => stored,
                    // `ring ledger verify` names what is gone; a tag for it cannot be written.
                    Err(error) if error.is_not_found() => {
                        self.note(format!("{}: {error}", wanted.tag));
                        return Ok(());
                    }
                    Err(error) => return Err(error.into()),
                };
                let put = Put::under(wanted.tag.clone());
                self.registry.put_manifest(&repository, &put, &stored.media_type, stored.bytes).await?;
            }
            (None, Some(_)) if self.registry.abilities().delete => {
                self.registry.delete_tag(&repository, &wanted.tag).await?;
            }
            (None, _) => {}
        }
        Ok(())
    }
}
