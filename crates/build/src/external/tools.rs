//! The command lines of the tools, and where they leave their result.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ringsite_images::names::is_reserved_label;
use ringsite_names::ImageName;
use ringsite_oci::names::FOLDER_BLOBS;
use tokio::fs;

use crate::error::BuildError;
use crate::external::definition::{Text, WrittenStage};
use crate::external::export::Exported;
use crate::external::plan::Plan;
use crate::external::program::{Program, Tool};
use crate::external::scratch::Scratch;
use crate::names::BUILD_CONTEXT_PREFIX;
use crate::step::{Bases, BuildStep};

/// Images of a build are local and were verified on their way here, so no signature is asked for.
const POLICY: &[u8] = br#"{"default":[{"type":"insecureAcceptAnything"}]}"#;

/// What a tool left in a folder.
pub(super) struct Output {
    /// The manifest, or an index of it.
    pub(super) manifest: PathBuf,
    /// The folder of the blobs by algorithm, or without one by digest alone.
    pub(super) blobs: PathBuf,
    pub(super) is_by_algorithm: bool,
}

/// One run of a tool.
struct Run<'r> {
    program: &'r Program,
    image: &'r ImageName,
    scratch: &'r Scratch,
}

/// Builds the image of a plan and returns where the tool left it.
///
/// # Errors
/// `Failed` with the last lines of the tool; `Disk`.
pub(super) async fn build(
    program: &Program,
    step: &BuildStep,
    bases: &Bases,
    plan: &Plan<'_>,
    exported: &[Exported],
    scratch: &Scratch,
) -> Result<Output, BuildError> {
    let run = Run { program, image: &step.image, scratch };
    let names = match program.tool() {
        Tool::Buildx => (0..exported.len()).map(|index| format!("{BUILD_CONTEXT_PREFIX}{index}")).collect(),
        Tool::Buildah | Tool::Podman => run.pull(exported).await?,
    };
    let file = scratch.path("Containerfile");
    write(&file, text(step, bases, plan, &names).as_bytes()).await?;
    // Sources were chosen already; an ignore file among them must not choose again.
    write(&scratch.path("Containerfile.dockerignore"), b"").await?;
    match program.tool() {
        Tool::Buildx => run.buildx(step, plan, exported, &names).await,
        Tool::Buildah | Tool::Podman => run.buildah(step, plan).await,
    }
}

fn text(step: &BuildStep, bases: &Bases, plan: &Plan<'_>, names: &[String]) -> String {
    let file = &plan.variant.containerfile;
    let stages = plan.stages.iter().map(|planned| WrittenStage {
        index: planned.stage.index,
        line: planned.stage.line,
        base: &planned.stage.base,
        image: planned.base.map(|base| names[base].as_str()),
        platform: planned.stage.base_platform.as_deref(),
        steps: &planned.steps,
    });
    let text = Text {
        escape: file.escape,
        globals: &file.globals,
        arguments: &step.sources.arguments().args,
        stages: stages.collect(),
        name: &|origin| plan.origin(origin, bases).map(|image| names[image].clone()),
    };
    text.write()
}

impl Run<'_> {
    async fn run(&self, arguments: Vec<OsString>) -> Result<String, BuildError> {
        self.program.run(self.image, self.scratch.folder(), arguments).await
    }

    /// Returns the arguments that make buildah and podman keep everything in the folder of the build.
    fn own_storage(&self) -> Vec<OsString> {
        let folder = |name: &str| self.scratch.path(name).into_os_string();
        // podman refuses a `--runroot` of more than 50 characters; this one is relative to the folder.
        let mut arguments = vec!["--root".into(), folder("storage"), "--runroot".into(), "state".into()];
        arguments.extend(["--storage-driver", "vfs"].map(OsString::from));
        if self.program.tool() == Tool::Podman {
            arguments.extend(["--tmpdir".into(), folder("podman")]);
            arguments
                .extend(["--events-backend", "none", "--cgroup-manager", "cgroupfs"].map(OsString::from));
        }
        arguments
    }

    fn policy(&self) -> OsString {
        self.scratch.path("policy.json").into()
    }

    /// Gives images to buildah or podman; returns their ids there.
    async fn pull(&self, exported: &[Exported]) -> Result<Vec<String>, BuildError> {
        write(Path::new(&self.policy()), POLICY).await?;
        let mut ids = Vec::with_capacity(exported.len());
        for image in exported {
            let mut arguments = self.own_storage();
            arguments.extend(["pull", "--quiet", "--signature-policy"].map(OsString::from));
            // Without a name the path becomes one, and most paths are none. The tool runs in the folder
            // of the build, because a colon in a path would end it.
            let name = image.folder.file_name().unwrap_or_default().to_string_lossy();
            arguments.extend([self.policy(), format!("oci:{name}:{name}").into()]);
            let said = self.run(arguments).await?;
            ids.push(said.lines().last().unwrap_or_default().trim().to_owned());
        }
        Ok(ids)
    }

    async fn buildah(&self, step: &BuildStep, plan: &Plan<'_>) -> Result<Output, BuildError> {
        let id_file = self.scratch.path("id");
        let mut arguments = self.own_storage();
        arguments.extend(["build", "--signature-policy"].map(OsString::from));
        arguments.push(self.policy());
        let fixed = ["--pull=never", "--isolation=chroot", "--format=docker", "--layers=false"];
        arguments.extend(fixed.map(OsString::from));
        arguments.push("--identity-label=false".into());
        arguments.push(format!("--timestamp={}", step.epoch).into());
        arguments.push(joined("--iidfile=", &id_file));
        arguments.push(joined("--ignorefile=", &self.scratch.path("Containerfile.dockerignore")));
        self.common(step, plan, &mut arguments);
        self.run(arguments).await?;
        let id = fs::read_to_string(&id_file).await;
        let id = id.map_err(|source| BuildError::disk("read", &id_file, source))?;
        let id = id.trim();

        let output = self.scratch.path("output");
        let mut arguments = self.own_storage();
        arguments.extend(["push", "--quiet", "--signature-policy"].map(OsString::from));
        arguments.push(self.policy());
        // Compressing would be done again here; podman does not unless it is told to.
        if self.program.tool() == Tool::Buildah {
            arguments.push("--disable-compression".into());
        }
        arguments.extend([id.strip_prefix("sha256:").unwrap_or(id).into(), "dir:output".into()]);
        self.run(arguments).await?;
        Ok(Output { manifest: output.join("manifest.json"), blobs: output, is_by_algorithm: false })
    }

    async fn buildx(
        &self,
        step: &BuildStep,
        plan: &Plan<'_>,
        exported: &[Exported],
        names: &[String],
    ) -> Result<Output, BuildError> {
        let output = self.scratch.path("output");
        let fixed = ["buildx", "build", "--progress=plain", "--provenance=false", "--sbom=false"];
        let mut arguments: Vec<OsString> = fixed.map(OsString::from).to_vec();
        for (image, name) in exported.iter().zip(names) {
            arguments.push("--build-context".into());
            let mut context = joined(&format!("{name}=oci-layout://"), &image.folder);
            context.push(format!("@{}", image.digest));
            arguments.push(context);
        }
        arguments.push(format!("--build-arg=SOURCE_DATE_EPOCH={}", step.epoch).into());
        arguments.push(joined("--output=type=oci,tar=false,compression=uncompressed,dest=", &output));
        self.common(step, plan, &mut arguments);
        self.run(arguments).await?;
        let blobs = output.join(FOLDER_BLOBS);
        Ok(Output { manifest: output.join("index.json"), blobs, is_by_algorithm: true })
    }

    /// Adds what all tools understand alike; the sources come last.
    fn common(&self, step: &BuildStep, plan: &Plan<'_>, arguments: &mut Vec<OsString>) {
        arguments.push(format!("--platform={}", plan.variant.platform).into());
        for (name, value) in &step.sources.arguments().args {
            arguments.push(format!("--build-arg={name}={value}").into());
        }
        for (name, value) in checked_labels(step) {
            arguments.push(format!("--label={name}={value}").into());
        }
        arguments.push(joined("--file=", &self.scratch.path("Containerfile")));
        arguments.push(self.scratch.sources().into());
    }
}

/// Returns the labels that a tool is given, so that its result can be told from any other.
///
/// Others may have characters that tools change; they are set afterwards.
pub(super) fn checked_labels(step: &BuildStep) -> impl Iterator<Item = (&String, &String)> {
    let is_plain =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/:".contains(&byte));
    step.labels.iter().filter(move |(name, value)| is_reserved_label(name) && is_plain(value))
}

fn joined(before: &str, path: &Path) -> OsString {
    let mut text = OsString::from(before);
    text.push(path);
    text
}

async fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    fs::write(path, bytes).await.map_err(|source| BuildError::disk("write", path, source))
}
