//! What every registry must do, whatever it keeps its content in.
//!
//! Each behaviour is a function; [`conformance!`](crate::conformance!) makes a test of each.

use bytes::Bytes;
use futures_util::future::join_all;
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::names::{MEDIA_TYPE_INDEX, MEDIA_TYPE_LAYER, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{
    BlobStream, Condition, Descriptor, EMPTY_CONFIG, ImageIndex, ImageManifest, Manifest, OciError, Page,
    Put, Registry, TagOrDigest,
};

/// Makes one test of each behaviour that a registry must have.
///
/// The expression makes a registry and what must stay alive with it: `(registry, guard)`.
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance!(@each $make;
            manifests_come_back_as_the_bytes_that_were_pushed
            manifests_of_one_repository_are_unknown_in_another
            a_moved_tag_leaves_the_old_manifest_under_its_digest
            conditions_are_judged_and_a_refused_put_writes_nothing
            exactly_one_of_many_racing_writers_wins
            many_writers_with_their_own_tags_all_win
            manifests_that_name_missing_content_are_refused
            what_is_no_manifest_is_refused
            blobs_of_every_size_come_back
            content_with_another_digest_than_announced_is_refused
            an_abandoned_blob_is_not_stored
            blobs_are_known_in_every_repository
            unknown_things_are_told_apart
            tags_are_listed_in_pages_and_in_order
            referrers_have_type_and_annotations_and_are_filtered
            deleting_a_tag_leaves_the_manifest
            deleting_a_manifest_takes_its_tags_with_it
            a_deleted_manifest_can_be_pushed_again
        );
    };
    (@each $make:expr; $($behaviour:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            let (registry, _guard) = $make;
            $crate::conformance::$behaviour(&registry).await;
        }
    )*};
}

fn repository(name: &str) -> RepositoryName {
    RepositoryName::new(name).expect("is a repository name")
}

fn tag(name: &str) -> Tag {
    Tag::new(name).expect("is a tag")
}

fn by_tag(name: &str) -> TagOrDigest {
    TagOrDigest::Tag(tag(name))
}

/// Pushes an artifact whose only content is `text`, and returns its manifest's digest.
async fn push(
    registry: &impl Registry,
    name: &RepositoryName,
    put: &Put,
    text: &str,
) -> Result<Digest, OciError> {
    let manifest = artifact(registry, name, text).await;
    registry.put_manifest(name, put, MEDIA_TYPE_MANIFEST, manifest.to_bytes().into()).await
}

async fn artifact(registry: &impl Registry, name: &RepositoryName, text: &str) -> ImageManifest {
    let config = Bytes::from_static(EMPTY_CONFIG);
    registry.put_bytes(name, "application/vnd.oci.empty.v1+json", config).await.expect("is stored");
    let content = Bytes::copy_from_slice(text.as_bytes());
    let layer = registry.put_bytes(name, MEDIA_TYPE_LAYER, content).await.expect("is stored");
    ImageManifest::artifact("application/vnd.example", vec![layer])
}

async fn digest_of(registry: &impl Registry, name: &RepositoryName, reference: &str) -> Option<Digest> {
    let head = registry.head_manifest(name, &by_tag(reference)).await.expect("is asked");
    head.map(|descriptor| descriptor.digest)
}

/// Bytes, digest and media type survive; so do white space and order that we would never write.
pub async fn manifests_come_back_as_the_bytes_that_were_pushed(registry: &impl Registry) {
    let name = repository("acme/shop");
    let ours = artifact(registry, &name, "content").await;
    let text = String::from_utf8(ours.to_bytes()).expect("is text");
    let bytes = Bytes::from(format!("  {text}\n\n"));
    let put = Put::under(tag("v1"));
    let digest =
        registry.put_manifest(&name, &put, MEDIA_TYPE_MANIFEST, bytes.clone()).await.expect("is put");
    assert_eq!(digest, Digest::sha256(&bytes));
    for reference in [by_tag("v1"), TagOrDigest::Digest(digest)] {
        let stored = registry.manifest(&name, &reference).await.expect("is there");
        assert_eq!(stored.bytes, bytes);
        assert_eq!(stored.digest, digest);
        assert_eq!(stored.media_type, MEDIA_TYPE_MANIFEST);
        assert_eq!(stored.parse().expect("is a manifest"), Manifest::Image(ours.clone()));
        let head = registry.head_manifest(&name, &reference).await.expect("is asked");
        assert_eq!(head, Some(Descriptor::new(MEDIA_TYPE_MANIFEST, digest, bytes.len() as u64)));
    }
}

/// A digest is only good in the repository that it was pushed to.
pub async fn manifests_of_one_repository_are_unknown_in_another(registry: &impl Registry) {
    let (one, other) = (repository("acme/one"), repository("acme/other"));
    let digest = push(registry, &one, &Put::by_digest(), "content").await.expect("is put");
    let error = registry.manifest(&other, &digest.into()).await.expect_err("is not there");
    assert!(matches!(error, OciError::ManifestUnknown { .. }), "{error}");
    assert_eq!(registry.head_manifest(&other, &digest.into()).await.expect("is asked"), None);
    assert!(!registry.delete_manifest(&other, &digest).await.expect("is asked"));
    assert!(registry.manifest(&one, &digest.into()).await.is_ok());
}

/// Moving a tag forgets nothing.
pub async fn a_moved_tag_leaves_the_old_manifest_under_its_digest(registry: &impl Registry) {
    let name = repository("acme/shop");
    let first = push(registry, &name, &Put::under(tag("head")), "first").await.expect("is put");
    let second = push(registry, &name, &Put::under(tag("head")), "second").await.expect("is put");
    assert_ne!(first, second);
    assert_eq!(digest_of(registry, &name, "head").await, Some(second));
    assert!(registry.manifest(&name, &first.into()).await.is_ok());
}

/// `Absent` and `Match` hold or refuse, and say what is there.
pub async fn conditions_are_judged_and_a_refused_put_writes_nothing(registry: &impl Registry) {
    let name = repository("acme/shop");
    let under = |condition| Put::under_if(tag("head"), condition);
    let nothing = Digest::sha256(b"nothing");
    push(registry, &name, &under(Condition::Match(nothing)), "zero").await.expect_err("there is no head");
    assert_eq!(digest_of(registry, &name, "head").await, None);
    let first = push(registry, &name, &under(Condition::Absent), "first").await.expect("is put");
    for condition in [Condition::Absent, Condition::Match(nothing)] {
        let error = push(registry, &name, &under(condition), "second").await.expect_err("does not hold");
        let OciError::ConditionFailed { found, .. } = &error else { panic!("{error}") };
        assert!(found.is_none() || *found == Some(first), "{error}");
        assert_eq!(digest_of(registry, &name, "head").await, Some(first));
    }
    let second = push(registry, &name, &under(Condition::Match(first)), "second").await.expect("is put");
    assert_eq!(digest_of(registry, &name, "head").await, Some(second));
}

/// Compare and swap is atomic for a tag.
pub async fn exactly_one_of_many_racing_writers_wins(registry: &impl Registry) {
    let name = repository("acme/shop");
    let mut head = push(registry, &name, &Put::under(tag("head")), "start").await.expect("is put");
    for round in 0..8 {
        let put = Put::under_if(tag("head"), Condition::Match(head));
        let texts: Vec<String> = (0..8).map(|writer| format!("{round} {writer}")).collect();
        let answers = join_all(texts.iter().map(|text| push(registry, &name, &put, text))).await;
        let mut winners = Vec::new();
        for answer in answers {
            match answer {
                Ok(digest) => winners.push(digest),
                Err(OciError::ConditionFailed { .. }) => {}
                Err(error) => panic!("a loser must learn that it lost: {error}"),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        head = winners[0];
        assert_eq!(digest_of(registry, &name, "head").await, Some(head));
    }
}

/// Writers that have nothing to do with each other do not disturb each other.
pub async fn many_writers_with_their_own_tags_all_win(registry: &impl Registry) {
    let name = repository("acme/shop");
    let names: Vec<String> = (0..40).map(|number| format!("t{number:02}")).collect();
    let pushes = names.iter().map(|text| {
        let put = Put::under_if(tag(text), Condition::Absent);
        let name = &name;
        async move { push(registry, name, &put, text).await }
    });
    for answer in join_all(pushes).await {
        answer.expect("nobody else writes this tag");
    }
    let page = registry.tags(&name, &Page::first(100)).await.expect("are listed");
    assert_eq!(page.tags.iter().map(Tag::as_str).collect::<Vec<_>>(), names);
}

/// A manifest is only good when what it names is there.
pub async fn manifests_that_name_missing_content_are_refused(registry: &impl Registry) {
    let name = repository("acme/shop");
    let mut manifest = artifact(registry, &name, "content").await;
    let missing = Descriptor::of(MEDIA_TYPE_LAYER, b"never pushed");
    manifest.layers.push(missing.clone());
    let put = Put::under(tag("v1"));
    let bytes = Bytes::from(manifest.to_bytes());
    let error = registry.put_manifest(&name, &put, MEDIA_TYPE_MANIFEST, bytes).await.expect_err("is refused");
    assert!(matches!(&error, OciError::BlobUnknown { digest, .. } if *digest == missing.digest), "{error}");
    let index = ImageIndex::new(vec![Descriptor::of(MEDIA_TYPE_MANIFEST, b"{}")]);
    let bytes = Bytes::from(index.to_bytes());
    let error = registry.put_manifest(&name, &put, MEDIA_TYPE_INDEX, bytes).await.expect_err("is refused");
    assert!(matches!(error, OciError::BlobUnknown { .. }), "{error}");
    assert_eq!(digest_of(registry, &name, "v1").await, None);
    // A subject may be missing: referrers may come first.
    let referrer = artifact(registry, &name, "content").await.with_subject(missing);
    let bytes = Bytes::from(referrer.to_bytes());
    assert!(registry.put_manifest(&name, &put, MEDIA_TYPE_MANIFEST, bytes).await.is_ok());
}

/// Every wrong form is refused with a reason.
pub async fn what_is_no_manifest_is_refused(registry: &impl Registry) {
    let name = repository("acme/shop");
    let manifest = artifact(registry, &name, "content").await;
    let good = Bytes::from(manifest.to_bytes());
    let conditional = Put { tag: None, condition: Condition::Absent };
    let plain = Put::under(tag("v1"));
    for (put, media_type, bytes) in [
        (&plain, MEDIA_TYPE_MANIFEST, Bytes::from_static(b"")),
        (&plain, MEDIA_TYPE_MANIFEST, Bytes::from_static(b"no JSON")),
        (&plain, MEDIA_TYPE_MANIFEST, Bytes::from_static(b"[]")),
        (&plain, MEDIA_TYPE_MANIFEST, Bytes::from_static(b"{\"config\":7}")),
        (&plain, MEDIA_TYPE_INDEX, good.clone()),
        (&plain, "", good.clone()),
        (&plain, "with space", good.clone()),
        (&conditional, MEDIA_TYPE_MANIFEST, good.clone()),
    ] {
        let answer = registry.put_manifest(&name, put, media_type, bytes).await;
        let error = answer.expect_err("is refused");
        assert!(matches!(error, OciError::Invalid { .. }), "{media_type}: {error}");
    }
    let mut huge = manifest;
    huge.annotations.insert("long".to_owned(), "x".repeat(4 * 1024 * 1024));
    let bytes = Bytes::from(huge.to_bytes());
    let error =
        registry.put_manifest(&name, &plain, MEDIA_TYPE_MANIFEST, bytes).await.expect_err("is refused");
    assert!(matches!(error, OciError::TooLarge { .. }), "{error}");
    assert_eq!(digest_of(registry, &name, "v1").await, None);
}

/// Nothing, small, at the limits of memory, and larger; sha512 too.
pub async fn blobs_of_every_size_come_back(registry: &impl Registry) {
    let name = repository("acme/shop");
    for size in [0, 1, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * 1024 * 1024 + 7] {
        let content: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).expect("is below 256")).collect();
        for expected in [None, Some(Digest::sha256(&content)), Some(Digest::sha512(&content))] {
            let chunks: Vec<_> =
                content.chunks(100_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
            let stream = BlobStream::new(None, futures_util::stream::iter(chunks));
            let stored = registry.put_blob(&name, expected.as_ref(), stream).await.expect("is stored");
            assert_eq!(stored.digest, expected.unwrap_or_else(|| Digest::sha256(&content)));
            assert_eq!(stored.size, size as u64);
            assert!(registry.has_blob(&name, &stored.digest).await.expect("is asked"));
            let read = registry.blob_bytes(&name, &stored.digest, size as u64).await.expect("comes back");
            assert!(read == content, "{size} bytes came back changed");
            if size > 0 {
                let error = registry.blob_bytes(&name, &stored.digest, size as u64 - 1).await;
                assert!(matches!(error, Err(OciError::TooLarge { .. })), "{size}");
            }
        }
    }
}

/// A wrong announcement stores nothing under either digest.
pub async fn content_with_another_digest_than_announced_is_refused(registry: &impl Registry) {
    let name = repository("acme/shop");
    for content in [vec![1; 10], vec![2; 1024 * 1024]] {
        let wrong = Digest::sha256(b"something else");
        let stream = BlobStream::from_bytes(content.clone());
        let error = registry.put_blob(&name, Some(&wrong), stream).await.expect_err("is refused");
        assert!(matches!(error, OciError::DigestMismatch { .. }), "{error}");
        assert!(!registry.has_blob(&name, &wrong).await.expect("is asked"));
        assert!(!registry.has_blob(&name, &Digest::sha256(&content)).await.expect("is asked"));
    }
}

/// Half of a blob is never taken for the whole.
pub async fn an_abandoned_blob_is_not_stored(registry: &impl Registry) {
    let name = repository("acme/shop");
    for size in [10, 1024 * 1024] {
        let half = Bytes::from(vec![7; size]);
        let (mut sender, stream) = BlobStream::channel(None);
        let feed = async {
            sender.send(half.clone()).await.expect("the reader is there");
            drop(sender);
        };
        let (answer, ()) = futures_util::join!(registry.put_blob(&name, None, stream), feed);
        assert!(answer.is_err(), "{size} bytes without an end were stored");
        assert!(!registry.has_blob(&name, &Digest::sha256(&half)).await.expect("is asked"));
    }
}

/// `mount` gives a blob to another repository, or says that it must be sent.
pub async fn blobs_are_known_in_every_repository(registry: &impl Registry) {
    let (one, other) = (repository("acme/one"), repository("acme/other"));
    let stored = registry.put_bytes(&one, "a/b", Bytes::from_static(b"x")).await.expect("is stored");
    assert_eq!(stored.media_type, "a/b");
    assert!(registry.mount(&one, &other, &stored.digest).await.expect("is asked"));
    assert_eq!(&registry.blob_bytes(&other, &stored.digest, 1).await.expect("is there")[..], b"x");
    assert!(!registry.mount(&one, &other, &Digest::sha256(b"y")).await.expect("is asked"));
}

/// Not there is an answer of its own, not an error of another kind.
pub async fn unknown_things_are_told_apart(registry: &impl Registry) {
    let name = repository("never/written");
    let digest = Digest::sha256(b"never");
    for reference in [by_tag("v1"), TagOrDigest::Digest(digest)] {
        let error = registry.manifest(&name, &reference).await.expect_err("is not there");
        assert!(matches!(error, OciError::ManifestUnknown { .. }) && error.is_not_found(), "{error}");
        assert_eq!(registry.head_manifest(&name, &reference).await.expect("is asked"), None);
    }
    let error = registry.blob(&name, &digest).await.expect_err("is not there");
    assert!(matches!(error, OciError::BlobUnknown { .. }) && error.is_not_found(), "{error}");
    assert!(!registry.has_blob(&name, &digest).await.expect("is asked"));
    assert!(registry.tags(&name, &Page::first(10)).await.expect("are listed").tags.is_empty());
    assert!(registry.referrers(&name, &digest, None).await.expect("are listed").is_empty());
    assert!(!registry.delete_tag(&name, &tag("v1")).await.expect("is asked"));
    assert!(!registry.delete_manifest(&name, &digest).await.expect("is asked"));
    assert!(!registry.delete_blob(&name, &digest).await.expect("is asked"));
}

/// Pages are in byte order, exclusive of `after`, and end.
pub async fn tags_are_listed_in_pages_and_in_order(registry: &impl Registry) {
    let name = repository("acme/shop");
    for text in ["b", "a", "C", "10", "9", "_"] {
        push(registry, &name, &Put::under(tag(text)), "content").await.expect("is put");
    }
    let mut seen = Vec::new();
    let mut page = Some(Page::first(4));
    while let Some(next) = page {
        let found = registry.tags(&name, &next).await.expect("are listed");
        seen.push(found.tags.iter().map(Tag::to_string).collect::<Vec<_>>());
        page = found.next;
    }
    assert_eq!(seen, [vec!["10", "9", "C", "_"], vec!["a", "b"]]);
    let exact = registry.tags(&name, &Page::first(6)).await.expect("are listed");
    assert_eq!((exact.tags.len(), exact.next), (6, None));
    let none = registry.tags(&name, &Page::first(0)).await.expect("are listed");
    assert!(none.tags.is_empty() && none.next.is_none());
    let after = Page { after: Some(tag("D")), limit: 1 };
    assert_eq!(registry.tags(&name, &after).await.expect("are listed").tags, [tag("_")]);
}

/// What is about a manifest is found from it, whether it exists or not.
pub async fn referrers_have_type_and_annotations_and_are_filtered(registry: &impl Registry) {
    let name = repository("acme/shop");
    let subject = Descriptor::of(MEDIA_TYPE_MANIFEST, b"{}");
    let mut expected = Vec::new();
    for kind in ["a/x", "b/y"] {
        let mut referrer = artifact(registry, &name, kind).await.with_subject(subject.clone());
        referrer.artifact_type = Some(kind.to_owned());
        referrer.annotations.insert("of".to_owned(), kind.to_owned());
        let bytes = Bytes::from(referrer.to_bytes());
        let put = Put::by_digest();
        let size = bytes.len() as u64;
        let digest = registry.put_manifest(&name, &put, MEDIA_TYPE_MANIFEST, bytes).await.expect("is put");
        let mut descriptor = Descriptor::new(MEDIA_TYPE_MANIFEST, digest, size).with_annotation("of", kind);
        descriptor.artifact_type = Some(kind.to_owned());
        expected.push(descriptor);
    }
    let only = expected[1].clone();
    expected.sort_by_key(|descriptor| descriptor.digest);
    let digest = &subject.digest;
    assert_eq!(registry.referrers(&name, digest, None).await.expect("are listed"), expected);
    assert_eq!(
        registry.referrers(&name, digest, Some("b/y")).await.expect("are listed"),
        std::slice::from_ref(&only)
    );
    assert!(registry.referrers(&repository("other"), digest, None).await.expect("are listed").is_empty());
    assert!(registry.delete_manifest(&name, &only.digest).await.expect("is asked"));
    assert_eq!(registry.referrers(&name, digest, None).await.expect("are listed").len(), 1);
}

/// A tag is only a name.
pub async fn deleting_a_tag_leaves_the_manifest(registry: &impl Registry) {
    let name = repository("acme/shop");
    let digest = push(registry, &name, &Put::under(tag("a")), "content").await.expect("is put");
    push(registry, &name, &Put::under(tag("b")), "content").await.expect("is put");
    assert!(registry.delete_tag(&name, &tag("a")).await.expect("is asked"));
    assert!(!registry.delete_tag(&name, &tag("a")).await.expect("is asked"));
    assert_eq!(digest_of(registry, &name, "a").await, None);
    assert_eq!(digest_of(registry, &name, "b").await, Some(digest));
    assert!(registry.manifest(&name, &digest.into()).await.is_ok());
}

/// A name without content would be a lie.
pub async fn deleting_a_manifest_takes_its_tags_with_it(registry: &impl Registry) {
    let (name, other) = (repository("acme/shop"), repository("acme/other"));
    let digest = push(registry, &name, &Put::under(tag("a")), "content").await.expect("is put");
    push(registry, &name, &Put::under(tag("b")), "content").await.expect("is put");
    push(registry, &other, &Put::under(tag("c")), "content").await.expect("is put");
    assert!(registry.delete_manifest(&name, &digest).await.expect("is asked"));
    assert!(registry.tags(&name, &Page::first(9)).await.expect("are listed").tags.is_empty());
    assert!(registry.manifest(&name, &digest.into()).await.is_err());
    assert!(registry.manifest(&other, &digest.into()).await.is_ok());
    let blob = Digest::sha256(b"content");
    assert!(registry.delete_blob(&name, &blob).await.expect("is asked"));
    assert!(!registry.has_blob(&name, &blob).await.expect("is asked"));
}

/// Deleting leaves nothing behind that stands in the way.
pub async fn a_deleted_manifest_can_be_pushed_again(registry: &impl Registry) {
    let name = repository("acme/shop");
    for _ in 0..3 {
        let put = Put::under_if(tag("a"), Condition::Absent);
        let digest = push(registry, &name, &put, "content").await.expect("is put");
        assert!(registry.manifest(&name, &by_tag("a")).await.is_ok());
        assert!(registry.delete_manifest(&name, &digest).await.expect("is asked"));
        registry.delete_blob(&name, &Digest::sha256(b"content")).await.expect("is asked");
    }
}
