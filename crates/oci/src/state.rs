//! Which tags and manifests a store has: the part that the layout and the store in memory share.
//!
//! A [`State`] only changes by applying a [`Change`]. A [`Draft`] decides changes on a state without
//! touching it, so that nothing is visible before it is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ringsite_names::{Digest, RepositoryName, Tag};

use crate::error::OciError;
use crate::limits::TAGS_PER_PAGE_MAX;
use crate::registry::{Condition, Page, Put, TagOrDigest, TagPage};

/// One step from one state to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A repository has a manifest; one that it has already is described anew and keeps its tags.
    Manifest { repository: RepositoryName, digest: Digest, facts: Facts },
    /// A tag names a manifest of its repository.
    Tag { repository: RepositoryName, tag: Tag, digest: Digest },
    /// A tag is gone.
    Untag { repository: RepositoryName, tag: Tag },
    /// A repository has a manifest no more, nor the tags that named it.
    Remove { repository: RepositoryName, digest: Digest },
    /// An entry of `index.json` that only other tools understand, as its JSON.
    Foreign { entry: Arc<str> },
    /// Such an entry is gone.
    ForeignGone { entry: Arc<str> },
}

/// What is remembered about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The media type that it was pushed with.
    pub(crate) media_type: Arc<str>,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The manifest that it is about.
    pub(crate) subject: Option<Digest>,
    /// Further fields of its descriptor, as a JSON object; only other tools write them.
    pub(crate) extra: Option<Arc<str>>,
}

/// A manifest in a repository.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) facts: Facts,
    pub(crate) tags: BTreeSet<Tag>,
}

/// The tags and manifests of one repository.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repository {
    pub(crate) tags: BTreeMap<Tag, Digest>,
    pub(crate) manifests: BTreeMap<Digest, Entry>,
    referrers: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl Repository {
    fn forget_referrer(&mut self, subject: Option<Digest>, referrer: &Digest) {
        let Some(subject) = subject else { return };
        if let Some(referrers) = self.referrers.get_mut(&subject) {
            referrers.remove(referrer);
            if referrers.is_empty() {
                self.referrers.remove(&subject);
            }
        }
    }
}

/// The tags and manifests of a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) repositories: BTreeMap<RepositoryName, Repository>,
    pub(crate) foreign: BTreeSet<Arc<str>>,
    live_bytes: usize,
}

/// A change that does not fit the state that it is applied to, in words.
pub(crate) type Misfit = String;

impl State {
    /// Applies one change.
    ///
    /// # Errors
    /// A tag that names a manifest which its repository does not have.
    pub(crate) fn apply(&mut self, change: Change) -> Result<(), Misfit> {
        match change {
            Change::Manifest { repository, digest, facts } => self.add(repository, digest, facts),
            Change::Tag { repository, tag, digest } => return self.tag(&repository, tag, digest),
            Change::Untag { repository, tag } => self.untag(&repository, &tag),
            Change::Remove { repository, digest } => self.remove(&repository, &digest),
            Change::Foreign { entry } => {
                self.live_bytes += entry.len() + LINE_BYTES;
                if let Some(old) = self.foreign.replace(entry) {
                    self.live_bytes -= old.len() + LINE_BYTES;
                }
            }
            Change::ForeignGone { entry } => {
                if self.foreign.remove(&entry) {
                    self.live_bytes -= entry.len() + LINE_BYTES;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: RepositoryName, digest: Digest, facts: Facts) {
        self.live_bytes += manifest_bytes(&name, &facts);
        let repository = self.repositories.entry(name.clone()).or_default();
        let tags = match repository.manifests.remove(&digest) {
            Some(old) => {
                self.live_bytes -= manifest_bytes(&name, &old.facts);
                repository.forget_referrer(old.facts.subject, &digest);
                old.tags
            }
            None => BTreeSet::new(),
        };
        if let Some(subject) = facts.subject {
            repository.referrers.entry(subject).or_default().insert(digest);
        }
        repository.manifests.insert(digest, Entry { facts, tags });
    }

    fn tag(&mut self, name: &RepositoryName, tag: Tag, digest: Digest) -> Result<(), Misfit> {
        let found = self.repositories.get_mut(name);
        let Some(repository) = found.filter(|repository| repository.manifests.contains_key(&digest)) else {
            return Err(format!("tag {name}:{tag} names {digest}, which {name} does not have"));
        };
        if let Some(old) = repository.tags.insert(tag.clone(), digest) {
            if let Some(entry) = repository.manifests.get_mut(&old) {
                entry.tags.remove(&tag);
            }
        } else {
            self.live_bytes += tag_bytes(name, &tag);
        }
        if let Some(entry) = repository.manifests.get_mut(&digest) {
            entry.tags.insert(tag);
        }
        Ok(())
    }

    fn untag(&mut self, name: &RepositoryName, tag: &Tag) {
        let Some(repository) = self.repositories.get_mut(name) else { return };
        if let Some(digest) = repository.tags.remove(tag) {
            self.live_bytes -= tag_bytes(name, tag);
            if let Some(entry) = repository.manifests.get_mut(&digest) {
                entry.tags.remove(tag);
            }
        }
    }

    fn remove(&mut self, name: &RepositoryName, digest: &Digest) {
        let Some(repository) = self.repositories.get_mut(name) else { return };
        let Some(entry) = repository.manifests.remove(digest) else { return };
        self.live_bytes -= manifest_bytes(name, &entry.facts);
        for tag in &entry.tags {
            repository.tags.remove(tag);
            self.live_bytes -= tag_bytes(name, tag);
        }
        repository.forget_referrer(entry.facts.subject, digest);
        if repository.manifests.is_empty() {
            self.repositories.remove(name);
        }
    }

    /// Returns about how many bytes a log needs that holds only what is there now.
    pub(crate) fn live_bytes(&self) -> usize {
        self.live_bytes
    }

    /// Returns the digest that a tag names.
    pub(crate) fn tagged(&self, name: &RepositoryName, tag: &Tag) -> Option<Digest> {
        self.repositories.get(name)?.tags.get(tag).copied()
    }

    /// Returns the digest and facts of a manifest.
    pub(crate) fn find(&self, name: &RepositoryName, reference: &TagOrDigest) -> Option<(Digest, &Facts)> {
        let repository = self.repositories.get(name)?;
        let digest = match reference {
            TagOrDigest::Tag(tag) => repository.tags.get(tag)?,
            TagOrDigest::Digest(digest) => digest,
        };
        repository.manifests.get(digest).map(|entry| (*digest, &entry.facts))
    }

    /// Returns whether any repository, or an entry of another tool, has this manifest.
    pub(crate) fn has_anywhere(&self, digest: &Digest) -> bool {
        let text = digest.to_string();
        self.repositories.values().any(|repository| repository.manifests.contains_key(digest))
            || self.foreign.iter().any(|entry| entry.contains(&text))
    }

    /// Returns a page of the tags of a repository.
    pub(crate) fn page(&self, name: &RepositoryName, page: &Page) -> TagPage {
        let limit = page.limit.min(TAGS_PER_PAGE_MAX);
        let Some(repository) = self.repositories.get(name).filter(|_| limit > 0) else {
            return TagPage { tags: Vec::new(), next: None };
        };
        let start = match &page.after {
            Some(after) => std::ops::Bound::Excluded(after),
            None => std::ops::Bound::Unbounded,
        };
        let mut rest =
            repository.tags.range::<Tag, _>((start, std::ops::Bound::Unbounded)).map(|(tag, _)| tag);
        let tags: Vec<Tag> = rest.by_ref().take(limit).cloned().collect();
        let next = rest.next().and(tags.last()).map(|last| Page { after: Some(last.clone()), limit });
        TagPage { tags, next }
    }

    /// Returns the manifests that are about `subject`, sorted by digest.
    pub(crate) fn referrers(&self, name: &RepositoryName, subject: &Digest) -> Vec<(Digest, Facts)> {
        let Some(repository) = self.repositories.get(name) else { return Vec::new() };
        let Some(referrers) = repository.referrers.get(subject) else { return Vec::new() };
        referrers
            .iter()
            .filter_map(|digest| repository.manifests.get(digest).map(|entry| (*digest, entry.facts.clone())))
            .collect()
    }
}

/// Bytes of a record besides its names: operation, separators and a digest in hex.
const LINE_BYTES: usize = 76;

fn manifest_bytes(name: &RepositoryName, facts: &Facts) -> usize {
    let subject = if facts.subject.is_some() { LINE_BYTES } else { 0 };
    let extra = facts.extra.as_ref().map_or(0, |extra| extra.len());
    name.as_str().len() + facts.media_type.len() + subject + extra + 8 + LINE_BYTES
}

fn tag_bytes(name: &RepositoryName, tag: &Tag) -> usize {
    name.as_str().len() + tag.as_str().len() + LINE_BYTES
}

/// Changes that are decided on a state, one wish after the other, and not applied yet.
pub(crate) struct Draft<'s> {
    state: &'s State,
    changes: Vec<Change>,
    tags: HashMap<(RepositoryName, Tag), Option<Digest>>,
    manifests: HashMap<(RepositoryName, Digest), bool>,
}

impl<'s> Draft<'s> {
    /// Returns a draft without changes.
    pub(crate) fn new(state: &'s State) -> Self {
        Self { state, changes: Vec::new(), tags: HashMap::new(), manifests: HashMap::new() }
    }

    /// Returns the changes in the order in which they must be applied.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    fn tagged(&self, name: &RepositoryName, tag: &Tag) -> Option<Digest> {
        match self.tags.get(&(name.clone(), tag.clone())) {
            Some(drafted) => *drafted,
            None => self.state.tagged(name, tag),
        }
    }

    /// Returns whether a repository has a manifest, with the changes so far.
    pub(crate) fn has(&self, name: &RepositoryName, digest: &Digest) -> bool {
        match self.manifests.get(&(name.clone(), *digest)) {
            Some(drafted) => *drafted,
            None => self.state.find(name, &TagOrDigest::Digest(*digest)).is_some(),
        }
    }

    /// Decides to store a manifest and to move the tag to it.
    ///
    /// # Errors
    /// `ConditionFailed`, and the draft is as before.
    pub(crate) fn put(
        &mut self,
        name: &RepositoryName,
        put: &Put,
        digest: Digest,
        facts: Facts,
    ) -> Result<(), OciError> {
        let found = put.tag.as_ref().and_then(|tag| self.tagged(name, tag));
        if let Some(tag) = &put.tag {
            let holds = match &put.condition {
                Condition::None => true,
                Condition::Match(wanted) => found.as_ref() == Some(wanted),
                Condition::Absent => found.is_none(),
            };
            if !holds {
                return Err(OciError::ConditionFailed { repository: name.clone(), tag: tag.clone(), found });
            }
        }
        let same = self.state.find(name, &TagOrDigest::Digest(digest)).is_some_and(|(_, old)| {
            old.media_type == facts.media_type && old.size == facts.size && old.subject == facts.subject
        });
        if !(same && self.has(name, &digest)) {
            self.manifests.insert((name.clone(), digest), true);
            self.changes.push(Change::Manifest { repository: name.clone(), digest, facts });
        }
        if let Some(tag) = put.tag.as_ref().filter(|_| found != Some(digest)) {
            self.tags.insert((name.clone(), tag.clone()), Some(digest));
            self.changes.push(Change::Tag { repository: name.clone(), tag: tag.clone(), digest });
        }
        Ok(())
    }

    /// Decides to remove a tag; returns whether it is there.
    pub(crate) fn delete_tag(&mut self, name: &RepositoryName, tag: &Tag) -> bool {
        let found = self.tagged(name, tag).is_some();
        if found {
            self.tags.insert((name.clone(), tag.clone()), None);
            self.changes.push(Change::Untag { repository: name.clone(), tag: tag.clone() });
        }
        found
    }

    /// Decides to remove a manifest and its tags; returns whether it is there.
    pub(crate) fn delete_manifest(&mut self, name: &RepositoryName, digest: &Digest) -> bool {
        if !self.has(name, digest) {
            return false;
        }
        let entry = self.state.repositories.get(name).and_then(|found| found.manifests.get(digest));
        for tag in entry.iter().flat_map(|entry| &entry.tags) {
            self.tags.entry((name.clone(), tag.clone())).or_insert(None);
        }
        for ((repository, _), drafted) in &mut self.tags {
            if repository == name && drafted.as_ref() == Some(digest) {
                *drafted = None;
            }
        }
        self.manifests.insert((name.clone(), *digest), false);
        self.changes.push(Change::Remove { repository: name.clone(), digest: *digest });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { media_type: "a/b".into(), size: 1, subject: None, extra: None }
    }

    fn name() -> RepositoryName {
        RepositoryName::new("acme/shop").expect("is a name")
    }

    fn apply(state: &mut State, decide: impl FnOnce(&mut Draft<'_>)) {
        let mut draft = Draft::new(state);
        decide(&mut draft);
        for change in draft.into_changes() {
            state.apply(change).expect("a decided change fits");
        }
    }

    #[test]
    fn wishes_in_one_draft_see_each_other() {
        let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
        let tag = Tag::new("head").expect("is a tag");
        let mut state = State::default();
        apply(&mut state, |draft| {
            let absent = Put::under_if(tag.clone(), Condition::Absent);
            assert!(draft.put(&name(), &absent, one, facts()).is_ok());
            assert!(draft.put(&name(), &absent, two, facts()).is_err());
            let matching = Put::under_if(tag.clone(), Condition::Match(one));
            assert!(draft.put(&name(), &matching, two, facts()).is_ok());
            assert!(draft.put(&name(), &matching, one, facts()).is_err());
        });
        assert_eq!(state.tagged(&name(), &tag), Some(two));
        apply(&mut state, |draft| {
            assert!(draft.put(&name(), &Put::under(tag.clone()), one, facts()).is_ok());
            assert!(draft.delete_manifest(&name(), &two));
            assert!(!draft.delete_manifest(&name(), &two));
            assert!(draft.delete_manifest(&name(), &one));
            assert!(!draft.delete_tag(&name(), &tag));
            let absent = Put::under_if(tag.clone(), Condition::Absent);
            assert!(draft.put(&name(), &absent, two, facts()).is_ok());
        });
        assert_eq!(state.tagged(&name(), &tag), Some(two));
    }

    #[test]
    fn an_empty_state_has_no_live_bytes_again_after_everything_is_removed() {
        let mut state = State::default();
        let digest = Digest::sha256(b"1");
        apply(&mut state, |draft| {
            for tag in ["a", "b"] {
                let put = Put::under(Tag::new(tag).expect("is a tag"));
                draft.put(&name(), &put, digest, facts()).expect("has no condition");
            }
        });
        assert!(state.live_bytes() > 100);
        apply(&mut state, |draft| assert!(draft.delete_manifest(&name(), &digest)));
        assert_eq!(state.live_bytes(), 0);
        assert!(state.repositories.is_empty());
    }
}
