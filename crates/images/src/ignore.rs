//! The ignore file of a build context, by Docker's own rules, which are not those of `.gitignore`.
//!
//! Each line is a pattern relative to the context; `#` begins a comment, `!` takes files back in,
//! the last line that matches counts, and a pattern that matches a folder matches all below it.
//! Pure: the file is read elsewhere.

use std::path::{Path, PathBuf};

use crate::Problem;
use crate::pattern::{Depth, Pattern, clean};

/// The rules of an ignore file, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
    has_exception: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    pattern: Pattern,
    is_exception: bool,
    /// The parts of the pattern, to see whether an exception may lie below a folder.
    parts: Vec<(String, Option<Pattern>)>,
}

/// Which rules match a folder or one above it; children take it over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited(Vec<bool>);

/// What the rules say about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether the path is left out.
    pub(crate) is_excluded: bool,
    /// What its children take over.
    pub(crate) inherited: Inherited,
}

impl Ignore {
    /// Reads an ignore file.
    ///
    /// # Errors
    /// A problem for each line that is no pattern.
    pub(crate) fn read(file: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let mut ignore = Self::default();
        let mut problems = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in (1_u32..).zip(text.lines()) {
            if line.starts_with('#') {
                continue;
            }
            if let Err(message) = ignore.add(line) {
                let help = "write a pattern of a path such as `target/` or `**/*.log`, or take the line out";
                problems.push(Problem::in_file(file, message, help).at_line(number));
            }
        }
        if problems.is_empty() { Ok(ignore) } else { Err(problems) }
    }

    /// Returns rules for the patterns of `--exclude`.
    ///
    /// # Errors
    /// What is wrong with the first pattern that cannot be read.
    pub(crate) fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, String> {
        let mut ignore = Self::default();
        for pattern in patterns {
            ignore.add(pattern)?;
        }
        Ok(ignore)
    }

    fn add(&mut self, line: &str) -> Result<(), String> {
        let text = line.trim();
        if text.is_empty() {
            return Ok(());
        }
        let (is_exception, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, text),
        };
        if text.is_empty() {
            return Err("`!` stands alone".to_owned());
        }
        let cleaned = clean(text);
        let text = match cleaned.strip_prefix('/') {
            Some(rest) if !rest.is_empty() => rest,
            _ => &cleaned,
        };
        let wrong = |bad: crate::pattern::BadPattern| format!("`{}` is no pattern: {}", line.trim(), bad.0);
        let pattern = Pattern::new(text, Depth::Deep).map_err(wrong)?;
        let parts = text.split('/').map(|part| (part.to_owned(), Pattern::new(part, Depth::Flat).ok()));
        let parts = if is_exception { parts.collect() } else { Vec::new() };
        self.rules.push(Rule { pattern, is_exception, parts });
        self.has_exception |= is_exception;
        Ok(())
    }

    /// Judges `path`, whose folder has the inherited matches `above`.
    pub(crate) fn judge(&self, above: &Inherited, path: &str) -> Verdict {
        if self.rules.is_empty() {
            return Verdict { is_excluded: false, inherited: Inherited::default() };
        }
        let mut is_excluded = false;
        let mut inherited = Vec::with_capacity(self.rules.len());
        for (index, rule) in self.rules.iter().enumerate() {
            let is_match = above.0.get(index).copied().unwrap_or(false) || rule.pattern.matches(path);
            inherited.push(is_match);
            if is_match {
                is_excluded = !rule.is_exception;
            }
        }
        Verdict { is_excluded, inherited: Inherited(inherited) }
    }

    /// Judges `path` with all the folders above it.
    pub(crate) fn judge_path(&self, path: &str) -> Verdict {
        let mut above = Inherited::default();
        if !self.rules.is_empty() {
            for (at, _) in path.match_indices('/') {
                above = self.judge(&above, &path[..at]).inherited;
            }
        }
        self.judge(&above, path)
    }

    /// Returns whether something below the excluded folder `path` may be taken back in.
    pub(crate) fn may_take_back_below(&self, path: &str) -> bool {
        self.has_exception
            && self.rules.iter().filter(|rule| rule.is_exception).any(|rule| rule.may_lie_below(path))
    }
}

impl Rule {
    fn may_lie_below(&self, folder: &str) -> bool {
        let mut parts = self.parts.iter();
        for name in folder.split('/') {
            match parts.next() {
                // The exception matches the folder itself or one above it: nothing more to find out.
                None => return true,
                Some((text, _)) if text.contains("**") => return true,
                Some((_, Some(pattern))) if pattern.matches(name) => {}
                // A part that is no pattern of its own, such as a class with a `/` in it.
                Some((_, None)) => return true,
                Some(_) => return false,
            }
        }
        true
    }
}

/// Returns where the ignore file of a containerfile may be: its own first, then the context's.
pub(crate) fn candidates(context: &Path, containerfile: &Path) -> [PathBuf; 2] {
    let mut own = containerfile.as_os_str().to_owned();
    own.push(crate::names::IGNORE_SUFFIX);
    [own.into(), context.join(crate::names::IGNORE_FILE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Ignore {
        Ignore::read(Path::new(".dockerignore"), text).expect("is an ignore file")
    }

    fn is_excluded(text: &str, path: &str) -> bool {
        read(text).judge_path(path).is_excluded
    }

    #[test]
    fn paths_are_left_out_by_the_rules_of_docker() {
        for (text, path, expected) in [
            ("", "a", false),
            ("# a\na", "a", true),
            (" # a", "# a", true),
            ("a", "a/b", true),
            ("a", "b/a", false),
            ("/a", "a", true),
            ("/a", "a/b/c", true),
            ("./a/", "a/b", true),
            ("a/../b", "b", true),
            ("  a  ", "a", true),
            ("*/temp*", "somedir/temporary.txt", true),
            ("*/temp*", "somedir/temp/x", true),
            ("*/temp*", "temp", false),
            ("*/*/temp*", "somedir/sub/temporary.txt", true),
            ("temp?", "tempa", true),
            ("temp?", "temp", false),
            ("**/*.go", "a/b/c.go", true),
            ("**/*.go", "c.go", true),
            ("*.md\n!README.md", "README.md", false),
            ("*.md\n!README.md", "other.md", true),
            ("*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true),
            ("*.md\nREADME-secret.md\n!README*.md", "README-secret.md", false),
            ("!README.md\n*.md", "README.md", true),
            ("*\n!src", "src/a", false),
            ("*\n!src", "other", true),
            ("*\n!src\nsrc/secret", "src/secret/x", true),
            ("docs\n!docs/keep", "docs/keep/a", false),
            ("docs\n!docs/keep", "docs/drop", true),
            ("**\n!a/**", "a/b/c", false),
            ("**\n! a", "a", false),
            (".", "a", false),
            ("/", "a", false),
            ("\u{feff}a", "a", true),
            ("a\r\nb\r\n", "b", true),
            ("A", "a", false),
            ("[ab]c", "bc", true),
        ] {
            assert_eq!(is_excluded(text, path), expected, "{text:?} on {path}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_a_problem_with_its_line() {
        let problems = Ignore::read(Path::new(".dockerignore"), "a\n!\n[b\nc").expect_err("has bad lines");
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [Some(2), Some(3)]);
        assert!(problems[1].message.contains("[b"), "{}", problems[1]);
    }

    #[test]
    fn a_folder_is_looked_into_only_where_an_exception_may_lie() {
        let ignore = read("*\n!src/*/keep\n!**/deep");
        assert!(ignore.may_take_back_below("src"));
        assert!(read("*\n!src/*/keep").may_take_back_below("src/x"));
        assert!(!read("*\n!src/*/keep").may_take_back_below("other"));
        assert!(ignore.may_take_back_below("other"));
        assert!(!read("*").may_take_back_below("src"));
        assert!(!read("node_modules\n!docs/x").may_take_back_below("node_modules"));
    }

    #[test]
    fn judging_folder_by_folder_gives_what_judging_the_whole_path_gives() {
        let ignore = read("*\n!a\na/b\n!a/b/c\n**/x");
        for path in ["a/b/c/d", "a/b/d", "a/c/x", "z/a", "a/x/b"] {
            let mut above = Inherited::default();
            let mut verdict = ignore.judge(&above, path.split('/').next().unwrap());
            for (at, _) in path.match_indices('/').skip(1).chain([(path.len(), "")]) {
                above = verdict.inherited;
                verdict = ignore.judge(&above, &path[..at]);
            }
            assert_eq!(verdict, ignore.judge_path(path), "{path}");
        }
    }
}
