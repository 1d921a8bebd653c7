//! Accounts that are destroyed: whatever is killed, asleep or away meanwhile, nothing is left of them, and nothing comes back.

use super::cluster::{Cluster, LEASE, Node, OPERATOR, PARTITIONS, account};
use super::lines::{kept, messages};
use super::settings::{change, events, send};
use crate::changes::ask;
use crate::destroy::digest;
use crate::harness::{Delivery, body, now_micros, request, scratch, time_of, wait_until, wait_within};
use crate::logdrain;
use crate::postgres::relay::{Relay, Way};
use crate::purge::{MINUTES, holders_of_files};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use logdrain_drain::alerts::file;
use logdrain_drain::parts::Parts;
use logdrain_drain::settings::account::Alert;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::Postgres;

const CONFIG: &str = "window = \"1s\"\nlateness = \"1s\"\njournal_ahead = \"16kB\"\n";
const SHOPS: u64 = 4;

fn shop(number: u64) -> String {
    format!("shop-{number}")
}

fn secret(shop: &str) -> String {
    format!("secret-of-{shop}.")
}

/// Whatever an account says, on one node or another. Its drain is this one of Logplex.
fn make(cluster: &Cluster, node: usize, shop: &str, token: &str) {
    change(cluster, node, &json!({"account": {"account": shop}}));
    let credentials = digest(&format!("{shop}:s3cret"));
    let drain = json!({"app": null, "plan": null, "credentials": credentials, "tokens": [digest(token)]});
    let name = format!("{shop}.drain");
    change(cluster, node, &json!({"add_drain": {"account": shop, "name": name, "drain": drain}}));
    change(cluster, node, &json!({"app": {"drain": format!("{name}/{token}"), "app": format!("app-of-{shop}")}}));
    let group = json!({"name": format!("group-of-{shop}"), "systems": ["web"]});
    change(cluster, node, &json!({"add_group": {"account": shop, "group": group}}));
    let rule = format!(
        "[[metric]]\nname = \"rule-of-{shop}\"\n[[metric.when]]\nmetric = \"of.{}\"\nabove = 5\n",
        secret(shop)
    );
    let alert = serde_json::to_value(Alert::new(file::parse(&rule).unwrap().remove(0))).unwrap();
    change(cluster, node, &json!({"add_alert": {"account": shop, "alert": alert}}));
}

/// The same with members, tokens and a channel.
fn people(node: &Node, shop: &str) {
    let of = |arguments: &[&str]| crate::dashboards::account(node.dir(), &[arguments, &["--account", shop]].concat());
    of(&["member", "add", &format!("ann@{shop}.example")]);
    of(&["token", "add"]);
}

fn deliver(node: &Node, shop: &str, number: u64) -> Option<u16> {
    deliver_by(node, shop, number, "d.1")
}

fn deliver_by(node: &Node, shop: &str, number: u64, token: &str) -> Option<u16> {
    let mut body = Vec::new();
    let text = secret(shop);
    for line in 0..3 {
        let time = time_of(now_micros());
        let line = format!("<190>1 {time} host app web.{line} - measure#of.{text}=7ms {text} {number} {:300}\n", "");
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let credentials = format!("Basic {}", STANDARD.encode(format!("{shop}:s3cret")));
    let id = format!("{shop}-{number}");
    let headers =
        [("Authorization", credentials.as_str()), ("Logplex-Drain-Token", token), ("Logplex-Frame-Id", id.as_str())];
    request(node.address()?, "POST", "/logs", &headers, &body).ok().map(|answer| answer.status)
}

/// An hour of last year, in the archives of an account.
fn archive(dir: &Path, shop: &str) {
    let part = Parts::new(u16::try_from(PARTITIONS).unwrap()).unwrap().of(shop);
    crate::destroy::archive_in(&dir.join(format!("shared/p{}/archives", part.number())), shop, &secret(shop));
}

fn taken(node: &Node, shop: &str, number: u64) {
    wait_until("a delivery that is taken", || (deliver(node, shop, number)? == 204).then_some(()));
}

fn destroy(node: &Node, shop: &str) -> bool {
    let store = node.dir().join("store");
    let output = logdrain(&["account", "destroy", shop, "--confirm", shop, "--store", store.to_str().unwrap()], b"");
    output.status.success()
}

/// In which tables an account is, by its name.
fn tables(postgres: &Postgres, account: &str) -> Vec<String> {
    let sql = "SELECT table_schema || '.' || table_name, column_name FROM information_schema.columns
        WHERE table_schema LIKE 'logdrain%' AND column_name IN ('account', 'name', 'drain', 'key') AND data_type = 'text'";
    let mut found = Vec::new();
    for line in postgres.sql(sql).lines() {
        let (table, column) = line.split_once('|').unwrap();
        let of = format!("SELECT count(*) FROM {table} WHERE {column} ~ '(^|/){account}($|[./])'");
        if postgres.sql(&of) != "0" {
            found.push(table.to_owned());
        }
    }
    found
}

/// Where something of an account is.
fn left(dir: &Path, postgres: &Postgres, shop: &str) -> Vec<String> {
    let mut found = Vec::new();
    let words = [secret(shop), format!("group-of-{shop}"), format!("app-of-{shop}"), format!("rule-of-{shop}")];
    for word in words.into_iter().chain([digest(&format!("{shop}:s3cret"))]) {
        for place in ["shared", "a/store", "b/store", "c/store"] {
            let files = holders_of_files(&dir.join(place), &word).into_iter();
            found.extend(files.map(|file| format!("{word}: {place}/{file}")));
        }
        for node in ["a", "b", "c"] {
            if fs::read_to_string(dir.join(node).join("rows.jsonl")).is_ok_and(|rows| rows.contains(&word)) {
                found.push(format!("{word}: rows of {node}"));
            }
        }
        if events(postgres, &word) > 0 {
            found.push(format!("{word}: the journal"));
        }
        for said in ["SELECT value FROM logdrain.said", "SELECT value FROM logdrain.accounts"] {
            if postgres.sql(said).contains(&word) {
                found.push(format!("{word}: {said}"));
            }
        }
    }
    // That it was destroyed, that others were to read it again then, and whose the events were.
    let is_left = |table: &String| {
        !["logdrain.destroyed", "logdrain.touched"].contains(&table.as_str()) && !table.starts_with("logdrain.log")
    };
    found.extend(tables(postgres, shop).into_iter().filter(is_left));
    found
}

/// What goes on coming from another account, by one drain.
fn later(cluster: &Cluster, number: u64) {
    let account = account(number);
    let sent = Delivery { id: format!("{number:032X}"), token: format!("{account}/d.1"), body: body(number, 1) };
    wait_until("a delivery that is taken", || {
        let node = &cluster.nodes[number as usize % cluster.nodes.len()];
        (sent.send(node.address()?).ok()? == 204).then_some(())
    });
}

fn wait_until_nothing_is_left(dir: &Path, cluster: &Cluster, postgres: &Postgres, shops: &[String]) {
    let mut number = 10_000;
    for shop in shops {
        let mut last = Vec::new();
        let began = std::time::Instant::now();
        loop {
            // The last two states are kept, whatever is in them: others follow with what comes.
            (0..5).for_each(|_| {
                number += 1;
                later(cluster, number);
            });
            let now = left(dir, postgres, shop);
            if now.is_empty() {
                break;
            }
            assert!(began.elapsed() < MINUTES, "of {shop} there is left {now:?}, and before that {last:?}");
            last = now;
        }
    }
}

#[test]
fn nothing_is_left_of_an_account_though_its_homes_are_killed_and_nodes_were_asleep_and_away() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-ended");
    let url = postgres.url();
    let relay = Relay::to(postgres.port());
    let over_relay = url.replace(&format!(":{}/", postgres.port()), &format!(":{}/", relay.port));
    let cluster = Cluster::new(&dir, [&url, &url, &over_relay]).with_lines().with(CONFIG);
    let shops: Vec<String> = (0..SHOPS).map(shop).collect();
    shops.iter().for_each(|shop| archive(&dir, shop));
    assert!(cluster.start(&[]));
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    for (number, shop) in shops.iter().enumerate() {
        make(&cluster, number % 3, shop, "d.1");
        people(&cluster.nodes[(number + 1) % 3], shop);
    }
    let mut number = 0;
    for _ in 0..6 {
        for node in &cluster.nodes {
            shops.iter().for_each(|shop| taken(node, shop, number));
            send(&cluster, number, "of-others");
            number += 1;
        }
    }
    let rows = |shop: &str| {
        let of = |node: &Node| fs::read_to_string(node.rows()).unwrap_or_default();
        cluster.nodes.iter().any(|node| of(node).contains(&secret(shop)))
    };
    for shop in &shops {
        wait_until("rows", || rows(shop).then_some(()));
        let told = format!("SELECT count(*) FROM logdrain.told WHERE account = '{shop}'");
        wait_until("what a rule tells", || (postgres.sql(&told) != "0").then_some(()));
        let all = [
            "shared/",
            ".tsv.gz",
            "rows of",
            "the journal",
            "logdrain.said",
            "logdrain_minutes.names",
            "logdrain.members",
        ];
        wait_until("all of it, which is looked for well", || {
            let places = left(&dir, &postgres, shop);
            all.iter().all(|place| places.iter().any(|found| found.contains(place))).then_some(())
        });
    }
    // One node is cut off, and keeps what comes to it; another one falls asleep.
    [Way::ToDatabase, Way::FromDatabase].into_iter().for_each(|way| relay.stop_all(way));
    shops.iter().for_each(|shop| taken(c, shop, 1_000));
    wait_until("what waits with a node", || (c.spooled()? >= shops.len()).then_some(()));
    b.pause(true);
    for shop in &shops {
        let drain = json!({"remove_drain": {"account": shop, "name": format!("{shop}.drain")}});
        change(&cluster, 0, &drain);
        wait_until("a change that is taken", || destroy(a, shop).then_some(()));
        assert_eq!(deliver(a, shop, 1_001), Some(401));
        // It has not heard of it.
        taken(c, shop, 1_002);
    }
    for _ in 0..2 {
        a.kill();
        assert!(a.start(&[]));
        std::thread::sleep(LEASE / 3);
    }
    let over = || postgres.sql("SELECT count(*) FROM logdrain.destroyed WHERE is_over") == SHOPS.to_string();
    wait_within(MINUTES, "the owners to be done", || over().then_some(()));
    b.pause(false);
    relay.open();
    wait_within(MINUTES, "an empty spool", || (c.spooled()? == 0).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    b.kill();
    assert!(b.start(&[]));
    cluster.wait_for_owners();
    wait_until_nothing_is_left(&dir, &cluster, &postgres, &shops);
    let pending = "SELECT count(*) FROM logdrain.said WHERE key = 'purges' AND value LIKE '%\"pending\":[{%'";
    wait_until("the end of it", || (postgres.sql(pending) == "0").then_some(()));
    // One may be made that is called so, and what it has then stays.
    make(&cluster, 1, &shops[0], "d.2");
    people(b, &shops[0]);
    wait_until("a delivery that is taken", || (deliver_by(c, &shops[0], 2_000, "d.2")? == 204).then_some(()));
    for node in &cluster.nodes {
        node.kill();
        assert!(node.start(&[]));
    }
    cluster.wait_for_owners();
    let headers = [OPERATOR];
    let members = || {
        let path = format!("/api/v2/members?account={}", shops[0]);
        request(a.address()?, "GET", &path, &headers, b"").ok().filter(|answer| answer.status == 200)
    };
    wait_until("its members", || members()?.body.contains("ann@shop-0.example").then_some(()));
    wait_until("its rows", || rows(&shops[0]).then_some(()));
    cluster.stop();
    let all = kept(&dir.join("shared"));
    let of_others: usize =
        all.values().map(|lines| messages(lines).iter().filter(|message| message.contains("of-others")).count()).sum();
    assert_eq!(of_others, number as usize * 2, "others lose nothing");
    assert!((0..5).all(|number| all.contains_key(&account(number))));
}

/// What is destroyed still would take with it what another one of the name has by then: members a few seconds later, and rows
/// whenever a node looks which ones it is to erase.
#[test]
fn an_account_that_is_made_again_as_soon_as_it_may_be_keeps_all_that_it_has_then() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-ended-again");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines().with(CONFIG);
    assert!(cluster.start(&[]));
    let [a, b, c] = &cluster.nodes[..] else { unreachable!() };
    let shop = shop(0);
    make(&cluster, 0, &shop, "d.1");
    people(b, &shop);
    taken(c, &shop, 0);
    change(&cluster, 0, &json!({"remove_drain": {"account": shop, "name": format!("{shop}.drain")}}));
    wait_until("a change that is taken", || destroy(a, &shop).then_some(()));
    let over = "SELECT count(*) FROM logdrain.destroyed WHERE is_over";
    let mut number = 20_000;
    wait_within(MINUTES, "an account of this name", || {
        number += 1;
        later(&cluster, number);
        let node = &cluster.nodes[number as usize % 3];
        let answer = ask(node.dir(), &json!({"account": {"account": shop}})).ok()?;
        answer.get("changed").is_some().then_some(())
    });
    assert_eq!(postgres.sql(over), "1", "it was made in the middle of it");
    wait_until("its members", || {
        let store = b.dir().join("store");
        let member = ["account", "member", "add", "bob@shop.example", "--account", &shop, "--store"];
        let output = logdrain(&[&member[..], &[store.to_str().unwrap()]].concat(), b"");
        output.status.success().then_some(())
    });
    let credentials = digest(&format!("{shop}:s3cret"));
    let drain = json!({"app": null, "plan": null, "credentials": credentials, "tokens": [digest("d.2")]});
    change(&cluster, 1, &json!({"add_drain": {"account": shop, "name": format!("{shop}.drain"), "drain": drain}}));
    wait_until("a delivery that is taken", || (deliver_by(c, &shop, 1, "d.2")? == 204).then_some(()));
    let rows = || {
        let of = |node: &Node| fs::read_to_string(node.rows()).unwrap_or_default().matches(&secret(&shop)).count();
        cluster.nodes.iter().map(of).sum::<usize>()
    };
    wait_until("its rows", || {
        number += 1;
        later(&cluster, number);
        (rows() > 0).then_some(())
    });
    // Nodes that do not know how far they were erase again.
    cluster.stop();
    let noted = |node: &Node| node.dir().join("store/erased");
    cluster.nodes.iter().for_each(|node| drop(fs::remove_file(noted(node))));
    let before = rows();
    assert!(cluster.start(&[]));
    wait_within(MINUTES, "all to have erased", || cluster.nodes.iter().all(|node| noted(node).exists()).then_some(()));
    assert!(rows() >= before && before > 0, "{} of {before} rows", rows());
    let members = format!("SELECT email FROM logdrain.members WHERE account = '{shop}'");
    assert_eq!(postgres.sql(&members), "bob@shop.example");
    cluster.stop();
}

/// The drains of an account are in all partitions then, each by itself.
#[test]
fn without_lines_an_account_is_destroyed_in_each_partition() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-ended-spread");
    let url = postgres.url();
    let of_shop =
        "[[drain]]\nname = \"web\"\nuser = \"shop-9\"\npassword = \"s3cret\"\nmax_tokens = 16\naccount = \"shop-9\"\n";
    let others = "[watcher]\nuser = \"ops\"\npassword = \"secret\"\n\n[[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"s3cret\"\n";
    let cluster = Cluster::new(&dir, [&url; 3]).with("window = \"1s\"\nlateness = \"1s\"\n");
    let cluster = cluster.with_section(others).with_section(of_shop);
    assert!(cluster.start(&[]));
    let nodes = &cluster.nodes;
    for number in 0..32 {
        let (node, token) = (&nodes[number as usize % 3], format!("d.{}", number % 16));
        for (account, token) in [("shop-9", token.as_str()), ("blog", "d.1")] {
            wait_until("a delivery that is taken", || (deliver_by(node, account, number, token)? == 204).then_some(()));
        }
    }
    let names = |account: &str| {
        postgres.sql(&format!("SELECT count(DISTINCT p) FROM logdrain_minutes.names WHERE account = '{account}'"))
    };
    wait_until("minutes of several partitions", || (names("shop-9").parse::<u32>().unwrap() > 3).then_some(()));
    let rows = |text: &str| {
        let of = |node: &Node| fs::read_to_string(node.rows()).unwrap_or_default().matches(text).count();
        nodes.iter().map(of).sum::<usize>()
    };
    wait_until("rows", || (rows("of.secret-of-shop-9") > 0 && rows("of.secret-of-blog") > 0).then_some(()));
    assert!(!destroy(&nodes[0], "shop-9"), "somebody sends to it still");
    cluster.stop();
    for node in nodes {
        let text = fs::read_to_string(node.config()).unwrap();
        fs::write(node.config(), text.replace(of_shop, "")).unwrap();
    }
    assert!(cluster.start(&[]));
    let before = rows("of.secret-of-blog");
    wait_until("a change that is taken", || destroy(&nodes[1], "shop-9").then_some(()));
    nodes[1].kill();
    assert!(nodes[1].start(&[]));
    let over = format!("SELECT count(DISTINCT p) = {PARTITIONS} FROM logdrain.destroyed WHERE is_over");
    wait_within(MINUTES, "the owners to be done", || (postgres.sql(&over) == "t").then_some(()));
    wait_within(MINUTES, "its rows to go", || (rows("of.secret-of-shop-9") == 0).then_some(()));
    assert_eq!((names("shop-9").as_str(), rows("of.secret-of-blog") >= before), ("0", true));
    cluster.wait_for_owners();
    cluster.stop();
}
