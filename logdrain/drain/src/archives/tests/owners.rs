//! Archives of a partition whose owner is another one in the middle of something.

use super::ground::{Ground, packed};
use super::{HOUR, NINE, Others, fill, hour, scratch};
use crate::archives::board::Board;
use crate::archives::folder::Folder;
use crate::archives::hour::{Hour, Outcome};
use crate::archives::shelf::Shelf;
use crate::archives::sources::Sources as _;
use crate::settings::purge::Purge;
use flate2::read::MultiGzDecoder;
use log_store::{EventId, Options, Reader, Store};
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;

fn store(dir: &Path, hours: &[i64], lines: u64) -> Store {
    let mut store = Store::open(dir.join("logs"), Options::new()).unwrap();
    fill(&mut store, "shop", hours, lines);
    store
}

fn write(shelf: &dyn Shelf, reader: &Reader, start: i64, go_on: &mut dyn FnMut() -> bool) -> io::Result<Outcome> {
    let asked = Hour {
        reader,
        account: "shop",
        hour: hour(start),
        system: &|account, system| Others.system(account, system),
        counted: None,
        damaged_files: 0,
        waits: true,
        go_on,
    };
    hour::write(shelf, asked)
}

/// What stands in an hour, as far as it can be unpacked.
fn text(shelf: &Arc<dyn Shelf>, start: i64) -> String {
    let mut text = Vec::new();
    let _ = MultiGzDecoder::new(&packed(shelf, "shop", hour(start))[..]).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn purge(query: &str) -> Purge {
    Purge { query: query.to_owned(), upto: u64::MAX >> 1, ..Purge::default() }
}

fn taken(place: &Path, epoch: i64) -> Board {
    let board = Board::default();
    board.take_over(place, epoch).unwrap();
    board
}

/// It is stopped before each block of an hour in turn, and behind the last; while it sleeps another one takes over, writes the
/// hour, and purges a line of it.
#[test]
fn an_owner_who_wakes_up_in_the_middle_of_an_hour_brings_nothing_back() {
    Ground::each("owner-wakes", |ground| {
        let mut store = store(&ground.dir, &[NINE], 20_000);
        let alone = Folder::new(&ground.dir.join("alone"));
        assert!(matches!(
            write(&alone, &store.reader(), NINE, &mut || true),
            Ok(Outcome::Written { lines: 20_000, .. })
        ));
        let (purged, mut stopped) = (purge("\"77 of\""), 0);
        for block in 0.. {
            let (first, second) = (ground.take(), Board::default());
            let asleep = first.shelf().unwrap();
            let (mut seen, reader) = (0, store.reader());
            let outcome = write(&*asleep, &reader, NINE, &mut || {
                if seen == block {
                    ground.take_with(&second);
                    second.look().unwrap();
                    let shelf = second.shelf().unwrap();
                    write(&*shelf, &reader, NINE, &mut || true).unwrap();
                    let own = packed(&shelf, "shop", hour(NINE));
                    assert!(own == fs::read(alone.file("shop", hour(NINE))).unwrap(), "byte for byte");
                    assert_eq!(second.purge("shop", &purged).unwrap(), 200);
                }
                seen += 1;
                true
            });
            if seen <= block {
                assert!(outcome.is_ok());
                break;
            }
            assert!(outcome.is_err(), "{outcome:?}");
            // Nor does it take anything away, or purge it.
            first.look().unwrap_err();
            assert!(first.purge("shop", &purge("line")).is_err());
            assert!(asleep.remove("shop", &[hour(NINE)]).is_err());
            let archive = second.list("shop").unwrap()[0];
            assert!(asleep.put_mark("shop", archive, b"{}").is_err());
            assert_eq!(ground.count(), 1);
            let text = text(&second.shelf().unwrap(), NINE);
            assert!(!text.contains("77 of"), "it is purged");
            assert_eq!(text.lines().count(), 19_800);
            second.purge("shop", &Purge::of_all(u64::MAX >> 1)).unwrap();
            assert_eq!(ground.count(), 0);
            stopped += 1;
        }
        assert!(stopped > 2, "{stopped} blocks");
        store.flush().unwrap();
    });
}

#[test]
fn whoever_takes_over_knows_which_hours_are_done_and_goes_on_behind_them() {
    Ground::each("owner-next", |ground| {
        let store = store(&ground.dir, &[NINE, NINE + HOUR], 50);
        let first = ground.take();
        // Until it is known which lines wait for their archive, none may go.
        assert_eq!(first.waits_from("shop"), Some(EventId::new(0)));
        write(&*first.shelf().unwrap(), &store.reader(), NINE, &mut || true).unwrap();
        let found = first.list("shop").unwrap();
        // Killed in the middle of the next one.
        std::mem::forget(first.shelf().unwrap().begin("shop", hour(NINE + HOUR)).unwrap());
        let second = ground.looked();
        assert_eq!(second.held("shop").done, NINE + HOUR);
        assert_eq!(second.list("shop").unwrap(), found, "and its tag with it");
        assert_eq!(ground.count(), 1, "what was half is gone");
        second.clear();
        assert!(second.list("shop").is_err() && second.hours("shop", hour(NINE)).is_err());
        assert_eq!(second.held("shop").done, 0);
    });
}

#[test]
fn while_the_place_is_away_nothing_seems_to_be_empty_or_purged_and_nothing_is_made() {
    let dir = scratch("owner-away");
    let place = dir.join("p0");
    fs::create_dir(&place).unwrap();
    let store = store(&dir, &[NINE], 50);
    let board = taken(&place, 1);
    let shelf = board.shelf().unwrap();
    write(&*shelf, &store.reader(), NINE, &mut || true).unwrap();
    fs::rename(&place, dir.join("elsewhere")).unwrap();
    // Where it was mounted on.
    fs::create_dir(&place).unwrap();
    assert!(board.look().is_err() && board.list("shop").is_err() && board.list_from("shop", 0).is_err());
    assert!(board.purge("shop", &purge("line")).is_err());
    assert!(shelf.remove("shop", &[hour(NINE)]).is_err());
    assert!(write(&*shelf, &store.reader(), NINE, &mut || true).is_err());
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "something was begun anew");
    fs::remove_dir(&place).unwrap();
    fs::rename(dir.join("elsewhere"), &place).unwrap();
    assert_eq!(board.list("shop").unwrap().len(), 1);
    assert_eq!(board.purge("shop", &purge("line")).unwrap(), 50);
}
