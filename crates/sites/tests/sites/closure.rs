//! What an environment refers to, and every reason to refuse it.

use ringsite_names::EnvironmentName;
use ringsite_sites::{Closure, ClosureProblem, Rule, Tree, closure, closures};

use crate::support::{SOURCES, tree};

fn of(tree: &Tree) -> Result<Closure, Vec<ClosureProblem>> {
    closure(tree, &EnvironmentName::new("test").unwrap()).map_err(|problems| problems.into_vec())
}

fn paths(closure: &Closure) -> Vec<&str> {
    closure.tree.files().map(|(path, _)| path.as_str()).collect()
}

/// The environment `test` with this kustomization, and whatever files a case needs.
fn with(kustomization: &str, files: &[&str]) -> Tree {
    let mut made = tree(&[("environments/test/kustomization.yaml", kustomization)]);
    for path in files {
        let text = if path.ends_with("kustomization.yaml") { "" } else { "{}" };
        made.insert(path, text.as_bytes(), false).unwrap();
    }
    made
}

#[test]
fn the_folder_and_what_it_refers_to_are_taken_and_nothing_else() {
    let mut sources = tree(&SOURCES);
    for other in ["environments/live/kustomization.yaml", "environments/base/unused.yaml", "README.md"] {
        sources.insert(other, b"{}", false).unwrap();
    }
    sources.insert("environments/test/notes/read.me", b"", false).unwrap();
    let closure = of(&sources).unwrap();
    let mut expected: Vec<&str> = SOURCES.iter().map(|(path, _)| *path).collect();
    expected.push("environments/test/notes/read.me");
    expected.sort_unstable();
    assert_eq!(paths(&closure), expected);
    assert_eq!(closure.resources.len(), 2);
    assert_eq!(closure.generated.iter().map(ToString::to_string).collect::<Vec<_>>(), ["ConfigMap settings"]);
}

#[test]
fn every_field_that_refers_to_a_file_is_followed() {
    let cases: [(&str, &[&str]); 24] = [
        ("resources: [../o/x.yaml]", &["environments/o/x.yaml"]),
        ("resources: [../o]", &["environments/o/kustomization.yaml"]),
        ("bases: [../o]", &["environments/o/kustomization.yaml"]),
        ("components: [../o]", &["environments/o/kustomization.yaml"]),
        ("patches: [{path: ../o/p.yaml}]", &["environments/o/p.yaml"]),
        ("patchesJson6902: [{path: ../o/p.json, target: {kind: X, name: y}}]", &["environments/o/p.json"]),
        ("patchesStrategicMerge: [../o/p.yaml]", &["environments/o/p.yaml"]),
        ("configurations: [../o/c.yaml]", &["environments/o/c.yaml"]),
        ("crds: [../o/c.yaml]", &["environments/o/c.yaml"]),
        ("configMapGenerator: [{name: a, files: [../o/f.txt]}]", &["environments/o/f.txt"]),
        ("configMapGenerator: [{name: a, files: [key=../o/f.txt]}]", &["environments/o/f.txt"]),
        ("configMapGenerator: [{name: a, envs: [../o/f.env]}]", &["environments/o/f.env"]),
        ("configMapGenerator: [{name: a, env: ../o/f.env}]", &["environments/o/f.env"]),
        ("secretGenerator: [{name: a, files: [../o/f.key]}]", &["environments/o/f.key"]),
        ("generators: [../o/g.yaml]", &["environments/o/g.yaml"]),
        ("generators: [../o]", &["environments/o/kustomization.yaml"]),
        ("transformers: [../o/t.yaml]", &["environments/o/t.yaml"]),
        ("validators: [../o/v.yaml]", &["environments/o/v.yaml"]),
        ("replacements: [{path: ../o/r.yaml}]", &["environments/o/r.yaml"]),
        ("openapi: {path: ../o/s.json}", &["environments/o/s.json"]),
        (
            "helmCharts: [{name: c, valuesFile: ../o/v.yaml, additionalValuesFiles: [../o/w.yaml]}]",
            &["environments/o/v.yaml", "environments/o/w.yaml", "environments/test/charts/c/Chart.yaml"],
        ),
        (
            "helmGlobals: {chartHome: ../o}\nhelmCharts: [{name: c, version: 1.0.0, repo: 'https://x.example'}]",
            &["environments/o/c-1.0.0/c/Chart.yaml"],
        ),
        (
            "helmChartInflationGenerator: [{chartName: c, chartHome: ../o, values: ../o/v.yaml}]",
            &["environments/o/c/Chart.yaml", "environments/o/v.yaml"],
        ),
        (
            "transformers: [\"apiVersion: builtin\\nkind: PatchTransformer\\npath: ../o/p.yaml\\n\"]",
            &["environments/o/p.yaml"],
        ),
    ];
    for (kustomization, files) in cases {
        let made = with(kustomization, files);
        let closure = of(&made).unwrap_or_else(|problems| panic!("{kustomization}: {problems:?}"));
        assert_eq!(closure.tree, made, "{kustomization}");
        for file in files {
            let lacking =
                with(kustomization, &files.iter().copied().filter(|f| f != file).collect::<Vec<_>>());
            assert!(of(&lacking).is_err(), "{kustomization} without {file}");
        }
    }
}

#[test]
fn the_configuration_of_built_in_plug_ins_is_followed_from_the_folder_that_lists_it() {
    let plugin = "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: made}\nfiles: [made.txt]\n";
    let mut made = with("generators: [../o/g.yaml, ../p]", &["environments/test/made.txt"]);
    made.insert("environments/o/g.yaml", plugin.as_bytes(), false).unwrap();
    made.insert("environments/p/kustomization.yaml", b"resources: [g.yaml]", false).unwrap();
    made.insert("environments/p/g.yaml", plugin.replace("made.txt", "missing.txt").as_bytes(), false)
        .unwrap();
    let problems = of(&made).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!(
        (problems[0].file.as_str(), problems[0].field.as_str()),
        ("environments/p/g.yaml", "files[0]")
    );
    made.insert("environments/test/missing.txt", b"", false).unwrap();
    assert_eq!(of(&made).unwrap().generated.len(), 1);
}

#[test]
fn what_is_written_in_place_and_absent_or_empty_fields_refer_to_nothing() {
    for kustomization in [
        "",
        "# nothing",
        "resources:",
        "resources: []\ncomponents: ~",
        "patchesStrategicMerge:\n- |\n  kind: Deployment\n  metadata: {name: x}\n",
        "patches:\n- patch: |\n    - op: remove\n      path: /x\n  target: {kind: X}\n",
        "replacements:\n- source: {kind: X}\n  targets: []\n",
        "configMapGenerator:\n- name: a\n  literals: [a=https://example.com]\n",
        "images:\n- name: https://example.com\n",
    ] {
        let made = with(kustomization, &[]);
        assert_eq!(of(&made).map(|closure| closure.tree), Ok(made), "{kustomization}");
    }
}

#[test]
fn every_bad_reference_is_refused_with_its_rule_and_place() {
    let cases = [
        ("resources: ['https://example.com/x.yaml']", "resources[0]", Rule::Remote),
        ("resources: [a.yaml, 'github.com/owner/repo//deploy?ref=v1']", "resources[1]", Rule::Remote),
        ("bases: ['git@github.com:owner/repo']", "bases[0]", Rule::Remote),
        ("components: ['ssh://git@example.com/x']", "components[0]", Rule::Remote),
        ("resources: ['oci://example.com/x']", "resources[0]", Rule::Remote),
        ("resources: ['git::https://example.com/x']", "resources[0]", Rule::Remote),
        ("patches: [{path: 'http://example.com/p'}]", "patches[0].path", Rule::Remote),
        ("openapi: {path: 'https://example.com/s'}", "openapi.path", Rule::Remote),
        (
            "configMapGenerator: [{name: a, files: ['k=https://example.com/f']}]",
            "configMapGenerator[0].files[0]",
            Rule::Remote,
        ),
        ("helmCharts: [{name: c, repo: 'https://charts.example'}]", "helmCharts[0].name", Rule::Remote),
        ("resources: [../../outside.yaml]", "resources[0]", Rule::Outside),
        ("resources: [/environments/test/a.yaml]", "resources[0]", Rule::Outside),
        ("resources: [../../../../etc/passwd]", "resources[0]", Rule::Outside),
        ("crds: [../../environments2/x.yaml]", "crds[0]", Rule::Outside),
        ("resources: [link.yaml]", "resources[0]", Rule::Link),
        ("resources: [../linked/x.yaml]", "resources[0]", Rule::Link),
        ("resources: [../linked/../test/a.yaml]", "resources[0]", Rule::Link),
        ("resources: [b.yaml]", "resources[0]", Rule::Missing),
        ("resources: [../empty]", "resources[0]", Rule::Missing),
        ("secretGenerator: [{name: a, envs: [b.env]}]", "secretGenerator[0].envs[0]", Rule::Missing),
        ("helmCharts: [{name: c}]", "helmCharts[0].name", Rule::Missing),
        ("resources: [../bare]", "resources[0]", Rule::Missing),
        ("components: [a.yaml]", "components[0]", Rule::Kind),
        ("configMapGenerator: [{name: a, files: [../bare]}]", "configMapGenerator[0].files[0]", Rule::Kind),
        ("resources: [broken.yaml]", "resources[0]", Rule::Unreadable),
        ("transformers: [\"a: [\\n\"]", "transformers[0]", Rule::Unreadable),
        ("resources: a.yaml", "resources", Rule::Unreadable),
        ("resources: [1]", "resources[0]", Rule::Unreadable),
        ("patches: [a.yaml]", "patches[0]", Rule::Unreadable),
        (
            "configMapGenerator: [{name: a, files: ['a=b=c']}]",
            "configMapGenerator[0].files[0]",
            Rule::Unreadable,
        ),
        ("helmCharts: [{version: 1.0.0}]", "helmCharts[0].name", Rule::Unreadable),
        ("resources: [\"\"]", "resources[0]", Rule::Unreadable),
        ("resources: [.]", "resources[0]", Rule::Cycle),
        ("resources: [..]", "resources[0]", Rule::Cycle),
        ("a: 1\na: 2", "", Rule::Unreadable),
        ("- a list", "", Rule::Unreadable),
        ("a: 1\n---\nb: 2", "", Rule::Unreadable),
    ];
    for (kustomization, field, rule) in cases {
        let mut made = with(kustomization, &["environments/bare/x.yaml", "environments/test/a.yaml"]);
        made.insert("environments/test/broken.yaml", b"a: [", false).unwrap();
        made.insert_link("environments/linked", "bare").unwrap();
        if kustomization.contains("link.yaml") {
            made.insert_link("environments/test/link.yaml", "a.yaml").unwrap();
        }
        let problems = of(&made).expect_err(kustomization);
        let file = "environments/test/kustomization.yaml";
        let found = problems.iter().any(|problem| {
            problem.rule == rule && problem.file == file && problem.field == field && !problem.help.is_empty()
        });
        assert!(found, "{kustomization}: {problems:?}");
    }
}

#[test]
fn a_chain_of_folders_that_comes_back_is_a_cycle_and_a_diamond_is_none() {
    let kustomization = |folder: &str| format!("environments/{folder}/kustomization.yaml");
    let made = |edges: &[(&str, &str)]| {
        let files: Vec<(String, &str)> =
            edges.iter().map(|(folder, text)| (kustomization(folder), *text)).collect();
        tree(&files.iter().map(|(path, text)| (path.as_str(), *text)).collect::<Vec<_>>())
    };
    let cycle = [("test", "resources: [../a]"), ("a", "resources: [../b]"), ("b", "resources: [../a]")];
    let problems = of(&made(&cycle)).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((problems[0].rule, problems[0].file.clone()), (Rule::Cycle, kustomization("b")));
    let diamond = [
        ("test", "resources: [../a, ../b]"),
        ("a", "resources: [../c]"),
        ("b", "resources: [../c]"),
        ("c", ""),
    ];
    assert_eq!(of(&made(&diamond)).unwrap().tree.len(), 4);
}

#[test]
fn all_problems_come_at_once_sorted_and_each_with_a_remedy() {
    let made = with("resources: [x.yaml, ../../y.yaml, 'https://z.example/z.yaml']", &[]);
    let problems = of(&made).unwrap_err();
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["resources[0]", "resources[1]", "resources[2]"]);
    assert_eq!(
        problems[0].to_string(),
        "environments/test/kustomization.yaml: resources[0]: `environments/test/x.yaml` does not exist"
    );
    assert!(problems.iter().all(|problem| !problem.help.is_empty()));
}

#[test]
fn a_missing_environment_names_those_that_are_there() {
    let problems =
        of(&tree(&[("environments/live/kustomization.yaml", ""), ("environments/x", "")])).unwrap_err();
    assert_eq!(problems[0].file, "environments/test");
    assert!(problems[0].help.ends_with("one of: live"), "{}", problems[0].help);
    assert!(of(&Tree::new()).unwrap_err()[0].help.contains("environments/test"));
}

#[test]
fn a_folder_has_exactly_one_kustomization_under_one_of_three_names() {
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        assert!(of(&tree(&[(&format!("environments/test/{name}"), "resources: []")])).is_ok(), "{name}");
    }
    let two = tree(&[("environments/test/kustomization.yaml", ""), ("environments/test/Kustomization", "")]);
    assert!(of(&two).unwrap_err()[0].message.contains("several"));
    let none = tree(&[("environments/test/deployment.yaml", "")]);
    assert!(of(&none).unwrap_err()[0].message.contains("no `kustomization.yaml`"));
}

#[test]
fn a_link_in_the_environments_folder_is_refused_even_when_nothing_names_it() {
    let mut made = with("", &[]);
    made.insert_link("environments/test/old", "../base").unwrap();
    let problems = of(&made).unwrap_err();
    assert_eq!(problems[0].rule, Rule::Link);
    assert!(problems[0].message.contains("environments/test/old"));
}

#[test]
fn sources_of_secrets_are_known_as_such() {
    let made = with(
        "secretGenerator: [{name: a, files: [k.pem], envs: [s.env]}]\n\
         patches: [{path: p.yaml, target: {kind: Secret}}, {path: q.yaml, target: {kind: ConfigMap}}]\n",
        &[
            "environments/test/k.pem",
            "environments/test/s.env",
            "environments/test/p.yaml",
            "environments/test/q.yaml",
        ],
    );
    let closure = of(&made).unwrap();
    let names: Vec<&str> = closure.secrets.iter().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(names, ["k.pem", "p.yaml", "s.env"]);
}

#[test]
fn all_environments_are_checked_at_once_and_a_shared_mistake_is_named_once() {
    let mut made = with("resources: [../base]", &[]);
    made.insert("environments/live/kustomization.yaml", b"resources: [../base, own.yaml]", false).unwrap();
    made.insert("environments/base/kustomization.yaml", b"resources: [shared.yaml]", false).unwrap();
    let names = ["live", "test"].map(|name| EnvironmentName::new(name).unwrap());
    let problems = closures(&made, &names).unwrap_err().into_vec();
    let missing: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        missing,
        ["`environments/base/shared.yaml` does not exist", "`environments/live/own.yaml` does not exist"]
    );
    for path in ["environments/base/shared.yaml", "environments/live/own.yaml"] {
        made.insert(path, b"{}", false).unwrap();
    }
    assert_eq!(closures(&made, &names).unwrap().len(), 2);
}
