//! What the tests share: a faulty registry, and what every registry must do.

mod faulty;

pub mod conformance;

pub use faulty::{Fault, Faulty};
