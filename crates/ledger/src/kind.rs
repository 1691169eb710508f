//! What an entry records: the kinds of operations.

use std::fmt;

use ringsite_rings::Operation;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The kind of an entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The beginning of a ledger; always entry 1, and no other.
    Init,
    /// New releases onto a ring.
    Release,
    /// A ring's set, or some images of it, one ring on.
    Promote,
    /// One ring's set, or the whole chain, one place on.
    Shift,
    /// A set one ring back, or the newest promote or shift taken back.
    Unshift,
    /// An entry taken back.
    Undo,
    /// An undo taken back.
    Redo,
    /// What was placed on which site.
    Place,
    /// A ring emptied.
    Empty,
    /// A hold on a ring, an image or a site.
    Lock,
    /// A hold taken away.
    Unlock,
    /// The whole line stopped.
    Freeze,
    /// The line going again.
    Thaw,
    /// A version that must not arrive anywhere.
    Reject,
    /// A signed approval of a plan.
    Approve,
    /// A configuration that is in force from here on.
    Configure,
    /// A deviation of the registry that a person accepted.
    Reconcile,
    /// Sets taken over from tags that were there before the ledger.
    Import,
    /// Manifests that were removed.
    Gc,
    /// A kind of a newer program: it can be shown, and nothing can be added after it.
    Unknown(String),
}

const WORDS: [(Kind, &str); 19] = [
    (Kind::Init, "init"),
    (Kind::Release, "release"),
    (Kind::Promote, "promote"),
    (Kind::Shift, "shift"),
    (Kind::Unshift, "unshift"),
    (Kind::Undo, "undo"),
    (Kind::Redo, "redo"),
    (Kind::Place, "place"),
    (Kind::Empty, "empty"),
    (Kind::Lock, "lock"),
    (Kind::Unlock, "unlock"),
    (Kind::Freeze, "freeze"),
    (Kind::Thaw, "thaw"),
    (Kind::Reject, "reject"),
    (Kind::Approve, "approve"),
    (Kind::Configure, "configure"),
    (Kind::Reconcile, "reconcile"),
    (Kind::Import, "import"),
    (Kind::Gc, "gc"),
];

impl Kind {
    /// Returns the kind that `word` names, `Unknown` for a word of a newer program.
    pub fn from_word(word: &str) -> Self {
        let known = WORDS.into_iter().find(|(_, text)| *text == word);
        known.map_or_else(|| Self::Unknown(word.to_owned()), |(kind, _)| kind)
    }

    /// Returns the word that stands in the entry.
    pub fn as_str(&self) -> &str {
        if let Self::Unknown(word) = self {
            return word;
        }
        WORDS.iter().find(|(kind, _)| kind == self).map_or("", |(_, text)| text)
    }

    /// Returns the operation that the rules know it as; none for kinds that no plan makes.
    pub fn operation(&self) -> Option<Operation> {
        self.as_str().parse().ok()
    }

    /// Returns whether entries of this kind may change what stands on a ring.
    pub fn is_move(&self) -> bool {
        use Kind::{Empty, Import, Promote, Redo, Release, Shift, Undo, Unshift};
        matches!(self, Release | Promote | Shift | Unshift | Undo | Redo | Empty | Import)
    }

    /// Returns whether this program can carry on a ledger that holds an entry of this kind.
    ///
    /// Holds and rejected versions are read and shown by this version, and not carried out: adding
    /// an entry after them could move what somebody holds.
    pub fn is_carried_out(&self) -> bool {
        use Kind::{Freeze, Lock, Reject, Thaw, Unknown, Unlock};
        !matches!(self, Lock | Unlock | Freeze | Thaw | Reject | Unknown(_))
    }
}

impl From<Operation> for Kind {
    fn from(operation: Operation) -> Self {
        Self::from_word(operation.as_str())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self::from_word(&word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for (kind, word) in WORDS {
            assert_eq!(kind.as_str(), word);
            assert_eq!(Kind::from_word(word), kind);
        }
    }

    #[test]
    fn a_kind_of_a_newer_program_keeps_its_word_and_stops_writers() {
        let kind = Kind::from_word("teleport");
        assert_eq!(kind.to_string(), "teleport");
        assert!(!kind.is_carried_out() && !kind.is_move());
        assert!(!Kind::Lock.is_carried_out());
        assert!(Kind::Place.is_carried_out());
    }

    #[test]
    fn every_operation_of_the_rules_is_a_kind() {
        for operation in Operation::ALL {
            assert_eq!(Kind::from(operation).operation(), Some(operation));
        }
        assert_eq!(Kind::Place.operation(), None);
    }
}
