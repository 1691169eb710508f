//! The fields of a kustomization, and of built-in plug-ins, that refer to something.
//!
//! The list follows kustomize 5 and the deprecated fields that it still reads. Fields that refer to
//! nothing are not looked at: whether they are right is for kustomize to say.

use serde_json::Value;

use crate::objects::ObjectKey;
use crate::yaml;

use super::path;
use super::problem::ClosureProblem;

/// What a field refers to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Target {
    /// A file with objects, or a folder with a kustomization.
    Resource,
    /// A folder with a component.
    Component,
    /// A file with the configuration of plug-ins, or a folder with a kustomization that makes some.
    Plugin,
    /// The configuration of plug-ins, written in the field itself.
    Inline(Vec<Value>),
    /// A file that must be YAML.
    Yaml,
    /// Any file.
    File,
    /// A file with secret content.
    Secret,
    /// The folder of a helm chart, and where it could be fetched from.
    Chart { repository: Option<String> },
}

/// One reference: the field, the path as it is written, and what it should be.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reference {
    pub(super) field: String,
    pub(super) path: String,
    pub(super) target: Target,
}

type Found = (Vec<Reference>, Vec<ClosureProblem>);

/// Collects references of one file.
struct Collector<'a> {
    file: &'a str,
    references: Vec<Reference>,
    problems: Vec<ClosureProblem>,
}

/// Returns everything that a kustomization refers to, in the order of the fields here.
pub(super) fn references(kustomization: &Value, file: &str) -> Found {
    let mut found = Collector { file, references: Vec::new(), problems: Vec::new() };
    found.paths(&kustomization["resources"], "resources", &Target::Resource);
    found.paths(&kustomization["bases"], "bases", &Target::Resource);
    found.paths(&kustomization["components"], "components", &Target::Component);
    for field in ["generators", "transformers", "validators"] {
        found.plugins(&kustomization[field], field);
    }
    found.patches(&kustomization["patches"], "patches");
    found.patches(&kustomization["patchesJson6902"], "patchesJson6902");
    found.merge_patches(&kustomization["patchesStrategicMerge"], "patchesStrategicMerge");
    found.paths(&kustomization["configurations"], "configurations", &Target::Yaml);
    found.paths(&kustomization["crds"], "crds", &Target::Yaml);
    found.items(&kustomization["replacements"], "replacements", |found, item, field| {
        found.path(&item["path"], &format!("{field}.path"), &Target::Yaml);
    });
    found.path(&kustomization["openapi"]["path"], "openapi.path", &Target::File);
    found.items(&kustomization["configMapGenerator"], "configMapGenerator", |found, item, field| {
        found.generator(item, field, &Target::File);
    });
    found.items(&kustomization["secretGenerator"], "secretGenerator", |found, item, field| {
        found.generator(item, field, &Target::Secret);
    });
    let home = kustomization["helmGlobals"]["chartHome"].as_str().unwrap_or(CHART_HOME).to_owned();
    found.items(&kustomization["helmCharts"], "helmCharts", |found, item, field| {
        found.chart(item, field, &home);
    });
    found.items(
        &kustomization["helmChartInflationGenerator"],
        "helmChartInflationGenerator",
        |found, item, field| {
            found.old_chart(item, field);
        },
    );
    (found.references, found.problems)
}

/// Where kustomize looks for charts when nothing else is written.
const CHART_HOME: &str = "charts";

/// Returns what the configuration of a built-in plug-in refers to; `field` is where it is written,
/// empty for a whole file.
pub(super) fn plugin_references(document: &Value, file: &str, field: &str) -> Found {
    let mut found = Collector { file, references: Vec::new(), problems: Vec::new() };
    let at = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
    if document["apiVersion"] == "builtin" {
        match document["kind"].as_str().unwrap_or_default() {
            "ConfigMapGenerator" => found.generator(document, field, &Target::File),
            "SecretGenerator" => found.generator(document, field, &Target::Secret),
            "PatchTransformer" | "PatchJson6902Transformer" => {
                let target = patch_target(document);
                found.path(&document["path"], &at("path"), &target);
            }
            "PatchStrategicMergeTransformer" => found.merge_patches(&document["paths"], &at("paths")),
            "ReplacementTransformer" => {
                found.items(&document["replacements"], &at("replacements"), |found, item, field| {
                    found.path(&item["path"], &format!("{field}.path"), &Target::Yaml);
                });
            }
            "HelmChartInflationGenerator" => {
                let home = document["chartHome"].as_str().unwrap_or(CHART_HOME);
                found.chart(document, field, home);
            }
            _ => {}
        }
    }
    (found.references, found.problems)
}

/// Returns the objects that the generators of a kustomization make.
pub(super) fn generated(kustomization: &Value) -> Vec<ObjectKey> {
    let mut made = Vec::new();
    for (field, kind) in [("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")] {
        let items = kustomization[field].as_array().map(Vec::as_slice).unwrap_or_default();
        made.extend(items.iter().filter_map(|item| made_by(item, kind)));
    }
    made
}

/// Returns the object that a built-in generator makes.
pub(super) fn plugin_generated(document: &Value) -> Option<ObjectKey> {
    if document["apiVersion"] != "builtin" {
        return None;
    }
    let kind = match document["kind"].as_str()? {
        "ConfigMapGenerator" => "ConfigMap",
        "SecretGenerator" => "Secret",
        _ => return None,
    };
    let name = document["name"].as_str().or_else(|| document["metadata"]["name"].as_str())?;
    Some(ObjectKey {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: String::new(),
        name: name.to_owned(),
    })
}

fn made_by(item: &Value, kind: &str) -> Option<ObjectKey> {
    Some(ObjectKey {
        group: String::new(),
        kind: kind.to_owned(),
        namespace: item["namespace"].as_str().unwrap_or_default().to_owned(),
        name: item["name"].as_str()?.to_owned(),
    })
}

/// A patch of a Secret has secret content.
fn patch_target(patch: &Value) -> Target {
    if patch["target"]["kind"] == "Secret" { Target::Secret } else { Target::Yaml }
}

impl Collector<'_> {
    fn malformed(&mut self, field: &str, expected: &str) {
        self.problems.push(ClosureProblem::malformed(self.file, field, expected));
    }

    fn push(&mut self, field: &str, path: &str, target: Target) {
        self.references.push(Reference { field: field.to_owned(), path: path.to_owned(), target });
    }

    /// Calls `each` for every mapping of a list; a field that is absent or null has none.
    fn items(&mut self, value: &Value, field: &str, mut each: impl FnMut(&mut Self, &Value, &str)) {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let field = format!("{field}[{index}]");
                    match item {
                        Value::Object(_) => each(self, item, &field),
                        _ => self.malformed(&field, "a mapping"),
                    }
                }
            }
            _ => self.malformed(field, "a list of mappings"),
        }
    }

    /// Calls `each` for every text of a list; a field that is absent or null has none.
    fn texts(&mut self, value: &Value, field: &str, mut each: impl FnMut(&mut Self, &str, &str)) {
        match value {
            Value::Null => {}
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let field = format!("{field}[{index}]");
                    match item {
                        Value::String(text) if !text.trim().is_empty() => each(self, text, &field),
                        _ => self.malformed(&field, "a text that is not empty"),
                    }
                }
            }
            _ => self.malformed(field, "a list of texts"),
        }
    }

    fn path(&mut self, value: &Value, field: &str, target: &Target) {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => self.push(field, text, target.clone()),
            _ => self.malformed(field, "a text"),
        }
    }

    fn paths(&mut self, value: &Value, field: &str, target: &Target) {
        self.texts(value, field, |found, text, field| found.push(field, text, target.clone()));
    }

    /// Plug-ins are paths, or YAML written in place: a mapping has a line end or a brace.
    fn plugins(&mut self, value: &Value, field: &str) {
        self.texts(value, field, |found, text, field| {
            if !is_inline(text) {
                return found.push(field, text, Target::Plugin);
            }
            match yaml::documents(text.as_bytes()) {
                Ok(documents) => found.push(field, "", Target::Inline(documents)),
                Err(error) => {
                    found.problems.push(ClosureProblem::unreadable(found.file, field, found.file, &error))
                }
            }
        });
    }

    fn patches(&mut self, value: &Value, field: &str) {
        self.items(value, field, |found, item, field| {
            let target = patch_target(item);
            found.path(&item["path"], &format!("{field}.path"), &target);
        });
    }

    fn merge_patches(&mut self, value: &Value, field: &str) {
        self.texts(value, field, |found, text, field| {
            if !is_inline(text) {
                found.push(field, text, Target::Yaml);
            }
        });
    }

    fn generator(&mut self, item: &Value, field: &str, target: &Target) {
        let at = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
        self.texts(&item["files"], &at("files"), |found, text, field| match text.split_once('=') {
            None => found.push(field, text, target.clone()),
            Some((key, path)) if !key.is_empty() && !path.is_empty() && !path.contains('=') => {
                found.push(field, path, target.clone());
            }
            Some(_) => found.malformed(field, "`PATH` or `KEY=PATH`"),
        });
        self.paths(&item["envs"], &at("envs"), target);
        self.path(&item["env"], &at("env"), target);
    }

    fn chart(&mut self, item: &Value, field: &str, home: &str) {
        let text = |name: &str| item[name].as_str().filter(|text| !text.is_empty());
        let at = |name: &str| if field.is_empty() { name.to_owned() } else { format!("{field}.{name}") };
        let Some(name) = text("name") else { return self.malformed(&at("name"), "the name of a chart") };
        let folder = match (text("version"), text("repo")) {
            (Some(version), Some(_)) => format!("{home}/{name}-{version}/{name}"),
            _ => path::join(home, name),
        };
        self.push(&at("name"), &folder, Target::Chart { repository: text("repo").map(str::to_owned) });
        self.path(&item["valuesFile"], &at("valuesFile"), &Target::File);
        self.paths(&item["additionalValuesFiles"], &at("additionalValuesFiles"), &Target::File);
    }

    /// The form of kustomize 3, with other names for the same things.
    fn old_chart(&mut self, item: &Value, field: &str) {
        let home = item["chartHome"].as_str().unwrap_or(CHART_HOME).to_owned();
        let renamed = serde_json::json!({
            "name": item["chartName"], "version": item["chartVersion"], "repo": item["chartRepoUrl"],
            "valuesFile": item["values"],
        });
        self.chart(&renamed, field, &home);
    }
}

fn is_inline(text: &str) -> bool {
    text.contains('\n') || text.trim_start().starts_with(['{', '['])
}
