//! Images of others: pinned in `rings.lock`, copied into our registry, refreshed on request.

use std::collections::BTreeSet;

use ringsite_build::{BaseImage, ExternalRequest, Place, Source};
use ringsite_images::{ExternalUse, LockFile, Platform, Survey};
use ringsite_names::{Digest, Reference};
use ringsite_oci::Registry;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::event::Event;
use crate::project::platforms_of;
use crate::request::{LockFileUse, Network};
use crate::view::{Update, UpdatedPin};

impl<R: Registry + 'static> Engine<R> {
    /// Pins external images on first use, and sees that our registry has a copy of each.
    ///
    /// A missing pin that may not be written is left to the caller, who names all of them at once.
    pub(crate) async fn pin_missing(&self, survey: &Survey, lock: &mut LockFile) -> Result<(), EngineError> {
        let mut is_new = false;
        for (reference, uses) in survey.externals() {
            let request = request(&reference, uses.first());
            let known = lock.digest(&reference);
            if known.is_none() && self.sources.lock == LockFileUse::ReadOnly {
                continue;
            }
            let platforms = platforms_of(survey, &reference);
            let pinned = match known {
                Some(pinned) => pinned,
                None => self.resolve(&request).await?,
            };
            self.copy_of(&request, &pinned, &platforms).await?;
            if known.is_none() {
                lock.pin(reference, pinned);
                is_new = true;
            }
        }
        if is_new { self.write_lock(lock) } else { Ok(()) }
    }

    /// Returns the copy of an external image in our registry, and makes it when it is missing.
    pub(crate) async fn copy_of(
        &self,
        request: &ExternalRequest,
        pinned: &Digest,
        platforms: &[Platform],
    ) -> Result<BaseImage, EngineError> {
        let (registry, project) = (&*self.registry, self.name());
        if let Some(image) =
            ringsite_build::find_external(registry, project, request, pinned, platforms).await?
        {
            return Ok(image);
        }
        let source = self.source(request)?;
        self.observer.tell(Event::Pulling { reference: request.reference.to_string() });
        Ok(ringsite_build::import_external(registry, project, &source, request, pinned, platforms).await?)
    }

    async fn resolve(&self, request: &ExternalRequest) -> Result<Digest, EngineError> {
        if let Some(digest) = request.reference.digest {
            return Ok(digest);
        }
        let source = self.source(request)?;
        Ok(ringsite_build::resolve(&source, request).await?)
    }

    fn source(&self, request: &ExternalRequest) -> Result<Source, EngineError> {
        let host = request.reference.host.clone().unwrap_or_default();
        match self.sources.network {
            Network::Offline => {
                Err(request.failed("there is no copy of it here, and the network is switched off").into())
            }
            Network::Https => Ok(Source::new(&[])?),
            Network::PlainHttp => Ok(Source::new(&[host])?),
        }
    }

    fn write_lock(&self, lock: &LockFile) -> Result<(), EngineError> {
        let written = lock.write(&self.project.folder);
        written.map(|_| ()).map_err(|error| EngineError::Disk {
            action: "write",
            path: error.path,
            source: error.source,
        })
    }

    /// Refreshes the pins whose reference contains one of `texts`; all when there is none.
    ///
    /// # Errors
    /// Every problem of the project's files; a reference that cannot be reached, and nothing is written.
    pub async fn update(&self, texts: &[String]) -> Result<Update, EngineError> {
        let survey = self.survey().await?;
        let mut lock = LockFile::read(&self.project.folder)?;
        let mut pins = Vec::new();
        let used = survey.externals();
        for (reference, uses) in &used {
            let before = lock.digest(reference);
            let name = reference.to_string();
            let is_asked = texts.is_empty() || texts.iter().any(|text| name.contains(text));
            let now = match (is_asked, reference.digest) {
                (true, None) => {
                    let request = request(reference, uses.first());
                    let pinned = self.resolve(&request).await?;
                    self.copy_of(&request, &pinned, &platforms_of(&survey, reference)).await?;
                    lock.pin(reference.clone(), pinned);
                    Some(pinned)
                }
                _ => before,
            };
            pins.push(UpdatedPin {
                reference: name,
                from: before.map(|digest| digest.to_string()),
                to: now.map(|digest| digest.to_string()),
            });
        }
        let unused: Vec<UpdatedPin> = lock
            .entries()
            .filter(|(reference, _)| !used.contains_key(*reference))
            .map(|(reference, digest)| UpdatedPin {
                reference: reference.to_string(),
                from: Some(digest.to_string()),
                to: None,
            })
            .collect();
        pins.extend(unused);
        lock.keep_only(&used.keys().cloned().collect::<BTreeSet<_>>());
        let changed = pins.iter().any(|pin| pin.from != pin.to);
        if changed {
            self.write_lock(&lock)?;
        }
        pins.sort_by(|a, b| a.reference.cmp(&b.reference));
        Ok(Update { changed, pins })
    }
}

/// Returns what is asked for, with the first line that names it.
pub(crate) fn request(reference: &Reference, first: Option<&ExternalUse>) -> ExternalRequest {
    let place = first.map(|first| Place { file: first.file.clone(), line: first.line });
    ExternalRequest { reference: reference.clone(), place }
}
