//! The native builder from outside: projects on disk become images that foreign readers read.

#![allow(clippy::unwrap_used)]

mod bases;
mod config;
mod copy;
mod harness;
mod reproducible;
