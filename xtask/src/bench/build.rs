//! P3: the native build of an image that only copies, beside buildah and `umoci insert`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Bench;
use super::measure::{Cost, answer, cost};
use super::report::{Goal, Report, Side};
use super::tree::{Shape, content, put, source};
use crate::error::{Result, TaskError};

/// 50,000 files, 500 MB, in one image.
const LARGE: Shape = Shape { images: 2, files: 50_000, bytes: 10_000 };
/// One file in one image.
const SMALL: Shape = Shape { images: 2, files: 1, bytes: 1_000 };
/// What a build may take at most.
const PEAK_MEBIBYTES_MAX: f64 = 32.0;
/// Rounds beside buildah on the large tree: each takes a minute or more there.
const LARGE_ROUNDS_MAX: usize = 5;

/// The image that is built.
const IMAGE: &str = "image-0001";

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let large = LARGE.write(&bench.folder("build"))?;
    let small = SMALL.write(&bench.folder("build-small"))?;
    for project in [&large, &small] {
        answer(&mut bench.ring(project, &["release"]))?;
    }
    let rounds = bench.rounds.min(LARGE_ROUNDS_MAX);
    one_change(bench, report, &large, rounds)?;
    beside_umoci(bench, report, &large, rounds)?;
    nothing_changed(bench, report, &large, rounds)?;
    small_image(bench, report, &small)?;
    report.missing("gzip beside `pigz -p2 -6`", "the product has no command that only compresses");
    if bench.peer("buildctl").is_err() {
        report.missing("the same beside BuildKit", "`buildctl` is not in RING_PEERS_DIR or on PATH");
    }
    Ok(())
}

/// Returns a call of `buildah build` with a storage of its own; the caller adds the context.
pub(super) fn buildah(bench: &Bench, storage: &Path) -> Result<Command> {
    let configuration = storage.join("storage.conf");
    let text = format!(
        "[storage]\ndriver = \"vfs\"\ngraphroot = \"{0}/graph\"\nrunroot = \"{0}/run\"\n",
        storage.display()
    );
    put(&configuration, text.as_bytes())?;
    let mut command = bench.peer("buildah").map_err(TaskError::new)?;
    command.env("CONTAINERS_STORAGE_CONF", configuration);
    command.args(["--storage-driver", "vfs", "build", "--isolation", "chroot", "--layers", "--tag", "bench"]);
    Ok(command)
}

/// Changes one file of the image; every call writes another content.
struct Edit {
    file: PathBuf,
    count: usize,
    bytes: usize,
}

impl Edit {
    fn of(project: &Path, shape: Shape) -> Self {
        let file = source(&project.join("images").join(IMAGE), shape.files / 2);
        // Other than what earlier runs wrote: the process number tells runs apart.
        let count = usize::try_from(std::process::id()).unwrap_or(0) * 1_000;
        Self { file, count, bytes: shape.bytes }
    }

    fn make(&mut self) -> Result<()> {
        self.count += 1;
        put(&self.file, &content(self.count, self.bytes))
    }
}

fn release(bench: &Bench, project: &Path) -> Result<Cost> {
    cost(&mut bench.ring(project, &["release", "--image", IMAGE, "--no-place"]))
}

fn one_change(bench: &Bench, report: &mut Report, project: &Path, rounds: usize) -> Result<()> {
    let work = "one file changed of 50,000 (500 MB)";
    if let Err(why) = bench.peer("buildah") {
        report.missing(work, &why);
        return Ok(());
    }
    let storage = bench.folder("buildah-large");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut edit = Edit::of(project, LARGE);
    for round in 0..=rounds {
        edit.make()?;
        let our = release(bench, project)?;
        let their = cost(buildah(bench, &storage)?.arg(project.join("images").join(IMAGE)))?;
        // Each build leaves a copy of the whole tree in the storage: only the last one is kept.
        prune(bench, &storage)?;
        if round > 0 {
            ours.push(our);
            theirs.push(their);
        }
    }
    let peak = ours.iter().map(|cost| cost.peak_bytes).max().unwrap_or(0);
    report.compare(
        work,
        Goal::TimesFaster(45.0),
        ("ring release --image", &ours),
        ("buildah build", &theirs),
    );
    report.value(
        "peak memory of the native build",
        super::report::mebibytes(peak),
        "MiB",
        Some(PEAK_MEBIBYTES_MAX),
    );
    Ok(())
}

/// Removes the images of earlier builds from a storage.
fn prune(bench: &Bench, storage: &Path) -> Result<()> {
    let mut command = bench.peer("buildah").map_err(TaskError::new)?;
    command.env("CONTAINERS_STORAGE_CONF", storage.join("storage.conf"));
    // An image that is still named stays: that one is the base of the next build's cache.
    command.args(["--storage-driver", "vfs", "rmi", "--prune"]);
    answer(&mut command).map(|_| ())
}

fn beside_umoci(bench: &Bench, report: &mut Report, project: &Path, rounds: usize) -> Result<()> {
    let work = "one file changed of 50,000 (500 MB), beside umoci";
    if let Err(why) = bench.peer("umoci") {
        report.missing(work, &why);
        return Ok(());
    }
    let layout = bench.folder("umoci");
    let umoci = |arguments: &[&str]| -> Result<Command> {
        let mut umoci = bench.peer("umoci").map_err(TaskError::new)?;
        umoci.args(arguments);
        Ok(umoci)
    };
    let image = format!("{}:bench", layout.display());
    let fresh = || -> Result<()> {
        if layout.exists() {
            fs::remove_dir_all(&layout).map_err(TaskError::at("remove", &layout))?;
        }
        answer(umoci(&["init", "--layout"])?.arg(&layout))?;
        answer(&mut umoci(&["new", "--image", &image])?).map(|_| ())
    };
    let mut edit = Edit::of(project, LARGE);
    let ours = Side::new("ring release --image", || {
        edit.make()?;
        release(bench, project)
    });
    let theirs = Side::new("umoci insert", || {
        fresh()?;
        let sources = project.join("images").join(IMAGE).join("src");
        cost(umoci(&["insert", "--rootless", "--image", &image])?.arg(sources).arg("/src"))
    });
    report.pair(work, rounds, Goal::TimesFaster(7.0), ours, theirs)?;
    fs::remove_dir_all(&layout).map_err(TaskError::at("remove", &layout))
}

fn nothing_changed(bench: &Bench, report: &mut Report, project: &Path, rounds: usize) -> Result<()> {
    let work = "nothing changed of 50,000 files";
    if let Err(why) = bench.peer("buildah") {
        report.missing(work, &why);
        return Ok(());
    }
    let storage = bench.folder("buildah-large");
    let ours = Side::new("ring release --image", || release(bench, project));
    let theirs = Side::new("buildah build", || {
        cost(buildah(bench, &storage)?.arg(project.join("images").join(IMAGE)))
    });
    report.pair(work, rounds, Goal::TimesFaster(200.0), ours, theirs)?;
    fs::remove_dir_all(&storage).map_err(TaskError::at("remove", &storage))
}

fn small_image(bench: &Bench, report: &mut Report, project: &Path) -> Result<()> {
    let work = "an image of one file, changed";
    if let Err(why) = bench.peer("buildah") {
        report.missing(work, &why);
        return Ok(());
    }
    let storage = bench.folder("buildah-small");
    let edit = std::cell::RefCell::new(Edit::of(project, SMALL));
    let ours = Side::new("ring release --image", || {
        edit.borrow_mut().make()?;
        release(bench, project)
    });
    let theirs = Side::new("buildah build", || {
        edit.borrow_mut().make()?;
        cost(buildah(bench, &storage)?.arg(project.join("images").join(IMAGE)))
    });
    report.pair(work, bench.rounds, Goal::TimesFaster(18.0), ours, theirs)?;
    fs::remove_dir_all(&storage).map_err(TaskError::at("remove", &storage))
}
