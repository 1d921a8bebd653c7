//! The place of the store: a folder that goes away under the server, that cannot be, that others could read, that a second
//! server wants, and that must not grow without end.

use crate::harness::{Delivery, PATIENCE, Server, body, scratch, wait_until};
use rusqlite::Connection;
use std::fs;
use std::path::Path;
use std::time::Instant;

fn delivery(number: u64, lines: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, lines) }
}

fn number(server: &Server, name: &str) -> f64 {
    let page = server.get("/metrics").body;
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).unwrap_or(f64::NAN)
}

#[test]
#[cfg(unix)]
fn a_store_that_is_deleted_or_moved_away_acknowledges_nothing() {
    let dir = scratch("place-gone");
    let store = dir.join("store");
    let server = Server::start(&dir, &[]);
    assert_eq!(delivery(1, 5).send(server.address).unwrap(), 204);
    fs::rename(&store, dir.join("elsewhere")).unwrap();
    assert_eq!(delivery(2, 5).send(server.address).unwrap(), 503);
    assert_eq!(server.get("/readyz").status, 503);
    wait_until("the message", || server.log().contains("was deleted or replaced while it was in use").then_some(()));
    // Another folder in its place is not it.
    fs::create_dir_all(&store).unwrap();
    fs::copy(dir.join("elsewhere/journal.db"), store.join("journal.db")).unwrap();
    assert_eq!(delivery(2, 5).send(server.address).unwrap(), 503);
    fs::remove_dir_all(&store).unwrap();
    fs::rename(dir.join("elsewhere"), &store).unwrap();
    wait_until("the store that is back", || (delivery(2, 5).send(server.address).unwrap() == 204).then_some(()));
    fs::remove_dir_all(&store).unwrap();
    assert_eq!(delivery(3, 5).send(server.address).unwrap(), 503);
    assert!(number(&server, "logdrain_commits_failed_total") >= 3.0);
    // Without a delivery, too.
    wait_until("the end of readiness", || (number(&server, "logdrain_storing") == 0.0).then_some(()));
}

#[test]
fn snapshots_that_cannot_be_written_are_counted_and_end_readiness() {
    let dir = scratch("place-snapshots");
    let config = dir.join("config.toml");
    fs::write(&config, "snapshot_every = \"150ms\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    fs::remove_dir_all(dir.join("store/snapshots")).unwrap();
    wait_until("failures", || (number(&server, "logdrain_snapshots_failed_total") >= 3.0).then_some(()));
    let answer = server.get("/readyz");
    assert!(answer.status == 503 && answer.body.contains("snapshots cannot be written"), "{answer:?}");
    assert_eq!(delivery(1, 5).send(server.address).unwrap(), 204, "deliveries are kept all the same");
    fs::create_dir(dir.join("store/snapshots")).unwrap();
    wait_until("readiness", || (server.get("/readyz").status == 200).then_some(()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_second_server_is_refused_though_the_lock_file_was_deleted() {
    let dir = scratch("place-lock");
    let server = Server::start(&dir, &[]);
    fs::remove_file(dir.join("store/lock")).unwrap();
    let (code, log) = Server::try_start(&dir, &[]).err().expect("it is refused");
    assert!(code == Some(2) && log.contains("another logdrain serves this store"), "{code:?}: {log}");
    assert_eq!(delivery(1, 5).send(server.address).unwrap(), 204);
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_that_cannot_be_is_refused_at_once() {
    let dir = scratch("place-impossible");
    fs::write(dir.join("file"), "").unwrap();
    std::os::unix::fs::symlink(dir.join("loop"), dir.join("loop")).unwrap();
    fs::create_dir_all(dir.join("strange/journal.db")).unwrap();
    let (file, beneath) = (dir.join("file"), dir.join("file/store"));
    let (link, strange) = (dir.join("loop"), dir.join("strange"));
    for store in [&file, &beneath, &link, &strange, Path::new("/proc/logdrain-store")] {
        let (code, log) = Server::try_start(&dir, &["--store", store.to_str().unwrap()]).err().expect("refused");
        assert!(code == Some(2) && log.contains(store.to_str().unwrap()), "{}: {code:?}: {log}", store.display());
    }
}

#[test]
#[cfg(unix)]
fn the_store_and_the_rows_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    fn assert_private(path: &Path) {
        let mode = fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{}: {mode:o}", path.display());
        if path.is_dir() {
            fs::read_dir(path).unwrap().for_each(|entry| assert_private(&entry.unwrap().path()));
        }
    }
    let dir = scratch("place-modes");
    let store = dir.join("store");
    // What an earlier version left.
    fs::create_dir_all(&store).unwrap();
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    let config = dir.join("config.toml");
    fs::write(&config, "snapshot_every = \"150ms\"\n").unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    for round in 0..2 {
        let server = Server::start(&dir, &arguments);
        assert_eq!(delivery(round, 5).send(server.address).unwrap(), 204);
        wait_until("a snapshot", || fs::read_dir(store.join("snapshots")).unwrap().next().map(drop));
        assert_private(&store);
        assert_private(&dir.join("rows.jsonl"));
        server.kill();
        for name in ["journal.db", "journal.db-wal"] {
            fs::set_permissions(store.join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
    }
}

fn files(dir: &Path) -> u64 {
    ["journal.db", "journal.db-wal"]
        .iter()
        .filter_map(|name| fs::metadata(dir.join("store").join(name)).ok())
        .map(|meta| meta.len())
        .sum()
}

#[test]
fn somebody_who_looks_for_long_does_not_make_the_store_grow_beyond_its_limit() {
    const LIMIT: u64 = 8 << 20;
    let dir = scratch("place-reader");
    let config = dir.join("config.toml");
    fs::write(&config, "store_limit = \"8MB\"\nsnapshot_every = \"150ms\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    assert_eq!(delivery(1, 5).send(server.address).unwrap(), 204);
    let reader = Connection::open(dir.join("store/journal.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM journal").unwrap();
    let began = Instant::now();
    for number in 2.. {
        let status = delivery(number, 500).send(server.address).unwrap();
        assert!(files(&dir) <= LIMIT + (1 << 20), "{}", files(&dir));
        if status == 503 {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "it grew to {}", files(&dir));
    }
    reader.execute_batch("ROLLBACK").unwrap();
    wait_until("room", || (delivery(1_000_000, 500).send(server.address).unwrap() == 204).then_some(()));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_file_becomes_short_again_when_what_it_held_is_counted() {
    let dir = scratch("place-shrinks");
    let config = dir.join("config.toml");
    // It holds what is counted and not in files of lines yet, too: here no more than a megabyte of that.
    fs::write(&config, "snapshot_every = \"150ms\"\njournal_ahead = \"1MB\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let mut most = 0;
    for number in 0..60 {
        assert_eq!(delivery(number, 4_000).send(server.address).unwrap(), 204);
        most = most.max(fs::metadata(dir.join("store/journal.db")).unwrap().len());
    }
    wait_until("a short file", || {
        std::thread::sleep(std::time::Duration::from_millis(200));
        (fs::metadata(dir.join("store/journal.db")).unwrap().len() < 4 << 20).then_some(())
    });
    println!("{most} bytes at most");
    assert_eq!(server.stop().0, Some(0));
}
