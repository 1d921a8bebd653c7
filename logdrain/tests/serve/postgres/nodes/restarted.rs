//! Nodes that are started while the database is away: they go by what they knew before, and take what comes into their spools.
//! One that knows nothing, or nothing that is to be gone by, answers 503 and says why.

use super::cluster::{Cluster, Node, OPERATOR};
use super::senders::{DRAINS, Senders, token};
use super::settings::change;
use super::{check, seed};
use crate::harness::{Delivery, body, request, scratch, wait_until, wait_within};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::Postgres;

/// Nobody else comes in as long as nobody was heard of.
const OPERATORS: &str = "[watcher]\nuser = \"ops\"\npassword = \"secret\"\n";
/// What an outage may leave is in by then.
const EMPTY: Duration = Duration::from_secs(120);

fn delivery(number: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: token(number % DRAINS), body: body(number, 1) }
}

/// What a node tells of itself that has heard of nobody in this life.
fn assert_remembers(node: &Node) {
    let (status, said) = node.readiness().unwrap();
    assert!(status == 200 && said.contains("what it knew in its last life"), "{status}: {said}");
    assert_eq!(node.metric("logdrain_remembering"), Some(1));
}

/// Three nodes under load, of which some are killed and started again while the database is away: as soon as they listen they
/// take what comes.
fn are_restarted(name: &str, clocks: Option<[&str; 3]>, which: &[usize]) {
    const LATE: [&str; 2] = ["--lateness", "5s"];
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch(name);
    let url = postgres.url();
    let mut cluster = Cluster::new(&dir, [&url; 3]).patient().with_section(OPERATORS);
    if let Some(clocks) = clocks {
        cluster = cluster.with_clocks(clocks);
    }
    // Whatever passed the oldest one would make a revision.
    if !cluster.start(&LATE) {
        return;
    }
    let senders = Senders::new(&cluster, seed()).in_time();
    senders.while_doing(|| {
        wait_until("deliveries", || (senders.taken() > 100).then_some(()));
        postgres.stop();
        wait_until("deliveries in all spools", || {
            cluster.nodes.iter().all(|node| node.spooled().is_some_and(|count| count > 0)).then_some(())
        });
        let only: Vec<_> = (0..20).map(|number| delivery((1 << 40) + number)).collect();
        for node in which.iter().map(|which| &cluster.nodes[*which]) {
            node.kill();
            assert!(node.start(&LATE));
            assert_remembers(node);
            let before = node.spooled().unwrap();
            for only in &only {
                assert_eq!(only.send(node.address().unwrap()).unwrap(), 204);
            }
            assert!(node.spooled().unwrap() >= before + only.len());
        }
        only.into_iter().for_each(|only| senders.took(only));
        std::thread::sleep(Duration::from_secs(3));
        postgres.start_again();
        wait_within(EMPTY, "empty spools", || (cluster.spooled() == 0).then_some(()));
        cluster.wait_for_owners();
        assert!(cluster.nodes.iter().all(|node| node.metric("logdrain_remembering") == Some(0)));
        let before = senders.taken();
        wait_until("deliveries that all nodes take", || (senders.taken() > before + 50).then_some(()));
    });
    let union = check(&dir, &cluster, &senders, &postgres);
    assert_eq!(union.revised(), 0, "rows that were revised");
}

#[test]
fn a_node_that_is_started_while_the_database_is_away_takes_everything_and_nothing_is_late() {
    are_restarted("nodes-restarted", None, &[0]);
}

#[test]
fn all_nodes_are_started_while_the_database_is_away_their_clocks_an_hour_apart_and_nothing_is_late() {
    are_restarted("nodes-restarted-all", Some(["+0", "-1h", "+1h"]), &[0, 1, 2]);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if path.is_dir() {
            copy(&path, &to);
        } else if path.is_file() {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// One that has nothing to go by says why, answers 503, and joins when the database is there.
#[test]
fn a_node_that_knows_nothing_of_before_answers_503() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-restarted-unknown");
    let url = postgres.url();
    let names = ["known", "new", "copy", "damaged", "without"];
    let [known, new, copied, damaged, without] = names.map(|name| Node::new(&dir, name, &url).with_section(OPERATORS));
    for node in [&known, &damaged, &without] {
        assert!(node.start(&[]));
        wait_until("what it knows on its disk", || node.dir().join("store/known/node").exists().then_some(()));
        node.stop();
    }
    postgres.stop();
    copy(&known.dir().join("store"), &copied.dir().join("store"));
    let part = damaged.dir().join("store/known/p3");
    let mut bytes = fs::read(&part).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&part, bytes).unwrap();
    let without = without.with("spool = false");
    for (node, why) in [
        (&new, "remembers nothing of before"),
        (&copied, "is a copy"),
        (&damaged, "known/p3: is damaged"),
        (&without, "spool = false"),
    ] {
        let log = node.start_closed("until the journal can be opened");
        assert!(log.contains(why), "{log}");
        assert_eq!(delivery(1).send(node.address().unwrap()).unwrap(), 503, "{why}");
        assert_eq!(node.readiness().unwrap().0, 503, "{why}");
    }
    assert!(known.start(&[]));
    assert_remembers(&known);
    assert_eq!(delivery(2).send(known.address().unwrap()).unwrap(), 204);
    copied.kill();
    postgres.start_again();
    for (number, node) in (3..).zip([&new, &damaged, &without]) {
        wait_until("deliveries", || (delivery(number).send(node.address()?).ok()? == 204).then_some(()));
    }
    wait_within(EMPTY, "an empty spool", || (known.spooled()? == 0).then_some(()));
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "4");
    for node in [&known, &new, &damaged, &without] {
        node.stop();
    }
}

/// What accounts have is remembered, too: their own drains come in. Who is not known is told to come again, since nobody can say that
/// he is wrong.
#[test]
fn drains_of_accounts_are_remembered_and_one_that_is_not_known_may_come_again() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-restarted-accounts");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines();
    assert!(cluster.start(&[]));
    // Those of the configuration leave it room in its partition.
    let account = "shop";
    let name = format!("{account}.own");
    let digest: String = Sha256::digest(format!("{name}:secret")).iter().map(|byte| format!("{byte:02x}")).collect();
    change(&cluster, 0, &json!({"account": {"account": account}}));
    let drain = json!({"app": null, "plan": null, "credentials": digest, "tokens": []});
    change(&cluster, 0, &json!({"add_drain": {"account": account, "name": name, "drain": drain}}));
    let own = |number: u64| Delivery { token: format!("{name}/d.own"), ..delivery(number) };
    let unknown = |number: u64| Delivery { token: format!("{account}.other/d.other"), ..delivery(number) };
    let node = &cluster.nodes[2];
    let send = |sent: Delivery| sent.send(node.address().unwrap()).unwrap();
    wait_until("the drain on another node", || (send(own(1)) == 204).then_some(()));
    assert_eq!(send(unknown(2)), 401);
    // What it knows is on its disk a second or two later.
    wait_until("the drain on its disk", || {
        let known = fs::read_dir(node.dir().join("store/known")).ok()?;
        let has_it = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains(&name));
        known.flatten().any(|entry| has_it(&entry.path())).then_some(())
    });
    postgres.stop();
    node.kill();
    assert!(node.start(&[]));
    assert_remembers(node);
    assert_eq!((send(own(3)), send(unknown(4))), (204, 503));
    // Changes do not wait, and pages have no home.
    let page = request(node.address().unwrap(), "GET", "/events", &[OPERATOR], b"").unwrap();
    assert_eq!(page.status, 503, "{}", page.body);
    postgres.start_again();
    wait_within(EMPTY, "an empty spool", || (node.spooled()? == 0).then_some(()));
    cluster.wait_for_owners();
    wait_until("an answer", || (send(unknown(5)) == 401).then_some(()));
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.log WHERE kind = 0"), "2");
    cluster.stop();
}
