//! OCI descriptors, manifests and the registry seam, with a layout on disk and a store in memory.
