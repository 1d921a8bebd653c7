//! Nodes with their snapshots in a bucket of a real S3 server, which hangs now and then.

use super::agent::trouble;
use super::cluster::{Cluster, Node};
use super::senders::Senders;
use super::{check_rows, seed};
use crate::crash::kills;
use crate::harness::{scratch, wait_until, wait_within};
use std::time::Duration;
use testkit::postgres::Postgres;
use testkit::random::Random;
use testkit::s3::S3;

const BUCKET: &str = "snapshots";
/// A look at the bucket is given up after a while, and taking over begins with one.
const HUNG: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_secs(120);

/// Who takes over has the snapshots in the bucket to go on from, and nothing else: what two of them have has left the journal.
#[test]
fn whoever_takes_over_goes_on_from_the_snapshots_in_a_bucket() {
    let Some(mut postgres) = Postgres::start() else { return };
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("nodes-bucket");
    let url = postgres.url();
    let address = format!("s3://{BUCKET}/of/nodes?region=us-east-1&endpoint=http://{}", s3.at);
    let mut cluster = Cluster::new(&dir, [&url; 3]).forgetful();
    cluster.nodes = cluster.nodes.into_iter().map(|node: Node| node.in_bucket(&address)).collect();
    assert!(cluster.start(&[]));
    let seed = seed() + 9_000;
    let (senders, mut random) = (Senders::new(&cluster, seed), Random::new(seed));
    senders.while_doing(|| {
        println!("{:?}", trouble(&cluster, &mut postgres, &mut random, kills(10) / 2));
        // Nobody can leave a snapshot, nor read one: who has to take over waits, and deliveries are taken.
        s3.pause(true);
        cluster.nodes[0].kill();
        let before = senders.taken();
        assert!(cluster.nodes[0].start(&[]));
        wait_until("deliveries without the bucket", || (senders.taken() > before + 20).then_some(()));
        std::thread::sleep(HUNG);
        s3.pause(false);
        cluster.wait_for_owners();
        let low = "SELECT min(low) FROM logdrain.part";
        let gone = postgres.sql(low).parse::<u64>().unwrap();
        wait_within(PATIENCE, "events that snapshots have", || {
            std::thread::sleep(Duration::from_millis(500));
            (postgres.sql(low).parse::<u64>().unwrap() > gone).then_some(())
        });
    });
    check_rows(&dir, &cluster, &senders, &postgres);
    let keys = s3.keys(BUCKET);
    let of = |number: usize| keys.iter().filter(|key| key.starts_with(&format!("of/nodes/p{number}/"))).count();
    let kept: Vec<_> = (0..super::PARTITIONS).map(of).collect();
    assert!(kept.iter().all(|count| *count == 2), "two of each partition are kept: {kept:?}");
    assert_eq!(std::fs::read_dir(dir.join("shared")).unwrap().count(), 0, "something is in a folder");
}
