//! What accounts say: on any node, for all of them, whoever takes their partition over.

use super::cluster::{Cluster, account};
use super::lines::{kept, messages};
use crate::changes::ask;
use crate::harness::{Delivery, body, scratch, wait_until, wait_within};
use crate::purge::{MINUTES, has, holders_of_files};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testkit::postgres::Postgres;

/// A delivery of an account, each third line of which holds a text.
fn delivery(number: u64, text: &str) -> Delivery {
    let mut all = body(number, 4);
    for line in 0..2 {
        let line = format!("<190>1 2026-03-14T09:26:53Z host app web.{line} - charged {text} for order {number}");
        all.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let name = account(number);
    Delivery { id: format!("{number:032X}"), token: format!("{name}/d.{number}"), body: all }
}

/// Sends to one node or another, until it is taken.
pub(super) fn send(cluster: &Cluster, number: u64, text: &str) {
    let sent = delivery(number, text);
    wait_until("a delivery that is taken", || {
        let node = &cluster.nodes[number as usize % cluster.nodes.len()];
        (sent.send(node.address()?).ok()? == 204).then_some(())
    });
}

/// Asks a node to change something, until it is done.
pub(super) fn change(cluster: &Cluster, node: usize, change: &Value) {
    wait_until("a change", || {
        let answer = ask(cluster.nodes[node].dir(), change).ok()?;
        answer.get("changed").is_some().then_some(())
    });
}

/// In which events of the journal a text is.
pub(super) fn events(postgres: &Postgres, text: &str) -> usize {
    let bodies = "SELECT coalesce(raw, 0), encode(body, 'hex') FROM logdrain.log WHERE body IS NOT NULL";
    let rows = postgres.sql(bodies);
    let has_text = |row: &&str| {
        let (raw, body) = row.split_once('|').unwrap();
        let raw: usize = raw.parse().unwrap();
        let body: Vec<u8> =
            (0..body.len()).step_by(2).map(|at| u8::from_str_radix(&body[at..at + 2], 16).unwrap()).collect();
        has(&if raw == 0 { body } else { zstd::bulk::decompress(&body, raw).unwrap() }, text)
    };
    rows.lines().filter(has_text).count()
}

fn start(dir: &Path, postgres: &Postgres) -> Cluster {
    let url = postgres.url();
    let cluster = Cluster::new(dir, [&url; 3]).with_lines().with("journal_ahead = \"16kB\"");
    assert!(cluster.start(&[]));
    cluster
}

#[test]
fn a_filter_that_is_made_on_any_node_holds_from_there_on_and_for_whoever_takes_over() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-filters");
    let cluster = start(&dir, &postgres);
    for number in 0..15 {
        send(&cluster, number, "before");
    }
    for (node, number) in [0, 1, 2, 0, 1].into_iter().zip(0..5) {
        let filter = json!({"name": "charges", "text": "charged", "is_regex": false, "is_on": true});
        change(&cluster, node, &json!({"add_filter": {"account": account(number), "filter": filter}}));
    }
    // It is known with the next delivery, whichever node takes that.
    for number in 15..30 {
        send(&cluster, number, "filtered");
    }
    cluster.nodes[1].kill();
    for number in 30..45 {
        if number % 3 != 1 {
            send(&cluster, number, "taken over");
        }
    }
    assert!(cluster.nodes[1].start(&[]));
    cluster.wait_for_owners();
    cluster.stop();
    let all = kept(&dir.join("shared"));
    for number in 0..5 {
        let messages = messages(&all[&account(number)]);
        let charged = messages.iter().filter(|message| message.contains("charged")).count();
        assert_eq!(charged, 6, "{}", account(number));
        let later = (30..45).filter(|sent| sent % 5 == number && sent % 3 != 1).count();
        assert_eq!(messages.len(), 3 * 6 + 3 * 4 + later * 4, "{}", account(number));
    }
}

#[test]
fn what_is_purged_is_nowhere_any_more_though_its_home_is_killed() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-purge");
    let cluster = start(&dir, &postgres);
    const SECRET: &str = "4111-2222-3333-4444";
    for number in 0..60 {
        send(&cluster, number, SECRET);
    }
    assert_eq!(events(&postgres, SECRET), 60, "it is looked for well");
    for (node, number) in [0, 1, 2, 0, 1].into_iter().zip(0..5) {
        change(&cluster, node, &json!({"purge": {"account": account(number), "purge": {"query": SECRET}, "at": 0}}));
    }
    for node in [0, 1, 2] {
        cluster.nodes[node].kill();
        std::thread::sleep(Duration::from_millis(700));
        assert!(cluster.nodes[node].start(&[]));
    }
    // What comes later stays, whatever it says.
    for number in 60..65 {
        send(&cluster, number, "later 9999");
    }
    wait_within(MINUTES, "all of it to go from the journal", || (events(&postgres, SECRET) == 0).then_some(()));
    let shared = dir.join("shared");
    wait_within(MINUTES, "all of it to go from the files", || {
        holders_of_files(&shared, SECRET).is_empty().then_some(())
    });
    cluster.wait_for_owners();
    cluster.stop();
    for (account, lines) in kept(&shared) {
        let messages = messages(&lines);
        assert!(!messages.iter().any(|message| message.contains(SECRET)), "{account}");
        assert_eq!(messages.len(), 12 * 4 + 6, "{account}");
    }
    assert!(!postgres.sql("SELECT value FROM logdrain.said").contains(SECRET), "what was looked for is forgotten");
}
