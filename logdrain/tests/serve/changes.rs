//! Changes of what accounts have, while the server runs: events of the journal, there when they were answered, and the same
//! for whoever reads the journal again.

use crate::crash::{self, Senders};
use crate::harness::{Server, body, request, scratch, wait_for_rows, wait_until, written};
use crate::lines::{config, copy, kept, kept_of, wait_for_lines};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Asks for a change at the operator's door.
pub(crate) fn ask(dir: &Path, change: &Value) -> io::Result<Value> {
    let mut door = UnixStream::connect(dir.join("store/operator.sock"))?;
    door.set_read_timeout(Some(Duration::from_secs(10)))?;
    door.write_all(format!("{}\n", json!({"do": "change", "change": change})).as_bytes())?;
    let mut answer = String::new();
    door.read_to_string(&mut answer)?;
    serde_json::from_str(&answer).map_err(io::Error::from)
}

pub(crate) fn change(dir: &Path, change: &Value) -> Option<u64> {
    let answer = ask(dir, change).unwrap();
    assert!(answer.get("changed").is_some(), "{change}: {answer}");
    answer["changed"].as_u64()
}

/// What accounts have, as the journal's file says.
fn accounts(dir: &Path) -> BTreeMap<String, Value> {
    let db = Connection::open(dir.join("store/journal.db")).unwrap();
    let mut all = db.prepare("SELECT name, value FROM accounts").unwrap();
    let all = all.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
    all.map(Result::unwrap).map(|(name, value)| (name, serde_json::from_str(&value).unwrap())).collect()
}

fn digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder with the same journal, and nothing that was made of it.
pub(crate) fn fresh(dir: &Path, name: &str) -> PathBuf {
    let fresh = scratch(name);
    copy(&dir.join("store"), &fresh.join("store"));
    for made in ["logs", "logs-state", "snapshots"] {
        fs::remove_dir_all(fresh.join("store").join(made)).unwrap();
    }
    let db = Connection::open(fresh.join("store/journal.db")).unwrap();
    // As if no row had gone out.
    db.execute_batch("UPDATE meta SET value = 0 WHERE key = 'emitted'; DELETE FROM meta WHERE key = 'crc'").unwrap();
    fresh
}

#[test]
fn killed_while_settings_change_an_answered_change_is_there_and_a_fresh_run_makes_the_same() {
    let dir = scratch("changes-crash");
    let config = config(&dir, "snapshot_every = \"150ms\"\nretention = \"1h\"\njournal_ahead = \"64kB\"\n");
    let arguments = ["--config", config.as_str()];
    let mut server = Server::start(&dir, &arguments);
    let shared = Senders::new(server.address.port());
    let mut threads: Vec<_> = (0..2)
        .map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.run(|| 0))
        })
        .collect();
    let answered: Arc<Mutex<BTreeMap<u64, String>>> = Arc::default();
    threads.push({
        let (shared, answered, dir) = (shared.clone(), answered.clone(), dir.clone());
        std::thread::spawn(move || {
            for number in 0.. {
                if shared.enough.load(Ordering::SeqCst) {
                    break;
                }
                let name = format!("search {number}");
                let add = json!({"add_search": {"account": "shop", "search": {"name": name, "query": "error"}}});
                // What got no answer may be there or not.
                if let Ok(answer) = ask(&dir, &add)
                    && let Some(id) = answer["changed"].as_u64()
                {
                    assert!(answered.lock().unwrap().insert(id, name).is_none(), "{id} was given twice");
                }
                // Rows are other ones under another plan.
                let streams = 1 + number % 3;
                let plan = json!({"metrics": {"name": "small", "streams": streams}});
                let _ = ask(&dir, &json!({"plan": {"account": "default", "plan": plan, "at": 0}}));
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    });
    let mut dice = crash::Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..crash::kills(8) {
        std::thread::sleep(Duration::from_millis(50 + dice.below(500)));
        server.kill();
        server = Server::start(&dir, &arguments);
        shared.port.store(server.address.port(), Ordering::SeqCst);
    }
    // On a slow disk few are answered between two kills.
    wait_until("changes", || (answered.lock().unwrap().len() > 20).then_some(()));
    shared.enough.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    // Every window is closed when no row has come for longer than one takes.
    let mut last = (0, Instant::now());
    wait_until("every row", || {
        let len = fs::metadata(dir.join("rows.jsonl")).map_or(0, |file| file.len());
        if len != last.0 {
            last = (len, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(4)).then_some(())
    });
    wait_for_lines(&server);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    let (known, answered) = (accounts(&dir), answered.lock().unwrap());
    assert!(answered.len() > 20, "{}", answered.len());
    for (id, name) in answered.iter() {
        assert_eq!(known["shop"]["searches"][id.to_string()]["name"], json!(name), "{id}");
    }
    let fresh = fresh(&dir, "changes-fresh");
    let server = Server::start(&fresh, &arguments);
    wait_for_rows(&fresh.join("rows.jsonl"), &written(&dir.join("rows.jsonl")));
    wait_for_lines(&server);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    assert_eq!(accounts(&fresh), known);
    assert!(kept(&fresh) == kept(&dir), "events");
}

#[test]
fn killed_while_filters_and_volume_are_switched_a_fresh_run_keeps_the_same_lines() {
    let dir = scratch("changes-rules");
    let config = config(&dir, "snapshot_every = \"150ms\"\nretention = \"1h\"\njournal_ahead = \"64kB\"\n");
    let arguments = ["--config", config.as_str()];
    let mut server = Server::start(&dir, &arguments);
    let shared = Senders::new(server.address.port());
    let mut threads: Vec<_> = (0..2)
        .map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.run(|| 0))
        })
        .collect();
    threads.push({
        let (shared, dir) = (shared.clone(), dir.clone());
        std::thread::spawn(move || {
            let filter = |number: u64, is_on: bool| {
                let text = ["heroku/router: ", "count#shop", "measure#db", "nothing else"][number as usize % 4];
                json!({"name": format!("filter {number}"), "text": text, "is_regex": number % 2 == 1, "is_on": is_on})
            };
            // Today's volume is used up and left again and again: what counts is what came before.
            let mut used = 0_u64;
            for number in 0_u64.. {
                if shared.enough.load(Ordering::SeqCst) {
                    break;
                }
                let made = ask(&dir, &json!({"add_filter": {"account": "default", "filter": filter(number, number % 3 > 0)}}));
                if let Some(id) = made.ok().and_then(|made| made["changed"].as_u64()) {
                    std::thread::sleep(Duration::from_millis(7));
                    let set = json!({"set_filter": {"account": "default", "id": id, "filter": filter(number, number % 3 == 0)}});
                    let _ = ask(&dir, &set);
                    std::thread::sleep(Duration::from_millis(7));
                    let _ = ask(&dir, &json!({"remove_filter": {"account": "default", "id": id}}));
                }
                used += 3_000;
                let plan = match number % 3 {
                    0 => json!(null),
                    1 => json!({"metrics": {"name": "small"}, "logs": {"volume": used}}),
                    _ => json!({"metrics": {"name": "tiny"}, "logs": {"volume": used / 2, "hard_limit": used / 2 + 5_000}}),
                };
                let _ = ask(&dir, &json!({"plan": {"account": "default", "plan": plan, "at": 0}}));
                std::thread::sleep(Duration::from_millis(11));
            }
        })
    });
    let mut dice = crash::Dice(0x9e37_79b9_7f4a_7c15);
    for _ in 0..crash::kills(8) {
        std::thread::sleep(Duration::from_millis(50 + dice.below(500)));
        server.kill();
        server = Server::start(&dir, &arguments);
        shared.port.store(server.address.port(), Ordering::SeqCst);
    }
    let count = |server: &Server, outcome: &str| {
        crate::lines::number(server, &format!("logdrain_logs_events_total{{outcome=\"{outcome}\"}}"))
    };
    let counted = |server: &Server| ["kept", "filtered", "over_volume"].map(|outcome| count(server, outcome));
    // On a slow disk few filters and plans come between two kills.
    wait_until("lines of each kind", || counted(&server).iter().all(|count| *count > 0.0).then_some(()));
    shared.enough.store(true, Ordering::SeqCst);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    wait_for_lines(&server);
    let made = counted(&server);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
    let fresh = fresh(&dir, "changes-rules-fresh");
    let server = Server::start(&fresh, &arguments);
    wait_for_lines(&server);
    assert_eq!(counted(&server), made);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
    assert!(kept(&fresh) == kept(&dir), "events");
}

#[test]
fn a_drain_of_an_account_comes_in_from_the_commit_that_makes_it_until_the_one_that_takes_it_away() {
    let dir = scratch("changes-drain");
    let config = config(&dir, "[[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"blog-password\"\n");
    let arguments = ["--config", config.as_str()];
    let mut server = Server::start(&dir, &arguments);
    let send = |server: &Server, id: &str, token: &str, secret: &str| {
        let basic = format!("Basic {}", STANDARD.encode(format!("addon:{secret}")));
        let headers = [("Authorization", basic.as_str()), ("Logplex-Drain-Token", token), ("Logplex-Frame-Id", id)];
        request(server.address, "POST", "/logs", &headers, &body(1, 4)).unwrap().status
    };
    assert_eq!(send(&server, "1", "d.addon", "s3cret-of-addon"), 401);
    let drain = json!({"app": "shop-eu", "plan": null, "credentials": digest("addon:s3cret-of-addon"), "tokens": [digest("d.addon")]});
    let add = json!({"add_drain": {"account": "shop", "name": "shop.addon", "drain": drain}});
    change(&dir, &add);
    assert_eq!(ask(&dir, &add).unwrap(), json!({"error": "a drain of this name is there already"}));
    assert_eq!(send(&server, "1", "d.addon", "s3cret-of-addon"), 204);
    assert_eq!(send(&server, "2", "d.other", "s3cret-of-addon"), 401, "its token is another");
    assert_eq!(send(&server, "2", "d.addon", "s3cret-of-blog"), 401);
    server.kill();
    server = Server::start(&dir, &arguments);
    assert_eq!(send(&server, "2", "d.addon", "s3cret-of-addon"), 204, "after a restart, too");
    // What the configuration says is read again without them.
    server.signal("HUP");
    wait_until("the reload", || server.log().contains("was read again").then_some(()));
    assert_eq!(send(&server, "3", "d.addon", "s3cret-of-addon"), 204);
    change(&dir, &json!({"remove_drain": {"account": "shop", "name": "shop.addon"}}));
    assert_eq!(send(&server, "4", "d.addon", "s3cret-of-addon"), 401);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("s3cret"), "{log}");
    let (kept, damage) = kept_of(&dir, "shop");
    assert!(kept.len() == 12 && damage.is_empty() && kept.values().all(|(system, ..)| system == "shop-eu"), "{kept:?}");
}
