//! What one build needs: stages with all their steps, and the images that they take something from.

use ringsite_images::{
    Base, Instruction, MountKind, Origin, Platform, PlatformError, Stage, Step, Variant, read_triggers,
};
use ringsite_oci::Registry;

use crate::base::{LoadedImage, load_image};
use crate::error::{BuildError, Place};
use crate::external::program::Program;
use crate::step::{BaseImage, Bases, BuildStep};

/// A build of one platform.
pub(super) struct Plan<'v> {
    pub(super) variant: &'v Variant,
    /// The needed stages in the order of the file; the last is the one that is asked for.
    pub(super) stages: Vec<PlannedStage<'v>>,
    /// The images that stages take something from, each once.
    pub(super) images: Vec<LoadedImage>,
    wanted: Vec<Wanted>,
}

/// A stage with the triggers of its base written out.
pub(super) struct PlannedStage<'v> {
    pub(super) stage: &'v Stage,
    /// Triggers of the base, then its own steps.
    pub(super) steps: Vec<Step>,
    /// The image that it starts from, by its place among the images.
    pub(super) base: Option<usize>,
}

/// How an image of the plan is named in the file.
#[derive(PartialEq, Eq)]
struct Wanted {
    image: BaseImage,
    platform: Platform,
}

impl<'v> Plan<'v> {
    /// Loads every image that is needed, and refuses what `program` does not do as it is meant.
    ///
    /// # Errors
    /// `Instruction` with the line; what [`load_image`] says.
    pub(super) async fn make(
        program: &Program,
        step: &BuildStep,
        variant: &'v Variant,
        bases: &Bases,
        registry: &impl Registry,
    ) -> Result<Self, BuildError> {
        let mut plan = Self { variant, stages: Vec::new(), images: Vec::new(), wanted: Vec::new() };
        for index in &variant.needed {
            let stage = &variant.containerfile.stages[*index];
            let place = plan.place(stage.line);
            let platform = base_platform(stage, &variant.platform, &place)?;
            let mut steps = Vec::new();
            let base = match &stage.base {
                Base::Scratch | Base::Stage(_) => None,
                Base::Project(image) => Some(bases.project.get(image)),
                Base::External(name) => Some(bases.external(name)),
            };
            let base = match base {
                None => None,
                Some(found) => {
                    let found = found.ok_or_else(|| unknown(step, &place))?;
                    Some(plan.image(found, &platform, registry).await?)
                }
            };
            if let (Base::External(name), Some(base)) = (&stage.base, base) {
                let triggers = &plan.images[base].config.config.on_build;
                steps = read_triggers(&place.file, place.line, name, triggers)?;
            }
            steps.extend(variant.steps(stage.index).iter().map(|planned| planned.step.clone()));
            for one in &steps {
                let place = plan.place(one.line);
                check(program, one, &place)?;
                // The iterator is not `Send`, which futures must be.
                let origins: Vec<&Origin> = one.instruction.origins().collect();
                for origin in origins {
                    if let Some(found) = image_of(origin, bases) {
                        let found = found.ok_or_else(|| unknown(step, &place))?;
                        plan.image(found, &variant.platform, registry).await?;
                    }
                }
            }
            plan.stages.push(PlannedStage { stage, steps, base });
        }
        Ok(plan)
    }

    fn place(&self, line: u32) -> Place {
        Place { file: self.variant.containerfile.path.clone(), line }
    }

    async fn image(
        &mut self,
        image: &BaseImage,
        platform: &Platform,
        registry: &impl Registry,
    ) -> Result<usize, BuildError> {
        let wanted = Wanted { image: image.clone(), platform: platform.clone() };
        if let Some(known) = self.wanted.iter().position(|one| *one == wanted) {
            return Ok(known);
        }
        self.images.push(load_image(registry, image, platform).await?);
        self.wanted.push(wanted);
        Ok(self.images.len() - 1)
    }

    /// Returns the image that an instruction takes files from, by its place among the images.
    pub(super) fn origin(&self, origin: &Origin, bases: &Bases) -> Option<usize> {
        let found = image_of(origin, bases)??;
        self.wanted.iter().position(|one| one.image == *found && one.platform == self.variant.platform)
    }

    /// Returns the stages that the image consists of, the one with its base first.
    pub(super) fn chain(&self) -> Vec<&PlannedStage<'v>> {
        let mut chain = Vec::new();
        let mut next = Some(self.variant.target);
        while let Some(stage) = next.and_then(|index| self.stages.iter().find(|one| one.stage.index == index))
        {
            chain.push(stage);
            next = match stage.stage.base {
                Base::Stage(base) => Some(base),
                _ => None,
            };
        }
        chain.reverse();
        chain
    }

    /// Returns the image below all stages of the result, when there is one.
    pub(super) fn base(&self) -> Option<&LoadedImage> {
        self.chain().first().and_then(|stage| stage.base).map(|base| &self.images[base])
    }
}

fn image_of<'b>(origin: &Origin, bases: &'b Bases) -> Option<Option<&'b BaseImage>> {
    match origin {
        Origin::Context | Origin::Stage(_) => None,
        Origin::Project(image) => Some(bases.project.get(image)),
        Origin::External(name) => Some(bases.external(name)),
    }
}

fn unknown(step: &BuildStep, place: &Place) -> BuildError {
    let message = format!("{} is built from an image that was not handed to the builder", step.image);
    BuildError::at(place, message, "run the same command again, so that every image is resolved")
}

fn base_platform(stage: &Stage, own: &Platform, place: &Place) -> Result<Platform, BuildError> {
    match &stage.base_platform {
        None => Ok(own.clone()),
        Some(text) => text
            .parse()
            .map_err(|error: PlatformError| BuildError::at(place, error.to_string(), error.help())),
    }
}

/// Refuses what would be done in another way than it is meant, or not at all.
fn check(program: &Program, step: &Step, place: &Place) -> Result<(), BuildError> {
    let refuse = |message: String, help: &str| Err(BuildError::at(place, message, help));
    let has_heredocs = match &step.instruction {
        Instruction::Add(transfer) | Instruction::Copy(transfer) => !transfer.heredocs.is_empty(),
        Instruction::Run(run) => !run.heredocs.is_empty(),
        _ => false,
    };
    if has_heredocs && !program.reads_heredocs() {
        let help = "write the text into a file of the build context, or install a newer version";
        return refuse(format!("{} does not know heredocs", program.built_by()), help);
    }
    let Instruction::Run(run) = &step.instruction else { return Ok(()) };
    if let Some(security) = run.security.as_deref().filter(|security| *security != "sandbox") {
        let help = "take `--security` away; a build has no more rights than this program";
        return refuse(format!("`--security={security}` is not given to a build"), help);
    }
    match run.mounts.iter().find(|mount| matches!(mount.kind, MountKind::Secret | MountKind::Ssh)) {
        Some(mount) => {
            let kind = if mount.kind == MountKind::Ssh { "ssh agent" } else { "secret" };
            let help =
                "fetch what needs it before, and COPY it: nobody could build the image again otherwise";
            refuse(format!("no {kind} is given to a build"), help)
        }
        None => Ok(()),
    }
}
