//! From evaluated stages to an image in the registry: layers, configuration, manifest, index.
//!
//! Order of writes: layers, then configurations, then manifests, then the index. A crash leaves
//! blobs that nothing names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ringsite_images::{Context, Recipe, Variant};
use ringsite_names::Timestamp;
use ringsite_oci::names::{MEDIA_TYPE_CONFIG, MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST};
use ringsite_oci::{Descriptor, History, ImageConfig, ImageIndex, ImageManifest, Put, Registry};

use crate::base::LoadedImage;
use crate::builder::Builder;
use crate::error::{BuildError, Place};
use crate::layer::{Content, Contents, Inline, Layer, LayerCache, LayerWriter, Part, cut, part_bytes_for};
use crate::limits::LAYERS_ADDED_MAX;
use crate::names::PINS_FILE;
use crate::native::Native;
use crate::native::copy::Used;
use crate::native::evaluate::{Added, Evaluated, Evaluation};
use crate::native::ownership::Ownership;
use crate::native::target::{Follow, Piece, Target, is_unusual};
use crate::step::{Bases, BuildStep, Built, BuiltPlatform, Phases};

/// Builds an image for all platforms of a step.
pub(super) async fn build(
    native: &Native,
    step: &BuildStep,
    context: &Context,
    bases: &Bases,
    sink: &impl Registry,
) -> Result<Built, BuildError> {
    let context = Arc::new(context.clone());
    let mut platforms = Vec::with_capacity(step.platforms.len());
    let mut warnings = Vec::new();
    let mut phases = Phases::default();
    let start = Instant::now();
    let contents = Contents::new(context, step.sources.clone());
    let mut used = Used::none_of(&step.sources);
    let mut all = Vec::with_capacity(step.platforms.len());
    for variant in &step.platforms {
        let mut evaluation = Evaluation {
            step,
            variant,
            bases,
            registry: sink,
            cache: native.cache().map(Into::into),
            contents: contents.clone(),
            stages: BTreeMap::new(),
            warnings,
            used,
        };
        let mut evaluated = evaluation.run().await?;
        Evaluation { warnings, used, .. } = evaluation;
        if let Some(pins) = &step.pins {
            add_pins(&mut evaluated, step, variant, pins)?;
        }
        all.push((variant, evaluated));
    }
    used.check(&step.sources)?;
    warnings.sort();
    warnings.dedup();
    phases.planning = start.elapsed();
    for (variant, evaluated) in all {
        let start = Instant::now();
        let layers = put_layers(native, step, &evaluated, &contents, sink).await?;
        phases.layers += start.elapsed();
        let start = Instant::now();
        platforms.push(finish(step, variant, &evaluated, layers, sink).await?);
        phases.manifests += start.elapsed();
    }
    let recipe =
        Recipe { sources: (*step.sources).clone(), inputs: step.inputs.clone(), built_by: native.built_by() };
    assemble(step, Assembly { platforms, recipe, warnings, phases }, sink).await
}

/// Adds the layer that pins the versions of a project to its root image.
fn add_pins(
    evaluated: &mut Evaluated,
    step: &BuildStep,
    variant: &Variant,
    pins: &Bytes,
) -> Result<(), BuildError> {
    let place = Place { file: variant.containerfile.path.clone(), line: 1 };
    let mut target = Target::new(evaluated.view(), &place, Ownership::default());
    let content = Content::Inline(Inline::new(pins.to_vec()));
    let piece = Piece { below: String::new(), mode: 0o644, uid: 0, gid: 0, content };
    target.put(PINS_FILE, piece, Follow::Folders)?;
    let (entries, repeated) = target.finish()?;
    evaluated.add(pins_text(step), entries, repeated);
    Ok(())
}

/// Returns what the history says about the layer of pins.
pub(crate) fn pins_text(step: &BuildStep) -> String {
    format!("ringsite: pins of {}", step.project)
}

/// Makes the layers of the stage that is asked for; returns them with the number of parts of each.
async fn put_layers(
    native: &Native,
    step: &BuildStep,
    evaluated: &Evaluated,
    contents: &Contents,
    sink: &impl Registry,
) -> Result<(Vec<Layer>, Vec<usize>), BuildError> {
    let parts = parts_of(&evaluated.added, contents);
    let counts = parts.iter().map(Vec::len).collect();
    let writer = LayerWriter {
        repository: step.repository.clone(),
        epoch: epoch_of(step),
        threads: native.threads(),
        cache: LayerCache::new(native.cache()),
    };
    let layers = writer.put_all(sink, contents, parts.into_iter().flatten().collect()).await?;
    Ok((layers, counts))
}

/// Returns the time of every entry; the project file allows none before 1970.
fn epoch_of(step: &BuildStep) -> u64 {
    u64::try_from(step.epoch).unwrap_or(0)
}

/// Cuts every layer into parts, all in so few that the image stays below the limit.
fn parts_of(added: &[Added], contents: &Contents) -> Vec<Vec<Part>> {
    let sources = &contents.sources;
    let bytes = |layer: &Added| layer.index.entries.iter().map(|entry| entry.bytes(sources)).sum::<u64>();
    let mut sizes: Vec<u64> = added.iter().map(|layer| part_bytes_for(bytes(layer))).collect();
    loop {
        let cuts: Vec<_> =
            added.iter().zip(&sizes).map(|(layer, size)| cut(&layer.index.entries, sources, *size)).collect();
        let count: usize = cuts.iter().map(Vec::len).sum();
        if count <= LAYERS_ADDED_MAX || cuts.iter().all(|cut| cut.len() == 1) {
            let parts = added
                .iter()
                .zip(cuts)
                .map(|(layer, cuts)| cuts.into_iter().map(|range| part(layer, range)).collect());
            return parts.collect();
        }
        sizes.iter_mut().for_each(|size| *size *= 2);
    }
}

/// Returns one part of a layer, with the unusual folders above its entries.
fn part(layer: &Added, range: std::ops::Range<usize>) -> Part {
    let entries = &layer.index.entries;
    let mine = &entries[range.clone()];
    let mut missing: BTreeSet<&str> = BTreeSet::new();
    let mut last = "";
    for entry in mine {
        let folder = entry.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if folder != last {
            last = folder;
            missing.extend(folder.match_indices('/').map(|(at, _)| &folder[..at]));
            missing.insert(folder);
        }
    }
    let unusual = |path: &&str| {
        let own = layer.index.entry(path).filter(|entry| is_unusual(entry));
        own.or_else(|| layer.repeated.get(*path))
    };
    let extra = missing
        .iter()
        .filter_map(unusual)
        .filter(|entry| mine.binary_search_by(|one| one.path.cmp(&entry.path)).is_err())
        .cloned()
        .collect();
    Part::new(entries.clone(), range, extra)
}

/// Pushes configuration and manifest of one platform.
async fn finish(
    step: &BuildStep,
    variant: &Variant,
    evaluated: &Evaluated,
    (layers, parts): (Vec<Layer>, Vec<usize>),
    sink: &impl Registry,
) -> Result<BuiltPlatform, BuildError> {
    let epoch = timestamp(step);
    let mut config = evaluated.config.clone();
    let history = evaluated.full_history(epoch, &parts);
    config.history = history;
    config.rootfs.diff_ids.extend(layers.iter().map(|layer| layer.diff_id));
    let base = base_layers(step, evaluated.base.as_deref(), sink).await?;
    let layers_reused = base.len() + layers.iter().filter(|layer| layer.is_reused).count();
    let layers_made = layers.iter().filter(|layer| !layer.is_reused).count();
    let all = base.into_iter().chain(layers.into_iter().map(|layer| layer.descriptor)).collect();
    let image = Image { variant, config, layers: all, layers_reused, layers_made };
    image.push(step, sink).await
}

/// Returns the epoch as a point in time.
pub(crate) fn timestamp(step: &BuildStep) -> Timestamp {
    let start = || Timestamp::from_seconds(0).expect("1970 is a year that timestamps have");
    Timestamp::from_seconds(step.epoch).unwrap_or_else(|_| start())
}

/// Returns the layers of the base, after making them blobs of the image's own repository.
async fn base_layers(
    step: &BuildStep,
    base: Option<&LoadedImage>,
    sink: &impl Registry,
) -> Result<Vec<Descriptor>, BuildError> {
    let Some(base) = base else { return Ok(Vec::new()) };
    for layer in &base.layers {
        bring(&base.image.repository, &step.repository, layer, sink).await?;
    }
    Ok(base.layers.clone())
}

/// Makes a blob of one repository one of another: not at all, by mounting it, or by copying it.
pub(crate) async fn bring(
    from: &ringsite_names::RepositoryName,
    to: &ringsite_names::RepositoryName,
    blob: &Descriptor,
    registry: &impl Registry,
) -> Result<(), BuildError> {
    if from == to || registry.has_blob(to, &blob.digest).await? {
        return Ok(());
    }
    if registry.abilities().mount && registry.mount(from, to, &blob.digest).await? {
        return Ok(());
    }
    let stream = registry.blob(from, &blob.digest).await?;
    registry.put_blob(to, Some(&blob.digest), stream).await?;
    Ok(())
}

/// An image of one platform whose layers are in the registry.
pub(crate) struct Image<'i> {
    pub(crate) variant: &'i Variant,
    pub(crate) config: ImageConfig,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) layers_reused: usize,
    pub(crate) layers_made: usize,
}

impl Image<'_> {
    /// Sets the labels of the release, and pushes configuration and manifest.
    pub(crate) async fn push(
        self,
        step: &BuildStep,
        sink: &impl Registry,
    ) -> Result<BuiltPlatform, BuildError> {
        let Self { variant, mut config, layers, layers_reused, layers_made } = self;
        let platform = &variant.platform;
        config.created = Some(timestamp(step).to_string());
        config.os = platform.os().to_owned();
        config.architecture = platform.architecture().to_owned();
        config.variant = platform.variant().map(str::to_owned);
        config.config.labels.extend(step.labels.clone());
        let descriptor = push_image(step, &config, &layers, sink).await?;
        Ok(BuiltPlatform {
            platform: platform.clone(),
            descriptor,
            config,
            layers,
            layers_reused,
            layers_made,
        })
    }
}

/// Pushes configuration and manifest of one platform by digest.
pub(crate) async fn push_image(
    step: &BuildStep,
    config: &ImageConfig,
    layers: &[Descriptor],
    sink: &impl Registry,
) -> Result<Descriptor, BuildError> {
    let bytes = Bytes::from(config.to_bytes());
    let stored = sink.put_bytes(&step.repository, MEDIA_TYPE_CONFIG, bytes).await?;
    let manifest = Bytes::from(ImageManifest::image(stored, layers.to_vec()).to_bytes());
    let descriptor = Descriptor::of(MEDIA_TYPE_MANIFEST, &manifest);
    sink.put_manifest(&step.repository, &Put::by_digest(), MEDIA_TYPE_MANIFEST, manifest).await?;
    Ok(descriptor)
}

/// The images of all platforms, and what is to be told about them.
pub(crate) struct Assembly {
    pub(crate) platforms: Vec<BuiltPlatform>,
    pub(crate) recipe: Recipe,
    pub(crate) warnings: Vec<String>,
    pub(crate) phases: Phases,
}

/// Puts the images of all platforms together: an index for more than one only.
///
/// # Errors
/// The registry's own.
pub(crate) async fn assemble(
    step: &BuildStep,
    assembly: Assembly,
    sink: &impl Registry,
) -> Result<Built, BuildError> {
    let start = Instant::now();
    let Assembly { platforms, recipe, warnings, mut phases } = assembly;
    let (manifest, media_type) = match platforms.as_slice() {
        [one] => {
            let reference = one.descriptor.digest.into();
            let stored = sink.manifest(&step.repository, &reference).await?;
            (stored.bytes, MEDIA_TYPE_MANIFEST)
        }
        several => {
            let child = |image: &BuiltPlatform| image.descriptor.clone().with_platform(oci_platform(image));
            let index = ImageIndex::new(several.iter().map(child).collect());
            let bytes = Bytes::from(index.to_bytes());
            sink.put_manifest(&step.repository, &Put::by_digest(), MEDIA_TYPE_INDEX, bytes.clone()).await?;
            (bytes, MEDIA_TYPE_INDEX)
        }
    };
    phases.manifests += start.elapsed();
    Ok(Built {
        digest: ringsite_names::Digest::sha256(&manifest),
        manifest,
        media_type: media_type.to_owned(),
        platforms,
        recipe,
        warnings,
        phases,
    })
}

fn oci_platform(image: &BuiltPlatform) -> ringsite_oci::Platform {
    let platform = &image.platform;
    let mut found = ringsite_oci::Platform::new(platform.os(), platform.architecture());
    found.variant = platform.variant().map(str::to_owned);
    found
}

/// Returns a history line of ours for a layer that no instruction made.
pub(crate) fn own_history(step: &BuildStep, text: String) -> History {
    History { created: Some(timestamp(step).to_string()), created_by: Some(text), ..History::default() }
}
