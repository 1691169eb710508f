//! Patterns for files that are not in the build context: in other images and in stages.

use crate::ignore::Ignore;
use crate::pattern::{Depth, Pattern, has_wildcard};

/// A pattern of paths, by the rules of `COPY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob(Pattern);

impl Glob {
    /// Reads a pattern in which `**` means no more than `*`.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn flat(text: &str) -> Result<Self, String> {
        Pattern::new(text, Depth::Flat).map(Self).map_err(|bad| bad.0.to_owned())
    }

    /// Reads a pattern in which `**` stands for any number of folders, as `--parents` has it.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn deep(text: &str) -> Result<Self, String> {
        Pattern::new(text, Depth::Deep).map(Self).map_err(|bad| bad.0.to_owned())
    }

    /// Returns whether the whole of `path` matches.
    pub fn matches(&self, path: &str) -> bool {
        self.0.matches(path)
    }

    /// Returns whether `text` has a character that is special in patterns.
    pub fn is_pattern(text: &str) -> bool {
        has_wildcard(text)
    }
}

/// The patterns of `--exclude`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusions(Ignore);

impl Exclusions {
    /// Reads the patterns.
    ///
    /// # Errors
    /// What is wrong with the first that cannot be read.
    pub fn new<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, String> {
        Ignore::of_patterns(patterns).map(Self)
    }

    /// Returns whether `path`, relative to the source, is left out.
    pub fn excludes(&self, path: &str) -> bool {
        self.0.judge_path(path).is_excluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_exclusions_follow_the_rules_of_copies_from_the_context() {
        assert!(Glob::flat("lib/*.jar").unwrap().matches("lib/a.jar"));
        assert!(!Glob::flat("lib/**").unwrap().matches("lib/a/b.jar"));
        assert!(Glob::deep("lib/**").unwrap().matches("lib/a/b.jar"));
        assert!(Glob::flat("[").is_err());
        let exclusions = Exclusions::new(["*.md", "!README.md"]).unwrap();
        assert!(exclusions.excludes("a.md") && !exclusions.excludes("README.md"));
    }
}
