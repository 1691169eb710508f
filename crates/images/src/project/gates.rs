//! Reads `[gates.<ring>]`: what must hold before releases arrive on a ring.
//!
//! The gates are checked here as far as a file can be wrong, and kept as they are written: judging
//! them is the business of the rules, which get facts that this crate does not have.

use std::collections::BTreeMap;

use ringsite_names::{RingName, Timestamp};
use ringsite_rings::{Approvals, Check, Freeze, Gates, Probe};
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, Text, integer, table, tables, text, texts};
use super::top::{checked, listed};
use super::values::{parse_duration, unknown_word};
use crate::nearest::nearest;

/// What a gate may require.
const REQUIREMENTS: [&str; 3] = ["signature", "sbom", "sites-healthy"];

/// The days of a window, in their order.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Reads the gates of all rings.
pub(crate) fn read(
    document: &DeTable<'_>,
    rings: &[RingName],
    findings: &mut Findings<'_>,
) -> BTreeMap<RingName, Gates> {
    let mut gates = BTreeMap::new();
    let Some((declared, _)) = table(document, "gates") else { return gates };
    for (key, value) in declared {
        let Some(keys) = value.get_ref().as_table() else { continue };
        let of_ring = read_one(keys, key.span().start, findings);
        let name = Text { text: key.get_ref(), at: key.span().start };
        if let Some(ring) = rings.iter().find(|ring| ring.as_str() == name.text) {
            gates.insert(ring.clone(), of_ring);
        } else {
            findings.add_unless_broken(
                name.at,
                format!("gates are set for `{}`, which is no ring", name.text),
                ring_help(name.text, rings),
            );
        }
    }
    gates
}

/// Returns what to do about a ring that is not configured.
pub(crate) fn ring_help(written: &str, rings: &[RingName]) -> String {
    let names: Vec<&str> = rings.iter().map(RingName::as_str).collect();
    match nearest(written, names.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("the rings are {}", listed(names)),
    }
}

fn read_one(keys: &DeTable<'_>, at: usize, findings: &mut Findings<'_>) -> Gates {
    let soak =
        text(keys, "soak").filter(|text| checked(*text, parse_duration(text.text), findings).is_some());
    let approvals = read_approvals(keys, findings);
    let hotfix = text(keys, "hotfix");
    if let Some(hotfix) = hotfix {
        if hotfix.text != "approvals" {
            let error = unknown_word("hotfix rule", hotfix.text, &["approvals"]);
            findings.add(hotfix.at, error.message, error.help);
        } else if !keys.contains_key("approvals") {
            findings.add(
                hotfix.at,
                "`hotfix` asks for approvals, and the gate has none",
                "add approvals = { count = 1, keys = [\"keys/NAME.pub\"] }",
            );
        }
    }
    Gates {
        soak: soak.map(owned),
        approvals,
        windows: read_windows(keys, findings),
        freezes: tables(keys, "freezes")
            .into_iter()
            .filter_map(|(freeze, at)| read_freeze(freeze, at, findings))
            .collect(),
        require: read_requirements(keys, findings),
        checks: read_checks(keys, at, findings),
        hotfix: hotfix.map(owned),
    }
}

fn owned(text: Text<'_>) -> String {
    text.text.to_owned()
}

fn read_approvals(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Approvals> {
    let (approvals, at) = table(keys, "approvals")?;
    let files: Vec<String> =
        texts(approvals, "keys").map(|(files, _)| files.into_iter().map(owned).collect()).unwrap_or_default();
    if files.is_empty() {
        let help = "name the public keys of those who may approve: keys = [\"keys/NAME.pub\"]";
        findings.add_unless_broken(at, "`approvals` names no key", help);
        return None;
    }
    let (count, count_at) = integer(approvals, "count").unwrap_or((Some(1), at));
    let count = count.and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
    let enough = count.filter(|count| usize::try_from(*count).is_ok_and(|count| count <= files.len()));
    if enough.is_none() {
        let help = format!("write 1 to {}, the number of keys", files.len());
        findings.add(count_at, "`count` can never be reached", help);
    }
    enough.map(|count| Approvals { count, keys: files })
}

fn read_windows(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let windows = texts(keys, "windows").map(|(windows, _)| windows).unwrap_or_default();
    for window in &windows {
        if !is_window(window.text) {
            findings.add(
                window.at,
                format!("`{}` is no window", window.text),
                "write days, times and a time zone, for example \"Mon-Thu 09:00-16:00 Europe/Amsterdam\"",
            );
        }
    }
    windows.into_iter().map(owned).collect()
}

/// Returns whether `text` is `DAY[-DAY][,…] HH:MM-HH:MM [ZONE]`.
fn is_window(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, times, zone) = match words.as_slice() {
        [days, times] => (*days, *times, "UTC"),
        [days, times, zone] => (*days, *times, *zone),
        _ => return false,
    };
    let is_day = |day: &str| DAYS.contains(&day);
    let is_days =
        |days: &str| days.split_once('-').map_or(is_day(days), |(from, to)| is_day(from) && is_day(to));
    let is_zone_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'-' | b'+');
    let times = times.split_once('-').map(|(from, to)| (minutes(from), minutes(to)));
    days.split(',').all(is_days)
        && matches!(times, Some((Some(from), Some(to))) if from < to)
        && zone.bytes().all(is_zone_byte)
        && zone.starts_with(|first: char| first.is_ascii_alphabetic())
}

fn minutes(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse::<u32>().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (minutes < 60 && hours * 60 + minutes <= 24 * 60).then_some(hours * 60 + minutes)
}

fn read_freeze(keys: &DeTable<'_>, at: usize, findings: &mut Findings<'_>) -> Option<Freeze> {
    let from = read_time(keys, "from", at, findings);
    let to = read_time(keys, "to", at, findings);
    let (from, to) = (from?, to?);
    if from >= to {
        findings.add(at, "the freeze ends before it begins", "swap `from` and `to`");
    }
    Some(Freeze { from: from.to_string(), to: to.to_string(), reason: text(keys, "reason").map(owned) })
}

/// Reads a time with its offset, or a date, which is its first moment in UTC.
fn read_time(keys: &DeTable<'_>, key: &str, at: usize, findings: &mut Findings<'_>) -> Option<Timestamp> {
    let Some(value) = keys.get(key) else {
        let help = format!("add {key} = \"2026-12-24T00:00:00Z\"");
        findings.add_unless_broken(at, format!("the freeze has no `{key}`"), help);
        return None;
    };
    let written = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        _ => return None,
    };
    let is_date = written.len() == 10 && !written.contains(':');
    let full = if is_date { format!("{written}T00:00:00Z") } else { written.clone() };
    let time = full.parse::<Timestamp>();
    if time.is_err() {
        findings.add(
            value.span().start,
            format!("`{written}` is no time"),
            "write a date, or a time with its offset: \"2026-12-24\" or \"2026-12-24T18:00:00+01:00\"",
        );
    }
    time.ok()
}

fn read_requirements(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let mut required: Vec<String> = Vec::new();
    for text in texts(keys, "require").map(|(required, _)| required).unwrap_or_default() {
        if !REQUIREMENTS.contains(&text.text) {
            let error = unknown_word("fact that can be required", text.text, &REQUIREMENTS);
            findings.add(text.at, error.message, error.help);
        } else if required.iter().any(|known| known == text.text) {
            findings.add(text.at, format!("`{}` is required twice", text.text), "keep one of the two");
        } else {
            required.push(owned(text));
        }
    }
    required
}

fn read_checks(keys: &DeTable<'_>, gate_at: usize, findings: &mut Findings<'_>) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for (check, at) in tables(keys, "checks") {
        let Some(name) = text(check, "name").filter(|name| !name.text.trim().is_empty()) else {
            if !check.contains_key("name") {
                findings.add_unless_broken(at, "a check has no name", "add name = \"smoke\"");
            }
            continue;
        };
        if checks.iter().any(|known| known.name == name.text) {
            findings.add(name.at, format!("two checks are called `{}`", name.text), "rename one of them");
        }
        let command =
            texts(check, "command").map(|(words, _)| words.into_iter().map(owned).collect::<Vec<_>>());
        let probe = match (command, text(check, "url")) {
            (Some(words), None) if !words.is_empty() => Probe::Command(words),
            (None, Some(url)) if is_address(url.text) => Probe::Url(owned(url)),
            (None, Some(url)) => {
                let message = format!("`{}` is no address of a check", url.text);
                findings.add(url.at, message, "write an address that begins with https:// or http://");
                continue;
            }
            _ => {
                let message = format!("the check `{}` needs either a command or an address", name.text);
                findings.add_unless_broken(
                    at.max(gate_at),
                    message,
                    "write command = [\"program\", \"argument\"] or url = \"https://…\", not both",
                );
                continue;
            }
        };
        checks.push(Check { name: owned(name), probe });
    }
    checks
}

fn is_address(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && !text.contains(char::is_whitespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_days_times_and_a_zone() {
        for good in ["Mon-Thu 09:00-16:00 Europe/Amsterdam", "Mon,Wed-Fri 00:00-24:00", "Sat 10:00-10:01 UTC"]
        {
            assert!(is_window(good), "{good}");
        }
        for bad in [
            "",
            "Mon",
            "Mon 9-16",
            "Mon 16:00-09:00",
            "Monday 09:00-16:00",
            "Mon-Thu 09:00-25:00",
            "Mon 09:60-10:00",
            "Mon 09:00-16:00 +01:00",
            "Mon 09:00-16:00 Europe/Amsterdam now",
        ] {
            assert!(!is_window(bad), "{bad}");
        }
    }
}
