//! Which gates hold for an operation, and what becomes of them.
//!
//! | Gate | Holds for |
//! |--|--|
//! | `windows`, `freezes` | release, promote, shift, redo; not undo and unshift: a rollback is never out of hours |
//! | all others | release except onto the first ring, promote, shift, redo; undo and unshift only when the set that arrives was never recorded on the ring before |
//!
//! This version gathers none of the facts that a gate is judged by. A gate that holds is therefore
//! unknown, unknown is not met, and the move is refused: nothing passes a gate in silence. A
//! `configure` is not refused; the gates that it changes are listed as unknown.

use ringsite_names::Position;

use crate::outcome::Outcome;
use crate::setting::{Draft, Setting};
use crate::{GateFinding, GateKind, Gates, Operation, RefusalCode};

const UNKNOWN: &str = "this version of ring does not evaluate gates";

/// Lists every gate that holds, and refuses the move for each.
pub(crate) fn judge_gates(
    setting: &Setting<'_>,
    outcome: &Outcome<'_>,
    draft: &mut Draft,
) -> Vec<GateFinding> {
    if draft.operation == Operation::Configure {
        return changed_gates(setting, draft);
    }
    let mut findings = Vec::new();
    for ring in outcome.written.iter().map(|written| written.ring) {
        let Some(gates) = setting.configuration.gates_of(ring) else { continue };
        if outcome.after(ring).is_empty() {
            continue;
        }
        for gate in gates.kinds() {
            if holds(setting, draft.operation, gate, ring) {
                refuse(draft, gate, ring);
                findings.push(unknown(gate, ring));
            }
        }
    }
    findings
}

fn holds(setting: &Setting<'_>, operation: Operation, gate: GateKind, ring: &Position) -> bool {
    match operation {
        Operation::Promote | Operation::Shift | Operation::Redo => true,
        Operation::Release => gate.is_calendar() || ring != setting.chain().first(),
        Operation::Undo | Operation::Unshift => {
            !gate.is_calendar() && !setting.facts.recorded_before.contains(ring)
        }
        Operation::Empty | Operation::Configure | Operation::Import => false,
    }
}

fn refuse(draft: &mut Draft, gate: GateKind, ring: &Position) {
    draft.refuse(
        RefusalCode::from(gate),
        format!("{ring} is guarded by the gate `{}`, and {UNKNOWN}", gate.as_str()),
        format!(
            "if {ring} may be open, take `{}` out of [gates.{ring}] in rings.toml and run `ring config apply`",
            gate.as_str()
        ),
    );
}

fn unknown(gate: GateKind, ring: &Position) -> GateFinding {
    GateFinding { gate, ring: ring.clone(), met: None, detail: UNKNOWN.to_owned() }
}

/// Lists the gates that guard a change of the gates: approvals and calendar of each ring whose
/// gates the new configuration changes.
fn changed_gates(setting: &Setting<'_>, draft: &Draft) -> Vec<GateFinding> {
    let (Some(in_force), Some(next)) = (setting.state.configuration(), &draft.configuration) else {
        return Vec::new();
    };
    let none = Gates::default();
    let changed =
        in_force.gates().iter().filter(|(ring, gates)| next.gates().get(*ring).unwrap_or(&none) != *gates);
    let guarding = changed.flat_map(|(ring, gates)| {
        let kinds = gates.kinds().into_iter();
        kinds
            .filter(|gate| gate.is_calendar() || *gate == GateKind::Approvals)
            .map(|gate| unknown(gate, &Position::Ring(ring.clone())))
    });
    guarding.collect()
}
