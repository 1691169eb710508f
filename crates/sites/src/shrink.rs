//! The shrink guard: a placement that takes many objects away is refused unless it is asked for.
//!
//! With pruning agents an empty or partial artifact deletes a site (trap T7). What `latest` names
//! and what would replace it are counted now and in the same way, by group, kind, namespace and
//! name: over the rendering when kustomize is there, else over the YAML documents of the closure.

use std::collections::BTreeSet;
use std::fmt;

use ringsite_names::SiteName;

use crate::closure::{ClosureProblems, closure_of_artifact};
use crate::limits::SHRINK_LISTED_MAX;
use crate::names::{CONFIG_MAP_PREFIX, KUSTOMIZATION};
use crate::objects::{ObjectKey, Objects, objects};
use crate::tree::Tree;
use crate::yaml;

/// A placement that would take too many objects away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShrinkRefusal {
    /// The site.
    pub site: SiteName,
    /// Objects in what `latest` names.
    pub before: usize,
    /// Objects in what would replace it.
    pub after: usize,
    /// Objects that would go away.
    pub dropped: usize,
    /// The first of them, for people.
    pub listed: Vec<ObjectKey>,
    /// The percentage that the site may lose at once.
    pub max_shrink: u8,
}

impl ShrinkRefusal {
    /// Returns what to do next.
    pub fn help(&self) -> String {
        "look at the difference, then place with --allow-shrink if it is meant".to_owned()
    }
}

impl fmt::Display for ShrinkRefusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, before, after, dropped, listed, max_shrink } = self;
        write!(formatter, "site {site} would lose {dropped} of {before} objects (")?;
        for (index, object) in listed.iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            object.fmt(formatter)?;
        }
        if *dropped > listed.len() {
            write!(formatter, " and {} more", dropped - listed.len())?;
        }
        write!(formatter, ") and have {after}; at most {max_shrink} % may go at once, and never all")
    }
}

/// Judges the step from `before` to `after`. Refused are a step that drops everything, and one that
/// drops more than `max_shrink` per cent.
pub fn shrink(
    site: &SiteName,
    max_shrink: u8,
    before: &BTreeSet<ObjectKey>,
    after: &BTreeSet<ObjectKey>,
) -> Option<ShrinkRefusal> {
    let dropped: Vec<&ObjectKey> = before.difference(after).collect();
    let all = !before.is_empty() && dropped.len() == before.len();
    let too_many = dropped.len() * 100 > usize::from(max_shrink) * before.len();
    if !all && !too_many {
        return None;
    }
    Some(ShrinkRefusal {
        site: site.clone(),
        before: before.len(),
        after: after.len(),
        dropped: dropped.len(),
        listed: dropped.into_iter().take(SHRINK_LISTED_MAX).cloned().collect(),
        max_shrink,
    })
}

/// Counts the objects that kustomize made of an artifact of `site`.
pub fn count_objects(site: &SiteName, rendering: &Objects) -> BTreeSet<ObjectKey> {
    counted(site, rendering.keys().cloned())
}

/// Counts the objects in the documents of an artifact of `site`, without kustomize: what resource
/// files hold and what generators make, in the namespace of the site when it has one.
///
/// # Errors
/// `ClosureProblems` when the artifact refers to something that it does not hold.
pub fn count_documents(site: &SiteName, artifact: &Tree) -> Result<BTreeSet<ObjectKey>, ClosureProblems> {
    let closure = closure_of_artifact(artifact)?;
    let read = |path: &str| artifact.file(path).and_then(|file| yaml::documents(&file.bytes).ok());
    let top = read(KUSTOMIZATION).unwrap_or_default();
    let namespace = top.first().and_then(|top| top["namespace"].as_str()).map(str::to_owned);
    let mut keys: Vec<ObjectKey> = closure.generated.into_iter().collect();
    for path in &closure.resources {
        keys.extend(objects(read(path).unwrap_or_default()).into_keys());
    }
    if let Some(namespace) = namespace {
        for key in &mut keys {
            key.namespace.clone_from(&namespace);
        }
    }
    Ok(counted(site, keys.into_iter()))
}

/// Leaves out the site's own ConfigMap, which is always there, and the hash of the content that
/// kustomize puts behind the names of what it generates: a changed value is no lost object.
fn counted(site: &SiteName, keys: impl Iterator<Item = ObjectKey>) -> BTreeSet<ObjectKey> {
    let own = format!("{CONFIG_MAP_PREFIX}{site}");
    let is_own = |key: &ObjectKey| key.group.is_empty() && key.kind == "ConfigMap" && key.name == own;
    keys.filter(|key| !is_own(key))
        .map(|mut key| {
            if key.group.is_empty() && matches!(key.kind.as_str(), "ConfigMap" | "Secret") {
                let bare = without_hash(&key.name).len();
                key.name.truncate(bare);
            }
            key
        })
        .collect()
}

/// kustomize writes ten digits of a hash in an alphabet without vowels and look-alikes.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((bare, hash))
            if hash.len() == 10 && hash.bytes().all(|byte| b"2456789bcdfghkmt".contains(&byte)) =>
        {
            bare
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&str]) -> BTreeSet<ObjectKey> {
        let key = |name: &&str| ObjectKey {
            group: "apps".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: String::new(),
            name: (*name).to_owned(),
        };
        names.iter().map(key).collect()
    }

    fn site() -> SiteName {
        SiteName::new("eu").expect("is a name")
    }

    #[test]
    fn more_than_the_percentage_and_all_are_refused_and_the_edge_is_not() {
        let four = keys(&["a", "b", "c", "d"]);
        for (after, max, refused) in [
            (keys(&["a", "b", "c", "d", "e"]), 0, false),
            (keys(&["a", "b"]), 50, false),
            (keys(&["a", "x", "y", "z"]), 50, true),
            (keys(&["a", "b", "c"]), 0, true),
            (keys(&["a"]), 100, false),
            (keys(&[]), 100, true),
            (keys(&["w", "x", "y", "z"]), 100, true),
        ] {
            assert_eq!(shrink(&site(), max, &four, &after).is_some(), refused, "{after:?} {max}");
        }
        assert_eq!(shrink(&site(), 0, &keys(&[]), &keys(&[])), None);
    }

    #[test]
    fn the_refusal_says_the_numbers_and_the_first_names() {
        let before: Vec<String> = (0..20).map(|number| format!("d{number:02}")).collect();
        let before: Vec<&str> = before.iter().map(String::as_str).collect();
        let refusal = shrink(&site(), 50, &keys(&before), &keys(&["d00"])).expect("is refused");
        let text = refusal.to_string();
        assert!(text.starts_with("site eu would lose 19 of 20 objects (Deployment.apps d01, "), "{text}");
        assert!(text.contains("d10 and 9 more) and have 1; at most 50 %"), "{text}");
        assert!(refusal.help().contains("--allow-shrink"));
    }

    #[test]
    fn the_sites_own_object_and_the_hash_of_generated_ones_do_not_count() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ringsite-eu}\n---\n\
            apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings-2dk5m9ht4f}\n---\n\
            apiVersion: v1\nkind: Secret\nmetadata: {name: key-abcdefghij}\n";
        let counted = count_objects(&site(), &objects(yaml::documents(text.as_bytes()).expect("is YAML")));
        let names: Vec<&str> = counted.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(names, ["settings", "key-abcdefghij"]);
    }
}
