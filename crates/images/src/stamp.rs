//! What tells one state of a file from another without reading it.

use rustix::fs::{FileType, Stat};

/// Identity, size and times of a file: two equal stamps that are old enough mean the same content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) bytes: u64,
    pub(crate) modified_nanoseconds: i64,
    pub(crate) changed_nanoseconds: i64,
    pub(crate) mode: u32,
}

impl Stamp {
    /// Takes the stamp from what the file system says.
    #[allow(clippy::unnecessary_cast, reason = "the widths differ between processors")]
    pub(crate) fn of(stat: &Stat) -> Self {
        // Times beyond the years 1677 to 2262 wrap around: they still differ when the file differs.
        let nanoseconds = |seconds: i64, rest: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(rest);
        Self {
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            bytes: stat.st_size as u64,
            modified_nanoseconds: nanoseconds(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed_nanoseconds: nanoseconds(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
            mode: stat.st_mode as u32,
        }
    }

    /// Returns what kind of thing it is.
    pub(crate) fn file_type(&self) -> FileType {
        FileType::from_raw_mode(self.mode)
    }

    /// Returns whether any execute bit is set.
    pub(crate) fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }

    /// Returns whether both times are before `nanoseconds`, so that a later change must show.
    pub(crate) fn is_older_than(&self, nanoseconds: i64) -> bool {
        self.modified_nanoseconds < nanoseconds && self.changed_nanoseconds < nanoseconds
    }
}
