//! The register: read the head, swap it, believe only what is read back.

use bytes::Bytes;
use ringsite_names::{Digest, RepositoryName, Tag};
use ringsite_oci::{Condition, ImageManifest, OciError, Put, Registry, StoredManifest, TagOrDigest};

/// The manifest that the register's tag names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Digest of the manifest.
    pub digest: Digest,
    /// The manifest's bytes as received.
    pub bytes: Bytes,
    /// The manifest, read.
    pub manifest: ImageManifest,
}

impl Head {
    fn from_stored(stored: StoredManifest) -> Result<Self, OciError> {
        let manifest = stored.image()?;
        Ok(Self { digest: stored.digest, bytes: stored.bytes, manifest })
    }
}

/// A swap that did not end with the new head being read back.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// The head is another one than was seen.
    ///
    /// Mostly the new head was never written. It can also have been written and replaced by somebody
    /// who built on it, so the caller looks for its own id in the chain of `now` before it decides again.
    #[error("the head of {repository}:{tag} has moved")]
    Moved {
        /// The repository of the register.
        repository: RepositoryName,
        /// The tag of the register.
        tag: Tag,
        /// The head as it is now; nothing when the tag is gone.
        now: Option<Box<Head>>,
    },
    /// Nobody can tell yet whether the new head was written; reading again later tells.
    #[error("it is not known whether the head of {repository} was written: {source}")]
    Unknown {
        /// The repository of the register.
        repository: RepositoryName,
        /// What happened to the request.
        source: OciError,
    },
    /// The registry has no way to move a tag atomically.
    #[error(
        "the registry of {repository} ignores conditions on writes, so two writers could overwrite each other"
    )]
    Unconditional {
        /// The repository of the register.
        repository: RepositoryName,
    },
    /// The new head was not written.
    #[error(transparent)]
    Oci(#[from] OciError),
}

/// One tag of a repository that moves atomically.
#[derive(Debug)]
pub struct Register<'r, R> {
    registry: &'r R,
    repository: RepositoryName,
    tag: Tag,
}

impl<'r, R: Registry> Register<'r, R> {
    /// Returns the register that a tag of a repository is; nothing is read or written yet.
    pub fn new(registry: &'r R, repository: RepositoryName, tag: Tag) -> Self {
        Self { registry, repository, tag }
    }

    /// Returns the repository of the register.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// Reads the head; nothing when it was never written.
    ///
    /// # Errors
    /// `Invalid` when the tag names something else than an image manifest; the registry's own errors.
    pub async fn read(&self) -> Result<Option<Head>, OciError> {
        let reference = TagOrDigest::Tag(self.tag.clone());
        match self.registry.manifest(&self.repository, &reference).await {
            Ok(stored) => Head::from_stored(stored).map(Some),
            Err(OciError::ManifestUnknown { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the head that was seen, or nothing, by `next`.
    ///
    /// `next` must differ from every earlier head, for example by an id of the operation in it: when
    /// the register is found to hold exactly `next`, it was this call, or an earlier one for the same
    /// operation, that wrote it. Order of writes: the manifest, then the tag in the same step.
    ///
    /// # Errors
    /// `Moved` when the head is not the one seen; `Unknown` when the outcome cannot be told;
    /// `Unconditional` when the registry cannot do this at all; `Oci` when nothing was written.
    pub async fn swap(&self, seen: Option<&Head>, next: &ImageManifest) -> Result<Head, SwapError> {
        if !self.registry.abilities().conditional_put {
            return Err(SwapError::Unconditional { repository: self.repository.clone() });
        }
        let bytes = Bytes::from(next.to_bytes());
        let digest = Digest::sha256(&bytes);
        let condition = seen.map_or(Condition::Absent, |head| Condition::Match(head.digest));
        let put = Put::under_if(self.tag.clone(), condition);
        let answer = self.registry.put_manifest(&self.repository, &put, next.media_type(), bytes).await;
        match answer {
            Ok(_) | Err(OciError::ConditionFailed { .. }) => {
                let found = self.read().await.map_err(|source| self.unknown(source))?;
                self.judge(found, &digest)
            }
            Err(error) if error.is_outcome_unknown() => {
                self.resolve(seen.map(|head| head.digest), &digest, error).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Believes only what was read: the swap is done when the head is the new one.
    fn judge(&self, found: Option<Head>, digest: &Digest) -> Result<Head, SwapError> {
        match found {
            Some(head) if head.digest == *digest => Ok(head),
            found => Err(SwapError::Moved {
                repository: self.repository.clone(),
                tag: self.tag.clone(),
                now: found.map(Box::new),
            }),
        }
    }

    /// Looks what became of a put that failed with `error`.
    async fn resolve(
        &self,
        seen: Option<Digest>,
        digest: &Digest,
        error: OciError,
    ) -> Result<Head, SwapError> {
        let Ok(found) = self.read().await else { return Err(self.unknown(error)) };
        if found.as_ref().map(|head| head.digest) != seen {
            return self.judge(found, digest);
        }
        // A request on its way may still arrive; a write to a disk of this machine may not.
        if matches!(error, OciError::Disk { .. }) {
            return Err(error.into());
        }
        Err(self.unknown(error))
    }

    fn unknown(&self, source: OciError) -> SwapError {
        SwapError::Unknown { repository: self.repository.clone(), source }
    }
}

impl SwapError {
    /// Returns what a person can do next, where there is something to say.
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Moved { .. } => Some("somebody else was faster: look again and decide anew"),
            Self::Unknown { .. } => {
                Some("run the same command again with the same operation id: it finds out what happened")
            }
            Self::Unconditional { .. } => Some(
                "keep the ledger in a layout on disk, or in a registry that answers 412 to a wrong `If-Match`",
            ),
            Self::Oci(error) => error.help(),
        }
    }
}
