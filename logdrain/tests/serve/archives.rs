//! Archives that a server writes: over kills, and of what its journal held.

use crate::harness::{Delivery, Server, body, now_micros, scratch, wait_until};
use crate::lines::{config, kept};
use flate2::read::MultiGzDecoder;
use log_archive::Period;
use log_store::{Event, EventId, Options, Store};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HOUR: i64 = 3_600_000_000;

/// The files below the archives of an account that end so.
fn files(dir: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for day in fs::read_dir(dir.join("store/archives/default")).into_iter().flatten().flatten() {
        for file in fs::read_dir(day.path()).into_iter().flatten().flatten() {
            if file.file_name().to_string_lossy().ends_with(end) {
                found.push(file.path());
            }
        }
    }
    found.sort();
    found
}

/// The ids of an archive and the programs and messages of its rows. The file is whole, and no line stands in it twice.
pub(crate) fn rows(path: &Path) -> Vec<(u64, String, String)> {
    let mut reader = log_archive::Reader::new(BufReader::new(MultiGzDecoder::new(File::open(path).unwrap())));
    let (mut rows, mut ids) = (Vec::new(), BTreeSet::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    while let Some(row) = reader.read().unwrap() {
        assert!(ids.insert(row.id()), "{} stands twice in {}", row.id(), path.display());
        rows.push((row.id(), text(row.program()), text(row.message())));
    }
    assert!(!reader.counts().is_cut() && reader.counts().refused() == 0);
    rows
}

fn now() -> i64 {
    i64::try_from(now_micros()).unwrap()
}

#[test]
fn killed_at_any_moment_an_hour_is_archived_with_all_its_lines_once() {
    let dir = scratch("archives-crash");
    let hour = Period::hour_of(now() - 2 * HOUR);
    let mut store = Store::open(dir.join("store/logs"), Options::new()).unwrap();
    let mut ids = Vec::new();
    for line in 0..400_000_i64 {
        let text = format!("GET /cart/{line} status=200 request_id={:016x}", line.wrapping_mul(0x1e37_79b9_7f4a_7c15));
        let id = EventId::at(hour.start() + line * 8_000);
        store.append(&Event::new(id, "default", text.as_bytes()).with_system(b"shop")).unwrap();
        store.publish(id);
        ids.push(id.get());
    }
    store.flush().unwrap();
    drop(store);
    let config = config(&dir, "archives = true\n");
    let mut kills = 0;
    while kills < 5 && files(&dir, ".tsv.gz").is_empty() {
        let server = Server::start(&dir, &["--config", &config]);
        // What a server left that was killed is not there any more.
        assert_eq!(files(&dir, ".unfinished"), [PathBuf::new(); 0]);
        wait_until("an archive on its way", || {
            (!files(&dir, ".unfinished").is_empty() || !files(&dir, ".tsv.gz").is_empty()).then_some(())
        });
        std::thread::sleep(Duration::from_millis(kills * 17));
        server.kill();
        kills += 1;
        for archive in files(&dir, ".tsv.gz") {
            assert_eq!(rows(&archive).len(), ids.len(), "an archive that is there is whole");
        }
    }
    assert!(kills > 1, "nothing was killed on its way");
    let server = Server::start(&dir, &["--config", &config]);
    let archive = wait_until("the archive", || files(&dir, ".tsv.gz").pop());
    assert!(archive.ends_with(format!("dt={}/{}", hour.day(), hour.file_name())), "{}", archive.display());
    let found: Vec<u64> = rows(&archive).into_iter().map(|(id, ..)| id).collect();
    assert_eq!(found, ids);
    assert_eq!(files(&dir, ".unfinished"), [PathBuf::new(); 0]);
    assert_eq!(files(&dir, ".books.json").len(), 1);
    // From now on no line gets an id of that hour.
    let sent = Delivery { id: "1".to_owned(), token: "d.shop".to_owned(), body: body(1, 3) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    let kept = kept(&dir);
    assert_eq!(kept.range(EventId::at(hour.end()).get()..).count(), 3);
}

#[test]
fn without_a_word_nothing_is_archived() {
    let dir = scratch("archives-off");
    let id = EventId::at(now() - 3 * HOUR);
    let mut store = Store::open(dir.join("store/logs"), Options::new()).unwrap();
    store.append(&Event::new(id, "default", b"one")).unwrap();
    store.publish(id);
    store.flush().unwrap();
    drop(store);
    let server = Server::start(&dir, &[]);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(server.stop().0, Some(0));
    assert!(!dir.join("store/archives").exists());
}
