//! The register under races, lost answers, lies and death.

use bytes::Bytes;
use ringsite_commit::{Head, Register, SwapError};
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::{
    Abilities, BlobStream, Descriptor, EMPTY_CONFIG, ImageIndex, ImageManifest, Layout, Memory, OciError,
    Page, Put, Registry, StoredManifest, TagOrDigest, TagPage,
};
use ringsite_testkit::{Fault, Faulty};

fn repository() -> RepositoryName {
    RepositoryName::new("acme/shop/ledger").expect("is a name")
}

fn tag() -> Tag {
    Tag::new("head").expect("is a tag")
}

fn register<R: Registry>(registry: &R) -> Register<'_, R> {
    Register::new(registry, repository(), tag())
}

fn manifest(id: &str) -> ImageManifest {
    ImageManifest::artifact("application/vnd.example", Vec::new()).with_annotation("id", id)
}

async fn prepare<R: Registry>(registry: R) -> R {
    let config = Bytes::from_static(EMPTY_CONFIG);
    registry.put_bytes(&repository(), "application/vnd.oci.empty.v1+json", config).await.expect("is stored");
    registry
}

async fn swap<R: Registry>(registry: &R, seen: Option<&Head>, id: &str) -> Result<Head, SwapError> {
    register(registry).swap(seen, &manifest(id)).await
}

fn moved_to(answer: Result<Head, SwapError>) -> Option<Head> {
    match answer {
        Err(SwapError::Moved { now, .. }) => now.map(|head| *head),
        other => panic!("expected a moved head, got {other:?}"),
    }
}

#[tokio::test]
async fn a_register_begins_empty_and_moves_from_head_to_head() {
    let memory = prepare(Memory::new()).await;
    assert_eq!(register(&memory).read().await.expect("is read"), None);
    let first = swap(&memory, None, "1").await.expect("nobody else is there");
    assert_eq!(first.manifest, manifest("1"));
    assert_eq!(Digest::sha256(&first.bytes), first.digest);
    let second = swap(&memory, Some(&first), "2").await.expect("nobody else is there");
    assert_eq!(register(&memory).read().await.expect("is read"), Some(second));
}

#[tokio::test]
async fn a_head_that_is_not_the_one_seen_is_handed_back_and_kept() {
    let memory = prepare(Memory::new()).await;
    let first = swap(&memory, None, "1").await.expect("nobody else is there");
    assert_eq!(moved_to(swap(&memory, None, "2").await), Some(first.clone()));
    let second = swap(&memory, Some(&first), "2").await.expect("was just seen");
    assert_eq!(moved_to(swap(&memory, Some(&first), "3").await), Some(second.clone()));
    memory.delete_tag(&repository(), &tag()).await.expect("is removed");
    assert_eq!(moved_to(swap(&memory, Some(&second), "4").await), None);
}

#[tokio::test]
async fn the_same_swap_again_finds_that_it_was_done() {
    let memory = prepare(Memory::new()).await;
    let first = swap(&memory, None, "1").await.expect("nobody else is there");
    assert_eq!(swap(&memory, None, "1").await.expect("was done before"), first);
}

#[tokio::test]
async fn a_lost_answer_is_resolved_by_reading() {
    for fault in [Fault::LoseAnswer, Fault::ErrorAfterWrite] {
        let faulty = Faulty::new(prepare(Memory::new()).await).with_fault(1, fault);
        let head = swap(&faulty, None, "1").await.expect("it was written");
        assert_eq!(register(&faulty).read().await.expect("is read"), Some(head), "{fault:?}");
    }
}

#[tokio::test]
async fn an_outcome_that_nobody_can_tell_is_unknown() {
    let failing = Faulty::new(prepare(Memory::new()).await).with_fault(1, Fault::Fail);
    let error = swap(&failing, None, "1").await.expect_err("it may still arrive");
    assert!(matches!(error, SwapError::Unknown { .. }) && error.help().is_some(), "{error}");
    for fault in [Fault::KillBefore, Fault::KillAfter] {
        for call in [1, 2] {
            let faulty = Faulty::new(prepare(Memory::new()).await).with_fault(call, fault);
            let answer = swap(&faulty, None, "1").await;
            assert!(matches!(answer, Err(SwapError::Unknown { .. })), "{fault:?} at {call}: {answer:?}");
            // The same call after the crash tells, and writes at most once.
            let head = swap(faulty.inner(), None, "1").await.expect("nobody else is there");
            assert_eq!(register(faulty.inner()).read().await.expect("is read"), Some(head));
        }
    }
}

#[tokio::test]
async fn an_answer_of_success_is_not_believed() {
    let faulty = Faulty::new(prepare(Memory::new()).await).with_fault(1, Fault::Lie);
    assert_eq!(moved_to(swap(&faulty, None, "1").await), None);
}

#[tokio::test]
async fn a_lost_answer_under_another_writer_is_told_as_moved() {
    let memory = prepare(Memory::new()).await;
    let first = swap(&memory, None, "1").await.expect("nobody else is there");
    let faulty = Faulty::new(memory).with_fault(1, Fault::Fail);
    let second = swap(faulty.inner(), Some(&first), "2").await.expect("was just seen");
    assert_eq!(moved_to(swap(&faulty, Some(&first), "3").await), Some(second));
}

#[tokio::test]
async fn a_tag_that_names_something_else_is_an_error_and_not_a_head() {
    let memory = prepare(Memory::new()).await;
    let index = ImageIndex::new(Vec::new());
    let put = Put::under(tag());
    let bytes = Bytes::from(index.to_bytes());
    memory.put_manifest(&repository(), &put, index.media_type(), bytes).await.expect("is put");
    let error = register(&memory).read().await.expect_err("is no head");
    assert!(matches!(error, OciError::Invalid { .. }), "{error}");
}

#[tokio::test]
async fn a_head_that_names_missing_content_is_not_written() {
    let memory = Memory::new();
    let error = swap(&memory, None, "1").await.expect_err("its configuration was never pushed");
    assert!(matches!(error, SwapError::Oci(OciError::BlobUnknown { .. })), "{error}");
    assert_eq!(register(&memory).read().await.expect("is read"), None);
}

/// Adds one to the number in the head, as often as it is told, whatever happens to the answers.
async fn count_up<R: Registry>(registry: &R, writer: usize, times: usize) {
    let register = register(registry);
    for number in 0..times {
        let id = format!("{writer} {number}");
        loop {
            let Ok(seen) = register.read().await else { continue };
            let count = seen
                .as_ref()
                .map_or(0, |head| head.manifest.annotations["count"].parse().expect("is a number"));
            let done = seen
                .as_ref()
                .is_some_and(|head| head.manifest.annotations["done"].contains(&format!(";{id};")));
            if done {
                break;
            }
            let list = seen.as_ref().map_or(String::new(), |head| head.manifest.annotations["done"].clone());
            let count: usize = count;
            let next = manifest(&id)
                .with_annotation("count", (count + 1).to_string())
                .with_annotation("done", format!("{list};{id};"));
            if register.swap(seen.as_ref(), &next).await.is_ok() {
                break;
            }
        }
    }
}

async fn assert_counted<R: Registry>(registry: &R, expected: usize, run: &str) {
    let head = register(registry).read().await.expect("is read").expect("was written");
    assert_eq!(head.manifest.annotations["count"], expected.to_string(), "{run}");
    assert_eq!(head.manifest.annotations["done"].matches(';').count(), 2 * expected, "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_with_lost_answers_lose_nothing_and_apply_nothing_twice() {
    for seed in [3, 77, 2026] {
        let faulty = Faulty::new(prepare(Memory::new()).await).with_seed(seed, 300);
        let writers = (0..8).map(|writer| count_up(&faulty, writer, 10));
        futures_util::future::join_all(writers).await;
        assert_counted(faulty.inner(), 80, &format!("seed {seed}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writers_on_a_layout_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let layouts = [Layout::new(folder.path().join("r")), Layout::new(folder.path().join("r"))];
    prepare(&layouts[0]).await;
    let writers = (0..6).map(|writer| count_up(&layouts[writer % 2], writer, 10));
    futures_util::future::join_all(writers).await;
    assert_counted(&layouts[0], 60, "two layouts").await;
}

/// A registry that stores and ignores conditions, as many do.
#[derive(Debug)]
struct Unconditional(Memory);

impl Registry for Unconditional {
    fn abilities(&self) -> Abilities {
        Abilities { conditional_put: false, ..self.0.abilities() }
    }
    async fn manifest(&self, name: &RepositoryName, which: &TagOrDigest) -> Result<StoredManifest, OciError> {
        self.0.manifest(name, which).await
    }
    async fn head_manifest(
        &self,
        name: &RepositoryName,
        which: &TagOrDigest,
    ) -> Result<Option<Descriptor>, OciError> {
        self.0.head_manifest(name, which).await
    }
    async fn put_manifest(
        &self,
        name: &RepositoryName,
        put: &Put,
        kind: &str,
        bytes: Bytes,
    ) -> Result<Digest, OciError> {
        let put = Put { tag: put.tag.clone(), condition: ringsite_oci::Condition::None };
        self.0.put_manifest(name, &put, kind, bytes).await
    }
    async fn blob(&self, name: &RepositoryName, digest: &Digest) -> Result<BlobStream, OciError> {
        self.0.blob(name, digest).await
    }
    async fn put_blob(
        &self,
        name: &RepositoryName,
        expected: Option<&Digest>,
        content: BlobStream,
    ) -> Result<Descriptor, OciError> {
        self.0.put_blob(name, expected, content).await
    }
    async fn has_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.0.has_blob(name, digest).await
    }
    async fn mount(
        &self,
        from: &RepositoryName,
        to: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, OciError> {
        self.0.mount(from, to, digest).await
    }
    async fn tags(&self, name: &RepositoryName, page: &Page) -> Result<TagPage, OciError> {
        self.0.tags(name, page).await
    }
    async fn referrers(
        &self,
        name: &RepositoryName,
        digest: &Digest,
        kind: Option<&str>,
    ) -> Result<Vec<Descriptor>, OciError> {
        self.0.referrers(name, digest, kind).await
    }
    async fn delete_tag(&self, name: &RepositoryName, tag: &Tag) -> Result<bool, OciError> {
        self.0.delete_tag(name, tag).await
    }
    async fn delete_manifest(&self, name: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.0.delete_manifest(name, digest).await
    }
    async fn delete_blob(&self, name: &RepositoryName, digest: &Digest) -> Result<bool, OciError> {
        self.0.delete_blob(name, digest).await
    }
}

#[tokio::test]
async fn a_registry_that_ignores_conditions_is_refused_and_can_be_read() {
    let registry = prepare(Unconditional(Memory::new())).await;
    let error = swap(&registry, None, "1").await.expect_err("is refused");
    assert!(matches!(error, SwapError::Unconditional { .. }), "{error}");
    assert!(error.help().is_some_and(|help| help.contains("layout on disk")));
    assert_eq!(register(&registry).read().await.expect("is read"), None);
}
