//! Expansion of one word of a containerfile, by Docker's rules.
//!
//! Quotes and escapes are removed, variables are replaced. Pure: the values come from a function.
//!
//! | Form | Value |
//! |--|--|
//! | `$x`, `${x}` | the value of x |
//! | `${x:-w}`, `${x-w}` | w when x is unset (or empty, with the colon) |
//! | `${x:+w}`, `${x+w}` | w when x is set (and not empty, with the colon), else nothing |
//! | `${x:?w}`, `${x?w}` | an error with the text w when x is unset (or empty, with the colon) |
//! | `${x#p}`, `${x##p}` | without the shortest, longest beginning that matches the pattern p |
//! | `${x%p}`, `${x%%p}` | without the shortest, longest end that matches p |
//! | `${x/p/w}`, `${x//p/w}` | the first, every match of p replaced by w |
//!
//! In patterns `*` stands for any text and `?` for one character; the escape character takes the
//! meaning away from either. Text in single quotes is kept as it is.

use crate::limits::{EXPANSION_BYTES_MAX, EXPANSION_DEPTH_MAX};

/// A word that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A variable without a value stands where a value is needed.
    #[error("`{0}` has no value here")]
    Unset(String),
    /// The containerfile itself asks for an error, with `${x:?…}`.
    #[error("`{name}` has no value here: {message}")]
    Required {
        /// The variable.
        name: String,
        /// The text that the containerfile gives.
        message: String,
    },
    /// A quote is not closed.
    #[error("the {0} quote is not closed")]
    Quote(&'static str),
    /// A `${` is not closed.
    #[error("`${{` is not closed by `}}`")]
    Brace,
    /// A `${…}` has a form that Docker does not know.
    #[error("`{0}` is no form of a variable")]
    Form(String),
    /// Expansions stand inside each other deeper than any honest file needs.
    #[error("expansions stand more than {EXPANSION_DEPTH_MAX} deep inside each other")]
    Depth,
    /// The expanded text is larger than any honest file needs.
    #[error("the expanded text is larger than {EXPANSION_BYTES_MAX} bytes")]
    Size,
}

/// What a word is worth where a variable in it has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// The empty text, as Docker does it.
    Empty,
    /// An error, for words that decide what is built.
    Refused,
}

/// Expands `word` as Docker does; a variable without a value is empty.
///
/// `lookup` gives the value of a variable, `escape` is the file's escape character.
///
/// # Errors
/// `ExpandError` when a quote or brace is not closed, a form is unknown, the file asks for an
/// error, or the result would be too large.
///
/// # Examples
/// ```
/// use ringsite_images::expand;
/// let lookup = |name: &str| (name == "v").then(|| "1.2".to_owned());
/// assert_eq!(expand("app-${v}-${w:-none}.tar", lookup, '\\').unwrap(), "app-1.2-none.tar");
/// assert_eq!(expand(r#"'$v' "$v" \$v"#, lookup, '\\').unwrap(), "$v 1.2 $v");
/// ```
pub fn expand(
    word: &str,
    lookup: impl Fn(&str) -> Option<String>,
    escape: char,
) -> Result<String, ExpandError> {
    expand_with(word, &|name| Ok(lookup(name)), escape, Unset::Empty)
}

/// Expands `word` with a `lookup` that may itself refuse a name, and with a choice of what a
/// variable without a value means.
///
/// # Errors
/// `ExpandError` like [`expand`], what `lookup` refuses, and [`ExpandError::Unset`] when `unset`
/// says so.
pub fn expand_with<E: From<ExpandError>>(
    word: &str,
    lookup: &dyn Fn(&str) -> Result<Option<String>, E>,
    escape: char,
    unset: Unset,
) -> Result<String, E> {
    if !word.contains(['$', '\'', '"', escape]) {
        return Ok(word.to_owned());
    }
    let mut expansion =
        Expansion { rest: word.chars().collect::<Vec<_>>().into(), lookup, escape, unset, depth: 0 };
    expansion.text(&[], Keep::Nothing)
}

/// Expands the text of a heredoc: variables and escaped `$` only, quotes stay.
///
/// # Errors
/// `ExpandError` like [`expand`].
pub fn expand_heredoc(
    text: &str,
    lookup: impl Fn(&str) -> Option<String>,
    escape: char,
) -> Result<String, ExpandError> {
    let lookup = |name: &str| Ok(lookup(name));
    let mut expansion = Expansion {
        rest: text.chars().collect::<Vec<_>>().into(),
        lookup: &lookup,
        escape,
        unset: Unset::Empty,
        depth: 0,
    };
    expansion.text(&[], Keep::Quotes)
}

/// What stays in the result although it only steers the expansion.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Nothing,
    Quotes,
    Escapes,
}

struct Expansion<'a, E> {
    rest: std::collections::VecDeque<char>,
    lookup: &'a dyn Fn(&str) -> Result<Option<String>, E>,
    escape: char,
    unset: Unset,
    depth: usize,
}

impl<E: From<ExpandError>> Expansion<'_, E> {
    fn next(&mut self) -> Option<char> {
        self.rest.pop_front()
    }

    fn peek(&self) -> Option<char> {
        self.rest.front().copied()
    }

    /// Expands up to a character of `stops`, which stays, or to the end when there is none.
    fn text(&mut self, stops: &[char], keep: Keep) -> Result<String, E> {
        let mut out = String::new();
        while let Some(character) = self.peek() {
            if stops.contains(&character) {
                return Ok(out);
            }
            self.next();
            match character {
                '\'' if keep != Keep::Quotes => self.single_quoted(&mut out)?,
                '"' if keep != Keep::Quotes => self.double_quoted(&mut out)?,
                '$' => out.push_str(&self.dollar()?),
                _ if character == self.escape => self.escaped(&mut out, keep),
                _ => out.push(character),
            }
            if out.len() > EXPANSION_BYTES_MAX {
                return Err(ExpandError::Size.into());
            }
        }
        if stops.is_empty() { Ok(out) } else { Err(ExpandError::Brace.into()) }
    }

    /// Takes the character after an escape.
    fn escaped(&mut self, out: &mut String, keep: Keep) {
        match (self.peek(), keep) {
            (None, _) => out.push(self.escape),
            (Some(next), Keep::Quotes) => {
                // A heredoc is no word: an escape means something only before what it can escape.
                if next != '$' && next != self.escape {
                    out.push(self.escape);
                }
                out.push(next);
                self.next();
            }
            (Some(next), _) => {
                if keep == Keep::Escapes {
                    out.push('\\');
                }
                out.push(next);
                self.next();
            }
        }
    }

    fn single_quoted(&mut self, out: &mut String) -> Result<(), E> {
        while let Some(character) = self.next() {
            if character == '\'' {
                return Ok(());
            }
            out.push(character);
        }
        Err(ExpandError::Quote("single").into())
    }

    fn double_quoted(&mut self, out: &mut String) -> Result<(), E> {
        while let Some(character) = self.next() {
            match character {
                '"' => return Ok(()),
                '$' => out.push_str(&self.dollar()?),
                _ if character == self.escape => match self.next() {
                    None => return Err(ExpandError::Quote("double").into()),
                    Some(next) if matches!(next, '"' | '$') || next == self.escape => out.push(next),
                    Some(next) => out.extend([self.escape, next]),
                },
                _ => out.push(character),
            }
            if out.len() > EXPANSION_BYTES_MAX {
                return Err(ExpandError::Size.into());
            }
        }
        Err(ExpandError::Quote("double").into())
    }

    /// Takes what follows a `$`.
    fn dollar(&mut self) -> Result<String, E> {
        if self.peek() != Some('{') {
            let name = self.name();
            return if name.is_empty() { Ok("$".to_owned()) } else { self.value(&name) };
        }
        self.next();
        self.depth += 1;
        if self.depth > EXPANSION_DEPTH_MAX {
            return Err(ExpandError::Depth.into());
        }
        let value = self.braced()?;
        self.depth -= 1;
        Ok(value)
    }

    /// Takes a name: letters, digits and `_`, or one special character or run of digits.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(character) = self.peek() {
            let is_word = character.is_ascii_alphanumeric() || character == '_';
            let is_digit_name = name.starts_with(|first: char| first.is_ascii_digit());
            if name.is_empty() && matches!(character, '@' | '*' | '#' | '?' | '-' | '$' | '!') {
                self.next();
                return character.to_string();
            }
            if !is_word || (is_digit_name && !character.is_ascii_digit()) {
                break;
            }
            name.push(character);
            self.next();
        }
        name
    }

    fn value(&self, name: &str) -> Result<String, E> {
        match ((self.lookup)(name)?, self.unset) {
            (Some(value), _) => Ok(value),
            (None, Unset::Empty) => Ok(String::new()),
            (None, Unset::Refused) => Err(ExpandError::Unset(name.to_owned()).into()),
        }
    }

    /// Takes what follows `${`, with the closing brace.
    fn braced(&mut self) -> Result<String, E> {
        let name = self.name();
        if name.is_empty() {
            return match self.peek() {
                None => Err(ExpandError::Brace.into()),
                Some(character) => Err(ExpandError::Form(format!("${{{character}…")).into()),
            };
        }
        match self.next() {
            None => Err(ExpandError::Brace.into()),
            Some('}') => self.value(&name),
            Some(':') => match self.next() {
                Some(operator @ ('-' | '+' | '?')) => self.alternative(&name, operator, Emptiness::IsUnset),
                Some(operator) => Err(ExpandError::Form(format!("${{{name}:{operator}…")).into()),
                None => Err(ExpandError::Brace.into()),
            },
            Some(operator @ ('-' | '+' | '?')) => self.alternative(&name, operator, Emptiness::IsValue),
            Some(operator @ ('#' | '%')) => self.trimmed(&name, operator),
            Some('/') => self.replaced(&name),
            Some(operator) => Err(ExpandError::Form(format!("${{{name}{operator}…")).into()),
        }
    }

    fn alternative(&mut self, name: &str, operator: char, emptiness: Emptiness) -> Result<String, E> {
        // The word is expanded leniently where it is not used, as shells do: the other one counts.
        let value = (self.lookup)(name)?;
        let is_set = match (&value, emptiness) {
            (None, _) => false,
            (Some(value), Emptiness::IsUnset) => !value.is_empty(),
            (Some(_), Emptiness::IsValue) => true,
        };
        let word_counts = if operator == '+' { is_set } else { !is_set };
        let unset = self.unset;
        if !word_counts {
            self.unset = Unset::Empty;
        }
        let word = self.text(&['}'], Keep::Nothing);
        self.unset = unset;
        let word = word?;
        self.next();
        match operator {
            '+' => Ok(if is_set { word } else { String::new() }),
            _ if is_set => Ok(value.unwrap_or_default()),
            '-' => Ok(word),
            _ => {
                let message = if word.is_empty() { "it is not allowed to be unset".to_owned() } else { word };
                Err(ExpandError::Required { name: name.to_owned(), message }.into())
            }
        }
    }

    fn trimmed(&mut self, name: &str, operator: char) -> Result<String, E> {
        let is_longest = self.peek() == Some(operator);
        if is_longest {
            self.next();
        }
        let pattern = Glob::new(&self.text(&['}'], Keep::Escapes)?);
        self.next();
        let value: Vec<char> = self.value(name)?.chars().collect();
        let ends = 0..=value.len();
        let is_match = |&at: &usize| match operator {
            '#' => pattern.matches(&value[..at]),
            _ => pattern.matches(&value[at..]),
        };
        // The shortest beginning is the first end, the shortest end the last start.
        let from_front = (operator == '#') != is_longest;
        let at = if from_front { ends.clone().find(is_match) } else { ends.clone().rev().find(is_match) };
        Ok(match (at, operator) {
            (None, _) => value.into_iter().collect(),
            (Some(at), '#') => value[at..].iter().collect(),
            (Some(at), _) => value[..at].iter().collect(),
        })
    }

    fn replaced(&mut self, name: &str) -> Result<String, E> {
        let is_every = self.peek() == Some('/');
        if is_every {
            self.next();
        }
        let pattern = Glob::new(&self.text(&['/', '}'], Keep::Escapes)?);
        let replacement = match self.next() {
            Some('/') => {
                let replacement = self.text(&['}'], Keep::Nothing)?;
                self.next();
                replacement
            }
            _ => String::new(),
        };
        let value: Vec<char> = self.value(name)?.chars().collect();
        let mut out = String::new();
        let mut at = 0;
        let mut is_done = false;
        while at < value.len() {
            // The longest match at this place counts, and an empty one is none.
            let end = if is_done {
                None
            } else {
                (at + 1..=value.len()).rev().find(|&end| pattern.matches(&value[at..end]))
            };
            match end {
                Some(end) => {
                    out.push_str(&replacement);
                    at = end;
                    is_done = !is_every;
                }
                None => {
                    out.push(value[at]);
                    at += 1;
                }
            }
            if out.len() > EXPANSION_BYTES_MAX {
                return Err(ExpandError::Size.into());
            }
        }
        Ok(out)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Emptiness {
    IsUnset,
    IsValue,
}

/// A pattern of a trim or a replacement.
struct Glob(Vec<Piece>);

#[derive(PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Exactly(char),
}

impl Glob {
    fn new(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => Piece::Exactly(characters.next().unwrap_or('\\')),
                _ => Piece::Exactly(character),
            });
        }
        Self(pieces)
    }

    /// Returns whether the whole of `text` matches: the usual walk with one place to go back to.
    fn matches(&self, text: &[char]) -> bool {
        let (mut at, mut piece) = (0, 0);
        let mut back: Option<(usize, usize)> = None;
        while at < text.len() {
            let fits = match self.0.get(piece) {
                Some(Piece::Any) => {
                    back = Some((at, piece));
                    piece += 1;
                    continue;
                }
                Some(Piece::One) => true,
                Some(Piece::Exactly(character)) => *character == text[at],
                None => false,
            };
            if fits {
                at += 1;
                piece += 1;
            } else if let Some((from, star)) = back {
                at = from + 1;
                piece = star + 1;
                back = Some((at, star));
            } else {
                return false;
            }
        }
        self.0[piece..].iter().all(|piece| *piece == Piece::Any)
    }
}
