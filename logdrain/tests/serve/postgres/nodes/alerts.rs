//! Alerts of nodes that are killed and stopped, and their database with them: they are those that one node alone tells of the same
//! journal.

use super::agent::trouble;
use super::cluster::{Cluster, Node, PARTITIONS, account};
use super::seed;
use crate::crash::kills;
use crate::harness::{Delivery, now_micros, scratch, time_of, wait_until, wait_within};
use logdrain_drain::alerts::file;
use logdrain_drain::event::{Entry, Event};
use logdrain_drain::journal::{Address, Kept, Offer, SharedPartition};
use logdrain_drain::parts::{Parts, Split};
use logdrain_drain::settings::account::Alert;
use logdrain_drain::settings::change::Change;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::postgres::Postgres;
use testkit::random::Random;

const CONFIG: &str = "window = \"1s\"\nlateness = \"0s\"\n";
/// Each stream of the metric is told of by itself; and each minute of lines.
const RULES: [&str; 2] = [
    "[[metric]]\nname = \"long queues\"\nper_signal = true\n[[metric.when]]\nmetric = \"queue.depth\"\nabove = 5\n",
    "[[log]]\nname = \"queues\"\nquery = \"depth=9\"\nminimum = 1\n",
];
const STREAMS: u64 = 4;
/// So many fire, and as many are resolved.
const ENOUGH: usize = 10;
/// A minute of lines, and a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// Adds an alert, as any node does that is told so.
fn add(address: &Address, account: &str, rule: &str) {
    let part = Parts::new(u16::try_from(PARTITIONS).unwrap()).unwrap().of(account);
    let mut store = SharedPartition::new(address, (part, Split::ByAccount), 64).unwrap();
    let alert = Alert::new(file::parse(rule).unwrap().remove(0));
    let change = Box::new(Change::AddAlert { account: account.to_owned(), alert });
    let kept = store.append(vec![Offer { key: None, event: Event::Change { change, id: None } }]).unwrap().pop();
    assert!(matches!(kept, Some(Kept::Changed(Entry { event: Event::Change { id: Some(_), .. }, .. }))), "{kept:?}");
}

/// What each stream says now: it is long for two seconds, and short for two.
fn delivery(number: u64) -> Delivery {
    let now = now_micros();
    let mut body = Vec::new();
    for stream in 0..STREAMS {
        let value = if (now / 1_000_000 + stream) % 4 < 2 { 9 } else { 0 };
        let time = time_of(now + stream);
        let frame = format!("<190>1 {time} host app web.1 - sample#queue.depth={value} source=q.{stream}\n");
        body.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
    }
    Delivery { id: format!("{number:032X}"), token: format!("{}/d.alerts", account(number)), body }
}

/// Each delivery to any node that takes it, until it is enough.
fn send(cluster: &Cluster, is_enough: &AtomicBool, sent: &AtomicU64) {
    while !is_enough.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(50));
        let number = sent.fetch_add(1, Ordering::SeqCst);
        let delivery = delivery(number);
        let mut next = number as usize;
        wait_within(PATIENCE, "a node that takes a delivery", || {
            next += 1;
            let address = cluster.nodes[next % cluster.nodes.len()].address()?;
            (delivery.send(address).ok()? == 204).then_some(())
        });
    }
}

/// What stands of all messages: of each what it says, by its id.
fn told(postgres: &Postgres, database: &str) -> BTreeMap<String, String> {
    let sql = "SELECT id, account || ' ' || alert || ' ' || kind || ' ' || at || ' ' || why FROM logdrain.told";
    let text = postgres.sql_in(database, sql);
    let rows = text.lines().map(|line| line.split_once('|').unwrap());
    let told: BTreeMap<String, String> = rows.map(|(id, words)| (id.to_owned(), words.to_owned())).collect();
    assert_eq!(told.len(), text.lines().count(), "each is there once");
    told
}

#[test]
fn whatever_is_killed_or_stopped_alerts_are_those_of_one_node_alone() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-alerts");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines().with(CONFIG);
    assert!(cluster.start(&[]));
    let address = Address::parse(&url, None).unwrap();
    for number in 0..3 {
        RULES.iter().for_each(|rule| add(&address, &account(number), rule));
    }
    let (is_enough, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| send(&cluster, &is_enough, &sent));
        let done = trouble(&cluster, &mut postgres, &mut Random::new(seed() + 6_000), kills(10));
        println!("{done:?}");
        let of_lines = "SELECT count(DISTINCT account) FROM logdrain.told WHERE why LIKE '%in 1 minute%'";
        wait_within(PATIENCE, "a minute of lines", || {
            std::thread::sleep(Duration::from_millis(500));
            (postgres.sql(of_lines) == "3").then_some(())
        });
        // A slow machine has few deliveries in that time.
        let of_minutes =
            "SELECT least(count(*) FILTER (WHERE kind = 0), count(*) FILTER (WHERE kind = 1)) FROM logdrain.told";
        wait_within(PATIENCE, "enough alerts", || {
            std::thread::sleep(Duration::from_millis(500));
            (postgres.sql(of_minutes).parse::<usize>().unwrap() > ENOUGH).then_some(())
        });
        is_enough.store(true, Ordering::SeqCst);
    });
    cluster.stop();
    // One alone, on the same journal, who knows nothing of what was told.
    let journal = postgres.copy_to("copy");
    let forget = "TRUNCATE logdrain.told, logdrain.deliveries, logdrain.held, logdrain.rules; UPDATE logdrain.part SET emitted = 0";
    postgres.sql_in("copy", forget);
    let by_nodes = told(&postgres, "postgres");
    let kinds = |kind: &str| by_nodes.values().filter(|words| words.split(' ').nth(2) == Some(kind)).count();
    println!("{} deliveries; {} fired, {} were resolved", sent.into_inner(), kinds("0"), kinds("1"));
    assert!(kinds("0") > ENOUGH && kinds("1") > ENOUGH, "{by_nodes:?}");
    let end = "SELECT min(at) FROM (SELECT max(at) AS at FROM logdrain.log WHERE kind = 1 GROUP BY p) AS ticks";
    let end: i64 = postgres.sql_in("copy", end).parse().unwrap();
    let one = Node::new(&dir.join("alone"), "one", &journal).with_lines().with(CONFIG);
    // What the others share is lost to it.
    let of = postgres.sql_in("copy", "SELECT value FROM logdrain.meta WHERE key = 'journal'");
    std::fs::write(dir.join("alone/shared/journal"), of.trim()).unwrap();
    assert!(one.start(&[]));
    wait_until("all partitions", || (one.owned() == Some(PARTITIONS) && one.is_ready()).then_some(()));
    let alone = wait_within(PATIENCE, "all alerts that there were", || {
        std::thread::sleep(Duration::from_millis(300));
        let alone = told(&postgres, "copy");
        by_nodes.keys().all(|id| alone.contains_key(id)).then_some(alone)
    });
    one.stop();
    for (id, words) in &alone {
        match by_nodes.get(id) {
            Some(by_nodes) => assert_eq!(by_nodes, words),
            // Its own time goes on where that of the nodes has ended.
            None => assert!(words.split(' ').nth(3).unwrap().parse::<i64>().unwrap() > end - 1_000_000, "{words}"),
        }
    }
}
