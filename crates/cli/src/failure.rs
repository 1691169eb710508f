//! Errors as people and scripts see them: message, help, refusals, exit code.

use ringsite_engine::view::{ErrorView, PlanView};
use ringsite_engine::{Class, EngineError};
use ringsite_images::{InitError, Problems};

use crate::args::Output;
use crate::exit::Exit;
use crate::output::{Printer, Tone};

/// Why a command did not do what was asked for.
///
/// Boxed: every function of a command returns it, and most of the time there is none.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    exit: Exit,
    error: ErrorView,
    plan: Option<PlanView>,
}

impl Failure {
    /// Returns a failure for wrong usage.
    pub(crate) fn usage(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message, Some(help.into()))
    }

    /// Returns a failure of any kind.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>, help: Option<String>) -> Self {
        let error = ErrorView { code: code.into(), message: message.into(), help, refusals: Vec::new() };
        Self(Box::new(Parts { exit, error, plan: None }))
    }

    /// Returns a failure because rules refuse `plan`.
    pub(crate) fn refused_plan(plan: PlanView) -> Self {
        let refusals = plan.refusals.clone();
        let error =
            ErrorView { code: "refused".into(), message: "refused by a rule".into(), help: None, refusals };
        Self(Box::new(Parts { exit: Exit::Refused, error, plan: Some(plan) }))
    }

    /// Returns a failure because of mistakes in the project's files.
    pub(crate) fn from_problems(problems: &Problems) -> Self {
        Self::new(Exit::Usage, "configuration", problems.to_string(), None)
    }

    /// Returns a failure of this machine on `path`.
    pub(crate) fn machine(path: &std::path::Path, source: &std::io::Error) -> Self {
        Self::new(
            Exit::Machine,
            "disk",
            format!("{}: {source}", path.display()),
            Some("check the path, its permissions and the free space".into()),
        )
    }

    /// Prints the failure and returns how the program ends.
    pub(crate) fn print(&self, printer: &Printer) -> Exit {
        let Parts { exit, error, plan } = &*self.0;
        if printer.form() == Output::Json {
            printer.error_document(error);
            return *exit;
        }
        if let Some(plan) = plan {
            printer.say(Tone::Note, crate::print::plan_text(plan).trim_end());
        }
        printer.say(Tone::Error, &error.message);
        if plan.is_none() {
            for refusal in &error.refusals {
                printer.say(Tone::Error, &format!("{}: {}", refusal.code, refusal.message));
                printer.say(Tone::Help, &refusal.help);
            }
        }
        if let Some(help) = &error.help {
            printer.say(Tone::Help, help);
        }
        *exit
    }
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        let exit = match error {
            InitError::Exists { .. } => Exit::Usage,
            InitError::Write { .. } => Exit::Machine,
        };
        Self::new(exit, "init", error.to_string(), Some(error.help().to_owned()))
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let exit = match error.class() {
            Class::Usage => Exit::Usage,
            Class::Refused => Exit::Refused,
            Class::Race => Exit::Race,
            Class::Unproven => Exit::Unproven,
            Class::Damaged => Exit::Damaged,
            Class::Registry => Exit::Registry,
            Class::Build => Exit::Build,
            Class::Machine => Exit::Machine,
            Class::Bug => Exit::Bug,
        };
        let view = ErrorView {
            code: error.code().into(),
            message: error.to_string(),
            help: error.help(),
            refusals: error.refusals(),
        };
        Self(Box::new(Parts { exit, error: view, plan: error.into_plan() }))
    }
}
