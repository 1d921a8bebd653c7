//! What programs measure themselves comes to any node, and counts once, whoever has the account.

use super::cluster::{Cluster, Node, account};
use super::pages::Person;
use super::passing::Three;
use crate::harness::{now_micros, request, scratch, wait_within};
use crate::rights::basic;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::postgres::Postgres;

/// The minutes of a node that has just taken over, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A measurement that says when it was: sent again it is the same one.
fn measurement(number: u64) -> Value {
    let second = now_micros() / 1_000_000;
    json!({ "time": second, "measurements": [{ "name": "jobs.done", "value": number, "tags": { "queue": "mail" } }] })
}

/// How much was measured, as one of the nodes tells it.
fn sum(answer: &str) -> f64 {
    let told: Value = serde_json::from_str(answer).unwrap();
    let series = told["series"].as_array().into_iter().flatten();
    let points = series.flat_map(|line| line["measurements"].as_array().into_iter().flatten());
    points.map(|point| point["value"].as_f64().unwrap()).sum()
}

const ASKED: &str = "/v1/measurements/jobs.done?duration=3600&resolution=60&summary_function=sum";

#[test]
fn what_is_measured_comes_to_any_node_and_counts_once_though_the_home_is_killed() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-measured");
    // Each account has 16 places, and measurements need one besides.
    let three = Three::start_as(&dir, &postgres, |node| node.saying("max_drains = 128", "max_drains = 256"));
    let [acme, other] = [1, 2].map(|number| Person { three: &three, account: account(number) });
    let home = three.home(&acme.account).unwrap();
    let [token, foreign] = [&acme, &other].map(|person| {
        let made = person.api(0, ("POST", "tokens"), &json!({ "kind": "admin", "name": "jobs" }), 201);
        basic(&format!("{}:", made["token"].as_str().unwrap()))
    });
    let ask = |node: usize, token: &str, method: &str, path: &str, body: &str| {
        let headers = [("Authorization", token), ("Content-Type", "application/json")];
        request(three.cluster.nodes[node].address().unwrap(), method, path, &headers, body.as_bytes()).unwrap()
    };
    let mut expected = 0.0;
    for number in 1..=40 {
        let measured = measurement(number).to_string();
        if number == 20 {
            three.cluster.nodes[home].kill();
        }
        // Each at two nodes, one of which may be away.
        let mut taken = 0;
        wait_within(PATIENCE, "an answer that it is taken", || {
            for node in [number as usize % 3, (number as usize + 1) % 3] {
                if three.cluster.nodes[node].address().is_none() {
                    continue;
                }
                let answer = ask(node, &token, "POST", "/v1/measurements", &measured);
                assert!(matches!(answer.status, 202 | 503), "{answer:?}");
                taken += usize::from(answer.status == 202);
            }
            (taken > 0).then_some(())
        });
        expected += number as f64;
    }
    assert!(three.cluster.nodes[home].start(&["--listen", &three.ports[home]]));
    three.cluster.wait_for_owners();
    for node in 0..3 {
        wait_within(PATIENCE, "all that was measured", || {
            let answer = ask(node, &token, "GET", ASKED, "");
            (answer.status == 200 && sum(&answer.body) == expected).then_some(())
        });
    }
    for node in 0..3 {
        assert_eq!(ask(node, &foreign, "GET", ASKED, "").status, 404, "of another account");
    }
}

#[test]
fn nodes_that_keep_no_lines_take_what_is_measured() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-measured-alone");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    assert!(cluster.start(&[]));
    let addresses: Vec<_> = cluster.nodes.iter().filter_map(Node::address).collect();
    let kind = [("Content-Type", "application/json")];
    let mut expected = 0.0;
    for number in 1..=12 {
        let body = measurement(number).to_string();
        for at in [number as usize % 3, (number as usize + 1) % 3] {
            let answer = request(addresses[at], "POST", "/v1/measurements", &kind, body.as_bytes()).unwrap();
            assert_eq!(answer.status, 202, "{answer:?}");
        }
        expected += number as f64;
    }
    for address in &addresses {
        wait_within(PATIENCE, "all that was measured", || {
            let answer = request(*address, "GET", ASKED, &[], b"").unwrap();
            (answer.status == 200 && sum(&answer.body) == expected).then_some(())
        });
    }
    cluster.stop();
}
