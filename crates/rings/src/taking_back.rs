//! Taking entries back: `undo`, `redo`, and `unshift` without a ring.

use ringsite_names::Position;

use crate::refusal::listed;
use crate::setting::{Draft, Setting};
use crate::{Inverse, Operation, RefusalCode, RequestProblem, TakeBackRequest, Target, WarningCode};

/// Plans the inverse of the entry that was found.
pub(crate) fn take_back(
    setting: &Setting<'_>,
    request: &TakeBackRequest,
) -> Result<Draft, Vec<RequestProblem>> {
    let mut draft = Draft::new(request.command.operation(), None);
    match &request.target {
        Target::Nothing => {}
        Target::Unknown { sequence } => {
            return Err(vec![RequestProblem {
                message: format!("there is no entry {sequence} that changed a ring"),
                help: "`ring log` lists the entries".to_owned(),
            }]);
        }
        Target::WrongKind { sequence, operation } => {
            let command = request.command.operation();
            return Err(vec![RequestProblem {
                message: format!(
                    "entry {sequence} is of kind {operation}, which `{command}` does not take back"
                ),
                help: "`ring log` lists the entries".to_owned(),
            }]);
        }
        Target::TakenBack { sequence, by } => draft.refuse(
            RefusalCode::RingChanged,
            format!("entry {sequence} was taken back already, by entry {by}"),
            format!("`ring show {by}` says what it changed; `ring log` lists the entries"),
        ),
        Target::Found { sequence, operation, inverse } => {
            found(setting, &mut draft, *sequence, *operation, inverse);
        }
    }
    Ok(draft)
}

fn found(setting: &Setting<'_>, draft: &mut Draft, sequence: u64, past: Operation, inverse: &Inverse) {
    draft.takes_back = Some(sequence);
    for (ring, by) in &inverse.changed {
        draft.refuse(
            RefusalCode::RingChanged,
            format!("{ring} no longer holds what entry {sequence} ({past}) wrote: entry {by} changed it"),
            format!(
                "see `ring show {by}`; take back the later entries first, newest first, with `ring undo`"
            ),
        );
    }
    let rings = inverse.delta.iter().map(|part| part.ring());
    let mut gone: Vec<&Position> = rings.filter(|ring| !setting.chain().contains(ring)).collect();
    gone.dedup();
    if !gone.is_empty() {
        draft.refuse(
            RefusalCode::RingChanged,
            format!("entry {sequence} ({past}) wrote {}, which is no longer in the chain", listed(&gone)),
            "put the ring into rings.toml again and run `ring config apply`",
        );
        return;
    }
    draft.delta.clone_from(&inverse.delta);
    for part in &inverse.delta {
        draft.reads.insert(part.ring().clone());
        draft
            .origins
            .insert(part.ring().clone(), format!("{} of entry {sequence} ({past})", draft.operation));
    }
    let is_release = past == Operation::Release && draft.operation == Operation::Undo;
    if is_release && !draft.delta.is_empty() {
        draft.warn(
            WarningCode::AdoptedAgain,
            "the next release from the same sources takes the same versions again instead of building; \
             `ring release --force` builds new ones",
        );
    }
}
