//! The database is away, and nodes take deliveries nevertheless: nothing is refused, lost or late, and the rows are those of a run
//! without the outage. `LOGDRAIN_OUTAGE_SECONDS=120` is the long form.

use super::cluster::{Cluster, LEASE, Node};
use super::senders::{DRAINS, Senders, token};
use super::{check, check_rows, seed};
use crate::harness::{Delivery, body, now_micros, scratch, wait_until, wait_within};
use crate::logdrain;
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

/// What an outage may leave is in by then.
const EMPTY: Duration = Duration::from_secs(60);

fn outage() -> Duration {
    let seconds = std::env::var("LOGDRAIN_OUTAGE_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(8))
}

/// One that waits for nobody else.
fn delivery(number: u64) -> Delivery {
    Delivery { id: format!("{number:032X}"), token: token(number % DRAINS), body: body(number, 1) }
}

/// Three nodes under load, each delivery offered to two of them, and a database that goes in one way and comes back.
fn goes_and_comes_back(name: &str, postgres: &mut Postgres, go: fn(&mut Postgres), come: fn(&mut Postgres)) {
    let dir = scratch(name);
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).patient();
    // Whatever passed the oldest one would make a revision.
    assert!(cluster.start(&["--lateness", "5s"]));
    let senders = Senders::new(&cluster, seed()).in_time();
    senders.while_doing(|| {
        wait_until("deliveries", || (senders.taken() > 100).then_some(()));
        go(postgres);
        wait_until("deliveries in all spools", || {
            cluster.nodes.iter().all(|node| node.spooled().is_some_and(|count| count > 0)).then_some(())
        });
        let (status, said) = cluster.nodes[0].readiness().unwrap();
        assert!(status == 200 && said.contains("wait for it in the spool"), "{status}: {said}");
        let away = now_micros();
        std::thread::sleep(outage());
        let (waiting, back) = (cluster.spooled(), now_micros());
        come(postgres);
        let began = Instant::now();
        wait_within(EMPTY, "empty spools", || (cluster.spooled() == 0).then_some(()));
        println!("{:?} away: {waiting} deliveries waited, and were in after {:?}", outage(), began.elapsed());
        cluster.wait_for_owners();
        let came = format!("SELECT count(*) FROM logdrain.log WHERE kind = 0 AND at BETWEEN {away} AND {back}");
        let came = postgres.sql(&came).parse::<usize>().unwrap();
        assert!(came > waiting / 4, "{came} have the time at which they came");
        let before = senders.taken();
        wait_until("deliveries that all nodes take", || (senders.taken() > before + 50).then_some(()));
    });
    let refused = senders.refused();
    let union = check(&dir, &cluster, &senders, postgres);
    assert_eq!(refused, [""; 0], "deliveries that were refused");
    assert_eq!(union.revised(), 0, "rows that were revised");
}

#[test]
fn while_the_database_is_away_nodes_take_everything_and_nothing_is_late() {
    let Some(mut postgres) = Postgres::start() else { return };
    goes_and_comes_back("nodes-away", &mut postgres, Postgres::stop, Postgres::start_again);
}

#[test]
fn while_the_database_hangs_nodes_take_everything_and_nothing_is_late() {
    let Some(mut postgres) = Postgres::start() else { return };
    goes_and_comes_back("nodes-hung", &mut postgres, |postgres| postgres.pause(true), |postgres| postgres.pause(false));
}

/// One of them dies with what it has on its disk, and is there again when the others have gone on for long.
#[test]
fn what_a_dead_node_has_in_its_spool_holds_nobody_up_and_is_counted_when_it_is_back() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-dead");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]);
    assert!(cluster.start(&["--lateness", "1s"]));
    let senders = Senders::new(&cluster, seed());
    senders.while_doing(|| {
        let dead = &cluster.nodes[0];
        wait_until("deliveries", || (senders.taken() > 50).then_some(()));
        postgres.stop();
        wait_until("deliveries in all spools", || {
            cluster.nodes.iter().all(|node| node.spooled().is_some_and(|count| count > 10)).then_some(())
        });
        // Nobody else has these.
        for number in 0..20 {
            let only = delivery((1 << 40) + number);
            assert_eq!(only.send(dead.address().unwrap()).unwrap(), 204);
            senders.took(only);
        }
        dead.kill();
        postgres.start_again();
        wait_within(EMPTY, "empty spools", || (cluster.spooled() == 0).then_some(()));
        let watermark = || postgres.sql("SELECT min(ticked) FROM logdrain.part").parse::<i64>().unwrap();
        let before = watermark();
        wait_within(EMPTY, "minutes that are closed", || (watermark() > before + 3_000_000).then_some(()));
        assert!(dead.start(&["--lateness", "1s"]));
        wait_within(EMPTY, "an empty spool", || (dead.spooled()? == 0).then_some(()));
        cluster.wait_for_owners();
    });
    check(&dir, &cluster, &senders, &postgres);
}

/// What waits with one node is seen on all.
#[test]
fn a_node_tells_what_it_has_and_one_without_a_spool_answers_503() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-spool-told");
    let url = postgres.url();
    let with = Node::new(&dir, "with", &url);
    let without = Node::new(&dir, "without", &url).with("spool = false");
    assert!(with.start(&[]) && without.start(&[]));
    wait_until("owners", || (with.owned()? + without.owned()? == super::PARTITIONS).then_some(()));
    let send = |node: &Node, number| delivery(number).send(node.address().unwrap()).unwrap();
    wait_until("deliveries", || (send(&with, 0) == 204 && send(&without, 1) == 204).then_some(()));
    postgres.stop();
    assert_eq!((send(&with, 2), send(&without, 3)), (204, 503));
    let (status, said) = without.readiness().unwrap();
    assert!(status == 503, "{status}: {said}");
    assert_eq!((with.spooled(), without.spooled()), (Some(1), None));
    // It is killed: what waits is there still, and is told before it takes anything.
    with.kill();
    postgres.start_again();
    let status =
        || String::from_utf8(logdrain(&["cluster", "status", "--config", without.config()], b"").stdout).unwrap();
    // No step of a delivery comes through.
    let stop = "CREATE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'stop'; END $$;
        CREATE TRIGGER stop BEFORE INSERT ON logdrain.ids FOR EACH ROW EXECUTE FUNCTION stop()";
    wait_until("an answer", || (send(&without, 3) == 204).then_some(()));
    postgres.sql(stop);
    assert!(with.start(&[]));
    let said = wait_until("a node that tells", || {
        let said = status();
        said.contains(", 1 deliveries in its spool, the oldest ").then_some(said)
    });
    assert!(said.starts_with("2 of 2 nodes live\n"), "{said}");
    postgres.sql("DROP TRIGGER stop ON logdrain.ids");
    wait_within(EMPTY, "an empty spool", || (with.spooled()? == 0).then_some(()));
    std::thread::sleep(LEASE);
    let said = status();
    assert!(!said.contains("in its spool"), "{said}");
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.ids"), "4");
    with.stop();
    without.stop();
}

/// Deliveries fill the share of a partition, and no more.
#[test]
fn a_spool_has_room_for_each_partition() {
    let Some(mut postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-spool-full");
    let url = postgres.url();
    // What is answered with 503 because it took too long may be kept nevertheless.
    let mut cluster = Cluster::new(&dir, [&url; 3]).patient();
    cluster.nodes = cluster.nodes.into_iter().map(|node| node.with("spool_limit = \"8MB\"")).collect();
    assert!(cluster.start(&[]));
    let senders = Senders::new(&cluster, seed());
    senders.while_doing(|| {
        wait_until("deliveries", || (senders.taken() > 20).then_some(()));
        postgres.stop();
        let node = &cluster.nodes[0];
        let flood = |number: u64| Delivery { token: token(0), body: body(number, 3_000), ..delivery(number) };
        let mut number = 1 << 40;
        while {
            let sent = flood(number);
            let status = sent.send(node.address().unwrap()).unwrap();
            if status == 204 {
                senders.took(sent);
            }
            number += 1;
            assert!(number < (1 << 40) + 200);
            status == 204
        } {}
        let (status, said) = node.readiness().unwrap();
        assert!(status == 200 && said.contains("wait for it in the spool"), "{status}: {said}");
        // Others have theirs.
        let others = (1..DRAINS).filter(|drain| {
            let other = Delivery { token: token(*drain), ..delivery(number + drain) };
            let is_taken = other.send(node.address().unwrap()).unwrap() == 204;
            if is_taken {
                senders.took(other);
            }
            is_taken
        });
        assert!(others.count() > 20);
        postgres.start_again();
        wait_within(EMPTY, "empty spools", || (cluster.spooled() == 0).then_some(()));
    });
    check_rows(&dir, &cluster, &senders, &postgres);
}
