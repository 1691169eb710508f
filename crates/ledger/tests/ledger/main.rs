//! The ledger over whole registries: in memory, on disk, under faults, with several writers.

#![allow(clippy::unwrap_used)]

mod basics;
mod figures;
mod world;
