//! What a site's agent pulls: the environment, the pins of its root image, and one ConfigMap.
//!
//! Steps 3 and 4 of a placement. Pure: the same root, site and program give the same digest,
//! whenever and however often it is placed.
//!
//! | Input | Where it goes |
//! |--|--|
//! | environment of the root image | first part, `environments/**` |
//! | digests of the project's images, names of the registry | `images:` of `kustomization.yaml` |
//! | site, ring, namespace | `labels:`, `namespace:` |
//! | project, site, ring, version and digest of the root | `ringsite.yaml`, annotations |
//! | format | media types of the manifest |
//! | time of creation of the root, source of the project | annotations |

use std::collections::BTreeMap;
use std::str::FromStr;

use bytes::Bytes;
use ringsite_names::{Digest, EnvironmentName, ImageName, ProjectName, RepositoryName, Tag, Version};
use ringsite_oci::names::{MEDIA_TYPE_CONFIG, MEDIA_TYPE_LAYER, MEDIA_TYPE_LAYER_GZIP};
use ringsite_oci::{Descriptor, ImageConfig, ImageManifest};
use ringsite_rings::Site;
use serde::Serialize;

use crate::closure::Closure;
use crate::names::{
    ANNOTATION_CREATED, ANNOTATION_REVISION, ANNOTATION_SOURCE, ANNOTATION_VERSION, ARTIFACT_TYPE_SITE,
    CONFIG_MAP_KEYS, CONFIG_MAP_PREFIX, ENVIRONMENTS, KUSTOMIZATION, LABEL_RING, LABEL_SITE,
    MEDIA_TYPE_FLUX_CONFIG, MEDIA_TYPE_FLUX_CONTENT, RENDERED_FILE, SITE_FILE, SITES_REPOSITORY,
    TAG_CONTENT_PREFIX, TAG_LATEST,
};
use crate::pack::{End, Packed, Part};
use crate::tree::Tree;
use crate::yaml;

/// The form of the manifest; the tar inside is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// A gzip layer that Flux and Argo CD read as they are installed.
    #[default]
    Default,
    /// As `flux push artifact` writes it; Argo CD refuses it unless told otherwise.
    Flux,
    /// A plain tar layer for Argo CD; Flux cannot read it.
    ArgoTar,
}

/// A word that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format: expected `default`, `flux` or `argo-tar`")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let all = [Self::Default, Self::Flux, Self::ArgoTar];
        let found = all.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| FormatError(text.chars().take(40).collect()))
    }
}

impl Format {
    /// Returns the word that the command line uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flux => "flux",
            Self::ArgoTar => "argo-tar",
        }
    }
}

/// The names under which clusters and manifests know the registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    /// The project's `pull`, when it is set.
    pub pull: Option<String>,
    /// Host and port of the registry; a folder has none.
    pub registry: Option<String>,
}

impl Hosts {
    /// Returns the host that a site's cluster pulls from: its own `pull`, else the project's, else
    /// the registry's. Without one no cluster can pull, which is the warning `not-pullable`.
    pub fn for_site<'a>(&'a self, site: &'a Site) -> Option<&'a str> {
        let host = site.pull.as_deref().or(self.pull.as_deref()).or(self.registry.as_deref());
        host.map(bare_host).filter(|host| !host.is_empty())
    }
}

/// A host as people write it, without scheme and trailing slash.
fn bare_host(text: &str) -> &str {
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    bare.trim_end_matches('/')
}

/// The release that a site gets, as the root image tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The name of the root image.
    pub name: ImageName,
    /// Its version.
    pub version: Version,
    /// Its digest, as the ledger records it.
    pub digest: Digest,
    /// When it was made, in RFC 3339, as its configuration says.
    pub created: Option<String>,
    /// The digest of every other image of the project.
    pub images: BTreeMap<ImageName, Digest>,
}

/// Everything that decides a site's artifact beside the environment.
#[derive(Clone, Copy, Debug)]
pub struct SiteRequest<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The site as it is configured.
    pub site: &'a Site,
    /// The root image on the site's ring.
    pub root: &'a Root,
    /// The names of the registry.
    pub hosts: &'a Hosts,
    /// Where the project's sources are, for the annotation.
    pub source: Option<&'a str>,
}

/// An environment, packed once for all its sites.
#[derive(Clone, Debug)]
pub struct Environment {
    name: EnvironmentName,
    closure: Closure,
    part: Part,
}

impl Environment {
    /// Packs the closure of the environment `name`.
    pub fn new(name: EnvironmentName, closure: Closure) -> Self {
        let part = Part::new(&closure.tree, End::Open);
        Self { name, closure, part }
    }

    /// Returns the name.
    pub fn name(&self) -> &EnvironmentName {
        &self.name
    }

    /// Returns the files and what is known about them.
    pub fn closure(&self) -> &Closure {
        &self.closure
    }

    /// Returns the tree that a site gets: the environment's files and the site's own two.
    ///
    /// This is what kustomize builds; for a site with `render` its output goes to [`rendered`].
    pub fn tree(&self, request: &SiteRequest<'_>) -> Tree {
        let mut tree = self.closure.tree.clone();
        for (path, file) in self.site_tree(request).files() {
            tree.insert_entry(path, file.clone());
        }
        tree
    }

    /// Packs what a site gets.
    pub fn pack(&self, request: &SiteRequest<'_>) -> Packed {
        let site = Part::new(&self.site_tree(request), End::Closed);
        Packed::new(vec![self.part.clone(), site], self.tree(request))
    }

    fn site_tree(&self, request: &SiteRequest<'_>) -> Tree {
        let resources = vec![format!("{ENVIRONMENTS}/{}", self.name), SITE_FILE.to_owned()];
        let mut tree = Tree::new();
        put(&mut tree, KUSTOMIZATION, &kustomization(request, resources));
        put(&mut tree, SITE_FILE, &config_map(request));
        tree
    }
}

/// Packs the output of kustomize over [`Environment::tree`], for a site with `render`.
pub fn rendered(objects: &[u8]) -> Packed {
    let mut tree = Tree::new();
    let only = Kustomization { resources: vec![RENDERED_FILE.to_owned()], ..Kustomization::default() };
    put(&mut tree, KUSTOMIZATION, &yaml::write(&only));
    tree.insert(RENDERED_FILE, objects, false).expect("the name is a constant");
    Packed::new(vec![Part::new(&tree, End::Closed)], tree)
}

fn put(tree: &mut Tree, path: &str, text: &str) {
    tree.insert(path, text.as_bytes(), false).expect("the names are constants");
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kustomization {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    resources: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Labels>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<ImagePin>,
}

impl Default for Kustomization {
    fn default() -> Self {
        Self {
            api_version: "kustomize.config.k8s.io/v1beta1",
            kind: "Kustomization",
            namespace: None,
            resources: Vec::new(),
            labels: Vec::new(),
            images: Vec::new(),
        }
    }
}

/// Labels on the objects alone: in selectors they would break immutable fields, in templates they
/// would restart unchanged pods.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Labels {
    pairs: BTreeMap<&'static str, String>,
    include_selectors: bool,
    include_templates: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ImagePin {
    name: String,
    new_name: String,
    digest: String,
}

fn kustomization(request: &SiteRequest<'_>, resources: Vec<String>) -> String {
    let site = request.site;
    let labels = Labels {
        pairs: BTreeMap::from([(LABEL_RING, site.ring.to_string()), (LABEL_SITE, site.name.to_string())]),
        include_selectors: false,
        include_templates: false,
    };
    yaml::write(&Kustomization {
        namespace: site.namespace.clone(),
        resources,
        labels: vec![labels],
        images: pins(request),
        ..Kustomization::default()
    })
}

/// Pins every image of the project by digest, under every name that an environment may write.
fn pins(request: &SiteRequest<'_>) -> Vec<ImagePin> {
    let project = request.project;
    let pull = request.hosts.for_site(request.site);
    let hosts = [request.hosts.registry.as_deref().map(bare_host), pull];
    let root = (&request.root.name, &request.root.digest);
    let mut pins = BTreeMap::new();
    for (image, digest) in request.root.images.iter().chain([root]) {
        let qualified = format!("{project}/{image}");
        let new_name = pull.map_or_else(|| qualified.clone(), |host| format!("{host}/{qualified}"));
        let mut names = vec![image.to_string(), qualified.clone()];
        names.extend(hosts.iter().flatten().map(|host| format!("{}/{qualified}", escaped(host))));
        for name in names {
            pins.insert(
                name.clone(),
                ImagePin { name, new_name: new_name.clone(), digest: digest.to_string() },
            );
        }
    }
    pins.into_values().collect()
}

/// kustomize 5 reads the name as a regular expression. Brackets of an IPv6 address would be a set of
/// characters there; the dots of a host match themselves too and stay readable.
fn escaped(host: &str) -> String {
    host.replace('[', "\\[").replace(']', "\\]")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigMap {
    api_version: &'static str,
    kind: &'static str,
    metadata: Metadata,
    data: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Metadata {
    name: String,
}

fn config_map(request: &SiteRequest<'_>) -> String {
    let SiteRequest { project, site, root, .. } = request;
    let values = [
        project.to_string(),
        site.name.to_string(),
        site.ring.to_string(),
        root.version.to_string(),
        root.digest.to_string(),
    ];
    yaml::write(&ConfigMap {
        api_version: "v1",
        kind: "ConfigMap",
        metadata: Metadata { name: format!("{CONFIG_MAP_PREFIX}{}", site.name) },
        data: CONFIG_MAP_KEYS.into_iter().zip(values).collect(),
    })
}

/// A site's artifact, ready to be pushed.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// The repository that it belongs into.
    pub repository: RepositoryName,
    /// The version of the root, which becomes a tag.
    pub version: Version,
    /// The format of the manifest.
    pub format: Format,
    /// The archive.
    pub packed: Packed,
    /// Type, digest and size of the layer.
    pub layer: Descriptor,
    /// The content of the configuration.
    pub config: Bytes,
    /// The manifest.
    pub manifest: Bytes,
    /// The digest of the manifest: what agents see, and what the ledger records.
    pub digest: Digest,
}

/// Creation time of a root that has none.
const CREATED_UNKNOWN: &str = "1970-01-01T00:00:00Z";

impl Artifact {
    /// Wraps a packed tree in the manifest of a format.
    ///
    /// # Panics
    /// Never for names of this project: `<project>/sites/<site>` has at most 128 + 7 + 63 characters.
    pub fn new(request: &SiteRequest<'_>, packed: Packed, format: Format) -> Self {
        let SiteRequest { project, site, root, source, .. } = request;
        let created = root.created.clone().unwrap_or_else(|| CREATED_UNKNOWN.to_owned());
        let (layer_type, config_type) = match format {
            Format::Default => (MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_CONFIG),
            Format::Flux => (MEDIA_TYPE_FLUX_CONTENT, MEDIA_TYPE_FLUX_CONFIG),
            Format::ArgoTar => (MEDIA_TYPE_LAYER, MEDIA_TYPE_CONFIG),
        };
        let (digest, pieces): (Digest, Vec<Bytes>) = match format {
            Format::Default | Format::Flux => (packed.digest(), packed.gzip_members().collect()),
            Format::ArgoTar => (packed.diff_id(), packed.tar_pieces().collect()),
        };
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let layer = Descriptor::new(layer_type, digest, size);
        // No cluster runs this as an image, so it names no platform that one could run on.
        let mut config = ImageConfig::new("unknown", "unknown");
        config.created = Some(created.clone());
        config.rootfs.diff_ids = vec![packed.diff_id()];
        let config = Bytes::from(config.to_bytes());
        let mut manifest = ImageManifest::image(Descriptor::of(config_type, &config), vec![layer.clone()])
            .with_annotation(ANNOTATION_VERSION, root.version.to_string())
            .with_annotation(ANNOTATION_REVISION, format!("{}@{}", site.ring, root.digest))
            .with_annotation(ANNOTATION_CREATED, created);
        manifest.artifact_type = Some(ARTIFACT_TYPE_SITE.to_owned());
        if let Some(source) = source.filter(|source| !source.is_empty()) {
            manifest = manifest.with_annotation(ANNOTATION_SOURCE, source);
        }
        let manifest = Bytes::from(manifest.to_bytes());
        let digest = Digest::sha256(&manifest);
        let repository = repository(project, site);
        Self { repository, version: root.version, format, packed, layer, config, manifest, digest }
    }

    /// Returns the pieces of the layer.
    pub fn layer_pieces(&self) -> Vec<Bytes> {
        match self.format {
            Format::Default | Format::Flux => self.packed.gzip_members().collect(),
            Format::ArgoTar => self.packed.tar_pieces().collect(),
        }
    }

    /// Returns the create-only tag of the content.
    pub fn content_tag(&self) -> Tag {
        let text = format!("{TAG_CONTENT_PREFIX}{}", self.layer.digest.short(16));
        Tag::new(&text).expect("hex digits make a tag")
    }

    /// Returns the tag of the root's version; formats that are not the default have a suffix.
    pub fn version_tag(&self) -> Tag {
        self.format_tag(&self.version.to_string())
    }

    /// Returns the tag that moves with the site: `latest`, `latest-flux` or `latest-argo-tar`.
    pub fn latest_tag(&self) -> Tag {
        self.format_tag(TAG_LATEST)
    }

    fn format_tag(&self, name: &str) -> Tag {
        let text = match self.format {
            Format::Default => name.to_owned(),
            other => format!("{name}-{}", other.as_str()),
        };
        Tag::new(&text).expect("versions and the names of formats make tags")
    }
}

/// Returns the repository of a site's artifact, `<project>/sites/<site>`.
///
/// # Panics
/// Never for names of this project: it has at most 128 + 7 + 63 characters.
pub fn repository(project: &ProjectName, site: &Site) -> RepositoryName {
    let rest = format!("{SITES_REPOSITORY}/{}", site.name);
    project.repository(&rest).expect("project and site names make a repository name")
}
