//! Reproducible layers: what they hold, how they are cut, and the bytes that they become.
//!
//! Step 4 of the flow. The same entries give the same bytes on every machine: entries are sorted by
//! the bytes of their paths, every header is written by hand, and compression is a function of the
//! bytes alone, whatever the number of threads. Nothing here knows containerfiles.
//!
//! # The bytes of a layer
//!
//! | Field | Value |
//! |--|--|
//! | order | by path bytes, so a folder comes before what is in it |
//! | format | GNU tar; names over 100 bytes in an `L` entry of their own, links in `K` |
//! | owner | numbers only, 0 unless the entry says otherwise; names are empty |
//! | time | the epoch of the project, everywhere |
//! | end | two blocks of zeros, no further padding |
//! | compression | gzip members of 512 KiB of tar each, libdeflate level 6, no name, no time |
//!
//! # A worked example
//!
//! `COPY app etc /srv/` from a context with the executable `app` (`hello\n`) and the files `etc/one`
//! (`one`) and `etc/two` (`two`), at epoch 0, gives the entries `srv/`, `srv/app` (0755), `srv/one`
//! and `srv/two` (0644), the digest without compression
//! `sha256:f8637627408d6b9ec29a12b01422f2628052b4540cf97a9ac4b1c7161f39880c` and the layer
//! `sha256:a2474f5161b0b9310c3568833ba69765ac281e574e555703710c1ecd227f541b`.
//!
//! # Parts
//!
//! A copy of up to 16 MiB is one layer. A larger one is cut into parts of about 16 MiB, each a layer
//! of its own, so that a changed file costs its part and not the whole. A cut depends on the sorted
//! paths and sizes around it only: after an entry whose path hashes low enough for its size, never
//! before 4 MiB, always before 32 MiB. So a new or removed file moves the cuts of its own
//! neighbourhood and no others. The size doubles while a copy would have more than 32 parts.
//!
//! # The layer cache
//!
//! `<cache>/layers/<key>` remembers what a layer became: digest, size and the digest without
//! compression. The key is the sha256 of
//!
//! ```text
//! "layer1\n" epoch LF, then per entry:
//! kind SP mode SP uid SP gid SP bytes SP path NUL <32 raw bytes: sha256 of the content or of the target>
//! ```
//!
//! A note counts only when its own check sum is right and the registry still has the blob, so a wrong
//! cache costs time and nothing else. No source is read for a layer that is found this way.

mod cache;
mod content;
mod entry;
mod gzip;
mod parts;
mod put;
mod spool;
mod tar;

pub(crate) use cache::{LayerCache, write_whole};
pub(crate) use content::{Contents, hand_out_failed, read_failed};
pub(crate) use entry::{Content, Entry, Inline, Origin, Stored, source_file};
pub(crate) use gzip::Compressors;
pub(crate) use parts::{Part, cut, part_bytes_for};
pub(crate) use put::{Layer, LayerWriter, spawn_blocking_reader, take_out};
pub(crate) use spool::origin_text;
pub(crate) use tar::read_small;
