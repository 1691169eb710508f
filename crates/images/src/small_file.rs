//! Reads small files whole with as few system calls as there can be.

use std::path::Path;

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{Errno, read};

use crate::limits::READ_BYTES;

/// Reads up to `bytes_max` bytes and one more, which tells the caller that the file is too large.
/// Nothing when there is no such file.
///
/// `root` is the open folder `folder`: a path below it is looked up from there, which spares the
/// kernel the way down. `buffer` is kept from file to file.
pub(crate) fn read_small<'b>(
    (root, folder): (&OwnedFd, &Path),
    path: &Path,
    bytes_max: usize,
    buffer: &'b mut Vec<u8>,
) -> Result<Option<&'b [u8]>, Errno> {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let file = match openat(root, below, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut filled = 0;
    while filled <= bytes_max {
        if buffer.len() == filled {
            buffer.resize(filled + READ_BYTES, 0);
        }
        match read(&file, &mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Some(&buffer[..filled.min(bytes_max + 1)]))
}
