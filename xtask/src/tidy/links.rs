//! Links between pages lead somewhere, and commands that pages show exist.
//!
//! Only links within the repository are followed: a test does not ask the network. Commands are
//! looked at in fenced blocks: `ring …` against the generated reference, `cargo xtask …` against
//! the tasks of this program.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory as _;

use super::Finding;
use crate::Arguments;
use crate::workspace::SourceFile;

/// The page that lists every command of the product; generated.
const REFERENCE: &str = "docs/reference/cli.md";

/// Returns every link and command that leads nowhere.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut anchors = BTreeMap::new();
    let mut paths: BTreeSet<String> = BTreeSet::new();
    for file in files {
        if file.is_markdown() {
            anchors.insert(&*file.path, headings(&file.text));
        }
        let mut path = &*file.path;
        paths.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            paths.insert(folder.to_owned());
            path = folder;
        }
    }
    let commands = Commands::of(files);
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.is_markdown()) {
        for (line, is_code, text) in lines(&file.text) {
            if is_code {
                findings.extend(commands.check(text).map(|message| Finding::at(file, line, message)));
                continue;
            }
            for target in targets(text) {
                let message = check_target(&file.path, target, &paths, &anchors);
                findings.extend(message.map(|message| Finding::at(file, line, message)));
            }
        }
    }
    findings
}

/// Returns each line with its number and whether it is inside a fenced block.
fn lines(text: &str) -> impl Iterator<Item = (usize, bool, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            return None;
        }
        Some((index + 1, is_code, line))
    })
}

/// Returns the targets of the links of a line; what stands between backquotes is no link.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for text in line.split('`').step_by(2) {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            targets.push(target.split_whitespace().next().unwrap_or_default());
            rest = after;
        }
    }
    targets
}

fn check_target(
    page: &str,
    target: &str,
    paths: &BTreeSet<String>,
    anchors: &BTreeMap<&str, BTreeSet<String>>,
) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
    let path = if path.is_empty() { Some(page.to_owned()) } else { resolve(page, path) };
    let Some(path) = path else { return Some(format!("link `{target}` leaves the repository")) };
    if !path.is_empty() && !paths.contains(&path) {
        return Some(format!("link `{target}`: there is no `{path}`"));
    }
    let headings = anchors.get(&*path)?;
    let anchor = anchor?;
    (!headings.contains(anchor)).then(|| format!("link `{target}`: `{path}` has no heading `#{anchor}`"))
}

/// Returns the path that a link of a page means; none when it leaves the repository.
fn resolve(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Returns the anchors of the headings of a page, as the usual web views make them.
fn headings(text: &str) -> BTreeSet<String> {
    let heads = lines(text).filter(|(_, is_code, _)| !is_code).filter_map(|(_, _, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim())
    });
    heads
        .map(|title| {
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
        })
        .collect()
}

/// The commands that a page may show.
struct Commands {
    /// Headings of the reference, without the program's name; empty while there is no reference.
    ring: BTreeSet<String>,
    tasks: BTreeSet<String>,
}

impl Commands {
    fn of(files: &[SourceFile]) -> Self {
        let reference = files.iter().find(|file| file.path == REFERENCE).map_or("", |file| &*file.text);
        let ring = reference
            .lines()
            .filter(|line| line.starts_with('#'))
            .filter_map(|line| line.trim_start_matches('#').trim().trim_matches('`').strip_prefix("ring "));
        let tasks = Arguments::command().get_subcommands().map(|task| task.get_name().to_owned()).collect();
        Self { ring: ring.map(str::to_owned).collect(), tasks }
    }

    /// Returns what is wrong with a line of a fenced block, when it calls one of our programs.
    fn check(&self, line: &str) -> Option<String> {
        let line = line.trim().trim_start_matches("$ ");
        let mut words = line.split_whitespace();
        if let Some(task) = line.strip_prefix("cargo xtask ").and_then(|rest| rest.split_whitespace().next())
        {
            return (!self.tasks.contains(task)).then(|| format!("there is no `cargo xtask {task}`"));
        }
        let calls_ring = match words.next()? {
            "ring" => true,
            "cargo" => words.next() == Some("run") && words.any(|word| word == "--"),
            _ => false,
        };
        if !calls_ring || self.ring.is_empty() {
            return None;
        }
        let command = first_command(words)?;
        (!self.ring.contains(command)).then(|| format!("there is no `ring {command}`"))
    }
}

/// Returns the first word that is neither a flag nor the value of one of the flags that stand first.
fn first_command<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    loop {
        let word = words.next()?;
        match word {
            "-C" | "-o" | "--config" | "--registry" | "--project" | "--actor" => {
                words.next()?;
            }
            flag if flag.starts_with('-') => {}
            word if word.chars().all(|c| c.is_ascii_lowercase() || c == '-') => return Some(word),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() })
            .collect();
        check(&files).into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn a_link_leads_to_a_file_a_folder_or_a_heading() {
        let other = ("docs/other.md", "# The `big` one: two\n");
        let good =
            "[a](other.md) [b](../README.md) [c](guide/) [d](other.md#the-big-one-two) [e](https://x.y/z)";
        let files = [other, ("README.md", ""), ("docs/guide/first.md", ""), ("docs/page.md", good)];
        assert_eq!(messages(&files), Vec::<String>::new());
        for bad in ["[a](none.md)", "[a](../../out.md)", "[a](other.md#three)"] {
            assert_eq!(messages(&[other, ("docs/page.md", bad)]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn code_is_not_searched_for_links() {
        assert_eq!(messages(&[("a.md", "`x[0](b)`\n\n```\n[a](none.md)\n```\n")]), Vec::<String>::new());
    }

    #[test]
    fn commands_in_fenced_blocks_exist() {
        let reference = (REFERENCE, "# Commands\n\n## `ring release`\n");
        let good = "```\nring -C a release --plan\n$ cargo run --release -- -C a release\ncargo xtask test\nringing\n```\n";
        assert_eq!(messages(&[reference, ("README.md", good)]), Vec::<String>::new());
        let bad = "```\nring -C a depart\ncargo run -- depart\ncargo xtask dance\n```\n";
        assert_eq!(messages(&[reference, ("README.md", bad)]).len(), 3);
    }
}
