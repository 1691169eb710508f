//! The shrink guard on a registry, and the preview with and without a program that renders.

use ringsite_oci::Memory;
use ringsite_sites::{
    Artifact, Change, Format, ObjectChange, Tree, count_documents, diff_files, guard, preview, push, tag,
};

use crate::render::program;
use crate::support::{Parts, SOURCES, environment, site, site_name, tree};

fn artifact(sources: &Tree, more: &str) -> Artifact {
    let parts = Parts::new(site(more));
    let request = parts.request();
    Artifact::new(&request, environment("test", sources).pack(&request), Format::Default)
}

/// An environment with these objects, one file each.
fn objects(names: &[&str]) -> Tree {
    let files: Vec<String> = names.iter().map(|name| format!("{name}.yaml")).collect();
    let list = serde_json::json!({ "resources": files }).to_string();
    let mut made = tree(&[("environments/test/kustomization.yaml", &list)]);
    for name in names {
        let text = format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n");
        made.insert(&format!("environments/test/{name}.yaml"), text.as_bytes(), false).unwrap();
    }
    made
}

#[tokio::test]
async fn the_guard_compares_with_what_latest_names() {
    let registry = Memory::new();
    let first = artifact(&objects(&["a", "b", "c", "d"]), "");
    let site = site("");
    assert_eq!(guard(&registry, &site, &first, None).await.unwrap(), None);
    push(&registry, &first).await.unwrap();
    tag(&registry, &first).await.unwrap();
    assert_eq!(guard(&registry, &site, &first, None).await.unwrap(), None);
    for (names, refused) in [
        (vec!["a", "b"], None),
        (vec!["a"], Some((4, 1, 3))),
        (vec![], Some((4, 0, 4))),
        (vec!["e", "f", "g", "h", "i"], Some((4, 5, 4))),
    ] {
        let refusal = guard(&registry, &site, &artifact(&objects(&names), ""), None).await.unwrap();
        assert_eq!(
            refusal.map(|refusal| (refusal.before, refusal.after, refusal.dropped)),
            refused,
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn a_new_namespace_is_a_loss_of_everything() {
    let registry = Memory::new();
    let first = artifact(&objects(&["a", "b"]), r#""namespace":"one""#);
    push(&registry, &first).await.unwrap();
    tag(&registry, &first).await.unwrap();
    let moved = artifact(&objects(&["a", "b"]), r#""namespace":"two""#);
    let refusal = guard(&registry, &site(""), &moved, None).await.unwrap().unwrap();
    assert_eq!((refusal.before, refusal.dropped), (2, 2));
}

#[tokio::test]
async fn both_sides_are_counted_in_the_same_way() {
    let registry = Memory::new();
    let scratch = tempfile::tempdir().unwrap();
    let first = artifact(&objects(&["a", "b", "c"]), "");
    push(&registry, &first).await.unwrap();
    tag(&registry, &first).await.unwrap();
    let next = artifact(&objects(&["a"]), "");
    // It prints one and the same object for both.
    let kustomize = program("prints", scratch.path());
    assert_eq!(guard(&registry, &site(""), &next, Some(&kustomize)).await.unwrap(), None);
    // It makes nothing of either, so the documents of both count.
    let kustomize = program("fails", scratch.path());
    assert_eq!(guard(&registry, &site(""), &next, Some(&kustomize)).await.unwrap().unwrap().dropped, 2);
    let kustomize = program("missing", scratch.path());
    assert!(guard(&registry, &site(""), &next, Some(&kustomize)).await.is_err());
}

#[test]
fn resources_and_generated_objects_count_and_patches_do_not() {
    let mut sources = tree(&SOURCES);
    let patch = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ignored}\n";
    sources.insert("environments/test/patch.yaml", patch.as_bytes(), false).unwrap();
    let text =
        "resources: [../base]\npatches: [{path: patch.yaml}]\nconfigMapGenerator: [{name: settings}]\n";
    sources.insert("environments/test/kustomization.yaml", text.as_bytes(), false).unwrap();
    let made = artifact(&sources, r#""namespace":"shop""#);
    let counted = count_documents(&site_name(), made.packed.tree()).unwrap();
    let names: Vec<String> = counted.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["ConfigMap shop/settings", "Service shop/api", "Deployment.apps shop/api"]);
}

fn secret(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\nstringData:\n  same: constant\n  key: {value}\n"
    )
}

fn one(changes: Vec<ObjectChange>) -> ObjectChange {
    assert_eq!(changes.len(), 1, "{changes:?}");
    changes.into_iter().next().unwrap()
}

#[tokio::test]
async fn rendered_objects_are_compared_and_values_of_secrets_are_not_shown() {
    let scratch = tempfile::tempdir().unwrap();
    let kustomize = program("concatenates", scratch.path());
    let config = |value: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{k: {value}}}\n")
    };
    let before = tree(&[
        ("a.yaml", &config("old")),
        ("s.yaml", &secret("s", "hunter2")),
        ("t.yaml", &secret("t", "same")),
    ]);
    let after = tree(&[
        ("a.yaml", &config("new")),
        ("s.yaml", &secret("s", "swordfish")),
        ("u.yaml", &secret("u", "fresh")),
    ]);
    let found = preview(&site(""), Some(&before), Some(&after), Some(&kustomize)).await.unwrap();
    assert!(found.is_rendered);
    let changes: Vec<(&str, Change)> =
        found.changes.iter().map(|change| (change.key.name.as_str(), change.change)).collect();
    assert_eq!(
        changes,
        [("a", Change::Changed), ("s", Change::Changed), ("t", Change::Removed), ("u", Change::Added)]
    );
    assert!(found.changes[0].diff.contains("-  k: old\n+  k: new\n"), "{}", found.changes[0].diff);
    let texts: String = found.changes.iter().map(|change| change.diff.as_str()).collect();
    for value in ["hunter2", "swordfish", "constant", "fresh"] {
        assert!(!texts.contains(value), "{texts}");
    }
    let secret = &found.changes[1].diff;
    assert!(secret.contains("*** (before)") && secret.contains("*** (after)"), "{secret}");
    assert!(secret.contains("same: '***'") || secret.contains("same: \"***\""), "{secret}");
    let json = serde_json::to_value(&found.changes[3]).unwrap();
    assert_eq!(
        (json["kind"].as_str(), json["name"].as_str(), json["change"].as_str()),
        (Some("Secret"), Some("u"), Some("added"))
    );
}

#[tokio::test]
async fn equal_sides_have_no_change_and_a_missing_side_has_nothing() {
    let tree = artifact(&objects(&["a"]), "").packed.tree().clone();
    assert_eq!(preview(&site(""), Some(&tree), Some(&tree), None).await.unwrap().changes, []);
    let added = preview(&site(""), None, Some(&tree), None).await.unwrap();
    assert!(!added.is_rendered && added.changes.iter().all(|change| change.change == Change::Added));
    assert_eq!(added.changes.len(), tree.len());
}

#[test]
fn without_kustomize_files_are_compared_by_lines() {
    let (before, after) = (tree(&[("a.ini", "one\ntwo\n")]), tree(&[("a.ini", "one\nthree\n")]));
    let change = one(diff_files(&before, &after));
    assert_eq!((change.key.kind.as_str(), change.key.name.as_str()), ("File", "a.ini"));
    assert!(change.diff.contains("-two\n+three\n"), "{}", change.diff);
    let mut executable = before.clone();
    executable.insert("a.ini", b"one\ntwo\n", true).unwrap();
    assert!(one(diff_files(&before, &executable)).diff.contains("execute bit"));
}

#[test]
fn secrets_in_sources_are_seen_to_change_and_not_shown() {
    let patch = |value: &str| {
        format!(
            "resources: []\npatches:\n- target: {{kind: Secret}}\n  patch: |\n    - op: add\n      path: /data/k\n      value: {value}\n"
        )
    };
    let cases = [
        ("a.yaml", secret("s", "hunter2"), secret("s", "swordfish")),
        (
            "a.yaml",
            format!("kind: List\nitems:\n- {}", secret("s", "hunter2").replace('\n', "\n  ")),
            String::new(),
        ),
        (
            "kustomization.yaml",
            "secretGenerator: [{name: s, literals: [k=hunter2]}]\n".to_owned(),
            "secretGenerator: [{name: s, literals: [k=swordfish]}]\n".to_owned(),
        ),
        ("kustomization.yaml", patch("hunter2"), patch("swordfish")),
        ("a.yaml", "kind: Secret\ndata: {k: hunter2\n".to_owned(), String::new()),
    ];
    for (path, before, after) in cases {
        let change = one(diff_files(&tree(&[(path, &before)]), &tree(&[(path, &after)])));
        assert_eq!(change.change, Change::Changed, "{before}");
        assert!(!change.diff.contains("hunter2") && !change.diff.contains("swordfish"), "{}", change.diff);
        assert!(!change.diff.is_empty());
    }
}

#[test]
fn sources_of_secret_generators_are_hidden_on_both_sides() {
    let made = |value: &str| {
        let text = "secretGenerator: [{name: s, envs: [s.env], files: [k.pem]}]";
        let sources = tree(&[
            ("environments/test/kustomization.yaml", text),
            ("environments/test/s.env", &format!("k={value}\n")),
            ("environments/test/k.pem", value),
        ]);
        artifact(&sources, "").packed.tree().clone()
    };
    let changes = diff_files(&made("hunter2"), &made("swordfish"));
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.diff == "(secret content is not shown)\n"), "{changes:?}");
}
