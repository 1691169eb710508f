//! File and folder names that people and other programs see.

/// The project file. Written by people and `ring init`, read by us.
pub const PROJECT_FILE: &str = "rings.toml";

/// The file of external digests beside the project file. Written and read by us, kept in version control.
pub const LOCK_FILE: &str = "rings.lock";

/// The folder of environments beside the project file. Written by people, copied into the root image.
pub const ENVIRONMENTS_FOLDER: &str = "environments";

/// Where images are looked for when the project file declares none.
pub const IMAGES_FOLDER: &str = "images";

/// The folder of what this program keeps on disk. Never part of a build context.
pub const RING_FOLDER: &str = ".ring";

/// The registry of a project that names none.
pub const REGISTRY_DEFAULT: &str = "oci-layout:.ring/registry";

/// What stands before the folder of a registry on disk.
pub const OCI_LAYOUT_PREFIX: &str = "oci-layout:";

/// Names of a containerfile in a build context, the first that exists counts.
pub const CONTAINERFILE_NAMES: [&str; 2] = ["Containerfile", "Dockerfile"];

/// Names of a kustomization, in the order in which kustomize looks for them.
pub const KUSTOMIZATION_NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Arguments that every containerfile is given before its first `FROM`; a project cannot set them.
pub const PREDEFINED_ARGUMENTS: [&str; 11] = [
    "REGISTRY",
    "PROJECT",
    "RING",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDARCH",
    "BUILDVARIANT",
];

/// The first line of the stream that a revision is the hash of. Anyone who checks a revision reads it.
pub const REVISION_HEADER: &str = "rev1\n";

/// The path under which a containerfile stands in a revision, whatever the file is called.
pub const CONTAINERFILE_ENTRY: &str = "Containerfile";

/// The path under which build arguments and target stand in a revision.
pub const ARGUMENTS_ENTRY: &str = "Arguments";

/// The ignore file of a context. Written by people, also read by Docker and Podman.
pub const IGNORE_FILE: &str = ".dockerignore";

/// What a containerfile's own ignore file adds to its name.
pub const IGNORE_SUFFIX: &str = ".dockerignore";

/// Folders that are part of no context, whatever an ignore file says.
pub const NEVER_IN_CONTEXT: [&str; 2] = [".git", RING_FOLDER];

/// What a recipe is pushed as: a referrer of its image, read by `ring why` and `ring prove`.
pub const RECIPE_MEDIA_TYPE: &str = "application/vnd.ringsite.recipe.v1+json";

/// Label: the version of the image. Read by `place`, people and tools.
pub const LABEL_VERSION: &str = "org.opencontainers.image.version";

/// Label: the revision that the image was built from.
pub const LABEL_REVISION: &str = "org.opencontainers.image.revision";

/// Label: `<project>/<image>`.
pub const LABEL_REF_NAME: &str = "org.opencontainers.image.ref.name";

/// Label: the vendor, only when there is one.
pub const LABEL_VENDOR: &str = "org.opencontainers.image.vendor";

/// Beginning of the labels that pin dependencies: `dependency.<image>` is a version.
pub const LABEL_DEPENDENCY_PREFIX: &str = "dependency.";

/// Returns whether this program sets the label, so that no file may.
pub fn is_reserved_label(label: &str) -> bool {
    [LABEL_VERSION, LABEL_REVISION, LABEL_REF_NAME, LABEL_VENDOR].contains(&label)
        || label.starts_with(LABEL_DEPENDENCY_PREFIX)
}
