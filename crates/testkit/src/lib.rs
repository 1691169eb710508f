//! What the tests share: a faulty registry, and what every registry must do.

mod faulty;
mod project;

pub mod conformance;

pub use faulty::{Fault, Faulty};
pub use project::{ProjectFolder, SHOP};
