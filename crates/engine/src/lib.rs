//! The operations that a person asks for, from plan to placement.
//!
//! Floor 4. The engine reads the project and the record, has the rules decide, has images built, and
//! writes what follows. It prints nothing and reads no environment variable: progress goes out as
//! events, answers as the view model, and everything that depends on the machine comes in through
//! [`Setup`].

mod board;
mod clock;
mod compare;
mod configuration;
mod decide;
mod engine;
mod error;
mod event;
mod externals;
mod limits;
mod names;
mod operate;
mod past;
mod pause;
mod place;
mod placing;
mod project;
mod projections;
mod prove;
mod recipes;
mod record;
mod reports;
mod request;
mod saved;
mod show;
pub mod view;
mod why;
mod workshop;

pub use clock::{Clock, SystemClock};
pub use engine::{Engine, Setup};
pub use error::{Class, EngineError};
pub use event::{Event, Observer};
pub use project::Listed;
pub use request::{
    Format, Intent, LockFileUse, LogRequest, Network, Operation, PlaceRequest, Placing, Point, Shrink,
    Sources, StatCacheUse,
};
pub use saved::{SavedPlan, SavedPlanError};
