//! Placing: the set of a ring becomes what each of its sites pulls.
//!
//! Everything comes from the root image that the ring holds, never from the working copy. An
//! artifact is a function of root, site and program, so it is made before a move is recorded, to
//! judge it, and pushed afterwards.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use ringsite_ledger::{Body, Draft, Kind, LedgerError, OperationId, Place, PlaceBody, Placement};
use ringsite_names::{Digest, ImageName, Position, SiteName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Change, Deliver, Refusal, RefusalCode, Site, State, Warning, WarningCode};
use ringsite_sites::limits::RENDER_TIMEOUT;
use ringsite_sites::{Artifact, Environment, Format, Hosts, Kustomize, RootImage, SiteRequest};

use crate::engine::{Engine, request_digest};
use crate::error::EngineError;
use crate::event::Event;
use crate::limits::{ATTEMPTS_MAX, PROJECTION_ROUNDS_MAX};
use crate::names::{PLACED, PLACED_UP_TO, PROJECTED};
use crate::pause::pause;
use crate::record::Record;
use crate::request::{Intent, Shrink};
use crate::view::ReportSite;

/// The root image that a site gets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RootOf {
    pub(crate) name: ImageName,
    pub(crate) version: Version,
    pub(crate) digest: Digest,
}

/// What one site gets.
pub(crate) struct Prepared {
    pub(crate) site: Site,
    pub(crate) root: RootOf,
    pub(crate) artifact: Artifact,
    /// The same content in other formats.
    pub(crate) others: Vec<Artifact>,
}

/// Root images and environments that were read already, shared by the sites of one operation.
#[derive(Default)]
pub(crate) struct Shelf {
    /// The formats that are made beside the default one.
    formats: BTreeSet<Format>,
    roots: BTreeMap<Digest, RootImage>,
    environments: BTreeMap<(Digest, String), Environment>,
}

impl Shelf {
    /// Returns a shelf for artifacts in these formats beside the default one.
    pub(crate) fn with_formats(formats: BTreeSet<Format>) -> Self {
        Self { formats, ..Self::default() }
    }
}

/// What became of the sites.
#[derive(Default)]
pub(crate) struct Placed {
    /// Each site, by name.
    pub(crate) sites: Vec<ReportSite>,
    /// Whether an entry was written.
    pub(crate) is_recorded: bool,
}

impl<R: Registry + 'static> Engine<R> {
    /// Returns the root that `ring` gives its sites: only a complete set is placed.
    ///
    /// The releases of the images on the ring must be loaded.
    pub(crate) fn root_of(&self, state: &State, ring: &Position) -> Result<Option<RootOf>, EngineError> {
        let cells = state.cells(ring);
        let (Some(name), Some(version)) = (cells.root(), cells.root_version()) else { return Ok(None) };
        let completeness = state.completeness(ring).map_err(|error| EngineError::Bug(error.to_string()))?;
        if !completeness.is_complete() {
            return Ok(None);
        }
        let digest = self.release(state, name, version)?.digest;
        Ok(Some(RootOf { name: name.clone(), version, digest }))
    }

    /// Makes the artifact of one site.
    pub(crate) async fn prepare(
        &self,
        shelf: &mut Shelf,
        site: &Site,
        root: &RootOf,
    ) -> Result<Prepared, EngineError> {
        let repository = self.name().image_repository(&root.name);
        let image = match shelf.roots.entry(root.digest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                free.insert(ringsite_sites::read_root(&*self.registry, &repository, root.digest).await?)
            }
        };
        let key = (root.digest, site.environment.to_string());
        if !shelf.environments.contains_key(&key) {
            let closure = ringsite_sites::closure(&image.environments, &site.environment)?;
            shelf.environments.insert(key.clone(), Environment::new(site.environment.clone(), closure));
        }
        let environment = &shelf.environments[&key];
        let pins = image.release(root.name.clone(), root.version);
        let hosts = self.hosts();
        let source = image.source.as_deref();
        let request = SiteRequest { project: self.name(), site, root: &pins, hosts: &hosts, source };
        let kustomize = self.kustomize();
        let artifact =
            ringsite_sites::artifact(&request, environment, Format::Default, kustomize.as_ref()).await?;
        let others =
            shelf.formats.iter().map(|format| Artifact::new(&request, artifact.packed.clone(), *format));
        let others = others.collect();
        Ok(Prepared { site: site.clone(), root: root.clone(), artifact, others })
    }

    /// Returns the names by which clusters and people know the registry.
    pub(crate) fn hosts(&self) -> Hosts {
        // What a site pulls from is part of the site: the record must be enough to place it.
        Hosts { pull: None, registry: None }
    }

    /// Returns the program that renders objects, when there is one.
    pub(crate) fn kustomize(&self) -> Option<Kustomize> {
        self.kustomize.clone().map(|program| Kustomize {
            program,
            timeout: RENDER_TIMEOUT,
            scratch: self.scratch.clone(),
        })
    }

    /// Returns what speaks against placing, and what deserves a second look.
    pub(crate) async fn judge(
        &self,
        prepared: &[Prepared],
        shrink: Shrink,
    ) -> Result<(Vec<Refusal>, Vec<Warning>), EngineError> {
        let hosts = self.hosts();
        let (mut refusals, mut warnings) = (Vec::new(), Vec::new());
        for one in prepared {
            let site = &one.site;
            if hosts.for_site(site).is_none() {
                warnings.push(not_pullable(&site.name));
            }
            for deliver in site.deliver.iter().filter(|deliver| **deliver != Deliver::Files) {
                self.note(format!(
                    "site {}: delivery by {} is not part of this version; the artifact is published and nothing else",
                    site.name,
                    deliver.as_str()
                ));
            }
            if shrink == Shrink::Allowed {
                continue;
            }
            let kustomize = self.kustomize();
            let found =
                ringsite_sites::guard(&*self.registry, site, &one.artifact, kustomize.as_ref()).await?;
            refusals.extend(found.map(|refusal| Refusal {
                code: RefusalCode::Shrink,
                message: refusal.to_string(),
                help: refusal.help(),
            }));
        }
        Ok((refusals, warnings))
    }

    /// Pushes, records and tags what the sites get.
    ///
    /// Order of writes: artifacts by digest; one `place` entry for all sites whose newest entry names
    /// something else; the tags. What fails on a site is said at the site and stops no other.
    pub(crate) async fn place_sites(
        &self,
        record: &mut Record<R>,
        prepared: &[Prepared],
        intent: &Intent,
        output: Option<&Path>,
    ) -> Result<Placed, EngineError> {
        let begin = Instant::now();
        let mut sites: Vec<ReportSite> = Vec::new();
        let mut pushed: Vec<&Prepared> = Vec::new();
        for one in prepared {
            let outcome = ringsite_sites::push(&*self.registry, &one.artifact).await;
            let error = outcome.as_ref().err().map(ToString::to_string);
            if error.is_none() {
                pushed.push(one);
            }
            sites.push(report_site(one, outcome.unwrap_or(false), error));
        }
        let is_recorded = self.record_places(record, &pushed, intent).await?;
        let tagged = self.tag_sites(record, &pushed).await;
        for one in pushed {
            let site = sites.iter_mut().find(|site| site.site == one.site.name.as_str());
            let site = site.expect("every prepared site has a line in the report");
            match &tagged {
                Ok(changed) => site.changed |= changed.contains(&one.site.name),
                Err(error) => site.error = Some(error.to_string()),
            }
            for other in &one.others {
                let pushed = ringsite_sites::push(&*self.registry, other).await;
                let outcome = match pushed {
                    Ok(_) => ringsite_sites::tag(&*self.registry, other).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(changed) => site.changed |= changed,
                    Err(error) => site.error = Some(error.to_string()),
                }
            }
            if let Some(output) = output {
                let tree = one.artifact.packed.tree();
                match ringsite_sites::deliver_files(output, &one.site.name, one.artifact.digest, tree) {
                    Ok(delivered) => site.changed |= delivered.changed,
                    Err(error) => site.error = Some(format!("{error}; {}", error.help())),
                }
            }
            self.observer.tell(Event::Placed { site: one.site.name.clone() });
        }
        self.phase("place the sites", begin);
        Ok(Placed { sites, is_recorded })
    }

    /// Records the placements that the ledger does not have as the newest of their site.
    async fn record_places(
        &self,
        record: &mut Record<R>,
        pushed: &[&Prepared],
        intent: &Intent,
    ) -> Result<bool, EngineError> {
        let operation_id = OperationId::fresh(self.clock.now());
        for attempt in 1..=ATTEMPTS_MAX {
            let placements = self.unrecorded(record, pushed).await?;
            if placements.is_empty() {
                return Ok(false);
            }
            let draft = Draft {
                operation_id: operation_id.clone(),
                request: request_digest(&placements),
                kind: Kind::Place,
                actor: intent.actor.clone(),
                reason: None,
                at: self.clock.now(),
                change: Change::default(),
                body: Body::Place(PlaceBody { placements }),
                gates: Vec::new(),
            };
            match record.commit_all(vec![draft]).await {
                Ok(_) => return Ok(true),
                Err(LedgerError::Moved { by }) => self.again(attempt, &by).await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Busy { by: "others".into(), attempts: ATTEMPTS_MAX })
    }

    /// Returns the placements that still hold on the head of now and that it does not know.
    async fn unrecorded(
        &self,
        record: &Record<R>,
        pushed: &[&Prepared],
    ) -> Result<Vec<Placement>, EngineError> {
        let state = record.whole_state(&BTreeSet::new()).await?;
        let mut open: BTreeMap<SiteName, Placement> = BTreeMap::new();
        for one in pushed {
            // Somebody moved the ring on meanwhile: who did so places its sites.
            if self.root_of(&state, &one.site.ring)?.as_ref() != Some(&one.root) {
                continue;
            }
            let placement = Placement {
                site: one.site.name.clone(),
                root: one.root.name.clone(),
                version: one.root.version,
                digest: Some(one.artifact.digest),
                outcome: PLACED.to_owned(),
            };
            open.insert(one.site.name.clone(), placement);
        }
        let mut unrecorded = Vec::new();
        let Some(ledger) = record.ledger() else { return Ok(unrecorded) };
        let mut history = ledger.history();
        while !open.is_empty() {
            let Some(past) = history.next().await? else { break };
            let Body::Place(body) = &past.entry.body else { continue };
            for known in &body.placements {
                if let Some(placement) = open.remove(&known.site)
                    && *known != placement
                {
                    unrecorded.push(placement);
                }
            }
        }
        unrecorded.extend(open.into_values());
        unrecorded.sort_by(|a, b| a.site.cmp(&b.site));
        Ok(unrecorded)
    }

    /// Writes the tags of the sites, and again while the head demands other roots for them. Returns
    /// the sites of which a tag moved.
    async fn tag_sites(
        &self,
        record: &mut Record<R>,
        pushed: &[&Prepared],
    ) -> Result<BTreeSet<SiteName>, EngineError> {
        let mut changed = BTreeSet::new();
        let mut replaced: BTreeMap<SiteName, Prepared> = BTreeMap::new();
        for _ in 0..PROJECTION_ROUNDS_MAX {
            let head = record.head();
            let state = record.whole_state(&BTreeSet::new()).await?;
            let mut shelf = Shelf::default();
            for first in pushed {
                let name = &first.site.name;
                let Some(root) = self.root_of(&state, &first.site.ring)? else { continue };
                if replaced.get(name).unwrap_or(first).root != root {
                    // The ring moved while this went on: the tags must name what it holds now.
                    let next = self.prepare(&mut shelf, &first.site, &root).await?;
                    ringsite_sites::push(&*self.registry, &next.artifact).await?;
                    replaced.insert(name.clone(), next);
                }
                let now = replaced.get(name).unwrap_or(first);
                if ringsite_sites::tag(&*self.registry, &now.artifact).await? {
                    changed.insert(name.clone());
                }
            }
            record.refresh().await?;
            if record.head() == head {
                break;
            }
        }
        Ok(changed)
    }

    /// Remembers that every site is placed up to the head of now, if that is so: nobody else moved the
    /// head since `before`, nothing failed, and what was there before was placed, too.
    pub(crate) fn mark(&self, record: &Record<R>, before: Option<Place>, placed: &Placed, all_before: bool) {
        let own = u64::from(placed.is_recorded);
        let expected = before.map_or(0, |before| before.sequence) + own;
        let failed = placed.sites.iter().any(|site| site.error.is_some());
        let Some(head) = record.head().filter(|head| head.sequence == expected && !failed && all_before)
        else {
            return;
        };
        self.set_mark(PLACED_UP_TO, &head);
        if before.is_some_and(|before| self.is_marked(PROJECTED, &before)) {
            // A `place` entry changes no tag of an image.
            self.set_mark(PROJECTED, &head);
        }
    }

    /// Says that somebody was quicker, and waits a little.
    pub(crate) async fn again(&self, attempt: u32, by: &[ringsite_ledger::Mover]) {
        self.observer.tell(Event::Again { attempt: attempt + 1, by: movers(by) });
        pause(attempt).await;
    }
}

/// Returns who moved the head, for words.
pub(crate) fn movers(by: &[ringsite_ledger::Mover]) -> String {
    match by.last() {
        Some(mover) => format!("{} ({} {})", mover.actor, mover.kind, mover.place),
        None => "somebody".to_owned(),
    }
}

pub(crate) fn report_site(one: &Prepared, changed: bool, error: Option<String>) -> ReportSite {
    ReportSite {
        site: one.site.name.to_string(),
        version: Some(one.root.version.to_string()),
        reference: Some(format!("{}:{}", one.artifact.repository, one.root.version)),
        digest: Some(one.artifact.digest.to_string()),
        changed,
        error,
    }
}

fn not_pullable(site: &SiteName) -> Warning {
    Warning {
        code: WarningCode::NotPullable,
        message: format!(
            "site {site}: clusters cannot pull from a folder; set `pull` in rings.toml to the name of a registry that gets a copy"
        ),
    }
}
