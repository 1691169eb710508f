//! `index.json`: written as the projection of the state, read for what other tools changed in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ringsite_names::{Digest, RepositoryName, Tag, canonical_json};
use serde_json::{Map, Value};

use crate::descriptor::Descriptor;
use crate::error::OciError;
use crate::manifest::ImageIndex;
use crate::names::{ANNOTATION_REF_NAME, ANNOTATION_REPOSITORY, FOREIGN_REPOSITORY, MEDIA_TYPE_INDEX};
use crate::state::{Change, Facts, State};

/// What an `index.json` lists, or would list for a state.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) tags: BTreeMap<(RepositoryName, Tag), Digest>,
    /// Manifests that have no tag but a repository.
    pub(super) untagged: BTreeSet<(RepositoryName, Digest)>,
    /// Manifests that have neither.
    pub(super) unnamed: BTreeSet<Digest>,
    pub(super) facts: BTreeMap<(RepositoryName, Digest), Facts>,
    digests: BTreeSet<Digest>,
    /// Entries whose names we cannot read, as RFC 8785 JSON.
    pub(super) foreign: BTreeSet<Arc<str>>,
}

impl Listing {
    /// Returns what the projection of a state lists.
    pub(super) fn of_state(state: &State) -> Self {
        let mut listing = Self { foreign: state.foreign.clone(), ..Self::default() };
        for (name, repository) in &state.repositories {
            for (digest, entry) in &repository.manifests {
                listing.describe(name.clone(), *digest, entry.facts.clone());
                if entry.tags.is_empty() {
                    listing.untagged.insert((name.clone(), *digest));
                }
                for tag in &entry.tags {
                    listing.tags.insert((name.clone(), tag.clone()), *digest);
                }
            }
        }
        listing
    }

    /// Reads an `index.json`.
    ///
    /// # Errors
    /// `Invalid` when it is no image index; entries that we cannot read are kept as they are.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, OciError> {
        let mut listing = Self::default();
        for entry in ImageIndex::from_bytes(bytes)?.manifests {
            listing.add(entry);
        }
        Ok(listing)
    }

    fn add(&mut self, entry: Descriptor) {
        let repository = entry.annotations.get(ANNOTATION_REPOSITORY);
        match (entry.annotations.get(ANNOTATION_REF_NAME), repository) {
            (Some(name), _) => match read_name(name) {
                Some((repository, tag)) => {
                    let digest = entry.digest;
                    self.describe(repository.clone(), digest, facts_of(entry));
                    self.tags.insert((repository, tag), digest);
                }
                None => self.keep_foreign(&entry),
            },
            (None, Some(name)) => match RepositoryName::new(name) {
                Ok(repository) => self.add_untagged(repository, entry),
                Err(_) => self.keep_foreign(&entry),
            },
            (None, None) => {
                self.unnamed.insert(entry.digest);
                self.describe(foreign_repository(), entry.digest, facts_of(entry));
            }
        }
    }

    fn add_untagged(&mut self, repository: RepositoryName, entry: Descriptor) {
        let digest = entry.digest;
        self.describe(repository.clone(), digest, facts_of(entry));
        self.untagged.insert((repository, digest));
    }

    fn keep_foreign(&mut self, entry: &Descriptor) {
        let json = String::from_utf8(canonical_json(entry)).expect("JSON is UTF-8");
        self.foreign.insert(json.into());
    }

    fn describe(&mut self, repository: RepositoryName, digest: Digest, facts: Facts) {
        self.digests.insert(digest);
        self.facts.insert((repository, digest), facts);
    }

    fn has_digest(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }
}

/// The repository of entries that name none.
pub(super) fn foreign_repository() -> RepositoryName {
    RepositoryName::new(FOREIGN_REPOSITORY).expect("our own constant is a repository name")
}

/// Reads `<repository>:<tag>`, or a bare tag, which belongs to the repository of foreign names.
fn read_name(name: &str) -> Option<(RepositoryName, Tag)> {
    match name.rsplit_once(':') {
        Some((repository, tag)) => Some((RepositoryName::new(repository).ok()?, Tag::new(tag).ok()?)),
        None => Some((foreign_repository(), Tag::new(name).ok()?)),
    }
}

/// Writes a tag as other tools know it; those of the foreign repository were bare tags.
fn write_name(repository: &RepositoryName, tag: &Tag) -> String {
    if repository.as_str() == FOREIGN_REPOSITORY { tag.to_string() } else { format!("{repository}:{tag}") }
}

/// Keeps everything of an entry that is not its identity, so that the projection loses nothing.
fn facts_of(mut entry: Descriptor) -> Facts {
    let (media_type, size) = (entry.media_type.as_str().into(), entry.size);
    entry.annotations.remove(ANNOTATION_REF_NAME);
    entry.annotations.remove(ANNOTATION_REPOSITORY);
    let extra = match serde_json::to_value(&entry) {
        Ok(Value::Object(mut fields)) => {
            for known in ["mediaType", "digest", "size"] {
                fields.remove(known);
            }
            (!fields.is_empty()).then(|| Value::Object(fields).to_string().into())
        }
        _ => None,
    };
    Facts { media_type, size, subject: None, extra }
}

/// Returns the `index.json` of a state: sorted by repository, digest and tag, one entry a line.
pub(super) fn render(state: &State) -> Vec<u8> {
    let mut text = format!("{{\"schemaVersion\":2,\"mediaType\":\"{MEDIA_TYPE_INDEX}\",\"manifests\":[");
    let mut separator = "\n";
    let mut add = |entry: &str| {
        text.push_str(separator);
        text.push_str(entry);
        separator = ",\n";
    };
    for (name, repository) in &state.repositories {
        for (digest, entry) in &repository.manifests {
            if entry.tags.is_empty() {
                add(&entry_json(digest, &entry.facts, ANNOTATION_REPOSITORY, name.as_str()));
            }
            for tag in &entry.tags {
                add(&entry_json(digest, &entry.facts, ANNOTATION_REF_NAME, &write_name(name, tag)));
            }
        }
    }
    for entry in &state.foreign {
        add(entry);
    }
    text.push_str("\n]}\n");
    text.into_bytes()
}

fn entry_json(digest: &Digest, facts: &Facts, key: &str, name: &str) -> String {
    // Names, digests and these keys need no escaping in JSON; media types and the rest may.
    let media_type = Value::from(&*facts.media_type);
    let Some(extra) = &facts.extra else {
        return format!(
            "{{\"mediaType\":{media_type},\"digest\":\"{digest}\",\"size\":{},\"annotations\":{{\"{key}\":\"{name}\"}}}}",
            facts.size
        );
    };
    let mut fields: Map<String, Value> = serde_json::from_str(extra).unwrap_or_default();
    let mut annotations = match fields.remove("annotations") {
        Some(Value::Object(annotations)) => annotations,
        _ => Map::new(),
    };
    annotations.insert(key.to_owned(), name.into());
    fields.insert("annotations".to_owned(), annotations.into());
    fields.insert("mediaType".to_owned(), media_type);
    fields.insert("digest".to_owned(), digest.to_string().into());
    fields.insert("size".to_owned(), facts.size.into());
    Value::Object(fields).to_string()
}

/// What another tool did to an `index.json`, as it must be done to the state.
///
/// `bases` are the projections that the tool may have started from; mostly one, two after a crash in
/// the middle of a projection, none when no projection was ever made. Where it is not certain what
/// the tool saw, nothing is taken away. `has_content` says whether a manifest is still in the layout.
pub(super) fn foreign_changes(
    theirs: &Listing,
    bases: &[Listing],
    state: &State,
    has_content: &dyn Fn(&Digest) -> Result<bool, OciError>,
) -> Result<Vec<Change>, OciError> {
    let mut changes = Vec::new();
    let mut added = BTreeSet::new();
    add_new(theirs, bases, state, &mut changes, &mut added);
    if let Some((first, others)) = bases.split_first() {
        for ((name, tag), digest) in &first.tags {
            let key = (name.clone(), tag.clone());
            let is_gone =
                !theirs.tags.contains_key(&key) && others.iter().all(|base| base.tags.contains_key(&key));
            // Some tools keep one name for each digest: a new name takes the place of the old one.
            if is_gone && !added.contains(digest) {
                changes.push(Change::Untag { repository: name.clone(), tag: tag.clone() });
                if !theirs.has_digest(digest) && !has_content(digest)? {
                    changes.push(Change::Remove { repository: name.clone(), digest: *digest });
                }
            }
        }
        for key in &first.untagged {
            let is_gone = !theirs.facts.contains_key(key)
                && !theirs.unnamed.contains(&key.1)
                && !added.contains(&key.1)
                && others.iter().all(|base| base.untagged.contains(key));
            if is_gone {
                changes.push(Change::Remove { repository: key.0.clone(), digest: key.1 });
            }
        }
        for entry in first.foreign.difference(&theirs.foreign) {
            if others.iter().all(|base| base.foreign.contains(entry)) {
                changes.push(Change::ForeignGone { entry: Arc::clone(entry) });
            }
        }
    }
    Ok(changes)
}

/// Collects what the tool added or moved, and the digests that it gave a name.
fn add_new(
    theirs: &Listing,
    bases: &[Listing],
    state: &State,
    changes: &mut Vec<Change>,
    added: &mut BTreeSet<Digest>,
) {
    let manifest = |repository: &RepositoryName, digest: &Digest| {
        let facts = theirs.facts.get(&(repository.clone(), *digest)).expect("every listed digest has facts");
        Change::Manifest { repository: repository.clone(), digest: *digest, facts: facts.clone() }
    };
    for ((name, tag), digest) in &theirs.tags {
        let key = (name.clone(), tag.clone());
        let is_new = match bases {
            [] => state.tagged(name, tag).is_none(),
            bases => bases.iter().all(|base| base.tags.get(&key) != Some(digest)),
        };
        if is_new {
            added.insert(*digest);
            changes.push(manifest(name, digest));
            changes.push(Change::Tag { repository: name.clone(), tag: tag.clone(), digest: *digest });
        }
    }
    for key in &theirs.untagged {
        if bases.iter().all(|base| !base.facts.contains_key(key)) {
            changes.push(manifest(&key.0, &key.1));
        }
    }
    for digest in &theirs.unnamed {
        // A tool that took the name from one of our entries did not add anything.
        if bases.iter().all(|base| !base.has_digest(digest)) {
            changes.push(manifest(&foreign_repository(), digest));
        }
    }
    for entry in &theirs.foreign {
        if bases.iter().all(|base| !base.foreign.contains(entry)) {
            changes.push(Change::Foreign { entry: Arc::clone(entry) });
        }
    }
}
