//! Every crate in the product has a licence that `deny.toml` allows.
//!
//! `cargo deny` says more (advisories, sources); this much needs no further program.

use serde::Deserialize;

use super::Finding;
use crate::error::{Result, TaskError};
use crate::workspace::{SourceFile, Workspace};

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

/// Returns each package whose licence is not allowed.
///
/// # Errors
/// `deny.toml` is missing or has another shape, or `cargo metadata` does not answer.
pub(crate) fn check(workspace: &Workspace, files: &[SourceFile]) -> Result<Vec<Finding>> {
    let Some(file) = files.iter().find(|file| file.path == "deny.toml") else {
        return Ok(vec![Finding::about("deny.toml", "is missing")]);
    };
    let deny: Deny =
        toml::from_str(&file.text).map_err(|error| TaskError::new(format!("read deny.toml: {error}")))?;
    let host = host_triple()?;
    let arguments = ["metadata", "--format-version", "1", "--locked", "--filter-platform", &host];
    let output = workspace.cargo(&arguments).output().map_err(TaskError::start("cargo metadata"))?;
    if !output.status.success() {
        return Err(TaskError::new(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr))));
    }
    let metadata: Metadata =
        serde_json::from_slice(&output.stdout).map_err(TaskError::json("read cargo metadata"))?;
    Ok(metadata.packages.iter().filter_map(|package| check_package(package, &deny.licenses.allow)).collect())
}

/// Returns the triple of the machine that builds.
///
/// # Errors
/// `rustc` does not start, or does not say.
pub(crate) fn host_triple() -> Result<String> {
    let output =
        std::process::Command::new("rustc").arg("-vV").output().map_err(TaskError::start("rustc"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| TaskError::new("rustc -vV names no host"))
}

fn check_package(package: &Package, allowed: &[String]) -> Option<Finding> {
    let place = format!("{} {}", package.name, package.version);
    match &package.license {
        None => Some(Finding::about(place, "names no licence")),
        Some(expression) if is_allowed(expression, allowed) => None,
        Some(expression) => Some(Finding::about(
            place,
            format!("has the licence `{expression}`, which deny.toml does not allow"),
        )),
    }
}

/// Says whether an SPDX expression can be met with the allowed licences; `/` is an old way to write `OR`.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let any = split_outside_parentheses(&expression, " OR ");
    any.iter().any(|choice| {
        split_outside_parentheses(choice, " AND ").iter().all(|part| {
            let part = part.trim();
            match part.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
                Some(inner) => is_allowed(inner, allowed),
                None => allowed.iter().any(|allowed| allowed == part),
            }
        })
    })
}

fn split_outside_parentheses<'a>(text: &'a str, separator: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin, mut at) = (0_i32, 0, 0);
    while at < text.len() {
        if depth == 0 && text[at..].starts_with(separator) {
            parts.push(&text[begin..at]);
            at += separator.len();
            begin = at;
            continue;
        }
        let c = text[at..].chars().next().map_or('\0', |c| c);
        depth += i32::from(c == '(') - i32::from(c == ')');
        at += c.len_utf8();
    }
    parts.push(&text[begin..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_when_one_choice_is_allowed_as_a_whole() {
        let allowed: Vec<String> =
            ["MIT", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned).to_vec();
        for good in [
            "MIT",
            "MIT OR GPL-3.0",
            "GPL-3.0/MIT",
            "(GPL-3.0 OR MIT) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR LGPL-2.1) AND MIT", "", "Apache-2.0"] {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }
}
