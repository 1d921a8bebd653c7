//! The lines that nodes keep: whoever had a partition, and whatever was killed, they are those that one node alone keeps of the
//! same journal, and those that were sent.

use super::cluster::{ACCOUNTS, Cluster, PARTITIONS, account};
use super::senders::Senders;
use super::{check, check_rows, ordeal, seed};
use crate::crash::kills;
use crate::harness::{scratch, wait_until};
use crate::logdrain;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use testkit::postgres::Postgres;

/// The lines of an account, as `search` prints them.
pub(super) type Kept = BTreeMap<String, Vec<String>>;

/// The newest folder of each partition.
fn folders(shared: &Path) -> Vec<PathBuf> {
    let newest = |p: usize| {
        let place = shared.join(format!("p{p}"));
        let epochs = fs::read_dir(&place)
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_prefix('e')?.parse::<i64>().ok());
        let newest = epochs.max().unwrap_or_else(|| panic!("{}: no folder of an owner", place.display()));
        place.join(format!("e{newest}"))
    };
    (0..PARTITIONS).map(newest).collect()
}

/// All lines that are in files.
pub(super) fn kept(shared: &Path) -> Kept {
    let folders = folders(shared);
    let of = |account: &str| {
        let mut found = Vec::new();
        for folder in &folders {
            if !folder.join("logs").join(account).is_dir() && !folder.join("logs/shared").is_dir() {
                continue;
            }
            let output = logdrain(&["search", "-j", "--account", account, "--in", folder.to_str().unwrap()], b"");
            if output.status.success() {
                let text = String::from_utf8(output.stdout).unwrap();
                assert!(found.is_empty() || text.is_empty(), "{account} is in two partitions");
                found.extend(text.lines().map(str::to_owned));
            }
        }
        found
    };
    (0..ACCOUNTS).map(|number| (account(number), of(&account(number)))).collect()
}

pub(super) fn messages(lines: &[String]) -> Vec<String> {
    let message = |line: &String| {
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        told["message"].as_str().unwrap().to_owned()
    };
    lines.iter().map(message).collect()
}

/// What was sent, as text: each line once.
pub(super) fn assert_are_those_sent(kept: &Kept, senders: &Senders<'_>) {
    for (account, lines) in kept {
        let mut messages = messages(lines);
        let mut sent = senders.messages(account);
        messages.sort_unstable();
        sent.sort_unstable();
        assert!(sent.len() > 50, "{account}: {}", sent.len());
        assert_eq!(messages.len(), sent.len(), "{account}");
        assert!(messages == sent, "{account}: other lines than were sent");
    }
}

/// Ids rise, and none is there twice.
pub(super) fn assert_rise(kept: &Kept) {
    for (account, lines) in kept {
        let ids: Vec<u64> = lines
            .iter()
            .map(|line| {
                let told: serde_json::Value = serde_json::from_str(line).unwrap();
                told["id"].as_str().unwrap().parse().unwrap()
            })
            .collect();
        assert!(ids.windows(2).all(|two| two[0] < two[1]), "{account}: ids do not rise");
    }
}

/// The lines of all nodes below a folder are those that were sent, and those of one alone.
pub(super) fn assert_are_those_of_one_alone(dir: &Path, senders: &Senders<'_>) {
    let nodes = kept(&dir.join("shared"));
    assert_rise(&nodes);
    assert_are_those_sent(&nodes, senders);
    // Not only the same lines: the same ids, times and all.
    let alone = kept(&dir.join("alone/shared"));
    for (account, lines) in &nodes {
        assert!(alone[account] == *lines, "{account}: one alone keeps other lines");
    }
}

#[test]
fn whatever_is_killed_or_stopped_nodes_keep_the_lines_that_one_alone_would() {
    let dir = scratch("nodes-lines");
    ordeal(&dir, seed() + 3_000, kills(10), Cluster::with_lines, |cluster, senders, postgres| {
        check(&dir, cluster, senders, postgres);
        assert_are_those_of_one_alone(&dir, senders);
    });
}

/// Who takes over has the files of others, and of the journal what was in none of them.
#[test]
fn lines_outlast_their_owners_when_the_journal_has_let_them_go() {
    let dir = scratch("nodes-lines-forgetful");
    let nodes = |nodes: Cluster| nodes.with_lines().forgetful();
    ordeal(&dir, seed() + 4_000, kills(10) / 2, nodes, |cluster, senders, postgres| {
        // What is not in a file is in the journal: the next step lets go what is.
        check_rows(&dir, cluster, senders, postgres);
        let nodes = kept(&dir.join("shared"));
        assert_rise(&nodes);
        assert_are_those_sent(&nodes, senders);
        let gone = postgres.sql("SELECT max(low) FROM logdrain.part").parse::<u64>().unwrap();
        assert!(gone > 0, "no event went");
    });
}

#[test]
fn while_the_shared_folder_is_away_minutes_go_on_and_lines_come_later() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-lines-away");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines();
    let shared = dir.join("shared");
    assert!(cluster.start(&[]));
    let senders = Senders::new(&cluster, seed());
    senders.while_doing(|| {
        wait_until("some deliveries", || (senders.taken() > 50).then_some(()));
        // The disk is not there any more, and the empty folder that it was mounted on is.
        fs::rename(&shared, dir.join("elsewhere")).unwrap();
        fs::create_dir(&shared).unwrap();
        cluster.nodes[0].kill();
        let before = senders.taken();
        wait_until("deliveries without it", || (senders.taken() > before + 20).then_some(()));
        assert_eq!(fs::read_dir(&shared).unwrap().count(), 0, "something was begun anew");
        fs::remove_dir(&shared).unwrap();
        fs::rename(dir.join("elsewhere"), &shared).unwrap();
        assert!(cluster.nodes[0].start(&[]));
        cluster.wait_for_owners();
    });
    check_rows(&dir, &cluster, &senders, &postgres);
    let nodes = kept(&shared);
    assert_rise(&nodes);
    assert_are_those_sent(&nodes, &senders);
}
