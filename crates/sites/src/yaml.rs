//! Reads and writes YAML: several documents, small budgets, and strings that stay strings.
//!
//! Kubernetes, Flux and Argo CD read YAML by the rules of 1.1, where `yes`, `1_000` and
//! `2001-01-01` are no strings. What is written here is quoted where those rules need it.

use serde::Serialize;
use serde_json::Value;

use crate::limits::{
    YAML_ALIAS_NODES_MAX, YAML_ALIASES_MAX, YAML_BYTES_MAX, YAML_DEPTH_MAX, YAML_DOCUMENTS_MAX,
    YAML_NODES_MAX, YAML_STACK_BYTES,
};

/// YAML that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(*line, *column))]
pub struct YamlError {
    /// The line, counted from 1, when it is known.
    pub line: Option<u64>,
    /// The column, counted from 1, when it is known.
    pub column: Option<u64>,
    /// What is wrong.
    pub message: String,
}

fn place(line: Option<u64>, column: Option<u64>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        _ => String::new(),
    }
}

/// Returns the documents of a YAML file; empty ones are left out.
///
/// # Errors
/// `YamlError` when the file is larger than 16 MiB, not UTF-8, not YAML, has a key twice, or is
/// above a budget (depth, nodes, aliases).
pub fn documents(bytes: &[u8]) -> Result<Vec<Value>, YamlError> {
    let whole = |message: String| YamlError { line: None, column: None, message };
    if bytes.len() > YAML_BYTES_MAX {
        return Err(whole(format!("has {} bytes, more than {YAML_BYTES_MAX}", bytes.len())));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| whole("is not UTF-8".to_owned()))?;
    on_a_large_stack(|| parse(text))
        .unwrap_or_else(|error| Err(whole(format!("no thread to read it: {error}"))))
}

/// The library descends once for each level, with large frames in builds without optimisation: at
/// the depth that is allowed here they do not fit into the 2 MiB of an ordinary thread.
fn on_a_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(YAML_STACK_BYTES).spawn_scoped(scope, work)?;
        Ok(worker.join().expect("reading and writing YAML does not panic"))
    })
}

fn parse(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: YAML_NODES_MAX * 2,
            max_nodes: YAML_NODES_MAX,
            max_depth: YAML_DEPTH_MAX,
            flow_nesting_limit: YAML_DEPTH_MAX,
            max_documents: YAML_DOCUMENTS_MAX,
            max_aliases: YAML_ALIASES_MAX,
            max_anchors: YAML_ALIASES_MAX,
            max_recorded_anchor_events: YAML_ALIAS_NODES_MAX,
            max_total_scalar_bytes: YAML_BYTES_MAX,
        },
        with_snippet: false,
    };
    options.alias_limits = serde_saphyr::alias_limits! { max_total_replayed_events: YAML_ALIAS_NODES_MAX };
    serde_saphyr::from_multiple_with_options::<Value>(text, options).map_err(|error| YamlError {
        line: error.location().map(|location| location.line()),
        column: error.location().map(|location| location.column()),
        message: first_line(&error.to_string()),
    })
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or("cannot be read").chars().take(300).collect()
}

/// Returns `value` as one YAML document that readers of YAML 1.1 and 1.2 understand alike.
///
/// # Panics
/// When `value` has no YAML form. Every type that reaches this function is ours or was read from
/// YAML, so that is a bug and not bad input.
pub fn write<T: Serialize + Sync>(value: &T) -> String {
    let work = || {
        let options = serde_saphyr::ser_options! { compact_list_indent: true };
        serde_saphyr::to_string_with_options(value, options).expect("our own types always have a YAML form")
    };
    // Without a thread the ordinary stack has to do; only very deep values need the large one.
    on_a_large_stack(work).unwrap_or_else(|_| work())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_documents_are_read_and_empty_ones_are_left_out() {
        let read = documents(b"---\na: 1\n---\n# nothing\n---\n- x\n...\n").expect("is YAML");
        assert_eq!(read, [serde_json::json!({"a": 1}), serde_json::json!(["x"])]);
        assert_eq!(documents(b"").expect("is YAML"), Vec::<Value>::new());
        assert_eq!(documents(b"# only a comment\n").expect("is YAML"), Vec::<Value>::new());
    }

    #[test]
    fn broken_yaml_is_refused_with_the_line() {
        for (text, line) in
            [("a: [1\nb: 2\n", 2), ("a: 1\na: 2\n", 2), ("x: &a\n  - *b\n", 2), ("a: b: c\n", 1)]
        {
            let error = documents(text.as_bytes()).expect_err(text);
            assert_eq!(error.line, Some(line), "{text:?}: {error:?}");
        }
        assert!(documents(&[0xff, 0xfe]).expect_err("is binary").to_string().contains("UTF-8"));
    }

    #[test]
    fn bombs_are_stopped_by_the_budget() {
        let mut aliases = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (this, last) in
            ["b", "c", "d", "e", "f", "g", "h"].iter().zip(["a", "b", "c", "d", "e", "f", "g"])
        {
            let row = vec![format!("*{last}"); 10].join(", ");
            aliases.push_str(&format!("{this}: &{this} [{row}]\n"));
        }
        let brackets = "[".repeat(200_000);
        let deep: String =
            (0..300).map(|level| format!("{}a:\n", " ".repeat(level))).collect::<Vec<_>>().concat();
        for bomb in [aliases, brackets, deep] {
            assert!(documents(bomb.as_bytes()).is_err(), "{}", &bomb[..40]);
        }
    }

    #[test]
    fn collections_as_deep_as_the_deepest_schemas_are_read_and_written_on_a_small_stack() {
        let deep: String = (0..98).map(|level| format!("{}a:\n", " ".repeat(level))).collect();
        let text = format!("{deep}{}b: 1\n", " ".repeat(98));
        let small = std::thread::Builder::new().stack_size(512 * 1024);
        let worker = small.spawn(move || {
            let read = documents(text.as_bytes()).expect("is YAML");
            assert_eq!(documents(write(&read[0]).as_bytes()).expect("is YAML"), read);
        });
        worker.expect("starts").join().expect("does not panic");
    }

    /// Strings that YAML 1.1 reads as something else when they are not quoted (trap T36).
    const AWKWARD: [&str; 47] = [
        "yes",
        "Yes",
        "YES",
        "no",
        "No",
        "NO",
        "on",
        "On",
        "ON",
        "off",
        "Off",
        "OFF",
        "y",
        "Y",
        "n",
        "N",
        "true",
        "True",
        "TRUE",
        "false",
        "null",
        "Null",
        "~",
        "",
        "1_000",
        "1:30",
        "190:20:30",
        "2001-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "012",
        "0o14",
        "0x1f",
        "0b1",
        "1e3",
        "12e03",
        "1.5",
        ".5",
        "+1",
        "-1",
        ".inf",
        ".nan",
        "=",
        "<<",
        "0",
        "- a",
        "a: b",
        "#x",
    ];

    #[test]
    fn strings_that_yaml_1_1_would_read_as_something_else_are_quoted() {
        for text in AWKWARD {
            for written in [write(&serde_json::json!({"k": text})), write(&serde_json::json!({text: "v"}))] {
                let quoted = format!("\"{text}\"");
                let single = format!("'{text}'");
                assert!(written.contains(&quoted) || written.contains(&single), "{text}: {written}");
                let back = documents(written.as_bytes()).expect("reads back");
                assert_eq!(back.len(), 1, "{written}");
            }
            let back = documents(write(&serde_json::json!({"k": text})).as_bytes()).expect("reads back");
            assert_eq!(back[0]["k"], text);
        }
    }
}
