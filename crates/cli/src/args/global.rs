//! Flags that every command takes.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

/// Flags everywhere.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options everywhere")]
pub(crate) struct GlobalArgs {
    /// Work as if started in this folder
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, env = "RING_DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
    /// The project file; found by walking up from the working directory otherwise
    #[arg(long, value_name = "FILE", global = true, env = "RING_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The registry, for example `oci-layout:PATH`
    #[arg(long, value_name = "REF", global = true, env = "RING_REGISTRY")]
    pub(crate) registry: Option<String>,
    /// The project name
    #[arg(long, value_name = "NAME", global = true, env = "RING_PROJECT")]
    pub(crate) project: Option<String>,
    /// The form of the answer on stdout
    #[arg(short = 'o', value_name = "FORM", value_enum, default_value_t = Output::Text, global = true, env = "RING_O", hide_env = true)]
    pub(crate) output: Output,
    /// How to show progress on stderr
    #[arg(long, value_enum, default_value_t = Progress::Auto, global = true, env = "RING_PROGRESS", hide_env = true)]
    pub(crate) progress: Progress,
    /// Print only the digest or version
    #[arg(short, long, global = true, env = "RING_QUIET", hide_env = true)]
    pub(crate) quiet: bool,
    /// Say more on stderr; twice for every request
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Color::Auto, global = true, env = "RING_COLOR", hide_env = true)]
    pub(crate) color: Color,
    /// Who does this, for the record; the login name otherwise [env: RING_ACTOR=]
    // Read from the environment by hand: in `ring log` the flag is a filter, and the variable must not be one.
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) actor: Option<String>,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", global = true, env = "RING_REASON", hide_env = true)]
    pub(crate) reason: Option<String>,
    /// The id of this intent: the same id is never done twice
    #[arg(long, value_name = "ID", global = true, env = "RING_OPERATION_ID", hide_env = true)]
    pub(crate) operation_id: Option<String>,
    /// Do not ask
    #[arg(short, long, global = true, env = "RING_YES", hide_env = true)]
    pub(crate) yes: bool,
    /// Give up after this long, for example `90s` or `10m`
    #[arg(long, value_name = "DURATION", global = true, env = "RING_TIMEOUT", hide_env = true)]
    pub(crate) timeout: Option<String>,
    /// Use plain HTTP where external images are pulled from
    #[arg(long, global = true, env = "RING_PLAIN_HTTP", hide_env = true)]
    pub(crate) plain_http: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
    Yaml,
    /// Text with more columns
    Wide,
    /// Names only, one per line
    Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// Bars on a terminal, lines otherwise
    Auto,
    /// A line per step
    Plain,
    /// Nothing
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}
