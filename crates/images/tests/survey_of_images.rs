//! What a project is built from: graph, revisions, inputs, and every kind of mistake with its place.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use ringsite_images::{
    Base, Definition, Instruction, LockFile, Overrides, Problems, Project, StatCache, Survey, load,
    names::RECIPE_MEDIA_TYPE, normalise,
};
use ringsite_names::{Digest, ImageName};
use tempfile::TempDir;

/// A project with the root image `shop` and these further files.
fn project(files: &[(&str, &str)]) -> (TempDir, Project) {
    project_with("", files)
}

fn project_with(more: &str, files: &[(&str, &str)]) -> (TempDir, Project) {
    let folder = tempfile::tempdir().unwrap();
    let head = "project = \"acme/shop\"\nroot = \"shop\"\nrings = [\"developers\", \"users\"]\n";
    let own = [("rings.toml", &*format!("{head}{more}")), ("images/shop/Containerfile", "FROM scratch\n")];
    for (path, content) in own.iter().chain(files) {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let project = load(&folder.path().join("rings.toml"), &Overrides::default()).unwrap();
    (folder, project)
}

fn survey(project: &Project) -> Survey {
    project.survey(&StatCache::disabled()).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(project: &Project) -> Problems {
    project.survey(&StatCache::disabled()).expect_err("something is wrong")
}

fn name(text: &str) -> ImageName {
    ImageName::new(text).unwrap()
}

fn names<'a>(images: impl IntoIterator<Item = &'a ImageName>) -> Vec<&'a str> {
    images.into_iter().map(ImageName::as_str).collect()
}

fn of<'s>(survey: &'s Survey, image: &str) -> &'s Definition {
    survey.definition(&name(image)).unwrap()
}

/// The sources of an image as letters and paths.
fn files(survey: &Survey, image: &str) -> Vec<String> {
    of(survey, image)
        .sources
        .files()
        .iter()
        .map(|file| format!("{} {}", file.kind.letter(), file.path))
        .collect()
}

/// Checks that the only problem is in this line and says these words.
fn refused(files: &[(&str, &str)], file: &str, line: u32, words: &str) {
    let (_folder, project) = project(files);
    let found = problems(&project);
    let [problem] = found.as_slice() else { panic!("{words}: {found}") };
    assert!(problem.message.contains(words), "{words}: {problem}");
    assert_eq!((problem.file.as_path(), problem.line), (Path::new(file), Some(line)), "{problem}");
    assert!(!problem.help.is_empty(), "{problem}");
}

const API: &str = "images/api/Containerfile";

#[test]
fn images_stand_in_the_order_in_which_they_are_built_and_the_root_pins_all() {
    let (_folder, project) = project(&[
        (API, "FROM acme/shop/base:${RING}\nCOPY --from=tools x /\n"),
        ("images/base/Containerfile", "FROM scratch\n"),
        ("images/tools/Dockerfile", "FROM base AS b\nFROM redis AS unused\nFROM b\n"),
        ("images/alone/Containerfile", "FROM scratch\n"),
    ]);
    let survey = survey(&project);
    let order: Vec<_> = survey.definitions().iter().map(|definition| definition.image.as_str()).collect();
    assert_eq!(order, ["alone", "base", "tools", "api", "shop"]);
    assert_eq!(names(&of(&survey, "api").dependencies), ["base", "tools"]);
    assert_eq!(names(&of(&survey, "api").pinned), ["base", "tools"]);
    assert_eq!(names(&of(&survey, "shop").dependencies), [""; 0]);
    assert_eq!(names(&of(&survey, "shop").pinned), ["alone", "api", "base", "tools"]);
    assert!(survey.externals().is_empty(), "a stage that is not needed counts for nothing");
    assert_eq!(of(&survey, "tools").variants[0].needed, [0, 2]);
}

#[test]
fn the_revision_covers_containerfile_arguments_target_and_sources_and_nothing_else() {
    let more = "[images.shop]\n[images.api]\nargs = { F = \"tls\" }\ntarget = \"a\"\n";
    let own = [
        (API, "FROM scratch AS a\nCOPY src /\nFROM a\n"),
        ("images/api/src/x", "x"),
        ("images/api/other", "o"),
    ];
    let (folder, project) = project_with(more, &own);
    let first = survey(&project);
    let revision = || of(&survey(&project), "api").sources.revision();
    let entries: Vec<_> =
        of(&first, "api").sources.entries().iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(entries, ["Containerfile", "Arguments", "src/x"]);
    let before = of(&first, "api").sources.revision();
    let path = |path: &str| folder.path().join("images/api").join(path);
    fs::write(path("other"), "changed").unwrap();
    assert_eq!(revision(), before, "what is not copied does not count");
    fs::write(path("src/x"), "y").unwrap();
    let changed = revision();
    assert_ne!(changed, before);
    fs::write(path("src/x"), "x").unwrap();
    assert_eq!(revision(), before);
    fs::set_permissions(path("src/x"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_ne!(revision(), before);
    fs::set_permissions(path("src/x"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(revision(), before);
    fs::write(path("src/new"), "").unwrap();
    assert_ne!(revision(), before);
    fs::remove_file(path("src/new")).unwrap();
    fs::write(path("Containerfile"), "FROM scratch AS a\nCOPY src /\nFROM a\n#\n").unwrap();
    assert_ne!(revision(), before);
}

#[test]
fn sources_of_needed_stages_and_bind_mounts_count() {
    let text = "FROM scratch AS unused\nCOPY not-there /\nFROM scratch AS build\nCOPY a /\n\
                RUN --mount=type=bind,source=b,target=/b --mount=type=cache,target=/c make\n\
                FROM scratch\nCOPY --from=build / /\nCOPY <<EOF /e\nx\nEOF\n";
    let (_folder, project) =
        project(&[(API, text), ("images/api/a", ""), ("images/api/b/x", ""), ("images/api/c", "")]);
    assert_eq!(files(&survey(&project), "api"), ["F a", "F b/x"]);
}

#[test]
fn sources_may_use_what_the_project_itself_says() {
    let more = "[images.shop]\n[images.base]\n[images.api]\nargs = { GIVEN = \"given\" }\n";
    let base = "FROM scratch\nARG HIDDEN=h\nENV FROM_BASE=b-$HIDDEN\n";
    let text = "ARG GLOBAL=g\nFROM base AS first\nARG INHERITED=i\nENV E=env E2=$E-x\nARG E=arg\n\
                FROM first\nARG GLOBAL\nARG GIVEN=default\nARG TARGETARCH\nENV ORDER=${LATER:-early}\n\
                COPY $GLOBAL $GIVEN $INHERITED $E $E2 $FROM_BASE $ORDER bin-$TARGETARCH ${NO:-plain} /to/\n";
    let made = ["g", "given", "i", "env", "-x", "b-h", "early", "bin-amd64", "plain"];
    let paths: Vec<String> = made.iter().map(|path| format!("images/api/{path}")).collect();
    let mut all = vec![(API, text), ("images/base/Containerfile", base)];
    all.extend(paths.iter().map(|path| (path.as_str(), "")));
    let (_folder, project) = project_with(more, &all);
    let expected = ["-x", "b-h", "bin-amd64", "early", "env", "g", "given", "i", "plain"];
    assert_eq!(files(&survey(&project), "api"), expected.map(|path| format!("F {path}")));
}

#[test]
fn each_platform_has_its_own_variant_and_their_sources_are_one_revision() {
    let more = "[images.shop]\n[images.api]\nplatforms = [\"linux/arm64\", \"linux/amd64\"]\n";
    let text = "ARG TARGETARCH\nFROM scratch AS for-amd64\nFROM redis:7 AS for-arm64\nFROM for-$TARGETARCH\n\
                ARG TARGETARCH\nCOPY $TARGETARCH /\n";
    let (_folder, project) =
        project_with(more, &[(API, text), ("images/api/amd64", ""), ("images/api/arm64", "")]);
    let survey = survey(&project);
    assert_eq!(files(&survey, "api"), ["F amd64", "F arm64"]);
    let needed: Vec<_> = of(&survey, "api")
        .variants
        .iter()
        .map(|variant| (variant.platform.to_string(), variant.needed.clone()))
        .collect();
    assert_eq!(needed, [("linux/amd64".to_owned(), vec![0, 2]), ("linux/arm64".to_owned(), vec![1, 2])]);
    assert_eq!(survey.externals().len(), 1);
}

#[test]
fn triggers_of_the_projects_own_base_take_their_sources_from_the_child() {
    let base = "FROM scratch\nENV DIR=src\nONBUILD ARG KIND=default\nONBUILD COPY $DIR/$KIND /app/\nONBUILD RUN x\nCOPY own /\n";
    let (_folder, project) = project(&[
        ("images/base/Containerfile", base),
        ("images/base/own", ""),
        (API, "FROM base\nCOPY $KIND.txt /\n"),
        ("images/api/src/default", ""),
        ("images/api/default.txt", ""),
        ("images/top/Containerfile", "FROM api\n"),
    ]);
    let survey = survey(&project);
    assert_eq!(files(&survey, "base"), ["F own"]);
    assert_eq!(of(&survey, "base").variants[0].first_run(), None);
    assert_eq!(files(&survey, "api"), ["F default.txt", "F src/default"]);
    assert_eq!(files(&survey, "top"), [""; 0], "triggers run once");
    let variant = &of(&survey, "api").variants[0];
    let steps = variant.steps(0);
    assert!(matches!(steps[0].step.instruction, Instruction::Arg(_)));
    assert_eq!((steps[1].step.line, &*steps[1].step.text), (1, "COPY $DIR/$KIND /app/"));
    assert_eq!(steps[1].sources.as_ref().unwrap().sources, ["src/default"]);
    assert_eq!(variant.first_run().map(|run| &*run.text), Some("RUN x"));
    assert_eq!(variant.containerfile.stages[0].base, Base::Project(name("base")));
}

#[test]
fn external_images_are_known_by_their_full_name_and_pinned_by_the_lock() {
    let (folder, project) = project(&[
        (
            API,
            "FROM redis:7 AS a\nFROM scratch\nCOPY --from=a /x /\nCOPY --from=quay.io/x/y@sha256:0000000000000000000000000000000000000000000000000000000000000000 /x /\n",
        ),
        ("images/web/Containerfile", "FROM docker.io/library/redis:7\nCOPY --from=nginx /x /\n"),
    ]);
    let survey = survey(&project);
    let found = survey.externals();
    let keys: Vec<_> = found.keys().map(ToString::to_string).collect();
    assert_eq!(keys[..2], ["docker.io/library/nginx:latest", "docker.io/library/redis:7"]);
    let redis = &found[&normalise("redis:7").unwrap()];
    let places: Vec<_> =
        redis.iter().map(|one| (one.file.to_str().unwrap(), one.line, &*one.written)).collect();
    assert_eq!(places, [(API, 1, "redis:7"), ("images/web/Containerfile", 1, "docker.io/library/redis:7")]);

    let mut lock = LockFile::read(folder.path()).unwrap();
    let missing = survey.desired(&lock).expect_err("nothing is pinned");
    assert_eq!(missing.as_slice().len(), 3, "{missing}");
    assert!(missing.as_slice()[0].help.contains("ring update"), "{missing}");
    let (one, two) = (Digest::sha256(b"1"), Digest::sha256(b"2"));
    lock.pin(normalise("redis:7").unwrap(), one);
    lock.pin(normalise("nginx").unwrap(), one);
    let inputs = |lock: &LockFile| -> BTreeMap<String, Digest> {
        let desired = survey.desired(lock).unwrap();
        desired.into_iter().map(|one| (one.image.to_string(), one.inputs)).collect()
    };
    let before = inputs(&lock);
    assert_eq!(of(&survey, "api").external("redis:7", &lock), Some(one));
    lock.pin(normalise("nginx").unwrap(), two);
    let after = inputs(&lock);
    assert_eq!(before["api"], after["api"]);
    assert_ne!(before["web"], after["web"]);
    assert_eq!(before["shop"], after["shop"]);
}

#[test]
fn labels_vendor_platforms_and_epoch_are_inputs() {
    let digest = |more: &str| {
        let (folder, project) = project_with(more, &[]);
        let lock = LockFile::read(folder.path()).unwrap();
        survey(&project).desired(&lock).unwrap()[0].clone()
    };
    let plain = digest("");
    for more in [
        "vendor = \"Acme\"\n",
        "source_date_epoch = 1\n",
        "platforms = [\"linux/arm64\"]\n",
        "[labels]\na = \"b\"\n",
    ] {
        assert_ne!(digest(more).inputs, plain.inputs, "{more}");
        assert_eq!(digest(more).revision, plain.revision, "{more}");
    }
    assert_eq!(digest("").inputs, plain.inputs);
}

#[test]
fn the_recipe_of_an_image_reads_back() {
    let (folder, project) = project(&[(API, "FROM scratch\nCOPY a /\n"), ("images/api/a", "x")]);
    let survey = survey(&project);
    let inputs = of(&survey, "api").inputs(&LockFile::read(folder.path()).unwrap()).unwrap();
    let recipe = of(&survey, "api").recipe(inputs, "native/1");
    assert_eq!(ringsite_images::Recipe::from_json(&recipe.to_json()).unwrap(), recipe);
    assert!(RECIPE_MEDIA_TYPE.contains("recipe.v1"));
}

#[test]
fn cycles_are_told_with_all_images_and_the_line() {
    refused(
        &[
            (API, "FROM scratch\nFROM web\n"),
            ("images/web/Containerfile", "FROM scratch\nCOPY --from=api a /\n"),
        ],
        API,
        2,
        "api -> web -> api",
    );
    refused(&[(API, "FROM shop\n")], API, 1, "api -> shop -> api");
}

#[test]
fn mistakes_in_containerfiles_and_sources_have_a_line_and_a_remedy() {
    for (text, line, words) in [
        ("FROM scratch\nCOPY missing /\n", 2, "`missing` is not in the build context"),
        ("FROM scratch\n\nCOPY $NO /\n", 3, "`NO` has no value in this stage"),
        ("ARG A=1\nFROM scratch\nCOPY $A /\n", 3, "`A` has no value in this stage"),
        ("FROM redis\nCOPY $REDIS_VERSION /\n", 2, "may come from the environment of redis"),
        ("FROM redis\nENV A=$PATH\nCOPY $A /\n", 3, "may come from the environment of redis"),
        ("FROM scratch\nARG BUILDARCH\nCOPY $BUILDARCH /\n", 3, "differs between the machines"),
        ("FROM scratch\nARG U=https://a/b\nADD $U /\n", 3, "without --checksum"),
        ("FROM scratch\nLABEL dependency.x=1\n", 2, "`dependency.x` is set by this program"),
        ("FROM scratch\nARG K=version\nLABEL org.opencontainers.image.$K=1\n", 3, "image.version` is set"),
        ("FROM scratch\nRUN --mount=source=gone,target=/x y\n", 2, "`gone` is not in the build context"),
        ("FROM scratch\nCOPY ../x /\n", 2, "leaves the build context"),
        ("FROM scratch\nNOPE\n", 2, "no instruction"),
    ] {
        refused(&[(API, text)], API, line, words);
    }
    let base = ("images/base/Containerfile", "FROM scratch\nONBUILD COPY want /\n");
    refused(&[base, (API, "FROM scratch\nFROM base\n")], API, 2, "`want` is not in the build context");
}

#[test]
fn all_mistakes_of_all_images_are_told_at_once_and_none_follows_from_another() {
    let (_folder, project) = project(&[
        (API, "FROM broken\nCOPY $FROM_BROKEN /\n"),
        ("images/broken/Containerfile", "FROM scratch\nNOPE\nENV FROM_BROKEN=x\n"),
        ("images/web/Containerfile", "FROM scratch\nCOPY gone /\nCOPY gone2 /\n"),
        ("images/more/Containerfile", ""),
    ]);
    let found = problems(&project);
    let places: Vec<_> = found.as_slice().iter().map(|one| (one.file.to_str().unwrap(), one.line)).collect();
    assert_eq!(
        places,
        [
            ("images/broken/Containerfile", Some(2)),
            ("images/more/Containerfile", None),
            ("images/web/Containerfile", Some(2)),
            ("images/web/Containerfile", Some(3)),
        ]
    );
}

#[test]
fn labels_of_a_stage_that_only_builds_are_nobodys_business() {
    let text = "FROM scratch AS b\nLABEL dependency.x=1\nFROM scratch\nCOPY --from=b / /\n";
    let (_folder, project) = project(&[(API, text)]);
    assert_eq!(survey(&project).definitions().len(), 2);
}

#[test]
fn an_unreadable_file_is_a_problem_with_its_path() {
    let (folder, project) = project(&[(API, "FROM scratch\nCOPY . /\n"), ("images/api/secret", "x")]);
    fs::set_permissions(folder.path().join("images/api/secret"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(folder.path().join("images/api/secret")).is_ok() {
        // The superuser reads everything: nothing can be unreadable here.
        assert_eq!(files(&survey(&project), "api"), ["F Containerfile", "F secret"]);
        return;
    }
    let found = problems(&project);
    assert_eq!(found.as_slice()[0].file, Path::new("images/api/secret"));
}
