//! A disk that fails at any one step, and a process that dies at any one step.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use ringsite_names::Digest;

use super::{Bench, all_tags, push, push_tag, put_large, read_index, read_tag, repository, run, tag};
use crate::Layout;
use crate::disk::{Step, Witness};
use crate::error::OciError;
use crate::registry::{Condition, Put, Registry};

/// What was confirmed: what each tag names, and blobs that must be there.
#[derive(Default)]
struct Confirmed {
    tags: BTreeMap<&'static str, Digest>,
    blobs: Vec<Digest>,
    /// The tag whose write was not confirmed: it may have either value.
    open: Option<&'static str>,
}

impl Confirmed {
    async fn push(
        &mut self,
        layout: &Layout,
        name: &'static str,
        condition: Condition,
        text: &str,
    ) -> Result<(), OciError> {
        self.open = Some(name);
        let (repository, text_tag) = name.rsplit_once(':').expect("has a tag");
        let digest = push(layout, repository, &Put::under_if(tag(text_tag), condition), text).await?;
        self.tags.insert(name, digest);
        self.open = None;
        Ok(())
    }

    /// Does a bit of everything until something fails.
    async fn work(&mut self, layout: &Layout) -> Result<(), OciError> {
        self.push(layout, "acme/shop:head", Condition::Absent, "1").await?;
        self.push(layout, "acme/shop:v1", Condition::None, "1").await?;
        self.blobs.push(put_large(layout, 3).await?);
        let first = self.tags["acme/shop:head"];
        self.push(layout, "acme/shop:head", Condition::Match(first), "2").await?;
        layout.sync().await?;
        self.push(layout, "acme/other:v1", Condition::None, "3").await?;
        let second = self.tags["acme/shop:head"];
        self.push(layout, "acme/shop:head", Condition::Match(second), "4").await?;
        self.open = Some("acme/shop:v1");
        layout.delete_manifest(&repository("acme/shop"), &first).await?;
        self.tags.remove("acme/shop:v1");
        self.open = None;
        layout.sync().await
    }

    /// Looks with fresh eyes at what is left, and goes on working there.
    async fn check(&self, bench: &Bench) {
        let layout = bench.open();
        for (name, digest) in &self.tags {
            match read_tag(&layout, name).await {
                Ok(found) => {
                    assert!(found == *digest || self.open == Some(name), "{name} is {found}, not {digest}")
                }
                Err(error) => assert!(self.open == Some(name) && error.is_not_found(), "{name}: {error}"),
            }
        }
        for blob in &self.blobs {
            layout.blob_bytes(&repository("acme/shop"), blob, 1 << 20).await.expect("was confirmed");
        }
        for name in ["acme/shop", "acme/other"] {
            for text in all_tags(&layout, name).await {
                read_tag(&layout, &format!("{name}:{text}")).await.expect("what is visible is whole");
            }
        }
        if bench.path("index.json").exists() {
            read_index(&bench.root());
        }
        let next = push_tag(&layout, "acme/shop:next", "5").await;
        layout.close().await.expect("is closed");
        let index = read_index(&bench.root());
        assert_eq!(index["acme/shop:next"], next);
        let confirmed = self.tags.iter().filter(|(name, _)| self.open != Some(*name));
        for (name, digest) in confirmed {
            assert_eq!(index.get(*name), Some(digest), "{name}");
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The step fails, and everything works again after it.
    Once(i32),
    /// Nothing works from this step on: the process is dead.
    Killed,
    /// As killed, and half of what was being written is in the file.
    Torn,
}

/// Returns a witness that stops step number `stop`, and the counter of steps.
fn stopping_at(stop: usize, mode: Mode) -> (Witness, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&steps);
    let witness: Witness = Arc::new(move |step| {
        let number = counter.fetch_add(1, Ordering::SeqCst) + 1;
        if let (Mode::Torn, Step::Append(path, bytes)) = (mode, step)
            && number == stop
        {
            let half = &bytes[..bytes.len() / 2];
            fs::OpenOptions::new().append(true).open(path).and_then(|mut file| file.write_all(half))?;
        }
        match mode {
            Mode::Once(code) if number == stop => Err(io::Error::from_raw_os_error(code)),
            Mode::Killed | Mode::Torn if number >= stop => Err(io::Error::other("the process is dead")),
            _ => Ok(()),
        }
    });
    (witness, steps)
}

fn at_each_step(mode: Mode) {
    for stop in 1.. {
        let bench = Bench::in_memory();
        let (witness, steps) = stopping_at(stop, mode);
        let outcome = run(async {
            let layout = bench.open_with(witness);
            let mut confirmed = Confirmed::default();
            let outcome = confirmed.work(&layout).await;
            if let Mode::Once(_) = mode {
                // The same process goes on; the step that fails may only come here.
                let after = async || {
                    let put = Put::under(tag("after"));
                    let digest = push(&layout, "acme/shop", &put, "6").await?;
                    layout.sync().await.map(|()| digest)
                };
                let digest = match after().await {
                    Ok(digest) => digest,
                    Err(_) => after().await.expect("the disk works again"),
                };
                confirmed.tags.insert("acme/shop:after", digest);
            }
            drop(layout);
            confirmed.check(&bench).await;
            outcome
        });
        if let Err(error) = &outcome {
            assert!(matches!(error, OciError::Disk { .. }), "step {stop}: {error}");
            assert!(error.help().is_some());
        }
        if steps.load(Ordering::SeqCst) < stop {
            assert!(outcome.is_ok());
            assert!(stop > 60, "only {stop} steps were tried");
            return;
        }
    }
}

#[test]
fn a_process_that_dies_at_any_step_leaves_everything_that_was_confirmed() {
    at_each_step(Mode::Killed);
}

#[test]
fn a_process_that_dies_in_the_middle_of_any_write_leaves_everything_that_was_confirmed() {
    at_each_step(Mode::Torn);
}

#[test]
fn a_full_disk_at_any_step_is_a_named_error_and_the_same_process_can_go_on() {
    const ENOSPC: i32 = 28;
    at_each_step(Mode::Once(ENOSPC));
}

#[test]
fn a_disk_error_at_any_step_is_a_named_error_and_the_same_process_can_go_on() {
    const EIO: i32 = 5;
    at_each_step(Mode::Once(EIO));
}

#[test]
fn a_record_that_could_be_neither_synced_nor_cut_is_not_believed() {
    let bench = Bench::in_memory();
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&is_broken);
    let witness: Witness = Arc::new(move |step| {
        let is_log = |path: &Path| path.ends_with("tags.log");
        let is_refused = match step {
            Step::Sync(path) | Step::Truncate(path, _) => is_log(path) && broken.load(Ordering::SeqCst),
            _ => false,
        };
        if is_refused { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    });
    run(async {
        let layout = bench.open_with(witness);
        let first = push_tag(&layout, "acme/shop:head", "1").await;
        is_broken.store(true, Ordering::SeqCst);
        let put = Put::under_if(tag("head"), Condition::Match(first));
        for _ in 0..2 {
            push(&layout, "acme/shop", &put, "2").await.expect_err("is not durable");
            assert_eq!(read_tag(&layout, "acme/shop:head").await.expect("is read"), first);
        }
        is_broken.store(false, Ordering::SeqCst);
        let third = push(&layout, "acme/shop", &put, "3").await.expect("the head is still the first");
        for layout in [layout, bench.open()] {
            assert_eq!(read_tag(&layout, "acme/shop:head").await.expect("is read"), third);
        }
    });
}

#[test]
fn a_full_disk_is_told_with_what_to_do() {
    let bench = Bench::in_memory();
    let witness: Witness = Arc::new(|_| Err(io::Error::from(io::ErrorKind::StorageFull)));
    run(async {
        let layout = bench.open_with(witness);
        let error = push(&layout, "acme/shop", &Put::under(tag("v1")), "x").await.expect_err("is full");
        assert!(error.help().is_some_and(|help| help.contains("free some space")), "{error}");
    });
    assert!(!bench.root().exists());
}
