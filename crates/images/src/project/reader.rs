//! What the readers of `rings.toml` share: where to look on disk, and where to put problems.

use super::findings::Findings;
use super::folders::Folders;

/// The state of reading one project file.
pub(crate) struct Reader<'r> {
    pub(crate) folders: Folders<'r>,
    pub(crate) findings: Findings<'r>,
}
