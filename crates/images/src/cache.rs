//! The stat cache: the hash of each file as it was when it was last read.
//!
//! It decides only *whether* to build: what is built is hashed again while it is packed. A cache
//! that is missing, damaged or of another form is ignored; a wrong one can only cost time.
//!
//! **When an entry is trusted.** Size, times, inode, device and mode must all be as they were. That
//! is not enough for a file that was changed in the same tick of the file system's clock in which
//! it was read. So the clock of the file system is read *before* the first file of a run, and an
//! entry is kept only when both times of the file are before that moment: whatever changes the file
//! later gives it a later change time. This is the rule of git's index for racy files, applied when
//! writing. A file on another file system, whose clock may be another machine's, is not kept.
//!
//! | Part of the file | Bytes |
//! |--|--|
//! | `ringstat1\n` | 10 |
//! | sha256 of all that follows | 32 |
//! | entries, sorted, each: device, inode, size, modified, changed (8 each), mode (4), sha256 (32); little endian | 76 each |

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use sha2::{Digest as _, Sha256};

use crate::limits::CACHE_BYTES_MAX;
use crate::stamp::Stamp;

const HEADER: &[u8] = b"ringstat1\n";
const SUM_BYTES: usize = 32;
const ENTRY_BYTES: usize = 76;
const KEY_BYTES: usize = 16;

/// The clock of the file system that the cache is on.
#[derive(Clone, Copy, Debug)]
struct Clock {
    device: u64,
    nanoseconds: i64,
}

/// Hashes of files that were read before, by what the file system says about them.
#[derive(Debug)]
pub struct StatCache {
    /// Where it is kept; nothing when it is switched off.
    path: Option<PathBuf>,
    content: Vec<u8>,
    /// One bit for each entry that was asked for: the others are dropped when the cache is written.
    used: Vec<AtomicU64>,
    clock: OnceLock<Option<Clock>>,
    /// Whether the temporary file that showed the clock still has to be removed.
    is_temporary_there: AtomicBool,
    fresh: Mutex<Vec<(Stamp, [u8; 32])>>,
}

impl StatCache {
    /// Reads the cache at `path`; one that cannot be used counts as empty.
    pub fn open(path: &Path) -> Self {
        Self::new(Some(path.to_path_buf()), read(path).unwrap_or_default())
    }

    /// Returns a cache that knows nothing and keeps nothing, so that every file is read.
    pub fn disabled() -> Self {
        Self::new(None, Vec::new())
    }

    fn new(path: Option<PathBuf>, content: Vec<u8>) -> Self {
        let words = entries(&content).div_ceil(64);
        Self {
            path,
            content,
            used: (0..words).map(|_| AtomicU64::new(0)).collect(),
            clock: OnceLock::new(),
            is_temporary_there: AtomicBool::new(false),
            fresh: Mutex::new(Vec::new()),
        }
    }

    /// Returns the hash of the file with this stamp, when it is known.
    pub(crate) fn find(&self, stamp: &Stamp) -> Option<[u8; 32]> {
        let wanted = key(stamp);
        let (mut low, mut high) = (0, entries(&self.content));
        while low < high {
            let middle = (low + high) / 2;
            let entry = self.entry(middle);
            match entry[..KEY_BYTES].cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal if entry[KEY_BYTES..ENTRY_BYTES - SUM_BYTES] == rest(stamp) => {
                    self.used[middle / 64].fetch_or(1 << (middle % 64), Ordering::Relaxed);
                    return entry[ENTRY_BYTES - SUM_BYTES..].try_into().ok();
                }
                std::cmp::Ordering::Equal => return None,
            }
        }
        None
    }

    fn entry(&self, index: usize) -> &[u8] {
        let start = HEADER.len() + SUM_BYTES + index * ENTRY_BYTES;
        &self.content[start..start + ENTRY_BYTES]
    }

    /// Says that files will be read now. Comes before the first file of a run is read: the clock of
    /// the file system is taken here.
    pub(crate) fn begin_reading(&self) {
        self.clock.get_or_init(|| {
            let temporary = temporary(self.path.as_ref()?);
            fs::create_dir_all(temporary.parent()?).ok()?;
            let file = File::create(&temporary).ok()?;
            self.is_temporary_there.store(true, Ordering::Relaxed);
            let stamp = Stamp::of(&rustix::fs::fstat(&file).ok()?);
            Some(Clock { device: stamp.device, nanoseconds: stamp.modified_nanoseconds })
        });
    }

    /// Keeps the hashes of files that were read after [`begin_reading`](Self::begin_reading).
    pub(crate) fn keep(&self, read: impl IntoIterator<Item = (Stamp, [u8; 32])>) {
        let Some(Some(clock)) = self.clock.get() else { return };
        let can_be_trusted = |(stamp, _): &(Stamp, [u8; 32])| {
            stamp.device == clock.device && stamp.is_older_than(clock.nanoseconds)
        };
        let kept = read.into_iter().filter(can_be_trusted);
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner).extend(kept);
    }

    /// Writes the cache when something was learned: into a temporary file that then takes its place.
    ///
    /// Entries that nothing asked for since the cache was opened are dropped.
    ///
    /// # Errors
    /// The error of the file system. The caller may go on: without the cache files are read again.
    pub fn save(&mut self) -> io::Result<()> {
        let fresh = std::mem::take(self.fresh.get_mut().unwrap_or_else(PoisonError::into_inner));
        let Some(path) = self.path.clone() else { return Ok(()) };
        if fresh.is_empty() {
            return self.remove_temporary();
        }
        let mut all: Vec<[u8; ENTRY_BYTES]> =
            fresh.iter().map(|(stamp, sha256)| encode(stamp, sha256)).collect();
        for index in 0..entries(&self.content) {
            if self.used[index / 64].load(Ordering::Relaxed) & (1 << (index % 64)) != 0 {
                all.push(self.entry(index).try_into().expect("an entry has the length of an entry"));
            }
        }
        all.sort_unstable();
        // Two stamps of one file: neither can be told to be the newer one, so none is kept.
        let same_file = |a: &[u8; ENTRY_BYTES], b: &[u8; ENTRY_BYTES]| a[..KEY_BYTES] == b[..KEY_BYTES];
        all.dedup();
        let kept = all.chunk_by(same_file).filter(|chunk| chunk.len() == 1).flatten();
        let mut content = Vec::with_capacity(HEADER.len() + SUM_BYTES + all.len() * ENTRY_BYTES);
        content.extend_from_slice(HEADER);
        content.extend_from_slice(&[0; SUM_BYTES]);
        kept.for_each(|entry| content.extend_from_slice(entry));
        let sum = Sha256::digest(&content[HEADER.len() + SUM_BYTES..]);
        content[HEADER.len()..HEADER.len() + SUM_BYTES].copy_from_slice(&sum);
        let temporary = temporary(&path);
        File::create(&temporary)?.write_all(&content)?;
        self.is_temporary_there.store(true, Ordering::Relaxed);
        fs::rename(&temporary, &path)?;
        self.is_temporary_there.store(false, Ordering::Relaxed);
        let used = entries(&content).div_ceil(64);
        self.content = content;
        self.used = (0..used).map(|_| AtomicU64::new(u64::MAX)).collect();
        self.clock = OnceLock::new();
        Ok(())
    }

    fn remove_temporary(&self) -> io::Result<()> {
        match (&self.path, self.is_temporary_there.swap(false, Ordering::Relaxed)) {
            (Some(path), true) => fs::remove_file(temporary(path)),
            _ => Ok(()),
        }
    }
}

impl Drop for StatCache {
    fn drop(&mut self) {
        // A temporary file that stays behind does no harm: the next run of this process id takes it.
        let _ = self.remove_temporary();
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    name.into()
}

/// Returns the content of a cache file that can be used.
fn read(path: &Path) -> Option<Vec<u8>> {
    let file = File::open(path).ok()?;
    let bytes = file.metadata().ok()?.len();
    if bytes > CACHE_BYTES_MAX {
        return None;
    }
    let mut content = Vec::with_capacity(usize::try_from(bytes).ok()? + 1);
    file.take(CACHE_BYTES_MAX).read_to_end(&mut content).ok()?;
    let body = content.strip_prefix(HEADER)?;
    let (sum, body) = body.split_at_checked(SUM_BYTES)?;
    let is_whole = body.len().is_multiple_of(ENTRY_BYTES) && sum == &Sha256::digest(body)[..];
    is_whole.then_some(content)
}

fn entries(content: &[u8]) -> usize {
    content.len().saturating_sub(HEADER.len() + SUM_BYTES) / ENTRY_BYTES
}

fn key(stamp: &Stamp) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    // Device and inode stand big endian, so that comparing bytes compares numbers.
    key[..8].copy_from_slice(&stamp.device.to_be_bytes());
    key[8..].copy_from_slice(&stamp.inode.to_be_bytes());
    key
}

fn rest(stamp: &Stamp) -> [u8; ENTRY_BYTES - KEY_BYTES - SUM_BYTES] {
    let mut rest = [0; ENTRY_BYTES - KEY_BYTES - SUM_BYTES];
    rest[..8].copy_from_slice(&stamp.bytes.to_le_bytes());
    rest[8..16].copy_from_slice(&stamp.modified_nanoseconds.to_le_bytes());
    rest[16..24].copy_from_slice(&stamp.changed_nanoseconds.to_le_bytes());
    rest[24..].copy_from_slice(&stamp.mode.to_le_bytes());
    rest
}

fn encode(stamp: &Stamp, sha256: &[u8; 32]) -> [u8; ENTRY_BYTES] {
    let mut entry = [0; ENTRY_BYTES];
    entry[..KEY_BYTES].copy_from_slice(&key(stamp));
    entry[KEY_BYTES..ENTRY_BYTES - SUM_BYTES].copy_from_slice(&rest(stamp));
    entry[ENTRY_BYTES - SUM_BYTES..].copy_from_slice(sha256);
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64, changed: i64) -> Stamp {
        let device = Stamp::of(&rustix::fs::stat(std::env::temp_dir().as_path()).unwrap()).device;
        Stamp {
            device,
            inode,
            bytes: 10,
            modified_nanoseconds: 5,
            changed_nanoseconds: changed,
            mode: 0o100_644,
        }
    }

    fn filled(path: &Path, stamps: &[Stamp]) -> StatCache {
        let mut cache = StatCache::open(path);
        cache.begin_reading();
        cache.keep(stamps.iter().map(|stamp| (*stamp, [stamp.inode.to_le_bytes()[0]; 32])));
        cache.save().unwrap();
        cache
    }

    #[test]
    fn what_was_kept_is_found_again_and_every_part_of_the_stamp_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/stat");
        let stamps: Vec<_> = (1..100).map(|inode| stamp(inode * 7, 9)).collect();
        filled(&path, &stamps);
        let cache = StatCache::open(&path);
        for stamp in &stamps {
            assert_eq!(cache.find(stamp), Some([stamp.inode.to_le_bytes()[0]; 32]));
        }
        let one = stamps[3];
        for other in [
            Stamp { device: one.device + 1, ..one },
            Stamp { inode: 8, ..one },
            Stamp { bytes: 11, ..one },
            Stamp { modified_nanoseconds: 6, ..one },
            Stamp { changed_nanoseconds: 10, ..one },
            Stamp { mode: 0o100_755, ..one },
        ] {
            assert_eq!(cache.find(&other), None, "{other:?}");
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_file_that_is_as_new_as_the_reading_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        let cache = StatCache::open(&path);
        cache.begin_reading();
        let clock = cache.clock.get().unwrap().unwrap().nanoseconds;
        let same_tick = stamp(1, clock);
        let restored = Stamp { modified_nanoseconds: clock, ..stamp(2, 9) };
        let old = stamp(3, clock - 1);
        let elsewhere = Stamp { device: old.device + 1, ..old };
        cache.keep([same_tick, restored, old, elsewhere].map(|stamp| (stamp, [0; 32])));
        assert_eq!(*cache.fresh.lock().unwrap(), [(old, [0; 32])]);
    }

    #[test]
    fn a_damaged_cache_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        let one = stamp(1, 9);
        filled(&path, &[one]);
        let good = fs::read(&path).unwrap();
        assert!(StatCache::open(&path).find(&one).is_some());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            assert_eq!(StatCache::open(&path).find(&one), None, "byte {at}");
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert_eq!(StatCache::open(&path).find(&one), None, "length {length}");
        }
    }

    #[test]
    fn entries_that_nothing_asks_for_are_dropped_when_the_cache_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        filled(&path, &[stamp(1, 9), stamp(2, 9)]);
        let mut cache = StatCache::open(&path);
        assert!(cache.find(&stamp(1, 9)).is_some());
        cache.begin_reading();
        cache.keep([(stamp(3, 9), [3; 32])]);
        cache.save().unwrap();
        let cache = StatCache::open(&path);
        assert!(cache.find(&stamp(1, 9)).is_some());
        assert!(cache.find(&stamp(2, 9)).is_none());
        assert!(cache.find(&stamp(3, 9)).is_some());
    }

    #[test]
    fn nothing_is_written_when_nothing_was_learned() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stat");
        let mut cache = filled(&path, &[stamp(1, 9)]);
        fs::remove_file(&path).unwrap();
        cache.find(&stamp(1, 9));
        cache.save().unwrap();
        assert!(!path.exists());
        let mut off = StatCache::disabled();
        off.begin_reading();
        off.keep([(stamp(1, 9), [0; 32])]);
        off.save().unwrap();
        assert_eq!(off.find(&stamp(1, 9)), None);
    }
}
