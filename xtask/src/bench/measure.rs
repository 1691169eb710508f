//! Runs a program and says what it cost: wall time, CPU time, peak memory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

use super::Bench;
use crate::error::{Result, TaskError};
use crate::peers;

/// What one run of a program cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// From start to end.
    pub(crate) wall: Duration,
    /// In user code and in the kernel, of the program and the programs that it waited for.
    pub(crate) cpu: Duration,
    /// The largest resident set of any of them, in bytes.
    ///
    /// The system counts the moment before the program replaces the one that started it too, so a
    /// program smaller than this task (about 8 MiB) is shown as large as the task.
    pub(crate) peak_bytes: u64,
}

/// Runs a program to its end; what it prints goes nowhere.
///
/// # Errors
/// It does not start, or does not end with success.
pub(crate) fn cost(command: &mut Command) -> Result<Cost> {
    let call = describe(command);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().map_err(TaskError::start(&call))?;
    let used = child.wait4().map_err(TaskError::start(&call))?;
    let wall = begin.elapsed();
    if !used.status.success() {
        return Err(TaskError::new(format!("`{call}` ended with {}", used.status)));
    }
    let cpu = used.rusage.utime + used.rusage.stime;
    Ok(Cost { wall, cpu, peak_bytes: used.rusage.maxrss })
}

/// Runs a program to its end and returns what it printed on stdout.
///
/// # Errors
/// It does not start, or does not end with success.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let call = describe(command);
    let output = command.stdin(Stdio::null()).output().map_err(TaskError::start(&call))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(TaskError::new(format!("`{call}` ended with {}: {}", output.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Bench {
    /// Returns a call of the product on a project, without the variables that would change what it does.
    pub(crate) fn ring(&self, project: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.ring);
        for (name, _) in std::env::vars_os() {
            let is_of_ring = name.to_str().is_some_and(|name| name.starts_with("RING_"));
            if is_of_ring {
                command.env_remove(name);
            }
        }
        command.env_remove("CI").arg("-C").arg(project).args(arguments);
        command
    }

    /// Returns the folder in which a bench keeps its trees.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.workspace.target().join("bench").join(name)
    }

    /// Returns a call of a foreign program; in words, why there is none.
    pub(crate) fn peer(&self, program: &str) -> std::result::Result<Command, String> {
        peers::locate(&self.workspace, program).map(Command::new)
    }
}

fn describe(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}
