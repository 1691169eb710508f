//! Archives of the build context that `ADD` unpacks.

use std::io::Read;
use std::sync::Arc;

use crate::archive::{Compression, Reader, decompress};
use crate::base::{Index, read_index};
use crate::error::{BuildError, Place};
use crate::layer::{Contents, Origin, hand_out_failed, source_file};

/// Bytes that tell an archive from another file: one block of tar.
const START_BYTES: usize = 512;

/// Returns what an archive holds; nothing when the file is no archive.
///
/// # Errors
/// `Instruction` for a compression that cannot be read; the rule that an archive breaks.
pub(crate) fn unpack(place: &Place, contents: &Contents, index: u32) -> Result<Option<Index>, BuildError> {
    let file = source_file(&contents.sources, index);
    let open = || contents.context().open(file).map_err(hand_out_failed);
    let mut start = Vec::new();
    let failed = |error| crate::layer::read_failed(&file.path, error);
    open()?.take(START_BYTES as u64).read_to_end(&mut start).map_err(failed)?;
    let method = match Compression::of(&start) {
        Compression::Bzip2 => Some("bzip2"),
        Compression::Xz => Some("xz"),
        Compression::None | Compression::Gzip | Compression::Zstd => None,
    };
    if let Some(method) = method {
        let message = format!("ADD cannot unpack `{}`, which is compressed with {method}", file.path);
        let help = "compress it with gzip or zstd, or write COPY to keep it as it is";
        return Err(BuildError::at(place, message, help));
    }
    let what = format!("the archive {}", file.path);
    if !is_tar(&what, open()?) {
        return Ok(None);
    }
    let mut tar = Reader::new(decompress(&what, open()?)?, what);
    read_index(&mut tar, &Arc::new(Origin::Context(index)), false).map(Some)
}

/// Returns whether a stream begins as a tar archive, once it is decompressed.
fn is_tar(what: &str, stream: impl Read) -> bool {
    let Ok(stream) = decompress(what, stream) else { return false };
    let mut start = Vec::new();
    let read = stream.take(START_BYTES as u64).read_to_end(&mut start);
    read.is_ok() && crate::archive::is_tar_start(&start)
}
