//! Stored bytes: as they are, or compressed with zstd, told apart by the media type alone.
//!
//! | Input of a stored object | Where it comes from |
//! |--|--|
//! | the text | entries, checkpoint or shard, in RFC 8785 form, one value on each line |
//! | the level | `limits`: fast for what is replaced soon, thorough for what stays |
//!
//! The digest of an entry never covers the compressed form, so a writer may compress as it likes.

use std::io::Read as _;

use crate::limits::{OBJECT_BYTES_MAX, PLAIN_BYTES_MAX};
use crate::names;

/// The two media types of one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The media type of the text as it is.
    pub(crate) plain: &'static str,
    /// The media type of the text compressed with zstd.
    pub(crate) zstd: &'static str,
}

pub(crate) const CHECKPOINT: Form = Form { plain: names::CHECKPOINT_PLAIN, zstd: names::CHECKPOINT_ZSTD };
pub(crate) const ENTRIES: Form = Form { plain: names::ENTRIES_PLAIN, zstd: names::ENTRIES_ZSTD };
pub(crate) const SHARD: Form = Form { plain: names::SHARD_PLAIN, zstd: names::SHARD_ZSTD };

/// Bytes ready to be stored, and their media type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Coded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: &'static str,
}

/// An object whose bytes cannot be what its media type says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("has the media type `{0}`, which this program does not know")]
    MediaType(String),
    #[error("is no zstd stream: {0}")]
    Stream(String),
    #[error("holds more than {OBJECT_BYTES_MAX} bytes")]
    TooLarge,
}

impl Form {
    /// Returns `text` in its stored form: compressed where that is smaller.
    pub(crate) fn encode(&self, text: &[u8], level: i32) -> Coded {
        let plain = || Coded { bytes: text.to_vec(), media_type: self.plain };
        if text.len() <= PLAIN_BYTES_MAX {
            return plain();
        }
        // Compressing from memory to memory fails for want of memory only; the text as it is will do.
        match zstd::bulk::compress(text, level) {
            Ok(bytes) if bytes.len() < text.len() => Coded { bytes, media_type: self.zstd },
            _ => plain(),
        }
    }

    /// Returns the text of a stored object.
    pub(crate) fn decode(&self, bytes: Vec<u8>, media_type: &str) -> Result<Vec<u8>, CodecError> {
        if bytes.len() > OBJECT_BYTES_MAX {
            return Err(CodecError::TooLarge);
        }
        if media_type == self.plain {
            return Ok(bytes);
        }
        if media_type != self.zstd {
            return Err(CodecError::MediaType(media_type.to_owned()));
        }
        let stream = |error: std::io::Error| CodecError::Stream(error.to_string());
        let mut text = Vec::with_capacity(bytes.len().saturating_mul(4).min(OBJECT_BYTES_MAX));
        let bound = u64::try_from(OBJECT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
        let decoder = zstd::stream::read::Decoder::with_buffer(bytes.as_slice()).map_err(stream)?;
        decoder.take(bound).read_to_end(&mut text).map_err(stream)?;
        if text.len() > OBJECT_BYTES_MAX { Err(CodecError::TooLarge) } else { Ok(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_compressed_and_short_ones_are_not() {
        let long = b"one line like the other\n".repeat(1000);
        for (text, media_type) in [(&b"short"[..], ENTRIES.plain), (&long, ENTRIES.zstd)] {
            let coded = ENTRIES.encode(text, 3);
            assert_eq!(coded.media_type, media_type);
            assert_eq!(ENTRIES.decode(coded.bytes, media_type).unwrap(), text);
        }
    }

    #[test]
    fn foreign_media_types_and_damaged_streams_are_refused() {
        assert_eq!(
            ENTRIES.decode(Vec::new(), SHARD.plain),
            Err(CodecError::MediaType(SHARD.plain.to_owned()))
        );
        let mut coded = ENTRIES.encode(&b"one line like the other\n".repeat(1000), 3);
        coded.bytes.truncate(coded.bytes.len() - 4);
        assert!(matches!(ENTRIES.decode(coded.bytes, ENTRIES.zstd), Err(CodecError::Stream(_))));
    }

    #[test]
    fn a_stream_that_unfolds_without_end_is_cut_off() {
        let bomb = zstd::bulk::compress(&vec![0; OBJECT_BYTES_MAX + 1], 1).unwrap();
        assert!(bomb.len() < 1 << 20);
        assert_eq!(SHARD.decode(bomb, SHARD.zstd), Err(CodecError::TooLarge));
    }
}
