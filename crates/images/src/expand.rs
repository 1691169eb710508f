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

use crate::limits::{EXPANSION_BYTES_MAX, EXPANSION_DEPTH_MAX, PATTERN_PIECES_MAX, PATTERN_VALUE_MAX};

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
    /// A pattern form is used with a long pattern or on a long value.
    #[error(
        "patterns are for values of up to {PATTERN_VALUE_MAX} characters, and have up to {PATTERN_PIECES_MAX}: `{0}`"
    )]
    Pattern(String),
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

/// Expands the text of a heredoc that is copied: quotes stay, and a backslash is taken off whatever
/// stands after it. The escape character is always the backslash here, as in BuildKit.
///
/// # Errors
/// `ExpandError` like [`expand`].
pub fn expand_heredoc(text: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<String, ExpandError> {
    let lookup = |name: &str| Ok(lookup(name));
    let mut expansion = Expansion {
        rest: text.chars().collect::<Vec<_>>().into(),
        lookup: &lookup,
        escape: '\\',
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

    /// Takes the character after an escape; an escape at the very end is dropped, as in Docker.
    fn escaped(&mut self, out: &mut String, keep: Keep) {
        if let Some(next) = self.next() {
            if keep == Keep::Escapes {
                out.push('\\');
            }
            out.push(next);
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
            let is_word = character.is_alphabetic() || character.is_ascii_digit() || character == '_';
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
        let text = self.text(&['}'], Keep::Escapes)?;
        self.next();
        let (mut pattern, mut value) = self.pattern(name, &text)?;
        let is_end = operator == '%';
        if is_end {
            pattern.0.reverse();
            value.reverse();
        }
        let lengths = pattern.lengths(&value);
        let length = if is_longest {
            lengths.map(|(_, longest)| longest)
        } else {
            lengths.map(|(shortest, _)| shortest)
        };
        value.drain(..length.unwrap_or(0));
        if is_end {
            value.reverse();
        }
        Ok(value.into_iter().collect())
    }

    fn replaced(&mut self, name: &str) -> Result<String, E> {
        let is_every = self.peek() == Some('/');
        if is_every {
            self.next();
        }
        let text = self.text(&['/'], Keep::Escapes)?;
        self.next();
        let replacement = self.text(&['}'], Keep::Escapes)?;
        self.next();
        if text.is_empty() || replacement.contains('\\') {
            // Docker puts the replacement between all characters, and keeps the escape: nobody means that.
            return Err(ExpandError::Form(format!("${{{name}/{text}/{replacement}}}")).into());
        }
        let (pattern, value) = self.pattern(name, &text)?;
        let mut out = String::new();
        let mut at = 0;
        let mut is_done = false;
        while at < value.len() {
            // The longest match at this place counts, and an empty one is none.
            let length =
                if is_done { None } else { pattern.lengths(&value[at..]).map(|(_, longest)| longest) };
            match length {
                Some(length) if length > 0 => {
                    out.push_str(&replacement);
                    at += length;
                    is_done = !is_every;
                }
                _ => {
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

    /// Returns a pattern and the value that it is compared with.
    fn pattern(&self, name: &str, text: &str) -> Result<(Glob, Vec<char>), E> {
        let pattern = Glob::new(text);
        let value: Vec<char> = self.value(name)?.chars().collect();
        if pattern.0.len() > PATTERN_PIECES_MAX || value.len() > PATTERN_VALUE_MAX {
            return Err(ExpandError::Pattern(name.to_owned()).into());
        }
        Ok((pattern, value))
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

    /// Returns the lengths of the shortest and of the longest beginning of `text` that match.
    ///
    /// All ways through the pieces are gone at once: a bit stands for each piece that may come next,
    /// and the one after the last for a match.
    fn lengths(&self, text: &[char]) -> Option<(usize, usize)> {
        let accepted = 1_u64 << self.0.len();
        let mut next = self.enter(0);
        let mut found = (next & accepted != 0).then_some((0, 0));
        for (at, character) in text.iter().enumerate() {
            let mut then = 0;
            for (index, piece) in self.0.iter().enumerate().filter(|(index, _)| next & (1 << index) != 0) {
                then |= match piece {
                    Piece::Any => self.enter(index),
                    Piece::One => self.enter(index + 1),
                    Piece::Exactly(exactly) if exactly == character => self.enter(index + 1),
                    Piece::Exactly(_) => 0,
                };
            }
            if then == 0 {
                break;
            }
            if then & accepted != 0 {
                let shortest = found.map_or(at + 1, |(shortest, _)| shortest);
                found = Some((shortest, at + 1));
            }
            next = then;
        }
        found
    }

    /// Returns the bit of a piece, and of those after it when it matches nothing.
    fn enter(&self, mut index: usize) -> u64 {
        let mut bits = 1 << index;
        while self.0.get(index) == Some(&Piece::Any) {
            index += 1;
            bits |= 1 << index;
        }
        bits
    }
}
