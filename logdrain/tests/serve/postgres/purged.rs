//! Purges, destroyed accounts and settings, with the journal in the database: each table is decoded and searched, over kills.

use crate::changes::{ask, change};
use crate::crash::Dice;
use crate::harness::{Server, scratch, wait_until, wait_within};
use crate::lines::{assert_books, kept, kept_of, number, wait_for_lines};
use crate::purge::{delivery, has, holders};
use crate::{destroy, purge};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::Postgres;

fn config(dir: &Path, text: &str, postgres: &Postgres) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, format!("journal = \"{}\"\n{text}", postgres.url())).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Where a text is: in the folder, in the events that the tables have, or in what stands beside these.
fn found(dir: &Path, postgres: &Postgres, text: &str) -> Vec<String> {
    let mut found = holders(dir, text);
    let bodies = "SELECT seq, coalesce(raw, 0), encode(body, 'hex') FROM logdrain.log WHERE body IS NOT NULL";
    for row in postgres.sql(bodies).lines() {
        let [seq, raw, body] = row.split('|').collect::<Vec<_>>().try_into().unwrap();
        let raw: usize = raw.parse().unwrap();
        let pair = |at: usize| u8::from_str_radix(&body[at..at + 2], 16).unwrap();
        let body: Vec<u8> = (0..body.len()).step_by(2).map(pair).collect();
        let plain = if raw == 0 { body } else { zstd::bulk::decompress(&body, raw).unwrap() };
        if has(&plain, text) {
            found.push(format!("event {seq}"));
        }
    }
    for table in ["log", "ids", "drains", "accounts", "said", "part", "meta"] {
        let columns = if table == "log" { "seq, drain, kind, peer" } else { "*" };
        if postgres.sql(&format!("SELECT {columns} FROM logdrain.{table}")).contains(text) {
            found.push(table.to_owned());
        }
    }
    found
}

#[test]
fn what_is_purged_is_in_no_table_any_more_over_kills_and_another_node_has_the_same_lines() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-purge");
    let file = config(&dir, purge::CONFIG, &postgres);
    let arguments = ["--config", file.as_str()];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mut server = Server::start(&dir, &arguments);
    let secrets: Vec<String> = (0..4).map(|number| format!("secret-number-{number}-of-it")).collect();
    let mut sent = 0;
    for secret in &secrets {
        for _ in 0..15 {
            assert_eq!(delivery(sent, secret).send(server.address).unwrap(), 204);
            sent += 1;
        }
        assert!(
            found(&dir, &postgres, secret).iter().any(|place| place.starts_with("event ")),
            "it is looked for well"
        );
        // Its answer may be lost with the server.
        let purge = json!({"purge": {"account": "default", "purge": {"query": secret}, "at": 0}});
        let asked = {
            let dir = dir.clone();
            std::thread::spawn(move || ask(&dir, &purge))
        };
        std::thread::sleep(Duration::from_millis(dice.below(200)));
        server.kill();
        let _ = asked.join();
        server = Server::start(&dir, &arguments);
    }
    for secret in &secrets {
        change(&dir, &json!({"purge": {"account": "default", "purge": {"query": secret}, "at": 0}}));
    }
    // One that comes later stays, whatever it says.
    assert_eq!(delivery(sent, "later").send(server.address).unwrap(), 204);
    for secret in &secrets {
        wait_within(purge::MINUTES, "all of it to go", || found(&dir, &postgres, secret).is_empty().then_some(()));
    }
    wait_for_lines(&server);
    assert_books(&server);
    assert_eq!(number(&server, "logdrain_logs_gone_total{why=\"purged\"}"), sent as f64 * 3.0);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR") && !log.contains("secret-number"), "{code:?}: {log}");
    let left = kept(&dir);
    assert_eq!(left.len(), sent as usize * 6 + 9);
    // All that another node has is the database: the same lines under the same ids, and none that is gone.
    let other = scratch("postgres-purge-other");
    let file = config(&other, purge::CONFIG, &postgres);
    let server = Server::start(&other, &["--config", &file]);
    wait_for_lines(&server);
    assert_books(&server);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{code:?}: {log}");
    assert!(kept(&other) == left, "another node");
    for secret in &secrets {
        assert_eq!(found(&other, &postgres, secret), Vec::<String>::new());
    }
}

#[test]
fn settings_outlast_a_kill_and_an_account_that_is_destroyed_is_in_no_table_any_more() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("postgres-destroy");
    let file = config(&dir, destroy::CONFIG, &postgres);
    let arguments = ["--config", file.as_str()];
    let mut server = Server::start(&dir, &arguments);
    assert!(destroy::add(&dir, "shop"));
    let group = json!({"name": "group-of-shop", "systems": ["shop-eu"]});
    change(&dir, &json!({"add_group": {"account": "shop", "group": group}}));
    change(&dir, &json!({"app": {"drain": "shop.drain/d.1", "app": "shop-eu"}}));
    let send = |server: &Server, numbers: std::ops::Range<u64>| {
        for number in numbers {
            assert_eq!(destroy::deliver(server, "shop:s3cret", number, "secret-of-shop"), 204);
            assert_eq!(destroy::deliver(server, "blog:blog-s3cret-1", 1_000 + number, "of-others"), 204);
        }
    };
    send(&server, 0..10);
    // What was said is there after a kill, and whom it lets in is let in.
    server.kill();
    server = Server::start(&dir, &arguments);
    send(&server, 5..20);
    assert!(postgres.sql("SELECT value FROM logdrain.accounts WHERE name = 'shop'").contains("group-of-shop"));
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "40");
    destroy::wait_for_lines(&server);
    assert!(kept_of(&dir, "shop").0.len() <= 60);
    change(&dir, &json!({"remove_drain": {"account": "shop", "name": "shop.drain"}}));
    change(&dir, &json!({"destroy": {"account": "shop", "at": 0}}));
    server.kill();
    server = Server::start(&dir, &arguments);
    let secrets = ["secret-of-shop", "group-of-shop", "shop-eu"];
    let mut later = 5_000;
    wait_within(purge::MINUTES, "all of it to go", || {
        // The last two states are kept, whatever is in them: others follow with what comes.
        later += 1;
        assert_eq!(destroy::deliver(&server, "blog:blog-s3cret-1", later, "later"), 204);
        secrets.iter().all(|secret| found(&dir, &postgres, secret).is_empty()).then_some(())
    });
    wait_until("the end of it", || {
        let pending = "SELECT count(*) FROM logdrain.said WHERE key = 'purges' AND value LIKE '%\"account\"%'";
        (postgres.sql(pending) == "0").then_some(())
    });
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.accounts WHERE name = 'shop'"), "0");
    destroy::wait_for_lines(&server);
    assert_eq!(destroy::deliver(&server, "shop:s3cret", 99, "later"), 401);
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains("ERROR") && !log.contains("secret-of"), "{code:?}: {log}");
    assert_eq!(kept_of(&dir, "shop").0.len(), 0);
    let mut of_others = kept_of(&dir, "default").0;
    of_others.retain(|_, (.., message)| message.contains("of-others"));
    assert_eq!(of_others.len(), 60);
}
