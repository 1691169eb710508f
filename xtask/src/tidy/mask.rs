//! A Rust source with everything blanked out that is not code, and the ranges of its tests.
//!
//! Rules look for words and braces. Comments and literals may hold any text, so they become spaces
//! here; lines keep their numbers. This is a scanner, not a parser: it knows comments (nested),
//! strings (escaped, raw, byte, C), characters and lifetimes, and nothing else of the language.

use std::ops::RangeInclusive;

/// A source whose comments and literals are spaces.
#[derive(Debug)]
pub(crate) struct Source {
    code: Vec<char>,
    line_starts: Vec<usize>,
    tests: Vec<RangeInclusive<usize>>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of `fn`.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace, both included.
    pub(crate) lines: usize,
}

impl Source {
    /// Scans a source.
    pub(crate) fn of(text: &str) -> Self {
        let code = blank(text);
        let mut line_starts = vec![0];
        line_starts.extend(code.iter().enumerate().filter(|(_, c)| **c == '\n').map(|(at, _)| at + 1));
        let mut source = Self { code, line_starts, tests: Vec::new() };
        source.tests = source.find_tests();
        source
    }

    /// Returns the number of lines.
    pub(crate) fn line_count(&self) -> usize {
        let ends_with_newline = self.code.last() == Some(&'\n');
        self.line_starts.len() - usize::from(ends_with_newline || self.code.is_empty())
    }

    /// Returns how many lines belong to inline test modules.
    pub(crate) fn test_line_count(&self) -> usize {
        self.tests.iter().map(|range| range.end() - range.start() + 1).sum()
    }

    /// Says whether a line belongs to an inline test module.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&line))
    }

    /// Returns each line of code with its number.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, String)> + '_ {
        self.line_starts.iter().enumerate().map(|(index, start)| {
            let end = self.line_starts.get(index + 1).map_or(self.code.len(), |next| next - 1);
            (index + 1, self.code[*start..end.max(*start)].iter().collect())
        })
    }

    /// Returns every word (identifier, keyword or number) with its position.
    pub(crate) fn words(&self) -> Vec<(usize, String)> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < self.code.len() {
            if !is_word(self.code[at]) {
                at += 1;
                continue;
            }
            let end = (at..self.code.len()).find(|at| !is_word(self.code[*at])).unwrap_or(self.code.len());
            words.push((at, self.code[at..end].iter().collect()));
            at = end;
        }
        words
    }

    /// Returns the line of a position.
    pub(crate) fn line_of(&self, position: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= position)
    }

    /// Says whether the word at a position is followed by `!`, as the call of a macro is.
    pub(crate) fn is_macro_call(&self, position: usize, word: &str) -> bool {
        let after = self.code.iter().skip(position + word.chars().count());
        let mut rest = after.skip_while(|c| c.is_whitespace());
        rest.next() == Some(&'!') && rest.next() != Some(&'=')
    }

    /// Returns every function that has a body, nested ones too.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let words = self.words();
        let mut functions = Vec::new();
        for (index, (position, word)) in words.iter().enumerate() {
            let Some((name_at, name)) = words.get(index + 1).filter(|_| word == "fn") else { continue };
            // `fn(u8) -> u8` is a type: no name stands between `fn` and the parenthesis.
            if self.code[position + 2..*name_at].iter().any(|c| !c.is_whitespace()) {
                continue;
            }
            let Some(open) = self.body_after(*name_at) else { continue };
            let line = self.line_of(*position);
            let lines = self.line_of(self.closing(open)) - line + 1;
            functions.push(Function { name: name.clone(), line, lines });
        }
        functions
    }

    /// Returns where the body of the item begins whose head is at a position; none when it ends with `;`.
    fn body_after(&self, position: usize) -> Option<usize> {
        let mut depth = 0_i32;
        for (at, c) in self.code.iter().enumerate().skip(position) {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' => depth -= 1,
                '{' if depth == 0 => return Some(at),
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns the position of the brace that closes the one at a position, or the end of the source.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_i32;
        for (at, c) in self.code.iter().enumerate().skip(open) {
            match c {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                _ => {}
            }
        }
        self.code.len().saturating_sub(1)
    }

    /// Returns the lines of every `#[cfg(test)]` item that has a body.
    fn find_tests(&self) -> Vec<RangeInclusive<usize>> {
        let marker: Vec<char> = "#[cfg(test)]".chars().collect();
        let mut tests = Vec::new();
        let mut at = 0;
        while at + marker.len() <= self.code.len() {
            if self.code[at..at + marker.len()] != marker[..] {
                at += 1;
                continue;
            }
            match self.body_after(at + marker.len()) {
                Some(open) => {
                    let end = self.closing(open);
                    tests.push(self.line_of(at)..=self.line_of(end));
                    at = end;
                }
                None => at += marker.len(),
            }
        }
        tests
    }
}

/// Says whether a character can be part of a word of code.
fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Returns the text with comments and literals as spaces; line ends stay.
fn blank(text: &str) -> Vec<char> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        let end = literal_end(&chars, at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Returns where the comment or literal ends that begins at a position; the position itself if none does.
fn literal_end(chars: &[char], at: usize) -> usize {
    let next = chars.get(at + 1).copied();
    let follows_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next == Some('/') => find(chars, at, '\n'),
        '/' if next == Some('*') => block_comment_end(chars, at),
        '"' => string_end(chars, at),
        '\'' => character_end(chars, at),
        'r' if !follows_word => raw_string_end(chars, at, at + 1),
        'b' | 'c' if !follows_word && next == Some('r') => raw_string_end(chars, at, at + 2),
        _ => at,
    }
}

/// Returns the position of the next such character, or the end.
fn find(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len()).find(|at| chars[*at] == wanted).unwrap_or(chars.len())
}

fn block_comment_end(chars: &[char], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = from;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => {
                depth += 1;
                at += 2;
            }
            ('*', '/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// A quote begins a character when it closes again at once; otherwise it begins a lifetime.
fn character_end(chars: &[char], from: usize) -> usize {
    match (chars.get(from + 1), chars.get(from + 2)) {
        (Some('\\'), Some(_)) => (find(chars, from + 3, '\'') + 1).min(chars.len()),
        (Some(_), Some('\'')) => from + 3,
        _ => from,
    }
}

fn raw_string_end(chars: &[char], from: usize, hashes_at: usize) -> usize {
    let hashes = chars[hashes_at.min(chars.len())..].iter().take_while(|c| **c == '#').count();
    if chars.get(hashes_at + hashes) != Some(&'"') {
        return from;
    }
    let mut at = hashes_at + hashes + 1;
    while at < chars.len() {
        let closes = chars[at] == '"'
            && chars.len() >= at + 1 + hashes
            && chars[at + 1..at + 1 + hashes].iter().all(|c| *c == '#');
        if closes {
            return at + 1 + hashes;
        }
        at += 1;
    }
    chars.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::of(text).lines().map(|(_, line)| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn comments_and_literals_become_spaces() {
        assert_eq!(code("a // { \"\nb /* { /* } */ */ c"), "a\nb                 c");
        assert_eq!(code(r#"f("{ \" {", 'x')"#).replace(' ', ""), "f(,)");
        assert_eq!(code("let s = r#\"one \" {\ntwo\"#;").replace(' ', ""), "lets=\n;");
        assert_eq!(code("b'{' c\"{\" br\"{\"").trim(), "b    c");
    }

    #[test]
    fn a_lifetime_is_code_and_an_escaped_quote_is_not() {
        assert_eq!(code("fn f<'a>(x: &'a str) { g('\\'') }").replace(' ', ""), "fnf<'a>(x:&'astr){g()}");
    }

    #[test]
    fn a_function_counts_from_its_head_to_its_closing_brace() {
        let source =
            Source::of("fn one() {\n    // }\n}\n\nfn two(\n    a: [u8; 3],\n) -> u8\n{\n    1\n}\n");
        assert_eq!(
            source.functions(),
            vec![
                Function { name: "one".into(), line: 1, lines: 3 },
                Function { name: "two".into(), line: 5, lines: 6 },
            ]
        );
    }

    #[test]
    fn a_function_type_and_a_function_without_a_body_are_not_counted() {
        assert_eq!(Source::of("trait T { fn a(&self); }\ntype F = fn(u8) -> u8;\n").functions(), vec![]);
    }

    #[test]
    fn inline_tests_are_told_from_the_rest() {
        let source = Source::of("fn a() {}\n\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!((source.line_count(), source.test_line_count()), (7, 4));
        assert!(source.is_test_line(5) && !source.is_test_line(7));
    }

    #[test]
    fn a_test_module_in_another_file_takes_no_lines_here() {
        let source = Source::of("#[cfg(test)]\nmod tests;\nfn a() {\n}\n");
        assert_eq!(source.test_line_count(), 0);
    }

    #[test]
    fn an_unfinished_source_does_not_stop_the_scanner() {
        for text in ["\"", "/*", "r#\"", "'", "'\\", "fn", "fn a(", "fn a() {", "b", "br"] {
            let source = Source::of(text);
            assert!(source.functions().len() <= 1, "{text}");
        }
    }
}
