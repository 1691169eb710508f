//! Reasons why a rule says no, and reasons to look twice.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::limits::NAMES_LISTED_MAX;
use crate::{GateKind, NotLoaded, Plan};

/// Why a plan must not be applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The source holds nothing, or not the image that was named.
    SourceEmpty,
    /// The source is not complete.
    SourceIncomplete,
    /// The target holds a higher version of some image.
    TargetHigher,
    /// A ring, image or site is held.
    Locked,
    /// The line is stopped.
    Frozen,
    /// A rejected version would arrive.
    Rejected,
    /// The set has not stood long enough on the source.
    GateSoak,
    /// Approvals are missing.
    GateApprovals,
    /// The time is not one at which the ring is open.
    GateWindow,
    /// A required fact is missing.
    GateRequire,
    /// A check did not pass.
    GateCheck,
    /// A site would lose too many objects. Judged where artifacts are made.
    Shrink,
    /// A ring is not what it was when the operation was decided or recorded.
    RingChanged,
    /// The operation would leave the chain at an end.
    Boundary,
    /// The project's files would take away what is in force.
    ConfigurationDiffers,
    /// A ring that holds a set would leave the chain or change its place.
    RingInUse,
}

impl RefusalCode {
    /// Returns the code that JSON and scripts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SourceEmpty => "source-empty",
            Self::SourceIncomplete => "source-incomplete",
            Self::TargetHigher => "target-higher",
            Self::Locked => "locked",
            Self::Frozen => "frozen",
            Self::Rejected => "rejected",
            Self::GateSoak => "gate-soak",
            Self::GateApprovals => "gate-approvals",
            Self::GateWindow => "gate-window",
            Self::GateRequire => "gate-require",
            Self::GateCheck => "gate-check",
            Self::Shrink => "shrink",
            Self::RingChanged => "ring-changed",
            Self::Boundary => "boundary",
            Self::ConfigurationDiffers => "configuration-differs",
            Self::RingInUse => "ring-in-use",
        }
    }
}

impl From<GateKind> for RefusalCode {
    fn from(gate: GateKind) -> Self {
        match gate {
            GateKind::Soak => Self::GateSoak,
            GateKind::Approvals => Self::GateApprovals,
            GateKind::Windows | GateKind::Freezes => Self::GateWindow,
            GateKind::Require => Self::GateRequire,
            GateKind::Checks => Self::GateCheck,
        }
    }
}

/// One reason why a rule says no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The reason as a code.
    pub code: RefusalCode,
    /// The reason in words.
    pub message: String,
    /// What to do next.
    pub help: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.code.as_str())
    }
}

/// A plan that must not be applied, with every reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What would have happened.
    pub plan: Box<Plan>,
    /// Why not; at least one reason.
    pub refusals: Vec<Refusal>,
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is refused", self.plan.operation)?;
        for (index, refusal) in self.refusals.iter().enumerate() {
            write!(formatter, "{} {refusal}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

/// A request that names what does not exist. It is wrong usage, not a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestProblem {
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub help: String,
}

/// Why there is no plan to apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The request names what does not exist; at least one problem.
    #[error("{}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Request(Vec<RequestProblem>),
    /// A rule says no.
    #[error("{0}")]
    Refused(Refused),
    /// A release that the rules must look at is not loaded: the caller's mistake, or damage.
    #[error(transparent)]
    NotLoaded(#[from] NotLoaded),
}

/// What deserves a second look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WarningCode {
    /// An earlier ring is behind a later one.
    Inversion,
    /// A release that was built on the target is replaced by other sources.
    HotfixLost,
    /// A ring is not complete afterwards.
    Stale,
    /// Clusters cannot pull by the names that the artifact has. Judged where artifacts are made.
    NotPullable,
    /// The project's files and the configuration in force differ.
    ConfigurationDiffers,
    /// The same sources will take the version again that is undone now.
    AdoptedAgain,
}

impl WarningCode {
    /// Returns the code that JSON and scripts use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inversion => "inversion",
            Self::HotfixLost => "hotfix-lost",
            Self::Stale => "stale",
            Self::NotPullable => "not-pullable",
            Self::ConfigurationDiffers => "configuration-differs",
            Self::AdoptedAgain => "adopted-again",
        }
    }
}

/// One thing that deserves a second look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// The warning as a code.
    pub code: WarningCode,
    /// The warning in words.
    pub message: String,
}

/// Lists names for a message, a few of them and how many more there are.
pub(crate) fn listed<T: fmt::Display>(names: &[T]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_LISTED_MAX).map(T::to_string).collect();
    match names.len().saturating_sub(NAMES_LISTED_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_the_same_in_rust_and_in_json() {
        use RefusalCode as R;
        use WarningCode as W;
        let refusals = [
            (R::SourceEmpty, "source-empty"),
            (R::SourceIncomplete, "source-incomplete"),
            (R::TargetHigher, "target-higher"),
            (R::Locked, "locked"),
            (R::Frozen, "frozen"),
            (R::Rejected, "rejected"),
            (R::GateSoak, "gate-soak"),
            (R::GateApprovals, "gate-approvals"),
            (R::GateWindow, "gate-window"),
            (R::GateRequire, "gate-require"),
            (R::GateCheck, "gate-check"),
            (R::Shrink, "shrink"),
            (R::RingChanged, "ring-changed"),
            (R::Boundary, "boundary"),
            (R::ConfigurationDiffers, "configuration-differs"),
            (R::RingInUse, "ring-in-use"),
        ];
        for (code, text) in refusals {
            assert_eq!(code.as_str(), text);
            assert_eq!(serde_json::to_value(code).unwrap(), text);
        }
        let warnings = [
            (W::Inversion, "inversion"),
            (W::HotfixLost, "hotfix-lost"),
            (W::Stale, "stale"),
            (W::NotPullable, "not-pullable"),
            (W::ConfigurationDiffers, "configuration-differs"),
            (W::AdoptedAgain, "adopted-again"),
        ];
        for (code, text) in warnings {
            assert_eq!(code.as_str(), text);
            assert_eq!(serde_json::to_value(code).unwrap(), text);
        }
    }

    #[test]
    fn long_lists_say_how_many_more_there_are() {
        let names: Vec<u32> = (1..=14).collect();
        assert_eq!(listed(&names[..2]), "1, 2");
        assert!(listed(&names).ends_with("12 and 2 more"));
    }
}
