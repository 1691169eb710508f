//! What can go wrong with an operation, and what to do next.

use std::path::PathBuf;

use ringsite_build::{BuildError, FailureKind};
use ringsite_images::Problems;
use ringsite_ledger::{Fault, LedgerError};
use ringsite_oci::OciError;
use ringsite_rings::RequestProblem;
use ringsite_sites::{ClosureProblems, FetchError, GuardError, PublishError, RenderError, RootError};

use crate::view::{PlanView, RefusalView};

/// The kinds of outcome that callers tell apart; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wrong usage or configuration.
    Usage,
    /// A rule said no.
    Refused,
    /// Somebody else was quicker, and going on would not be what was asked for.
    Race,
    /// A verification failed.
    Unproven,
    /// The record is damaged, or older than one that was seen.
    Damaged,
    /// Registry or network.
    Registry,
    /// The build failed, or there is no builder.
    Build,
    /// This machine: disk, permissions.
    Machine,
    /// A broken invariant.
    Bug,
}

/// An operation that did not do what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The project's files are wrong.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// The request names something that does not exist, or contradicts itself.
    #[error("{}", join(.0))]
    Request(Vec<RequestProblem>),
    /// A rule says no; the plan holds every reason.
    #[error("{} is refused", .0.operation)]
    Refused(Box<PlanView>),
    /// Somebody else moved the head, and the new plan is not the one that was asked for.
    #[error("{by} was quicker, and the plan is another one now")]
    Raced {
        /// Who moved the head, and how.
        by: String,
        /// The plan as it would be now.
        plan: Box<PlanView>,
    },
    /// Somebody else moved the head again and again.
    #[error("{by} and others moved the head {attempts} times in a row")]
    Busy {
        /// Who moved it last.
        by: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The ledger does not work.
    #[error("{0}")]
    Ledger(#[from] LedgerError),
    /// The registry does not work.
    #[error("{0}")]
    Registry(#[from] OciError),
    /// An image could not be built.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// An environment refers to something that it must not refer to.
    #[error("{0}")]
    Environment(#[from] ClosureProblems),
    /// A root image cannot be placed.
    #[error("{0}")]
    Root(Box<RootError>),
    /// A site's artifact cannot be published.
    #[error("{0}")]
    Publish(Box<PublishError>),
    /// A site's artifact cannot be read back.
    #[error("{0}")]
    Fetch(Box<FetchError>),
    /// A site's objects cannot be rendered.
    #[error("{0}")]
    Render(#[from] RenderError),
    /// What a site has and what it would get cannot be compared.
    #[error("{0}")]
    Guard(Box<GuardError>),
    /// A version cannot be proved.
    #[error("{0}")]
    Unproven(String),
    /// The named thing does not exist.
    #[error("{message}")]
    Unknown {
        /// What does not exist.
        message: String,
        /// What does.
        help: String,
    },
    /// The disk of this machine stands in the way.
    #[error("{action} {}: {source}", path.display())]
    Disk {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A part of the engine broke an invariant.
    #[error("{0}")]
    Bug(String),
}

fn join(problems: &[RequestProblem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; ")
}

macro_rules! boxed {
    ($($variant:ident: $error:ty),+ $(,)?) => {
        $(impl From<$error> for EngineError {
            fn from(error: $error) -> Self {
                Self::$variant(Box::new(error))
            }
        })+
    };
}

// Boxed, because every operation returns this type and most of the time there is no error.
boxed! {
    Root: RootError,
    Publish: PublishError,
    Fetch: FetchError,
    Guard: GuardError,
}

impl EngineError {
    /// Returns the error for something that was named and does not exist.
    pub(crate) fn unknown(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Unknown { message: message.into(), help: help.into() }
    }

    /// Returns the kind of outcome.
    pub fn class(&self) -> Class {
        match self {
            Self::Problems(_) | Self::Request(_) | Self::Environment(_) | Self::Unknown { .. } => {
                Class::Usage
            }
            Self::Refused(_) => Class::Refused,
            Self::Raced { .. } | Self::Busy { .. } => Class::Race,
            Self::Ledger(error) => of_ledger(error),
            Self::Registry(error) => of_registry(error),
            Self::Build(error) => of_build(error),
            Self::Root(error) => match &**error {
                RootError::Registry { source, .. } => of_registry(source),
                _ => Class::Usage,
            },
            Self::Fetch(error) => of_fetch(error),
            Self::Publish(error) => of_registry(error.registry()),
            Self::Render(_) => Class::Build,
            Self::Guard(error) => of_guard(error),
            Self::Disk { .. } => Class::Machine,
            Self::Unproven(_) => Class::Unproven,
            Self::Bug(_) => Class::Bug,
        }
    }

    /// Returns the cause as one word for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Problems(_) => "configuration",
            Self::Request(_) => "usage",
            Self::Refused(_) => "refused",
            Self::Raced { .. } | Self::Busy { .. } => "moved",
            Self::Ledger(_) => "ledger",
            Self::Registry(_) => "registry",
            Self::Build(_) => "build",
            Self::Environment(_) => "environment",
            Self::Root(_) => "root",
            Self::Publish(_) | Self::Fetch(_) | Self::Guard(_) => "site",
            Self::Render(_) => "render",
            Self::Unproven(_) => "unproven",
            Self::Unknown { .. } => "unknown",
            Self::Disk { .. } => "disk",
            Self::Bug(_) => "bug",
        }
    }

    /// Returns what to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Problems(_) | Self::Refused(_) => None,
            Self::Environment(problems) => problems.as_slice().first().map(|problem| problem.help.clone()),
            Self::Request(problems) => {
                Some(problems.iter().map(|problem| problem.help.as_str()).collect::<Vec<_>>().join("; "))
            }
            Self::Raced { .. } => {
                Some("look at the new plan, and run the command again if it is what you want".into())
            }
            Self::Busy { .. } => Some("nothing was recorded; run the same command again".into()),
            Self::Ledger(error) => error.help(),
            Self::Registry(error) => error.help().map(str::to_owned),
            Self::Build(error) => error.help(),
            Self::Root(error) => Some(error.help()),
            Self::Publish(error) => error.registry().help().map(str::to_owned),
            Self::Fetch(_) => {
                Some("place the site again with `ring place`: its artifact is written anew".into())
            }
            Self::Render(error) => Some(error.help().to_owned()),
            Self::Guard(error) => Some(error.help().to_owned()),
            Self::Unproven(_) => {
                Some("check out the sources of that version, or look for what changed since".into())
            }
            Self::Unknown { help, .. } => Some(help.clone()),
            Self::Disk { .. } => Some("check the path, its permissions and the free space".into()),
            Self::Bug(_) => Some("nothing that was recorded is damaged; please report this".into()),
        }
    }

    /// Returns every reason of a refusal.
    pub fn refusals(&self) -> Vec<RefusalView> {
        match self {
            Self::Refused(plan) => plan.refusals.clone(),
            _ => Vec::new(),
        }
    }

    /// Returns the plan that was refused, or that would be made now.
    pub fn into_plan(self) -> Option<PlanView> {
        match self {
            Self::Refused(plan) | Self::Raced { plan, .. } => Some(*plan),
            _ => None,
        }
    }
}

fn of_registry(error: &OciError) -> Class {
    match error {
        OciError::Damaged { .. } => Class::Damaged,
        OciError::Disk { .. } => Class::Machine,
        _ => Class::Registry,
    }
}

fn of_guard(error: &GuardError) -> Class {
    match error {
        GuardError::Published(error) => of_registry(error.registry()),
        GuardError::Fetch(error) => of_fetch(error),
        GuardError::Count { .. } => Class::Damaged,
        GuardError::Render(_) => Class::Build,
    }
}

fn of_fetch(error: &FetchError) -> Class {
    match error {
        FetchError::Registry { source, .. } => of_registry(source),
        FetchError::Archive { .. } => Class::Damaged,
    }
}

fn of_ledger(error: &LedgerError) -> Class {
    match error.fault() {
        Fault::Usage => Class::Usage,
        Fault::Refused => Class::Refused,
        Fault::LostRace => Class::Race,
        Fault::Damaged => Class::Damaged,
        Fault::Registry => Class::Registry,
        Fault::Machine => Class::Machine,
        Fault::Bug => Class::Bug,
    }
}

fn of_build(error: &BuildError) -> Class {
    match error.kind() {
        FailureKind::Input => Class::Usage,
        FailureKind::Damaged => Class::Damaged,
        FailureKind::Network => Class::Registry,
        FailureKind::Build => Class::Build,
        FailureKind::Machine => Class::Machine,
    }
}
