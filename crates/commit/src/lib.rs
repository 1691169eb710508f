//! One head in a registry that moves atomically.
