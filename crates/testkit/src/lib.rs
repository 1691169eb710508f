//! What the tests share: a faulty registry, and what every registry must do.

mod faulty;
mod http_registry;
mod project;

pub mod conformance;

pub use faulty::{Fault, Faulty};
pub use http_registry::{Answer, HttpRegistry};
pub use project::{ProjectFolder, SHOP};
