//! The state of all rings: the one value that every rule is decided on.
//!
//! A state is changed only by [`State::apply`], which checks every value that the change expects.
//! T, the table of every version ever given, may be loaded for some images only; the rules say
//! with `needs` for which.
//!
//! | Digest | sha256 of |
//! |--|--|
//! | running hash `r(0)` | nothing: 32 zero bytes |
//! | running hash `r(n+1)` | the bytes of `r(n)`, then the bytes of sha256 of the RFC 8785 form of `{image, release}` |
//! | state digest | the RFC 8785 form of `{schema: 1, rings: {ring: ring digest}, releases: r}`, with every position of the chain in force (before the first configuration: `ante` and `post`) and `r` written as a digest |

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ringsite_names::{Digest, ImageName, Position, Version, digest_of};
use serde::{Deserialize, Serialize};

use crate::cells::Rings;
use crate::limits::VERSION_NUMBER_MAX;
use crate::{Cells, Configuration, Delta, Locks, Release, Violation};

/// What stands on every ring, every version ever given, the configuration in force and the locks.
///
/// Cloning is cheap: clones share everything until one of them changes.
///
/// # Examples
/// ```
/// use ringsite_names::{ImageName, Position};
/// use ringsite_rings::{Change, Configuration, State};
///
/// let configuration: Configuration =
///     serde_json::from_str(r#"{"rings": ["developers"], "root": "shop"}"#).unwrap();
/// let change = Change { configuration: Some(configuration), ..Change::default() };
/// let state = State::new().apply(&change).unwrap();
/// let developers: Position = "developers".parse().unwrap();
/// assert!(state.cells(&developers).is_empty());
/// assert!(state.releases(&ImageName::new("shop").unwrap()).is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    rings: Rings,
    tables: Arc<BTreeMap<ImageName, Table>>,
    /// Whether T is known for every image, loaded or not: so it is for a state that began empty.
    is_whole: bool,
    running: [u8; 32],
    configuration: Option<Arc<Configuration>>,
    locks: Arc<Locks>,
}

/// T of one image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    is_whole: bool,
    releases: Arc<BTreeMap<Version, Arc<Release>>>,
}

/// One operation's effect: what the ledger records and what is applied to a state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The configuration that is in force from here on.
    pub configuration: Option<Configuration>,
    /// New releases, in the order in which the ledger keeps them.
    pub releases: Vec<(ImageName, Release)>,
    /// What changes on the rings, applied in order.
    pub delta: Vec<Delta>,
}

/// A state without T, as a checkpoint keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The set of each ring that holds one.
    pub rings: BTreeMap<Position, Cells>,
    /// The configuration in force.
    pub configuration: Option<Configuration>,
    /// Holds and rejected versions.
    #[serde(default, skip_serializing_if = "Locks::is_empty")]
    pub locks: Locks,
    /// The running hash over every release ever made.
    pub releases: Digest,
}

/// The positions that every chain has.
static ENDS: [Position; 2] = [Position::Ante, Position::Post];

static NO_RELEASES: BTreeMap<Version, Arc<Release>> = BTreeMap::new();

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    /// Returns the state before the first entry: nothing anywhere, and T known to be empty.
    pub fn new() -> Self {
        Self {
            rings: Rings::default(),
            tables: Arc::default(),
            is_whole: true,
            running: [0; 32],
            configuration: None,
            locks: Arc::default(),
        }
    }

    /// Returns the state of a snapshot; T is not loaded for any image.
    ///
    /// # Errors
    /// `UnknownRing` when a ring outside the chain holds a set, `VersionNumber` when a version is
    /// out of bounds, `RunningHash` when that hash is no sha256.
    pub fn from_snapshot(snapshot: Snapshot) -> Result<Self, Violation> {
        let Snapshot { rings, configuration, locks, releases } = snapshot;
        let mut state = Self::new();
        state.is_whole = false;
        state.configuration = configuration.map(Arc::new);
        state.locks = Arc::new(locks);
        let Digest::Sha256(running) = releases else { return Err(Violation::RunningHash) };
        state.running = running;
        state.rings = Rings::new(rings);
        for (position, cells) in state.rings.iter() {
            state.check_ring(position)?;
            cells.images().iter().try_for_each(|(image, version)| check_number(image, *version))?;
        }
        Ok(state)
    }

    /// Returns everything but T.
    pub fn snapshot(&self) -> Snapshot {
        let rings = self.rings.iter().map(|(position, cells)| (position.clone(), cells.clone()));
        Snapshot {
            rings: rings.collect(),
            configuration: self.configuration().cloned(),
            locks: self.locks().clone(),
            releases: Digest::Sha256(self.running),
        }
    }

    /// Takes T of one image as it was read from the record. Releases that are known already, from
    /// entries after the record, stay.
    ///
    /// # Errors
    /// `VersionTaken` when a version is known with other content, `VersionNumber` when one is out
    /// of bounds.
    pub fn with_releases(
        mut self,
        image: &ImageName,
        releases: impl IntoIterator<Item = Release>,
    ) -> Result<Self, Violation> {
        let table = Arc::make_mut(&mut self.tables).entry(image.clone()).or_default();
        table.is_whole = true;
        let known = Arc::make_mut(&mut table.releases);
        for release in releases {
            check_number(image, release.version)?;
            match known.get(&release.version) {
                Some(other) if **other != release => {
                    return Err(Violation::VersionTaken { image: image.clone(), version: release.version });
                }
                Some(_) => {}
                None => {
                    known.insert(release.version, Arc::new(release));
                }
            }
        }
        Ok(self)
    }

    /// Returns whether T is known for `image`.
    pub fn is_loaded(&self, image: &ImageName) -> bool {
        self.is_whole || self.tables.get(image).is_some_and(|table| table.is_whole)
    }

    /// Returns T of one image, as far as it is known.
    pub fn releases(&self, image: &ImageName) -> &BTreeMap<Version, Arc<Release>> {
        self.tables.get(image).map_or(&NO_RELEASES, |table| &table.releases)
    }

    /// Returns one release, when it is known.
    pub fn release(&self, image: &ImageName, version: Version) -> Option<&Arc<Release>> {
        self.releases(image).get(&version)
    }

    /// Returns what stands on a ring.
    pub fn cells(&self, position: &Position) -> &Cells {
        self.rings.cells(position)
    }

    /// Returns the configuration in force; none before the first.
    pub fn configuration(&self) -> Option<&Configuration> {
        self.configuration.as_deref()
    }

    /// Returns holds and rejected versions.
    pub fn locks(&self) -> &Locks {
        &self.locks
    }

    /// Returns the digest of a ring's set: sha256 of the RFC 8785 form of `{root, images}`.
    pub fn ring_digest(&self, position: &Position) -> Digest {
        self.cells(position).digest()
    }

    /// Returns the digest of the whole state, as written in the table of the module.
    ///
    /// It covers the rings and every release ever made, T loaded or not.
    pub fn state_digest(&self) -> Digest {
        let positions = self.configuration().map_or(&ENDS[..], |known| known.chain().positions());
        let mut rings: Vec<(&str, Digest)> =
            positions.iter().map(|position| (position.as_str(), self.ring_digest(position))).collect();
        rings.sort_unstable();
        let running = Digest::Sha256(self.running);
        let mut json = format!("{{\"releases\":\"{running}\",\"rings\":{{");
        for (index, (name, digest)) in rings.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(json, "{comma}\"{name}\":\"{digest}\"").expect("a string takes every write");
        }
        json.push_str("},\"schema\":1}");
        Digest::sha256(json.as_bytes())
    }

    /// Returns the state after `change`; this one stays as it is.
    ///
    /// # Errors
    /// As [`State::advance`].
    pub fn apply(&self, change: &Change) -> Result<Self, Violation> {
        self.clone().advance(change)
    }

    /// Turns this state into the state after `change`, without copying what nobody else holds:
    /// for reading a long record. The configuration is applied first, then the releases, then the
    /// delta in order.
    ///
    /// # Errors
    /// `RingInUse` and `RingMoved` when the configuration takes a ring away that holds a set;
    /// `VersionTaken` and `VersionNumber` for releases; `UnknownRing`, `UnknownRelease`, `Cell`,
    /// `Root`, `Nothing`, `CopyOnto` when a part of the delta does not fit.
    pub fn advance(mut self, change: &Change) -> Result<Self, Violation> {
        if let Some(configuration) = &change.configuration {
            self.check_configuration(configuration)?;
            self.configuration = Some(Arc::new(configuration.clone()));
        }
        for (image, release) in &change.releases {
            self.add_release(image, release)?;
        }
        for delta in &change.delta {
            self.check_delta(delta)?;
            self.rings.forward(delta)?;
        }
        Ok(self)
    }

    /// Returns the sets of all rings.
    pub(crate) fn rings(&self) -> &Rings {
        &self.rings
    }

    fn add_release(&mut self, image: &ImageName, release: &Release) -> Result<(), Violation> {
        #[derive(Serialize)]
        struct Named<'a> {
            image: &'a ImageName,
            release: &'a Release,
        }
        check_number(image, release.version)?;
        if self.release(image, release.version).is_some() {
            return Err(Violation::VersionTaken { image: image.clone(), version: release.version });
        }
        let mut hasher = ringsite_names::Hasher::sha256();
        hasher.update(&self.running);
        hasher.update(digest_of(&Named { image, release }).as_bytes());
        self.running = hasher.finish().as_bytes().try_into().expect("sha256 has 32 bytes");
        let table = Arc::make_mut(&mut self.tables).entry(image.clone()).or_default();
        Arc::make_mut(&mut table.releases).insert(release.version, Arc::new(release.clone()));
        Ok(())
    }

    /// Checks that a new configuration keeps every ring that holds a set, in the order of now.
    fn check_configuration(&self, next: &Configuration) -> Result<(), Violation> {
        let Some(current) = self.configuration() else { return Ok(()) };
        let mut last = 0;
        for ring in current.chain().names() {
            let position = Position::Ring(ring.clone());
            if self.cells(&position).is_empty() {
                continue;
            }
            match next.chain().index(&position) {
                None => return Err(Violation::RingInUse { ring: ring.clone() }),
                Some(index) if index < last => return Err(Violation::RingMoved { ring: ring.clone() }),
                Some(index) => last = index,
            }
        }
        Ok(())
    }

    fn check_ring(&self, ring: &Position) -> Result<(), Violation> {
        let is_known = match self.configuration() {
            Some(configuration) => configuration.chain().contains(ring),
            None => !matches!(ring, Position::Ring(_)),
        };
        if is_known { Ok(()) } else { Err(Violation::UnknownRing { ring: ring.clone() }) }
    }

    fn check_delta(&self, delta: &Delta) -> Result<(), Violation> {
        self.check_ring(delta.ring())?;
        if let Delta::Cell { image, to: Some(version), .. } = delta {
            check_number(image, *version)?;
            if self.is_loaded(image) && self.release(image, *version).is_none() {
                return Err(Violation::UnknownRelease { image: image.clone(), version: *version });
            }
        }
        Ok(())
    }
}

fn check_number(image: &ImageName, version: Version) -> Result<(), Violation> {
    if version.major.max(version.minor).max(version.patch) > VERSION_NUMBER_MAX {
        return Err(Violation::VersionNumber { image: image.clone(), version });
    }
    Ok(())
}
