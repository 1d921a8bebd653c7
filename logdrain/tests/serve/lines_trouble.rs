//! Lines that are kept, when what they come from or where they go is not as it was: a journal of long ago, one that is full,
//! a disk that is.

use crate::harness::{Delivery, PATIENCE, Server, body, scratch, truth, wait_for_rows, wait_until, wait_within};
use crate::lines::{assert_books, config, copy, kept, number, parsed, wait_for_lines};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn delivery(number: u64, lines: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, lines) }
}

/// What must be kept, whatever its ids: each line once.
fn assert_each_once<'a>(dir: &Path, sent: impl IntoIterator<Item = &'a Delivery>) {
    let bodies: Vec<u8> = sent.into_iter().flat_map(|sent| sent.body.clone()).collect();
    let mut expected: Vec<_> = parsed(dir, &bodies).into_iter().map(|(_, message)| message).collect();
    let mut messages: Vec<_> = kept(dir).into_values().map(|(_, _, message)| message).collect();
    expected.sort_unstable();
    messages.sort_unstable();
    assert!(messages == expected, "{} lines of {}", messages.len(), expected.len());
}

fn remove(path: &Path) {
    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Gives ids from a day ahead on, as with a clock that was wrong for a while: the clock alone keeps none from being given
/// twice then.
fn give_ids_of_tomorrow(dir: &Path) {
    let db = rusqlite::Connection::open(dir.join("store/journal.db")).unwrap();
    let day = 86_400_000_i64 << 20;
    assert_eq!(db.execute("UPDATE meta SET value = value + ?1 WHERE key = 'last_id'", [day]).unwrap(), 1);
    db.execute("DELETE FROM meta WHERE key = 'crc'", []).unwrap();
}

/// What of the store is put back: the lines' files are the newer ones each time.
#[test]
fn an_older_journal_beside_newer_lines_gives_no_id_twice() {
    for (name, back) in [
        ("journal", &["journal.db"][..]),
        ("snapshots", &["journal.db", "snapshots"]),
        ("states", &["journal.db", "snapshots", "logs-state"]),
    ] {
        let dir = scratch(&format!("lines-older-{name}"));
        let aside = scratch(&format!("lines-older-{name}-aside"));
        let sent: Vec<_> = (0..30).map(|number| delivery(number, 30)).collect();
        let send = |server: &Server, sent: &[Delivery]| {
            for sent in sent {
                assert_eq!(sent.send(server.address).unwrap(), 204);
            }
            wait_for_lines(server);
        };
        let server = Server::start(&dir, &[]);
        send(&server, &sent[..10]);
        assert_eq!(server.stop().0, Some(0));
        copy(&dir.join("store"), &aside);
        give_ids_of_tomorrow(&dir);
        let server = Server::start(&dir, &[]);
        send(&server, &sent[10..20]);
        assert_eq!(server.stop().0, Some(0));
        let before = kept(&dir);
        assert_eq!(before.len(), 600);
        for file in back.iter().chain(&["journal.db-wal", "journal.db-shm"]) {
            remove(&dir.join("store").join(file));
            let from = aside.join(file);
            if from.is_dir() {
                copy(&from, &dir.join("store").join(file));
            } else if from.exists() {
                fs::copy(from, dir.join("store").join(file)).unwrap();
            }
        }
        let server = Server::start(&dir, &[]);
        // One of the first is in the journal, and is not taken again.
        send(&server, &[&sent[20..25], &sent[9..10]].concat());
        wait_until("the page", || {
            let page = server.get("/events").body;
            let ids: Vec<u64> =
                page.split(" id=\"e").skip(1).map(|line| line.split('"').next().unwrap().parse().unwrap()).collect();
            assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
            (*ids.last()? > *before.keys().next_back().unwrap()).then_some(())
        });
        // In the middle of it the server is killed, too.
        server.kill();
        let server = Server::start(&dir, &[]);
        send(&server, &sent[25..]);
        wait_until("the books", || (number(&server, "logdrain_logs_events") == 900.0).then_some(()));
        assert_books(&server);
        assert_eq!(server.stop().0, Some(0));
        assert_each_once(&dir, &sent);
        let after = kept(&dir);
        assert!(before.iter().all(|(id, line)| after.get(id) == Some(line)), "{name}: what was there is there");
        let new: BTreeSet<_> = after.keys().filter(|id| !before.contains_key(id)).collect();
        assert!(new.len() == 300 && new.first() > before.keys().next_back().as_ref(), "{name}: ids rise");
        // The next start changes nothing.
        let server = Server::start(&dir, &[]);
        wait_for_lines(&server);
        wait_until("the books", || (number(&server, "logdrain_logs_events") == 900.0).then_some(()));
        assert_books(&server);
        assert_eq!(server.stop().0, Some(0));
        assert!(kept(&dir) == after, "{name}");
    }
}

/// Between lines and numbers, numbers win: deliveries are taken on, and the books say what was not kept.
#[test]
fn lines_give_way_to_a_full_journal_while_their_folder_cannot_be_used() {
    let dir = scratch("lines-give-way");
    fs::create_dir_all(dir.join("store")).unwrap();
    // A file is in the way.
    fs::write(dir.join("store/logs"), "in the way").unwrap();
    let config = config(&dir, "journal_limit = \"2MB\"\nretention = \"1h\"\nsnapshot_every = \"200ms\"\n");
    let arguments = ["--config", config.as_str()];
    let server = Server::start(&dir, &arguments);
    let no_room = |server: &Server| number(server, "logdrain_logs_events_total{outcome=\"no_room\"}");
    let (mut taken, mut next) = (Vec::new(), 0);
    // As Logplex does: again until it is acknowledged.
    let mut send = |server: &Server| {
        let sent = delivery(next, 500);
        wait_until("an answer", || (sent.send(server.address).unwrap() == 204).then_some(()));
        taken.push(sent);
        next += 1;
        taken.len()
    };
    let mut since = None;
    // Some 300 deliveries one after the other, each of which waits for the disk, and a journal that waits for snapshots.
    wait_within(PATIENCE * 4, "deliveries that are taken after the journal was full", || {
        let sent = send(&server);
        if no_room(&server) > 0.0 {
            since.get_or_insert(sent);
        }
        since.is_some_and(|since| sent >= since + 100).then_some(())
    });
    assert!(fs::metadata(dir.join("store/journal.db")).unwrap().len() <= 2 << 20);
    assert!(server.log().contains("lines cannot be written"), "{}", server.log());
    assert_eq!(number(&server, "logdrain_logs_events_total{outcome=\"kept\"}"), 0.0);
    assert_books(&server);
    fs::remove_file(dir.join("store/logs")).unwrap();
    wait_until("the store", || (number(&server, "logdrain_logs_failing") == 0.0).then_some(()));
    let again = send(&server) - 1;
    for _ in 0..9 {
        send(&server);
    }
    let is_whole = |server: &Server| {
        wait_for_lines(server);
        let events = taken.len() as f64 * 500.0;
        let number = |name: &str| number(server, name);
        // All that came is either kept or not.
        wait_until("the books", || {
            let (kept, lost) = (number("logdrain_logs_events_total{outcome=\"kept\"}"), no_room(server));
            (kept + lost == events).then_some(())
        });
        assert_books(server);
    };
    is_whole(&server);
    server.kill();
    let server = Server::start(&dir, &arguments);
    is_whole(&server);
    let bodies: Vec<u8> = taken.iter().flat_map(|sent| sent.body.clone()).collect();
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.shop", bodies)]));
    let lost = no_room(&server);
    assert_eq!(server.stop().0, Some(0));
    let kept = kept(&dir);
    assert_eq!(kept.len() as f64 + lost, taken.len() as f64 * 500.0);
    let there: BTreeSet<_> = kept.into_values().map(|(_, _, message)| message).collect();
    let new: Vec<u8> = taken[again..].iter().flat_map(|sent| sent.body.clone()).collect();
    assert!(parsed(&dir, &new).iter().all(|(_, message)| there.contains(message)), "lines are kept again");
}

/// A small file system of its own, as long as this lives.
#[cfg(target_os = "linux")]
pub(crate) struct Mounted(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Mounted {
    pub(crate) fn at(path: &Path, size: &str) -> Option<Self> {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(path)
            .output();
        if !mount.is_ok_and(|output| output.status.success()) {
            println!("nothing can be mounted here: not run");
            return None;
        }
        Some(Self(path.to_owned()))
    }

    /// Gives it another size.
    pub(crate) fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        let mount = std::process::Command::new("mount").args(["-o", &options]).arg(&self.0).status();
        assert!(mount.unwrap().success());
    }
}

#[cfg(target_os = "linux")]
impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Names of files that were begun and not finished.
#[cfg(target_os = "linux")]
fn unfinished(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(unfinished(&path));
        } else if path.extension().is_some_and(|end| end == "tmp") {
            found.push(path);
        }
    }
    found
}

/// The disk of lines is full in the middle of a file of theirs, and again at the next start.
#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_under_a_file_of_lines_costs_none() {
    let dir = scratch("lines-full");
    let logs = dir.join("store/logs");
    fs::create_dir_all(&logs).unwrap();
    let Some(mounted) = Mounted::at(&logs, "4m") else { return };
    let config = config(&dir, "journal_ahead = \"64kB\"\nsnapshot_every = \"200ms\"\n");
    let arguments = ["--config", config.as_str()];
    let ballast = logs.join("ballast");
    let mut sent = Vec::new();
    for is_killed in [false, true] {
        let server = Server::start(&dir, &arguments);
        let is_failing = |server: &Server| number(server, "logdrain_logs_failing") == 1.0;
        let mut send = |server: &Server| {
            let delivery = delivery(sent.len() as u64, 300);
            assert_eq!(delivery.send(server.address).unwrap(), 204);
            sent.push(delivery);
        };
        send(&server);
        wait_for_lines(&server);
        // As much as there is, but for a little.
        let (mut full, chunk) = (Vec::new(), vec![7_u8; 4 << 10]);
        while fs::write(&ballast, &full).is_ok() {
            full.extend(&chunk);
        }
        full.truncate(full.len() - 15 * chunk.len());
        fs::write(&ballast, &full).unwrap();
        wait_until("a full disk", || {
            send(&server);
            is_failing(&server).then_some(())
        });
        assert!(server.log().contains("lines cannot be written"), "{}", server.log());
        for _ in 0..5 {
            send(&server);
        }
        assert_eq!(server.get("/readyz").status, 200);
        let server = if is_killed {
            server.kill();
            let server = Server::start(&dir, &arguments);
            send(&server);
            server
        } else {
            server
        };
        fs::remove_file(&ballast).unwrap();
        wait_until("room", || (!is_failing(&server)).then_some(()));
        send(&server);
        wait_for_lines(&server);
        wait_until("the books", || {
            let events = sent.len() as f64 * 300.0;
            (number(&server, "logdrain_logs_events_total{outcome=\"kept\"}") == events).then_some(())
        });
        assert_books(&server);
        assert!(unfinished(&logs).is_empty(), "{:?}", unfinished(&logs));
        assert_eq!(server.stop().0, Some(0));
        assert!(unfinished(&logs).is_empty(), "{:?}", unfinished(&logs));
        assert_each_once(&dir, &sent);
    }
    drop(mounted);
}
