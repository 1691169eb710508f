//! A plan: what an operation would do and why, with everything that recording it needs.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position, ProjectName, SiteName, Version, digest_of};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    Built, Change, Configuration, Delta, GateKind, Operation, Refusal, RefusalCode, Release, Rule, State,
    Switch, Warning,
};

/// What an operation would do. Equal states, requests and facts give equal plans.
///
/// A plan can be stored and applied later; [`Plan::recheck`] says whether it still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The operation.
    pub operation: Operation,
    /// The ring that was named; none for an operation on the whole chain or on an entry.
    pub ring: Option<Position>,
    /// The checks that are switched off.
    pub options: BTreeSet<Switch>,
    /// The sequence of the entry that is taken back.
    pub takes_back: Option<u64>,
    /// Each image: for a release in build order and then what is removed, else by ring and name.
    pub steps: Vec<Step>,
    /// Each cell that changes, by ring in chain order and by name, with digests.
    pub writes: Vec<CellWrite>,
    /// The same changes as the ledger keeps them.
    pub delta: Vec<Delta>,
    /// A configuration to put in force: the effect of `configure`; for a release, what it takes
    /// over before it (see [`Plan::takes_over`]).
    pub configuration: Option<Configuration>,
    /// The digest of the configuration in force that the plan was decided on; none before the
    /// first. It is not part of the plan digest.
    pub in_force: Option<Digest>,
    /// Each site that would get another root, by name.
    pub sites: Vec<SiteChange>,
    /// Each gate that guards a ring that is written.
    pub gates: Vec<GateFinding>,
    /// What deserves a second look.
    pub warnings: Vec<Warning>,
    /// The digests of the rings that the plan was decided on.
    pub reads: BTreeMap<Position, Digest>,
}

/// What happens to one image on one ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The image.
    pub image: ImageName,
    /// The ring whose cell is meant.
    pub ring: Position,
    /// What happens.
    pub action: Action,
    /// The version that the cell holds now.
    pub from: Option<Version>,
    /// The version that it would hold.
    pub to: Option<Version>,
    /// The clause of the version rule that gave the number.
    pub rule: Rule,
    /// Why, most important first.
    pub causes: Vec<Cause>,
    /// What to build, for a step that builds.
    pub build: Option<Recipe>,
}

/// What a step builds; the version is the step's `to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The hash of containerfile and sources.
    pub revision: Digest,
    /// The digest of everything else that decides about the build.
    pub inputs: Digest,
    /// The version of each dependency on the ring, after its own decision.
    pub dependencies: BTreeMap<ImageName, Version>,
}

/// What happens to an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is built and gets a new version.
    Build,
    /// The ring takes a release that exists already.
    Adopt,
    /// Nothing.
    Keep,
    /// The ring takes the release of another ring, or one that it had.
    Move,
    /// It leaves the ring.
    Remove,
}

impl Action {
    /// Returns the word that plans use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Adopt => "adopt",
            Self::Keep => "keep",
            Self::Move => "move",
            Self::Remove => "remove",
        }
    }
}

/// Why a step happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// The cause as a code.
    pub code: CauseCode,
    /// The cause in words.
    pub message: String,
}

/// A cause of a step, as a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CauseCode {
    /// The ring holds no release of the image.
    Absent,
    /// Containerfile or sources differ.
    Revision,
    /// Something else that decides about the build differs.
    InputsChanged,
    /// A dependency has another version.
    DependencyChanged,
    /// A dependency is new.
    DependencyAdded,
    /// A dependency is gone.
    DependencyRemoved,
    /// The image is no longer declared.
    Undeclared,
    /// A new major version was asked for.
    Major,
    /// A build was asked for.
    Forced,
    /// The release comes from another ring, or from the history.
    Moved,
}

impl CauseCode {
    /// Returns the code that JSON and scripts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Revision => "revision",
            Self::InputsChanged => "inputs-changed",
            Self::DependencyChanged => "dependency-changed",
            Self::DependencyAdded => "dependency-added",
            Self::DependencyRemoved => "dependency-removed",
            Self::Undeclared => "undeclared",
            Self::Major => "major",
            Self::Forced => "forced",
            Self::Moved => "moved",
        }
    }
}

/// One cell that changes, with the content that it names. As JSON `[ring, image, from, to]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "(Position, ImageName, Option<Digest>, Written)")]
pub struct CellWrite {
    /// The ring.
    pub ring: Position,
    /// The image.
    pub image: ImageName,
    /// The digest that the cell names now.
    pub from: Option<Digest>,
    /// What the cell would name.
    pub to: Written,
}

/// What a cell would name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written {
    /// An image that exists.
    Image(Digest),
    /// An image that is still to be built.
    Build {
        /// The version that it gets.
        version: Version,
        /// The hash of containerfile and sources.
        revision: Digest,
        /// The digest of everything else that decides about the build.
        inputs: Digest,
        /// The versions of its dependencies.
        dependencies: BTreeMap<ImageName, Version>,
    },
    /// Nothing.
    Nothing,
}

/// A site that would get another root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteChange {
    /// The site.
    pub site: SiteName,
    /// The root version that its ring has now.
    pub from: Option<Version>,
    /// The root version that it would get.
    pub to: Option<Version>,
}

/// A gate that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateFinding {
    /// The gate.
    pub gate: GateKind,
    /// The ring that it guards.
    pub ring: Position,
    /// Whether it is met; none when that is unknown, and unknown is not met.
    pub met: Option<bool>,
    /// What was found.
    pub detail: String,
}

/// An image of the plan that nobody handed in after building.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{image} {version} is part of the plan but was not built")]
pub struct NotBuilt {
    /// The image.
    pub image: ImageName,
    /// The version that it would have got.
    pub version: Version,
}

impl Plan {
    /// Returns whether applying the plan would write anything.
    pub fn has_changes(&self) -> bool {
        !self.delta.is_empty() || self.configuration.is_some()
    }

    /// Returns the steps that build, in build order.
    pub fn builds(&self) -> impl Iterator<Item = (&Step, &Recipe)> {
        self.steps.iter().filter_map(|step| Some((step, step.build.as_ref()?)))
    }

    /// Returns the configuration that a release puts in force before it, as a `configure` entry of
    /// its own.
    pub fn takes_over(&self) -> Option<&Configuration> {
        self.configuration.as_ref().filter(|_| self.operation == Operation::Release)
    }

    /// Returns the change to record, with what was built. For a release on a state without the
    /// configuration of [`Plan::takes_over`], record that first.
    ///
    /// # Errors
    /// `NotBuilt` when `built` lacks an image that the plan builds.
    pub fn change(&self, built: &BTreeMap<ImageName, Built>) -> Result<Change, NotBuilt> {
        let mut releases = Vec::new();
        for (step, recipe) in self.builds() {
            let version = step.to.expect("a step that builds has a version");
            let Some(built) = built.get(&step.image) else {
                return Err(NotBuilt { image: step.image.clone(), version });
            };
            let release = Release {
                version,
                digest: built.digest,
                revision: recipe.revision,
                inputs: recipe.inputs,
                dependencies: recipe.dependencies.clone(),
                built_by: built.built_by.clone(),
                built_on: step.ring.clone(),
                built_at: built.built_at,
                recipe: built.recipe,
            };
            releases.push((step.image.clone(), release));
        }
        let configuration = self.configuration.clone().filter(|_| self.operation == Operation::Configure);
        Ok(Change { configuration, releases, delta: self.delta.clone() })
    }

    /// Returns the plan digest: sha256 of the RFC 8785 form of
    /// `{schema: 1, project, operation, ring, options, reads, writes, configuration}`. Equal digests
    /// have the same effect. `configuration` is the digest of the new one, for `configure` only.
    pub fn digest(&self, project: &ProjectName) -> Digest {
        #[derive(Serialize)]
        struct Digested<'a> {
            schema: u8,
            project: &'a ProjectName,
            operation: Operation,
            ring: Option<&'a Position>,
            options: &'a BTreeSet<Switch>,
            reads: &'a BTreeMap<Position, Digest>,
            writes: &'a [CellWrite],
            configuration: Option<Digest>,
        }
        let configuration = self.configuration.as_ref().filter(|_| self.operation == Operation::Configure);
        digest_of(&Digested {
            schema: 1,
            project,
            operation: self.operation,
            ring: self.ring.as_ref(),
            options: &self.options,
            reads: &self.reads,
            writes: &self.writes,
            configuration: configuration.map(Configuration::digest),
        })
    }

    /// Returns why the plan can no longer be applied to `state`: a ring that it was decided on has
    /// changed, a version that it would give was given meanwhile, or another configuration is in
    /// force, whose gates nobody looked at. Empty when the plan still holds.
    ///
    /// T of the images that the plan builds must be loaded.
    pub fn recheck(&self, state: &State) -> Vec<Refusal> {
        let mut reasons = Vec::new();
        if self.in_force != state.configuration().map(Configuration::digest) {
            reasons.push("the configuration in force has changed since the plan was made".to_owned());
        }
        for (ring, digest) in &self.reads {
            if state.ring_digest(ring) != *digest {
                reasons.push(format!("ring {ring} has changed since the plan was made"));
            }
        }
        for (image, version) in self.builds().filter_map(|(step, _)| Some((&step.image, step.to?))) {
            if state.release(image, version).is_some() {
                reasons.push(format!("{image} {version} was given to another build meanwhile"));
            }
        }
        let refusals = reasons.into_iter().map(|message| Refusal {
            code: RefusalCode::RingChanged,
            message,
            help: "make a new plan: run `ring plan` with the same arguments again".to_owned(),
        });
        refusals.collect()
    }
}

impl Serialize for CellWrite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.ring, &self.image, &self.from, &self.to).serialize(serializer)
    }
}

impl From<(Position, ImageName, Option<Digest>, Written)> for CellWrite {
    fn from((ring, image, from, to): (Position, ImageName, Option<Digest>, Written)) -> Self {
        Self { ring, image, from, to }
    }
}
