//! A project file without mistakes is read as it is written.

use std::fs;
use std::path::Path;
use std::time::Duration;

use ringsite_images::{
    BuilderChoice, Epoch, Override, Overrides, Project, RegistryLocation, Sbom, SettingOrigin, find, load,
};
use ringsite_names::{ImageName, Position, Version};
use ringsite_rings::{Deliver, SiteSource};

const FULL: &str = r#"
project  = "acme/shop"
registry = "oci-layout:../layouts/shop"
pull     = "registry.example.com"
vendor   = "Acme"
source   = "https://example.com/shop"
root     = "shop"
rings    = ["developers", "testers", "users"]
platforms = ["linux/arm64", "linux/amd64"]
source_date_epoch = 1_700_000_000
initial_version = "1.0.0"
builder  = "native"
sbom     = "spdx"

[images.base]

[images.api]
context = "./images/api/"
args    = { FEATURES = "tls" }
target  = "runtime"
platforms = ["linux/amd64"]
builder = "buildah"

[images.shop]
context = "."
containerfile = "images/shop/Dockerfile"

[labels]
"org.opencontainers.image.licenses" = "Apache-2.0"

[gates.users]
soak = "24h"
approvals = { count = 2, keys = ["keys/a.pub", "keys/b.pub"] }
windows = ["Mon-Thu 09:00-16:00 Europe/Amsterdam"]
freezes = [{ from = 2026-12-20, to = "2027-01-04T12:00:00+01:00", reason = "holidays" }]
require = ["signature", "sites-healthy"]
checks = [{ name = "smoke", command = ["./smoke", "--fast"] }]
hotfix = "approvals"

[sign]
key = "keys/release.key"
public = ["keys/release.pub"]

[retention]
keep = 50
age  = "180d"

[[sites]]
name        = "eu-test"
environment = "test"
ring        = "testers"
namespace   = "shop-test"
deliver     = ["flux", "files"]
context     = "eu-test"
pull        = "mirror.example.com:5000"
max_shrink  = 0
render      = true
source      = "external-artifact"
kustomize_options = "--enable-helm"
job = { command = ["/migrate"], service_account = "release", timeout = "10m", env = { LEVEL = "debug" } }

[[sites]]
environment = "production"
ring = "ante"
"#;

fn project(rings_toml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("makes a folder");
    let write = |path: &str, content: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("is below the folder")).expect("makes folders");
        fs::write(path, content).expect("writes");
    };
    write("images/base/Containerfile", "FROM scratch\n");
    write("images/base/Dockerfile", "FROM scratch\n");
    write("images/api/Dockerfile", "FROM base\n");
    write("images/shop/Dockerfile", "FROM api\n");
    write("images/notes/README.md", "no image\n");
    write("environments/test/kustomization.yml", "");
    write("environments/production/Kustomization", "");
    write("rings.toml", rings_toml);
    folder
}

fn read(folder: &Path, overrides: &Overrides) -> Project {
    load(&folder.join("rings.toml"), overrides).unwrap_or_else(|problems| panic!("{problems}"))
}

const SMALL: &str = "project = \"acme/shop\"\nroot = \"shop\"\nrings = [\"developers\"]\n";

#[test]
fn every_key_is_read() {
    let folder = project(FULL);
    let root = folder.path().canonicalize().expect("is there");
    let project = read(folder.path(), &Overrides::default());
    assert_eq!(project.folder, root);
    assert_eq!(project.file, root.join("rings.toml"));
    assert_eq!(project.name.as_str(), "acme/shop");
    assert_eq!(project.registry, RegistryLocation::OciLayout(root.join("../layouts/shop")));
    assert_eq!(project.pull.as_deref(), Some("registry.example.com"));
    assert_eq!(project.vendor.as_deref(), Some("Acme"));
    assert_eq!(project.source.as_deref(), Some("https://example.com/shop"));
    assert_eq!(project.root.as_str(), "shop");
    let platforms: Vec<String> = project.platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    assert_eq!(project.source_date_epoch, Epoch::Fixed(1_700_000_000));
    assert_eq!(project.epoch_seconds(), Ok(1_700_000_000));
    assert_eq!(project.initial_version, Version::new(1, 0, 0));
    assert_eq!(project.builder, BuilderChoice::Native);
    assert_eq!(project.sbom, Some(Sbom::Spdx));
    assert_eq!(project.labels["org.opencontainers.image.licenses"], "Apache-2.0");
    assert_eq!(project.retention.keep, Some(50));
    assert_eq!(project.retention.age, Some(Duration::from_secs(180 * 86_400)));
    let sign = project.sign.as_ref().expect("is there");
    assert_eq!(sign.key, Some(root.join("keys/release.key")));
    assert_eq!(sign.public, [root.join("keys/release.pub")]);
    assert!(project.notes.is_empty());
}

#[test]
fn images_are_read_with_their_defaults() {
    let folder = project(FULL);
    let root = folder.path().canonicalize().expect("is there");
    let project = read(folder.path(), &Overrides::default());
    let names: Vec<&str> = project.images.keys().map(ImageName::as_str).collect();
    assert_eq!(names, ["base", "api", "shop"], "the order is that of the file");
    let base = &project.images["base"];
    assert_eq!(base.context, root.join("images/base"));
    assert_eq!(base.containerfile_written, Path::new("images/base/Containerfile"), "it wins over Dockerfile");
    assert_eq!(base.platforms, project.platforms);
    assert_eq!(base.builder, BuilderChoice::Native);
    assert_eq!(base.line, Some(15));
    let api = &project.images["api"];
    assert_eq!(api.context_written, Path::new("images/api"));
    assert_eq!(api.containerfile, root.join("images/api/Dockerfile"));
    assert_eq!((api.args["FEATURES"].as_str(), api.target.as_deref()), ("tls", Some("runtime")));
    assert_eq!((api.platforms.len(), api.builder), (1, BuilderChoice::Buildah));
    let shop = project.root_image();
    assert_eq!((shop.context.as_path(), shop.context_written.as_path()), (root.as_path(), Path::new(".")));
    assert_eq!(shop.containerfile_written, Path::new("images/shop/Dockerfile"));
}

#[test]
fn sites_and_gates_become_the_configuration() {
    let folder = project(FULL);
    let project = read(folder.path(), &Overrides::default());
    let configuration = project.configuration();
    assert_eq!(configuration.chain().names().count(), 3);
    assert_eq!(configuration.root().as_str(), "shop");
    let names: Vec<&str> = configuration.sites().iter().map(|site| site.name.as_str()).collect();
    assert_eq!(names, ["eu-test", "production-ante"]);
    let site = &configuration.sites()[0];
    assert_eq!((site.environment.as_str(), site.ring.as_str()), ("test", "testers"));
    assert_eq!(site.namespace.as_deref(), Some("shop-test"));
    assert_eq!(site.deliver, [Deliver::Flux, Deliver::Files]);
    assert_eq!(site.pull.as_deref(), Some("mirror.example.com:5000"));
    assert_eq!((site.max_shrink, site.render, site.source), (0, true, SiteSource::ExternalArtifact));
    let job = site.job.as_ref().expect("is there");
    assert_eq!((job.command.as_slice(), job.timeout.as_deref()), (&["/migrate".to_owned()][..], Some("10m")));
    assert_eq!(job.env["LEVEL"], "debug");
    let plain = &configuration.sites()[1];
    assert_eq!((&plain.ring, plain.max_shrink), (&Position::Ante, 50));
    assert!(plain.deliver.is_empty() && !plain.render && plain.job.is_none());
    let gates = configuration.gates_of(&"users".parse().expect("is a ring")).expect("is there");
    assert_eq!(gates.kinds().len(), 6);
    assert_eq!(gates.soak.as_deref(), Some("24h"));
    assert_eq!(
        (gates.freezes[0].from.as_str(), gates.freezes[0].to.as_str()),
        ("2026-12-20T00:00:00Z", "2027-01-04T11:00:00Z")
    );
}

#[test]
fn a_small_file_finds_images_as_folders_and_has_defaults() {
    let folder = project(SMALL);
    let root = folder.path().canonicalize().expect("is there");
    let project = read(folder.path(), &Overrides::default());
    let names: Vec<&str> = project.images.keys().map(ImageName::as_str).collect();
    assert_eq!(names, ["api", "base", "shop"]);
    assert_eq!(project.images["api"].line, None);
    assert_eq!(project.registry, RegistryLocation::OciLayout(root.join(".ring/registry")));
    assert_eq!(project.platforms[0].to_string(), "linux/amd64");
    assert_eq!(project.initial_version, Version::new(0, 1, 0));
    assert_eq!((project.source_date_epoch, project.builder), (Epoch::Fixed(0), BuilderChoice::Auto));
    assert!(project.configuration().sites().is_empty());
}

#[test]
fn the_file_is_found_from_any_folder_below() {
    let folder = project(SMALL);
    let file = folder.path().join("rings.toml");
    assert_eq!(find(folder.path()), Some(file.clone()));
    assert_eq!(find(&folder.path().join("images/base")), Some(file));
    assert_eq!(find(Path::new("/")), None);
}

#[test]
fn the_variable_for_the_epoch_counts_only_when_the_file_says_so() {
    let given = Overrides { source_date_epoch: Some("1700000000".into()), ..Overrides::default() };
    let folder = project(SMALL);
    let fixed = read(folder.path(), &given);
    assert_eq!(fixed.epoch_seconds(), Ok(0));
    assert!(fixed.notes[0].contains("SOURCE_DATE_EPOCH is ignored"), "{:?}", fixed.notes);

    let folder = project(&format!("{SMALL}source_date_epoch = \"env\"\n"));
    assert_eq!(read(folder.path(), &given).epoch_seconds(), Ok(1_700_000_000));
    let without = read(folder.path(), &Overrides::default());
    let problems = without.epoch_seconds().expect_err("nothing says the time");
    assert!(problems.to_string().contains("is not set"), "{problems}");
}

fn origin_of<'p>(project: &'p Project, key: &str) -> (&'p str, String) {
    let setting = project.origins().iter().find(|one| one.key == key).expect("is listed");
    (&setting.value, setting.origin.to_string())
}

#[test]
fn flags_count_more_than_the_file_and_the_file_more_than_the_users_own() {
    let folder = project(&format!("{SMALL}registry = \"localhost:5000\"\n"));
    let bare = project(SMALL);
    let user = folder.path().join("config.toml");
    fs::write(&user, "# mine\nregistry = \"registry.example.com\"\n").expect("writes");
    let mut overrides = Overrides { user_file: Some(user.clone()), ..Overrides::default() };

    let from_user = read(bare.path(), &overrides);
    assert_eq!(from_user.registry.to_string(), "https://registry.example.com");
    assert_eq!(origin_of(&from_user, "registry").1, format!("{}:2", user.display()));

    let from_file = read(folder.path(), &overrides);
    assert_eq!(from_file.registry.to_string(), "http://localhost:5000");
    assert!(origin_of(&from_file, "registry").1.ends_with("rings.toml:4"));

    overrides.registry = Some(Override {
        value: "oci-layout:layout".into(),
        origin: SettingOrigin::Flag("--registry".into()),
    });
    overrides.project =
        Some(Override { value: "acme/other".into(), origin: SettingOrigin::Variable("RING_PROJECT".into()) });
    overrides.folder = Some("/srv".into());
    let from_flag = read(folder.path(), &overrides);
    assert_eq!(from_flag.registry, RegistryLocation::OciLayout("/srv/layout".into()));
    assert_eq!(origin_of(&from_flag, "registry"), ("\"oci-layout:layout\"", "flag --registry".into()));
    assert_eq!(from_flag.name.as_str(), "acme/other");
    assert_eq!(origin_of(&from_flag, "project"), ("\"acme/other\"", "variable RING_PROJECT".into()));
    assert_eq!(origin_of(&from_flag, "builder"), ("\"auto\"", "default".into()));
}

#[test]
fn a_users_own_file_that_is_not_there_says_nothing() {
    let folder = project(SMALL);
    let overrides = Overrides { user_file: Some(folder.path().join("none.toml")), ..Overrides::default() };
    assert_eq!(origin_of(&read(folder.path(), &overrides), "registry").1, "default");
}

#[test]
fn every_value_of_the_file_is_listed_with_its_line() {
    let folder = project(FULL);
    let project = read(folder.path(), &Overrides::default());
    for (key, value, line) in [
        ("project", "\"acme/shop\"", 2),
        ("rings", "[\"developers\", \"testers\", \"users\"]", 8),
        ("images.api.args.FEATURES", "\"tls\"", 19),
        ("labels.\"org.opencontainers.image.licenses\"", "\"Apache-2.0\"", 29),
        ("gates.users.approvals.count", "2", 33),
        ("gates.users.freezes[0].from", "2026-12-20", 35),
        ("sites[0].name", "\"eu-test\"", 49),
        ("sites[0].render", "true", 57),
        ("sites[1].ring", "\"ante\"", 64),
    ] {
        let (found, origin) = origin_of(&project, key);
        assert_eq!(found, value, "{key}");
        assert!(origin.ends_with(&format!("rings.toml:{line}")), "{key}: {origin}");
    }
    let keys: Vec<&str> = project.origins().iter().map(|one| one.key.as_str()).collect();
    let first = keys.iter().position(|key| *key == "images.api.context").expect("is listed");
    assert_eq!(keys[first + 1], "images.api.args.FEATURES", "the order is that of the file");
}
