//! The same image under another version: what the loser of a race does instead of building again.

use std::time::Instant;

use bytes::Bytes;
use ringsite_images::names::is_reserved_label;
use ringsite_names::Digest;
use ringsite_oci::{Descriptor, Registry};

use crate::error::BuildError;
use crate::layer::{Content, Contents, Entry, Inline, LayerCache, LayerWriter, Part};
use crate::names::PINS_FILE;
use crate::native::{Assembly, assemble, own_history, pins_text, push_image};
use crate::step::{BuildStep, Built, BuiltPlatform, Phases};

/// Makes the image of `built` again with the labels and pins of `step`, and nothing else changed.
///
/// Layers are taken as they are, but for the pins of a root image, which are a layer of their own.
/// Order of writes: the layer of pins, configurations, manifests, the index.
///
/// # Errors
/// The registry's own.
pub async fn relabel(built: &Built, step: &BuildStep, registry: &impl Registry) -> Result<Built, BuildError> {
    let start = Instant::now();
    let mut platforms = Vec::with_capacity(built.platforms.len());
    for image in &built.platforms {
        platforms.push(relabel_one(image, step, registry).await?);
    }
    let phases = Phases { manifests: start.elapsed(), ..Phases::default() };
    let assembly =
        Assembly { platforms, recipe: built.recipe.clone(), warnings: built.warnings.clone(), phases };
    assemble(step, assembly, registry).await
}

async fn relabel_one(
    image: &BuiltPlatform,
    step: &BuildStep,
    registry: &impl Registry,
) -> Result<BuiltPlatform, BuildError> {
    let mut image = image.clone();
    image.layers_reused = image.layers.len();
    image.layers_made = 0;
    let labels = &mut image.config.config.labels;
    labels.retain(|label, _| !is_reserved_label(label));
    labels.extend(step.labels.clone());
    if let Some(pins) = &step.pins {
        let own = pins_text(step);
        if image.config.history.last().and_then(|line| line.created_by.as_deref()) == Some(&own) {
            image.config.history.pop();
            image.config.rootfs.diff_ids.pop();
            image.layers.pop();
            image.layers_reused -= 1;
        }
        let (layer, diff_id) = put_pins(step, pins, registry).await?;
        image.layers.push(layer);
        image.layers_made = 1;
        image.config.rootfs.diff_ids.push(diff_id);
        image.config.history.push(own_history(step, own));
    }
    image.descriptor = push_image(step, &image.config, &image.layers, registry).await?;
    Ok(image)
}

/// Pushes the layer that pins the versions of a project, for an image whose content is not looked at.
pub(crate) async fn put_pins(
    step: &BuildStep,
    pins: &Bytes,
    registry: &impl Registry,
) -> Result<(Descriptor, Digest), BuildError> {
    let (folder, _) = PINS_FILE.split_once('/').expect("the pins stand in a folder of their own");
    let content = Content::Inline(Inline::new(pins.to_vec()));
    let file = Entry { path: PINS_FILE.into(), mode: 0o644, uid: 0, gid: 0, content };
    let writer = LayerWriter {
        repository: step.repository.clone(),
        epoch: u64::try_from(step.epoch).unwrap_or(0),
        threads: 1,
        cache: LayerCache::new(None),
    };
    let part = Part::whole(vec![Entry::directory(folder), file]);
    let contents = Contents::without_context(step.sources.clone());
    let layers = writer.put_all(registry, &contents, vec![part]).await?;
    let [layer] = layers.try_into().expect("one part becomes one layer");
    Ok((layer.descriptor, layer.diff_id))
}
