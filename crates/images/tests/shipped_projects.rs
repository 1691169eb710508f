//! The projects that come with the repository have no mistake.

use std::path::{Path, PathBuf};

use ringsite_images::{LockFile, Overrides, Project, StatCache, init, load};
use ringsite_names::ImageName;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(folder: &Path) -> Project {
    load(&folder.join("rings.toml"), &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_quickstart_has_no_mistake() {
    let project = read(&repository().join("examples/quickstart"));
    let names: Vec<&str> = project.images.keys().map(ImageName::as_str).collect();
    assert_eq!(names, ["base", "runtime", "migrations", "api", "web", "shop"]);
    assert_eq!((project.root.as_str(), project.rings.len()), ("shop", 3));
    let sites: Vec<String> = project
        .configuration()
        .sites()
        .iter()
        .map(|site| format!("{}: {} on {}", site.name, site.environment, site.ring))
        .collect();
    assert_eq!(
        sites,
        ["dev: test on developers", "eu-live: production on users", "eu-test: test on testers"]
    );
}

#[test]
fn the_project_of_this_repository_has_no_mistake() {
    let project = read(&repository());
    assert_eq!((project.name.as_str(), project.root.as_str()), ("ringsite", "ringsite"));
    assert_eq!(project.images.len(), 2);
    assert_eq!(project.configuration().sites().len(), 2);
}

/// Returns `image: dependency dependency` for each image in build order.
fn dependencies(project: &Project) -> Vec<String> {
    let survey = project.survey(&StatCache::disabled()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(survey.externals().is_empty(), "it builds without a network");
    let desired = survey.desired(&LockFile::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let line = |one: &ringsite_rings::Desired| {
        let names: Vec<&str> = one.dependencies.iter().map(ImageName::as_str).collect();
        format!("{}: {}", one.image, names.join(" "))
    };
    desired.iter().map(line).collect()
}

#[test]
fn the_quickstart_has_two_levels_of_dependencies() {
    let project = read(&repository().join("examples/quickstart"));
    assert_eq!(
        dependencies(&project),
        [
            "base: ",
            "runtime: base",
            "migrations: base",
            "api: runtime",
            "web: runtime",
            "shop: api base migrations runtime web",
        ]
    );
}

#[test]
fn what_init_writes_can_be_built() {
    let folder = tempfile::tempdir().expect("makes a folder");
    init(folder.path()).expect("writes");
    assert_eq!(dependencies(&read(folder.path())), ["base: ", "app: base"]);
}

/// Copies what the project of this repository is made of, with something in the place of the program.
fn copy_of_the_repository(folder: &Path) {
    let copy = |path: &str| {
        let to = folder.join(path);
        std::fs::create_dir_all(to.parent().expect("is below the folder")).expect("makes folders");
        std::fs::copy(repository().join(path), to).expect("copies");
    };
    for path in
        ["rings.toml", ".dockerignore", "images/program/Containerfile", "images/ringsite/Containerfile"]
    {
        copy(path);
    }
    for environment in ["base", "test", "production"] {
        let written = Path::new("environments").join(environment);
        for file in std::fs::read_dir(repository().join(&written)).expect("lists") {
            let name = written.join(file.expect("is there").file_name());
            copy(name.to_str().expect("is text"));
        }
    }
    std::fs::create_dir_all(folder.join("target/release-image")).expect("makes folders");
    std::fs::write(folder.join("target/release-image/ring"), "the program").expect("writes");
    std::fs::write(folder.join("target/other"), "not for any image").expect("writes");
}

#[test]
fn the_project_of_this_repository_copies_its_program_and_nothing_else_of_the_target_folder() {
    let folder = tempfile::tempdir().expect("makes a folder");
    copy_of_the_repository(folder.path());
    let project = read(folder.path());
    assert_eq!(dependencies(&project), ["program: ", "ringsite: program"]);
    let survey = project.survey(&StatCache::disabled()).unwrap_or_else(|problems| panic!("{problems}"));
    let program = ImageName::new("program").expect("is a name");
    let definition = survey.definition(&program).expect("is declared");
    let paths: Vec<&str> = definition.sources.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["Containerfile", "target/release-image/ring"]);
}
