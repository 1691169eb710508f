//! Commands that write the record.

use std::path::Path;

use ringsite_engine::view::{PlanView, Report, WarningView};
use ringsite_engine::{Engine, EngineError, Format, Operation, PlaceRequest, SavedPlan};
use ringsite_oci::Layout;

use super::Call;
use crate::args::{
    ApplyArgs, ConfigApplyArgs, EmptyArgs, FormatArg, Output, PlaceArgs, PlanCommand, PromoteArgs, RedoArgs,
    ReleaseArgs, ShiftArgs, SourceArgs, UndoArgs, UnshiftArgs, UpdateArgs, WriteArgs,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Tone;
use crate::print;

/// What a command asks the engine for.
struct Asked<'a> {
    operation: Operation,
    write: &'a WriteArgs,
    sources: SourceArgs,
    /// Whether a person is asked first.
    confirm: bool,
}

impl ReleaseArgs {
    fn asked(&self) -> Asked<'_> {
        let operation = Operation::Release {
            ring: self.ring.clone(),
            images: self.images.clone(),
            majors: self.majors.clone(),
            force: self.force,
        };
        Asked { operation, write: &self.write, sources: self.sources.clone(), confirm: false }
    }
}

fn moves(operation: Operation, write: &WriteArgs) -> Asked<'_> {
    Asked { operation, write, sources: SourceArgs::default(), confirm: true }
}

impl PromoteArgs {
    fn asked(&self) -> Asked<'_> {
        let operation = Operation::Promote {
            ring: self.ring.clone(),
            images: self.images.clone(),
            allow_downgrade: self.allow_downgrade,
        };
        moves(operation, &self.write)
    }
}

impl ShiftArgs {
    fn asked(&self) -> Asked<'_> {
        moves(
            Operation::Shift { ring: self.ring.clone(), allow_downgrade: self.allow_downgrade },
            &self.write,
        )
    }
}

impl UnshiftArgs {
    fn asked(&self) -> Asked<'_> {
        moves(Operation::Unshift { ring: self.ring.clone() }, &self.write)
    }
}

impl UndoArgs {
    fn asked(&self) -> Asked<'_> {
        moves(Operation::Undo { entry: self.entry }, &self.write)
    }
}

impl RedoArgs {
    fn asked(&self) -> Asked<'_> {
        moves(Operation::Redo, &self.write)
    }
}

impl EmptyArgs {
    fn asked(&self) -> Asked<'_> {
        moves(Operation::Empty { ring: self.ring.clone() }, &self.write)
    }
}

impl ConfigApplyArgs {
    fn asked(&self) -> Asked<'_> {
        moves(Operation::Configure, &self.write)
    }
}

/// `ring release`
pub(crate) fn release(call: &Call<'_>, args: &ReleaseArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring promote`
pub(crate) fn promote(call: &Call<'_>, args: &PromoteArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring shift`
pub(crate) fn shift(call: &Call<'_>, args: &ShiftArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring unshift`
pub(crate) fn unshift(call: &Call<'_>, args: &UnshiftArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring undo`
pub(crate) fn undo(call: &Call<'_>, args: &UndoArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring redo`
pub(crate) fn redo(call: &Call<'_>, args: &RedoArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring empty`
pub(crate) fn empty(call: &Call<'_>, args: &EmptyArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring config apply`
pub(crate) fn config_apply(call: &Call<'_>, args: &ConfigApplyArgs) -> Result<Exit, Failure> {
    run(call, args.asked())
}

/// `ring plan …`
pub(crate) fn plan(call: &Call<'_>, command: &PlanCommand) -> Result<Exit, Failure> {
    let asked = match command {
        PlanCommand::Release(args) => args.asked(),
        PlanCommand::Promote(args) => args.asked(),
        PlanCommand::Shift(args) => args.asked(),
        PlanCommand::Unshift(args) => args.asked(),
        PlanCommand::Undo(args) => args.asked(),
        PlanCommand::Redo(args) => args.asked(),
        PlanCommand::Empty(args) => args.asked(),
        PlanCommand::Config(args) => args.asked(),
    };
    show_plan(call, &engine(call, &asked.sources)?, &asked)
}

fn engine(call: &Call<'_>, sources: &SourceArgs) -> Result<Engine<Layout>, Failure> {
    let project = call.session.project()?;
    call.session.engine(project, call.session.sources(sources))
}

fn run(call: &Call<'_>, asked: Asked<'_>) -> Result<Exit, Failure> {
    let engine = engine(call, &asked.sources)?;
    if asked.write.plan {
        return show_plan(call, &engine, &asked);
    }
    if asked.write.save.is_some() {
        return Err(Failure::usage("--save goes with a plan", "add --plan, or use `ring plan`"));
    }
    let intent = call.session.intent(asked.write.no_place, asked.write.allow_shrink);
    if !asked.confirm || call.cli.global.yes || !call.printer.has_terminal() {
        let report = call.block_on(engine.run(&asked.operation, &intent))?;
        return finish(call, &report, &[]);
    }
    // The question is about one plan, so what is done afterwards is that plan or nothing.
    let plan = call.block_on(engine.plan(&asked.operation, &intent))?;
    if !plan.refusals.is_empty() {
        return Err(Failure::refused_plan(plan));
    }
    if plan.changes {
        call.printer.say(Tone::Note, print::plan_text(&plan).trim_end());
        if !call.printer.confirm("Do this?") {
            call.printer.say(Tone::Note, "nothing was done");
            return Ok(Exit::Interrupted);
        }
    }
    let report = call.block_on(engine.run_planned(&asked.operation, &intent, &plan.digest))?;
    finish(call, &report, &plan.warnings)
}

/// Prints a report, with the warnings that were not shown before.
fn finish(call: &Call<'_>, report: &Report, shown: &[WarningView]) -> Result<Exit, Failure> {
    print::report(call.printer, report);
    for warning in report.warnings.iter().filter(|warning| !shown.contains(warning)) {
        call.printer.say(Tone::Warning, &format!("{}: {}", warning.code, warning.message));
    }
    Ok(placed(call, &report.sites))
}

/// A move that is recorded but whose placing failed is done, and says so with an exit code of its own.
fn placed(call: &Call<'_>, sites: &[ringsite_engine::view::ReportSite]) -> Exit {
    if sites.iter().all(|site| site.error.is_none()) {
        return Exit::Done;
    }
    call.printer.say(Tone::Help, "what was recorded stands; `ring place` goes on with the sites");
    Exit::Registry
}

fn show_plan(call: &Call<'_>, engine: &Engine<Layout>, asked: &Asked<'_>) -> Result<Exit, Failure> {
    let intent = call.session.intent(asked.write.no_place, asked.write.allow_shrink);
    let view: PlanView = call.block_on(engine.plan(&asked.operation, &intent))?;
    if let Some(file) = &asked.write.save {
        let saved = SavedPlan::new(asked.operation.clone(), view.clone());
        write_plan(&call.session.folder().join(file), &saved)?;
    }
    print::plan(call.printer, &view);
    Ok(match (view.refusals.is_empty(), view.changes && asked.write.exit_code) {
        (false, _) => Exit::Refused,
        (true, true) => Exit::Difference,
        (true, false) => Exit::Done,
    })
}

fn write_plan(file: &Path, saved: &SavedPlan) -> Result<(), Failure> {
    std::fs::write(file, saved.to_json()).map_err(|error| Failure::machine(file, &error))
}

/// `ring apply`
pub(crate) fn apply(call: &Call<'_>, args: &ApplyArgs) -> Result<Exit, Failure> {
    let file = call.session.folder().join(&args.file);
    let text = std::fs::read(&file).map_err(|error| Failure::machine(&file, &error))?;
    let saved = SavedPlan::from_json(&text).map_err(|error| {
        Failure::usage(
            format!("{}: {error}", args.file.display()),
            "write the file again with `ring plan … --save FILE`",
        )
    })?;
    let intent = call.session.intent(args.no_place, args.allow_shrink);
    let engine = engine(call, &args.sources)?;
    let report = call.block_on(engine.apply(&saved, &intent))?;
    finish(call, &report, &[])
}

/// `ring place`
pub(crate) fn place(call: &Call<'_>, args: &PlaceArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let output = args.output_folder.as_ref().map(|folder| call.session.folder().join(folder));
    let formats = args.formats.iter().map(|format| match format {
        FormatArg::Default => Format::Default,
        FormatArg::Flux => Format::Flux,
        FormatArg::ArgoTar => Format::ArgoTar,
    });
    let request = PlaceRequest {
        sites: args.sites.clone(),
        ring: args.ring.clone(),
        output,
        formats: formats.collect(),
    };
    let intent = call.session.intent(false, args.allow_shrink);
    let view = call.block_on(engine.place(&request, &intent))?;
    print::placement(call.printer, &view);
    for warning in &view.warnings {
        call.printer.say(Tone::Warning, &format!("{}: {}", warning.code, warning.message));
    }
    Ok(placed(call, &view.sites))
}

/// `ring update`
pub(crate) fn update(call: &Call<'_>, args: &UpdateArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on::<_, EngineError>(engine.update(&args.references))?;
    print::update(call.printer, &view);
    if call.printer.form() == Output::Text && view.changed {
        call.printer.say(Tone::Note, "`ring plan release` shows what the new pins rebuild");
    }
    Ok(Exit::Done)
}
