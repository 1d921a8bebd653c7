//! Where snapshots are kept, as whoever configures a server says it.

use super::super::{SnapshotPlace, Snapshots as _};
use crate::scratch::Scratch;
use std::io::{self, Read as _};

/// What the environment of a server has that may ask a bucket.
pub(super) fn keys(name: &str) -> Option<String> {
    match name {
        "AWS_ACCESS_KEY_ID" => Some("AKIATESTS".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some("s3cret-of-bucket".to_owned()),
        _ => None,
    }
}

fn nothing(_: &str) -> Option<String> {
    None
}

#[test]
fn a_folder_without_its_disk_is_not_taken_for_the_place_nor_that_of_another_journal() {
    let dir = Scratch::new("place-of");
    let place = SnapshotPlace::parse(dir.to_str().unwrap(), &nothing).unwrap();
    place.partition(0).unwrap();
    let error = place.is_of("one", false).unwrap_err().to_string();
    assert!(error.contains("nothing of this journal is there"), "{error}");
    place.is_of("one", true).unwrap();
    place.is_of("one", false).unwrap();
    let error = place.is_of("two", true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    // Earlier programs left snapshots and no word.
    std::fs::remove_file(dir.join("journal")).unwrap();
    place.partition(3).unwrap().put(7, &mut |out| out.write_all(b"as of 7")).unwrap();
    place.is_of("two", false).unwrap();
    assert!(place.is_of("one", false).is_err());
}

#[test]
fn servers_that_share_a_folder_find_each_others_snapshots_by_partition() {
    let dir = Scratch::new("place");
    let text = dir.to_str().unwrap();
    let [one, other] = [text, &format!("{text}/")].map(|text| SnapshotPlace::parse(text, &nothing).unwrap());
    assert_eq!((one.to_string(), one.is_plain(), one.memory()), (text.to_owned(), false, 0));
    let written = one.partition(3).unwrap();
    written.put(7, &mut |out| out.write_all(b"as of 7")).unwrap();
    for place in [&one, &other] {
        let found = place.partition(3).unwrap();
        assert_eq!(found.positions().unwrap(), [7]);
        let mut bytes = Vec::new();
        found.get(7).unwrap().1.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"as of 7");
        assert!(place.partition(4).unwrap().positions().unwrap().is_empty());
    }
    assert!(dir.join("p3/00000000000000000007.snapshot").exists() && dir.join("p4").is_dir());
    assert_eq!(written.place(7), dir.join("p3/00000000000000000007.snapshot").display().to_string());
}

#[test]
fn a_folder_that_is_not_there_is_not_made_and_one_that_is_none_is_named() {
    let dir = Scratch::new("no-place");
    let missing = dir.join("not-mounted");
    let said = |path: &std::path::Path| {
        let place = SnapshotPlace::parse(path.to_str().unwrap(), &nothing).unwrap();
        place.partition(0).map(drop).unwrap_err()
    };
    let error = said(&missing);
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    let expected = "there is no such folder: make it, or mount it, the same for all servers";
    assert_eq!(error.to_string(), format!("{}: {expected}", missing.display()));
    assert!(!missing.exists());
    let file = dir.join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(said(&file).to_string(), format!("{}: is no folder: name one that all servers share", file.display()));
    // Where a partition has its folder there is a file.
    std::fs::write(dir.join("p0"), "").unwrap();
    assert!(said(&dir).to_string().starts_with(&dir.join("p0").display().to_string()));
}

#[test]
fn what_is_no_place_is_refused() {
    for text in
        ["", "snapshots", "./snapshots", "S3://snapshots/x", "https://snapshots.example.com", "file:///snapshots"]
    {
        let why = SnapshotPlace::parse(text, &keys).unwrap_err();
        assert!(why.starts_with("is the absolute path of a folder"), "{text}: {why}");
    }
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_bucket_needs_what_was_left_out() {
    let why = SnapshotPlace::parse("s3://snapshots/x?region=eu-central-1", &keys).unwrap_err();
    assert_eq!(why, "a bucket needs the feature `s3`, and this logdrain was built without it");
}
