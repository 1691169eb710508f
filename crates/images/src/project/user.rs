//! The user's own file, `ring/config.toml` in the configuration folder: the registry, for now.

use std::path::Path;

use super::findings::{Findings, text};
use super::read_text;
use super::top::checked;
use super::values::RegistryLocation;
use crate::Problems;
use crate::limits::USER_FILE_BYTES_MAX;
use crate::nearest::nearest;

/// What the user's own file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserFile {
    /// The registry of projects that name none.
    pub(crate) registry: Option<UserRegistry>,
}

/// The key `registry` of the user's own file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRegistry {
    pub(crate) location: RegistryLocation,
    pub(crate) written: String,
    pub(crate) line: u32,
}

/// Reads the file; nothing when there is none.
///
/// # Errors
/// `Problems` when the file is there and cannot be read, or says what it cannot say.
pub(crate) fn read(path: &Path) -> Result<Option<UserFile>, Problems> {
    if !path.exists() {
        return Ok(None);
    }
    let content = read_text(path, USER_FILE_BYTES_MAX, "repair the file, or remove it")?;
    let mut findings = Findings::new(path, &content);
    let document = findings.parse();
    for (key, value) in &document {
        if key.get_ref() != "registry" {
            let help = match nearest(key.get_ref(), ["registry"]) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "this file holds `registry` only; other keys belong to rings.toml".to_owned(),
            };
            findings.add(key.span().start, format!("unknown key `{}`", key.get_ref()), help);
        } else if !value.get_ref().is_str() {
            let help = "write it like this: registry = \"registry.example.com\"";
            findings.add(value.span().start, "expected a string for `registry`", help);
        }
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let registry = text(&document, "registry").and_then(|text| {
        let location = checked(text, RegistryLocation::parse(text.text, folder), &mut findings)?;
        Some(UserRegistry { location, written: text.text.to_owned(), line: findings.line(text.at) })
    });
    findings.finish()?;
    Ok(Some(UserFile { registry }))
}
