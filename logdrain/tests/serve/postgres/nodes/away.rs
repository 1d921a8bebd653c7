//! What is asked about lines while the database is away: who was home of them last has them still.

use super::cluster::{Node, OPERATOR, account};
use super::passing::Three;
use super::senders::token;
use crate::harness::{Delivery, body, request, scratch, wait_until};
use crate::postgres::relay::{Relay, Way};
use std::time::Duration;
use testkit::postgres::Postgres;

const ACCOUNTS: u64 = 4;
/// All leases have ended by then.
const OVER: Duration = Duration::from_secs(4);

fn deliver(node: &Node, account: &str, number: u64) {
    let token = format!("{account}/{}", token(number));
    let sent = Delivery { id: format!("{number:032x}"), token, body: body(number, 3) };
    wait_until("a delivery", || (sent.send(node.address()?).ok()? == 204).then_some(()));
}

/// How many lines of an account a node finds.
fn found(three: &Three, node: usize, account: &str) -> Option<usize> {
    three.search(node, account).map(|found| found.len())
}

fn wait_for(three: &Three, node: usize, account: &str, lines: usize) {
    wait_until("lines", || (found(three, node, account)? == lines).then_some(()));
}

#[test]
fn while_the_database_is_away_any_node_finds_the_lines_that_came_before() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-away");
    let three = Three::start(&dir, &postgres);
    for number in 0..ACCOUNTS {
        deliver(&three.cluster.nodes[0], &account(number), number);
        wait_for(&three, 1, &account(number), 3);
    }
    postgres.pause(true);
    std::thread::sleep(OVER);
    for account in (0..ACCOUNTS).map(account) {
        for node in 0..3 {
            wait_for(&three, node, &account, 3);
            // Nobody follows what cannot go on, or changes what cannot be kept; and nobody says that there is nothing.
            let ask = |method, path: &str| {
                let address = three.cluster.nodes[node].address().unwrap();
                request(address, method, &format!("{path}?account={account}"), &[OPERATOR], b"").unwrap().status
            };
            assert_eq!((ask("GET", "/api/v2/tail"), ask("POST", "/api/v2/purge")), (503, 503), "{account} at {node}");
        }
    }
    // What comes meanwhile waits in a spool, and is found when the database is back.
    deliver(&three.cluster.nodes[2], &account(0), 100);
    assert_eq!(found(&three, 1, &account(0)), Some(3));
    postgres.pause(false);
    wait_for(&three, 1, &account(0), 6);
    three.cluster.stop();
}

/// It has what came before, and asks those first who may have more.
#[test]
fn a_node_that_alone_does_not_hear_the_database_finds_what_its_accounts_new_homes_have() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-away-alone");
    let relay = Relay::to(postgres.port());
    let (direct, over_relay) = (format!(":{}/", postgres.port()), format!(":{}/", relay.port));
    let three = Three::start_as(&dir, &postgres, |node| {
        if node.dir().ends_with("b") { node.saying(&direct, &over_relay) } else { node }
    });
    let account = (0..ACCOUNTS).map(account).find(|account| three.home(account) == Some(1));
    let account = account.expect("an account of this node");
    deliver(&three.cluster.nodes[1], &account, 0);
    wait_for(&three, 1, &account, 3);
    [Way::ToDatabase, Way::FromDatabase].into_iter().for_each(|way| relay.stop_all(way));
    deliver(&three.cluster.nodes[0], &account, 1);
    wait_for(&three, 0, &account, 6);
    assert_ne!(three.home(&account), Some(1));
    for _ in 0..20 {
        assert_eq!(found(&three, 1, &account), Some(6));
    }
    relay.resume();
    three.cluster.stop();
}
