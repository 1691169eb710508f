//! Turns one instruction, parsed by `parse-dockerfile`, into ours, and refuses what is not understood.

use std::path::Path;

use parse_dockerfile::{
    Command as ParsedCommand, Flag, HealthcheckArguments, Instruction as Parsed, JsonOrStringArray, Source,
    UnescapedString,
};

use super::flags::{Flags, Said};
use super::lines::{HEREDOC_MARK, Line, split};
use super::mounts::{Resolve, mount};
use super::words::{arguments, pairs};
use super::{Command, Healthcheck, Heredoc, Instruction, Onbuild, Origin, Run, Step, Transfer};
use crate::Problem;
use crate::nearest::nearest;

const KEYWORDS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// A line of the file, read.
pub(super) enum Read {
    From(FromLine),
    Step(Instruction),
}

/// A `FROM`, with raw words.
pub(super) struct FromLine {
    pub(super) image: String,
    pub(super) platform: Option<String>,
    pub(super) name: Option<String>,
}

/// Reads one instruction; `resolve` decides what the names after `from` mean.
pub(super) fn read(line: &Line, escape: char, resolve: Resolve<'_>) -> Result<Read, Said> {
    let mut words = line.masked.split_whitespace().map(str::to_ascii_uppercase);
    let keyword = check_keyword(words.next())?;
    if keyword == "ONBUILD" {
        check_keyword(words.next())?;
    }
    // One instruction at a time, so that all problems are found; the parser wants a FROM first.
    let text = if keyword == "FROM" { line.masked.clone() } else { format!("FROM scratch\n{}", line.masked) };
    let help = || format!("see the reference of {keyword}");
    let parsed = parse_dockerfile::parse(&text).map_err(|error| (format!("{keyword}: {error:#}"), help()))?;
    match parsed.instructions.into_iter().next_back() {
        Some(Parsed::From(from)) => from_line(&from).map(Read::From),
        Some(parsed) => Reader { line, escape, resolve }.instruction(parsed).map(Read::Step),
        None => Err((format!("{keyword} cannot be read"), help())),
    }
}

fn check_keyword(word: Option<String>) -> Result<String, Said> {
    let word = word.unwrap_or_default();
    if KEYWORDS.contains(&&*word) {
        return Ok(word);
    }
    let help = match nearest(&word, KEYWORDS) {
        Some(meant) => format!("did you mean {meant}?"),
        None => {
            "begin with an instruction such as COPY; to go on in the next line, end a line in \\".to_owned()
        }
    };
    Err((format!("`{}` is no instruction", word.chars().take(40).collect::<String>()), help))
}

fn from_line(from: &parse_dockerfile::FromInstruction<'_>) -> Result<FromLine, Said> {
    let mut flags = Flags::new("FROM", own_flags(&from.options), &["platform"], &[])?;
    Ok(FromLine {
        image: own(&from.image),
        platform: flags.value("platform")?,
        name: from.as_.as_ref().map(|(_, name)| own(name)),
    })
}

fn own(text: &UnescapedString<'_>) -> String {
    text.value.clone().into_owned()
}

fn own_flags<'f, 't: 'f>(
    flags: impl IntoIterator<Item = &'f Flag<'t>>,
) -> impl Iterator<Item = (String, Option<String>)> {
    flags.into_iter().map(|flag| (own(&flag.name), flag.value.as_ref().map(own)))
}

fn own_all<'w, 't: 'w>(words: impl IntoIterator<Item = &'w UnescapedString<'t>>) -> Vec<String> {
    words.into_iter().map(own).collect()
}

struct Reader<'a> {
    line: &'a Line,
    escape: char,
    resolve: Resolve<'a>,
}

impl Reader<'_> {
    fn instruction(&self, parsed: Parsed<'_>) -> Result<Instruction, Said> {
        let escape = self.escape;
        let bad = |message: String| {
            (message, "write name=value, with quotes around a value with spaces".to_owned())
        };
        Ok(match parsed {
            Parsed::Add(add) => Instruction::Add(self.add(&add)?),
            Parsed::Arg(arg) => Instruction::Arg(arguments(&arg.arguments.value, escape).map_err(bad)?),
            Parsed::Cmd(cmd) => Instruction::Cmd(command("CMD", &cmd.arguments)?),
            Parsed::Copy(copy) => Instruction::Copy(self.copy(&copy)?),
            Parsed::Entrypoint(entry) => Instruction::Entrypoint(command("ENTRYPOINT", &entry.arguments)?),
            Parsed::Env(env) => Instruction::Env(pairs("ENV", &env.arguments.value, escape).map_err(bad)?),
            Parsed::Expose(expose) => Instruction::Expose(own_all(&expose.arguments)),
            Parsed::Healthcheck(check) => Instruction::Healthcheck(healthcheck(&check)?),
            Parsed::Label(label) => {
                Instruction::Label(pairs("LABEL", &label.arguments.value, escape).map_err(bad)?)
            }
            Parsed::Maintainer(maintainer) => Instruction::Maintainer(own(&maintainer.name)),
            Parsed::Onbuild(onbuild) => Instruction::Onbuild(self.onbuild(*onbuild.instruction)?),
            Parsed::Run(run) => Instruction::Run(self.run(&run)?),
            Parsed::Shell(shell) => Instruction::Shell(own_all(&shell.arguments)),
            Parsed::Stopsignal(signal) => Instruction::Stopsignal(own(&signal.arguments)),
            Parsed::User(user) => Instruction::User(own(&user.arguments)),
            Parsed::Volume(volume) => Instruction::Volume(match &volume.arguments {
                JsonOrStringArray::Json(words) => own_all(&words.value),
                JsonOrStringArray::String(words) => no_broken_list("VOLUME", own_all(words))?,
            }),
            Parsed::Workdir(workdir) => Instruction::Workdir(own(&workdir.arguments)),
            _ => return Err(("this instruction is not understood".into(), "remove it".into())),
        })
    }

    fn copy(&self, copy: &parse_dockerfile::CopyInstruction<'_>) -> Result<Transfer, Said> {
        let known = ["from", "chown", "chmod", "link", "parents", "exclude"];
        let mut flags = Flags::new("COPY", own_flags(&copy.options), &known, &["exclude"])?;
        let from = match flags.value("from")? {
            Some(name) => (self.resolve)(&name)?,
            None => Origin::Context,
        };
        let transfer = Transfer { from, ..self.transfer("COPY", &copy.src, &copy.dest, flags)? };
        if transfer.from != Origin::Context && !transfer.heredocs.is_empty() {
            return Err((
                "a heredoc cannot come from another stage".into(),
                "use a COPY of its own for it".into(),
            ));
        }
        Ok(transfer)
    }

    fn add(&self, add: &parse_dockerfile::AddInstruction<'_>) -> Result<Transfer, Said> {
        let known = ["chown", "chmod", "link", "keep-git-dir", "checksum", "exclude", "unpack"];
        let mut flags = Flags::new("ADD", own_flags(&add.options), &known, &["exclude"])?;
        let checksum = flags.value("checksum")?;
        let keep_git = flags.switch("keep-git-dir")?.unwrap_or(false);
        let unpack = flags.switch("unpack")?;
        Ok(Transfer { checksum, keep_git, unpack, ..self.transfer("ADD", &add.src, &add.dest, flags)? })
    }

    fn transfer(
        &self,
        keyword: &str,
        words: &[Source<'_>],
        destination: &UnescapedString<'_>,
        mut flags: Flags,
    ) -> Result<Transfer, Said> {
        let destination = own(destination);
        if destination.contains(HEREDOC_MARK) {
            return Err((
                format!("{keyword} has no destination"),
                "write the path in the image at the end".into(),
            ));
        }
        let mut sources = Vec::new();
        for word in words {
            match word {
                Source::Path(path) if path.value.contains(HEREDOC_MARK) => {}
                Source::Path(path) => sources.push(own(path)),
                _ => return Err((format!("a source of {keyword} is not understood"), "write a path".into())),
            }
        }
        if words.len() != sources.len() + self.line.heredocs.len() {
            return Err((
                format!("a heredoc of {keyword} is not understood"),
                "write `<<EOF` as a word".into(),
            ));
        }
        Ok(Transfer {
            sources: no_broken_list(keyword, sources)?,
            heredocs: self.line.heredocs.clone(),
            destination,
            from: Origin::Context,
            chown: flags.value("chown")?,
            chmod: flags.value("chmod")?,
            checksum: None,
            link: flags.switch("link")?.unwrap_or(false),
            parents: flags.switch("parents")?.unwrap_or(false),
            exclude: flags.values("exclude")?,
            keep_git: false,
            unpack: None,
        })
    }

    fn run(&self, run: &parse_dockerfile::RunInstruction<'_>) -> Result<Run, Said> {
        let known = ["mount", "network", "security"];
        let mut flags = Flags::new("RUN", own_flags(&run.options), &known, &["mount"])?;
        let mounts = flags.values("mount")?;
        let mounts = mounts.iter().map(|text| mount(text, self.resolve)).collect::<Result<_, _>>()?;
        let network = one_of(flags.value("network")?, "network", &["default", "none", "host"])?;
        let security = one_of(flags.value("security")?, "security", &["sandbox", "insecure"])?;
        let command = match &run.arguments {
            ParsedCommand::Exec(words) => Command::Exec(own_all(&words.value)),
            ParsedCommand::Shell(text) => Command::Shell(text.value.replace(HEREDOC_MARK, "<<")),
            _ => {
                return Err((
                    "this form of RUN is not understood".into(),
                    "write a command for the shell".into(),
                ));
            }
        };
        if command == Command::Shell(String::new()) {
            return Err(("RUN has no command".into(), "write a command, or remove the line".into()));
        }
        Ok(Run { command, heredocs: self.line.heredocs.clone(), mounts, network, security })
    }

    fn onbuild(&self, parsed: Parsed<'_>) -> Result<Onbuild, Said> {
        if matches!(parsed, Parsed::From(_) | Parsed::Maintainer(_) | Parsed::Onbuild(_)) {
            return Err((
                "ONBUILD cannot have this instruction as its trigger".into(),
                "remove the line".into(),
            ));
        }
        if !self.line.heredocs.is_empty() {
            return Err((
                "ONBUILD cannot have a heredoc".into(),
                "put the text into a file and COPY it".into(),
            ));
        }
        let instruction = self.instruction(parsed)?;
        if instruction.origins().any(|origin| *origin != Origin::Context) {
            let message = "ONBUILD takes files from a stage or an image, which the image built on this one does not have";
            return Err((message.into(), "put the instruction into that image".into()));
        }
        let text = self.line.text.trim_start_matches(|character: char| !character.is_whitespace()).trim();
        Ok(Onbuild { text: text.to_owned(), instruction: Box::new(instruction) })
    }
}

/// A list that begins like JSON and is none is a slip: Docker would take its pieces for words.
fn no_broken_list(keyword: &str, words: Vec<String>) -> Result<Vec<String>, Said> {
    match words.first() {
        Some(first) if first.starts_with("[\"") || first.starts_with("['") => Err((
            format!("the list of {keyword} is no JSON"),
            "write [\"one\", \"two\"], with double quotes".into(),
        )),
        _ => Ok(words),
    }
}

fn command(keyword: &str, parsed: &ParsedCommand<'_>) -> Result<Command, Said> {
    match parsed {
        ParsedCommand::Exec(words) => Ok(Command::Exec(own_all(&words.value))),
        ParsedCommand::Shell(text) => {
            no_broken_list(keyword, vec![text.value.to_owned()])?;
            Ok(Command::Shell(text.value.to_owned()))
        }
        _ => {
            Err((format!("this form of {keyword} is not understood"), "write a command for the shell".into()))
        }
    }
}

fn one_of(value: Option<String>, name: &str, known: &[&str]) -> Result<Option<String>, Said> {
    match value {
        Some(value) if !known.contains(&&*value) => {
            Err((format!("`--{name}={value}` is not understood"), format!("write {}", known.join(" or "))))
        }
        value => Ok(value),
    }
}

fn healthcheck(check: &parse_dockerfile::HealthcheckInstruction<'_>) -> Result<Healthcheck, Said> {
    let known = ["interval", "timeout", "start-period", "start-interval", "retries"];
    let mut flags = Flags::new("HEALTHCHECK", own_flags(&check.options), &known, &[])?;
    let HealthcheckArguments::Cmd { arguments, .. } = &check.arguments else {
        return match check.options.is_empty() {
            true => Ok(Healthcheck::None),
            false => Err(("HEALTHCHECK NONE has no flags".into(), "remove them".into())),
        };
    };
    let retries = flags.value("retries")?;
    let wrong =
        |text: &String| (format!("`--retries={text}` is no number"), "write a whole number".to_owned());
    Ok(Healthcheck::Command {
        command: command("HEALTHCHECK", arguments)?,
        interval: flags.duration("interval")?,
        timeout: flags.duration("timeout")?,
        start_period: flags.duration("start-period")?,
        start_interval: flags.duration("start-interval")?,
        retries: retries.as_ref().map(|text| text.parse().map_err(|_| wrong(text))).transpose()?,
    })
}

/// Reads the triggers that an external base image brings, as its configuration keeps them.
///
/// `file` and `line` are the `FROM` that brings them, `base` names the image.
///
/// # Errors
/// A problem for each trigger that cannot be read or takes files from the build context: a revision
/// could not say which, since it is computed before the base image is looked at.
pub fn read_triggers(
    file: &Path,
    line: u32,
    base: &str,
    triggers: &[String],
) -> Result<Vec<Step>, Vec<Problem>> {
    let mut steps = Vec::new();
    let mut problems = Vec::new();
    for trigger in triggers {
        let problem = |message: String, help: String| Problem::in_file(file, message, help).at_line(line);
        match read_trigger(trigger) {
            Ok(instruction) if instruction.takes_from_context() => {
                let message =
                    format!("the base image {base} copies from the build context with `ONBUILD {trigger}`");
                let help = "copy the instruction into this containerfile and choose a base image without it";
                problems.push(problem(message, help.to_owned()));
            }
            Ok(instruction) => steps.push(Step { line, text: trigger.clone(), instruction }),
            Err((message, help)) => {
                problems
                    .push(problem(format!("`ONBUILD {trigger}` of the base image {base}: {message}"), help));
            }
        }
    }
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

fn read_trigger(trigger: &str) -> Result<Instruction, Said> {
    let whole = format!("ONBUILD {trigger}");
    let said = |problem: &Problem| (problem.message.clone(), problem.help.clone());
    let split = split(Path::new(""), whole.as_bytes())
        .map_err(|problems| problems.first().map(said).unwrap_or_default())?;
    let resolve = |name: &str| Ok(Origin::External(name.to_owned()));
    match split.lines.as_slice() {
        [line] => match read(line, '\\', &resolve)? {
            Read::Step(Instruction::Onbuild(onbuild)) => Ok(*onbuild.instruction),
            _ => Err(("it is no instruction".into(), "choose another base image".into())),
        },
        _ => Err(("it is not one instruction".into(), "choose another base image".into())),
    }
}

impl Instruction {
    /// Returns whether it needs files of the build context: heredocs and addresses are none.
    pub(crate) fn takes_from_context(&self) -> bool {
        match self {
            Self::Add(transfer) | Self::Copy(transfer) => {
                transfer.from == Origin::Context && transfer.sources.iter().any(|source| !is_address(source))
            }
            Self::Run(run) => run.mounts.iter().any(|mount| mount.from == Some(Origin::Context)),
            _ => false,
        }
    }

    /// Returns the heredocs.
    pub fn heredocs(&self) -> &[Heredoc] {
        match self {
            Self::Add(transfer) | Self::Copy(transfer) => &transfer.heredocs,
            Self::Run(run) => &run.heredocs,
            _ => &[],
        }
    }
}

/// Returns whether a source of `ADD` is fetched instead of read from the context.
pub fn is_address(source: &str) -> bool {
    ["http://", "https://", "git@", "git://", "ssh://"].iter().any(|start| source.starts_with(start))
}
