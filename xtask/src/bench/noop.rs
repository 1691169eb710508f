//! P1: a release that finds nothing to do, beside `git status` of the same tree and beside buildah.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::Bench;
use super::measure::{answer, cost};
use super::report::{Goal, Report, Side};
use super::tree::Shape;
use crate::error::{Result, TaskError};

/// 1,000 images, 21,000 files, 177 MB.
pub(super) const SHAPE: Shape = Shape { images: 1_000, files: 20, bytes: 8_850 };
/// A million files.
const LONG: Shape = Shape { images: 1_000, files: 1_000, bytes: 100 };
/// Images that buildah builds once more; the figure for all of them is worked out from these.
const BUILDAH_IMAGES: usize = 5;

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    beside_git(bench, report, SHAPE, "noop", "1,000 images, 21,000 files, 177 MB", (1.0, 4.0))?;
    beside_buildah(bench, report)?;
    if bench.long {
        beside_git(bench, report, LONG, "million", "1,000 images, a million files", (0.6, 4.0))?;
    }
    Ok(())
}

/// Measures with the stat cache and without it; the goals are the two factors of the time of git.
fn beside_git(
    bench: &Bench,
    report: &mut Report,
    shape: Shape,
    name: &str,
    tree: &str,
    goals: (f64, f64),
) -> Result<()> {
    let project = shape.write(&bench.folder(name))?;
    answer(&mut bench.ring(&project, &["release"]))?;
    if let Err(why) = bench.peer("git") {
        report.missing(&format!("no-op release, {tree}"), &why);
        return Ok(());
    }
    prepare_git(bench, &project)?;
    let git = || {
        Side::new("git status", || {
            let mut git = bench.peer("git").map_err(TaskError::new)?;
            cost(git.arg("-C").arg(&project).arg("status"))
        })
    };
    let ring = |arguments: &'static [&'static str]| {
        Side::new(format!("ring {}", arguments.join(" ")), || cost(&mut bench.ring(&project, arguments)))
    };
    let work = format!("no-op release, {tree}");
    report.pair(&work, bench.rounds, Goal::AtMost(goals.0), ring(&["release"]), git())?;
    let work = format!("no-op release, every byte read again, {tree}");
    report.pair(&work, bench.rounds, Goal::AtMost(goals.1), ring(&["release", "--no-cache"]), git())
}

/// Makes the project a repository with everything committed and an index that is not racy.
fn prepare_git(bench: &Bench, project: &Path) -> Result<()> {
    let git = |arguments: &[&str]| -> Result<()> {
        let mut git = bench.peer("git").map_err(TaskError::new)?;
        git.arg("-C")
            .arg(project)
            .args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"])
            .args(arguments);
        answer(&mut git).map(|_| ())
    };
    if !project.join(".git").exists() {
        git(&["init", "--quiet"])?;
        git(&["add", "--all"])?;
        git(&["commit", "--quiet", "-m", "all"])?;
    }
    // Files as young as the index would be read again by both programs: that is not what is measured.
    thread::sleep(Duration::from_millis(1_100));
    git(&["update-index", "-q", "--refresh"])
}

fn beside_buildah(bench: &Bench, report: &mut Report) -> Result<()> {
    let work = "no-op release, beside building each image with buildah (worked out from 5 of them)";
    if let Err(why) = bench.peer("buildah") {
        report.missing(work, &why);
        return Ok(());
    }
    let project = bench.folder("noop").join("project");
    let storage = bench.folder("buildah-noop");
    let build = |number: usize| -> Result<super::measure::Cost> {
        let image = project.join(format!("images/image-{number:04}"));
        cost(super::build::buildah(bench, &storage)?.arg(&image))
    };
    for number in 1..=BUILDAH_IMAGES {
        build(number)?;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..bench.rounds {
        ours.push(cost(&mut bench.ring(&project, &["release"]))?);
        let mut all = build(1)?;
        for number in 2..=BUILDAH_IMAGES {
            let one = build(number)?;
            all.wall += one.wall;
            all.cpu += one.cpu;
            all.peak_bytes = all.peak_bytes.max(one.peak_bytes);
        }
        let factor = u32::try_from(SHAPE.images / BUILDAH_IMAGES).unwrap_or(1);
        all.wall *= factor;
        all.cpu *= factor;
        theirs.push(all);
    }
    report.compare(
        work,
        Goal::TimesFaster(2_500.0),
        ("ring release", &ours),
        ("buildah build, 1,000 times", &theirs),
    );
    fs::remove_dir_all(&storage).map_err(TaskError::at("remove", &storage))
}
