//! What segments and snapshots promise, whatever keeps them.

use super::memory::Bytes;
use super::{Folder, Named, Segments, Snapshots};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-segments-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

fn read((len, mut from): (u64, Box<dyn io::Read + '_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, len);
    bytes
}

fn put(segments: &dyn Segments, name: &str, bytes: &[u8]) -> io::Result<()> {
    segments.put(name, &mut |out| out.write_all(bytes))
}

#[test]
fn a_segment_is_there_whole_or_not_at_all_and_put_again_is_what_it_was() {
    let dir = scratch("whole");
    for segments in [Arc::new(Folder::new(&dir)) as Arc<dyn Segments>, Arc::new(Bytes::default())] {
        assert_eq!(segments.get("a.rows").map(drop).unwrap_err().kind(), io::ErrorKind::NotFound);
        let cut_off = segments.put("a.rows", &mut |out| {
            out.write_all(b"half of")?;
            Err(io::Error::other("the disk is full"))
        });
        assert_eq!(cut_off.unwrap_err().to_string(), "the disk is full");
        assert!(segments.get("a.rows").is_err() && segments.names().unwrap().is_empty(), "nothing of it is seen");
        for _ in 0..2 {
            put(&*segments, "a.rows", b"all of it").unwrap();
            assert_eq!(read(segments.get("a.rows").unwrap()), b"all of it");
            assert_eq!(segments.names().unwrap(), ["a.rows"]);
        }
        segments.remove("a.rows").unwrap();
        assert!(segments.get("a.rows").is_err() && segments.remove("a.rows").is_err());
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn two_who_put_the_same_at_once_leave_it_whole() {
    let dir = scratch("two");
    let bytes = vec![7; 3 << 20];
    let segments = Folder::new(&dir);
    std::thread::scope(|both| {
        for _ in 0..2 {
            both.spawn(|| (0..5).for_each(|n| put(&segments, &format!("{n}"), &bytes).unwrap()));
        }
    });
    for n in 0..5 {
        assert!(read(segments.get(&format!("{n}")).unwrap()) == bytes);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn the_two_newest_snapshots_are_kept_and_a_damaged_one_does_not_count() {
    let dir = scratch("newest");
    for segments in [Arc::new(Folder::new(&dir)) as Arc<dyn Segments>, Arc::new(Bytes::default())] {
        let snapshots = Named::new(segments.clone());
        let keep = |position: u64| snapshots.put(position, &mut |out| write!(out, "as of {position}")).unwrap();
        // As long as there is one, a start without it reads from the beginning.
        assert_eq!([keep(9), keep(100), keep(20)], [0, 9, 20]);
        assert_eq!(snapshots.positions().unwrap(), [100, 20]);
        assert_eq!(read(snapshots.get(100).unwrap()), b"as of 100");
        assert!(snapshots.get(9).is_err());
        // Whoever comes late, with what is long surpassed, changes nothing.
        assert_eq!(keep(10), 20);
        assert_eq!(snapshots.positions().unwrap(), [100, 20]);
        snapshots.set_aside(100).unwrap();
        assert_eq!(snapshots.positions().unwrap(), [20]);
        assert_eq!(keep(30), 20);
        // Names that are no positions are of somebody else.
        for name in ["7.snapshot", "x.snapshot", "00000000000000000007.state"] {
            put(&*segments, name, b"").unwrap();
        }
        assert_eq!(snapshots.positions().unwrap(), [30, 20]);
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
