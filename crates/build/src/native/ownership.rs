//! `--chown` and `--chmod` of one instruction.

use crate::base::{Owner, View, owner};
use crate::error::{BuildError, Place};
use crate::layer::Contents;

/// What an instruction says about owners and modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ownership {
    /// The owner of everything that is written.
    pub(crate) owner: Option<Owner>,
    /// The mode of everything that is copied.
    pub(crate) mode: Option<u32>,
}

impl Ownership {
    /// Reads the expanded values of both flags.
    ///
    /// # Errors
    /// `Instruction` when a value means nothing in this image.
    pub(crate) fn read(
        place: &Place,
        chown: Option<&str>,
        chmod: Option<&str>,
        view: &View,
        contents: &Contents,
    ) -> Result<Self, BuildError> {
        let owner = match chown.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(owner(text, view, contents)?.map_err(|message| {
                let help = "write the number, as in `--chown=1000:1000`, or add the name to the image";
                BuildError::at(place, format!("--chown={text}: {message}"), help)
            })?),
        };
        let mode = match chmod.filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(mode(text).ok_or_else(|| {
                let message = format!("--chmod={text}: this is no octal mode");
                BuildError::at(place, message, "write three or four octal digits, as in `--chmod=0755`")
            })?),
        };
        Ok(Self { owner, mode })
    }
}

fn mode(text: &str) -> Option<u32> {
    let is_octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7')) && (3..=5).contains(&text.len());
    u32::from_str_radix(text, 8).ok().filter(|mode| is_octal && *mode <= 0o7777)
}
