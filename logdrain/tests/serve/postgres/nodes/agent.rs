//! Who makes trouble: by a seed, at any moment, also while the last trouble goes on.

use super::cluster::{Cluster, LEASE};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;
use testkit::random::Random;

/// What is not as it should be, and when that ends.
enum Trouble {
    /// A node was killed.
    Down(usize),
    /// A node was stopped.
    Stopped(usize),
    /// The database has ended.
    Away,
    /// The database is there, and does nothing.
    Hung,
}

/// What was done.
#[derive(Default, Debug)]
pub(super) struct Done {
    pub(super) kills: u64,
    pub(super) pauses: u64,
    pub(super) restarts: u64,
    pub(super) hangs: u64,
}

/// Makes trouble so many times, and then waits until all are there again.
pub(super) fn trouble(cluster: &Cluster, database: &mut Postgres, random: &mut Random, count: u64) -> Done {
    let mut done = Done::default();
    std::thread::scope(|scope| {
        let mut troubles: Vec<(Instant, Trouble)> = Vec::new();
        let mut next = Instant::now() + millis(random.between(200, 2_500));
        let mut left = count;
        while left > 0 || !troubles.is_empty() {
            let now = Instant::now();
            for (_, trouble) in troubles.extract_if(.., |(until, _)| *until <= now) {
                match trouble {
                    // It may have to wait for the database, and everything else goes on.
                    Trouble::Down(node) => drop(scope.spawn(move || cluster.nodes[node].start(&[]))),
                    Trouble::Stopped(node) => cluster.nodes[node].pause(false),
                    Trouble::Away => database.start_again(),
                    Trouble::Hung => database.pause(false),
                }
            }
            cluster.nodes.iter().for_each(super::cluster::Node::assert_is_there);
            if left > 0 && next <= now {
                if let Some(trouble) = make(cluster, database, random, &troubles, &mut done) {
                    troubles.push(trouble);
                    left -= 1;
                }
                next = now + millis(random.between(200, 2_500));
            }
            std::thread::sleep(millis(5));
        }
    });
    cluster.wait_for_owners();
    done
}

/// One more, if there is something left that is as it should be.
fn make(
    cluster: &Cluster,
    database: &mut Postgres,
    random: &mut Random,
    troubles: &[(Instant, Trouble)],
    done: &mut Done,
) -> Option<(Instant, Trouble)> {
    let is_free = |node: &usize| {
        let has_trouble =
            |(_, trouble): &(_, Trouble)| matches!(trouble, Trouble::Down(at) | Trouble::Stopped(at) if at == node);
        cluster.nodes[*node].address().is_some() && !troubles.iter().any(has_trouble)
    };
    let is_fine = !troubles.iter().any(|(_, trouble)| matches!(trouble, Trouble::Away | Trouble::Hung));
    let free: Vec<_> = (0..cluster.nodes.len()).filter(is_free).collect();
    let (what, lasts, trouble) = match random.below(10) {
        0 if is_fine => {
            done.restarts += 1;
            database.stop();
            ("the database ends", millis(random.below(800)), Trouble::Away)
        }
        1 if is_fine => {
            done.hangs += 1;
            database.pause(true);
            // A hang that is long enough for all leases to end, or not.
            ("the database hangs", millis(random.between(300, 4_000)), Trouble::Hung)
        }
        2..=4 if !free.is_empty() => {
            let node = random.pick(&free);
            done.pauses += 1;
            cluster.nodes[node].pause(true);
            // It comes back to find that somebody else has what it had.
            ("a node is stopped", LEASE + millis(random.between(100, 2_500)), Trouble::Stopped(node))
        }
        _ if !free.is_empty() => {
            let node = random.pick(&free);
            done.kills += 1;
            cluster.nodes[node].kill();
            // Back before its lease has ended, or behind it.
            ("a node is killed", millis(random.below(2_500)), Trouble::Down(node))
        }
        _ => return None,
    };
    let at = match trouble {
        Trouble::Down(node) | Trouble::Stopped(node) => node.to_string(),
        Trouble::Away | Trouble::Hung => String::new(),
    };
    println!("{what} {at} for {lasts:?}");
    Some((Instant::now() + lasts, trouble))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
