//! Runs `kustomize build` on a tree: for sites with `render`, for the preview, and for counting.
//!
//! The only module of this crate that starts a program. Who calls says which program, how long it
//! may take and where temporary folders may be; nothing is looked up here.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use ringsite_rings::{Deliver, Site};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use crate::artifact::{Artifact, Environment, Format, Hosts, SiteRequest, rendered};
use crate::closure::Closure;
use crate::files::{DeliverError, Durable, write_tree};
use crate::limits::{RENDER_MESSAGE_BYTES_MAX, RENDER_OUTPUT_BYTES_MAX};
use crate::objects::{Objects, objects};
use crate::tree::Tree;
use crate::yaml::{self, YamlError};

/// The option that lets kustomize run helm.
const ENABLE_HELM: &str = "--enable-helm";

/// A `kustomize` program.
#[derive(Clone, Debug)]
pub struct Kustomize {
    /// The program, found by the caller.
    pub program: PathBuf,
    /// How long one build may take.
    pub timeout: Duration,
    /// The folder for temporary trees; made when it is missing.
    pub scratch: PathBuf,
}

/// Whether kustomize may run helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helm {
    /// Charts are refused.
    Off,
    /// Charts below `/environments` are inflated.
    On,
}

impl Helm {
    /// Returns what a site's own agent does: charts need `render`, or the option for Argo CD.
    pub fn of(site: &Site) -> Self {
        let options = site.kustomize_options.as_deref().unwrap_or_default();
        if site.render || options.split_whitespace().any(|option| option == ENABLE_HELM) {
            Self::On
        } else {
            Self::Off
        }
    }
}

/// A tree that was not rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The site asks for rendered objects, and there is no program.
    #[error("site {site} has `render = true`, and there is no kustomize on PATH")]
    NoKustomize {
        /// The site.
        site: String,
    },
    /// The program cannot be started, or its output cannot be read.
    #[error("run {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The tree cannot be written to the temporary folder.
    #[error(transparent)]
    Scratch(#[from] DeliverError),
    /// The program says no.
    #[error("kustomize build: {message}")]
    Failed {
        /// What it said last.
        message: String,
    },
    /// The program took too long.
    #[error("kustomize build took more than {} s and was stopped", timeout.as_secs_f64())]
    TimedOut {
        /// The bound.
        timeout: Duration,
    },
    /// The program printed too much.
    #[error("kustomize build printed more than {RENDER_OUTPUT_BYTES_MAX} bytes")]
    TooLarge,
    /// The program printed something that is no YAML.
    #[error("kustomize build printed what is no YAML: {0}")]
    Output(#[source] YamlError),
}

impl RenderError {
    /// Returns what to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoKustomize { .. } => "install kustomize 5, or take `render` off the site",
            Self::Start { .. } => {
                "install kustomize 5 where PATH finds it, or take it off PATH to go without it"
            }
            Self::Scratch(error) => error.help(),
            Self::Failed { .. } => "repair the environment: `kustomize build` on it says the same",
            Self::TimedOut { .. } | Self::TooLarge => {
                "split the environment, or look for what makes it so large"
            }
            Self::Output(_) => "check that the program is kustomize 5",
        }
    }
}

impl Kustomize {
    /// Returns what `kustomize build` prints for the top of `tree`.
    ///
    /// The program is stopped when the future is dropped.
    ///
    /// # Errors
    /// `Start`, `Scratch`, `Failed`, `TimedOut`, `TooLarge`.
    pub async fn build(&self, tree: &Tree, helm: Helm) -> Result<Vec<u8>, RenderError> {
        let folder = self.write(tree).await?;
        let mut command = Command::new(&self.program);
        command.arg("build");
        if helm == Helm::On {
            command.arg(ENABLE_HELM);
        }
        command.arg(".").current_dir(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let failed = |source| RenderError::Start { program: self.program.clone(), source };
        let mut child = command.spawn().map_err(failed)?;
        match tokio::time::timeout(self.timeout, output(&mut child)).await {
            Ok(output) => output.map_err(failed)?,
            Err(_) => {
                child.kill().await.map_err(failed)?;
                Err(RenderError::TimedOut { timeout: self.timeout })
            }
        }
    }

    /// Returns the objects that kustomize makes of the top of `tree`.
    ///
    /// # Errors
    /// As [`build`](Self::build), and `Output` when it prints no YAML.
    pub async fn objects(&self, tree: &Tree, helm: Helm) -> Result<Objects, RenderError> {
        let printed = self.build(tree, helm).await?;
        Ok(objects(yaml::documents(&printed).map_err(RenderError::Output)?))
    }

    /// Writes the tree into a temporary folder, which goes when the value is dropped.
    async fn write(&self, tree: &Tree) -> Result<tempfile::TempDir, RenderError> {
        let (scratch, tree) = (self.scratch.clone(), tree.clone());
        let written = tokio::task::spawn_blocking(move || {
            let disk = |source| DeliverError::Disk { action: "create", path: scratch.clone(), source };
            std::fs::create_dir_all(&scratch).map_err(disk)?;
            let folder = tempfile::Builder::new().prefix("render-").tempdir_in(&scratch).map_err(disk)?;
            write_tree(folder.path(), &tree, Durable::No)?;
            Ok::<_, DeliverError>(folder)
        });
        Ok(written.await.expect("the thread that writes does not panic and is not cancelled")?)
    }
}

/// Reads both streams at once, so that neither side waits for the other, and no more than the bounds.
async fn output(child: &mut Child) -> std::io::Result<Result<Vec<u8>, RenderError>> {
    let stdout = child.stdout.take().expect("stdout was piped");
    let stderr = child.stderr.take().expect("stderr was piped");
    let (printed, said) = tokio::join!(bounded(stdout), last(stderr));
    let (printed, said) = (printed?, said?);
    let Some(printed) = printed else {
        child.kill().await?;
        return Ok(Err(RenderError::TooLarge));
    };
    if child.wait().await?.success() {
        return Ok(Ok(printed));
    }
    let said = String::from_utf8_lossy(&said);
    let message = said.trim().trim_start_matches("Error: ");
    let message = if message.is_empty() { "it failed without a word" } else { message };
    Ok(Err(RenderError::Failed { message: message.to_owned() }))
}

async fn bounded(stream: impl AsyncRead + Unpin) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    stream.take(RENDER_OUTPUT_BYTES_MAX + 1).read_to_end(&mut bytes).await?;
    Ok((bytes.len() as u64 <= RENDER_OUTPUT_BYTES_MAX).then_some(bytes))
}

/// Reads to the end and keeps the last bytes: that is where programs say why they stopped.
async fn last(mut stream: impl AsyncRead + Unpin) -> std::io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).await?;
        if read == 0 {
            return Ok(kept);
        }
        kept.extend_from_slice(&piece[..read]);
        let surplus = kept.len().saturating_sub(RENDER_MESSAGE_BYTES_MAX);
        kept.drain(..surplus);
    }
}

/// Makes a site's artifact: the pinned sources, or what kustomize makes of them for a site with
/// `render`.
///
/// # Errors
/// `NoKustomize` when the site needs it; `RenderError` when the environment does not render.
pub async fn artifact(
    request: &SiteRequest<'_>,
    environment: &Environment,
    format: Format,
    kustomize: Option<&Kustomize>,
) -> Result<Artifact, RenderError> {
    let packed = if request.site.render {
        let site = request.site.name.to_string();
        let kustomize = kustomize.ok_or(RenderError::NoKustomize { site })?;
        rendered(&kustomize.build(&environment.tree(request), Helm::On).await?)
    } else {
        environment.pack(request)
    };
    Ok(Artifact::new(request, packed, format))
}

/// Why a site cannot get its artifact in the way that it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteRefusal {
    /// Flux does not inflate charts of an overlay.
    #[error(
        "site {site}: environment {environment} names helm charts ({chart}), which Flux does not inflate"
    )]
    ChartsForFlux {
        /// The site.
        site: String,
        /// The environment.
        environment: String,
        /// The first chart, as file and field.
        chart: String,
    },
    /// Argo CD inflates charts of an overlay only when told so.
    #[error(
        "site {site}: environment {environment} names helm charts ({chart}), which Argo CD inflates only with --enable-helm"
    )]
    ChartsForArgoCd {
        /// The site.
        site: String,
        /// The environment.
        environment: String,
        /// The first chart, as file and field.
        chart: String,
    },
    /// No cluster can pull from a folder.
    #[error("site {site} is delivered by {deliver}, and no cluster can pull from a folder")]
    NotPullable {
        /// The site.
        site: String,
        /// The way of delivery.
        deliver: &'static str,
    },
}

impl SiteRefusal {
    /// Returns what to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::ChartsForFlux { .. } => "set `render = true` on the site",
            Self::ChartsForArgoCd { .. } => {
                "set `render = true` on the site, or `kustomize_options = \"--enable-helm\"` when Argo CD runs with it"
            }
            Self::NotPullable { .. } => {
                "set `pull` on the site or for the project, or use a registry with a host"
            }
        }
    }
}

/// Returns every reason why `site` cannot get this environment in the way that it asks for.
pub fn check_site(site: &Site, closure: &Closure, hosts: &Hosts) -> Vec<SiteRefusal> {
    let mut refusals = Vec::new();
    let (name, environment) = (site.name.to_string(), site.environment.to_string());
    for deliver in &site.deliver {
        let pulls = matches!(deliver, Deliver::Flux | Deliver::Argocd);
        if pulls && hosts.for_site(site).is_none() {
            refusals.push(SiteRefusal::NotPullable { site: name.clone(), deliver: deliver.as_str() });
        }
        let Some(chart) = closure.charts.first().cloned().filter(|_| !site.render) else { continue };
        let (site_name, environment) = (name.clone(), environment.clone());
        match deliver {
            Deliver::Flux => {
                refusals.push(SiteRefusal::ChartsForFlux { site: site_name, environment, chart })
            }
            Deliver::Argocd if Helm::of(site) == Helm::Off => {
                refusals.push(SiteRefusal::ChartsForArgoCd { site: site_name, environment, chart });
            }
            _ => {}
        }
    }
    refusals
}
