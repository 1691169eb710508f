//! Takes what a tool built into the registry, after checking that it is what was asked for.
//!
//! Order of writes: layers, the configuration, the manifest.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use bytes::Bytes;
use ringsite_images::names::is_reserved_label;
use ringsite_images::{Instruction, Step};
use ringsite_names::Digest;
use ringsite_oci::names::MEDIA_TYPE_LAYER_GZIP;
use ringsite_oci::{BlobStream, Descriptor, Execution, History, ImageConfig, Manifest, OciError, Registry};
use tokio::task::spawn_blocking;

use crate::archive::decompress;
use crate::base::{LoadedImage, is_same_platform};
use crate::error::BuildError;
use crate::external::plan::{Plan, PlannedStage};
use crate::external::program::Program;
use crate::external::tools::{Output, checked_labels};
use crate::layer::Compressors;
use crate::limits::{BASE_LAYERS_MAX, COMPRESS_THREADS_MAX, CONFIG_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::native::{Image, bring, healthcheck, own_history, pins_text, timestamp};
use crate::relabel::put_pins;
use crate::step::{BuildStep, BuiltPlatform};

/// Pushes the image that a tool left, without any name.
///
/// # Errors
/// `Mismatch` when it is not what was asked for; `Disk`; the registry's own.
pub(super) async fn import(
    program: &Program,
    step: &BuildStep,
    plan: &Plan<'_>,
    output: Output,
    sink: &impl Registry,
) -> Result<BuiltPlatform, BuildError> {
    let mismatch = |reason: String| BuildError::Mismatch {
        builder: program.built_by(),
        image: step.image.clone(),
        reason,
    };
    let read = spawn_blocking(move || read(&output));
    let found = read.await.map_err(|error| BuildError::Worker(Box::new(error)))?.map_err(mismatch)?;
    let base = plan.base();
    check(&found, step, plan, base).map_err(mismatch)?;
    let below = base.map_or(0, |base| base.layers.len());
    let mut layers = Vec::with_capacity(found.layers.len() + 1);
    if let Some(base) = base {
        for layer in &base.layers {
            bring(&base.image.repository, &step.repository, layer, sink).await?;
            layers.push(layer.clone());
        }
    }
    let diff_ids = &found.config.rootfs.diff_ids;
    for (path, diff_id) in found.layers.iter().zip(diff_ids).skip(below) {
        let (layer, made) = put_layer(step, path, sink).await?;
        if made != *diff_id {
            return Err(mismatch(format!("a layer is {made}, and its configuration says {diff_id}")));
        }
        layers.push(layer);
    }
    let mut config = config(found.config, step, plan, base);
    if let Some(pins) = &step.pins {
        let (layer, diff_id) = put_pins(step, pins, sink).await?;
        layers.push(layer);
        config.rootfs.diff_ids.push(diff_id);
        config.history.push(own_history(step, pins_text(step)));
    }
    let layers_made = layers.len() - below;
    let image = Image { variant: plan.variant, config, layers, layers_reused: below, layers_made };
    image.push(step, sink).await
}

/// What a tool built.
struct Found {
    config: ImageConfig,
    /// The files of the layers, the base first.
    layers: Vec<PathBuf>,
}

/// Reads what a tool left; an error is the reason.
fn read(output: &Output) -> Result<Found, String> {
    let blob = |digest: &Digest| match output.is_by_algorithm {
        true => output.blobs.join(digest.algorithm()).join(digest.to_hex()),
        false => output.blobs.join(digest.to_hex()),
    };
    let mut bytes = read_small(&output.manifest, MANIFEST_BYTES_MAX)?;
    // The index of a layout names the manifest, or an index of one platform and its attestations.
    for _ in 0..3 {
        let manifest = parse(&bytes)?;
        let index = match manifest {
            Manifest::Image(manifest) => {
                let config = read_small(&blob(&manifest.config.digest), CONFIG_BYTES_MAX)?;
                let config = ImageConfig::from_bytes(&config).map_err(|error| error.to_string())?;
                let layers: Vec<_> = manifest.layers.iter().map(|layer| blob(&layer.digest)).collect();
                if layers.len() > BASE_LAYERS_MAX || layers.len() != config.rootfs.diff_ids.len() {
                    return Err("its configuration does not fit its layers".to_owned());
                }
                return Ok(Found { config, layers });
            }
            Manifest::Index(index) => index,
        };
        let is_image = |child: &&Descriptor| {
            child.platform.as_ref().is_none_or(|platform| platform.architecture != "unknown")
        };
        let child = index.manifests.iter().find(is_image).ok_or("its index names no image")?;
        bytes = read_small(&blob(&child.digest), MANIFEST_BYTES_MAX)?;
        if !child.digest.matches(&bytes) {
            return Err(format!("its manifest is not {}", child.digest));
        }
    }
    Err("its index has indexes in indexes".to_owned())
}

fn parse(bytes: &[u8]) -> Result<Manifest, String> {
    let json: serde_json::Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let read = match json["manifests"].is_array() {
        true => ringsite_oci::ImageIndex::from_bytes(bytes).map(Manifest::Index),
        false => ringsite_oci::ImageManifest::from_bytes(bytes).map(Manifest::Image),
    };
    read.map_err(|error: OciError| error.to_string())
}

fn read_small(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("{} cannot be read: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(format!("{} has more than {bytes_max} bytes", path.display())),
        false => Ok(bytes),
    }
}

/// Checks labels, platform and base; an error is the reason.
fn check(found: &Found, step: &BuildStep, plan: &Plan<'_>, base: Option<&LoadedImage>) -> Result<(), String> {
    let config = &found.config;
    for (name, value) in checked_labels(step) {
        let labels = &config.config.labels;
        if labels.get(name) != Some(value) {
            return Err(match labels.get(name) {
                Some(other) => format!("label {name} is {other}, not {value}"),
                None => format!("it has no label {name}"),
            });
        }
    }
    let mut platform = ringsite_oci::Platform::new(&config.os, &config.architecture);
    platform.variant = config.variant.clone();
    if !is_same_platform(&platform, &plan.variant.platform) {
        return Err(format!("it is for {platform}, not for {}", plan.variant.platform));
    }
    let wanted = base.map(|base| &*base.config.rootfs.diff_ids).unwrap_or_default();
    if !config.rootfs.diff_ids.starts_with(wanted) {
        return Err("its first layers are not those of its base".to_owned());
    }
    Ok(())
}

/// Compresses a layer into the registry; returns it with its digest without compression.
async fn put_layer(
    step: &BuildStep,
    path: &Path,
    sink: &impl Registry,
) -> Result<(Descriptor, Digest), BuildError> {
    let (sender, stream) = BlobStream::channel(None);
    let path = path.to_path_buf();
    let threads = available_parallelism().map_or(2, |count| count.get().min(COMPRESS_THREADS_MAX));
    let work = spawn_blocking(move || {
        let mut sender = sender;
        let failed = |error: io::Error| BuildError::disk("read", &path, error);
        let file = File::open(&path).map_err(failed)?;
        let mut content = decompress(&path.to_string_lossy(), file)?;
        let produce = |sink: &mut dyn io::Write| io::copy(&mut content, sink).map(drop).map_err(failed);
        let take = |member: Bytes| sender.send_blocking(member).map_err(io::Error::other);
        let diff_id = Compressors::start(threads).compress(produce, take)?;
        // A reader that is gone has its own error, which counts.
        let _ = sender.finish_blocking();
        Ok(diff_id)
    });
    let (stored, made) = tokio::join!(sink.put_blob(&step.repository, None, stream), work);
    let made = made.map_err(|error| BuildError::Worker(Box::new(error)))?;
    match (stored, made) {
        (Ok(layer), Ok(diff_id)) => Ok((layer.with_media_type(MEDIA_TYPE_LAYER_GZIP), diff_id)),
        // When the registry stops taking, the worker only notices that nobody listens.
        (Err(error), Err(BuildError::Worker(_)) | Ok(_)) => Err(error.into()),
        (_, Err(error)) => Err(error),
    }
}

/// Returns the configuration with everything left out that depends on the tool or the hour.
fn config(found: ImageConfig, step: &BuildStep, plan: &Plan<'_>, base: Option<&LoadedImage>) -> ImageConfig {
    let below = base.map_or(0, |base| base.layers.len());
    let added = found.rootfs.diff_ids.len() - below;
    let mut config = ImageConfig::new(found.os, found.architecture);
    config.author = found.author.filter(|author| !author.is_empty());
    config.rootfs.diff_ids = found.rootfs.diff_ids;
    config.history = base.map(|base| base.config.history.clone()).unwrap_or_default();
    config.history.extend(history(step, &plan.chain(), added));
    let inherited = base.map(|base| base.config.config.clone()).unwrap_or_default();
    config.config = execution(found.config, inherited, &plan.chain());
    config
}

fn execution(found: Execution, inherited: Execution, chain: &[&PlannedStage<'_>]) -> Execution {
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let words = |words: Option<Vec<String>>| words.filter(|words| !words.is_empty());
    let mut run = Execution {
        user: text(found.user),
        working_dir: text(found.working_dir),
        stop_signal: text(found.stop_signal),
        entrypoint: words(found.entrypoint),
        cmd: words(found.cmd),
        shell: inherited.shell,
        healthcheck: inherited.healthcheck,
        on_build: Vec::new(),
        other: Default::default(),
        ..found
    };
    // A reserved label of the base says something about the base.
    run.labels.retain(|name, _| !is_reserved_label(name));
    for stage in chain {
        // Triggers of a stage or a base are done by now.
        run.on_build.clear();
        for step in &stage.steps {
            match &step.instruction {
                Instruction::Healthcheck(check) => run.healthcheck = Some(healthcheck(&run, check)),
                Instruction::Onbuild(trigger) => run.on_build.push(trigger.text.clone()),
                Instruction::Shell(shell) => run.shell = Some(shell.clone()),
                _ => {}
            }
        }
    }
    run
}

/// Returns the history of the instructions above the base, with `added` layers among them.
///
/// Tools make a layer of each stage, or of each instruction that changes files. Where it was neither,
/// the layers follow the instructions.
fn history(step: &BuildStep, chain: &[&PlannedStage<'_>], added: usize) -> Vec<History> {
    let steps: Vec<(&Step, bool)> = chain
        .iter()
        .flat_map(|stage| {
            let last = stage.steps.len().saturating_sub(1);
            stage.steps.iter().enumerate().map(move |(index, step)| (step, index == last))
        })
        .collect();
    let by_stage: Vec<bool> = steps.iter().map(|(_, is_last)| *is_last).collect();
    let by_step: Vec<bool> = steps.iter().map(|(step, _)| changes_files(&step.instruction)).collect();
    let fits = |layers: &Vec<bool>| layers.iter().filter(|is_layer| **is_layer).count() == added;
    let (layers, rest) = match [by_stage, by_step].into_iter().find(fits) {
        Some(layers) => (layers, 0),
        None => (vec![false; steps.len()], added),
    };
    let created = Some(timestamp(step).to_string());
    let written = steps.iter().zip(layers).map(|((step, _), is_layer)| History {
        created: created.clone(),
        created_by: Some(step.text.clone()),
        empty_layer: !is_layer,
        ..History::default()
    });
    let unnamed = (1..=rest).map(|layer| own_history(step, format!("ringsite: layer {layer} of {rest}")));
    written.chain(unnamed).collect()
}

fn changes_files(instruction: &Instruction) -> bool {
    use Instruction::{Add, Copy, Run, Workdir};
    matches!(instruction, Add(_) | Copy(_) | Run(_) | Workdir(_))
}
