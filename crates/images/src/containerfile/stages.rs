//! Puts the instructions of a containerfile into stages, and settles what every name means.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ringsite_names::ImageName;

use super::flags::Said;
use super::instruction::{FromLine, Read, is_address, read as read_instruction};
use super::lines::{Line, split};
use super::reference::{Classified, REGISTRY_MARK, RING_MARK};
use super::{Base, Containerfile, Instruction, Origin, ReadRequest, Stage, Step, Transfer};
use crate::expand::{ExpandError, Unset, expand_with};
use crate::limits::STAGES_MAX;
use crate::names::PREDEFINED_ARGUMENTS;
use crate::{Platform, Problem, normalise};

/// Variables that no stage may use: one release serves every ring and every host.
const NOT_IN_A_STAGE: [&str; 2] = ["RING", "REGISTRY"];

pub(super) fn read(request: &ReadRequest<'_>) -> Result<Containerfile, Vec<Problem>> {
    let split = split(request.path, request.bytes)?;
    let mut reader = Reader {
        request,
        escape: split.escape,
        globals: predefined(request),
        stages: Vec::new(),
        declared: declared_names(&split.lines),
        problems: Vec::new(),
    };
    for line in &split.lines {
        if let Err((message, help)) = reader.line(line) {
            reader.problems.push(Problem::in_file(request.path, message, help).at_line(line.number));
        }
    }
    let Reader { stages, mut problems, mut globals, .. } = reader;
    if stages.is_empty() && problems.is_empty() {
        let help = "begin with `FROM scratch` or `FROM <image>`";
        problems.push(Problem::in_file(request.path, "the containerfile has no FROM", help));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    globals.retain(|name, _| !NOT_IN_A_STAGE.contains(&&**name));
    let path = request.path.to_path_buf();
    Ok(Containerfile { path, syntax: split.syntax, escape: split.escape, globals, stages })
}

fn predefined(request: &ReadRequest<'_>) -> BTreeMap<String, String> {
    let registry = request.names.registry.as_deref().unwrap_or(REGISTRY_MARK);
    let own = [("REGISTRY", registry), ("PROJECT", request.names.project.as_str()), ("RING", RING_MARK)];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    own.chain(platform_arguments(request.platform)).collect()
}

/// Returns BuildKit's arguments that describe a platform and this machine.
fn platform_arguments(platform: &Platform) -> impl Iterator<Item = (String, String)> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    [
        ("TARGETPLATFORM", platform.to_string()),
        ("TARGETOS", platform.os().to_owned()),
        ("TARGETARCH", platform.architecture().to_owned()),
        ("TARGETVARIANT", platform.variant().unwrap_or_default().to_owned()),
        ("BUILDPLATFORM", format!("linux/{architecture}")),
        ("BUILDOS", "linux".to_owned()),
        ("BUILDARCH", architecture.to_owned()),
        ("BUILDVARIANT", String::new()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
}

/// Returns the names of all stages with their lines, to tell a later stage from an image.
fn declared_names(lines: &[Line]) -> Vec<(String, u32)> {
    let mut names = Vec::new();
    for line in lines {
        let words: Vec<_> = line.masked.split_whitespace().collect();
        if let [keyword, .., last_but_one, name] = words[..]
            && keyword.eq_ignore_ascii_case("FROM")
            && last_but_one.eq_ignore_ascii_case("AS")
        {
            names.push((name.to_ascii_lowercase(), line.number));
        }
    }
    names
}

struct Reader<'a> {
    request: &'a ReadRequest<'a>,
    escape: char,
    globals: BTreeMap<String, String>,
    stages: Vec<Stage>,
    declared: Vec<(String, u32)>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line) -> Result<(), Said> {
        let read = read_instruction(line, self.escape, &|name| self.origin(name))?;
        match (read, self.stages.is_empty()) {
            (Read::From(from), _) => self.from(&from, line.number),
            (Read::Step(Instruction::Arg(arguments)), true) => {
                arguments.into_iter().try_for_each(|(name, default)| self.global(name, default))
            }
            (Read::Step(_), true) => {
                Err(("only ARG may stand before the first FROM".into(), "begin with FROM".into()))
            }
            (Read::Step(instruction), false) => {
                self.check(&instruction)?;
                if let Some(stage) = self.stages.last_mut() {
                    stage.steps.push(Step { line: line.number, text: line.text.clone(), instruction });
                }
                Ok(())
            }
        }
    }

    /// Takes an `ARG` before the first `FROM`.
    fn global(&mut self, name: String, default: Option<String>) -> Result<(), Said> {
        if PREDEFINED_ARGUMENTS.contains(&&*name) {
            return Ok(());
        }
        let value = match (self.request.arguments.get(&name), default) {
            (Some(given), _) => given.clone(),
            (None, Some(default)) => self.expand_global(&default)?,
            (None, None) => return Ok(()),
        };
        self.globals.insert(name, value);
        Ok(())
    }

    fn expand_global(&self, word: &str) -> Result<String, Said> {
        let lookup = |name: &str| Ok(self.globals.get(name).cloned());
        expand_with(word, &lookup, self.escape, Unset::Refused).map_err(|error: ExpandError| {
            let help = match &error {
                ExpandError::Unset(name) => {
                    format!("add `ARG {name}=…` before the first FROM, or `args` to the image in rings.toml")
                }
                _ => "see the forms of variables in the reference of containerfiles".to_owned(),
            };
            (format!("`{word}` cannot be expanded: {error}"), help)
        })
    }

    fn from(&mut self, from: &FromLine, line: u32) -> Result<(), Said> {
        if self.stages.len() >= STAGES_MAX {
            return Err((format!("more than {STAGES_MAX} stages"), "split the containerfile".into()));
        }
        let index = self.stages.len();
        let name = from.name.as_deref().map(str::to_ascii_lowercase);
        // The stage is kept although its base may be wrong, so that what follows is read, too.
        self.stages.push(Stage {
            index,
            name: None,
            base: Base::Scratch,
            base_platform: None,
            line,
            steps: Vec::new(),
        });
        if let Some(name) = &name {
            check_stage_name(name)?;
            if self.stages.iter().any(|stage| stage.name.as_ref() == Some(name)) {
                return Err((
                    format!("two stages are called `{name}`"),
                    "give one of them another name".into(),
                ));
            }
        }
        let image = self.expand_global(&from.image)?;
        let platform = from.platform.as_deref().map(|word| self.expand_global(word)).transpose()?;
        if let Some(platform) = &platform {
            let wrong =
                |error: crate::PlatformError| (format!("--platform: {error}"), error.help().to_owned());
            platform.parse::<Platform>().map_err(wrong)?;
        }
        let base = self.base(&image)?;
        if let Some(stage) = self.stages.last_mut() {
            (stage.name, stage.base, stage.base_platform) = (name, base, platform);
        }
        Ok(())
    }

    fn base(&self, image: &str) -> Result<Base, Said> {
        if image == "scratch" {
            return Ok(Base::Scratch);
        }
        if image.is_empty() {
            return Err((
                "the base image is empty after expansion".into(),
                "name an image, or scratch".into(),
            ));
        }
        if let Some(stage) = self.stage(image) {
            return Ok(Base::Stage(stage));
        }
        Ok(match self.image(image)? {
            Classified::Project(image) => Base::Project(image),
            Classified::External(image) => Base::External(image),
        })
    }

    /// Returns the earlier stage with this name.
    fn stage(&self, name: &str) -> Option<usize> {
        let name = name.to_ascii_lowercase();
        let (_, earlier) = self.stages.split_last()?;
        earlier.iter().rposition(|stage| stage.name.as_ref() == Some(&name))
    }

    fn image(&self, written: &str) -> Result<Classified, Said> {
        let own: &ImageName = self.request.image;
        let classified = self.request.names.classify(written, own)?;
        if let Classified::External(name) = &classified {
            let help = "write for example redis:7 or registry.example.com/team/image:1.0";
            normalise(name).map_err(|error| (error.to_string(), help.to_owned()))?;
        }
        Ok(classified)
    }

    /// Decides what the name after `--from=` or `from=` means.
    fn origin(&self, name: &str) -> Result<Origin, Said> {
        if name.contains('$') {
            let help = "add a stage `FROM … AS name` with the variable before, and write its name here";
            return Err((format!("`from={name}`: variables are not expanded here"), help.to_owned()));
        }
        let current = self.stages.len().saturating_sub(1);
        if let Some(stage) = self.stage(name) {
            return Ok(Origin::Stage(stage));
        }
        if let Ok(index) = name.parse::<usize>() {
            return match index < current {
                true => Ok(Origin::Stage(index)),
                false => Err((
                    format!("there is no stage {index} before this line"),
                    "count from 0, or name the stage".into(),
                )),
            };
        }
        let lower = name.to_ascii_lowercase();
        if let Some((_, line)) = self.declared.iter().find(|(stage, _)| *stage == lower) {
            let message = format!("the stage `{name}` begins in line {line} and is not finished here");
            return Err((message, "move it before the stage that copies from it".into()));
        }
        if name == "scratch" {
            return Err(("nothing can be copied from scratch".into(), "name a stage or an image".into()));
        }
        Ok(match self.image(name)? {
            Classified::Project(image) => Origin::Project(image),
            Classified::External(image) => Origin::External(image),
        })
    }

    /// Checks the words of an instruction: they can be expanded and use nothing that is not there
    /// for a stage.
    fn check(&self, instruction: &Instruction) -> Result<(), Said> {
        for word in instruction.expanded_words() {
            self.check_word(word)?;
        }
        match instruction {
            Instruction::Arg(arguments) => {
                let names = arguments.iter().map(|(name, _)| name);
                names.into_iter().try_for_each(|name| not_in_a_stage(name))
            }
            Instruction::Add(transfer) => check_add(transfer),
            Instruction::Copy(transfer) => match transfer.sources.iter().find(|source| is_address(source)) {
                Some(source) => {
                    Err((format!("COPY cannot fetch `{source}`"), "use ADD with --checksum".into()))
                }
                None => Ok(()),
            },
            Instruction::Onbuild(onbuild) => self.check(&onbuild.instruction),
            _ => Ok(()),
        }
    }

    fn check_word(&self, word: &str) -> Result<(), Said> {
        let forbidden = RefCell::new(None);
        let lookup = |name: &str| {
            if NOT_IN_A_STAGE.contains(&name) {
                *forbidden.borrow_mut() = Some(name.to_owned());
            }
            Ok(Some("x".to_owned()))
        };
        let expanded: Result<String, ExpandError> = expand_with(word, &lookup, self.escape, Unset::Empty);
        if let Some(name) = forbidden.into_inner() {
            not_in_a_stage(&name)?;
        }
        match expanded {
            Ok(_) => Ok(()),
            Err(error) => Err((
                format!("`{word}` cannot be expanded: {error}"),
                "close every quote and brace; to have a character as it is, put the escape character before it".into(),
            )),
        }
    }
}

fn not_in_a_stage(name: &str) -> Result<(), Said> {
    if !NOT_IN_A_STAGE.contains(&name) {
        return Ok(());
    }
    let message =
        format!("{name} cannot be used inside a stage: one release serves every ring and every registry");
    Err((message, "use it before the first FROM or in FROM only".to_owned()))
}

fn check_stage_name(name: &str) -> Result<(), Said> {
    let is_name = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.')
        });
    if is_name && name != "scratch" && name != "context" {
        return Ok(());
    }
    let help = "begin with a letter, then letters, digits, `-`, `_` and `.`; not scratch or context";
    Err((format!("`{name}` cannot name a stage"), help.to_owned()))
}

fn check_add(transfer: &Transfer) -> Result<(), Said> {
    let addresses: Vec<_> = transfer.sources.iter().filter(|source| is_address(source)).collect();
    if let Some(address) = addresses.first() {
        let is_http = address.starts_with("http://") || address.starts_with("https://");
        if !is_http || address.split(['#', '?']).next().is_some_and(|path| path.ends_with(".git")) {
            let help =
                "fetch an archive of the commit with ADD --checksum, or keep the files in the build context";
            return Err((format!("ADD of the repository `{address}` is not reproducible"), help.into()));
        }
        if transfer.checksum.is_none() {
            return Err((
                format!("ADD of `{address}` needs --checksum: without it nobody can tell what was built"),
                "write ADD --checksum=sha256:<hex of the file> <address> <destination>".into(),
            ));
        }
        if transfer.sources.len() > 1 {
            return Err((
                "--checksum is for exactly one source".into(),
                "use an ADD for each address".into(),
            ));
        }
    } else if transfer.checksum.is_some() && !transfer.sources.iter().any(|source| source.contains('$')) {
        return Err(("--checksum is for addresses only".into(), "remove it".into()));
    }
    Ok(())
}

impl Instruction {
    /// Returns the words that variables are expanded in.
    pub(crate) fn expanded_words(&self) -> Vec<&str> {
        let mut words: Vec<&str> = Vec::new();
        match self {
            Self::Add(transfer) | Self::Copy(transfer) => {
                words.extend(transfer.sources.iter().map(String::as_str));
                words.push(&transfer.destination);
                words.extend(transfer.exclude.iter().map(String::as_str));
                let flags = [&transfer.chown, &transfer.chmod, &transfer.checksum];
                words.extend(flags.into_iter().flatten().map(String::as_str));
            }
            Self::Env(pairs) | Self::Label(pairs) => {
                words.extend(pairs.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
            }
            Self::Arg(arguments) => {
                words.extend(arguments.iter().filter_map(|(_, default)| default.as_deref()));
            }
            Self::Expose(all) | Self::Volume(all) => words.extend(all.iter().map(String::as_str)),
            Self::Workdir(one) | Self::User(one) | Self::Stopsignal(one) => words.push(one),
            Self::Run(run) => {
                let parts = run.mounts.iter().flat_map(|mount| [&mount.source, &mount.target]);
                words.extend(parts.flatten().map(String::as_str));
            }
            Self::Cmd(_)
            | Self::Entrypoint(_)
            | Self::Healthcheck(_)
            | Self::Maintainer(_)
            | Self::Onbuild(_)
            | Self::Shell(_) => {}
        }
        words
    }
}
