//! The values that keys of `rings.toml` take: platforms, registry, epoch, builder, durations.
//!
//! Each has one checked reader from text. An error says what was expected and gives a remedy; the
//! place is added by the reader of the file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use ringsite_names::Reference;

use crate::limits::{DURATION_SECONDS_MAX, EPOCH_SECONDS_MAX};
use crate::names::OCI_LAYOUT_PREFIX;
use crate::nearest::nearest;

/// A value that is not of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl ValueError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

/// How a remote registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Without encryption: the default for this machine's own addresses only.
    Http,
    /// With TLS.
    Https,
}

/// Where the images and the ledger of a project are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistryLocation {
    /// An OCI layout on disk, by an absolute path.
    OciLayout(PathBuf),
    /// A registry that is reached over the network.
    Remote {
        /// How it is spoken to.
        scheme: Scheme,
        /// The host with its port.
        host: String,
    },
}

impl RegistryLocation {
    /// Reads `oci-layout:FOLDER`, `HOST[:PORT]` or an address that begins with `http://`, `https://` or `oci://`.
    ///
    /// `folder` is where a relative layout folder begins; it has to be absolute for the result to be.
    ///
    /// # Errors
    /// `ValueError` when `text` is none of these.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ValueError> {
        let shown: String = text.chars().take(200).collect();
        if let Some(path) = text.strip_prefix(OCI_LAYOUT_PREFIX) {
            if path.is_empty() || path.contains('\0') {
                return Err(ValueError::new(
                    format!("`{shown}` names no folder"),
                    "write for example oci-layout:.ring/registry",
                ));
            }
            return Ok(Self::OciLayout(folder.join(path).components().collect()));
        }
        let (scheme, host) = match text.split_once("://") {
            Some(("http", host)) => (Some(Scheme::Http), host),
            Some(("https" | "oci", host)) => (Some(Scheme::Https), host),
            Some(_) => {
                return Err(ValueError::new(
                    format!("`{shown}` is no registry: the scheme is unknown"),
                    "write https://HOST, http://HOST, HOST:PORT or oci-layout:FOLDER",
                ));
            }
            None => (None, text),
        };
        let host = host.strip_suffix('/').unwrap_or(host);
        if !is_host(host) {
            return Err(registry_error(&shown, host));
        }
        let here = ["localhost", "127.", "[::1]"].iter().any(|prefix| host.starts_with(prefix));
        let scheme = scheme.unwrap_or(if here { Scheme::Http } else { Scheme::Https });
        Ok(Self::Remote { scheme, host: host.to_owned() })
    }
}

fn registry_error(shown: &str, host: &str) -> ValueError {
    let help = if host.contains('/') && !host.starts_with(['.', '/']) {
        "name the host only; the repositories' prefix is the key `project`".to_owned()
    } else {
        format!("for a folder write {OCI_LAYOUT_PREFIX}{shown}, for a server HOST:PORT or https://HOST")
    };
    ValueError::new(format!("`{shown}` is no registry"), help)
}

/// Returns whether `text` can stand before the first `/` of a reference and is read as a host there.
pub(crate) fn is_host(text: &str) -> bool {
    let reference = format!("{text}/x").parse::<Reference>();
    !text.contains(['/', '@']) && reference.is_ok_and(|reference| reference.host.as_deref() == Some(text))
}

impl fmt::Display for RegistryLocation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OciLayout(folder) => write!(formatter, "{OCI_LAYOUT_PREFIX}{}", folder.display()),
            Self::Remote { scheme: Scheme::Http, host } => write!(formatter, "http://{host}"),
            Self::Remote { scheme: Scheme::Https, host } => write!(formatter, "https://{host}"),
        }
    }
}

/// The time that files in images get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// Seconds since the start of 1970.
    Fixed(i64),
    /// The value of the variable `SOURCE_DATE_EPOCH`, because the file says `"env"`.
    Env,
}

impl Epoch {
    /// Checks that `seconds` can be the time of a file in an image.
    ///
    /// # Errors
    /// `ValueError` when `seconds` are negative or do not fit into a tar header.
    pub fn check_seconds(seconds: i64) -> Result<i64, ValueError> {
        if (0..=EPOCH_SECONDS_MAX).contains(&seconds) {
            return Ok(seconds);
        }
        Err(ValueError::new(
            format!("{seconds} is no time that a file in an image can have"),
            format!("write whole seconds since the start of 1970, 0 to {EPOCH_SECONDS_MAX}"),
        ))
    }
}

/// What builds an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BuilderChoice {
    /// The native builder where it suffices, else the first external builder that is found.
    Auto,
    /// The builder in this program.
    Native,
    /// The program `buildah`.
    Buildah,
    /// The plug-in `docker buildx`.
    Buildx,
    /// The program `podman`.
    Podman,
}

impl BuilderChoice {
    const ALL: [Self; 5] = [Self::Auto, Self::Native, Self::Buildah, Self::Buildx, Self::Podman];

    /// Returns the choice as it is written in `rings.toml`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Native => "native",
            Self::Buildah => "buildah",
            Self::Buildx => "buildx",
            Self::Podman => "podman",
        }
    }
}

impl FromStr for BuilderChoice {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let found = Self::ALL.into_iter().find(|choice| choice.as_str() == text);
        found.ok_or_else(|| unknown_word("builder", text, &Self::ALL.map(Self::as_str)))
    }
}

/// The form of the bill of materials that is published beside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sbom {
    /// SPDX as JSON.
    Spdx,
}

impl FromStr for Sbom {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text == "spdx" { Ok(Self::Spdx) } else { Err(unknown_word("bill of materials", text, &["spdx"])) }
    }
}

/// Returns the error for a word that is none of `known`.
pub(crate) fn unknown_word(what: &str, text: &str, known: &[&str]) -> ValueError {
    let shown: String = text.chars().take(100).collect();
    let help = match nearest(text, known.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None => format!("write one of {}", known.join(", ")),
    };
    ValueError::new(format!("`{shown}` is no {what}"), help)
}

/// Reads a duration such as `30s`, `10m`, `24h`, `180d` or `2w`, or several of them: `1h30m`.
///
/// # Errors
/// `ValueError` when `text` is none, is zero, or is longer than ten years.
pub fn parse_duration(text: &str) -> Result<Duration, ValueError> {
    let shown: String = text.chars().take(100).collect();
    let error = |reason: &str| {
        ValueError::new(
            format!("`{shown}` is no duration: {reason}"),
            "write a whole number and a unit s, m, h, d or w, for example \"24h\" or \"180d\"",
        )
    };
    let mut seconds: u64 = 0;
    let mut number = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            number.push(character);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(error(&format!("`{}` is no unit", character.escape_debug()))),
        };
        if number.is_empty() {
            return Err(error("a number is missing"));
        }
        let count = number.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
        let sum = count.and_then(|count| seconds.checked_add(count));
        seconds = sum.ok_or_else(|| error("it is too long"))?;
        number.clear();
    }
    match seconds {
        _ if !number.is_empty() => Err(error("the unit is missing")),
        0 => Err(error("it is nothing")),
        _ if seconds > DURATION_SECONDS_MAX => Err(error("it is longer than ten years")),
        _ => Ok(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_are_folders_or_hosts() {
        let folder = Path::new("/project");
        let remote = |scheme, host: &str| RegistryLocation::Remote { scheme, host: host.into() };
        for (text, expected) in [
            ("oci-layout:.ring/registry", RegistryLocation::OciLayout("/project/.ring/registry".into())),
            ("oci-layout:./a/./b/", RegistryLocation::OciLayout("/project/a/b".into())),
            ("oci-layout:/srv/oci", RegistryLocation::OciLayout("/srv/oci".into())),
            ("localhost:5000", remote(Scheme::Http, "localhost:5000")),
            ("127.0.0.1:5000", remote(Scheme::Http, "127.0.0.1:5000")),
            ("[::1]:5000", remote(Scheme::Http, "[::1]:5000")),
            ("registry.example.com", remote(Scheme::Https, "registry.example.com")),
            ("https://registry.example.com/", remote(Scheme::Https, "registry.example.com")),
            ("http://registry.example.com:80", remote(Scheme::Http, "registry.example.com:80")),
            ("oci://registry.example.com", remote(Scheme::Https, "registry.example.com")),
            ("https://localhost:5000", remote(Scheme::Https, "localhost:5000")),
        ] {
            assert_eq!(RegistryLocation::parse(text, folder), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_registry_is_refused_with_a_remedy() {
        for (text, help) in [
            ("", "oci-layout:"),
            ("oci-layout:", ".ring/registry"),
            (".ring/registry", "oci-layout:.ring/registry"),
            ("/srv/oci", "oci-layout:/srv/oci"),
            ("registry.example.com/acme", "key `project`"),
            ("ftp://registry.example.com", "https://HOST"),
            ("host:port", "HOST:PORT"),
            ("a b", "HOST:PORT"),
        ] {
            let error = RegistryLocation::parse(text, Path::new("/p")).expect_err("is no registry");
            assert!(error.help.contains(help), "{text}: {}", error.help);
        }
    }

    #[test]
    fn durations_are_numbers_with_units() {
        for (text, seconds) in
            [("30s", 30), ("10m", 600), ("24h", 86_400), ("180d", 15_552_000), ("2w", 1_209_600)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
        for (text, reason) in [
            ("", "nothing"),
            ("0h", "nothing"),
            ("24", "unit is missing"),
            ("h", "number is missing"),
            ("24 h", "` ` is no unit"),
            ("1.5h", "`.` is no unit"),
            ("-1h", "`-` is no unit"),
            ("99999999999999999999h", "too long"),
            ("11000d", "ten years"),
        ] {
            let error = parse_duration(text).expect_err("is no duration");
            assert!(error.message.contains(reason), "{text}: {}", error.message);
        }
    }
}
