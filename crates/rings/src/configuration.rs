//! The configuration in force: rings, root image, sites and gates, as the ledger records them.
//!
//! Nobody opens a gate by editing a file: what counts is the last configuration that was recorded.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position, RingName, SiteName, digest_of};
use serde::{Deserialize, Serialize};

use crate::{Chain, ChainError, Gates, Site};

/// A configuration as it is written down, not checked yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Declaration {
    /// The configured rings, in chain order.
    pub rings: Vec<RingName>,
    /// The root image.
    pub root: ImageName,
    /// The sites, in any order.
    #[serde(default)]
    pub sites: Vec<Site>,
    /// The gates, by the ring that they guard.
    #[serde(default)]
    pub gates: BTreeMap<RingName, Gates>,
}

/// A checked configuration: a valid chain, sites of different names on rings of the chain, gates of
/// rings of the chain. The sites are sorted by name, so their order in a file decides nothing.
///
/// Its JSON is that of [`Declaration`].
///
/// # Examples
/// ```
/// use ringsite_rings::{Configuration, Declaration};
///
/// let declaration: Declaration = serde_json::from_str(
///     r#"{"rings": ["developers", "testers"], "root": "shop"}"#,
/// ).unwrap();
/// let configuration = Configuration::new(declaration).unwrap();
/// assert_eq!(configuration.chain().first().as_str(), "developers");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Declaration", into = "Declaration")]
pub struct Configuration {
    chain: Chain,
    root: ImageName,
    sites: Vec<Site>,
    gates: BTreeMap<RingName, Gates>,
}

/// A declaration that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// The rings make no chain.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// Two sites have one name.
    #[error("site `{site}` is declared twice: give each site a name of its own")]
    SiteTwice {
        /// The site.
        site: SiteName,
    },
    /// A site stands where no site can stand.
    #[error(
        "site `{site}` is on ring `{ring}`, which is no place for a site: use `ante` or a configured ring"
    )]
    SiteRing {
        /// The site.
        site: SiteName,
        /// What it names.
        ring: Position,
    },
    /// A site would lose more than everything.
    #[error("site `{site}` has max_shrink {percent}: expected a percentage from 0 to 100")]
    SiteShrink {
        /// The site.
        site: SiteName,
        /// What it says.
        percent: u8,
    },
    /// A gate guards a ring that is not configured.
    #[error("gates are set for ring `{ring}`, which is not configured")]
    GateRing {
        /// The ring.
        ring: RingName,
    },
}

impl Configuration {
    /// Checks a declaration.
    ///
    /// # Errors
    /// The first contradiction that is found: `Chain`, `SiteTwice`, `SiteRing`, `SiteShrink`, `GateRing`.
    pub fn new(declaration: Declaration) -> Result<Self, ConfigurationError> {
        let Declaration { rings, root, mut sites, gates } = declaration;
        let chain = Chain::new(rings)?;
        sites.sort_by(|left, right| left.name.cmp(&right.name));
        let mut names = BTreeSet::new();
        for site in &sites {
            if !names.insert(&site.name) {
                return Err(ConfigurationError::SiteTwice { site: site.name.clone() });
            }
            if site.ring == Position::Post || !chain.contains(&site.ring) {
                return Err(ConfigurationError::SiteRing {
                    site: site.name.clone(),
                    ring: site.ring.clone(),
                });
            }
            if site.max_shrink > 100 {
                let percent = site.max_shrink;
                return Err(ConfigurationError::SiteShrink { site: site.name.clone(), percent });
            }
        }
        if let Some(ring) = gates.keys().find(|ring| !chain.names().any(|known| known == *ring)) {
            return Err(ConfigurationError::GateRing { ring: ring.clone() });
        }
        Ok(Self { chain, root, sites, gates })
    }

    /// Returns the chain.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Returns the root image.
    pub fn root(&self) -> &ImageName {
        &self.root
    }

    /// Returns the sites, by name.
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// Returns the site of that name.
    pub fn site(&self, name: &SiteName) -> Option<&Site> {
        self.sites.iter().find(|site| site.name == *name)
    }

    /// Returns the gates, by the ring that they guard.
    pub fn gates(&self) -> &BTreeMap<RingName, Gates> {
        &self.gates
    }

    /// Returns the gates that guard `position`; `ante` and `post` have none.
    pub fn gates_of(&self, position: &Position) -> Option<&Gates> {
        match position {
            Position::Ring(ring) => self.gates.get(ring),
            Position::Ante | Position::Post => None,
        }
    }

    /// Returns the digest of the configuration: sha256 of its RFC 8785 form.
    pub fn digest(&self) -> Digest {
        digest_of(self)
    }
}

impl TryFrom<Declaration> for Configuration {
    type Error = ConfigurationError;

    fn try_from(declaration: Declaration) -> Result<Self, ConfigurationError> {
        Self::new(declaration)
    }
}

impl From<Configuration> for Declaration {
    fn from(configuration: Configuration) -> Self {
        Self {
            rings: configuration.chain.into(),
            root: configuration.root,
            sites: configuration.sites,
            gates: configuration.gates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Configuration, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn a_configuration_that_contradicts_itself_is_refused_with_what_is_wrong() {
        let site = r#"{"name":"s","environment":"e","ring":"a"}"#;
        for (json, word) in [
            (r#"{"rings":[],"root":"r"}"#.to_owned(), "no ring"),
            (format!(r#"{{"rings":["a"],"root":"r","sites":[{site},{site}]}}"#), "declared twice"),
            (
                r#"{"rings":["a"],"root":"r","sites":[{"name":"s","environment":"e","ring":"post"}]}"#
                    .to_owned(),
                "no place for a site",
            ),
            (
                r#"{"rings":["a"],"root":"r","sites":[{"name":"s","environment":"e","ring":"b"}]}"#
                    .to_owned(),
                "`b`",
            ),
            (
                r#"{"rings":["a"],"root":"r","sites":[{"name":"s","environment":"e","ring":"a","maxShrink":101}]}"#
                    .to_owned(),
                "0 to 100",
            ),
            (r#"{"rings":["a"],"root":"r","gates":{"b":{}}}"#.to_owned(), "not configured"),
        ] {
            let error = read(&json).unwrap_err();
            assert!(error.contains(word), "{json}: {error}");
        }
        assert!(
            read(r#"{"rings":["a"],"root":"r","sites":[{"name":"s","environment":"e","ring":"ante"}]}"#)
                .is_ok()
        );
    }

    #[test]
    fn the_order_of_sites_in_a_file_decides_nothing() {
        let sites =
            [r#"{"name":"x","environment":"e","ring":"a"}"#, r#"{"name":"y","environment":"e","ring":"a"}"#];
        let of = |first: usize, second: usize| {
            let json =
                format!(r#"{{"rings":["a"],"root":"r","sites":[{},{}]}}"#, sites[first], sites[second]);
            read(&json).unwrap()
        };
        assert_eq!(of(0, 1).digest(), of(1, 0).digest());
        let again: Configuration = serde_json::from_value(serde_json::to_value(of(0, 1)).unwrap()).unwrap();
        assert_eq!(again, of(1, 0));
    }
}
