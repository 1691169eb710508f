//! Committing: an entry is decided on one head, and recorded on that head or not at all.
//!
//! Order of writes: when the open segment is full, its closed form with its manifest and tag, the
//! shards of the release table that grew, its manifest and tag, and the next checkpoint; then the
//! open segment; then the head, which is the commit. A crash before the last step leaves objects
//! that nothing names.

use ringsite_commit::{Head, SwapError};
use ringsite_oci::{Descriptor, ImageManifest, OciError, Registry};

use crate::checkpoint::{Checkpoint, Numbered};
use crate::clean;
use crate::closed;
use crate::codec::{CHECKPOINT, ENTRIES};
use crate::draft::Draft;
use crate::entry::Recorded;
use crate::error::LedgerError;
use crate::ledger::Ledger;
use crate::limits::{
    KEPT_COMPRESSION_LEVEL, OBJECT_BYTES_MAX, OPEN_COMPRESSION_LEVEL, RESOLVE_ATTEMPTS_MAX, RESOLVE_PAUSE,
};
use crate::manifests::{Replaced, SegmentManifest};
use crate::segment::{Before, Segment};
use crate::store::Store;
use crate::table::Table;
use crate::view::{View, register};

/// What a search for an operation id found.
enum Found {
    /// No entry has the id.
    Nothing,
    /// Each draft is recorded.
    All(Vec<Recorded>),
    /// Some of the drafts are recorded.
    Some,
}

impl<R: Registry> Ledger<R> {
    /// Records one operation that was decided on [`Ledger::state`], and returns its entry.
    ///
    /// When the operation is recorded already, under the same id and for the same request, its
    /// entry is returned and nothing is written: so repeating a commit of unknown outcome is safe.
    ///
    /// # Errors
    /// `Moved` when somebody else was faster: nothing was recorded, and the ledger stands on the new
    /// head, on which the caller decides again. `Unknown` when the outcome cannot be told; repeating the
    /// commit tells. `OperationReused`, `OperationTooOld`, `Draft`, `Newer`, `Damaged`, `Rollback`,
    /// `Unconditional`, `Registry`, `Seen`.
    pub async fn commit(&mut self, draft: Draft) -> Result<Recorded, LedgerError> {
        let mut recorded = self.commit_all(vec![draft]).await?;
        Ok(recorded.pop().expect("one draft makes one entry"))
    }

    /// Records several operations with one move of the head, all or none. Each draft is decided on
    /// the state after the one before it: a first release records its configuration and itself so.
    ///
    /// Drafts of one intent share one operation id and one request, and differ in kind.
    ///
    /// # Errors
    /// As [`Ledger::commit`]; `Moved` also when some of the drafts are recorded already, which the
    /// caller sees in the state when it decides again.
    pub async fn commit_all(&mut self, drafts: Vec<Draft>) -> Result<Vec<Recorded>, LedgerError> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        match self.search(&drafts).await? {
            Found::All(recorded) => return Ok(recorded),
            Found::Some => return Err(LedgerError::Moved { by: Vec::new() }),
            Found::Nothing => {}
        }
        if let Some(kind) = self.view.not_carried_out() {
            return Err(LedgerError::Newer { what: format!("an entry of kind `{kind}`") });
        }
        let (next, closed) = self.next_view(&drafts).await?;
        let manifest = next.manifest.to_manifest();
        match swap(&self.store, Some(&self.view.head), &manifest).await {
            Ok(head) => {
                let first = next.segment.lines.len() - drafts.len();
                let recorded = next.segment.lines[first..].iter().map(|line| line.recorded()).collect();
                self.advance_to(View { head, ..next }, closed).await;
                self.remember();
                Ok(recorded)
            }
            Err(Swapped::Moved) => self.resolve_moved(&drafts, &next).await,
            Err(Swapped::Unknown(source)) => {
                let id = drafts[0].operation_id.clone();
                Err(LedgerError::Unknown { id, source: Box::new(source) })
            }
            Err(Swapped::Failed(error)) => Err(error),
        }
    }

    /// Looks for the drafts among the entries of the open and the last closed segment.
    ///
    /// The search and the compare of the head use the same read: the entries searched are those of
    /// the head that the swap expects. On two reads an operation could be applied twice.
    async fn search(&mut self, drafts: &[Draft]) -> Result<Found, LedgerError> {
        self.read_previous().await?;
        let previous = self.previous.as_ref().map_or(&[][..], |(_, segment)| &segment.lines);
        let lines = || previous.iter().chain(&self.view.segment.lines);
        let mut recorded = Vec::new();
        for draft in drafts {
            let same_id = lines().filter(|line| line.entry.operation_id == draft.operation_id);
            for line in same_id {
                if line.entry.request != draft.request {
                    return Err(LedgerError::OperationReused {
                        id: draft.operation_id.clone(),
                        entry: Box::new(line.place()),
                    });
                }
                if line.entry.kind == draft.kind {
                    recorded.push(line.recorded());
                    break;
                }
            }
        }
        if recorded.len() == drafts.len() {
            return Ok(Found::All(recorded));
        }
        if let Some(first) = lines().next().filter(|line| line.entry.sequence > 1) {
            for draft in drafts {
                if draft.operation_id.made_at().is_some_and(|made| made < first.entry.at) {
                    let (id, first) = (draft.operation_id.clone(), first.entry.sequence);
                    return Err(LedgerError::OperationTooOld { id, first });
                }
            }
        }
        Ok(if recorded.is_empty() { Found::Nothing } else { Found::Some })
    }

    /// Reads the last closed segment, unless it is known.
    async fn read_previous(&mut self) -> Result<(), LedgerError> {
        let checkpoint = &self.view.checkpoint;
        let (Some(segment), Some(last)) = (checkpoint.segment, checkpoint.last) else { return Ok(()) };
        if self.previous.as_ref().is_some_and(|(known, _)| *known == segment.digest) {
            return Ok(());
        }
        let manifest = closed::manifest(&self.store, &segment.digest).await?;
        let entries = closed::entries(&self.store, &manifest, last, Before::Unknown).await?;
        self.previous = Some((segment.digest, entries));
        Ok(())
    }

    /// Pushes everything that the next head names. Returns the view under that head, with the head
    /// of now in its place, and whether a segment was closed.
    async fn next_view(&self, drafts: &[Draft]) -> Result<(View, bool), LedgerError> {
        let mut view = self.view.clone();
        let is_full = view.segment.is_full();
        let (mut parent, mut state) = (view.last(), view.state);
        let mut lines = Vec::new();
        for draft in drafts {
            let (line, next) = draft.clone().follow(Some(parent), &state)?;
            (parent, state) = (line.place(), next);
            lines.push(line);
        }
        if is_full {
            let (checkpoint, descriptor) = close(&self.store, &self.view).await?;
            view.checkpoint = checkpoint;
            view.manifest.checkpoint = descriptor;
            view.segment = Segment::default();
        }
        lines.into_iter().for_each(|line| view.segment.push(line));
        let text = view.segment.to_text();
        if text.len() > OBJECT_BYTES_MAX {
            let reason = format!("its segment would have {} bytes, more than {OBJECT_BYTES_MAX}", text.len());
            return Err(LedgerError::Draft { reason });
        }
        let coded = ENTRIES.encode(&text, OPEN_COMPRESSION_LEVEL);
        view.manifest.entries = self.store.push(coded).await?;
        view.manifest.last = parent;
        view.manifest.state = state.state_digest();
        let replaced =
            Replaced { manifest: self.view.head.digest, entries: self.view.manifest.entries.digest };
        view.manifest.replaced.insert(0, replaced);
        clean::forget(&mut view.manifest.replaced);
        view.state = state;
        Ok((view, is_full))
    }

    /// Stands on the head that was just written, and removes what it replaced for good.
    async fn advance_to(&mut self, view: View, closed: bool) {
        let before = std::mem::replace(&mut self.view, view);
        if closed && let Some(segment) = self.view.checkpoint.segment {
            self.previous = Some((segment.digest, before.segment));
        }
        clean::after_commit(&self.store, &before.manifest, &self.view.manifest).await;
        if closed {
            clean::after_close(&self.store, &before.checkpoint, &self.view.checkpoint).await;
        }
    }

    /// Finds out whether a head that has moved holds our entries; if not, stands on it.
    async fn resolve_moved(&mut self, drafts: &[Draft], ours: &View) -> Result<Vec<Recorded>, LedgerError> {
        let before = self.head();
        self.refresh().await?;
        if let Found::All(recorded) = self.search(drafts).await? {
            return Ok(recorded);
        }
        clean::after_loss(&self.store, &ours.manifest).await;
        Err(LedgerError::Moved { by: self.view.movers_since(before) })
    }
}

/// Pushes the closed form of the open segment of `view`, and returns the checkpoint after it.
async fn close<R: Registry>(store: &Store<R>, view: &View) -> Result<(Checkpoint, Descriptor), LedgerError> {
    let before = &view.checkpoint;
    let number = before.segment.map_or(1, |segment| segment.number + 1);
    let coded = ENTRIES.encode(&view.segment.to_text(), KEPT_COMPRESSION_LEVEL);
    let first = view.segment.lines.first().expect("a segment that is full has entries");
    let manifest = SegmentManifest {
        number,
        last: view.last(),
        since: first.entry.at,
        previous: before.segment.map(|segment| segment.digest),
        checkpoint: view.manifest.checkpoint.clone(),
        entries: store.push(coded).await?,
    };
    let image = manifest.to_manifest();
    let digest = ringsite_names::Digest::sha256(&image.to_bytes());
    let digest = store.push_manifest(manifest.tag(&digest), &image).await?;
    let segment = Numbered { number, digest };

    let added: Vec<_> = view.segment.lines.iter().flat_map(|line| line.entry.releases.clone()).collect();
    let table = match before.table {
        table if added.is_empty() => table,
        Some(table) => {
            let now = Table::read(store, &table.digest).await?;
            Some(now.grow(store, Some(table.digest), table.number + 1, added).await?)
        }
        None => Some(Table::default().grow(store, None, 1, added).await?),
    };
    let kinds = view.segment.kinds().cloned();
    let checkpoint = before.following(view.last(), &view.state, kinds, segment, table);
    let coded = CHECKPOINT.encode(&checkpoint.to_text(), KEPT_COMPRESSION_LEVEL);
    let descriptor = store.push(coded).await?;
    Ok((checkpoint, descriptor))
}

/// Why a head was not seen to move.
pub(crate) enum Swapped {
    /// Another head is there; whether ours was in between is to be looked up.
    Moved,
    /// Nobody can tell.
    Unknown(OciError),
    /// Nothing was written.
    Failed(LedgerError),
}

/// Moves the head, and asks again when the outcome is unknown: the same manifest under the same
/// condition can be written once only, so repeating it is safe.
pub(crate) async fn swap<R: Registry>(
    store: &Store<R>,
    seen: Option<&Head>,
    manifest: &ImageManifest,
) -> Result<Head, Swapped> {
    let mut pause = RESOLVE_PAUSE;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let source = match register(store).swap(seen, manifest).await {
            Ok(head) => return Ok(head),
            Err(SwapError::Moved { .. }) => return Err(Swapped::Moved),
            Err(SwapError::Unconditional { repository }) => {
                return Err(Swapped::Failed(LedgerError::Unconditional { repository }));
            }
            Err(SwapError::Oci(error)) => return Err(Swapped::Failed(error.into())),
            Err(SwapError::Unknown { source, .. }) => source,
        };
        if attempt >= RESOLVE_ATTEMPTS_MAX {
            return Err(Swapped::Unknown(source));
        }
        tracing::warn!(attempt, error = %source, "the outcome of a commit is unknown, asking again");
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2);
    }
}
