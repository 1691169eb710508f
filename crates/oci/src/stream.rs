//! Blobs on their way: a stream of pieces, and the bounded channel that feeds one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::mpsc;

use crate::error::OciError;
use crate::limits::{CHUNK_BYTES, CHUNKS_IN_FLIGHT};

/// The content of a blob, piece by piece.
///
/// A stream that comes from a registry is verified while it is read: when the content does not have
/// the digest that was asked for, the last item is an error and the last piece is never handed out.
pub struct BlobStream {
    size: Option<u64>,
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, OciError>> + Send>>,
}

impl BlobStream {
    /// Returns a stream of `chunks`, with the size in bytes where it is known.
    pub fn new(
        size: Option<u64>,
        chunks: impl Stream<Item = Result<Bytes, OciError>> + Send + 'static,
    ) -> Self {
        Self { size, chunks: Box::pin(chunks) }
    }

    /// Returns a stream of one piece.
    pub fn from_bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new(Some(bytes.len() as u64), stream::iter([Ok(bytes)]))
    }

    /// Returns a stream and the sender that feeds it.
    ///
    /// At most [`CHUNKS_IN_FLIGHT`] pieces wait in between. A sender that is dropped without
    /// [`BlobSender::finish`] ends the stream with an error, so that half of a blob is never taken
    /// for the whole.
    pub fn channel(size: Option<u64>) -> (BlobSender, Self) {
        let (sender, receiver) = mpsc::channel(CHUNKS_IN_FLIGHT);
        let chunks = stream::unfold(Some(receiver), |receiver| async {
            let mut receiver: mpsc::Receiver<Message> = receiver?;
            match receiver.recv().await {
                Some(Message::Chunk(bytes)) => Some((Ok(bytes), Some(receiver))),
                Some(Message::Failed(error)) => Some((Err(*error), None)),
                Some(Message::End) => None,
                None => Some((Err(abandoned()), None)),
            }
        });
        (BlobSender { sender, buffer: Vec::new() }, Self::new(size, chunks))
    }

    /// Returns the size in bytes, where it is known.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Reads the whole content into memory.
    ///
    /// # Errors
    /// `TooLarge` when there are more than `bytes_max` bytes; the stream's own error otherwise.
    pub async fn into_bytes(mut self, bytes_max: u64) -> Result<Bytes, OciError> {
        let mut whole = Vec::new();
        let expected =
            self.size.filter(|size| *size <= bytes_max).and_then(|size| usize::try_from(size).ok());
        let mut first = Bytes::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk?;
            if (first.len() + whole.len() + chunk.len()) as u64 > bytes_max {
                return Err(OciError::TooLarge { what: "blob".to_owned(), bytes_max });
            }
            if first.is_empty() && whole.is_empty() {
                first = chunk;
            } else {
                if whole.is_empty() {
                    // Growing step by step would take up to twice the memory.
                    whole.reserve_exact(expected.unwrap_or(0));
                    whole.extend_from_slice(&std::mem::take(&mut first));
                }
                whole.extend_from_slice(&chunk);
            }
        }
        Ok(if whole.is_empty() { first } else { whole.into() })
    }
}

impl Stream for BlobStream {
    type Item = Result<Bytes, OciError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for BlobStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("BlobStream").field("size", &self.size).finish_non_exhaustive()
    }
}

enum Message {
    Chunk(Bytes),
    Failed(Box<OciError>),
    End,
}

fn abandoned() -> OciError {
    OciError::Unanswered {
        what: "read a blob".to_owned(),
        source: "its producer stopped before the end".into(),
    }
}

/// The reader of a [`BlobStream::channel`] is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nobody reads the blob any more")]
pub struct ReaderGone;

/// Feeds a [`BlobStream`], from a task with `send` or from a blocking thread with `std::io::Write`.
#[derive(Debug)]
pub struct BlobSender {
    sender: mpsc::Sender<Message>,
    buffer: Vec<u8>,
}

impl BlobSender {
    /// Sends one piece, after what `Write` has collected; waits while the reader is behind.
    ///
    /// # Errors
    /// `ReaderGone` when the stream was dropped.
    pub async fn send(&mut self, bytes: Bytes) -> Result<(), ReaderGone> {
        if !self.buffer.is_empty() {
            let collected = Bytes::from(std::mem::take(&mut self.buffer));
            self.sender.send(Message::Chunk(collected)).await.map_err(|_| ReaderGone)?;
        }
        self.sender.send(Message::Chunk(bytes)).await.map_err(|_| ReaderGone)
    }

    /// Says that the content is complete.
    ///
    /// # Errors
    /// `ReaderGone` when the stream was dropped.
    pub async fn finish(mut self) -> Result<(), ReaderGone> {
        if !self.buffer.is_empty() {
            let collected = Bytes::from(std::mem::take(&mut self.buffer));
            self.sender.send(Message::Chunk(collected)).await.map_err(|_| ReaderGone)?;
        }
        self.sender.send(Message::End).await.map_err(|_| ReaderGone)
    }

    /// Says that the content is complete, from a blocking thread.
    ///
    /// # Errors
    /// `ReaderGone` when the stream was dropped.
    ///
    /// # Panics
    /// When called from a task, as every blocking call of tokio does.
    pub fn finish_blocking(mut self) -> Result<(), ReaderGone> {
        self.send_buffer().map_err(|_| ReaderGone)?;
        self.sender.blocking_send(Message::End).map_err(|_| ReaderGone)
    }

    /// Sends one piece from a blocking thread, without copying it.
    ///
    /// # Errors
    /// `ReaderGone` when the stream was dropped.
    ///
    /// # Panics
    /// When called from a task.
    pub fn send_blocking(&mut self, bytes: Bytes) -> Result<(), ReaderGone> {
        self.send_buffer().map_err(|_| ReaderGone)?;
        self.sender.blocking_send(Message::Chunk(bytes)).map_err(|_| ReaderGone)
    }

    /// Ends the stream with an error, from a blocking thread; a reader that is gone does not mind.
    ///
    /// # Panics
    /// When called from a task.
    pub fn fail_blocking(self, error: OciError) {
        let _ = self.sender.blocking_send(Message::Failed(Box::new(error)));
    }

    /// Ends the stream with an error; a reader that is gone does not mind.
    pub async fn fail(self, error: OciError) {
        let _ = self.sender.send(Message::Failed(Box::new(error))).await;
    }

    fn send_buffer(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.buffer));
        let sent = self.sender.blocking_send(Message::Chunk(chunk));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, ReaderGone))
    }
}

/// Collects small writes into pieces; for blocking threads only.
impl io::Write for BlobSender {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES.saturating_sub(self.buffer.len());
        let taken = &bytes[..bytes.len().min(room)];
        if self.buffer.is_empty() && !taken.is_empty() {
            self.buffer.reserve_exact(CHUNK_BYTES);
        }
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() >= CHUNK_BYTES {
            self.send_buffer()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_buffer()
    }
}
