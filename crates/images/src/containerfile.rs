//! One containerfile, read: stages, steps, and the names that they use.
//!
//! Step 1 of the flow. Reading is strict: what is not understood is a problem with a line, never a
//! guess. What is known without building is settled here (global arguments, which names are stages,
//! images of the project or external, heredocs, flags). Words of instructions stay raw, because the
//! environment of a base image is known to the builder only; [`expand`](crate::expand) does the
//! rest. Nothing is read from disk here: the caller hands over the bytes.

mod flags;
mod instruction;
mod lines;
mod mounts;
mod reference;
mod stages;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringsite_names::ImageName;

use crate::{Platform, Problem};

pub use instruction::{is_address, read_triggers};
pub use reference::{Classified, ProjectNames};

/// A containerfile as it is for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Containerfile {
    /// The file, as problems show it.
    pub path: PathBuf,
    /// The value of the `syntax` directive, when there is one.
    pub syntax: Option<String>,
    /// The escape character: `\`, or a backtick when the directive says so.
    pub escape: char,
    /// What the arguments before the first `FROM` and the predefined ones are worth; stages take
    /// them over with an `ARG` of their own.
    pub globals: BTreeMap<String, String>,
    /// The stages in the order of the file, at least one.
    pub stages: Vec<Stage>,
}

/// One stage: a `FROM` and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The position in the file, from 0.
    pub index: usize,
    /// The name after `AS`, in lower case.
    pub name: Option<String>,
    /// What the stage starts from.
    pub base: Base,
    /// The expanded value of `--platform`, when it was written.
    pub base_platform: Option<String>,
    /// The line of the `FROM`, from 1.
    pub line: u32,
    /// The instructions in their order.
    pub steps: Vec<Step>,
}

/// What a stage starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing.
    Scratch,
    /// An earlier stage of the same file, by its position.
    Stage(usize),
    /// An image of this project.
    Project(ImageName),
    /// An image from elsewhere, as written after expansion.
    External(String),
}

/// Where `COPY --from` and `RUN --mount=…,from=` take files from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The build context.
    Context,
    /// An earlier stage of the same file, by its position.
    Stage(usize),
    /// An image of this project.
    Project(ImageName),
    /// An image from elsewhere, as written.
    External(String),
}

/// One instruction of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The line where it starts, from 1.
    pub line: u32,
    /// The instruction on one line: continued lines joined, comments and heredoc bodies left out.
    pub text: String,
    /// What it says.
    pub instruction: Instruction,
}

/// What an instruction says. Words are raw: quotes and `$` as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `ADD`.
    Add(Transfer),
    /// `ARG`: names with their defaults.
    Arg(Vec<(String, Option<String>)>),
    /// `CMD`.
    Cmd(Command),
    /// `COPY`.
    Copy(Transfer),
    /// `ENTRYPOINT`.
    Entrypoint(Command),
    /// `ENV`: names with their values.
    Env(Vec<(String, String)>),
    /// `EXPOSE`.
    Expose(Vec<String>),
    /// `HEALTHCHECK`.
    Healthcheck(Healthcheck),
    /// `LABEL`: keys with their values.
    Label(Vec<(String, String)>),
    /// `MAINTAINER`, which Docker has deprecated.
    Maintainer(String),
    /// `ONBUILD`.
    Onbuild(Onbuild),
    /// `RUN`.
    Run(Run),
    /// `SHELL`.
    Shell(Vec<String>),
    /// `STOPSIGNAL`.
    Stopsignal(String),
    /// `USER`.
    User(String),
    /// `VOLUME`.
    Volume(Vec<String>),
    /// `WORKDIR`.
    Workdir(String),
}

/// A `COPY` or an `ADD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The sources as written, without heredocs, in their order.
    pub sources: Vec<String>,
    /// The heredocs among the sources, in their order.
    pub heredocs: Vec<Heredoc>,
    /// The destination as written.
    pub destination: String,
    /// Where the sources are; always the context for `ADD`.
    pub from: Origin,
    /// The raw value of `--chown`.
    pub chown: Option<String>,
    /// The raw value of `--chmod`.
    pub chmod: Option<String>,
    /// The raw value of `--checksum`, for `ADD` of one address.
    pub checksum: Option<String>,
    /// Whether `--link` is on.
    pub link: bool,
    /// Whether `--parents` is on.
    pub parents: bool,
    /// The raw patterns of `--exclude`.
    pub exclude: Vec<String>,
    /// The value of `--keep-git-dir`, for `ADD` of a repository.
    pub keep_git: bool,
    /// The value of `--unpack`, for `ADD`; nothing means that local archives are unpacked.
    pub unpack: Option<bool>,
}

/// A here-document: text of the containerfile that stands for a file or for standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The delimiter, which is also the file's name for `COPY` and `ADD`.
    pub name: String,
    /// The text, with leading tabs removed for `<<-`.
    pub content: String,
    /// Whether variables are expanded; false when the delimiter was quoted.
    pub expand: bool,
    /// The line where the text starts, from 1.
    pub line: u32,
}

/// A `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What is run.
    pub command: Command,
    /// The heredocs of the command, in their order.
    pub heredocs: Vec<Heredoc>,
    /// The mounts, in their order.
    pub mounts: Vec<Mount>,
    /// The value of `--network`.
    pub network: Option<String>,
    /// The value of `--security`.
    pub security: Option<String>,
}

/// One `--mount` of a `RUN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What kind of mount it is.
    pub kind: MountKind,
    /// What a bind or cache mount shows: the context for a bind mount without `from`, nothing for
    /// other mounts without one.
    pub from: Option<Origin>,
    /// The raw value of `source`.
    pub source: Option<String>,
    /// The raw value of `target`.
    pub target: Option<String>,
    /// All options as written, in their order, `type` included.
    pub options: Vec<(String, Option<String>)>,
}

/// The kinds of mounts that a `RUN` can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    Bind,
    /// A folder that outlives the build.
    Cache,
    /// Memory.
    Tmpfs,
    /// A secret file.
    Secret,
    /// The agent's socket.
    Ssh,
}

/// A command in one of its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A text for the shell.
    Shell(String),
    /// The words, without a shell.
    Exec(Vec<String>),
}

/// A `HEALTHCHECK`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Healthcheck {
    /// `HEALTHCHECK NONE`.
    None,
    /// `HEALTHCHECK CMD`.
    Command {
        /// What is run.
        command: Command,
        /// `--interval`.
        interval: Option<Duration>,
        /// `--timeout`.
        timeout: Option<Duration>,
        /// `--start-period`.
        start_period: Option<Duration>,
        /// `--start-interval`.
        start_interval: Option<Duration>,
        /// `--retries`.
        retries: Option<u32>,
    },
}

/// An `ONBUILD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onbuild {
    /// The trigger as the image configuration keeps it.
    pub text: String,
    /// The trigger, read.
    pub instruction: Box<Instruction>,
}

/// What reading a containerfile needs to know.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest<'a> {
    /// The file, as problems should show it.
    pub path: &'a Path,
    /// The bytes of the file.
    pub bytes: &'a [u8],
    /// The names of the project.
    pub names: &'a ProjectNames,
    /// The image that the file belongs to.
    pub image: &'a ImageName,
    /// The build arguments of the project file, which win over defaults.
    pub arguments: &'a BTreeMap<String, String>,
    /// The platform to read the file for.
    pub platform: &'a Platform,
}

impl Containerfile {
    /// Reads a containerfile for one platform.
    ///
    /// # Errors
    /// Every problem of the file, each with its line: too large, not UTF-8, empty, an unknown
    /// instruction or flag, a name that cannot be expanded, a stage that is not there, a `RING` or
    /// `REGISTRY` inside a stage.
    pub fn read(request: &ReadRequest<'_>) -> Result<Self, Vec<Problem>> {
        stages::read(request)
    }

    /// Returns the stage to build: the one called `target` (or with that number), else the last.
    ///
    /// # Errors
    /// A problem when no stage is called so.
    pub fn target(&self, target: Option<&str>) -> Result<&Stage, Problem> {
        let last = self.stages.last().expect("a containerfile that was read has a stage");
        let Some(wanted) = target else { return Ok(last) };
        let by_name =
            self.stages.iter().find(|stage| stage.name.as_deref() == Some(&*wanted.to_ascii_lowercase()));
        let by_index = || wanted.parse::<usize>().ok().and_then(|index| self.stages.get(index));
        by_name.or_else(by_index).ok_or_else(|| {
            let names: Vec<_> = self.stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
            let help = if names.is_empty() {
                "no stage has a name: write `FROM … AS name`, or take `target` out of rings.toml".to_owned()
            } else {
                format!("the stages are called {}", names.join(", "))
            };
            Problem::in_file(&self.path, format!("there is no stage `{wanted}`"), help)
        })
    }

    /// Returns the stages that building `target` needs, in the order of the file: it and all that
    /// it reaches by `FROM`, `COPY --from` and `RUN --mount=…,from=`.
    pub fn needed(&self, target: usize) -> Vec<usize> {
        let mut is_needed = vec![false; self.stages.len()];
        let mut open = vec![target];
        while let Some(index) = open.pop() {
            if std::mem::replace(&mut is_needed[index], true) {
                continue;
            }
            let stage = &self.stages[index];
            if let Base::Stage(base) = stage.base {
                open.push(base);
            }
            for step in &stage.steps {
                open.extend(step.instruction.origins().filter_map(|origin| match origin {
                    Origin::Stage(index) => Some(*index),
                    _ => None,
                }));
            }
        }
        is_needed.iter().enumerate().filter_map(|(index, needed)| needed.then_some(index)).collect()
    }

    /// Returns the images of the project that the stages `needed` take something from.
    pub fn dependencies(&self, needed: &[usize]) -> BTreeSet<ImageName> {
        let mut found = BTreeSet::new();
        for stage in needed.iter().map(|&index| &self.stages[index]) {
            if let Base::Project(image) = &stage.base {
                found.insert(image.clone());
            }
            for origin in stage.steps.iter().flat_map(|step| step.instruction.origins()) {
                if let Origin::Project(image) = origin {
                    found.insert(image.clone());
                }
            }
        }
        found
    }

    /// Returns the first line of the stages `needed` that takes something from `image`.
    pub(crate) fn dependency_line(&self, needed: &[usize], image: &ImageName) -> Option<u32> {
        let is_image = |origin: &Origin| *origin == Origin::Project(image.clone());
        needed.iter().map(|&index| &self.stages[index]).find_map(|stage| {
            let is_base = stage.base == Base::Project(image.clone());
            let step = || stage.steps.iter().find(|step| step.instruction.origins().any(is_image));
            if is_base { Some(stage.line) } else { step().map(|step| step.line) }
        })
    }

    /// Returns the external images that the stages `needed` take something from, as written, each
    /// with the first line that names it.
    pub fn externals(&self, needed: &[usize]) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        let mut add = |name: &String, line: u32| {
            let first = found.entry(name.clone()).or_insert(line);
            *first = (*first).min(line);
        };
        for stage in needed.iter().map(|&index| &self.stages[index]) {
            if let Base::External(name) = &stage.base {
                add(name, stage.line);
            }
            for step in &stage.steps {
                for origin in step.instruction.origins() {
                    if let Origin::External(name) = origin {
                        add(name, step.line);
                    }
                }
            }
        }
        found
    }
}

impl Instruction {
    /// Returns every place that the instruction takes files from, triggers included.
    pub fn origins(&self) -> Box<dyn Iterator<Item = &Origin> + '_> {
        match self {
            Self::Add(transfer) | Self::Copy(transfer) => Box::new(std::iter::once(&transfer.from)),
            Self::Run(run) => Box::new(run.mounts.iter().filter_map(|mount| mount.from.as_ref())),
            _ => Box::new(std::iter::empty()),
        }
    }
}
