//! The pure rules of rings: chain, state, version rule, plans and refusals.
//!
//! Nothing here reads a file, a clock, an environment variable or a socket: the same state,
//! request, facts and time give the same plan and the same bytes. In the flow this is step 3,
//! "decide": `images` says what is wanted, `ledger` says what is, and this crate says what happens.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod limits;

mod cells;
mod chain;
mod configuration;
mod delta;
mod gates;
mod history;
mod locks;
mod numbering;
mod operation;
mod plan;
mod refusal;
mod release;
mod request;
mod site;
mod state;
mod violation;

pub use cells::Cells;
pub use chain::{Chain, ChainError};
pub use configuration::{Configuration, ConfigurationError, Declaration};
pub use delta::Delta;
pub use gates::{Approvals, Check, Freeze, GateKind, Gates, Probe};
pub use history::{InEffect, Inverse, PastMove, Rewind, Target, inverse};
pub use limits::{MAX_SHRINK_DEFAULT, RINGS_MAX, VERSION_NUMBER_MAX};
pub use locks::{Held, Hold, Locks};
pub use numbering::{Bump, Numbering, Rule, next_version};
pub use operation::{Operation, OperationError};
pub use plan::{
    Action, Cause, CauseCode, CellWrite, GateFinding, NotBuilt, Plan, Recipe, SiteChange, Step, Written,
};
pub use refusal::{PlanError, Refusal, RefusalCode, Refused, RequestProblem, Warning, WarningCode};
pub use release::{Built, Release};
pub use request::{
    ConfigureRequest, Desired, Detail, EmptyRequest, Facts, PromoteRequest, ReleaseRequest, Request,
    ShiftRequest, Switch, TakeBack, TakeBackRequest, UnshiftRequest,
};
pub use site::{Deliver, Job, Site, SiteSource};
pub use state::{Change, Snapshot, State};
pub use violation::Violation;
