//! A small project for scenarios that need one thing to be special, and the questions about any project.

use serde_json::Value;

use super::sandbox::{Sandbox, check, list_at, text_at};
use crate::error::{Result, TaskError};

/// The file that most scenarios change: a source of the image that the others are built on.
pub(super) const BASE_SOURCE: &str = "project/images/base/etc/motd";

const RINGS_TOML: &str = r#"project = "acme/mini"
root = "mini"
rings = ["developers", "testers", "users"]

[images.base]
context = "images/base"
[images.api]
context = "images/api"
[images.mini]
context = "."
containerfile = "images/mini/Containerfile"

[[sites]]
environment = "test"
ring = "testers"
"#;

const DEPLOYMENT: &str = "apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
spec:
  selector:
    matchLabels: {app: api}
  template:
    metadata:
      labels: {app: api}
    spec:
      containers:
        - name: api
          image: api
";

/// Writes a project of three images, one environment and one site.
pub(super) fn write_mini(sandbox: &Sandbox) -> Result<()> {
    sandbox.write("project/rings.toml", RINGS_TOML)?;
    sandbox.write("project/images/base/Containerfile", "FROM scratch\nCOPY etc /etc\n")?;
    sandbox.write(BASE_SOURCE, "welcome\n")?;
    sandbox.write(
        "project/images/api/Containerfile",
        "FROM base\nCOPY app.conf /app.conf\nENTRYPOINT [\"/api\"]\n",
    )?;
    sandbox.write("project/images/api/app.conf", "port = 8080\n")?;
    sandbox.write("project/images/mini/Containerfile", "FROM scratch\nCOPY environments /environments\n")?;
    sandbox.write(
        "project/environments/test/kustomization.yaml",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [deployment.yaml]\n",
    )?;
    sandbox.write("project/environments/test/deployment.yaml", DEPLOYMENT)
}

/// Returns the configured rings in the order of the chain, from `ring state`.
pub(super) fn rings(state: &Value) -> Result<Vec<String>> {
    let names = list_at(state, "/rings")?.iter().map(|ring| text_at(ring, "/name").map(str::to_owned));
    let names: Vec<String> = names.collect::<Result<_>>()?;
    Ok(names.into_iter().filter(|name| name != "ante" && name != "post").collect())
}

/// Returns what a ring holds, from `ring state`.
pub(super) fn ring<'a>(state: &'a Value, name: &str) -> Result<&'a Value> {
    let found = list_at(state, "/rings")?.iter().find(|ring| ring["name"] == name);
    found.ok_or_else(|| TaskError::new(format!("`ring state` does not name the ring {name}")))
}

/// Returns the version of an image on a ring, from `ring state`.
pub(super) fn version<'a>(state: &'a Value, ring_name: &str, image: &str) -> Result<&'a str> {
    text_at(&ring(state, ring_name)?["images"][image], "/version")
}

/// Releases, and returns the report, which must name a change.
pub(super) fn release(sandbox: &Sandbox) -> Result<Value> {
    let report = sandbox.ask(&["release"])?;
    check(report["changed"] == true, || "the release should have changed something".into())?;
    Ok(report)
}

/// Checks the whole ledger with the product's own eyes.
pub(super) fn verify(sandbox: &Sandbox) -> Result<()> {
    let verification = sandbox.ask(&["ledger", "verify"])?;
    check(verification["ok"] == true, || format!("the ledger does not verify: {verification}"))
}

/// Returns the entries of the ledger, oldest first, after checking that no number is missing.
pub(super) fn entries(sandbox: &Sandbox) -> Result<Vec<Value>> {
    let log = sandbox.ask(&["log"])?;
    let mut entries = list_at(&log, "/entries")?.to_vec();
    entries.reverse();
    for (index, entry) in entries.iter().enumerate() {
        let expected = u64::try_from(index).ok().map(|index| index + 1);
        check(entry["sequence"].as_u64() == expected, || {
            format!("entry {} stands where {expected:?} should", entry["sequence"])
        })?;
    }
    Ok(entries)
}
