//! The `ring` program.

fn main() {}
