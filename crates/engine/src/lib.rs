//! The operations that a person asks for, from plan to placement.

mod clock;
mod event;
mod request;
pub mod view;

pub use clock::{Clock, SystemClock};
pub use event::{Event, Observer};
pub use request::{
    Intent, LockFileUse, LogRequest, Network, Operation, PlaceRequest, Placing, Point, Shrink, Sources, StatCacheUse,
};
