//! RFC 8785 JSON, the one form in which anything of ours is hashed.

use serde::Serialize;

use crate::Digest;

/// Returns the RFC 8785 form of `value`: keys sorted by UTF-16 code units, no white space.
///
/// # Panics
/// When `value` cannot be JSON at all (a map whose keys are not strings, a non-finite number).
/// Every type that reaches this function is ours, so that is a bug and not bad input.
pub fn canonical_json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("our own types always have a JSON form")
}

/// Returns the sha256 of the RFC 8785 form of `value`.
///
/// # Examples
/// ```
/// use ringsite_names::{Digest, digest_of};
/// let value = serde_json::json!({"b": 1, "a": []});
/// assert_eq!(digest_of(&value), Digest::sha256(br#"{"a":[],"b":1}"#));
/// ```
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    Digest::sha256(&canonical_json(value))
}
