//! What no source may hold, and what only some crates may do.
//!
//! | Rule | Why |
//! |--|--|
//! | no `mod.rs`, no `util`, no glob re-export | a thing is found by its name |
//! | no `unsafe` outside [`AUDITED`] | one place to audit |
//! | no `#[ignore]`, `#[should_panic]`, sleeps in tests | a test says the same thing each time |
//! | no unfinished or debugging macros | what is there works |
//! | files, clock, environment, sockets and programs only in the crates that may | architecture, invariants 1 and 2 |
//! | no `get_`, no `Manager` and the like | a name says what a thing is |

use super::Finding;
use super::mask::Source;
use crate::workspace::SourceFile;

/// Files that may hold `unsafe`, each with its reason in the file. None so far.
const AUDITED: &[&str] = &[];

/// Endings that say nothing about a type.
const EMPTY_ENDINGS: &[&str] = &["Manager", "Helper", "Util", "Utils", "Data", "Info"];

/// Macros that only unfinished code calls.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];

/// A thing that only some crates may do: the code that does it, where it may stand, and what it is.
struct Reserved {
    code: &'static str,
    folders: &'static [&'static str],
    what: &'static str,
}

/// Architecture, section 5. Tests, and crates that only tests use, may do everything.
const RESERVED: &[Reserved] = &[
    Reserved {
        code: "Command::new(",
        folders: &[
            "crates/build/",
            "crates/sites/src/render",
            "crates/engine/src/checks",
            "crates/remote/",
            "crates/cli/src/bin/",
        ],
        what: "starts a program",
    },
    Reserved { code: "env::var", folders: &["crates/cli/"], what: "reads the environment" },
    Reserved { code: "env::args", folders: &["crates/cli/"], what: "reads the arguments of the process" },
];

/// What a pure crate may not touch.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant::now",
    "Timestamp::now(",
    "Zoned::now(",
];
/// The pure crates.
const PURE: &[&str] = &["crates/names/src/", "crates/rings/src/"];

/// Returns what must not be in a file.
pub(crate) fn check(file: &SourceFile, source: &Source) -> Vec<Finding> {
    let mut findings = check_path(file);
    for (line, code) in source.lines() {
        let is_test = is_test_file(&file.path) || source.is_test_line(line);
        for message in check_line(&file.path, &code, is_test) {
            findings.push(Finding::at(file, line, message));
        }
    }
    findings.extend(check_words(file, source));
    findings
}

/// Says whether a file holds nothing but tests.
fn is_test_file(path: &str) -> bool {
    path.contains("/tests/") || path.contains("/benches/") || path.ends_with("/tests.rs")
}

fn check_path(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    if file.path.ends_with("/mod.rs") {
        findings
            .push(Finding::about(&*file.path, "`mod.rs` is found by no name: call the file as its module"));
    }
    let parts = file.path.trim_end_matches(".rs").split('/');
    for part in parts.filter(|part| matches!(*part, "util" | "utils" | "helper" | "helpers" | "misc")) {
        let message = format!("`{part}` says nothing about what is inside: name the idea");
        findings.push(Finding::about(&*file.path, message));
    }
    findings
}

fn check_line(path: &str, code: &str, is_test: bool) -> Vec<String> {
    let squeezed: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let mut messages = Vec::new();
    if squeezed.starts_with("pub") && code.contains(" use ") && squeezed.contains("::*") {
        messages.push("a glob re-export hides what a module offers: list the names".to_owned());
    }
    for attribute in ["#[ignore", "#[should_panic"] {
        if squeezed.contains(attribute) {
            messages.push(format!("`{attribute}]` is not used here: say what the test expects"));
        }
    }
    if is_test && (squeezed.contains("thread::sleep(") || squeezed.contains("time::sleep(")) {
        messages.push("a test that sleeps is slow or flaky: wait for the event itself".to_owned());
    }
    if PURE.iter().any(|folder| path.starts_with(folder)) && !is_test {
        for thing in IMPURE.iter().filter(|thing| squeezed.contains(**thing)) {
            messages
                .push(format!("this crate is pure, it may not use `{thing}`: take the value as a parameter"));
        }
    }
    if path.starts_with("crates/")
        && !path.starts_with("crates/testkit/")
        && !is_test
        && !path.contains("/examples/")
    {
        for rule in RESERVED {
            let may = rule.folders.iter().any(|folder| path.starts_with(folder));
            if !may && squeezed.contains(rule.code) {
                messages.push(format!("this {}, which only {} may", rule.what, rule.folders.join(", ")));
            }
        }
    }
    messages
}

fn check_words(file: &SourceFile, source: &Source) -> Vec<Finding> {
    let words = source.words();
    let mut findings = Vec::new();
    for (index, (position, word)) in words.iter().enumerate() {
        let line = source.line_of(*position);
        let next = words.get(index + 1).map_or("", |(_, next)| next);
        let message = match &**word {
            "unsafe" if !AUDITED.contains(&&*file.path) && next != "_code" => {
                Some("`unsafe` outside the audited files".to_owned())
            }
            "fn" if next.starts_with("get_") => {
                Some(format!("`{next}`: a function that only reads has no `get_`"))
            }
            "struct" | "enum" | "trait" | "type" => EMPTY_ENDINGS
                .iter()
                .find(|ending| next.ends_with(**ending))
                .map(|ending| format!("`{next}`: `{ending}` says nothing about the type")),
            name if UNFINISHED.contains(&name) && source.is_macro_call(*position, name) => {
                Some(format!("`{name}!` is unfinished work"))
            }
            _ => None,
        };
        findings.extend(message.map(|message| Finding::at(file, line, message)));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: path.into(), text: text.into() };
        check(&file, &Source::of(text)).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn forbidden_code_is_found() {
        for text in [
            "pub use names::*;",
            "pub(crate) use names::*;",
            "fn a() { unsafe { b() } }",
            "#[ignore] fn a() {}",
            "#[ignore = \"slow\"] fn a() {}",
            "#[should_panic] fn a() {}",
            "fn a() { todo!() }",
            "fn a() { unimplemented ! () }",
            "fn a() { dbg!(1); }",
            "fn get_name() {}",
            "struct LayoutManager;",
            "fn a() { std::process::Command::new(\"git\"); }",
            "fn a() { std::env::var(\"CI\"); }",
            "#[cfg(test)]\nmod tests { fn a() { std::thread::sleep(b); } }",
        ] {
            assert_eq!(messages("crates/oci/src/lib.rs", text).len(), 1, "{text}");
        }
    }

    #[test]
    fn the_same_words_in_comments_strings_and_other_places_are_fine() {
        for text in [
            "// unsafe todo!() #[ignore]",
            "const A: &str = \"unsafe { dbg!() }\";",
            "use super::*;",
            "#![deny(unsafe_code)]",
            "fn a() { widget_of(1); }",
            "fn todo() {}",
            "#[cfg(test)]\nmod tests { fn a() { Command::new(\"git\"); } }",
        ] {
            assert_eq!(messages("crates/oci/src/lib.rs", text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn the_pure_crates_touch_neither_files_nor_the_clock() {
        assert_eq!(messages("crates/rings/src/plan.rs", "fn a() { std::fs::read(b); }").len(), 1);
        assert_eq!(messages("crates/names/src/lib.rs", "fn a() { SystemTime::now(); }").len(), 1);
        assert_eq!(messages("crates/images/src/lib.rs", "fn a() { std::fs::read(b); }").len(), 0);
    }

    #[test]
    fn folders_and_files_without_a_name_are_found() {
        assert_eq!(messages("crates/oci/src/store/mod.rs", "").len(), 1);
        assert_eq!(messages("crates/oci/src/util.rs", "").len(), 1);
        assert_eq!(messages("crates/oci/src/modules.rs", "").len(), 0);
    }
}
