//! One operation as the ledger keeps it.
//!
//! | Digest | sha256 of |
//! |--|--|
//! | entry | the RFC 8785 form of the entry without `signature` |
//!
//! An entry is stored as one line: its RFC 8785 form, `signature` included. What was read is judged
//! by its line, never by writing it again, so fields of a newer program stay under the digest.

use ringsite_names::{Digest, ImageName, Position, Timestamp, canonical_json};
use ringsite_rings::{Change, Delta, GateFinding, PastMove, Release};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::body::Body;
use crate::kind::Kind;
use crate::operation::OperationId;
use crate::seen::Place;

/// The form of entries that this program writes and reads.
pub(crate) const SCHEMA: u32 = 1;

/// One entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The form of the entry, 1.
    pub schema: u32,
    /// Its number; the first entry is 1, and there are no gaps.
    pub sequence: u64,
    /// The digest of the entry before; none for the first.
    pub parent: Option<Digest>,
    /// The id of the intent that it fulfils.
    pub operation_id: OperationId,
    /// The digest of what was asked for.
    pub request: Digest,
    /// What it records.
    pub kind: Kind,
    /// Who.
    pub actor: String,
    /// Why, when somebody said so.
    pub reason: Option<String>,
    /// When, by the clock of the machine that wrote it.
    pub at: Timestamp,
    /// The state digest after it.
    pub state: Digest,
    /// New releases, in the order in which they enter the running hash.
    pub releases: Vec<NewRelease>,
    /// What changes on the rings, in the order in which it is applied.
    pub delta: Vec<Delta>,
    /// What belongs to the kind.
    pub body: Body,
    /// The gates that were judged, with what they were judged on.
    pub gates: Vec<GateOutcome>,
    /// The signature of the entry's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
}

/// A release at the place where it is written: in the entry that creates it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRelease {
    /// The image.
    pub image: ImageName,
    /// The release.
    pub release: Release,
}

/// One gate as it was judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateOutcome {
    /// The gate, named as its key in `rings.toml`.
    pub gate: String,
    /// The ring that it guards.
    pub ring: Position,
    /// Whether it was met; none when nobody could tell.
    pub met: Option<bool>,
    /// What it was judged on.
    pub detail: String,
}

impl From<&GateFinding> for GateOutcome {
    fn from(finding: &GateFinding) -> Self {
        Self {
            gate: finding.gate.as_str().to_owned(),
            ring: finding.ring.clone(),
            met: finding.met,
            detail: finding.detail.clone(),
        }
    }
}

/// A signature of an entry's digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// The public key, or its name.
    pub key: String,
    /// The signature in base64.
    pub value: String,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The line is not JSON, or a field has not the form that it must have.
    #[error("is no entry: {0}")]
    Form(String),
    /// The entry has a form of a newer program.
    #[error("entry {sequence} has schema {schema}, which this program does not know")]
    Schema {
        /// Its number.
        sequence: u64,
        /// Its schema.
        schema: u32,
    },
}

/// The fields of an entry with the body not yet read, because the kind decides its shape.
#[derive(Deserialize)]
struct Raw {
    schema: u32,
    sequence: u64,
    parent: Option<Digest>,
    operation_id: OperationId,
    request: Digest,
    kind: Kind,
    actor: String,
    reason: Option<String>,
    at: Timestamp,
    state: Digest,
    releases: Vec<NewRelease>,
    delta: Vec<Delta>,
    body: Value,
    gates: Vec<GateOutcome>,
    signature: Option<Signature>,
}

#[derive(Deserialize)]
struct Form {
    schema: u32,
    #[serde(default)]
    sequence: u64,
}

impl Entry {
    /// Returns the digest of the entry, which names it for ever. The signature is not part of it.
    pub fn digest(&self) -> Digest {
        if self.signature.is_none() {
            return Digest::sha256(&canonical_json(self));
        }
        let unsigned = Self { signature: None, ..self.clone() };
        Digest::sha256(&canonical_json(&unsigned))
    }

    /// Returns the number and the digest.
    pub fn place(&self) -> Place {
        Place { sequence: self.sequence, digest: self.digest() }
    }

    /// Returns what the entry does to a state.
    pub fn change(&self) -> Change {
        Change {
            configuration: self.body.configuration().cloned(),
            releases: self.releases.iter().map(|new| (new.image.clone(), new.release.clone())).collect(),
            delta: self.delta.clone(),
        }
    }
}

impl TryFrom<Raw> for Entry {
    type Error = EntryError;

    fn try_from(raw: Raw) -> Result<Self, EntryError> {
        let body = Body::from_value(&raw.kind, raw.body).map_err(|error| {
            EntryError::Form(format!("the body of entry {} ({}): {error}", raw.sequence, raw.kind))
        })?;
        Ok(Self {
            schema: raw.schema,
            sequence: raw.sequence,
            parent: raw.parent,
            operation_id: raw.operation_id,
            request: raw.request,
            kind: raw.kind,
            actor: raw.actor,
            reason: raw.reason,
            at: raw.at,
            state: raw.state,
            releases: raw.releases,
            delta: raw.delta,
            body,
            gates: raw.gates,
            signature: raw.signature,
        })
    }
}

/// An entry that stands in the ledger, with its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The digest of the entry.
    pub digest: Digest,
    /// The entry.
    pub entry: Entry,
}

impl Recorded {
    /// Returns the number and the digest.
    pub fn place(&self) -> Place {
        Place { sequence: self.entry.sequence, digest: self.digest }
    }

    /// Returns the entry as the rules look at it; none when it is of a kind that no plan makes.
    pub fn past_move(&self) -> Option<PastMove> {
        Some(PastMove {
            sequence: self.entry.sequence,
            digest: self.digest,
            operation: self.entry.kind.operation()?,
            takes_back: self.entry.body.takes_back(),
            delta: self.entry.delta.clone(),
        })
    }
}

/// An entry with the line that it was read from or is written as, and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: Vec<u8>,
    pub(crate) entry: Entry,
    pub(crate) digest: Digest,
}

impl Line {
    /// Writes a new entry.
    pub(crate) fn write(entry: Entry) -> Self {
        let text = canonical_json(&entry);
        let digest = if entry.signature.is_none() { Digest::sha256(&text) } else { entry.digest() };
        Self { text, entry, digest }
    }

    /// Reads a line, without the line feed.
    pub(crate) fn read(text: &[u8]) -> Result<Self, EntryError> {
        let form = |error: serde_json::Error| EntryError::Form(error.to_string());
        let raw: Raw = match serde_json::from_slice(text) {
            Ok(raw) => raw,
            Err(error) => {
                let Ok(Form { schema, sequence }) = serde_json::from_slice(text) else {
                    return Err(form(error));
                };
                return Err(match schema {
                    SCHEMA => EntryError::Form(format!("entry {sequence}: {error}")),
                    schema => EntryError::Schema { sequence, schema },
                });
            }
        };
        if raw.schema != SCHEMA {
            return Err(EntryError::Schema { sequence: raw.sequence, schema: raw.schema });
        }
        let entry = Entry::try_from(raw)?;
        let digest = if entry.signature.is_none() {
            Digest::sha256(text)
        } else {
            let mut value: Value = serde_json::from_slice(text).map_err(form)?;
            if let Some(fields) = value.as_object_mut() {
                fields.remove("signature");
            }
            Digest::sha256(&canonical_json(&value))
        };
        Ok(Self { text: text.to_vec(), entry, digest })
    }

    /// Returns the number and the digest.
    pub(crate) fn place(&self) -> Place {
        Place { sequence: self.entry.sequence, digest: self.digest }
    }

    /// Returns the place of the entry before, as this one says it.
    pub(crate) fn before(&self) -> Option<Place> {
        let digest = self.entry.parent?;
        Some(Place { sequence: self.entry.sequence.saturating_sub(1), digest })
    }

    /// Returns the entry with its digest, without the line.
    pub(crate) fn recorded(&self) -> Recorded {
        Recorded { digest: self.digest, entry: self.entry.clone() }
    }
}

/// Reads an entry from its stored line, or from the JSON that `ring show` gives.
///
/// # Errors
/// `Form` when it is none, `Schema` when it is one of a newer program.
impl std::str::FromStr for Entry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        Line::read(text.as_bytes()).map(|line| line.entry)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ringsite_names::Version;
    use serde_json::json;

    use super::*;
    use crate::body::{MoveBody, Notice};

    fn entry() -> Entry {
        let image = ImageName::new("api").unwrap();
        let release = Release {
            version: Version::new(0, 1, 0),
            digest: Digest::sha256(b"digest"),
            revision: Digest::sha256(b"revision"),
            inputs: Digest::sha256(b"inputs"),
            dependencies: BTreeMap::from([(ImageName::new("base").unwrap(), Version::new(1, 2, 3))]),
            built_by: "native/1".to_owned(),
            built_on: "developers".parse().unwrap(),
            built_at: "2026-11-21T06:00:00Z".parse().unwrap(),
            recipe: None,
        };
        let delta = r#"[["developers","api",null,"0.1.0"],["root","developers",null,"shop"]]"#;
        Entry {
            schema: SCHEMA,
            sequence: 3,
            parent: Some(Digest::sha256(b"parent")),
            operation_id: "ci-4711".parse().unwrap(),
            request: Digest::sha256(b"request"),
            kind: Kind::Release,
            actor: "ada@example.com".to_owned(),
            reason: Some("first \u{201c}try\u{201d}".to_owned()),
            at: "2026-11-21T06:00:01Z".parse().unwrap(),
            state: Digest::sha256(b"state"),
            releases: vec![NewRelease { image, release }],
            delta: serde_json::from_str(delta).unwrap(),
            body: Body::Move(MoveBody {
                plan: Some(Digest::sha256(b"plan")),
                options: ["force".to_owned()].into(),
                warnings: vec![Notice { code: "stale".to_owned(), message: "m".to_owned() }],
                takes_back: None,
            }),
            gates: vec![GateOutcome {
                gate: "soak".to_owned(),
                ring: "developers".parse().unwrap(),
                met: Some(true),
                detail: "24h".to_owned(),
            }],
            signature: None,
        }
    }

    /// The form on disk. A change here needs a note in `docs/design/` and a reader for the old form.
    #[test]
    fn the_form_and_the_digest_of_an_entry_are_fixed() {
        let line = Line::write(entry());
        let text = String::from_utf8(line.text.clone()).unwrap();
        assert_eq!(text, GOLDEN);
        assert_eq!(line.digest.to_string(), GOLDEN_DIGEST);
        assert_eq!(line.digest, entry().digest());
        assert_eq!(Line::read(GOLDEN.as_bytes()).unwrap(), line);
    }

    #[test]
    fn the_signature_is_not_part_of_the_digest() {
        let signature = Signature { key: "k".to_owned(), value: "dg==".to_owned() };
        let signed = Entry { signature: Some(signature), ..entry() };
        assert_eq!(signed.digest(), entry().digest());
        let line = Line::write(signed);
        assert_eq!(Line::read(&line.text).unwrap().digest, entry().digest());
    }

    #[test]
    fn fields_and_kinds_of_a_newer_program_stay_under_the_digest() {
        let mut value = serde_json::to_value(entry()).unwrap();
        value["kind"] = json!("teleport");
        value["body"] = json!({"to": "moon"});
        value["colour"] = json!("red");
        let text = canonical_json(&value);
        let line = Line::read(&text).unwrap();
        assert_eq!(line.digest, Digest::sha256(&text));
        assert_eq!(line.entry.kind, Kind::Unknown("teleport".to_owned()));
        assert_eq!(line.entry.body, Body::Unknown(json!({"to": "moon"})));
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_with_what_is_wrong() {
        let with = |field: &str, value: Value| {
            let mut entry = serde_json::to_value(entry()).unwrap();
            entry[field] = value;
            entry.to_string()
        };
        for (text, word) in [
            ("".to_owned(), "EOF"),
            ("{}".to_owned(), "schema"),
            (with("schema", json!(2)), "schema 2"),
            (with("state", json!("x")), "entry 3: `x` is no digest"),
            (with("body", json!(1)), "the body of entry 3 (release)"),
            (with("delta", json!([["a"]])), "entry 3: 1 elements are no change"),
        ] {
            let error = text.parse::<Entry>().unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    const GOLDEN: &str = concat!(
        r#"{"actor":"ada@example.com","at":"2026-11-21T06:00:01Z","body":{"options":["force"],"plan":"#,
        r#""sha256:64879f7d6b960a01909762d911a32d4582c20010c5641ee90278b644a9e3b525","warnings":[{"co"#,
        r#"de":"stale","message":"m"}]},"delta":[["developers","api",null,"0.1.0"],["root","developer"#,
        r#"s",null,"shop"]],"gates":[{"detail":"24h","gate":"soak","met":true,"ring":"developers"}],""#,
        r#"kind":"release","operation_id":"ci-4711","parent":"sha256:e47125968b3b71049fbc4802d1e40a71"#,
        r#"ea1359decfabacf70b34588037d4ff0c","reason":"first “try”","releases":[{"image":"api","relea"#,
        r#"se":{"built_at":"2026-11-21T06:00:00Z","built_by":"native/1","built_on":"developers","depe"#,
        r#"ndencies":{"base":"1.2.3"},"digest":"sha256:0bf474896363505e5ea5e5d6ace8ebfb13a760a409b1fb"#,
        r#"467d428fc716f9f284","inputs":"sha256:32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6"#,
        r#"fa4567f3346","recipe":null,"revision":"sha256:2b214ddf3326016519afcb268f63623b80b91a652652"#,
        r#"77668e4d020d87dd9078","version":"0.1.0"}}],"request":"sha256:1f58b9145b24d108d7ac38887338b"#,
        r#"3ea3229833b9c1e418250343f907bfd1047","schema":1,"sequence":3,"state":"sha256:4ba69735ca537"#,
        r#"65ed6a709edb56c6ea236b7193a3b29a6b390c346f0f4340e4e"}"#,
    );
    const GOLDEN_DIGEST: &str = "sha256:36b41dd8ca27bdaa1948eb8a04b421ca32b72f80acb5d858feb67d572df328e4";
}
