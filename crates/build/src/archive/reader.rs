//! Reads a tar archive entry by entry, with every bound of [`crate::limits`] and every rule of the
//! module above.

use std::io::{self, Read};

use crate::archive::header::{BLOCK, Header};
use crate::archive::open::fail_read;
use crate::archive::path::clean_path;
use crate::error::BuildError;
use crate::limits::{
    ARCHIVE_BYTES_MAX, ARCHIVE_ENTRIES_MAX, ARCHIVE_NAMES_BYTES_MAX, EXTENSION_BYTES_MAX, PATH_BYTES_MAX,
};

/// What an entry of an archive is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemberKind {
    /// A file with content.
    File,
    /// A folder.
    Directory,
    /// A symbolic link with its target as written.
    Symlink(String),
    /// Another name of an earlier file, by its cleaned path.
    HardLink(String),
    /// A device, pipe or socket.
    Device,
}

/// One entry of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// The cleaned path; empty for the root.
    pub(crate) path: String,
    /// What it is.
    pub(crate) kind: MemberKind,
    /// Permission bits, with setuid, setgid and sticky.
    pub(crate) mode: u32,
    /// Owner.
    pub(crate) uid: u32,
    /// Group.
    pub(crate) gid: u32,
    /// Bytes of content.
    pub(crate) bytes: u64,
}

/// Reads members one after the other; `Read` gives the content of the current one.
pub(crate) struct Reader<R> {
    inner: R,
    what: String,
    content_left: u64,
    padding: u64,
    entries: usize,
    names_bytes: usize,
    content_bytes: u64,
}

/// What extension headers say about the entry that follows.
#[derive(Default)]
struct Extension {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    uid: Option<u64>,
    gid: Option<u64>,
}

impl<R: Read> Reader<R> {
    /// Reads the archive `inner`, which errors call `what`.
    pub(crate) fn new(inner: R, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { inner, what, content_left: 0, padding: 0, entries: 0, names_bytes: 0, content_bytes: 0 }
    }

    /// Returns what errors call the archive.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// Returns the next entry; what is left of the content of the last one is passed over.
    ///
    /// # Errors
    /// `Base` with the rule that is broken; what the reader below says.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, BuildError> {
        self.skip_content()?;
        let mut extension = Extension::default();
        let mut block = [0; BLOCK];
        loop {
            if !self.read_block(&mut block)? {
                return Ok(None);
            }
            self.entries += 1;
            if self.entries > ARCHIVE_ENTRIES_MAX {
                return Err(self.rule("entries", format!("it has more than {ARCHIVE_ENTRIES_MAX} entries")));
            }
            let header = Header(&block);
            if !header.has_right_sum() {
                return Err(self.rule("header", format!("the check sum of entry {} is wrong", self.entries)));
            }
            let size = header.size().ok_or_else(|| self.number("size"))?;
            match header.kind() {
                b'L' => extension.path = Some(self.text_extension(size)?),
                b'K' => extension.link = Some(self.text_extension(size)?),
                b'x' => self.records(size, Some(&mut extension))?,
                b'g' => self.records(size, None)?,
                _ => return self.member(&header, extension).map(Some),
            }
        }
    }

    fn member(&mut self, header: &Header<'_>, extension: Extension) -> Result<Member, BuildError> {
        let name = extension.path.unwrap_or_else(|| header.name());
        let path = clean_path(&name).map_err(|(rule, reason)| self.rule(rule, reason))?;
        let link = extension.link.unwrap_or_else(|| header.link().to_vec());
        let link_bytes = link.len();
        let size = match extension.size {
            Some(size) => size,
            None => header.size().ok_or_else(|| self.number("size"))?,
        };
        let kind = match header.kind() {
            b'0' | b'7' | 0 if name.ends_with(b"/") => MemberKind::Directory,
            b'0' | b'7' | 0 => MemberKind::File,
            b'1' => MemberKind::HardLink(
                clean_path(&link).map_err(|(_, reason)| self.rule("link-target", reason))?,
            ),
            b'2' => MemberKind::Symlink(self.link_target(&path, link)?),
            b'3' | b'4' | b'6' => MemberKind::Device,
            b'5' => MemberKind::Directory,
            b'S' => return Err(self.rule("sparse", format!("`{path}` is a sparse file"))),
            other => {
                let shown = char::from(other).escape_default();
                return Err(self.rule("kind", format!("`{path}` has the unknown kind `{shown}`")));
            }
        };
        self.count_names(path.len() + link_bytes)?;
        let bytes = if kind == MemberKind::File { size } else { 0 };
        // Only files have content; others that announce some would hide entries in it.
        if bytes == 0 && size != 0 && !matches!(kind, MemberKind::HardLink(_)) {
            return Err(self.rule("size", format!("`{path}` is no file, and has content")));
        }
        self.content_bytes = self.content_bytes.saturating_add(bytes);
        if self.content_bytes > ARCHIVE_BYTES_MAX {
            return Err(self.rule("size", format!("its content has more than {ARCHIVE_BYTES_MAX} bytes")));
        }
        self.content_left = bytes;
        self.padding = padding(bytes);
        let identity = |value: Option<u64>, field: &'static str| {
            value.and_then(|value| u32::try_from(value).ok()).ok_or_else(|| self.number(field))
        };
        Ok(Member {
            mode: identity(header.mode(), "mode")? & 0o7777,
            uid: identity(extension.uid.or_else(|| header.uid()), "user")?,
            gid: identity(extension.gid.or_else(|| header.gid()), "group")?,
            path,
            kind,
            bytes,
        })
    }

    fn link_target(&self, path: &str, link: Vec<u8>) -> Result<String, BuildError> {
        match String::from_utf8(link) {
            Ok(target) if !target.is_empty() && target.len() <= PATH_BYTES_MAX && !target.contains('\0') => {
                Ok(target)
            }
            _ => Err(self.rule("link-target", format!("the target of the link `{path}` is no path"))),
        }
    }

    fn text_extension(&mut self, size: u64) -> Result<Vec<u8>, BuildError> {
        let mut text = self.extension(size)?;
        while text.last() == Some(&0) {
            text.pop();
        }
        Ok(text)
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, BuildError> {
        if size > EXTENSION_BYTES_MAX {
            return Err(self.rule("extension", format!("an extension header has {size} bytes")));
        }
        self.content_left = size;
        self.padding = padding(size);
        let mut content = Vec::new();
        self.read_to_end(&mut content).map_err(|error| fail_read(&self.what, error))?;
        self.skip_content()?;
        self.count_names(content.len())?;
        Ok(content)
    }

    /// Reads the records of a POSIX extension header; without a target only to check them.
    fn records(&mut self, size: u64, mut target: Option<&mut Extension>) -> Result<(), BuildError> {
        let content = self.extension(size)?;
        let mut rest = content.as_slice();
        while !rest.is_empty() {
            let (key, value, after) = record(rest)
                .ok_or_else(|| self.rule("extension", "a record of an extension header is malformed"))?;
            rest = after;
            if key.starts_with(b"GNU.sparse") {
                return Err(self.rule("sparse", "it has a sparse file"));
            }
            let decides = matches!(key, b"path" | b"linkpath" | b"size" | b"uid" | b"gid");
            let Some(extension) = target.as_deref_mut() else {
                if decides {
                    let key = String::from_utf8_lossy(key);
                    return Err(
                        self.rule("extension", format!("a global header sets `{key}` of all entries"))
                    );
                }
                continue;
            };
            let number = || std::str::from_utf8(value).ok()?.parse::<u64>().ok();
            let numeric = || number().map(Some).ok_or_else(|| self.number("extended number"));
            match key {
                b"path" => extension.path = Some(value.to_vec()),
                b"linkpath" => extension.link = Some(value.to_vec()),
                b"size" => extension.size = numeric()?,
                b"uid" => extension.uid = numeric()?,
                b"gid" => extension.gid = numeric()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn count_names(&mut self, bytes: usize) -> Result<(), BuildError> {
        self.names_bytes = self.names_bytes.saturating_add(bytes);
        match self.names_bytes > ARCHIVE_NAMES_BYTES_MAX {
            true => {
                Err(self.rule("names", format!("its names have more than {ARCHIVE_NAMES_BYTES_MAX} bytes")))
            }
            false => Ok(()),
        }
    }

    /// Reads a block; false at the end, which is a block of zeros or the end of the stream.
    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool, BuildError> {
        let mut filled = 0;
        while filled < BLOCK {
            match self.inner.read(&mut block[filled..]) {
                Ok(0) if filled == 0 => return Ok(false),
                Ok(0) => return Err(self.truncated()),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(fail_read(&self.what, error)),
            }
        }
        if block.iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        self.drain()?;
        Ok(false)
    }

    /// Reads to the end of the stream, so that its digest is verified.
    fn drain(&mut self) -> Result<(), BuildError> {
        let limit = ARCHIVE_BYTES_MAX;
        let copied = io::copy(&mut (&mut self.inner).take(limit), &mut io::sink());
        copied.map(drop).map_err(|error| fail_read(&self.what, error))
    }

    fn skip_content(&mut self) -> Result<(), BuildError> {
        let left = self.content_left + self.padding;
        let copied = io::copy(&mut (&mut self.inner).take(left), &mut io::sink());
        let copied = copied.map_err(|error| fail_read(&self.what, error))?;
        // Some writers leave out the padding of the last entry.
        if copied < self.content_left {
            return Err(self.truncated());
        }
        self.content_left = 0;
        self.padding = 0;
        Ok(())
    }

    fn truncated(&self) -> BuildError {
        self.rule("truncated", "it ends in the middle of an entry")
    }

    fn number(&self, field: &str) -> BuildError {
        self.rule("number", format!("the {field} of entry {} is no number that fits", self.entries))
    }

    fn rule(&self, rule: &'static str, reason: impl Into<String>) -> BuildError {
        BuildError::rule(self.what.clone(), rule, reason)
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.content_left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let count = self.inner.read(&mut buffer[..wanted])?;
        if count == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends in the middle of an entry"));
        }
        self.content_left -= count as u64;
        Ok(count)
    }
}

fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK as u64
}

/// Splits the first `length SP key=value LF` off.
fn record(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(&text[..space]).ok()?.parse().ok()?;
    let whole = text.get(..length)?;
    let body = whole.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    Some((&body[..equals], &body[equals + 1..], &text[length..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn archive() -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let long = format!("{}/end", "folder".repeat(30));
        for (path, content) in [("a", &b"content"[..]), (long.as_str(), &[7; 1500]), ("empty", b"")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o640);
            archive.append_data(&mut header, path, content).unwrap();
        }
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        archive.append_link(&mut header, "link", "../a").unwrap();
        archive.into_inner().unwrap()
    }

    /// Reads an archive to its end or to its first error.
    fn read(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, BuildError> {
        let mut tar = Reader::new(bytes, "the archive");
        let mut found = Vec::new();
        while let Some(member) = tar.next()? {
            let mut content = Vec::new();
            tar.read_to_end(&mut content).map_err(|error| fail_read("the archive", error))?;
            found.push((member.path, content));
        }
        Ok(found)
    }

    #[test]
    fn an_archive_of_another_writer_is_read_as_it_is() {
        let found = read(&archive()).unwrap();
        let names: Vec<_> = found.iter().map(|(path, content)| (path.len(), content.len())).collect();
        assert_eq!(names, [(1, 7), (184, 1500), (5, 0), (4, 0)]);
        assert_eq!(found[0].1, b"content");
    }

    #[test]
    fn content_that_nobody_reads_is_passed_over() {
        let bytes = archive();
        let mut tar = Reader::new(bytes.as_slice(), "the archive");
        let mut count = 0;
        while tar.next().unwrap().is_some() {
            count += 1;
        }
        assert_eq!(count, 4);
    }

    #[test]
    fn a_size_that_no_layer_has_is_refused_before_anything_is_read() {
        let mut header = tar::Header::new_gnu();
        header.set_path("bomb").unwrap();
        header.set_mode(0o644);
        for size in [ARCHIVE_BYTES_MAX + 1, u64::MAX / 2] {
            header.set_size(size);
            header.set_cksum();
            let error = read(header.as_bytes()).unwrap_err();
            assert!(matches!(error, BuildError::Base { rule: "size", .. }), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_changed_or_cut_archive_is_read_or_refused_by_rule(
            flips in prop::collection::vec((0..5_000_usize, any::<u8>()), 1..4),
            cut in 0..8_000_usize,
        ) {
            let mut bytes = archive();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            bytes.truncate(cut.max(1));
            if let Err(error) = read(&bytes) {
                prop_assert!(matches!(error, BuildError::Base { .. }), "{error}");
            }
        }
    }
}
