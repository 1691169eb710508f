//! Blobs on their way.

use std::io::Write as _;

use bytes::Bytes;
use futures_util::StreamExt;
use ringsite_names::{Digest, RepositoryName};
use ringsite_oci::{BlobStream, Layout, OciError, ReaderGone, Registry};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_thread_writes_a_blob_through_a_bounded_channel() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let layout = Layout::new(folder.path().join("r"));
    let name = RepositoryName::new("acme/shop").expect("is a name");
    let content: Vec<u8> = (0..1_500_000_u32).map(|at| at.to_le_bytes()[1]).collect();
    let (mut sender, stream) = BlobStream::channel(None);
    let feed = {
        let content = content.clone();
        tokio::task::spawn_blocking(move || {
            for piece in content.chunks(777) {
                sender.write_all(piece).expect("the reader is there");
            }
            sender.finish_blocking().expect("the reader is there");
        })
    };
    let stored = layout.put_blob(&name, None, stream).await.expect("is stored");
    feed.await.expect("ends");
    assert_eq!(stored.digest, Digest::sha256(&content));
    let mut read = layout.blob(&name, &stored.digest).await.expect("is there");
    assert_eq!(read.size(), Some(content.len() as u64));
    let mut pieces = 0;
    let mut whole = Vec::new();
    while let Some(piece) = read.next().await {
        whole.extend_from_slice(&piece.expect("is verified"));
        pieces += 1;
    }
    assert!(whole == content && pieces > 3, "{pieces} pieces");
}

#[tokio::test]
async fn a_sender_learns_that_nobody_reads_any_more() {
    let (mut sender, stream) = BlobStream::channel(None);
    drop(stream);
    assert_eq!(sender.send(Bytes::from_static(b"x")).await, Err(ReaderGone));
    assert_eq!(sender.finish().await, Err(ReaderGone));
}

#[tokio::test]
async fn a_failure_of_the_sender_reaches_the_reader() {
    let (mut sender, stream) = BlobStream::channel(None);
    sender.send(Bytes::from_static(b"x")).await.expect("the reader is there");
    let what = "pull a blob".to_owned();
    sender.fail(OciError::Unanswered { what, source: "cut".into() }).await;
    let error = stream.into_bytes(10).await.expect_err("has failed");
    assert_eq!(error.to_string(), "pull a blob: no answer: cut");
    assert!(error.is_retryable() && error.is_outcome_unknown() && error.help().is_some());
}

#[tokio::test]
async fn a_stream_is_not_read_beyond_its_limit() {
    let pieces = vec![Ok(Bytes::from_static(b"abc")), Ok(Bytes::from_static(b"def"))];
    let error = BlobStream::new(None, futures_util::stream::iter(pieces)).into_bytes(5).await;
    assert!(matches!(error, Err(OciError::TooLarge { bytes_max: 5, .. })));
}
