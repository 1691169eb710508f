//! The pure rules of rings: chain, state, version rule, plans and refusals.
//!
//! Nothing here reads a file, a clock, an environment variable or a socket: the same state,
//! request, facts and time give the same plan and the same bytes. In the flow this is step 3,
//! "decide": `images` says what is wanted, `ledger` says what is, and this crate says what happens.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod limits;

mod cells;
mod chain;
mod completeness;
mod configuration;
mod configuring;
mod deciding;
mod delta;
mod differences;
mod gatekeeping;
mod gates;
mod graph;
mod history;
mod judging;
mod locks;
mod moves;
mod numbering;
mod operation;
mod outcome;
mod plan;
mod planning;
mod refusal;
mod release;
mod request;
mod setting;
mod site;
mod state;
mod taking_back;
mod violation;

pub use cells::Cells;
pub use chain::{Chain, ChainError};
pub use completeness::{Completeness, NotLoaded};
pub use configuration::{Configuration, ConfigurationError, Declaration};
pub use delta::Delta;
pub use differences::{Difference, Differences, differences};
pub use gates::{Approvals, Check, Freeze, GateKind, Gates, Probe};
pub use history::{InEffect, Inverse, PastMove, Rewind, Target, inverse};
pub use limits::{MAX_SHRINK_DEFAULT, RINGS_MAX, VERSION_NUMBER_MAX};
pub use locks::{Held, Hold, Locks};
pub use numbering::{Bump, Numbering, Rule, next_version};
pub use operation::{Operation, OperationError};
pub use plan::{
    Action, Cause, CauseCode, CellWrite, GateFinding, NotBuilt, Plan, Recipe, SiteChange, Step, Written,
};
pub use planning::{arriving, needs, plan};
pub use refusal::{PlanError, Refusal, RefusalCode, Refused, RequestProblem, Warning, WarningCode};
pub use release::{Built, Release};
pub use request::{
    ConfigureRequest, Desired, Detail, EmptyRequest, Facts, PromoteRequest, ReleaseRequest, Request,
    ShiftRequest, Switch, TakeBack, TakeBackRequest, UnshiftRequest,
};
pub use site::{Deliver, Job, Site, SiteSource};
pub use state::{Change, Snapshot, State};
pub use violation::Violation;
