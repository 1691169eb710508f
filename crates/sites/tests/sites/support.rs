//! Trees, sites, roots and layers for the tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use ringsite_names::{Digest, EnvironmentName, ImageName, ProjectName, RepositoryName, SiteName};
use ringsite_oci::names::{MEDIA_TYPE_CONFIG, MEDIA_TYPE_LAYER_GZIP, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{Descriptor, ImageConfig, ImageManifest, Memory, Put, Registry};
use ringsite_rings::Site;
use ringsite_sites::{Environment, Hosts, Root, SiteRequest, Tree, closure};
use tar::{EntryType, Header};

/// The parts of a small project: an overlay on a base.
pub(crate) const SOURCES: [(&str, &str); 5] = [
    ("environments/base/kustomization.yaml", "resources:\n- deployment.yaml\n- service.yaml\n"),
    (
        "environments/base/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: api\nspec:\n  selector:\n    matchLabels: {app: api}\n  \
         template:\n    metadata:\n      labels: {app: api}\n    spec:\n      containers:\n      - name: api\n        image: api\n",
    ),
    (
        "environments/base/service.yaml",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: api\nspec:\n  selector: {app: api}\n  ports:\n  - port: 80\n",
    ),
    (
        "environments/test/kustomization.yaml",
        "resources:\n- ../base\nconfigMapGenerator:\n- name: settings\n  files:\n  - settings.ini\n",
    ),
    ("environments/test/settings.ini", "level=debug\n"),
];

pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::new();
    for (path, text) in files {
        tree.insert(path, text.as_bytes(), false).unwrap();
    }
    tree
}

pub(crate) fn environment(name: &str, tree: &Tree) -> Environment {
    let name = EnvironmentName::new(name).unwrap();
    Environment::new(name.clone(), closure(tree, &name).unwrap())
}

/// A site from JSON beyond the three keys that every site has.
pub(crate) fn site(more: &str) -> Site {
    let comma = if more.is_empty() { "" } else { "," };
    let json = format!(r#"{{"name":"eu-test","environment":"test","ring":"testers"{comma}{more}}}"#);
    serde_json::from_str(&json).unwrap()
}

pub(crate) fn project() -> ProjectName {
    ProjectName::new("acme/shop").unwrap()
}

pub(crate) fn site_repository() -> RepositoryName {
    RepositoryName::new("acme/shop/sites/eu-test").unwrap()
}

pub(crate) fn root() -> Root {
    let image = |name: &str| (ImageName::new(name).unwrap(), Digest::sha256(name.as_bytes()));
    Root {
        name: ImageName::new("shop").unwrap(),
        version: "1.4.2".parse().unwrap(),
        digest: Digest::sha256(b"root"),
        created: Some("2026-11-21T06:00:00Z".to_owned()),
        images: BTreeMap::from([image("api"), image("web")]),
    }
}

pub(crate) fn hosts(registry: Option<&str>, pull: Option<&str>) -> Hosts {
    Hosts { registry: registry.map(str::to_owned), pull: pull.map(str::to_owned) }
}

/// Everything that a request borrows.
pub(crate) struct Parts {
    pub(crate) project: ProjectName,
    pub(crate) site: Site,
    pub(crate) root: Root,
    pub(crate) hosts: Hosts,
}

impl Parts {
    pub(crate) fn new(site: Site) -> Self {
        Self { project: project(), site, root: root(), hosts: hosts(Some("localhost:5000"), None) }
    }

    pub(crate) fn request(&self) -> SiteRequest<'_> {
        SiteRequest {
            project: &self.project,
            site: &self.site,
            root: &self.root,
            hosts: &self.hosts,
            source: Some("https://example.com/shop"),
        }
    }
}

pub(crate) fn site_name() -> SiteName {
    SiteName::new("eu-test").unwrap()
}

/// One raw entry of a layer, so that archives can be written that no library would write.
pub(crate) struct Raw<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: u8,
    pub(crate) link: &'a str,
    pub(crate) content: &'a [u8],
}

pub(crate) fn file<'a>(name: &'a str, content: &'a str) -> Raw<'a> {
    Raw { name, kind: b'0', link: "", content: content.as_bytes() }
}

pub(crate) fn special<'a>(name: &'a str, kind: u8, link: &'a str) -> Raw<'a> {
    Raw { name, kind, link, content: b"" }
}

pub(crate) fn layer(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..entry.name.len()].copy_from_slice(entry.name.as_bytes());
        header.as_old_mut().linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_entry_type(EntryType::new(entry.kind));
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(entry.content.len() as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn root_repository() -> RepositoryName {
    RepositoryName::new("acme/shop/shop").unwrap()
}

/// Pushes an image of these layers and returns its digest.
pub(crate) async fn push_image(registry: &Memory, layers: &[Vec<u8>]) -> Digest {
    let repository = root_repository();
    let mut descriptors = Vec::new();
    for layer in layers {
        let bytes = Bytes::from(layer.clone());
        descriptors.push(registry.put_bytes(&repository, MEDIA_TYPE_LAYER_GZIP, bytes).await.unwrap());
    }
    let mut config = ImageConfig::new("linux", "amd64");
    config.created = Some("2026-11-21T06:00:00Z".to_owned());
    let bytes = Bytes::from(config.to_bytes());
    let config = registry.put_bytes(&repository, MEDIA_TYPE_CONFIG, bytes).await.unwrap();
    let manifest = ImageManifest::image(config, descriptors);
    put_manifest(registry, MEDIA_TYPE_MANIFEST, manifest.to_bytes()).await
}

pub(crate) async fn put_manifest(registry: &Memory, media_type: &str, bytes: Vec<u8>) -> Digest {
    registry.put_manifest(&root_repository(), &Put::by_digest(), media_type, bytes.into()).await.unwrap()
}

pub(crate) fn descriptor(media_type: &str, digest: Digest) -> Descriptor {
    Descriptor::new(media_type, digest, 1)
}

/// The file with the digests of the project's images.
pub(crate) fn images_file() -> String {
    let digest = Digest::sha256(b"api");
    format!(
        r#"{{"images":{{"api":{{"digest":"{digest}","version":"0.3.1"}}}},"project":"acme/shop","schema":1}}"#
    )
}
