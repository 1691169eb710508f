//! What was done: the log, one entry, the head, and the check of all of it.

use ringsite_ledger::{Body, Entry, EntryName, Filter, Kind, Recorded};
use ringsite_names::Position;
use ringsite_oci::Registry;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::record::{Record, rings_written};
use crate::request::LogRequest;
use crate::show;
use crate::view::{EntryView, Log, LogEntry, Verification, VerificationProblem};

impl<R: Registry + 'static> Engine<R> {
    /// Returns entries of the ledger, newest first.
    ///
    /// # Errors
    /// What reading the record meets.
    pub async fn log(&self, request: &LogRequest) -> Result<Log, EngineError> {
        let record = self.open().await?;
        let mut entries = Vec::new();
        let Some(ledger) = record.ledger() else { return Ok(Log { entries }) };
        let filter = Filter {
            ring: request.ring.clone(),
            image: request.image.clone(),
            actor: request.actor.clone(),
            since: request.since,
        };
        let mut history = ledger.history_of(filter);
        let limit = request.limit.unwrap_or(usize::MAX);
        while entries.len() < limit {
            let Some(recorded) = history.next().await? else { break };
            entries.push(LogEntry {
                sequence: recorded.entry.sequence,
                digest: recorded.digest.to_string(),
                operation: recorded.entry.kind.to_string(),
                actor: recorded.entry.actor.clone(),
                reason: recorded.entry.reason.clone(),
                at: recorded.entry.at.to_string(),
                summary: summary(&recorded.entry),
            });
        }
        Ok(Log { entries })
    }

    /// Returns one entry, by number, digest or the beginning of the digest.
    ///
    /// # Errors
    /// A name that fits no entry or several; what reading the record meets.
    pub async fn entry(&self, name: &str) -> Result<EntryView, EngineError> {
        let record = self.open().await?;
        self.entry_of(&record, name).await
    }

    /// Returns the newest entry.
    ///
    /// # Errors
    /// A ledger that was not begun; what reading the record meets.
    pub async fn head(&self) -> Result<EntryView, EngineError> {
        let record = self.open().await?;
        let sequence = record.begun()?.head().sequence.to_string();
        self.entry_of(&record, &sequence).await
    }

    /// Checks the whole chain: every digest, every state, every artifact that is named.
    ///
    /// # Errors
    /// A ledger that was not begun, or that cannot be opened at all; what the registry meets. What
    /// does not hold is part of the answer.
    pub async fn verify(&self) -> Result<Verification, EngineError> {
        let record = self.open().await?;
        let found = record.begun()?.verify().await?;
        let problem = |problem: &ringsite_ledger::Problem| VerificationProblem {
            code: problem.code.as_str().to_owned(),
            message: problem.message.clone(),
        };
        Ok(Verification {
            ok: found.ok,
            entries: found.entries,
            problems: found.problems.iter().map(problem).collect(),
        })
    }

    pub(crate) async fn entry_of(&self, record: &Record<R>, name: &str) -> Result<EntryView, EngineError> {
        let name: EntryName = name.parse().map_err(|error: ringsite_ledger::EntryNameError| {
            EngineError::unknown(error.to_string(), "`ring log` lists the entries")
        })?;
        let Recorded { digest, entry } = record.begun()?.entry(&name).await?;
        Ok(EntryView {
            sequence: entry.sequence,
            digest: digest.to_string(),
            parent: entry.parent.map(|parent| parent.to_string()),
            operation: entry.kind.to_string(),
            operation_id: entry.operation_id.to_string(),
            actor: entry.actor.clone(),
            reason: entry.reason.clone(),
            at: entry.at.to_string(),
            state: entry.state.to_string(),
            summary: summary(&entry),
            takes_back: entry.body.takes_back(),
            delta: entry.delta.iter().map(show::delta).collect(),
            body: serde_json::to_value(&entry.body).unwrap_or_default(),
        })
    }
}

/// Returns what an entry did, in one line.
pub(crate) fn summary(entry: &Entry) -> String {
    let rings = || {
        let rings: Vec<&str> = rings_written(&entry.delta).into_iter().map(Position::as_str).collect();
        rings.join(", ")
    };
    let count =
        |number: usize, one: &str| if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") };
    match (&entry.body, &entry.kind) {
        (Body::Init(body), _) => format!("ledger begun, protocol {}", body.protocol),
        (Body::Configure(body), _) => {
            let rings: Vec<&str> = body.configuration.chain().names().map(|ring| ring.as_str()).collect();
            format!(
                "rings {}; root {}; {}",
                rings.join(", "),
                body.configuration.root(),
                count(body.configuration.sites().len(), "site")
            )
        }
        (Body::Place(body), _) => {
            let sites: Vec<String> = body
                .placements
                .iter()
                .map(|placement| format!("{} {}", placement.site, placement.version))
                .collect();
            sites.join(", ")
        }
        (Body::Move(body), kind) => {
            let mut text = match kind {
                Kind::Release => format!("{} onto {}", count(entry.releases.len(), "new version"), rings()),
                _ => format!("onto {}", rings()),
            };
            if let Some(sequence) = body.takes_back {
                text.push_str(&format!(", takes back entry {sequence}"));
            }
            text
        }
        _ => entry.kind.to_string(),
    }
}
