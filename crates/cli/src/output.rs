//! All printing: data to stdout, words to stderr.
//!
//! Nothing else in the program writes to either stream. Colours and links are decided here once,
//! and the meaning of every line survives without them.

use std::io::{IsTerminal, Write};

use owo_colors::{OwoColorize, Style};
use ringsite_engine::view::Kind;

use crate::args::{Color, GlobalArgs, Output};

/// Prints answers and words in the form that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    form: Output,
    quiet: bool,
}

/// What a line of words is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tone {
    Note,
    Warning,
    Error,
    Help,
}

impl Printer {
    /// Returns the printer for `args`, and switches colours for both streams.
    pub(crate) fn new(args: &GlobalArgs) -> Self {
        match args.color {
            Color::Auto => {}
            Color::Always => anstream::ColorChoice::Always.write_global(),
            Color::Never => anstream::ColorChoice::Never.write_global(),
        }
        Self { form: args.output, quiet: args.quiet }
    }

    /// Returns the form of the answer.
    pub(crate) fn form(&self) -> Output {
        self.form
    }

    /// Returns whether only digests or versions are wanted.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints one answer: `text` for people, `short` for `-q`, `names` for `-o name`, else the document.
    pub(crate) fn answer<T: Kind>(&self, body: &T, faces: Faces<'_>) {
        if self.quiet {
            self.lines(&(faces.short)());
            return;
        }
        match self.form {
            Output::Json => {
                let json = serde_json::to_string(&body.document()).expect("view shapes are always JSON");
                self.data(&json);
            }
            Output::Yaml => {
                let yaml = serde_saphyr::to_string(&body.document()).expect("view shapes are always YAML");
                self.data(yaml.trim_end());
            }
            Output::Name => self.lines(&(faces.names)()),
            Output::Text => self.data((faces.text)(Width::Normal).trim_end()),
            Output::Wide => self.data((faces.text)(Width::Wide).trim_end()),
        }
    }

    /// Prints `text` and a line end to stdout.
    pub(crate) fn data(&self, text: &str) {
        let mut stdout = anstream::stdout().lock();
        // A reader that closed the pipe has what it wanted.
        let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }

    fn lines(&self, lines: &[String]) {
        if !lines.is_empty() {
            self.data(&lines.join("\n"));
        }
    }

    /// Prints words to stderr.
    pub(crate) fn say(&self, tone: Tone, text: &str) {
        if self.quiet && matches!(tone, Tone::Note | Tone::Warning) {
            return;
        }
        let mut stderr = anstream::stderr().lock();
        let _ = match tone {
            Tone::Note => writeln!(stderr, "{text}"),
            Tone::Warning => writeln!(stderr, "{} {text}", "warning:".style(Style::new().yellow().bold())),
            Tone::Error => writeln!(stderr, "{} {text}", "error:".style(Style::new().red().bold())),
            Tone::Help => writeln!(stderr, "{} {text}", "help:".style(Style::new().cyan())),
        };
    }

    /// Prints an error document to stderr.
    pub(crate) fn error_document<T: Kind>(&self, body: &T) {
        let json = serde_json::to_string(&body.document()).expect("view shapes are always JSON");
        let _ = writeln!(anstream::stderr().lock(), "{json}");
    }

    /// Returns whether there is somebody to ask.
    pub(crate) fn has_terminal(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// Asks `question` on the terminal.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        let _ = write!(anstream::stderr().lock(), "{question} [y/N] ");
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
    }
}

/// Says on stderr that the program itself is wrong.
pub(crate) fn bug(message: &str) {
    let _ = writeln!(
        anstream::stderr().lock(),
        "error: this is a bug in ring: {message}\nhelp: nothing that was recorded is damaged; run the same command again, and report this"
    );
}

/// How wide a table may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Normal,
    Wide,
}

/// The faces of one answer that are no document.
pub(crate) struct Faces<'a> {
    /// For people.
    pub(crate) text: &'a dyn Fn(Width) -> String,
    /// For `-q`: the digest or version.
    pub(crate) short: &'a dyn Fn() -> Vec<String>,
    /// For `-o name`.
    pub(crate) names: &'a dyn Fn() -> Vec<String>,
}

/// Rows whose columns line up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns a table with these heads.
    pub(crate) fn new(heads: &[&str]) -> Self {
        Self { rows: vec![heads.iter().map(|head| head.to_uppercase()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{cell:width$}   "));
            }
            let line = line.trim_end();
            if number == 0 {
                writeln!(formatter, "{}", line.bold())?;
            } else {
                writeln!(formatter, "{line}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_table_line_up() {
        let mut table = Table::new(&["image", "to"]);
        table.row(vec!["migrations".into(), "0.1.0".into()]);
        table.row(vec!["api".into(), "0.1.12".into()]);
        let plain = anstream::adapter::strip_str(&table.to_string()).to_string();
        assert_eq!(plain, "IMAGE        TO\nmigrations   0.1.0\napi          0.1.12\n");
    }
}
