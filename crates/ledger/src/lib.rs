//! The hash-chained record of every operation, kept in the registry.
