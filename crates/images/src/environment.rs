//! What `ARG` and `ENV` are worth in each stage, and with them which sources a stage copies.
//!
//! A revision is computed before anything is built. So a source may use what the project itself
//! says (arguments, `ENV` of the stage, of the stages and of the project's images below it) and not
//! what only an external base image knows, nor what differs between the machines that build.

use std::collections::BTreeMap;

use crate::containerfile::is_address;
use crate::expand::{ExpandError, Unset, expand_with};
use crate::names::is_reserved_label;
use crate::{
    Base, Containerfile, Instruction, MountKind, Onbuild, Origin, Platform, Problem, Stage, Step, Transfer,
};

/// A variable's value, when the project alone decides about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The project says so.
    Known(String),
    /// Depends on the environment of an external base image.
    External(String),
    /// Depends on the machine that builds.
    Machine,
}

/// What an image hands on to the images that are built from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heritage {
    variables: BTreeMap<String, Value>,
    /// The external image below, whose environment is not known here.
    external: Option<String>,
    triggers: Vec<Onbuild>,
}

/// A step with the sources that it takes from the build context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedStep {
    /// The step; for a trigger of a base image, with the line of the `FROM`.
    pub step: Step,
    /// What it takes from the build context, when it takes anything.
    pub sources: Option<StepSources>,
}

/// What one step takes from the build context, expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepSources {
    /// The sources, in their order, without addresses and heredocs.
    pub sources: Vec<String>,
    /// The patterns of `--exclude`.
    pub exclude: Vec<String>,
    /// Whether `--parents` is on.
    pub parents: bool,
}

/// The stages of a containerfile with everything expanded that decides about sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// For each stage its steps, triggers of the base first; nothing for a stage that is not needed.
    pub(crate) stages: Vec<Vec<PlannedStep>>,
    pub(crate) heritage: Heritage,
}

/// What planning needs to know.
#[derive(Clone, Copy)]
pub(crate) struct PlanRequest<'a> {
    pub(crate) containerfile: &'a Containerfile,
    pub(crate) target: usize,
    pub(crate) needed: &'a [usize],
    pub(crate) arguments: &'a BTreeMap<String, String>,
    /// What the project's image of this name hands on, for the same platform.
    pub(crate) heritage_of: &'a dyn Fn(&ringsite_names::ImageName) -> Heritage,
}

/// Plans the needed stages.
///
/// # Errors
/// A problem for each source that cannot be expanded, and for each label that is not the file's to set.
pub(crate) fn plan(request: &PlanRequest<'_>) -> Result<Planned, Vec<Problem>> {
    let file = request.containerfile;
    let mut planner = Planner { request, problems: Vec::new() };
    let mut scopes: Vec<Scope> = Vec::with_capacity(file.stages.len());
    let mut stages = vec![Vec::new(); file.stages.len()];
    let in_target = chain(file, request.target);
    for stage in &file.stages {
        if !request.needed.contains(&stage.index) {
            scopes.push(Scope::default());
            continue;
        }
        let mut scope = planner.start(stage, &scopes);
        let triggers = std::mem::take(&mut scope.heritage.triggers);
        let triggers = triggers.into_iter().map(|trigger| Step {
            line: stage.line,
            text: trigger.text,
            instruction: *trigger.instruction,
        });
        for step in triggers.chain(stage.steps.iter().cloned()) {
            if in_target.contains(&stage.index) {
                planner.check_labels(&step, &scope);
            }
            let sources = planner.sources(&step, &scope);
            planner.apply(&step.instruction, &mut scope);
            stages[stage.index].push(PlannedStep { step, sources });
        }
        scopes.push(scope);
    }
    if !planner.problems.is_empty() {
        return Err(planner.problems);
    }
    let heritage = scopes.swap_remove(request.target).heritage;
    Ok(Planned { stages, heritage })
}

/// Returns the stages that the image really consists of: the target and what it begins with.
fn chain(file: &Containerfile, target: usize) -> Vec<usize> {
    let mut chain = vec![target];
    while let Some(Base::Stage(base)) = chain.last().map(|&index| &file.stages[index].base) {
        chain.push(*base);
    }
    chain
}

/// What is known at one line of a stage.
#[derive(Clone, Debug, Default)]
struct Scope {
    heritage: Heritage,
    arguments: BTreeMap<String, Value>,
}

/// Why a word cannot be expanded.
#[derive(Clone, Debug)]
enum Fault {
    Word(ExpandError),
    External { name: String, image: String },
    Machine(String),
}

impl From<ExpandError> for Fault {
    fn from(error: ExpandError) -> Self {
        Self::Word(error)
    }
}

impl Scope {
    /// Returns a variable's value; `ENV` counts more than `ARG`.
    fn value(&self, name: &str) -> Result<Option<String>, Fault> {
        let own = self.heritage.variables.get(name).or_else(|| self.arguments.get(name));
        match (own, &self.heritage.external) {
            (Some(Value::Known(value)), _) => Ok(Some(value.clone())),
            (Some(Value::External(image)), _) | (None, Some(image)) => {
                Err(Fault::External { name: name.to_owned(), image: image.clone() })
            }
            (Some(Value::Machine), _) => Err(Fault::Machine(name.to_owned())),
            (None, None) => Ok(None),
        }
    }

    fn expand(&self, word: &str, escape: char, unset: Unset) -> Result<String, Fault> {
        expand_with(word, &|name| self.value(name), escape, unset)
    }

    /// Returns what a variable becomes that is set to `word`.
    fn evaluate(&self, word: &str, escape: char) -> Value {
        match self.expand(word, escape, Unset::Empty) {
            Ok(value) => Value::Known(value),
            Err(Fault::External { image, .. }) => Value::External(image),
            Err(Fault::Machine(_)) => Value::Machine,
            // The builder says so where the word is used; a source that needs it is refused.
            Err(Fault::Word(error)) => Value::External(error.to_string()),
        }
    }
}

struct Planner<'a> {
    request: &'a PlanRequest<'a>,
    problems: Vec<Problem>,
}

impl Planner<'_> {
    fn escape(&self) -> char {
        self.request.containerfile.escape
    }

    fn start(&self, stage: &Stage, scopes: &[Scope]) -> Scope {
        match &stage.base {
            Base::Scratch => Scope::default(),
            Base::Stage(base) => scopes[*base].clone(),
            Base::Project(image) => {
                Scope { heritage: (self.request.heritage_of)(image), arguments: BTreeMap::new() }
            }
            Base::External(image) => Scope {
                heritage: Heritage { external: Some(image.clone()), ..Heritage::default() },
                arguments: BTreeMap::new(),
            },
        }
    }

    fn problem(&mut self, line: u32, message: String, help: String) {
        self.problems.push(Problem::in_file(&self.request.containerfile.path, message, help).at_line(line));
    }

    /// Takes over what an instruction sets; all its words see what was set before it.
    fn apply(&self, instruction: &Instruction, scope: &mut Scope) {
        let escape = self.escape();
        match instruction {
            Instruction::Arg(arguments) => {
                let before = scope.clone();
                for (name, default) in arguments {
                    if let Some(value) = self.argument(name, default.as_deref(), &before) {
                        scope.arguments.insert(name.clone(), value);
                    }
                }
            }
            Instruction::Env(pairs) => {
                let before = scope.clone();
                for (name, word) in pairs {
                    let name = before.expand(name, escape, Unset::Empty).unwrap_or_else(|_| name.clone());
                    scope.heritage.variables.insert(name, before.evaluate(word, escape));
                }
            }
            Instruction::Onbuild(trigger) => scope.heritage.triggers.push(trigger.clone()),
            _ => {}
        }
    }

    /// Returns what an `ARG` in a stage is worth: what the project file gives, else its own default,
    /// else what stands before the first `FROM`.
    fn argument(&self, name: &str, default: Option<&str>, before: &Scope) -> Option<Value> {
        if let Some(given) = self.request.arguments.get(name) {
            return Some(Value::Known(given.clone()));
        }
        if let Some(default) = default {
            return Some(before.evaluate(default, self.escape()));
        }
        let value = self.request.containerfile.globals.get(name)?;
        let is_machine = ["BUILDPLATFORM", "BUILDOS", "BUILDARCH", "BUILDVARIANT"].contains(&name);
        Some(if is_machine { Value::Machine } else { Value::Known(value.clone()) })
    }

    /// Returns what a step takes from the build context.
    fn sources(&mut self, step: &Step, scope: &Scope) -> Option<StepSources> {
        match &step.instruction {
            Instruction::Copy(transfer) | Instruction::Add(transfer) => {
                self.transfer(step.line, transfer, scope)
            }
            Instruction::Run(run) => {
                let from_context = |mount: &&crate::Mount| {
                    mount.kind == MountKind::Bind && mount.from == Some(Origin::Context)
                };
                let words: Vec<&str> = run
                    .mounts
                    .iter()
                    .filter(from_context)
                    .map(|mount| mount.source.as_deref().unwrap_or("."))
                    .collect();
                if words.is_empty() {
                    return None;
                }
                let words = words.into_iter().map(str::to_owned).collect::<Vec<_>>();
                let sources = self.expand_all(step.line, &words, scope)?;
                Some(StepSources { sources, exclude: Vec::new(), parents: false })
            }
            _ => None,
        }
    }

    fn transfer(&mut self, line: u32, transfer: &Transfer, scope: &Scope) -> Option<StepSources> {
        if transfer.from != Origin::Context {
            return None;
        }
        let mut sources = self.expand_all(line, &transfer.sources, scope)?;
        let exclude = self.expand_all(line, &transfer.exclude, scope)?;
        let is_fetched = sources.iter().any(|source| is_address(source));
        if is_fetched && transfer.checksum.is_none() {
            let message = "an address is fetched without --checksum: nobody can tell what was built";
            let help = "write ADD --checksum=sha256:<hex of the file> <address> <destination>";
            self.problem(line, message.to_owned(), help.to_owned());
        }
        sources.retain(|source| !is_address(source));
        (!sources.is_empty()).then_some(StepSources { sources, exclude, parents: transfer.parents })
    }

    /// Expands words that decide what is copied; nothing when one of them cannot be expanded.
    fn expand_all(&mut self, line: u32, words: &[String], scope: &Scope) -> Option<Vec<String>> {
        let mut expanded = Vec::with_capacity(words.len());
        let mut is_whole = true;
        for word in words {
            match scope.expand(word, self.escape(), Unset::Refused) {
                Ok(value) => expanded.push(value),
                Err(fault) => {
                    let (reason, help) = explain(&fault);
                    self.problem(line, format!("the source `{word}` cannot be expanded: {reason}"), help);
                    is_whole = false;
                }
            }
        }
        is_whole.then_some(expanded)
    }

    /// Refuses labels that this program sets.
    fn check_labels(&mut self, step: &Step, scope: &Scope) {
        let Instruction::Label(labels) = &step.instruction else { return };
        for (key, _) in labels {
            let key = scope.expand(key, self.escape(), Unset::Empty).unwrap_or_else(|_| key.clone());
            if is_reserved_label(&key) {
                let message = format!("the label `{key}` is set by this program and cannot be set here");
                self.problem(step.line, message, "remove the label".to_owned());
            }
        }
    }
}

fn explain(fault: &Fault) -> (String, String) {
    match fault {
        Fault::Word(ExpandError::Unset(name)) => (
            format!("`{name}` has no value in this stage"),
            format!("add `ARG {name}=…` to the stage, or `ARG {name}` and `args` to the image in rings.toml"),
        ),
        Fault::Word(error) => (error.to_string(), "write the path without the variable".to_owned()),
        Fault::External { name, image } => (
            format!("`{name}` may come from the environment of {image}, which is not known before building"),
            format!("add `ARG {name}=…` or `ENV {name}=…` to the stage"),
        ),
        Fault::Machine(name) => (
            format!("`{name}` differs between the machines that build"),
            "use TARGETARCH and TARGETPLATFORM instead".to_owned(),
        ),
    }
}

/// A containerfile for one platform, with everything that building it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The platform.
    pub platform: Platform,
    /// The containerfile as it is for the platform.
    pub containerfile: Containerfile,
    /// The stage to build.
    pub target: usize,
    /// The stages that are needed, in the order of the file.
    pub needed: Vec<usize>,
    pub(crate) stages: Vec<Vec<PlannedStep>>,
}

impl Variant {
    /// Returns the steps of a needed stage: the triggers of its base when that is a stage or an image
    /// of the project, then its own.
    pub fn steps(&self, stage: usize) -> &[PlannedStep] {
        self.stages.get(stage).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the first `RUN` in the needed stages, triggers included: with one, the native builder
    /// cannot build the image. Triggers of external bases are known to the builder only.
    pub fn first_run(&self) -> Option<&Step> {
        let steps = self.needed.iter().flat_map(|&stage| self.steps(stage)).map(|planned| &planned.step);
        steps.into_iter().find(|step| matches!(step.instruction, Instruction::Run(_)))
    }
}
