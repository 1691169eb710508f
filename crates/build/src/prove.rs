//! Proof that a release is what its recipe says: compare what was built again with what is there.
//!
//! The caller builds again with the labels, arguments and inputs of the release; this names the
//! first thing that differs.

use std::cmp::Ordering;

use ringsite_images::{Recipe, Sources};
use ringsite_oci::{ImageConfig, Registry};
use serde_json::Value;

use crate::base::{LoadedImage, load_image};
use crate::error::BuildError;
use crate::layer::{Content, Entry};
use crate::step::{BaseImage, Built, BuiltPlatform};

/// What comparing two builds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Both have the same digest, so they are the same to the byte.
    Same,
    /// They differ.
    Different {
        /// The first thing that differs, for example `layer 2: usr/bin/app: other content`.
        first: String,
    },
}

/// Returns the first source, by path, that is not the one of a recipe; nothing when all are.
pub fn differing_source(recipe: &Recipe, now: &Sources) -> Option<String> {
    let (then, now) = (recipe.sources.entries(), now.entries());
    let pair = then.iter().zip(now).find(|(one, other)| one != other);
    let path = match pair {
        Some((one, other)) => Some(one.path.as_str().min(&other.path)),
        None => then.get(now.len()).or_else(|| now.get(then.len())).map(|entry| entry.path.as_str()),
    };
    path.map(str::to_owned)
}

/// Compares a release with what was built again.
///
/// # Errors
/// The registry's own, and the rules of [`BuildError::Base`] for layers that cannot be read.
pub async fn prove(
    registry: &impl Registry,
    release: &BaseImage,
    rebuilt: &Built,
) -> Result<Proof, BuildError> {
    if release.digest == rebuilt.digest {
        return Ok(Proof::Same);
    }
    let repository = &release.repository;
    for image in &rebuilt.platforms {
        let then = match load_image(registry, release, &image.platform).await {
            Ok(then) => then,
            Err(BuildError::Base { rule: "platform", .. }) => {
                return Ok(different(format!("the release has nothing for {}", image.platform)));
            }
            Err(error) => return Err(error),
        };
        let again = BaseImage {
            repository: repository.clone(),
            digest: image.descriptor.digest,
            version: release.version,
        };
        if let Some(first) = compare(registry, &then, &again, image).await? {
            let place =
                if rebuilt.platforms.len() > 1 { format!("{}: ", image.platform) } else { String::new() };
            return Ok(different(place + &first));
        }
    }
    Ok(different("the list of platforms, or annotations of the manifest".to_owned()))
}

fn different(first: String) -> Proof {
    Proof::Different { first }
}

async fn compare(
    registry: &impl Registry,
    then: &LoadedImage,
    again: &BaseImage,
    image: &BuiltPlatform,
) -> Result<Option<String>, BuildError> {
    let pairs = then.layers.iter().zip(&image.layers);
    if let Some(at) = pairs.clone().position(|(one, other)| one.digest != other.digest) {
        let one = then.layer_index(registry, at).await?;
        let again = load_image(registry, again, &image.platform).await?;
        let other = again.layer_index(registry, at).await?;
        let first = first_entry(&one.entries, &other.entries);
        let first = first.unwrap_or_else(|| "the same entries, packed differently".to_owned());
        return Ok(Some(format!("layer {}: {first}", at + 1)));
    }
    if then.layers.len() != image.layers.len() {
        let counts = format!("{} layers, and {} when built again", then.layers.len(), image.layers.len());
        return Ok(Some(counts));
    }
    Ok(first_field(&then.config, &image.config))
}

/// Returns the first entry, by path, that differs.
fn first_entry(one: &[Entry], other: &[Entry]) -> Option<String> {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    loop {
        let (entry, again) = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(entry), None) => return Some(format!("{}: missing when built again", entry.path)),
            (None, Some(again)) => return Some(format!("{}: only when built again", again.path)),
            (Some(entry), Some(again)) => (entry, again),
        };
        match entry.path.cmp(&again.path) {
            Ordering::Less => return Some(format!("{}: missing when built again", entry.path)),
            Ordering::Greater => return Some(format!("{}: only when built again", again.path)),
            Ordering::Equal => {}
        }
        if let Some(what) = difference(entry, again) {
            return Some(format!("{}: {what}", entry.path));
        }
        left.next();
        right.next();
    }
}

fn difference(entry: &Entry, again: &Entry) -> Option<String> {
    if entry.letter() != again.letter() {
        return Some("another kind".to_owned());
    }
    if entry.mode != again.mode {
        return Some(format!("mode {:o}, and {:o} when built again", entry.mode, again.mode));
    }
    if (entry.uid, entry.gid) != (again.uid, again.gid) {
        let owners = (entry.uid, entry.gid, again.uid, again.gid);
        return Some(format!(
            "owner {}:{}, and {}:{} when built again",
            owners.0, owners.1, owners.2, owners.3
        ));
    }
    let is_same = match (&entry.content, &again.content) {
        (Content::Stored(one), Content::Stored(other)) => one.sha256 == other.sha256,
        (Content::Symlink(one), Content::Symlink(other)) => one == other,
        _ => true,
    };
    (!is_same).then(|| "other content".to_owned())
}

/// Returns the first field of the configuration that differs, by its path.
fn first_field(then: &ImageConfig, again: &ImageConfig) -> Option<String> {
    let json = |config: &ImageConfig| serde_json::to_value(config).expect("a configuration has a JSON form");
    field("configuration", &json(then), &json(again))
}

fn field(path: &str, one: &Value, other: &Value) -> Option<String> {
    let mut open = vec![(path.to_owned(), one, other)];
    while let Some((path, one, other)) = open.pop() {
        if one == other {
            continue;
        }
        let (Value::Object(left), Value::Object(right)) = (one, other) else {
            return Some(format!("{path}: {one}, and {other} when built again"));
        };
        let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
        let differing = keys.into_iter().find(|key| left.get(*key) != right.get(*key));
        let Some(key) = differing else { continue };
        let nothing = &Value::Null;
        let (one, other) = (left.get(key).unwrap_or(nothing), right.get(key).unwrap_or(nothing));
        open.push((format!("{path}.{key}"), one, other));
    }
    None
}
