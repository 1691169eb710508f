//! Splits a containerfile into instructions, one line each, and takes heredocs out.
//!
//! By the rules of BuildKit: directives stand at the top, comments and empty lines are dropped also
//! between continued lines, a line that ends in one escape character goes on in the next, and
//! `COPY`, `ADD` and `RUN` may have heredocs, whose text follows the instruction.

use std::path::Path;

use super::Heredoc;
use crate::Problem;
use crate::limits::CONTAINERFILE_BYTES_MAX;

/// What stands in an instruction for the `<<` of a heredoc that was taken out. Cannot come from the
/// file: control characters are refused.
pub(super) const HEREDOC_MARK: &str = "\u{1}\u{1}";

/// A containerfile split into instructions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) syntax: Option<String>,
    pub(super) escape: char,
    pub(super) lines: Vec<Line>,
}

/// One instruction on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it starts in the file, from 1.
    pub(super) number: u32,
    /// The instruction as written, continued lines joined.
    pub(super) text: String,
    /// The same with `<<` of heredocs replaced by [`HEREDOC_MARK`].
    pub(super) masked: String,
    /// The heredocs, in their order.
    pub(super) heredocs: Vec<Heredoc>,
}

/// Splits the bytes of a containerfile.
pub(super) fn split(path: &Path, bytes: &[u8]) -> Result<Split, Vec<Problem>> {
    let text = text_of(path, bytes).map_err(|problem| vec![problem])?;
    let mut splitter =
        Splitter { path, lines: text.split_inclusive('\n').zip(1..).collect(), at: 0, problems: Vec::new() };
    let (syntax, escape) = splitter.directives();
    let mut lines = Vec::new();
    while splitter.at < splitter.lines.len() {
        if let Some(line) = splitter.instruction(escape) {
            lines.push(line);
        }
    }
    if lines.is_empty() && splitter.problems.is_empty() {
        let help = "begin with `FROM scratch` or `FROM <image>`";
        splitter.problems.push(Problem::in_file(path, "the containerfile has no instruction", help));
    }
    if splitter.problems.is_empty() { Ok(Split { syntax, escape, lines }) } else { Err(splitter.problems) }
}

fn text_of<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str, Problem> {
    if bytes.len() > CONTAINERFILE_BYTES_MAX {
        let message = format!("the containerfile is larger than {CONTAINERFILE_BYTES_MAX} bytes");
        return Err(Problem::in_file(path, message, "keep files in the build context and COPY them"));
    }
    let line_at = |at: usize| {
        let breaks = bytes[..at].iter().filter(|byte| **byte == b'\n').count();
        u32::try_from(breaks).unwrap_or(u32::MAX).saturating_add(1)
    };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let help = "save it as UTF-8; is this the right file?";
        Problem::in_file(path, "the containerfile is not UTF-8 text", help)
            .at_line(line_at(error.valid_up_to()))
    })?;
    let is_odd = |character: char| {
        character.is_ascii_control()
            && !matches!(character, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1b}')
    };
    if let Some(at) = text.find(is_odd) {
        let help = "remove the character; is this the right file?";
        let message = "the containerfile has a control character, so it is no text";
        return Err(Problem::in_file(path, message, help).at_line(line_at(at)));
    }
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

struct Splitter<'t> {
    path: &'t Path,
    lines: Vec<(&'t str, u32)>,
    at: usize,
    problems: Vec<Problem>,
}

impl<'t> Splitter<'t> {
    fn problem(&mut self, line: u32, message: impl Into<String>, help: &str) {
        self.problems.push(Problem::in_file(self.path, message, help).at_line(line));
    }

    /// Takes the directives at the top: `# name = value` until the first line of another form.
    fn directives(&mut self) -> (Option<String>, char) {
        let (mut syntax, mut escape): (Option<String>, Option<char>) = (None, None);
        let mut has_check = false;
        while let Some(&(raw, number)) = self.lines.get(self.at) {
            let Some((name, value)) = directive(raw) else { break };
            self.at += 1;
            let is_repeated = match &*name {
                "syntax" => syntax.replace(value.to_owned()).is_some(),
                "check" => std::mem::replace(&mut has_check, true),
                "escape" if matches!(value, "\\" | "`") => {
                    escape.replace(if value == "`" { '`' } else { '\\' }).is_some()
                }
                "escape" => {
                    self.problem(number, format!("the escape character `{value}` is none"), "write \\ or `");
                    false
                }
                _ => false,
            };
            if is_repeated {
                self.problem(number, format!("the directive `{name}` stands twice"), "keep one of the two");
            }
        }
        (syntax, escape.unwrap_or('\\'))
    }

    /// Takes one instruction with its continued lines and heredocs; nothing for a comment.
    fn instruction(&mut self, escape: char) -> Option<Line> {
        let (first, number) = self.take()?;
        let first = trim_newline(first).trim_start();
        if first.is_empty() || first.starts_with('#') {
            return None;
        }
        let (part, mut goes_on) = self.continuation(first, escape, number);
        let mut text = part.to_owned();
        while goes_on {
            let Some((raw, number)) = self.take() else { break };
            let line = trim_newline(raw);
            let bare = line.trim_start();
            if bare.is_empty() || bare.starts_with('#') {
                continue;
            }
            let (part, more) = self.continuation(line, escape, number);
            text.push_str(part);
            goes_on = more;
        }
        let text = text.trim().to_owned();
        if text.is_empty() {
            return None;
        }
        let (masked, heredocs) = self.heredocs(&text, number);
        Some(Line { number, text, masked, heredocs })
    }

    fn take(&mut self) -> Option<(&'t str, u32)> {
        let line = self.lines.get(self.at).copied();
        self.at += 1;
        line
    }

    /// Returns a line without its escape at the end, and whether the next one belongs to it.
    fn continuation<'l>(&mut self, line: &'l str, escape: char, number: u32) -> (&'l str, bool) {
        let trimmed = line.trim_end_matches([' ', '\t']);
        let Some(before) = trimmed.strip_suffix(escape) else { return (line, false) };
        if before.ends_with(escape) {
            let message = format!("the line ends in `{escape}{escape}`, which builders read differently");
            self.problem(
                number,
                message,
                "end the line in one escape character to go on, or put a quote after two",
            );
            return (line, false);
        }
        (before, true)
    }

    /// Takes the text of the heredocs that `text` names.
    fn heredocs(&mut self, text: &str, number: u32) -> (String, Vec<Heredoc>) {
        let mut masked = text.to_owned();
        let mut found = Vec::new();
        if !text.contains("<<") || !can_have_heredocs(text) {
            return (masked, found);
        }
        let words = raw_words(text);
        for word in words.iter().filter_map(|range| marker(text, range)) {
            if word.name.is_empty() {
                self.problem(number, "a heredoc without a name", "write for example `<<EOF`");
                continue;
            }
            masked.replace_range(word.at..word.at + 2, HEREDOC_MARK);
            found.push(self.heredoc(&word, number));
        }
        (masked, found)
    }

    fn heredoc(&mut self, marker: &Marker, number: u32) -> Heredoc {
        let line = number_after(&self.lines, self.at);
        let mut content = String::new();
        loop {
            let Some((raw, _)) = self.take() else {
                let message = format!("the heredoc `{}` does not end", marker.name);
                let help = format!("add a line that is exactly `{}`", marker.name);
                self.problem(number, message, &help);
                break;
            };
            let raw = if marker.strips_tabs { raw.trim_start_matches('\t') } else { raw };
            if trim_newline(raw) == marker.name {
                break;
            }
            content.push_str(raw);
        }
        Heredoc { name: marker.name.clone(), content, expand: !marker.is_quoted, line }
    }
}

fn number_after(lines: &[(&str, u32)], at: usize) -> u32 {
    lines.get(at).or(lines.last()).map_or(1, |(_, number)| *number)
}

fn trim_newline(line: &str) -> &str {
    line.trim_end_matches(['\r', '\n'])
}

/// Reads `# name = value`.
fn directive(line: &str) -> Option<(String, &str)> {
    let (name, value) = trim_newline(line).trim_start().strip_prefix('#')?.trim_start().split_once('=')?;
    let (name, value) = (name.trim_end(), value.trim());
    let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (is_name && !value.is_empty()).then(|| (name.to_ascii_lowercase(), value))
}

/// Returns whether the instruction may have heredocs: `RUN`, `COPY` or `ADD`, also as a trigger, and
/// not in the form of a list.
fn can_have_heredocs(text: &str) -> bool {
    let mut words = text.split_whitespace();
    let mut keyword = words.next().unwrap_or_default();
    if keyword.eq_ignore_ascii_case("ONBUILD") {
        keyword = words.next().unwrap_or_default();
    }
    let is_one = ["RUN", "COPY", "ADD"].iter().any(|one| keyword.eq_ignore_ascii_case(one));
    let first = words.find(|word| !word.starts_with("--")).unwrap_or_default();
    let is_list = first.starts_with('[')
        && text.find('[').is_some_and(|at| serde_json::from_str::<Vec<String>>(&text[at..]).is_ok());
    is_one && !is_list
}

/// Where a heredoc is named, and how.
struct Marker {
    at: usize,
    name: String,
    strips_tabs: bool,
    is_quoted: bool,
}

/// Reads a word of the form `[descriptor]<<[-]name`.
fn marker(text: &str, range: &std::ops::Range<usize>) -> Option<Marker> {
    let word = &text[range.clone()];
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let rest = word[digits..].strip_prefix("<<")?;
    let (strips_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let name = unquoted(rest);
    Some(Marker { at: range.start + digits, is_quoted: name != rest, name, strips_tabs })
}

/// Splits at white space that is neither quoted nor escaped; nothing when a quote is not closed.
fn raw_words(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if quote.is_none() && character.is_whitespace() {
            words.extend(start.take().map(|start| start..at));
            continue;
        }
        start.get_or_insert(at);
        match (quote, character) {
            (Some('\''), '\\') => {}
            (_, '\\') => {
                characters.next();
            }
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            _ => {}
        }
    }
    words.extend(start.map(|start| start..text.len()));
    if quote.is_some() { Vec::new() } else { words }
}

fn unquoted(word: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some('\''), '\\') => out.push('\\'),
            (_, '\\') => out.extend(characters.next()),
            (Some(open), _) if open == character => quote = None,
            (None, '\'' | '"') => quote = Some(character),
            _ => out.push(character),
        }
    }
    out
}
