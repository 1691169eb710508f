//! Pushing and tagging: running it again is nothing, and a crash in between heals.

use ringsite_names::Tag;
use ringsite_oci::{Memory, OciError, Page, Registry};
use ringsite_sites::{Artifact, Format, Placement, fetch, published, push, tag};

use crate::support::{Parts, SOURCES, environment, hosts, root, site, site_repository, tree};

fn artifact(version: &str, format: Format) -> Artifact {
    let mut parts = Parts::new(site(""));
    parts.root.version = version.parse().unwrap();
    let request = parts.request();
    Artifact::new(&request, environment("test", &tree(&SOURCES)).pack(&request), format)
}

async fn tags(registry: &Memory) -> Vec<(String, String)> {
    let page = registry.tags(&site_repository(), &Page::first(100)).await.unwrap();
    let mut found = Vec::new();
    for tag in page.tags {
        let digest = registry.manifest(&site_repository(), &tag.clone().into()).await.unwrap().digest;
        found.push((tag.to_string(), digest.to_string()));
    }
    found
}

fn expected(artifact: &Artifact, names: &[&str]) -> Vec<(String, String)> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.push(artifact.content_tag().to_string());
    names.sort_unstable();
    names.into_iter().map(|name| (name, artifact.digest.to_string())).collect()
}

#[tokio::test]
async fn an_artifact_is_pushed_by_digest_then_tagged_and_both_again_are_nothing() {
    let registry = Memory::new();
    let artifact = artifact("1.4.2", Format::Default);
    assert_eq!(published(&registry, &site_repository()).await.unwrap(), None);
    assert!(push(&registry, &artifact).await.unwrap());
    assert_eq!(tags(&registry).await, []);
    assert_eq!(published(&registry, &site_repository()).await.unwrap(), None);
    assert!(tag(&registry, &artifact).await.unwrap());
    assert_eq!(tags(&registry).await, expected(&artifact, &["1.4.2", "latest"]));
    assert_eq!(published(&registry, &site_repository()).await.unwrap(), Some(artifact.digest));
    assert!(!push(&registry, &artifact).await.unwrap());
    assert!(!tag(&registry, &artifact).await.unwrap());
}

#[tokio::test]
async fn a_tag_before_its_manifest_is_refused_by_the_registry_and_writes_nothing() {
    let registry = Memory::new();
    let artifact = artifact("1.4.2", Format::Default);
    let error = tag(&registry, &artifact).await.unwrap_err();
    assert!(matches!(error.registry(), OciError::BlobUnknown { .. }), "{error}");
    assert!(error.to_string().starts_with("tag site artifact acme/shop/sites/eu-test: "), "{error}");
    assert_eq!(tags(&registry).await, []);
}

#[tokio::test]
async fn a_crash_at_any_step_heals_when_it_is_run_again() {
    let artifact = artifact("1.4.2", Format::Default);
    let whole = Memory::new();
    push(&whole, &artifact).await.unwrap();
    tag(&whole, &artifact).await.unwrap();
    let config = ringsite_names::Digest::sha256(&artifact.config);
    for kept in 0..6 {
        let registry = Memory::new();
        push(&registry, &artifact).await.unwrap();
        tag(&registry, &artifact).await.unwrap();
        // Takes away what a crash after `kept` steps would not have written.
        for (step, name) in [(5, "latest"), (4, "1.4.2"), (3, artifact.content_tag().as_str())] {
            if kept < step {
                registry.delete_tag(&site_repository(), &Tag::new(name).unwrap()).await.unwrap();
            }
        }
        if kept < 3 {
            registry.delete_manifest(&site_repository(), &artifact.digest).await.unwrap();
        }
        if kept < 2 {
            registry.delete_blob(&site_repository(), &config).await.unwrap();
        }
        if kept < 1 {
            registry.delete_blob(&site_repository(), &artifact.layer.digest).await.unwrap();
        }
        push(&registry, &artifact).await.unwrap();
        tag(&registry, &artifact).await.unwrap();
        assert_eq!(tags(&registry).await, tags(&whole).await, "after {kept} steps");
        let read = fetch(&registry, &site_repository(), artifact.digest).await.unwrap();
        assert_eq!(&read, artifact.packed.tree());
    }
}

#[tokio::test]
async fn moving_on_and_back_gives_the_digest_of_before_and_moves_latest() {
    let registry = Memory::new();
    let (old, new) = (artifact("1.4.2", Format::Default), artifact("1.5.0", Format::Default));
    for artifact in [&old, &new, &old] {
        push(&registry, artifact).await.unwrap();
        assert!(tag(&registry, artifact).await.unwrap());
        assert_eq!(published(&registry, &site_repository()).await.unwrap(), Some(artifact.digest));
    }
    assert_eq!(tags(&registry).await.len(), 5);
}

#[tokio::test]
async fn the_tag_of_the_content_is_created_once_and_kept_for_another_format() {
    let registry = Memory::new();
    let (first, second) = (artifact("1.4.2", Format::Default), artifact("1.4.2", Format::Flux));
    assert_eq!(first.content_tag(), second.content_tag());
    for artifact in [&first, &second] {
        push(&registry, artifact).await.unwrap();
        tag(&registry, artifact).await.unwrap();
    }
    let by_content = registry.manifest(&site_repository(), &first.content_tag().into()).await.unwrap();
    assert_eq!(by_content.digest, first.digest);
    assert!(!tag(&registry, &second).await.unwrap());
}

#[tokio::test]
async fn formats_beside_the_default_have_tags_of_their_own() {
    let registry = Memory::new();
    let formats = [Format::Default, Format::Flux, Format::ArgoTar].map(|format| artifact("1.4.2", format));
    for artifact in &formats {
        push(&registry, artifact).await.unwrap();
        tag(&registry, artifact).await.unwrap();
    }
    let published = published(&registry, &site_repository()).await.unwrap();
    assert_eq!(published, Some(formats[0].digest), "`latest` is the default format's");
    for (artifact, name) in formats.iter().zip(["latest", "latest-flux", "latest-argo-tar"]) {
        assert_eq!(artifact.latest_tag().as_str(), name);
        let named = registry.manifest(&site_repository(), &artifact.latest_tag().into()).await.unwrap();
        assert_eq!(named.digest, artifact.digest);
        assert_eq!(artifact.version_tag().as_str(), name.replace("latest", "1.4.2"));
    }
}

#[tokio::test]
async fn every_format_reads_back_to_the_same_tree() {
    let registry = Memory::new();
    for format in [Format::Default, Format::Flux, Format::ArgoTar] {
        let artifact = artifact("1.4.2", format);
        push(&registry, &artifact).await.unwrap();
        let read = fetch(&registry, &site_repository(), artifact.digest).await.unwrap();
        assert_eq!(&read, artifact.packed.tree(), "{format:?}");
    }
}

#[tokio::test]
async fn what_is_no_artifact_of_a_site_is_not_read() {
    let registry = Memory::new();
    let gone = fetch(&registry, &site_repository(), root().digest).await.unwrap_err();
    assert!(gone.to_string().contains("has no manifest"), "{gone}");
    let image = crate::support::push_image(&registry, &[]).await;
    let error = fetch(&registry, &crate::support::root_repository(), image).await.unwrap_err();
    assert!(error.to_string().contains("0 layers, expected one"), "{error}");
}

#[tokio::test]
async fn content_that_is_lost_while_its_manifest_stays_is_pushed_again() {
    let registry = Memory::new();
    let artifact = artifact("1.4.2", Format::Default);
    push(&registry, &artifact).await.unwrap();
    registry.delete_blob(&site_repository(), &artifact.layer.digest).await.unwrap();
    assert!(push(&registry, &artifact).await.unwrap());
    assert!(fetch(&registry, &site_repository(), artifact.digest).await.is_ok());
}

#[test]
fn a_placement_names_the_artifact_as_clusters_know_it() {
    let artifact = artifact("1.4.2", Format::Default);
    for (registry, begin) in [(Some("localhost:5000"), "localhost:5000/"), (None, "")] {
        let placement = Placement::new(&site(""), &hosts(registry, None), &artifact, true);
        let expected = format!("{begin}acme/shop/sites/eu-test:1.4.2@{}", artifact.digest);
        assert_eq!(placement.reference.to_string(), expected);
    }
}

#[test]
fn formats_are_read_as_they_are_written() {
    for format in [Format::Default, Format::Flux, Format::ArgoTar] {
        assert_eq!(format.as_str().parse(), Ok(format));
    }
    let error = "tar".parse::<Format>().unwrap_err();
    assert_eq!(error.to_string(), "`tar` is no format: expected `default`, `flux` or `argo-tar`");
}
