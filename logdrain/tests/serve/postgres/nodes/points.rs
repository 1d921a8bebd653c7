//! Nodes that die between two steps of their work, while they take over: at one in three such points of the program
//! once, at each with `LOGDRAIN_POINTS=all`.

use super::cluster::Cluster;
use super::lines::assert_are_those_of_one_alone;
use super::senders::Senders;
use super::{check, seed, some_of};
use crate::harness::{PATIENCE, scratch, wait_within};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;
use testkit::random::Random;

/// Where an account is at home lines come by then.
const AT_HOME: Duration = Duration::from_secs(15);

/// What was just done, in the order of the work.
const POINTS: [&str; 13] = [
    // A partition is its own, and nothing of it is read.
    "claim",
    // The files of who had it are linked, and the folder has no name; and has it.
    "links",
    "folder",
    // A step is in the journal, and nobody has an answer.
    "append",
    // The watermark is, and nobody has counted up to it.
    "tick",
    // Rows are made, and not known to be on the disk; and are.
    "counting",
    "rows",
    // Minutes are written, and it is not known.
    "minutes",
    // It is written where rules stand, and no snapshot goes with it; one is written and has no name; it has, and nobody knows.
    "rules",
    "unfinished",
    "snapshot",
    // Lines are in a file, and where they stand is not; and is.
    "segment",
    "state",
];

/// Lets a node take over and die when it passes a point for so many times. False when it never came there.
pub(super) fn dies_after(cluster: &Cluster, dies: usize, point: &str, times: u64) -> bool {
    let [dies, gives] = [dies, dies + 1].map(|node| &cluster.nodes[node % cluster.nodes.len()]);
    dies.kill();
    // It has something to take over.
    gives.kill();
    dies.start_to_die_after(point, times);
    assert!(gives.start(&[]));
    if matches!(point, "segment" | "file-object" | "file-row") {
        // So little goes into a file when a node ends, if there are lines in what it has.
        // No account may be at home there: then another node is to die.
        let (began, mut least) = (Instant::now(), None);
        wait_within(2 * PATIENCE, "a share", || {
            // It may come there when it lets a partition go.
            if dies.has_died() {
                return Some(());
            }
            let lines = dies.metric("logdrain_logs_events").filter(|_| dies.owned().is_some_and(|owned| owned > 0))?;
            (lines > *least.get_or_insert(lines) || began.elapsed() > AT_HOME).then_some(())
        });
        if dies.address().is_some() {
            dies.ask_to_end();
        }
    }
    let code = wait_within(2 * PATIENCE, point, || dies.has_ended());
    assert!(matches!(code, None | Some(0)), "{point}: {code:?}");
    assert!(dies.start(&[]));
    code.is_none()
}

#[test]
fn whatever_is_half_done_when_a_node_dies_who_takes_over_makes_whole() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-points");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines();
    assert!(cluster.start(&[]));
    let seed = seed() + 8_000;
    let (senders, mut random) = (Senders::new(&cluster, seed), Random::new(seed));
    senders.while_doing(|| {
        for (number, point) in some_of(&POINTS, 3, seed) {
            let times = if matches!(point, "links" | "folder" | "segment") { 1 } else { 1 + random.below(3) };
            let mut nodes = number..number + 2 * cluster.nodes.len();
            assert!(nodes.any(|dies| dies_after(&cluster, dies, point, times)), "nobody came to {point}");
            println!("a node has died after {point}, when it came there for the {times}. time");
        }
        cluster.wait_for_owners();
    });
    check(&dir, &cluster, &senders, &postgres);
    assert_are_those_of_one_alone(&dir, &senders);
}
