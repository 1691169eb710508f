//! Commands that explain and compare.

use super::Call;
use crate::args::{DiffArgs, ProveArgs, WhyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;

/// `ring why`
pub(crate) fn why(call: &Call<'_>, args: &WhyArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on(engine.why(&args.image, args.ring.as_ref()))?;
    print::why(call.printer, &view);
    Ok(Exit::Done)
}

/// `ring diff`
pub(crate) fn diff(call: &Call<'_>, args: &DiffArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on(engine.diff(&args.from, &args.to))?;
    print::diff(call.printer, &view);
    let differs = !view.images.is_empty() || view.sites.iter().any(|site| !site.objects.is_empty());
    Ok(if differs && args.exit_code { Exit::Difference } else { Exit::Done })
}

/// `ring prove`
pub(crate) fn prove(call: &Call<'_>, args: &ProveArgs) -> Result<Exit, Failure> {
    let engine = call.session.reader()?;
    let view = call.block_on(engine.prove(&args.image, args.version))?;
    print::proof(call.printer, &view);
    Ok(if view.identical { Exit::Done } else { Exit::Unproven })
}
