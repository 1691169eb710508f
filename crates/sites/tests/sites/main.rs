//! Tests of the crate from outside: environments in, artifacts and refusals out.
#![allow(clippy::unwrap_used)]

mod artifact;
mod closure;
mod compare;
mod files;
mod publish;
mod render;
mod root;
mod support;
