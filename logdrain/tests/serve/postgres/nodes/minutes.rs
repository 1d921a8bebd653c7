//! Kept minutes of nodes: what the rows say, from each of them.

use super::cluster::{Cluster, PARTITIONS};
use super::senders::{Senders, token};
use super::{check_rows, seed};
use crate::harness::{Delivery, Rows, body, now_micros, request, scratch, truth, wait_until};
use crate::minutes::{get, wait_for_minutes};
use serde_json::Value;
use std::net::SocketAddr;
use testkit::postgres::Postgres;

/// What rows take besides their bytes, as `drain/src/minutes/database.rs` has it.
const PIECE: u64 = 200;

/// Each node answers what the rows say, all of them the same, and the database holds nothing that is of nobody.
pub(super) fn check(cluster: &Cluster, rows: &Rows, postgres: &Postgres) {
    let addresses: Vec<_> = cluster.nodes.iter().filter_map(super::cluster::Node::address).collect();
    assert_eq!(addresses.len(), cluster.nodes.len());
    // Some have members, and tell them alone.
    let is_open = |address: &SocketAddr| request(*address, "GET", "/api/v2/metrics", &[], b"").unwrap().status != 401;
    if !addresses.iter().all(is_open) {
        return;
    }
    for address in &addresses {
        wait_for_minutes(*address, rows);
    }
    let end = now_micros() / 1_000_000 / 3_600 * 3_600;
    let hours = format!("from={}&to={}", end - 7_200, end + 3_600);
    for question in [
        format!("series?name=db.query&function=p95&by=*&step=1800&{hours}"),
        format!("series?name=db.query&function=last&step=3600&{hours}"),
        format!("series?name=shop.orders&function=count&by=market&step=900&{hours}"),
        "metrics?limit=1000".to_owned(),
        "metrics?name=shop.orders".to_owned(),
        "metrics?q=none".to_owned(),
    ] {
        let mut answers: Vec<Value> = addresses.iter().map(|address| asked(*address, &question)).collect();
        answers.dedup();
        assert_eq!(answers.len(), 1, "{question}: {answers:?}");
    }
    let of_nobody = "SELECT count(*) FROM logdrain_minutes.pieces
        WHERE NOT EXISTS (SELECT FROM logdrain_minutes.names WHERE id = pieces.name AND p = pieces.p)
            OR NOT EXISTS (SELECT FROM logdrain_minutes.drains WHERE id = pieces.drain AND p = pieces.p)";
    assert_eq!(postgres.sql(of_nobody), "0");
    // Keepers put pieces together all the time.
    wait_until("drains that say what their pieces take", || {
        let wrong = postgres.sql(&format!(
            "SELECT count(*) FROM logdrain_minutes.drains LEFT JOIN (
                SELECT drain, sum(octet_length(content) + {PIECE}) FROM logdrain_minutes.pieces GROUP BY drain) AS of
                ON of.drain = drains.id WHERE bytes <> coalesce(of.sum, 0)"
        ));
        (wrong == "0").then_some(())
    });
    let stood = "SELECT count(*) FROM logdrain_minutes.standing JOIN logdrain.part USING (p) WHERE position > head";
    assert_eq!(postgres.sql(stood), "0", "minutes of events that are not there");
}

/// How far it is closed is another thing with each moment.
fn asked(address: SocketAddr, question: &str) -> Value {
    let mut answer = get(address, &format!("/api/v2/{question}"));
    answer.as_object_mut().unwrap().remove("closed_steps");
    answer
}

/// Owners are stopped and wake up, again and again, with rows on their way.
#[test]
fn an_owner_that_was_stopped_and_wakes_up_changes_no_minute() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-minutes-stopped");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    assert!(cluster.start(&[]));
    let senders = Senders::new(&cluster, seed() + 3_000);
    senders.while_doing(|| {
        for round in 0..4 {
            let node = &cluster.nodes[round % 3];
            wait_until("a share of this node", || (node.owned()? > 0).then_some(()));
            node.pause(true);
            let others = || (0..3).filter(|other| *other != round % 3).map(|other| cluster.nodes[other].owned());
            wait_until("others that stand in", || (others().sum::<Option<usize>>()? == PARTITIONS).then_some(()));
            node.pause(false);
            cluster.wait_for_owners();
        }
    });
    check_rows(&dir, &cluster, &senders, &postgres);
}

/// A node that is alone answers for drains of all partitions, before and after a start, and what is open only where it is counted.
#[test]
fn minutes_of_a_node_are_asked_as_those_of_a_server_alone() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-minutes");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    assert!(cluster.start(&[]));
    let addresses: Vec<_> = cluster.nodes.iter().filter_map(super::cluster::Node::address).collect();
    let mut sent = Vec::new();
    for number in 0..24 {
        let one = Delivery { id: format!("{number:032X}"), token: token(number), body: body(number, 20) };
        assert_eq!(one.send(addresses[number as usize % 3]).unwrap(), 204);
        sent.push(one);
    }
    let expected = truth(&dir, sent.iter().map(|sent| (&*sent.token, sent.body.clone())));
    check(&cluster, &expected, &postgres);
    for address in &addresses {
        let measured = get(*address, "/v1/measurements/shop.orders?duration=3600&resolution=60&summary_function=sum");
        let values: f64 = measured["series"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|line| line["measurements"].as_array().unwrap())
            .map(|one| one["value"].as_f64().unwrap())
            .sum();
        assert!(values > 0.0, "{measured}");
        for (method, path, status) in [
            ("GET", "/api/v2/channels", 501),
            ("GET", "/dashboards/overview", 200),
            ("GET", "/explore/shop.orders", 200),
        ] {
            assert_eq!(request(*address, method, path, &[], b"").unwrap().status, status, "{path}");
        }
    }
    cluster.stop();
    assert!(cluster.start(&[]));
    check(&cluster, &expected, &postgres);
    cluster.stop();
}
