//! Progress as events: what the engine tells while it works.

use std::sync::Arc;
use std::time::Duration;

use ringsite_names::{Digest, ImageName, SiteName, Version};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A phase of the operation ended; phases of one operation follow each other.
    Phase {
        /// What was done, for example `read the project`.
        name: &'static str,
        /// How long it took.
        duration: Duration,
    },
    /// The number of images that will be built.
    Building {
        /// How many.
        images: usize,
    },
    /// A build began.
    BuildStarted {
        /// The image.
        image: ImageName,
        /// The version that it will get.
        version: Version,
    },
    /// A build ended and its image is pushed by digest.
    BuildDone {
        /// The image.
        image: ImageName,
        /// Its version.
        version: Version,
        /// Its digest.
        digest: Digest,
        /// How long it took.
        duration: Duration,
    },
    /// An external image is copied into the project's registry.
    Pulling {
        /// The normalised reference.
        reference: String,
    },
    /// Somebody else moved the head; the plan is made again.
    Again {
        /// Which attempt begins now, counted from 1.
        attempt: u32,
        /// Who moved the head.
        by: String,
    },
    /// The operation is recorded.
    Recorded {
        /// The sequence of the entry.
        sequence: u64,
    },
    /// A site is placed, or needed nothing.
    Placed {
        /// The site.
        site: SiteName,
    },
    /// Something that the user should know and that stops nothing.
    Note {
        /// The note in words.
        message: String,
    },
}

/// Receives events; must not block.
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(&Event) + Send + Sync>);

impl Observer {
    /// Returns an observer that calls `receive` for each event.
    pub fn new(receive: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(Arc::new(receive))
    }

    /// Returns an observer that drops every event.
    pub fn none() -> Self {
        Self::new(|_| {})
    }

    /// Tells one event.
    pub fn tell(&self, event: Event) {
        (self.0)(&event);
    }
}

impl std::fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Observer")
    }
}
