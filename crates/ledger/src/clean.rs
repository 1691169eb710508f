//! Removing what only a replaced head named, on registries of our own.
//!
//! Everything here happens after the commit, and nothing of it can fail the commit: what is left
//! behind is garbage that `gc` finds. The rule of what may go:
//!
//! | Object | Named by | Goes |
//! |--|--|--|
//! | head manifest, open segment | one head only | once 16 newer heads replaced it, several at a time |
//! | open segment of a commit that lost | nothing | at once |
//! | release table, with its shards | heads between two closes | once two newer tables replaced it |
//! | checkpoint, closed segment | a segment's manifest | never |

use std::collections::BTreeSet;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use ringsite_names::Digest;
use ringsite_oci::{OciError, Registry};

use crate::checkpoint::Checkpoint;
use crate::error::LedgerError;
use crate::limits::{REPLACED_HEADS_AT_ONCE, REPLACED_HEADS_KEPT};
use crate::manifests::{HeadManifest, Replaced};
use crate::store::Store;
use crate::table::Table;

/// Takes the heads off the list that [`after_commit`] then removes.
pub(crate) fn forget(replaced: &mut Vec<Replaced>) {
    if replaced.len() >= REPLACED_HEADS_KEPT + REPLACED_HEADS_AT_ONCE {
        replaced.truncate(REPLACED_HEADS_KEPT);
    }
}

/// Removes the heads that `before` still listed and `now` no longer does.
pub(crate) async fn after_commit<R: Registry>(store: &Store<R>, before: &HeadManifest, now: &HeadManifest) {
    if !is_ours(store) {
        return;
    }
    let is_kept = |digest: &Digest| {
        *digest == now.entries.digest || now.replaced.iter().any(|kept| kept.entries == *digest)
    };
    let gone = before.replaced.iter().filter(|head| !now.replaced.contains(head));
    // The futures are boxed so that what awaits them can be sent to another thread.
    let removals: Vec<_> =
        gone.map(|head| remove_head(store, *head, is_kept(&head.entries)).boxed()).collect();
    join_all(removals).await;
}

async fn remove_head<R: Registry>(store: &Store<R>, head: Replaced, is_kept: bool) {
    note(store.registry.delete_manifest(&store.repository, &head.manifest).await);
    if !is_kept {
        note(store.registry.delete_blob(&store.repository, &head.entries).await);
    }
}

/// Removes the open segment of a commit that lost its race.
pub(crate) async fn after_loss<R: Registry>(store: &Store<R>, ours: &HeadManifest) {
    if is_ours(store) {
        note(store.registry.delete_blob(&store.repository, &ours.entries.digest).await);
    }
}

/// Removes the release table before the one of `before`, the checkpoint that was just replaced.
pub(crate) async fn after_close<R: Registry>(store: &Store<R>, before: &Checkpoint, now: &Checkpoint) {
    let tables = (before.table, now.table);
    let (Some(before), Some(now)) = tables else { return };
    if !is_ours(store) || before.digest == now.digest {
        return;
    }
    if let Err(error) = remove_table(store, &before.digest, &now.digest).await {
        tracing::debug!(%error, "an old release table stays");
    }
}

async fn remove_table<R: Registry>(
    store: &Store<R>,
    before: &Digest,
    now: &Digest,
) -> Result<(), LedgerError> {
    let before = Table::read(store, before).await?;
    let Some(old) = before.previous else { return Ok(()) };
    let (now, gone) = (Table::read(store, now).await?, Table::read(store, &old).await?);
    let kept: BTreeSet<Digest> =
        before.shards.values().chain(now.shards.values()).map(|shard| shard.digest).collect();
    store.registry.delete_manifest(&store.repository, &old).await?;
    for shard in gone.shards.values().filter(|shard| !kept.contains(&shard.digest)) {
        store.registry.delete_blob(&store.repository, &shard.digest).await?;
    }
    Ok(())
}

/// Returns whether the registry is one of ours, which collects nothing by itself.
fn is_ours<R: Registry>(store: &Store<R>) -> bool {
    let abilities = store.registry.abilities();
    abilities.local && abilities.delete
}

fn note(outcome: Result<bool, OciError>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "an object of a replaced head stays");
    }
}
