//! What is on a site now against what would be there: the shrink guard and the preview in full.

use std::collections::BTreeSet;

use ringsite_oci::Registry;
use ringsite_rings::Site;

use crate::artifact::Artifact;
use crate::closure::ClosureProblems;
use crate::diff::{ObjectChange, diff_files, diff_objects};
use crate::objects::{ObjectKey, Objects};
use crate::publish::{FetchError, PublishError, fetch, published};
use crate::render::{Helm, Kustomize, RenderError};
use crate::shrink::{ShrinkRefusal, count_documents, count_objects, shrink};
use crate::tree::Tree;

/// A comparison that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The registry does not say what `latest` names.
    #[error(transparent)]
    Published(Box<PublishError>),
    /// What `latest` names cannot be read.
    #[error(transparent)]
    Fetch(Box<FetchError>),
    /// kustomize cannot be run.
    #[error(transparent)]
    Render(Box<RenderError>),
    /// Objects cannot be counted.
    #[error("count the objects of the {which} artifact: {problems}")]
    Count {
        /// `published` or `new`.
        which: &'static str,
        /// What is wrong with it.
        problems: ClosureProblems,
    },
}

impl From<PublishError> for GuardError {
    fn from(error: PublishError) -> Self {
        Self::Published(Box::new(error))
    }
}

impl From<FetchError> for GuardError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(Box::new(error))
    }
}

impl From<RenderError> for GuardError {
    fn from(error: RenderError) -> Self {
        Self::Render(Box::new(error))
    }
}

impl GuardError {
    /// Returns what to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Published(_) => "look whether the registry answers",
            Self::Render(error) => error.help(),
            Self::Fetch(_) | Self::Count { .. } => {
                "what stands there cannot be compared: place with --allow-shrink to replace it anyway"
            }
        }
    }
}

/// Compares what `latest` names with the artifact that would replace it, and returns why it must
/// not. A site without `latest` has nothing to lose.
///
/// # Errors
/// `GuardError` when the two cannot be compared; with `--allow-shrink` nobody asks.
pub async fn guard(
    registry: &impl Registry,
    site: &Site,
    artifact: &Artifact,
    kustomize: Option<&Kustomize>,
) -> Result<Option<ShrinkRefusal>, GuardError> {
    let Some(digest) = published(registry, &artifact.repository).await? else { return Ok(None) };
    if digest == artifact.digest {
        return Ok(None);
    }
    let before = fetch(registry, &artifact.repository, digest).await?;
    let (before, after) = count_both(site, &before, artifact.packed.tree(), kustomize).await?;
    Ok(shrink(&site.name, site.max_shrink, &before, &after))
}

/// Counts both in the same way: when kustomize makes nothing of one, the documents of both count.
async fn count_both(
    site: &Site,
    before: &Tree,
    after: &Tree,
    kustomize: Option<&Kustomize>,
) -> Result<(BTreeSet<ObjectKey>, BTreeSet<ObjectKey>), GuardError> {
    if let Some(kustomize) = kustomize
        && let Some((before, after)) =
            render_both(kustomize, Helm::of(site), Some(before), Some(after)).await?
    {
        return Ok((count_objects(&site.name, &before), count_objects(&site.name, &after)));
    }
    let count = |which, tree| {
        count_documents(&site.name, tree).map_err(|problems| GuardError::Count { which, problems })
    };
    Ok((count("published", before)?, count("new", after)?))
}

/// Returns the objects of both sides, or nothing when kustomize refuses one of them.
async fn render_both(
    kustomize: &Kustomize,
    helm: Helm,
    before: Option<&Tree>,
    after: Option<&Tree>,
) -> Result<Option<(Objects, Objects)>, RenderError> {
    let mut sides = [Objects::new(), Objects::new()];
    for (side, tree) in sides.iter_mut().zip([before, after]) {
        let Some(tree) = tree else { continue };
        match kustomize.objects(tree, helm).await {
            Ok(objects) => *side = objects,
            Err(error @ RenderError::Failed { .. }) => {
                tracing::warn!(%error, "compare without kustomize");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    let [before, after] = sides;
    Ok(Some((before, after)))
}

/// What would change on a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The changes, sorted by what names them.
    pub changes: Vec<ObjectChange>,
    /// Whether they are rendered objects; else they are files of the pinned sources.
    pub is_rendered: bool,
}

/// Compares two artifacts of a site: as rendered objects when kustomize is there and can render
/// both, else as files. A side that is missing has nothing.
///
/// # Errors
/// `RenderError` when kustomize cannot be run at all.
pub async fn preview(
    site: &Site,
    before: Option<&Tree>,
    after: Option<&Tree>,
    kustomize: Option<&Kustomize>,
) -> Result<Preview, RenderError> {
    if let Some(kustomize) = kustomize
        && let Some((before, after)) = render_both(kustomize, Helm::of(site), before, after).await?
    {
        return Ok(Preview { changes: diff_objects(&before, &after), is_rendered: true });
    }
    let nothing = Tree::new();
    let changes = diff_files(before.unwrap_or(&nothing), after.unwrap_or(&nothing));
    Ok(Preview { changes, is_rendered: false })
}
