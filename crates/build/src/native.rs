//! The native builder: everything but `RUN`, in this process, the same bytes on every machine.
//!
//! The stages that are needed are evaluated in the order of the file: each becomes a configuration
//! and a list of layers whose entries are known, but not read yet. Only the layers of the stage that
//! is asked for are made. A stage that others copy from is looked into through a
//! [`View`](crate::base::View), so its layers never exist.
//!
//! Where Docker and BuildKit agree, this follows them. What is decided here:
//!
//! | Question | Answer |
//! |--|--|
//! | modes of context files | 0644, or 0755 with any execute bit; folders 0755; `--chmod` decides over it |
//! | owners | 0:0 for what comes from the context, those of the source with `--from` and of the archive with `ADD`; `--chown` decides over it |
//! | folders that exist below | kept as they are and not written, unless they have an unusual owner or mode: then they are written as they are, because some runtimes give a folder that a layer does not mention 0755 and root |
//! | links in a destination | followed as a process in the image would, not with `--link` |
//! | a file in place of a folder, or a folder in place of a file | refused by line |
//! | archives | `ADD` unpacks tar, plain or with gzip or zstd; bzip2 and xz are refused by line |
//! | addresses | `ADD <url>` is refused: a build does not use the network |

mod archive_source;
mod assemble;
mod config;
mod copy;
mod evaluate;
mod from_image;
mod job;
mod ownership;
mod scope;
mod target;

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use ringsite_images::Context;
use ringsite_oci::Registry;

use crate::builder::Builder;
use crate::error::BuildError;
use crate::limits::COMPRESS_THREADS_MAX;
use crate::names::BUILT_BY_NATIVE;
use crate::step::{Bases, BuildStep, Built};

pub(crate) use assemble::{Assembly, Image, assemble, bring, own_history, pins_text, push_image, timestamp};
pub(crate) use config::healthcheck;

/// Builds images without any other program.
#[derive(Clone, Debug)]
pub struct Native {
    cache: Option<PathBuf>,
    threads: usize,
}

impl Native {
    /// Returns a builder that keeps its cache in the folder `cache`, for example `.ring/cache`;
    /// without one it remembers nothing.
    pub fn new(cache: Option<&Path>) -> Self {
        let threads = available_parallelism().map_or(2, |count| count.get().min(COMPRESS_THREADS_MAX));
        Self { cache: cache.map(Path::to_path_buf), threads }
    }

    /// Returns the builder with another number of threads that compress. The result is the same.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.clamp(1, COMPRESS_THREADS_MAX);
        self
    }

    pub(crate) fn cache(&self) -> Option<&Path> {
        self.cache.as_deref()
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }
}

impl Builder for Native {
    fn built_by(&self) -> String {
        BUILT_BY_NATIVE.to_owned()
    }

    async fn build(
        &self,
        step: &BuildStep,
        context: &Context,
        bases: &Bases,
        sink: &impl Registry,
    ) -> Result<Built, BuildError> {
        assemble::build(self, step, context, bases, sink).await
    }
}
