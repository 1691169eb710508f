//! Operations that write: decide, build, judge, record, tag, place.
//!
//! Order of writes: images by digest; the entry, which is the moment at which it happened; version
//! tags and ring tags; site artifacts and the entry that names them. A crash between two of them
//! leaves garbage or something behind, never a lie, and the same command again finishes the work.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use ringsite_ledger::{
    Beginning, Body, ConfigureBody, Draft, GateOutcome, Kind, Ledger, LedgerError, MoveBody, Notice,
    OperationId, Place, Recorded,
};
use ringsite_names::{Digest, ImageName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Change, Plan, Refusal, State, Warning};

use crate::decide::{Decided, bug};
use crate::engine::{Engine, request_digest};
use crate::error::EngineError;
use crate::event::Event;
use crate::limits::{ATTEMPTS_MAX, SEARCHED_MAX};
use crate::names::PLACED_UP_TO;
use crate::placing::{Prepared, Shelf, movers};
use crate::project::Declared;
use crate::record::{Record, rings_written};
use crate::reports::{behind, show_warnings};
use crate::request::{Intent, Operation, Placing};
use crate::saved::SavedPlan;
use crate::show;
use crate::view::{PlanView, Report};
use crate::workshop::Workshop;

/// What an operation has to agree with.
enum Expected<'a> {
    /// Nothing: the plan of the first attempt counts.
    Nothing,
    /// A plan that a person has seen just now; another one means that somebody was quicker.
    Shown(&'a str),
    /// A plan that was saved; it is rechecked by rule.
    Saved(&'a SavedPlan),
}

/// One intent on its way into the record.
struct Attempt<'a> {
    operation: &'a Operation,
    intent: &'a Intent,
    operation_id: OperationId,
    request: Digest,
    /// The digest that every further plan must have; a release may become another one.
    fixed: Option<String>,
    workshop: Workshop,
}

impl<R: Registry + 'static> Engine<R> {
    /// Returns what `operation` would do now.
    ///
    /// # Errors
    /// Wrong requests and files, and whatever reading the record or the sources meets. A rule that says
    /// no is part of the plan.
    pub async fn plan(&self, operation: &Operation, intent: &Intent) -> Result<PlanView, EngineError> {
        let opening = self.opening();
        let declared = self.declared_for(operation).await;
        let (record, declared) = (opening.record().await?, declared?);
        let decided = self.decide(&record, operation, intent, declared.as_ref()).await?;
        let mut view = decided.view(self);
        if decided.refusals.is_empty() && decided.plan.builds().next().is_none() {
            // Without a build everything is known, so the preview says what the move itself would say.
            let change =
                decided.plan.change(&BTreeMap::new()).map_err(|error| EngineError::Bug(error.to_string()))?;
            let prepared = self.prepare_rings(&decided, &change, intent).await?;
            let (refusals, warnings) = self.judge(&prepared, intent.shrink).await?;
            view.refusals.extend(refusals.iter().map(show::refusal));
            view.warnings.extend(warnings.iter().map(show::warning));
        }
        Ok(view)
    }

    /// Does `operation`.
    ///
    /// # Errors
    /// `Refused` by a rule; `Raced` when somebody was quicker and the plan is another one now; wrong
    /// requests and files; what building and the registry meet. Unless something was recorded, the
    /// record is as it was.
    pub async fn run(&self, operation: &Operation, intent: &Intent) -> Result<Report, EngineError> {
        self.perform(operation, intent, Expected::Nothing).await
    }

    /// Does `operation` if its plan still has the digest `shown`.
    ///
    /// # Errors
    /// As [`Engine::run`]; `Raced` when the plan is another one.
    pub async fn run_planned(
        &self,
        operation: &Operation,
        intent: &Intent,
        shown: &str,
    ) -> Result<Report, EngineError> {
        self.perform(operation, intent, Expected::Shown(shown)).await
    }

    /// Does exactly what a saved plan says.
    ///
    /// # Errors
    /// As [`Engine::run`]; `Refused` with `ring-changed` when the plan no longer holds.
    pub async fn apply(&self, saved: &SavedPlan, intent: &Intent) -> Result<Report, EngineError> {
        self.perform(saved.request(), intent, Expected::Saved(saved)).await
    }

    /// Begins the ledger and returns its first entry.
    ///
    /// # Errors
    /// `Exists` when there is one already.
    pub async fn ledger_init(&self, intent: &Intent) -> Result<crate::view::EntryView, EngineError> {
        let ledger = self.begin(intent).await?;
        self.entry_of(&Record::of(ledger), "1").await
    }

    async fn perform(
        &self,
        operation: &Operation,
        intent: &Intent,
        expected: Expected<'_>,
    ) -> Result<Report, EngineError> {
        // Both only read, and neither needs the other.
        let opening = self.opening();
        let declared = self.declared_for(operation).await;
        let mut record = opening.record().await?;
        let request = request_digest(operation);
        let (operation_id, given) = self.operation_id(intent)?;
        if given && let Some(done) = self.done_before(&record, &operation_id, request).await? {
            return self.report_of(&record, &done).await;
        }
        let declared = declared?;
        let fixed = match &expected {
            Expected::Shown(digest) => Some((*digest).to_owned()),
            _ => None,
        };
        let mut attempt =
            Attempt { operation, intent, operation_id, request, fixed, workshop: Workshop::default() };
        let mut last = "somebody".to_owned();
        for number in 1..=ATTEMPTS_MAX {
            let decided = self.decide(&record, operation, intent, declared.as_ref()).await?;
            self.agree(&mut attempt, &decided, &expected, &last)?;
            if !decided.plan.has_changes() {
                return self.unchanged(&mut record, decided, intent).await;
            }
            match self.attempt(&mut record, &mut attempt, &decided, declared.as_ref()).await {
                Ok(report) => return Ok(report),
                Err(EngineError::Ledger(LedgerError::Moved { by })) => {
                    last = movers(&by);
                    self.again(number, &by).await;
                    record = self.open().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Err(EngineError::Busy { by: last, attempts: ATTEMPTS_MAX })
    }

    /// Checks the plan against the rules and against what was agreed on before.
    fn agree(
        &self,
        attempt: &mut Attempt<'_>,
        decided: &Decided,
        expected: &Expected<'_>,
        by: &str,
    ) -> Result<(), EngineError> {
        let is_release = matches!(attempt.operation, Operation::Release { .. });
        if is_release && attempt.fixed.is_none() && matches!(expected, Expected::Nothing) {
            // Nobody has seen this plan, so its digest is not needed before it is recorded.
            return if decided.refusals.is_empty() { Ok(()) } else { Err(self.refused(decided, &[])) };
        }
        let digest = decided.plan.digest(self.name()).to_string();
        if let Expected::Saved(saved) = expected
            && saved.plan().digest != digest
        {
            let refusals = vec![Refusal {
                code: ringsite_rings::RefusalCode::RingChanged,
                message: format!(
                    "the saved plan {} no longer holds: a ring that it was made on has changed",
                    saved.plan().digest
                ),
                help: "make a new plan: run `ring plan` with the same arguments again".into(),
            }];
            return Err(self.refused(decided, &refusals));
        }
        if attempt.fixed.as_ref().is_some_and(|fixed| *fixed != digest) {
            return Err(EngineError::Raced { by: by.to_owned(), plan: Box::new(decided.view(self)) });
        }
        if !decided.refusals.is_empty() {
            return Err(self.refused(decided, &[]));
        }
        if !is_release {
            attempt.fixed = Some(digest);
        }
        Ok(())
    }

    /// Returns the error for a plan that rules refuse, `more` being reasons that the plan does not know.
    fn refused(&self, decided: &Decided, more: &[Refusal]) -> EngineError {
        let mut view = decided.view(self);
        view.refusals.extend(more.iter().map(show::refusal));
        EngineError::Refused(Box::new(view))
    }

    /// Builds, judges, records, tags and places one decided plan.
    async fn attempt(
        &self,
        record: &mut Record<R>,
        attempt: &mut Attempt<'_>,
        decided: &Decided,
        declared: Option<&Declared>,
    ) -> Result<Report, EngineError> {
        let built = match declared {
            Some(declared) => self.build_all(decided, declared, &mut attempt.workshop).await?,
            None => BTreeMap::new(),
        };
        let change = decided.plan.change(&built).map_err(|error| EngineError::Bug(error.to_string()))?;
        let prepared = self.prepare_rings(decided, &change, attempt.intent).await?;
        let (refusals, warnings) = self.judge(&prepared, attempt.intent.shrink).await?;
        if !refusals.is_empty() {
            return Err(self.refused(decided, &refusals));
        }
        if declared.is_some() {
            self.reassure(&built, &attempt.workshop).await?;
        }
        let before = record.head();
        if record.ledger().is_none() {
            *record = Record::of(self.begin(attempt.intent).await.map_err(begun_meanwhile)?);
        }
        let begin = Instant::now();
        let recorded = record.commit_all(self.drafts(attempt, decided, change, &warnings)).await?;
        self.phase("record", begin);
        let nothing = || EngineError::Bug("a plan with changes made no entry".into());
        let entry = recorded.last().ok_or_else(nothing)?;
        self.observer.tell(Event::Recorded { sequence: entry.entry.sequence });
        let given: Vec<(ImageName, Version)> = built
            .keys()
            .filter_map(|image| Some((image.clone(), version_of(&decided.plan, image)?)))
            .collect();
        let mut report = self.report_of(record, entry).await?;
        report.warnings = show_warnings(decided, &warnings);
        self.finish(record, attempt.intent, &prepared, &given, before, &mut report).await;
        Ok(report)
    }

    /// Writes what follows an entry. It stands whatever happens here, so what fails is said in the
    /// report and done by the next command.
    async fn finish(
        &self,
        record: &mut Record<R>,
        intent: &Intent,
        prepared: &[Prepared],
        given: &[(ImageName, Version)],
        before: Option<Place>,
        report: &mut Report,
    ) {
        let all_placed_before = before.is_none_or(|before| self.is_marked(PLACED_UP_TO, &before));
        if let Err(error) = self.update_tags(record, given).await {
            report.warnings.push(behind("the tags", &error));
        }
        let tagged = record.head();
        if intent.place == Placing::Nothing {
            return self.flush(report).await;
        }
        match self.place_sites(record, prepared, intent, None).await {
            Ok(placed) => {
                self.mark(record, tagged, &placed, all_placed_before);
                report.sites = placed.sites;
            }
            Err(error) => {
                let failed =
                    |site: &Prepared| crate::placing::report_site(site, false, Some(error.to_string()));
                report.sites = prepared.iter().map(failed).collect();
            }
        }
        self.flush(report).await;
    }

    /// Brings up to date what other programs read of the registry.
    async fn flush(&self, report: &mut Report) {
        if let Err(error) = self.registry.flush().await {
            report.warnings.push(behind("what other programs read of the registry", &error.into()));
        }
    }

    /// Reports that there is nothing to do, after bringing up to date what a crash left behind.
    async fn unchanged(
        &self,
        record: &mut Record<R>,
        decided: Decided,
        intent: &Intent,
    ) -> Result<Report, EngineError> {
        let mut report = Report {
            operation: decided.plan.operation.to_string(),
            changed: false,
            sequence: record.head().map_or(0, |head| head.sequence),
            entry: record.head().map(|head| head.digest.to_string()),
            images: Vec::new(),
            sites: Vec::new(),
            warnings: decided.plan.warnings.iter().map(show::warning).collect(),
        };
        self.heal(record, intent, &mut report).await?;
        self.flush(&mut report).await;
        Ok(report)
    }

    /// Brings tags and placements up to date, unless this machine knows that they are.
    async fn heal(
        &self,
        record: &mut Record<R>,
        intent: &Intent,
        report: &mut Report,
    ) -> Result<(), EngineError> {
        self.update_tags(record, &[]).await?;
        let Some(head) = record.head() else { return Ok(()) };
        if intent.place == Placing::Nothing || self.is_marked(PLACED_UP_TO, &head) {
            return Ok(());
        }
        let state = record.whole_state(&BTreeSet::new()).await?;
        let prepared = self.prepare_all(&state, |_| true).await?;
        let (refusals, _) = self.judge(&prepared, intent.shrink).await?;
        if let Some(refusal) = refusals.first() {
            self.note(format!("{}; {}", refusal.message, refusal.help));
            return Ok(());
        }
        let placed = self.place_sites(record, &prepared, intent, None).await?;
        self.mark(record, Some(head), &placed, true);
        report.sites = placed.sites.into_iter().filter(|site| site.changed || site.error.is_some()).collect();
        Ok(())
    }

    /// Makes the artifacts of the sites of every ring that the plan writes.
    async fn prepare_rings(
        &self,
        decided: &Decided,
        change: &Change,
        intent: &Intent,
    ) -> Result<Vec<Prepared>, EngineError> {
        if intent.place == Placing::Nothing {
            return Ok(Vec::new());
        }
        let begin = Instant::now();
        let mut change = change.clone();
        change.configuration = change.configuration.or_else(|| decided.plan.configuration.clone());
        let after = decided.state.apply(&change).map_err(bug)?;
        let rings = rings_written(&decided.plan.delta);
        // A configuration may give a site another ring or environment, or bring a new one.
        let all = change.configuration.is_some();
        let prepared = self.prepare_all(&after, |ring| all || rings.contains(&ring)).await?;
        self.phase("prepare the sites", begin);
        Ok(prepared)
    }

    /// Makes the artifacts of the sites in force whose ring is `chosen` and holds a complete set.
    pub(crate) async fn prepare_all(
        &self,
        state: &State,
        chosen: impl Fn(&ringsite_names::Position) -> bool,
    ) -> Result<Vec<Prepared>, EngineError> {
        let mut shelf = Shelf::default();
        let mut prepared = Vec::new();
        let Some(configuration) = state.configuration() else { return Ok(prepared) };
        for site in configuration.sites().iter().filter(|site| chosen(&site.ring)) {
            if let Some(root) = self.root_of(state, &site.ring)? {
                prepared.push(self.prepare(&mut shelf, site, &root).await?);
            }
        }
        prepared.sort_by(|a, b| a.site.name.cmp(&b.site.name));
        Ok(prepared)
    }

    /// Returns the entries to record: what a release takes over from the project file comes first.
    fn drafts(
        &self,
        attempt: &Attempt<'_>,
        decided: &Decided,
        change: Change,
        warnings: &[Warning],
    ) -> Vec<Draft> {
        let plan = &decided.plan;
        let draft = |kind: Kind, change: Change, body: Body| Draft {
            operation_id: attempt.operation_id.clone(),
            request: attempt.request,
            kind,
            actor: attempt.intent.actor.clone(),
            reason: attempt.intent.reason.clone(),
            at: self.clock.now(),
            change,
            body,
            gates: plan.gates.iter().map(GateOutcome::from).collect(),
        };
        let mut drafts = Vec::new();
        if let Some(configuration) = plan.takes_over() {
            let configured = Change { configuration: Some(configuration.clone()), ..Change::default() };
            let body = Body::Configure(ConfigureBody { configuration: configuration.clone() });
            drafts.push(draft(Kind::Configure, configured, body));
        }
        if let Some(configuration) = &change.configuration {
            let body = Body::Configure(ConfigureBody { configuration: configuration.clone() });
            drafts.push(draft(Kind::Configure, change.clone(), body));
            return drafts;
        }
        if change.delta.is_empty() && change.releases.is_empty() {
            return drafts;
        }
        let body = Body::Move(MoveBody {
            plan: Some(plan.digest(self.name())),
            options: plan.options.iter().map(|switch| switch.as_str().to_owned()).collect(),
            warnings: plan.warnings.iter().chain(warnings).map(Notice::from).collect(),
            takes_back: plan.takes_back,
        });
        drafts.push(draft(Kind::from(plan.operation), change, body));
        drafts
    }

    /// Begins the ledger; of several who do so at the same moment one succeeds.
    async fn begin(&self, intent: &Intent) -> Result<Ledger<std::sync::Arc<R>>, LedgerError> {
        let now = self.clock.now();
        let beginning = Beginning {
            operation_id: OperationId::fresh(now),
            request: request_digest(&"init"),
            actor: intent.actor.clone(),
            reason: None,
            at: now,
            probe: BTreeMap::new(),
        };
        let registry = std::sync::Arc::clone(&self.registry);
        Ledger::init(registry, self.name(), Some(self.seen()), beginning).await
    }

    /// Returns the id of the intent, and whether the caller gave it.
    fn operation_id(&self, intent: &Intent) -> Result<(OperationId, bool), EngineError> {
        match &intent.operation_id {
            Some(text) => match text.parse() {
                Ok(id) => Ok((id, true)),
                Err(error) => {
                    let error: ringsite_ledger::OperationIdError = error;
                    Err(EngineError::unknown(
                        format!("--operation-id: {error}"),
                        "leave it out to have one made",
                    ))
                }
            },
            None => Ok((OperationId::fresh(self.clock.now()), false)),
        }
    }

    /// Returns the entry that fulfilled this intent already.
    async fn done_before(
        &self,
        record: &Record<R>,
        id: &OperationId,
        request: Digest,
    ) -> Result<Option<Recorded>, EngineError> {
        let Some(ledger) = record.ledger() else { return Ok(None) };
        let mut history = ledger.history();
        for _ in 0..SEARCHED_MAX {
            let Some(past) = history.next().await? else { return Ok(None) };
            if past.entry.operation_id == *id {
                if past.entry.request != request {
                    let entry = Box::new(past.place());
                    return Err(LedgerError::OperationReused { id: id.clone(), entry }.into());
                }
                return Ok(Some(past));
            }
        }
        Ok(None)
    }
}

/// Somebody else began the ledger while this plan was made: it is not the one that was decided on.
fn begun_meanwhile(error: LedgerError) -> LedgerError {
    match error {
        LedgerError::Exists { .. } => LedgerError::Moved { by: Vec::new() },
        other => other,
    }
}

/// Returns the version that the plan gives an image that it builds.
fn version_of(plan: &Plan, image: &ImageName) -> Option<Version> {
    plan.builds().find(|(step, _)| step.image == *image).and_then(|(step, _)| step.to)
}
