//! What the project's files declare beside what is in force.
//!
//! A `release` takes over what a changed file adds. What it would take away, rename or alter needs
//! `ring config apply`, so that an old checkout never takes anything away.

use ringsite_names::RingName;
use serde_json::{Map, Value};

use crate::{Configuration, Gates, Site};

/// The differences between what is in force and what is declared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// What the declaration adds: rings, sites, gates, keys that were not set.
    pub additions: Vec<Difference>,
    /// What the declaration would remove, rename or alter.
    pub alterations: Vec<Difference>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key in `rings.toml`, for example `sites.eu-test.ring`.
    pub key: String,
    /// The difference in words.
    pub message: String,
}

impl Differences {
    /// Returns whether both are the same.
    pub fn is_empty(&self) -> bool {
        self.additions.is_empty() && self.alterations.is_empty()
    }

    fn add(&mut self, key: impl Into<String>, message: String) {
        self.additions.push(Difference { key: key.into(), message });
    }

    fn alter(&mut self, key: impl Into<String>, message: String) {
        self.alterations.push(Difference { key: key.into(), message });
    }
}

/// Compares the configuration in force with a declared one.
///
/// A key that is set for the first time is an addition, with two exceptions that loosen: a larger
/// `max_shrink`, and `hotfix`. Any change of a key that was set is an alteration, because a gate
/// cannot be weighed by its text.
///
/// # Examples
/// ```
/// use ringsite_rings::{Configuration, differences};
///
/// let read = |json: &str| serde_json::from_str::<Configuration>(json).unwrap();
/// let in_force = read(r#"{"rings": ["developers", "users"], "root": "shop"}"#);
/// let more = read(r#"{"rings": ["developers", "testers", "users"], "root": "shop"}"#);
/// assert_eq!(differences(&in_force, &more).additions.len(), 1);
/// assert!(differences(&in_force, &more).alterations.is_empty());
/// assert_eq!(differences(&more, &in_force).alterations.len(), 1);
/// ```
pub fn differences(in_force: &Configuration, declared: &Configuration) -> Differences {
    let mut found = Differences::default();
    compare_rings(&mut found, in_force, declared);
    if in_force.root() != declared.root() {
        found.alter("root", format!("root image {} becomes {}", in_force.root(), declared.root()));
    }
    compare_sites(&mut found, in_force, declared);
    compare_gates(&mut found, in_force, declared);
    found
}

fn compare_rings(found: &mut Differences, in_force: &Configuration, declared: &Configuration) {
    let (old, new): (Vec<&RingName>, Vec<&RingName>) =
        (in_force.chain().names().collect(), declared.chain().names().collect());
    for ring in new.iter().filter(|ring| !old.contains(ring)) {
        found.add("rings", format!("ring {ring} is added"));
    }
    for ring in old.iter().filter(|ring| !new.contains(ring)) {
        found.alter("rings", format!("ring {ring} is removed"));
    }
    let kept_old: Vec<&&RingName> = old.iter().filter(|ring| new.contains(ring)).collect();
    let kept_new: Vec<&&RingName> = new.iter().filter(|ring| old.contains(ring)).collect();
    if kept_old != kept_new {
        let names =
            |rings: &[&&RingName]| rings.iter().map(|ring| ring.as_str()).collect::<Vec<_>>().join(", ");
        found.alter("rings", format!("the order {} becomes {}", names(&kept_old), names(&kept_new)));
    }
}

fn compare_sites(found: &mut Differences, in_force: &Configuration, declared: &Configuration) {
    for site in declared.sites() {
        let key = format!("sites.{}", site.name);
        match in_force.site(&site.name) {
            None => found.add(key, format!("site {} is added", site.name)),
            Some(old) if old != site => compare_site(found, &key, old, site),
            Some(_) => {}
        }
    }
    for old in in_force.sites().iter().filter(|old| declared.site(&old.name).is_none()) {
        found.alter(format!("sites.{}", old.name), format!("site {} is removed", old.name));
    }
}

fn compare_site(found: &mut Differences, key: &str, old: &Site, new: &Site) {
    let (mut before, mut after) = (object(old), object(new));
    let shrink = "maxShrink";
    before.remove(shrink);
    after.remove(shrink);
    if old.max_shrink != new.max_shrink {
        let message = format!("{key}.max_shrink {} becomes {}", old.max_shrink, new.max_shrink);
        let key = format!("{key}.max_shrink");
        if new.max_shrink < old.max_shrink { found.add(key, message) } else { found.alter(key, message) }
    }
    compare_objects(found, key, &before, &after);
}

fn compare_gates(found: &mut Differences, in_force: &Configuration, declared: &Configuration) {
    let (old, new) = (in_force.gates(), declared.gates());
    for ring in old.keys().chain(new.keys().filter(|ring| !old.contains_key(*ring))) {
        let none = Gates::default();
        let before = object(old.get(ring).unwrap_or(&none));
        let mut after = object(new.get(ring).unwrap_or(&none));
        let key = format!("gates.{ring}");
        if !before.contains_key("hotfix")
            && let Some(hotfix) = after.remove("hotfix")
        {
            // It stands in for other gates, so setting it loosens them.
            found.alter(format!("{key}.hotfix"), format!("{key}.hotfix is set to {hotfix}"));
        }
        compare_objects(found, &key, &before, &after);
    }
}

/// Compares two objects key by key; an object inside is compared in the same way. Both come from
/// our own types, so the depth is that of the types.
fn compare_objects(found: &mut Differences, key: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
    for (name, value) in new {
        let key = format!("{key}.{}", toml_key(name));
        match old.get(name) {
            None => found.add(&key, format!("{key} is set to {value}")),
            Some(before) if before == value => {}
            Some(Value::Object(before)) if value.is_object() => {
                compare_objects(found, &key, before, value.as_object().unwrap_or(&Map::new()));
            }
            Some(before) => found.alter(&key, format!("{key} {before} becomes {value}")),
        }
    }
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        let key = format!("{key}.{}", toml_key(name));
        found.alter(&key, format!("{key} {value} is removed"));
    }
}

fn object<T: serde::Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Returns a key as `rings.toml` writes it. Names that people chose (environment variables) stay.
fn toml_key(key: &str) -> &str {
    match key {
        "kustomizeOptions" => "kustomize_options",
        "serviceAccount" => "service_account",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(rings: &str, sites: &str, gates: &str) -> Configuration {
        let json = format!(r#"{{"rings":[{rings}],"root":"shop","sites":[{sites}],"gates":{{{gates}}}}}"#);
        serde_json::from_str(&json).unwrap()
    }

    fn keys(differences: &[Difference]) -> Vec<&str> {
        differences.iter().map(|difference| difference.key.as_str()).collect()
    }

    #[test]
    fn rings_and_root_are_compared_as_a_chain() {
        let three = configuration(r#""a","b","c""#, "", "");
        for (rings, additions, alterations) in [
            (r#""a","b","c""#, 0, 0),
            (r#""x","a","b","y","c","z""#, 3, 0),
            (r#""a","c""#, 0, 1),
            (r#""c","b","a""#, 0, 1),
            (r#""a","renamed","c""#, 1, 1),
        ] {
            let found = differences(&three, &configuration(rings, "", ""));
            assert_eq!((found.additions.len(), found.alterations.len()), (additions, alterations), "{rings}");
        }
        let other: Configuration = serde_json::from_str(r#"{"rings":["a","b","c"],"root":"other"}"#).unwrap();
        assert_eq!(keys(&differences(&three, &other).alterations), ["root"]);
    }

    #[test]
    fn a_key_that_was_not_set_is_an_addition_and_everything_else_an_alteration() {
        let site = |more: &str| {
            configuration(r#""a","b""#, &format!(r#"{{"name":"s","environment":"e","ring":"a"{more}}}"#), "")
        };
        let plain = site("");
        for (more, key, is_addition) in [
            (r#","namespace":"n""#, "sites.s.namespace", true),
            (r#","deliver":["flux"]"#, "sites.s.deliver", true),
            (r#","kustomizeOptions":"--enable-helm""#, "sites.s.kustomize_options", true),
            (r#","job":{"serviceAccount":"x"}"#, "sites.s.job", true),
            (r#","render":true"#, "sites.s.render", true),
            (r#","maxShrink":20"#, "sites.s.max_shrink", true),
            (r#","maxShrink":60"#, "sites.s.max_shrink", false),
        ] {
            let found = differences(&plain, &site(more));
            let expected: (&[&str], &[&str]) = if is_addition { (&[key], &[]) } else { (&[], &[key]) };
            assert_eq!((&*keys(&found.additions), &*keys(&found.alterations)), expected, "{more}");
            let back = differences(&site(more), &plain);
            assert!(!back.is_empty());
            if key != "sites.s.max_shrink" {
                assert_eq!(keys(&back.alterations), [key], "{more}");
            }
        }
        let job = |env: &str| site(&format!(r#","job":{{"env":{{{env}}}}}"#));
        let found = differences(&job(r#""A":"1""#), &job(r#""A":"2","B":"1""#));
        assert_eq!(keys(&found.additions), ["sites.s.job.env.B"]);
        assert_eq!(keys(&found.alterations), ["sites.s.job.env.A"]);
    }

    #[test]
    fn a_site_that_moves_or_leaves_is_an_alteration() {
        let of = |name: &str, ring: &str, environment: &str| {
            let site = format!(r#"{{"name":"{name}","environment":"{environment}","ring":"{ring}"}}"#);
            configuration(r#""a","b""#, &site, "")
        };
        let plain = of("s", "a", "e");
        assert_eq!(keys(&differences(&plain, &of("s", "b", "e")).alterations), ["sites.s.ring"]);
        assert_eq!(keys(&differences(&plain, &of("s", "a", "f")).alterations), ["sites.s.environment"]);
        let renamed = differences(&plain, &of("t", "a", "e"));
        assert_eq!(
            (keys(&renamed.additions), keys(&renamed.alterations)),
            (vec!["sites.t"], vec!["sites.s"])
        );
    }

    #[test]
    fn a_new_gate_is_an_addition_and_a_looser_or_changed_one_an_alteration() {
        let of = |gates: &str| configuration(r#""a","b""#, "", gates);
        let plain = of(r#""b":{"soak":"24h"}"#);
        for (gates, additions, alterations) in [
            (r#""b":{"soak":"24h","require":["sbom"]}"#, vec!["gates.b.require"], vec![]),
            (r#""b":{"soak":"24h"},"a":{"soak":"1h"}"#, vec!["gates.a.soak"], vec![]),
            (r#""b":{"soak":"1h"}"#, vec![], vec!["gates.b.soak"]),
            ("", vec![], vec!["gates.b.soak"]),
            (r#""b":{"soak":"24h","hotfix":"approvals"}"#, vec![], vec!["gates.b.hotfix"]),
        ] {
            let found = differences(&plain, &of(gates));
            assert_eq!(
                (keys(&found.additions), keys(&found.alterations)),
                (additions, alterations),
                "{gates}"
            );
        }
    }
}
