//! Running kustomize, with small scripts in its place. The real one is tried in the end-to-end tests.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ringsite_sites::{Format, Helm, Kustomize, RenderError, artifact, check_site, closure};

use crate::support::{Parts, SOURCES, environment, hosts, site, tree};

pub(crate) fn program(name: &str, scratch: &Path) -> Kustomize {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    Kustomize { program, timeout: Duration::from_secs(60), scratch: scratch.join("scratch") }
}

#[tokio::test]
async fn the_tree_is_built_in_a_folder_that_goes_away() {
    let scratch = tempfile::tempdir().unwrap();
    let kustomize = program("prints", scratch.path());
    for (helm, arguments) in [(Helm::Off, "build ."), (Helm::On, "build --enable-helm .")] {
        let objects =
            kustomize.objects(&tree(&[("kustomization.yaml", "first line\n")]), helm).await.unwrap();
        let object = objects.into_values().next().unwrap();
        assert_eq!(
            (object["data"]["arguments"].as_str(), object["data"]["first"].as_str()),
            (Some(arguments), Some("first line"))
        );
        assert_eq!(std::fs::read_dir(&kustomize.scratch).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_failure_says_what_the_program_said() {
    let scratch = tempfile::tempdir().unwrap();
    let error = program("fails", scratch.path()).build(&tree(&[("a", "b")]), Helm::Off).await.unwrap_err();
    assert_eq!(error.to_string(), "kustomize build: accumulating resources: no such file");
}

#[tokio::test]
async fn a_program_that_never_ends_is_stopped() {
    let scratch = tempfile::tempdir().unwrap();
    let mut kustomize = program("stops", scratch.path());
    kustomize.timeout = Duration::from_millis(200);
    let error = kustomize.build(&tree(&[("a", "b")]), Helm::Off).await.unwrap_err();
    assert!(matches!(error, RenderError::TimedOut { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&kustomize.scratch).unwrap().count(), 0);
}

#[tokio::test]
async fn output_without_end_is_cut_off_by_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let mut kustomize = program("prints", scratch.path());
    kustomize.program = PathBuf::from("/usr/bin/yes");
    let error = kustomize.build(&tree(&[("a", "b")]), Helm::Off).await.unwrap_err();
    assert!(matches!(error, RenderError::TooLarge), "{error}");
}

#[tokio::test]
async fn output_that_is_no_yaml_and_a_program_that_is_missing_are_errors() {
    let scratch = tempfile::tempdir().unwrap();
    let error = program("broken", scratch.path()).objects(&tree(&[("a", "b")]), Helm::Off).await.unwrap_err();
    assert!(matches!(error, RenderError::Output(_)), "{error}");
    let error = program("missing", scratch.path()).build(&tree(&[("a", "b")]), Helm::Off).await.unwrap_err();
    assert!(matches!(error, RenderError::Start { .. }), "{error}");
    assert!(error.help().contains("kustomize 5"));
}

#[tokio::test]
async fn a_site_with_render_gets_what_kustomize_prints_and_needs_it() {
    let scratch = tempfile::tempdir().unwrap();
    let parts = Parts::new(site(r#""render":true"#));
    let environment = environment("test", &tree(&SOURCES));
    let error = artifact(&parts.request(), &environment, Format::Default, None).await.unwrap_err();
    assert!(error.to_string().contains("`render = true`"), "{error}");
    let kustomize = program("prints", scratch.path());
    let made = artifact(&parts.request(), &environment, Format::Default, Some(&kustomize)).await.unwrap();
    let text = String::from_utf8(made.packed.tree().file("rendered.yaml").unwrap().bytes.to_vec()).unwrap();
    assert!(
        text.contains("build --enable-helm .") && text.contains("apiVersion: kustomize.config.k8s.io"),
        "{text}"
    );
    let plain = Parts::new(site(""));
    let made = artifact(&plain.request(), &environment, Format::Default, None).await.unwrap();
    assert_eq!(made.packed.tree(), &environment.tree(&plain.request()));
}

#[test]
fn charts_need_render_for_flux_and_an_option_or_render_for_argo_cd() {
    let sources = tree(&[
        ("environments/test/kustomization.yaml", "helmCharts: [{name: c}]"),
        ("environments/test/charts/c/Chart.yaml", "name: c"),
    ]);
    let closure = closure(&sources, &"test".parse().unwrap()).unwrap();
    let hosts = hosts(Some("localhost:5000"), None);
    let cases = [
        ("", 0),
        (r#""deliver":["files"]"#, 0),
        (r#""deliver":["flux"]"#, 1),
        (r#""deliver":["argocd"]"#, 1),
        (r#""deliver":["flux","argocd"]"#, 2),
        (r#""deliver":["flux","argocd"],"kustomizeOptions":"--enable-helm""#, 1),
        (r#""deliver":["argocd"],"kustomizeOptions":"--load-restrictor none --enable-helm""#, 0),
        (r#""deliver":["flux","argocd"],"render":true"#, 0),
    ];
    for (more, refused) in cases {
        let refusals = check_site(&site(more), &closure, &hosts);
        assert_eq!(refusals.len(), refused, "{more}: {refusals:?}");
        for refusal in refusals {
            assert!(
                refusal.to_string().contains("environments/test/kustomization.yaml: helmCharts[0]"),
                "{refusal}"
            );
            assert!(refusal.help().contains("render = true"));
        }
    }
}

#[test]
fn agents_cannot_pull_from_a_folder() {
    let closure = environment("test", &tree(&SOURCES)).closure().clone();
    let folder = hosts(None, None);
    for (more, refused) in [
        ("", 0),
        (r#""deliver":["files","apply","job"]"#, 0),
        (r#""deliver":["flux","argocd"]"#, 2),
        (r#""deliver":["flux"],"pull":"x.example""#, 0),
    ] {
        assert_eq!(check_site(&site(more), &closure, &folder).len(), refused, "{more}");
    }
}
