//! The platform that an image is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::nearest::nearest;

/// A platform such as `linux/amd64` or `linux/arm/v7`, in the words of OCI.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// A text that is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no platform: expected os/architecture[/variant]")]
pub struct PlatformError {
    text: String,
    help: String,
}

impl PlatformError {
    /// Returns what to write instead.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// Operating systems that container images exist for, in Go's words, which OCI uses.
const SYSTEMS: [&str; 5] = ["linux", "windows", "freebsd", "darwin", "wasip1"];

/// Processor architectures in Go's words, which OCI uses.
const ARCHITECTURES: [&str; 14] = [
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mipsle", "mips64", "mips64le", "ppc64", "ppc64le",
    "riscv64", "s390x", "wasm",
];

/// Other words for architectures, with Go's.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("x86_64", "amd64"),
    ("x86-64", "amd64"),
    ("aarch64", "arm64"),
    ("i386", "386"),
    ("armhf", "arm/v7"),
    ("armv7", "arm/v7"),
];

impl Platform {
    /// Returns the operating system, for example `linux`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// Returns the processor architecture, for example `arm64`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    /// Returns the variant of the architecture, for example `v7`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }
}

impl Default for Platform {
    /// Returns `linux/amd64`.
    fn default() -> Self {
        Self { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let error = |help: String| PlatformError { text: text.chars().take(100).collect(), help };
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some(*variant)),
            _ => return Err(error("write for example linux/amd64".into())),
        };
        if !SYSTEMS.contains(&os) {
            let meant = nearest(os, SYSTEMS).unwrap_or("linux");
            return Err(error(format!("write {meant}/{architecture}; systems are {}", SYSTEMS.join(", "))));
        }
        if !ARCHITECTURES.contains(&architecture) {
            let other = OTHER_WORDS.iter().find(|(word, _)| *word == architecture).map(|(_, known)| *known);
            return Err(match other.or_else(|| nearest(architecture, ARCHITECTURES)) {
                Some(meant) => error(format!("write {os}/{meant}")),
                None => error(format!("architectures are {}", ARCHITECTURES.join(", "))),
            });
        }
        let is_variant = |text: &str| {
            (1..=16).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.')
        };
        if !variant.is_none_or(is_variant) {
            return Err(error("write for example linux/arm/v7".into()));
        }
        Ok(Self { os: os.into(), architecture: architecture.into(), variant: variant.map(str::to_owned) })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variant = self.variant.iter().map(|variant| format!("/{variant}")).collect::<String>();
        formatter.pad(&format!("{}/{}{variant}", self.os, self.architecture))
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Platform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_are_read_as_they_are_printed() {
        for text in ["linux/amd64", "linux/arm/v7", "linux/arm64/v8", "windows/amd64"] {
            assert_eq!(text.parse::<Platform>().expect("is a platform").to_string(), text);
        }
        assert_eq!("linux/amd64".parse(), Ok(Platform::default()));
    }

    #[test]
    fn what_is_no_platform_is_refused_with_what_was_meant() {
        for (text, help) in [
            ("", "linux/amd64"),
            ("amd64", "linux/amd64"),
            ("linux/x86_64", "write linux/amd64"),
            ("linux/aarch64", "write linux/arm64"),
            ("Linux/amd64", "linux/amd64"),
            ("linux/amd46", "write linux/amd64"),
            ("linux/z80", "riscv64"),
            ("linux/arm/", "linux/arm/v7"),
            ("linux/arm/v7/x", "linux/amd64"),
        ] {
            let error = text.parse::<Platform>().expect_err("is no platform");
            assert!(error.help().contains(help), "{text}: {}", error.help());
        }
    }
}
