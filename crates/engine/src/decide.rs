//! From a request to a plan, on one state of the record.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

use ringsite_names::{Digest, ImageName, Position, Version};
use ringsite_oci::Registry;
use ringsite_rings::{
    Action, Configuration, ConfigureRequest, Desired, EmptyRequest, Facts, InEffect, Plan, PlanError,
    PromoteRequest, Refusal, ReleaseRequest, Request, Rewind, ShiftRequest, State, Switch, TakeBack,
    TakeBackRequest, Target, UnshiftRequest, Violation,
};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::project::Declared;
use crate::record::Record;
use crate::request::{Intent, Operation, Shrink};
use crate::show;
use crate::view::PlanView;

/// A plan with the state that it was made on.
pub(crate) struct Decided {
    /// The plan.
    pub(crate) plan: Plan,
    /// Every reason against it.
    pub(crate) refusals: Vec<Refusal>,
    /// The state that it was made on, with T of every image that it needs.
    pub(crate) state: State,
}

impl Decided {
    /// Returns the root image of the configuration that the plan was made under.
    pub(crate) fn root(&self) -> Option<&ImageName> {
        let configuration = self.plan.configuration.as_ref().or_else(|| self.state.configuration());
        configuration.map(Configuration::root)
    }

    /// Returns the plan as it is shown.
    pub(crate) fn view<R: Registry + 'static>(&self, engine: &Engine<R>) -> PlanView {
        show::plan(engine.name(), &self.plan, &self.refusals, &self.state)
    }
}

impl<R: Registry + 'static> Engine<R> {
    /// Decides an operation on what `record` holds now.
    ///
    /// # Errors
    /// `Request` for a request that cannot be; the ledger's. A rule that says no is no error here.
    pub(crate) async fn decide(
        &self,
        record: &Record<R>,
        operation: &Operation,
        intent: &Intent,
        declared: Option<&Declared>,
    ) -> Result<Decided, EngineError> {
        let state = record.state().clone();
        let request = self.request(record, operation, intent).await?;
        let none = Vec::new();
        let desired: &[Desired] = declared.map_or(&none, Declared::desired);
        let images = ringsite_rings::needs(&state, desired, &request);
        let state = record.with_releases(state, &images).await?;
        let begin = Instant::now();
        let explained = match declared {
            Some(declared) => declared.explained(self, &state, operation).await?,
            None => none,
        };
        let mut facts = self.facts(operation);
        facts.recorded_before = recorded_before(record, ringsite_rings::arriving(&state, &request)).await?;
        let now = self.clock.now();
        loop {
            let (plan, refusals) = match ringsite_rings::plan(&state, &explained, &request, &facts, now) {
                Ok(plan) => (plan, Vec::new()),
                Err(PlanError::Refused(refused)) => (*refused.plan, refused.refusals),
                Err(PlanError::Request(problems)) => return Err(EngineError::Request(problems)),
                Err(PlanError::NotLoaded(error)) => return Err(EngineError::Bug(error.to_string())),
            };
            let gone = self.gone(&plan, &state).await?;
            if gone.is_empty() {
                self.phase("decide", begin);
                return Ok(Decided { plan, refusals, state });
            }
            // A release whose manifest somebody removed is not adopted; without it the plan is another one.
            for (image, version) in gone {
                facts.gone.entry(image).or_default().insert(version);
            }
        }
    }

    fn facts(&self, operation: &Operation) -> Facts {
        // What the working copy declares counts for a release; for a move it is worth a warning.
        let declared = match operation {
            Operation::Configure => None,
            _ => self.declared_configuration().cloned(),
        };
        Facts { declared, ..Facts::default() }
    }

    async fn request(
        &self,
        record: &Record<R>,
        operation: &Operation,
        intent: &Intent,
    ) -> Result<Request, EngineError> {
        let mut switches = BTreeSet::new();
        if intent.shrink == Shrink::Allowed {
            switches.insert(Switch::AllowShrink);
        }
        let downgrade = |allowed: bool, mut switches: BTreeSet<Switch>| {
            if allowed {
                switches.insert(Switch::AllowDowngrade);
            }
            switches
        };
        Ok(match operation {
            Operation::Release { ring, images, majors, force } => {
                if *force {
                    switches.insert(Switch::Force);
                }
                Request::Release(ReleaseRequest {
                    ring: ring.clone().unwrap_or_else(|| self.first_ring(record.state())),
                    images: images.iter().cloned().collect(),
                    majors: majors.iter().cloned().collect(),
                    initial_version: self.working_copy()?.initial_version,
                    switches,
                })
            }
            Operation::Promote { ring, images, allow_downgrade } => Request::Promote(PromoteRequest {
                ring: ring.clone(),
                images: images.iter().cloned().collect(),
                switches: downgrade(*allow_downgrade, switches),
            }),
            Operation::Shift { ring: Some(ring), allow_downgrade } => Request::Promote(PromoteRequest {
                ring: ring.clone(),
                images: BTreeSet::new(),
                switches: downgrade(*allow_downgrade, switches),
            }),
            Operation::Shift { ring: None, allow_downgrade } => {
                Request::Shift(ShiftRequest { switches: downgrade(*allow_downgrade, switches) })
            }
            Operation::Unshift { ring: Some(ring) } => {
                Request::Unshift(UnshiftRequest { ring: ring.clone(), switches })
            }
            Operation::Unshift { ring: None } => {
                self.take_back(record, TakeBack::Unshift, None, switches).await?
            }
            Operation::Undo { entry } => self.take_back(record, TakeBack::Undo, *entry, switches).await?,
            Operation::Redo => self.take_back(record, TakeBack::Redo, None, switches).await?,
            Operation::Empty { ring } => Request::Empty(EmptyRequest { ring: ring.clone(), switches }),
            Operation::Configure => Request::Configure(ConfigureRequest {
                configuration: self.working_copy()?.configuration().clone(),
                switches,
            }),
        })
    }

    /// Searches the history for the entry that is taken back, reading only as much as it needs.
    async fn take_back(
        &self,
        record: &Record<R>,
        command: TakeBack,
        entry: Option<u64>,
        switches: BTreeSet<Switch>,
    ) -> Result<Request, EngineError> {
        let mut search = match entry {
            Some(sequence) => InEffect::entry(command, sequence),
            None => InEffect::newest(command),
        };
        if let Some(ledger) = record.ledger() {
            let mut history = ledger.history();
            while let Some(recorded) = history.next().await? {
                if let Some(past) = recorded.past_move()
                    && let ControlFlow::Break(()) = search.visit(past)
                {
                    break;
                }
            }
        }
        let target: Target = search.finish(record.state()).map_err(bug)?;
        Ok(Request::TakeBack(TakeBackRequest { command, target, switches }))
    }

    /// Returns the first ring of the configuration in force, or else of the project file.
    pub(crate) fn first_ring(&self, state: &State) -> Position {
        let known = state.configuration().or_else(|| self.declared_configuration());
        known.map_or(Position::Ante, |known| known.chain().first().clone())
    }

    /// Returns what the plan adopts and whose manifest is no longer there.
    async fn gone(&self, plan: &Plan, state: &State) -> Result<Vec<(ImageName, Version)>, EngineError> {
        let mut gone = Vec::new();
        for step in plan.steps.iter().filter(|step| step.action == Action::Adopt) {
            let Some(version) = step.to else { continue };
            let digest = self.release(state, &step.image, version)?.digest;
            let repository = self.name().image_repository(&step.image);
            if self.registry.head_manifest(&repository, &digest.into()).await?.is_none() {
                gone.push((step.image.clone(), version));
            }
        }
        Ok(gone)
    }
}

/// Returns the rings of `arriving` that held exactly that set at some time.
async fn recorded_before<R: Registry + 'static>(
    record: &Record<R>,
    mut arriving: BTreeMap<Position, Digest>,
) -> Result<BTreeSet<Position>, EngineError> {
    let mut found = BTreeSet::new();
    let Some(ledger) = record.ledger() else { return Ok(found) };
    let mut history = ledger.history();
    let mut rings = Rewind::new(record.state());
    while !arriving.is_empty() {
        let Some(past) = history.next().await? else { break };
        rings.back(&past.entry.delta).map_err(bug)?;
        arriving.retain(|ring, digest| {
            let held = rings.cells(ring).digest() == *digest;
            if held {
                found.insert(ring.clone());
            }
            !held
        });
    }
    Ok(found)
}

/// A violation here means that the record and the rules disagree although both were checked.
pub(crate) fn bug(violation: Violation) -> EngineError {
    EngineError::Bug(violation.to_string())
}
