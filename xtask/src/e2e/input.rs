//! Wrong input: what is wrong, where, and what to do; exit 2, and the record stays as it was.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::project::{release, write_mini};
use super::sandbox::{Sandbox, check_same};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "wrong-usage-is-said", peers: &[], run: usage },
    Scenario { name: "wrong-configuration-is-said-with-its-place", peers: &[], run: configuration },
    Scenario { name: "wrong-containerfiles-are-said-with-their-line", peers: &[], run: containerfiles },
    Scenario { name: "wrong-sources-are-said", peers: &[], run: sources },
];

fn usage(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    for arguments in [
        &["depart"][..],
        &["release", "--no-such-flag"],
        &["promote"],
        &["promote", "Not_A_Ring"],
        &["promote", "nowhere"],
        &["release", "--image", "nothing"],
        &["-o", "xml", "state"],
        &["show", "99"],
        &["why", "nothing"],
        &["prove", "api", "9.9.9"],
        &["place", "no-such-site"],
    ] {
        sandbox.ring(arguments)?.expect(2)?;
    }
    // Nothing above may have left a registry behind.
    let run = sandbox.ring(&["-o", "json", "promote", "nowhere"])?.expect(2)?;
    let error: serde_json::Value =
        serde_json::from_str(&run.stderr).map_err(TaskError::json("read the error as JSON"))?;
    check_same("the kind of an error", error["kind"].as_str(), Some("Error"))?;
    // Outside of the workspace: the project file is looked for in every folder above.
    let empty = tempfile::tempdir().map_err(TaskError::at("create a folder in", &std::env::temp_dir()))?;
    let ring = sandbox.ring_command(&[]);
    let mut command = sandbox.command(ring.get_program());
    sandbox.run(command.arg("-C").arg(empty.path()).arg("release"))?.expect(2)?.says("rings.toml")?;
    Ok(Verdict::Passed)
}

fn configuration(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let before = sandbox.ask(&["state"])?;
    let good = sandbox.read("project/rings.toml")?;
    let cases = [
        ("project = \"acme/mini\"", "project = \"Acme Mini\"", "rings.toml:1"),
        ("root = \"mini\"", "root = \"maxi\"", "rings.toml:2"),
        ("rings = [", "ringz = [", "rings.toml:3"),
        ("\"testers\", \"users\"", "\"testers\", \"testers\"", "rings.toml:3"),
        ("\"users\"]", "\"post\"]", "rings.toml:3"),
        ("rings = [\"developers\"", "rings = [", "rings.toml:3"),
        ("environment = \"test\"", "environment = \"nowhere\"", "rings.toml:1"),
        ("ring = \"testers\"", "ring = \"nowhere\"", "rings.toml:1"),
        ("[images.base]", "[images.Base]", "rings.toml:5"),
        ("context = \"images/base\"", "context = \"images/none\"", "rings.toml:6"),
        ("context = \"images/base\"", "context = 7", "rings.toml:6"),
        ("[[sites]]", "[[sites]", "rings.toml:1"),
    ];
    for (from, to, place) in cases {
        sandbox.write("project/rings.toml", good.replacen(from, to, 1))?;
        sandbox.ring(&["config", "check"])?.expect(2)?.shows(place)?;
        sandbox.ring(&["release"])?.expect(2)?.says(place)?;
    }
    // All at once: two mistakes give two places.
    let two = good.replacen("root = \"mini\"", "root = \"maxi\"", 1).replacen(
        "ring = \"testers\"",
        "ring = \"x\"",
        1,
    );
    sandbox.write("project/rings.toml", two)?;
    sandbox.ring(&["config", "check"])?.expect(2)?.shows("rings.toml:2")?.shows("rings.toml:1")?;
    sandbox.write("project/rings.toml", [0xff, 0xfe, 0x00])?;
    sandbox.ring(&["config", "check"])?.expect(2)?;
    sandbox.write("project/rings.toml", good)?;
    check_same("the state after all mistakes", sandbox.ask(&["state"])?, before)?;
    Ok(Verdict::Passed)
}

fn containerfiles(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let before = sandbox.ask(&["state"])?;
    let path = "project/images/api/Containerfile";
    let cases: &[(&[u8], &str)] = &[
        (b"", "Containerfile"),
        (b"\x00\x01\xff\xfe", "Containerfile"),
        (b"FROM base\nFLY away\n", "Containerfile:2"),
        (b"FROM base\nCOPY nothing /x\n", "Containerfile:2"),
        (b"FROM base\nCOPY ../outside /x\n", "Containerfile:2"),
        (b"FROM ${NOBODY}\nCOPY app.conf /x\n", "Containerfile:1"),
        (b"FROM base\nCOPY app.conf\n", "Containerfile:2"),
        (b"FROM base\nADD https://example.com/x /x\n", "Containerfile:2"),
        (b"FROM base\nLABEL org.opencontainers.image.version=9\n", "Containerfile:2"),
        (b"FROM base\nCOPY --from=nowhere:1 /x /y\nCOPY gone /z\n", "Containerfile:3"),
        (b"FROM mini\nCOPY app.conf /x\n", "mini"),
    ];
    for (content, place) in cases {
        sandbox.write(path, content)?;
        sandbox.ring(&["release"])?.expect(2)?.says(place)?;
    }
    let missing = sandbox.path(path);
    fs::remove_file(&missing).map_err(TaskError::at("remove", &missing))?;
    sandbox.ring(&["release"])?.expect(2)?.says("images/api")?;
    // A cycle names its members.
    sandbox.write(path, "FROM base\nCOPY app.conf /x\n")?;
    sandbox.write("project/images/base/Containerfile", "FROM api\nCOPY etc /etc\n")?;
    sandbox.ring(&["release"])?.expect(2)?.says("api")?.says("base")?;
    check_same("the state after all mistakes", sandbox_state_as_before(sandbox)?, before)?;
    Ok(Verdict::Passed)
}

/// Restores the containerfiles of the project and returns the state.
fn sandbox_state_as_before(sandbox: &Sandbox) -> Result<serde_json::Value> {
    write_mini(sandbox)?;
    sandbox.ask(&["state"])
}

fn sources(sandbox: &Sandbox) -> Result<Verdict> {
    write_mini(sandbox)?;
    release(sandbox)?;
    let before = sandbox.ask(&["state"])?;
    let folder = sandbox.project().join("images/base/etc");
    let link = folder.join("link");
    let api = "project/images/api/Containerfile";
    let good = sandbox.read(api)?;

    // A source that is itself a link is followed, and must stay inside the context.
    let outside = sandbox.project().join("images/api/outside");
    symlink("/etc/hostname", &outside).map_err(TaskError::at("link", &outside))?;
    sandbox.write(api, "FROM base\nCOPY outside /x\n")?;
    sandbox.ring(&["release"])?.expect(2)?.says("outside")?;
    let around = sandbox.project().join("images/api/around");
    symlink("around", &around).map_err(TaskError::at("link", &around))?;
    sandbox.write(api, "FROM base\nCOPY around /x\n")?;
    sandbox.ring(&["release"])?.expect(2)?.says("around")?;
    sandbox.write(api, good)?;

    let strange = folder.join(std::ffi::OsStr::from_bytes(b"bad-\xff-name"));
    fs::write(&strange, "x").map_err(TaskError::at("write", &strange))?;
    sandbox.ring(&["release"])?.expect(2)?.says("bad-")?;
    fs::remove_file(&strange).map_err(TaskError::at("remove", &strange))?;
    check_same("the state after all mistakes", sandbox.ask(&["state"])?, before)?;

    // A link below a source is kept as a link, wherever it leads.
    symlink("/nowhere/at/all", &link).map_err(TaskError::at("link", &link))?;
    release(sandbox)?;
    Ok(Verdict::Passed)
}
