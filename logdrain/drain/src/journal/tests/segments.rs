//! What segments and snapshots promise, whatever keeps them.

use super::memory::Bytes;
use super::{Folder, Named, Segments, Snapshots};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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

#[test]
fn two_servers_that_put_at_once_into_one_folder_do_not_write_into_each_others_files() {
    let dir = scratch("servers");
    let [one, other] = [Folder::new(&dir), Folder::new(&dir)];
    let all = vec![1; 3 << 20];
    // Each waits in the midst until the other one is there, too.
    let both = std::sync::Barrier::new(2);
    std::thread::scope(|servers| {
        for (server, own) in [(&one, "one.rows"), (&other, "other.rows")] {
            let (all, both) = (&all, &both);
            servers.spawn(move || {
                for name in ["shared.rows", own] {
                    let put = server.put(name, &mut |out| {
                        out.write_all(&all[..1 << 20])?;
                        both.wait();
                        assert!(server.names()?.iter().all(|name| name.ends_with(".rows")), "nothing else is listed");
                        both.wait();
                        out.write_all(&all[1 << 20..])
                    });
                    put.unwrap();
                    both.wait();
                }
            });
        }
    });
    let mut names = one.names().unwrap();
    names.sort();
    assert_eq!(names, ["one.rows", "other.rows", "shared.rows"]);
    for name in names {
        assert!(read(one.get(&name).unwrap()) == all, "{name}");
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 3, "nothing is left");
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn what_a_server_left_that_died_goes_and_what_another_one_is_writing_stays() {
    let dir = scratch("left");
    let folder = Folder::new(&dir);
    let left = |name: &str, minutes: u64| {
        let file = std::fs::File::create(dir.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60 * minutes)).unwrap();
    };
    for (name, minutes) in [
        ("unfinished", 60),
        ("unfinished-00c0ffee00c0ffee", 60),
        ("unfinished-0123456789abcdef", 5),
        ("unfinished.rows", 60),
        ("b.rows", 60),
    ] {
        left(name, minutes);
    }
    assert_eq!(folder.names().unwrap().len(), 2, "what is unfinished is no segment");
    put(&folder, "a.rows", b"all of it").unwrap();
    let mut there: Vec<_> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    there.sort();
    assert_eq!(there, ["a.rows", "b.rows", "unfinished-0123456789abcdef", "unfinished.rows"]);
    // Whoever was taken for dead, and is not, has put nothing, and hears of it.
    let taken_away = folder.put("c.rows", &mut |out| {
        for entry in std::fs::read_dir(&dir)?.flatten() {
            if entry.file_name() != "unfinished-0123456789abcdef" && entry.file_name() != "unfinished.rows" {
                std::fs::remove_file(entry.path())?;
            }
        }
        out.write_all(b"all of it")
    });
    assert_eq!(taken_away.unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(folder.names().unwrap(), ["unfinished.rows"]);
    std::fs::remove_dir_all(&dir).unwrap();
}

/// A folder from which another server removes what is listed, just before.
#[derive(Debug)]
struct Raced(Bytes);

impl Segments for Raced {
    fn put(&self, name: &str, write: super::Writing<'_>) -> io::Result<()> {
        self.0.put(name, write)
    }

    fn get(&self, name: &str) -> io::Result<(u64, Box<dyn io::Read + '_>)> {
        self.0.get(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        self.0.names()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)?;
        self.0.remove(name)
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        self.0.set_aside(name)
    }

    fn place(&self, name: &str) -> String {
        self.0.place(name)
    }
}

#[test]
fn an_old_snapshot_that_another_server_removed_is_no_reason_to_call_the_new_one_lost() {
    let snapshots = Named::new(Arc::new(Raced(Bytes::default())));
    for (position, needed) in [(1, 0), (2, 1), (3, 2)] {
        assert_eq!(snapshots.put(position, &mut |out| write!(out, "as of {position}")).unwrap(), needed);
    }
    assert_eq!(snapshots.positions().unwrap(), [3, 2]);
}
