//! Evaluates stages: from instructions to a configuration and to layers whose entries are known.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use ringsite_images::names::is_reserved_label;
use ringsite_images::{
    Base, Containerfile, Instruction, Origin, PlannedStep, Platform, PlatformError, Stage, StepSources,
    Transfer as WrittenTransfer, Variant, read_triggers,
};
use ringsite_names::Timestamp;
use ringsite_oci::{History, ImageConfig, Registry};

use crate::base::{Index, LoadedImage, View, load_image};
use crate::error::{BuildError, Place};
use crate::layer::{Contents, Entry, take_out};
use crate::names::DEFAULT_PATH;
use crate::native::config::{Flags, apply};
use crate::native::copy::{Destination, Transfer, Used, address, heredoc_file, normalised};
use crate::native::job::{Job, Outcome};
use crate::native::ownership::Ownership;
use crate::native::scope::Scope;
use crate::native::target::{Target, Written};
use crate::step::{BaseImage, Bases, BuildStep};

/// A stage that was evaluated.
#[derive(Clone, Debug)]
pub(crate) struct Evaluated {
    /// The configuration; layers and history of the base only.
    pub(crate) config: ImageConfig,
    /// The image below, when there is one.
    pub(crate) base: Option<Arc<LoadedImage>>,
    /// The layers on top of it.
    pub(crate) added: Vec<Added>,
    /// What each instruction becomes in the history.
    pub(crate) history: Vec<Line>,
    view: View,
    scope: Scope,
}

/// A layer that an instruction makes.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    /// What it holds.
    pub(crate) index: Arc<Index>,
    /// Folders below it that each part of it must repeat.
    pub(crate) repeated: BTreeMap<Box<str>, Entry>,
}

/// One line of the history.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// The instruction.
    pub(crate) text: String,
    /// The position of its layer among those that were added, when it has one.
    pub(crate) layer: Option<usize>,
}

/// Evaluates the stages of one platform.
pub(crate) struct Evaluation<'e, R> {
    pub(crate) step: &'e BuildStep,
    pub(crate) variant: &'e Variant,
    pub(crate) bases: &'e Bases,
    pub(crate) registry: &'e R,
    pub(crate) cache: Option<PathBuf>,
    pub(crate) contents: Contents,
    pub(crate) stages: BTreeMap<usize, Evaluated>,
    pub(crate) warnings: Vec<String>,
    pub(crate) used: Used,
}

impl<R: Registry> Evaluation<'_, R> {
    /// Evaluates every needed stage and returns the one that is asked for.
    ///
    /// # Errors
    /// The first instruction that cannot be done.
    pub(crate) async fn run(&mut self) -> Result<Evaluated, BuildError> {
        let variant = self.variant;
        let file = &variant.containerfile;
        if let Some(run) = variant.first_run() {
            return Err(BuildError::NoBuilder {
                place: self.place(run.line),
                image: self.step.image.clone(),
                reason: "the native builder does not execute RUN".to_owned(),
            });
        }
        for index in &variant.needed {
            let evaluated = self.stage(&file.stages[*index]).await?;
            self.stages.insert(*index, evaluated);
        }
        let target = self.stages.remove(&self.variant.target);
        let target = target.expect("the stage that is asked for is among the needed ones");
        Ok(target)
    }

    fn file(&self) -> &Containerfile {
        &self.variant.containerfile
    }

    fn place(&self, line: u32) -> Place {
        Place { file: self.file().path.clone(), line }
    }

    async fn stage(&mut self, stage: &Stage) -> Result<Evaluated, BuildError> {
        let place = self.place(stage.line);
        let platform = self.base_platform(stage, &place)?;
        let mut triggers = Vec::new();
        let mut evaluated = match &stage.base {
            Base::Scratch => self.on_nothing(),
            Base::Stage(index) => {
                self.stages.get(index).expect("an earlier stage was evaluated before").clone()
            }
            Base::Project(image) => {
                let base = self.bases.project.get(image).ok_or_else(|| unknown(&place, image.as_str()))?;
                self.on_image(base, &platform).await?
            }
            Base::External(name) => {
                let base = self.bases.external(name).ok_or_else(|| unknown(&place, name))?;
                let evaluated = self.on_image(base, &platform).await?;
                triggers = read_triggers(&place.file, place.line, name, &evaluated.config.config.on_build)?;
                evaluated
            }
        };
        // Triggers of stages and of images of the project stand among the planned steps already.
        evaluated.config.config.on_build.clear();
        let triggers = triggers.into_iter().map(|step| PlannedStep { step, sources: None });
        let mut flags = Flags::default();
        for step in triggers.chain(self.variant.steps(stage.index).iter().cloned()) {
            self.instruction(&step, &mut evaluated, &mut flags).await?;
        }
        Ok(evaluated)
    }

    /// Returns the platform that a stage's base is taken for.
    fn base_platform(&self, stage: &Stage, place: &Place) -> Result<Platform, BuildError> {
        match &stage.base_platform {
            None => Ok(self.variant.platform.clone()),
            Some(text) => text
                .parse()
                .map_err(|error: PlatformError| BuildError::at(place, error.to_string(), error.help())),
        }
    }

    fn on_nothing(&self) -> Evaluated {
        let platform = &self.variant.platform;
        let mut config = ImageConfig::new(platform.os(), platform.architecture());
        config.variant = platform.variant().map(str::to_owned);
        config.config.env = vec![DEFAULT_PATH.to_owned()];
        config.config.working_dir = Some("/".to_owned());
        Evaluated {
            config,
            base: None,
            added: Vec::new(),
            history: Vec::new(),
            view: View::default(),
            scope: self.scope(),
        }
    }

    async fn on_image(&self, image: &BaseImage, platform: &Platform) -> Result<Evaluated, BuildError> {
        let base = load_image(self.registry, image, platform).await?;
        let view = self.view_of(&base).await?;
        let mut config = base.config.clone();
        // These labels say what the base is; this image says it for itself.
        config.config.labels.retain(|label, _| !is_reserved_label(label));
        Ok(Evaluated {
            config,
            base: Some(Arc::new(base)),
            added: Vec::new(),
            history: Vec::new(),
            view,
            scope: self.scope(),
        })
    }

    fn scope(&self) -> Scope {
        Scope::new(self.file().escape)
    }

    async fn view_of(&self, image: &LoadedImage) -> Result<View, BuildError> {
        let mut view = View::default();
        for index in image.indexes(self.registry, self.cache.as_deref()).await? {
            view.push(index);
        }
        Ok(view)
    }

    async fn instruction(
        &mut self,
        planned: &PlannedStep,
        stage: &mut Evaluated,
        flags: &mut Flags,
    ) -> Result<(), BuildError> {
        let PlannedStep { step, sources } = planned;
        let place = self.place(step.line);
        let sources = sources.as_ref();
        let layer = match &step.instruction {
            Instruction::Arg(names) => {
                self.arguments(&place, stage, names)?;
                None
            }
            Instruction::Copy(transfer) => self.transfer(&place, stage, transfer, sources, false).await?,
            Instruction::Add(transfer) => self.transfer(&place, stage, transfer, sources, true).await?,
            Instruction::Workdir(path) => {
                let path = word(stage, &place, path)?;
                self.workdir(&place, stage, &path).await?
            }
            Instruction::Run(_) => {
                return Err(BuildError::NoBuilder {
                    place,
                    image: self.step.image.clone(),
                    reason: "the native builder does not execute RUN".to_owned(),
                });
            }
            other => {
                apply(&mut stage.config, flags, &stage.scope, &place, other)?;
                None
            }
        };
        let (entries, repeated) = layer.unwrap_or_default();
        stage.add(step.text.clone(), entries, repeated);
        Ok(())
    }

    fn arguments(
        &self,
        place: &Place,
        stage: &mut Evaluated,
        names: &[(String, Option<String>)],
    ) -> Result<(), BuildError> {
        let given = &self.step.sources.arguments().args;
        for (name, default) in names {
            let default = match default {
                Some(default) => Some(word(stage, place, default)?),
                None => self.file().globals.get(name).cloned(),
            };
            stage.scope.declare(name, given.get(name).cloned().or(default));
        }
        Ok(())
    }

    async fn transfer(
        &mut self,
        place: &Place,
        stage: &Evaluated,
        written: &WrittenTransfer,
        sources: Option<&StepSources>,
        is_add: bool,
    ) -> Result<Option<Written>, BuildError> {
        let mut transfer = expanded(stage, place, written)?;
        if let Some(address) = is_add.then(|| address(&transfer)).flatten() {
            let message = format!("ADD of `{address}`: a native build does not use the network");
            let help = "download the file into the build context and COPY it";
            return Err(BuildError::at(place, message, help));
        }
        // What the revision was computed from decides, where it was.
        if let Some(planned) = sources {
            transfer.sources.clone_from(&planned.sources);
            transfer.exclude.clone_from(&planned.exclude);
        }
        let optional =
            |value: &Option<String>| value.as_ref().map(|value| word(stage, place, value)).transpose();
        let (chown, chmod) = (optional(&written.chown)?, optional(&written.chmod)?);
        let users = self.readable(&stage.view, chown.as_deref()).await?;
        let ownership = Ownership::read(place, chown.as_deref(), chmod.as_deref(), &stage.view, &users)?;
        let from = match &written.from {
            Origin::Context => None,
            other => Some(self.origin_view(place, other).await?),
        };
        let job = Job {
            place: place.clone(),
            transfer,
            ownership,
            unpacks: is_add && written.unpack != Some(false),
            contents: self.contents.clone(),
            from,
            below: if written.link { View::default() } else { stage.view.clone() },
        };
        let Outcome { written, warnings, found } = job.run()?;
        self.warnings.extend(warnings);
        self.used.mark(&found);
        Ok(Some(written))
    }

    /// Returns contents from which the users of a stage can be read, when they are asked for by name.
    async fn readable(&self, view: &View, chown: Option<&str>) -> Result<Contents, BuildError> {
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if chown.is_none_or(|chown| chown.split(':').all(is_number)) {
            return Ok(self.contents.clone());
        }
        let entries: Vec<Entry> = view.users().into_iter().cloned().collect();
        take_out(self.registry, &self.contents, entries.iter()).await
    }

    async fn origin_view(&self, place: &Place, origin: &Origin) -> Result<View, BuildError> {
        let image = match origin {
            Origin::Context => return Ok(View::default()),
            Origin::Stage(index) => {
                let stage = self.stages.get(index).expect("an earlier stage was evaluated before");
                return Ok(stage.view.clone());
            }
            Origin::Project(image) => {
                self.bases.project.get(image).ok_or_else(|| unknown(place, image.as_str()))?
            }
            Origin::External(name) => self.bases.external(name).ok_or_else(|| unknown(place, name))?,
        };
        let image = load_image(self.registry, image, &self.variant.platform).await?;
        self.view_of(&image).await
    }

    /// Sets the folder to start in, and makes it where it is missing.
    async fn workdir(
        &self,
        place: &Place,
        stage: &mut Evaluated,
        path: &str,
    ) -> Result<Option<Written>, BuildError> {
        let known = stage.config.config.working_dir.clone().unwrap_or_default();
        let path = Destination::new(path, &known).path;
        stage.config.config.working_dir = Some(format!("/{path}"));
        let user = stage.config.config.user.clone().filter(|user| !user.is_empty());
        let users = self.readable(&stage.view, user.as_deref()).await?;
        let ownership = Ownership::read(place, user.as_deref(), None, &stage.view, &users)?;
        let mut target = Target::new(&stage.view, place, ownership);
        target.parent(&normalised(&path))?;
        target.finish().map(Some)
    }
}

fn unknown(place: &Place, image: &str) -> BuildError {
    BuildError::at(place, format!("the image `{image}` is not known here"), "check the name")
}

fn word(stage: &Evaluated, place: &Place, word: &str) -> Result<String, BuildError> {
    stage.scope.expand(&stage.config.config.env, word).map_err(|error| {
        BuildError::at(place, format!("`{word}`: {error}"), "repair the word or declare the variable")
    })
}

fn expanded(stage: &Evaluated, place: &Place, written: &WrittenTransfer) -> Result<Transfer, BuildError> {
    let all = |words: &[String]| {
        words.iter().map(|text| word(stage, place, text)).collect::<Result<Vec<String>, _>>()
    };
    let sources = all(&written.sources)?;
    let exclude = all(&written.exclude)?;
    let mut heredocs = Vec::with_capacity(written.heredocs.len());
    for heredoc in &written.heredocs {
        let content = match heredoc.expand {
            false => heredoc.content.clone(),
            true => {
                stage.scope.expand_heredoc(&stage.config.config.env, &heredoc.content).map_err(|error| {
                    let place = Place { file: place.file.clone(), line: heredoc.line };
                    BuildError::at(&place, error.to_string(), "repair the text, or quote the delimiter")
                })?
            }
        };
        heredocs.push(heredoc_file(heredoc, content));
    }
    let destination = word(stage, place, &written.destination)?;
    let working_dir = stage.config.config.working_dir.clone().unwrap_or_default();
    let destination = Destination::new(&destination, &working_dir);
    Ok(Transfer { sources, heredocs, destination, exclude, parents: written.parents })
}

impl Evaluated {
    /// Puts what an instruction wrote on top, and the instruction into the history.
    pub(crate) fn add(&mut self, text: String, entries: Vec<Entry>, repeated: BTreeMap<Box<str>, Entry>) {
        let layer = (!entries.is_empty()).then(|| {
            let index = Arc::new(Index::of_entries(entries));
            self.view.push(index.clone());
            self.added.push(Added { index, repeated });
            self.added.len() - 1
        });
        self.history.push(Line { text, layer });
    }

    /// Returns the history of the image, with as many layers for each added one as `parts` says.
    pub(crate) fn full_history(&self, epoch: Timestamp, parts: &[usize]) -> Vec<History> {
        let created = Some(epoch.to_string());
        let mut history = self.config.history.clone();
        for line in &self.history {
            let entry = History {
                created: created.clone(),
                created_by: Some(line.text.clone()),
                empty_layer: line.layer.is_none(),
                ..History::default()
            };
            let count = line.layer.map_or(1, |layer| parts[layer]);
            for part in 1..=count {
                let comment = (count > 1).then(|| format!("part {part} of {count}"));
                history.push(History { comment, ..entry.clone() });
            }
        }
        history
    }

    /// Returns the view over all layers.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }
}
