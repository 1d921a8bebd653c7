//! Files in a real PostgreSQL and the bucket of a real S3 server: `LOGDRAIN_POSTGRES=FOLDER LOGDRAIN_S3=PYTHON cargo test
//! -p logdrain-drain --features s3,postgres --lib tiered::`. Without them only those run that need neither.

mod bucket;
mod cached;
mod changes;
#[cfg(debug_assertions)]
mod killed;
mod left;
mod lines;
mod looking;
mod measured;

use super::shared::Manner;
use super::{Files, Tier};
use crate::journal::{Members, SnapshotPlace};
use crate::parts::{Parts, Split};
use crate::scratch::Scratch;
use crate::sql::Address;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;
use testkit::s3::S3;

const ENOUGH: Duration = Duration::from_secs(60);
const PIECE: usize = 1 << 20;
/// Of the cache, where it is to hold all.
const LARGE: u64 = 1 << 30;

/// A database of nodes and a bucket.
struct House {
    postgres: Postgres,
    s3: S3,
    dir: Scratch,
    address: Address,
    journal: String,
}

fn parts() -> Parts {
    Parts::new(2).unwrap()
}

fn place(s3: &str) -> SnapshotPlace {
    let keys = |name: &str| {
        let value = match name {
            "AWS_ACCESS_KEY_ID" => "AKIATESTS",
            "AWS_SECRET_ACCESS_KEY" => "s3cret",
            _ => return None,
        };
        Some(value.to_owned())
    };
    SnapshotPlace::parse(&format!("s3://files/of/tests?region=eu-central-1&endpoint=http://{s3}"), &keys).unwrap()
}

impl House {
    fn start(name: &str) -> Option<Self> {
        let (postgres, s3) = (Postgres::start()?, S3::start("files")?);
        let (address, dir) = (Address::parse(&postgres.url(), None).unwrap(), Scratch::new(name));
        let node = dir.join("node");
        std::fs::create_dir(&node).unwrap();
        let members =
            Members::join(&address, &node, (parts(), Split::ByAccount), Duration::from_secs(2), None).unwrap();
        let journal = members.journal().to_owned();
        Some(Self { postgres, s3, dir, address, journal })
    }

    /// A node, with a cache of its own by name.
    fn node(&self, name: &str, cache: u64, patience: Duration) -> Tier {
        // Few on a page, so that there are several.
        let manner = Manner { reading: patience, others: patience, page: 7 };
        let at = self.s3.at.to_string();
        Tier::with(&self.address, &place(&at), &self.journal, (&self.dir.join(name), cache), manner).unwrap()
    }

    fn tier(&self) -> Tier {
        self.node("cache", LARGE, ENOUGH)
    }

    /// Somebody takes a partition.
    fn take(&self, number: usize) -> i64 {
        let take = "UPDATE logdrain.leases SET epoch = epoch + 1 WHERE p =";
        let epoch = self.postgres.sql(&format!("{take} {number} RETURNING epoch"));
        epoch.lines().next().unwrap().parse().unwrap()
    }

    fn own(&self, tier: &Tier, number: usize) -> Files {
        tier.files(parts().each().nth(number).unwrap(), self.take(number))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The keys of objects, as the catalog has them.
    fn keys(&self) -> Vec<String> {
        let before = format!("of/tests/files/{}/", self.journal);
        let keys = self.s3.keys("files");
        keys.into_iter().map(|key| key.strip_prefix(&before).unwrap().to_owned()).collect()
    }

    fn number(&self, sql: &str) -> i64 {
        self.postgres.sql(sql).parse().unwrap()
    }

    /// Each object has a row and each row its object, and what files take is what is said.
    fn assert_whole(&self) {
        let rows = self.postgres.sql("SELECT key FROM logdrain.files WHERE key IS NOT NULL ORDER BY key");
        let mut keys = self.keys();
        keys.sort();
        assert_eq!(rows.lines().collect::<Vec<_>>(), keys);
        let wrong = "SELECT count(*) FROM logdrain.files_of LEFT JOIN (
                SELECT p, count(*) AS files, sum(len) AS lens FROM logdrain.files GROUP BY p) AS own USING (p)
            WHERE count <> coalesce(files, 0) OR bytes <> coalesce(lens, 0)";
        assert_eq!(self.number(wrong), 0);
    }
}

/// Waits until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < 5 * ENOUGH, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn until_idle(tier: &Tier) {
    until("objects go", || tier.shared().registry.is_idle());
}

/// Bytes of which no two parts are the same, and no two of different seeds.
fn many(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    for number in 0..(len as u64).div_ceil(8) {
        bytes.extend((number + (seed << 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

fn read(files: &Files, name: &str) -> Option<Vec<u8>> {
    files.read(name).unwrap()
}

/// What all files below take.
fn taken(dir: &Path) -> u64 {
    let mut all = 0;
    for entry in std::fs::read_dir(dir).unwrap().filter_map(Result::ok) {
        all += match entry.metadata() {
            Ok(meta) if meta.is_dir() => taken(&entry.path()),
            Ok(meta) => meta.len(),
            // It went meanwhile.
            Err(_) => 0,
        };
    }
    all
}
