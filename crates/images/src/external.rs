//! External images: one spelling for each, and the file that pins them to digests.
//!
//! `rings.lock` stands beside the project file and belongs into version control. It is the only
//! place that says which content an external base has, so that two machines build from the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use ringsite_names::{Digest, Reference, ReferenceError, RepositoryName, Tag};
use toml::de::{DeTable, DeValue};

use crate::limits::LOCK_FILE_BYTES_MAX;
use crate::names::LOCK_FILE;
use crate::{Problem, Problems};

/// Docker's own registry, which a reference without a host means.
pub const DOCKER_HOST: &str = "docker.io";

/// Another name of Docker's registry, which is replaced.
const DOCKER_HOST_OLD: &str = "index.docker.io";

/// Where Docker's registry keeps images whose name has no slash.
const DOCKER_LIBRARY: &str = "library";

/// The tag of a reference that has neither tag nor digest.
const TAG_DEFAULT: &str = "latest";

/// The form of `rings.lock` that this version reads and writes.
const FORMAT: i64 = 1;

/// Returns the full spelling of an external reference, as Docker reads it.
///
/// A missing host is `docker.io`, a name there without a slash is in `library`, and a missing tag
/// is `latest` unless there is a digest. A digest is kept, and so is a tag beside it.
///
/// # Errors
/// `ReferenceError` when `text` is no reference.
pub fn normalise(text: &str) -> Result<Reference, ReferenceError> {
    let mut reference: Reference = text.parse()?;
    if reference.host.as_deref().is_none_or(|host| host == DOCKER_HOST_OLD) {
        reference.host = Some(DOCKER_HOST.to_owned());
    }
    if reference.host.as_deref() == Some(DOCKER_HOST) && !reference.repository.as_str().contains('/') {
        let full = format!("{DOCKER_LIBRARY}/{}", reference.repository);
        // Only a name at the limit of 255 characters can become too long here; it is kept as it is,
        // and the registry then does not know it.
        reference.repository = RepositoryName::new(&full).unwrap_or(reference.repository);
    }
    if reference.tag.is_none() && reference.digest.is_none() {
        reference.tag = Some(Tag::new(TAG_DEFAULT).expect("`latest` is a tag"));
    }
    Ok(reference)
}

/// The external digests of a project: normalised reference to digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFile {
    digests: BTreeMap<Reference, Digest>,
}

/// The lock file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct LockWriteError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: std::io::Error,
}

impl LockFile {
    /// Reads `rings.lock` in the folder of the project; no file is no digests.
    ///
    /// # Errors
    /// `Problems` with every entry that is wrong, each with its line.
    pub fn read(folder: &Path) -> Result<Self, Problems> {
        let path = folder.join(LOCK_FILE);
        let unreadable = |error: std::io::Error| {
            Problem::in_file(&path, format!("cannot be read: {error}"), "check its permissions")
        };
        let mut text = String::new();
        match fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error).into()),
            Ok(file) => file.take(LOCK_FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(unreadable)?,
        };
        if text.len() as u64 > LOCK_FILE_BYTES_MAX {
            let message = format!("is larger than {LOCK_FILE_BYTES_MAX} bytes");
            return Err(Problem::in_file(&path, message, HELP_REMAKE).into());
        }
        parse(&path, &text)
    }

    /// Returns the digest of a reference; one that carries its own digest needs no entry.
    pub fn digest(&self, reference: &Reference) -> Option<Digest> {
        reference.digest.or_else(|| self.digests.get(reference).copied())
    }

    /// Pins a normalised reference, and returns the digest that it had before.
    pub fn pin(&mut self, reference: Reference, digest: Digest) -> Option<Digest> {
        self.digests.insert(reference, digest)
    }

    /// Drops every entry whose reference is not in `used`, and returns whether there was one.
    pub fn keep_only(&mut self, used: &std::collections::BTreeSet<Reference>) -> bool {
        let before = self.digests.len();
        self.digests.retain(|reference, _| used.contains(reference));
        self.digests.len() < before
    }

    /// Returns the entries, sorted by reference.
    pub fn entries(&self) -> impl Iterator<Item = (&Reference, Digest)> {
        self.digests.iter().map(|(reference, digest)| (reference, *digest))
    }

    /// Writes `rings.lock` into the folder of the project, unless it says the same already.
    ///
    /// The text goes into a temporary file first, which is then renamed: a crash leaves the old file
    /// or the new one, never half of one. Returns whether anything was written. A project without
    /// external images gets no file.
    ///
    /// # Errors
    /// `LockWriteError` when the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<bool, LockWriteError> {
        let path = folder.join(LOCK_FILE);
        let text = self.to_text();
        match fs::read(&path) {
            Ok(known) if known == text.as_bytes() => return Ok(false),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && self.digests.is_empty() => {
                return Ok(false);
            }
            _ => {}
        }
        write_whole(&path, text.as_bytes()).map_err(|source| LockWriteError { path, source })?;
        Ok(true)
    }

    /// Returns the text of the file.
    fn to_text(&self) -> String {
        let mut text = format!(
            "# The digests of external images. Written by `ring`, refreshed by `ring update`.\n\
             # Keep this file in version control: builds on every machine use these digests.\n\
             format = {FORMAT}\n\n[external]\n"
        );
        for (reference, digest) in &self.digests {
            writeln!(text, "{} = \"{digest}\"", toml::Value::from(reference.to_string()))
                .expect("a string takes every text");
        }
        text
    }
}

const HELP_REMAKE: &str = "take the file from version control again, or remove it and run `ring update`";

fn parse(path: &Path, text: &str) -> Result<LockFile, Problems> {
    let at = |offset: usize, message: String| {
        let line = text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        Problem::in_file(path, message, HELP_REMAKE).at_line(u32::try_from(line).unwrap_or(u32::MAX))
    };
    let document = DeTable::parse(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let document = document.get_ref();
    let format = document.get("format").and_then(|value| value.get_ref().as_integer());
    if format.is_none_or(|format| format.as_str().parse() != Ok(FORMAT)) {
        let offset = document.get("format").map_or(0, |value| value.span().start);
        let message = format!("is not in format {FORMAT}, which this version reads");
        return Err(at(offset, message).into());
    }
    let mut found = Vec::new();
    let mut digests = BTreeMap::new();
    let external = document.get("external").and_then(|value| value.get_ref().as_table());
    for (key, value) in external.into_iter().flatten() {
        match entry(key.get_ref(), value.get_ref()) {
            Ok((reference, digest)) => {
                digests.insert(reference, digest);
            }
            Err(message) => found.push(at(key.span().start, message)),
        }
    }
    Problems::check(found)?;
    Ok(LockFile { digests })
}

fn entry(key: &str, value: &DeValue<'_>) -> Result<(Reference, Digest), String> {
    let reference = normalise(key).map_err(|error| error.to_string())?;
    if reference.to_string() != key {
        return Err(format!("`{key}` is not the full spelling, which is `{reference}`"));
    }
    let digest = value.as_str().ok_or_else(|| format!("`{key}` has no digest"))?;
    let digest = digest.parse::<Digest>().map_err(|error| error.to_string())?;
    Ok((reference, digest))
}

/// Writes a file so that it is there as a whole or not at all: temporary file, fsync, rename.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.{}.tmp", std::process::id()));
    let written = fs::File::create(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The name is ours alone; leaving it behind would be the second fault, so the first is told.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::sha256(text.as_bytes())
    }

    #[test]
    fn references_are_spelled_in_full_the_way_docker_does() {
        let pinned = digest("x");
        for (text, full) in [
            ("redis", "docker.io/library/redis:latest"),
            ("redis:7", "docker.io/library/redis:7"),
            ("grafana/grafana", "docker.io/grafana/grafana:latest"),
            ("docker.io/redis:7", "docker.io/library/redis:7"),
            ("docker.io/library/redis:7", "docker.io/library/redis:7"),
            ("index.docker.io/library/redis:7", "docker.io/library/redis:7"),
            ("quay.io/prometheus/node-exporter:v1.8.2", "quay.io/prometheus/node-exporter:v1.8.2"),
            ("localhost/redis", "localhost/redis:latest"),
            ("localhost:5000/redis", "localhost:5000/redis:latest"),
            ("registry.example.com:443/a/b:c", "registry.example.com:443/a/b:c"),
        ] {
            let reference = normalise(text).expect("is a reference");
            assert_eq!(reference.to_string(), full, "{text}");
            assert_eq!(normalise(full), Ok(reference), "{full} is its own spelling");
        }
        let both = normalise(&format!("redis:7@{pinned}")).expect("is a reference");
        assert_eq!(both.to_string(), format!("docker.io/library/redis:7@{pinned}"));
        let alone = normalise(&format!("redis@{pinned}")).expect("is a reference");
        assert_eq!(alone.to_string(), format!("docker.io/library/redis@{pinned}"));
        assert!(normalise("Redis").is_err());
    }

    #[test]
    fn the_spelling_is_that_of_oci_client() {
        for text in [
            "redis",
            "redis:7",
            "grafana/grafana:11.0.0",
            "docker.io/redis",
            "index.docker.io/redis:7",
            "quay.io/a/b:c",
            "localhost/a",
            "localhost:5000/a/b",
            "registry.example.com:443/a:b",
            "redis@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ] {
            let theirs: oci_client::Reference = text.parse().expect("is a reference for both");
            let ours = normalise(text).expect("is a reference for both");
            assert_eq!(ours.host.as_deref(), Some(theirs.registry()), "{text}");
            assert_eq!(ours.repository.as_str(), theirs.repository(), "{text}");
            assert_eq!(ours.tag.as_ref().map(Tag::as_str), theirs.tag(), "{text}");
            assert_eq!(ours.digest.map(|digest| digest.to_string()).as_deref(), theirs.digest(), "{text}");
        }
    }

    #[test]
    fn a_lock_file_is_sorted_says_what_it_is_and_reads_back() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let mut lock = LockFile::default();
        let redis = normalise("redis:7").expect("is a reference");
        lock.pin(redis.clone(), digest("redis"));
        lock.pin(normalise("alpine").expect("is a reference"), digest("alpine"));
        assert!(lock.write(folder.path()).expect("writes"));
        let text = fs::read_to_string(folder.path().join("rings.lock")).expect("is there");
        let expected = format!(
            "# The digests of external images. Written by `ring`, refreshed by `ring update`.\n\
             # Keep this file in version control: builds on every machine use these digests.\n\
             format = 1\n\n[external]\n\"docker.io/library/alpine:latest\" = \"{}\"\n\
             \"docker.io/library/redis:7\" = \"{}\"\n",
            digest("alpine"),
            digest("redis")
        );
        assert_eq!(text, expected);
        let read = LockFile::read(folder.path()).expect("reads");
        assert_eq!(read, lock);
        assert_eq!(read.digest(&redis), Some(digest("redis")));
        let names: Vec<_> = fs::read_dir(folder.path()).expect("lists").collect();
        assert_eq!(names.len(), 1, "no temporary file stays");
    }

    #[test]
    fn a_lock_file_is_written_only_when_it_changed() {
        let folder = tempfile::tempdir().expect("makes a folder");
        let mut lock = LockFile::default();
        assert!(!lock.write(folder.path()).expect("has nothing to write"));
        assert!(!folder.path().join("rings.lock").exists());
        let redis = normalise("redis:7").expect("is a reference");
        assert_eq!(lock.pin(redis.clone(), digest("a")), None);
        assert!(lock.write(folder.path()).expect("writes"));
        assert!(!lock.write(folder.path()).expect("has nothing to write"));
        assert_eq!(lock.pin(redis.clone(), digest("b")), Some(digest("a")));
        assert!(lock.write(folder.path()).expect("writes"));
        assert!(!lock.keep_only(&[redis].into()));
        assert!(lock.keep_only(&[].into()));
        assert!(lock.write(folder.path()).expect("writes the empty list"));
        assert_eq!(LockFile::read(folder.path()).expect("reads"), LockFile::default());
    }

    #[test]
    fn a_reference_with_a_digest_needs_no_entry() {
        let pinned = normalise(&format!("redis@{}", digest("x"))).expect("is a reference");
        assert_eq!(LockFile::default().digest(&pinned), Some(digest("x")));
    }

    #[test]
    fn a_damaged_lock_file_is_refused_with_every_line() {
        let good = digest("x");
        for (text, places) in [
            ("", vec![(1, "format 1")]),
            ("format = 2\n", vec![(1, "format 1")]),
            ("format = 1\n<<<<<<< HEAD\n", vec![(2, "")]),
            ("format = 1\n[external]\n\"redis:7\" = \"sha256:00\"\n", vec![(3, "full spelling")]),
            (
                &format!(
                    "format = 1\n[external]\n\"Redis\" = \"{good}\"\n\"quay.io/a:b\" = \"md5:0\"\n\"quay.io/a:c\" = 1\n"
                ),
                vec![(3, "reference"), (4, "digest"), (5, "no digest")],
            ),
        ] {
            let found = parse(Path::new("rings.lock"), text).expect_err("is damaged").into_vec();
            assert_eq!(found.len(), places.len(), "{text}\n{found:#?}");
            for (problem, (line, message)) in found.iter().zip(places) {
                assert_eq!(problem.line, Some(line), "{problem}");
                assert!(problem.message.contains(message), "{problem}");
                assert!(problem.help.contains("ring update"), "{problem}");
            }
        }
    }
}
