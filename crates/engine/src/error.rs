//! What can go wrong with an operation, and what to do next.

use ringsite_build::BuildError;
use ringsite_images::Problems;
use ringsite_ledger::LedgerError;
use ringsite_oci::OciError;
use ringsite_sites::SitesError;

use crate::view::{PlanView, RefusalView};

/// The kinds of outcome that callers tell apart; each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wrong usage or configuration.
    Usage,
    /// A rule said no.
    Refused,
    /// Somebody else was quicker, and going on would not be what was asked for.
    Race,
    /// A verification failed.
    Unproven,
    /// The record is damaged, or older than one that was seen.
    Damaged,
    /// Registry or network.
    Registry,
    /// The build failed, or there is no builder.
    Build,
    /// This machine: disk, permissions.
    Machine,
    /// A broken invariant.
    Bug,
}
