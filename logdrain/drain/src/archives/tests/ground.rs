//! Where archives lie while they are tested: in a folder; and once more in the bucket of a real S3 server, by the catalog of a real
//! PostgreSQL, when `LOGDRAIN_POSTGRES` and `LOGDRAIN_S3` say where those are.

use crate::archives::board::Board;
use crate::archives::books::Books;
use crate::archives::folder::Folder;
use crate::archives::shelf::Shelf;
use crate::scratch::Scratch;
use log_archive::Period;
use std::cell::Cell;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) struct Ground {
    pub(super) dir: Scratch,
    /// Who has them now.
    epoch: Cell<i64>,
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub(super) house: Option<house::House>,
}

impl Ground {
    /// The same test in both places.
    pub(super) fn each(name: &str, test: impl Fn(&Self)) {
        test(&Self {
            dir: Scratch::new(&format!("archives-{name}")),
            epoch: Cell::new(0),
            #[cfg(all(feature = "s3", feature = "postgres"))]
            house: None,
        });
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(ground) = Self::bucket(name) {
            test(&ground);
        }
    }

    /// A bucket; `None` without servers.
    #[cfg(all(feature = "s3", feature = "postgres"))]
    pub(super) fn bucket(name: &str) -> Option<Self> {
        let dir = Scratch::new(&format!("archives-bucket-{name}"));
        let house = Some(house::House::start(&dir)?);
        Some(Self { dir, epoch: Cell::new(0), house })
    }

    /// Whoever has them next takes them: none of those before him changes anything any more.
    pub(super) fn take(&self) -> Board {
        let board = Board::default();
        self.take_with(&board);
        board
    }

    pub(super) fn take_with(&self, board: &Board) {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(house) = &self.house {
            return house.take(board, &self.dir.join("own"));
        }
        self.epoch.set(self.epoch.get() + 1);
        board.take_over(&self.dir, self.epoch.get()).unwrap();
    }

    /// The same for whoever has them alone, and looks at what there is.
    pub(super) fn looked(&self) -> Board {
        let board = self.take();
        board.look().unwrap();
        board
    }

    /// How many hours there are, of all accounts. Each has its books, and nothing else is left of any.
    pub(super) fn count(&self) -> usize {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(house) = &self.house {
            let unfinished: Vec<_> = files(&self.dir.join("own"));
            assert!(unfinished.is_empty(), "{unfinished:?}");
            return house.count();
        }
        let unfinished: Vec<_> = files(&self.dir.join("archiving"));
        assert!(unfinished.is_empty(), "{unfinished:?}");
        let all = files(&self.dir.join("archives"));
        let ends = |end: &str| all.iter().filter(|path| path.to_string_lossy().ends_with(end)).count();
        assert_eq!(
            (ends(".tsv.gz"), ends(".tsv.gz") + ends(".books.json")),
            (ends(".books.json"), all.len()),
            "{all:?}"
        );
        ends(".tsv.gz")
    }

    /// Whoever takes them with nothing of them on his disk, if they are not there anyway.
    pub(super) fn take_cold(&self) -> Board {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(house) = &self.house {
            let board = house.take_elsewhere(&self.dir.join("elsewhere"));
            board.look().unwrap();
            return board;
        }
        self.looked()
    }

    /// An hour as it lies there.
    pub(super) fn lying(&self, account: &str, hour: Period) -> Vec<u8> {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(house) = &self.house {
            return house.get(&house.object(account, hour));
        }
        fs::read(Folder::new(&self.dir).file(account, hour)).unwrap()
    }

    /// Damages an hour where it lies.
    pub(super) fn damage(&self, account: &str, hour: Period, change: impl FnOnce(&mut Vec<u8>)) {
        #[cfg(all(feature = "s3", feature = "postgres"))]
        if let Some(house) = &self.house {
            return house.damage(account, hour, change);
        }
        let path = Folder::new(&self.dir).file(account, hour);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

/// All files below a folder.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort_unstable();
    found
}

/// An hour as it is packed.
pub(super) fn packed(shelf: &Arc<dyn Shelf>, account: &str, hour: Period) -> Vec<u8> {
    let mut bytes = Vec::new();
    shelf.open(account, hour).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

pub(super) fn books(shelf: &Arc<dyn Shelf>, account: &str, hour: Period) -> Books {
    let archives = shelf.hours(account, &(hour.start()..hour.end()), 1).unwrap();
    let mut books = None;
    shelf.books(account, &archives, &mut |_, text| books = serde_json::from_slice(text).ok()).unwrap();
    books.unwrap()
}

#[cfg(all(feature = "s3", feature = "postgres"))]
pub(super) mod house {
    use super::*;
    use crate::journal::{Members, SnapshotPlace};
    use crate::parts::{Part, Parts, Split};
    use crate::sql::Address;
    use crate::tiered::Tier;
    use std::time::Duration;
    use testkit::postgres::Postgres;
    use testkit::s3::S3;

    /// A database of nodes and a bucket.
    pub(in crate::archives::tests) struct House {
        pub(in crate::archives::tests) postgres: Postgres,
        pub(in crate::archives::tests) s3: S3,
        address: Address,
        place: SnapshotPlace,
        journal: String,
        /// That of the node that takes archives.
        tier: Tier,
    }

    pub(in crate::archives::tests) fn part() -> Part {
        Parts::ONE.each().next().unwrap()
    }

    const CACHE: u64 = 1 << 30;

    impl House {
        pub(super) fn start(dir: &Path) -> Option<Self> {
            let (postgres, s3) = (Postgres::start()?, S3::start("archives")?);
            let address = Address::parse(&postgres.url(), None).unwrap();
            let node = dir.join("node");
            fs::create_dir(&node).unwrap();
            let parts = (Parts::ONE, Split::ByAccount);
            let members = Members::join(&address, &node, parts, Duration::from_secs(2), None).unwrap();
            let journal = members.journal().to_owned();
            let keys = |name: &str| match name {
                "AWS_ACCESS_KEY_ID" => Some("AKIATESTS".to_owned()),
                "AWS_SECRET_ACCESS_KEY" => Some("s3cret".to_owned()),
                _ => None,
            };
            let place = format!("s3://archives/of?region=eu-central-1&endpoint=http://{}", s3.at);
            let place = SnapshotPlace::parse(&place, &keys).unwrap();
            let tier = Tier::new(&address, &place, &journal, &dir.join("cache"), CACHE).unwrap();
            Some(Self { postgres, s3, address, place, journal, tier })
        }

        pub(super) fn take(&self, board: &Board, dir: &Path) {
            self.take_by(&self.tier, board, dir);
        }

        /// Another node does, which has nothing in its cache.
        pub(in crate::archives::tests) fn take_elsewhere(&self, dir: &Path) -> Board {
            let (tier, board) = (self.tier_of(dir), Board::default());
            self.take_by(&tier, &board, dir);
            board
        }

        pub(in crate::archives::tests) fn tier_of(&self, dir: &Path) -> Tier {
            Tier::new(&self.address, &self.place, &self.journal, &dir.join("cache"), CACHE).unwrap()
        }

        fn take_by(&self, tier: &Tier, board: &Board, dir: &Path) {
            let epoch = self.postgres.sql("UPDATE logdrain.leases SET epoch = epoch + 1 WHERE p = 0 RETURNING epoch");
            let epoch = epoch.lines().next().unwrap().parse().unwrap();
            board.take_over_files(tier.files(part(), epoch), dir).unwrap();
        }

        /// Each archive has its object.
        pub(super) fn count(&self) -> usize {
            let rows = self.postgres.sql("SELECT name, key FROM logdrain.files ORDER BY name");
            let keys = self.s3.keys("archives");
            for row in rows.lines() {
                let (name, key) = row.split_once('|').unwrap();
                assert!(name.starts_with("archives/") && name.ends_with(".tsv.gz"), "{name}");
                assert!(keys.iter().any(|known| known.ends_with(key)), "{row}: {keys:?}");
            }
            rows.lines().count()
        }

        /// A number that grows by one with each step of an owner.
        pub(in crate::archives::tests) fn steps(&self) -> u64 {
            self.postgres.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())").trim().parse().unwrap()
        }

        /// The path of an hour's object.
        pub(in crate::archives::tests) fn object(&self, account: &str, hour: Period) -> String {
            let name = format!("archives/{account}/dt={}/{}", hour.day(), hour.file_name());
            let key = self.postgres.sql(&format!("SELECT key FROM logdrain.files WHERE name = '{name}'"));
            let all = self.s3.keys("archives");
            format!("/archives/{}", all.iter().find(|known| known.ends_with(key.trim())).unwrap())
        }

        pub(in crate::archives::tests) fn get(&self, path: &str) -> Vec<u8> {
            let answer = self.s3.ask("GET", path, b"");
            let head = answer.windows(4).position(|end| end == b"\r\n\r\n").unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..head]));
            answer[head + 4..].to_vec()
        }

        pub(super) fn damage(&self, account: &str, hour: Period, change: impl FnOnce(&mut Vec<u8>)) {
            let path = self.object(account, hour);
            let mut bytes = self.get(&path);
            change(&mut bytes);
            self.s3.ask("PUT", &path, &bytes);
        }
    }
}
