//! One head in a registry that moves atomically.
//!
//! A [`Register`] is one tag whose manifest is replaced by compare and swap. It knows nothing about
//! what the manifest means: the ledger and the catalog decide that, push what the manifest names
//! before they swap, and find out by their own ids whether a swap of unknown outcome took effect.
//! The protocol is A of `ledger.md` section 3: a conditional put, then a read, and only the read is believed.

mod register;

pub use register::{Head, Register, SwapError};
