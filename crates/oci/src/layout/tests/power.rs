//! Power loss: what was not synced may be gone, half there, or there in another order.
//!
//! A witness writes down every step. From that list, a model of the disk makes the folders that could
//! be left after a loss of power at any point, and each of them must hold what was confirmed by then.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ringsite_names::Digest;

use super::{Bench, all_tags, push, push_tag, put_large, read_tag, repository, run, tag};
use crate::Layout;
use crate::disk::{Step, Witness};
use crate::registry::{Condition, Put, Registry};

/// What was seen: a step, or that the caller was told that something is done.
#[derive(Clone, Debug)]
enum Seen {
    MakeFolder,
    Create(PathBuf),
    Append(PathBuf, Vec<u8>),
    Truncate(PathBuf, u64),
    Sync(PathBuf),
    Rename(PathBuf, PathBuf),
    SyncFolder(PathBuf),
    Remove(PathBuf),
    Tagged(&'static str, Digest),
    /// From here on the tag may have another value, or none.
    Open(&'static str),
    Stored(Digest),
}

fn note(root: &Path, step: &Step<'_>) -> Seen {
    let inside = |path: &Path| path.strip_prefix(root).map(Path::to_path_buf).unwrap_or_default();
    match step {
        Step::MakeFolder => Seen::MakeFolder,
        Step::Create(path) => Seen::Create(inside(path)),
        Step::Append(path, bytes) => Seen::Append(inside(path), bytes.to_vec()),
        Step::Truncate(path, length) => Seen::Truncate(inside(path), *length),
        Step::Sync(path) => Seen::Sync(inside(path)),
        Step::Rename(from, to) => Seen::Rename(inside(from), inside(to)),
        Step::SyncFolder(path) => Seen::SyncFolder(inside(path)),
        Step::Remove(path) => Seen::Remove(inside(path)),
    }
}

/// Works a while, and returns everything that was seen.
fn record(bench: &Bench) -> Vec<Seen> {
    let list = Arc::new(Mutex::new(Vec::new()));
    let (writer, root) = (Arc::clone(&list), bench.root());
    let witness: Witness = Arc::new(move |step| {
        writer.lock().expect("nobody panicked").push(note(&root, step));
        Ok(())
    });
    let say = |seen| list.lock().expect("nobody panicked").push(seen);
    run(async {
        let layout = bench.open_with(witness);
        let mut head = None;
        for number in 0..4 {
            let text = format!("head {number}");
            say(Seen::Open("acme/shop:head"));
            let put = Put::under_if(tag("head"), head.map_or(Condition::Absent, Condition::Match));
            let next = push(&layout, "acme/shop", &put, &text).await.expect("is pushed");
            say(Seen::Tagged("acme/shop:head", next));
            if number == 1 {
                layout.sync().await.expect("is written");
                say(Seen::Stored(put_large(&layout, 9).await.expect("is stored")));
            }
            if let Some(old) = head.replace(next).filter(|_| number == 2) {
                layout.delete_manifest(&repository("acme/shop"), &old).await.expect("is removed");
            }
        }
        say(Seen::Open("acme/shop:v1"));
        say(Seen::Tagged("acme/shop:v1", push_tag(&layout, "acme/shop:v1", "head 0").await));
        layout.close().await.expect("is closed");
    });
    Arc::try_unwrap(list).expect("the layout is gone").into_inner().expect("nobody panicked")
}

/// xorshift64: a seed gives the same folder on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("is below a usize")
    }
}

/// A file as it is in memory, and the changes since it was last synced.
#[derive(Clone, Default)]
struct File {
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Append(Vec<u8>),
    Truncate(u64),
}

impl File {
    fn now(&self) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.pending {
            apply(&mut content, change);
        }
        content
    }

    /// What power loss may leave: any beginning of the changes, the last of them half done or as zeros.
    fn left(&self, random: &mut Random) -> Vec<u8> {
        let mut content = self.durable.clone();
        let kept = random.below(self.pending.len() + 1);
        for change in &self.pending[..kept] {
            apply(&mut content, change);
        }
        if let Some(Change::Append(bytes)) = self.pending.get(kept) {
            let part = random.below(bytes.len() + 1);
            match random.below(3) {
                0 => {}
                1 => content.extend_from_slice(&bytes[..part]),
                _ => content.resize(content.len() + bytes.len(), 0),
            }
        }
        content
    }
}

fn apply(content: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Append(bytes) => content.extend_from_slice(bytes),
        Change::Truncate(length) => content.truncate(usize::try_from(*length).expect("is short")),
    }
}

/// The disk: names that are durable, and changes of names since their folder was synced.
#[derive(Default)]
struct Model {
    files: Vec<File>,
    names: BTreeMap<PathBuf, usize>,
    durable: BTreeMap<PathBuf, usize>,
    pending: Vec<(PathBuf, Option<PathBuf>, Option<usize>)>,
}

impl Model {
    fn take(&mut self, seen: &Seen) {
        match seen {
            Seen::Create(path) => {
                self.files.push(File::default());
                self.name(path.clone(), None, Some(self.files.len() - 1));
            }
            Seen::Append(path, bytes) => self.file(path).pending.push(Change::Append(bytes.clone())),
            Seen::Truncate(path, length) => self.file(path).pending.push(Change::Truncate(*length)),
            Seen::Sync(path) => {
                let file = self.file(path);
                file.durable = file.now();
                file.pending.clear();
            }
            Seen::Rename(from, to) => {
                let file = self.names.get(from).copied();
                self.name(to.clone(), Some(from.clone()), file);
            }
            Seen::Remove(path) => self.name(path.clone(), None, None),
            Seen::SyncFolder(folder) => {
                let (synced, pending) = std::mem::take(&mut self.pending)
                    .into_iter()
                    .partition(|(path, ..)| path.parent() == Some(folder));
                self.pending = pending;
                for change in synced {
                    settle(&mut self.durable, change);
                }
            }
            Seen::MakeFolder | Seen::Tagged(..) | Seen::Open(_) | Seen::Stored(_) => {}
        }
    }

    fn name(&mut self, path: PathBuf, from: Option<PathBuf>, file: Option<usize>) {
        let change = (path, from, file);
        settle(&mut self.names, change.clone());
        self.pending.push(change);
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let number = self.names.get(path).expect("a file is made before it is written");
        &mut self.files[*number]
    }

    /// Makes a folder that power loss may leave.
    fn write(&self, root: &Path, random: &mut Random) {
        let mut names = self.durable.clone();
        for change in &self.pending {
            // Each folder's changes may or may not have reached the disk.
            if random.below(2) == 0 {
                settle(&mut names, change.clone());
            }
        }
        for folder in ["blobs/sha256", ".ringsite/tmp"] {
            fs::create_dir_all(root.join(folder)).expect("is made");
        }
        for (path, number) in names {
            fs::write(root.join(path), self.files[number].left(random)).expect("is written");
        }
    }
}

fn settle(names: &mut BTreeMap<PathBuf, usize>, change: (PathBuf, Option<PathBuf>, Option<usize>)) {
    let (path, from, file) = change;
    if let Some(from) = from {
        names.remove(&from);
    }
    match file {
        Some(file) => names.insert(path, file),
        None => names.remove(&path),
    };
}

/// Returns what is wrong in one folder that power loss at `point` may leave.
fn fault_after(seen: &[Seen], point: usize, seed: u64) -> Option<String> {
    let mut model = Model::default();
    let (mut tags, mut open, mut blobs) = (BTreeMap::new(), None, Vec::new());
    for event in &seen[..point] {
        model.take(event);
        match event {
            Seen::Tagged(name, digest) => {
                tags.insert(*name, *digest);
                open = None;
            }
            Seen::Open(name) => open = Some(*name),
            Seen::Stored(digest) => blobs.push(*digest),
            _ => {}
        }
    }
    let bench = Bench::in_memory();
    model.write(&bench.root(), &mut Random(seed | 1));
    run(async {
        let layout = bench.open();
        for (name, digest) in &tags {
            match read_tag(&layout, name).await {
                Ok(found) if found == *digest || open == Some(name) => {}
                Ok(found) => return Some(format!("{name} is {found}, not {digest}")),
                Err(error) => return Some(format!("{name}: {error}")),
            }
        }
        for blob in &blobs {
            if let Err(error) = layout.blob_bytes(&repository("a"), blob, 1 << 20).await {
                return Some(error.to_string());
            }
        }
        is_all_readable(&layout).await.err()
    })
}

/// Whatever is visible is whole, and the next writer can work.
async fn is_all_readable(layout: &Layout) -> Result<(), String> {
    for text in all_tags(layout, "acme/shop").await {
        let name = format!("acme/shop:{text}");
        read_tag(layout, &name).await.map_err(|error| format!("{name}: {error}"))?;
    }
    let put = Put::under(tag("next"));
    push(layout, "acme/shop", &put, "next").await.map_err(|error| error.to_string())?;
    layout.sync().await.map_err(|error| error.to_string())
}

/// Returns the first fault among many folders; the same list always has the same.
fn first_fault(seen: &[Seen], seeds: u64) -> Option<String> {
    (1..=seen.len()).find_map(|point| {
        let found = (0..seeds).find_map(|seed| {
            fault_after(seen, point, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ point as u64)
                .map(|fault| (seed, fault))
        });
        found.map(|(seed, fault)| format!("after step {point}, seed {seed}: {fault}\n{:?}", seen.get(point)))
    })
}

#[test]
fn power_loss_at_any_point_leaves_everything_that_was_confirmed() {
    let seen = record(&Bench::in_memory());
    assert!(seen.len() > 80, "only {} steps were seen", seen.len());
    assert_eq!(first_fault(&seen, 3), None);
}

#[test]
fn each_sync_that_a_confirmation_rests_on_is_missed_when_it_is_left_out() {
    let seen = record(&Bench::in_memory());
    let without = |is_left_out: &dyn Fn(&Seen) -> bool| -> Vec<Seen> {
        let rest: Vec<Seen> = seen.iter().filter(|event| !is_left_out(event)).cloned().collect();
        assert!(rest.len() < seen.len(), "nothing was left out");
        rest
    };
    let log = Path::new(".ringsite/tags.log");
    let no_log = without(&|event| matches!(event, Seen::Sync(path) if path == log));
    let no_content = without(&|event| matches!(event, Seen::Sync(path) if path.starts_with(".ringsite/tmp")));
    let no_names = without(&|event| matches!(event, Seen::SyncFolder(path) if path.ends_with("sha256")));
    let no_own_names =
        without(&|event| matches!(event, Seen::SyncFolder(path) if path.ends_with(".ringsite")));
    for (what, list) in
        [("log", no_log), ("content", no_content), ("names", no_names), ("own names", no_own_names)]
    {
        assert!(first_fault(&list, 3).is_some(), "leaving out the sync of {what} was not noticed");
    }
}
