//! The part of an entry that belongs to its kind.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, SiteName, Timestamp, Version};
use ringsite_rings::{Configuration, Warning};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::Kind;
use crate::seen::Place;

/// What belongs to the kind of an entry; one shape for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// Of `init`.
    Init(InitBody),
    /// Of every kind that moves releases.
    Move(MoveBody),
    /// Of `configure`.
    Configure(ConfigureBody),
    /// Of `lock`, `unlock`, `freeze` and `thaw`.
    Lock(LockBody),
    /// Of `reject`.
    Reject(RejectBody),
    /// Of `approve`.
    Approve(ApproveBody),
    /// Of `place`.
    Place(PlaceBody),
    /// Of `reconcile`.
    Reconcile(ReconcileBody),
    /// Of `gc`.
    Gc(GcBody),
    /// Of a kind that this program does not know.
    Unknown(Value),
}

/// How the ledger began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InitBody {
    /// The commit protocol.
    pub protocol: String,
    /// What the probe of the registry found, by the name of the question.
    pub probe: BTreeMap<String, Value>,
}

/// What was decided about a move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoveBody {
    /// The digest of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Digest>,
    /// The flags that switched a check off, without their dashes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub options: BTreeSet<String>,
    /// What the person was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Notice>,
    /// The number of the entry that this one takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<u64>,
}

/// A warning that a person was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The warning as a code.
    pub code: String,
    /// The warning in words.
    pub message: String,
}

impl From<&Warning> for Notice {
    fn from(warning: &Warning) -> Self {
        Self { code: warning.code.as_str().to_owned(), message: warning.message.clone() }
    }
}

/// A configuration that is in force from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigureBody {
    /// The configuration.
    pub configuration: Configuration,
}

/// A hold that is said or taken away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockBody {
    /// `ring`, `image`, `site` or `all`.
    pub what: String,
    /// The name of what is held; none for `all`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Until when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// A version that must not arrive anywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectBody {
    /// The image.
    pub image: ImageName,
    /// The version.
    pub version: Version,
}

/// A signed approval of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApproveBody {
    /// The digest of the plan.
    pub plan: Digest,
    /// The public key.
    pub key: String,
    /// The signature of the plan's digest.
    pub signature: String,
}

/// What was placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceBody {
    /// One placement for each site, by site.
    pub placements: Vec<Placement>,
}

/// The root image that a site got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The site.
    pub site: SiteName,
    /// The root image.
    pub root: ImageName,
    /// Its version.
    pub version: Version,
    /// The digest of the site's artifact; none when nothing could be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How it went: `placed`, or an error in words.
    pub outcome: String,
}

/// A deviation of the registry that a person accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileBody {
    /// The newest entry that was seen before a rollback that is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_rollback: Option<Place>,
}

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcBody {
    /// The versions whose manifests are gone, by image.
    pub removed: BTreeMap<ImageName, Vec<Version>>,
}

impl Body {
    /// Reads the body of an entry of `kind`.
    pub(crate) fn from_value(kind: &Kind, value: Value) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::Init => Self::Init(serde_json::from_value(value)?),
            Kind::Configure => Self::Configure(serde_json::from_value(value)?),
            Kind::Lock | Kind::Unlock | Kind::Freeze | Kind::Thaw => {
                Self::Lock(serde_json::from_value(value)?)
            }
            Kind::Reject => Self::Reject(serde_json::from_value(value)?),
            Kind::Approve => Self::Approve(serde_json::from_value(value)?),
            Kind::Place => Self::Place(serde_json::from_value(value)?),
            Kind::Reconcile => Self::Reconcile(serde_json::from_value(value)?),
            Kind::Gc => Self::Gc(serde_json::from_value(value)?),
            Kind::Unknown(_) => Self::Unknown(value),
            _ => Self::Move(serde_json::from_value(value)?),
        })
    }

    /// Returns whether this is the shape that entries of `kind` have.
    pub(crate) fn is_of(&self, kind: &Kind) -> bool {
        match self {
            Self::Init(_) => *kind == Kind::Init,
            Self::Move(_) => kind.is_move(),
            Self::Configure(_) => *kind == Kind::Configure,
            Self::Lock(_) => matches!(kind, Kind::Lock | Kind::Unlock | Kind::Freeze | Kind::Thaw),
            Self::Reject(_) => *kind == Kind::Reject,
            Self::Approve(_) => *kind == Kind::Approve,
            Self::Place(_) => *kind == Kind::Place,
            Self::Reconcile(_) => *kind == Kind::Reconcile,
            Self::Gc(_) => *kind == Kind::Gc,
            Self::Unknown(_) => matches!(kind, Kind::Unknown(_)),
        }
    }

    /// Returns the configuration that is in force after the entry, when the entry brings one.
    pub fn configuration(&self) -> Option<&Configuration> {
        match self {
            Self::Configure(body) => Some(&body.configuration),
            _ => None,
        }
    }

    /// Returns the number of the entry that this one takes back.
    pub fn takes_back(&self) -> Option<u64> {
        match self {
            Self::Move(body) => body.takes_back,
            _ => None,
        }
    }
}
