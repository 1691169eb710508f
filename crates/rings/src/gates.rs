//! The gates of a ring as data: what must hold before anything moves into the ring.
//!
//! This module keeps what was declared. Judging a gate needs facts (times, signatures, check
//! results) that this version does not gather: `gatekeeping` says how such a gate is treated.

use serde::{Deserialize, Serialize};

/// The gates of one ring; every value is optional, and a ring without any is open.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gates {
    /// The minimum time that the set has been complete on the source ring, for example `24h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<String>,
    /// Signed approvals of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<Approvals>,
    /// Times at which moves are allowed, for example `Mon-Thu 09:00-16:00 Europe/Amsterdam`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<String>,
    /// Times at which no move is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
    /// Facts that must be there: `signature`, `sbom`, `sites-healthy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require: Vec<String>,
    /// Programs or addresses that are asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What stands in for `soak` and `sites-healthy` when a release is built onto the ring: `approvals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotfix: Option<String>,
}

/// How many approvals a plan needs, and whose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// How many different keys must have signed.
    pub count: u32,
    /// The files of the public keys that count.
    pub keys: Vec<String>,
}

/// A time at which nothing moves into the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeze {
    /// The first moment.
    pub from: String,
    /// The first moment after it.
    pub to: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A program that is run, or an address that is asked, before anything moves into the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name, for people.
    pub name: String,
    /// What is run or asked.
    #[serde(flatten)]
    pub probe: Probe,
}

/// What a check does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// Runs a program with its arguments.
    Command(Vec<String>),
    /// Asks an address.
    Url(String),
}

/// One kind of gate, named as its key in `rings.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GateKind {
    /// `soak`.
    Soak,
    /// `approvals`.
    Approvals,
    /// `windows`.
    Windows,
    /// `freezes`.
    Freezes,
    /// `require`.
    Require,
    /// `checks`.
    Checks,
}

impl GateKind {
    /// Returns the key of the gate in `rings.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Soak => "soak",
            Self::Approvals => "approvals",
            Self::Windows => "windows",
            Self::Freezes => "freezes",
            Self::Require => "require",
            Self::Checks => "checks",
        }
    }

    /// Returns whether the gate looks at the calendar only.
    pub fn is_calendar(self) -> bool {
        matches!(self, Self::Windows | Self::Freezes)
    }
}

impl Gates {
    /// Returns the kinds of gate that are set, in the order of their declaration above.
    ///
    /// # Examples
    /// ```
    /// use ringsite_rings::{GateKind, Gates};
    ///
    /// let gates = Gates { soak: Some("24h".into()), ..Gates::default() };
    /// assert_eq!(gates.kinds(), [GateKind::Soak]);
    /// assert!(Gates::default().kinds().is_empty());
    /// ```
    pub fn kinds(&self) -> Vec<GateKind> {
        let set = [
            (GateKind::Soak, self.soak.is_some()),
            (GateKind::Approvals, self.approvals.is_some()),
            (GateKind::Windows, !self.windows.is_empty()),
            (GateKind::Freezes, !self.freezes.is_empty()),
            (GateKind::Require, !self.require.is_empty()),
            (GateKind::Checks, !self.checks.is_empty()),
        ];
        set.into_iter().filter(|(_, is_set)| *is_set).map(|(kind, _)| kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_are_read_as_rings_toml_writes_them() {
        let json = r#"{"soak":"24h","approvals":{"count":2,"keys":["keys/a.pub"]},"windows":["Mon-Thu 09:00-16:00"],
            "freezes":[{"from":"2026-12-20","to":"2027-01-04","reason":"holidays"}],"require":["sbom"],
            "checks":[{"name":"smoke","command":["./smoke","--fast"]},{"name":"status","url":"https://status.example.com"}],
            "hotfix":"approvals"}"#;
        let gates: Gates = serde_json::from_str(json).unwrap();
        assert_eq!(gates.kinds().len(), 6);
        assert_eq!(gates.checks[0].probe, Probe::Command(vec!["./smoke".into(), "--fast".into()]));
        let again: Gates = serde_json::from_value(serde_json::to_value(&gates).unwrap()).unwrap();
        assert_eq!(again, gates);
        assert_eq!(serde_json::to_string(&Gates::default()).unwrap(), "{}");
    }
}
