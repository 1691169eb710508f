//! Instructions that change the configuration of an image and nothing else.

use std::time::Duration;

use ringsite_images::{Command, Healthcheck, Instruction};
use ringsite_oci::{Empty, Execution, ImageConfig};

use crate::error::{BuildError, Place};
use crate::native::scope::{Scope, set_env};

/// What the instructions of one stage have set so far, beside the configuration itself.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    is_cmd_set: bool,
}

/// Applies an instruction to a configuration; false when it is none of those that only do that.
///
/// # Errors
/// `Instruction` when a word cannot be expanded or means nothing.
pub(crate) fn apply(
    config: &mut ImageConfig,
    flags: &mut Flags,
    scope: &Scope,
    place: &Place,
    instruction: &Instruction,
) -> Result<bool, BuildError> {
    let words = Words { scope, place, env: config.config.env.clone() };
    let run = &mut config.config;
    match instruction {
        Instruction::Cmd(command) => {
            run.cmd = Some(words_of(run, command));
            flags.is_cmd_set = true;
        }
        Instruction::Entrypoint(command) => {
            run.entrypoint = Some(words_of(run, command)).filter(|words| !words.is_empty());
            // The arguments of the base's own program mean nothing to another one.
            if !flags.is_cmd_set {
                run.cmd = None;
            }
        }
        Instruction::Env(pairs) => {
            for (name, value) in pairs {
                set_env(&mut run.env, &words.expand(name)?, &words.expand(value)?);
            }
        }
        Instruction::Expose(ports) => {
            for port in ports {
                expose(run, &words, port)?;
            }
        }
        Instruction::Healthcheck(check) => run.healthcheck = Some(healthcheck(run, check)),
        Instruction::Label(pairs) => {
            for (name, value) in pairs {
                run.labels.insert(words.expand(name)?, words.expand(value)?);
            }
        }
        Instruction::Maintainer(author) => config.author = Some(author.clone()),
        Instruction::Onbuild(trigger) => run.on_build.push(trigger.text.clone()),
        Instruction::Shell(shell) => run.shell = Some(shell.clone()),
        Instruction::Stopsignal(signal) => run.stop_signal = Some(words.expand(signal)?),
        Instruction::User(user) => run.user = Some(words.expand(user)?),
        Instruction::Volume(volumes) => {
            for volume in volumes {
                let volume = words.expand(volume)?;
                if volume.trim().is_empty() {
                    return Err(BuildError::at(
                        place,
                        "a volume has no name",
                        "write its path, as in `/data`",
                    ));
                }
                run.volumes.insert(volume, Empty {});
            }
        }
        Instruction::Add(_)
        | Instruction::Arg(_)
        | Instruction::Copy(_)
        | Instruction::Run(_)
        | Instruction::Workdir(_) => return Ok(false),
    }
    Ok(true)
}

/// Expands words at one line.
struct Words<'w> {
    scope: &'w Scope,
    place: &'w Place,
    env: Vec<String>,
}

impl Words<'_> {
    fn expand(&self, word: &str) -> Result<String, BuildError> {
        self.scope.expand(&self.env, word).map_err(|error| {
            BuildError::at(
                self.place,
                format!("`{word}`: {error}"),
                "repair the word or declare the variable",
            )
        })
    }
}

fn words_of(run: &Execution, command: &Command) -> Vec<String> {
    match command {
        Command::Exec(words) => words.clone(),
        Command::Shell(text) => {
            let mut words = shell(run);
            words.push(text.clone());
            words
        }
    }
}

fn shell(run: &Execution) -> Vec<String> {
    run.shell.clone().unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned()])
}

/// Returns a check as the configuration has it, under the shell of `run`.
pub(crate) fn healthcheck(run: &Execution, check: &Healthcheck) -> ringsite_oci::Healthcheck {
    let Healthcheck::Command { command, interval, timeout, start_period, start_interval, retries } = check
    else {
        return ringsite_oci::Healthcheck { test: vec!["NONE".to_owned()], ..Default::default() };
    };
    let test = match command {
        Command::Exec(words) => std::iter::once("CMD".to_owned()).chain(words.iter().cloned()).collect(),
        Command::Shell(text) if run.shell.is_none() => vec!["CMD-SHELL".to_owned(), text.clone()],
        Command::Shell(_) => std::iter::once("CMD".to_owned()).chain(words_of(run, command)).collect(),
    };
    ringsite_oci::Healthcheck {
        test,
        interval: interval.map(nanoseconds),
        timeout: timeout.map(nanoseconds),
        start_period: start_period.map(nanoseconds),
        start_interval: start_interval.map(nanoseconds),
        retries: retries.map(i64::from),
    }
}

fn nanoseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Opens `port[-port][/protocol]`.
fn expose(run: &mut Execution, words: &Words<'_>, written: &str) -> Result<(), BuildError> {
    let expanded = words.expand(written)?;
    for port in expanded.split_whitespace() {
        let (numbers, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
        let protocol = protocol.to_ascii_lowercase();
        let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
        let range = first.parse::<u16>().ok().zip(last.parse::<u16>().ok());
        let is_known = matches!(protocol.as_str(), "tcp" | "udp" | "sctp");
        let Some((first, last)) = range.filter(|(first, last)| first <= last && is_known) else {
            let message = format!("`{port}` is no port");
            return Err(BuildError::at(
                words.place,
                message,
                "write for example `8080`, `53/udp` or `7000-7010`",
            ));
        };
        for number in first..=last {
            run.exposed_ports.insert(format!("{number}/{protocol}"), Empty {});
        }
    }
    Ok(())
}
