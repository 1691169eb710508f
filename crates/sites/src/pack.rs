//! Packs trees into tar and gzip so that the same content always has the same digest.
//!
//! | Input | Where it goes |
//! |--|--|
//! | path of each file, in the order of path bytes | entry name |
//! | whether a file is executable | mode 0755, else 0644; folders 0755 |
//! | content of each file | entry content |
//!
//! Nothing else is an input: no time (always 0), no owner (always 0, without names), no order of a
//! file system, no version of a tool other than the pinned compressor. There are no links and no PAX
//! headers; long names are GNU entries. Folders have entries, as in what `flux push artifact` writes:
//! Flux and Argo CD accept an archive with and without them, and plain tar then makes folders of a
//! known mode.
//!
//! Not done here: what belongs into a tree, and media types.

use std::collections::BTreeSet;

use bytes::Bytes;
use libdeflater::{CompressionLvl, Compressor};
use ringsite_names::{Digest, Hasher};
use tar::{Builder, EntryType, Header};

use crate::tree::Tree;

/// Level 6 of the compressor. Part of the wire format: another level gives other digests.
const GZIP_LEVEL: i32 = 6;

/// The two blocks of zeros that end an archive.
const END_OF_ARCHIVE_BYTES: usize = 1024;

/// A run of tar entries as one gzip member; several make a layer.
///
/// Copies share their content.
#[derive(Clone, Debug)]
pub struct Part {
    tar: Bytes,
    gzip: Bytes,
    // The states after this part, so that an archive that begins with it hashes only what follows.
    tar_hash: Hasher,
    gzip_hash: Hasher,
}

/// Whether a part is the last of its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// More parts follow.
    Open,
    /// The end of the archive follows the last entry.
    Closed,
}

impl Part {
    /// Packs every file of `tree`; its links are left out, a closure has none.
    pub fn new(tree: &Tree, end: End) -> Self {
        let mut archive = Builder::new(Vec::with_capacity(tree.bytes() as usize + tree.len() * 1024));
        let mut folders = BTreeSet::new();
        for (path, file) in tree.files() {
            for (at, _) in path.match_indices('/') {
                if folders.insert(&path[..=at]) {
                    append(&mut archive, &path[..=at], EntryType::Directory, 0o755, &[]);
                }
            }
            let mode = if file.executable { 0o755 } else { 0o644 };
            append(&mut archive, path, EntryType::Regular, mode, &file.bytes);
        }
        let mut tar = archive.into_inner().expect("a vector takes every byte");
        // The builder always ends the archive; an open part must not.
        if end == End::Open {
            tar.truncate(tar.len() - END_OF_ARCHIVE_BYTES);
        }
        let gzip = gzip(&tar);
        let (mut tar_hash, mut gzip_hash) = (Hasher::sha256(), Hasher::sha256());
        tar_hash.update(&tar);
        gzip_hash.update(&gzip);
        Self { tar: tar.into(), gzip: gzip.into(), tar_hash, gzip_hash }
    }
}

fn append(archive: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, mode: u32, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    archive
        .append_data(&mut header, name, content)
        .expect("a vector takes every byte, and paths are checked");
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let level = CompressionLvl::new(GZIP_LEVEL).expect("6 is a level of the compressor");
    let mut compressor = Compressor::new(level);
    let mut packed = vec![0; compressor.gzip_compress_bound(plain.len())];
    let size = compressor.gzip_compress(plain, &mut packed).expect("the bound is large enough");
    packed.truncate(size);
    packed
}

/// An archive of some parts, plain and compressed, with both digests.
#[derive(Clone, Debug)]
pub struct Packed {
    parts: Vec<Part>,
    tree: Tree,
    digest: Digest,
    diff_id: Digest,
}

impl Packed {
    /// Joins parts whose trees together are `tree`; the last one is closed.
    pub(crate) fn new(parts: Vec<Part>, tree: Tree) -> Self {
        let states = parts.first().map(|first| (first.gzip_hash.clone(), first.tar_hash.clone()));
        let (mut packed, mut plain) = states.unwrap_or((Hasher::sha256(), Hasher::sha256()));
        for part in parts.iter().skip(1) {
            packed.update(&part.gzip);
            plain.update(&part.tar);
        }
        Self { parts, tree, digest: packed.finish(), diff_id: plain.finish() }
    }

    /// Returns the digest of the compressed archive.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Returns the digest of the plain archive.
    pub fn diff_id(&self) -> Digest {
        self.diff_id
    }

    /// Returns the files of the archive.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns the compressed archive, one gzip member for each part.
    pub fn gzip_members(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.parts.iter().map(|part| part.gzip.clone())
    }

    /// Returns the plain archive in pieces.
    pub fn tar_pieces(&self) -> impl Iterator<Item = Bytes> + '_ {
        self.parts.iter().map(|part| part.tar.clone())
    }

    /// Returns the compressed archive in one piece.
    pub fn gzip(&self) -> Vec<u8> {
        self.gzip_members().flatten().collect()
    }

    /// Returns the plain archive in one piece.
    pub fn tar(&self) -> Vec<u8> {
        self.tar_pieces().flatten().collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Read;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new();
        for (path, text) in files {
            tree.insert(path, text.as_bytes(), path.ends_with(".sh")).expect("is a path");
        }
        tree
    }

    fn packed(first: &Tree, second: &Tree) -> Packed {
        Packed::new(vec![Part::new(first, End::Open), Part::new(second, End::Closed)], Tree::new())
    }

    #[test]
    fn the_same_content_has_the_same_digest_in_whatever_order_it_came() {
        let one = packed(&tree(&[("a/x", "1"), ("a/y", "2")]), &tree(&[("b", "3")]));
        let two = packed(&tree(&[("a/y", "2"), ("a/x", "1")]), &tree(&[("b", "3")]));
        assert_eq!((one.digest(), one.diff_id()), (two.digest(), two.diff_id()));
        let other = packed(&tree(&[("a/x", "1"), ("a/y", "2!")]), &tree(&[("b", "3")]));
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn the_bytes_are_pinned() {
        let long = format!("a/{}/x.yaml", "n".repeat(120));
        let one =
            packed(&tree(&[("a/x", "1"), ("a/run.sh", "2"), (long.as_str(), "4")]), &tree(&[("b", "3")]));
        assert_eq!(one.diff_id().to_string(), PINNED_DIFF_ID);
        assert_eq!(one.digest().to_string(), PINNED_DIGEST);
    }

    /// A change of these two is a change of every site's digest: it needs a note in the design.
    const PINNED_DIFF_ID: &str = "sha256:accad0e353d6843bf655e5028d1aa872c0930cb179c41903ecccd0a376bfe834";
    const PINNED_DIGEST: &str = "sha256:b5d0a4cd2c11edc741415767136848342670bcc91c5b5e16235ac595d1d46b84";

    #[test]
    fn both_members_unpack_to_one_archive_with_plain_headers() {
        let one = packed(&tree(&[("a/b/run.sh", "2"), ("a/x", "1")]), &tree(&[("b", "3")]));
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(one.gzip().as_slice()).read_to_end(&mut plain).expect("is gzip");
        assert_eq!(plain, one.tar());
        assert_eq!(Digest::sha256(&plain), one.diff_id());
        let mut archive = tar::Archive::new(plain.as_slice());
        let mut seen = Vec::new();
        for entry in archive.entries().expect("is an archive").raw(true) {
            let entry = entry.expect("is an entry");
            let header = entry.header();
            let name = String::from_utf8(header.path_bytes().into_owned()).expect("is UTF-8");
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            seen.push((name, header.mode().unwrap()));
        }
        let expected = [("a/", 0o755), ("a/b/", 0o755), ("a/b/run.sh", 0o755), ("a/x", 0o644), ("b", 0o644)];
        assert_eq!(seen, expected.map(|(name, mode)| (name.to_owned(), mode)));
    }

    proptest::proptest! {
        #[test]
        fn what_is_packed_unpacks_to_the_same_tree(
            files in proptest::collection::btree_map("[a-c]{1,3}/[a-zäö. -]{1,120}x", (".{0,40}", proptest::bool::ANY), 0..12)
        ) {
            let mut tree = Tree::new();
            for (path, (text, executable)) in &files {
                tree.insert(path, text.as_bytes(), *executable).expect("is a path");
            }
            let packed = Packed::new(vec![Part::new(&tree, End::Open), Part::new(&Tree::new(), End::Closed)], Tree::new());
            proptest::prop_assert_eq!(crate::overlay::unpack(packed.gzip().as_slice()).expect("is an archive"), tree.clone());
            proptest::prop_assert_eq!(crate::overlay::unpack(packed.tar().as_slice()).expect("is an archive"), tree);
        }
    }
}
