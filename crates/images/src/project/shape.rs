//! Checks a parsed `rings.toml` against the table of keys: unknown keys and wrong types.
//!
//! What each value means is not looked at here; the readers that come after may rely on every
//! value that they can read having the right type, and stay silent about the others.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::Findings;
use super::keys::{self, Key, Kind};
use crate::nearest::nearest;

/// Keeps a problem for every unknown key and every wrong type in `document`.
pub(crate) fn check(document: &DeTable<'_>, findings: &mut Findings<'_>) {
    // A list of tables still to be looked at: the table of keys bounds its depth, the file its length.
    let mut open: Vec<(&str, &DeTable<'_>)> = vec![("", document)];
    while let Some((path, table)) = open.pop() {
        for (name, value) in table {
            let known = keys::below(path).find(|key| key.last() == "*" || key.last() == name.get_ref());
            match known {
                None => add_unknown(path, name, findings),
                Some(key) if !has_kind(value.get_ref(), key.kind) => {
                    add_wrong_type(key, name, value, findings)
                }
                Some(key) => {
                    open.extend(tables_of(value.get_ref(), key.kind).map(|table| (key.path, table)));
                    check_items(key, value.get_ref(), findings);
                }
            }
        }
    }
}

fn has_kind(value: &DeValue<'_>, kind: Kind) -> bool {
    match kind {
        Kind::Text => value.is_str(),
        Kind::Integer => value.is_integer(),
        Kind::Boolean => value.is_bool(),
        Kind::IntegerOrText => value.is_integer() || value.is_str(),
        Kind::Time => value.is_str() || value.is_datetime(),
        Kind::TextList | Kind::Tables => value.is_array(),
        Kind::TextMap | Kind::Table => value.is_table(),
    }
}

/// Returns the tables inside `value` whose keys are listed.
fn tables_of<'v, 'i>(value: &'v DeValue<'i>, kind: Kind) -> impl Iterator<Item = &'v DeTable<'i>> {
    let one = (kind == Kind::Table).then(|| value.as_table()).flatten();
    let many = (kind == Kind::Tables).then(|| value.as_array()).flatten();
    let many = many.into_iter().flat_map(|list| list.iter()).filter_map(|item| item.get_ref().as_table());
    one.into_iter().chain(many)
}

/// Checks the items of lists, and the values of tables whose keys are free.
fn check_items(key: &Key, value: &DeValue<'_>, findings: &mut Findings<'_>) {
    let wrong = |item: &Spanned<DeValue<'_>>| match key.kind {
        Kind::TextList | Kind::TextMap => !item.get_ref().is_str(),
        Kind::Tables => !item.get_ref().is_table(),
        _ => false,
    };
    let expected = if key.kind == Kind::Tables { "a table" } else { "a string" };
    let listed = value.as_array().into_iter().flat_map(|list| list.iter());
    let named = value.as_table().into_iter().flat_map(|table| table.values());
    let named = named.filter(|_| key.kind == Kind::TextMap);
    for item in listed.chain(named).filter(|item| wrong(item)) {
        findings.add(
            item.span().start,
            format!("expected {expected} in `{}`, found {}", key.path, in_words(item.get_ref())),
            quote_help(item.get_ref(), expected),
        );
    }
}

fn quote_help(value: &DeValue<'_>, expected: &str) -> String {
    match value {
        DeValue::Integer(number) => format!("put it in quotes: \"{number}\""),
        DeValue::Float(number) => format!("put it in quotes: \"{number}\""),
        DeValue::Boolean(value) => format!("put it in quotes: \"{value}\""),
        _ => format!("write {expected}"),
    }
}

fn in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn add_wrong_type(
    key: &Key,
    name: &Spanned<toml::de::DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings<'_>,
) {
    let name = name.get_ref();
    let message =
        format!("expected {} for `{name}`, found {}", key.kind.in_words(), in_words(value.get_ref()));
    let help = match key.kind {
        Kind::Table if key.last() == "*" => format!("write a table: `[{}]`", key.path.replace('*', name)),
        Kind::Table => format!("write a table: `[{}]`", key.path),
        Kind::Tables => format!("write a table with two brackets for each: `[[{}]]`", key.path),
        kind => format!("write it like this: {name} = {}", kind.example()),
    };
    findings.add(value.span().start, message, help);
}

fn add_unknown(path: &str, name: &Spanned<toml::de::DeString<'_>>, findings: &mut Findings<'_>) {
    let text = name.get_ref();
    let place = match path {
        "" => "at the top of the file".to_owned(),
        "sites" | "gates.*.freezes" | "gates.*.checks" => format!("in `[[{path}]]`"),
        _ => format!("in `[{path}]`"),
    };
    let known: Vec<&str> = keys::below(path).map(Key::last).collect();
    let elsewhere = keys::KEYS.iter().find(|key| key.last() == text);
    let help = if path == "images.*" && text == "root" {
        "name the root image once, at the top of the file: root = \"NAME\"".to_owned()
    } else if let Some(near) = nearest(text, known.iter().copied()) {
        format!("did you mean `{near}`?")
    } else if let Some(key) = elsewhere {
        format!("`{text}` belongs to `{}`", key.path)
    } else {
        format!("the keys here are {}", known.join(", "))
    };
    findings.add(name.span().start, format!("unknown key `{text}` {place}"), help);
}
