//! A second reader of containerfiles: where `dockerfile-parser` can read a file, both must agree on
//! stages, instructions and sources. Where they do not, the table says so, and why ours is right.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dockerfile_parser::{Dockerfile, Instruction as Theirs};
use proptest::prelude::*;
use ringsite_images::{Base, Containerfile, Instruction, Platform, ProjectNames, ReadRequest};
use ringsite_names::{ImageName, ProjectName};

/// What both can say about a stage: its base, its name, and its instructions.
type Summary = Vec<(String, Option<String>, Vec<Line>)>;

/// The keyword; for `COPY` also the words, sources first.
type Line = (String, Option<Vec<String>>);

fn ours(text: &str) -> Result<Summary, String> {
    let names = ProjectNames {
        project: ProjectName::new("p").unwrap(),
        registry: None,
        images: BTreeSet::new(),
        rings: BTreeSet::new(),
    };
    let read = Containerfile::read(&ReadRequest {
        path: Path::new("Containerfile"),
        bytes: text.as_bytes(),
        names: &names,
        image: &ImageName::new("own").unwrap(),
        arguments: &BTreeMap::new(),
        platform: &Platform::default(),
    });
    let file = read.map_err(|problems| problems[0].to_string())?;
    let stages = file.stages.iter().map(|stage| {
        let base = match &stage.base {
            Base::Scratch => "scratch".to_owned(),
            Base::External(name) => name.clone(),
            Base::Stage(index) => file.stages[*index].name.clone().unwrap(),
            Base::Project(name) => panic!("the project has no image {name}"),
        };
        let lines = stage.steps.iter().map(|step| {
            let keyword = step.text.split_whitespace().next().unwrap().to_ascii_uppercase();
            let words = match &step.instruction {
                Instruction::Copy(transfer) => {
                    Some(transfer.sources.iter().cloned().chain([transfer.destination.clone()]).collect())
                }
                _ => None,
            };
            (keyword, words)
        });
        (base, stage.name.clone(), lines.collect())
    });
    Ok(stages.collect())
}

fn theirs(text: &str) -> Result<Summary, String> {
    let file = Dockerfile::parse(text).map_err(|error| error.to_string())?;
    let mut stages: Summary = Vec::new();
    for instruction in &file.instructions {
        let line = match instruction {
            Theirs::From(from) => {
                let name = from.alias.as_ref().map(|name| name.content.to_ascii_lowercase());
                stages.push((from.image.content.clone(), name, Vec::new()));
                continue;
            }
            Theirs::Copy(copy) => {
                let words = copy.sources.iter().chain([&copy.destination]).map(|word| word.content.clone());
                ("COPY".to_owned(), Some(words.collect()))
            }
            Theirs::Arg(_) => ("ARG".to_owned(), None),
            Theirs::Label(_) => ("LABEL".to_owned(), None),
            Theirs::Run(_) => ("RUN".to_owned(), None),
            Theirs::Entrypoint(_) => ("ENTRYPOINT".to_owned(), None),
            Theirs::Cmd(_) => ("CMD".to_owned(), None),
            Theirs::Env(_) => ("ENV".to_owned(), None),
            Theirs::Misc(misc) => (misc.instruction.content.to_ascii_uppercase(), None),
        };
        if let Some(stage) = stages.last_mut() {
            stage.2.push(line);
        }
    }
    Ok(stages)
}

/// Lines that both understand.
const LINES: &[&str] = &[
    "FROM scratch",
    "FROM redis:7 AS cache",
    "from docker.io/library/nginx:1.27",
    "FROM --platform=linux/amd64 busybox",
    "COPY a /b",
    "COPY a b c /dir/",
    "COPY   a\tb   /c  ",
    "COPY --chown=1:2 a /b",
    "COPY --from=other:1 /a /b",
    "COPY \\\n  a \\\n  # a comment\n  b \\\n  /c",
    "copy a.txt dir/*.md /to",
    "RUN make && \\\n    make install",
    "RUN [\"make\", \"all\"]",
    "RUN --mount=type=cache,target=/x make",
    "RUN echo \"a b\" 'c' $D # no comment",
    "ENV a=1 b=\"x y\"",
    "ENV a the rest",
    "ENV \\\n  a=1 \\\n  b=2",
    "LABEL a=b \"c.d\"=\"e f\"",
    "ARG v=1",
    "ARG w",
    "ENTRYPOINT [\"/a\", \"-b\"]",
    "ENTRYPOINT /a -b",
    "CMD [\"x\"]",
    "CMD x y",
    "WORKDIR /app",
    "USER 1000:1000",
    "EXPOSE 80 443/tcp",
    "VOLUME /data",
    "STOPSIGNAL SIGTERM",
    "SHELL [\"/bin/sh\", \"-c\"]",
    "HEALTHCHECK --interval=5s CMD true",
    "ONBUILD RUN x",
    "MAINTAINER somebody",
    "ADD a.tar /b",
    "# a comment",
    "",
    "   ",
];

fn containerfile() -> impl Strategy<Value = String> {
    let lines = proptest::collection::vec(0..LINES.len(), 0..12);
    (any::<bool>(), lines, any::<bool>()).prop_map(|(has_argument, lines, ends)| {
        // Every stage may have one name only once.
        let mut seen = BTreeSet::new();
        let lines = lines.into_iter().filter(|&line| !LINES[line].contains(" AS ") || seen.insert(line));
        let head = if has_argument { "ARG global=1\nFROM scratch" } else { "FROM scratch" };
        let mut text = [head].into_iter().chain(lines.map(|line| LINES[line])).collect::<Vec<_>>().join("\n");
        text.push_str(if ends { "\n" } else { "" });
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_readers_see_the_same_stages_instructions_and_sources(text in containerfile()) {
        let ours = ours(&text);
        prop_assert!(ours.is_ok(), "{text}\n{ours:?}");
        if let Ok(theirs) = theirs(&text) {
            prop_assert_eq!(ours.unwrap(), theirs, "{}", text);
        }
    }
}

#[test]
fn the_second_reader_reads_every_line_of_the_table() {
    for line in LINES {
        let text = format!("FROM scratch\n{line}\n");
        let theirs = theirs(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        assert_eq!(ours(&text).unwrap(), theirs, "{text}");
    }
}

/// A file, and why ours is right although the second reader reads it otherwise.
const DISAGREEMENTS: &[(&str, &str)] = &[
    ("FROM scratch\nCOPY --link a /b\n", "a flag may stand without a value; `--link` is no source"),
    (
        "# escape=`\nFROM scratch\nCOPY a C:\\\nUSER x\n",
        "the directive takes the meaning of the backslash away",
    ),
    ("FROM scratch\nCOPY \"a\" /b\n", "quotes are taken off when variables are expanded, not before"),
    ("FROM scratch\nCOPPY a b\n", "an unknown instruction is a mistake, which Docker refuses, too"),
    (
        "FROM scratch\nENTRYPOINT [\"a\",]\n",
        "it is no JSON: Docker would hand it to the shell, and nobody means that",
    ),
];

/// A file that ours reads and the second reader does not, and why ours is right.
const OURS_ONLY: &[(&str, &str)] = &[
    ("FROM scratch\nRUN a \\\n\\\n  b\n", "a continued line may hold nothing but the escape character"),
    ("FROM scratch\nRUN a \\\n\n  b\n", "Docker drops empty lines between continued ones, with a warning"),
    ("FROM scratch\nCOPY a b \\\n", "the last line may be continued by nothing"),
    ("FROM scratch\nRUN <<EOF\nUSER x\nEOF\n", "heredocs are part of the syntax since 1.4"),
    ("FROM scratch\nCOPY <<EOF /x\nUSER x\nEOF\n", "heredocs are part of the syntax since 1.4"),
    ("FROM scratch\nCOPY [\"a b\", \"/c\"]\n", "COPY may have the form of a list"),
    ("# escape=`\nFROM scratch\nCOPY a `\n b\n", "the escape directive"),
    ("FROM scratch\nARG a=1 b=2\n", "ARG may have several names"),
    ("FROM scratch\nENV a=1 b=\n", "a value may be empty"),
    ("FROM scratch\nEXPOSE\\\n 80\n", "the keyword itself may be continued"),
    ("\u{feff}FROM scratch\nCOPY a b\n", "a byte order mark is no part of the first instruction"),
];

#[test]
fn every_known_disagreement_is_one() {
    for (text, reason) in DISAGREEMENTS {
        assert_ne!(ours(text).ok(), Some(theirs(text).unwrap()), "{text:?}: {reason}");
    }
    for (text, reason) in OURS_ONLY {
        assert!(ours(text).is_ok(), "{text:?}: {reason}");
        assert!(theirs(text).is_err(), "{text:?}: {reason}");
    }
}
