//! The release chain: `ante`, the configured rings in their order, `post`.

use std::sync::Arc;

use ringsite_names::{Position, RingName};
use serde::{Deserialize, Serialize};

use crate::limits::RINGS_MAX;

/// The positions through which a release goes, in order: `ante`, at least one ring, `post`.
///
/// As JSON it is the list of the configured rings; `ante` and `post` are always there and never
/// written. Clones share their memory.
///
/// # Examples
/// ```
/// use ringsite_names::{Position, RingName};
/// use ringsite_rings::Chain;
///
/// let rings = ["developers", "testers", "users"].map(|name| RingName::new(name).unwrap());
/// let chain = Chain::new(rings).unwrap();
/// let testers: Position = "testers".parse().unwrap();
/// assert_eq!(chain.next(&testers).unwrap().as_str(), "users");
/// assert_eq!(chain.previous(&testers).unwrap().as_str(), "developers");
/// assert_eq!(chain.next(&Position::Post), None);
/// assert_eq!(chain.positions().len(), 5);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<RingName>", into = "Vec<RingName>")]
pub struct Chain(Arc<[Position]>);

/// Rings that make no chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// There is no ring at all.
    #[error("no ring is configured: at least one is needed, for example `rings = [\"developers\"]`")]
    Empty,
    /// There are more rings than a chain may have.
    #[error("{count} rings are configured: at most {RINGS_MAX} are possible")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// A ring is there twice.
    #[error("ring `{ring}` is configured twice: the rings of a chain are all different")]
    Twice {
        /// The ring.
        ring: RingName,
    },
}

impl Chain {
    /// Returns the chain of `rings` with `ante` before and `post` behind them.
    ///
    /// # Errors
    /// `Empty` without a ring, `TooMany` above 64, `Twice` when a ring is repeated.
    pub fn new(rings: impl IntoIterator<Item = RingName>) -> Result<Self, ChainError> {
        let rings: Vec<RingName> = rings.into_iter().collect();
        if rings.is_empty() {
            return Err(ChainError::Empty);
        }
        if rings.len() > RINGS_MAX {
            return Err(ChainError::TooMany { count: rings.len() });
        }
        if let Some((_, ring)) = rings.iter().enumerate().find(|(index, ring)| rings[..*index].contains(ring))
        {
            return Err(ChainError::Twice { ring: ring.clone() });
        }
        let configured = rings.into_iter().map(Position::Ring);
        Ok(Self([Position::Ante].into_iter().chain(configured).chain([Position::Post]).collect()))
    }

    /// Returns every position, `ante` first and `post` last.
    pub fn positions(&self) -> &[Position] {
        &self.0
    }

    /// Returns the positions of the configured rings, in order; there is at least one.
    pub fn rings(&self) -> &[Position] {
        &self.0[1..self.0.len() - 1]
    }

    /// Returns the names of the configured rings, in order.
    pub fn names(&self) -> impl Iterator<Item = &RingName> {
        self.0.iter().filter_map(|position| match position {
            Position::Ring(ring) => Some(ring),
            Position::Ante | Position::Post => None,
        })
    }

    /// Returns the first configured ring, onto which `release` builds unless told otherwise.
    pub fn first(&self) -> &Position {
        &self.0[1]
    }

    /// Returns the last configured ring.
    pub fn last(&self) -> &Position {
        &self.0[self.0.len() - 2]
    }

    /// Returns the place of `position` in the chain; `ante` is 0.
    pub fn index(&self, position: &Position) -> Option<usize> {
        self.0.iter().position(|known| known == position)
    }

    /// Returns whether `position` is in the chain.
    pub fn contains(&self, position: &Position) -> bool {
        self.index(position).is_some()
    }

    /// Returns the position behind `position`; none behind `post`.
    pub fn next(&self, position: &Position) -> Option<&Position> {
        self.0.get(self.index(position)? + 1)
    }

    /// Returns the position before `position`; none before `ante`.
    pub fn previous(&self, position: &Position) -> Option<&Position> {
        self.0.get(self.index(position)?.checked_sub(1)?)
    }

    /// Returns the positions before `position` in chain order, so the nearest is the last one.
    pub fn earlier(&self, position: &Position) -> &[Position] {
        self.index(position).map_or(&[], |index| &self.0[..index])
    }

    /// Returns the positions behind `position` in chain order, so the nearest is the first one.
    pub fn later(&self, position: &Position) -> &[Position] {
        self.index(position).map_or(&[], |index| &self.0[index + 1..])
    }
}

impl TryFrom<Vec<RingName>> for Chain {
    type Error = ChainError;

    fn try_from(rings: Vec<RingName>) -> Result<Self, ChainError> {
        Self::new(rings)
    }
}

impl From<Chain> for Vec<RingName> {
    fn from(chain: Chain) -> Self {
        chain.names().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(name: &str) -> RingName {
        RingName::new(name).unwrap()
    }

    #[test]
    fn a_chain_has_one_to_sixty_four_different_rings() {
        assert_eq!(Chain::new([]), Err(ChainError::Empty));
        let many = |count: usize| Chain::new((0..count).map(|index| ring(&format!("r{index}"))));
        assert!(many(1).is_ok());
        assert!(many(64).is_ok());
        assert_eq!(many(65), Err(ChainError::TooMany { count: 65 }));
        assert_eq!(Chain::new([ring("a"), ring("b"), ring("a")]), Err(ChainError::Twice { ring: ring("a") }));
    }

    #[test]
    fn neighbours_end_at_ante_and_post() {
        let chain = Chain::new([ring("a"), ring("b")]).unwrap();
        assert_eq!(chain.previous(&Position::Ante), None);
        assert_eq!(chain.next(&Position::Ante), Some(chain.first()));
        assert_eq!(chain.next(chain.last()), Some(&Position::Post));
        assert_eq!(chain.earlier(chain.last()), &[Position::Ante, ring("a").into()]);
        assert_eq!(chain.later(&Position::Post), &[]);
        assert_eq!(chain.later(&ring("unknown").into()), &[]);
    }

    #[test]
    fn a_chain_is_read_from_the_list_of_its_rings_and_checked() {
        let chain: Chain = serde_json::from_str(r#"["b","a"]"#).unwrap();
        assert_eq!(serde_json::to_string(&chain).unwrap(), r#"["b","a"]"#);
        assert!(serde_json::from_str::<Chain>(r#"["a","a"]"#).is_err());
        assert!(serde_json::from_str::<Chain>("[]").is_err());
    }
}
