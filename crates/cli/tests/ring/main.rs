//! The program as people and scripts meet it: arguments in; stdout, stderr and exit code out.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by failing")]

mod errors;
mod history;
mod moves;
mod release;
mod run;
mod sites;
