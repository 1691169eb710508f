//! Writes the tar stream of a layer; every header field is set here and nowhere else.

use std::io::{self, Read, Write};

use crate::archive::fail_read;
use crate::error::BuildError;
use crate::layer::content::Contents;
use crate::layer::entry::{Content, Entry};
use crate::limits::READ_BYTES;

const BLOCK: usize = 512;
const NAME_BYTES: usize = 100;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// Writes `entries` in the order that they have, and the end of the archive.
///
/// # Errors
/// What opening or reading a source says; an error of `sink` comes as a `Worker` error.
pub(crate) fn write_tar<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    epoch: u64,
    contents: &Contents,
    sink: &mut dyn Write,
) -> Result<(), BuildError> {
    let mut buffer = vec![0; READ_BYTES];
    for entry in entries {
        write_headers(entry, epoch, contents.bytes(entry), sink).map_err(sink_failed)?;
        if let Some(reader) = contents.open(entry)? {
            copy_content(entry, contents.bytes(entry), reader, &mut buffer, sink)?;
        }
    }
    sink.write_all(&ZEROS).and_then(|()| sink.write_all(&ZEROS)).map_err(sink_failed)
}

fn sink_failed(error: io::Error) -> BuildError {
    BuildError::Worker(Box::new(error))
}

fn copy_content(
    entry: &Entry,
    bytes: u64,
    mut reader: Box<dyn Read + '_>,
    buffer: &mut [u8],
    sink: &mut dyn Write,
) -> Result<(), BuildError> {
    let changed = |reason: &str| BuildError::SourceChanged {
        path: entry.path.to_string(),
        reason: format!("its content is {reason} than it was"),
    };
    let mut left = bytes;
    // Reads to the very end, because a reader compares the hash there.
    loop {
        let count = match reader.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(crate::layer::content::read_failed(&entry.path, error)),
        };
        left = left.checked_sub(count as u64).ok_or_else(|| changed("longer"))?;
        sink.write_all(&buffer[..count]).map_err(sink_failed)?;
    }
    if left > 0 {
        return Err(changed("shorter"));
    }
    let padding = (bytes.wrapping_neg() % BLOCK as u64) as usize;
    sink.write_all(&ZEROS[..padding]).map_err(sink_failed)
}

fn write_headers(entry: &Entry, epoch: u64, bytes: u64, sink: &mut dyn Write) -> io::Result<()> {
    let mut name = entry.path.as_bytes().to_vec();
    if entry.is_directory() {
        name.push(b'/');
    }
    let (kind, link) = match &entry.content {
        Content::Directory => (b'5', &b""[..]),
        Content::Symlink(target) => (b'2', target.as_bytes()),
        _ => (b'0', &b""[..]),
    };
    if link.len() > NAME_BYTES {
        write_long(b'K', link, sink)?;
    }
    if name.len() > NAME_BYTES {
        write_long(b'L', &name, sink)?;
    }
    let fields = Fields { kind, mode: entry.mode, uid: entry.uid, gid: entry.gid, bytes, epoch };
    sink.write_all(&header(&name, link, &fields))
}

/// Writes a name that does not fit into a header as an entry of its own, as GNU tar does.
fn write_long(kind: u8, text: &[u8], sink: &mut dyn Write) -> io::Result<()> {
    let bytes = text.len() as u64 + 1;
    let fields = Fields { kind, mode: 0o644, uid: 0, gid: 0, bytes, epoch: 0 };
    sink.write_all(&header(b"././@LongLink", b"", &fields))?;
    sink.write_all(text)?;
    let padding = BLOCK - text.len() % BLOCK;
    sink.write_all(&ZEROS[..padding])
}

struct Fields {
    kind: u8,
    mode: u32,
    uid: u32,
    gid: u32,
    bytes: u64,
    epoch: u64,
}

fn header(name: &[u8], link: &[u8], fields: &Fields) -> [u8; BLOCK] {
    let mut block = ZEROS;
    let name = &name[..name.len().min(NAME_BYTES)];
    let link = &link[..link.len().min(NAME_BYTES)];
    block[..name.len()].copy_from_slice(name);
    number(&mut block[100..108], u64::from(fields.mode));
    number(&mut block[108..116], u64::from(fields.uid));
    number(&mut block[116..124], u64::from(fields.gid));
    number(&mut block[124..136], fields.bytes);
    number(&mut block[136..148], fields.epoch);
    block[156] = fields.kind;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(b"ustar  \0");
    block[148..156].fill(b' ');
    let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
    number(&mut block[148..155], sum);
    block
}

/// Writes octal digits and a zero byte, or the binary form of GNU where they do not suffice.
fn number(field: &mut [u8], value: u64) {
    let digits = field.len() - 1;
    if digits * 3 >= 64 || value >> (digits * 3) == 0 {
        for (place, slot) in field[..digits].iter_mut().rev().enumerate() {
            *slot = b'0' + u8::try_from((value >> (place * 3)) & 7).expect("an octal digit is below 8");
        }
        field[digits] = 0;
        return;
    }
    field.fill(0);
    let bytes = value.to_be_bytes();
    let start = field.len() - bytes.len();
    field[start..].copy_from_slice(&bytes);
    field[0] |= 0x80;
}

/// Reads an archive member fully, for small files that the builder itself looks into.
pub(crate) fn read_small(what: &str, reader: impl Read, bytes_max: u64) -> Result<Vec<u8>, BuildError> {
    let mut content = Vec::new();
    let mut limited = reader.take(bytes_max + 1);
    limited.read_to_end(&mut content).map_err(|error| fail_read(what, error))?;
    match content.len() as u64 > bytes_max {
        true => Err(BuildError::rule(what, "size", format!("it has more than {bytes_max} bytes"))),
        false => Ok(content),
    }
}
