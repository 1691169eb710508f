//! Builds images: a native reproducible builder and external builders.
