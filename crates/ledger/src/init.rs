//! The beginning of a ledger: entry 1, of which there can be only one.

use std::collections::BTreeMap;

use ringsite_names::{Digest, ProjectName, Timestamp};
use ringsite_oci::Registry;
use ringsite_rings::{Change, State};
use serde_json::Value;

use crate::body::{Body, InitBody};
use crate::checkpoint::Checkpoint;
use crate::codec::{CHECKPOINT, ENTRIES};
use crate::commit::{Swapped, swap};
use crate::draft::Draft;
use crate::error::LedgerError;
use crate::kind::Kind;
use crate::ledger::Ledger;
use crate::limits::{KEPT_COMPRESSION_LEVEL, OPEN_COMPRESSION_LEVEL};
use crate::manifests::HeadManifest;
use crate::names::PROTOCOL_A;
use crate::operation::OperationId;
use crate::seen::Seen;
use crate::segment::Segment;
use crate::store::Store;
use crate::view::View;

/// Who begins a ledger, and on what grounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// The id of the intent.
    pub operation_id: OperationId,
    /// The digest of what was asked for.
    pub request: Digest,
    /// Who.
    pub actor: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// When.
    pub at: Timestamp,
    /// What a probe of the registry found, by the name of the question.
    pub probe: BTreeMap<String, Value>,
}

impl Beginning {
    fn draft(self) -> Draft {
        let body = InitBody { protocol: PROTOCOL_A.to_owned(), probe: self.probe };
        Draft {
            operation_id: self.operation_id,
            request: self.request,
            kind: Kind::Init,
            actor: self.actor,
            reason: self.reason,
            at: self.at,
            change: Change::default(),
            body: Body::Init(body),
            gates: Vec::new(),
        }
    }
}

impl<R: Registry> Ledger<R> {
    /// Begins the ledger of `project`. Of several that begin at once exactly one succeeds.
    ///
    /// Order of writes: checkpoint, open segment, head.
    ///
    /// # Errors
    /// `Exists` when there is one already, unless it was begun under the same operation id;
    /// `Rollback` when this client has seen one before and it is gone; `Unknown`, `Draft`,
    /// `Unconditional`, `Registry`, `Seen`.
    pub async fn init(
        registry: R,
        project: &ProjectName,
        seen: Option<Seen>,
        beginning: Beginning,
    ) -> Result<Self, LedgerError> {
        let store = Store::new(registry, project.clone());
        let draft = beginning.draft();
        if let Some(view) = View::newest(&store).await? {
            return Self::begun(store, seen, view, &draft).await;
        }
        let known = seen.as_ref().map(Seen::read).transpose()?.flatten();
        if let (Some(place), Some(seen)) = (known, &seen) {
            return Err(crate::ledger::rollback(place, None, seen));
        }
        let first = first_head(&store, &draft).await?;
        match swap(&store, None, &first.to_manifest()).await {
            Ok(_) | Err(Swapped::Moved) => {}
            Err(Swapped::Unknown(source)) => {
                let id = draft.operation_id;
                return Err(LedgerError::Unknown { id, source: Box::new(source) });
            }
            Err(Swapped::Failed(error)) => return Err(error),
        }
        match View::newest(&store).await? {
            Some(view) => Self::begun(store, seen, view, &draft).await,
            None => Err(LedgerError::Missing { repository: store.repository }),
        }
    }

    /// Opens the ledger of `project`, and begins it when there is none.
    ///
    /// # Errors
    /// As [`Ledger::open`] and [`Ledger::init`], but neither `Missing` nor `Exists`.
    pub async fn open_or_init(
        registry: R,
        project: &ProjectName,
        seen: Option<Seen>,
        beginning: Beginning,
    ) -> Result<Self, LedgerError>
    where
        R: Clone,
    {
        match Self::open(registry.clone(), project, seen.clone()).await {
            Err(LedgerError::Missing { .. }) => {}
            opened => return opened,
        }
        match Self::init(registry.clone(), project, seen.clone(), beginning).await {
            Err(LedgerError::Exists { .. }) => Self::open(registry, project, seen).await,
            begun => begun,
        }
    }

    /// Returns the ledger that `view` shows if `draft` is what it began with.
    async fn begun(
        store: Store<R>,
        seen: Option<Seen>,
        view: View,
        draft: &Draft,
    ) -> Result<Self, LedgerError> {
        let is_ours = view.segment.lines.first().is_some_and(|line| {
            line.entry.kind == Kind::Init
                && line.entry.operation_id == draft.operation_id
                && line.entry.request == draft.request
        });
        if !is_ours {
            let head = Box::new(view.last());
            return Err(LedgerError::Exists { repository: store.repository, head });
        }
        let known = seen.as_ref().map(Seen::read).transpose()?.flatten();
        Self::standing(store, seen, known, view).await
    }
}

/// Pushes everything that the first head names.
async fn first_head<R: Registry>(store: &Store<R>, draft: &Draft) -> Result<HeadManifest, LedgerError> {
    let (line, state) = draft.clone().follow(None, &State::new())?;
    let last = line.place();
    let mut segment = Segment::default();
    segment.push(line);
    store.push_empty_config().await?;
    let checkpoint = CHECKPOINT.encode(&Checkpoint::first().to_text(), KEPT_COMPRESSION_LEVEL);
    let entries = ENTRIES.encode(&segment.to_text(), OPEN_COMPRESSION_LEVEL);
    Ok(HeadManifest {
        last,
        state: state.state_digest(),
        protocol: PROTOCOL_A.to_owned(),
        checkpoint: store.push(checkpoint).await?,
        entries: store.push(entries).await?,
        replaced: Vec::new(),
    })
}
