//! Images of others: pinned in `rings.lock`, copied into our registry, refreshed on request.

use std::collections::BTreeSet;

use ringsite_build::{ExternalRequest, NetworkUse, Place};
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
            let known = lock.digest(&reference);
            if known.is_none() && self.sources.lock == LockFileUse::ReadOnly {
                continue;
            }
            let platforms = platforms_of(survey, &reference);
            let pinned = self.copy_of(&reference, uses.first(), known, &platforms).await?;
            if known.is_none() {
                lock.pin(reference, pinned);
                is_new = true;
            }
        }
        if is_new { self.write_lock(lock) } else { Ok(()) }
    }

    /// Sees that our registry has a copy of an external image, and returns the digest that it is
    /// pinned to: the `known` one, or else what the reference names where it comes from.
    pub(crate) async fn copy_of(
        &self,
        reference: &Reference,
        first: Option<&ExternalUse>,
        known: Option<Digest>,
        platforms: &[Platform],
    ) -> Result<Digest, EngineError> {
        let place = first.map(|first| Place { file: first.file.clone(), line: first.line });
        let network = self.network();
        let request = ExternalRequest { project: self.name(), reference, known, platforms, place, network };
        if known.is_none() {
            self.observer.tell(Event::Pulling { reference: reference.to_string() });
        }
        Ok(ringsite_build::copy_external(&*self.registry, &request).await?)
    }

    fn network(&self) -> NetworkUse {
        match self.sources.network {
            Network::Offline => NetworkUse::Offline,
            Network::Https => NetworkUse::Https,
            Network::PlainHttp => NetworkUse::PlainHttp,
        }
    }

    fn write_lock(&self, lock: &LockFile) -> Result<(), EngineError> {
        let written = lock.write(&self.working_copy()?.folder);
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
        let mut lock = LockFile::read(&self.working_copy()?.folder)?;
        let mut pins = Vec::new();
        let used = survey.externals();
        for (reference, uses) in &used {
            let before = lock.digest(reference);
            let name = reference.to_string();
            let is_asked = texts.is_empty() || texts.iter().any(|text| name.contains(text));
            let now = match (is_asked, reference.digest) {
                (true, None) => {
                    let pinned = ringsite_build::resolve_external(reference, self.network()).await?;
                    self.copy_of(reference, uses.first(), Some(pinned), &platforms_of(&survey, reference))
                        .await?;
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
