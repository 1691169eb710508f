//! External images from outside: another registry over HTTP, and what is kept of it.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "native/harness.rs"]
mod harness;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use harness::World;
use ringsite_build::{
    BaseImage, BuildError, ExternalRequest, FailureKind, NetworkUse, Place, copy_external,
    external_repository, resolve_external,
};
use ringsite_images::Platform;
use ringsite_names::{Digest, ProjectName, Reference, RepositoryName, Tag};
use ringsite_oci::names::{
    MEDIA_TYPE_CONFIG, MEDIA_TYPE_DOCKER_CONFIG, MEDIA_TYPE_DOCKER_INDEX, MEDIA_TYPE_DOCKER_LAYER_GZIP,
    MEDIA_TYPE_DOCKER_MANIFEST, MEDIA_TYPE_INDEX, MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_MANIFEST,
};
use ringsite_oci::{
    Descriptor, ImageConfig, ImageIndex, ImageManifest, Layout, Memory, Put, Registry, TagOrDigest,
};
use ringsite_testkit::{Answer, HttpRegistry};

/// A registry of somebody else with one repository, `library/base`.
struct Elsewhere {
    registry: Arc<Memory>,
    server: HttpRegistry,
}

impl Elsewhere {
    async fn start() -> Self {
        let registry = Arc::new(Memory::new());
        let server = HttpRegistry::serve(Arc::clone(&registry)).await;
        Self { registry, server }
    }

    fn repository() -> RepositoryName {
        RepositoryName::new("library/base").expect("is a name")
    }

    fn reference(&self, tag: &str) -> Reference {
        format!("{}/library/base:{tag}", self.server.host()).parse().expect("is a reference")
    }

    /// Pushes an image for `os/architecture` with one layer of `content`.
    async fn image(&self, architecture: &str, content: &str) -> Descriptor {
        self.image_of(architecture, content, format!("{architecture} {content}").into()).await
    }

    async fn image_of(&self, architecture: &str, content: &str, layer: Bytes) -> Descriptor {
        let (kinds, manifest_kind) = match content.starts_with("docker") {
            true => ([MEDIA_TYPE_DOCKER_CONFIG, MEDIA_TYPE_DOCKER_LAYER_GZIP], MEDIA_TYPE_DOCKER_MANIFEST),
            false => ([MEDIA_TYPE_CONFIG, MEDIA_TYPE_LAYER_GZIP], MEDIA_TYPE_MANIFEST),
        };
        let name = Self::repository();
        let mut config = ImageConfig::new("linux", architecture);
        config.rootfs.diff_ids.push(Digest::sha256(&layer));
        let put = |kind: &'static str, bytes: Bytes| self.registry.put_bytes(&name, kind, bytes);
        let layer = put(kinds[1], layer).await.expect("is stored");
        let config = put(kinds[0], config.to_bytes().into()).await.expect("is stored");
        let mut manifest = ImageManifest::image(config, vec![layer]);
        manifest.media_type = Some(manifest_kind.to_owned());
        let bytes = Bytes::from(manifest.to_bytes());
        self.push(None, manifest_kind, bytes.clone()).await;
        let platform = ringsite_oci::Platform::new("linux", architecture);
        Descriptor::of(manifest_kind, &bytes).with_platform(platform)
    }

    async fn push(&self, tag: Option<&str>, kind: &str, bytes: Bytes) -> Digest {
        let put = Put { tag: tag.map(|tag| Tag::new(tag).expect("is a tag")), ..Put::by_digest() };
        self.registry.put_manifest(&Self::repository(), &put, kind, bytes).await.expect("is stored")
    }

    /// Pushes an index of images for these architectures under `tag`.
    async fn index(&self, tag: &str, architectures: &[&str], content: &str) -> (Digest, Vec<Descriptor>) {
        let mut children = Vec::new();
        for architecture in architectures {
            children.push(self.image(architecture, content).await);
        }
        let mut index = ImageIndex::new(children.clone());
        if content.starts_with("docker") {
            index.media_type = Some(MEDIA_TYPE_DOCKER_INDEX.to_owned());
        }
        // Not the form that this program writes: the digest must survive.
        let bytes = serde_json::to_vec_pretty(&index).expect("is JSON");
        (self.push(Some(tag), index.media_type(), bytes.into()).await, children)
    }

    async fn single(&self, tag: &str, architecture: &str, content: &str) -> Digest {
        let image = self.image(architecture, content).await;
        let stored = self.registry.manifest(&Self::repository(), &image.digest.into()).await;
        let stored = stored.expect("was pushed");
        self.push(Some(tag), &stored.media_type, stored.bytes).await
    }
}

fn project() -> ProjectName {
    ProjectName::new("acme/shop").expect("is a name")
}

fn platforms(texts: &[&str]) -> Vec<Platform> {
    texts.iter().map(|text| text.parse().expect("is a platform")).collect()
}

async fn copy(
    home: &impl Registry,
    reference: &Reference,
    known: Option<Digest>,
    wanted: &[&str],
    network: NetworkUse,
) -> Result<Digest, BuildError> {
    let (project, platforms) = (project(), platforms(wanted));
    let place = Some(Place { file: PathBuf::from("images/api/Containerfile"), line: 7 });
    let request =
        ExternalRequest { project: &project, reference, known, platforms: &platforms, place, network };
    copy_external(home, &request).await
}

fn pin(digest: &Digest) -> TagOrDigest {
    format!("pin-{}", digest.short(16)).parse().expect("is a tag")
}

#[tokio::test]
async fn the_first_use_pins_and_copies_and_the_second_needs_no_network() {
    for content in ["plain", "docker"] {
        let elsewhere = Elsewhere::start().await;
        let digest = elsewhere.single("1", "amd64", content).await;
        let reference = elsewhere.reference("1");
        let home = Memory::new();
        let found = copy(&home, &reference, None, &["linux/amd64"], NetworkUse::PlainHttp).await;
        assert_eq!(found.expect("is copied"), digest);
        assert!(!elsewhere.server.take_requests().is_empty());

        let repository = external_repository(&project(), &reference).expect("has a name");
        let port = elsewhere.server.host().replace(':', "_");
        assert_eq!(repository.as_str(), format!("acme/shop/external/{port}/library/base"));
        let ours = home.manifest(&repository, &pin(&digest)).await.expect("is tagged");
        let theirs = elsewhere.registry.manifest(&Elsewhere::repository(), &digest.into()).await;
        assert_eq!(ours, theirs.expect("is there"), "byte for byte, media type included");
        for layer in ours.image().expect("is an image").layers {
            home.blob_bytes(&repository, &layer.digest, 1000).await.expect("is copied");
        }

        let again = copy(&home, &reference, Some(digest), &["linux/amd64"], NetworkUse::Offline).await;
        assert_eq!(again.expect("is here"), digest);
        assert_eq!(elsewhere.server.take_requests(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn of_an_index_only_the_platforms_asked_for_are_copied_and_its_digest_stays() {
    for content in ["plain", "docker"] {
        let elsewhere = Elsewhere::start().await;
        let (digest, children) = elsewhere.index("1", &["amd64", "arm64", "s390x"], content).await;
        let reference = elsewhere.reference("1");
        let folder = tempfile::tempdir().expect("has a folder");
        let home = Layout::new(folder.path());
        let one = copy(&home, &reference, None, &["linux/amd64"], NetworkUse::PlainHttp).await;
        assert_eq!(one.expect("is copied"), digest);
        let repository = external_repository(&project(), &reference).expect("has a name");
        let has = async |child: &Descriptor| {
            home.head_manifest(&repository, &child.digest.into()).await.expect("answers").is_some()
        };
        assert_eq!((has(&children[0]).await, has(&children[1]).await), (true, false));
        let bytes = home.blob_bytes(&repository, &digest, 10_000).await.expect("the index is kept");
        assert_eq!(Digest::sha256(&bytes), digest);
        let tagged = home.manifest(&repository, &pin(&digest)).await.expect("is tagged").index();
        let tagged: Vec<_> = tagged.expect("is an index").manifests.iter().map(|one| one.digest).collect();
        assert_eq!((tagged.len(), tagged[0]), (2, children[0].digest), "the child, and what keeps the index");

        elsewhere.server.take_requests();
        let wanted = ["linux/arm64", "linux/amd64"];
        let offline = copy(&home, &reference, Some(digest), &wanted, NetworkUse::Offline).await;
        assert_eq!(offline.expect_err("arm64 is not here").kind(), FailureKind::Network);
        let two = copy(&home, &reference, Some(digest), &wanted, NetworkUse::PlainHttp).await;
        assert_eq!(two.expect("is copied"), digest);
        let blobs = elsewhere.server.take_requests().iter().filter(|line| line.contains("/blobs/")).count();
        assert_eq!(blobs, 2, "what is here is not copied again");
        let both = copy(&home, &reference, Some(digest), &wanted, NetworkUse::Offline).await;
        assert_eq!(both.expect("both are here"), digest);

        let all = ["linux/s390x", "linux/arm64", "linux/amd64"];
        copy(&home, &reference, Some(digest), &all, NetworkUse::PlainHttp).await.expect("is copied");
        let whole = home.manifest(&repository, &pin(&digest)).await.expect("is tagged");
        assert_eq!(whole.digest, digest, "with every child the tag names the index itself");
    }
}

#[tokio::test]
async fn a_platform_that_is_not_there_is_refused_by_line_with_those_that_are() {
    let elsewhere = Elsewhere::start().await;
    let (digest, _) = elsewhere.index("many", &["amd64", "arm64"], "plain").await;
    elsewhere.single("one", "amd64", "single").await;
    for (tag, has) in [("many", "only for linux/amd64, linux/arm64"), ("one", "only for linux/amd64")] {
        let reference = elsewhere.reference(tag);
        let home = Memory::new();
        let wanted = ["linux/amd64", "linux/riscv64"];
        let error =
            copy(&home, &reference, None, &wanted, NetworkUse::PlainHttp).await.expect_err("is refused");
        let text = error.to_string();
        assert!(text.starts_with("images/api/Containerfile:7: "), "{text}");
        assert!(text.contains("linux/riscv64") && text.contains(has) && text.contains("/base:"), "{text}");
        assert_eq!(error.kind(), FailureKind::Input);
        let repository = external_repository(&project(), &reference).expect("has a name");
        assert!(home.head_manifest(&repository, &pin(&digest)).await.expect("answers").is_none());
    }
}

#[tokio::test]
async fn content_that_is_not_what_was_announced_is_refused_and_nothing_is_tagged() {
    let elsewhere = Elsewhere::start().await;
    let digest = elsewhere.single("1", "amd64", "a layer").await;
    let reference = elsewhere.reference("1");
    let layer = Digest::sha256(b"amd64 a layer").to_string();
    let pinned = digest.to_string();
    let other = || Answer::Bytes(Bytes::from_static(b"amd64 b layer"));
    let json = || Answer::Bytes(Bytes::from_static(b"{\"schemaVersion\": 1}"));
    for (part, answer, known, reason) in [
        (layer.as_str(), other(), None, layer.as_str()),
        (layer.as_str(), Answer::Bytes(Bytes::from_static(b"short")), None, "got sha256:"),
        (layer.as_str(), Answer::Half, None, "blob"),
        (layer.as_str(), Answer::Longer, None, "longer"),
        (layer.as_str(), Answer::NotFound, None, "blob"),
        ("/manifests/", other(), None, "not valid"),
        ("/manifests/", json(), None, "not valid"),
        ("/manifests/", other(), Some(digest), pinned.as_str()),
        ("/manifests/", Answer::Half, None, ""),
        ("/manifests/", Answer::ServerError, None, "500"),
        ("/manifests/", Answer::Unauthorized, None, "login"),
        ("/manifests/", Answer::NotFound, None, "does not have it"),
        ("/manifests/", Answer::NotFound, Some(digest), pinned.as_str()),
    ] {
        elsewhere.server.answer_truth();
        elsewhere.server.answer(part, answer.clone());
        let home = Memory::new();
        let error = copy(&home, &reference, known, &["linux/amd64"], NetworkUse::PlainHttp).await;
        let error = error.expect_err("is refused");
        let text = error.to_string();
        assert!(matches!(error, BuildError::External { .. }), "{answer:?}: {error:?}");
        assert!(text.contains(reason) && text.contains(":7: external image"), "{answer:?}: {text}");
        let repository = external_repository(&project(), &reference).expect("has a name");
        let tags = home.tags(&repository, &ringsite_oci::Page::first(10)).await.expect("answers").tags;
        assert!(tags.is_empty(), "{answer:?}");
    }
    elsewhere.server.answer_truth();
    copy(&Memory::new(), &reference, None, &["linux/amd64"], NetworkUse::PlainHttp).await.expect("is copied");
}

#[tokio::test]
async fn what_cannot_be_reached_is_named_with_line_and_reference() {
    let elsewhere = Elsewhere::start().await;
    elsewhere.single("1", "amd64", "plain").await;
    let reference = elsewhere.reference("1");
    // Plain HTTP is not spoken unasked, not even with the loopback.
    for network in [NetworkUse::Https, NetworkUse::Offline] {
        let error = copy(&Memory::new(), &reference, None, &["linux/amd64"], network).await;
        let error = error.expect_err("is not to be had");
        let text = error.to_string();
        assert!(text.starts_with("images/api/Containerfile:7: external image "), "{text}");
        assert!(text.contains(&reference.to_string()), "{text}");
        assert_eq!(error.kind(), FailureKind::Network);
        assert_eq!(elsewhere.server.take_requests(), Vec::<String>::new(), "{network:?}");
    }
    let nobody: Reference = "127.0.0.1:1/library/base:1".parse().expect("is a reference");
    let error = copy(&Memory::new(), &nobody, None, &["linux/amd64"], NetworkUse::PlainHttp).await;
    let text = error.expect_err("is not to be had").to_string();
    assert!(text.contains("127.0.0.1:1/library/base:1") && text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_reference_is_looked_up_where_it_points_to() {
    let elsewhere = Elsewhere::start().await;
    let old = elsewhere.single("1", "amd64", "old").await;
    let mut reference = elsewhere.reference("1");
    assert_eq!(resolve_external(&reference, NetworkUse::PlainHttp).await.expect("is there"), old);
    let (new, _) = elsewhere.index("1", &["amd64"], "new").await;
    assert_eq!(resolve_external(&reference, NetworkUse::PlainHttp).await.expect("is there"), new);
    let error = resolve_external(&elsewhere.reference("2"), NetworkUse::PlainHttp).await;
    assert!(error.expect_err("is not there").to_string().contains("does not have it"));
    elsewhere.server.take_requests();
    reference.digest = Some(old);
    assert_eq!(resolve_external(&reference, NetworkUse::Offline).await.expect("is pinned"), old);
    assert_eq!(elsewhere.server.take_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tag_that_was_removed_is_written_again_without_the_network() {
    let elsewhere = Elsewhere::start().await;
    let (digest, _) = elsewhere.index("1", &["amd64", "arm64"], "plain").await;
    let reference = elsewhere.reference("1");
    let home = Memory::new();
    copy(&home, &reference, None, &["linux/arm64"], NetworkUse::PlainHttp).await.expect("is copied");
    let repository = external_repository(&project(), &reference).expect("has a name");
    let TagOrDigest::Tag(tag) = pin(&digest) else { panic!("a pin is a tag") };
    assert!(home.delete_tag(&repository, &tag).await.expect("answers"));
    copy(&home, &reference, Some(digest), &["linux/arm64"], NetworkUse::Offline).await.expect("is here");
    assert!(home.head_manifest(&repository, &tag.into()).await.expect("answers").is_some());
}

#[test]
fn an_image_is_built_from_a_pin_of_which_only_its_platform_is_here() {
    let mut world = World::empty();
    let reference = harness::run(async {
        let elsewhere = Elsewhere::start().await;
        let reference = elsewhere.reference("1");
        // An archive without entries is two blocks of zeros.
        let layer = || Bytes::from_static(&[0; 1024]);
        let children = [elsewhere.image_of("amd64", "", layer()).await, elsewhere.image("s390x", "").await];
        let index = ImageIndex::new(children.to_vec()).to_bytes();
        let digest = elsewhere.push(Some("1"), MEDIA_TYPE_INDEX, index.into()).await;
        let wanted = ["linux/amd64"];
        copy(&world.registry, &reference, None, &wanted, NetworkUse::PlainHttp).await.expect("is copied");
        let repository = external_repository(&project(), &reference).expect("has a name");
        let base = BaseImage { repository, digest, version: None };
        world.lock.pin(reference.clone(), digest);
        world.externals.insert(reference.clone(), base);
        reference
    });
    world.write("rings.toml", harness::ROOTED);
    world.write("images/shop/Containerfile", format!("FROM {reference}\nLABEL a=b\n"));
    let built = world.build();
    let layers: Vec<_> = built.platforms[0].layers.iter().map(|layer| layer.digest).collect();
    assert_eq!(layers, [Digest::sha256(&[0; 1024])]);
    let digest = world.lock.digest(&reference).expect("is pinned");
    assert_eq!(built.recipe.inputs.externals[&reference.to_string()], digest);
}

#[test]
fn copying_can_be_given_to_another_thread() {
    fn is_send(_: &impl Send) {}
    let (home, project, platforms) = (Memory::new(), project(), platforms(&["linux/amd64"]));
    let reference: Reference = "docker.io/library/redis:7".parse().expect("is a reference");
    let (known, place, network) = (None, None, NetworkUse::Offline);
    let request = ExternalRequest {
        project: &project,
        reference: &reference,
        known,
        platforms: &platforms,
        place,
        network,
    };
    is_send(&copy_external(&home, &request));
}
