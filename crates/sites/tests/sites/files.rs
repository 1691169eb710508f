//! Delivery as files: whole folders, nothing of others, nothing half.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ringsite_names::Digest;
use ringsite_sites::{DeliverError, Delivered, Tree, deliver_files};

use crate::support::{site_name, tree};

fn deliver(output: &Path, tree: &Tree) -> Result<Delivered, DeliverError> {
    let text: Vec<String> = tree.files().map(|(path, file)| format!("{path}{:?}", file.bytes)).collect();
    deliver_files(output, &site_name(), Digest::sha256(text.concat().as_bytes()), tree)
}

/// Paths below the output folder, without the lock.
fn list(output: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![output.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(output).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.retain(|path| !path.ends_with(".lock"));
    found.sort_unstable();
    found
}

#[test]
fn a_tree_is_written_once_and_again_is_nothing() {
    let output = tempfile::tempdir().unwrap();
    let mut tree = tree(&[("kustomization.yaml", "a"), ("environments/test/x.yaml", "b")]);
    tree.insert("environments/test/run.sh", b"c", true).unwrap();
    let first = deliver(output.path(), &tree).unwrap();
    assert_eq!((first.folder, first.changed), (output.path().join("eu-test"), true));
    let expected = [
        "eu-test/.ringsite.json",
        "eu-test/environments/test/run.sh",
        "eu-test/environments/test/x.yaml",
        "eu-test/kustomization.yaml",
    ];
    assert_eq!(list(output.path()), expected);
    let mode = |path: &str| fs::metadata(output.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(expected[1]), mode(expected[2])), (0o755, 0o644));
    assert!(!deliver(output.path(), &tree).unwrap().changed);
}

#[test]
fn what_the_last_placement_wrote_and_this_one_does_not_want_goes_away() {
    let output = tempfile::tempdir().unwrap();
    deliver(output.path(), &tree(&[("a/old.yaml", "1"), ("kept.yaml", "1")])).unwrap();
    assert!(deliver(output.path(), &tree(&[("kept.yaml", "2")])).unwrap().changed);
    assert_eq!(list(output.path()), ["eu-test/.ringsite.json", "eu-test/kept.yaml"]);
    assert_eq!(fs::read(output.path().join("eu-test/kept.yaml")).unwrap(), b"2");
}

#[test]
fn what_was_edited_deleted_or_made_executable_is_put_right() {
    let output = tempfile::tempdir().unwrap();
    let tree = tree(&[("a.yaml", "1"), ("b.yaml", "1")]);
    let file = output.path().join("eu-test/a.yaml");
    let harm: [&dyn Fn(); 3] =
        [&|| fs::write(&file, "2").unwrap(), &|| fs::remove_file(&file).unwrap(), &|| {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap()
        }];
    deliver(output.path(), &tree).unwrap();
    for harm in harm {
        harm();
        assert!(deliver(output.path(), &tree).unwrap().changed);
        assert_eq!(fs::read(&file).unwrap(), b"1");
        assert!(!deliver(output.path(), &tree).unwrap().changed);
    }
}

#[test]
fn what_others_wrote_is_not_touched_and_is_named() {
    let output = tempfile::tempdir().unwrap();
    let tree = tree(&[("a.yaml", "1")]);
    let folder = output.path().join("eu-test");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    for _ in 0..2 {
        let error = deliver(output.path(), &tree).unwrap_err();
        assert!(matches!(&error, DeliverError::Foreign { found, .. } if found == &["notes.txt"]), "{error}");
        assert!(error.help().contains("--output"));
        assert_eq!(list(output.path()), ["eu-test/notes.txt"]);
    }
    fs::remove_file(folder.join("notes.txt")).unwrap();
    assert!(deliver(output.path(), &tree).unwrap().changed);
    fs::write(folder.join("later.txt"), "mine").unwrap();
    let error = deliver(output.path(), &crate::support::tree(&[("b.yaml", "1")])).unwrap_err();
    assert!(error.to_string().contains("later.txt"), "{error}");
    assert_eq!(list(output.path()), ["eu-test/.ringsite.json", "eu-test/a.yaml", "eu-test/later.txt"]);
}

#[test]
fn a_link_or_a_file_in_the_place_of_the_folder_is_not_followed_or_replaced() {
    let output = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), output.path().join("eu-test")).unwrap();
    let error = deliver(output.path(), &tree(&[("a.yaml", "1")])).unwrap_err();
    assert!(matches!(error, DeliverError::Foreign { .. }), "{error}");
    assert_eq!(list(elsewhere.path()), Vec::<String>::new());
}

#[test]
fn leftovers_of_a_crash_are_removed_and_a_damaged_note_is_named() {
    let output = tempfile::tempdir().unwrap();
    let tree = tree(&[("a.yaml", "1")]);
    for leftover in [".ringsite-eu-test.new", ".ringsite-eu-test.old"] {
        fs::create_dir(output.path().join(leftover)).unwrap();
        fs::write(output.path().join(leftover).join("half"), "x").unwrap();
    }
    deliver(output.path(), &tree).unwrap();
    assert_eq!(list(output.path()), ["eu-test/.ringsite.json", "eu-test/a.yaml"]);
    for text in ["", "{", r#"{"schema":9,"site":"eu-test","digest":"x","files":[]}"#] {
        fs::write(output.path().join("eu-test/.ringsite.json"), text).unwrap();
        let error = deliver(output.path(), &tree).unwrap_err();
        assert!(matches!(error, DeliverError::Marker { .. }), "{error}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_an_error_with_its_path() {
    let output = tempfile::tempdir().unwrap();
    let file = output.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = deliver(&file, &tree(&[("a.yaml", "1")])).unwrap_err();
    assert!(matches!(error, DeliverError::Disk { .. }));
    assert!(error.to_string().contains("file"), "{error}");
}
