//! Which configuration an operation works with, and what it takes to put another in force.

use ringsite_names::Position;

use crate::refusal::listed;
use crate::setting::Draft;
use crate::{
    Configuration, ConfigureRequest, Differences, Facts, Operation, Refusal, RefusalCode, Request,
    RequestProblem, State, Warning, WarningCode, differences,
};

/// The configuration that an operation works with.
pub(crate) struct Basis<'a> {
    pub(crate) configuration: &'a Configuration,
    /// What a release puts in force before it.
    pub(crate) takes_over: Option<Configuration>,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) refusals: Vec<Refusal>,
}

/// Returns the configuration that `request` works with.
///
/// A release works with what the project's files declare when that only adds; every other
/// operation works with what is in force. Before the first configuration both use the declaration.
pub(crate) fn basis<'a>(
    state: &'a State,
    request: &'a Request,
    facts: &'a Facts,
) -> Result<Basis<'a>, Vec<RequestProblem>> {
    let is_release = matches!(request, Request::Release(_));
    let plain =
        |configuration| Basis { configuration, takes_over: None, warnings: Vec::new(), refusals: Vec::new() };
    match (state.configuration(), facts.declared.as_ref(), request) {
        (in_force, _, Request::Configure(request)) => Ok(plain(in_force.unwrap_or(&request.configuration))),
        (None, None, _) => Err(vec![RequestProblem {
            message: "no configuration is in force".to_owned(),
            help: "run `ring release` or `ring config apply` in a folder with rings.toml".to_owned(),
        }]),
        (None, Some(declared), _) => {
            Ok(Basis { takes_over: is_release.then(|| declared.clone()), ..plain(declared) })
        }
        (Some(in_force), None, _) => Ok(plain(in_force)),
        (Some(in_force), Some(declared), _) => {
            let found = differences(in_force, declared);
            Ok(if found.is_empty() {
                plain(in_force)
            } else if !is_release {
                Basis { warnings: vec![differs(&found)], ..plain(in_force) }
            } else if found.alterations.is_empty() {
                let takes_over = Some(declared.clone());
                Basis { takes_over, warnings: vec![taken_over(&found)], ..plain(declared) }
            } else {
                Basis { refusals: vec![refused(&found)], ..plain(in_force) }
            })
        }
    }
}

/// Plans `configure`. What holds a set stays in the chain and in its order; a new ring may be
/// inserted anywhere.
pub(crate) fn configure(state: &State, request: &ConfigureRequest) -> Draft {
    let mut draft = Draft::new(Operation::Configure, None);
    let next = &request.configuration;
    if state.configuration() == Some(next) {
        return draft;
    }
    draft.configuration = Some(next.clone());
    let Some(in_force) = state.configuration() else { return draft };
    let rings = in_force.chain().rings().iter().filter(|ring| !state.cells(ring).is_empty());
    let holding: Vec<&Position> = rings.collect();
    for ring in holding.iter().filter(|ring| !next.chain().contains(ring)) {
        draft.refuse(
            RefusalCode::RingInUse,
            format!("{ring} holds a set and cannot leave the chain"),
            format!("promote it on with `ring promote {ring}`, or clear it with `ring empty {ring}`"),
        );
    }
    let mut places = holding.iter().filter_map(|ring| Some((*ring, next.chain().index(ring)?)));
    if let Some((mut last, mut place)) = places.next() {
        for (ring, next_place) in places {
            if next_place < place {
                draft.refuse(
                    RefusalCode::RingInUse,
                    format!("{ring} and {last} hold sets and cannot change places"),
                    format!("keep their order in rings.toml, or clear one with `ring empty {ring}`"),
                );
            }
            (last, place) = (ring, next_place);
        }
    }
    draft
}

fn messages(found: &Differences) -> Vec<&str> {
    let all = found.alterations.iter().chain(&found.additions);
    all.map(|difference| difference.message.as_str()).collect()
}

fn differs(found: &Differences) -> Warning {
    let message =
        format!("rings.toml is not what is in force: {}; see `ring config diff`", listed(&messages(found)));
    Warning { code: WarningCode::ConfigurationDiffers, message }
}

fn taken_over(found: &Differences) -> Warning {
    let message = format!("this release takes over from rings.toml: {}", listed(&messages(found)));
    Warning { code: WarningCode::ConfigurationDiffers, message }
}

fn refused(found: &Differences) -> Refusal {
    let altered: Vec<&str> = found.alterations.iter().map(|difference| difference.message.as_str()).collect();
    Refusal {
        code: RefusalCode::ConfigurationDiffers,
        message: format!("rings.toml would change what is in force: {}", listed(&altered)),
        help: "compare with `ring config diff`; put it in force with `ring config apply`, or take the change back".to_owned(),
    }
}
