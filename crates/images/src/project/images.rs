//! Reads the images that a project declares, or finds them below `images/`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use ringsite_names::ImageName;
use toml::de::DeTable;

use super::findings::{Findings, Text, table, text, text_map, texts};
use super::folders::{PathFault, plain};
use super::reader::Reader;
use super::values::BuilderChoice;
use crate::limits::{IMAGES_MAX, PLATFORMS_MAX};
use crate::names::{CONTAINERFILE_NAMES, IMAGES_FOLDER, PREDEFINED_ARGUMENTS};
use crate::{Platform, Problem};

/// One image as the project declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDeclaration {
    /// The name.
    pub name: ImageName,
    /// The folder that the containerfile copies from, as an absolute path.
    pub context: PathBuf,
    /// The same folder relative to the project folder, as people are shown it; `.` is the project folder.
    pub context_written: PathBuf,
    /// The containerfile, as an absolute path.
    pub containerfile: PathBuf,
    /// The same file relative to the project folder, as people are shown it.
    pub containerfile_written: PathBuf,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The stage to build; the last one when not set.
    pub target: Option<String>,
    /// The platforms to build for, sorted, at least one.
    pub platforms: Vec<Platform>,
    /// What builds it.
    pub builder: BuilderChoice,
    /// The line in `rings.toml`; nothing for an image that was found as a folder.
    pub line: Option<u32>,
}

/// What an image gets when it does not say otherwise.
pub(crate) struct ImageDefaults {
    pub(crate) platforms: Vec<Platform>,
    pub(crate) builder: BuilderChoice,
}

/// The images that could be read.
pub(crate) struct Images {
    pub(crate) images: IndexMap<ImageName, ImageDeclaration>,
    /// Every name that is declared at all; nothing when even that cannot be told.
    pub(crate) declared: Option<BTreeSet<String>>,
}

/// Reads all images; those with mistakes are left out and the mistakes kept.
pub(crate) fn read(document: &DeTable<'_>, defaults: &ImageDefaults, reader: &mut Reader<'_>) -> Images {
    match table(document, "images") {
        Some((declared, at)) if !declared.is_empty() => read_declared(declared, at, defaults, reader),
        _ if document.contains_key("images") && table(document, "images").is_none() => {
            Images { images: IndexMap::new(), declared: None }
        }
        _ => find_folders(defaults, reader),
    }
}

fn read_declared(
    declared: &DeTable<'_>,
    at: usize,
    defaults: &ImageDefaults,
    reader: &mut Reader<'_>,
) -> Images {
    if declared.len() > IMAGES_MAX {
        reader.findings.add(
            at,
            format!("{} images are declared, at most {IMAGES_MAX} are allowed", declared.len()),
            "split the project in two, each with its own rings.toml",
        );
        return Images { images: IndexMap::new(), declared: None };
    }
    let mut images = IndexMap::new();
    for (key, value) in declared {
        let at = key.span().start;
        let Some(keys) = value.get_ref().as_table() else { continue };
        let name = name_of(Text { text: key.get_ref(), at }, &mut reader.findings);
        let image = read_one(Declared { keys, at, written: key.get_ref() }, name, defaults, reader);
        images.extend(image.map(|image| (image.name.clone(), image)));
    }
    Images { images, declared: Some(declared.keys().map(|key| key.get_ref().to_string()).collect()) }
}

fn name_of(text: Text<'_>, findings: &mut Findings<'_>) -> Option<ImageName> {
    let name = ImageName::new(text.text);
    if let Err(error) = &name {
        findings.add(text.at, error.to_string(), "rename the image, for example `api` or `web-2`");
    }
    name.ok()
}

struct Declared<'v, 't> {
    keys: &'v DeTable<'t>,
    at: usize,
    written: &'v str,
}

fn read_one(
    declared: Declared<'_, '_>,
    name: Option<ImageName>,
    defaults: &ImageDefaults,
    reader: &mut Reader<'_>,
) -> Option<ImageDeclaration> {
    let Declared { keys, at, written } = declared;
    let default = format!("{IMAGES_FOLDER}/{written}");
    let context = text(keys, "context").unwrap_or(Text { text: &default, at });
    let folder = find_context(context, reader);
    let file = match text(keys, "containerfile") {
        Some(file) => find_containerfile(file, context.text, reader),
        // Without a folder there is nothing to look into; that is already a problem.
        None => folder.as_ref().and_then(|_| default_containerfile(context, reader)),
    };
    let args = read_args(keys, &mut reader.findings);
    let platforms = read_platforms(keys, &mut reader.findings);
    let builder = text(keys, "builder").map(|choice| read_builder(choice, &mut reader.findings));
    let target = text(keys, "target");
    if let Some(target) = target.filter(|target| target.text.trim().is_empty()) {
        reader.findings.add(target.at, "the target names no stage", "remove the key to build the last stage");
    }
    let (containerfile_written, containerfile) = file?;
    Some(ImageDeclaration {
        name: name?,
        context: folder?,
        context_written: plain(Path::new(context.text)),
        containerfile,
        containerfile_written,
        args,
        target: target.map(|target| target.text.to_owned()),
        platforms: platforms.unwrap_or_else(|| defaults.platforms.clone()),
        builder: builder.flatten().unwrap_or(defaults.builder),
        line: Some(reader.findings.line(at)),
    })
}

/// Returns the absolute path of a build context.
fn find_context(context: Text<'_>, reader: &mut Reader<'_>) -> Option<PathBuf> {
    let shown = context.text;
    match reader.folders.look(Path::new(shown)) {
        Ok(found) if found.kind.is_dir() => return Some(found.path),
        Ok(_) => reader.findings.add(
            context.at,
            format!("the context `{shown}` is not a folder"),
            "name the folder that the containerfile copies from",
        ),
        Err(PathFault::Missing) => reader.findings.add(
            context.at,
            format!("the context `{shown}` does not exist"),
            format!("create the folder, or set `context`: {shown} is relative to the folder of this file"),
        ),
        Err(fault) => {
            reader.findings.add(context.at, format!("the context `{shown}` {}", words(&fault)), HELP_INSIDE)
        }
    }
    None
}

const HELP_INSIDE: &str = "name a path inside the folder of this file, relative to it";

fn words(fault: &PathFault) -> String {
    match fault {
        PathFault::Missing => "does not exist".to_owned(),
        PathFault::Leaves => "leaves the project folder".to_owned(),
        PathFault::Unreadable(error) => format!("cannot be read: {error}"),
    }
}

/// Returns the containerfile that `written` names, relative to the project folder, and its absolute path.
fn find_containerfile(
    written: Text<'_>,
    context: &str,
    reader: &mut Reader<'_>,
) -> Option<(PathBuf, PathBuf)> {
    let shown = written.text;
    match reader.folders.look(Path::new(shown)) {
        Ok(found) if found.kind.is_file() => return Some((plain(Path::new(shown)), found.path)),
        Ok(_) => reader.findings.add(
            written.at,
            format!("the containerfile `{shown}` is not a file"),
            format!("name the file, for example {shown}/Containerfile"),
        ),
        Err(PathFault::Missing) => {
            let beside = plain(&Path::new(context).join(shown));
            let help = match reader.folders.look(&beside) {
                Ok(_) => format!("write {}: the path is relative to this file", beside.display()),
                Err(_) => "create it; the path is relative to the folder of this file".to_owned(),
            };
            reader.findings.add(written.at, format!("the containerfile `{shown}` does not exist"), help);
        }
        Err(fault) => {
            reader.findings.add(
                written.at,
                format!("the containerfile `{shown}` {}", words(&fault)),
                HELP_INSIDE,
            );
        }
    }
    None
}

fn default_containerfile(context: Text<'_>, reader: &mut Reader<'_>) -> Option<(PathBuf, PathBuf)> {
    let found = reader.folders.first_file(Path::new(context.text), &CONTAINERFILE_NAMES);
    if found.is_none() {
        reader.findings.add(
            context.at,
            format!("no containerfile in `{}`", context.text),
            "create Containerfile there, or name another file with `containerfile`",
        );
    }
    found.map(|(written, found)| (written, found.path))
}

fn read_args(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> BTreeMap<String, String> {
    let mut args = BTreeMap::new();
    for (name, at, value) in text_map(keys, "args") {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_name = name.bytes().all(is_word) && !name.starts_with(|first: char| first.is_ascii_digit());
        if name.is_empty() || !is_name {
            findings.add(
                at,
                format!("`{name}` cannot name a build argument"),
                "use letters, digits and `_`, not beginning with a digit",
            );
        } else if PREDEFINED_ARGUMENTS.contains(&name) {
            findings.add(
                at,
                format!("the build argument `{name}` is given by the program and cannot be set"),
                "remove it, or use another name for your own argument",
            );
        } else {
            args.insert(name.to_owned(), value.text.to_owned());
        }
    }
    args
}

/// Reads the key `platforms` of the project or of an image; nothing when it is absent.
pub(crate) fn read_platforms(keys: &DeTable<'_>, findings: &mut Findings<'_>) -> Option<Vec<Platform>> {
    let (written, at) = texts(keys, "platforms")?;
    if written.is_empty() {
        findings.add(at, "the list of platforms is empty", "name one, for example [\"linux/amd64\"]");
    }
    if written.len() > PLATFORMS_MAX {
        findings.add(
            at,
            format!("{} platforms are listed, at most {PLATFORMS_MAX} are allowed", written.len()),
            "name only the platforms that your clusters run on",
        );
    }
    let mut platforms: Vec<Platform> = Vec::new();
    for text in written {
        match text.text.parse::<Platform>() {
            Ok(known) if platforms.contains(&known) => {
                findings.add(text.at, format!("the platform {known} is listed twice"), "keep one of the two");
            }
            Ok(known) => platforms.push(known),
            Err(error) => findings.add(text.at, error.to_string(), error.help()),
        }
    }
    platforms.sort();
    Some(platforms)
}

/// Reads the value of a key `builder`.
pub(crate) fn read_builder(text: Text<'_>, findings: &mut Findings<'_>) -> Option<BuilderChoice> {
    let choice = text.text.parse::<BuilderChoice>();
    choice.map_err(|error| findings.add(text.at, error.message, error.help)).ok()
}

/// Returns the images of a project that declares none: the folders below `images/` with a containerfile.
fn find_folders(defaults: &ImageDefaults, reader: &mut Reader<'_>) -> Images {
    let mut images = IndexMap::new();
    let mut declared = BTreeSet::new();
    let names = reader.folders.names_in(Path::new(IMAGES_FOLDER)).unwrap_or_else(|error| {
        let message = format!("cannot be read: {error}");
        reader.findings.add_problem(Problem::in_file(
            Path::new(IMAGES_FOLDER),
            message,
            "check its permissions, or declare the images in rings.toml",
        ));
        Vec::new()
    });
    for name in names {
        let written = Path::new(IMAGES_FOLDER).join(&name);
        if name.contains(char::REPLACEMENT_CHARACTER) {
            let help = "rename it with letters, digits and `-`";
            reader.findings.add_problem(Problem::in_file(&written, "has a name that is not UTF-8", help));
            continue;
        }
        let Some((file_written, file)) = reader.folders.first_file(&written, &CONTAINERFILE_NAMES) else {
            continue;
        };
        let Ok(folder) = reader.folders.look(&written) else { continue };
        declared.insert(name.clone());
        let image = match ImageName::new(&name) {
            Ok(image) => image,
            Err(error) => {
                let help = "rename the folder, or declare the images in rings.toml";
                reader.findings.add_problem(Problem::in_file(&written, error.to_string(), help));
                continue;
            }
        };
        let declaration = ImageDeclaration {
            name: image.clone(),
            context: folder.path,
            context_written: written,
            containerfile: file.path,
            containerfile_written: file_written,
            args: BTreeMap::new(),
            target: None,
            platforms: defaults.platforms.clone(),
            builder: defaults.builder,
            line: None,
        };
        images.insert(image, declaration);
    }
    if declared.is_empty() {
        reader.findings.add_unless_broken(
            0,
            "the project has no image",
            "add [images.NAME] with a context, or a folder images/NAME with a Containerfile",
        );
    }
    if images.len() > IMAGES_MAX {
        let message = format!("{} images were found, at most {IMAGES_MAX} are allowed", images.len());
        reader.findings.add(0, message, "split the project in two, each with its own rings.toml");
    }
    Images { images, declared: Some(declared) }
}
