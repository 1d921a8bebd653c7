//! Disks that are full, read-only, damaged or cut off: nothing acknowledged is lost but what the damage hit, and the
//! server says what is wrong and goes on.

use crate::harness::{Delivery, PATIENCE, Server, body, scratch, truth, wait_for_rows, wait_until};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

fn delivery(number: u64, lines: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, lines) }
}

fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn doctor(dir: &Path) -> (Option<i32>, String) {
    let Output { status, stdout, stderr, .. } =
        Command::new(env!("CARGO_BIN_EXE_logdrain")).arg("doctor").arg(dir.join("store")).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

fn journal(dir: &Path) -> PathBuf {
    dir.join("store/journal.db")
}

fn snapshots(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        fs::read_dir(dir.join("store/snapshots")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn flip(path: &Path, at: usize) {
    let mut octets = fs::read(path).unwrap();
    octets[at] ^= 0x10;
    fs::write(path, octets).unwrap();
}

#[test]
fn a_full_store_says_so_and_makes_room() {
    let dir = scratch("full");
    let config = config(&dir, "store_limit = \"2MB\"\nretention = \"1h\"\nsnapshot_every = \"200ms\"\n");
    let server = Server::start(&dir, &["--config", &config]);
    let (mut kept, mut refused) = (Vec::new(), 0);
    let began = Instant::now();
    // Until it was full, and took deliveries again.
    let (mut was_full, mut after) = (false, 0);
    for number in 0.. {
        let sent = delivery(number, 500);
        match sent.send(server.address).unwrap() {
            204 => {
                kept.extend(sent.body);
                after += u32::from(was_full);
            }
            // On a busy machine the write-ahead file may be what is refused for first.
            503 => {
                refused += 1;
                was_full = was_full || server.log().contains("the disk is full");
            }
            other => panic!("{other}"),
        }
        if after > 30 {
            break;
        }
        // Some hundreds of them, one after the other, each of which waits for the disk.
        let is_in_time = began.elapsed() < PATIENCE * 4;
        assert!(is_in_time, "{refused} refused, {after} taken after that: {}", server.log());
    }
    assert!(server.log().contains("deliveries are stored again"), "{}", server.log());
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", kept)]));
    assert!(fs::metadata(journal(&dir)).unwrap().len() <= 2 << 20);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn rows_that_find_no_room_follow_later() {
    let dir = scratch("rows-full");
    let server = Server::start(&dir, &["--out", "/dev/full"]);
    let (one, two) = (delivery(1, 50), delivery(2, 50));
    assert_eq!(one.send(server.address).unwrap(), 204);
    wait_until("the message", || server.log().contains("rows cannot be written").then_some(()));
    assert_eq!(two.send(server.address).unwrap(), 204, "deliveries do not wait for rows");
    let (code, log) = server.stop();
    assert_eq!(code, Some(2));
    assert!(log.contains("the next start writes them"), "{log}");
    let server = Server::start(&dir, &[]);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", [one.body, two.body].concat())]));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_store_that_cannot_be_made_is_waited_for() {
    let dir = scratch("nowhere");
    // Nobody makes a folder there, whoever runs the test.
    let server = Server::start_closed(&dir, &["--store", "/sys/logdrain-store"]);
    assert_eq!(delivery(1, 1).send(server.address).unwrap(), 503);
    assert_eq!((server.get("/readyz").status, server.get("/healthz").status), (503, 200));
    assert_eq!(server.stop().0, Some(0), "it is no failure to be asked to stop");
}

#[test]
#[cfg(unix)]
fn a_read_only_store_is_waited_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = scratch("read-only");
    let sent = delivery(1, 20);
    let server = Server::start(&dir, &[]);
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    let store = dir.join("store");
    let mode = |folder, file| {
        for path in [journal(&dir), store.join("lock")] {
            fs::set_permissions(path, fs::Permissions::from_mode(file)).unwrap();
        }
        fs::set_permissions(&store, fs::Permissions::from_mode(folder)).unwrap();
    };
    mode(0o555, 0o444);
    if fs::write(store.join("probe"), "").is_ok() {
        println!("this user may write what is read-only: nothing to see");
        mode(0o755, 0o644);
        return;
    }
    let server = Server::start_closed(&dir, &[]);
    assert_eq!(delivery(2, 1).send(server.address).unwrap(), 503);
    mode(0o755, 0o644);
    let second = delivery(3, 20);
    wait_until("an open store", || (second.send(server.address).unwrap() == 204).then_some(()));
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", [sent.body, second.body].concat())]));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_flipped_octet_costs_the_delivery_that_it_is_in() {
    let dir = scratch("flip-delivery");
    let late = ["--lateness", "6s"];
    let server = Server::start(&dir, &late);
    let sent: Vec<_> = (1..=3).map(|number| delivery(number, 100)).collect();
    for sent in &sent {
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(doctor(&dir).0, Some(0), "{}", doctor(&dir).1);
    // Without snapshots all of it is read again.
    snapshots(&dir).iter().for_each(|path| fs::remove_file(path).unwrap());
    // As it lies there: packed.
    let db = rusqlite::Connection::open(journal(&dir)).unwrap();
    let all = "SELECT body FROM journal WHERE kind = 0 ORDER BY seq LIMIT 1 OFFSET 1";
    let packed: Vec<u8> = db.query_row(all, [], |row| row.get(0)).unwrap();
    drop(db);
    assert!(packed.len() * 2 < sent[1].body.len());
    let octets = fs::read(journal(&dir)).unwrap();
    let needle = &packed[..200];
    let at = octets.windows(needle.len()).position(|window| window == needle).unwrap();
    flip(&journal(&dir), at + 150);
    let (code, said) = doctor(&dir);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("is damaged: its checksum does not match") && said.contains("1 damaged or missing"),
        "{said}"
    );
    let server = Server::start(&dir, &late);
    let left = [sent[0].body.clone(), sent[2].body.clone()].concat();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", left)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("an event of the journal is damaged and is left out"), "{log}");
}

#[test]
fn a_damaged_snapshot_costs_nothing() {
    let dir = scratch("flip-snapshot");
    let config = config(&dir, "snapshot_every = \"150ms\"\n");
    let arguments = ["--config", config.as_str(), "--lateness", "4s"];
    let server = Server::start(&dir, &arguments);
    let mut all = Vec::new();
    for number in 0..8 {
        let sent = delivery(number, 40);
        assert_eq!(sent.send(server.address).unwrap(), 204);
        all.extend(sent.body);
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    wait_until("two snapshots", || (snapshots(&dir).len() >= 2).then_some(()));
    server.kill();
    let newest = snapshots(&dir).into_iter().rfind(|path| path.extension().is_some()).unwrap();
    flip(&newest, 100);
    assert_eq!(doctor(&dir).0, Some(1), "{}", doctor(&dir).1);
    let server = Server::start(&dir, &arguments);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("a snapshot is damaged"), "{log}");
}

#[test]
fn a_journal_that_was_cut_off_is_set_aside() {
    let dir = scratch("cut-off");
    let late = ["--lateness", "4s"];
    let server = Server::start(&dir, &late);
    let mut all = Vec::new();
    for number in 0..20 {
        let sent = delivery(number, 200);
        assert_eq!(sent.send(server.address).unwrap(), 204);
        all.extend(sent.body);
    }
    assert_eq!(server.stop().0, Some(0));
    let file = fs::OpenOptions::new().write(true).open(journal(&dir)).unwrap();
    let len = file.metadata().unwrap().len();
    file.set_len(len * 6 / 10).unwrap();
    drop(file);
    assert_eq!(doctor(&dir).0, Some(1));
    let server = Server::start(&dir, &late);
    let more = delivery(100, 50);
    wait_until("an open store", || (more.send(server.address).unwrap() == 204).then_some(()));
    all.extend(more.body);
    // The snapshot has what the journal lost.
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", all)]));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains("the journal was damaged: what could be read is in a new one"), "{log}");
    let aside = fs::read_dir(dir.join("store")).unwrap().map(|entry| entry.unwrap().file_name());
    let is_aside = |name: &str| name.starts_with("journal.damaged-") && name.ends_with(".db");
    assert_eq!(aside.filter(|name| is_aside(&name.to_string_lossy())).count(), 1);
}

/// Wherever the byte is: the server comes up, takes deliveries and counts them, at the second start at the latest.
#[test]
fn an_octet_flipped_anywhere_stops_nothing() {
    let dir = scratch("flip-anywhere");
    let server = Server::start(&dir, &[]);
    for number in 0..6 {
        assert_eq!(delivery(number, 300).send(server.address).unwrap(), 204);
    }
    assert_eq!(server.stop().0, Some(0));
    let sound = fs::read(journal(&dir)).unwrap();
    let mut place = 0x9e37_79b9_usize;
    for round in 0..8 {
        fs::remove_dir_all(dir.join("store")).unwrap();
        fs::create_dir_all(dir.join("store")).unwrap();
        fs::write(journal(&dir), &sound).unwrap();
        // The head of the file and of its first pages, where damage hurts most, in every other round.
        place = place.wrapping_mul(0x5851_f42d).wrapping_add(0x1405_7b7f);
        let at = if round % 2 == 0 { place % sound.len() } else { place % 4_096 };
        flip(&journal(&dir), at);
        let began = Instant::now();
        let answered = loop {
            if let Ok(server) = Server::try_start(&dir, &[]) {
                // It may end when it meets the damage, and look after it at the next start.
                let sent = delivery(1_000 + round, 10);
                while began.elapsed() < PATIENCE {
                    match sent.send(server.address) {
                        Ok(204) => break,
                        Ok(503) => std::thread::sleep(std::time::Duration::from_millis(50)),
                        Ok(other) => panic!("{other}"),
                        Err(_) => break,
                    }
                }
                if sent.send(server.address).is_ok_and(|status| status == 204) {
                    break server;
                }
            }
            assert!(began.elapsed() < PATIENCE, "octet {at}: no server that takes deliveries");
        };
        assert_eq!(answered.stop().0, Some(0), "octet {at}");
    }
}
