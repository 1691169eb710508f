//! Every kind of mistake in `rings.toml` is found with its line, says what is wrong and what to do.

use std::fs;
use std::path::Path;

use ringsite_images::{Override, Overrides, Problem, SettingOrigin, load};

/// A project on disk: images base, api and shop, environments test and broken, folders to stumble over.
fn project(rings_toml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("makes a folder");
    let write = |path: &str, content: &str| {
        let path = folder.path().join("project").join(path);
        fs::create_dir_all(path.parent().expect("is below the folder")).expect("makes folders");
        fs::write(path, content).expect("writes");
    };
    for image in ["base", "api", "shop"] {
        write(&format!("images/{image}/Containerfile"), "FROM scratch\n");
    }
    write("images/empty/notes.txt", "no containerfile here\n");
    write("environments/test/kustomization.yaml", "resources: []\n");
    write("environments/production/Kustomization", "resources: []\n");
    write("environments/broken/notes.txt", "no kustomization here\n");
    write("rings.toml", rings_toml);
    fs::create_dir_all(folder.path().join("elsewhere")).expect("makes a folder");
    std::os::unix::fs::symlink("../../elsewhere", folder.path().join("project/images/link")).expect("links");
    folder
}

fn problems_with(rings_toml: &str, overrides: &Overrides) -> Vec<Problem> {
    let folder = project(rings_toml);
    match load(&folder.path().join("project/rings.toml"), overrides) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_vec(),
    }
}

fn problems(rings_toml: &str) -> Vec<Problem> {
    problems_with(rings_toml, &Overrides::default())
}

/// Four lines that are right; what a case adds begins in line 5.
const HEAD: &str = "project = \"acme/shop\"\nroot = \"shop\"\nrings = [\"developers\", \"testers\"]\n\n";

/// One kind of mistake: lines that follow `HEAD`, and the line, message and help that they give.
type Case = (&'static str, u32, &'static str, &'static str);

fn check(cases: &[Case]) {
    for (added, line, message, help) in cases {
        let found = problems(&format!("{HEAD}{added}"));
        let [problem] = found.as_slice() else {
            panic!("expected one problem with\n{added}\nfound {found:#?}");
        };
        assert_eq!(problem.line, Some(*line), "{added}\n{problem}");
        assert!(problem.column.is_some(), "{added}\n{problem}");
        assert!(problem.message.contains(message), "{added}\n{problem}");
        assert!(problem.help.contains(help), "{added}\n{problem}");
        assert!(problem.file.ends_with("rings.toml"), "{problem}");
    }
}

#[test]
fn the_head_alone_has_no_mistake() {
    assert_eq!(problems(HEAD), []);
}

#[test]
fn mistakes_of_form_are_found() {
    check(&[
        ("vendor = \n", 5, "must be quoted", "no TOML"),
        ("vendor = Acme\n", 5, "", "quotes"),
        ("vendor \"Acme\"\n", 5, "", "key = value"),
        ("root = \"api\"\n", 5, "duplicate key", "keep one"),
        ("[labels\na = \"b\"\n", 5, "", "no TOML"),
        (
            "registery = \"localhost:5000\"\n",
            5,
            "unknown key `registery` at the top",
            "did you mean `registry`?",
        ),
        ("colour = \"blue\"\n", 5, "unknown key `colour`", "the keys here are project, registry"),
        ("context = \"images/base\"\n", 5, "unknown key `context`", "belongs to `images.*.context`"),
        ("[images.shop]\nroot = true\n", 6, "unknown key `root`", "once, at the top"),
        ("[images.shop]\ntraget = \"a\"\n", 6, "unknown key `traget` in `[images.*]`", "`target`"),
        ("[sign]\npubic = []\n", 6, "unknown key `pubic` in `[sign]`", "`public`"),
        ("vendor = 3\n", 5, "expected a string for `vendor`, found a whole number", "vendor = \"text\""),
        ("platforms = \"linux/amd64\"\n", 5, "expected a list of strings", "[\"one\", \"two\"]"),
        ("images = [\"shop\"]\n", 5, "expected a table for `images`", "[images]"),
        ("images.shop = \"images/shop\"\n", 5, "expected a table for `shop`", "[images.shop]"),
        ("[sites]\nname = \"a\"\n", 5, "expected a list of tables", "[[sites]]"),
        ("sites = [\"a\"]\n", 5, "expected a table in `sites`", "write a table"),
        ("[retention]\nkeep = \"50\"\n", 6, "expected a whole number", "keep = 50"),
        ("[images.shop.args]\nLEVEL = 3\n", 6, "expected a string", "\"3\""),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\nrender = \"yes\"\n",
            8,
            "true or false",
            "= true",
        ),
    ]);
}

#[test]
fn mistakes_in_single_values_are_found() {
    check(&[
        ("registry = \".ring/registry\"\n", 5, "is no registry", "oci-layout:.ring/registry"),
        ("registry = \"registry.example.com/acme\"\n", 5, "is no registry", "`project`"),
        ("registry = \"oci-layout:\"\n", 5, "names no folder", "oci-layout:.ring/registry"),
        ("pull = \"https://registry.example.com\"\n", 5, "no host", "without scheme"),
        ("vendor = \" \"\n", 5, "no readable value", "remove the key"),
        ("platforms = []\n", 5, "list of platforms is empty", "linux/amd64"),
        ("platforms = [\"linux/x86_64\"]\n", 5, "no platform", "linux/amd64"),
        ("platforms = [\"linux/amd64\",\n\"linux/amd64\"]\n", 6, "listed twice", "keep one"),
        ("source_date_epoch = -1\n", 5, "no time that a file", "0 to 8589934591"),
        ("source_date_epoch = 99999999999999999999\n", 5, "no time that a file", "seconds"),
        ("source_date_epoch = \"now\"\n", 5, "no value of `source_date_epoch`", "\"env\""),
        ("source_date_epoch = 1.5\n", 5, "found a number with a fraction", "= 0"),
        ("initial_version = \"1.0\"\n", 5, "no version", "0.1.0"),
        ("builder = \"docker\"\n", 5, "no builder", "buildx"),
        ("builder = \"buildha\"\n", 5, "no builder", "did you mean \"buildah\"?"),
        ("sbom = \"cyclonedx\"\n", 5, "no bill of materials", "spdx"),
        ("[labels]\n\"\" = \"x\"\n", 6, "no name", "name it"),
        ("[labels]\n\"org.opencontainers.image.version\" = \"1\"\n", 6, "set by the program", "decided"),
        ("[labels]\n\"org.opencontainers.image.vendor\" = \"A\"\n", 6, "set by the program", "`vendor`"),
        ("[labels]\n\"dependency.base\" = \"1.0.0\"\n", 6, "set by the program", "remove it"),
        ("[retention]\nkeep = 0\n", 6, "no number of releases", "1 or more"),
        ("[retention]\nage = \"180\"\n", 6, "unit is missing", "180d"),
        ("[retention]\nage = \"6 months\"\n", 6, "no unit", "24h"),
    ]);
}

#[test]
fn mistakes_in_images_are_found() {
    let shop = "[images.shop]\n";
    let cases: [Case; 17] = [
        ("[images.Api]\ncontext = \"images/api\"\n", 6, "`Api` is no image name", "rename"),
        ("[images.latest]\ncontext = \"images/api\"\n", 6, "`latest` is reserved", "rename"),
        ("[images.api]\ncontext = \"images/apy\"\n", 7, "`images/apy` does not exist", "relative to"),
        ("[images.web]\n", 6, "`images/web` does not exist", "create the folder"),
        ("[images.api]\ncontext = \"images/api/Containerfile\"\n", 7, "not a folder", "copies from"),
        ("[images.api]\ncontext = \"../elsewhere\"\n", 7, "leaves the project", "inside the folder"),
        ("[images.api]\ncontext = \"/etc\"\n", 7, "leaves the project", "inside the folder"),
        ("[images.api]\ncontext = \"images/link\"\n", 7, "leaves the project", "inside the folder"),
        ("[images.api]\ncontext = \"images/empty\"\n", 7, "no containerfile in", "create Containerfile"),
        ("[images.api]\ncontainerfile = \"api.docker\"\n", 7, "`api.docker` does not exist", "create it"),
        (
            "[images.api]\ncontainerfile = \"Containerfile\"\n",
            7,
            "does not exist",
            "write images/api/Containerfile",
        ),
        ("[images.api]\ncontainerfile = \"images/api\"\n", 7, "not a file", "images/api/Containerfile"),
        ("[images.api]\nargs = { \"A-B\" = \"1\" }\n", 7, "cannot name a build argument", "letters"),
        ("[images.api]\nargs = { RING = \"a\" }\n", 7, "`RING` is given by the program", "another name"),
        ("[images.api]\ntarget = \"\"\n", 7, "names no stage", "last stage"),
        ("[images.api]\nplatforms = [\"amd64\"]\n", 7, "no platform", "linux/amd64"),
        ("[images.api]\nbuilder = \"make\"\n", 7, "no builder", "native"),
    ];
    for (added, line, message, help) in cases {
        let added: &'static str = Box::leak(format!("{shop}{added}").into_boxed_str());
        check(&[(added, line, message, help)]);
    }
}

#[test]
fn mistakes_in_the_places_of_sites_are_found() {
    check(&[
        ("[[sites]]\nring = \"testers\"\n", 5, "no environment", "environments/"),
        ("[[sites]]\nenvironment = \"test\"\n", 5, "no ring", "one of `rings`"),
        (
            "[[sites]]\nenvironment = \"tset\"\nring = \"testers\"\n",
            6,
            "no environment `tset`",
            "mean \"test\"",
        ),
        (
            "[[sites]]\nenvironment = \"asia\"\nring = \"testers\"\n",
            6,
            "no environment `asia`",
            "name one of",
        ),
        (
            "[[sites]]\nenvironment = \"broken\"\nring = \"testers\"\n",
            6,
            "has no kustomization",
            "kustomization.yaml",
        ),
        ("[[sites]]\nenvironment = \"../x\"\nring = \"testers\"\n", 6, "no environment name", "rename"),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"tester\"\n",
            7,
            "`tester` is no ring",
            "did you mean `testers`?",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"users\"\n",
            7,
            "`users` is no ring",
            "developers, testers",
        ),
        ("[[sites]]\nenvironment = \"test\"\nring = \"post\"\n", 7, "no site can run `post`", "`testers`"),
        ("[[sites]]\nenvironment = \"test\"\nring = \"A B\"\n", 7, "no ring name", "developers, testers"),
        (
            "[[sites]]\nname = \"EU\"\nenvironment = \"test\"\nring = \"testers\"\n",
            6,
            "no site name",
            "eu-test",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\n[[sites]]\nenvironment = \"test\"\nring = \"testers\"\n",
            8,
            "`test-testers` is declared twice, first in line 5",
            "another `name`",
        ),
    ]);
}

#[test]
fn mistakes_in_the_options_of_sites_are_found() {
    check(&[
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\nnamespace = \"Shop\"\n",
            8,
            "no namespace",
            "lower-case",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\ndeliver = [\"fluxx\"]\n",
            8,
            "no delivery",
            "\"flux\"",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\ndeliver = [\"job\", \"job\"]\n",
            8,
            "listed twice",
            "keep one",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\nmax_shrink = 101\n",
            8,
            "no percentage",
            "0 to 100",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\nsource = \"git\"\n",
            8,
            "no source",
            "external-artifact",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\npull = \"a/b\"\n",
            8,
            "no host",
            "HOST:PORT",
        ),
        (
            "[[sites]]\nenvironment = \"test\"\nring = \"testers\"\njob = { timeout = \"soon\" }\n",
            8,
            "no duration",
            "24h",
        ),
    ]);
}

#[test]
fn mistakes_in_gates_are_found() {
    check(&[
        ("[gates.tester]\nsoak = \"24h\"\n", 5, "`tester`, which is no ring", "did you mean `testers`?"),
        ("[gates.testers]\nsoak = \"1 day\"\n", 6, "no duration", "24h"),
        ("[gates.testers]\napprovals = { count = 1 }\n", 6, "names no key", "keys ="),
        ("[gates.testers]\napprovals = { count = 2, keys = [\"a\"] }\n", 6, "never be reached", "1 to 1"),
        ("[gates.testers]\nwindows = [\"weekdays\"]\n", 6, "no window", "Mon-Thu"),
        ("[[gates.testers.freezes]]\nfrom = 2026-12-20\n", 5, "no `to`", "add to"),
        ("[[gates.testers.freezes]]\nfrom = 2026-12-20\nto = \"later\"\n", 7, "no time", "2026-12-24"),
        (
            "[[gates.testers.freezes]]\nfrom = 2026-12-20\nto = 2026-12-19\n",
            5,
            "ends before it begins",
            "swap",
        ),
        ("[gates.testers]\nrequire = [\"sboms\"]\n", 6, "no fact", "\"sbom\""),
        ("[gates.testers]\nrequire = [\"sbom\", \"sbom\"]\n", 6, "required twice", "keep one"),
        ("[[gates.testers.checks]]\nurl = \"https://a.example\"\n", 5, "no name", "name ="),
        ("[[gates.testers.checks]]\nname = \"smoke\"\n", 5, "either a command or an address", "not both"),
        ("[[gates.testers.checks]]\nname = \"smoke\"\nurl = \"a.example\"\n", 7, "no address", "https://"),
        ("[gates.testers]\nhotfix = \"approvals\"\n", 6, "the gate has none", "count = 1"),
        ("[gates.testers]\nhotfix = \"always\"\n", 6, "no hotfix rule", "approvals"),
    ]);
}

#[test]
fn mistakes_in_the_required_keys_are_found() {
    let right = ["project = \"acme/shop\"", "root = \"shop\"", "rings = [\"testers\"]"];
    for (index, line, message, help) in [
        (0, "", "`project` is missing", "acme/shop"),
        (0, "project = \"Acme\"", "`Acme` is no project name", "lower-case"),
        (1, "", "`root` is missing", "root ="),
        (1, "root = \"shoop\"", "`shoop` is no image", "did you mean \"shop\"?"),
        (1, "root = \"gateway\"", "`gateway` is no image", "[images.gateway]"),
        (1, "root = [\"shop\", \"api\"]", "expected a string for `root`", "root = \"text\""),
        (2, "", "`rings` is missing", "developers"),
        (2, "rings = []", "no ring", "at least one"),
        (2, "rings = [\"a\", \"b\", \"a\"]", "`a` is listed twice", "keep one"),
        (2, "rings = [\"ante\", \"testers\"]", "`ante` is reserved", "always there"),
        (2, "rings = [\"Testers\"]", "`Testers` is no ring name", "rename"),
        (2, "rings = [\"a\", 3]", "expected a string", "\"3\""),
    ] {
        let mut lines = right;
        lines[index] = line;
        let found = problems(&lines.join("\n"));
        assert!(!found.is_empty(), "{line}: nothing found");
        for problem in &found {
            let expected = if line.is_empty() { 1 } else { u32::try_from(index).expect("is small") + 1 };
            assert_eq!(problem.line, Some(expected), "{line}\n{problem}");
        }
        let meant = found.iter().find(|one| one.message.contains(message) && one.help.contains(help));
        assert!(meant.is_some(), "{line}: {message} / {help}\n{found:#?}");
    }
}

#[test]
fn bounds_are_kept() {
    let rings: Vec<String> = (0..65).map(|index| format!("\"r{index}\"")).collect();
    let many = format!("project = \"a\"\nroot = \"shop\"\nrings = [{}]\n", rings.join(", "));
    assert!(problems(&many)[0].message.contains("at most 64"));

    let images: String = (0..10_001).map(|index| format!("[images.i{index}]\n")).collect();
    let found = problems(&format!("{HEAD}{images}"));
    assert!(found[0].message.contains("at most 10000"), "{found:#?}");

    let found = problems(&"#".repeat((8 << 20) + 1));
    assert!(found[0].message.contains("larger than"), "{found:#?}");
}

#[test]
fn files_that_are_no_text_are_refused_at_once() {
    let folder = project(HEAD);
    let file = folder.path().join("project/rings.toml");
    fs::write(&file, b"project = \"a\"\nvendor = \"\xff\"\n").expect("writes");
    let found = load(&file, &Overrides::default()).expect_err("is no text").into_vec();
    assert_eq!((found.len(), found[0].line), (1, Some(2)), "{found:#?}");
    assert!(found[0].message.contains("UTF-8"));

    let noise: String = (0..5_000).map(|index| if index % 2 == 0 { '\u{1}' } else { '\n' }).collect();
    let found = problems(&noise);
    assert!((1..=20).contains(&found.len()), "{} problems", found.len());

    let found = load(Path::new("/nowhere/rings.toml"), &Overrides::default()).expect_err("is not there");
    assert!(found.as_slice()[0].help.contains("ring init"), "{found}");
}

#[test]
fn a_file_with_many_mistakes_shows_them_all_in_their_order() {
    let found = problems(
        "project = \"Acme\"\nroot = \"shoop\"\nrings = [\"testers\", \"testers\"]\nplatfroms = []\n\
         builder = \"make\"\n[images.shop]\n[images.Api]\ncontext = \"../elsewhere\"\n[retention]\nage = \"x\"\n\
         [[sites]]\nenvironment = \"none\"\nring = \"post\"\n",
    );
    let lines: Vec<Option<u32>> = found.iter().map(|problem| problem.line).collect();
    let expected: Vec<Option<u32>> = [1, 2, 3, 4, 5, 7, 8, 10, 12, 13].map(Some).into();
    assert_eq!(lines, expected, "{found:#?}");
}

#[test]
fn a_line_that_cannot_be_parsed_hides_no_mistake_of_another_line() {
    let found =
        problems("project = \"acme/shop\"\nroot = \nrings = [\"testers\"]\nbuilder = \"make\"\ncolour = 1\n");
    let lines: Vec<Option<u32>> = found.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [Some(2), Some(4), Some(5)], "{found:#?}");
}

#[test]
fn a_project_without_any_image_is_refused() {
    let folder = tempfile::tempdir().expect("makes a folder");
    let file = folder.path().join("rings.toml");
    fs::write(&file, HEAD).expect("writes");
    let found = load(&file, &Overrides::default()).expect_err("has no image");
    assert!(found.to_string().contains("has no image"), "{found}");
}

#[test]
fn a_folder_that_cannot_name_an_image_is_named() {
    let folder = project(HEAD);
    let images = folder.path().join("project/images");
    fs::create_dir(images.join("Web")).expect("makes a folder");
    fs::write(images.join("Web/Dockerfile"), "FROM scratch\n").expect("writes");
    let found = load(&folder.path().join("project/rings.toml"), &Overrides::default()).expect_err("is wrong");
    assert_eq!(found.as_slice()[0].file, Path::new("images/Web"));
    assert!(found.to_string().contains("rename the folder"), "{found}");
}

#[test]
fn an_image_folder_whose_name_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = project(HEAD);
    let name = std::ffi::OsStr::from_bytes(b"web\xff");
    fs::create_dir(folder.path().join("project/images").join(name)).expect("makes a folder");
    let found = load(&folder.path().join("project/rings.toml"), &Overrides::default()).expect_err("is wrong");
    assert!(found.to_string().contains("not UTF-8"), "{found}");
}

#[test]
fn an_image_folder_that_is_a_file_is_refused() {
    let folder = tempfile::tempdir().expect("makes a folder");
    fs::write(folder.path().join("rings.toml"), HEAD).expect("writes");
    fs::write(folder.path().join("images"), "a file").expect("writes");
    let found = load(&folder.path().join("rings.toml"), &Overrides::default()).expect_err("is wrong");
    assert!(found.to_string().contains("images: cannot be read"), "{found}");
}

#[test]
fn a_wrong_override_names_the_flag_or_the_variable() {
    let given = |value: &str, origin| Some(Override { value: value.into(), origin });
    let found = problems_with(
        HEAD,
        &Overrides {
            project: given("Acme", SettingOrigin::Variable("RING_PROJECT".into())),
            registry: given("ftp://x", SettingOrigin::Flag("--registry".into())),
            ..Overrides::default()
        },
    );
    let files: Vec<&Path> = found.iter().map(|problem| problem.file.as_path()).collect();
    assert_eq!(files, [Path::new("--registry"), Path::new("RING_PROJECT")], "{found:#?}");
}

#[test]
fn a_wrong_variable_counts_only_when_the_file_asks_for_it() {
    let overrides = Overrides { source_date_epoch: Some("yesterday".into()), ..Overrides::default() };
    assert_eq!(problems_with(HEAD, &overrides), []);
    let found = problems_with(&format!("{HEAD}source_date_epoch = \"env\"\n"), &overrides);
    assert_eq!(found[0].file, Path::new("SOURCE_DATE_EPOCH"), "{found:#?}");
}

#[test]
fn mistakes_in_the_users_own_file_are_found_with_the_others() {
    let folder = project(&format!("{HEAD}builder = \"make\"\n"));
    let user = folder.path().join("config.toml");
    fs::write(&user, "registry = 3\nproject = \"a\"\n").expect("writes");
    let overrides = Overrides { user_file: Some(user.clone()), ..Overrides::default() };
    let found = load(&folder.path().join("project/rings.toml"), &overrides).expect_err("is wrong");
    let places: Vec<_> = found.as_slice().iter().map(|one| (one.file == user, one.line)).collect();
    assert_eq!(places, [(true, Some(1)), (true, Some(2)), (false, Some(5))], "{found}");
}
