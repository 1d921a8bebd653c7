//! Archives of a partition whose owner is another one in the middle of something.

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
use std::path::{Path, PathBuf};

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

/// All files below a folder.
fn files(dir: &Path) -> Vec<PathBuf> {
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

/// What stands in a file, as far as it can be unpacked.
fn text(path: &Path) -> String {
    let mut text = Vec::new();
    let _ = MultiGzDecoder::new(fs::File::open(path).unwrap()).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn purge(query: &str) -> Purge {
    Purge { query: query.to_owned(), upto: u64::MAX >> 1, ..Purge::default() }
}

fn file(place: &Path, start: i64) -> PathBuf {
    Folder::new(place).file("shop", hour(start))
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
    let dir = scratch("owner-wakes");
    let mut store = store(&dir, &[NINE], 20_000);
    let alone = Folder::new(&dir.join("alone"));
    assert!(matches!(write(&alone, &store.reader(), NINE, &mut || true), Ok(Outcome::Written { lines: 20_000, .. })));
    let purged = purge("\"77 of\"");
    let mut stopped = 0;
    for block in 0.. {
        let place = dir.join(format!("p{block}"));
        fs::create_dir(&place).unwrap();
        let (first, second) = (taken(&place, 3), Board::default());
        let asleep = first.shelf().unwrap();
        let (mut seen, reader) = (0, store.reader());
        let outcome = write(&*asleep, &reader, NINE, &mut || {
            if seen == block {
                second.take_over(&place, 4).unwrap();
                second.look().unwrap();
                write(&*second.shelf().unwrap(), &reader, NINE, &mut || true).unwrap();
                let own = file(&place, NINE);
                assert!(fs::read(&own).unwrap() == fs::read(alone.file("shop", hour(NINE))).unwrap(), "byte for byte");
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
        let left = files(&place);
        assert_eq!(left.len(), 2, "an archive and its books: {left:?}");
        assert!(left.iter().all(|path| !text(path).contains("77 of")), "it is purged");
        assert_eq!(text(&file(&place, NINE)).lines().count(), 19_800);
        stopped += 1;
    }
    assert!(stopped > 2, "{stopped} blocks");
    store.flush().unwrap();
}

#[test]
fn whoever_takes_over_knows_which_hours_are_done_and_goes_on_behind_them() {
    let dir = scratch("owner-next");
    let store = store(&dir, &[NINE, NINE + HOUR], 50);
    let first = taken(&dir, 1);
    // Until it is known which lines wait for their archive, none may go.
    assert_eq!(first.waits_from("shop"), Some(EventId::new(0)));
    write(&*first.shelf().unwrap(), &store.reader(), NINE, &mut || true).unwrap();
    // Killed in the middle of the next one.
    std::mem::forget(first.shelf().unwrap().begin("shop", hour(NINE + HOUR)).unwrap());
    let second = taken(&dir, 2);
    second.look().unwrap();
    assert_eq!(second.held("shop").done, NINE + HOUR);
    assert_eq!(second.list("shop").unwrap().len(), 1);
    assert_eq!(files(&dir.join("archiving")), [""; 0].map(PathBuf::from), "what was half is gone");
    second.clear();
    assert!(second.list("shop").is_err() && second.hours("shop", hour(NINE)).is_err());
    assert_eq!(second.held("shop").done, 0);
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
