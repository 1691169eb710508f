//! gzip by members of fixed size, compressed by several threads.
//!
//! The cuts are at multiples of [`MEMBER_BYTES`] of the input and every member is compressed on its
//! own, so the output is a function of the input, whatever the number of threads. Members leave in
//! order. At most two pieces for each thread are in flight, so memory is bounded.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use ringsite_names::{Digest, Hasher};

use crate::error::BuildError;
use crate::limits::{GZIP_LEVEL, MEMBER_BYTES};

struct Job {
    input: Vec<u8>,
    reply: SyncSender<Bytes>,
}

/// Compresses what `produce` writes and hands the members to `take` in their order; returns the
/// digest of what was written.
///
/// # Errors
/// What `produce` says; `Worker` when `take` does not want any more.
pub(crate) fn compress(
    threads: usize,
    produce: impl FnOnce(&mut dyn Write) -> Result<(), BuildError>,
    mut take: impl FnMut(Bytes) -> io::Result<()> + Send,
) -> Result<Digest, BuildError> {
    let (jobs, queue) = sync_channel::<Job>(threads);
    let (order, results) = sync_channel::<Receiver<Bytes>>(threads);
    let queue = Mutex::new(queue);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| compress_jobs(&queue));
        }
        let taker = scope.spawn(move || {
            for result in results {
                // A worker that stopped has dropped its end; its panic shows when the scope ends.
                let Ok(member) = result.recv() else { return Ok(()) };
                take(member)?;
            }
            Ok(())
        });
        let mut members = Members { buffer: Vec::new(), hasher: Hasher::sha256(), jobs, order };
        let produced = produce(&mut members)
            .and_then(|()| members.send().map_err(|error| BuildError::Worker(Box::new(error))));
        let Members { hasher, jobs, order, .. } = members;
        drop((jobs, order));
        let taken: io::Result<()> = taker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        // The taker's reason comes first: the producer only sees that nobody listens.
        taken.map_err(|error| BuildError::Worker(Box::new(error)))?;
        produced?;
        Ok(hasher.finish())
    })
}

fn compress_jobs(queue: &Mutex<Receiver<Job>>) {
    let level = CompressionLvl::new(GZIP_LEVEL).expect("the pinned level is one of libdeflate's");
    let mut compressor = Compressor::new(level);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { input, reply }) = job else { return };
        let mut output = vec![0; compressor.gzip_compress_bound(input.len())];
        let count = compressor.gzip_compress(&input, &mut output).expect("the bound is large enough");
        output.truncate(count);
        // The piece waits in channels from here on: it should not hold the memory of the bound.
        output.shrink_to_fit();
        if reply.send(output.into()).is_err() {
            return;
        }
    }
}

/// Cuts what is written into members.
struct Members {
    buffer: Vec<u8>,
    hasher: Hasher,
    jobs: SyncSender<Job>,
    order: SyncSender<Receiver<Bytes>>,
}

impl Members {
    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let input = std::mem::take(&mut self.buffer);
        self.hasher.update(&input);
        let (reply, result) = sync_channel(1);
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the layer any more");
        self.order.send(result).map_err(|error| gone(error.to_string()))?;
        self.jobs.send(Job { input, reply }).map_err(|error| gone(error.to_string()))
    }
}

impl Write for Members {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            self.buffer.reserve_exact(MEMBER_BYTES);
        }
        let taken = &bytes[..bytes.len().min(MEMBER_BYTES - self.buffer.len())];
        self.buffer.extend_from_slice(taken);
        if self.buffer.len() == MEMBER_BYTES {
            self.send()?;
        }
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::MultiGzDecoder;

    use super::*;

    fn sample(bytes: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 60
        };
        (0..bytes).map(|_| b"abcdefgh01234567"[usize::try_from(next()).unwrap()]).collect()
    }

    fn pack(threads: usize, content: &[u8]) -> (Vec<u8>, Digest) {
        let mut packed = Vec::new();
        let produce = |sink: &mut dyn Write| {
            for piece in content.chunks(70_001) {
                sink.write_all(piece).unwrap();
            }
            Ok(())
        };
        let take = |member: Bytes| {
            packed.extend_from_slice(&member);
            Ok(())
        };
        let digest = compress(threads, produce, take).unwrap();
        (packed, digest)
    }

    #[test]
    fn any_number_of_threads_gives_the_same_bytes_which_unpack_to_the_input() {
        let content = sample(3 * MEMBER_BYTES + 17);
        let (first, digest) = pack(1, &content);
        assert_eq!(digest, Digest::sha256(&content));
        for threads in [2, 3, 8] {
            assert!(pack(threads, &content).0 == first, "{threads} threads");
        }
        let mut unpacked = Vec::new();
        MultiGzDecoder::new(first.as_slice()).read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == content);
    }

    #[test]
    fn the_error_of_the_producer_and_of_the_taker_come_out() {
        let produce =
            |_: &mut dyn Write| Err(BuildError::SourceChanged { path: "a".into(), reason: "gone".into() });
        let error = compress(2, produce, |_| Ok(())).unwrap_err();
        assert!(matches!(error, BuildError::SourceChanged { .. }), "{error}");

        let content = sample(40 * MEMBER_BYTES);
        let produce = |sink: &mut dyn Write| {
            sink.write_all(&content).map_err(|error| BuildError::Worker(Box::new(error)))
        };
        let error = compress(2, produce, |_| Err(io::Error::other("full"))).unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
    }
}
