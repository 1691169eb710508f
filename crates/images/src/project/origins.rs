//! Where each setting came from: a flag, a variable, the project file, the user's file, a default.

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::Overrides;
use super::findings::Findings;
use super::keys::{Key, Kind, below};
use super::user::UserFile;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SettingOrigin {
    /// A flag of the command line, for example `--registry`.
    Flag(String),
    /// An environment variable, for example `RING_REGISTRY`.
    Variable(String),
    /// A line of the project file.
    ProjectFile {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
    },
    /// A line of the user's own file.
    UserFile {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
    },
    /// Nobody said anything.
    Default,
}

impl SettingOrigin {
    /// Returns what stands for the file in a problem with a value of this origin.
    pub(crate) fn as_file(&self) -> PathBuf {
        match self {
            Self::Flag(name) | Self::Variable(name) => PathBuf::from(name),
            Self::ProjectFile { file, .. } | Self::UserFile { file, .. } => file.clone(),
            Self::Default => PathBuf::from("default"),
        }
    }
}

impl fmt::Display for SettingOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(formatter, "flag {name}"),
            Self::Variable(name) => write!(formatter, "variable {name}"),
            Self::ProjectFile { file, line } | Self::UserFile { file, line } => {
                write!(formatter, "{}:{line}", file.display())
            }
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// One setting with its value and where the value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key with its path, for example `images.api.context` or `sites[0].ring`.
    pub key: String,
    /// The value as TOML writes it.
    pub value: String,
    /// Where it came from.
    pub origin: SettingOrigin,
}

/// What settings are collected from, besides the project file.
pub(crate) struct Sources<'s> {
    pub(crate) file: &'s Path,
    pub(crate) overrides: &'s Overrides,
    pub(crate) user: Option<&'s UserFile>,
}

/// Returns every setting: the keys at the top of the file in their documented order, then the rest.
pub(crate) fn settings(
    document: &DeTable<'_>,
    sources: &Sources<'_>,
    findings: &Findings<'_>,
) -> Vec<Setting> {
    let is_structured = |key: &&Key| matches!(key.kind, Kind::Table | Kind::Tables | Kind::TextMap);
    let mut settings: Vec<Setting> = below("")
        .filter(|key| !is_structured(key))
        .filter_map(|key| top_setting(key, document, sources, findings))
        .collect();
    for (name, value) in document {
        let known = below("").find(|key| key.path == name.get_ref());
        if known.as_ref().is_some_and(is_structured) {
            flatten(name.get_ref(), value.get_ref(), name.span().start, &mut |key, value, at| {
                let origin =
                    SettingOrigin::ProjectFile { file: sources.file.to_path_buf(), line: findings.line(at) };
                settings.push(Setting { key, value, origin });
            });
        }
    }
    settings
}

fn top_setting(
    key: &Key,
    document: &DeTable<'_>,
    sources: &Sources<'_>,
    findings: &Findings<'_>,
) -> Option<Setting> {
    let given = match key.path {
        "project" => sources.overrides.project.as_ref(),
        "registry" => sources.overrides.registry.as_ref(),
        _ => None,
    };
    let user = sources.user.and_then(|user| user.registry.as_ref()).filter(|_| key.path == "registry");
    let (value, origin) = if let Some(given) = given {
        (quoted(&given.value), given.origin.clone())
    } else if let Some((name, value)) = document.get_key_value(key.path) {
        let line = findings.line(name.span().start);
        (in_toml(value.get_ref()), SettingOrigin::ProjectFile { file: sources.file.to_path_buf(), line })
    } else if let (Some(registry), Some(file)) = (user, &sources.overrides.user_file) {
        (quoted(&registry.written), SettingOrigin::UserFile { file: file.clone(), line: registry.line })
    } else if key.default.is_empty() {
        return None;
    } else {
        (key.default.to_owned(), SettingOrigin::Default)
    };
    Some(Setting { key: key.path.to_owned(), value, origin })
}

/// Calls `each` for every value below `value` that is no table, with its path and place.
fn flatten(path: &str, value: &DeValue<'_>, at: usize, each: &mut impl FnMut(String, String, usize)) {
    // A list of work instead of recursion: the file decides how deep it is.
    let mut open = vec![(path.to_owned(), value, at)];
    while let Some((path, value, at)) = open.pop() {
        let first_new = open.len();
        match value {
            DeValue::Table(table) => {
                for (name, value) in table {
                    open.push((
                        format!("{path}.{}", bare_or_quoted(name.get_ref())),
                        value.get_ref(),
                        name.span().start,
                    ));
                }
            }
            DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => {
                for (index, item) in list.iter().enumerate() {
                    open.push((format!("{path}[{index}]"), item.get_ref(), item.span().start));
                }
            }
            _ => each(path, in_toml(value), at),
        }
        open[first_new..].reverse();
    }
}

fn bare_or_quoted(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn in_toml(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(list) => {
            // Only lists of plain values come here, or the file would have been refused.
            let items: Vec<String> = list
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::String(text) => quoted(text),
                    other => other.as_integer().map_or_else(String::new, ToString::to_string),
                })
                .collect();
            format!("[{}]", items.join(", "))
        }
        DeValue::Table(_) => "{}".to_owned(),
    }
}
