//! Bounds, each with its reason. What is larger than a bound is refused with the bound's name.

use std::time::Duration;

/// Files below `/environments` of a root image. A large platform keeps some thousands; the rest is a mistake.
pub const TREE_FILES_MAX: usize = 50_000;

/// Bytes of all files below `/environments`. The tree is held in memory, once per root image.
pub const TREE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Bytes of one file below `/environments`. Kubernetes takes no object above 1.5 MiB; charts and
/// bundles of many definitions reach some MiB.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes of a path. Linux takes 4096 for a whole path, and agents put their own folder in front.
pub const PATH_BYTES_MAX: usize = 1024;

/// Bytes that the layers of one root image may unpack to. Every layer is read to its end to look
/// for `/environments`, so this bounds the time that a compression bomb costs.
pub const LAYERS_UNPACKED_BYTES_MAX: u64 = 16 * 1024 * 1024 * 1024;

/// Entries of all layers of one root image. A full distribution has some hundred thousand.
pub const LAYER_ENTRIES_MAX: usize = 4_000_000;

/// Bytes of an extended header (long names, PAX records). A path has at most 4096 bytes.
pub const EXTENDED_HEADER_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of the image config and of the images file that are read into memory.
pub const CONFIG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Bytes of a site's artifact that is read back for the shrink guard and the preview, compressed.
pub const ARTIFACT_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Pieces of a layer on their way from the registry to the thread that unpacks them.
pub const LAYER_PIECES_QUEUED_MAX: usize = 16;

/// Bytes of one YAML file that is parsed. The largest bundles of definitions have some MiB.
pub const YAML_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Documents in one YAML file. A rendered environment of a large platform has some thousands.
pub const YAML_DOCUMENTS_MAX: usize = 20_000;

/// Nodes in one YAML file: 16 MiB of ordinary YAML have about a million.
pub const YAML_NODES_MAX: usize = 2_000_000;

/// Nested collections in YAML. The deepest schemas in use reach about 50.
pub const YAML_DEPTH_MAX: usize = 100;

/// Bytes of the stack of the thread that reads and writes YAML: without optimisation the library takes
/// about 20 KiB for each level of nesting.
pub const YAML_STACK_BYTES: usize = 8 * 1024 * 1024;

/// Aliases in one YAML file, and the nodes that they may copy. People use a handful.
pub const YAML_ALIASES_MAX: usize = 1_000;

/// Nodes that aliases may copy; stops a bomb after a millisecond.
pub const YAML_ALIAS_NODES_MAX: usize = 50_000;

/// Problems that are listed for one environment; nobody repairs more in one go.
pub const PROBLEMS_MAX: usize = 100;

/// Dropped objects that a shrink refusal lists by name.
pub const SHRINK_LISTED_MAX: usize = 10;

/// Time that one `kustomize build` may take. Large overlays with charts need some ten seconds.
pub const RENDER_TIMEOUT: Duration = Duration::from_secs(120);

/// Bytes that `kustomize build` may print.
pub const RENDER_OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of what `kustomize` says on stderr that an error shows.
pub const RENDER_MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// Time that the comparison of one object may take before it becomes coarser.
pub const DIFF_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of the text of one difference that is kept; a screen has some thousand.
pub const DIFF_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the marker of a delivered folder.
pub const MARKER_BYTES_MAX: u64 = 16 * 1024 * 1024;
