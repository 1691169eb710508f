//! Whatever is done to a project file, reading it ends with a project or with problems in the file.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use ringsite_images::{Overrides, load};

const TEXT: &str = r#"project = "acme/shop"
registry = "oci-layout:.ring/registry"
root = "shop"
rings = ["developers", "testers"]
platforms = ["linux/amd64"]
source_date_epoch = 0
[images.shop]
args = { A = "b" }
[labels]
"a.b" = "c"
[gates.testers]
soak = "24h"
windows = ["Mon-Thu 09:00-16:00 Europe/Amsterdam"]
freezes = [{ from = 2026-12-20, to = "2027-01-04T12:00:00+01:00" }]
checks = [{ name = "smoke", command = ["./smoke"] }]
[retention]
keep = 50
[[sites]]
environment = "test"
ring = "testers"
job = { timeout = "10m" }
"#;

/// What is put into the text: what TOML and this file give a meaning to, and what they do not.
const PIECES: [&str; 16] = [
    "\"",
    "[",
    "]",
    "[[",
    "{",
    "}",
    "=",
    "\n",
    ".",
    "#",
    "99999999999999999999",
    "true",
    "ä",
    "\u{0}",
    "ring",
    "\r",
];

fn folder() -> &'static PathBuf {
    static FOLDER: std::sync::OnceLock<PathBuf> = std::sync::OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("project-noise");
        fs::create_dir_all(folder.join("images/shop")).expect("makes folders");
        fs::create_dir_all(folder.join("environments/test")).expect("makes folders");
        fs::write(folder.join("images/shop/Containerfile"), "FROM scratch\n").expect("writes");
        fs::write(folder.join("environments/test/kustomization.yaml"), "").expect("writes");
        folder
    })
}

fn check(text: &str, name: &str) -> Result<(), TestCaseError> {
    let file = folder().join(name);
    fs::write(&file, text).expect("writes");
    let lines = u32::try_from(text.lines().count()).expect("is small") + 1;
    if let Err(problems) = load(&file, &Overrides::default()) {
        for problem in &problems {
            prop_assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
            prop_assert!(!problem.message.is_empty() && !problem.help.is_empty(), "{problem:?}");
        }
    }
    Ok(())
}

#[test]
fn the_text_alone_is_a_project() {
    let file = folder().join("rings.toml");
    fs::write(&file, TEXT).expect("writes");
    assert!(load(&file, &Overrides::default()).is_ok());
}

#[test]
fn nesting_without_end_is_refused() {
    for (open, close) in [("[", "]"), ("{ a = ", "}")] {
        let text = format!("vendor = {}1{}\n", open.repeat(100_000), close.repeat(100_000));
        let file = folder().join("nested.toml");
        fs::write(&file, text).expect("writes");
        let problems = load(&file, &Overrides::default()).expect_err("is no project");
        assert_eq!(problems.as_slice()[0].line, Some(1));
    }
    let text = format!("a{} = 1\n", ".a".repeat(100_000));
    let file = folder().join("dotted.toml");
    fs::write(&file, text).expect("writes");
    assert!(load(&file, &Overrides::default()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_text_is_a_project_or_has_problems(
        edits in prop::collection::vec((0..TEXT.len(), 0..12_usize, 0..PIECES.len()), 1..4),
    ) {
        let mut text = TEXT.to_owned();
        for (at, length, piece) in edits {
            let from = text.floor_char_boundary(at.min(text.len()));
            let to = text.floor_char_boundary((from + length).min(text.len()));
            text.replace_range(from..to.max(from), PIECES[piece]);
        }
        check(&text, "changed.toml")?;
    }

    #[test]
    fn any_text_is_a_project_or_has_problems(text in "\\PC{0,60}") {
        check(&text, "any.toml")?;
    }
}
