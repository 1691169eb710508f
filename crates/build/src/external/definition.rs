//! The containerfile that a tool is given: the same instructions, with local names.

use std::collections::BTreeMap;

use ringsite_images::names::PREDEFINED_ARGUMENTS;
use ringsite_images::{Base, Instruction, Mount, Origin, Step};

/// The predefined arguments that no tool knows. The others, such as `TARGETARCH`, it sets itself.
const OWN_ARGUMENT: &str = "PROJECT";

/// One stage as it is written.
pub(super) struct WrittenStage<'s> {
    pub(super) index: usize,
    pub(super) line: u32,
    pub(super) base: &'s Base,
    /// The name of the image that it starts from.
    pub(super) image: Option<&'s str>,
    pub(super) platform: Option<&'s str>,
    pub(super) steps: &'s [Step],
}

/// What a containerfile is written from.
pub(super) struct Text<'t> {
    pub(super) escape: char,
    pub(super) globals: &'t BTreeMap<String, String>,
    /// The arguments that are given on the command line.
    pub(super) arguments: &'t BTreeMap<String, String>,
    pub(super) stages: Vec<WrittenStage<'t>>,
    /// The name of the image that an instruction takes files from.
    pub(super) name: &'t dyn Fn(&Origin) -> Option<String>,
}

impl Text<'_> {
    /// Returns the containerfile. Instructions stand in the lines where they were written, as far as
    /// there is room, so that what the tool says about a line is true.
    pub(super) fn write(&self) -> String {
        let mut lines = Lines::default();
        if self.escape != '\\' {
            lines.push(&format!("# escape={}", self.escape));
        }
        for (name, value) in self.globals {
            if PREDEFINED_ARGUMENTS.contains(&&**name) && name != OWN_ARGUMENT {
                continue;
            }
            match self.arguments.contains_key(name) {
                true => lines.push(&format!("ARG {name}")),
                false => lines.push(&format!("ARG {name}={}", quoted(value, self.escape))),
            }
        }
        for stage in &self.stages {
            lines.skip_to(stage.line);
            let platform =
                stage.platform.map(|platform| format!("--platform={platform} ")).unwrap_or_default();
            let base = match stage.base {
                Base::Stage(index) => stage_name(*index),
                _ => stage.image.unwrap_or("scratch").to_owned(),
            };
            lines.push(&format!("FROM {platform}{base} AS {}", stage_name(stage.index)));
            for step in stage.steps {
                lines.skip_to(step.line);
                self.step(step, &mut lines);
            }
        }
        lines.text
    }

    fn step(&self, step: &Step, lines: &mut Lines) {
        let heredocs = match &step.instruction {
            // Both are set in the configuration afterwards; triggers are written out where they count.
            Instruction::Healthcheck(_) | Instruction::Onbuild(_) => return,
            Instruction::Add(transfer) | Instruction::Copy(transfer) => &*transfer.heredocs,
            Instruction::Run(run) => &*run.heredocs,
            _ => &[],
        };
        lines.push(&self.renamed(step));
        for heredoc in heredocs {
            let content = heredoc.content.strip_suffix('\n').unwrap_or(&heredoc.content);
            if !heredoc.content.is_empty() {
                lines.push(content);
            }
            lines.push(&heredoc.name);
        }
    }

    /// Returns the text of a step with the names of stages and images replaced in its flags.
    fn renamed(&self, step: &Step) -> String {
        let mounts: &[Mount] = match &step.instruction {
            Instruction::Run(run) => &run.mounts,
            _ => &[],
        };
        let from = match &step.instruction {
            Instruction::Copy(transfer) => self.local(&transfer.from),
            _ => None,
        };
        let mut mounts = mounts.iter();
        let (keyword, mut rest) = word(&step.text);
        let mut text = keyword.to_owned();
        while rest.trim_start().starts_with("--") {
            let (flag, after) = word(rest.trim_start());
            rest = after;
            text.push(' ');
            if let (true, Some(name)) = (flag.starts_with("--from="), &from) {
                text.push_str(&format!("--from={name}"));
            } else if flag.starts_with("--mount=")
                && let Some(mount) = mounts.next()
                && let Some(name) = mount.from.as_ref().and_then(|from| self.local(from))
            {
                text.push_str(&mount_flag(mount, &name));
            } else {
                text.push_str(flag);
            }
        }
        text + rest
    }

    fn local(&self, origin: &Origin) -> Option<String> {
        match origin {
            Origin::Context => None,
            Origin::Stage(index) => Some(stage_name(*index)),
            Origin::Project(_) | Origin::External(_) => (self.name)(origin),
        }
    }
}

/// Returns the name of a stage; numbers would count stages that are not there.
fn stage_name(index: usize) -> String {
    format!("stage-{index}")
}

fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

fn mount_flag(mount: &Mount, name: &str) -> String {
    let options = mount.options.iter().map(|(key, value)| match (key.as_str(), value) {
        ("from", _) => format!("from={name}"),
        (key, Some(value)) => format!("{key}={value}"),
        (key, None) => key.to_owned(),
    });
    format!("--mount={}", options.collect::<Vec<_>>().join(","))
}

/// Returns a word that stands for exactly `value`.
fn quoted(value: &str, escape: char) -> String {
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut text = String::from('"');
    for character in value.chars() {
        if matches!(character, '"' | '$') || character == escape {
            text.push(escape);
        }
        text.push(character);
    }
    text.push('"');
    text
}

/// Lines, counted.
#[derive(Default)]
struct Lines {
    text: String,
    count: usize,
}

impl Lines {
    fn push(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        self.count += 1 + line.matches('\n').count();
    }

    /// Adds empty lines until the next one is `line`.
    fn skip_to(&mut self, line: u32) {
        let before = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        while self.count < before {
            self.push("");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ringsite_images::{Containerfile, Platform, ProjectNames, ReadRequest};
    use ringsite_names::{ImageName, ProjectName};

    use super::*;

    fn rewritten(file: &str, arguments: &[(&str, &str)]) -> String {
        let own = ImageName::new("api").expect("is a name");
        let names = ProjectNames {
            project: ProjectName::new("acme/shop").expect("is a name"),
            registry: None,
            images: [ImageName::new("base").expect("is a name"), own.clone()].into(),
            rings: [].into(),
        };
        let arguments: BTreeMap<_, _> =
            arguments.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = ReadRequest {
            path: Path::new("Containerfile"),
            bytes: file.as_bytes(),
            names: &names,
            image: &own,
            arguments: &arguments,
            platform: &Platform::default(),
        };
        let file = Containerfile::read(&request).expect("is a containerfile");
        let target = file.stages.last().expect("has a stage").index;
        let stages = file.needed(target).into_iter().map(|index| {
            let stage = &file.stages[index];
            let image = (!matches!(stage.base, Base::Scratch | Base::Stage(_))).then_some("IMAGE");
            WrittenStage {
                index,
                line: stage.line,
                base: &stage.base,
                image,
                platform: stage.base_platform.as_deref(),
                steps: &stage.steps,
            }
        });
        let text = Text {
            escape: file.escape,
            globals: &file.globals,
            arguments: &arguments,
            stages: stages.collect(),
            name: &|origin| match origin {
                Origin::Project(image) => Some(format!("local-{image}")),
                _ => Some("local-other".to_owned()),
            },
        };
        text.write()
    }

    #[test]
    fn names_are_replaced_and_lines_stay_where_they_were() {
        let file = "# a comment\nFROM base AS one\nRUN a \\\n  b\n\nFROM quay.io/x/y:1 AS unused\nRUN no\n\
                    FROM --platform=linux/amd64 redis:7\nHEALTHCHECK CMD true\nONBUILD RUN x\n\
                    COPY --from=one --chown=1:2 /a /b\nCOPY --from=0 [\"/a b\", \"/c\"]\nCOPY --from=base /d /e\n\
                    RUN --mount=type=bind,from=one,source=/,target=/m --network=none \\\n  \
                    --mount=type=cache,target=/c echo \"--from=one\"\nCOPY . /x\n";
        let expected = "\nFROM IMAGE AS stage-0\nRUN a   b\n\n\n\n\n\
                        FROM --platform=linux/amd64 IMAGE AS stage-2\n\n\n\
                        COPY --from=stage-0 --chown=1:2 /a /b\nCOPY --from=stage-0 [\"/a b\", \"/c\"]\n\
                        COPY --from=local-base /d /e\n\
                        RUN --mount=type=bind,from=stage-0,source=/,target=/m --network=none \
                        --mount=type=cache,target=/c echo \"--from=one\"\n\nCOPY . /x\n";
        let found: Vec<_> = rewritten(file, &[]).lines().map(str::to_owned).collect();
        let without = |line: &str| !line.starts_with("ARG PROJECT");
        let found: Vec<_> = found.iter().map(String::as_str).filter(|line| without(line)).collect();
        assert_eq!(found.join("\n"), expected.trim_start_matches('\n').trim_end());
    }

    #[test]
    fn heredocs_arguments_and_the_escape_character_are_kept() {
        let file = "# syntax=docker/dockerfile:1\n# escape=`\nARG A=\"it's`$x\"\nARG B=1\nARG C\nFROM scratch\n\
                    ARG A\nRUN <<-EOF\n\techo $A\nEOF\nCOPY <<X <<Y /d/\n1\nX\nY\nRUN x\n";
        let text = rewritten(file, &[("B", "two\nlines")]);
        for line in ["# escape=`", "ARG A=\"it's`$x\"", "ARG B", "FROM scratch AS stage-0", "ARG A"] {
            assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
        }
        assert!(text.starts_with("# escape=`\n"), "{text}");
        assert!(text.contains("RUN <<-EOF\necho $A\nEOF\n"), "{text}");
        assert!(text.contains("COPY <<X <<Y /d/\n1\nX\nY\nRUN x\n"), "{text}");
    }
}
