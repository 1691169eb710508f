//! gzip by members of fixed size, compressed by several threads.
//!
//! The cuts are at multiples of [`MEMBER_BYTES`] of the input and every member is compressed on its
//! own, so the output is a function of the input, whatever the number of threads. Members leave in
//! order. At most two pieces for each thread are in flight, so memory is bounded. The threads stay
//! for all layers of an image: each keeps what it has freed, and new ones would add theirs.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use ringsite_names::{Digest, Hasher};

use crate::error::BuildError;
use crate::limits::{GZIP_LEVEL, MEMBER_BYTES};

struct Job {
    input: Vec<u8>,
    reply: SyncSender<Bytes>,
}

/// Threads that compress.
#[derive(Debug)]
pub(crate) struct Compressors {
    /// Nothing only while the threads are told to end.
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Compressors {
    /// Starts so many threads.
    pub(crate) fn start(threads: usize) -> Self {
        let (jobs, queue) = sync_channel::<Job>(threads);
        let queue = Arc::new(Mutex::new(queue));
        let start = |_| {
            let queue = queue.clone();
            thread::spawn(move || compress_jobs(&queue))
        };
        Self { jobs: Some(jobs), threads: (0..threads).map(start).collect() }
    }

    /// Compresses what `produce` writes and hands the members to `take` in their order, all on this
    /// thread; returns the digest of what was written.
    ///
    /// # Errors
    /// What `produce` says; `Worker` when `take` does not want any more.
    pub(crate) fn compress(
        &self,
        produce: impl FnOnce(&mut dyn Write) -> Result<(), BuildError>,
        take: impl FnMut(Bytes) -> io::Result<()>,
    ) -> Result<Digest, BuildError> {
        let jobs = self.jobs.as_ref().expect("the threads end after the last use only");
        let in_flight_max = self.threads.len() * 2;
        let mut members = Members {
            buffer: Vec::new(),
            hasher: Hasher::sha256(),
            jobs,
            in_flight: VecDeque::with_capacity(in_flight_max),
            in_flight_max,
            take,
            failure: None,
        };
        let produced = produce(&mut members);
        let finished = if produced.is_ok() { members.finish() } else { Ok(()) };
        // The reason of the one who takes comes first: the producer only sees that it cannot write.
        let failure = members.failure.take().map_or(finished, Err);
        failure.map_err(|error| BuildError::Worker(Box::new(error)))?;
        produced?;
        Ok(members.hasher.finish())
    }
}

impl Drop for Compressors {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic of a thread was seen as a missing reply already.
            let _ = thread.join();
        }
    }
}

fn compress_jobs(queue: &Mutex<Receiver<Job>>) {
    let level = CompressionLvl::new(GZIP_LEVEL).expect("the pinned level is one of libdeflate's");
    let mut compressor = Compressor::new(level);
    let mut output = Vec::new();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { input, reply }) = job else { return };
        output.resize(compressor.gzip_compress_bound(input.len()), 0);
        let count = compressor.gzip_compress(&input, &mut output).expect("the bound is large enough");
        // A copy of the right size: it waits in channels, which should not hold the whole bound.
        let member = Bytes::copy_from_slice(&output[..count]);
        drop(input);
        // Whoever does not wait for it any more has failed for a reason of its own.
        let _ = reply.send(member);
    }
}

/// Cuts what is written into members.
struct Members<'c, T> {
    buffer: Vec<u8>,
    hasher: Hasher,
    jobs: &'c SyncSender<Job>,
    in_flight: VecDeque<Receiver<Bytes>>,
    in_flight_max: usize,
    take: T,
    failure: Option<io::Error>,
}

impl<T: FnMut(Bytes) -> io::Result<()>> Members<'_, T> {
    /// Sends what is left, and takes all that is in flight.
    fn finish(&mut self) -> io::Result<()> {
        self.send()?;
        while !self.in_flight.is_empty() {
            self.take_first()?;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.in_flight.len() >= self.in_flight_max {
            self.take_first()?;
        }
        let input = std::mem::take(&mut self.buffer);
        self.hasher.update(&input);
        let (reply, result) = sync_channel(1);
        self.jobs.send(Job { input, reply }).map_err(|_| stopped())?;
        self.in_flight.push_back(result);
        Ok(())
    }

    fn take_first(&mut self) -> io::Result<()> {
        let Some(first) = self.in_flight.pop_front() else { return Ok(()) };
        let member = first.recv().map_err(|_| stopped())?;
        (self.take)(member).inspect_err(|error| {
            self.failure.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        })
    }
}

fn stopped() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "a thread that compresses has stopped")
}

impl<T: FnMut(Bytes) -> io::Result<()>> Write for Members<'_, T> {
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
        let digest = Compressors::start(threads).compress(produce, take).unwrap();
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
        let error = Compressors::start(2).compress(produce, |_| Ok(())).unwrap_err();
        assert!(matches!(error, BuildError::SourceChanged { .. }), "{error}");

        let content = sample(40 * MEMBER_BYTES);
        let produce = |sink: &mut dyn Write| {
            sink.write_all(&content).map_err(|error| BuildError::Worker(Box::new(error)))
        };
        let error = Compressors::start(2).compress(produce, |_| Err(io::Error::other("full"))).unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
    }
}
