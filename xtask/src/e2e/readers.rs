//! What was written is read by programs that know nothing of us: skopeo, GNU tar, kustomize.

use std::path::Path;

use serde_json::Value;

use super::layout::Layout;
use super::project::{self, BASE_SOURCE, release, rings, verify, write_mini};
use super::sandbox::{Sandbox, check, check_same, list_at, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "skopeo-reads-labels-and-copies", peers: &["skopeo"], run: skopeo_reads },
    Scenario { name: "skopeo-copies-into-the-layout", peers: &["skopeo"], run: skopeo_writes },
    Scenario { name: "umoci-unpacks-what-was-built", peers: &["umoci"], run: umoci_unpacks },
    Scenario {
        name: "placed-artifacts-build-with-kustomize",
        peers: &["tar", "kustomize"],
        run: artifacts_build,
    },
    Scenario {
        name: "placed-files-are-what-the-artifact-holds",
        peers: &["tar"],
        run: files_are_the_artifact,
    },
];

/// Returns (image, version) of everything on the first ring.
fn first_ring(sandbox: &Sandbox) -> Result<Vec<(String, String)>> {
    let state = sandbox.ask(&["state"])?;
    let first = rings(&state)?.remove(0);
    let images = project::ring(&state, &first)?["images"].as_object().cloned().unwrap_or_default();
    images.iter().map(|(name, image)| Ok((name.clone(), text_at(image, "/version")?.to_owned()))).collect()
}

fn project_name(sandbox: &Sandbox) -> Result<String> {
    Ok(text_at(&sandbox.ask(&["state"])?, "/project")?.to_owned())
}

fn skopeo_reads(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    release(sandbox)?;
    let project = project_name(sandbox)?;
    let images = first_ring(sandbox)?;
    for (image, version) in &images {
        let source = format!("oci:{}:{project}/{image}:{version}", sandbox.registry().display());
        let mut inspect = sandbox.peer("skopeo")?;
        let answer = sandbox.run(inspect.args(["inspect", &source]))?.expect(0)?.json()?;
        let labels = &answer["Labels"];
        check_same(
            "the version label",
            &labels["org.opencontainers.image.version"],
            &Value::from(&**version),
        )?;
        check_same(
            "the name label",
            &labels["org.opencontainers.image.ref.name"],
            &Value::from(format!("{project}/{image}")),
        )?;
        check(labels["org.opencontainers.image.revision"].is_string(), || {
            format!("{image} has no revision label")
        })?;
        let target = format!("oci:{}:{image}", sandbox.path("copy").display());
        let mut copy = sandbox.peer("skopeo")?;
        sandbox.run(copy.args(["--insecure-policy", "copy", &source, &target]))?.expect(0)?;
    }
    // The root image names every other one.
    let root = sandbox.ask(&["images"])?;
    let root =
        list_at(&root, "/images")?.iter().find(|image| image["root"] == true).cloned().unwrap_or_default();
    let root = text_at(&root, "/image")?.to_owned();
    let source = format!("oci:{}:{root}", sandbox.path("copy").display());
    let mut inspect = sandbox.peer("skopeo")?;
    let answer = sandbox.run(inspect.args(["inspect", &source]))?.expect(0)?.json()?;
    for (image, version) in images.iter().filter(|(image, _)| *image != root) {
        let label = &answer["Labels"][format!("dependency.{image}")];
        check_same("the pin of the root", label, &Value::from(&**version))?;
    }
    Ok(Verdict::Passed)
}

fn skopeo_writes(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let registry = sandbox.registry();
    let source = format!("oci:{}:acme/mini/api:0.1.0", registry.display());
    let target = format!("oci:{}:foreign/thing:7", registry.display());
    let mut copy = sandbox.peer("skopeo")?;
    sandbox.run(copy.args(["--insecure-policy", "copy", &source, &target]))?.expect(0)?;
    let before = sandbox.ask(&["state"])?;
    check_same("the sequence after a foreign write", &before["sequence"].is_u64(), &true)?;

    sandbox.write(BASE_SOURCE, "changed\n")?;
    release(sandbox)?;
    sandbox.ask(&["promote", "developers"])?;
    let foreign = Layout::at(&registry).digest("foreign/thing:7")?;
    check(Layout::at(&registry).blob(&foreign).exists(), || format!("the foreign image {foreign} is lost"))?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn umoci_unpacks(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    // umoci takes no slash in a name: it gets a layout of its own with a plain one.
    let copy = sandbox.path("copy");
    let layout = Layout::at(sandbox.registry());
    let digest = layout.digest("acme/mini/api:0.1.0")?;
    plain_copy(sandbox, &layout, &digest, &copy)?;
    let bundle = sandbox.path("bundle");
    let mut umoci = sandbox.peer("umoci")?;
    let image = format!("{}:api", copy.display());
    sandbox.run(umoci.args(["unpack", "--rootless", "--image", &image]).arg(&bundle))?.expect(0)?;
    check_same("the base's file", &*sandbox.read("bundle/rootfs/etc/motd")?, "welcome\n")?;
    check_same("the image's own file", &*sandbox.read("bundle/rootfs/app.conf")?, "port = 8080\n")?;
    Ok(Verdict::Passed)
}

/// Writes a layout that holds one image under the name `api`.
fn plain_copy(sandbox: &Sandbox, from: &Layout, digest: &str, to: &Path) -> Result<()> {
    let manifest = from.json(digest)?;
    let mut blobs = vec![digest.to_owned(), text_at(&manifest, "/config/digest")?.to_owned()];
    for layer in list_at(&manifest, "/layers")? {
        blobs.push(text_at(layer, "/digest")?.to_owned());
    }
    let size = std::fs::metadata(from.blob(digest)).map_err(TaskError::at("read", &from.blob(digest)))?.len();
    sandbox.write("copy/oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    for blob in blobs {
        let content = std::fs::read(from.blob(&blob)).map_err(TaskError::at("read", &from.blob(&blob)))?;
        sandbox.write(&to.join("blobs").join(blob.replace(':', "/")).to_string_lossy(), content)?;
    }
    let index = serde_json::json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": size,
        "annotations": {"org.opencontainers.image.ref.name": "api"}}]});
    sandbox.write("copy/index.json", index.to_string())
}

/// Unpacks the only layer of a site's artifact with GNU tar.
fn unpack(sandbox: &Sandbox, name: &str, folder: &str) -> Result<()> {
    let layout = Layout::at(sandbox.registry());
    let manifest = layout.json(&layout.digest(name)?)?;
    let layers = list_at(&manifest, "/layers")?;
    check_same("the layers of a site's artifact", layers.len(), 1)?;
    let blob = layout.blob(text_at(&layers[0], "/digest")?);
    let target = sandbox.make_folder(folder)?;
    let mut tar = sandbox.peer("tar")?;
    sandbox.run(tar.arg("-xf").arg(&blob).arg("-C").arg(&target).arg("--no-same-owner"))?.expect(0)?;
    Ok(())
}

fn artifacts_build(sandbox: &Sandbox) -> Result<Verdict> {
    sandbox.copy_example("quickstart")?;
    release(sandbox)?;
    let state = sandbox.ask(&["state"])?;
    let rings = rings(&state)?;
    for ring in &rings[..rings.len() - 1] {
        sandbox.ask(&["promote", ring])?;
    }
    let placement = sandbox.ask(&["place"])?;
    let project = project_name(sandbox)?;
    let images: Vec<String> = first_ring(sandbox)?.into_iter().map(|(image, _)| image).collect();
    let sites = list_at(&placement, "/sites")?;
    check(sites.len() >= 3, || format!("the quickstart has three sites, not {}", sites.len()))?;
    for site in sites {
        let site = text_at(site, "/site")?;
        let folder = format!("unpacked/{site}");
        unpack(sandbox, &format!("{project}/sites/{site}:latest"), &folder)?;
        let mut kustomize = sandbox.peer("kustomize")?;
        let objects = sandbox.run(kustomize.arg("build").arg(sandbox.path(&folder)))?.expect(0)?.stdout;
        check_pinned(site, &objects, &images)?;
    }
    Ok(Verdict::Passed)
}

/// Checks that every image of the project is pinned by digest, and that there is one at all.
fn check_pinned(site: &str, objects: &str, images: &[String]) -> Result<()> {
    let mut pinned = 0;
    for line in objects.lines() {
        let Some(image) = line.trim().trim_start_matches("- ").strip_prefix("image:") else { continue };
        let image = image.trim().trim_matches('"');
        let path = image.split('@').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default().split(':').next().unwrap_or_default();
        if images.iter().any(|known| known == name) {
            check(image.contains("@sha256:"), || format!("{site}: `{image}` is not pinned by digest"))?;
            pinned += 1;
        }
    }
    check(pinned > 0, || format!("{site}: kustomize shows no image of the project"))
}

fn files_are_the_artifact(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    sandbox.ask(&["promote", "developers"])?;
    let output = sandbox.path("out");
    sandbox.ask(&["place", "--output", &output.to_string_lossy()])?;
    unpack(sandbox, "acme/mini/sites/test-testers:latest", "unpacked")?;
    let mut diff = sandbox.command("diff");
    // The one file more says which program wrote the folder; it is no part of what the agent pulls.
    sandbox
        .run(
            diff.args(["-r", "-x", ".ringsite.json"])
                .arg(sandbox.path("unpacked"))
                .arg(output.join("test-testers")),
        )?
        .expect(0)?;
    let again = sandbox.ask(&["place"])?;
    check(again["changed"] == false, || "placing the same root again must change nothing".into())?;
    Ok(Verdict::Passed)
}
