//! Words that must not stand in any file: paths of one machine, and folders outside the repository.
//!
//! A stranger has only the repository. The words are put together here from parts, so that this
//! file may hold them.

use super::Finding;
use crate::workspace::SourceFile;

/// Returns what must not be named.
fn foreign_words() -> Vec<String> {
    let parts: &[&[&str]] = &[
        &["/wo", "rk/main"],
        &["/wo", "rk/shared"],
        &["/wo", "rk/."],
        &["/fa", "rm/"],
        &["/roo", "t/.cargo"],
        &["/tm", "p/brief"],
        &["..", "/shared"],
        &["shared", "/design"],
    ];
    parts.iter().map(|parts| parts.concat()).collect()
}

/// Returns each line that names something outside the repository.
pub(crate) fn check(file: &SourceFile) -> Vec<Finding> {
    let foreign = foreign_words();
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for word in foreign.iter().filter(|word| line.contains(&***word)) {
            let message = format!("`{word}` is not in this repository: say it without");
            findings.push(Finding::at(file, index + 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_is_found_with_its_line() {
        let text = format!("first\nsee {}/notes.md\n", ["..", "/shared"].concat());
        let file = SourceFile { path: "docs/guide/README.md".into(), text };
        let findings = check(&file);
        assert_eq!(findings.iter().map(|finding| finding.line).collect::<Vec<_>>(), vec![2]);
    }

    #[test]
    fn ordinary_paths_are_fine() {
        let text = "WORKDIR /work\nCOPY . /home/app\nsee ../share/d\n".to_owned();
        assert_eq!(check(&SourceFile { path: "a/Containerfile".into(), text }), vec![]);
    }
}
