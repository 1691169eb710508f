//! P1g: changes made to be overlooked; the stat cache must see each of them.
//!
//! Each round changes one file of every image in one of the ways below, then asks the product for
//! all revisions, with the cache and without it. A revision that is not the one without the cache,
//! or that is the one from before, is a change that was overlooked.

use std::collections::BTreeMap;
use std::fs::{self, FileTimes};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use serde_json::Value;

use super::Bench;
use super::measure::answer;
use super::report::Report;
use super::tree::{Shape, content, put, source};
use crate::error::{Result, TaskError};

const SHAPE: Shape = Shape { images: 201, files: 6, bytes: 400 };
/// 50 rounds over 200 images: 10,000 changes.
const ROUNDS: usize = 50;

/// Changes something in the folder of an image; the number of the round makes the content differ.
type Change = fn(&Path, usize) -> Result<()>;

/// The ways to change a file so that a careless cache does not see it.
const KINDS: &[(&str, Change)] = &[
    ("same size, time restored", same_size_and_time),
    ("same size, same tick", same_tick),
    ("two files change places", rename_swap),
    ("another file by hard link", hard_link),
    ("link to another target of the same length", link_target),
    ("execute bit", mode),
];

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let folder = bench.folder("edits");
    if folder.exists() {
        // Earlier edits would make this run another one.
        fs::remove_dir_all(&folder).map_err(TaskError::at("remove", &folder))?;
    }
    let project = SHAPE.write(&folder)?;
    let images: Vec<_> = (1..SHAPE.images).map(|number| format!("image-{number:04}")).collect();
    for image in &images {
        let link = project.join("images").join(image).join("src/link");
        symlink("target-0", &link).map_err(TaskError::at("link", &link))?;
    }
    let mut before = revisions(bench, &project, &[])?;
    let (mut made, mut seen) = (0_u32, 0_u32);
    for round in 0..ROUNDS {
        for (number, image) in images.iter().enumerate() {
            let (_, edit) = KINDS[(round + number) % KINDS.len()];
            edit(&project.join("images").join(image), round)?;
            made += 1;
        }
        let cached = revisions(bench, &project, &[])?;
        let read = revisions(bench, &project, &["--no-cache"])?;
        for (number, image) in images.iter().enumerate() {
            let (kind, _) = KINDS[(round + number) % KINDS.len()];
            if cached.get(image) == read.get(image) && cached.get(image) != before.get(image) {
                seen += 1;
            } else {
                report.say(&format!("  overlooked in round {round}: {image}: {kind}"));
            }
        }
        before = cached;
    }
    report.value(
        &format!("adversarial edits overlooked, of {made}"),
        f64::from(made - seen),
        "edits",
        Some(0.0),
    );
    Ok(())
}

/// Returns the revision of every image.
fn revisions(bench: &Bench, project: &Path, flags: &[&str]) -> Result<BTreeMap<String, String>> {
    let arguments = [&["images", "-o", "json"], flags].concat();
    let text = answer(&mut bench.ring(project, &arguments))?;
    let document: Value =
        serde_json::from_str(&text).map_err(TaskError::json("read what `ring images` answers"))?;
    let images = document["images"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(images.iter().map(|image| (text(&image["image"]), text(&image["revision"]))).collect())
}

fn same_size_and_time(image: &Path, round: usize) -> Result<()> {
    let path = source(image, 0);
    let metadata = path.metadata().map_err(TaskError::at("read", &path))?;
    let time = metadata.modified().map_err(TaskError::at("read", &path))?;
    put(&path, &content(round * 31 + 7, SHAPE.bytes))?;
    let file = fs::File::options().write(true).open(&path).map_err(TaskError::at("open", &path))?;
    file.set_times(FileTimes::new().set_modified(time)).map_err(TaskError::at("set the time of", &path))
}

fn same_tick(image: &Path, round: usize) -> Result<()> {
    let path = source(image, 1);
    put(&path, &content(round * 37 + 1, SHAPE.bytes))?;
    put(&path, &content(round * 37 + 2, SHAPE.bytes))
}

fn rename_swap(image: &Path, _: usize) -> Result<()> {
    let (one, two, aside) = (source(image, 2), source(image, 3), image.join("aside"));
    for (from, to) in [(&one, &aside), (&two, &one), (&aside, &two)] {
        fs::rename(from, to).map_err(TaskError::at("rename", from))?;
    }
    Ok(())
}

fn hard_link(image: &Path, round: usize) -> Result<()> {
    let (path, other) = (source(image, 4), image.join("other"));
    // The new content is older than the cache: its own time says nothing about when it came here.
    let time =
        path.metadata().and_then(|metadata| metadata.modified()).map_err(TaskError::at("read", &path))?;
    put(&other, &content(round * 41 + 3, SHAPE.bytes))?;
    let file = fs::File::options().write(true).open(&other).map_err(TaskError::at("open", &other))?;
    file.set_times(FileTimes::new().set_modified(time)).map_err(TaskError::at("set the time of", &other))?;
    fs::remove_file(&path).map_err(TaskError::at("remove", &path))?;
    fs::hard_link(&other, &path).map_err(TaskError::at("link", &path))?;
    fs::remove_file(&other).map_err(TaskError::at("remove", &other))
}

fn link_target(image: &Path, round: usize) -> Result<()> {
    let link = image.join("src/link");
    let old = fs::read_link(&link).map_err(TaskError::at("read", &link))?;
    let letter = char::from(b'a' + u8::try_from(round % 26).unwrap_or(0));
    let mut target = format!("target-{letter}");
    if old == Path::new(&target) {
        target = "target-0".into();
    }
    fs::remove_file(&link).map_err(TaskError::at("remove", &link))?;
    symlink(target, &link).map_err(TaskError::at("link", &link))
}

fn mode(image: &Path, _: usize) -> Result<()> {
    let path = source(image, 5);
    let mode = path.metadata().map_err(TaskError::at("read", &path))?.permissions().mode();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode ^ 0o111))
        .map_err(TaskError::at("change", &path))
}
