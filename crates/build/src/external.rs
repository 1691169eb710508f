//! External builders: buildah, docker buildx and podman, for images with a `RUN`.
//!
//! A build happens in a folder of its own, which is removed with everything in it when the build
//! ends, fails or is given up. Into it go
//!
//! * the sources: exactly the files of the recipe, hashed again while they are copied;
//! * every image that the containerfile starts or copies from, out of the project's registry;
//! * the containerfile, written anew: needed stages only, every name of an image or stage replaced
//!   by a local one, triggers of bases written out, each instruction on its own line number.
//!
//! So the tool needs no network to find images, and reads no ignore file. Whether a `RUN` may use the
//! network is the tool's decision.
//!
//! | Tool | Images come in by | Result goes out by |
//! |--|--|--|
//! | buildah | `pull oci:DIR`, then the local id | `push --disable-compression ID dir:DIR` |
//! | podman | the same | `push ID dir:DIR` |
//! | docker buildx | `--build-context NAME=oci-layout://DIR@DIGEST` | `--output type=oci,tar=false` |
//!
//! buildah and podman keep their storage in the folder of the build (`--root`, `--runroot`, driver
//! vfs) and isolate by chroot, so they need no daemon. They build in the format `docker`, because in
//! the format `oci` they ignore `SHELL`; what is pushed is an OCI image all the same.
//!
//! # What is taken of the result
//!
//! Layers above those of the base, which must be the first ones; they are compressed by us, so that
//! their digest depends on their content only. Of the configuration what a runtime starts. Labels,
//! times, history, platform and what only Docker knows (`HEALTHCHECK`, `SHELL`, `ONBUILD`) are set
//! here, as for the native builder. buildah and podman set every time to the epoch; buildx does not
//! with files, since its option for that rewrites layers of the base in some versions.

mod definition;
mod export;
mod import;
mod plan;
mod program;
mod scratch;
mod tools;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ringsite_images::{Context, Recipe, Variant};
use ringsite_oci::Registry;
use tokio::task::spawn_blocking;

use crate::builder::Builder;
use crate::error::BuildError;
use crate::layer::hand_out_failed;
use crate::names::CACHE_BUILDS;
use crate::native::{Assembly, assemble};
use crate::step::{Bases, BuildStep, Built, BuiltPlatform, Phases};

use self::export::export;
use self::plan::Plan;
use self::program::Program;
use self::scratch::Scratch;

pub use self::program::Tool;

/// Builds images with a program of this machine.
#[derive(Clone, Debug)]
pub struct External {
    program: Program,
    builds: PathBuf,
}

impl External {
    /// Returns the builder that uses `tool`, when one of `programs` is it and works.
    ///
    /// `programs` are programs, or folders to look in, in this order. Builds happen below the folder
    /// `cache`, for example `.ring/cache`. Asks the program for its version.
    pub fn find(tool: Tool, programs: &[PathBuf], cache: &Path) -> Option<Self> {
        let program = Program::find(tool, programs)?;
        Some(Self { program, builds: cache.join(CACHE_BUILDS) })
    }

    /// Returns the tool.
    pub fn tool(&self) -> Tool {
        self.program.tool()
    }

    async fn build_one(
        &self,
        step: &BuildStep,
        variant: &Variant,
        context: &Context,
        bases: &Bases,
        sink: &impl Registry,
    ) -> Result<BuiltPlatform, BuildError> {
        let plan = Plan::make(&self.program, step, variant, bases, sink).await?;
        let scratch = Scratch::new(&self.builds, &self.program).await?;
        stage(step, context, scratch.sources()).await?;
        let mut exported = Vec::with_capacity(plan.images.len());
        for (index, image) in plan.images.iter().enumerate() {
            exported.push(export(image, &scratch.image(index), sink).await?);
        }
        let output = tools::build(&self.program, step, bases, &plan, &exported, &scratch).await?;
        let image = import::import(&self.program, step, &plan, output, sink).await;
        scratch.remove().await;
        image
    }
}

impl Builder for External {
    fn built_by(&self) -> String {
        self.program.built_by()
    }

    async fn build(
        &self,
        step: &BuildStep,
        context: &Context,
        bases: &Bases,
        sink: &impl Registry,
    ) -> Result<Built, BuildError> {
        let start = Instant::now();
        let mut platforms = Vec::with_capacity(step.platforms.len());
        for variant in &step.platforms {
            platforms.push(self.build_one(step, variant, context, bases, sink).await?);
        }
        let phases = Phases { layers: start.elapsed(), ..Phases::default() };
        let recipe = Recipe {
            sources: (*step.sources).clone(),
            inputs: step.inputs.clone(),
            built_by: self.built_by(),
        };
        assemble(step, Assembly { platforms, recipe, warnings: Vec::new(), phases }, sink).await
    }
}

/// Copies the sources of a step into a folder.
async fn stage(step: &BuildStep, context: &Context, folder: PathBuf) -> Result<(), BuildError> {
    let (context, sources) = (context.clone(), step.sources.clone());
    let copied = spawn_blocking(move || context.copy_to(&sources, &folder)).await;
    copied.map_err(|error| BuildError::Worker(Box::new(error)))?.map_err(hand_out_failed)
}
