//! Splits the arguments of `ENV`, `LABEL` and `ARG` into names and values, by BuildKit's rules.
//!
//! Values stay as written, with their quotes.

/// Splits at white space outside quotes; quotes and escapes stay.
pub(super) fn words(text: &str, escape: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if quote.is_none() && character.is_whitespace() {
            if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        match quote {
            None if character == '\'' || character == '"' => quote = Some(character),
            Some(open) if open == character => quote = None,
            _ if character == escape && quote != Some('\'') => {
                // An escape at the very end means nothing, and is dropped.
                let Some(next) = characters.next() else { break };
                word.push(character);
                word.push(next);
                continue;
            }
            _ => {}
        }
        word.push(character);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Reads `name=value …`, or the old form `name value` where the value is the rest of the line.
pub(super) fn pairs(keyword: &str, text: &str, escape: char) -> Result<Vec<(String, String)>, String> {
    let words = words(text, escape);
    let first = words.first().map(String::as_str).unwrap_or_default();
    if !first.contains('=') {
        let text = text.trim_start();
        return match text.split_once(char::is_whitespace) {
            Some((name, value)) => Ok(vec![(name.to_owned(), value.trim_start().to_owned())]),
            None => Err(format!("{keyword} `{text}` has no value")),
        };
    }
    let pair = |word: &String| match word.split_once('=') {
        Some(("", _)) => Err(format!("{keyword} `{word}` has no name")),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("{keyword} `{word}` has no `=`")),
    };
    words.iter().map(pair).collect()
}

/// Reads `name` or `name=default`, several of them.
pub(super) fn arguments(text: &str, escape: char) -> Result<Vec<(String, Option<String>)>, String> {
    let one = |word: String| {
        let (name, default) = match word.split_once('=') {
            Some((name, default)) => (name, Some(default.to_owned())),
            None => (word.as_str(), None),
        };
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
        if is_name {
            Ok((name.to_owned(), default))
        } else {
            Err(format!("`{name}` cannot name an argument"))
        }
    };
    words(text, escape).into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_end_at_white_space_outside_quotes() {
        for (text, expected) in [
            ("a b", vec!["a", "b"]),
            ("  a\t b  ", vec!["a", "b"]),
            (r#"a="b c" d"#, vec![r#"a="b c""#, "d"]),
            (r"a='b c' d", vec!["a='b c'", "d"]),
            (r"a=b\ c d", vec![r"a=b\ c", "d"]),
            (r#"a="b\" c" d"#, vec![r#"a="b\" c""#, "d"]),
            (r"a='b\' d", vec![r"a='b\'", "d"]),
            ("a=''", vec!["a=''"]),
            ("a=b\\", vec!["a=b"]),
            ("", vec![]),
        ] {
            assert_eq!(words(text, '\\'), expected, "{text}");
        }
        assert_eq!(words("a=b` c", '`'), ["a=b` c"]);
    }

    #[test]
    fn pairs_have_a_new_and_an_old_form() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(pairs("ENV", "a=1 b=", '\\'), Ok(vec![pair("a", "1"), pair("b", "")]));
        assert_eq!(pairs("ENV", "a  b c=d", '\\'), Ok(vec![pair("a", "b c=d")]));
        assert_eq!(pairs("ENV", "a=b=c", '\\'), Ok(vec![pair("a", "b=c")]));
        for wrong in ["a", "a=1 b", "=1"] {
            assert!(pairs("ENV", wrong, '\\').is_err(), "{wrong}");
        }
    }
}
