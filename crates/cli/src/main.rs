//! The `ring` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringsite_cli::run(std::env::args_os())
}
