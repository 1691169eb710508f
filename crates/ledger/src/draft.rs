//! What the engine hands over to be recorded, and its way into an entry.

use ringsite_names::{Digest, Timestamp};
use ringsite_rings::{Change, State};

use crate::body::Body;
use crate::entry::{Entry, GateOutcome, Line, NewRelease, SCHEMA};
use crate::error::LedgerError;
use crate::kind::Kind;
use crate::limits::{ACTOR_CHARACTERS_MAX, ENTRY_BYTES_MAX, REASON_CHARACTERS_MAX};
use crate::operation::OperationId;
use crate::seen::Place;

/// One operation that was decided on the state of a ledger and is not recorded yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The id of the intent; kept over every repetition of it.
    pub operation_id: OperationId,
    /// The digest of what was asked for; kept over every repetition too.
    pub request: Digest,
    /// What is recorded.
    pub kind: Kind,
    /// Who.
    pub actor: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What it does to the state. A configuration in it is recorded in the body.
    pub change: Change,
    /// What belongs to the kind.
    pub body: Body,
    /// The gates that were judged.
    pub gates: Vec<GateOutcome>,
}

impl Draft {
    /// Returns the entry that follows `parent`, and the state after it.
    ///
    /// Everything is checked again here: what is recorded can never be taken out.
    pub(crate) fn follow(self, parent: Option<Place>, state: &State) -> Result<(Line, State), LedgerError> {
        self.check()?;
        let draft = |reason: String| LedgerError::Draft { reason };
        let next = state.apply(&self.change).map_err(|violation| draft(violation.to_string()))?;
        let releases = self.change.releases.into_iter().map(|(image, release)| NewRelease { image, release });
        let entry = Entry {
            schema: SCHEMA,
            sequence: parent.map_or(1, |parent| parent.sequence + 1),
            parent: parent.map(|parent| parent.digest),
            operation_id: self.operation_id,
            request: self.request,
            kind: self.kind,
            actor: self.actor,
            reason: self.reason,
            at: self.at,
            state: next.state_digest(),
            releases: releases.collect(),
            delta: self.change.delta,
            body: self.body,
            gates: self.gates,
            signature: None,
        };
        let line = Line::write(entry);
        if line.text.len() > ENTRY_BYTES_MAX {
            return Err(draft(format!("it has {} bytes, more than {ENTRY_BYTES_MAX}", line.text.len())));
        }
        let read = Line::read(&line.text).map_err(|error| draft(error.to_string()))?;
        if read != line {
            return Err(draft("it is read as another one than it was written".to_owned()));
        }
        Ok((line, next))
    }

    fn check(&self) -> Result<(), LedgerError> {
        let refuse = |reason: String| Err(LedgerError::Draft { reason });
        if !self.body.is_of(&self.kind) {
            return refuse(format!("its body is not that of `{}`", self.kind));
        }
        if !self.kind.is_carried_out() {
            return refuse(format!("this version does not write `{}`", self.kind));
        }
        if self.change.configuration.as_ref() != self.body.configuration() {
            return refuse("its body and its change name different configurations".to_owned());
        }
        let changes_rings = !self.change.delta.is_empty() || !self.change.releases.is_empty();
        if changes_rings && !self.kind.is_move() {
            return refuse(format!("`{}` does not move releases", self.kind));
        }
        if self.actor.is_empty() || self.actor.chars().count() > ACTOR_CHARACTERS_MAX {
            return refuse(format!("its actor has not 1 to {ACTOR_CHARACTERS_MAX} characters"));
        }
        if self.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARACTERS_MAX) {
            return refuse(format!("its reason has more than {REASON_CHARACTERS_MAX} characters"));
        }
        Ok(())
    }
}
