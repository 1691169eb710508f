//! The form of the tag log: a header, then frames of changes.
//!
//! | Part | Bytes |
//! |--|--|
//! | header | `ringsite-tags 1 <generation>` and a line feed; a log that is rewritten gets a new generation |
//! | frame | `<length of the changes> <first 16 hex of their sha256> <changes>` and a line feed |
//! | changes | joined by a tab; one operation letter and its fields, separated by spaces |
//! | field | bytes up to the space, 127 and `%` are written `%XX`; `-` stands for nothing |
//!
//! One commit is one frame, and a frame is synced before the next one is written. So a bad frame at
//! the very end is one that was never acknowledged, and a bad frame before a good one is damage.

use std::fmt::Write as _;
use std::sync::Arc;

use ringsite_names::{Digest, RepositoryName, Tag};

use crate::limits::FRAME_BYTES;
use crate::names::LOG_MAGIC;
use crate::state::{Change, Facts, State};

const VERSION: &str = "1";
const CHECKSUM_DIGITS: usize = 16;

/// What is wrong with a log, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Offset of the frame in bytes.
    pub(super) offset: usize,
    /// What is wrong with it.
    pub(super) reason: String,
}

/// Returns the header of a log.
pub(super) fn header(generation: &str) -> String {
    format!("{LOG_MAGIC} {VERSION} {generation}\n")
}

/// Reads the header; returns the generation and where the frames begin.
///
/// Nothing is returned for a header that was never finished.
pub(super) fn read_header(bytes: &[u8]) -> Result<Option<(String, usize)>, Fault> {
    let Some(end) = find_line_end(bytes, 0) else { return Ok(None) };
    let fault = |reason: &str| Fault { offset: 0, reason: reason.to_owned() };
    let line = std::str::from_utf8(&bytes[..end]).map_err(|_| fault("its first line is not text"))?;
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(LOG_MAGIC), Some(VERSION), Some(generation), None) => {
            Ok(Some((generation.to_owned(), end + 1)))
        }
        (Some(LOG_MAGIC), Some(_), ..) => Err(fault("it was written by a newer program; use that one")),
        _ => Err(fault("its first line is not that of a tag log")),
    }
}

/// Returns the frames for changes; few of them are always one frame.
pub(super) fn frame(changes: &[Change]) -> Vec<u8> {
    let mut payload = String::new();
    for change in changes {
        if !payload.is_empty() {
            payload.push('\t');
        }
        write_change(&mut payload, change);
    }
    seal(&payload)
}

/// Returns the frames of a whole state, each of bounded size.
pub(super) fn snapshot(state: &State) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(state.live_bytes() + state.live_bytes() / 4);
    let mut payload = String::new();
    for change in state_changes(state) {
        if !payload.is_empty() {
            payload.push('\t');
        }
        write_change(&mut payload, &change);
        if payload.len() >= FRAME_BYTES {
            bytes.extend_from_slice(&seal(&payload));
            payload.clear();
        }
    }
    if !payload.is_empty() {
        bytes.extend_from_slice(&seal(&payload));
    }
    bytes
}

fn state_changes(state: &State) -> impl Iterator<Item = Change> + '_ {
    let foreign = state.foreign.iter().map(|entry| Change::Foreign { entry: Arc::clone(entry) });
    let owned = state.repositories.iter().flat_map(|(name, repository)| {
        repository.manifests.iter().flat_map(move |(digest, entry)| {
            let manifest =
                Change::Manifest { repository: name.clone(), digest: *digest, facts: entry.facts.clone() };
            let tags = entry.tags.iter().map(move |tag| Change::Tag {
                repository: name.clone(),
                tag: tag.clone(),
                digest: *digest,
            });
            std::iter::once(manifest).chain(tags)
        })
    });
    foreign.chain(owned)
}

fn seal(payload: &str) -> Vec<u8> {
    let checksum = Digest::sha256(payload.as_bytes()).short(CHECKSUM_DIGITS);
    format!("{} {checksum} {payload}\n", payload.len()).into_bytes()
}

/// Applies every whole frame from `offset` on; returns the offset after the last one.
pub(super) fn replay(bytes: &[u8], offset: usize, state: &mut State) -> Result<usize, Fault> {
    let mut position = offset;
    while let Some(end) = find_line_end(bytes, position) {
        let Some(payload) = open_frame(&bytes[position..end]) else {
            if has_whole_frame(bytes, end + 1) || has_wrong_end(&bytes[position..end]) {
                let reason = "a record is not what was written, and later ones are".to_owned();
                return Err(Fault { offset: position, reason });
            }
            break;
        };
        for text in payload.split('\t') {
            let applied = read_change(text, state).and_then(|change| state.apply(change));
            applied.map_err(|reason| Fault { offset: position, reason })?;
        }
        position = end + 1;
    }
    Ok(position)
}

fn find_line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    rest.iter().position(|&byte| byte == b'\n').map(|found| from + found)
}

fn has_whole_frame(bytes: &[u8], from: usize) -> bool {
    let mut position = from;
    while let Some(end) = find_line_end(bytes, position) {
        if open_frame(&bytes[position..end]).is_some() {
            return true;
        }
        position = end + 1;
    }
    false
}

/// Returns whether a line is a whole frame with something after it that is not a line feed.
fn has_wrong_end(line: &[u8]) -> bool {
    let mut spaces = line.iter().enumerate().filter(|(_, byte)| **byte == b' ').map(|(at, _)| at);
    let (Some(first), Some(second)) = (spaces.next(), spaces.next()) else { return false };
    let length = std::str::from_utf8(&line[..first]).ok().and_then(|text| text.parse::<usize>().ok());
    let end = length.and_then(|length| length.checked_add(second + 1));
    end.is_some_and(|end| end < line.len() && open_frame(&line[..end]).is_some())
}

/// Returns the changes of a frame when length and checksum are right.
fn open_frame(line: &[u8]) -> Option<&str> {
    let line = std::str::from_utf8(line).ok()?;
    let (length, rest) = line.split_once(' ')?;
    let (checksum, payload) = rest.split_once(' ')?;
    let is_whole = length.parse() == Ok(payload.len())
        && checksum == Digest::sha256(payload.as_bytes()).short(CHECKSUM_DIGITS);
    is_whole.then_some(payload)
}

fn write_change(text: &mut String, change: &Change) {
    let written = match change {
        Change::Manifest { repository, digest, facts } => {
            let subject = facts.subject.map_or_else(|| "-".to_owned(), |subject| subject.to_string());
            let extra = facts.extra.as_deref().map_or_else(|| "-".to_owned(), escape);
            let kind = escape(&facts.media_type);
            write!(text, "m {repository} {digest} {} {kind} {subject} {extra}", facts.size)
        }
        Change::Tag { repository, tag, digest } => write!(text, "t {repository} {tag} {digest}"),
        Change::Untag { repository, tag } => write!(text, "u {repository} {tag}"),
        Change::Remove { repository, digest } => write!(text, "r {repository} {digest}"),
        Change::Foreign { entry } => write!(text, "f {}", escape(entry)),
        Change::ForeignGone { entry } => write!(text, "g {}", escape(entry)),
    };
    written.expect("writing to a string cannot fail");
}

/// Reads one change; names that `state` has already are shared instead of made again.
fn read_change(text: &str, state: &State) -> Result<Change, String> {
    let mut fields = text.split(' ');
    let mut next = || fields.next().ok_or_else(|| format!("a record has too few fields: `{text}`"));
    let letter = next()?;
    let change = match letter {
        "m" => Change::Manifest {
            repository: repository(next()?, state)?,
            digest: digest(next()?)?,
            facts: Facts {
                size: next()?.parse().map_err(|_| format!("a size is no number: `{text}`"))?,
                media_type: unescape(next()?)?.into(),
                subject: nothing_or(next()?, digest)?,
                extra: nothing_or(next()?, unescape)?.map(Into::into),
            },
        },
        "t" => Change::Tag {
            repository: repository(next()?, state)?,
            tag: tag(next()?)?,
            digest: digest(next()?)?,
        },
        "u" => Change::Untag { repository: repository(next()?, state)?, tag: tag(next()?)? },
        "r" => Change::Remove { repository: repository(next()?, state)?, digest: digest(next()?)? },
        "f" => Change::Foreign { entry: unescape(next()?)?.into() },
        "g" => Change::ForeignGone { entry: unescape(next()?)?.into() },
        other => return Err(format!("a record of the unknown kind `{other}`; use the newer program")),
    };
    match fields.next() {
        None => Ok(change),
        Some(_) => Err(format!("a record has too many fields: `{text}`")),
    }
}

fn repository(text: &str, state: &State) -> Result<RepositoryName, String> {
    match state.repositories.get_key_value(text) {
        Some((name, _)) => Ok(name.clone()),
        None => RepositoryName::new(text).map_err(|error| error.to_string()),
    }
}

fn tag(text: &str) -> Result<Tag, String> {
    Tag::new(text).map_err(|error| error.to_string())
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|error: ringsite_names::DigestError| error.to_string())
}

fn nothing_or<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text == "-" { Ok(None) } else { read(text).map(Some) }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\0'..=' ' | '\u{7f}' | '%' => {
                write!(escaped, "%{:02X}", u32::from(character)).expect("writing to a string cannot fail");
            }
            other => escaped.push(other),
        }
    }
    // A lone `-` means nothing, and nothing at all would vanish between two spaces.
    match escaped.as_str() {
        "-" => "%2D".to_owned(),
        "" => "%".to_owned(),
        _ => escaped,
    }
}

fn unescape(text: &str) -> Result<String, String> {
    if text == "%" {
        return Ok(String::new());
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    plain.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let code = piece.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        let Some(code) = code.filter(u8::is_ascii) else {
            return Err(format!("a field is not escaped well: `{text}`"));
        };
        plain.push(char::from(code));
        plain.push_str(&piece[2..]);
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changes() -> Vec<Change> {
        let repository = RepositoryName::new("acme/shop").expect("is a name");
        let (one, two) = (Digest::sha256(b"1"), Digest::sha512(b"2"));
        let facts = |subject, extra: Option<&str>| Facts {
            media_type: "application/x; charset=utf-8".into(),
            size: 7,
            subject,
            extra: extra.map(Into::into),
        };
        let tag = Tag::new("1.0.0").expect("is a tag");
        vec![
            Change::Manifest { repository: repository.clone(), digest: one, facts: facts(None, None) },
            Change::Manifest {
                repository: repository.clone(),
                digest: two,
                facts: facts(Some(one), Some("{\"a\": \"b%\\t\"}")),
            },
            Change::Tag { repository: repository.clone(), tag: tag.clone(), digest: one },
            Change::Tag { repository: repository.clone(), tag: tag.clone(), digest: two },
            Change::Untag { repository: repository.clone(), tag },
            Change::Foreign { entry: "{\"x\":\"y z\"}".into() },
            Change::ForeignGone { entry: "{}".into() },
            Change::Remove { repository, digest: one },
        ]
    }

    fn state_text(state: &State) -> String {
        String::from_utf8(snapshot(state)).expect("is text")
    }

    #[test]
    fn what_was_framed_is_replayed() {
        let mut expected = State::default();
        let mut bytes = header("g").into_bytes();
        for change in changes() {
            bytes.extend(frame(std::slice::from_ref(&change)));
            expected.apply(change).expect("fits");
        }
        let (generation, start) = read_header(&bytes).expect("is good").expect("is whole");
        assert_eq!(generation, "g");
        let mut state = State::default();
        assert_eq!(replay(&bytes, start, &mut state), Ok(bytes.len()));
        assert_eq!(state_text(&state), state_text(&expected));
        let mut again = State::default();
        assert!(replay(&snapshot(&state), 0, &mut again).is_ok());
        assert_eq!(state_text(&again), state_text(&state));
    }

    #[test]
    fn every_cut_of_the_last_frame_is_a_torn_tail() {
        let first = frame(&changes()[..1]);
        let mut bytes = first.clone();
        bytes.extend(frame(&changes()[1..]));
        for length in first.len()..bytes.len() {
            assert_eq!(replay(&bytes[..length], 0, &mut State::default()), Ok(first.len()), "{length}");
        }
    }

    #[test]
    fn every_flipped_byte_before_the_last_frame_is_damage() {
        let first = frame(&changes()[..3]);
        let mut bytes = first.clone();
        bytes.extend(frame(&changes()[3..4]));
        for position in 0..first.len() {
            let mut flipped = bytes.clone();
            flipped[position] ^= 4;
            let fault = replay(&flipped, 0, &mut State::default());
            assert!(fault.is_err(), "byte {position} was flipped unseen");
        }
    }

    #[test]
    fn records_that_cannot_be_are_faults_with_their_offset() {
        let name = "acme/shop";
        let digest = Digest::sha256(b"1");
        for text in [
            "x a".to_owned(),
            "t".to_owned(),
            format!("t {name} v1 {digest}"),
            format!("t {name} v1 {digest} more"),
            format!("m {name} {digest} many a/b - -"),
            format!("m Upper {digest} 1 a/b - -"),
            format!("m {name} md5:0 1 a/b - -"),
            format!("m {name} {digest} 1 a%ZZ - -"),
            format!("u {name} .tag"),
        ] {
            let fault = replay(&seal(&text), 0, &mut State::default()).expect_err("is no record");
            assert_eq!(fault.offset, 0, "{text}");
            assert!(!fault.reason.is_empty());
        }
    }

    #[test]
    fn a_log_of_a_newer_program_is_told_apart_from_no_log() {
        let newer = read_header(b"ringsite-tags 2 g\n").expect_err("is newer");
        assert!(newer.reason.contains("newer"), "{}", newer.reason);
        let other = read_header(b"hello\n").expect_err("is no log");
        assert!(other.reason.contains("not that of a tag log"), "{}", other.reason);
        assert_eq!(read_header(b"ringsite-ta"), Ok(None));
    }

    proptest! {
        #[test]
        fn every_text_survives_escaping(text in any::<String>()) {
            let escaped = escape(&text);
            prop_assert!(!escaped.is_empty() && escaped != "-");
            prop_assert!(escaped.chars().all(|c| c > ' '));
            prop_assert_eq!(unescape(&escaped), Ok(text));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = replay(&bytes, 0, &mut State::default());
            let _ = read_header(&bytes);
        }
    }
}
