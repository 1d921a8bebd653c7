//! Nodes that share a journal, put to the test: killed and stopped at any moment, and their database with them, they write the
//! rows that one server alone makes of the same journal.
//!
//! `LOGDRAIN_KILLS=200 LOGDRAIN_SEED=7 cargo test -p logdrain --test serve postgres::nodes::` is a long
//! form; `.ci/long` does it with several seeds.

mod addon;
mod agent;
mod alerts;
mod archives;
mod away;
#[cfg(feature = "s3")]
mod bucketed;
#[cfg(feature = "s3")]
mod buckets;
mod cluster;
mod ended;
mod faults;
mod figures;
mod lines;
mod measured;
mod minutes;
mod pages;
mod passing;
mod people;
#[cfg(debug_assertions)]
mod points;
mod restarted;
mod rows;
mod senders;
mod settings;
mod spooled;
#[cfg(unix)]
mod tried;
mod uploads;
mod walk;
mod ways;

use crate::crash::kills;
use crate::harness::{Server, scratch, wait_until};
use crate::logdrain;
use agent::trouble;
use cluster::{Cluster, Node, PARTITIONS};
use rows::Union;
use senders::Senders;
use std::collections::BTreeSet;
use std::path::Path;
use testkit::postgres::Postgres;
use testkit::random::Random;

/// What decides when what happens. It is printed, and `LOGDRAIN_SEED` says another one.
fn seed() -> u64 {
    let seed = std::env::var("LOGDRAIN_SEED").ok().map_or(1, |text| text.parse().expect("LOGDRAIN_SEED is a number"));
    println!("LOGDRAIN_SEED={seed}");
    seed
}

/// One in so many of these points, other ones by another seed; each of them with `LOGDRAIN_POINTS=all`.
#[cfg(debug_assertions)]
fn some_of<'a>(points: &'a [&'a str], one_in: usize, seed: u64) -> impl Iterator<Item = (usize, &'a str)> {
    let is_long = std::env::var("LOGDRAIN_POINTS").is_ok_and(|which| which == "all");
    let one_in = if is_long { 1 } else { one_in };
    let first = usize::try_from(seed).unwrap() % one_in;
    points.iter().copied().enumerate().skip(first).step_by(one_in)
}

/// What the journal says of itself: nothing is there twice, nothing is missing, the watermark never goes back.
fn check_journal(postgres: &Postgres, senders: &Senders<'_>) {
    let set = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.part"), PARTITIONS.to_string());
    let gaps = "SELECT p FROM logdrain.part LEFT JOIN
        (SELECT p, count(*) AS events, min(seq) - 1 AS first, max(seq) AS last FROM logdrain.log GROUP BY p) AS its USING (p)
        WHERE head <> coalesce(last, head) OR head <> low + coalesce(events, 0) OR low <> coalesce(first, low)";
    assert_eq!(set(&postgres.sql(gaps)), [""; 0], "partitions with gaps");
    // Each delivery that was acknowledged is one event, and there are no others.
    let known = set(&postgres.sql("SELECT encode(id, 'hex') FROM logdrain.ids"));
    let keys: BTreeSet<_> = known.iter().cloned().collect();
    assert_eq!(known.len(), keys.len(), "a delivery is known in two partitions");
    assert!(keys == senders.keys(), "{} are known, and {} were sent", keys.len(), senders.taken());
    let twice =
        "SELECT (SELECT count(*) FROM logdrain.log WHERE kind = 0) - (SELECT count(DISTINCT id) FROM logdrain.log
        JOIN logdrain.ids USING (p, seq) WHERE kind = 0)";
    assert_eq!(postgres.sql(twice), "0", "deliveries without an id of their own");
    let back = "SELECT p, seq FROM (SELECT p, seq, at <= lag(at) OVER (PARTITION BY p ORDER BY seq) AS is_back FROM logdrain.log
        WHERE kind = 1) AS ticks WHERE is_back";
    assert_eq!(set(&postgres.sql(back)), [""; 0], "the watermark stood still or went back at these events");
    // Lines' ids rise with the journal, whoever wrote it and whatever his clock said.
    let back = "SELECT p, seq FROM (SELECT p, seq, base_id <= lag(base_id + 256 * (lines - 1)) OVER (PARTITION BY p ORDER BY seq)
        AS is_back FROM logdrain.log WHERE kind = 0 AND lines > 0) AS deliveries WHERE is_back";
    assert_eq!(set(&postgres.sql(back)), [""; 0], "ids of lines go back at these events");
}

/// When all is over: what all nodes wrote is the truth.
fn check_rows(dir: &Path, cluster: &Cluster, senders: &Senders<'_>, postgres: &Postgres) -> Union {
    let mut union = Union::of(cluster.files());
    let expected = senders.truth(dir);
    assert!(expected.len() > 100, "{} rows", expected.len());
    union.wait_for(&expected);
    minutes::check(cluster, &expected, postgres);
    cluster.stop();
    union.wait_for(&expected);
    println!("{}; {}", senders.told(), union.told());
    check_journal(postgres, senders);
    union
}

/// And it is, with every revision, what one node writes that has nothing but the same journal.
fn check(dir: &Path, cluster: &Cluster, senders: &Senders<'_>, postgres: &Postgres) -> Union {
    let union = check_rows(dir, cluster, senders, postgres);
    assert_eq!(postgres.sql("SELECT count(*) FROM logdrain.part WHERE low > 0"), "0", "all events are there still");
    let journal = postgres.copy_to("copy");
    // Nobody knows any more what is out.
    postgres.sql_in("copy", "UPDATE logdrain.part SET emitted = 0");
    // Its lines lie in a folder, wherever those of the others do.
    postgres.sql_in("copy", "UPDATE logdrain.meta SET value = 'a folder' WHERE key = 'lines'");
    let one = Node::new(&dir.join("alone"), "one", &journal);
    // What the others share is lost to it.
    let of = postgres.sql_in("copy", "SELECT value FROM logdrain.meta WHERE key = 'journal'");
    std::fs::write(dir.join("alone/shared/journal"), of.trim()).unwrap();
    let one = if cluster.keeps_lines { one.with_lines() } else { one };
    assert!(one.start(&[]));
    wait_until("all partitions", || (one.owned() == Some(PARTITIONS)).then_some(()));
    let mut alone = Union::of(vec![one.rows()]);
    alone.wait_to_equal(&union);
    one.stop();
    alone.read();
    alone.assert_equals(&union);
    union
}

/// Nodes under senders, and an agent that makes trouble so many times.
fn ordeal(
    dir: &Path,
    seed: u64,
    count: u64,
    nodes: impl FnOnce(Cluster) -> Cluster,
    check: impl FnOnce(&Cluster, &Senders<'_>, &Postgres),
) {
    let Some(mut postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let cluster = nodes(Cluster::new(dir, [&url; 3]));
    if !cluster.start(&[]) {
        return;
    }
    let senders = Senders::new(&cluster, seed);
    senders.while_doing(|| {
        let done = trouble(&cluster, &mut postgres, &mut Random::new(seed), count);
        println!("{done:?}");
    });
    check(&cluster, &senders, &postgres);
}

#[test]
fn whatever_is_killed_or_stopped_nodes_write_what_one_alone_would() {
    let dir = scratch("nodes-killed");
    ordeal(
        &dir,
        seed(),
        kills(10),
        |nodes| nodes,
        |cluster, senders, postgres| {
            check(&dir, cluster, senders, postgres);
        },
    );
}

#[test]
fn nodes_whose_clocks_are_an_hour_apart_write_what_one_alone_would() {
    let dir = scratch("nodes-clocks");
    let shift = |nodes: Cluster| nodes.with_clocks(["+0", "-1h", "+1h"]);
    ordeal(&dir, seed() + 1_000, kills(10) / 2, shift, |cluster, senders, postgres| {
        check(&dir, cluster, senders, postgres);
    });
}

/// Who takes over has the snapshots of others, and nothing else to go on from.
#[test]
fn events_go_when_snapshots_have_them_and_whoever_takes_over_misses_nothing() {
    let dir = scratch("nodes-forgetful");
    ordeal(&dir, seed() + 2_000, kills(10) / 2, Cluster::forgetful, |cluster, senders, postgres| {
        check_rows(&dir, cluster, senders, postgres);
        let gone = postgres.sql("SELECT min(low) FROM logdrain.part").parse::<u64>().unwrap();
        assert!(gone > 0, "no event went");
    });
}

/// What is deployed, with a database and folders of this machine.
#[test]
fn a_node_takes_the_configuration_that_is_deployed() {
    const NODE: &str = include_str!("../../../../deploy/node.toml");
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-deployed");
    let shared = dir.join("shared");
    std::fs::create_dir_all(&shared).unwrap();
    let mut text = NODE.replace("\"/shared\"", &format!("{:?}", shared.to_str().unwrap()));
    let journal = text.lines().find(|line| line.starts_with("journal = ")).unwrap().to_owned();
    text = text.replace(&journal, &format!("journal = {:?}", postgres.url()));
    let config = dir.join("node.toml");
    std::fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap();
    let node = Server::start(&dir, &["--config", config]);
    wait_until("a node that is ready", || (node.get("/readyz").status == 200).then_some(()));
    let status = logdrain(&["cluster", "status", "--config", config], b"");
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success() && said.starts_with("1 of 1 nodes live\n"), "{said}");
    // Its page leads to none that it has not.
    let page = wait_until("a page that tells of all partitions", || {
        let page = node.get("/status").body;
        (page.contains(">8 of 8<") && page.contains("nodes live: 1")).then_some(page)
    });
    assert!(
        page.contains("/dashboards")
            && !page.contains("/events")
            && !page.contains("/alerts")
            && !page.contains(">journal<"),
        "{page}"
    );
    let connections =
        postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'postgres' AND pid <> pg_backend_pid()");
    assert!(connections.parse::<usize>().unwrap() <= 2 * PARTITIONS + 5, "{connections}");
    assert_eq!(node.stop().0, Some(0));
}
