//! Lines that are kept: which, under which ids, over crashes, restarts and what goes wrong with their files.
//!
//! `LOGDRAIN_KILLS=200 cargo test --release -p logdrain --test serve lines::` is the long form of the first.

use crate::crash::{self, Senders};
use crate::harness::{Delivery, Server, body, scratch, wait_until};
use log_store::{EventBuf, Options, Page, Query, Reached, Reader, Scope};
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Id -> (system, program, message).
pub(crate) type Kept = BTreeMap<u64, (String, String, String)>;

/// What is in files, of one account.
pub(crate) fn kept_of(dir: &Path, account: &str) -> (Kept, Vec<String>) {
    let reader = Reader::open(dir.join("store/logs"), &Options::new()).unwrap();
    let view = reader.view(&Scope::account(account));
    let mut page = Page::new().with_limit(10_000);
    let (mut kept, mut damage) = (Kept::new(), Vec::new());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    loop {
        let found = view.search(&Query::default(), &page, &mut || true);
        damage.extend(found.examined().damage().iter().map(ToString::to_string));
        for event in found.events().iter().map(EventBuf::as_event) {
            let said = (text(event.system()), text(event.program()), text(event.message()));
            assert!(kept.insert(event.id().get(), said).is_none(), "an id stands twice");
        }
        if found.examined().reached() == Reached::End {
            return (kept, damage);
        }
        page = found.older(&page);
    }
}

pub(crate) fn kept(dir: &Path) -> Kept {
    let (kept, damage) = kept_of(dir, "default");
    assert!(damage.is_empty(), "{damage:?}");
    kept
}

/// What must be kept of a journal that has all its deliveries still: as `parse` reads them, under the ids that stand there.
fn expected(dir: &Path) -> Kept {
    let db = Connection::open(dir.join("store/journal.db")).unwrap();
    let mut all = db.prepare("SELECT base, events, raw, body, drain FROM journal WHERE kind = 0 ORDER BY seq").unwrap();
    let all = all.query_map([], |row| {
        let numbers: (i64, i64, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((numbers, row.get::<_, Vec<u8>>(3)?, row.get::<_, String>(4)?))
    });
    let (mut bodies, mut runs, mut last) = (Vec::new(), Vec::new(), 0);
    for ((base, events, raw), body, drain) in all.unwrap().map(Result::unwrap) {
        assert!(base > last, "ids rise from delivery to delivery");
        last = base + 256 * (events - 1);
        bodies.extend(raw.map_or(body.clone(), |len| zstd::bulk::decompress(&body, len as usize).unwrap()));
        runs.push((base as u64, events as u64, crate::harness::shown(&drain)));
    }
    let mut messages = parsed(dir, &bodies).into_iter();
    let mut expected = Kept::new();
    for (base, events, system) in runs {
        for index in 0..events {
            let (program, message) = messages.next().unwrap();
            expected.insert(base + 256 * index, (system.clone(), program, message));
        }
    }
    assert_eq!(messages.next(), None);
    expected
}

/// What `parse` says of each frame: program and message.
pub(crate) fn parsed(dir: &Path, body: &[u8]) -> Vec<(String, String)> {
    let path = dir.join("one.logplex");
    fs::write(&path, body).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain")).arg("parse").arg(&path).output().unwrap();
    assert!(output.status.success());
    let of = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let header = &value["header"];
        (format!("{}/{}", text(&header["app_name"]), text(&header["proc_id"])), text(&value["msg"]))
    };
    String::from_utf8(output.stdout).unwrap().lines().map(of).collect()
}

pub(crate) fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn delivery(number: u64, lines: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, lines) }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&path, &to),
            kind if kind.is_file() => drop(fs::copy(&path, &to).unwrap()),
            _ => {}
        }
    }
}

pub(crate) fn number(server: &Server, name: &str) -> f64 {
    let page = server.get("/metrics").body;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
}

/// Events = kept + no room, and kept = there + expired + taken for room, by `/metrics`.
pub(crate) fn assert_books(server: &Server) {
    let number = |name: &str| number(server, name);
    let kept = number("logdrain_logs_events_total{outcome=\"kept\"}");
    let gone = number("logdrain_logs_gone_total{why=\"expired\"}") + number("logdrain_logs_gone_total{why=\"room\"}");
    let gone = gone + number("logdrain_logs_gone_total{why=\"purged\"}");
    assert_eq!(kept, number("logdrain_logs_events") + gone, "{}", server.get("/metrics").body);
}

pub(crate) fn wait_for_lines(server: &Server) {
    wait_until("the lines", || {
        let head = number(server, "logdrain_journal_position");
        (number(server, "logdrain_logs_position") >= head).then_some(())
    });
}

#[test]
fn killed_at_any_moment_every_line_is_kept_once_under_its_id() {
    // With all deliveries kept in the journal to be compared with, and with it given back as soon as may be.
    for (name, retention) in [("lines-crash", "1h"), ("lines-crash-short", "0s")] {
        let dir = scratch(name);
        let text = format!("snapshot_every = \"150ms\"\nretention = \"{retention}\"\njournal_ahead = \"64kB\"\n");
        let config = config(&dir, &text);
        let arguments = ["--config", config.as_str()];
        let mut dice = crash::Dice(0x1234_5678_9abc_def1);
        let mut server = Server::start(&dir, &arguments);
        let shared = Senders::new(server.address.port());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let shared = shared.clone();
                std::thread::spawn(move || shared.run(|| 0))
            })
            .collect();
        for _ in 0..crash::kills(10) / 2 {
            std::thread::sleep(Duration::from_millis(20 + dice.below(500)));
            server.kill();
            server = Server::start(&dir, &arguments);
            shared.port.store(server.address.port(), Ordering::SeqCst);
        }
        shared.enough.store(true, Ordering::SeqCst);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        wait_for_lines(&server);
        wait_until("the books", || {
            let there = number(&server, "logdrain_logs_events");
            (there == number(&server, "logdrain_logs_events_total{outcome=\"kept\"}")).then_some(())
        });
        assert_books(&server);
        let (code, log) = server.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("ERROR"), "{log}");
        let kept = kept(&dir);
        // What was acknowledged is there, each line once.
        let acknowledged = shared.acknowledged.lock().unwrap();
        let bodies: Vec<u8> = acknowledged.iter().flat_map(|sent| sent.body.clone()).collect();
        let mut sent: Vec<String> = parsed(&dir, &bodies).into_iter().map(|(_, message)| message).collect();
        let mut messages: Vec<String> = kept.values().map(|(_, _, message)| message.clone()).collect();
        sent.sort_unstable();
        messages.sort_unstable();
        assert!(messages == sent, "{name}: {} lines of {}", messages.len(), sent.len());
        if retention == "0s" {
            continue;
        }
        let expected = expected(&dir);
        assert!(kept == expected, "{} lines, {} expected", kept.len(), expected.len());
        // A fresh run over the journal gives the same.
        let fresh = scratch("lines-fresh");
        copy(&dir.join("store"), &fresh.join("store"));
        fs::remove_dir_all(fresh.join("store/logs")).unwrap();
        fs::remove_dir_all(fresh.join("store/logs-state")).unwrap();
        let server = Server::start(&fresh, &arguments);
        wait_for_lines(&server);
        assert_eq!(server.stop().0, Some(0));
        assert!(self::kept(&fresh) == expected, "a fresh run");
    }
}

#[test]
fn what_cannot_be_read_is_kept_as_it_came_and_whose_a_line_is_follows_from_its_drain() {
    let dir = scratch("lines-odd");
    let drain = |name: &str, rest: &str| {
        format!("[[drain]]\nname = \"{name}\"\nuser = \"{name}\"\npassword = \"twelve-characters\"\n{rest}\n")
    };
    let text = drain("shop", "app = \"shop-eu\"\naccount = \"acme\"") + &drain("blog", "");
    let config = config(&dir, &text);
    let server = Server::start(&dir, &["--config", &config]);
    let send = |name: &str, id: &str, body: &[u8]| {
        use base64::Engine as _;
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("{name}:twelve-characters"));
        let basic = format!("Basic {pair}");
        let headers = [("Authorization", basic.as_str()), ("Logplex-Frame-Id", id), ("Logplex-Drain-Token", "d.1")];
        let answer = crate::harness::request(server.address, "POST", "/logs", &headers, body).unwrap();
        assert_eq!(answer.status, 204);
    };
    let counted = |frame: &[u8]| [format!("{} ", frame.len()).as_bytes(), frame].concat();
    let odd = [
        b"this is no frame\n".to_vec(),
        counted(b"<190>1 2026-03-14T09:26:53Z host app web.1 - \x1b[31mred\x1b[0m and more\n"),
        counted(b"<999>1 - is refused\n"),
        counted(b"<13>1 - host - - - \xff\x00it\n"),
    ];
    let odd = odd.concat();
    send("shop", "1", &odd);
    send("blog", "2", &counted(b"<13>1 2026-03-14T09:26:53Z host app - - plain\n"));
    assert_eq!(server.stop().0, Some(0));
    let said = |account: &str| -> Vec<_> { kept_of(&dir, account).0.into_values().collect() };
    let line = |system: &str, program: &str, message: &str| (system.to_owned(), program.to_owned(), message.to_owned());
    assert_eq!(
        said("acme"),
        [
            line("shop-eu", "logdrain/unread", "this is no frame"),
            line("shop-eu", "app/web.1", "\x1b[31mred\x1b[0m and more"),
            line("shop-eu", "logdrain/unread", "<999>1 - is refused"),
            line("shop-eu", "", "\u{fffd}\0it"),
        ]
    );
    assert_eq!(said("default"), [line("blog", "app", "plain")]);
}

#[test]
fn a_store_of_an_older_program_has_its_lines_taken_over_once() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/stores/0.1.0-schema-2/journal.db.gz");
    let dir = scratch("lines-old");
    fs::create_dir_all(dir.join("store")).unwrap();
    let unpacked = Command::new("gzip").arg("-dc").arg(from).output().unwrap();
    fs::write(dir.join("store/journal.db"), unpacked.stdout).unwrap();
    let config = config(&dir, "retention = \"87600h\"\nlogs_retention = \"3650d\"\n");
    let mut before = None;
    for _ in 0..2 {
        let server = Server::start(&dir, &["--config", &config, "--window", "60s", "--believe-clock"]);
        wait_for_lines(&server);
        assert_eq!(
            number(&server, "logdrain_logs_unread_total"),
            1.0,
            "the second delivery ends with what is no frame"
        );
        assert_eq!(server.stop().0, Some(0));
        let kept = kept(&dir);
        // The frame in front of it is not believed, for what stands behind its end.
        assert_eq!(kept.len(), 4 * 18);
        let systems: BTreeSet<_> = kept.values().map(|(system, ..)| system.clone()).collect();
        assert_eq!(systems.into_iter().collect::<Vec<_>>(), ["blog".to_owned(), crate::harness::shown("d.shop")]);
        assert!(before.is_none_or(|before| before == kept));
        before = Some(kept);
    }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.join("store/logs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "seg") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_damaged_file_of_lines_is_named_and_costs_no_others() {
    let dir = scratch("lines-damaged");
    for round in 0..3 {
        let server = Server::start(&dir, &[]);
        assert_eq!(delivery(round, 50).send(server.address).unwrap(), 204);
        assert_eq!(server.stop().0, Some(0));
    }
    let files = segments(&dir);
    assert_eq!(files.len(), 3, "each stop leaves everything in a file");
    let all = kept(&dir);
    assert_eq!(all.len(), 150);
    let mut bytes = fs::read(&files[1]).unwrap();
    let end = bytes.len() - 30;
    bytes[end] ^= 0x10;
    fs::write(&files[1], bytes).unwrap();
    let doctor = || {
        let output =
            Command::new(env!("CARGO_BIN_EXE_logdrain")).arg("doctor").arg(dir.join("store")).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let name = files[1].file_name().unwrap().to_str().unwrap();
    let (code, said) = doctor();
    assert!(code == Some(1) && said.contains(name), "{said}");
    let server = Server::start(&dir, &[]);
    assert!(server.log().contains(name), "{}", server.log());
    assert_eq!(delivery(9, 50).send(server.address).unwrap(), 204);
    wait_for_lines(&server);
    assert_eq!(number(&server, "logdrain_logs_damaged_segments"), 1.0);
    assert_eq!(server.get("/readyz").status, 200);
    assert_eq!(server.stop().0, Some(0));
    let (left, damage) = kept_of(&dir, "default");
    assert_eq!(left.len(), 150);
    assert!(!damage.is_empty());
}

#[test]
fn the_oldest_lines_go_when_there_is_no_room_and_the_books_say_so() {
    let dir = scratch("lines-room");
    let config = config(&dir, "logs_limit = \"200kB\"\njournal_ahead = \"512kB\"\nsnapshot_every = \"150ms\"\n");
    let server = Server::start(&dir, &["--config", &config]);
    for number in 0..100 {
        assert_eq!(delivery(number, 1_000).send(server.address).unwrap(), 204);
    }
    wait_for_lines(&server);
    wait_until("room", || {
        let (bytes, gone) =
            (number(&server, "logdrain_logs_bytes"), number(&server, "logdrain_logs_gone_total{why=\"room\"}"));
        (bytes <= 200.0 * 1024.0 && gone > 0.0).then_some(())
    });
    wait_until("the books", || {
        let kept = number(&server, "logdrain_logs_events_total{outcome=\"kept\"}");
        (kept == 100_000.0).then_some(())
    });
    assert_books(&server);
    assert!(server.log().contains("logs_limit is reached"), "{}", server.log());
    server.kill();
    // Also after a crash.
    let server = Server::start(&dir, &["--config", &config]);
    wait_for_lines(&server);
    wait_until("the books", || {
        (number(&server, "logdrain_logs_events_total{outcome=\"kept\"}") == 100_000.0).then_some(())
    });
    assert_books(&server);
    assert_eq!(server.stop().0, Some(0));
    let left = kept(&dir);
    assert!(left.len() > 1_000 && left.len() < 100_000, "{}", left.len());
    let newest = left.values().next_back().unwrap();
    let last = parsed(&dir, &delivery(99, 1_000).body);
    assert_eq!(newest.2.split("path=").next(), last.last().unwrap().1.split("path=").next());
}

#[test]
fn lines_are_kept_or_not_as_it_is_said_at_the_start() {
    let dir = scratch("lines-said");
    let server = Server::start(&dir, &[]);
    assert!(server.log().contains("lines are kept for 7 days or up to 10.0 GB"), "{}", server.log());
    assert!(server.get("/status").body.contains("lines kept"));
    assert_eq!(server.stop().0, Some(0));
    let dir = scratch("lines-off");
    let config = config(&dir, "logs_limit = \"0\"\n");
    let server = Server::start(&dir, &["--config", &config]);
    assert!(server.log().contains("lines are not kept"), "{}", server.log());
    assert_eq!(delivery(1, 50).send(server.address).unwrap(), 204);
    assert_eq!(server.stop().0, Some(0));
    assert!(!dir.join("store/logs").exists());
}

/// The folder of lines cannot be used: deliveries are counted, their lines wait in the journal.
#[test]
fn lines_wait_in_the_journal_while_their_folder_cannot_be_used() {
    let dir = scratch("lines-blocked");
    fs::create_dir_all(dir.join("store")).unwrap();
    // A file is in the way.
    fs::write(dir.join("store/logs"), "in the way").unwrap();
    let config = config(&dir, "snapshot_every = \"150ms\"\n");
    let server = Server::start(&dir, &["--config", &config]);
    let sent: Vec<_> = (0..20).map(|number| delivery(number, 30)).collect();
    for sent in &sent {
        assert_eq!(sent.send(server.address).unwrap(), 204);
        std::thread::sleep(Duration::from_millis(50));
    }
    let all: Vec<u8> = sent.iter().flat_map(|sent| sent.body.clone()).collect();
    crate::harness::wait_for_rows(&dir.join("rows.jsonl"), &crate::harness::truth(&dir, [("d.shop", all)]));
    assert_eq!(number(&server, "logdrain_logs_failing"), 1.0);
    assert_eq!(server.get("/readyz").status, 200);
    assert!(server.log().contains("lines cannot be written"), "{}", server.log());
    fs::remove_file(dir.join("store/logs")).unwrap();
    wait_for_lines(&server);
    assert_eq!(number(&server, "logdrain_logs_failing"), 0.0);
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(kept(&dir).len(), 20 * 30);
}
