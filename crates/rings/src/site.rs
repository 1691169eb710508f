//! A site as it is declared: an environment on a ring, and how its artifact is delivered.

use std::collections::BTreeMap;

use ringsite_names::{EnvironmentName, Position, SiteName};
use serde::{Deserialize, Serialize};

use crate::limits::MAX_SHRINK_DEFAULT;

/// One site: the ring decides the version, the environment decides the kustomization.
///
/// Optional values that are not set are not written, so that a key that a later version adds does
/// not change the digest of a configuration that does not use it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Site {
    /// The name; unique in the configuration.
    pub name: SiteName,
    /// The environment, a Kustomize overlay.
    pub environment: EnvironmentName,
    /// The ring that decides what the site gets: `ante` or a configured ring, never `post`.
    pub ring: Position,
    /// The namespace that is set on every object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How the artifact reaches the site; empty means that the artifact is only published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deliver: Vec<Deliver>,
    /// The kubeconfig context of the site's cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The name under which the site's cluster knows the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull: Option<String>,
    /// The percentage of objects that the site may lose at once, 0 to 100.
    #[serde(default = "max_shrink_default")]
    pub max_shrink: u8,
    /// Whether the artifact holds rendered objects instead of the sources.
    #[serde(default, skip_serializing_if = "is_false")]
    pub render: bool,
    /// Who publishes the artifact to Flux.
    #[serde(default, skip_serializing_if = "SiteSource::is_default")]
    pub source: SiteSource,
    /// Options that the site's agent hands to kustomize, for example `--enable-helm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kustomize_options: Option<String>,
    /// The job that installs the release, for delivery as `job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
}

/// A way in which a site gets its artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deliver {
    /// The tree is written into a folder.
    Files,
    /// Flux pulls it.
    Flux,
    /// Argo CD pulls it.
    Argocd,
    /// The root image runs as a job on the site.
    Job,
    /// The objects are applied by the program itself.
    Apply,
}

impl Deliver {
    /// Returns the word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Flux => "flux",
            Self::Argocd => "argocd",
            Self::Job => "job",
            Self::Apply => "apply",
        }
    }
}

/// Who publishes a site's artifact to Flux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteSource {
    /// The registry, polled by Flux.
    #[default]
    Oci,
    /// The controller, as a Flux `ExternalArtifact`.
    ExternalArtifact,
}

impl SiteSource {
    /// Returns the word that the configuration uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Oci => "oci",
            Self::ExternalArtifact => "external-artifact",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The job that installs a release on its site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// The command; empty means the root image's own entrypoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The service account that the job runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// How long the job may take, for example `10m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Environment variables of the job.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

fn max_shrink_default() -> u8 {
    MAX_SHRINK_DEFAULT
}

fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_with_three_keys_has_the_defaults_and_writes_no_more_than_it_says() {
        let json = r#"{"name":"eu-test","environment":"test","ring":"testers"}"#;
        let site: Site = serde_json::from_str(json).unwrap();
        assert_eq!(site.max_shrink, 50);
        assert_eq!(site.source, SiteSource::Oci);
        assert!(!site.render && site.deliver.is_empty() && site.job.is_none());
        let written = serde_json::to_string(&site).unwrap();
        assert_eq!(written, r#"{"name":"eu-test","environment":"test","ring":"testers","maxShrink":50}"#);
    }

    #[test]
    fn every_word_of_a_site_is_written_as_it_is_said() {
        for deliver in [Deliver::Files, Deliver::Flux, Deliver::Argocd, Deliver::Job, Deliver::Apply] {
            assert_eq!(serde_json::to_value(deliver).unwrap(), deliver.as_str());
        }
        for source in [SiteSource::Oci, SiteSource::ExternalArtifact] {
            assert_eq!(serde_json::to_value(source).unwrap(), source.as_str());
        }
    }
}
