//! What lies between nodes and their database: a way of one node that stops, in one direction or both, and a database that
//! another one takes the place of.

use super::agent::trouble;
use super::cluster::{Cluster, LEASE, PARTITIONS};
use super::senders::{DRAINS, Senders, token};
use super::{check, seed};
use crate::harness::{Delivery, body, scratch, wait_until};
use crate::postgres::relay::{Relay, Way};
use std::time::{Duration, Instant};
use testkit::postgres::{PASSWORD, Postgres};
use testkit::random::Random;

/// `answer_within` is 20 s; the rest is for a busy machine.
const ANSWERED: Duration = Duration::from_secs(30);

/// Whoever sends to a node that is cut off is told soon that it keeps it.
fn is_taken(cluster: &Cluster, number: u64) -> Delivery {
    let sent = Delivery { id: format!("{number:032x}"), token: token(number % DRAINS), body: body(number, 1) };
    let began = Instant::now();
    let status = sent.send(cluster.nodes[0].address().unwrap()).unwrap();
    assert!(status == 204 && began.elapsed() < ANSWERED, "{status} after {:?}", began.elapsed());
    sent
}

#[test]
fn a_node_whose_way_to_the_database_stops_is_stood_in_for_and_comes_back_by_itself() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-way");
    let url = postgres.url();
    let relay = Relay::to(postgres.port());
    let over_relay = url.replace(&format!(":{}/", postgres.port()), &format!(":{}/", relay.port));
    let cluster = Cluster::new(&dir, [&over_relay, &url, &url]).patient();
    cluster.start(&[]);
    let senders = Senders::new(&cluster, seed());
    let [cut_off, others @ ..] = &cluster.nodes[..] else { unreachable!("there are three") };
    senders.while_doing(|| {
        let rounds: [(&[Way], bool); 4] = [
            (&[Way::FromDatabase], true),
            // What was on its way arrives when another node has long been the owner.
            (&[Way::ToDatabase], true),
            (&[Way::ToDatabase, Way::FromDatabase], false),
            (&[Way::ToDatabase], false),
        ];
        for (round, (ways, goes_on)) in rounds.into_iter().enumerate() {
            wait_until("a share of this node", || (cut_off.owned()? > 0).then_some(()));
            let began = Instant::now();
            ways.iter().for_each(|way| relay.stop_all(*way));
            let stood_in = || others.iter().map(|node| node.owned()).sum::<Option<usize>>();
            wait_until("others that stand in", || (stood_in()? == PARTITIONS).then_some(()));
            let took = began.elapsed();
            cut_off.assert_is_there();
            // Nobody sends this one again: it waits on its disk for a way.
            if !goes_on {
                senders.took(is_taken(&cluster, (1 << 40) + round as u64));
            }
            std::thread::sleep(LEASE / 2);
            let before = senders.taken();
            if goes_on {
                relay.resume();
            } else {
                relay.open();
            }
            let began = Instant::now();
            cluster.wait_for_owners();
            wait_until("deliveries that all nodes take", || (senders.taken() > before + 50).then_some(()));
            println!("{round}: others stood in after {took:?}, and it was back after {:?}", began.elapsed());
        }
    });
    check(&dir, &cluster, &senders, &postgres);
}

#[test]
fn when_a_standby_is_promoted_nodes_go_on_with_it() {
    let Some(mut primary) = Postgres::start() else { return };
    let mut standby = primary.standby();
    let dir = scratch("nodes-standby");
    let hosts = [&primary, &standby].map(|server| format!("127.0.0.1:{}", server.port())).join(",");
    let journal = format!("postgres://postgres:{PASSWORD}@{hosts}/postgres");
    let cluster = Cluster::new(&dir, [&journal; 3]);
    cluster.start(&[]);
    let seed = seed() + 2_000;
    let (senders, mut random) = (Senders::new(&cluster, seed), Random::new(seed));
    senders.while_doing(|| {
        wait_until("deliveries", || (senders.taken() > 200).then_some(()));
        // One of them does not see it happen.
        let away = random.below(3) as usize;
        cluster.nodes[away].pause(true);
        std::thread::sleep(Duration::from_millis(random.below(600)));
        primary.kill();
        std::thread::sleep(Duration::from_millis(random.below(1_500)));
        standby.promote();
        let began = Instant::now();
        let before = senders.taken();
        std::thread::sleep(LEASE);
        cluster.nodes[away].pause(false);
        wait_until("deliveries again", || (senders.taken() > before + 100).then_some(()));
        cluster.wait_for_owners();
        println!("100 deliveries, and all owners there, {:?} after the promotion", began.elapsed());
        println!("{:?}", trouble(&cluster, &mut standby, &mut random, 3));
    });
    check(&dir, &cluster, &senders, &standby);
    drop(primary);
}
