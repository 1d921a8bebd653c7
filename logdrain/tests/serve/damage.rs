//! Damage to a store on the disk: what can be read is counted, what cannot is said, and nothing goes on as if all were well.

use crate::harness::{Delivery, Server, body, scratch, truth, wait_for_rows, wait_until};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Windows stay open, so that every delivery has to be counted again after each start.
const OPEN: [&str; 2] = ["--lateness", "10m"];

fn delivery(number: u64) -> Delivery {
    delivery_of(number, 30)
}

fn delivery_of(number: u64, lines: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, lines) }
}

fn doctor(dir: &Path) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain")).arg("doctor").arg(dir.join("store")).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("store/journal.db")
}

/// A stopped store of so many deliveries, without snapshots; and all that was sent.
fn store(dir: &Path, deliveries: u64) -> Vec<Vec<u8>> {
    store_of(dir, deliveries, 30)
}

fn store_of(dir: &Path, deliveries: u64, lines: u64) -> Vec<Vec<u8>> {
    let server = Server::start(dir, &OPEN);
    let sent: Vec<_> = (1..=deliveries).map(|number| delivery_of(number, lines)).collect();
    for sent in &sent {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(server.stop().0, Some(0));
    for entry in fs::read_dir(dir.join("store/snapshots")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    // All of it lies in the one file.
    let db = Connection::open(journal(dir)).unwrap();
    let _: i64 = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    sent.into_iter().map(|sent| sent.body).collect()
}

/// Changes bytes of the journal's file.
fn change(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(journal(dir)).unwrap();
    change(&mut bytes);
    fs::write(journal(dir), bytes).unwrap();
}

/// The bodies as they lie there.
fn packed(dir: &Path) -> Vec<Vec<u8>> {
    let db = Connection::open(journal(dir)).unwrap();
    let mut all = db.prepare("SELECT body FROM journal WHERE kind = 0 ORDER BY seq").unwrap();
    let all = all.query_map([], |row| row.get(0)).unwrap();
    all.collect::<Result<_, _>>().unwrap()
}

fn sql(dir: &Path, text: &str) {
    Connection::open(journal(dir)).unwrap().execute_batch(text).unwrap();
}

/// Starts on the store, takes one more delivery, and expects the rows of these bodies and of that.
fn assert_counted(dir: &Path, bodies: &[Vec<u8>], said: &str) -> String {
    let server = Server::start(dir, &[]);
    let more = delivery(1_000);
    wait_until("an open store", || (more.send(server.address).unwrap() == 204).then_some(()));
    wait_for_rows(&dir.join("rows.jsonl"), &truth(dir, [("d.shop", [bodies.concat(), more.body].concat())]));
    assert_eq!(server.get("/readyz").status, 200);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains(said), "{said}: {log}");
    assert_eq!(doctor(dir).0, Some(0), "{}", doctor(dir).1);
    log
}

/// The number of the page that a table's tree begins at, and the length of pages.
fn root_of(dir: &Path, table: &str) -> (usize, usize) {
    let db = Connection::open(journal(dir)).unwrap();
    let root: i64 =
        db.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [table], |row| row.get(0)).unwrap();
    let size: i64 = db.pragma_query_value(None, "page_size", |row| row.get(0)).unwrap();
    (root as usize, size as usize)
}

const SALVAGED: &str = "the journal was damaged: what could be read is in a new one";

#[test]
fn every_delivery_is_taken_over_when_the_way_to_them_is_gone() {
    let dir = scratch("damage-root");
    let bodies = store(&dir, 60);
    let (root, size) = root_of(&dir, "journal");
    change(&dir, |bytes| bytes[(root - 1) * size..root * size].fill(0));
    assert_eq!(doctor(&dir).0, Some(1));
    let log = assert_counted(&dir, &bodies, SALVAGED);
    assert!(log.contains("missing=0"), "{log}");
}

#[test]
fn every_delivery_is_taken_over_when_the_head_of_the_file_is_damaged() {
    for at in [0, 16, 17, 18, 19, 20, 21, 24, 28, 31, 36, 47, 59, 96, 103] {
        let dir = scratch("damage-head");
        let bodies = store(&dir, 12);
        change(&dir, |bytes| bytes[at] ^= 0x41);
        let server = Server::try_start(&dir, &[]).unwrap_or_else(|(code, log)| panic!("byte {at}: {code:?}: {log}"));
        wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", bodies.concat())]));
        assert_eq!(server.stop().0, Some(0), "byte {at}");
    }
}

#[test]
fn every_delivery_that_lies_in_it_is_taken_over_from_a_file_that_was_cut() {
    for (name, keep) in [("page", None), ("half", Some(2)), ("byte", Some(0))] {
        let dir = scratch(&format!("damage-cut-{name}"));
        // Long enough that each lies on pages of its own, packed.
        let bodies = store_of(&dir, 60, 1_500);
        let size = root_of(&dir, "journal").1;
        let packed = packed(&dir);
        assert_eq!(packed.len(), bodies.len());
        change(&dir, |bytes| {
            let len = match keep {
                None => bytes.len() - size,
                Some(0) => bytes.len() - 1,
                Some(part) => bytes.len() / part,
            };
            bytes.truncate(len);
        });
        let whole = fs::read(journal(&dir)).unwrap();
        // A body is there as it was packed, on pages of which each but the first begins with the number of the next.
        let ends = |body: &[u8]| {
            let end = &body[body.len() - 100..];
            whole.windows(end.len()).any(|window| window == end)
        };
        let there: Vec<_> = packed.iter().filter(|body| ends(body)).collect();
        assert!(there.len() > 10, "{name}: {}", there.len());
        let server = Server::start(&dir, &[]);
        assert!(server.log().contains(SALVAGED), "{}", server.log());
        let events = server.log().split("events=").nth(1).unwrap().split_whitespace().next().unwrap().parse::<usize>();
        assert!(events.unwrap() + 2 >= there.len(), "{name}: {} lie there: {}", there.len(), server.log());
        assert_eq!(delivery(1_000).send(server.address).unwrap(), 204);
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn an_empty_journal_beside_what_a_server_left_is_said_to_be_damage() {
    let dir = scratch("damage-empty");
    store(&dir, 3);
    for suffix in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(dir.join(format!("store/journal.db{suffix}")));
    }
    fs::write(journal(&dir), "").unwrap();
    let (code, said) = doctor(&dir);
    assert!(code == Some(1) && said.contains("is empty"), "{said}");
    assert_counted(&dir, &[], "the journal is empty, and was not");
}

#[test]
fn a_wrong_record_of_where_the_journal_stands_is_put_right() {
    let said = "the journal's record of where it stands was damaged";
    for (name, change, found) in [
        ("too-low", "UPDATE meta SET value = 5 WHERE key = 'position'", "said to end at event 5"),
        ("too-high", "UPDATE meta SET value = 4611686018427388000 WHERE key = 'position'", "makes no sense"),
        ("higher", "UPDATE meta SET value = value + 1000000 WHERE key = 'position'", "does not match"),
        ("emitted", "UPDATE meta SET value = 1000000 WHERE key = 'emitted'", "rows are said to be out"),
        ("text", "UPDATE meta SET value = 'x' WHERE key = 'emitted'", "cannot be read"),
        // As a store of the first schema, which has no checksum.
        (
            "old-low",
            "DELETE FROM meta WHERE key = 'crc'; UPDATE meta SET value = 5 WHERE key = 'position'",
            "holds event",
        ),
    ] {
        let dir = scratch(&format!("damage-meta-{name}"));
        let bodies = store(&dir, 10);
        sql(&dir, change);
        let (code, text) = doctor(&dir);
        assert!(code == Some(1) && text.contains(found), "{name}: {text}");
        let log = assert_counted(&dir, &bodies, said);
        assert!(log.len() < 20_000, "{name}: {} bytes of log", log.len());
    }
}

#[test]
fn a_missing_stretch_is_said_once_and_passed_over() {
    let dir = scratch("damage-stretch");
    let bodies = store(&dir, 30);
    sql(
        &dir,
        "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE kind = 0 ORDER BY seq LIMIT 20 OFFSET 5)",
    );
    assert_eq!(doctor(&dir).0, Some(1), "{}", doctor(&dir).1);
    let server = Server::start(&dir, &[]);
    let left = [&bodies[..5], &bodies[25..]].concat();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", left.concat())]));
    let (_, log) = server.stop();
    // A tick may lie between the deliveries.
    assert!((1..=3).contains(&log.matches("events of the journal are missing").count()), "{log}");
}

/// With its checksum made right again.
fn change_snapshot(path: &Path, change: impl FnOnce(&mut [u8])) {
    let mut bytes = fs::read(path).unwrap();
    let content = bytes.len() - 4;
    change(&mut bytes[..content]);
    let crc = crc32fast::hash(&bytes[..content]);
    bytes[content..].copy_from_slice(&crc.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

fn newest(dir: &Path) -> PathBuf {
    let found = fs::read_dir(dir.join("store/snapshots")).unwrap().map(|entry| entry.unwrap().path());
    found.max().unwrap()
}

#[test]
fn a_snapshot_of_an_absurd_position_is_damage() {
    let dir = scratch("damage-snapshot-position");
    let server = Server::start(&dir, &OPEN);
    let sent = delivery(1);
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    change_snapshot(&newest(&dir), |bytes| bytes[8..16].fill(0xff));
    assert_eq!(doctor(&dir).0, Some(1));
    let log = assert_counted(&dir, &[sent.body], "makes no sense");
    assert!(log.len() < 20_000, "{} bytes of log", log.len());
}

#[test]
fn a_newer_snapshot_is_refused_and_left_as_it_is() {
    let dir = scratch("damage-snapshot-newer");
    let server = Server::start(&dir, &OPEN);
    assert_eq!(delivery(1).send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    let path = newest(&dir);
    change_snapshot(&path, |bytes| bytes[6] = 99);
    let before = fs::read(&path).unwrap();
    let (code, log) = Server::try_start(&dir, &[]).err().expect("it is refused");
    assert!(code == Some(2) && log.contains("was written by a later version"), "{code:?}: {log}");
    assert_eq!(fs::read(&path).unwrap(), before);
    let (code, said) = doctor(&dir);
    assert!(code == Some(1) && said.contains("version 99"), "{said}");
}

#[test]
fn a_damaged_snapshot_is_not_one_of_those_that_are_kept() {
    let dir = scratch("damage-snapshot-kept");
    let sent: Vec<_> = (1..=3).map(delivery).collect();
    for sent in &sent {
        let server = Server::start(&dir, &OPEN);
        assert_eq!(sent.send(server.address).unwrap(), 204);
        assert_eq!(server.stop().0, Some(0));
    }
    let damaged = newest(&dir);
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[60] ^= 1;
    fs::write(&damaged, bytes).unwrap();
    let server = Server::start(&dir, &OPEN);
    assert_eq!(delivery(4).send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    let snapshots = fs::read_dir(dir.join("store/snapshots")).unwrap().map(|entry| entry.unwrap().path());
    let sound = snapshots.filter(|path| path.extension().is_some_and(|suffix| suffix == "snapshot"));
    assert_eq!(sound.count(), 2);
    assert!(damaged.with_extension("damaged").exists());
    assert_eq!(doctor(&dir).0, Some(0), "{}", doctor(&dir).1);
}

#[test]
fn doctor_says_what_a_server_would_refuse_or_has_lost() {
    let refused = |dir: &Path| matches!(Server::try_start(dir, &[]), Err((Some(2), _)));
    for (name, change, found, is_refused) in [
        ("schema", "PRAGMA user_version = 99", "was written by a later version", true),
        ("foreign", "PRAGMA application_id = 1", "of something else", true),
        ("first", "DELETE FROM journal WHERE seq < 6", "are in no snapshot, and are kept no more", false),
    ] {
        let dir = scratch(&format!("doctor-{name}"));
        store(&dir, 10);
        sql(&dir, change);
        let (code, said) = doctor(&dir);
        assert!(code == Some(1) && said.contains(found), "{name}: {said}");
        assert!(!said.contains("d.shop"), "a token is a password: {said}");
        if is_refused {
            assert!(refused(&dir), "{name}");
        }
    }
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_keeps_nobody_waiting() {
    let dir = scratch("damage-pipe");
    store(&dir, 1);
    let server = Server::start(&dir, &OPEN);
    assert_eq!(server.stop().0, Some(0));
    let first = |folder: &str| {
        let path = fs::read_dir(dir.join("store").join(folder)).unwrap().next().unwrap().unwrap().path();
        path.strip_prefix(dir.join("store")).unwrap().to_str().unwrap().to_owned()
    };
    let mut names: Vec<String> = ["snapshots", "logs-state", "rules-state"].map(first).into();
    names.extend(["journal.db", "lock", "minutes.db", "outbox.db", "settings.db"].map(str::to_owned));
    for name in names {
        let (path, away) = (dir.join("store").join(&name), dir.join("away"));
        fs::rename(&path, &away).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (code, log) = Server::try_start(&dir, &[]).err().unwrap_or_else(|| panic!("{name} is refused"));
        assert!(code == Some(2) && log.contains(&format!("{name}: is a pipe")), "{name}: {code:?}: {log}");
        let (code, said) = doctor(&dir);
        assert!(code == Some(2) && said.contains(&format!("{name}: is a pipe")), "{name}: {code:?}: {said}");
        fs::remove_file(&path).unwrap();
        fs::rename(&away, &path).unwrap();
    }
    assert_eq!(doctor(&dir).0, Some(0), "{}", doctor(&dir).1);
}

#[test]
fn settings_of_no_byte_are_said_to_have_gone() {
    let dir = scratch("damage-settings");
    store(&dir, 1);
    fs::write(dir.join("store/settings.db"), "").unwrap();
    let server = Server::start(&dir, &[]);
    let (code, log) = server.stop();
    assert!(code == Some(0) && log.contains("settings.db is empty: the members"), "{code:?}: {log}");
    let server = Server::start(&dir, &[]);
    assert!(!server.stop().1.contains("settings.db is empty"));
}
