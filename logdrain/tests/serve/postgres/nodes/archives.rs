//! Archives that nodes write, over whatever is killed and stopped: each hour once, whole, and byte for byte the one that one node
//! alone writes of the same journal.

use super::agent::trouble;
use super::cluster::{ACCOUNTS, Cluster, Node, OPERATOR, PARTITIONS, account};
use super::seed;
use super::senders::Senders;
use crate::archives::{fetch_at, rows};
use crate::crash::kills;
use crate::harness::{Delivery, body, now_micros, request, scratch, wait_until, wait_within};
use flate2::read::MultiGzDecoder;
use logdrain_drain::parts::Parts;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;
use testkit::random::Random;

/// Hours that are over, and one that is not.
pub(super) const HOURS: i64 = 2;
/// Lines of one delivery, and deliveries of an account in an hour; one account's first hour takes a while.
pub(super) const LINES: u64 = 500;
pub(super) const DELIVERIES: u64 = 5;
const MANY: u64 = 200;
pub(super) const NEEDLE: &str = "needle-in-the-hay";
/// Some passes over some hours, with owners that go in the middle of each.
pub(super) const PATIENCE: Duration = Duration::from_secs(180);

/// A PostgreSQL whose clock says what it is told.
pub(super) fn postgres() -> Option<Postgres> {
    let postgres = Postgres::start()?;
    for text in [
        "CREATE SCHEMA clock",
        "CREATE TABLE clock.ahead (by interval)",
        "INSERT INTO clock.ahead VALUES ('0')",
        "CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
         'SELECT pg_catalog.clock_timestamp() + by FROM clock.ahead'",
        // Before the one that all have.
        "ALTER ROLE postgres SET search_path = clock, pg_catalog, public",
    ] {
        postgres.sql(text);
    }
    Some(postgres)
}

/// It is half past some hour, so many hours ago.
fn it_is(postgres: &Postgres, hours_ago: i64) {
    let into = i64::try_from(now_micros() / 1_000_000 % 3_600).unwrap();
    postgres.sql(&format!("UPDATE clock.ahead SET by = interval '{} seconds'", 1_800 - into - hours_ago * 3_600));
}

/// All files below a folder, by their names there.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            _ => found.push(entry.path()),
        }
    }
    found.sort_unstable();
    found
}

/// What is archived below a shared folder: of each account its hours, and where they are.
pub(super) fn archived(shared: &Path) -> BTreeMap<(String, String), PathBuf> {
    let places = (0..PARTITIONS).map(|p| shared.join(format!("p{p}/archives")));
    let files = places.flat_map(|place| files(&place)).filter(|path| path.extension().is_some_and(|end| end == "gz"));
    let named = files.map(|path| {
        let account = path.ancestors().nth(2).unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        ((account, path.file_name().unwrap().to_str().unwrap().to_owned()), path)
    });
    let mut found = BTreeMap::new();
    for (key, path) in named {
        if let Some(other) = found.insert(key, path.clone()) {
            panic!("an hour is in two places: {} and {}", other.display(), path.display());
        }
    }
    found
}

pub(super) fn wait_for_archives(shared: &Path) -> BTreeMap<(String, String), PathBuf> {
    let all = usize::try_from(ACCOUNTS).unwrap() * usize::try_from(HOURS).unwrap();
    wait_within(PATIENCE, "all hours", || Some(archived(shared)).filter(|found| found.len() == all))
}

/// Whether a line is in anything that was or is to be an archive.
pub(super) fn is_somewhere(shared: &Path, text: &str) -> bool {
    let places = (0..PARTITIONS).flat_map(|p| ["archives", "archiving"].map(|of| shared.join(format!("p{p}/{of}"))));
    places.flat_map(|place| files(&place)).any(|path| {
        let mut found = Vec::new();
        // One that is being written ends anywhere.
        let _ = fs::File::open(&path).and_then(|file| MultiGzDecoder::new(file).read_to_end(&mut found));
        String::from_utf8_lossy(&found).contains(text)
    })
}

/// Lines of all accounts for each hour, which are in files then; `first` deliveries of the first account in the first one.
pub(super) fn fill(cluster: &Cluster, postgres: &Postgres, first: u64) {
    for hour in 0..HOURS {
        it_is(postgres, HOURS - hour);
        assert!(cluster.start(&[]));
        for of in 0..ACCOUNTS {
            let account = account(of);
            let many = if of == 0 && hour == 0 { first } else { DELIVERIES };
            for number in 0..many {
                let id = (hour.unsigned_abs() * ACCOUNTS + of) * 1_000 + number;
                let mut body = body(id, LINES);
                if of == 0 && number == 1 {
                    let frame = format!("<190>1 {} host app web.1 - {NEEDLE}\n", "2026-11-28T10:00:00Z");
                    body.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
                }
                let sent = Delivery {
                    id: format!("{:032X}", u64::MAX - id),
                    token: format!("{account}/d.{:02}", number % 4),
                    body,
                };
                let address = cluster.nodes[number as usize % 3].address().unwrap();
                wait_until("a delivery that is taken", || (sent.send(address).ok()? == 204).then_some(()));
            }
        }
        // What seems to be far ahead waits until the first minute is closed.
        wait_until("all deliveries in the journal", || (cluster.spooled() == 0).then_some(()));
        cluster.stop();
    }
    it_is(postgres, 0);
}

/// The node that owns the partition of an account.
pub(super) fn home(cluster: &Cluster, postgres: &Postgres, account: &str) -> Option<usize> {
    let part = Parts::new(u16::try_from(PARTITIONS).unwrap()).unwrap().of(account).number();
    let sql = format!("SELECT url FROM logdrain.nodes JOIN logdrain.leases ON owner = node WHERE p = {part}");
    let port = postgres.sql(&sql).rsplit(':').next()?.parse::<u16>().ok()?;
    cluster.nodes.iter().position(|node| node.address().is_some_and(|address| address.port() == port))
}

/// An archive of an account that is being written.
fn unfinished(shared: &Path, account: &str) -> Option<PathBuf> {
    let places = (0..PARTITIONS).map(|p| shared.join(format!("p{p}/archiving")));
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(&format!("{account}.")) && name.ends_with(".tsv.gz.unfinished")
    };
    places.flat_map(|place| files(&place)).find(is_it)
}

/// The same, as soon as there is one.
fn caught(shared: &Path, account: &str) -> PathBuf {
    let began = Instant::now();
    loop {
        if let Some(path) = unfinished(shared, account) {
            return path;
        }
        assert!(began.elapsed() < PATIENCE, "no hour of {account} was on its way");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Asks nodes to change something of an account, until one does.
pub(super) fn change(cluster: &Cluster, method: &str, path: &str, account: &str, asked: &Value) {
    let path = format!("{path}?account={account}");
    let (text, kind) = (asked.to_string(), ("Content-Type", "application/json"));
    let long = text.len().to_string();
    let headers = [OPERATOR, kind, ("Content-Length", long.as_str())];
    let mut next = 0;
    wait_within(PATIENCE, "a change", || {
        next += 1;
        let address = cluster.nodes[next % cluster.nodes.len()].address()?;
        // Who posts says by himself how much it is.
        let headers = if method == "POST" { &headers[..2] } else { &headers };
        let answer = request(address, method, &path, headers, text.as_bytes()).ok()?;
        assert!(matches!(answer.status, 200 | 502 | 503), "{answer:?}");
        (answer.status == 200).then_some(())
    });
}

/// From now on an account has archives.
fn ask_for_archives(cluster: &Cluster, account: &str) {
    let plan = json!({"name": "ours", "streams": 10_000, "logs": {"archive": "365d"}});
    change(cluster, "PUT", "/api/v2/plan", account, &json!({"plan": plan}));
}

/// Any node lists them and sends them, as they lie there.
pub(super) fn assert_are_served(cluster: &Cluster, archives: &BTreeMap<(String, String), PathBuf>) {
    let authorization = format!("{}: {}\r\n", OPERATOR.0, OPERATOR.1);
    for node in &cluster.nodes {
        let address = node.address().unwrap();
        for account in (0..ACCOUNTS).map(account) {
            let own = archives.iter().filter(|((of, _), _)| *of == account);
            let path = format!("/api/v1/archives.json?account={account}");
            let listed = request(address, "GET", &path, &[OPERATOR], b"").unwrap();
            let told: Value = serde_json::from_str(&listed.body).unwrap();
            let names: Vec<_> = told.as_array().unwrap().iter().map(|one| one["filename"].as_str().unwrap()).collect();
            assert_eq!(names, own.clone().map(|((_, name), _)| name.as_str()).collect::<Vec<_>>(), "{account}");
            let page = request(address, "GET", &format!("/archives?account={account}"), &[OPERATOR], b"").unwrap();
            assert!(page.status == 200 && page.body.contains("href=\"/archives/"), "{}", page.status);
            for ((_, name), place) in own {
                let hour = name.strip_suffix(".tsv.gz").unwrap();
                let path = format!("/api/v1/archives/{hour}/download?account={account}");
                let (status, head, body) = fetch_at(address, "GET", &path, &authorization);
                assert_eq!(status, 200, "{head}");
                assert!(body == fs::read(place).unwrap(), "{account} {hour}");
            }
        }
    }
}

#[test]
fn whatever_is_killed_or_stopped_nodes_write_the_archives_that_one_alone_would() {
    let Some(mut postgres) = postgres() else { return };
    let dir = scratch("nodes-archives");
    let shared = dir.join("shared");
    let url = postgres.url();
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines().patient();
    fill(&cluster, &postgres, MANY);
    assert!(cluster.start(&[]));
    let first = account(0);
    let home = || wait_within(PATIENCE, "a home", || home(&cluster, &postgres, &first));
    let own = || archived(&shared).into_keys().filter(|(of, _)| *of == first).count();
    // One is stopped in the middle of an hour, and the next one is killed in the middle of it.
    let asleep = home();
    ask_for_archives(&cluster, &first);
    let half = caught(&shared, &first);
    cluster.nodes[asleep].pause(true);
    assert!(half.exists() && own() == 0, "it was done already");
    let killed = wait_within(PATIENCE, "another home", || Some(home()).filter(|home| *home != asleep));
    caught(&shared, &first);
    cluster.nodes[killed].kill();
    println!("{asleep} was stopped in the middle of an hour, and {killed} killed with {} archives", own());
    assert!(cluster.nodes[killed].start(&[]));
    wait_within(PATIENCE, "its hours", || (own() as i64 == HOURS).then_some(()));
    assert!(is_somewhere(&shared, NEEDLE), "it is looked for well");
    // A line of each is purged; and who had the hour as it was before wakes up.
    change(&cluster, "POST", "/api/v2/purge", &first, &json!({"query": NEEDLE, "dry_run": false}));
    wait_within(PATIENCE, "the end of what is purged", || (!is_somewhere(&shared, NEEDLE)).then_some(()));
    cluster.nodes[asleep].pause(false);
    cluster.wait_for_owners();
    // The hours of the others, while nodes and their database are killed and stopped at random.
    let senders = Senders::new(&cluster, seed() + 7_000);
    senders.while_doing(|| {
        (1..ACCOUNTS).map(account).for_each(|account| ask_for_archives(&cluster, &account));
        println!("{:?}", trouble(&cluster, &mut postgres, &mut Random::new(seed() + 7_000), kills(10) / 3));
    });
    let by_nodes = wait_for_archives(&shared);
    assert!(!is_somewhere(&shared, NEEDLE), "it came back");
    assert_are_served(&cluster, &by_nodes);
    cluster.stop();
    assert!(!is_somewhere(&shared, NEEDLE), "it came back");
    let lines: usize = by_nodes.values().map(|path| rows(path).len()).sum();
    let all = (MANY - DELIVERIES + ACCOUNTS * DELIVERIES * HOURS.unsigned_abs()) * LINES;
    assert_eq!(lines as u64, all, "each line of those hours once");
    assert_are_those_of_one_alone(&dir, &postgres, &by_nodes);
}

/// One alone, on the same journal, who has nothing of the others, writes the same files.
pub(super) fn assert_are_those_of_one_alone(
    dir: &Path,
    postgres: &Postgres,
    by_nodes: &BTreeMap<(String, String), PathBuf>,
) {
    let journal = postgres.copy_to("copy");
    let one = Node::new(&dir.join("alone"), "one", &journal).with_lines().with("archives = true\n");
    let of = postgres.sql_in("copy", "SELECT value FROM logdrain.meta WHERE key = 'journal'");
    // Its lines lie in a folder, wherever those of the others do.
    postgres.sql_in("copy", "UPDATE logdrain.meta SET value = 'a folder' WHERE key = 'lines'");
    fs::write(dir.join("alone/shared/journal"), of.trim()).unwrap();
    assert!(one.start(&[]));
    let alone = wait_for_archives(&dir.join("alone/shared"));
    one.stop();
    assert_eq!(by_nodes.keys().collect::<Vec<_>>(), alone.keys().collect::<Vec<_>>());
    for (key, path) in by_nodes {
        assert!(fs::read(path).unwrap() == fs::read(&alone[key]).unwrap(), "{key:?}: one alone writes another one");
    }
}

/// In the order of the work: the folder of a new owner is made, and is the one that counts; the books of an hour are there without
/// it, and the hour is there and nobody knows; the same of an hour that a purge writes again.
#[cfg(debug_assertions)]
#[test]
fn whatever_is_half_done_of_an_hour_when_its_home_dies_who_takes_over_makes_whole() {
    let Some(postgres) = postgres() else { return };
    let dir = scratch("nodes-archives-points");
    let (shared, url) = (dir.join("shared"), postgres.url());
    let cluster = Cluster::new(&dir, [&url; 3]).with_lines().patient();
    fill(&cluster, &postgres, DELIVERIES);
    let cluster = cluster.with("archives = true\n");
    let die = |number: usize, point: &str, asked: &dyn Fn(&Node)| {
        let dies = &cluster.nodes[number % 3];
        dies.start_to_die_after(point, 1);
        asked(dies);
        wait_within(PATIENCE, point, || dies.has_died().then_some(()));
    };
    for (number, point) in ["own", "fence", "books", "archive", "books", "archive"].into_iter().enumerate() {
        die(number, point, &|_| ());
    }
    assert!(!archived(&shared).is_empty());
    assert!(cluster.start(&[]));
    wait_for_archives(&shared);
    cluster.stop();
    let purge = json!({"query": NEEDLE, "dry_run": false}).to_string();
    let kind = ("Content-Type", "application/json");
    for (number, point) in ["purged books", "purged archive"].into_iter().enumerate() {
        die(number, point, &|node| {
            let path = format!("/api/v2/purge?account={}", account(0));
            wait_within(PATIENCE, "a purge", || {
                // Its answer may go with it.
                let asked = request(node.address()?, "POST", &path, &[OPERATOR, kind], purge.as_bytes());
                asked.is_ok_and(|answer| answer.status == 200).then_some(()).or_else(|| node.has_died().then_some(()))
            });
        });
    }
    assert!(cluster.start(&[]));
    wait_within(PATIENCE, "the end of what is purged", || (!is_somewhere(&shared, NEEDLE)).then_some(()));
    let by_nodes = wait_for_archives(&shared);
    let lines: usize = by_nodes.values().map(|path| rows(path).len()).sum();
    assert_eq!(lines as u64, ACCOUNTS * DELIVERIES * HOURS.unsigned_abs() * LINES, "each line once");
    cluster.stop();
    assert_are_those_of_one_alone(&dir, &postgres, &by_nodes);
}
