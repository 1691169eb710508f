//! Arguments of the commands that only look, and of those that write files.

use std::path::PathBuf;

use clap::Args;
use ringsite_names::{ImageName, Position, Timestamp, Version};

#[derive(Clone, Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder to write to; the working directory otherwise
    #[arg(value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    /// The state after this entry, or at this time
    #[arg(long, value_name = "ENTRY|TIME")]
    pub(crate) at: Option<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Only these images
    pub(crate) images: Vec<ImageName>,
    /// Also every file that the revision covers
    #[arg(long)]
    pub(crate) sources: bool,
    /// Read and hash every source, whatever the stat cache says
    #[arg(long, env = "RING_NO_CACHE", hide_env = true)]
    pub(crate) no_cache: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LogArgs {
    /// Only entries that write this ring
    #[arg(long, value_name = "RING")]
    pub(crate) ring: Option<Position>,
    /// Only entries that write this image
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<ImageName>,
    /// Only entries at or after this time (and with --actor NAME: only those of one actor)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,
    /// At most this many entries
    #[arg(short = 'n', long, value_name = "N")]
    pub(crate) limit: Option<usize>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    /// The sequence, the digest, or the beginning of the digest
    pub(crate) entry: String,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WhyArgs {
    /// The image
    pub(crate) image: ImageName,
    /// The ring; the first configured ring otherwise
    #[arg(long, value_name = "RING")]
    pub(crate) ring: Option<Position>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DiffArgs {
    /// The ring whose set would move
    #[arg(long, value_name = "RING")]
    pub(crate) from: Position,
    /// The ring that it would move to
    #[arg(long, value_name = "RING")]
    pub(crate) to: Position,
    /// Exit 1 when there is a difference
    #[arg(long, env = "RING_EXIT_CODE", hide_env = true)]
    pub(crate) exit_code: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProveArgs {
    /// The image
    pub(crate) image: ImageName,
    /// The version
    pub(crate) version: Version,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Only references that contain this text
    pub(crate) references: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Also where each value comes from
    #[arg(long)]
    pub(crate) origin: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SchemaArgs {
    /// The kind, for example `Plan`; every kind is listed otherwise
    pub(crate) kind: Option<String>,
}
