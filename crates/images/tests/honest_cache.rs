//! The stat cache is never fooled: whatever is done to files, a pass with it sees what a pass that
//! reads everything sees.

#![allow(clippy::unwrap_used)]

use std::fs::{self, File, Permissions};
use std::io::{Seek, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use ringsite_images::{Overrides, Project, StatCache, load};
use ringsite_names::Digest;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, statat, utimensat};
use tempfile::TempDir;

const FILES: usize = 6;
const LINKS: usize = 2;

/// Edits in one test run; the bench does ten thousand.
const EDITS: u32 = 600;

/// One change that tries not to be seen.
#[derive(Clone, Copy, Debug)]
enum Edit {
    /// Writes other bytes of the same length into the same inode.
    InPlace(usize, u8),
    /// The same, and sets both times back to what they were.
    TimeRestored(usize, u8),
    /// Writes a new file of the same length and moves it over, with the old times.
    Replaced(usize, u8),
    /// Lets two files of the same length change places, each with the other's times.
    Swapped(usize, usize),
    /// Makes one file a hard link of the other.
    HardLinked(usize, usize),
    /// Lets a link point elsewhere, at a target of the same length, with the old times.
    LinkTarget(usize, u8),
    /// Turns the execute bit.
    Mode(usize),
    /// Removes a file and makes it again, which often gives it the same inode.
    Recreated(usize, u8),
    /// Gives a file a time in the future.
    Future(usize),
    /// Gives a file the first second of 1970.
    Ancient(usize, u8),
    /// Changes a file and changes it back, in one tick.
    ThereAndBack(usize, u8),
    /// Makes a file a link to another with the same content.
    BecomesLink(usize, usize),
    /// Nothing: the cache has to hold.
    Nothing,
}

fn edit() -> impl Strategy<Value = Edit> {
    let (file, byte) = (|| 0..FILES, any::<u8>);
    prop_oneof![
        (file(), byte()).prop_map(|(file, byte)| Edit::InPlace(file, byte)),
        (file(), byte()).prop_map(|(file, byte)| Edit::TimeRestored(file, byte)),
        (file(), byte()).prop_map(|(file, byte)| Edit::Replaced(file, byte)),
        (file(), file()).prop_map(|(one, other)| Edit::Swapped(one, other)),
        (file(), file()).prop_map(|(one, other)| Edit::HardLinked(one, other)),
        (0..LINKS, byte()).prop_map(|(link, byte)| Edit::LinkTarget(link, byte)),
        file().prop_map(Edit::Mode),
        (file(), byte()).prop_map(|(file, byte)| Edit::Recreated(file, byte)),
        file().prop_map(Edit::Future),
        (file(), byte()).prop_map(|(file, byte)| Edit::Ancient(file, byte)),
        (file(), byte()).prop_map(|(file, byte)| Edit::ThereAndBack(file, byte)),
        (file(), file()).prop_map(|(one, other)| Edit::BecomesLink(one, other)),
        Just(Edit::Nothing),
    ]
}

struct Tree {
    folder: TempDir,
    project: Project,
}

impl Tree {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("images/shop");
        fs::create_dir_all(image.join("src")).unwrap();
        let text = "project = \"p\"\nroot = \"shop\"\nrings = [\"r\"]\n";
        fs::write(folder.path().join("rings.toml"), text).unwrap();
        fs::write(image.join("Containerfile"), "FROM scratch\nCOPY src /\n").unwrap();
        let project = load(&folder.path().join("rings.toml"), &Overrides::default()).unwrap();
        let tree = Self { folder, project };
        (0..FILES).for_each(|file| fs::write(tree.file(file), content(0)).unwrap());
        (0..LINKS).for_each(|link| symlink("target-0", tree.link(link)).unwrap());
        tree
    }

    fn file(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("images/shop/src/f{index}"))
    }

    fn link(&self, index: usize) -> PathBuf {
        self.folder.path().join(format!("images/shop/src/l{index}"))
    }

    fn spare(&self) -> PathBuf {
        self.folder.path().join("spare")
    }

    fn revision(&self, cache: &StatCache) -> Digest {
        let survey = self.project.survey(cache).unwrap_or_else(|problems| panic!("{problems}"));
        survey.definitions()[0].sources.revision()
    }

    /// Returns the revision by a pass like that of a command: the cache is read, used and written.
    fn cached(&self) -> Digest {
        let mut cache = StatCache::open(&self.folder.path().join(".ring/cache/stat"));
        let revision = self.revision(&cache);
        cache.save().unwrap();
        revision
    }

    fn apply(&self, edit: Edit) {
        match edit {
            Edit::InPlace(file, byte) => overwrite(&self.file(file), byte),
            Edit::TimeRestored(file, byte) => {
                let times = times(&self.file(file));
                overwrite(&self.file(file), byte);
                set_times(&self.file(file), &times);
            }
            Edit::Replaced(file, byte) => {
                let times = times(&self.file(file));
                fs::write(self.spare(), content(byte)).unwrap();
                set_times(&self.spare(), &times);
                fs::rename(self.spare(), self.file(file)).unwrap();
            }
            Edit::Swapped(one, other) => {
                let (first, second) = (times(&self.file(one)), times(&self.file(other)));
                fs::rename(self.file(one), self.spare()).unwrap();
                if one != other {
                    fs::rename(self.file(other), self.file(one)).unwrap();
                }
                fs::rename(self.spare(), self.file(other)).unwrap();
                set_times(&self.file(one), &first);
                set_times(&self.file(other), &second);
            }
            Edit::HardLinked(one, other) if one != other => {
                fs::remove_file(self.file(one)).unwrap();
                fs::hard_link(self.file(other), self.file(one)).unwrap();
            }
            Edit::LinkTarget(link, byte) => {
                let times = times(&self.link(link));
                fs::remove_file(self.link(link)).unwrap();
                symlink(format!("target-{}", byte % 10), self.link(link)).unwrap();
                set_times(&self.link(link), &times);
            }
            Edit::Mode(file) if !self.file(file).is_symlink() => {
                let mode = fs::metadata(self.file(file)).unwrap().permissions().mode();
                fs::set_permissions(self.file(file), Permissions::from_mode(mode ^ 0o100)).unwrap();
            }
            Edit::Recreated(file, byte) => {
                fs::remove_file(self.file(file)).unwrap();
                fs::write(self.file(file), content(byte)).unwrap();
            }
            Edit::Future(file) => set_times(&self.file(file), &at(4_000_000_000)),
            Edit::Ancient(file, byte) => {
                overwrite(&self.file(file), byte);
                set_times(&self.file(file), &at(0));
            }
            Edit::ThereAndBack(file, byte) => {
                overwrite(&self.file(file), byte);
                overwrite(&self.file(file), byte.wrapping_add(1));
            }
            Edit::BecomesLink(one, other) if one != other => {
                let content = fs::read(self.file(other)).unwrap_or_default();
                fs::remove_file(self.file(one)).unwrap();
                symlink(format!("f{other}"), self.file(one)).unwrap();
                fs::write(self.spare(), content).unwrap();
            }
            Edit::HardLinked(..) | Edit::BecomesLink(..) | Edit::Mode(_) | Edit::Nothing => {}
        }
    }
}

fn content(byte: u8) -> [u8; 64] {
    [byte; 64]
}

/// Writes into the same inode; a link is replaced by a file first.
fn overwrite(path: &Path, byte: u8) {
    if path.is_symlink() {
        fs::remove_file(path).unwrap();
        fs::write(path, content(0)).unwrap();
    }
    let mut file = File::options().write(true).open(path).unwrap();
    file.rewind().unwrap();
    file.write_all(&content(byte)).unwrap();
}

fn times(path: &Path) -> Timestamps {
    let stat = statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).unwrap();
    let time =
        |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanoseconds).unwrap() };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

fn at(seconds: i64) -> Timestamps {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    Timestamps { last_access: time, last_modification: time }
}

fn set_times(path: &Path, times: &Timestamps) {
    utimensat(CWD, path, times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

#[test]
fn no_edit_is_missed() {
    let tree = std::cell::RefCell::new(Tree::new());
    let mut runner = TestRunner::new(Config { cases: EDITS, failure_persistence: None, ..Config::default() });
    let result = runner.run(&edit(), |edit| {
        let tree = tree.borrow_mut();
        tree.apply(edit);
        prop_assert_eq!(tree.cached(), tree.revision(&StatCache::disabled()), "after {:?}", edit);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn several_edits_between_two_passes_are_not_missed() {
    let tree = Tree::new();
    let config = Config { cases: 60, failure_persistence: None, ..Config::default() };
    let edits = proptest::collection::vec(edit(), 1..12);
    let result = TestRunner::new(config).run(&edits, |edits| {
        edits.iter().for_each(|edit| tree.apply(*edit));
        prop_assert_eq!(tree.cached(), tree.revision(&StatCache::disabled()), "after {:?}", edits);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn an_edit_in_the_tick_in_which_the_file_was_read_is_not_missed() {
    let tree = Tree::new();
    for round in 0..200_u8 {
        tree.apply(Edit::TimeRestored(0, round));
        tree.cached();
        // Nothing between the pass and the edit: both are often in one tick of the clock.
        tree.apply(Edit::TimeRestored(0, round.wrapping_add(128)));
        let seen = tree.cached();
        assert_eq!(seen, tree.revision(&StatCache::disabled()), "round {round}");
    }
}

#[test]
fn an_unchanged_tree_is_not_read_again() {
    let tree = Tree::new();
    let path = tree.folder.path().join(".ring/cache/stat");
    let first = tree.cached();
    let is_kept = || {
        let mut cache = StatCache::open(&path);
        assert_eq!(tree.revision(&cache), first);
        let before = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
        cache.save().unwrap();
        before.is_some() && before == fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()
    };
    // The clock of the file system ticks a few hundred times a second: after some passes all files
    // are older than the pass, and nothing is written any more.
    assert!((0..10_000).any(|_| is_kept()), "the cache never settles");
}
