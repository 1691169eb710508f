//! The door of the crate: from a state and a request to a plan, or to every reason against it.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position, Timestamp};

use crate::cells::copy_parts;
use crate::configuring::{basis, configure};
use crate::deciding::release;
use crate::judging::judge;
use crate::moves::{empty, promote, shift, unshift};
use crate::setting::Setting;
use crate::taking_back::take_back;
use crate::{
    Chain, Delta, Desired, Facts, Plan, PlanError, ReleaseRequest, Request, State, TakeBack, Target,
};

/// Returns what `request` would do on `state`.
///
/// `desired` is what the project's files declare; only a release looks at it. T of the images that
/// [`needs`] names must be loaded. The same arguments give the same plan and the same bytes.
///
/// # Errors
/// `Refused` with the plan and every reason against it; `Request` when the request names what does
/// not exist; `NotLoaded` when T of an image is missing, which is the caller's mistake.
///
/// # Examples
/// ```
/// use ringsite_names::{Position, Timestamp};
/// use ringsite_rings::{Facts, PlanError, PromoteRequest, RefusalCode, Request, State, plan};
///
/// let declared = serde_json::from_str(r#"{"rings": ["developers", "testers"], "root": "shop"}"#).unwrap();
/// let request = Request::Promote(PromoteRequest {
///     ring: "developers".parse().unwrap(),
///     images: Default::default(),
///     switches: Default::default(),
/// });
/// let facts = Facts { declared: Some(declared), ..Facts::default() };
/// let now = Timestamp::from_seconds(0).unwrap();
/// let Err(PlanError::Refused(refused)) = plan(&State::new(), &[], &request, &facts, now) else {
///     panic!("nothing stands on developers yet");
/// };
/// assert_eq!(refused.refusals[0].code, RefusalCode::SourceEmpty);
/// ```
pub fn plan(
    state: &State,
    desired: &[Desired],
    request: &Request,
    facts: &Facts,
    now: Timestamp,
) -> Result<Plan, PlanError> {
    let missing = needs(state, desired, request).into_iter().find(|image| !state.is_loaded(image));
    if let Some(image) = missing {
        return Err(crate::NotLoaded { image }.into());
    }
    let basis = basis(state, request, facts).map_err(PlanError::Request)?;
    let setting = Setting { state, configuration: basis.configuration, request, facts, now };
    let mut draft = match request {
        Request::Release(request) => release(&setting, request, desired)?,
        Request::Promote(request) => promote(&setting, request)?,
        Request::Shift(_) => shift(&setting)?,
        Request::Unshift(request) => unshift(&setting, request)?,
        Request::TakeBack(request) => take_back(&setting, request).map_err(PlanError::Request)?,
        Request::Empty(request) => empty(&setting, request)?,
        Request::Configure(request) => configure(state, request),
    };
    draft.configuration = draft.configuration.or(basis.takes_over);
    draft.refusals.splice(0..0, basis.refusals);
    draft.warnings.splice(0..0, basis.warnings);
    judge(&setting, draft)
}

/// Returns the images whose T [`plan`] will look at, so that the caller loads those.
///
/// # Examples
/// ```
/// use ringsite_rings::{EmptyRequest, Request, State, needs};
///
/// let request = Request::Empty(EmptyRequest { ring: "users".parse().unwrap(), switches: Default::default() });
/// assert!(needs(&State::new(), &[], &request).is_empty());
/// ```
pub fn needs(state: &State, desired: &[Desired], request: &Request) -> BTreeSet<ImageName> {
    let chain = state.configuration().map(|configuration| configuration.chain());
    let next = |ring: &Position| chain.and_then(|chain| chain.next(ring)).cloned();
    let previous = |ring: &Position| chain.and_then(|chain| chain.previous(ring)).cloned();
    let mut rings: Vec<Position> = Vec::new();
    let mut images: BTreeSet<ImageName> = BTreeSet::new();
    match request {
        Request::Release(request) => {
            rings.push(request.ring.clone());
            images.extend(wanted(desired, request).cloned());
        }
        Request::Promote(request) => {
            let target = next(&request.ring);
            rings.push(request.ring.clone());
            if target.as_ref() == chain.map(Chain::last) {
                rings.push(Position::Post);
            }
            rings.extend(target);
        }
        Request::Shift(_) => rings.extend(chain.into_iter().flat_map(|chain| chain.positions()).cloned()),
        Request::Unshift(request) => {
            rings.push(request.ring.clone());
            rings.extend(previous(&request.ring));
        }
        Request::TakeBack(request) => {
            if let Target::Found { inverse, .. } = &request.target {
                rings.extend(inverse.delta.iter().map(|part| part.ring().clone()));
                images.extend(inverse.images().into_iter().cloned());
            }
        }
        Request::Empty(request) => rings.push(request.ring.clone()),
        Request::Configure(_) => {}
    }
    rings.sort_unstable();
    rings.dedup();
    for ring in &rings {
        images.extend(state.cells(ring).images().keys().cloned());
    }
    // A site that a configuration adds gets the root of a ring that nothing else touches.
    for (_, cells) in state.rings().iter() {
        images.extend(cells.root().cloned());
    }
    images
}

/// Returns the images that a release looks at: all, or those that are named with everything that
/// they are built with.
fn wanted<'a>(
    desired: &'a [Desired],
    request: &'a ReleaseRequest,
) -> Box<dyn Iterator<Item = &'a ImageName> + 'a> {
    if request.images.is_empty() {
        return Box::new(desired.iter().map(|desired| &desired.image));
    }
    let dependencies: BTreeMap<&ImageName, &BTreeSet<ImageName>> =
        desired.iter().map(|desired| (&desired.image, &desired.dependencies)).collect();
    let mut waiting: Vec<&ImageName> = request.images.union(&request.majors).collect();
    let mut found = BTreeSet::new();
    while let Some(image) = waiting.pop() {
        if found.insert(image) {
            waiting.extend(dependencies.get(image).copied().into_iter().flatten());
        }
    }
    Box::new(found.into_iter())
}

/// Returns the ring digest of each guarded ring onto which an `undo` or `unshift` would bring a
/// set. The caller looks in the history whether that set was recorded there before, and hands
/// those rings to [`plan`] as `Facts::recorded_before`. Empty for every other operation.
///
/// # Examples
/// ```
/// use ringsite_rings::{Request, ShiftRequest, State, arriving};
///
/// let shift = Request::Shift(ShiftRequest { switches: Default::default() });
/// assert!(arriving(&State::new(), &shift).is_empty());
/// ```
pub fn arriving(state: &State, request: &Request) -> BTreeMap<Position, Digest> {
    let Some(configuration) = state.configuration() else { return BTreeMap::new() };
    let delta: Vec<Delta> = match request {
        Request::Unshift(request) => match configuration.chain().previous(&request.ring) {
            Some(target) => copy_parts(state.rings(), &request.ring, target),
            None => Vec::new(),
        },
        Request::TakeBack(request) if request.command != TakeBack::Redo => match &request.target {
            Target::Found { inverse, .. } => inverse.delta.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    let mut after = state.rings().clone();
    if delta.iter().try_for_each(|part| after.forward(part)).is_err() {
        return BTreeMap::new();
    }
    let guarded = delta.iter().map(Delta::ring).filter(|ring| configuration.gates_of(ring).is_some());
    guarded.map(|ring| (ring.clone(), after.cells(ring).digest())).collect()
}
