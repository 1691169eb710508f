//! Writes the reference pages into a folder: the command line, `rings.toml`, the JSON schemas.
//!
//! `cargo xtask codegen` runs this and compares or copies what it writes. It is an example of the
//! package so that it sees the types, and is not part of the program. Every page is a function of
//! the code alone.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use ringsite_images::KEYS;

const MADE: &str = "<!-- Made by `cargo xtask codegen`; edit the code, not this page. -->\n\n";

fn main() -> io::Result<()> {
    let folder = env::args_os().nth(1).ok_or_else(|| io::Error::other("usage: reference FOLDER"))?;
    let folder = Path::new(&folder);
    let schemas = folder.join("schemas");
    fs::create_dir_all(&schemas)?;
    let mut kinds = Vec::new();
    for (kind, schema) in ringsite_cli::schemas() {
        let text = serde_json::to_string_pretty(&schema).map_err(io::Error::other)?;
        fs::write(schemas.join(format!("{kind}.json")), format!("{text}\n"))?;
        kinds.push(kind);
    }
    fs::write(folder.join("cli.md"), command_line())?;
    fs::write(folder.join("rings-toml.md"), project_file())?;
    fs::write(folder.join("README.md"), index(&kinds))
}

/// Returns the page that lists the others.
fn index(kinds: &[&str]) -> String {
    let mut page = format!("{MADE}# Reference\n\nThese pages are made from the code.\n\n");
    page.push_str("- [The command line](cli.md)\n- [`rings.toml`](rings-toml.md)\n");
    page.push_str("- The JSON schema of each kind of answer, as `ring schema KIND` prints it:\n");
    for kind in kinds {
        add(&mut page, format_args!("  - [`{kind}`](schemas/{kind}.json)\n"));
    }
    page
}

/// Returns the page of every command with its flags.
fn command_line() -> String {
    let mut ring = ringsite_cli::command();
    ring.build();
    let mut page = format!("{MADE}# The command line\n\n");
    if let Some(about) = ring.get_about() {
        add(&mut page, format_args!("{}\n\n", sentence(about)));
    }
    page.push_str("Data goes to stdout; words, progress and questions go to stderr.\n\n");
    page.push_str("## Options everywhere\n\n");
    add_table(&mut page, ring.get_arguments().filter(|argument| argument.is_global_set()));
    if let Some(codes) = ring.get_after_help() {
        add(&mut page, format_args!("## Exit codes and variables\n\n```text\n{codes}\n```\n\n"));
    }
    // Commands stand below each other in the order of the help; the stack keeps that order without recursion.
    let mut waiting: Vec<(String, &Command)> = Vec::new();
    push_children(&mut waiting, "ring", &ring);
    while let Some((path, command)) = waiting.pop() {
        add_command(&mut page, &path, command);
        push_children(&mut waiting, &path, command);
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn push_children<'a>(waiting: &mut Vec<(String, &'a Command)>, path: &str, command: &'a Command) {
    let children: Vec<_> = command.get_subcommands().collect();
    let children = children.into_iter().rev();
    waiting.extend(children.map(|child| (format!("{path} {}", child.get_name()), child)));
}

fn add_command(page: &mut String, path: &str, command: &Command) {
    add(page, format_args!("## `{path}`\n\n"));
    if let Some(about) = command.get_about() {
        add(page, format_args!("{}\n\n", sentence(about)));
    }
    let aliases: Vec<_> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        add(page, format_args!("Also called {}.\n\n", aliases.join(", ")));
    }
    let usage = command.clone().render_usage().to_string();
    add(page, format_args!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage: ").trim()));
    add_table(page, command.get_arguments().filter(|argument| !argument.is_global_set()));
    if let Some(examples) = command.get_after_help() {
        let examples = examples.to_string();
        let lines: Vec<_> =
            examples.lines().filter(|line| !line.starts_with("Example")).map(str::trim).collect();
        add(page, format_args!("```sh\n{}\n```\n\n", lines.join("\n").trim()));
    }
}

fn add_table<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    let rows: Vec<_> = arguments.filter(|argument| !is_help(argument)).map(row).collect();
    if rows.is_empty() {
        return;
    }
    page.push_str("| Argument | Meaning | Variable | Default |\n|--|--|--|--|\n");
    for row in rows {
        page.push_str(&row);
    }
    page.push('\n');
}

/// `--help` and `--version` are on every command and need no row.
fn is_help(argument: &Arg) -> bool {
    matches!(
        argument.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn row(argument: &Arg) -> String {
    let mut names = Vec::new();
    names.extend(argument.get_short().map(|short| format!("-{short}")));
    names.extend(argument.get_long().map(|long| format!("--{long}")));
    let takes_value = argument.get_action().takes_values();
    let value =
        argument.get_value_names().map(|values| values.iter().map(|name| name.as_str()).collect::<Vec<_>>());
    let value = value.unwrap_or_default().join(" ");
    let mut name = names.join(", ");
    if takes_value && !value.is_empty() {
        name = if name.is_empty() { value } else { format!("{name} {value}") };
    }
    let mut meaning = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> = argument
        .get_possible_values()
        .into_iter()
        .filter(|_| takes_value)
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !values.is_empty() {
        add(&mut meaning, format_args!("; one of {}", values.join(", ")));
    }
    let variable = argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default();
    let defaults = argument.get_default_values().iter().filter(|_| takes_value);
    let default =
        defaults.map(|value| format!("`{}`", value.to_string_lossy())).collect::<Vec<_>>().join(", ");
    table_row(&[format!("`{name}`"), meaning, variable, default])
}

/// Returns the page of every key of the project file.
fn project_file() -> String {
    let mut page = format!("{MADE}# `rings.toml`\n\n");
    page.push_str(
        "Found by walking up from the working directory; `--config` and `RING_CONFIG` name another one.\n",
    );
    page.push_str("Unknown keys are errors. `*` stands for a name that the project chooses.\n\n");
    page.push_str("| Key | Value | Default | Meaning |\n|--|--|--|--|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let name = format!("`{}`", key.path);
        page.push_str(&table_row(&[name, key.kind.in_words().into(), default, key.about.into()]));
    }
    page
}

/// Returns the row of a table; a bar inside a cell is no end of it.
fn table_row(cells: &[String]) -> String {
    let mut row = String::new();
    for cell in cells {
        row.push_str("| ");
        row.push_str(&cell.replace('|', "\\|").replace('\n', " "));
        row.push_str(if cell.is_empty() { "" } else { " " });
    }
    row + "|\n"
}

/// Returns help text as a sentence.
fn sentence(text: &clap::builder::StyledStr) -> String {
    format!("{}.", text.to_string().trim_end_matches('.'))
}

fn add(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes everything");
}
