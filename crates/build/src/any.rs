//! Which builder builds an image, decided at run time.

use std::path::{Path, PathBuf};

use ringsite_images::{BuilderChoice, Context, Definition, Instruction};
use ringsite_oci::Registry;

use crate::builder::Builder;
use crate::error::{BuildError, Place};
use crate::external::{External, Tool};
use crate::native::Native;
use crate::step::{Bases, BuildStep, Built};

/// Any of the builders.
#[derive(Clone, Debug)]
pub enum AnyBuilder {
    /// In this process.
    Native(Native),
    /// With a program of this machine.
    External(External),
}

impl AnyBuilder {
    /// Returns the builder of an image.
    ///
    /// `builder` in `rings.toml` decides. With `auto` it is the native builder when no stage that is
    /// needed has a `RUN`, else the first of buildah, docker buildx and podman that works. `programs`
    /// are programs, or folders to look in; `cache` is the folder of the cache, for example `.ring/cache`.
    ///
    /// Finding an external builder starts it once, to ask for its version.
    ///
    /// # Errors
    /// `NoBuilder` with the line of the first `RUN`.
    pub fn choose(definition: &Definition, programs: &[PathBuf], cache: &Path) -> Result<Self, BuildError> {
        let run = first_run(definition);
        let refuse = |reason: String| {
            let file = definition.declaration.containerfile_written.clone();
            let place = run.clone().unwrap_or(Place { file, line: 1 });
            Err(BuildError::NoBuilder { place, image: definition.image.clone(), reason })
        };
        let tool = match definition.declaration.builder {
            BuilderChoice::Auto | BuilderChoice::Native if run.is_none() => {
                return Ok(Self::Native(Native::new(Some(cache))));
            }
            BuilderChoice::Native => {
                return refuse("`builder = \"native\"` does not execute RUN".to_owned());
            }
            BuilderChoice::Auto => {
                let found = Tool::ALL.into_iter().find_map(|tool| External::find(tool, programs, cache));
                return match found {
                    Some(builder) => Ok(Self::External(builder)),
                    None => refuse("buildah, docker with buildx and podman are not there".to_owned()),
                };
            }
            BuilderChoice::Buildah => Tool::Buildah,
            BuilderChoice::Buildx => Tool::Buildx,
            BuilderChoice::Podman => Tool::Podman,
        };
        match External::find(tool, programs, cache) {
            Some(builder) => Ok(Self::External(builder)),
            None => refuse(format!(
                "`builder = \"{}\"`, and {tool} is not there",
                definition.declaration.builder.as_str()
            )),
        }
    }
}

/// Returns the first `RUN` that a needed stage executes, triggers of its base included.
fn first_run(definition: &Definition) -> Option<Place> {
    definition.variants.iter().find_map(|variant| {
        let steps = variant.needed.iter().flat_map(|stage| variant.steps(*stage));
        let run = steps
            .map(|planned| &planned.step)
            .find(|step| matches!(step.instruction, Instruction::Run(_)))?;
        Some(Place { file: variant.containerfile.path.clone(), line: run.line })
    })
}

impl Builder for AnyBuilder {
    fn built_by(&self) -> String {
        match self {
            Self::Native(builder) => builder.built_by(),
            Self::External(builder) => builder.built_by(),
        }
    }

    async fn build(
        &self,
        step: &BuildStep,
        context: &Context,
        bases: &Bases,
        sink: &impl Registry,
    ) -> Result<Built, BuildError> {
        match self {
            Self::Native(builder) => builder.build(step, context, bases, sink).await,
            Self::External(builder) => builder.build(step, context, bases, sink).await,
        }
    }
}
