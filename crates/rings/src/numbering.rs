//! The version rule: which version an image gets that is built on a ring.
//!
//! The seed of the rule: if the next ring has the same minor version as this one, the minor version
//! is raised, otherwise the patch version; the major version only on request. A version that was
//! ever given is never given again.

use ringsite_names::{ImageName, Position, Version};
use serde::{Deserialize, Serialize};

use crate::{Chain, State};

/// What a new version is chosen with.
#[derive(Clone, Copy, Debug)]
pub struct Numbering<'a> {
    /// The cells and T.
    pub state: &'a State,
    /// The chain that the build belongs to.
    pub chain: &'a Chain,
    /// The version of an image that never had one.
    pub initial: Version,
}

/// How far a version is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bump {
    /// As the rings say.
    Ordinary,
    /// To the next major version, on request.
    Major,
}

/// The clause of the version rule that gave a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The image never had a version.
    Initial,
    /// The line of the ring goes on.
    Patch,
    /// The line was handed on to a later ring, so a new one begins.
    Minor,
    /// On request.
    Major,
    /// No number was given.
    None,
}

impl Rule {
    /// Returns the word that plans use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Patch => "patch",
            Self::Minor => "minor",
            Self::Major => "major",
            Self::None => "none",
        }
    }
}

/// Returns the version that `image` gets when it is built on the ring `on`, and the clause that
/// gave it.
///
/// The current version is that of `on`, else of the nearest earlier ring that has one, else of the
/// nearest later one, else the highest version ever given (then only the patch number is raised).
/// T of the image must be loaded. Nothing is built on `post`; the plan refuses that before.
///
/// # Examples
/// ```
/// use ringsite_names::{ImageName, Position, Version};
/// use ringsite_rings::{Bump, Chain, Numbering, Rule, State, next_version};
///
/// let chain: Chain = serde_json::from_str(r#"["developers", "testers"]"#).unwrap();
/// let numbering = Numbering { state: &State::new(), chain: &chain, initial: Version::new(0, 1, 0) };
/// let api = ImageName::new("api").unwrap();
/// assert_eq!(
///     next_version(numbering, &api, chain.first(), Bump::Ordinary),
///     (Version::new(0, 1, 0), Rule::Initial),
/// );
/// assert_eq!(
///     next_version(numbering, &api, chain.first(), Bump::Major),
///     (Version::new(1, 0, 0), Rule::Major),
/// );
/// ```
pub fn next_version(
    numbering: Numbering<'_>,
    image: &ImageName,
    on: &Position,
    bump: Bump,
) -> (Version, Rule) {
    let given = Given { numbering, image };
    match (bump, given.current(on)) {
        (Bump::Ordinary, None) => (numbering.initial, Rule::Initial),
        (Bump::Major, None) => (Version::new(1, 0, 0), Rule::Major),
        (Bump::Major, Some((current, _))) => {
            let highest = given.highest_below(Version::new(u64::MAX, u64::MAX, u64::MAX));
            let major = highest.map_or(current.major, |highest| highest.major.max(current.major));
            (Version::new(major + 1, 0, 0), Rule::Major)
        }
        (Bump::Ordinary, Some((current, Source::Table))) => (given.patch(current), Rule::Patch),
        (Bump::Ordinary, Some((current, Source::Ring))) => {
            if given.is_handed_on(current, on) {
                (given.minor(current), Rule::Minor)
            } else {
                (given.patch(current), Rule::Patch)
            }
        }
    }
}

/// Where a current version was found.
#[derive(Clone, Copy)]
enum Source {
    Ring,
    Table,
}

/// The versions that were given to one image.
struct Given<'a> {
    numbering: Numbering<'a>,
    image: &'a ImageName,
}

impl Given<'_> {
    fn on(&self, ring: &Position) -> Option<Version> {
        self.numbering.state.cells(ring).version(self.image)
    }

    fn current(&self, on: &Position) -> Option<(Version, Source)> {
        let chain = self.numbering.chain;
        let standing = self
            .on(on)
            .or_else(|| chain.earlier(on).iter().rev().find_map(|ring| self.on(ring)))
            .or_else(|| chain.later(on).iter().find_map(|ring| self.on(ring)));
        let highest = || self.numbering.state.releases(self.image).keys().next_back().copied();
        standing
            .map(|version| (version, Source::Ring))
            .or_else(|| highest().map(|version| (version, Source::Table)))
    }

    /// Returns whether the line of `current` is on the nearest later ring, and no earlier ring has
    /// a higher line already.
    fn is_handed_on(&self, current: Version, on: &Position) -> bool {
        let chain = self.numbering.chain;
        let next = chain.later(on).iter().find_map(|ring| self.on(ring));
        let is_overtaken = || {
            let earlier = chain.earlier(on).iter().filter_map(|ring| self.on(ring));
            earlier.into_iter().any(|version| version.line() > current.line())
        };
        next.is_some_and(|next| next.line() == current.line()) && !is_overtaken()
    }

    fn minor(&self, current: Version) -> Version {
        let highest = self.highest_below(Version::new(current.major, u64::MAX, u64::MAX));
        let minor = highest
            .filter(|highest| highest.major == current.major)
            .map_or(current.minor, |highest| highest.minor.max(current.minor));
        Version::new(current.major, minor + 1, 0)
    }

    fn patch(&self, current: Version) -> Version {
        let highest = self.highest_below(Version::new(current.major, current.minor, u64::MAX));
        let patch = highest
            .filter(|highest| highest.line() == current.line())
            .map_or(current.patch, |highest| highest.patch.max(current.patch));
        Version::new(current.major, current.minor, patch + 1)
    }

    /// Returns the highest version in T up to `bound`. T bounds every number, so one more always fits.
    fn highest_below(&self, bound: Version) -> Option<Version> {
        let releases = self.numbering.state.releases(self.image);
        releases.range(..=bound).next_back().map(|(version, _)| *version)
    }
}
