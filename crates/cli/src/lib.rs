//! The `ring` program as a library: flags to requests, views to text or JSON, errors to exit codes.
//!
//! The top floor. Commands are thin: read the flags, make one engine call, print the view. Only
//! this crate reads the environment and prints.

mod args;
mod commands;
mod exit;
mod failure;
mod output;
mod print;
mod progress;
mod session;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::Cli;
use crate::exit::Exit;
use crate::output::Printer;

/// Returns the whole command line, for reference pages and completion scripts.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Returns the JSON schema of every kind of answer.
pub fn schemas() -> Vec<(&'static str, serde_json::Value)> {
    ringsite_engine::view::schemas()
}

/// Runs the program with `arguments`, the first of which is its own name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(report_bug));
    let exit = match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            let printer = Printer::new(&cli.global);
            commands::run(&cli, &printer).unwrap_or_else(|failure| failure.print(&printer))
        }
        Err(error) => {
            // Help and version are answers, everything else is wrong usage; clap prints both.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            exit
        }
    };
    ExitCode::from(exit.code())
}

/// Says that this is a bug and ends with the exit code for it, also where a panic would abort.
#[allow(clippy::exit, reason = "a broken invariant must not look like any other outcome")]
fn report_bug(info: &std::panic::PanicHookInfo<'_>) {
    output::bug(&info.to_string());
    std::process::exit(i32::from(Exit::Bug.code()));
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
