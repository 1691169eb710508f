//! The ledger over whole registries: in memory, on disk, under faults, with several writers.

#![allow(clippy::unwrap_used)]

mod basics;
mod bounds;
mod damage;
mod faults;
mod looking_back;
mod races;
mod rollback;
mod world;
