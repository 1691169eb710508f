//! Reads a project: rings.toml, containerfiles and sources, and says what is desired.

mod problem;

pub use problem::{Problem, Problems};
