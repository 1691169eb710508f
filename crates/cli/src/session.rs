//! What a command works with: project, registry, engine; from flags, variables and files.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringsite_engine::{
    Engine, Intent, LockFileUse, Network, Placing, Setup, Shrink, Sources, StatCacheUse, SystemClock,
};
use ringsite_images::{Override, Overrides, Project, RegistryLocation, SettingOrigin};
use ringsite_names::ProjectName;
use ringsite_oci::Layout;

use crate::args::{GlobalArgs, SourceArgs};
use crate::failure::Failure;
use crate::progress;

/// Flags and environment, resolved to what commands need.
pub(crate) struct Session<'a> {
    args: &'a GlobalArgs,
    folder: PathBuf,
}

impl<'a> Session<'a> {
    /// Resolves the working folder.
    pub(crate) fn new(args: &'a GlobalArgs) -> Result<Self, Failure> {
        let start = args.directory.clone().unwrap_or_else(|| PathBuf::from("."));
        let folder = start.canonicalize().map_err(|error| {
            Failure::usage(format!("-C {}: {error}", start.display()), "name an existing folder")
        })?;
        Ok(Self { args, folder })
    }

    /// Returns the working folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads and checks the project, or fails with every problem of it.
    pub(crate) fn project(&self) -> Result<Project, Failure> {
        let file = self.project_file()?;
        ringsite_images::load(&file, &self.overrides()).map_err(|problems| Failure::from_problems(&problems))
    }

    /// Returns the path of the project file.
    pub(crate) fn project_file(&self) -> Result<PathBuf, Failure> {
        match &self.args.config {
            Some(file) => Ok(self.folder.join(file)),
            None => ringsite_images::find(&self.folder).ok_or_else(|| {
                Failure::usage(
                    format!("no rings.toml in {} or any folder above it", self.folder.display()),
                    "go to a project, name the file with --config, or write a new project with `ring init`",
                )
            }),
        }
    }

    /// Returns flags and variables that count more than the project file, and the user's own file.
    pub(crate) fn overrides(&self) -> Overrides {
        let value = |flag: &Option<String>, name: &str| {
            flag.as_ref().map(|value| {
                let from_variable = env::var(name).is_ok_and(|variable| variable == *value);
                let origin = if from_variable {
                    SettingOrigin::Variable(name.into())
                } else {
                    SettingOrigin::Flag(flag_of(name))
                };
                Override { value: value.clone(), origin }
            })
        };
        Overrides {
            project: value(&self.args.project, "RING_PROJECT"),
            registry: value(&self.args.registry, "RING_REGISTRY"),
            folder: Some(self.folder.clone()),
            source_date_epoch: env::var("SOURCE_DATE_EPOCH").ok(),
            user_file: user_folder().map(|folder| folder.join("ring/config.toml")),
        }
    }

    /// Returns the engine for the project, its working copy included.
    pub(crate) fn engine(&self, project: Project, sources: Sources) -> Result<Engine<Layout>, Failure> {
        let own = project.folder.join(OWN_FOLDER);
        let place = Place {
            registry: project.registry.clone(),
            name: project.name.clone(),
            cache: own.join("cache"),
            scratch: own.join("scratch"),
        };
        self.engine_at(place, Some(Arc::new(project)), sources)
    }

    /// Returns the engine for commands that look at the record only: with a working copy when there is
    /// one, else for the project and registry that are named.
    pub(crate) fn reader(&self) -> Result<Engine<Layout>, Failure> {
        let sources = self.sources(&SourceArgs::default());
        let (Some(registry), Some(name)) = (&self.args.registry, &self.args.project) else {
            return self.engine(self.project()?, sources);
        };
        if self.project_file().is_ok() {
            return self.engine(self.project()?, sources);
        }
        let registry = RegistryLocation::parse(registry, &self.folder)
            .map_err(|error| Failure::usage(error.message.clone(), error.help.clone()))?;
        let name: ProjectName = name.parse().map_err(|error: ringsite_names::NameError| {
            Failure::usage(error.to_string(), "write it as in rings.toml, for example `acme/shop`")
        })?;
        // Two records never share a folder: what is remembered there is about one of them.
        let own = ringsite_names::Digest::sha256(format!("{registry} {name}").as_bytes()).short(16);
        let cache = cache_folder().join(own);
        let place = Place { registry, name, scratch: cache.join("scratch"), cache };
        self.engine_at(place, None, sources)
    }

    fn engine_at(
        &self,
        place: Place,
        project: Option<Arc<Project>>,
        sources: Sources,
    ) -> Result<Engine<Layout>, Failure> {
        let RegistryLocation::OciLayout(folder) = &place.registry else {
            return Err(Failure::usage(
                format!(
                    "{} is a server, and this version of ring keeps its record in a folder only",
                    place.registry
                ),
                "set registry = \"oci-layout:.ring/registry\" in rings.toml, or use --registry oci-layout:PATH",
            ));
        };
        Ok(Engine::new(Setup {
            registry: Arc::new(Layout::new(folder)),
            place: place.registry.to_string(),
            name: place.name,
            project,
            cache: place.cache,
            scratch: place.scratch,
            clock: Arc::new(SystemClock),
            observer: progress::observer(self.args),
            sources,
            kustomize: find_program("kustomize"),
            programs: program_folders(),
        }))
    }

    /// Returns how sources are read.
    pub(crate) fn sources(&self, args: &SourceArgs) -> Sources {
        let ci = env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0");
        Sources {
            cache: if args.no_cache { StatCacheUse::Ignore } else { StatCacheUse::Trust },
            lock: if args.locked || ci { LockFileUse::ReadOnly } else { LockFileUse::Write },
            network: match (args.offline, self.args.plain_http) {
                (true, _) => Network::Offline,
                (false, true) => Network::PlainHttp,
                (false, false) => Network::Https,
            },
        }
    }

    /// Returns who asks and why.
    pub(crate) fn intent(&self, no_place: bool, allow_shrink: bool) -> Intent {
        Intent {
            actor: self.actor(),
            reason: self.args.reason.clone(),
            operation_id: self.args.operation_id.clone(),
            place: if no_place { Placing::Nothing } else { Placing::Sites },
            shrink: if allow_shrink { Shrink::Allowed } else { Shrink::Guarded },
        }
    }

    /// Returns who asks: the flag, the variable, or the login name.
    fn actor(&self) -> String {
        let given = self.args.actor.clone().or_else(|| env::var("RING_ACTOR").ok());
        let login = || ["USER", "LOGNAME"].iter().find_map(|name| env::var(name).ok());
        given.or_else(login).filter(|name| !name.is_empty()).unwrap_or_else(|| {
            // A container or a job often has a user number and no name.
            std::fs::metadata("/proc/self").map_or_else(
                |_| "unknown".to_owned(),
                |own| format!("uid-{}", std::os::unix::fs::MetadataExt::uid(&own)),
            )
        })
    }

    /// Returns how long the command may take.
    pub(crate) fn timeout(&self) -> Result<Option<Duration>, Failure> {
        self.args
            .timeout
            .as_deref()
            .map(|text| {
                ringsite_images::parse_duration(text).map_err(|error| {
                    Failure::usage(
                        format!("--timeout {text}: {error}"),
                        "write a duration such as `90s` or `10m`",
                    )
                })
            })
            .transpose()
    }
}

/// Where a record is, and where its caches are.
struct Place {
    registry: RegistryLocation,
    name: ProjectName,
    cache: PathBuf,
    scratch: PathBuf,
}

/// Beside the project file: everything that this program keeps there.
const OWN_FOLDER: &str = ".ring";

fn flag_of(variable: &str) -> String {
    format!("--{}", variable.trim_start_matches("RING_").to_lowercase().replace('_', "-"))
}

fn user_folder() -> Option<PathBuf> {
    path_variable("XDG_CONFIG_HOME").or_else(|| path_variable("HOME").map(|home| home.join(".config")))
}

/// Returns the folder for caches of records that have no working copy here.
fn cache_folder() -> PathBuf {
    let own =
        path_variable("XDG_CACHE_HOME").or_else(|| path_variable("HOME").map(|home| home.join(".cache")));
    own.unwrap_or_else(env::temp_dir).join("ring")
}

fn path_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the first file of this name on PATH.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    program_folders().into_iter().map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn program_folders() -> Vec<PathBuf> {
    env::var_os("PATH").map(|path| env::split_paths(&path).collect()).unwrap_or_default()
}
