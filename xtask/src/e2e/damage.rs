//! A damaged registry and a full disk: named, with the documented exit code, and never made worse.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::layout::Layout;
use super::project::{BASE_SOURCE, release, verify, write_mini};
use super::sandbox::{Sandbox, check, check_same, list_at, text_at};
use super::{Scenario, Verdict};
use crate::error::{Result, TaskError};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "damaged-index-is-found", peers: &[], run: cut_index },
    Scenario { name: "damaged-ledger-is-found", peers: &[], run: damaged_ledger },
    Scenario { name: "missing-image-blob-is-found", peers: &[], run: missing_layer },
    Scenario { name: "foreign-entries-are-left-alone", peers: &[], run: foreign_entries },
    Scenario { name: "full-disk-is-said-and-harmless", peers: &[], run: full_disk },
    Scenario { name: "read-only-registry-is-said", peers: &[], run: read_only },
];

fn prepare(sandbox: &Sandbox) -> Result<Layout> {
    write_mini(sandbox)?;
    release(sandbox)?;
    Ok(Layout::at(sandbox.registry()))
}

/// Does something to a file, runs `ring`, and puts the file back as it was.
fn with_changed_file(
    path: &Path,
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
    then: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let original = fs::read(path).map_err(TaskError::at("read", path))?;
    let permissions = fs::metadata(path).map_err(TaskError::at("read", path))?.permissions();
    // A stored blob may be read-only: it is replaced, as a faulty disk or a careless tool would.
    fs::remove_file(path).map_err(TaskError::at("remove", path))?;
    if let Some(changed) = change(original.clone()) {
        fs::write(path, changed).map_err(TaskError::at("write", path))?;
    }
    then()?;
    let _ = fs::remove_file(path);
    fs::write(path, original).map_err(TaskError::at("write", path))?;
    fs::set_permissions(path, permissions).map_err(TaskError::at("change", path))
}

fn cut_index(sandbox: &Sandbox) -> Result<Verdict> {
    prepare(sandbox)?;
    let index = sandbox.registry().join("index.json");
    let cut = |bytes: Vec<u8>| Some(bytes[..bytes.len() / 2].to_vec());
    with_changed_file(&index, cut, || {
        sandbox.ring(&["state"])?.expect(6)?.says("index.json")?;
        sandbox.ring(&["promote", "developers"])?.expect(6)?;
        sandbox.write(BASE_SOURCE, "changed\n")?;
        sandbox.ring(&["release"])?.expect(6)?;
        Ok(())
    })?;
    sandbox.ring(&["release"])?.expect(0)?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

/// Returns the files of the ledger's head: its manifest and everything that it names.
fn ledger_files(sandbox: &Sandbox) -> Result<Vec<PathBuf>> {
    let layout = Layout::at(sandbox.registry());
    let head = layout.digest("acme/mini/ledger:head")?;
    let manifest = layout.json(&head)?;
    let mut files = vec![layout.blob(&head)];
    for layer in list_at(&manifest, "/layers")? {
        files.push(layout.blob(text_at(layer, "/digest")?));
    }
    Ok(files)
}

fn damaged_ledger(sandbox: &Sandbox) -> Result<Verdict> {
    prepare(sandbox)?;
    let flip = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        Some(bytes)
    };
    for file in ledger_files(sandbox)? {
        for (what, is_gone) in [("missing", true), ("one bit flipped", false)] {
            let change = |bytes: Vec<u8>| if is_gone { None } else { flip(bytes) };
            with_changed_file(&file, change, || {
                for arguments in [&["state"][..], &["promote", "developers"], &["log"]] {
                    let run = sandbox.ring(arguments)?;
                    check(run.code == 6, || {
                        format!(
                            "{what}: {} of {} ended with {}",
                            file.display(),
                            arguments.join(" "),
                            run.code
                        )
                    })?;
                }
                Ok(())
            })?;
        }
    }
    verify(sandbox)?;
    sandbox.ask(&["promote", "developers"])?;
    Ok(Verdict::Passed)
}

fn missing_layer(sandbox: &Sandbox) -> Result<Verdict> {
    let layout = prepare(sandbox)?;
    let manifest = layout.blob(&layout.digest("acme/mini/api:0.1.0")?);
    with_changed_file(
        &manifest,
        |_| None,
        || {
            let run = sandbox.ring(&["ledger", "verify", "-o", "json"])?.expect(6)?;
            check(run.stdout.contains("api"), || format!("the missing image is not named: {}", run.stdout))
        },
    )?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn foreign_entries(sandbox: &Sandbox) -> Result<Verdict> {
    let layout = prepare(sandbox)?;
    let path = sandbox.registry().join("index.json");
    let bytes = fs::read(&path).map_err(TaskError::at("read", &path))?;
    let mut index: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(TaskError::json("read index.json"))?;
    let mut hasher = Sha256::new();
    hasher.update(b"{}");
    let digest = format!("sha256:{}", hexadecimal(&hasher.finalize()));
    fs::write(layout.blob(&digest), "{}").map_err(TaskError::at("write", &layout.blob(&digest)))?;
    let foreign = serde_json::json!({"mediaType": "application/vnd.example.thing", "digest": digest, "size": 2,
        "annotations": {"com.example.kept": "yes"}, "platform": {"architecture": "none", "os": "none"}});
    if let Some(manifests) = index["manifests"].as_array_mut() {
        manifests.push(foreign.clone());
    }
    fs::write(&path, index.to_string()).map_err(TaskError::at("write", &path))?;
    sandbox.write(BASE_SOURCE, "changed\n")?;
    release(sandbox)?;
    let bytes = fs::read(&path).map_err(TaskError::at("read", &path))?;
    let after: serde_json::Value =
        serde_json::from_slice(&bytes).map_err(TaskError::json("read index.json"))?;
    let kept = list_at(&after, "/manifests")?.iter().find(|entry| entry["digest"] == foreign["digest"]);
    let kept = kept.ok_or_else(|| TaskError::new("a foreign entry of the index is gone"))?;
    for field in ["mediaType", "size", "platform"] {
        check_same(&format!("`{field}` of a foreign entry"), &kept[field], &foreign[field])?;
    }
    check_same("its annotation", kept["annotations"]["com.example.kept"].as_str(), Some("yes"))?;
    check(layout.blob(&digest).exists(), || "the content of a foreign entry is gone".into())?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn full_disk(sandbox: &Sandbox) -> Result<Verdict> {
    prepare(sandbox)?;
    sandbox.write("project/images/api/data", noise(1_500_000))?;
    sandbox.write("project/images/api/Containerfile", "FROM base\nCOPY data /data\n")?;
    let before = sandbox.ask(&["state"])?;
    // A limit on the size of a file is the disk that every user can fill. The signal is ignored, as
    // a full disk sends none.
    let ring = sandbox.ring_command(&["release"]);
    let mut shell = sandbox.command("sh");
    shell.arg("-c").arg("trap '' XFSZ; ulimit -f 500; exec \"$0\" \"$@\"");
    sandbox.run(shell.arg(ring.get_program()).args(ring.get_args()))?.expect(9)?;
    check_same("the rings after a full disk", &sandbox.ask(&["state"])?["rings"], &before["rings"])?;
    verify(sandbox)?;
    sandbox.ring(&["release"])?.expect(0)?;
    verify(sandbox)?;
    Ok(Verdict::Passed)
}

/// Returns bytes that do not compress; the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn read_only(sandbox: &Sandbox) -> Result<Verdict> {
    prepare(sandbox)?;
    sandbox.write(BASE_SOURCE, "changed\n")?;
    // A file where a folder is needed stands in the way of every user, root too.
    let registry = format!("oci-layout:{}/no/folder", sandbox.path("project/rings.toml").display());
    sandbox.ring(&["release", "--registry", &registry])?.expect(9)?;
    Ok(Verdict::Passed)
}
