//! The tasks of the project: `cargo xtask test`, `tidy`, `codegen`, `peers`, `e2e`, `bench`, `release`.
//!
//! Everything here runs programs and prints what they say; nothing here is part of the product.
//! It depends on no crate of the workspace, so it also runs while one of them does not compile.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a task talks to the person at the terminal; there is no output layer to go through"
)]
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot go on should stop there"))]

mod bench;
mod codegen;
mod e2e;
mod error;
mod peers;
mod release;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::Result;
use workspace::Workspace;

/// The tasks of the project
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Check format, lints, all tests, docs, the rules of the house and the generated pages
    Test,
    /// Check the rules of the house: floors, folders, sizes, names, forbidden things, links
    Tidy,
    /// Write the generated pages of docs/reference
    Codegen {
        /// Write nothing; name the pages that are out of date
        #[arg(long)]
        check: bool,
    },
    /// Build the programs that e2e and bench compare with, and say where each one is
    Peers,
    /// Run the product end to end beside real programs
    E2e(e2e::Options),
    /// Measure the product beside other programs
    Bench(bench::Options),
    /// Release this workspace with itself: a static `ring` in an image from scratch
    Release {
        /// What to hand to `ring release`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {}", error::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// Runs one task; `false` means that it ran and found something wrong, and has said so.
fn run(task: &Task) -> Result<bool> {
    let workspace = Workspace::find();
    match task {
        Task::Test => test::run(&workspace),
        Task::Tidy => tidy::run(&workspace),
        Task::Codegen { check: true } => codegen::check(&workspace),
        Task::Codegen { check: false } => codegen::write(&workspace),
        Task::Peers => peers::run(&workspace),
        Task::E2e(options) => e2e::run(&workspace, options),
        Task::Bench(options) => bench::run(&workspace, options),
        Task::Release { arguments } => release::run(&workspace, arguments),
    }
}
