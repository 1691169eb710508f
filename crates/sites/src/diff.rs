//! What would change on a site: objects before and after, or files where kustomize is missing.
//!
//! Values of Secrets never leave this module: equal ones read `***`, different ones say on which
//! side they stand, so that a change is seen and the value is not.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::closure::{Closure, closure_of_artifact};
use crate::limits::{DIFF_BYTES_MAX, DIFF_TIMEOUT};
use crate::objects::{ObjectKey, Objects};
use crate::tree::{FileEntry, Tree};
use crate::yaml;

/// How an object changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It goes away.
    Removed,
    /// It stays and is different.
    Changed,
}

/// One object, or one file of the sources, that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectChange {
    /// What names the object; a file has the kind `File`, no group, and its path as name.
    #[serde(flatten)]
    pub key: ObjectKey,
    /// How it changes.
    pub change: Change,
    /// The lines that change, as a unified diff; at most 256 KiB.
    pub diff: String,
}

/// Compares two sets of rendered objects.
pub fn diff_objects(before: &Objects, after: &Objects) -> Vec<ObjectChange> {
    let keys: BTreeSet<&ObjectKey> = before.keys().chain(after.keys()).collect();
    keys.into_iter().filter_map(|key| object_change(key, before.get(key), after.get(key))).collect()
}

fn object_change(key: &ObjectKey, before: Option<&Value>, after: Option<&Value>) -> Option<ObjectChange> {
    let change = change(before, after)?;
    let (before, after) = masked(before, after);
    let text = |value: Option<Value>| value.map(|value| yaml::write(&value)).unwrap_or_default();
    Some(ObjectChange { key: key.clone(), change, diff: unified(&text(before), &text(after)) })
}

fn change<T: PartialEq>(before: Option<&T>, after: Option<&T>) -> Option<Change> {
    match (before, after) {
        (Some(before), Some(after)) if before == after => None,
        (Some(_), Some(_)) => Some(Change::Changed),
        (None, Some(_)) => Some(Change::Added),
        (Some(_), None) => Some(Change::Removed),
        (None, None) => None,
    }
}

/// Compares the files of two artifacts, for when there is no kustomize.
///
/// Files with secret content say only that they changed: sources of secret generators, patches of
/// Secrets, and YAML that cannot be read. Secrets in other YAML are masked.
pub fn diff_files(before: &Tree, after: &Tree) -> Vec<ObjectChange> {
    let secrets = &secret_files(before) | &secret_files(after);
    let paths: BTreeSet<&String> = before.files().chain(after.files()).map(|(path, _)| path).collect();
    let mut changes = Vec::new();
    for path in paths {
        let (old, new) = (before.file(path), after.file(path));
        let Some(change) = change(old, new) else { continue };
        let diff = match secrets.contains(path) {
            true => HIDDEN.to_owned(),
            false => file_diff(path, old, new),
        };
        let key = ObjectKey {
            group: String::new(),
            kind: "File".to_owned(),
            namespace: String::new(),
            name: path.clone(),
        };
        changes.push(ObjectChange { key, change, diff });
    }
    changes
}

const HIDDEN: &str = "(secret content is not shown)\n";
const BINARY: &str = "(binary content is not shown)\n";
const UNREADABLE: &str = "(content that is no readable YAML is not shown)\n";
const ONLY_MODE: &str = "(only the execute bit changes)\n";

fn secret_files(tree: &Tree) -> BTreeSet<String> {
    closure_of_artifact(tree).map(|closure: Closure| closure.secrets).unwrap_or_default()
}

fn file_diff(path: &str, before: Option<&FileEntry>, after: Option<&FileEntry>) -> String {
    let bytes = |file: Option<&FileEntry>| file.map(|file| file.bytes.to_vec()).unwrap_or_default();
    let (old, new) = (bytes(before), bytes(after));
    if old == new && before.is_some() && after.is_some() {
        return ONLY_MODE.to_owned();
    }
    let is_yaml = [".yaml", ".yml", ".json", "Kustomization"].iter().any(|end| path.ends_with(end));
    let is_template = path.contains("/templates/");
    if is_yaml && !is_template {
        let (Ok(old_documents), Ok(new_documents)) = (yaml::documents(&old), yaml::documents(&new)) else {
            return UNREADABLE.to_owned();
        };
        if old_documents.iter().chain(&new_documents).any(holds_secret) {
            return documents_diff(&old_documents, &new_documents);
        }
    }
    match (std::str::from_utf8(&old), std::str::from_utf8(&new)) {
        (Ok(old), Ok(new)) => unified(old, new),
        _ => BINARY.to_owned(),
    }
}

/// Compares documents one by one with Secrets masked; comments and layout are lost, values are not.
fn documents_diff(before: &[Value], after: &[Value]) -> String {
    let mut texts = (String::new(), String::new());
    for index in 0..before.len().max(after.len()) {
        let (old, new) = masked(before.get(index), after.get(index));
        for (text, value) in [(&mut texts.0, old), (&mut texts.1, new)] {
            if let Some(value) = value {
                text.push_str("---\n");
                text.push_str(&yaml::write(&value));
            }
        }
    }
    let same = texts.0 == texts.1;
    if same { HIDDEN.to_owned() } else { unified(&texts.0, &texts.1) }
}

/// A Secret, a list with one, a generator of one, or a patch of one.
fn holds_secret(document: &Value) -> bool {
    let list = |value: &Value| value.as_array().is_some_and(|items| items.iter().any(is_secret));
    is_secret(document)
        || document["kind"] == "SecretGenerator"
        || list(&document["items"])
        || !document["secretGenerator"].is_null()
        || PLUGIN_FIELDS.iter().any(|field| mentions_secret(document.pointer(field)))
}

fn is_secret(document: &Value) -> bool {
    document["kind"] == "Secret"
}

/// Whether anything written in place in a field may be about a Secret.
fn mentions_secret(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Array(items)) => items.iter().any(|item| mentions_secret(Some(item))),
        Some(Value::Object(fields)) => fields.values().any(|field| mentions_secret(Some(field))),
        Some(Value::String(text)) => text.contains("Secret"),
        _ => false,
    }
}

/// Returns both sides with the values of Secrets replaced.
fn masked(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    (
        before.map(|value| mask(value, after.unwrap_or(&Value::Null), "before")),
        after.map(|value| mask(value, before.unwrap_or(&Value::Null), "after")),
    )
}

fn mask(document: &Value, other: &Value, side: &str) -> Value {
    let mut masked = document.clone();
    let mut places: Vec<&str> = Vec::new();
    match document["kind"].as_str() {
        Some("Secret") => places.extend(["/data", "/stringData", LAST_APPLIED]),
        Some("SecretGenerator") => places.push("/literals"),
        _ => places.extend(PLUGIN_FIELDS.iter().filter(|field| mentions_secret(document.pointer(field)))),
    }
    for place in places {
        hide(&mut masked, document, other, place, side);
    }
    for (field, inner) in [("items", ""), ("secretGenerator", "/literals")] {
        let count = document[field].as_array().map_or(0, Vec::len);
        for index in 0..count {
            let place = format!("/{field}/{index}");
            if field == "secretGenerator" {
                hide(&mut masked, document, other, &format!("{place}{inner}"), side);
            } else if let Some(item) = masked.pointer_mut(&place) {
                *item = mask(&document[field][index], &other[field][index], side);
            }
        }
    }
    masked
}

/// The annotation in which `kubectl apply` keeps the whole object, values of a Secret included.
const LAST_APPLIED: &str = "/metadata/annotations/kubectl.kubernetes.io~1last-applied-configuration";

/// Fields of a kustomization in which patches and plug-ins can be written in place.
const PLUGIN_FIELDS: [&str; 5] =
    ["/patches", "/patchesJson6902", "/patchesStrategicMerge", "/transformers", "/generators"];

/// Replaces every value below `place`; one that is equal on the other side reads the same on both.
fn hide(masked: &mut Value, document: &Value, other: &Value, place: &str, side: &str) {
    let Some(own) = document.pointer(place) else { return };
    let other = other.pointer(place).unwrap_or(&Value::Null);
    if let Some(value) = masked.pointer_mut(place) {
        *value = hidden(own, other, side);
    }
}

fn hidden(own: &Value, other: &Value, side: &str) -> Value {
    match own {
        Value::Null => Value::Null,
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, field)| (name.clone(), hidden(field, &other[name], side)));
            Value::Object(fields.collect())
        }
        Value::Array(items) => {
            let items = items.iter().enumerate().map(|(index, item)| hidden(item, &other[index], side));
            Value::Array(items.collect())
        }
        _ if own == other => json!("***"),
        _ => json!(format!("*** ({side})")),
    }
}

fn unified(before: &str, after: &str) -> String {
    let diff: TextDiff<'_, '_, str> = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_lines(before, after);
    let mut text = diff.unified_diff().context_radius(3).to_string();
    if text.len() > DIFF_BYTES_MAX {
        let end = (0..=DIFF_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push_str("\n(the rest is not shown)\n");
    }
    text
}
