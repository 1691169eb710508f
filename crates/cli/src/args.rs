//! The command line as types: every command, flag and variable, with its help.
//!
//! Names and meanings are a contract with scripts (`docs/reference/cli.md` is made from here).

mod global;
mod operations;
mod questions;

use clap::{Parser, Subcommand};

pub(crate) use global::{Color, GlobalArgs, Output, Progress};
pub(crate) use operations::{
    ApplyArgs, ConfigApplyArgs, EmptyArgs, FormatArg, PlaceArgs, PromoteArgs, RedoArgs, ReleaseArgs,
    ShiftArgs, SourceArgs, UndoArgs, UnshiftArgs, WriteArgs,
};
pub(crate) use questions::{
    CompletionArgs, ConfigShowArgs, DiffArgs, ImagesArgs, InitArgs, LogArgs, ProveArgs, SchemaArgs, ShowArgs,
    StateArgs, UpdateArgs, WhyArgs,
};

/// Releases container images ring by ring, with an OCI registry as the only record.
#[derive(Debug, Parser)]
#[command(
    name = "ring",
    version,
    disable_help_subcommand = true,
    propagate_version = false,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = EXIT_CODES,
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done, or no difference      5  verification failed         9  this machine: disk, permissions
    1  difference (--exit-code)    6  damaged history             70  a bug in this program
    2  wrong usage or files        7  registry or network         130  interrupted
    3  refused by a rule           8  build failed, no builder
    4  lost a race

Every flag has a variable: --registry is RING_REGISTRY.  Order: flag, variable, rings.toml, user file, default.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a small working project
    #[command(after_help = "Example:\n    ring init shop && ring -C shop release")]
    Init(InitArgs),
    /// Build what changed, give it versions, record it on a ring and place the ring's sites
    #[command(
        after_help = "Examples:\n    ring release\n    ring release --plan\n    ring release --ring testers --image api --reason 'hotfix for #12'\n    ring release --major shop"
    )]
    Release(ReleaseArgs),
    /// Move a ring's set to the next ring
    #[command(
        after_help = "Examples:\n    ring promote developers\n    ring promote developers --plan\n    ring promote ante --image base"
    )]
    Promote(PromoteArgs),
    /// Move one ring's set, or the whole chain, one ring on
    #[command(after_help = "Examples:\n    ring shift developers\n    ring shift")]
    Shift(ShiftArgs),
    /// Move a ring's set back, or take back the newest promote or shift
    #[command(after_help = "Examples:\n    ring unshift\n    ring unshift post")]
    Unshift(UnshiftArgs),
    /// Take back the newest release or move, or the entry that is named
    #[command(after_help = "Examples:\n    ring undo\n    ring undo 12 --plan")]
    Undo(UndoArgs),
    /// Take back the newest undo
    #[command(after_help = "Example:\n    ring redo")]
    Redo(RedoArgs),
    /// Take every release off a ring
    #[command(after_help = "Example:\n    ring empty testers --reason 'ring is retired'")]
    Empty(EmptyArgs),
    /// Place the sets of rings on their sites
    #[command(after_help = "Examples:\n    ring place\n    ring place eu-test --output out/")]
    Place(PlaceArgs),
    /// Show what a command would do and why; changes nothing
    #[command(
        after_help = "Examples:\n    ring plan release\n    ring plan promote developers --save plan.json --exit-code"
    )]
    Plan(PlanArgs),
    /// Do exactly what a saved plan says, or refuse
    #[command(
        after_help = "Example:\n    ring plan promote developers --save plan.json && ring apply plan.json"
    )]
    Apply(ApplyArgs),
    /// Show which version of every image stands on which ring
    #[command(
        visible_alias = "status",
        after_help = "Examples:\n    ring state\n    ring state --at 4\n    ring state --at 2026-11-01T00:00:00Z -o json"
    )]
    State(StateArgs),
    /// Show the declared images: stages, dependencies, revisions; needs no registry
    #[command(after_help = "Examples:\n    ring images\n    ring images api --sources")]
    Images(ImagesArgs),
    /// Show what each site should get and has got
    #[command(after_help = "Example:\n    ring sites -o wide")]
    Sites,
    /// List what was done, newest first
    #[command(
        after_help = "Examples:\n    ring log\n    ring log --ring testers --since 2026-11-01T00:00:00Z"
    )]
    Log(LogArgs),
    /// Show one entry of the ledger
    #[command(after_help = "Examples:\n    ring show 4\n    ring show sha256:1f2e")]
    Show(ShowArgs),
    /// Explain why an image has the version that it has
    #[command(after_help = "Example:\n    ring why api --ring testers")]
    Why(WhyArgs),
    /// Compare the sets of two rings, down to the Kubernetes objects
    #[command(after_help = "Example:\n    ring diff --from developers --to testers --exit-code")]
    Diff(DiffArgs),
    /// Build a version again and compare the digests
    #[command(after_help = "Example:\n    ring prove api 0.1.0")]
    Prove(ProveArgs),
    /// Refresh the pins of external images in rings.lock
    #[command(after_help = "Example:\n    ring update && ring plan release")]
    Update(UpdateArgs),
    /// Show, check, compare or put in force the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Look at the ledger itself
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Print a completion script for a shell
    #[command(after_help = "Example:\n    ring completion bash > /etc/bash_completion.d/ring")]
    Completion(CompletionArgs),
    /// Print the JSON schema of a kind
    #[command(after_help = "Example:\n    ring schema Plan")]
    Schema(SchemaArgs),
    /// Print the version of this program
    Version,
}

/// `ring plan …`: the same commands with the same arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    pub(crate) command: PlanCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Plan a release
    Release(ReleaseArgs),
    /// Plan a promotion
    Promote(PromoteArgs),
    /// Plan a shift
    Shift(ShiftArgs),
    /// Plan an unshift
    Unshift(UnshiftArgs),
    /// Plan an undo
    Undo(UndoArgs),
    /// Plan a redo
    Redo(RedoArgs),
    /// Plan to empty a ring
    Empty(EmptyArgs),
    /// Plan to put the configuration of the project file in force
    Config(ConfigApplyArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the configuration of the working copy
    #[command(after_help = "Example:\n    ring config show --origin")]
    Show(ConfigShowArgs),
    /// Check rings.toml and every containerfile, and list every problem
    Check,
    /// Compare the project file with the configuration in force
    #[command(after_help = "Example:\n    ring config diff --exit-code")]
    Diff(ExitCodeArgs),
    /// Put the configuration of the project file in force
    #[command(
        after_help = "Examples:\n    ring config apply --plan\n    ring config apply --reason 'new ring for early adopters'"
    )]
    Apply(ConfigApplyArgs),
}

/// For commands that only compare.
#[derive(Debug, clap::Args)]
pub(crate) struct ExitCodeArgs {
    /// Exit 1 when there is a difference
    #[arg(long, env = "RING_EXIT_CODE")]
    pub(crate) exit_code: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Start the ledger of the project
    Init(WriteArgs),
    /// Print the head: sequence, entry, digests
    Head,
    /// Check the whole chain: every digest, every state, every named artifact
    Verify,
}
