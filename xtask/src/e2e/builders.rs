//! Images with `RUN`: buildah and podman build them, without a network and without a container runtime.

use std::fs;

use super::layout::Layout;
use super::project::{verify, write_mini};
use super::sandbox::{Sandbox, check, check_same, list_at, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "buildah-builds-an-image-with-run",
        peers: &["buildah", "busybox", "tar"],
        run: buildah,
    },
    Scenario { name: "podman-builds-an-image-with-run", peers: &["podman", "busybox", "tar"], run: podman },
    Scenario { name: "no-builder-for-run-is-said-by-line", peers: &[], run: no_builder },
];

const CONTAINERFILE: &str = "FROM base
COPY busybox /bin/busybox
RUN [\"/bin/busybox\", \"sh\", \"-c\", \"/bin/busybox mkdir -p /made && /bin/busybox cat /etc/motd > /made/file\"]
ENTRYPOINT [\"/bin/busybox\"]
";

fn buildah(sandbox: &Sandbox) -> Result<Verdict> {
    with_builder(sandbox, "buildah")
}

fn podman(sandbox: &Sandbox) -> Result<Verdict> {
    with_builder(sandbox, "podman")
}

fn with_builder(sandbox: &Sandbox, builder: &str) -> Result<Verdict> {
    write_project(sandbox, builder)?;
    if let Some(why) = probe(sandbox, builder)? {
        return Ok(Verdict::NotHere(format!("{builder} cannot build here: {why}")));
    }
    let report = run_release(sandbox)?.expect(0)?.json()?;
    check_same("the number of images", list_at(&report, "/images")?.len(), 3)?;
    let layout = Layout::at(sandbox.registry());
    let manifest = layout.json(&layout.digest("acme/mini/api:0.1.0")?)?;
    let config = layout.json(text_at(&manifest, "/config/digest")?)?;
    let labels = &config["config"]["Labels"];
    check_same("the version label", labels["org.opencontainers.image.version"].as_str(), Some("0.1.0"))?;
    check_same("the pin of the base", labels["dependency.base"].as_str(), Some("0.1.0"))?;
    check(holds_file(sandbox, &layout, &manifest, "made/file")?, || {
        "what RUN made is not in the image".into()
    })?;
    // The root image is built by the native builder and pins this one: both kinds live in one set.
    let again = run_release(sandbox)?.expect(0)?.json()?;
    check(again["changed"] == false, || "the same tree must not be built twice by a foreign builder".into())?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn write_project(sandbox: &Sandbox, builder: &str) -> Result<()> {
    write_mini(sandbox)?;
    let toml = sandbox.read("project/rings.toml")?;
    let toml = toml
        .replace("context = \"images/api\"", &format!("context = \"images/api\"\nbuilder = \"{builder}\""));
    sandbox.write("project/rings.toml", toml)?;
    sandbox.write("project/images/api/Containerfile", CONTAINERFILE)?;
    let busybox = sandbox.peer_path("busybox")?;
    let target = sandbox.project().join("images/api/busybox");
    fs::copy(&busybox, &target).map_err(TaskError::at("copy to", &target))?;
    // Images and containers of the builder live and die with the sandbox.
    let storage = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
        sandbox.path("storage/graph").display(),
        sandbox.path("storage/run").display()
    );
    sandbox.write("storage.conf", storage)
}

/// Runs `ring release` with the storage of the sandbox.
fn run_release(sandbox: &Sandbox) -> Result<super::sandbox::Run> {
    let mut command = sandbox.ring_command(&["release", "-o", "json"]);
    sandbox.run(command.env("CONTAINERS_STORAGE_CONF", sandbox.path("storage.conf")))
}

/// Builds something by hand; returns what the builder says when this machine does not let it.
fn probe(sandbox: &Sandbox, builder: &str) -> Result<Option<String>> {
    let folder = sandbox.project().join("images/api");
    sandbox.write(
        "probe/Containerfile",
        CONTAINERFILE.replace("FROM base", "FROM scratch").replace("/etc/motd", "/bin/busybox"),
    )?;
    let target = sandbox.path("probe/busybox");
    fs::copy(folder.join("busybox"), &target).map_err(TaskError::at("copy to", &target))?;
    let mut command = sandbox.peer(builder)?;
    command.env("CONTAINERS_STORAGE_CONF", sandbox.path("storage.conf"));
    let arguments = ["--storage-driver", "vfs", "build", "--isolation", "chroot"];
    let run = sandbox.run(command.args(arguments).arg(sandbox.path("probe")))?;
    let why = run.stderr.trim().lines().last().unwrap_or("it says nothing").to_owned();
    Ok((run.code != 0).then_some(why))
}

/// Says whether a layer of an image holds a file.
fn holds_file(sandbox: &Sandbox, layout: &Layout, manifest: &serde_json::Value, path: &str) -> Result<bool> {
    for layer in list_at(manifest, "/layers")? {
        let mut tar = sandbox.peer("tar")?;
        let list = sandbox.run(tar.arg("-tf").arg(layout.blob(text_at(layer, "/digest")?)))?.expect(0)?;
        if list.stdout.lines().any(|line| line.trim_start_matches("./") == path) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn no_builder(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    sandbox
        .write("project/images/api/Containerfile", "FROM base\nCOPY app.conf /app.conf\nRUN [\"/x\"]\n")?;
    let mut command = sandbox.ring_command(&["release"]);
    let nothing = sandbox.make_folder("nothing")?;
    sandbox.run(command.env("PATH", nothing))?.expect(8)?.says("Containerfile:3")?;
    // What does not need a builder is not held up by what does.
    let mut other = sandbox.ring_command(&["release", "--image", "base"]);
    sandbox.run(other.env("PATH", sandbox.path("nothing")))?.expect(0)?;
    Ok(Verdict::Passed)
}
