//! Accounts that are destroyed: every file under the store is decoded and searched, also over kills, and others lose nothing.

use crate::changes::{ask, change, fresh};
use crate::crash::Dice;
use crate::harness::{Answer, Server, now_micros, request, scratch, time_of, wait_until, wait_within};
use crate::lines::{config, kept_of};
use crate::purge::{MINUTES, holders, wait_until_gone};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

pub(crate) const CONFIG: &str = "snapshot_every = \"150ms\"\nretention = \"1h\"\njournal_ahead = \"16kB\"\nwindow = \"1s\"\n\
    lateness = \"1s\"\n\
    [watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n\
    [[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"blog-s3cret-1\"\n\
    [[drain]]\nname = \"office\"\nuser = \"office\"\npassword = \"office-s3cret-1\"\naccount = \"office\"\n";

pub(crate) fn digest(text: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// An account with a drain of its own, as an add-on makes it.
pub(crate) fn add(dir: &Path, account: &str) -> bool {
    let drain = json!({"app": "shop-eu", "plan": null, "credentials": digest(&format!("{account}:s3cret")), "tokens": [digest("d.1")]});
    let made =
        ask(dir, &json!({"add_drain": {"account": account, "name": format!("{account}.drain"), "drain": drain}}));
    made.is_ok_and(|made| made.get("changed").is_some())
}

pub(crate) fn deliver(server: &Server, pair: &str, number: u64, text: &str) -> u16 {
    let mut body = Vec::new();
    for line in 0..3 {
        let line =
            format!("<190>1 {} host app web.{line} - measure#of.{text}=7ms {text} {number}\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let credentials = basic(pair);
    let id = format!("{number:032X}");
    let headers =
        [("Authorization", credentials.as_str()), ("Logplex-Drain-Token", "d.1"), ("Logplex-Frame-Id", id.as_str())];
    request(server.address, "POST", "/logs", &headers, &body).map_or(0, |answer| answer.status)
}

pub(crate) fn metrics(server: &Server) -> String {
    let by = basic("ops:ops-s3cret-12");
    request(server.address, "GET", "/metrics", &[("Authorization", &by)], b"").unwrap().body
}

pub(crate) fn number(page: &str, name: &str) -> f64 {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name}: {page}")).parse().unwrap()
}

pub(crate) fn wait_for_lines(server: &Server) {
    wait_until("the lines", || {
        let page = metrics(server);
        (number(&page, "logdrain_logs_position") >= number(&page, "logdrain_journal_position")).then_some(())
    });
}

fn command(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .arg("account")
        .args(arguments)
        .args(["--store", dir.join("store").to_str().unwrap()])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn post(server: &Server, path: &str, body: &Value, by: &str) -> Answer {
    let headers = [("Authorization", by), ("Content-Type", "application/json")];
    request(server.address, "POST", path, &headers, body.to_string().as_bytes()).unwrap()
}

/// An hour of last year, in the archives of an account.
fn archive(dir: &Path, account: &str, text: &str) {
    archive_in(&dir.join("store/archives"), account, text);
}

pub(crate) fn archive_in(archives: &Path, account: &str, text: &str) {
    let folder = archives.join(account).join("dt=2025-03-14");
    fs::create_dir_all(&folder).unwrap();
    let mut zip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let row =
        format!("7\t2025-03-14T09:26:53Z\t2025-03-14T09:26:53Z\t1\tshop\t192.0.2.7\tUser\tInfo\tapp/web.1\t{text}\n");
    zip.write_all(row.as_bytes()).unwrap();
    fs::write(folder.join("2025-03-14-09.tsv.gz"), zip.finish().unwrap()).unwrap();
}

#[test]
fn an_account_that_is_destroyed_is_in_no_file_any_more_and_others_lose_nothing() {
    let dir = scratch("destroy");
    let config = config(&dir, CONFIG);
    archive(&dir, "shop", "secret-of-shop");
    archive(&dir, "default", "secret-of-blog");
    let arguments = ["--config", config.as_str()];
    let mut server = Server::start(&dir, &arguments);
    let ops = basic("ops:ops-s3cret-12");
    assert!(add(&dir, "shop"));
    let group = json!({"name": "group-of-shop", "systems": ["shop-eu"]});
    change(&dir, &json!({"add_group": {"account": "shop", "group": group}}));
    change(&dir, &json!({"app": {"drain": "shop.drain/d.1", "app": "shop-eu"}}));
    let token = said(&command(&dir, &["token", "add", "--account", "shop"])).trim().to_owned();
    command(&dir, &["member", "add", "ann@example.com", "--account", "shop"]);
    for number in 0..40 {
        assert_eq!(deliver(&server, "shop:s3cret", number, "secret-of-shop"), 204);
        assert_eq!(deliver(&server, "blog:blog-s3cret-1", 1_000 + number, "secret-of-blog"), 204);
    }
    // What programs measure themselves, of both accounts.
    for (account, text) in [("shop", "secret-of-shop"), ("default", "secret-of-blog")] {
        let record = said(&command(&dir, &["token", "add", "--account", account, "--kind", "record"]));
        let body =
            json!({"tags": {"customer": text}, "measurements": [{"name": format!("measured.{text}"), "value": 7}]});
        let by = format!("Basic {}", STANDARD.encode(format!("{}:", record.trim())));
        assert_eq!(post(&server, "/v1/measurements", &body, &by).status, 202);
    }
    wait_for_lines(&server);
    let search = |server: &Server| {
        request(server.address, "GET", "/api/v1/events/search?q=secret", &[("X-Papertrail-Token", &token)], b"")
            .unwrap()
    };
    wait_until("lines", || search(&server).body.contains("secret-of-shop").then_some(()));
    assert!(!holders(&dir, "secret-of-shop").is_empty());
    let rows = || fs::read_to_string(dir.join("rows.jsonl")).unwrap();
    for account in ["shop", "blog"] {
        for name in ["of", "measured"] {
            wait_until("rows", || rows().contains(&format!("{name}.secret-of-{account}")).then_some(()));
        }
    }
    let minutes = |name: &str| {
        let of = format!("Bearer {token}");
        let path = format!("/v1/measurements/{name}?duration=3600&resolution=60");
        request(server.address, "GET", &path, &[("Authorization", &of)], b"").unwrap().status
    };
    wait_until("its minutes", || (minutes("measured.secret-of-shop") == 200).then_some(()));
    // Whoever reads rows has the file open, and knows how far he is.
    let mut reader = fs::File::open(dir.join("rows.jsonl")).unwrap();
    let of_blog = |rows: &str| rows.lines().filter(|row| row.contains("of.secret-of-blog")).count();
    let before = of_blog(&rows());
    // Not while somebody sends to it, not by chance, not by whoever asks.
    let destroy = |account: &str| json!({"destroy": {"account": account, "at": 0}});
    for (account, why) in [("shop", "still sends"), ("office", "[[drain]] office"), ("default", "purge its lines")] {
        let refused = ask(&dir, &destroy(account)).unwrap();
        assert!(refused["error"].as_str().is_some_and(|said| said.contains(why)), "{refused}");
    }
    change(&dir, &json!({"remove_drain": {"account": "shop", "name": "shop.drain"}}));
    let path = "/api/v2/account/destroy?account=shop";
    let once_more = json!({"name": "shop"});
    let bearer = format!("Bearer {token}");
    assert_eq!(post(&server, path, &once_more, &bearer).status, 403);
    assert_eq!(post(&server, path, &json!({"name": "shpo"}), &ops).status, 400);
    assert_eq!(post(&server, "/api/v2/account/destroy?account=nobody", &once_more, &ops).status, 404);
    assert_eq!(post(&server, "/api/v2/account/destroy", &json!({"name": "default"}), &ops).status, 400);
    let answer = post(&server, path, &once_more, &ops);
    assert_eq!(answer.status, 200, "{answer:?}");
    // From the answer on nobody comes in by it.
    assert_eq!(search(&server).status, 401);
    let listed = request(server.address, "GET", "/api/v2/accounts", &[("Authorization", &ops)], b"").unwrap();
    assert!(!listed.body.contains("shop"), "{listed:?}");
    wait_until_gone(&dir, "secret-of-shop");
    wait_until("the directory", || {
        let pending = journal(&dir, "SELECT count(*) FROM meta WHERE key = 'purges' AND value LIKE '%\"account\"%'");
        (pending == 0).then_some(())
    });
    // What its changes said is in no event any more, and its rows are blank, where they stood.
    for text in ["group-of-shop", "shop-eu", &digest("shop:s3cret")] {
        wait_until_gone(&dir, text);
    }
    let left = rows();
    assert!(!left.contains("shop.drain") && !left.contains("secret-of-shop"), "{left}");
    assert!(of_blog(&left) >= before && left.lines().any(|row| row.trim_end() == "{}"), "{left}");
    assert!(left.contains("measured.secret-of-blog"), "of others nothing is gone: {left}");
    assert!(left.lines().all(|row| serde_json::from_str::<Value>(row).is_ok()), "{left}");
    let mut read = String::new();
    reader.read_to_string(&mut read).unwrap();
    assert!(read.starts_with(&left), "it is the same file");
    for table in ["members", "tokens", "sessions", "systems", "used"] {
        let db = rusqlite::Connection::open(dir.join("store/settings.db")).unwrap();
        let left: i64 = db
            .query_row(&format!("SELECT count(*) FROM {table} WHERE account = 'shop'"), [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
    assert!(!dir.join("store/archives/shop/dt=2025-03-14").exists());
    assert!(dir.join("store/archives/default/dt=2025-03-14/2025-03-14-09.tsv.gz").exists());
    let page = metrics(&server);
    assert!(!page.contains("shop"), "{page}");
    assert_eq!(deliver(&server, "shop:s3cret", 99, "later"), 401);
    // It may be made again, and what it has then stays, also behind a crash.
    assert_eq!(post(&server, "/api/v2/accounts", &json!({"name": "shop"}), &ops).status, 201);
    assert!(command(&dir, &["member", "add", "bob@example.com", "--account", "shop"]).status.success());
    assert!(add(&dir, "shop"));
    server.kill();
    server = Server::start(&dir, &arguments);
    wait_until("the journal", || (server.get("/readyz").status == 200).then_some(()));
    assert!(said(&command(&dir, &["member", "list", "--account", "shop"])).contains("bob@example.com"));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("secret-of"), "{log}");
    assert_eq!(kept_of(&dir, "default").0.len(), 120);
    assert_eq!(kept_of(&dir, "shop").0.len(), 0);
}

/// What an account has beside the journal may be out of reach for long: others are purged all the same.
#[test]
fn an_account_that_cannot_be_removed_yet_holds_up_nobody_elses_purge() {
    let dir = scratch("destroy-waits");
    let config = config(&dir, CONFIG);
    let arguments = ["--config", config.as_str()];
    let server = Server::start(&dir, &arguments);
    assert!(add(&dir, "shop"));
    for number in 0..20 {
        assert_eq!(deliver(&server, "shop:s3cret", number, "secret-of-shop"), 204);
    }
    let line = format!("<190>1 {} host app web.1 - charged card-4111\n", time_of(now_micros()));
    let credentials = basic("blog:blog-s3cret-1");
    let headers = [("Authorization", credentials.as_str()), ("Logplex-Drain-Token", "d.1")];
    let body = format!("{} {line}", line.len());
    assert_eq!(request(server.address, "POST", "/logs", &headers, body.as_bytes()).unwrap().status, 204);
    wait_for_lines(&server);
    change(&dir, &json!({"remove_drain": {"account": "shop", "name": "shop.drain"}}));
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    // Members and tokens cannot be read until a copy is put back.
    let settings = dir.join("store/settings.db");
    let sound = fs::read(&settings).unwrap();
    fs::write(&settings, vec![b'x'; sound.len()]).unwrap();
    let server = Server::start(&dir, &arguments);
    wait_until("the journal", || (server.get("/readyz").status == 200).then_some(()));
    let _ = ask(&dir, &json!({"destroy": {"account": "shop", "at": 0}}));
    change(&dir, &json!({"purge": {"account": "default", "purge": {"query": "card-4111"}, "at": 0}}));
    wait_until_gone(&dir, "card-4111");
    let waiting = "SELECT count(*) FROM meta WHERE key = 'purges' AND value LIKE '%\"account\"%'";
    assert_eq!(journal(&dir, waiting), 1, "the account is still to go");
    assert!(server.stop().0 == Some(0));
    fs::write(&settings, sound).unwrap();
    let server = Server::start(&dir, &arguments);
    wait_until("the account to go", || (journal(&dir, waiting) == 0).then_some(()));
    assert_eq!(holders(&dir, "secret-of-shop"), Vec::<String>::new());
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
}

fn journal(dir: &Path, sql: &str) -> i64 {
    let db = rusqlite::Connection::open(dir.join("store/journal.db")).unwrap();
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The journal as it was when the answer came, before anything was erased from it: what is made of it by a server that has
/// nothing else is what the first one made.
#[test]
fn a_fresh_run_over_a_journal_with_a_destroyed_account_in_it_makes_the_same() {
    let dir = scratch("destroy-again");
    let config = config(&dir, CONFIG);
    let arguments = ["--config", config.as_str()];
    let server = Server::start(&dir, &arguments);
    let send = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            assert_eq!(deliver(&server, "blog:blog-s3cret-1", 1_000 + number, "of-others"), 204);
            if number < 20 {
                assert_eq!(deliver(&server, "shop:s3cret", number, "secret-of-shop"), 204);
            }
        }
    };
    assert!(add(&dir, "shop"));
    let group = json!({"name": "group-of-shop", "systems": ["shop-eu"]});
    change(&dir, &json!({"add_group": {"account": "shop", "group": group}}));
    send(0..20);
    change(&dir, &json!({"remove_drain": {"account": "shop", "name": "shop.drain"}}));
    change(&dir, &json!({"destroy": {"account": "shop", "at": 0}}));
    send(20..30);
    wait_for_lines(&server);
    server.kill();
    let again = fresh(&dir, "destroy-again-fresh");
    for file in ["minutes.db", "minutes.db-wal", "minutes.db-shm"] {
        let _ = fs::remove_file(again.join("store").join(file));
    }
    let (mut kept, mut later) = (Vec::new(), 5_000);
    for dir in [&dir, &again] {
        let server = Server::start(dir, &arguments);
        wait_for_lines(&server);
        wait_within(MINUTES, "all of it to go", || {
            // The last two states are kept, whatever is in them: others follow with what comes, or in half a minute.
            for _ in 0..10 {
                later += 1;
                assert_eq!(deliver(&server, "blog:blog-s3cret-1", later, "later"), 204);
            }
            let secrets = ["secret-of-shop", "group-of-shop", "shop-eu"];
            secrets.iter().all(|secret| holders(dir, secret).is_empty()).then_some(())
        });
        let rows = || fs::read_to_string(dir.join("rows.jsonl")).unwrap_or_default();
        wait_until("rows", || (rows().matches("of.of-others").count() > 0).then_some(()));
        wait_until("the end of it", || {
            let pending = "SELECT count(*) FROM meta WHERE key = 'purges' AND value LIKE '%\"account\"%'";
            (journal(dir, pending) == 0).then_some(())
        });
        assert!(!rows().contains("secret-of-shop"), "{}", rows());
        let (code, log) = server.stop();
        assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
        assert_eq!(kept_of(dir, "shop").0.len(), 0);
        let mut of_default = kept_of(dir, "default").0;
        of_default.retain(|_, (.., message)| !message.contains("later"));
        kept.push(of_default);
    }
    assert_eq!(kept[0].len(), 90);
    assert!(kept[0] == kept[1], "the same lines under the same ids");
}

#[test]
fn killed_while_accounts_are_destroyed_it_goes_on_and_the_books_are_right() {
    let dir = scratch("destroy-crash");
    let config = config(&dir, CONFIG);
    let arguments = ["--config", config.as_str()];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut server = Server::start(&dir, &arguments);
    let accounts: Vec<String> = (0..6).map(|number| format!("shop-{number}")).collect();
    let mut sent = 0;
    for account in &accounts {
        assert!(add(&dir, account), "{account}");
        for _ in 0..20 {
            assert_eq!(deliver(&server, &format!("{account}:s3cret"), sent, &format!("secret-of-{account}.")), 204);
            assert_eq!(deliver(&server, "blog:blog-s3cret-1", 10_000 + sent, "of-others"), 204);
            sent += 1;
        }
        change(&dir, &json!({"remove_drain": {"account": account, "name": format!("{account}.drain")}}));
        // Its answer may be lost with the server.
        let asked = {
            let (dir, account) = (dir.clone(), account.clone());
            std::thread::spawn(move || ask(&dir, &json!({"destroy": {"account": account, "at": 0}})))
        };
        std::thread::sleep(Duration::from_millis(dice.below(400)));
        server.kill();
        let _ = asked.join();
        server = Server::start(&dir, &arguments);
    }
    for account in &accounts {
        change(&dir, &json!({"destroy": {"account": account, "at": 0}}));
    }
    for account in &accounts {
        let text = format!("secret-of-{account}.");
        wait_until_gone(&dir, &text);
    }
    wait_for_lines(&server);
    assert_eq!(number(&metrics(&server), "logdrain_logs_gone_total{why=\"purged\"}"), sent as f64 * 3.0);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    assert_eq!(kept_of(&dir, "default").0.len(), sent as usize * 3);
}

#[test]
fn the_command_wants_the_name_and_offers_the_archives() {
    let dir = scratch("destroy-command");
    let config = config(&dir, CONFIG);
    archive(&dir, "shop", "secret-of-shop");
    let arguments = ["--config", config.as_str()];
    let server = Server::start(&dir, &arguments);
    change(&dir, &json!({"account": {"account": "shop"}}));
    let refused = command(&dir, &["destroy", "shop"]);
    assert!(!refused.status.success() && said(&refused).contains("--archives-to"), "{}", said(&refused));
    let refused = command(&dir, &["destroy", "shop", "--confirm", "shpo"]);
    assert!(!refused.status.success() && said(&refused).contains("nothing was destroyed"), "{}", said(&refused));
    assert!(!command(&dir, &["destroy", "default", "--confirm", "default"]).status.success());
    assert!(dir.join("store/archives/shop/dt=2025-03-14/2025-03-14-09.tsv.gz").exists());
    let kept = dir.join("kept");
    let done = command(&dir, &["destroy", "shop", "--confirm", "shop", "--archives-to", kept.to_str().unwrap()]);
    assert!(done.status.success(), "{}", said(&done));
    assert!(kept.join("dt=2025-03-14/2025-03-14-09.tsv.gz").exists());
    wait_until("the archives to go", || (!dir.join("store/archives/shop/dt=2025-03-14").exists()).then_some(()));
    // Without a server the next start obeys.
    change(&dir, &json!({"account": {"account": "other"}}));
    assert_eq!(server.stop().0, Some(0));
    archive(&dir, "other", "secret-of-other");
    let done = command(&dir, &["destroy", "other", "--confirm", "other"]);
    assert!(done.status.success(), "{}", said(&done));
    let server = Server::start(&dir, &arguments);
    wait_until("the archives to go", || (!dir.join("store/archives/other/dt=2025-03-14").exists()).then_some(()));
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
}
