//! Patterns of paths: those of Go's `filepath.Match`, and the `**` that Docker adds for ignore files.
//!
//! | Piece | Matches |
//! |--|--|
//! | `*` | any text without `/` |
//! | `?` | one character that is not `/` |
//! | `[a-z]`, `[^a-z]` | one character of, not of, the class |
//! | `\c` | the character c |
//! | `**/` or `**` before more (deep patterns only) | nothing, or any text up to a `/` |
//! | `**` at the end (deep patterns only) | any text |
//!
//! The walk keeps the set of pieces that may come next, so its time is bounded by the product of
//! both lengths, whatever the pattern.

use crate::limits::PATTERN_BYTES_MAX;

/// A pattern that cannot be read, with what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPattern(pub(crate) &'static str);

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// A text without any special character.
    Exactly(String),
    /// Anything else.
    Pieces(Vec<Piece>),
}

/// How `**` is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Like `*`, as `filepath.Match` does.
    Flat,
    /// Any number of folders, as Docker's ignore files do.
    Deep,
}

/// One piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Exactly(char),
    One,
    Any,
    /// The beginning of `**`: goes to `Inside`, or past it.
    Folders,
    /// Inside of `**`: any text up to a `/`.
    Inside,
    Rest,
    Class {
        is_negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// Returns whether `text` has a character that is special in patterns.
pub(crate) fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '[', '\\'])
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// `BadPattern` for an open or empty class, a broken range and an escape at the end, which are
    /// the patterns that `filepath.Match` refuses.
    pub(crate) fn new(text: &str, depth: Depth) -> Result<Self, BadPattern> {
        if !has_wildcard(text) {
            return Ok(Self::Exactly(text.to_owned()));
        }
        if text.len() > PATTERN_BYTES_MAX {
            return Err(BadPattern("it is longer than any path"));
        }
        let mut pieces = Vec::with_capacity(text.len());
        let mut rest = text.chars().peekable();
        let mut is_first = true;
        while let Some(character) = rest.next() {
            match character {
                '*' if depth == Depth::Deep && rest.peek() == Some(&'*') => {
                    rest.next();
                    let tail: String = rest.clone().collect();
                    if is_first && !tail.starts_with('/') && !has_wildcard(&tail) {
                        // Docker takes `**name` for every path that ends in `name`.
                        pieces.push(Piece::Rest);
                    } else {
                        if rest.peek() == Some(&'/') {
                            rest.next();
                        }
                        match rest.peek() {
                            None => pieces.push(Piece::Rest),
                            Some(_) => pieces.extend([Piece::Folders, Piece::Inside]),
                        }
                    }
                }
                '*' => pieces.push(Piece::Any),
                '?' => pieces.push(Piece::One),
                '[' => pieces.push(class(&mut rest)?),
                '\\' => pieces.push(Piece::Exactly(rest.next().ok_or(BadPattern("`\\` stands at the end"))?)),
                _ => pieces.push(Piece::Exactly(character)),
            }
            is_first = false;
        }
        Ok(Self::Pieces(pieces))
    }

    /// Returns whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(exactly) => exactly == text,
            Self::Pieces(pieces) => walk(pieces, text),
        }
    }
}

fn class(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Piece, BadPattern> {
    let is_negated = rest.next_if_eq(&'^').is_some();
    let mut ranges = Vec::new();
    loop {
        if !ranges.is_empty() && rest.next_if_eq(&']').is_some() {
            return Ok(Piece::Class { is_negated, ranges });
        }
        let low = class_character(rest)?;
        let high = if rest.next_if_eq(&'-').is_some() { class_character(rest)? } else { low };
        ranges.push((low, high));
    }
}

fn class_character(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<char, BadPattern> {
    match rest.next() {
        None => Err(BadPattern("`[` is not closed by `]`")),
        Some('-' | ']') => Err(BadPattern("a class begins with `]` or has a broken range")),
        Some('\\') => rest.next().ok_or(BadPattern("`[` is not closed by `]`")),
        Some(character) => Ok(character),
    }
}

/// Runs all ways through the pieces at once.
fn walk(pieces: &[Piece], text: &str) -> bool {
    let mut now = vec![false; pieces.len() + 1];
    let mut then = vec![false; pieces.len() + 1];
    enter(pieces, &mut now, 0);
    for character in text.chars() {
        then.fill(false);
        let mut is_alive = false;
        for (index, piece) in pieces.iter().enumerate().filter(|(index, _)| now[*index]) {
            let (stays, goes_on) = match piece {
                Piece::Exactly(exactly) => (false, *exactly == character),
                Piece::One => (false, character != '/'),
                Piece::Any => (character != '/', false),
                Piece::Folders => (false, false),
                Piece::Inside => (true, character == '/'),
                Piece::Rest => (true, false),
                Piece::Class { is_negated, ranges } => {
                    let is_in = ranges.iter().any(|(low, high)| (*low..=*high).contains(&character));
                    (false, is_in != *is_negated)
                }
            };
            if stays {
                then[index] = true;
                if !matches!(piece, Piece::Inside) {
                    enter(pieces, &mut then, index + 1);
                }
            }
            if goes_on {
                enter(pieces, &mut then, index + 1);
            }
            is_alive |= stays || goes_on;
        }
        if !is_alive {
            return false;
        }
        std::mem::swap(&mut now, &mut then);
    }
    now[pieces.len()]
}

/// Marks a piece as next, and what comes next when it matches nothing.
fn enter(pieces: &[Piece], set: &mut [bool], mut index: usize) {
    loop {
        set[index] = true;
        match pieces.get(index) {
            Some(Piece::Any | Piece::Rest) => index += 1,
            Some(Piece::Folders) => {
                set[index + 1] = true;
                index += 2;
            }
            _ => return,
        }
    }
}

/// Returns `path` with `.`, empty parts and inner `..` removed, as Go's `path.Clean` does; `..` stay
/// at the beginning of a relative path.
pub(crate) fn clean(path: &str) -> String {
    let is_rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if is_rooted => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (is_rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(depth: Depth, pattern: &str, text: &str, expected: bool) {
        let compiled = Pattern::new(pattern, depth).unwrap_or_else(|_| panic!("{pattern} is a pattern"));
        assert_eq!(compiled.matches(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn flat_patterns_match_like_filepath_match() {
        for (pattern, text, expected) in [
            ("abc", "abc", true),
            ("*", "abc", true),
            ("*c", "abc", true),
            ("a*", "a", true),
            ("a*", "abc", true),
            ("a*", "ab/c", false),
            ("a*/b", "abc/b", true),
            ("a*/b", "a/c/b", false),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true),
            ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
            ("a*b?c*x", "abxbbxdbxebxczzx", true),
            ("a*b?c*x", "abxbbxdbxebxczzy", false),
            ("ab[c]", "abc", true),
            ("ab[b-d]", "abc", true),
            ("ab[e-g]", "abc", false),
            ("ab[^c]", "abc", false),
            ("ab[^b-d]", "abc", false),
            ("ab[^e-g]", "abc", true),
            ("a\\*b", "a*b", true),
            ("a\\*b", "ab", false),
            ("a?b", "a☺b", true),
            ("a[^a]b", "a☺b", true),
            ("a???b", "a☺b", false),
            ("[a-ζ]*", "α", true),
            ("*[a-ζ]", "A", false),
            ("a?b", "a/b", false),
            ("a*b", "a/b", false),
            ("[\\]a]", "]", true),
            ("[\\-]", "-", true),
            ("[x\\-]", "x", true),
            ("[x\\-]", "z", false),
            ("[\\-x]", "-", true),
            ("*x", "xxx", true),
            ("arr[[]0].txt", "arr[0].txt", true),
            (".*", ".git", true),
            ("*", ".git", true),
            ("**", "a/b", false),
        ] {
            check(Depth::Flat, pattern, text, expected);
        }
    }

    #[test]
    fn patterns_that_filepath_match_refuses_are_refused() {
        assert!(Pattern::new(&"*".repeat(PATTERN_BYTES_MAX + 1), Depth::Flat).is_err());
        for pattern in ["[]a]", "[-]", "[x-]", "[-x]", "[", "[^", "[^bc", "a[", "[a-b-c]", "a\\", "[a\\"] {
            assert!(Pattern::new(pattern, Depth::Flat).is_err(), "{pattern}");
        }
    }

    #[test]
    fn deep_patterns_match_like_those_of_docker() {
        for (pattern, text, expected) in [
            ("**", "file", true),
            ("**", "a/b/c", true),
            ("**/", "file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir", false),
            ("dir/**", "dir2/file", false),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir/file", true),
            ("**file", "dir/dir/file", true),
            ("**file", "otherfile", true),
            ("**/file", "dir/file", true),
            ("**/file", "file", true),
            ("**/file", "otherfile", false),
            ("**/file*", "dir/dir/file.txt", true),
            ("**/file*txt", "dir/dir/file.txt", true),
            ("**/*.txt", "file.txt", true),
            ("**/**/*.txt", "dir/dir/file.txt", true),
            ("**/**/*.txt2", "dir/dir/file.txt", false),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/file.txt", true),
            ("a[b-d]e", "ace", true),
            ("a[b-d]e", "aae", false),
            ("abc/**", "abcde", false),
            ("abc/**", "abc/def/ghi", true),
            ("**/.foo", "bar/.foo", true),
            ("a(b)c/def", "a(b)c/def", true),
            ("a.|)$(}+{bc", "a.|)$(}+{bc", true),
            ("*c", "dir/abc", false),
            ("**\\[x", "y[x", false),
            ("**\\[x", "y/[x", true),
        ] {
            check(Depth::Deep, pattern, text, expected);
        }
    }

    #[test]
    fn a_pattern_full_of_stars_takes_bounded_time() {
        let pattern = "*a".repeat(200);
        check(Depth::Flat, &pattern, &"a".repeat(1_000), true);
        check(Depth::Flat, &pattern, &"b".repeat(1_000), false);
    }

    #[test]
    fn paths_are_cleaned_like_those_of_go() {
        for (path, expected) in [
            ("", "."),
            (".", "."),
            ("./a//b/", "a/b"),
            ("a/../b", "b"),
            ("a/..", "."),
            ("../a", "../a"),
            ("a/../../b", "../b"),
            ("/a/../../b", "/b"),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), expected, "{path}");
        }
    }
}
