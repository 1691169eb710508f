//! What the tests share: a project builder, a fixed clock and a faulty registry.
