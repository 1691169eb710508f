//! The projects that come with the repository have no mistake.

use std::path::{Path, PathBuf};

use ringsite_images::{Overrides, Project, load};
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
