//! Opens the content of entries: sources are hashed again by the context, what comes out of
//! archives was put aside and is hashed here.

use std::io::{self, Read};
use std::sync::Arc;

use ringsite_images::{Context, HandOutError, Sources};
use ringsite_names::Digest;

use crate::archive::fail_read;
use crate::error::BuildError;
use crate::layer::entry::{Content, Entry, source_file};
use crate::layer::spool::Spool;

/// Everything that the entries of one image can be read from.
#[derive(Clone, Debug)]
pub(crate) struct Contents {
    /// The build context.
    pub(crate) context: Option<Arc<Context>>,
    /// The recipe that context files are compared with.
    pub(crate) sources: Arc<Sources>,
    /// What was taken out of archives.
    pub(crate) spool: Arc<Spool>,
}

impl Contents {
    /// Returns the contents of a context, with nothing taken out of archives yet.
    pub(crate) fn new(context: Arc<Context>, sources: Arc<Sources>) -> Self {
        Self { context: Some(context), sources, spool: Arc::new(Spool::default()) }
    }

    /// Returns contents for entries that take nothing from a context.
    pub(crate) fn without_context(sources: Arc<Sources>) -> Self {
        Self { context: None, sources, spool: Arc::new(Spool::default()) }
    }

    /// Returns the build context.
    ///
    /// # Panics
    /// When the contents were made without one, and an entry takes something from it.
    pub(crate) fn context(&self) -> &Context {
        self.context.as_deref().expect("entries of a context come with the context")
    }

    /// Returns the size of an entry's content.
    pub(crate) fn bytes(&self, entry: &Entry) -> u64 {
        entry.bytes(&self.sources)
    }

    /// Opens the content of an entry; nothing for what is no file.
    ///
    /// # Errors
    /// `SourceChanged`, or what the disk says.
    pub(crate) fn open<'c>(&'c self, entry: &'c Entry) -> Result<Option<Box<dyn Read + 'c>>, BuildError> {
        Ok(Some(match &entry.content {
            Content::Directory | Content::Symlink(_) => return Ok(None),
            Content::Device => {
                let reason = format!("`{}` is a device, pipe or socket", entry.path);
                return Err(BuildError::rule(entry.path.to_string(), "device", reason));
            }
            Content::Inline(inline) => Box::new(inline.bytes.as_slice()),
            Content::Context(index) => {
                let file = source_file(&self.sources, *index);
                Box::new(self.context().open(file).map_err(hand_out_failed)?)
            }
            Content::Stored(stored) => Box::new(self.spool.open(stored)?),
        }))
    }
}

/// Returns the error for a context that does not hand out what the recipe says.
pub(crate) fn hand_out_failed(error: HandOutError) -> BuildError {
    match error {
        HandOutError::Changed(path) => BuildError::SourceChanged {
            path: path.display().to_string(),
            reason: "it is not what the revision was computed from".to_owned(),
        },
        HandOutError::Io { path, source } if source.kind() == io::ErrorKind::NotFound => {
            BuildError::SourceChanged { path: path.display().to_string(), reason: "it is gone".to_owned() }
        }
        HandOutError::Io { path, source } => BuildError::Disk { action: "read", path, source },
        HandOutError::Write { path, source } => BuildError::Disk { action: "write", path, source },
    }
}

/// Returns the error for a read of an entry's content that failed.
pub(crate) fn read_failed(path: &str, error: io::Error) -> BuildError {
    match error.downcast::<HandOutError>() {
        Ok(error) => hand_out_failed(error),
        Err(error) if error.get_ref().is_some() => fail_read(path, error),
        Err(source) => BuildError::Disk { action: "read", path: path.into(), source },
    }
}

/// Returns whether raw hash bytes are those of a digest.
pub(crate) fn is_sha256(digest: &Digest, raw: &[u8; 32]) -> bool {
    digest.as_bytes() == raw
}
