//! Every form of a containerfile that is understood, and what is refused, with its line.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use ringsite_images::{
    Base, Command, Containerfile, Healthcheck, Instruction, MountKind, Origin, Platform, Problem,
    ProjectNames, ReadRequest, Run, Transfer, read_triggers,
};
use ringsite_names::{ImageName, ProjectName, RingName};

fn names() -> ProjectNames {
    ProjectNames {
        project: ProjectName::new("acme/shop").unwrap(),
        registry: Some("localhost:5000".to_owned()),
        images: ["base", "api", "tools"].iter().map(|name| ImageName::new(name).unwrap()).collect(),
        rings: [RingName::new("developers").unwrap()].into(),
    }
}

fn try_read(bytes: &[u8]) -> Result<Containerfile, Vec<Problem>> {
    Containerfile::read(&ReadRequest {
        path: Path::new("Containerfile"),
        bytes,
        names: &names(),
        image: &ImageName::new("api").unwrap(),
        arguments: &BTreeMap::from([("GIVEN".to_owned(), "given".to_owned())]),
        platform: &"linux/arm/v7".parse::<Platform>().unwrap(),
    })
}

fn read(text: &str) -> Containerfile {
    try_read(text.as_bytes()).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

fn image(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

/// The instructions of the only stage.
fn steps(text: &str) -> Vec<Instruction> {
    let file = read(&format!("FROM scratch\n{text}"));
    file.stages[0].steps.iter().map(|step| step.instruction.clone()).collect()
}

fn copy(text: &str) -> Transfer {
    match steps(text).pop() {
        Some(Instruction::Copy(transfer) | Instruction::Add(transfer)) => transfer,
        other => panic!("{text} is {other:?}"),
    }
}

fn run(text: &str) -> Run {
    match steps(text).pop() {
        Some(Instruction::Run(run)) => run,
        other => panic!("{text} is {other:?}"),
    }
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn the_base_of_a_stage_is_scratch_a_stage_an_image_of_the_project_or_external() {
    let file = read(
        "ARG TAG=7\nARG REGISTRY=ignored\nARG ARCH=$TARGETARCH\n\
         FROM scratch AS Empty\nFROM empty\nFROM ${REGISTRY}/${PROJECT}/base:${RING}\nFROM redis:$TAG AS redis\n\
         from redis as again\nFROM base:1.0\nFROM --platform=$TARGETPLATFORM tool-${ARCH}:${GIVEN:-none}\nFROM tools\n",
    );
    let bases: Vec<_> = file.stages.iter().map(|stage| stage.base.clone()).collect();
    let expected = [
        Base::Scratch,
        Base::Stage(0),
        Base::Project(image("base")),
        Base::External("redis:7".into()),
        Base::Stage(3),
        Base::External("base:1.0".into()),
        Base::External("tool-arm:none".into()),
        Base::Project(image("tools")),
    ];
    assert_eq!(bases, expected);
    assert_eq!(file.stages[0].name.as_deref(), Some("empty"));
    assert_eq!(file.stages[6].base_platform.as_deref(), Some("linux/arm/v7"));
    assert_eq!(file.stages[4].line, 8);
}

#[test]
fn a_global_argument_that_the_project_file_gives_counts_more_than_its_default() {
    let file = read("ARG GIVEN=default\nARG OTHER=x-$GIVEN\nFROM redis:$OTHER\n");
    assert_eq!(file.stages[0].base, Base::External("redis:x-given".into()));
    assert_eq!(file.globals["OTHER"], "x-given");
    assert!(!file.globals.contains_key("RING"));
}

#[test]
fn directives_stand_at_the_top_and_change_the_escape_character() {
    let file = read(
        "# syntax=docker/dockerfile:1\n#escape = `\nFROM scratch\nCOPY a `\n  b `\n# between\n\n  C:\\dir\\\n",
    );
    assert_eq!(file.syntax.as_deref(), Some("docker/dockerfile:1"));
    assert_eq!(file.escape, '`');
    let Instruction::Copy(transfer) = &file.stages[0].steps[0].instruction else { panic!("is a COPY") };
    assert_eq!(transfer.sources, ["a", "b"]);
    assert_eq!(transfer.destination, "C:\\dir\\");
    assert_eq!(file.stages[0].steps[0].line, 4);
    let late = read("# a comment\n# escape=`\nFROM scratch\nUSER a\\\nb\n");
    assert_eq!(late.escape, '\\');
    assert_eq!(late.stages[0].steps[0].instruction, Instruction::User("ab".into()));
}

#[test]
fn lines_go_on_over_comments_and_empty_lines_and_keep_their_number() {
    let text = "\u{feff}\r\n  FROM scratch\r\n\r\n# one\r\nRUN a \\\r\n   # two\r\n\r\n  && b \\  \r\n  && c\r\nUSER x\r\n";
    let file = read(text);
    let steps = &file.stages[0].steps;
    assert_eq!(steps[0].line, 5);
    assert_eq!(steps[0].text, "RUN a   && b   && c");
    assert_eq!((steps[1].line, &*steps[1].text), (10, "USER x"));
}

#[test]
fn copy_has_flags_lists_and_several_sources() {
    let transfer =
        copy("COPY --chown=1:$G --chmod=0755 --link --parents=true --exclude=*.md --exclude=b a $x/y /to/\n");
    assert_eq!(transfer.sources, ["a", "$x/y"]);
    assert_eq!(transfer.destination, "/to/");
    assert_eq!(transfer.chown.as_deref(), Some("1:$G"));
    assert_eq!(transfer.chmod.as_deref(), Some("0755"));
    assert!(transfer.link && transfer.parents);
    assert_eq!(transfer.exclude, ["*.md", "b"]);
    assert_eq!(transfer.from, Origin::Context);
    let list = copy("COPY [\"a b\", \"c\\u0041\", \"/to\"]\n");
    assert_eq!(list.sources, ["a b", "cA"]);
    assert!(!copy("COPY --link=false a b\n").link);
    assert_eq!(copy("COPY --chown=\"a:b\" a b\n").chown.as_deref(), Some("a:b"));
}

#[test]
fn copy_takes_from_stages_images_of_the_project_and_external_images() {
    let file = read(
        "FROM scratch AS Build\nFROM scratch AS tools\nFROM scratch\n\
         COPY --from=build a /\nCOPY --from=1 a /\nCOPY --from=TOOLS a /\nCOPY --from=base a /\n\
         COPY --from=acme/shop/base:developers a /\nCOPY --from=busybox:1 a /\n",
    );
    let origins: Vec<_> =
        file.stages[2].steps.iter().flat_map(|step| step.instruction.origins().cloned()).collect();
    let expected = [
        Origin::Stage(0),
        Origin::Stage(1),
        Origin::Stage(1),
        Origin::Project(image("base")),
        Origin::Project(image("base")),
        Origin::External("busybox:1".into()),
    ];
    assert_eq!(origins, expected);
}

#[test]
fn heredocs_are_files_with_their_own_text() {
    let transfer = copy("COPY <<EOF <<-'raw' plain /to/\nline $x\n  EOF\nEOF\n\t\ta\n\tb\n\traw\n");
    assert_eq!(transfer.sources, ["plain"]);
    let heredocs: Vec<_> =
        transfer.heredocs.iter().map(|one| (&*one.name, &*one.content, one.expand, one.line)).collect();
    assert_eq!(heredocs, [("EOF", "line $x\n  EOF\n", true, 3), ("raw", "a\nb\n", false, 6)]);
}

#[test]
fn heredocs_may_stand_anywhere_in_a_command() {
    let first = run("RUN <<EOF\nset -e\n# no comment\nFROM nothing\nEOF\n");
    assert_eq!(first.command, Command::Shell("<<EOF".into()));
    assert_eq!(first.heredocs[0].content, "set -e\n# no comment\nFROM nothing\n");
    let inside = run("RUN cat <<ONE 3<<\"TWO\" > /out \\\n && echo $((1<<2)) <<<here\n1\nONE\n2\nTWO\n");
    assert_eq!(
        inside.command,
        Command::Shell("cat <<ONE 3<<\"TWO\" > /out  && echo $((1<<2)) <<<here".into())
    );
    let names: Vec<_> = inside.heredocs.iter().map(|one| (&*one.name, one.expand)).collect();
    assert_eq!(names, [("ONE", true), ("TWO", false)]);
    assert!(run("RUN [\"cat\", \"<<EOF\"]\n").heredocs.is_empty());
    assert!(run("RUN echo '<<EOF'\n").heredocs.is_empty());
}

#[test]
fn run_has_mounts_network_and_security() {
    let run =
        run("RUN --mount=type=bind,from=base,source=/a,target=/b,rw --mount=target=/src --network=none \
         --mount=type=cache,id=x,dst=/c --mount=type=secret,id=key --security=insecure make\n");
    let mounts: Vec<_> = run.mounts.iter().map(|mount| (mount.kind, mount.from.clone())).collect();
    let expected = [
        (MountKind::Bind, Some(Origin::Project(image("base")))),
        (MountKind::Bind, Some(Origin::Context)),
        (MountKind::Cache, None),
        (MountKind::Secret, None),
    ];
    assert_eq!(mounts, expected);
    assert_eq!(run.mounts[0].source.as_deref(), Some("/a"));
    assert_eq!(run.mounts[2].target.as_deref(), Some("/c"));
    assert_eq!(run.mounts[0].options.last(), Some(&("rw".to_owned(), None)));
    assert_eq!((run.network.as_deref(), run.security.as_deref()), (Some("none"), Some("insecure")));
    assert_eq!(run.command, Command::Shell("make".into()));
}

#[test]
fn every_other_instruction_is_read_with_its_raw_words() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let cases = [
        (
            "ENV a=1 b=\"x y\" c='$d'",
            Instruction::Env(vec![pair("a", "1"), pair("b", "\"x y\""), pair("c", "'$d'")]),
        ),
        ("ENV a the rest", Instruction::Env(vec![pair("a", "the rest")])),
        ("LABEL \"a.b\"=c", Instruction::Label(vec![pair("\"a.b\"", "c")])),
        ("ARG a b=c", Instruction::Arg(vec![("a".into(), None), ("b".into(), Some("c".into()))])),
        ("WORKDIR /a b", Instruction::Workdir("/a b".into())),
        ("USER 1:2", Instruction::User("1:2".into())),
        ("EXPOSE 80 443/tcp $P", Instruction::Expose(strings(&["80", "443/tcp", "$P"]))),
        ("ENTRYPOINT [\"/a\", \"b\"]", Instruction::Entrypoint(Command::Exec(strings(&["/a", "b"])))),
        ("ENTRYPOINT /a $b", Instruction::Entrypoint(Command::Shell("/a $b".into()))),
        ("CMD []", Instruction::Cmd(Command::Exec(Vec::new()))),
        (
            "RUN [ -f x ]",
            Instruction::Run(Run {
                command: Command::Shell("[ -f x ]".into()),
                heredocs: Vec::new(),
                mounts: Vec::new(),
                network: None,
                security: None,
            }),
        ),
        ("VOLUME /a /b", Instruction::Volume(strings(&["/a", "/b"]))),
        ("VOLUME [\"/a b\"]", Instruction::Volume(strings(&["/a b"]))),
        ("STOPSIGNAL SIGINT", Instruction::Stopsignal("SIGINT".into())),
        ("SHELL [\"/bin/sh\", \"-ec\"]", Instruction::Shell(strings(&["/bin/sh", "-ec"]))),
        ("MAINTAINER a b", Instruction::Maintainer("a b".into())),
        ("HEALTHCHECK NONE", Instruction::Healthcheck(Healthcheck::None)),
        (
            "HEALTHCHECK --interval=1m30s --retries=3 CMD [\"x\"]",
            Instruction::Healthcheck(Healthcheck::Command {
                command: Command::Exec(strings(&["x"])),
                interval: Some(Duration::from_secs(90)),
                timeout: None,
                start_period: None,
                start_interval: None,
                retries: Some(3),
            }),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(steps(&format!("{text}\n")), [expected], "{text}");
        assert_eq!(steps(&text.replacen(' ', "\\\n  ", 1)).len(), 1, "{text} over two lines");
    }
}

#[test]
fn a_trigger_keeps_its_text_for_the_configuration() {
    let steps = steps("ONBUILD  COPY  a   /b\nonbuild run x\n");
    let texts: Vec<_> = steps
        .iter()
        .map(|step| match step {
            Instruction::Onbuild(onbuild) => onbuild.text.as_str(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, ["COPY  a   /b", "run x"]);
}

#[test]
fn only_the_stages_that_the_target_reaches_are_needed() {
    let file = read(
        "FROM redis AS a\nFROM base AS b\nCOPY --from=a x /\nFROM scratch AS c\nRUN --mount=from=tools,target=/t x\n\
         FROM scratch AS d\nRUN --mount=type=bind,from=b,target=/b x\nFROM d AS e\n",
    );
    assert_eq!(file.needed(4), [0, 1, 3, 4]);
    assert_eq!(file.needed(0), [0]);
    assert_eq!(file.dependencies(&file.needed(4)), [image("base")].into());
    assert_eq!(file.dependencies(&[2]), [image("tools")].into());
    assert_eq!(file.externals(&file.needed(4)), BTreeMap::from([("redis".to_owned(), 1)]));
    for (target, index) in [(None, 4), (Some("c"), 2), (Some("D"), 3), (Some("1"), 1)] {
        assert_eq!(file.target(target).unwrap().index, index, "{target:?}");
    }
    let problem = file.target(Some("x")).expect_err("is no stage");
    assert!(problem.help.contains("a, b, c, d, e"), "{problem}");
}

/// Text, line, and words of the message.
const REFUSED: &[(&str, u32, &str)] = &[
    ("FROM scratch\nCOPPY a b\n", 2, "`COPPY` is no instruction"),
    ("FROM scratch\nEOF\n", 2, "`EOF` is no instruction"),
    ("COPY a b\n", 1, "only ARG may stand before"),
    ("FROM scratch\nCOPY a\n", 2, "at least two"),
    ("FROM scratch\nCOPY --form=x a b\n", 2, "`--form` is no flag of COPY"),
    ("FROM scratch\nCOPY --chown a b\n", 2, "no value"),
    ("FROM scratch\nCOPY --chown=1 --chown=2 a b\n", 2, "stands twice"),
    ("FROM scratch\nCOPY --link=yes a b\n", 2, "neither on nor off"),
    ("FROM scratch\nCOPY --chown=\"a b\" c d\n", 2, "quote"),
    ("FROM scratch\nCOPY -- a b\n", 2, "no flag of COPY"),
    ("FROM scratch\nCOPY --from=$x a b\n", 2, "not expanded here"),
    ("FROM scratch\nCOPY --from=scratch a b\n", 2, "scratch"),
    ("FROM scratch\nCOPY --from=0 a b\n", 2, "no stage 0"),
    ("FROM scratch\nCOPY --from=next a b\nFROM scratch AS next\n", 2, "begins in line 3"),
    ("FROM scratch AS own\nCOPY --from=own a b\n", 2, "begins in line 1"),
    ("FROM scratch\nCOPY --from=Upper/case a b\n", 2, "no reference"),
    ("FROM scratch\nCOPY [\"a\", 'b'] c\n", 2, "no JSON"),
    ("FROM scratch\nCMD [\"a\", 'b']\n", 2, "no JSON"),
    ("FROM scratch\nCOPY ${a b c\n", 2, "cannot be expanded"),
    ("FROM scratch\nCOPY \"a b\n", 2, "cannot be expanded"),
    ("FROM scratch\nCOPY ${a:=b} c\n", 2, "no form of a variable"),
    ("FROM scratch\nCOPY a <<EOF\nx\nEOF\n", 2, "no destination"),
    ("FROM scratch\nCOPY <<EOF b\nx\n", 2, "does not end"),
    ("FROM scratch\nRUN <<''\nx\n\n", 2, "without a name"),
    ("FROM scratch AS a\nFROM scratch\nCOPY --from=a <<E /x\nE\n", 3, "heredoc cannot come from"),
    ("FROM scratch\nCOPY https://a/b /\n", 2, "COPY cannot fetch"),
    ("FROM scratch\nADD https://a/b /\n", 2, "needs --checksum"),
    ("FROM scratch\nADD --checksum=sha256:0 a /\n", 2, "for addresses only"),
    ("FROM scratch\nADD https://a/b.git#v1 /\n", 2, "not reproducible"),
    ("FROM scratch\nADD git@a:b /\n", 2, "not reproducible"),
    ("FROM scratch\nADD --checksum=sha256:0 https://a/b https://a/c /\n", 2, "exactly one source"),
    ("FROM scratch\nRUN --mount=type=bing x\n", 2, "no type of --mount"),
    ("FROM scratch\nRUN --mount=type=bind,sorce=a x\n", 2, "no option of --mount"),
    ("FROM scratch\nRUN --mount=type=tmpfs,from=base x\n", 2, "bind and cache"),
    ("FROM scratch\nRUN --network=some x\n", 2, "not understood"),
    ("FROM scratch\nRUN --device=x y\n", 2, "no flag of RUN"),
    ("FROM scratch\nARG RING\n", 2, "RING cannot be used inside a stage"),
    ("FROM scratch\nENV a=${REGISTRY}\n", 2, "REGISTRY cannot be used inside a stage"),
    ("FROM scratch\nCOPY a-${RING:-x} b\n", 2, "RING cannot be used inside a stage"),
    ("FROM scratch\nONBUILD COPY $RING b\n", 2, "RING cannot be used"),
    ("FROM scratch\nENV a=1 b\n", 2, "no `=`"),
    ("FROM scratch\nENV a\n", 2, "has no value"),
    ("FROM scratch\nARG 1a\n", 2, "cannot name an argument"),
    ("FROM scratch\nSHELL /bin/sh\n", 2, "JSON"),
    ("FROM scratch\nHEALTHCHECK --interval=5 CMD x\n", 2, "no duration"),
    ("FROM scratch\nHEALTHCHECK --retries=x CMD x\n", 2, "no number"),
    ("FROM scratch\nHEALTHCHECK --retries=1 NONE\n", 2, "no flags"),
    ("FROM scratch\nHEALTHCHECK RUN x\n", 2, "CMD or NONE"),
    ("FROM scratch\nONBUILD FROM x\n", 2, "ONBUILD"),
    ("FROM scratch\nONBUILD ONBUILD RUN x\n", 2, "ONBUILD"),
    ("FROM scratch\nONBUILD COPY <<E b\nE\n", 2, "heredoc"),
    ("FROM scratch\nONBUILD COPY --from=base a b\n", 2, "ONBUILD takes files from"),
    ("FROM redis:$NOPE\n", 1, "`NOPE` has no value"),
    ("ARG A\nFROM redis:$A\n", 2, "`A` has no value"),
    ("ARG A=$B\nFROM scratch\n", 1, "`B` has no value"),
    ("FROM ${X:-}\n", 1, "empty"),
    ("FROM redis:${RING}\n", 1, "asks for a ring"),
    ("FROM Upper\n", 1, "no reference"),
    ("FROM a b\n", 1, "AS"),
    ("FROM --platform=x a\n", 1, "no platform"),
    ("FROM a AS 1a\n", 1, "cannot name a stage"),
    ("FROM a AS b\nFROM a AS B\n", 2, "two stages"),
    ("# escape=x\nFROM a\n", 1, "escape character"),
    ("# escape=\\\n# escape=`\nFROM a\n", 2, "stands twice"),
    ("FROM scratch\nRUN echo \\\\\nUSER a\n", 2, "builders read differently"),
    ("ARG A=1\n", 0, "has no FROM"),
    ("", 0, "no instruction"),
    ("# only\n\n", 0, "no instruction"),
    ("FROM scratch\nRUN\n", 2, "no command"),
    ("FROM scratch\nUSER \n", 2, "exactly one"),
];

#[test]
fn what_is_not_understood_is_refused_with_line_and_remedy() {
    for (text, line, words) in REFUSED {
        let problems = try_read(text.as_bytes()).expect_err(text);
        let first = &problems[0];
        assert!(first.message.contains(words), "{text:?}: {first}");
        assert_eq!(first.line.unwrap_or(0), *line, "{text:?}: {first}");
        assert!(!first.help.is_empty(), "{text:?}: {first}");
    }
}

#[test]
fn all_problems_of_a_file_are_told_at_once() {
    let problems =
        try_read(b"FROM redis:$A\nCOPPY a b\nCOPY --x a b\nRUN x\nENV $\n").expect_err("is full of mistakes");
    let lines: Vec<_> = problems.iter().map(|problem| problem.line.unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 5]);
}

#[test]
fn a_file_that_is_no_text_or_too_large_is_refused() {
    let large = b"#\n".repeat(600_000);
    let cases: [(&[u8], &str, Option<u32>); 4] = [
        (b"FROM a\n\x7fELF\x00\x01", "control character", Some(2)),
        (b"FROM a\n\n\xff\xfe", "not UTF-8", Some(3)),
        (&[0; 10], "control character", Some(1)),
        (&large, "larger than", None),
    ];
    for (bytes, words, line) in cases {
        let problems = try_read(bytes).expect_err(words);
        assert!(problems[0].message.contains(words), "{}", problems[0]);
        assert_eq!(problems[0].line, line);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused_with_a_line_and_never_panics(
        pieces in proptest::collection::vec(0..PIECES.len(), 0..40),
    ) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        if let Err(problems) = try_read(text.as_bytes()) {
            let lines = u32::try_from(text.lines().count()).unwrap();
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| problem.line.unwrap_or(0) <= lines), "{text:?}");
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = try_read(&bytes);
    }
}

/// What containerfiles are made of, to be put together in any way.
const PIECES: &[&str] = &[
    "FROM ",
    "scratch",
    " AS ",
    "a",
    "b",
    "\n",
    "\n",
    "\n",
    " ",
    "COPY ",
    "--from=",
    "--link",
    "RUN ",
    "--mount=",
    "type=bind",
    ",",
    "=",
    "<<",
    "-",
    "EOF",
    "'",
    "\"",
    "\\",
    "\\\n",
    "#",
    "$",
    "{",
    "}",
    ":-",
    "[",
    "]",
    "ENV ",
    "ARG ",
    "LABEL ",
    "ONBUILD ",
    "HEALTHCHECK ",
    "CMD ",
    "SHELL ",
    "ADD ",
    "# escape=`\n",
    "`",
    "\r\n",
    "\t",
    "é",
    "0",
    "/",
    "*",
    "USER ",
];

#[test]
fn triggers_of_an_external_base_are_read_unless_they_need_the_build_context() {
    let read = |triggers: &[&str]| {
        let triggers: Vec<_> = triggers.iter().map(|text| (*text).to_owned()).collect();
        read_triggers(Path::new("Containerfile"), 3, "redis:7", &triggers)
    };
    let steps = read(&["RUN make", "ENV a=b", "ADD --checksum=sha256:0 https://a/b /"]).unwrap();
    assert_eq!((steps.len(), steps[0].line, &*steps[0].text), (3, 3, "RUN make"));
    let problems = read(&["COPY . /app", "RUN x", "RUN --mount=target=/x y", "NOPE", "USER a\nUSER b"])
        .expect_err("four are bad");
    let words = [
        "copies from the build context",
        "copies from the build context",
        "no instruction",
        "not one instruction",
    ];
    assert_eq!(problems.len(), words.len(), "{problems:#?}");
    for (problem, words) in problems.iter().zip(words) {
        assert!(problem.message.contains(words) && problem.message.contains("redis:7"), "{problem}");
        assert_eq!(problem.line, Some(3));
    }
}
