//! Archives in a bucket: what a folder has not.

use super::ground::{Ground, packed};
use super::{HOUR, NINE, Others, books, hour, ids, store};
use crate::archives::board::{Board, tag};
use crate::archives::hour::{Hour, Outcome};
use crate::archives::shelf::Archive;
use crate::archives::sources::Sources as _;
use crate::settings::purge::Purge;
use log_archive::Period;
use log_store::Store;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

/// What a bucket is waited for, twice: once for its answer, and once more when it is asked again; and this machine may have more to do.
const LIMIT: Duration = Duration::from_secs(60);

fn write(board: &Board, store: &Store, hours: &[i64]) {
    for start in hours {
        let asked = Hour {
            reader: &store.reader(),
            account: "shop",
            hour: hour(*start),
            system: &|account, system| Others.system(account, system),
            counted: None,
            damaged_files: 0,
            waits: true,
            go_on: &mut || true,
        };
        let written = hour::write(&*board.shelf().unwrap(), asked);
        assert!(matches!(written, Ok(Outcome::Written { .. })), "{written:?}");
    }
}

fn purge(query: &str) -> Purge {
    Purge { query: query.to_owned(), upto: u64::MAX >> 1, ..Purge::default() }
}

#[test]
fn a_bucket_that_is_away_fails_a_purge_and_no_hour_is_taken_for_damaged() {
    let Some(ground) = Ground::bucket("away") else { return };
    let Some(house) = &ground.house else { return };
    let hours = [NINE, NINE + HOUR, NINE + 2 * HOUR];
    let store = store(&ground.dir, "shop", &hours, 200);
    write(&ground.take(), &store, &hours);
    // What a disk has is read without it.
    let board = ground.take_cold();
    house.s3.pause(true);
    let began = Instant::now();
    let error = board.purge("shop", &purge("\"7 of\"")).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    // A download ends with an error, too; and lists need no bucket.
    let archives = board.list("shop").unwrap();
    let mut opened = board.open_hour("shop", archives[1]).unwrap();
    opened.read_exact(&mut [0; 10]).unwrap_err();
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    house.s3.pause(false);
    let until = Instant::now() + LIMIT;
    let gone = loop {
        match board.purge("shop", &purge("\"7 of\"")) {
            Ok(gone) => break gone,
            Err(error) => assert!(Instant::now() < until, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(gone, 60);
    for start in hours {
        assert_eq!(ids(&board, "shop", hour(start)).len(), 180);
        assert_eq!(books(&board, "shop", hour(start)).purged, 20);
    }
}

#[test]
fn an_object_that_somebody_took_away_holds_no_purge_up() {
    let Some(ground) = Ground::bucket("taken-away") else { return };
    let Some(house) = &ground.house else { return };
    let hours = [NINE, NINE + HOUR];
    let store = store(&ground.dir, "shop", &hours, 200);
    write(&ground.take(), &store, &hours);
    house.s3.ask("DELETE", &house.object("shop", hour(NINE)), b"");
    let board = ground.take_cold();
    assert_eq!(board.purge("shop", &purge("\"7 of\"")).unwrap(), 20);
    assert_eq!(books(&board, "shop", hour(NINE)).purged, 0, "it is named, and left");
    assert_eq!(board.purge("shop", &Purge::of_all(u64::MAX >> 1)).unwrap(), 380);
    assert_eq!(ground.count(), 0);
}

#[test]
fn whoever_downloads_an_hour_that_is_written_again_has_all_of_the_old_one_or_an_error() {
    let Some(ground) = Ground::bucket("downloads") else { return };
    let store = store(&ground.dir, "shop", &[NINE], 20_000);
    let board = ground.take();
    write(&board, &store, &[NINE]);
    let (found, whole) = (board.list("shop").unwrap(), packed(&board.shelf().unwrap(), "shop", hour(NINE)));
    assert_eq!(found[0].bytes, whole.len() as u64);
    let mut opened = board.open_hour("shop", found[0]).unwrap();
    let mut read = vec![0; 1_000];
    opened.read_exact(&mut read).unwrap();
    assert_eq!(board.purge("shop", &purge("\"77 of\"")).unwrap(), 200);
    let after = board.list("shop").unwrap();
    assert_ne!(tag("shop", &after), tag("shop", &found));
    assert!(board.open_hour("shop", found[0]).is_err(), "it is another one");
    opened.read_to_end(&mut read).unwrap();
    assert!(read == whole);
    // From any byte on, as `Range` asks.
    let mut opened = board.open_hour("shop", after[0]).unwrap();
    let whole = packed(&board.shelf().unwrap(), "shop", hour(NINE));
    for from in [0, 1, whole.len() / 2, whole.len() - 1, whole.len(), whole.len() + 9] {
        let mut rest = Vec::new();
        opened.seek(SeekFrom::Start(from as u64)).unwrap();
        opened.read_to_end(&mut rest).unwrap();
        assert!(rest == whole.get(from..).unwrap_or_default(), "{from}");
    }
    // Through another node, and after a takeover, it is the same: bytes and tag.
    let next = ground.take_cold();
    assert_eq!(next.list("shop").unwrap(), after);
    assert!(packed(&next.shelf().unwrap(), "shop", hour(NINE)) == whole);
    assert!(board.list("shop").is_err(), "who was the owner lists nothing");
}

#[test]
fn a_mark_is_of_the_hour_as_it_is_and_goes_with_it() {
    let Some(ground) = Ground::bucket("marks") else { return };
    let hours = [NINE, NINE + HOUR, NINE + 30 * HOUR];
    let store = store(&ground.dir, "shop", &hours, 200);
    let board = ground.take();
    write(&board, &store, &hours);
    let shelf = board.shelf().unwrap();
    let marks = || {
        let (archives, mut marks) = (board.list("shop").unwrap(), Vec::new());
        shelf.marks("shop", &archives, &mut |index, text| marks.push((index, text.to_vec()))).unwrap();
        marks
    };
    assert_eq!(marks(), []);
    let found = board.list("shop").unwrap();
    let told = books(&board, "shop", hours.map(hour)[1]);
    for (archive, mark) in [(found[1], "{\"a\":1}"), (found[2], "{}"), (found[1], "{\"a\":2}")] {
        shelf.put_mark("shop", archive, mark.as_bytes()).unwrap();
    }
    assert_eq!(marks(), [(1, b"{\"a\":2}".to_vec()), (2, b"{}".to_vec())]);
    assert_eq!((books(&board, "shop", hour(hours[1])), board.list("shop").unwrap()), (told, found.clone()));
    // What is written again is in no bucket yet, and whoever uploaded what was there before says so of nothing.
    let second = Purge { from: Some(hours[1]), to: Some(hours[1] + HOUR), ..purge("\"7 of\"") };
    assert_eq!(board.purge("shop", &second).unwrap(), 20);
    assert_eq!(marks(), [(2, b"{}".to_vec())]);
    assert_eq!(shelf.put_mark("shop", found[1], b"{}").unwrap_err().kind(), io::ErrorKind::NotFound);
    shelf.remove("shop", &[hour(hours[2])]).unwrap();
    assert_eq!(shelf.put_mark("shop", found[2], b"{}").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(marks(), []);
    assert_eq!(ground.count(), 2);
}

/// Three accounts with a year of hours each, and one beside them whose name begins as another one's.
#[test]
fn a_year_of_hours_is_looked_through_added_up_and_let_go_by_few_questions() {
    let Some(ground) = Ground::bucket("year") else { return };
    let Some(house) = &ground.house else { return };
    house.postgres.sql(
        "INSERT INTO logdrain.files_of (p) VALUES (0) ON CONFLICT DO NOTHING;
         INSERT INTO logdrain.files (p, name, key, len, written, about)
         SELECT 0, 'archives/' || account || '/dt=' || to_char(at, 'YYYY-MM-DD') || '/' || to_char(at, 'YYYY-MM-DD-HH24') || '.tsv.gz',
             'p0/e1/' || md5(account || n), 100 + n % 7, 1000000::bigint * n, convert_to('{\"hour\":\"\",\"lines\":5,\"bytes\":9}' || chr(10), 'UTF8')
         FROM (VALUES ('acme'), ('acme-2'), ('shop')) AS accounts (account), generate_series(0, 8759) AS n,
             LATERAL (SELECT timestamp '2025-01-01' + n * interval '1 hour') AS hours (at);
         INSERT INTO logdrain.files (p, name, content, len, written, about) VALUES
             (0, 'archives/of-somebody', '', 0, 0, ''), (0, 'archives/shop/else', '', 0, 0, ''), (0, 'logs/shop/1', '', 0, 0, '')",
    );
    let board = ground.looked();
    let first: Period = "2025-01-01-00".parse().unwrap();
    let last: Period = "2025-12-31-23".parse().unwrap();
    assert_eq!(board.accounts(), ["acme", "acme-2", "shop"].map(Box::from));
    assert_eq!(["acme", "acme-2", "shop"].map(|account| board.held(account).done), [last.end(); 3]);
    let all: u64 = (0..8_760).map(|n| 100 + n % 7).sum();
    for account in ["acme", "acme-2"] {
        board.add_up(account).unwrap();
        let held = board.held(account);
        assert_eq!((held.bytes, held.oldest), (all, Some(Archive { hour: first, bytes: 100, written: 0 })));
    }
    assert_eq!(board.bytes(), 2 * all);
    let listed = board.list("acme").unwrap();
    assert_eq!((listed.len(), listed[8_759].hour), (8_760, last));
    let day: Period = "2025-03-01".parse().unwrap();
    assert_eq!(
        board.hours("acme", day).unwrap().iter().map(|one| one.hour).collect::<Vec<_>>(),
        day.hours().collect::<Vec<_>>()
    );
    assert_eq!(board.hours("acme", last).unwrap().len(), 1);
    assert_eq!(board.list_from("acme", last.start()).unwrap().len(), 1);
    assert_eq!(board.list_from("acme", last.start() - 1).unwrap().len(), 2);
    let mut noted = 0;
    board
        .shelf()
        .unwrap()
        .books("acme", &listed[1..], &mut |index, _| {
            assert_eq!(index, noted);
            noted += 1;
        })
        .unwrap();
    assert_eq!(noted, 8_759);
    // Half of them are too old.
    let before = listed[4_000].hour.end() + 1;
    let steps = house.steps();
    assert_eq!(board.expire("acme", before).unwrap(), 4_001);
    let steps = house.steps() - steps;
    assert!(steps < 100, "{steps} steps");
    assert_eq!((board.held("acme").oldest, board.list("acme").unwrap().len()), (Some(listed[4_001]), 4_759));
    let left: u64 = listed[4_001..].iter().map(|one| one.bytes).sum();
    assert_eq!((board.held("acme").bytes, board.bytes()), (left, left + all));
    // For room some of the largest go; and then all of one.
    let steps = house.steps();
    let (bytes, copies) = (board.bytes(), &board as &dyn crate::logs::Copies);
    copies.make_room(50_000, &[], &|_| 0);
    assert!((50_000..50_110).contains(&(bytes - board.bytes())), "{} of {bytes}", board.bytes());
    assert!(board.list("acme-2").unwrap().len() < 8_760 && board.list("acme").unwrap().len() == 4_759);
    let steps = house.steps() - steps;
    assert!(steps < 100, "{steps} steps");
    assert_eq!(board.purge("acme", &Purge::of_all(u64::MAX >> 1)).unwrap(), 4_759 * 5);
    assert!(board.list("acme").unwrap().is_empty());
}
