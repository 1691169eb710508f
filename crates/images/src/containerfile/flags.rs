//! The flags of instructions: every one that is known, and no other.

use std::time::Duration;

use crate::nearest::nearest;

/// What is wrong, and the remedy.
pub(super) type Said = (String, String);

/// The flags of one instruction, taken out one by one.
#[derive(Clone, Debug)]
pub(super) struct Flags {
    keyword: &'static str,
    left: Vec<(String, Option<String>)>,
}

impl Flags {
    /// Checks that all flags are among `known`, and none but `several` stands twice.
    pub(super) fn new(
        keyword: &'static str,
        flags: impl IntoIterator<Item = (String, Option<String>)>,
        known: &[&str],
        several: &[&str],
    ) -> Result<Self, Said> {
        let mut left: Vec<(String, Option<String>)> = Vec::new();
        for (name, value) in flags {
            if !known.contains(&&*name) {
                let help = match nearest(&name, known.iter().copied()) {
                    Some(meant) => format!("did you mean `--{meant}`?"),
                    None if known.is_empty() => format!("{keyword} has no flags"),
                    None => format!("{keyword} knows --{}", known.join(", --")),
                };
                return Err((format!("`--{name}` is no flag of {keyword} that is understood"), help));
            }
            if left.iter().any(|(other, _)| *other == name) && !several.contains(&&*name) {
                return Err((format!("`--{name}` stands twice"), "keep one of the two".to_owned()));
            }
            let value = value.map(|value| unquote(&name, &value)).transpose()?;
            left.push((name, value));
        }
        Ok(Self { keyword, left })
    }

    /// Takes the value of a flag that needs one.
    pub(super) fn value(&mut self, name: &str) -> Result<Option<String>, Said> {
        Ok(self.values(name)?.pop())
    }

    /// Takes all values of a flag that may stand several times.
    pub(super) fn values(&mut self, name: &str) -> Result<Vec<String>, Said> {
        let (taken, left) = std::mem::take(&mut self.left).into_iter().partition(|(other, _)| other == name);
        self.left = left;
        let taken: Vec<(String, Option<String>)> = taken;
        let value = |(name, value): (String, Option<String>)| match value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err((format!("`--{name}` of {} has no value", self.keyword), format!("write `--{name}=…`"))),
        };
        taken.into_iter().map(value).collect()
    }

    /// Takes a flag that is on or off.
    pub(super) fn switch(&mut self, name: &str) -> Result<Option<bool>, Said> {
        let Some(at) = self.left.iter().position(|(other, _)| other == name) else { return Ok(None) };
        match self.left.remove(at).1.as_deref() {
            None | Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => {
                Err((format!("`--{name}={other}` is neither on nor off"), "write true or false".to_owned()))
            }
        }
    }

    /// Takes a duration in the form of Go, such as `1m30s`.
    pub(super) fn duration(&mut self, name: &str) -> Result<Option<Duration>, Said> {
        let Some(text) = self.value(name)? else { return Ok(None) };
        let wrong = || {
            (format!("`--{name}={text}` is no duration"), "write for example 30s, 1m30s or 500ms".to_owned())
        };
        go_duration(&text).map(Some).ok_or_else(wrong)
    }
}

/// Takes quotes off; the parser splits flags at white space, so that a quoted space breaks a value.
fn unquote(name: &str, value: &str) -> Result<String, Said> {
    let mut out = String::new();
    let mut quote = None;
    for character in value.chars() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (None, '"' | '\'') => quote = Some(character),
            _ => out.push(character),
        }
    }
    match quote {
        None => Ok(out),
        Some(_) => Err((
            format!("the value of `--{name}` has a quote that is not closed before the next space"),
            "write the value without quotes and spaces".to_owned(),
        )),
    }
}

/// Reads a duration as Go prints it; negative ones are none.
fn go_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let number_end = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after
            .find(|character: char| character.is_ascii_digit() || character == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let nanoseconds: u128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty())
            || whole.len() > 12
            || fraction.len() > 12
            || fraction.contains('.')
        {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
        total += digits(whole)? * nanoseconds;
        total += digits(fraction)? * nanoseconds / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        rest = after;
    }
    let nanoseconds = u64::try_from(total).ok().filter(|_| !text.is_empty())?;
    i64::try_from(nanoseconds).is_ok().then(|| Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("1m30s", Some(90_000)),
            ("1.5s", Some(1_500)),
            ("500ms", Some(500)),
            ("2h", Some(7_200_000)),
            ("0", Some(0)),
            (".5s", Some(500)),
            ("5", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("1x", None),
            ("1.2.3s", None),
            ("9999999999999h", None),
        ] {
            assert_eq!(go_duration(text), expected.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn a_flag_that_is_not_known_is_refused_with_the_nearest_one() {
        let flag = |name: &str| vec![(name.to_owned(), Some("x".to_owned()))];
        let (message, help) =
            Flags::new("COPY", flag("chwon"), &["chown", "chmod"], &[]).expect_err("is unknown");
        assert!(message.contains("--chwon"), "{message}");
        assert!(help.contains("--chown"), "{help}");
        let twice = [flag("chown"), flag("chown")].concat();
        assert!(Flags::new("COPY", twice, &["chown"], &[]).is_err());
    }
}
