//! A project in a temporary folder, built into a registry in memory.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use ringsite_build::{BaseImage, Bases, BuildError, BuildStep, Builder, Built, Native};
use ringsite_images::{Definition, LabelRequest, LockFile, Overrides, Project, StatCache, labels, load};
use ringsite_names::{ImageName, Reference, Version};
use ringsite_oci::{Memory, Registry};
use tempfile::TempDir;

pub(crate) const ROOTED: &str = "project = \"acme/shop\"\nroot = \"shop\"\nrings = [\"test\"]\n";

/// One image called `shop`, or several in `images/<name>`.
pub(crate) struct World {
    folder: TempDir,
    pub(crate) registry: Memory,
    pub(crate) externals: BTreeMap<Reference, BaseImage>,
    pub(crate) lock: LockFile,
    pub(crate) threads: usize,
    pub(crate) has_cache: bool,
}

/// One entry of a layer as a foreign reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) kind: char,
    pub(crate) mode: u32,
    pub(crate) owner: (u64, u64),
    pub(crate) mtime: u64,
    pub(crate) content: Vec<u8>,
}

impl World {
    /// Returns a project whose root image `shop` has this containerfile, in `images/shop`.
    pub(crate) fn of(containerfile: &str) -> Self {
        let world = Self::empty();
        world.write("rings.toml", ROOTED);
        world.write("images/shop/Containerfile", containerfile);
        world
    }

    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            registry: Memory::new(),
            externals: BTreeMap::new(),
            lock: LockFile::default(),
            threads: 2,
            has_cache: true,
        }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes a file into the context of the image `shop`.
    pub(crate) fn source(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(&format!("images/shop/{path}"), content);
        self
    }

    pub(crate) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn project(&self) -> Project {
        load(&self.path("rings.toml"), &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn cache(&self) -> PathBuf {
        self.path(".ring/cache")
    }

    pub(crate) fn native(&self) -> Native {
        let cache = self.cache();
        Native::new(self.has_cache.then_some(Path::new(&cache))).with_threads(self.threads)
    }

    /// Builds everything; panics with the problem when the project itself is wrong.
    pub(crate) fn build_all(&self) -> Result<BTreeMap<ImageName, Built>, BuildError> {
        let project = self.project();
        let survey = project.survey(&StatCache::disabled()).unwrap_or_else(|problems| panic!("{problems}"));
        let mut built = BTreeMap::new();
        for definition in survey.definitions() {
            let (step, bases) = self.step(&project, definition, &built);
            let native = self.native();
            let work = native.build(&step, &definition.context, &bases, &self.registry);
            built.insert(definition.image.clone(), run(work)?);
        }
        Ok(built)
    }

    pub(crate) fn step(
        &self,
        project: &Project,
        definition: &Definition,
        built: &BTreeMap<ImageName, Built>,
    ) -> (BuildStep, Bases) {
        let version = Version::new(1, 2, 3);
        let image = definition.image.clone();
        let request = LabelRequest {
            project: &project.name,
            image: &image,
            version,
            revision: definition.sources.revision(),
            vendor: None,
            dependencies: &definition.dependencies.iter().map(|name| (name.clone(), version)).collect(),
            labels: &project.labels,
        };
        let step = BuildStep {
            repository: project.name.image_repository(&image),
            project: project.name.clone(),
            labels: labels(&request),
            platforms: definition.variants.clone(),
            epoch: project.epoch_seconds().unwrap(),
            sources: Arc::new(definition.sources.clone()),
            inputs: definition.inputs(&self.lock).unwrap_or_else(|problems| panic!("{problems}")),
            pins: None,
            version,
            image,
        };
        let base = |name: &ImageName| BaseImage {
            repository: project.name.image_repository(name),
            digest: built[name].digest,
            version: Some(version),
        };
        let project = definition.dependencies.iter().map(|name| (name.clone(), base(name))).collect();
        (step, Bases { project, external: self.externals.clone() })
    }

    /// Builds everything and returns the image `shop`.
    pub(crate) fn build(&self) -> Built {
        let mut built = self.build_all().unwrap_or_else(|error| panic!("{error}"));
        built.remove("shop").unwrap()
    }

    /// Returns the error of a build that must fail.
    pub(crate) fn error(&self) -> BuildError {
        match self.build_all() {
            Err(error) => error,
            Ok(built) => panic!("{:?} was built", built.keys()),
        }
    }

    /// Returns the entries of each layer of an image, as a foreign reader sees them.
    pub(crate) fn layers(&self, built: &Built) -> Vec<Vec<Seen>> {
        let repository = self.project().name.image_repository(&ImageName::new("shop").unwrap());
        let layers = &built.platforms[0].layers;
        layers
            .iter()
            .map(|layer| {
                let bytes = run(self.registry.blob_bytes(&repository, &layer.digest, 1 << 30)).unwrap();
                assert_eq!(bytes.len() as u64, layer.size);
                read_layer(&bytes)
            })
            .collect()
    }

    /// Builds `shop` and returns the entries of its last layer.
    pub(crate) fn last_layer(&self) -> Vec<Seen> {
        let built = self.build();
        self.layers(&built).pop().unwrap()
    }
}

/// Runs a future on a runtime of its own.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}

pub(crate) fn read_layer(gzip: &[u8]) -> Vec<Seen> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(gzip));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_str().unwrap().to_owned();
            let header = entry.header().clone();
            let kind = match header.entry_type() {
                tar::EntryType::Regular => 'F',
                tar::EntryType::Directory => 'D',
                tar::EntryType::Symlink => 'L',
                other => panic!("{path} is {other:?}"),
            };
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            if kind == 'L' {
                content = entry.link_name_bytes().unwrap().into_owned();
            }
            Seen {
                path,
                kind,
                mode: header.mode().unwrap(),
                owner: (header.uid().unwrap(), header.gid().unwrap()),
                mtime: header.mtime().unwrap(),
                content,
            }
        })
        .collect()
}

/// Returns kinds, modes and paths, one text for each entry.
pub(crate) fn listing(layer: &[Seen]) -> Vec<String> {
    let line = |seen: &Seen| format!("{}{:o} {}", seen.kind, seen.mode, seen.path);
    layer.iter().map(line).collect()
}
