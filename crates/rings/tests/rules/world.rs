//! A project without files: declared images, a state, and the record that led to it.

use std::collections::{BTreeMap, BTreeSet};

use ringsite_names::{Digest, ImageName, Position, ProjectName, Timestamp, Version};
use ringsite_rings::{
    Built, Change, Configuration, ConfigureRequest, Desired, Detail, EmptyRequest, Facts, InEffect,
    Operation, PastMove, Plan, PlanError, PromoteRequest, RefusalCode, Release, ReleaseRequest, Request,
    ShiftRequest, State, Switch, TakeBack, TakeBackRequest, Target, UnshiftRequest, WarningCode, plan,
};

pub(crate) fn image(name: &str) -> ImageName {
    ImageName::new(name).unwrap()
}

pub(crate) fn at(name: &str) -> Position {
    name.parse().unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(crate) fn images(names: &[&str]) -> BTreeSet<ImageName> {
    names.iter().map(|name| image(name)).collect()
}

pub(crate) fn now() -> Timestamp {
    "2026-11-21T06:00:00Z".parse().unwrap()
}

pub(crate) fn project() -> ProjectName {
    ProjectName::new("acme/shop").unwrap()
}

pub(crate) fn content(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

pub(crate) fn configuration(json: &str) -> Configuration {
    serde_json::from_str(json).unwrap()
}

/// A release with made-up content that depends on nothing.
pub(crate) fn some_release(name: &str, number: Version) -> Release {
    Release {
        version: number,
        digest: content(&format!("{name} {number}")),
        revision: content("revision"),
        inputs: content("inputs"),
        dependencies: BTreeMap::new(),
        built_by: "native/1".to_owned(),
        built_on: at("developers"),
        built_at: now(),
        recipe: None,
    }
}

pub(crate) fn promote_images(ring: &str, names: &[&str]) -> Request {
    Request::Promote(PromoteRequest { ring: at(ring), images: images(names), switches: BTreeSet::new() })
}

pub(crate) fn promote(ring: &str) -> Request {
    promote_images(ring, &[])
}

pub(crate) fn shift() -> Request {
    Request::Shift(ShiftRequest { switches: BTreeSet::new() })
}

pub(crate) fn unshift(ring: &str) -> Request {
    Request::Unshift(UnshiftRequest { ring: at(ring), switches: BTreeSet::new() })
}

pub(crate) fn empty(ring: &str) -> Request {
    Request::Empty(EmptyRequest { ring: at(ring), switches: BTreeSet::new() })
}

pub(crate) fn configure(configuration: Configuration) -> Request {
    Request::Configure(ConfigureRequest { configuration, switches: BTreeSet::new() })
}

pub(crate) fn release(ring: &str) -> Request {
    release_images(ring, &[])
}

pub(crate) fn release_images(ring: &str, names: &[&str]) -> Request {
    Request::Release(ReleaseRequest {
        ring: at(ring),
        images: images(names),
        majors: BTreeSet::new(),
        initial_version: version("0.1.0"),
        switches: BTreeSet::new(),
    })
}

/// The same request with a check switched off.
pub(crate) fn with(switch: Switch, mut request: Request) -> Request {
    let switches = match &mut request {
        Request::Release(request) => &mut request.switches,
        Request::Promote(request) => &mut request.switches,
        Request::Shift(request) => &mut request.switches,
        Request::Unshift(request) => &mut request.switches,
        Request::TakeBack(request) => &mut request.switches,
        Request::Empty(request) => &mut request.switches,
        Request::Configure(request) => &mut request.switches,
    };
    switches.insert(switch);
    request
}

pub(crate) fn with_major(request: Request, names: &[&str]) -> Request {
    match request {
        Request::Release(request) => Request::Release(ReleaseRequest { majors: images(names), ..request }),
        other => other,
    }
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) desired: Vec<Desired>,
    pub(crate) facts: Facts,
    /// Every entry that changed rings, oldest first.
    pub(crate) past: Vec<PastMove>,
    pub(crate) sequence: u64,
}

impl World {
    /// A world whose images are given with their dependencies; the root `shop` depends on all.
    pub(crate) fn new(rings: &[&str], declared: &[(&str, &[&str])]) -> Self {
        let rings = serde_json::to_string(rings).unwrap();
        let configuration = configuration(&format!(r#"{{"rings":{rings},"root":"shop"}}"#));
        let mut world = Self {
            state: State::new(),
            desired: Vec::new(),
            facts: Facts { declared: Some(configuration.clone()), ..Facts::default() },
            past: Vec::new(),
            sequence: 1,
        };
        world.state =
            world.state.apply(&Change { configuration: Some(configuration), ..Change::default() }).unwrap();
        for (name, dependencies) in declared {
            world.declare(name, dependencies);
        }
        world.declare("shop", &[]);
        world
    }

    /// base <- api <- shop, base <- web <- shop, on developers, testers, users.
    pub(crate) fn shop() -> Self {
        Self::new(
            &["developers", "testers", "users"],
            &[("base", &[]), ("api", &["base"]), ("web", &["base"])],
        )
    }

    pub(crate) fn declare(&mut self, name: &str, dependencies: &[&str]) {
        self.desired.push(Desired {
            image: image(name),
            revision: content(name),
            inputs: content("inputs"),
            dependencies: images(dependencies),
            detail: Detail::default(),
        });
        self.link_root();
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.desired.retain(|desired| desired.image.as_str() != name);
        for desired in &mut self.desired {
            desired.dependencies.remove(name);
        }
    }

    pub(crate) fn link_root(&mut self) {
        let all: BTreeSet<ImageName> = self.desired.iter().map(|desired| desired.image.clone()).collect();
        for desired in self.desired.iter_mut().filter(|desired| desired.image.as_str() == "shop") {
            desired.dependencies = all.iter().filter(|name| name.as_str() != "shop").cloned().collect();
        }
    }

    pub(crate) fn desired(&mut self, name: &str) -> &mut Desired {
        self.desired.iter_mut().find(|desired| desired.image.as_str() == name).unwrap()
    }

    /// Gives an image other sources.
    pub(crate) fn edit(&mut self, name: &str, text: &str) {
        self.desired(name).revision = content(&format!("{name} {text}"));
    }

    pub(crate) fn plan(&self, request: &Request) -> Result<Plan, PlanError> {
        plan(&self.state, &self.desired, request, &self.facts, now())
    }

    /// Plans, builds with made-up digests, and records.
    pub(crate) fn run(&mut self, request: &Request) -> Result<Plan, PlanError> {
        let plan = self.plan(request)?;
        self.record(&plan);
        Ok(plan)
    }

    pub(crate) fn record(&mut self, plan: &Plan) {
        if let Some(configuration) = plan.takes_over() {
            self.sequence += 1;
            let configuration = Some(configuration.clone());
            self.state = self.state.apply(&Change { configuration, ..Change::default() }).unwrap();
        }
        if plan.delta.is_empty() && plan.operation != Operation::Configure {
            return;
        }
        self.sequence += 1;
        let built = plan.builds().map(|(step, _)| {
            let digest = content(&format!("{} built by entry {}", step.image, self.sequence));
            let built = Built { digest, built_by: "native/1".into(), built_at: now(), recipe: None };
            (step.image.clone(), built)
        });
        let change = plan.change(&built.collect()).unwrap();
        self.state = self.state.apply(&change).unwrap();
        if !plan.delta.is_empty() {
            self.past.push(PastMove {
                sequence: self.sequence,
                digest: content(&format!("entry {}", self.sequence)),
                operation: plan.operation,
                takes_back: plan.takes_back,
                delta: plan.delta.clone(),
            });
        }
    }

    pub(crate) fn find(&self, mut search: InEffect) -> Target {
        for past in self.past.iter().rev() {
            if search.visit(past.clone()).is_break() {
                break;
            }
        }
        search.finish(&self.state).unwrap()
    }

    pub(crate) fn take_back(&self, command: TakeBack) -> Request {
        let target = self.find(InEffect::newest(command));
        Request::TakeBack(TakeBackRequest { command, target, switches: BTreeSet::new() })
    }

    pub(crate) fn take_back_entry(&self, command: TakeBack, sequence: u64) -> Request {
        let target = self.find(InEffect::entry(command, sequence));
        Request::TakeBack(TakeBackRequest { command, target, switches: BTreeSet::new() })
    }

    /// Runs requests that must all be allowed.
    pub(crate) fn does(mut self, requests: &[Request]) -> Self {
        for request in requests {
            self.run(request).unwrap();
        }
        self
    }

    /// Prints what stands on a ring: `api 0.1.0, base 0.1.0`.
    pub(crate) fn on(&self, ring: &str) -> String {
        let cells = self.state.cells(&at(ring)).images().iter();
        cells.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn refusal_codes(&self, request: &Request) -> Vec<RefusalCode> {
        match self.plan(request) {
            Ok(_) => Vec::new(),
            Err(PlanError::Refused(refused)) => refused.refusals.iter().map(|refusal| refusal.code).collect(),
            Err(other) => panic!("no refusal: {other}"),
        }
    }

    pub(crate) fn warning_codes(&self, request: &Request) -> Vec<WarningCode> {
        self.plan(request).unwrap().warnings.iter().map(|warning| warning.code).collect()
    }
}

/// Prints the steps of a plan: `api build 0.1.0 -> 0.1.1 patch`, one for each line.
pub(crate) fn steps(plan: &Plan) -> Vec<String> {
    let text = |version: &Option<Version>| version.map_or("-".to_owned(), |version| version.to_string());
    let steps = plan.steps.iter().map(|step| {
        let (action, rule) = (step.action.as_str(), step.rule.as_str());
        format!("{} {action} {} -> {} {rule}", step.image, text(&step.from), text(&step.to))
    });
    steps.collect()
}
