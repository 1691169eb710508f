//! The decision of a release: what to build, what to adopt, what to keep, what to take off.
//!
//! Versions and rebuilds are decided together, in build order, because a dependency counts in the
//! version that it has after its own decision. Dependencies are resolved on the ring being built
//! only.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use ringsite_names::{ImageName, Position, Version};

use crate::completeness::NotLoaded;
use crate::graph::Graph;
use crate::refusal::listed;
use crate::setting::{Draft, Setting, unknown_image};
use crate::{
    Action, Bump, Cause, CauseCode, Delta, Desired, Numbering, Operation, PlanError, Recipe, RefusalCode,
    Release, ReleaseRequest, RequestProblem, Rule, Step, Switch, next_version,
};

/// Decides a release.
pub(crate) fn release(
    setting: &Setting<'_>,
    request: &ReleaseRequest,
    desired: &[Desired],
) -> Result<Draft, PlanError> {
    setting.check_ring(&request.ring).map_err(PlanError::Request)?;
    let graph = Graph::new(desired).map_err(PlanError::Request)?;
    check_names(setting, request, &graph).map_err(PlanError::Request)?;
    let mut draft = Draft::new(Operation::Release, Some(&request.ring));
    draft.steps = Some(Vec::new());
    if let Some((message, help)) = boundary(request) {
        draft.refuse(RefusalCode::Boundary, message, help);
        return Ok(draft);
    }
    let mut deciding = Deciding { setting, request, graph: &graph, versions: vec![None; graph.len()] };
    let selected = deciding.selection();
    let mut steps = Vec::with_capacity(graph.len());
    for place in graph.order().iter().copied().filter(|place| selected[*place]) {
        let step = deciding.step(place, &mut draft)?;
        deciding.versions[place] = step.to;
        steps.push(step);
    }
    if request.images.is_empty() {
        steps.extend(deciding.removals());
    }
    draft.delta = deciding.delta(&steps, &selected);
    draft.steps = Some(steps);
    Ok(draft)
}

/// Returns why a release onto this ring leaves the chain, and what to do instead.
fn boundary(request: &ReleaseRequest) -> Option<(String, String)> {
    match request.ring {
        Position::Post => Some((
            "nothing is built against post: it only stores what was shifted off the chain".to_owned(),
            "name a configured ring, for example the last one; `ring state` shows them".to_owned(),
        )),
        Position::Ante if request.images.is_empty() => Some((
            "a release onto ante needs the images that it is to build".to_owned(),
            "name them: `ring release --ring ante --image IMAGE`; the root image stands for everything"
                .to_owned(),
        )),
        Position::Ante | Position::Ring(_) => None,
    }
}

fn check_names(
    setting: &Setting<'_>,
    request: &ReleaseRequest,
    graph: &Graph<'_>,
) -> Result<(), Vec<RequestProblem>> {
    let named = request.images.union(&request.majors).chain([setting.configuration.root()]);
    let problems: Vec<RequestProblem> =
        named.filter(|image| graph.place(image).is_none()).map(unknown_image).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

struct Deciding<'a> {
    setting: &'a Setting<'a>,
    request: &'a ReleaseRequest,
    graph: &'a Graph<'a>,
    /// The version of each image on the ring after its decision.
    versions: Vec<Option<Version>>,
}

impl Deciding<'_> {
    /// Returns, for each image, whether it is looked at: all, or what was named and what that is
    /// built with.
    fn selection(&self) -> Vec<bool> {
        if self.request.images.is_empty() {
            return vec![true; self.graph.len()];
        }
        let named = self.request.images.union(&self.request.majors);
        self.graph.closure(named.filter_map(|image| self.graph.place(image)))
    }

    fn step(&self, place: usize, draft: &mut Draft) -> Result<Step, NotLoaded> {
        let (desired, ring) = (self.graph.desired(place), &self.request.ring);
        let from = self.setting.state.cells(ring).version(&desired.image);
        let causes = self.causes(place, from)?;
        let keep = Step {
            image: desired.image.clone(),
            ring: ring.clone(),
            action: Action::Keep,
            from,
            to: from,
            rule: Rule::None,
            causes,
            build: None,
        };
        if keep.causes.is_empty() {
            return Ok(keep);
        }
        let dependencies = self.resolved(place);
        let is_wanted_anew =
            keep.causes.iter().any(|cause| matches!(cause.code, CauseCode::Forced | CauseCode::Major));
        if !is_wanted_anew && let Some(release) = self.adoptable(desired, from, &dependencies) {
            let version = release.version;
            if !self.setting.state.locks().is_rejected(&desired.image, version) {
                return Ok(Step { action: Action::Adopt, to: Some(version), ..keep });
            }
            if !self.request.switches.contains(&Switch::Force) {
                draft.refuse(
                    RefusalCode::Rejected,
                    format!("{} {version}, built from the same sources, was rejected", desired.image),
                    "change the sources, or ask for a new build: `ring release --force --reason TEXT`",
                );
            }
        }
        let (version, rule) = self.next_version(&desired.image);
        let (revision, inputs) = (desired.revision, desired.inputs);
        let build = Some(Recipe { revision, inputs, dependencies });
        Ok(Step { action: Action::Build, to: Some(version), rule, build, ..keep })
    }

    fn next_version(&self, image: &ImageName) -> (Version, Rule) {
        let numbering = Numbering {
            state: self.setting.state,
            chain: self.setting.chain(),
            initial: self.request.initial_version,
        };
        let is_major = self.request.majors.contains(image);
        next_version(
            numbering,
            image,
            &self.request.ring,
            if is_major { Bump::Major } else { Bump::Ordinary },
        )
    }

    /// Returns every reason to give the ring another release, most important first.
    fn causes(&self, place: usize, from: Option<Version>) -> Result<Vec<Cause>, NotLoaded> {
        let desired = self.graph.desired(place);
        let (request, image) = (self.request, &desired.image);
        let mut causes = Vec::new();
        let mut push = |code, message: String| causes.push(Cause { code, message });
        if request.majors.contains(image) {
            push(CauseCode::Major, "major version requested".to_owned());
        }
        let is_meant = request.images.is_empty() || request.images.contains(image);
        if is_meant && request.switches.contains(&Switch::Force) {
            push(CauseCode::Forced, "forced".to_owned());
        }
        let Some(version) = from else {
            push(CauseCode::Absent, "no release on this ring".to_owned());
            return Ok(causes);
        };
        let release = self.setting.state.release(image, version);
        let release = release.ok_or_else(|| NotLoaded { image: image.clone() })?;
        if release.revision != desired.revision {
            push(CauseCode::Revision, with_detail("revision changed", &desired.detail.revision));
        }
        if release.inputs != desired.inputs {
            push(CauseCode::InputsChanged, with_detail("inputs changed", &desired.detail.inputs));
        }
        self.compare_dependencies(place, release, &mut push);
        Ok(causes)
    }

    /// Compares what the release was built with and what it would be built with now. Both lists
    /// are sorted by name, so one walk through both is enough.
    fn compare_dependencies(
        &self,
        place: usize,
        release: &Release,
        push: &mut impl FnMut(CauseCode, String),
    ) {
        let mut had = release.dependencies.iter().peekable();
        let mut has = self.graph.dependencies(place).iter().copied().peekable();
        loop {
            let order = match (had.peek(), has.peek()) {
                (None, None) => return,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((name, _)), Some(place)) => (*name).cmp(&self.graph.desired(*place).image),
            };
            match order {
                Ordering::Less => {
                    had.next().inspect(|(name, _)| {
                        push(CauseCode::DependencyRemoved, format!("dependency {name} removed"));
                    });
                }
                Ordering::Greater => {
                    has.next().inspect(|place| {
                        let name = &self.graph.desired(*place).image;
                        push(CauseCode::DependencyAdded, format!("dependency {name} added"));
                    });
                }
                Ordering::Equal => {
                    if let (Some((name, old)), Some(place)) = (had.next(), has.next())
                        && let Some(new) = self.versions[place].filter(|new| new != old)
                    {
                        push(CauseCode::DependencyChanged, format!("dependency {name} {old} -> {new}"));
                    }
                }
            }
        }
    }

    /// Returns the dependencies of an image in the versions that they have after their decision.
    fn resolved(&self, place: usize) -> BTreeMap<ImageName, Version> {
        let dependencies = self.graph.dependencies(place).iter().map(|dependency| {
            let version = self.versions[*dependency].expect("a dependency is decided before its dependents");
            (self.graph.desired(*dependency).image.clone(), version)
        });
        dependencies.collect()
    }

    /// Returns the highest release of the same content above what the ring holds, whose image is
    /// still there.
    fn adoptable(
        &self,
        desired: &Desired,
        from: Option<Version>,
        dependencies: &BTreeMap<ImageName, Version>,
    ) -> Option<&Release> {
        let above = (from.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let gone = self.setting.facts.gone.get(&desired.image);
        let releases = self.setting.state.releases(&desired.image).range(above).rev();
        releases.map(|(_, release)| &**release).find(|release| {
            release.revision == desired.revision
                && release.inputs == desired.inputs
                && release.dependencies == *dependencies
                && !gone.is_some_and(|gone| gone.contains(&release.version))
        })
    }

    /// Returns the steps for images that are no longer declared. T keeps their releases.
    fn removals(&self) -> Vec<Step> {
        let ring = &self.request.ring;
        let held = self.setting.state.cells(ring).images().iter();
        let undeclared = held.filter(|(image, _)| self.graph.place(image).is_none());
        let steps = undeclared.map(|(image, version)| Step {
            image: image.clone(),
            ring: ring.clone(),
            action: Action::Remove,
            from: Some(*version),
            to: None,
            rule: Rule::None,
            causes: vec![Cause {
                code: CauseCode::Undeclared,
                message: "the image is no longer declared".to_owned(),
            }],
            build: None,
        });
        steps.collect()
    }

    /// Returns what the steps change, and the name of the root when the root was looked at.
    fn delta(&self, steps: &[Step], selected: &[bool]) -> Vec<Delta> {
        let changing = steps.iter().filter(|step| step.from != step.to);
        let cells = changing.map(|step| Delta::Cell {
            ring: step.ring.clone(),
            image: step.image.clone(),
            from: step.from,
            to: step.to,
        });
        let mut delta: Vec<Delta> = cells.collect();
        let (ring, root) = (&self.request.ring, self.setting.configuration.root());
        let named = self.setting.state.cells(ring).root();
        let is_selected = self.graph.place(root).is_some_and(|place| selected[place]);
        if is_selected && named != Some(root) {
            delta.push(Delta::Root { ring: ring.clone(), from: named.cloned(), to: Some(root.clone()) });
        }
        delta
    }
}

fn with_detail(text: &str, detail: &[String]) -> String {
    if detail.is_empty() { text.to_owned() } else { format!("{text}: {}", listed(detail)) }
}
