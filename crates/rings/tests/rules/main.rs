//! The rules of rings as tables, stories and properties.

#![allow(clippy::unwrap_used)]

mod history;
mod numbering;
mod promote;
mod properties;
mod record;
mod refusals;
mod release;
mod speed;
mod warnings;
mod world;
