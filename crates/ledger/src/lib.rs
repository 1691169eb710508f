//! The ledger: the hash-chained record of every operation on every ring, kept in the registry.
//!
//! It is the only truth about which release stands on which ring. In the flow it is step 2, "read
//! the record", and step 6, "commit": between them `rings` decides. An entry is decided on one head
//! and recorded on that head only; whoever loses the race decides again on the new state.
//!
//! This crate decides nothing about releases, writes no version or ring tags and places nothing.
//!
//! Group commit: several operations that are decided one after the other share one move of the head
//! with [`Ledger::commit_all`]. Writers of one process that wait on the same layout share its syncs,
//! which the layout groups by itself; each still decides on its own state and moves the head itself.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod limits;
pub mod names;

mod body;
mod checkpoint;
mod clean;
mod closed;
mod codec;
mod commit;
mod draft;
mod entry;
mod error;
mod history;
mod init;
mod kind;
mod ledger;
mod manifests;
mod operation;
mod past;
mod seen;
mod segment;
mod store;
mod table;
mod verify;
mod view;

pub use body::{
    ApproveBody, Body, ConfigureBody, GcBody, InitBody, LockBody, MoveBody, Notice, PlaceBody, Placement,
    ReconcileBody, RejectBody,
};
pub use draft::Draft;
pub use entry::{Entry, EntryError, GateOutcome, NewRelease, Recorded, Signature};
pub use error::{Fault, LedgerError, Mover};
pub use history::{EntryName, EntryNameError, Filter, History};
pub use init::Beginning;
pub use kind::Kind;
pub use ledger::Ledger;
pub use operation::{OperationId, OperationIdError};
pub use past::Point;
pub use seen::{Place, Seen, SeenError};
pub use verify::{Problem, ProblemCode, Verification};
