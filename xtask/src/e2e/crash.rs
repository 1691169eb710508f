//! Killed or interrupted at any moment: the same command again finishes the work.

use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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
const KILLS: usize = 30;
/// The operations that are killed, in the order in which they are repeated.
const KINDS: [&str; 3] = ["release", "promote", "unshift"];

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

/// Returns the arguments of an operation, after writing what it needs.
fn prepare(sandbox: &Sandbox, kind: &str, id: &str) -> Result<Vec<String>> {
    if kind == "release" {
        sandbox.write(BASE_SOURCE, format!("{id}\n"))?;
    }
    let ring = (kind == "promote").then_some("developers");
    let words = [Some(kind), ring, Some("--operation-id"), Some(id)];
    Ok(words.into_iter().flatten().map(str::to_owned).collect())
}

/// Runs each operation once and returns how long it took: kills are spread over that time.
fn durations(sandbox: &Sandbox) -> Result<Vec<u64>> {
    let mut durations = Vec::new();
    for kind in KINDS {
        let arguments = prepare(sandbox, kind, &format!("first-{kind}"))?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let begin = Instant::now();
        sandbox.ring(&arguments)?.expect(0)?;
        durations.push(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX).max(1));
    }
    Ok(durations)
}

fn kill(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let durations = durations(sandbox)?;
    let before = moves(sandbox)?.len();
    let mut numbers = Numbers::new();
    let mut killed = 0;
    for round in 0..KILLS {
        let kind = KINDS[round % KINDS.len()];
        let arguments = prepare(sandbox, kind, &format!("round-{round}"))?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut running = sandbox.start(&mut sandbox.ring_command(&arguments))?;
        thread::sleep(Duration::from_micros(numbers.below(durations[round % KINDS.len()])));
        running.signal(Signal::KILL);
        killed += usize::from(sandbox.finish(running)?.code == 128 + 9);
        // The id makes this the same intent: what was committed is not done a second time.
        sandbox.ring(&arguments)?.expect(0)?;
        let moves = moves(sandbox)?;
        check_same("the newest move", moves.last().map(String::as_str), Some(kind))?;
        check_same("the number of moves: nothing lost, nothing done twice", moves.len(), before + round + 1)?;
        verify(sandbox)?;
    }
    check(killed > KILLS / 4, || {
        format!("only {killed} of {KILLS} programs were still running when killed")
    })?;
    Ok(Verdict::Passed)
}

/// Returns the kinds of the entries that are no placements, oldest first.
fn moves(sandbox: &Sandbox) -> Result<Vec<String>> {
    let kinds = entries(sandbox)?;
    let kinds = kinds.iter().map(|entry| text_at(entry, "/operation").map(str::to_owned));
    kinds.filter(|kind| !matches!(kind, Ok(kind) if kind == "place")).collect()
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
            // So early that the program had not begun to listen: the system ended it, in silence.
            130 if run.stderr.trim().is_empty() => {}
            130 => {
                check(run.stderr.contains("ring release") || run.stderr.contains("again"), || {
                    format!("an interrupted command says how to go on, not only: {}", run.stderr)
                })?;
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
