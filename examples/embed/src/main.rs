//! Decides with the rules of Ringsite in a program of its own: no registry, no file, no network.
//!
//! Two images are released onto the first ring, promoted to the next, and released again after one
//! of them changed. The rules are pure, so a whole history fits into one function.

use std::collections::BTreeMap;
use std::error::Error;

use ringsite_names::{Digest, ImageName, Position, ProjectName, RingName, Timestamp, Version};
use ringsite_rings::{
    Built, Bump, Change, Configuration, Declaration, Desired, Detail, Facts, Numbering, Plan, PromoteRequest,
    ReleaseRequest, Request, State, next_version, plan,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The version of an image that never had one.
const INITIAL: Version = Version::new(0, 1, 0);

fn main() -> Result<()> {
    let (base, shop) = (ImageName::new("base")?, ImageName::new("shop")?);
    let rings = [RingName::new("developers")?, RingName::new("users")?];
    let configuration = Configuration::new(Declaration {
        rings: rings.to_vec(),
        root: shop.clone(),
        sites: Vec::new(),
        gates: BTreeMap::new(),
    })?;
    let developers = configuration.chain().first().clone();

    let mut state = State::new();
    state = apply(state, &configuration, release(&developers), &wanted(&base, &shop, "first"))?;
    println!();
    state = apply(state, &configuration, promote(&developers), &[])?;
    println!();

    let numbering = Numbering { state: &state, chain: configuration.chain(), initial: INITIAL };
    let (version, rule) = next_version(numbering, &base, &developers, Bump::Ordinary);
    println!("the next version of {base} on {developers} is {version} ({})", rule.as_str());
    println!("because users holds the same line, which was handed on");
    println!();

    apply(state, &configuration, release(&developers), &wanted(&base, &shop, "second"))?;
    Ok(())
}

/// Returns what a project wants of its two images; `sources` stands for what their folders hold.
fn wanted(base: &ImageName, shop: &ImageName, sources: &str) -> [Desired; 2] {
    let of = |image: &ImageName, revision: &str, dependencies: &[&ImageName]| Desired {
        image: image.clone(),
        revision: Digest::sha256(revision.as_bytes()),
        inputs: Digest::sha256(b"no external images"),
        dependencies: dependencies.iter().map(|image| (*image).clone()).collect(),
        detail: Detail::default(),
    };
    [of(base, sources, &[]), of(shop, "always the same", &[base])]
}

fn release(ring: &Position) -> Request {
    Request::Release(ReleaseRequest {
        ring: ring.clone(),
        images: [].into(),
        majors: [].into(),
        initial_version: INITIAL,
        switches: [].into(),
    })
}

fn promote(ring: &Position) -> Request {
    Request::Promote(PromoteRequest { ring: ring.clone(), images: [].into(), switches: [].into() })
}

/// Plans a request, prints the plan, and returns the state after it.
fn apply(
    state: State,
    configuration: &Configuration,
    request: Request,
    desired: &[Desired],
) -> Result<State> {
    let facts = Facts { declared: Some(configuration.clone()), ..Facts::default() };
    let now = Timestamp::from_seconds(1_700_000_000)?;
    let plan = plan(&state, desired, &request, &facts, now)?;
    print(&plan)?;
    // A program that builds would build here, step by step; the example makes up the digests.
    let built = plan.builds().map(|(step, _)| (step.image.clone(), pretend(step.to, now))).collect();
    let before = Change { configuration: plan.takes_over().cloned(), ..Change::default() };
    Ok(state.apply(&before)?.apply(&plan.change(&built)?)?)
}

fn pretend(version: Option<Version>, now: Timestamp) -> Built {
    let content = version.map(|version| version.to_string()).unwrap_or_default();
    let digest = Digest::sha256(content.as_bytes());
    Built { digest, built_by: "example/1".to_owned(), built_at: now, recipe: None }
}

fn print(plan: &Plan) -> Result<()> {
    println!("plan {}", plan.digest(&ProjectName::new("acme/shop")?).short(12));
    let version = |version: Option<Version>| version.map_or("-".to_owned(), |version| version.to_string());
    for step in &plan.steps {
        let causes: Vec<&str> = step.causes.iter().map(|cause| cause.message.as_str()).collect();
        let (from, to) = (version(step.from), version(step.to));
        println!(
            "{:6} {:6} {:11} {from:7} {to:7} {}",
            step.image,
            step.action.as_str(),
            step.ring,
            causes.join(", ")
        );
    }
    for warning in &plan.warnings {
        println!("warning: {}", warning.message);
    }
    Ok(())
}
