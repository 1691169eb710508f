//! Killed or interrupted at any moment: the same command again finishes the work.

use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use super::project::{BASE_SOURCE, entries, release, verify, write_mini};
use super::sandbox::{Sandbox, check, check_same, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "kill-at-any-moment-then-the-same-again", peers: &[], run: kill },
    Scenario { name: "interrupt-ends-with-130-and-goes-on", peers: &[], run: interrupt },
];

/// Kills in one run; the long runs of reliability do thousands.
const KILLS: u32 = 30;
/// How long an operation of the small project lasts at most, roughly; kills are spread over it.
const OPERATION_MILLISECONDS: u64 = 160;

/// Numbers that differ from run to run; the seed is printed, so a run can be repeated by hand.
struct Numbers(u64);

impl Numbers {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs() | 1);
        println!("    seed {seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn kill(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let mut numbers = Numbers::new();
    let mut killed = 0;
    for round in 0..KILLS {
        let id = format!("round-{round}");
        let arguments: &[&str] = match round % 3 {
            0 => {
                sandbox.write(BASE_SOURCE, format!("round {round}\n"))?;
                &["release", "--operation-id", &id]
            }
            1 => &["promote", "developers", "--operation-id", &id],
            _ => &["unshift", "--operation-id", &id],
        };
        let mut running = sandbox.start(&mut sandbox.ring_command(arguments))?;
        thread::sleep(Duration::from_millis(numbers.below(OPERATION_MILLISECONDS)));
        running.signal(Signal::KILL);
        killed += u32::from(sandbox.finish(running)?.code == 128 + 9);
        // The id makes this the same intent: what was committed is not done a second time.
        sandbox.ring(arguments)?.expect(0)?;
        let written = entries(sandbox)?;
        let kind = ["release", "promote", "unshift"][usize::try_from(round % 3).unwrap_or(0)];
        let moves: Vec<&str> = written
            .iter()
            .map(|entry| text_at(entry, "/operation"))
            .filter(|kind| !matches!(kind, Ok("place")))
            .collect::<Result<_>>()?;
        check_same("the newest move", moves.last().copied(), Some(kind))?;
        let expected = 3 + usize::try_from(round).unwrap_or(0) + 1;
        check_same("the number of moves: nothing lost, nothing done twice", moves.len(), expected)?;
        verify(sandbox)?;
    }
    check(killed > KILLS / 4, || {
        format!("only {killed} of {KILLS} programs were still running when killed")
    })?;
    Ok(Verdict::Passed)
}

fn interrupt(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    // Enough to do that there is something to interrupt.
    for number in 0..3_000 {
        sandbox.write(&format!("project/images/api/data/{number}"), format!("{number}\n").repeat(200))?;
    }
    sandbox.write("project/images/api/Containerfile", "FROM base\nCOPY data /data\n")?;
    for milliseconds in [40, 20, 80, 10, 160, 320, 5] {
        sandbox.write(BASE_SOURCE, format!("{milliseconds}\n"))?;
        let mut running = sandbox.start(&mut sandbox.ring_command(&["release", "--no-cache", "--force"]))?;
        thread::sleep(Duration::from_millis(milliseconds));
        running.signal(Signal::INT);
        let run = sandbox.finish(running)?;
        match run.code {
            130 => {
                check(!run.stderr.trim().is_empty(), || "an interrupted command says how to go on".into())?;
                sandbox.ring(&["release"])?.expect(0)?;
                verify(sandbox)?;
                return Ok(Verdict::Passed);
            }
            0 => {}
            _ => {
                run.expect(130)?;
            }
        }
    }
    Err(TaskError::new("no interrupt arrived while the program was running"))
}
