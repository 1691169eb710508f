//! Other tools that write into the same folder, and several processes of ours.

use std::fs;
use std::process::Command;

use super::{Bench, all_tags, edit_index, entry, push, push_tag, read_index, read_tag, repository, run, tag};
use crate::descriptor::{Descriptor, Platform};
use crate::error::OciError;
use crate::manifest::ImageIndex;
use crate::names::{MEDIA_TYPE_INDEX, MEDIA_TYPE_MANIFEST};
use crate::registry::{Condition, Put, Registry};

/// Writes content as another tool does: straight to its place.
fn put_file(bench: &Bench, bytes: &[u8]) -> Descriptor {
    let descriptor = Descriptor::of(MEDIA_TYPE_MANIFEST, bytes);
    let path = bench.blob(&descriptor.digest);
    fs::create_dir_all(path.parent().expect("is in a folder")).expect("is made");
    fs::write(path, bytes).expect("is written");
    descriptor
}

/// Writes an image with an empty configuration as another tool does.
fn foreign_image(bench: &Bench, text: &str) -> Descriptor {
    let config = put_file(bench, b"{}").with_media_type("application/vnd.oci.image.config.v1+json");
    let layer = put_file(bench, text.as_bytes()).with_media_type("application/vnd.oci.image.layer.v1.tar");
    put_file(bench, &crate::manifest::ImageManifest::image(config, vec![layer]).to_bytes())
}

/// Writes a whole layout as another tool does.
fn foreign_layout(bench: &Bench, entries: &[serde_json::Value]) {
    fs::create_dir_all(bench.root()).expect("is made");
    fs::write(bench.path("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("is written");
    let index = serde_json::json!({"schemaVersion": 2, "manifests": entries});
    fs::write(bench.path("index.json"), index.to_string()).expect("is written");
}

#[test]
fn a_layout_of_another_tool_is_read_without_writing_and_kept_when_written() {
    let bench = Bench::new();
    let (one, two, three) =
        (foreign_image(&bench, "1"), foreign_image(&bench, "2"), foreign_image(&bench, "3"));
    let mut with_platform = entry(&one.digest, one.size, Some("latest"));
    with_platform["platform"] = serde_json::json!({"os": "linux", "architecture": "amd64"});
    with_platform["annotations"]["org.example"] = "kept \" text".into();
    let odd = entry(&three.digest, three.size, Some("localhost:5000/Odd Name:1"));
    foreign_layout(
        &bench,
        &[with_platform, entry(&two.digest, two.size, Some("docker.io/library/redis:7")), odd.clone()],
    );
    run(async {
        let layout = bench.open();
        assert_eq!(read_tag(&layout, "library:latest").await.expect("is read"), one.digest);
        assert_eq!(read_tag(&layout, "docker.io/library/redis:7").await.expect("is read"), two.digest);
        assert!(!bench.path(".ringsite").exists(), "a reader wrote");
        push_tag(&layout, "acme/shop:v1", "ours").await;
        layout.close().await.expect("is closed");
    });
    let index = read_index(&bench.root());
    let names: Vec<&str> = index.keys().map(String::as_str).collect();
    assert_eq!(names, ["acme/shop:v1", "docker.io/library/redis:7", "latest", "localhost:5000/Odd Name:1"]);
    let text = fs::read_to_string(bench.path("index.json")).expect("is there");
    assert!(text.contains(r#""org.example":"kept \" text""#), "{text}");
    assert!(text.contains(r#""architecture":"amd64""#), "{text}");
}

#[test]
fn what_another_tool_adds_moves_and_removes_is_taken_over() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:stays", "1").await;
        push_tag(&layout, "acme/shop:moves", "2").await;
        push_tag(&layout, "acme/shop:goes", "3").await;
        layout.sync().await.expect("is written");
        let added = foreign_image(&bench, "theirs");
        edit_index(&bench.root(), |entries| {
            let name =
                |entry: &serde_json::Value| entry["annotations"]["org.opencontainers.image.ref.name"].clone();
            entries.retain(|entry| name(entry) != "acme/shop:goes" && name(entry) != "acme/shop:moves");
            entries.push(entry(&added.digest, added.size, Some("acme/shop:moves")));
            entries.push(entry(&added.digest, added.size, Some("acme/new:v1")));
        });
        // A reader that starts now, the writer that was there, and one that comes later agree.
        let expected = ["moves", "stays"];
        assert_eq!(all_tags(&bench.open(), "acme/shop").await, expected);
        push_tag(&layout, "acme/other:v1", "4").await;
        layout.close().await.expect("is closed");
        let later = bench.open();
        assert_eq!(all_tags(&later, "acme/shop").await, expected);
        assert_eq!(read_tag(&later, "acme/shop:moves").await.expect("is read"), added.digest);
        assert_eq!(read_tag(&later, "acme/new:v1").await.expect("is read"), added.digest);
    });
    let index = read_index(&bench.root());
    for name in ["acme/shop:stays", "acme/shop:moves", "acme/new:v1", "acme/other:v1"] {
        assert!(index.contains_key(name), "{name} is missing in {index:?}");
    }
}

#[test]
fn what_we_wrote_since_the_last_index_survives_another_tools_edit() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:old", "1").await;
        layout.sync().await.expect("is written");
        let ours = push_tag(&layout, "acme/shop:new", "2").await;
        push_tag(&layout, "acme/shop:old", "3").await;
        let theirs = foreign_image(&bench, "theirs");
        edit_index(&bench.root(), |entries| entries.push(entry(&theirs.digest, theirs.size, Some("latest"))));
        layout.sync().await.expect("is written");
        assert_eq!(read_tag(&layout, "acme/shop:new").await.expect("is read"), ours);
        assert_eq!(read_tag(&layout, "library:latest").await.expect("is read"), theirs.digest);
        let third = read_tag(&layout, "acme/shop:old").await.expect("is read");
        assert_eq!(read_index(&bench.root())["acme/shop:old"], third);
        layout.close().await.expect("is closed");
    });
}

#[test]
fn a_tool_that_keeps_one_name_for_each_digest_does_not_take_ours() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let digest = push_tag(&layout, "acme/shop:v1", "1").await;
        layout.sync().await.expect("is written");
        edit_index(&bench.root(), |entries| {
            entries[0]["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "copy"});
        });
        layout.close().await.expect("is closed");
        let layout = bench.open();
        push_tag(&layout, "acme/shop:v2", "2").await;
        assert_eq!(read_tag(&layout, "acme/shop:v1").await.expect("is read"), digest);
        assert_eq!(read_tag(&layout, "library:copy").await.expect("is read"), digest);
    });
}

#[test]
fn a_name_that_another_tool_took_away_leaves_no_stray_entry() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let old = push_tag(&layout, "acme/shop:v1", "1").await;
        layout.sync().await.expect("is written");
        let new = foreign_image(&bench, "2");
        edit_index(&bench.root(), |entries| {
            entries[0].as_object_mut().expect("is an object").remove("annotations");
            entries.push(entry(&new.digest, new.size, Some("acme/shop:v1")));
        });
        push_tag(&layout, "acme/other:v1", "3").await;
        layout.close().await.expect("is closed");
        let index = read_index(&bench.root());
        assert_eq!(index["acme/shop:v1"], new.digest);
        assert_eq!(index[&format!("acme/shop@{old}")], old);
        assert_eq!(index.len(), 3, "{index:?}");
    });
}

#[test]
fn children_and_subjects_of_foreign_manifests_are_known() {
    let bench = Bench::new();
    let child = foreign_image(&bench, "child");
    let platform = Platform::new("linux", "arm64");
    let index = ImageIndex::new(vec![child.clone().with_platform(platform)]);
    let index = put_file(&bench, &index.to_bytes()).with_media_type(MEDIA_TYPE_INDEX);
    let config = put_file(&bench, b"{}");
    let referrer = crate::manifest::ImageManifest::image(config, Vec::new()).with_subject(child.clone());
    let referrer = put_file(&bench, &referrer.to_bytes());
    let mut listed = entry(&index.digest, index.size, Some("acme/shop:multi"));
    listed["mediaType"] = MEDIA_TYPE_INDEX.into();
    let mut unlisted = entry(&referrer.digest, referrer.size, None);
    unlisted["annotations"] = serde_json::json!({"dev.ringsite.repository": "acme/shop"});
    foreign_layout(&bench, &[listed, unlisted]);
    run(async {
        let layout = bench.open();
        let name = repository("acme/shop");
        assert!(layout.manifest(&name, &child.digest.into()).await.is_ok());
        let referrers = layout.referrers(&name, &child.digest, None).await.expect("are listed");
        assert_eq!(referrers.iter().map(|found| found.digest).collect::<Vec<_>>(), [referrer.digest]);
    });
}

#[test]
fn an_entry_whose_content_is_missing_is_kept_and_reading_it_says_so() {
    let bench = Bench::new();
    let gone = foreign_image(&bench, "1");
    foreign_layout(&bench, &[entry(&gone.digest, gone.size, Some("acme/shop:v1"))]);
    fs::remove_file(bench.blob(&gone.digest)).expect("is removed");
    run(async {
        let layout = bench.open();
        assert_eq!(all_tags(&layout, "acme/shop").await, ["v1"]);
        let error = read_tag(&layout, "acme/shop:v1").await.expect_err("is damaged");
        assert!(matches!(error, OciError::Damaged { .. }), "{error}");
    });
}

#[test]
fn a_crash_in_the_middle_of_a_projection_is_not_taken_for_another_tool() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:head", "1").await;
        layout.sync().await.expect("is written");
        let note = fs::read(bench.path(".ringsite/projected")).expect("is there");
        let index = fs::read(bench.path("index.json")).expect("is there");
        push_tag(&layout, "acme/shop:head", "2").await;
        layout.sync().await.expect("is written");
        let newer = fs::read(bench.path(".ringsite/projected")).expect("is there");
        let last = push_tag(&layout, "acme/shop:head", "3").await;
        layout.close().await.expect("is closed");
        // As if the process had died with the note of the next index written and the old index in place.
        let mut between: serde_json::Value = serde_json::from_slice(&note).expect("is JSON");
        let next: serde_json::Value = serde_json::from_slice(&newer).expect("is JSON");
        between["next"] = next["current"].clone();
        fs::write(bench.path(".ringsite/projected"), between.to_string()).expect("is written");
        fs::write(bench.path("index.json"), index).expect("is written");
        let layout = bench.open();
        assert_eq!(read_tag(&layout, "acme/shop:head").await.expect("is read"), last);
        push_tag(&layout, "acme/shop:other", "4").await;
        assert_eq!(read_tag(&layout, "acme/shop:head").await.expect("is read"), last);
        layout.close().await.expect("is closed");
        assert_eq!(read_index(&bench.root())["acme/shop:head"], last);
    });
}

/// The work of one of several processes: it is this very test program, started once more.
const WRITER: &str = "RINGSITE_TEST_LAYOUT_WRITER";

#[test]
fn several_processes_race_for_one_head_and_none_overwrites_another() {
    const MOVES: usize = 25;
    if let Some(root) = std::env::var_os(WRITER) {
        return run(move_head(crate::Layout::new(root), MOVES));
    }
    let bench = Bench::new();
    let program = std::env::current_exe().expect("this program is somewhere");
    let name = "layout::tests::foreign::several_processes_race_for_one_head_and_none_overwrites_another";
    let start = || Command::new(&program).args(["--exact", name]).env(WRITER, bench.root()).spawn();
    let children: Vec<_> = (0..3).map(|_| start().expect("is started")).collect();
    run(move_head(bench.open(), MOVES));
    for mut child in children {
        assert!(child.wait().expect("ends").success());
    }
    run(async {
        let layout = bench.open();
        let head = layout.manifest(&repository("acme/shop"), &tag("head").into()).await.expect("is there");
        let moves = head.image().expect("is an image").annotations["moves"].clone();
        assert_eq!(moves, (4 * MOVES).to_string(), "a move was lost or made twice");
        layout.close().await.expect("is closed");
    });
    assert!(read_index(&bench.root()).contains_key("acme/shop:head"));
}

/// Counts one up under the head, as often as it is told.
async fn move_head(layout: crate::Layout, moves: usize) {
    let name = repository("acme/shop");
    let config = bytes::Bytes::from_static(crate::manifest::EMPTY_CONFIG);
    layout.put_bytes(&name, "a/b", config).await.expect("is stored");
    let mut done = 0;
    while done < moves {
        let (condition, count) = match layout.manifest(&name, &tag("head").into()).await {
            Ok(head) => {
                let manifest = head.image().expect("is an image");
                let count: usize = manifest.annotations["moves"].parse().expect("is a number");
                (Condition::Match(head.digest), count)
            }
            Err(OciError::ManifestUnknown { .. }) => (Condition::Absent, 0),
            Err(error) => panic!("{error}"),
        };
        let next = crate::manifest::ImageManifest::artifact("a/b", Vec::new())
            .with_annotation("moves", (count + 1).to_string())
            .with_annotation("by", std::process::id().to_string());
        let put = Put::under_if(tag("head"), condition);
        match layout.put_manifest(&name, &put, MEDIA_TYPE_MANIFEST, next.to_bytes().into()).await {
            Ok(_) => done += 1,
            Err(OciError::ConditionFailed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    layout.close().await.expect("is closed");
}

#[test]
fn two_layouts_of_one_process_see_each_other_at_once() {
    let bench = Bench::new();
    run(async {
        let (one, two) = (bench.open(), bench.open());
        for number in 0..20 {
            let digest = push_tag(&one, "acme/shop:head", &format!("one {number}")).await;
            let put = Put::under_if(tag("head"), Condition::Match(digest));
            let next = push(&two, "acme/shop", &put, &format!("two {number}")).await.expect("was just seen");
            assert_eq!(read_tag(&one, "acme/shop:head").await.expect("is read"), next);
        }
    });
}
