//! How long a file and a function may be.

use super::Finding;
use super::mask::Source;
use crate::workspace::SourceFile;

/// Lines of a file without its inline tests: past this nobody holds it in the head.
const FILE_LINES_MAX: usize = 800;
/// Lines of a function from head to closing brace: two screens, where one is the aim.
const FUNCTION_LINES_MAX: usize = 70;

/// Returns what is too long.
pub(crate) fn check(file: &SourceFile, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let lines = source.line_count() - source.test_line_count();
    if lines > FILE_LINES_MAX {
        let message = format!("{lines} lines without tests, the limit is {FILE_LINES_MAX}: split it by idea");
        findings.push(Finding::about(&*file.path, message));
    }
    for function in source.functions().into_iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
        let message = format!(
            "function `{}` has {} lines, the limit is {FUNCTION_LINES_MAX}: take a step out of it",
            function.name, function.lines
        );
        findings.push(Finding::at(file, function.line, message));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        let file = SourceFile { path: "crates/a/src/lib.rs".into(), text: text.into() };
        check(&file, &Source::of(text))
    }

    #[test]
    fn a_function_of_seventy_lines_passes_and_one_more_does_not() {
        let function = |body| format!("fn a() {{\n{}}}\n", "    b();\n".repeat(body));
        assert_eq!(findings(&function(68)), vec![]);
        assert_eq!(findings(&function(69)).len(), 1);
    }

    #[test]
    fn inline_tests_do_not_count_to_the_length_of_a_file() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const A: u8 = 1;\n".repeat(500));
        let text = format!("{}{tests}", "const B: u8 = 1;\n".repeat(800));
        assert_eq!(findings(&text), vec![]);
        assert_eq!(findings(&format!("const C: u8 = 1;\n{text}")).len(), 1);
    }
}
