//! Whole operations on a store in memory: faults at every call, and several engines at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by failing")]

mod faults;
mod house;
mod races;
