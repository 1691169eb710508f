//! One function per command: flags to a request, one engine call, one view printed.

mod explain;
mod files;
mod operate;
mod record;

use std::future::Future;

use crate::args::{Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Printer;
use crate::session::Session;

/// What every command gets.
pub(crate) struct Call<'a> {
    pub(crate) session: Session<'a>,
    pub(crate) cli: &'a Cli,
    pub(crate) printer: &'a Printer,
}

/// Runs the command that was asked for.
pub(crate) fn run(cli: &Cli, printer: &Printer) -> Result<Exit, Failure> {
    // These need no project, no folder and no runtime: they answer in a millisecond or two.
    match &cli.command {
        Command::Version => return files::version(printer),
        Command::Completion(args) => return files::completion(args, printer),
        Command::Schema(args) => return files::schema(args, printer),
        _ => {}
    }
    trace(cli.global.verbose);
    let call = Call { session: Session::new(&cli.global)?, cli, printer };
    match &cli.command {
        Command::Version | Command::Completion(_) | Command::Schema(_) => Ok(Exit::Done),
        Command::Init(args) => files::init(&call, args),
        Command::Images(args) => files::images(&call, args),
        Command::Config(command) => files::config(&call, command),
        Command::Release(args) => operate::release(&call, args),
        Command::Promote(args) => operate::promote(&call, args),
        Command::Shift(args) => operate::shift(&call, args),
        Command::Unshift(args) => operate::unshift(&call, args),
        Command::Undo(args) => operate::undo(&call, args),
        Command::Redo(args) => operate::redo(&call, args),
        Command::Empty(args) => operate::empty(&call, args),
        Command::Plan(args) => operate::plan(&call, &args.command),
        Command::Apply(args) => operate::apply(&call, args),
        Command::Place(args) => operate::place(&call, args),
        Command::Update(args) => operate::update(&call, args),
        Command::State(args) => record::state(&call, args),
        Command::Sites => record::sites(&call),
        Command::Log(args) => record::log(&call, args),
        Command::Show(args) => record::show(&call, args),
        Command::Ledger(command) => record::ledger(&call, command),
        Command::Why(args) => explain::why(&call, args),
        Command::Diff(args) => explain::diff(&call, args),
        Command::Prove(args) => explain::prove(&call, args),
    }
}

impl Call<'_> {
    /// Runs `work` to its end, to the time-out, or to Ctrl-C.
    ///
    /// Dropping the work at any point leaves the registry valid, so an interruption only ends it.
    pub(crate) fn block_on<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        let timeout = self.session.timeout()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::machine(std::path::Path::new("runtime"), &error))?;
        let outcome = runtime.block_on(async {
            let expired = async {
                match timeout {
                    Some(timeout) => tokio::time::sleep(timeout).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                outcome = work => outcome.map_err(Failure::from),
                () = expired => Err(Failure::new(
                    Exit::Registry,
                    "timeout",
                    "gave up: the time of --timeout is over",
                    Some("nothing is half done; run the same command again to go on".into()),
                )),
                Ok(()) = tokio::signal::ctrl_c() => Err(Failure::new(
                    Exit::Interrupted,
                    "interrupted",
                    "interrupted",
                    Some("nothing is half done; run the same command again to go on".into()),
                )),
            }
        });
        // Threads that still compress or hash have nothing left to tell anybody.
        runtime.shutdown_background();
        outcome
    }
}

/// Writes log lines to stderr as `-v` or `RUST_LOG` ask for.
fn trace(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .try_init();
}
