//! Nodes that keep their lines in a bucket of a real S3 server: whoever had a partition, and whatever was killed, they are those
//! that one node alone keeps of the same journal, and nothing else is in the bucket.

use super::agent::trouble;
use super::archives::{self, DELIVERIES, HOURS, NEEDLE};
use super::cluster::{ACCOUNTS, Cluster, Node, OPERATOR, account};
use super::lines::{assert_are_those_of_one_alone, assert_are_those_sent, assert_rise, kept, messages};
use super::senders::Senders;
use super::{PARTITIONS, check, check_rows, seed};
use crate::archives::rows;
use crate::crash::kills;
use crate::harness::{request, scratch, wait_until, wait_within};
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;
use testkit::postgres::Postgres;
use testkit::random::Random;
use testkit::s3::S3;

const BUCKET: &str = "lines";
const PREFIX: &str = "of/nodes";
/// What is being written is given up after a while, and read much sooner.
const HUNG: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_secs(180);

/// A file, as the database knows it.
pub(super) struct File {
    pub(super) partition: String,
    pub(super) name: String,
    /// What it lies under in the bucket, if it is no small one.
    pub(super) key: Option<String>,
    content: String,
}

/// All files that there are.
pub(super) fn files(postgres: &Postgres) -> Vec<File> {
    let all = postgres.sql("SELECT p, name, key, encode(content, 'hex') FROM logdrain.files ORDER BY p, name");
    let file = |line: &str| {
        let [partition, name, key, content] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let key = (!key.is_empty()).then(|| key.to_owned());
        File { partition: partition.to_owned(), name: name.to_owned(), key, content: content.to_owned() }
    };
    all.lines().filter(|line| !line.is_empty()).map(file).collect()
}

/// Brings what is in the bucket into folders, as nodes have them that share one.
pub(super) fn fetch(postgres: &Postgres, s3: &S3, shared: &Path) {
    let _ = fs::remove_dir_all(shared);
    for number in 0..PARTITIONS {
        fs::create_dir_all(shared.join(format!("p{number}/e1"))).unwrap();
    }
    let objects = objects(postgres);
    for File { partition, name, key, content } in files(postgres) {
        let bytes = match &key {
            Some(key) => s3
                .get(BUCKET, &format!("{objects}{key}"))
                .unwrap_or_else(|| panic!("{name}: {key} is not in the bucket")),
            None => {
                (0..content.len() / 2).map(|at| u8::from_str_radix(&content[2 * at..2 * at + 2], 16).unwrap()).collect()
            }
        };
        let within = if name.starts_with("logs") { "e1/" } else { "" };
        let path = shared.join(format!("p{partition}/{within}{name}"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// What stands before their keys in the bucket.
fn objects(postgres: &Postgres) -> String {
    format!("{PREFIX}/files/{}/", postgres.sql("SELECT value FROM logdrain.meta WHERE key = 'journal'"))
}

/// What is in the bucket beside snapshots and what the database knows.
pub(super) fn left_over(postgres: &Postgres, s3: &S3) -> Vec<String> {
    let (objects, all) = (objects(postgres), s3.keys(BUCKET));
    let known: BTreeSet<String> = files(postgres).into_iter().filter_map(|file| file.key).collect();
    let keys = all.iter().filter_map(|key| key.strip_prefix(&objects));
    keys.filter(|key| !known.contains(*key)).map(str::to_owned).collect()
}

/// Three nodes that share no folder.
pub(super) fn three(dir: &Path, postgres: &Postgres, s3: &S3) -> Cluster {
    let address = format!("s3://{BUCKET}/{PREFIX}?region=us-east-1&endpoint=http://{}", s3.at);
    let url = postgres.url();
    let cluster = Cluster::new(dir, [&url; 3]).with_lines();
    let nodes = cluster.nodes.into_iter().map(|node: Node| node.in_bucket(&address)).collect();
    Cluster { nodes, ..cluster }
}

#[test]
fn whatever_is_killed_or_stopped_lines_in_a_bucket_are_those_that_one_alone_would_keep() {
    let Some(mut postgres) = Postgres::start() else { return };
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("nodes-bucketed");
    let cluster = three(&dir, &postgres, &s3);
    assert!(cluster.start(&[]));
    let seed = seed() + 10_000;
    let (senders, mut random) = (Senders::new(&cluster, seed), Random::new(seed));
    senders.while_doing(|| {
        println!("{:?}", trouble(&cluster, &mut postgres, &mut random, kills(10)));
    });
    check(&dir, &cluster, &senders, &postgres);
    assert_eq!(fs::read_dir(dir.join("shared")).unwrap().count(), 0, "something is in a folder");
    fetch(&postgres, &s3, &dir.join("shared"));
    assert_are_those_of_one_alone(&dir, &senders);
    // What owners left that were killed, or that slept, goes with the next ones.
    assert!(cluster.start(&[]));
    cluster.wait_for_owners();
    wait_within(PATIENCE, "a bucket with nothing else", || {
        std::thread::sleep(Duration::from_millis(300));
        left_over(&postgres, &s3).is_empty().then_some(())
    });
    cluster.stop();
}

/// Who takes over has the bucket to go on from: the journal has let go what is there.
#[test]
fn while_the_bucket_hangs_minutes_go_on_and_lines_come_later() {
    let Some(mut postgres) = Postgres::start() else { return };
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("nodes-bucketed-hung");
    let cluster = three(&dir, &postgres, &s3).forgetful();
    assert!(cluster.start(&[]));
    let seed = seed() + 11_000;
    let (senders, mut random) = (Senders::new(&cluster, seed), Random::new(seed));
    senders.while_doing(|| {
        println!("{:?}", trouble(&cluster, &mut postgres, &mut random, kills(10) / 2));
        // Who is at home goes on; who would have to take over waits.
        let account = account(1);
        let page = || {
            let at = cluster.nodes[1].address()?;
            let page = request(at, "GET", &format!("/events?account={account}"), &[OPERATOR], b"").ok()?;
            (page.status == 200).then_some(page.body)
        };
        wait_within(PATIENCE, "a page of lines", page);
        s3.pause(true);
        let before = senders.taken();
        wait_until("deliveries without the bucket", || (senders.taken() > before + 20).then_some(()));
        std::thread::sleep(HUNG);
        let first = wait_within(PATIENCE, "a page of lines without the bucket", page);
        wait_within(PATIENCE, "new lines without the bucket", || page().filter(|page| *page != first));
        s3.pause(false);
        cluster.wait_for_owners();
    });
    check_rows(&dir, &cluster, &senders, &postgres);
    let gone = postgres.sql("SELECT max(low) FROM logdrain.part").parse::<u64>().unwrap();
    assert!(gone > 0, "no event went");
    fetch(&postgres, &s3, &dir.join("shared"));
    let nodes = kept(&dir.join("shared"));
    assert_rise(&nodes);
    assert_are_those_sent(&nodes, &senders);
}

/// Hours are in the bucket, once each; of a line that is purged nothing is left there, though its home dies meanwhile.
#[test]
fn hours_in_a_bucket_are_those_that_one_alone_writes_also_of_what_is_purged() {
    let Some(postgres) = archives::postgres() else { return };
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("nodes-bucketed-archives");
    let shared = dir.join("shared");
    let cluster = three(&dir, &postgres, &s3).patient();
    archives::fill(&cluster, &postgres, DELIVERIES);
    let cluster = cluster.with("archives = true\n");
    assert!(cluster.start(&[]));
    let hours = || files(&postgres).iter().filter(|file| file.name.ends_with(".tsv.gz")).count() as u64;
    wait_within(PATIENCE, "all hours", || (hours() == ACCOUNTS * HOURS.unsigned_abs()).then_some(()));
    fetch(&postgres, &s3, &shared);
    assert!(archives::is_somewhere(&shared, NEEDLE), "it is looked for well");

    let first = account(0);
    let home = wait_within(PATIENCE, "a home", || archives::home(&cluster, &postgres, &first));
    archives::change(&cluster, "POST", "/api/v2/purge", &first, &json!({"query": NEEDLE, "dry_run": false}));
    cluster.nodes[home].kill();
    assert!(cluster.nodes[home].start(&[]));
    cluster.wait_for_owners();
    // What is being removed may go between the look at the list and the one at the bucket.
    wait_within(PATIENCE, "the end of what is purged", || {
        std::thread::sleep(Duration::from_millis(500));
        if !left_over(&postgres, &s3).is_empty() {
            return None;
        }
        fetch(&postgres, &s3, &shared);
        let is_kept = messages(&kept(&shared)[&first]).iter().any(|message| message.contains(NEEDLE));
        (!is_kept && !archives::is_somewhere(&shared, NEEDLE)).then_some(())
    });
    let by_nodes = archives::archived(&shared);
    assert_eq!(by_nodes.len() as u64, ACCOUNTS * HOURS.unsigned_abs());
    archives::assert_are_served(&cluster, &by_nodes);
    let lines: usize = by_nodes.values().map(|path| rows(path).len()).sum();
    assert_eq!(lines as u64, ACCOUNTS * DELIVERIES * HOURS.unsigned_abs() * archives::LINES, "each line once");
    cluster.stop();
    archives::assert_are_those_of_one_alone(&dir, &postgres, &by_nodes);
}

/// Nodes that die when an object is there and nobody knows it, when its row is, when where lines stand is.
#[cfg(debug_assertions)]
#[test]
fn whatever_is_half_put_when_a_node_dies_nothing_is_lost_and_nothing_is_left() {
    let Some(postgres) = Postgres::start() else { return };
    let Some(s3) = S3::start(BUCKET) else { return };
    let dir = scratch("nodes-bucketed-points");
    let cluster = three(&dir, &postgres, &s3);
    assert!(cluster.start(&[]));
    let seed = seed() + 12_000;
    let senders = Senders::new(&cluster, seed);
    senders.while_doing(|| {
        for (number, point) in super::some_of(&["file-object", "file-row", "segment", "state"], 2, seed) {
            let mut nodes = number..number + 2 * cluster.nodes.len();
            assert!(nodes.any(|dies| super::points::dies_after(&cluster, dies, point, 1)), "nobody came to {point}");
            println!("a node has died after {point}");
        }
        cluster.wait_for_owners();
    });
    check(&dir, &cluster, &senders, &postgres);
    fetch(&postgres, &s3, &dir.join("shared"));
    assert_are_those_of_one_alone(&dir, &senders);
    assert!(cluster.start(&[]));
    cluster.wait_for_owners();
    wait_within(PATIENCE, "a bucket with nothing else", || {
        std::thread::sleep(Duration::from_millis(300));
        left_over(&postgres, &s3).is_empty().then_some(())
    });
    cluster.stop();
}
