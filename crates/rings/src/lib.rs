//! The pure rules of rings: chain, state, version rule, plans and refusals.
