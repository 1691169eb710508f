//! What every rule looks at, and what it writes its decision into.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{ImageName, Position, Timestamp};

use crate::refusal::listed;
use crate::{
    Chain, Configuration, Delta, Facts, Operation, Refusal, RefusalCode, Request, RequestProblem, State,
    Step, Warning, WarningCode,
};

/// Everything that a decision may depend on.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) state: &'a State,
    /// The configuration that the operation works with: the one in force, or for a release the
    /// declared one when that only adds.
    pub(crate) configuration: &'a Configuration,
    pub(crate) request: &'a Request,
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
}

impl<'a> Setting<'a> {
    pub(crate) fn chain(&self) -> &'a Chain {
        self.configuration.chain()
    }

    /// Checks that a ring that was named exists.
    pub(crate) fn check_ring(&self, ring: &Position) -> Result<(), Vec<RequestProblem>> {
        if self.chain().contains(ring) {
            return Ok(());
        }
        let is_declared =
            self.facts.declared.as_ref().is_some_and(|declared| declared.chain().contains(ring));
        let help = if is_declared {
            format!("rings.toml has {ring}, but it is not in force yet: run `ring config apply`")
        } else {
            format!("the rings are {}", listed(self.chain().positions()))
        };
        Err(vec![RequestProblem { message: format!("ring {ring} is not configured"), help }])
    }
}

/// A decision in the making.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) operation: Operation,
    pub(crate) ring: Option<Position>,
    pub(crate) takes_back: Option<u64>,
    /// The steps of a release; the steps of a move follow from its delta.
    pub(crate) steps: Option<Vec<Step>>,
    pub(crate) delta: Vec<Delta>,
    pub(crate) reads: BTreeSet<Position>,
    /// Where what arrives on a ring comes from, in words.
    pub(crate) origins: BTreeMap<Position, String>,
    pub(crate) configuration: Option<Configuration>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) refusals: Vec<Refusal>,
}

impl Draft {
    pub(crate) fn new(operation: Operation, ring: Option<&Position>) -> Self {
        Self {
            operation,
            ring: ring.cloned(),
            takes_back: None,
            steps: None,
            delta: Vec::new(),
            reads: ring.cloned().into_iter().collect(),
            origins: BTreeMap::new(),
            configuration: None,
            warnings: Vec::new(),
            refusals: Vec::new(),
        }
    }

    pub(crate) fn refuse(&mut self, code: RefusalCode, message: impl Into<String>, help: impl Into<String>) {
        self.refusals.push(Refusal { code, message: message.into(), help: help.into() });
    }

    pub(crate) fn warn(&mut self, code: WarningCode, message: impl Into<String>) {
        self.warnings.push(Warning { code, message: message.into() });
    }
}

/// Returns the problem of an image that was named and is not there.
pub(crate) fn unknown_image(image: &ImageName) -> RequestProblem {
    RequestProblem {
        message: format!("image {image} is not declared"),
        help: "`ring images` lists the images of the project".to_owned(),
    }
}
