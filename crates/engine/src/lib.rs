//! The operations that a person asks for, from plan to placement.
