//! Strings that other systems see, each with who writes and who reads it.

/// Folder of a root image, and of a site's artifact, that holds the environments.
/// Written by containerfiles, read here and by people.
pub const ENVIRONMENTS: &str = "environments";

/// File of a root image that names the digest of every image of the project.
/// Written by the builder as the last layer of the root image, read here.
pub const IMAGES_FILE: &str = ".ring/images.json";

/// File at the top of a site's artifact that agents build. Read by Flux, Argo CD and kustomize.
pub const KUSTOMIZATION: &str = "kustomization.yaml";

/// The names under which kustomize looks for the file of a folder, in its own order.
pub const KUSTOMIZATION_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// File at the top of a site's artifact with the site's own ConfigMap. Read by kustomize.
pub const SITE_FILE: &str = "ringsite.yaml";

/// File at the top of a rendered artifact with every object. Read by kustomize.
pub const RENDERED_FILE: &str = "rendered.yaml";

/// Prefix of the name of the site's own ConfigMap; read back from clusters and by the shrink guard.
pub const CONFIG_MAP_PREFIX: &str = "ringsite-";

/// Keys of the site's own ConfigMap; read back from clusters.
pub const CONFIG_MAP_KEYS: [&str; 5] = ["project", "site", "ring", "rootVersion", "rootDigest"];

/// Label with the name of the site, on every object of a site. Read by people and selectors.
pub const LABEL_SITE: &str = "ringsite.dev/site";

/// Label with the name of the ring, on every object of a site. Read by people and selectors.
pub const LABEL_RING: &str = "ringsite.dev/ring";

/// Type of a site's artifact in its manifest. Written here; read by our own tools only.
pub const ARTIFACT_TYPE_SITE: &str = "application/vnd.ringsite.site.v1+json";

/// Config of the `flux` format, as `flux push artifact` writes it.
pub const MEDIA_TYPE_FLUX_CONFIG: &str = "application/vnd.cncf.flux.config.v1+json";

/// Layer of the `flux` format, as `flux push artifact` writes it. Not in Argo CD's default list.
pub const MEDIA_TYPE_FLUX_CONTENT: &str = "application/vnd.cncf.flux.content.v1.tar+gzip";

/// Annotation with the root's version. Read by Argo CD and people.
pub const ANNOTATION_VERSION: &str = "org.opencontainers.image.version";

/// Annotation with `<ring>@<root digest>`. Read by Flux (events, origin revision) and people.
pub const ANNOTATION_REVISION: &str = "org.opencontainers.image.revision";

/// Annotation with the root's own time of creation. Read by Argo CD and people.
pub const ANNOTATION_CREATED: &str = "org.opencontainers.image.created";

/// Annotation with the address of the project's sources. Read by Flux and Argo CD.
pub const ANNOTATION_SOURCE: &str = "org.opencontainers.image.source";

/// Prefix of the create-only tag of a site's artifact; 16 hex digits of the layer digest follow.
pub const TAG_CONTENT_PREFIX: &str = "c-";

/// The moving tag of a site's artifact. Read by Flux, Argo CD and the shrink guard.
pub const TAG_LATEST: &str = "latest";

/// Part of the repository name of a site's artifact, `<project>/sites/<site>`.
pub const SITES_REPOSITORY: &str = "sites";

/// File that marks a folder as written by us and lists what we wrote. Written and read here.
pub const DELIVERY_MARKER: &str = ".ringsite.json";
