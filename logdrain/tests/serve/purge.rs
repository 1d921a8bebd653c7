//! Lines that are purged: every file under the store is decoded and searched, before and after, also after a kill, a restart
//! and a fresh run over the same journal.

use crate::changes::{ask, change, fresh};
use crate::crash::Dice;
use crate::harness::{Delivery, Server, body, scratch};
use crate::lines::{Kept, assert_books, config, kept, number, wait_for_lines};
use rusqlite::Connection;
use serde_json::json;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for path in fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()) {
        match path.is_dir() {
            true => files(&path, found),
            false => found.push(path),
        }
    }
}

pub(crate) fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

/// Which files below a folder hold a text: as they are, or in what was packed anywhere in them.
pub(crate) fn holders_of_files(store: &Path, text: &str) -> Vec<String> {
    let (mut all, mut holders) = (Vec::new(), Vec::new());
    files(store, &mut all);
    for path in all {
        let name = path.strip_prefix(store).unwrap().display().to_string();
        let Ok(bytes) = fs::read(&path) else { continue };
        let mut is_in = has(&bytes, text);
        if name.ends_with(".gz") {
            let mut plain = Vec::new();
            let _ = flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut plain);
            is_in |= has(&plain, text);
        }
        for at in 0..bytes.len().saturating_sub(4) {
            if bytes[at..at + 4] == [0x28, 0xb5, 0x2f, 0xfd] {
                let mut plain = Vec::new();
                // Behind its end there is something else, and what lies on several pages breaks off: what came is looked at.
                if let Ok(decoder) = zstd::stream::read::Decoder::new(&bytes[at..]) {
                    let _ = decoder.single_frame().take(1 << 22).read_to_end(&mut plain);
                }
                is_in |= has(&plain, text);
            }
        }
        if is_in {
            holders.push(name);
        }
    }
    holders
}

/// Which files under the store hold a text: as they are, in what was packed anywhere in them, in each event of the journal,
/// and in the lines that are kept.
pub(crate) fn holders(dir: &Path, text: &str) -> Vec<String> {
    let store = dir.join("store");
    let mut holders = holders_of_files(&store, text);
    // It may be in a database instead.
    if store.join("journal.db").exists() {
        let db = Connection::open(store.join("journal.db")).unwrap();
        let mut rows = db.prepare("SELECT seq, raw, body FROM journal WHERE body IS NOT NULL").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        for (seq, raw, body) in rows.map(Result::unwrap) {
            let (_, raw, body): (i64, Option<i64>, Vec<u8>) = (seq, raw, body);
            let plain = raw.map_or(body.clone(), |len| zstd::bulk::decompress(&body, len as usize).unwrap());
            if has(&plain, text) {
                holders.push(format!("event {seq}"));
            }
        }
    }
    let reader = log_store::Reader::open(store.join("logs"), &log_store::Options::new()).unwrap();
    let view = reader.view(&log_store::Scope::account("default"));
    let page = log_store::Page::new().with_limit(1_000_000).with_bytes(usize::MAX);
    let found = view.search(&log_store::Query::default(), &page, &mut || true);
    if found.events().iter().any(|event| has(event.as_event().message(), text)) {
        holders.push("kept lines".to_owned());
    }
    holders
}

/// What is purged goes within minutes, as is said; on a slow disk that is more than one.
pub(crate) const MINUTES: Duration = Duration::from_secs(240);

/// Waits until no file under the store holds a text.
pub(crate) fn wait_until_gone(dir: &Path, text: &str) {
    let began = Instant::now();
    loop {
        let left = holders(dir, text);
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < MINUTES, "{text} is left in {left:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A delivery in which each third line holds a text.
pub(crate) fn delivery(number: u64, text: &str) -> Delivery {
    let mut all = body(number, 6);
    for line in 0..3 {
        let line = format!("<190>1 2026-03-14T09:26:53Z host app web.{line} - charged {text} for order {number}");
        all.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let token = if number.is_multiple_of(2) { "d.shop" } else { "d.blog" };
    Delivery { id: format!("{number:032X}{text}").replace(' ', ""), token: token.to_owned(), body: all }
}

fn without(kept: &Kept, text: &str) -> Kept {
    kept.iter().filter(|(_, (.., message))| !message.contains(text)).map(|(id, line)| (*id, line.clone())).collect()
}

pub(crate) const CONFIG: &str = "snapshot_every = \"150ms\"\nretention = \"1h\"\njournal_ahead = \"16kB\"\n";

#[test]
fn what_is_purged_is_in_no_file_any_more_also_after_a_restart_and_a_replay() {
    let dir = scratch("purge");
    let config = config(&dir, CONFIG);
    let arguments = ["--config", config.as_str()];
    let server = Server::start(&dir, &arguments);
    let secret = "4111-2222-3333-4444";
    for number in 0..60 {
        assert_eq!(delivery(number, secret).send(server.address).unwrap(), 204);
    }
    wait_for_lines(&server);
    let before = holders(&dir, secret);
    assert!(before.iter().any(|name| name.starts_with("event ")), "{before:?}");
    assert!(before.iter().any(|name| name.starts_with("journal.db")), "{before:?}");
    let purge = json!({"purge": {"account": "default", "purge": {"query": secret}, "at": 0}});
    change(&dir, &purge);
    // One that came later stays, whatever it says.
    assert_eq!(delivery(1_000, "later 9999").send(server.address).unwrap(), 204);
    wait_until_gone(&dir, secret);
    wait_for_lines(&server);
    assert_eq!(number(&server, "logdrain_logs_gone_total{why=\"purged\"}"), 180.0);
    assert_books(&server);
    server.kill();
    let server = Server::start(&dir, &arguments);
    wait_for_lines(&server);
    assert_books(&server);
    assert_eq!(holders(&dir, secret), Vec::<String>::new(), "after a kill");
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR") && !log.contains(secret), "{log}");
    let left = kept(&dir);
    assert_eq!(left.len(), 60 * 6 + 9);
    // A fresh run over the same journal: the same lines under the same ids, and none that is gone.
    let fresh = fresh(&dir, "purge-fresh");
    let server = Server::start(&fresh, &arguments);
    wait_for_lines(&server);
    assert_books(&server);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
    assert_eq!(holders(&fresh, secret), Vec::<String>::new(), "after a replay");
    assert!(kept(&fresh) == left, "a fresh run");
}

/// The lines of all accounts stand behind a purge in the journal.
#[test]
fn an_archive_that_is_damaged_holds_up_no_purge_and_no_lines() {
    let dir = scratch("purge-damaged-archive");
    let config = config(&dir, CONFIG);
    let folder = dir.join("store/archives/default/dt=2025-03-14");
    fs::create_dir_all(&folder).unwrap();
    let archive = folder.join("2025-03-14-09.tsv.gz");
    fs::write(&archive, b"\x1f\x8b\x08\0 no archive at all").unwrap();
    let server = Server::start(&dir, &["--config", config.as_str()]);
    let secret = "4111-2222-3333-4444";
    assert_eq!(delivery(7, secret).send(server.address).unwrap(), 204);
    wait_for_lines(&server);
    change(&dir, &json!({"purge": {"account": "default", "purge": {"query": secret}, "at": 0}}));
    assert_eq!(delivery(8, "later 9999").send(server.address).unwrap(), 204);
    wait_for_lines(&server);
    wait_until_gone(&dir, secret);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    let named = log.lines().filter(|line| line.contains("a damaged archive is not purged")).count();
    assert!(named == 1 && log.contains("2025-03-14-09.tsv.gz"), "{log}");
    assert!(archive.exists() && kept(&dir).len() == 6 + 9);
}

#[test]
fn killed_while_it_purges_it_goes_on_and_the_books_are_right() {
    let dir = scratch("purge-crash");
    let config = config(&dir, CONFIG);
    let arguments = ["--config", config.as_str()];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut server = Server::start(&dir, &arguments);
    let mut sent = 0;
    let secrets: Vec<String> = (0..6).map(|n| format!("secret-number-{n}-of-it")).collect();
    for secret in &secrets {
        for _ in 0..20 {
            assert_eq!(delivery(sent, secret).send(server.address).unwrap(), 204);
            sent += 1;
        }
        // Its answer may be lost with the server.
        let _ = ask(&dir, &json!({"purge": {"account": "default", "purge": {"query": secret}, "at": 0}}));
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        server.kill();
        server = Server::start(&dir, &arguments);
    }
    for secret in &secrets {
        let systems = json!(["drain-*"]);
        change(
            &dir,
            &json!({"purge": {"account": "default", "purge": {"query": secret, "systems": systems}, "at": 0}}),
        );
    }
    for secret in &secrets {
        wait_until_gone(&dir, secret);
    }
    wait_for_lines(&server);
    assert_books(&server);
    assert_eq!(number(&server, "logdrain_logs_gone_total{why=\"purged\"}"), sent as f64 * 3.0);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    let left = kept(&dir);
    assert_eq!(left.len(), sent as usize * 6);
    assert_eq!(without(&left, "secret-number").len(), left.len());
}
