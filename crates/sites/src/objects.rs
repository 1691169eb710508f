//! Kubernetes objects by what names them: group, kind, namespace and name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What names an object, whatever version of its group it is written in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// The group of the object's `apiVersion`; empty for the core group.
    pub group: String,
    /// The kind, for example `Deployment`.
    pub kind: String,
    /// The namespace; empty when none is written.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// Objects by what names them.
pub type Objects = BTreeMap<ObjectKey, Value>;

impl std::fmt::Display for ObjectKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.kind)?;
        if !self.group.is_empty() {
            write!(formatter, ".{}", self.group)?;
        }
        formatter.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(formatter, "{}/", self.namespace)?;
        }
        formatter.write_str(&self.name)
    }
}

/// Returns the objects in `documents`; the items of lists count one by one, what has no kind or
/// name is left out.
pub fn objects(documents: Vec<Value>) -> Objects {
    let mut found = Objects::new();
    for document in documents {
        for object in items(document) {
            if let Some(key) = key(&object) {
                found.insert(key, object);
            }
        }
    }
    found
}

/// The items of a `…List`, or the object itself. Lists in lists are not a thing in Kubernetes.
fn items(document: Value) -> Vec<Value> {
    let is_list = document["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match document {
        Value::Object(mut fields) if is_list && fields.get("items").is_some_and(Value::is_array) => {
            match fields.remove("items") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

fn key(object: &Value) -> Option<ObjectKey> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let version = object["apiVersion"].as_str().unwrap_or_default();
    Some(ObjectKey {
        group: version.split_once('/').map(|(group, _)| group.to_owned()).unwrap_or_default(),
        kind: text(&object["kind"])?,
        namespace: text(&object["metadata"]["namespace"]).unwrap_or_default(),
        name: text(&object["metadata"]["name"])?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn objects_are_named_by_group_kind_namespace_and_name() {
        let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api, namespace: shop}\n---\n\
            apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: api}}\n\
            - {apiVersion: v1, kind: Secret, metadata: {name: key}}\n---\nkind: Nameless\n---\njust text\n";
        let found = objects(yaml::documents(text.as_bytes()).expect("is YAML"));
        let names: Vec<String> = found.keys().map(ToString::to_string).collect();
        assert_eq!(names, ["Secret key", "Service api", "Deployment.apps shop/api"]);
    }

    #[test]
    fn another_version_of_the_same_group_is_the_same_object() {
        let named = |version: &str| {
            let text = format!("apiVersion: {version}\nkind: X\nmetadata: {{name: a}}\n");
            objects(yaml::documents(text.as_bytes()).expect("is YAML")).into_keys().next()
        };
        assert_eq!(named("g/v1"), named("g/v1beta1"));
        assert_ne!(named("g/v1"), named("h/v1"));
    }
}
