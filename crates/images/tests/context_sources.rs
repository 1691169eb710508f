//! What the sources of COPY and ADD mean in a build context.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use ringsite_images::{
    Arguments, Context, EntryKind, HandOutError, Problem, RecipeEntry, SelectRequest, Selection, Sources,
};
use tempfile::TempDir;

/// Makes files with their path as content; a path that ends in `/` is a folder.
fn context(paths: &[&str], ignore: &str) -> (TempDir, Context) {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let full = folder.path().join(path);
        if path.ends_with('/') {
            fs::create_dir_all(full).unwrap();
        } else {
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, path).unwrap();
        }
    }
    if !ignore.is_empty() {
        fs::write(folder.path().join(".dockerignore"), ignore).unwrap();
    }
    let context = open(folder.path()).unwrap();
    (folder, context)
}

fn open(folder: &Path) -> Result<Context, Vec<Problem>> {
    Context::new(folder, Path::new("ctx"), &folder.join("Containerfile"))
}

struct Wanted<'a> {
    sources: &'a [&'a str],
    exclude: &'a [&'a str],
    parents: bool,
}

fn try_select(context: &Context, wanted: &Wanted<'_>) -> Result<Vec<Selection>, Vec<Problem>> {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    context.select(&SelectRequest {
        file: Path::new("Containerfile"),
        line: 7,
        sources: &own(wanted.sources),
        exclude: &own(wanted.exclude),
        parents: wanted.parents,
    })
}

fn select(context: &Context, sources: &[&str]) -> Vec<Selection> {
    let wanted = Wanted { sources, exclude: &[], parents: false };
    try_select(context, &wanted).unwrap_or_else(|problems| panic!("{sources:?}: {problems:#?}"))
}

/// Every entry as its letter and path.
fn listed(selections: &[Selection]) -> Vec<String> {
    let entries = selections.iter().flat_map(|selection| &selection.entries);
    entries.map(|entry| format!("{} {}", entry.kind.letter(), entry.path)).collect()
}

fn refused(context: &Context, sources: &[&str]) -> Problem {
    let problems = try_select(context, &Wanted { sources, exclude: &[], parents: false });
    problems.expect_err(&format!("{sources:?} is refused")).remove(0)
}

const TREE: &[&str] = &[
    "a.txt",
    "b.txt",
    "c.md",
    ".hidden",
    "dir/x",
    "dir/y.md",
    "dir/sub/z",
    "dir/sub/deep/w",
    "empty/",
    "dir/void/",
    "other/x",
    "we[i]rd",
    "with space",
    ".git/config",
    "dir/.git",
    ".ring/registry/blob",
];

#[test]
fn sources_are_files_folders_and_patterns() {
    let (_folder, context) = context(TREE, "");
    let dir = ["F dir/sub/deep/w", "F dir/sub/z", "D dir/void", "F dir/x", "F dir/y.md"];
    let cases: &[(&[&str], &[&str])] = &[
        (&["a.txt"], &["F a.txt"]),
        (&["/a.txt"], &["F a.txt"]),
        (&["./a.txt"], &["F a.txt"]),
        (&["dir/../a.txt"], &["F a.txt"]),
        (&["dir"], &dir),
        (&["dir/"], &dir),
        (&["dir/sub"], &["F dir/sub/deep/w", "F dir/sub/z"]),
        (&["empty"], &["D empty"]),
        (&["b.txt", "a.txt"], &["F b.txt", "F a.txt"]),
        (&["*.txt"], &["F a.txt", "F b.txt"]),
        (&["?.*"], &["F a.txt", "F b.txt", "F c.md"]),
        (&["[ab].txt"], &["F a.txt", "F b.txt"]),
        (&["[^a].txt"], &["F b.txt"]),
        (&["*/x"], &["F dir/x", "F other/x"]),
        (&["dir/*/z"], &["F dir/sub/z"]),
        (&["d*"], &dir),
        (&["we[[]i]rd"], &["F we[i]rd"]),
        (&["we\\[i]rd"], &["F we[i]rd"]),
        (&["with space"], &["F with space"]),
        (&["a.txt", "nothing*"], &["F a.txt"]),
        (&["*hidden"], &["F .hidden"]),
    ];
    for (sources, expected) in cases {
        assert_eq!(listed(&select(&context, sources)), *expected, "{sources:?}");
    }
}

#[test]
fn the_whole_context_has_everything_but_git_and_ring() {
    let (_folder, context) = context(TREE, "");
    for source in [".", "/", "./"] {
        let all = select(&context, &[source]);
        assert_eq!((all.len(), &*all[0].source, all[0].is_directory), (1, "", true));
        let listed = listed(&all);
        assert_eq!(listed.len(), 13, "{listed:?}");
        assert!(listed.iter().all(|entry| !entry.contains(".git") && !entry.contains(".ring")), "{listed:?}");
        assert_eq!(all[0].below(&all[0].entries[0]), all[0].entries[0].path);
    }
    assert!(listed(&select(&context, &["*"])).iter().all(|entry| !entry.contains(".git")));
}

#[test]
fn a_selection_says_what_is_below_and_what_parents_keep() {
    let (_folder, context) = context(TREE, "");
    let dir = &select(&context, &["dir"])[0];
    assert_eq!(dir.below(&dir.entries[0]), "sub/deep/w");
    let with_parents = |source: &str| {
        try_select(&context, &Wanted { sources: &[source], exclude: &[], parents: true }).unwrap()
    };
    assert_eq!(with_parents("dir/sub")[0].kept, "dir/sub");
    assert_eq!(with_parents("./dir/./sub/z")[0].kept, "sub/z");
    let deep = with_parents("./dir/./**/z");
    assert_eq!((&*deep[0].source, &*deep[0].kept), ("dir/sub/z", "sub/z"));
    let everywhere = with_parents("**/x");
    assert_eq!(listed(&everywhere), ["F dir/x", "F other/x"]);
}

#[test]
fn excluded_files_are_no_sources() {
    let (_folder, context) = context(TREE, "");
    let select = |sources: &[&str], exclude: &[&str]| {
        listed(&try_select(&context, &Wanted { sources, exclude, parents: false }).unwrap())
    };
    assert_eq!(select(&["dir"], &["sub", "void"]), ["F dir/x", "F dir/y.md"]);
    assert_eq!(select(&["dir"], &["**/*.md", "sub/deep"]), ["F dir/sub/z", "D dir/void", "F dir/x"]);
    assert_eq!(select(&["*.txt", "*.md"], &["*.md"]), ["F a.txt", "F b.txt"]);
    assert_eq!(select(&["dir"], &["*", "!sub/z"]), ["F dir/sub/z"]);
}

#[test]
fn the_ignore_file_takes_sources_away_and_gives_them_back() {
    let (_folder, context) = context(TREE, "*\n!dir\ndir/sub\n!dir/sub/deep\n!a.txt\n");
    assert_eq!(
        listed(&select(&context, &["."])),
        ["F a.txt", "F dir/sub/deep/w", "D dir/void", "F dir/x", "F dir/y.md"]
    );
    assert_eq!(listed(&select(&context, &["dir/sub"])), ["F dir/sub/deep/w"]);
    assert_eq!(listed(&select(&context, &["*.txt"])), ["F a.txt"]);
    for source in ["b.txt", "other", "dir/sub/z", "other/*"] {
        let problem = refused(&context, &[source]);
        assert!(problem.message.contains("left out") || problem.message.contains("matches"), "{problem}");
        assert_eq!(problem.line, Some(7));
    }
}

#[test]
fn a_containerfile_with_an_ignore_file_of_its_own_uses_only_that() {
    let (folder, _) = context(&["a", "b"], "a\n");
    fs::write(folder.path().join("Containerfile.dockerignore"), "b\n*ignore\n").unwrap();
    assert_eq!(listed(&select(&open(folder.path()).unwrap(), &["."])), ["F a"]);
}

#[test]
fn a_bad_ignore_file_is_a_problem_with_its_line() {
    let (folder, _) = context(&["a"], "");
    fs::write(folder.path().join(".dockerignore"), "a\n[\n").unwrap();
    let problems = open(folder.path()).expect_err("has a bad line");
    assert_eq!((problems[0].file.as_path(), problems[0].line), (Path::new("ctx/.dockerignore"), Some(2)));
    fs::write(folder.path().join(".dockerignore"), b"\xff").unwrap();
    assert!(open(folder.path()).is_err());
}

#[test]
fn execute_bits_and_links_are_told_apart() {
    let (folder, context) = context(&["dir/run", "dir/plain"], "");
    fs::set_permissions(folder.path().join("dir/run"), fs::Permissions::from_mode(0o641)).unwrap();
    symlink("/outside", folder.path().join("dir/link")).unwrap();
    symlink("gone", folder.path().join("dir/dangling")).unwrap();
    let dir = &select(&context, &["dir"])[0];
    let expected = ["L dir/dangling", "L dir/link", "F dir/plain", "X dir/run"];
    assert_eq!(listed(std::slice::from_ref(dir)), expected);
    assert_eq!((dir.entries[1].bytes, dir.entries[3].mode), (8, 0o641));
}

#[test]
fn a_source_that_is_a_link_is_followed_inside_the_context() {
    let (folder, context) = context(&["real/x", "real/sub/y", "other/z", "secret/s"], "secret\n");
    let link = |target: &str, name: &str| symlink(target, folder.path().join(name)).unwrap();
    link("real", "folder");
    link("real/x", "file");
    link("../file", "other/up");
    link("folder/sub", "chain");
    link("real/../real/./x", "winding");
    link("secret/s", "to-secret");
    for (source, expected) in [
        ("folder", &["F folder/sub/y", "F folder/x"][..]),
        ("file", &["F file"]),
        ("other/up", &["F other/up"]),
        ("chain", &["F chain/y"]),
        ("chain/y", &["F chain/y"]),
        ("winding", &["F winding"]),
        ("fi*", &["F file"]),
    ] {
        assert_eq!(listed(&select(&context, &[source])), expected, "{source}");
    }
    assert!(refused(&context, &["to-secret"]).message.contains("left out"));
}

#[test]
fn links_that_leave_or_turn_in_circles_are_refused() {
    let (folder, context) = context(&["a", "dir/x", ".git/config"], "");
    let link = |target: &str, name: &str| symlink(target, folder.path().join(name)).unwrap();
    link("/etc/hostname", "absolute");
    link("../outside", "up");
    link("loop-b", "loop-a");
    link("loop-a", "loop-b");
    link("self/x", "self");
    link(".git/config", "to-git");
    for (source, words) in [
        ("absolute", "`absolute` is a link to `/etc/hostname`"),
        ("up", "`up` is a link to `../outside`"),
        ("loop-a", "circles"),
        ("self", "circles"),
        ("to-git", "never part"),
        (".git/config", "never part"),
        ("../a", "leaves the build context"),
        ("missing", "not in the build context"),
        ("a/b", "`a` is no folder"),
        ("nothing*", "nothing matches"),
        ("[a", "no pattern"),
    ] {
        let problem = refused(&context, &[source]);
        assert!(problem.message.contains(words), "{source}: {problem}");
        assert_eq!((problem.line, problem.help.is_empty()), (Some(7), false), "{source}");
    }
}

#[test]
fn all_missing_sources_are_told_at_once() {
    let (_folder, context) = context(&["a"], "");
    let wanted = Wanted { sources: &["x", "a", "y"], exclude: &[], parents: false };
    assert_eq!(try_select(&context, &wanted).expect_err("two are missing").len(), 2);
}

#[test]
fn what_cannot_be_part_of_an_image_is_a_problem_with_its_path() {
    let (folder, context) = context(&["dir/a"], "");
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("dir/socket")).unwrap();
    fs::write(folder.path().join("dir").join(std::ffi::OsStr::from_bytes(b"n\xff")), "").unwrap();
    let wanted = Wanted { sources: &["dir"], exclude: &[], parents: false };
    let mut problems = try_select(&context, &wanted).expect_err("two cannot be packed");
    problems.sort();
    assert!(problems[0].message.contains("UTF-8"), "{}", problems[0]);
    assert_eq!(problems[1].file, Path::new("ctx/dir/socket"));
    assert!(problems[1].message.contains("a socket"), "{}", problems[1]);
    let without = Wanted { sources: &["dir"], exclude: &["socket", "n*"], parents: false };
    assert_eq!(listed(&try_select(&context, &without).unwrap()), ["F dir/a"]);
}

fn read(context: &Context, entry: &RecipeEntry) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let mut reader = context.open(entry).map_err(|error| error.to_string())?;
    reader.read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(content)
}

#[test]
fn a_source_that_changed_since_it_was_hashed_is_not_handed_out() {
    let (folder, context) = context(&["a", "run"], "");
    fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("a", folder.path().join("link")).unwrap();
    let file = RecipeEntry::of(EntryKind::File, "a", b"a");
    let link = RecipeEntry::of(EntryKind::Link, "link", b"a");
    assert_eq!(read(&context, &file), Ok(b"a".to_vec()));
    assert_eq!(context.link_target(&link).unwrap(), "a");
    let changed = |path: &str| Err(format!("source changed while building: ctx/{path}"));
    for other in [&b"b"[..], b"", b"aa", b"ab"] {
        fs::write(folder.path().join("a"), other).unwrap();
        assert_eq!(read(&context, &file), changed("a"), "{other:?}");
    }
    fs::remove_file(folder.path().join("a")).unwrap();
    assert_eq!(read(&context, &file), changed("a"));
    assert_eq!(read(&context, &RecipeEntry::of(EntryKind::File, "run", b"run")), changed("run"));
    let elsewhere = RecipeEntry::of(EntryKind::Link, "link", b"b");
    assert!(matches!(context.link_target(&elsewhere), Err(HandOutError::Changed(_))));
    let no_link = RecipeEntry::of(EntryKind::Link, "run", b"run");
    assert!(matches!(context.link_target(&no_link), Err(HandOutError::Changed(_))));
}

#[test]
fn a_source_that_changes_after_it_was_opened_is_not_handed_out_in_full() {
    let (folder, context) = context(&["a"], "");
    let path = folder.path().join("a");
    fs::write(&path, "12345").unwrap();
    let entry = RecipeEntry::of(EntryKind::File, "a", b"12345");
    for other in ["12346", "1234", "123456", ""] {
        fs::write(&path, "12345").unwrap();
        let mut reader = context.open(&entry).unwrap();
        fs::write(&path, other).unwrap();
        let mut buffer = [0; 5];
        // Also a caller that knows the length, and never reads to the end, is told.
        let read = reader.read_exact(&mut buffer);
        let is_told = read.is_err() || (buffer == *b"12345" && other.starts_with("12345"));
        assert!(is_told, "{other}: {read:?}");
    }
}

#[test]
fn a_staged_folder_has_exactly_the_sources() {
    let (folder, context) = context(&["dir/x", "dir/sub/y", "unused", "empty/"], "");
    fs::set_permissions(folder.path().join("dir/x"), fs::Permissions::from_mode(0o700)).unwrap();
    symlink("dir", folder.path().join("link")).unwrap();
    let files = vec![
        RecipeEntry::of(EntryKind::Executable, "dir/x", b"dir/x"),
        RecipeEntry::of(EntryKind::File, "dir/sub/y", b"dir/sub/y"),
        RecipeEntry::of(EntryKind::Directory, "empty", b""),
        RecipeEntry::of(EntryKind::Link, "link", b"dir"),
        RecipeEntry::of(EntryKind::Executable, "link/x", b"dir/x"),
    ];
    let sources = Sources::new(b"FROM scratch\n", Arguments::default(), files);
    let target = tempfile::tempdir().unwrap();
    context.copy_to(&sources, target.path()).unwrap();
    let staged = Context::new(target.path(), Path::new("staged"), Path::new("/nothing")).unwrap();
    assert_eq!(listed(&select(&staged, &["."])), ["F dir/sub/y", "X dir/x", "D empty", "L link"]);
    assert_eq!(fs::read(target.path().join("link/x")).unwrap(), b"dir/x");
    fs::write(folder.path().join("dir/sub/y"), "dir/sub/z").unwrap();
    let again = tempfile::tempdir().unwrap();
    assert!(matches!(context.copy_to(&sources, again.path()), Err(HandOutError::Changed(_))));
}
