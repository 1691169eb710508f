//! The crates of the house: which there are, on which floor, and who may import whom.
//!
//! An arrow only goes down; crates of one floor do not import each other. Tests may also use
//! `testkit`, which stands beside the house. The table is `docs/architecture.md`, in code.

use std::path::Path;

use serde::Deserialize;

use super::Finding;
use crate::error::{Result, TaskError};
use crate::workspace::{SourceFile, Workspace};

/// Every crate of the house with its floor.
const FLOORS: &[(&str, u8)] = &[
    ("names", 0),
    ("rings", 1),
    ("oci", 1),
    ("remote", 2),
    ("images", 2),
    ("commit", 2),
    ("registry", 2),
    ("ledger", 3),
    ("build", 3),
    ("sites", 3),
    ("catalog", 3),
    ("ocm", 3),
    ("engine", 4),
    ("server", 5),
    ("controller", 5),
    ("cli", 6),
];
/// What all packages of the house are called before the name of their folder.
const PREFIX: &str = "ringsite-";
/// The crate that only tests use.
const TESTKIT: &str = "ringsite-testkit";
/// The program of the tasks; it imports nothing of the house.
const XTASK: &str = "xtask";

/// A package of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

/// Returns the packages of the workspace, from `cargo metadata`.
///
/// # Errors
/// `cargo metadata` does not answer, for example because a manifest is wrong.
pub(crate) fn packages(workspace: &Workspace) -> Result<Vec<Package>> {
    let mut command = workspace.cargo(&["metadata", "--format-version", "1", "--no-deps"]);
    let output = command.output().map_err(TaskError::start("cargo metadata"))?;
    if !output.status.success() {
        return Err(TaskError::new(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(TaskError::json("read cargo metadata"))?;
    Ok(metadata.packages)
}

/// Returns every package and dependency that breaks a rule of the house.
pub(crate) fn check(root: &Path, packages: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in packages {
        let folder = Path::new(&package.manifest_path).parent().unwrap_or(root);
        let place = folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().into_owned();
        for message in check_folder(&place, &package.name).into_iter().chain(check_arrows(package)) {
            findings.push(Finding::about(format!("{place}/Cargo.toml"), message));
        }
    }
    findings
}

/// Returns what is wrong with the manifests of the workspace, as text.
pub(crate) fn check_manifests(files: &[SourceFile]) -> Vec<Finding> {
    let is_member = |path: &str| path == "xtask/Cargo.toml" || path.starts_with("crates/");
    let manifests = files.iter().filter(|file| file.path.ends_with("Cargo.toml") && is_member(&file.path));
    let mut findings = Vec::new();
    for file in manifests {
        let text: String = file.text.split_whitespace().collect();
        if !text.contains("[lints]workspace=true") {
            findings.push(Finding::about(&*file.path, "takes no part in the lints of the workspace"));
        }
        if text.contains("git=\"") {
            findings.push(Finding::about(&*file.path, "a dependency from Git is not pinned by a registry"));
        }
        let features =
            text.split_once("[features]").map(|(_, rest)| rest.split('[').next().unwrap_or_default());
        if features.is_some_and(|features| !features.starts_with("testing=")) {
            findings.push(Finding::about(&*file.path, "a Cargo feature doubles what has to be tested"));
        }
    }
    findings
}

/// Returns what is wrong with the place of a package.
fn check_folder(place: &str, name: &str) -> Option<String> {
    if name == XTASK {
        return (place != XTASK).then(|| format!("package `{name}` stands in `{XTASK}`"));
    }
    let Some(last) = name.strip_prefix(PREFIX) else {
        return Some(format!("package `{name}` is not called `{PREFIX}` and the name of its folder"));
    };
    (place != format!("crates/{last}")).then(|| format!("package `{name}` stands in `crates/{last}`"))
}

/// Returns every dependency of a package that does not go down.
fn check_arrows(package: &Package) -> Vec<String> {
    let is_known = floor(&package.name).is_some() || package.name == XTASK || package.name == TESTKIT;
    if !is_known {
        return vec![format!(
            "package `{}` has no floor: write it down in docs/architecture.md and tidy first",
            package.name
        )];
    }
    let of_the_house = package.dependencies.iter().filter(|dependency| dependency.source.is_none());
    of_the_house.filter_map(|dependency| check_arrow(&package.name, dependency)).collect()
}

fn check_arrow(from: &str, dependency: &Dependency) -> Option<String> {
    let to = &*dependency.name;
    let is_dev = dependency.kind.as_deref() == Some("dev");
    if to == TESTKIT {
        return (!is_dev).then(|| format!("`{from}` imports `{to}`, which only tests may"));
    }
    if from == TESTKIT {
        return None;
    }
    if from == XTASK {
        return Some(format!(
            "`{from}` imports `{to}`: tasks run programs, they import nothing of the house"
        ));
    }
    let (Some(upper), Some(lower)) = (floor(from), floor(to)) else {
        return Some(format!("`{from}` imports `{to}`, which has no floor"));
    };
    (lower >= upper)
        .then(|| format!("`{from}` (floor {upper}) imports `{to}` (floor {lower}): an arrow only goes down"))
}

/// Returns the floor of a package of the house.
fn floor(package: &str) -> Option<u8> {
    let name = package.strip_prefix(PREFIX)?;
    FLOORS.iter().find(|(folder, _)| *folder == name).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(name: &str, place: &str, dependencies: &[(&str, Option<&str>)]) -> usize {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).into(), kind: kind.map(Into::into), source: None })
            .collect();
        let manifest_path = format!("/house/{place}/Cargo.toml");
        check(Path::new("/house"), &[Package { name: name.into(), manifest_path, dependencies }]).len()
    }

    #[test]
    fn an_arrow_goes_down() {
        assert_eq!(messages("ringsite-ledger", "crates/ledger", &[("ringsite-commit", None)]), 0);
        assert_eq!(messages("ringsite-commit", "crates/commit", &[("ringsite-ledger", None)]), 1);
    }

    #[test]
    fn neighbours_do_not_import_each_other_not_even_in_tests() {
        assert_eq!(messages("ringsite-rings", "crates/rings", &[("ringsite-oci", None)]), 1);
        assert_eq!(messages("ringsite-rings", "crates/rings", &[("ringsite-oci", Some("dev"))]), 1);
    }

    #[test]
    fn only_tests_use_the_testkit() {
        assert_eq!(messages("ringsite-engine", "crates/engine", &[("ringsite-testkit", Some("dev"))]), 0);
        assert_eq!(messages("ringsite-engine", "crates/engine", &[("ringsite-testkit", None)]), 1);
    }

    #[test]
    fn a_package_stands_in_the_folder_of_its_name() {
        assert_eq!(messages("ringsite-oci", "crates/layout", &[]), 1);
        assert_eq!(messages("layout", "crates/layout", &[]), 2);
        assert_eq!(messages("ringsite-attic", "crates/attic", &[]), 1);
        assert_eq!(messages("xtask", "xtask", &[]), 0);
    }

    #[test]
    fn a_manifest_takes_the_lints_of_the_workspace_and_nothing_from_git() {
        let findings = |text: &str| {
            let file = SourceFile { path: "crates/oci/Cargo.toml".into(), text: text.into() };
            check_manifests(&[file]).len()
        };
        assert_eq!(findings("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"), 0);
        assert_eq!(findings("[package]\n"), 1);
        assert_eq!(findings("[lints]\nworkspace = true\n[dependencies]\na = { git = \"x\" }\n"), 1);
        assert_eq!(findings("[features]\nfast = []\n[lints]\nworkspace = true\n"), 1);
    }

    #[test]
    fn the_tasks_import_nothing_of_the_house() {
        assert_eq!(messages("xtask", "xtask", &[("ringsite-names", None)]), 1);
    }
}
