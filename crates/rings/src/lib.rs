//! The pure rules of rings: chain, state, version rule, plans and refusals.
//!
//! Nothing here reads a file, a clock, an environment variable or a socket: the same state,
//! request, facts and time give the same plan and the same bytes. In the flow this is step 3,
//! "decide": `images` says what is wanted, `ledger` says what is, and this crate says what happens.
//!
//! # Examples
//! A release, its promotion, and one step back:
//! ```
//! use std::collections::{BTreeMap, BTreeSet};
//! use ringsite_names::{Digest, ImageName, Timestamp, Version};
//! use ringsite_rings::*;
//!
//! let configuration: Configuration =
//!     serde_json::from_str(r#"{"rings": ["developers", "testers"], "root": "shop"}"#).unwrap();
//! let shop = ImageName::new("shop").unwrap();
//! let desired = [Desired {
//!     image: shop.clone(),
//!     revision: Digest::sha256(b"sources"),
//!     inputs: Digest::sha256(b"inputs"),
//!     dependencies: BTreeSet::new(),
//!     detail: Detail::default(),
//! }];
//! let facts = Facts { declared: Some(configuration.clone()), ..Facts::default() };
//! let now = Timestamp::from_seconds(1_795_000_000).unwrap();
//! let state = State::new()
//!     .apply(&Change { configuration: Some(configuration), ..Change::default() }).unwrap();
//!
//! // The first release builds the image and gives it the initial version.
//! let request = Request::Release(ReleaseRequest {
//!     ring: "developers".parse().unwrap(),
//!     images: BTreeSet::new(),
//!     majors: BTreeSet::new(),
//!     initial_version: Version::new(0, 1, 0),
//!     switches: BTreeSet::new(),
//! });
//! let release = plan(&state, &desired, &request, &facts, now).unwrap();
//! assert_eq!(release.steps[0].causes[0].code, CauseCode::Absent);
//! let built = Built {
//!     digest: Digest::sha256(b"image"), built_by: "native/1".into(), built_at: now, recipe: None,
//! };
//! let state = state.apply(&release.change(&BTreeMap::from([(shop, built)])).unwrap()).unwrap();
//!
//! // Promoting it copies the whole set to the next ring.
//! let request = Request::Promote(PromoteRequest {
//!     ring: "developers".parse().unwrap(), images: BTreeSet::new(), switches: BTreeSet::new(),
//! });
//! let promote = plan(&state, &[], &request, &facts, now).unwrap();
//! let before = state.state_digest();
//! let state = state.apply(&promote.change(&BTreeMap::new()).unwrap()).unwrap();
//! assert!(state.completeness(&"testers".parse().unwrap()).unwrap().is_complete());
//!
//! // The exact inverse of the newest entry in effect brings back what was there.
//! let mut search = InEffect::newest(TakeBack::Undo);
//! let past = PastMove {
//!     sequence: 4,
//!     digest: Digest::sha256(b"entry"),
//!     operation: promote.operation,
//!     takes_back: None,
//!     delta: promote.delta,
//! };
//! assert!(search.visit(past).is_break());
//! let request = Request::TakeBack(TakeBackRequest {
//!     command: TakeBack::Undo, target: search.finish(&state).unwrap(), switches: BTreeSet::new(),
//! });
//! let undo = plan(&state, &[], &request, &facts, now).unwrap();
//! assert_eq!(undo.takes_back, Some(4));
//! let state = state.apply(&undo.change(&BTreeMap::new()).unwrap()).unwrap();
//! assert_eq!(state.state_digest(), before);
//! ```

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
