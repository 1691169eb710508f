//! Arguments of the commands that write.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use ringsite_names::{ImageName, Position, SiteName};

/// What every command that writes takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WriteArgs {
    /// Show what would happen and why, and change nothing
    #[arg(long, env = "RING_PLAN", hide_env = true)]
    pub(crate) plan: bool,
    /// With a plan: write it to this file, for `ring apply`
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// With a plan: exit 1 when something would change
    #[arg(long, env = "RING_EXIT_CODE", hide_env = true)]
    pub(crate) exit_code: bool,
    /// Do not place the sites of the rings that change
    #[arg(long, env = "RING_NO_PLACE", hide_env = true)]
    pub(crate) no_place: bool,
    /// Place even when a site would lose most of its objects
    #[arg(long, env = "RING_ALLOW_SHRINK", hide_env = true)]
    pub(crate) allow_shrink: bool,
}

/// How sources and external images are read.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct SourceArgs {
    /// Read and hash every source, whatever the stat cache says
    #[arg(long, env = "RING_NO_CACHE", hide_env = true)]
    pub(crate) no_cache: bool,
    /// Refuse to change rings.lock (the default when CI is set)
    #[arg(long, env = "RING_LOCKED", hide_env = true)]
    pub(crate) locked: bool,
    /// Use no network
    #[arg(long, env = "RING_OFFLINE", hide_env = true)]
    pub(crate) offline: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The ring to build on; the first configured ring otherwise
    #[arg(long, value_name = "RING", env = "RING_RING", hide_env = true)]
    pub(crate) ring: Option<Position>,
    /// Release only this image and what it needs; may be repeated
    #[arg(long = "image", value_name = "IMAGE")]
    pub(crate) images: Vec<ImageName>,
    /// Give this image a new major version; may be repeated
    #[arg(long = "major", value_name = "IMAGE")]
    pub(crate) majors: Vec<ImageName>,
    /// Build even when nothing changed
    #[arg(long, env = "RING_FORCE", hide_env = true)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The ring that the set comes from
    pub(crate) ring: Position,
    /// Move only this image; may be repeated
    #[arg(long = "image", value_name = "IMAGE")]
    pub(crate) images: Vec<ImageName>,
    /// Promote even when the target holds a higher version
    #[arg(long, env = "RING_ALLOW_DOWNGRADE", hide_env = true)]
    pub(crate) allow_downgrade: bool,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ShiftArgs {
    /// The ring that the set comes from; the whole chain otherwise
    pub(crate) ring: Option<Position>,
    /// Shift even when a target holds a higher version
    #[arg(long, env = "RING_ALLOW_DOWNGRADE", hide_env = true)]
    pub(crate) allow_downgrade: bool,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UnshiftArgs {
    /// The ring that the set comes from; the newest promote or shift is taken back otherwise
    pub(crate) ring: Option<Position>,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UndoArgs {
    /// The sequence of the entry to take back; the newest one in effect otherwise
    pub(crate) entry: Option<u64>,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RedoArgs {
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct EmptyArgs {
    /// The ring to empty
    pub(crate) ring: Position,
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigApplyArgs {
    #[command(flatten)]
    pub(crate) write: WriteArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The plan, as `--save` wrote it
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) sources: SourceArgs,
    /// Do not place the sites of the rings that change
    #[arg(long, env = "RING_NO_PLACE", hide_env = true)]
    pub(crate) no_place: bool,
    /// Place even when a site would lose most of its objects
    #[arg(long, env = "RING_ALLOW_SHRINK", hide_env = true)]
    pub(crate) allow_shrink: bool,
}

/// A form in which a site's artifact is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// One gzip layer, read by Flux and Argo CD out of the box; always published
    Default,
    /// With the media types of `flux push artifact`, tagged `latest-flux`
    Flux,
    /// One plain tar layer for Argo CD, tagged `latest-argo-tar`
    ArgoTar,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// The sites; every site of the configuration in force otherwise
    pub(crate) sites: Vec<SiteName>,
    /// Only the sites of this ring
    #[arg(long, value_name = "RING", env = "RING_RING", hide_env = true)]
    pub(crate) ring: Option<Position>,
    /// Also write each site's files below this folder, in a folder named as the site
    #[arg(long = "output", value_name = "DIR", env = "RING_OUTPUT", hide_env = true)]
    pub(crate) output_folder: Option<PathBuf>,
    /// Also publish in this format, under tags of its own; may be repeated
    #[arg(long = "format", value_enum, value_name = "FORMAT", env = "RING_FORMAT", hide_env = true)]
    pub(crate) formats: Vec<FormatArg>,
    /// Place even when a site would lose most of its objects
    #[arg(long, env = "RING_ALLOW_SHRINK", hide_env = true)]
    pub(crate) allow_shrink: bool,
}
