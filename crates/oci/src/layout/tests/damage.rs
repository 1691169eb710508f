//! Content and files that are not what was written.

use std::fs;
use std::io::Write as _;

use super::{Bench, all_tags, push_tag, put_large, read_index, read_tag, repository, run, tag};
use crate::error::OciError;
use crate::registry::{Condition, Put, Registry, TagOrDigest};

fn assert_damaged<T: std::fmt::Debug>(answer: Result<T, OciError>, words: &str) {
    let error = answer.expect_err("is damaged");
    assert!(matches!(error, OciError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.help().is_some());
}

#[test]
fn a_folder_that_does_not_exist_is_an_empty_registry_and_reading_does_not_make_it() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        assert!(all_tags(&layout, "acme/shop").await.is_empty());
        assert!(
            !layout
                .delete_blob(&repository("a"), &ringsite_names::Digest::sha256(b"x"))
                .await
                .expect("is asked")
        );
        layout.close().await.expect("has nothing to write");
    });
    assert!(!bench.root().exists());
}

#[test]
fn a_folder_that_holds_something_else_is_not_written_to() {
    let bench = Bench::new();
    fs::create_dir(bench.root()).expect("is made");
    fs::write(bench.path("notes.txt"), "mine").expect("is written");
    run(async {
        let layout = bench.open();
        let put = Put::under(tag("v1"));
        let error = super::push(&layout, "acme/shop", &put, "x").await.expect_err("is refused");
        assert!(error.to_string().contains("choose another folder"), "{error}");
    });
    assert_eq!(fs::read_dir(bench.root()).expect("is there").count(), 1);
}

#[test]
fn every_flipped_byte_of_a_manifest_or_blob_is_seen_and_a_push_heals_it() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let digest = push_tag(&layout, "acme/shop:v1", "some content").await;
        let name = repository("acme/shop");
        let stored = layout.manifest(&name, &digest.into()).await.expect("is there");
        let layer = stored.image().expect("is an image").layers[0].digest;
        for victim in [digest, layer] {
            let path = bench.blob(&victim);
            let good = fs::read(&path).expect("is there");
            for position in 0..good.len() {
                let mut bad = good.clone();
                bad[position] ^= 1;
                fs::write(&path, bad).expect("is written");
                assert_damaged(read_tag(&layout, "acme/shop:v1").await, "its content has digest");
            }
            for bad in [&good[..good.len() - 1], &[good.as_slice(), b"x"].concat()] {
                fs::write(&path, bad).expect("is written");
                assert!(read_tag(&layout, "acme/shop:v1").await.is_err());
            }
            push_tag(&layout, "acme/shop:v1", "some content").await;
            assert_eq!(fs::read(&path).expect("is there"), good);
            assert_eq!(read_tag(&layout, "acme/shop:v1").await.expect("is whole"), digest);
        }
    });
}

#[test]
fn a_large_blob_with_a_flipped_byte_is_never_handed_out_whole() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let digest = put_large(&layout, 7).await.expect("is stored");
        let path = bench.blob(&digest);
        let mut bytes = fs::read(&path).expect("is there");
        bytes[5] = 8;
        fs::write(&path, &bytes).expect("is written");
        assert_damaged(layout.blob_bytes(&repository("a"), &digest, 1 << 20).await, "its content has digest");
        put_large(&layout, 7).await.expect("is stored again");
        assert!(layout.blob_bytes(&repository("a"), &digest, 1 << 20).await.is_ok());
    });
}

#[test]
fn a_manifest_without_its_content_is_damage_and_not_unknown() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let digest = push_tag(&layout, "acme/shop:v1", "x").await;
        fs::remove_file(bench.blob(&digest)).expect("is removed");
        assert_damaged(read_tag(&layout, "acme/shop:v1").await, "content is missing");
        // A HEAD answers no, so that the next push stores it again.
        let reference = TagOrDigest::Tag(tag("v1"));
        let head = layout.head_manifest(&repository("acme/shop"), &reference).await.expect("is asked");
        assert_eq!(head, None);
        assert_eq!(push_tag(&layout, "acme/shop:v1", "x").await, digest);
        assert_eq!(read_tag(&layout, "acme/shop:v1").await.expect("is whole"), digest);
    });
}

#[test]
fn a_torn_record_is_ignored_by_readers_and_cut_by_the_next_writer() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let first = push_tag(&layout, "acme/shop:v1", "x").await;
        layout.close().await.expect("is closed");
        let log = bench.path(".ringsite/tags.log");
        let whole = fs::read(&log).expect("is there");
        let torn = b"90 0123456789abcdef t acme/shop v2 sha25";
        fs::OpenOptions::new()
            .append(true)
            .open(&log)
            .and_then(|mut file| file.write_all(torn))
            .expect("is torn");
        let reader = bench.open();
        assert_eq!(read_tag(&reader, "acme/shop:v1").await.expect("is read"), first);
        assert_eq!(fs::read(&log).expect("is there").len(), whole.len() + torn.len());
        let writer = bench.open();
        let second = push_tag(&writer, "acme/shop:v2", "y").await;
        writer.close().await.expect("is closed");
        assert!(fs::read(&log).expect("is there").starts_with(&whole));
        for layout in [reader, bench.open()] {
            assert_eq!(read_tag(&layout, "acme/shop:v1").await.expect("is read"), first);
            assert_eq!(read_tag(&layout, "acme/shop:v2").await.expect("is read"), second);
        }
    });
}

#[test]
fn a_log_that_lost_confirmed_records_is_damage() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:v1", "x").await;
        push_tag(&layout, "acme/shop:v2", "y").await;
        layout.close().await.expect("is closed");
        let log = bench.path(".ringsite/tags.log");
        let whole = fs::read(&log).expect("is there");
        for length in [whole.len() - 1, whole.len() / 2, 40, 10, 0] {
            fs::write(&log, &whole[..length]).expect("is cut");
            assert_damaged(read_tag(&bench.open(), "acme/shop:v1").await, "tags.log");
            let answer = super::push(&bench.open(), "acme/shop", &Put::under(tag("v3")), "z").await;
            assert_damaged(answer, "tags.log");
        }
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 1;
        fs::write(&log, &flipped).expect("is written");
        assert_damaged(read_tag(&bench.open(), "acme/shop:v1").await, "tags.log");
        fs::write(&log, &whole).expect("is restored");
        assert!(read_tag(&bench.open(), "acme/shop:v1").await.is_ok());
    });
}

#[test]
fn an_unreadable_index_is_damage_and_removing_it_heals() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:v1", "x").await;
        layout.close().await.expect("is closed");
        let index = bench.path("index.json");
        let whole = fs::read(&index).expect("is there");
        for bad in [&whole[..whole.len() / 2], b"", b"[]", b"{}", b"{\"schemaVersion\":1,\"manifests\":[]}"] {
            fs::write(&index, bad).expect("is written");
            assert_damaged(read_tag(&bench.open(), "acme/shop:v1").await, "index.json");
            let answer = super::push(&bench.open(), "acme/shop", &Put::under(tag("v2")), "y").await;
            assert_damaged(answer, "remove the file");
        }
        fs::remove_file(&index).expect("is removed");
        let layout = bench.open();
        assert!(read_tag(&layout, "acme/shop:v1").await.is_ok());
        push_tag(&layout, "acme/shop:v2", "y").await;
        layout.close().await.expect("is closed");
    });
    assert_eq!(read_index(&bench.root()).len(), 2);
}

#[test]
fn an_unreadable_note_or_version_file_is_named() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:v1", "x").await;
        layout.close().await.expect("is closed");
        fs::write(bench.path(".ringsite/projected"), "{").expect("is written");
        assert_damaged(read_tag(&bench.open(), "acme/shop:v1").await, "projected");
        fs::remove_file(bench.path(".ringsite/projected")).expect("is removed");
        fs::write(bench.path("oci-layout"), "{").expect("is written");
        let put = Put::under(tag("v2"));
        assert_damaged(super::push(&bench.open(), "acme/shop", &put, "y").await, "oci-layout");
        fs::write(bench.path("oci-layout"), "{\"imageLayoutVersion\":\"2.0.0\"}").expect("is written");
        let error = super::push(&bench.open(), "acme/shop", &put, "y").await.expect_err("is newer");
        assert!(error.to_string().contains("expected `1.0.0`"), "{error}");
    });
}

#[test]
fn the_log_that_somebody_removed_is_made_again_from_the_index() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        let digest = push_tag(&layout, "acme/shop:v1", "x").await;
        layout.sync().await.expect("is written");
        fs::remove_file(bench.path(".ringsite/tags.log")).expect("is removed");
        assert_eq!(read_tag(&bench.open(), "acme/shop:v1").await.expect("is read"), digest);
        push_tag(&layout, "acme/shop:v2", "y").await;
        layout.close().await.expect("is closed");
        assert_eq!(read_tag(&bench.open(), "acme/shop:v1").await.expect("is read"), digest);
    });
    assert_eq!(read_index(&bench.root()).len(), 2);
}

#[test]
fn a_log_that_is_mostly_history_is_written_anew_and_readers_follow() {
    let bench = Bench::in_memory();
    run(async {
        let (layout, reader) = (bench.open(), bench.open());
        let mut head = push_tag(&layout, "acme/shop:head", "start").await;
        let log = bench.path(".ringsite/tags.log");
        let name = repository("acme/shop");
        let mut longest = 0;
        for number in 0..1500 {
            let put = Put::under_if(tag("head"), Condition::Match(head));
            let next = super::push(&layout, "acme/shop", &put, &format!("{number}")).await.expect("is next");
            layout.delete_manifest(&name, &head).await.expect("is removed");
            head = next;
            longest = longest.max(fs::metadata(&log).expect("is there").len());
        }
        assert!(longest > crate::limits::LOG_BYTES_KEPT, "the history was too short for this test");
        assert_eq!(read_tag(&reader, "acme/shop:head").await.expect("is read"), head);
        layout.sync().await.expect("is written");
        assert!(fs::metadata(&log).expect("is there").len() <= crate::limits::LOG_BYTES_KEPT);
        assert_eq!(read_tag(&reader, "acme/shop:head").await.expect("is read"), head);
        let last = push_tag(&layout, "acme/shop:head", "last").await;
        assert_eq!(read_tag(&reader, "acme/shop:head").await.expect("is read"), last);
        layout.close().await.expect("is closed");
    });
    assert_eq!(read_index(&bench.root()).len(), 2);
}

#[test]
fn what_was_left_unfinished_is_removed_after_a_day() {
    let bench = Bench::new();
    run(async {
        let layout = bench.open();
        push_tag(&layout, "acme/shop:v1", "x").await;
        layout.close().await.expect("is closed");
        let (old, new) = (bench.path(".ringsite/tmp/old"), bench.path(".ringsite/tmp/new"));
        for path in [&old, &new] {
            fs::write(path, "half").expect("is written");
        }
        let before = std::time::SystemTime::now() - 2 * crate::limits::TMP_AGE_MAX;
        fs::File::options()
            .write(true)
            .open(&old)
            .and_then(|file| file.set_modified(before))
            .expect("is old");
        let layout = bench.open();
        assert!(read_tag(&layout, "acme/shop:v1").await.is_ok());
        assert!(old.exists(), "a reader cleans nothing");
        push_tag(&layout, "acme/shop:v2", "x").await;
        assert!(!old.exists() && new.exists());
    });
}
