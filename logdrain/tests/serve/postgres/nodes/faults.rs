//! One node fails alone, or the clock of the database: what the others make of it.

use super::cluster::{Cluster, LEASE, Node, PARTITIONS};
use super::rows::Union;
use super::senders::Senders;
use super::{check_rows, seed};
use crate::harness::{Rows, scratch, wait_until};
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

/// Others have taken over by then; the rest is for a busy machine.
const TAKEN_OVER: Duration = Duration::from_secs(10);

/// It lives and takes deliveries, and has less than its share, which it cannot begin to count.
#[test]
fn what_a_node_without_its_snapshots_cannot_count_others_count() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-no-place");
    let url = postgres.url();
    let mut cluster = Cluster::new(&dir, [&url; 3]);
    // Its own way to the folder that all share.
    let way = dir.join("way");
    fs::create_dir_all(&way).unwrap();
    let mount = way.join("shared");
    symlink(dir.join("shared"), &mount).unwrap();
    cluster.nodes[0] = Node::new(&way, "0", &url);
    assert!(cluster.start(&[]));
    let senders = Senders::new(&cluster, seed());
    senders.while_doing(|| {
        let [blind, others @ ..] = &cluster.nodes[..] else { unreachable!("there are three") };
        wait_until("a share of this node", || (blind.owned()? > 0).then_some(()));
        fs::remove_file(&mount).unwrap();
        blind.pause(true);
        let stood_in = || others.iter().map(|node| node.owned()).sum::<Option<usize>>();
        wait_until("others that stand in", || (stood_in()? == PARTITIONS).then_some(()));
        blind.pause(false);
        // It takes some again, and lets them go.
        wait_until("partitions that it takes", || (stood_in()? < PARTITIONS).then_some(()));
        wait_until("others that take them back", || (stood_in()? == PARTITIONS).then_some(()));
        let before = senders.taken();
        wait_until("deliveries that all nodes take", || (senders.taken() > before + 50).then_some(()));
    });
    check_rows(&dir, &cluster, &senders, &postgres);
}

/// What came before the backup, what was lost with it, and what came then and has the numbers of that: each counts once, however
/// little time there was for snapshots.
#[test]
fn when_the_database_was_put_back_what_comes_then_is_counted_under_numbers_that_were_given_before() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-put-back");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    let (mut rows, mut expected) = (Union::of(cluster.files()), Rows::new());
    let mut send = |number: u64, deliveries: usize| {
        assert!(cluster.start(&[]));
        let senders = Senders::new(&cluster, seed() + number).behind(number * 100_000).in_time();
        senders.while_doing(|| {
            wait_until("enough of them", || (senders.taken() > deliveries).then_some(()));
            cluster.wait_for_owners();
        });
        expected.extend(senders.truth(&dir));
        rows.wait_for(&expected);
        // It leaves snapshots of all that has come.
        cluster.stop();
    };
    let sum_of_heads =
        |postgres: &Postgres| postgres.sql("SELECT sum(head) FROM logdrain.part").parse::<u64>().unwrap();
    send(0, 200);
    postgres.stop();
    postgres.back_up();
    postgres.start_again();
    send(1, 200);
    let lost = sum_of_heads(&postgres);
    postgres.stop();
    postgres.restore();
    postgres.start_again();
    assert!(sum_of_heads(&postgres) < lost);
    send(2, 600);
    assert!(sum_of_heads(&postgres) > lost, "numbers were given again");
    // Once more from the snapshots of that.
    send(3, 200);
}

/// The clock of the database goes back an hour: leases of before seem to last for that hour.
#[test]
fn a_lease_of_another_time_keeps_nobody_from_taking_over() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-clock-back");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    assert!(cluster.start(&[]));
    let senders = Senders::new(&cluster, seed());
    senders.while_doing(|| {
        let [dead, others @ ..] = &cluster.nodes[..] else { unreachable!("there are three") };
        wait_until("a share of this node", || (dead.owned()? > 0).then_some(()));
        dead.pause(true);
        // Nobody has looked yet.
        let later = "SET until = until + interval '1 hour' WHERE until > clock_timestamp()";
        postgres.sql(&format!("UPDATE logdrain.leases {later}; UPDATE logdrain.nodes {later}"));
        let began = Instant::now();
        let stood_in = || others.iter().map(|node| node.owned()).sum::<Option<usize>>();
        wait_until("others that stand in", || (stood_in()? == PARTITIONS).then_some(()));
        let took = began.elapsed();
        assert!(took < TAKEN_OVER, "{took:?}");
        std::thread::sleep(LEASE);
        dead.pause(false);
        cluster.wait_for_owners();
    });
    check_rows(&dir, &cluster, &senders, &postgres);
}
