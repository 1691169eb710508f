//! One `COPY` or `ADD`: folders are walked, links and archives read, entries collected.
//!
//! This blocks, and it stays on the thread that it is called on: what it collects is large, and a
//! thread of its own would take its memory beside what the caller's thread has free already.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::base::{Index, View};
use crate::error::{BuildError, Place};
use crate::layer::{Content, Contents};
use crate::native::archive_source::unpack;
use crate::native::copy::{Notes, Transfer, context_groups, view_groups, write};
use crate::native::from_image::Group;
use crate::native::ownership::Ownership;
use crate::native::target::{Piece, Written};

/// An instruction with everything that doing it needs.
#[derive(Debug)]
pub(crate) struct Job {
    /// Where it is written.
    pub(crate) place: Place,
    /// What it says.
    pub(crate) transfer: Transfer,
    /// Its owner and mode.
    pub(crate) ownership: Ownership,
    /// Whether archives are unpacked.
    pub(crate) unpacks: bool,
    /// The build context.
    pub(crate) contents: Contents,
    /// The image or stage that it copies from; the context without one.
    pub(crate) from: Option<View>,
    /// What is there already.
    pub(crate) below: View,
}

/// What an instruction did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What it writes.
    pub(crate) written: Written,
    /// What may not be meant.
    pub(crate) warnings: Vec<String>,
    /// The sources of the recipe that it found, by their position.
    pub(crate) found: Vec<u32>,
}

impl Job {
    /// Does the instruction; other tasks of a runtime with several threads go on meanwhile.
    ///
    /// # Errors
    /// What sources, archives and the destination say.
    pub(crate) fn run(self) -> Result<Outcome, BuildError> {
        match Handle::try_current().map(|handle| handle.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(|| self.work()),
            _ => self.work(),
        }
    }

    fn work(self) -> Result<Outcome, BuildError> {
        let mut outcome = Outcome::default();
        let Self { place, transfer, .. } = &self;
        let mut groups = match &self.from {
            Some(from) => view_groups(from, place, transfer)?,
            None => {
                let notes = Notes { warnings: &mut outcome.warnings, found: &mut outcome.found };
                context_groups(&self.contents, place, transfer, notes)?
            }
        };
        let mut archives = Vec::new();
        if self.unpacks {
            (groups, archives) = self.archives(groups)?;
        }
        outcome.written = write(&self.below, place, self.ownership, transfer, groups, archives)?;
        Ok(outcome)
    }

    /// Takes the archives out of the sources of an `ADD` and reads what they hold.
    fn archives(&self, groups: Vec<Group>) -> Result<(Vec<Group>, Vec<Index>), BuildError> {
        let mut others = Vec::new();
        let mut archives = Vec::new();
        for group in groups {
            let unpacked = match group.pieces.as_slice() {
                [Piece { content: Content::Context(index), .. }] if !group.is_directory => {
                    unpack(&self.place, &self.contents, *index)?
                }
                _ => None,
            };
            match unpacked {
                Some(archive) => archives.push(archive),
                None => others.push(group),
            }
        }
        Ok((others, archives))
    }
}
