//! Every string that other systems see in what this crate writes, with who writes and who reads it.

/// Media type of an OCI image manifest. Written by us for every image and artifact; read by every tool.
pub const MEDIA_TYPE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an OCI image index. Written by us for several platforms; read by every tool.
pub const MEDIA_TYPE_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// Media type of an image's configuration. Written by us and every builder; read by every runtime.
pub const MEDIA_TYPE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Media type of the empty configuration `{}`. Written by us in artifacts; read by nobody.
pub const MEDIA_TYPE_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// Media type of a plain layer. Written by us in the `argo-tar` format; read by every runtime and Argo CD.
pub const MEDIA_TYPE_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Media type of a gzip layer. Written by us and most builders; read by every runtime, Flux and Argo CD.
pub const MEDIA_TYPE_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// Media type of a zstd layer. Written by some builders; read by us.
pub const MEDIA_TYPE_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// Media type of content that nobody described. The default of `put_blob`, replaced by the caller.
pub const MEDIA_TYPE_OCTETS: &str = "application/octet-stream";
/// Media type of Docker's image manifest. Written by Docker and older builders; read by us.
pub const MEDIA_TYPE_DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Media type of Docker's manifest list. Written by Docker; read by us.
pub const MEDIA_TYPE_DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// Media type of Docker's image configuration. Written by Docker; read by us.
pub const MEDIA_TYPE_DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// Media type of Docker's gzip layer. Written by Docker; read by us.
pub const MEDIA_TYPE_DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";

/// Annotation of an entry of `index.json`: `<repository>:<tag>`. Written by us and every tool that
/// writes layouts (most write a bare tag); read by them and us.
pub const ANNOTATION_REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation of an entry of `index.json` without a tag: its repository. Written and read by us.
pub const ANNOTATION_REPOSITORY: &str = "dev.ringsite.repository";
/// The repository of entries of `index.json` that name none. Read by us; other tools write no repository.
pub const FOREIGN_REPOSITORY: &str = "library";

/// The file that makes a folder an OCI image layout. Written by us on the first write; read by every tool.
pub const FILE_OCI_LAYOUT: &str = "oci-layout";
/// The list of manifests of a layout. Written by us as a projection of the tag log; read by every tool,
/// and by us for what other tools changed in it.
pub const FILE_INDEX: &str = "index.json";
/// The folder of all content. Written and read by everybody.
pub const FOLDER_BLOBS: &str = "blobs";
/// Our own folder in a layout, which other tools leave alone. Written and read by us.
pub const FOLDER_OWN: &str = ".ringsite";
/// The tag log in our own folder, the truth about tags and manifests. Written and read by us.
pub const FILE_LOG: &str = "tags.log";
/// The note about the last projection in our own folder. Written and read by us.
pub const FILE_PROJECTED: &str = "projected";
/// The file whose lock orders writers of all processes. Written and read by us.
pub const FILE_LOCK: &str = "lock";
/// The folder of files that are not finished. Written and cleaned by us.
pub const FOLDER_TMP: &str = "tmp";
/// The first word of the tag log's first line. Written and read by us.
pub const LOG_MAGIC: &str = "ringsite-tags";
