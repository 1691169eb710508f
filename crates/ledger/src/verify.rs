//! The audit: the whole chain, every digest, and whether everything that entries name is there.

use std::collections::BTreeSet;

use futures_util::{FutureExt as _, StreamExt as _, stream};
use ringsite_names::{Digest, ImageName, ProjectName, RepositoryName, Version};
use ringsite_oci::{OciError, Registry};
use ringsite_rings::State;

use crate::body::Body;
use crate::checkpoint::Checkpoint;
use crate::closed;
use crate::entry::{Entry, Line, NewRelease};
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::limits::{ARTIFACT_QUESTIONS_MAX, PROBLEMS_MAX, TABLE_SHARDS};
use crate::manifests::SegmentManifest;
use crate::names::SITES_REPOSITORY;
use crate::seen::Place;
use crate::segment::{Before, Segment, advance, check_state};
use crate::table::{Shard, Table};

/// The outcome of an audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// Whether everything holds.
    pub ok: bool,
    /// How many entries were checked.
    pub entries: u64,
    /// What does not hold, in the order in which it was found: oldest entry first.
    pub problems: Vec<Problem>,
}

/// One thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The kind of problem.
    pub code: ProblemCode,
    /// What and where, with entry and digest.
    pub message: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemCode {
    /// A segment, checkpoint or release table is missing or damaged, or a link of the chain is wrong.
    Chain,
    /// An entry does not lead to the state that it says.
    State,
    /// A checkpoint does not say what the entries before it lead to.
    Checkpoint,
    /// The release table is not what the entries say.
    Releases,
    /// An image, recipe or site artifact that an entry names is gone.
    Missing,
    /// More problems were found than are listed.
    More,
}

impl ProblemCode {
    /// Returns the code that JSON and scripts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::State => "state",
            Self::Checkpoint => "checkpoint",
            Self::Releases => "releases",
            Self::Missing => "missing",
            Self::More => "more",
        }
    }
}

/// What an audit has seen so far.
struct Audit {
    problems: Vec<Problem>,
    more: u64,
    entries: u64,
    /// The state after the last entry; none after a contradiction, until the next checkpoint.
    state: Option<State>,
    /// The place of the last entry; none after a gap.
    last: Option<Place>,
    /// Whether no entry is missing so far, so that the release table can be compared.
    is_whole: bool,
    releases: Shard,
    /// What entries name, oldest first.
    named: Vec<Named>,
    /// What was removed on purpose.
    removed: BTreeSet<(ImageName, Version)>,
}

/// Something outside the ledger that an entry names.
struct Named {
    repository: RepositoryName,
    digest: Digest,
    /// The entry and what it is, for messages.
    what: String,
    /// The release that it belongs to, when it does.
    release: Option<(ImageName, Version)>,
}

impl<R: Registry> Ledger<R> {
    /// Checks the whole chain from the first entry: parents, numbers, entry digests, state digests
    /// recomputed from deltas, checkpoints, the release table, and that every image, recipe and site
    /// artifact that an entry names is still in the registry.
    ///
    /// # Errors
    /// `Registry` when the registry does not answer. What is damaged is not an error but a problem.
    pub async fn verify(&self) -> Result<Verification, LedgerError> {
        let mut audit = Audit::new();
        let segments = self.segments(&mut audit).await?;
        for manifest in &segments {
            let (checkpoint, place) = match closed::beginning(&self.store, manifest).await {
                Ok((checkpoint, _)) => (Some(checkpoint), format!("segment {}", manifest.number)),
                Err(error) => {
                    audit.damage(error)?;
                    (None, format!("segment {}", manifest.number))
                }
            };
            audit.checkpoint(checkpoint.as_ref(), &place);
            let before = match audit.last {
                Some(last) => Before::Known(Some(last)),
                None if manifest.number == 1 => Before::Known(None),
                None => Before::Unknown,
            };
            match closed::entries(&self.store, manifest, manifest.last, before).await {
                Ok(segment) => audit.segment(&self.store.project, &segment),
                Err(error) => {
                    audit.damage(error)?;
                    audit.lose(manifest.last);
                }
            }
        }
        audit.checkpoint(Some(&self.view.checkpoint), "the open segment");
        self.check_table(&mut audit).await?;
        audit.segment(&self.store.project, &self.view.segment);
        self.check_artifacts(&mut audit).await?;
        Ok(audit.finish())
    }

    /// Returns the manifests of all closed segments that can be reached, oldest first.
    async fn segments(&self, audit: &mut Audit) -> Result<Vec<SegmentManifest>, LedgerError> {
        let mut segments: Vec<SegmentManifest> = Vec::new();
        let mut next = self.view.checkpoint.segment.map(|segment| segment.digest);
        while let Some(digest) = next {
            match closed::manifest(&self.store, &digest).await {
                Ok(manifest) => {
                    next = manifest.previous;
                    segments.push(manifest);
                }
                Err(error) => {
                    audit.damage(error)?;
                    audit.is_whole = false;
                    audit.state = None;
                    break;
                }
            }
        }
        segments.reverse();
        Ok(segments)
    }

    /// Compares the release table with the releases of all closed segments.
    async fn check_table(&self, audit: &mut Audit) -> Result<(), LedgerError> {
        let mut found = Shard::new();
        if let Some(table) = self.view.checkpoint.table {
            let shards = async {
                let table = Table::read(&self.store, &table.digest).await?;
                table.load(&self.store, &(0..TABLE_SHARDS).collect()).await
            };
            match shards.await {
                Ok(shards) => shards.into_iter().for_each(|(_, shard)| found.extend(shard)),
                Err(error) => return audit.damage(error),
            }
        }
        if !audit.is_whole {
            return Ok(());
        }
        let images: BTreeSet<&ImageName> = found.keys().chain(audit.releases.keys()).collect();
        let differing: Vec<String> = images
            .into_iter()
            .filter(|image| found.get(*image) != audit.releases.get(*image))
            .map(ToString::to_string)
            .collect();
        for image in differing {
            audit.problem(
                ProblemCode::Releases,
                format!("the release table differs from the entries for {image}"),
            );
        }
        Ok(())
    }

    /// Asks for every artifact that an entry names and that was not removed on purpose.
    async fn check_artifacts(&self, audit: &mut Audit) -> Result<(), LedgerError> {
        let mut asked = BTreeSet::new();
        let mut named = std::mem::take(&mut audit.named);
        named.retain(|named| {
            let is_removed = named.release.as_ref().is_some_and(|release| audit.removed.contains(release));
            !is_removed && asked.insert((named.repository.clone(), named.digest))
        });
        // The futures are boxed so that what awaits them can be sent to another thread.
        let questions: Vec<_> = named.iter().map(|named| self.is_there(named).boxed()).collect();
        let mut answers = stream::iter(questions).buffered(ARTIFACT_QUESTIONS_MAX);
        let mut named = named.iter();
        while let (Some(is_there), Some(named)) = (answers.next().await, named.next()) {
            let Named { repository, digest, what, .. } = named;
            match is_there {
                Ok(true) => {}
                Ok(false) => {
                    audit.problem(ProblemCode::Missing, format!("{what}: {repository}@{digest} is gone"))
                }
                Err(OciError::Damaged { place, reason }) => {
                    audit.problem(ProblemCode::Missing, format!("{what}: {place} is damaged: {reason}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Returns whether the registry has a manifest or a blob of that digest.
    async fn is_there(&self, named: &Named) -> Result<bool, OciError> {
        let Named { repository, digest, .. } = named;
        match self.store.registry.head_manifest(repository, &(*digest).into()).await? {
            Some(_) => Ok(true),
            None => self.store.registry.has_blob(repository, digest).await,
        }
    }
}

impl Audit {
    fn new() -> Self {
        Self {
            problems: Vec::new(),
            more: 0,
            entries: 0,
            state: Some(State::new()),
            last: None,
            is_whole: true,
            releases: Shard::new(),
            named: Vec::new(),
            removed: BTreeSet::new(),
        }
    }

    fn problem(&mut self, code: ProblemCode, message: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { code, message });
        } else {
            self.more += 1;
        }
    }

    /// Notes damage; everything else stops the audit.
    fn damage(&mut self, error: LedgerError) -> Result<(), LedgerError> {
        match error {
            LedgerError::Damaged { .. } | LedgerError::Newer { .. } => {
                self.problem(ProblemCode::Chain, error.to_string());
                Ok(())
            }
            error => Err(error),
        }
    }

    /// Goes on behind entries that cannot be read.
    fn lose(&mut self, last: Place) {
        self.is_whole = false;
        self.state = None;
        self.last = Some(last);
    }

    /// Compares a checkpoint with what the entries before it led to, or takes it where that is unknown.
    fn checkpoint(&mut self, checkpoint: Option<&Checkpoint>, place: &str) {
        let Some(checkpoint) = checkpoint else { return };
        match &self.state {
            Some(state) => {
                let is_same = state.snapshot() == checkpoint.snapshot && self.last == checkpoint.last;
                if !is_same {
                    let digest = checkpoint.state;
                    let message =
                        format!("the checkpoint of {place} (state {digest}) is not what its entries lead to");
                    self.problem(ProblemCode::Checkpoint, message);
                }
            }
            None => {
                self.last = checkpoint.last;
                self.state = State::from_snapshot(checkpoint.snapshot.clone()).ok();
            }
        }
    }

    fn segment(&mut self, project: &ProjectName, segment: &Segment) {
        for line in &segment.lines {
            self.entries += 1;
            self.fold(line);
            self.last = Some(line.place());
            self.collect(project, &line.entry);
        }
    }

    fn fold(&mut self, line: &Line) {
        let Some(state) = self.state.take() else { return };
        match advance(state, line) {
            Ok(state) => {
                if let Err(error) = check_state(&state, line) {
                    self.problem(ProblemCode::State, error.to_string());
                }
                self.state = Some(state);
            }
            Err(error) => {
                self.is_whole = false;
                self.problem(ProblemCode::State, error.to_string());
            }
        }
    }

    /// Notes what an entry names.
    fn collect(&mut self, project: &ProjectName, entry: &Entry) {
        let sequence = entry.sequence;
        for NewRelease { image, release } in &entry.releases {
            let repository = project.image_repository(image);
            let what = format!("entry {sequence}, {image} {}", release.version);
            let named = |digest: Digest, what: String| Named {
                repository: repository.clone(),
                digest,
                what,
                release: Some((image.clone(), release.version)),
            };
            self.named.push(named(release.digest, what.clone()));
            self.named.extend(release.recipe.map(|recipe| named(recipe, format!("{what}, recipe"))));
            self.releases.entry(image.clone()).or_default().insert(release.version, release.clone());
        }
        match &entry.body {
            Body::Place(body) => {
                for placement in &body.placements {
                    let repository = project.repository(&format!("{SITES_REPOSITORY}/{}", placement.site));
                    if let (Ok(repository), Some(digest)) = (repository, placement.digest) {
                        let what = format!("entry {sequence}, site {}", placement.site);
                        self.named.push(Named { repository, digest, what, release: None });
                    }
                }
            }
            Body::Gc(body) => {
                for (image, versions) in &body.removed {
                    self.removed.extend(versions.iter().map(|version| (image.clone(), *version)));
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Verification {
        if self.more > 0 {
            let message = format!("{} more problems are not listed", self.more);
            self.problems.push(Problem { code: ProblemCode::More, message });
        }
        Verification { ok: self.problems.is_empty(), entries: self.entries, problems: self.problems }
    }
}
