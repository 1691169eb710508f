//! The engine: a project, a registry, and what they share with every operation.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use ringsite_images::Project;
use ringsite_ledger::Seen;
use ringsite_names::{Digest, ImageName, ProjectName, Version};
use ringsite_oci::Registry;
use ringsite_rings::{Configuration, Release, State};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::error::EngineError;
use crate::event::{Event, Observer};
use crate::record::Record;
use crate::request::Sources;

/// What an engine is made of.
pub struct Setup<R> {
    /// Where everything is kept.
    pub registry: Arc<R>,
    /// The name of the registry, under which this machine remembers the newest head.
    pub place: String,
    /// The name of the project.
    pub name: ProjectName,
    /// The working copy, for operations that look at it; the record needs none.
    pub project: Option<Arc<Project>>,
    /// The folder for what costs only time when it is lost.
    pub cache: PathBuf,
    /// The folder for temporary folders.
    pub scratch: PathBuf,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Receives progress.
    pub observer: Observer,
    /// How sources and external images are read.
    pub sources: Sources,
    /// The program that renders Kubernetes objects, when there is one.
    pub kustomize: Option<PathBuf>,
    /// Where external builders are looked for, in this order.
    pub programs: Vec<PathBuf>,
}

/// Does what a person asks for.
///
/// Each operation opens the ledger anew, so one engine serves many requests.
pub struct Engine<R> {
    pub(crate) registry: Arc<R>,
    pub(crate) place: String,
    pub(crate) name: ProjectName,
    pub(crate) project: Option<Arc<Project>>,
    pub(crate) cache: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Observer,
    pub(crate) sources: Sources,
    pub(crate) kustomize: Option<PathBuf>,
    pub(crate) programs: Vec<PathBuf>,
}

impl<R: Registry + 'static> Engine<R> {
    /// Returns an engine made of `setup`; nothing is read yet.
    pub fn new(setup: Setup<R>) -> Self {
        let Setup {
            registry,
            place,
            name,
            project,
            cache,
            scratch,
            clock,
            observer,
            sources,
            kustomize,
            programs,
        } = setup;
        Self { registry, place, name, project, cache, scratch, clock, observer, sources, kustomize, programs }
    }

    /// Returns the name of the project.
    pub(crate) fn name(&self) -> &ProjectName {
        &self.name
    }

    /// Returns the working copy, for an operation that cannot do without.
    pub(crate) fn working_copy(&self) -> Result<&Arc<Project>, EngineError> {
        self.project.as_ref().ok_or_else(|| {
            EngineError::unknown(
                "this looks at the project's files, and there is no rings.toml here",
                "go to the project's folder, or name it with -C",
            )
        })
    }

    /// Returns what the working copy declares, when there is one.
    pub(crate) fn declared_configuration(&self) -> Option<&Configuration> {
        self.project.as_ref().map(|project| project.configuration())
    }

    /// Opens the record as it is now.
    pub(crate) async fn open(&self) -> Result<Record<R>, EngineError> {
        let begin = Instant::now();
        let record = Record::open(&self.registry, self.name(), self.seen()).await?;
        self.phase("open the record", begin);
        Ok(record)
    }

    /// Begins to open the record with the releases that stand on its rings, which almost every plan
    /// needs; it goes on while the caller does something else.
    pub(crate) fn opening(&self) -> Opening<R> {
        let (registry, name, seen) = (Arc::clone(&self.registry), self.name.clone(), self.seen());
        let observer = self.observer.clone();
        Opening(tokio::spawn(async move {
            let begin = Instant::now();
            let mut record = Record::open(&registry, &name, seen).await?;
            record.load_standing().await?;
            observer.tell(Event::Phase { name: "open the record", duration: begin.elapsed() });
            Ok(record)
        }))
    }

    /// Returns this machine's memory of the newest head.
    pub(crate) fn seen(&self) -> Seen {
        Seen::new(&self.cache, &self.place, self.name())
    }

    /// Returns a release that a ring holds, which the record must have.
    pub(crate) fn release<'s>(
        &self,
        state: &'s State,
        image: &ImageName,
        version: Version,
    ) -> Result<&'s Release, EngineError> {
        state.release(image, version).map(|release| &**release).ok_or_else(|| {
            EngineError::Bug(format!(
                "release {image} {version} is on a ring and was not loaded from the record"
            ))
        })
    }

    /// Tells how long a phase took that began at `begin`.
    pub(crate) fn phase(&self, name: &'static str, begin: Instant) {
        self.observer.tell(Event::Phase { name, duration: begin.elapsed() });
    }

    /// Tells something that stops nothing.
    pub(crate) fn note(&self, message: impl Into<String>) {
        self.observer.tell(Event::Note { message: message.into() });
    }
}

/// A record that is being opened; it only reads, so dropping this ends it at any point.
pub(crate) struct Opening<R>(JoinHandle<Result<Record<R>, EngineError>>);

impl<R> Opening<R> {
    /// Returns the record.
    pub(crate) async fn record(mut self) -> Result<Record<R>, EngineError> {
        let opened = (&mut self.0).await;
        opened.map_err(|error| EngineError::Bug(format!("opening the record stopped: {error}")))?
    }
}

impl<R> Drop for Opening<R> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Returns the digest of what was asked for, under which an operation id counts.
pub(crate) fn request_digest(request: &impl serde::Serialize) -> Digest {
    ringsite_names::digest_of(request)
}
