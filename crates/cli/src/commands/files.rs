//! Commands that look at the working copy, write files, or need neither project nor registry.

use clap::CommandFactory;
use ringsite_engine::Listed;
use ringsite_engine::view::{ConfigurationValue, ConfigurationView, ProblemView};
use ringsite_images::Problems;

use super::{Call, operate};
use crate::args::{Cli, CompletionArgs, ConfigCommand, ImagesArgs, InitArgs, SchemaArgs, SourceArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Printer, Tone};
use crate::print;

/// `ring version`
pub(crate) fn version(printer: &Printer) -> Result<Exit, Failure> {
    let prefix = if printer.is_quiet() { "" } else { "ring " };
    printer.data(&format!("{prefix}{}", env!("CARGO_PKG_VERSION")));
    Ok(Exit::Done)
}

/// `ring completion`
pub(crate) fn completion(args: &CompletionArgs, printer: &Printer) -> Result<Exit, Failure> {
    // Into memory first: the generator panics when the reader of a pipe has gone.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ring", &mut script);
    printer.data(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}

/// `ring schema`
pub(crate) fn schema(args: &SchemaArgs, printer: &Printer) -> Result<Exit, Failure> {
    let schemas = crate::schemas();
    let Some(kind) = &args.kind else {
        let names: Vec<&str> = schemas.iter().map(|(kind, _)| *kind).collect();
        printer.data(&names.join("\n"));
        return Ok(Exit::Done);
    };
    match schemas.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)) {
        Some((_, schema)) => {
            printer.data(&serde_json::to_string_pretty(schema).expect("is JSON already"));
            Ok(Exit::Done)
        }
        None => Err(Failure::usage(format!("there is no kind `{kind}`"), "`ring schema` lists the kinds")),
    }
}

/// `ring init`
pub(crate) fn init(call: &Call<'_>, args: &InitArgs) -> Result<Exit, Failure> {
    let folder = call.session.folder();
    let folder = args.folder.as_ref().map_or_else(|| folder.to_owned(), |name| folder.join(name));
    let written = ringsite_images::init(&folder).map_err(Failure::from)?;
    for file in &written {
        call.printer.say(Tone::Note, &format!("wrote {}", file.display()));
    }
    let shown = args.folder.as_ref().map_or_else(String::new, |name| format!(" -C {}", name.display()));
    call.printer.say(Tone::Note, &format!("next: ring{shown} release"));
    Ok(Exit::Done)
}

/// `ring images`
pub(crate) fn images(call: &Call<'_>, args: &ImagesArgs) -> Result<Exit, Failure> {
    let sources = SourceArgs { no_cache: args.no_cache, ..SourceArgs::default() };
    let engine = call.session.engine(call.session.project()?, call.session.sources(&sources))?;
    let view = engine.images(&args.images, if args.sources { Listed::Yes } else { Listed::No })?;
    print::images(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring config …`
pub(crate) fn config(call: &Call<'_>, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show(args) => {
            let project = call.session.project()?;
            let values = project.origins().iter().map(|setting| ConfigurationValue {
                key: setting.key.clone(),
                value: setting.value.clone(),
                origin: setting.origin.to_string(),
            });
            let view = ConfigurationView { values: values.collect(), problems: Vec::new() };
            print::configuration(call.printer, &view, args.origin);
            Ok(Exit::Done)
        }
        ConfigCommand::Check => check(call),
        ConfigCommand::Diff(args) => {
            let engine = call.session.reader()?;
            let view = call.block_on(engine.configuration_diff())?;
            print::configuration_diff(call.printer, &view);
            Ok(if !view.changes.is_empty() && args.exit_code { Exit::Difference } else { Exit::Done })
        }
        ConfigCommand::Apply(args) => operate::config_apply(call, args),
    }
}

/// Lists what is wrong in the project file, else in the containerfiles and environments.
fn check(call: &Call<'_>) -> Result<Exit, Failure> {
    let file = call.session.project_file()?;
    let problems = match ringsite_images::load(&file, &call.session.overrides()) {
        Err(problems) => Some(problems),
        Ok(project) => {
            let engine = call.session.engine(project, call.session.sources(&SourceArgs::default()))?;
            engine.check()?
        }
    };
    let view = ConfigurationView {
        values: Vec::new(),
        problems: problems.map(|problems| views(&problems)).unwrap_or_default(),
    };
    print::configuration(call.printer, &view, false);
    Ok(if view.problems.is_empty() { Exit::Done } else { Exit::Usage })
}

fn views(problems: &Problems) -> Vec<ProblemView> {
    let view = |problem: &ringsite_images::Problem| ProblemView {
        file: problem.file.display().to_string(),
        line: problem.line,
        column: problem.column,
        message: problem.message.clone(),
        help: problem.help.clone(),
    };
    problems.iter().map(view).collect()
}
