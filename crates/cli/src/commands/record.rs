//! Commands that look at the record.

use ringsite_engine::{LogRequest, Point};

use super::Call;
use crate::args::{LedgerCommand, LogArgs, ShowArgs, StateArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;

/// `ring state`
pub(crate) fn state(call: &Call<'_>, args: &StateArgs) -> Result<Exit, Failure> {
    let at = args.at.as_deref().map(str::parse::<Point>).transpose().map_err(|message| {
        Failure::usage(format!("--at: {message}"), "see `ring log` for the numbers and times of entries")
    })?;
    let engine = call.session.reader()?;
    let view = call.block_on(engine.state(at))?;
    print::state(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring sites`
pub(crate) fn sites(call: &Call<'_>) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on(engine.sites())?;
    print::sites(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring log`
pub(crate) fn log(call: &Call<'_>, args: &LogArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let request = LogRequest {
        ring: args.ring.clone(),
        image: args.image.clone(),
        since: args.since,
        actor: call.cli.global.actor.clone(),
        limit: args.limit,
    };
    let view = call.block_on(engine.log(&request))?;
    print::log(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring show`
pub(crate) fn show(call: &Call<'_>, args: &ShowArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on(engine.entry(&args.entry))?;
    print::entry(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring ledger …`
pub(crate) fn ledger(call: &Call<'_>, command: &LedgerCommand) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    match command {
        LedgerCommand::Init(args) => {
            let intent = call.session.intent(args.no_place, args.allow_shrink);
            let view = call.block_on(engine.ledger_init(&intent))?;
            print::entry(call.printer, &view);
        }
        LedgerCommand::Head => {
            let view = call.block_on(engine.head())?;
            print::entry(call.printer, &view);
        }
        LedgerCommand::Verify => {
            let view = call.block_on(engine.verify())?;
            print::verification(call.printer, &view);
            return Ok(if view.ok { Exit::Done } else { Exit::Damaged });
        }
    }
    Ok(Exit::Done)
}
