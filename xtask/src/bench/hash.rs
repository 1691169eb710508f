//! P2: hashing the sources of a project, beside `find … -exec sha256sum`.

use super::Bench;
use super::measure::{answer, cost};
use super::report::{Goal, Report, Side};
use super::tree::Shape;
use crate::error::Result;

/// 50,000 files of 10 KB, in one image.
const SHAPE: Shape = Shape { images: 2, files: 50_000, bytes: 10_000 };

pub(super) fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let project = SHAPE.write(&bench.folder("hash"))?;
    answer(&mut bench.ring(&project, &["images"]))?;
    let ours =
        Side::new("ring images --no-cache", || cost(&mut bench.ring(&project, &["images", "--no-cache"])));
    let theirs = Side::new("find -exec sha256sum {} +", || {
        let mut find = std::process::Command::new("find");
        cost(find.arg(project.join("images")).args(["-type", "f", "-exec", "sha256sum", "{}", "+"]))
    });
    let work = "SHA-256 of 50,000 files of 10 KB";
    report.pair(work, bench.rounds, Goal::TimesFaster(5.0), ours, theirs)?;
    report
        .missing("SHA-256 in memory beside `openssl speed`", "the product has no command that hashes memory");
    Ok(())
}
