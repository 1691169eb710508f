//! Reads and hashes files, many at once.
//!
//! A file counts as read only when what the file system says about it is the same before and after:
//! otherwise it was being changed, and is read again.

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, readlinkat, statat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::Problem;
use crate::cache::StatCache;
use crate::context::Context;
use crate::limits::{READ_ATTEMPTS_MAX, READ_BYTES};
use crate::parallel;
use crate::stamp::Stamp;

/// A file to hash.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The position of its context.
    pub(crate) context: usize,
    /// Where it really is, relative to the context.
    pub(crate) real: String,
    /// What the file system said when it was found.
    pub(crate) stamp: Stamp,
}

/// A hashed file: what it was like while it was read, and its hash.
pub(crate) type Hashed = (Stamp, [u8; 32]);

/// Hashes all files of `jobs`, results in their order, and lets the cache keep them.
pub(crate) fn hash_all(
    contexts: &[&Context],
    jobs: &[Job],
    cache: &StatCache,
) -> Vec<Result<Hashed, Problem>> {
    if jobs.is_empty() {
        return Vec::new();
    }
    cache.begin_reading();
    let hashed = parallel::map(jobs, Worker::default, |worker, job| worker.hash(contexts, job));
    cache.keep(hashed.iter().filter_map(|result| result.as_ref().ok()).copied());
    hashed
}

/// What one thread keeps from file to file.
#[derive(Default)]
struct Worker {
    buffer: Vec<u8>,
    root: Option<(usize, OwnedFd)>,
}

impl Worker {
    fn hash(&mut self, contexts: &[&Context], job: &Job) -> Result<Hashed, Problem> {
        let context = contexts[job.context];
        if self.root.as_ref().is_none_or(|(index, _)| *index != job.context) {
            self.root = Some((job.context, context.open_root()?));
        }
        let Some((_, root)) = &self.root else { unreachable!("the root was opened above") };
        self.buffer.resize(READ_BYTES, 0);
        let mut expected = job.stamp;
        for _ in 0..READ_ATTEMPTS_MAX {
            let read = match expected.file_type() {
                FileType::Symlink => hash_link(root, &job.real),
                _ => hash_file(root, &job.real, expected.bytes, &mut self.buffer),
            };
            match read {
                Ok((stamp, sha256)) if stamp == expected => return Ok((stamp, sha256)),
                Ok((stamp, _)) if stamp.file_type() != job.stamp.file_type() => break,
                Ok((stamp, _)) => expected = stamp,
                Err(Errno::NOENT | Errno::LOOP | Errno::INVAL) => break,
                Err(error) => {
                    let message = format!("cannot be read: {}", std::io::Error::from(error));
                    let help =
                        "make it readable for the user who builds, or leave it out with the ignore file";
                    return Err(Problem::in_file(&context.show(&job.real), message, help));
                }
            }
        }
        let help = "wait until what writes it is done, or leave it out with the ignore file, and run the command again";
        Err(Problem::in_file(&context.show(&job.real), "changes while it is read", help))
    }
}

/// Reads `bytes` bytes of a file; what the file system says afterwards tells whether these were all.
fn hash_file(root: &OwnedFd, path: &str, bytes: u64, buffer: &mut [u8]) -> Result<Hashed, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = openat(root, path, flags, Mode::empty())?;
    let mut hasher = Sha256::new();
    let mut left = bytes;
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match rustix::io::read(&file, &mut buffer[..wanted]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                left -= count as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    let mut stamp = Stamp::of(&fstat(&file)?);
    if left > 0 && stamp.bytes == bytes {
        // Shorter than the file system says: no stamp of this file can be trusted.
        stamp.bytes = bytes - left;
    }
    Ok((stamp, hasher.finalize().into()))
}

fn hash_link(root: &OwnedFd, path: &str) -> Result<Hashed, Errno> {
    let target = readlinkat(root, path, Vec::new())?;
    let stamp = Stamp::of(&statat(root, path, AtFlags::SYMLINK_NOFOLLOW)?);
    Ok((stamp, Sha256::digest(target.to_bytes()).into()))
}
