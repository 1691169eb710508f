//! Every string that other programs, or later versions of this one, see in what this crate writes.

/// What a recipe says about images that the native builder made. Stored in recipes, read by people.
/// The number changes whenever the same inputs would give other bytes.
pub const BUILT_BY_NATIVE: &str = "native/1";

/// Where the pins of a root image stand in it. Written by us, read by `place` and by people.
pub const PINS_FILE: &str = ".ring/images.json";

/// The label of the root of the cache key of a layer. Written and read by us.
pub(crate) const LAYER_KEY_HEADER: &str = "layer1\n";
/// The folder of the layer cache below the cache folder. Written and read by us.
pub(crate) const CACHE_LAYERS: &str = "layers";
/// The folder of the indexes of base layers below the cache folder. Written and read by us.
pub(crate) const CACHE_BASES: &str = "bases";
/// The folder below the cache folder where external builders work. Written and read by us.
pub(crate) const CACHE_BUILDS: &str = "builds";
/// Beginning of the names of folders of single builds there. Written and read by us.
pub(crate) const BUILD_FOLDER_PREFIX: &str = "build-";
/// Beginning of the names under which docker buildx is given images. Written by us, read by it.
pub(crate) const BUILD_CONTEXT_PREFIX: &str = "ringsite-image-";
/// The first line of a cached index. Another form gets another number.
pub(crate) const INDEX_MAGIC: &str = "ringsite-index-1";

/// Beginning of the names of files that take something away from a lower layer. Specified by OCI.
pub(crate) const WHITEOUT_PREFIX: &str = ".wh.";
/// The file that takes away everything that lower layers have in its folder. Specified by OCI.
pub(crate) const WHITEOUT_OPAQUE: &str = ".wh..wh..opq";

/// The search path of an image from nothing, as other builders set it.
pub(crate) const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The folder below the project where copies of external images are kept. Read by builds and `prove`.
pub const EXTERNAL_FOLDER: &str = "external";
/// Beginning of the tag that keeps a copy of an external image alive; 16 hex digits follow.
pub const PIN_TAG_PREFIX: &str = "pin-";
/// Media type of the bytes of a pinned index of which only some children were copied. Written and read by us.
pub const MEDIA_TYPE_EXTERNAL_INDEX: &str = "application/vnd.ringsite.external-index.v1+json";
/// The host of references that name none. Docker's convention.
pub(crate) const DEFAULT_HOST: &str = "docker.io";

/// Media type of the software bill of materials. Read by scanners.
pub const MEDIA_TYPE_SPDX: &str = "application/spdx+json";
