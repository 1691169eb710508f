//! Reads the whole project file: the keys at its top, then images, gates and sites.

use std::collections::BTreeMap;
use std::path::Path;

use ringsite_names::{ImageName, ProjectName, RingName, Version};
use ringsite_rings::RINGS_MAX;
use toml::de::{DeTable, DeValue};

use super::findings::{Findings, Text, integer, place_of, table, text, text_map, texts};
use super::folders::Folders;
use super::images::{self, ImageDefaults, Images};
use super::origins::{Sources, settings};
use super::reader::Reader;
use super::user::{self, UserFile};
use super::values::{BuilderChoice, Epoch, RegistryLocation, ValueError, is_host, parse_duration};
use super::{Overrides, Project, Retention, Sign, gates, shape, sites};
use crate::names::{
    LABEL_DEPENDENCY_PREFIX, LABEL_REF_NAME, LABEL_REVISION, LABEL_VENDOR, LABEL_VERSION, REGISTRY_DEFAULT,
};
use crate::nearest::nearest;
use crate::{Platform, Problem, Problems};

/// What a project is read from.
pub(crate) struct Input<'i> {
    pub(crate) path: &'i Path,
    pub(crate) text: &'i str,
    pub(crate) folder: &'i Path,
    pub(crate) overrides: &'i Overrides,
}

/// Reads and checks everything.
///
/// # Errors
/// `Problems` with all that is wrong.
pub(crate) fn read(input: Input<'_>) -> Result<Project, Problems> {
    let mut findings = Findings::new(input.path, input.text);
    let document = findings.parse();
    shape::check(&document, &mut findings);
    let mut reader = Reader { folders: Folders::new(input.folder), findings };
    let user = match input.overrides.user_file.as_deref().map(user::read) {
        Some(Ok(user)) => user,
        Some(Err(problems)) => {
            problems.into_vec().into_iter().for_each(|problem| reader.findings.add_problem(problem));
            None
        }
        None => None,
    };
    let project = assemble(&input, &document, user.as_ref(), &mut reader);
    reader.findings.finish()?;
    Ok(project.expect("a project that could not be read has a problem that says why"))
}

fn assemble(
    input: &Input<'_>,
    document: &DeTable<'_>,
    user: Option<&UserFile>,
    reader: &mut Reader<'_>,
) -> Option<Project> {
    let findings = &mut reader.findings;
    let name = read_name(document, input, findings);
    let registry = read_registry(document, input, user, findings);
    let platforms = images::read_platforms(document, findings).unwrap_or_else(|| vec![Platform::default()]);
    let builder = text(document, "builder").map(|text| images::read_builder(text, findings));
    let builder = builder.flatten().unwrap_or(BuilderChoice::Auto);
    let sbom = text(document, "sbom").and_then(|text| checked(text, text.text.parse(), findings));
    let pull = text(document, "pull").and_then(|text| read_host(text, findings));
    let epoch = read_epoch(document, findings);
    let environment_epoch = read_environment_epoch(epoch, input.overrides, findings);
    let initial_version = read_initial_version(document, findings);
    let labels = read_labels(document, findings);
    let rings = read_rings(document, findings);
    let sign = read_sign(document, input.folder);
    let retention = read_retention(document, findings);
    let vendor = plain_text(document, "vendor", findings);
    let source = plain_text(document, "source", findings);
    let defaults = ImageDefaults { platforms, builder };
    let declared = images::read(document, &defaults, reader);
    let root = read_root(document, &declared, &mut reader.findings);
    let gates = gates::read(document, &rings, &mut reader.findings);
    let sites = sites::read(document, &rings, reader);
    let (root, name, registry) = (root?, name?, registry?);
    let configuration = sites::configuration(&rings, &root, sites, gates, pull.as_ref())?;
    let sources = Sources { file: input.path, overrides: input.overrides, user };
    Some(Project {
        file: input.folder.join(input.path.file_name().unwrap_or_default()),
        folder: input.folder.to_path_buf(),
        settings: settings(document, &sources, &reader.findings),
        notes: notes(epoch, input.overrides),
        platforms: defaults.platforms,
        source_date_epoch: epoch,
        images: declared.images,
        name,
        registry,
        pull,
        vendor,
        source,
        root,
        rings,
        initial_version,
        builder,
        sbom,
        labels,
        sign,
        retention,
        configuration,
        environment_epoch,
    })
}

/// Keeps the error of a value as a problem at its place.
pub(crate) fn checked<T>(
    text: Text<'_>,
    value: Result<T, ValueError>,
    findings: &mut Findings<'_>,
) -> Option<T> {
    value.map_err(|error| findings.add(text.at, error.message, error.help)).ok()
}

fn read_name(document: &DeTable<'_>, input: &Input<'_>, findings: &mut Findings<'_>) -> Option<ProjectName> {
    const HELP: &str = "write lower-case words joined by `/`, for example project = \"acme/shop\"";
    let written = text(document, "project");
    let in_file = written.and_then(|text| match ProjectName::new(text.text) {
        Ok(name) => Some(name),
        Err(error) => {
            findings.add(text.at, error.to_string(), HELP);
            None
        }
    });
    if let Some(given) = &input.overrides.project {
        let name = ProjectName::new(&given.value);
        if let Err(error) = &name {
            findings.add_problem(Problem::in_file(&given.origin.as_file(), error.to_string(), HELP));
        }
        return name.ok();
    }
    if !document.contains_key("project") {
        findings.add_unless_broken(0, "the key `project` is missing", HELP);
    }
    in_file
}

fn read_registry(
    document: &DeTable<'_>,
    input: &Input<'_>,
    user: Option<&UserFile>,
    findings: &mut Findings<'_>,
) -> Option<RegistryLocation> {
    let written = text(document, "registry");
    let in_file =
        written.map(|text| checked(text, RegistryLocation::parse(text.text, input.folder), findings));
    if let Some(given) = &input.overrides.registry {
        let folder = input.overrides.folder.as_deref().unwrap_or(input.folder);
        let location = RegistryLocation::parse(&given.value, folder);
        return location
            .map_err(|error| {
                let file = given.origin.as_file();
                findings.add_problem(Problem::in_file(&file, error.message, error.help));
            })
            .ok();
    }
    match (in_file, user.and_then(|user| user.registry.as_ref())) {
        (Some(location), _) => location,
        (None, Some(registry)) => Some(registry.location.clone()),
        (None, None) => RegistryLocation::parse(REGISTRY_DEFAULT, input.folder).ok(),
    }
}

/// Reads the host by which a cluster knows the registry.
pub(crate) fn read_host(text: Text<'_>, findings: &mut Findings<'_>) -> Option<String> {
    if is_host(text.text) {
        return Some(text.text.to_owned());
    }
    findings.add(
        text.at,
        format!("`{}` is no host that a cluster can pull from", text.text),
        "write HOST or HOST:PORT without scheme and path, for example \"registry.example.com\"",
    );
    None
}

fn read_epoch(document: &DeTable<'_>, findings: &mut Findings<'_>) -> Epoch {
    const KEY: &str = "source_date_epoch";
    if let Some((seconds, at)) = integer(document, KEY) {
        match Epoch::check_seconds(seconds.unwrap_or(i64::MAX)) {
            Ok(seconds) => return Epoch::Fixed(seconds),
            Err(error) => findings.add(at, error.message, error.help),
        }
    } else if let Some(text) = text(document, KEY) {
        if text.text == "env" {
            return Epoch::Env;
        }
        findings.add(
            text.at,
            format!("`{}` is no value of `{KEY}`", text.text),
            "write whole seconds since 1970 without quotes, or \"env\"",
        );
    }
    Epoch::Fixed(0)
}

fn read_environment_epoch(epoch: Epoch, overrides: &Overrides, findings: &mut Findings<'_>) -> Option<i64> {
    let given = overrides.source_date_epoch.as_deref().filter(|_| epoch == Epoch::Env)?;
    let seconds = given.parse::<i64>().ok().and_then(|seconds| Epoch::check_seconds(seconds).ok());
    if seconds.is_none() {
        findings.add_problem(Problem::in_file(
            Path::new("SOURCE_DATE_EPOCH"),
            format!("`{}` is no time", given.chars().take(100).collect::<String>()),
            "set the variable to whole seconds since the start of 1970",
        ));
    }
    seconds
}

fn notes(epoch: Epoch, overrides: &Overrides) -> Vec<String> {
    match (epoch, &overrides.source_date_epoch) {
        (Epoch::Fixed(seconds), Some(given)) if given.parse() != Ok(seconds) => vec![format!(
            "the variable SOURCE_DATE_EPOCH is ignored: rings.toml sets source_date_epoch = {seconds}; \
             write \"env\" there to use the variable"
        )],
        _ => Vec::new(),
    }
}

fn read_initial_version(document: &DeTable<'_>, findings: &mut Findings<'_>) -> Version {
    let default = Version::new(0, 1, 0);
    let Some(text) = text(document, "initial_version") else { return default };
    text.text.parse().unwrap_or_else(|error: ringsite_names::VersionError| {
        findings.add(text.at, error.to_string(), "write for example initial_version = \"0.1.0\"");
        default
    })
}

fn read_labels(document: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, at, value) in text_map(document, "labels") {
        if name.trim().is_empty() {
            findings.add(
                at,
                "a label has no name",
                "name it, for example \"org.opencontainers.image.licenses\"",
            );
        } else if is_reserved(name) {
            findings.add(
                at,
                format!("the label `{name}` is set by the program"),
                if name == LABEL_VENDOR {
                    "remove it, and set the key `vendor` at the top of the file"
                } else {
                    "remove it: its value is decided at each release"
                },
            );
        } else {
            labels.insert(name.to_owned(), value.text.to_owned());
        }
    }
    labels
}

fn is_reserved(label: &str) -> bool {
    [LABEL_VERSION, LABEL_REVISION, LABEL_REF_NAME, LABEL_VENDOR].contains(&label)
        || label.starts_with(LABEL_DEPENDENCY_PREFIX)
}

fn read_rings(document: &DeTable<'_>, findings: &mut Findings<'_>) -> Vec<RingName> {
    const EXAMPLE: &str = "rings = [\"developers\", \"testers\", \"users\"]";
    let Some((written, at)) = texts(document, "rings") else {
        if !document.contains_key("rings") {
            let help = format!("name the audiences in their order, for example {EXAMPLE}");
            findings.add_unless_broken(0, "the key `rings` is missing", help);
        }
        return Vec::new();
    };
    let items =
        document.get("rings").and_then(|value| value.get_ref().as_array()).map_or(0, |list| list.len());
    if items == 0 {
        findings.add(at, "there is no ring", format!("name at least one, for example {EXAMPLE}"));
    }
    if items > RINGS_MAX {
        let message = format!("{items} rings are configured, at most {RINGS_MAX} are allowed");
        findings.add(at, message, "an audience that is served by several sites is still one ring");
        return Vec::new();
    }
    let mut rings: Vec<RingName> = Vec::new();
    for text in written {
        match RingName::new(text.text) {
            Ok(ring) if rings.contains(&ring) => {
                findings.add(text.at, format!("the ring `{ring}` is listed twice"), "keep one of the two");
            }
            Ok(ring) => rings.push(ring),
            Err(error) if matches!(text.text, "ante" | "post") => findings.add(
                text.at,
                error.to_string(),
                "remove it: `ante` and `post` are always there, before the first and behind the last ring",
            ),
            Err(error) => findings.add(text.at, error.to_string(), "rename the ring, for example `testers`"),
        }
    }
    rings
}

fn read_root(document: &DeTable<'_>, images: &Images, findings: &mut Findings<'_>) -> Option<ImageName> {
    let Some(text) = text(document, "root") else {
        let help = "name the image that pins all others, for example root = \"shop\"";
        match document.get("root") {
            None => findings.add_unless_broken(0, "the key `root` is missing", help),
            Some(value) if matches!(value.get_ref(), DeValue::Array(_)) => {
                findings.add(value.span().start, "a project has one root image", help);
            }
            Some(_) => {}
        }
        return None;
    };
    let declared = images.declared.as_ref()?;
    if declared.contains(text.text) {
        // A name that is declared and cannot be read is already a problem of its declaration.
        return ImageName::new(text.text).ok();
    }
    let names: Vec<&str> = declared.iter().map(String::as_str).collect();
    let help = match nearest(text.text, names.iter().copied()) {
        Some(meant) => format!("did you mean \"{meant}\"?"),
        None if names.is_empty() => "declare it with [images.NAME]".to_owned(),
        None => format!("declare it with [images.{}], or name one of {}", text.text, listed(names)),
    };
    findings.add_unless_broken(text.at, format!("the root `{}` is no image of the project", text.text), help);
    None
}

/// Returns up to ten names for a help text.
pub(crate) fn listed(names: Vec<&str>) -> String {
    let more = names.len().saturating_sub(10);
    let shown = names.into_iter().take(10).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn plain_text(document: &DeTable<'_>, key: &str, findings: &mut Findings<'_>) -> Option<String> {
    let text = text(document, key)?;
    if text.text.trim().is_empty() || text.text.contains(char::is_control) {
        findings.add(
            text.at,
            format!("`{key}` has no readable value"),
            "write one line of text, or remove the key",
        );
        return None;
    }
    Some(text.text.to_owned())
}

fn read_sign(document: &DeTable<'_>, folder: &Path) -> Option<Sign> {
    let (keys, _) = table(document, "sign")?;
    let public = texts(keys, "public").map(|(public, _)| public).unwrap_or_default();
    Some(Sign {
        key: text(keys, "key").map(|key| folder.join(key.text)),
        public: public.into_iter().map(|key| folder.join(key.text)).collect(),
    })
}

fn read_retention(document: &DeTable<'_>, findings: &mut Findings<'_>) -> Retention {
    let Some((keys, _)) = table(document, "retention") else { return Retention::default() };
    let keep = integer(keys, "keep").and_then(|(keep, at)| {
        let keep = keep.and_then(|keep| u64::try_from(keep).ok()).filter(|keep| *keep > 0);
        if keep.is_none() {
            findings.add(at, "`keep` is no number of releases", "write 1 or more, for example keep = 50");
        }
        keep
    });
    let age = text(keys, "age").and_then(|text| checked(text, parse_duration(text.text), findings));
    Retention { keep, age }
}

/// Returns the place of a key of the document, or the start of the file.
pub(crate) fn place(document: &DeTable<'_>, key: &str) -> usize {
    place_of(document, key, 0)
}
