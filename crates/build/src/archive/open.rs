//! Decompression of layers and archives, told by their first bytes.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ringsite_oci::OciError;

use crate::error::BuildError;
use crate::limits::READ_BYTES;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// bzip2, which is not supported.
    Bzip2,
    /// xz, which is not supported.
    Xz,
    /// zstd.
    Zstd,
}

impl Compression {
    /// Tells the method by the first bytes.
    pub(crate) fn of(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// Returns the content of a stream without its compression.
///
/// # Errors
/// Rule `compression` for a method that is not supported; what the stream says.
pub(crate) fn decompress<'r>(what: &str, stream: impl Read + 'r) -> Result<Box<dyn Read + 'r>, BuildError> {
    let mut stream = BufReader::with_capacity(READ_BYTES, stream);
    let start = stream.fill_buf().map_err(|error| fail_read(what, error))?;
    let refuse = |method: &str| {
        let reason = format!("it is compressed with {method}, which cannot be read here; gzip and zstd can");
        Err(BuildError::rule(what, "compression", reason))
    };
    match Compression::of(start) {
        Compression::None => Ok(Box::new(stream)),
        Compression::Gzip => Ok(Box::new(BufReader::with_capacity(READ_BYTES, MultiGzDecoder::new(stream)))),
        Compression::Zstd => {
            let decoder = zstd::stream::read::Decoder::with_buffer(stream);
            Ok(Box::new(decoder.map_err(|error| fail_read(what, error))?))
        }
        Compression::Bzip2 => refuse("bzip2"),
        Compression::Xz => refuse("xz"),
    }
}

/// Returns the error for a read that failed: the registry's own when it was the registry, else the
/// archive's.
pub(crate) fn fail_read(what: &str, error: io::Error) -> BuildError {
    if error.get_ref().is_some_and(|source| source.is::<OciError>()) {
        let source = error.into_inner().expect("it was just looked at");
        return BuildError::Registry(*source.downcast::<OciError>().expect("its type was just asked"));
    }
    if error.get_ref().is_some_and(|source| source.is::<BuildError>()) {
        let source = error.into_inner().expect("it was just looked at");
        return *source.downcast::<BuildError>().expect("its type was just asked");
    }
    let rule = match error.kind() {
        io::ErrorKind::UnexpectedEof => "truncated",
        _ => "compression",
    };
    BuildError::rule(what, rule, error.to_string())
}
