//! What stands where: state and sites.

use std::collections::BTreeSet;

use ringsite_ledger::{EntryName, Place, Point as LedgerPoint};
use ringsite_names::Position;
use ringsite_oci::{Registry, TagOrDigest};
use ringsite_rings::State;
use ringsite_sites::names::ANNOTATION_VERSION;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::record::standing;
use crate::request::Point;
use crate::view::{RingImage, RingState, RingView, SiteView, Sites};

impl<R: Registry + 'static> Engine<R> {
    /// Returns which version of every image stands on which ring, now or after a point of the past.
    ///
    /// # Errors
    /// A point that does not exist; what reading the record meets.
    pub async fn state(&self, at: Option<Point>) -> Result<RingState, EngineError> {
        let record = self.open().await?;
        let (state, head) = match at {
            None => (record.state().clone(), record.head()),
            Some(point) => {
                let point = match point {
                    Point::Entry(sequence) => LedgerPoint::Entry(EntryName::Sequence(sequence)),
                    Point::Time(time) => LedgerPoint::Time(time),
                };
                let (recorded, state) = record.begun()?.at(&point).await?;
                (state, Some(recorded.place()))
            }
        };
        let images = standing(&state);
        let state = record.with_releases(state, &images).await?;
        self.board(&state, head)
    }

    fn board(&self, state: &State, head: Option<Place>) -> Result<RingState, EngineError> {
        let configuration = state.configuration().or_else(|| self.declared_configuration());
        let ends = [Position::Ante, Position::Post];
        let positions = configuration.map_or(&ends[..], |known| known.chain().positions());
        let rings = positions.iter().map(|position| self.ring(state, position));
        Ok(RingState {
            project: self.name().to_string(),
            sequence: head.map_or(0, |head| head.sequence),
            head: head.map(|head| head.digest.to_string()),
            rings: rings.collect::<Result<_, _>>()?,
            // Holds come with a later version of the program; until then there is none.
            locks: Vec::new(),
        })
    }

    fn ring(&self, state: &State, position: &Position) -> Result<RingView, EngineError> {
        let cells = state.cells(position);
        let completeness =
            state.completeness(position).map_err(|error| EngineError::Bug(error.to_string()))?;
        let mut ring = RingView {
            name: position.to_string(),
            complete: completeness.is_complete(),
            stale: completeness.stale().iter().map(ToString::to_string).collect(),
            root: cells.root_version().map(|version| version.to_string()),
            root_image: cells.root().map(ToString::to_string),
            images: Default::default(),
        };
        for (image, version) in cells.images() {
            let release = self.release(state, image, *version)?;
            let shown = RingImage {
                version: version.to_string(),
                digest: release.digest.to_string(),
                revision: release.revision.to_string(),
                dependencies: release
                    .dependencies
                    .iter()
                    .map(|(image, version)| (image.to_string(), version.to_string()))
                    .collect(),
                built_on: release.built_on.to_string(),
                built_at: release.built_at.to_string(),
            };
            ring.images.insert(image.to_string(), shown);
        }
        Ok(ring)
    }

    /// Returns the sites in force, with what each should get and has got.
    ///
    /// # Errors
    /// What reading the record or the artifacts meets.
    pub async fn sites(&self) -> Result<Sites, EngineError> {
        let record = self.open().await?;
        let state = record.whole_state(&BTreeSet::new()).await?;
        let mut sites = Vec::new();
        for site in state.configuration().map(|known| known.sites()).unwrap_or_default() {
            let wanted = state.cells(&site.ring).root_version();
            let repository = ringsite_sites::repository(self.name(), site);
            let published = match ringsite_sites::published(&*self.registry, &repository).await? {
                Some(digest) => {
                    let stored = self.registry.manifest(&repository, &TagOrDigest::Digest(digest)).await?;
                    stored.image()?.annotations.get(ANNOTATION_VERSION).cloned()
                }
                None => None,
            };
            let error = match (self.root_of(&state, &site.ring)?, &wanted) {
                (Some(_), _) => None,
                (None, None) => Some(format!("nothing stands on {}", site.ring)),
                (None, Some(_)) => {
                    Some(format!("{} is stale: it is placed when it is complete again", site.ring))
                }
            };
            sites.push(SiteView {
                site: site.name.to_string(),
                environment: site.environment.to_string(),
                ring: site.ring.to_string(),
                wanted: wanted.map(|version| version.to_string()),
                published,
                seen: None,
                running: None,
                health: None,
                lag_seconds: None,
                error,
            });
        }
        sites.sort_by(|a, b| a.site.cmp(&b.site));
        Ok(Sites { sites })
    }
}
