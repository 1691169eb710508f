//! The recipe of an image: what its revision was computed from, and the revision itself.
//!
//! The revision is the sha256 of a framed stream that anyone can compute again:
//!
//! ```text
//! "rev1\n" then per entry:  kind SP decimal-byte-length SP path NUL <32 raw bytes of sha256(content)>
//! ```
//!
//! | Part of the stream | Where it comes from |
//! |--|--|
//! | first entry, `F Containerfile` | the bytes of the containerfile, whatever the file is called |
//! | then `A Arguments` | RFC 8785 of `{"args": {…}, "target": …}`; only when one of them is set |
//! | then `F`, `X`, `L`, `D` | every local source, sorted by the bytes of the path, none twice |
//!
//! Not in the stream: times, owners, versions of dependencies, copies from stages and images,
//! heredocs (they stand in the containerfile).
//!
//! # A worked example
//! The containerfile is `FROM scratch\nCOPY app /\n` (24 bytes), the only source is the executable
//! `app` with the content `hello\n`:
//!
//! ```text
//! "rev1\n"
//! "F 24 Containerfile\0"  713ec353a2f3230b9c4c6ef545748dd869baeb171714f43c3feceef322fa3817
//! "X 6 app\0"             5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
//! ```
//! The hashes stand in the stream as 32 raw bytes each. The revision is
//! `sha256:a4cb83907f03cff2d453ec700f42e748ee2f1ef31a22670808fc0da9efc6af91`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use ringsite_names::{Digest, Hasher, canonical_json, digest_of};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::names::{ARGUMENTS_ENTRY, CONTAINERFILE_ENTRY, REVISION_HEADER};

/// Bytes that an entry takes in the JSON of a recipe beside its path: field names, size and hash.
const ENTRY_JSON_BYTES: usize = 128;

/// What one entry of a revision is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EntryKind {
    /// The build arguments and the target.
    #[serde(rename = "A")]
    Arguments,
    /// A directory with nothing in it.
    #[serde(rename = "D")]
    Directory,
    /// A file without an execute bit.
    #[serde(rename = "F")]
    File,
    /// A symbolic link; its content is the target.
    #[serde(rename = "L")]
    Link,
    /// A file with any execute bit.
    #[serde(rename = "X")]
    Executable,
}

impl EntryKind {
    /// Returns the letter that stands for the kind in the stream.
    pub fn letter(self) -> char {
        match self {
            Self::Arguments => 'A',
            Self::Directory => 'D',
            Self::File => 'F',
            Self::Link => 'L',
            Self::Executable => 'X',
        }
    }
}

/// One entry of a revision.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipeEntry {
    /// The path: relative to the context, or one of the two fixed names.
    pub path: String,
    /// What it is.
    pub kind: EntryKind,
    /// The length of the content in bytes.
    pub bytes: u64,
    /// The sha256 of the content.
    pub sha256: [u8; 32],
}

impl RecipeEntry {
    /// Returns the entry of some content.
    pub fn of(kind: EntryKind, path: impl Into<String>, content: &[u8]) -> Self {
        let Digest::Sha256(sha256) = Digest::sha256(content) else {
            unreachable!("sha256 makes a sha256 digest")
        };
        Self { path: path.into(), kind, bytes: content.len() as u64, sha256 }
    }
}

/// The build arguments and the target stage of an image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to build; nothing means the last.
    pub target: Option<String>,
}

impl Arguments {
    /// Returns whether anything is set.
    pub fn is_empty(&self) -> bool {
        self.args.is_empty() && self.target.is_none()
    }
}

/// What an image is built from beside its sources and its dependencies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The pinned digests of external images by normalised reference.
    pub externals: BTreeMap<String, Digest>,
    /// The labels of the project file.
    pub labels: BTreeMap<String, String>,
    /// The vendor, when there is one.
    pub vendor: Option<String>,
    /// The platforms, in the order of the project file.
    pub platforms: Vec<String>,
    /// The time of every file, in seconds since the start of 1970.
    pub epoch: i64,
}

impl Inputs {
    /// Returns the sha256 of the RFC 8785 form, which a release stores as its inputs.
    pub fn digest(&self) -> Digest {
        digest_of(self)
    }
}

/// The entries of a revision in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Shared, because the sources of a large image are many and a build hands them on often.
    entries: Arc<Vec<RecipeEntry>>,
    arguments: Arguments,
    revision: Digest,
}

impl Sources {
    /// Orders the entries of a revision and computes it.
    ///
    /// `files` are the local sources in any order; one that is named twice counts once.
    pub fn new(containerfile: &[u8], arguments: Arguments, mut files: Vec<RecipeEntry>) -> Self {
        files.sort_unstable();
        files.dedup();
        let mut entries = Vec::with_capacity(files.len() + 2);
        entries.push(RecipeEntry::of(EntryKind::File, CONTAINERFILE_ENTRY, containerfile));
        if !arguments.is_empty() {
            let content = canonical_json(&arguments);
            entries.push(RecipeEntry::of(EntryKind::Arguments, ARGUMENTS_ENTRY, &content));
        }
        entries.extend(files);
        let revision = revision_of(&entries);
        Self { entries: Arc::new(entries), arguments, revision }
    }

    /// Returns the entries as they stand in the stream.
    pub fn entries(&self) -> &[RecipeEntry] {
        &self.entries
    }

    /// Returns the local sources, without the containerfile and the arguments.
    pub fn files(&self) -> &[RecipeEntry] {
        &self.entries[1 + usize::from(!self.arguments.is_empty())..]
    }

    /// Returns the entry of a local source.
    pub fn file(&self, path: &str, kind: EntryKind) -> Option<&RecipeEntry> {
        let files = self.files();
        let found =
            files.binary_search_by(|entry| (entry.path.as_str(), entry.kind).cmp(&(path, kind))).ok()?;
        files.get(found)
    }

    /// Returns the build arguments and the target.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Returns the revision.
    pub fn revision(&self) -> Digest {
        self.revision
    }
}

fn revision_of(entries: &[RecipeEntry]) -> Digest {
    let mut hasher = Hasher::sha256();
    hasher.update(REVISION_HEADER.as_bytes());
    let mut frame = Vec::with_capacity(256);
    for entry in entries {
        frame.clear();
        frame.extend_from_slice(format!("{} {} ", entry.kind.letter(), entry.bytes).as_bytes());
        frame.extend_from_slice(entry.path.as_bytes());
        frame.push(0);
        frame.extend_from_slice(&entry.sha256);
        hasher.update(&frame);
    }
    hasher.finish()
}

/// The recipe of a built image: a referrer of it, enough to explain and to prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// What the revision was computed from.
    pub sources: Sources,
    /// What else the image was built from.
    pub inputs: Inputs,
    /// What built it, for example `native/1`; stored and never compared.
    pub built_by: String,
}

/// A text that is no recipe.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// It is not the JSON of a recipe.
    #[error("this is no recipe")]
    Json(#[from] serde_json::Error),
    /// It was written in a form that this program does not know.
    #[error("the recipe has schema {0}, and this program reads schema 1")]
    Schema(u64),
    /// Its entries do not have the order of a revision.
    #[error("the entries of the recipe are not those of a revision: {0}")]
    Entries(String),
    /// Its revision is not the one of its entries.
    #[error("the recipe says revision {said}, and its entries have {computed}")]
    Revision {
        /// What the recipe says.
        said: Box<Digest>,
        /// What its entries say.
        computed: Box<Digest>,
    },
}

/// The one field that every form of a recipe has.
#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    schema: u64,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(deny_unknown_fields)]
struct Stored {
    #[allow(dead_code, reason = "it was checked before the rest was read")]
    schema: u64,
    revision: Digest,
    entries: Vec<StoredEntry>,
    arguments: BTreeMap<String, String>,
    target: Option<String>,
    inputs: Inputs,
    built_by: String,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(deny_unknown_fields)]
struct StoredEntry {
    kind: EntryKind,
    path: String,
    bytes: u64,
    sha256: Hex,
}

/// A sha256 in hex, as raw bytes: a recipe has many of them.
struct Hex([u8; 32]);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = Cow::<'de, str>::deserialize(deserializer)?;
        match format!("sha256:{hex}").parse() {
            Ok(Digest::Sha256(raw)) => Ok(Self(raw)),
            _ => Err(de::Error::custom("an entry has no sha256")),
        }
    }
}

#[cfg(test)]
impl Serialize for Hex {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Digest::Sha256(self.0).to_hex())
    }
}

// The same fields in the same widths, so that a list of one becomes a list of the other in place.
impl From<StoredEntry> for RecipeEntry {
    fn from(StoredEntry { kind, path, bytes, sha256: Hex(sha256) }: StoredEntry) -> Self {
        Self { path, kind, bytes, sha256 }
    }
}

impl Recipe {
    /// Returns the revision.
    pub fn revision(&self) -> Digest {
        self.sources.revision
    }

    /// Returns the RFC 8785 form, which is pushed.
    ///
    /// The entries are written one by one: a recipe can have a million of them, and building the
    /// whole value first would take ten times the memory of the text.
    pub fn to_json(&self) -> Vec<u8> {
        let Arguments { args, target } = &self.sources.arguments;
        let bytes: usize = self.sources.entries.iter().map(|entry| entry.path.len() + ENTRY_JSON_BYTES).sum();
        let mut json = Vec::with_capacity(bytes + ENTRY_JSON_BYTES * 16);
        let mut field = |name: &str, value: &[u8]| {
            json.extend_from_slice(name.as_bytes());
            json.extend_from_slice(value);
        };
        field("{\"arguments\":", &canonical_json(args));
        field(",\"built_by\":", &canonical_json(&self.built_by));
        field(",\"entries\":[", b"");
        for (index, entry) in self.sources.entries.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            field(&format!("{comma}{{\"bytes\":{},\"kind\":\"{}\"", entry.bytes, entry.kind.letter()), b"");
            field(",\"path\":", &canonical_json(&entry.path));
            field(&format!(",\"sha256\":\"{}\"}}", Digest::Sha256(entry.sha256).to_hex()), b"");
        }
        field("],\"inputs\":", &canonical_json(&self.inputs));
        field(",\"revision\":", &canonical_json(&self.revision()));
        field(",\"schema\":1,\"target\":", &canonical_json(target));
        field("}", b"");
        json
    }

    /// Reads a recipe and checks that its revision is the one of its entries.
    ///
    /// # Errors
    /// `RecipeError` when the text is no recipe, has another schema, or contradicts itself.
    pub fn from_json(bytes: &[u8]) -> Result<Self, RecipeError> {
        let Version { schema } = serde_json::from_slice(bytes)?;
        if schema != 1 {
            return Err(RecipeError::Schema(schema));
        }
        let stored: Stored = serde_json::from_slice(bytes)?;
        let entries: Vec<_> = stored.entries.into_iter().map(RecipeEntry::from).collect();
        let arguments = Arguments { args: stored.arguments, target: stored.target };
        check_order(&entries, &arguments)?;
        let computed = revision_of(&entries);
        if computed != stored.revision {
            return Err(RecipeError::Revision {
                said: Box::new(stored.revision),
                computed: Box::new(computed),
            });
        }
        let sources = Sources { entries: Arc::new(entries), arguments, revision: computed };
        Ok(Self { sources, inputs: stored.inputs, built_by: stored.built_by })
    }
}

/// Checks that `entries` stand as `Sources::new` would have put them.
fn check_order(entries: &[RecipeEntry], arguments: &Arguments) -> Result<(), RecipeError> {
    let wrong = |what: String| Err(RecipeError::Entries(what));
    match entries.first() {
        Some(first) if first.kind == EntryKind::File && first.path == CONTAINERFILE_ENTRY => {}
        _ => return wrong("the first is not the containerfile".to_owned()),
    }
    let mut files = &entries[1..];
    if !arguments.is_empty() {
        let expected = RecipeEntry::of(EntryKind::Arguments, ARGUMENTS_ENTRY, &canonical_json(arguments));
        if files.first() != Some(&expected) {
            return wrong("the second is not that of the arguments".to_owned());
        }
        files = &files[1..];
    }
    if let Some(entry) = files.iter().find(|entry| entry.kind == EntryKind::Arguments) {
        return wrong(format!("`{}` cannot be arguments", entry.path));
    }
    match files.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => wrong(format!("`{}` does not come after `{}`", pair[1].path, pair[0].path)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs() -> Inputs {
        Inputs {
            externals: BTreeMap::from([("docker.io/library/redis:7".into(), Digest::sha256(b"r"))]),
            labels: BTreeMap::new(),
            vendor: None,
            platforms: vec!["linux/amd64".into()],
            epoch: 0,
        }
    }

    fn recipe() -> Recipe {
        let files = vec![
            RecipeEntry::of(EntryKind::File, "src/b", b"b"),
            RecipeEntry::of(EntryKind::Link, "src/a", b"b"),
            RecipeEntry::of(EntryKind::File, "src/b", b"b"),
        ];
        let arguments = Arguments { args: BTreeMap::from([("F".into(), "tls".into())]), target: None };
        Recipe {
            sources: Sources::new(b"FROM scratch\nCOPY src /\n", arguments, files),
            inputs: inputs(),
            built_by: "native/1".into(),
        }
    }

    #[test]
    fn the_worked_example_has_the_revision_of_the_documentation() {
        let containerfile = b"FROM scratch\nCOPY app /\n";
        let sources = Sources::new(
            containerfile,
            Arguments::default(),
            vec![RecipeEntry::of(EntryKind::Executable, "app", b"hello\n")],
        );
        let mut stream = b"rev1\nF 24 Containerfile\0".to_vec();
        stream.extend_from_slice(Digest::sha256(containerfile).as_bytes());
        stream.extend_from_slice(b"X 6 app\0");
        stream.extend_from_slice(Digest::sha256(b"hello\n").as_bytes());
        assert_eq!(sources.revision(), Digest::sha256(&stream));
        assert_eq!(
            sources.revision().to_string(),
            "sha256:a4cb83907f03cff2d453ec700f42e748ee2f1ef31a22670808fc0da9efc6af91"
        );
    }

    #[test]
    fn entries_are_sorted_by_path_and_none_counts_twice() {
        let recipe = recipe();
        let paths: Vec<_> = recipe.sources.entries().iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["Containerfile", "Arguments", "src/a", "src/b"]);
        assert!(recipe.sources.file("src/b", EntryKind::File).is_some());
        assert!(recipe.sources.file("src/b", EntryKind::Executable).is_none());
        assert!(recipe.sources.file("Containerfile", EntryKind::File).is_none());
    }

    #[test]
    fn every_part_of_an_entry_changes_the_revision() {
        let entry = RecipeEntry::of(EntryKind::File, "a", b"x");
        let of = |entry: RecipeEntry| Sources::new(b"F", Arguments::default(), vec![entry]).revision();
        let first = of(entry.clone());
        assert_ne!(first, of(RecipeEntry { kind: EntryKind::Executable, ..entry.clone() }));
        assert_ne!(first, of(RecipeEntry { path: "b".into(), ..entry.clone() }));
        assert_ne!(first, of(RecipeEntry::of(EntryKind::File, "a", b"y")));
        assert_ne!(first, Sources::new(b"G", Arguments::default(), vec![entry.clone()]).revision());
        let target = Arguments { target: Some("t".into()), ..Arguments::default() };
        assert_ne!(first, Sources::new(b"F", target, vec![entry]).revision());
    }

    #[test]
    fn the_json_that_is_written_piece_by_piece_is_the_canonical_one() {
        let mut recipe = recipe();
        let odd = RecipeEntry::of(EntryKind::Executable, "a \"quoted\"\\\u{1f600}\t", b"");
        let files = recipe.sources.files().iter().cloned().chain([odd]).collect();
        for target in [None, Some("stage".to_owned())] {
            let arguments = Arguments { target, ..recipe.sources.arguments.clone() };
            recipe.sources = Sources::new(b"FROM scratch\n", arguments, Vec::clone(&files));
            let json = recipe.to_json();
            let stored: Stored = serde_json::from_slice(&json).unwrap();
            assert_eq!(String::from_utf8(json), String::from_utf8(canonical_json(&stored)));
        }
    }

    #[test]
    fn a_recipe_is_read_as_it_was_written() {
        let recipe = recipe();
        let json = recipe.to_json();
        assert!(json.starts_with(br#"{"arguments":{"F":"tls"},"built_by":"native/1","entries":[{"#));
        assert_eq!(Recipe::from_json(&json).unwrap(), recipe);
    }

    #[test]
    fn a_recipe_that_contradicts_itself_is_refused() {
        let json = String::from_utf8(recipe().to_json()).unwrap();
        let cases = [
            ("{", "no recipe"),
            ("{}", "schema 0"),
            (&*json.replace("\"schema\":1", "\"schema\":2"), "schema 2"),
            (&*json.replace("\"bytes\":1,", "\"bytes\":2,"), "says revision"),
            (&*json.replace("\"F\":\"tls\"", "\"F\":\"ssl\""), "arguments"),
            (&*json.replace("src/a", "src/c"), "does not come after"),
            (&*json.replace("\"path\":\"Containerfile\"", "\"path\":\"Dockerfile\""), "containerfile"),
            (&*json.replace("\"schema\":1", "\"schema\":1,\"more\":1"), "no recipe"),
        ];
        for (text, expected) in cases {
            let error = Recipe::from_json(text.as_bytes()).expect_err(expected);
            assert!(error.to_string().contains(expected), "{expected}: {error}");
        }
    }

    #[test]
    fn the_inputs_have_the_digest_of_their_canonical_form() {
        let json =
            br#"{"epoch":0,"externals":{},"labels":{"a":"b"},"platforms":["linux/amd64"],"vendor":"Acme"}"#;
        let inputs = Inputs {
            externals: BTreeMap::new(),
            labels: BTreeMap::from([("a".into(), "b".into())]),
            vendor: Some("Acme".into()),
            ..inputs()
        };
        assert_eq!(inputs.digest(), Digest::sha256(json));
    }
}
