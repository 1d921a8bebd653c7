//! Hours from what is kept to their files: when, what, how often, and what goes.

#[cfg(all(feature = "s3", feature = "postgres"))]
mod bucket;
mod ground;
mod owners;

use super::board::Board;
use super::books::{Books, Counted};
use super::closing;
use super::folder::Folder;
use super::hour::{self, Hour, Outcome};
use super::packer::LEVEL;
use super::sources::Sources;
use super::writer::Writer;
use crate::clock::steady;
use crate::journal::Progress;
use crate::logs::{self, Copies as _, Shown};
use crate::settings::purge::Purge;
use flate2::read::MultiGzDecoder;
use ground::Ground;
use heroku_metrics::model::Timestamp;
use log_archive::{Period, facility_number, severity_number};
use log_store::{Event, EventId, Options, Page, Query, Scope, Store};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const HOUR: i64 = 3_600_000_000;
/// 2026-03-14, 09:00.
const NINE: i64 = 1_773_478_800_000_000;

fn scratch(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("logdrain-archives-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

fn hour(micros: i64) -> Period {
    Period::hour_of(micros)
}

/// A store with so many lines of an account in each of some hours, some in files and some in memory.
fn store(dir: &Path, account: &str, hours: &[i64], lines: u64) -> Store {
    let mut store = Store::open(dir.join("logs"), Options::new()).unwrap();
    fill(&mut store, account, hours, lines);
    store
}

fn fill(store: &mut Store, account: &str, hours: &[i64], lines: u64) {
    for start in hours {
        for line in 0..lines {
            // From the first millisecond of the hour to its last.
            let at = (HOUR / 1_000 - 1) * i64::try_from(line).unwrap() / i64::try_from((lines - 1).max(1)).unwrap();
            let at = start + at * 1_000;
            let text = format!("line\t{line} of {start}");
            let event = Event::new(EventId::at(at), account, text.as_bytes())
                .with_system(b"shop")
                .with_program(b"app/web.1")
                .with_severity(6)
                .with_facility(23)
                .with_source_ip([192, 0, 2, 7].into())
                .with_generated(at - 1_234);
            store.append(&event).unwrap();
            store.publish(event.id());
        }
        store.flush().unwrap();
    }
}

/// The ids of an archive; each stands there once, in order, and the rows say what was kept.
fn ids(board: &Board, account: &str, hour: Period) -> Vec<u64> {
    let file = board.shelf().unwrap().open(account, hour).unwrap();
    let mut reader = log_archive::Reader::new(BufReader::new(MultiGzDecoder::new(file)));
    let mut ids = Vec::new();
    while let Some(row) = reader.read().unwrap() {
        assert_eq!((row.source_id(), row.source_name(), row.source_ip()), (7, &b"shop"[..], &b"192.0.2.7"[..]));
        assert_eq!((severity_number(row.severity_name()), facility_number(row.facility_name())), (Some(6), Some(23)));
        assert_eq!((row.program(), row.generated_at()), (&b"app/web.1"[..], row.received_at() - 1_234));
        assert!(row.message().starts_with(b"line "));
        ids.push(row.id());
    }
    assert!(ids.is_sorted() && ids.iter().collect::<BTreeSet<_>>().len() == ids.len());
    assert!(!reader.counts().is_cut());
    ids
}

/// The ids that are kept of an hour.
fn kept(store: &Store, account: &str, hour: Period) -> Vec<u64> {
    let page = Page::new()
        .with_after(EventId::new(EventId::at(hour.start()).get() - 1))
        .with_before(EventId::at(hour.end()))
        .with_limit(1 << 20)
        .with_bytes(1 << 30);
    let found = store.reader().view(&Scope::account(account)).search(&Query::default(), &page, &mut || true);
    found.events().iter().map(|event| event.id().get()).collect()
}

fn books(board: &Board, account: &str, hour: Period) -> Books {
    ground::books(&board.shelf().unwrap(), account, hour)
}

#[derive(Debug)]
struct Others;

impl Sources for Others {
    fn kept_for(&self, account: &str) -> Option<Duration> {
        (account != "quiet").then_some(Duration::from_secs(30 * 86_400))
    }

    fn goes_from(&self, _: &str) -> i64 {
        0
    }

    fn system(&self, _: &str, _: &[u8]) -> Option<u64> {
        Some(7)
    }

    fn counted(&self, _: &str, _: i64) -> Option<Counted> {
        Some(Counted { events: 12, kept: 11, no_room: 1, ..Counted::default() })
    }
}

/// A thread that writes archives of a store, in a time that the test makes.
struct Running {
    board: Board,
    logs: logs::Board,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Running {
    fn start(board: Board, store: &Store, now: i64) -> Self {
        board.look().unwrap();
        let (logs, progress, stop) = (logs::Board::default(), Arc::<Progress>::default(), Arc::<AtomicBool>::default());
        logs.open(store.reader());
        let (shown, time, asked) = (logs.clone(), progress.clone(), stop.clone());
        let mut running = Self { board: board.clone(), logs: shown, progress: time, stop: asked, thread: None };
        running.it_is(now, false);
        let closing = Box::new(closing::Own::new(progress.clone()));
        let writer = Writer { board, logs, progress, stop, sources: Box::new(Others), closing };
        running.thread = Some(std::thread::spawn(move || writer.run()));
        running
    }

    fn it_is(&self, now: i64, in_doubt: bool) {
        self.progress.time.tell(Timestamp::from_unix_micros(now), steady(), now, in_doubt);
    }

    fn wait_for(&self, written: u64) {
        let began = Instant::now();
        while self.board.shown().written < written {
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", self.board.shown());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

#[test]
fn each_hour_that_is_over_is_written_once_and_no_other() {
    Ground::each("hours", |ground| {
        let mut store = store(&ground.dir, "shop", &[NINE - 5 * HOUR, NINE - HOUR, NINE], 11);
        fill(&mut store, "quiet", &[NINE + HOUR], 3);
        // In doubt, nothing is over.
        let running = Running::start(ground.take(), &store, NINE + HOUR + 60_000_000);
        running.it_is(NINE + 2 * HOUR, true);
        std::thread::sleep(Duration::from_millis(600));
        assert_eq!(running.board.list("shop").unwrap(), []);
        // A minute past ten the hour from nine on is not written yet, those before it are.
        running.it_is(NINE + HOUR + 60_000_000, false);
        running.wait_for(2);
        std::thread::sleep(Duration::from_millis(2_500));
        let listed =
            |account| running.board.list(account).unwrap().iter().map(|archive| archive.hour).collect::<Vec<_>>();
        assert_eq!(listed("shop"), [hour(NINE - 5 * HOUR), hour(NINE - HOUR)]);
        // All that lies below is closed for ids.
        assert!(running.progress.taken_id.load(Ordering::Acquire) >= EventId::at(NINE).get() - 1);
        assert_eq!(running.board.waits_from("shop"), Some(EventId::at(NINE)));
        // The journal is ahead of what is kept: there may be more lines of that hour.
        running.progress.head.store(3, Ordering::Release);
        running.it_is(NINE + HOUR + 121_000_000, false);
        std::thread::sleep(Duration::from_millis(3_500));
        assert_eq!(listed("shop").len(), 2);
        running.logs.show(Shown { position: 3, ..Shown::default() });
        running.wait_for(3);
        for start in [NINE - 5 * HOUR, NINE - HOUR, NINE] {
            let hour = hour(start);
            assert_eq!(ids(&running.board, "shop", hour), kept(&store, "shop", hour));
            let books = books(&running.board, "shop", hour);
            assert_eq!((books.lines, books.missing()), (11, Some(1)));
        }
        // Nobody asked for those.
        assert_eq!(listed("quiet"), []);
        assert_eq!(running.board.waits_from("quiet"), None);
        let shown = running.board.shown();
        assert_eq!((shown.written, shown.lines, shown.trouble), (3, 33, None));
        let bytes: u64 = running.board.list("shop").unwrap().iter().map(|archive| archive.bytes).sum();
        assert_eq!(running.board.bytes(), bytes);
        drop(running);
        // Nothing is left beside, and the next start knows what is done.
        assert_eq!(ground.looked().taken_id(), EventId::at(NINE + HOUR).get() - 1);
        assert_eq!(ground.count(), 3);
    });
}

fn files(dir: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![dir.join("archives")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push(entry.file_name().into_string().unwrap()),
            }
        }
    }
    files
}

#[test]
fn an_hour_that_is_broken_off_leaves_nothing_and_is_written_whole_then() {
    Ground::each("broken-off", |ground| {
        let store = store(&ground.dir, "shop", &[NINE], 20_000);
        let (reader, board) = (store.reader(), ground.take());
        let write = |board: &Board, go_on: &mut dyn FnMut() -> bool| {
            let asked = Hour {
                reader: &reader,
                account: "shop",
                hour: hour(NINE),
                system: &|_, _| Some(7),
                counted: None,
                damaged_files: 0,
                waits: true,
                go_on,
            };
            hour::write(&*board.shelf().unwrap(), asked).unwrap()
        };
        let mut pages = 0;
        let outcome = write(&board, &mut || {
            pages += 1;
            pages < 3
        });
        assert!(matches!(outcome, Outcome::Stopped));
        assert_eq!(ground.count(), 0);
        // What a kill leaves is swept at the next start.
        std::mem::forget(board.shelf().unwrap().begin("shop", hour(NINE)).unwrap());
        let board = ground.looked();
        assert_eq!((ground.count(), board.taken_id()), (0, 0));
        assert!(matches!(write(&board, &mut || true), Outcome::Written { lines: 20_000, .. }));
        assert_eq!(ids(&board, "shop", hour(NINE)), kept(&store, "shop", hour(NINE)));
        let whole = ground::packed(&board.shelf().unwrap(), "shop", hour(NINE));
        // Again it is the same file, byte for byte.
        write(&board, &mut || true);
        assert!(ground::packed(&board.shelf().unwrap(), "shop", hour(NINE)) == whole);
        assert_eq!((ground.count(), books(&board, "shop", hour(NINE)).missing()), (1, None));
    });
}

#[test]
fn what_a_single_server_left_unfinished_is_swept_when_it_starts() {
    let dir = scratch("unfinished");
    let folder = Folder::new(&dir);
    folder.make_day("shop", hour(NINE)).unwrap();
    let rest = folder.file("shop", hour(NINE)).with_file_name("2026-03-14-09.tsv.gz.unfinished");
    fs::write(&rest, "half").unwrap();
    Board::new(&dir).look().unwrap();
    assert_eq!(files(&dir), [""; 0]);
}

/// The name of an account is a file of somebody else's, and so is that of a day.
#[test]
fn what_is_in_the_way_of_one_account_holds_up_no_other() {
    let dir = scratch("in-the-way");
    let mut store = store(&dir, "acme", &[NINE], 11);
    fill(&mut store, "shop", &[NINE + HOUR, NINE + 2 * HOUR], 11);
    fs::create_dir_all(dir.join("archives/shop")).unwrap();
    fs::write(dir.join("archives/acme"), "of somebody").unwrap();
    fs::write(dir.join("archives/shop/dt=2026-03-13"), "of somebody").unwrap();
    let running = Running::start(Board::new(&dir), &store, NINE + 4 * HOUR);
    running.wait_for(2);
    assert_eq!(running.board.list("shop").unwrap().len(), 2);
    assert!(running.board.shown().trouble.is_some_and(|why| why.contains("acme")), "{:?}", running.board.shown());
    // It is put away.
    fs::remove_file(dir.join("archives/acme")).unwrap();
    running.wait_for(3);
    assert_eq!(ids(&running.board, "acme", hour(NINE)), kept(&store, "acme", hour(NINE)));
}

#[test]
fn nothing_is_left_of_an_account_that_is_destroyed_also_where_an_hour_was_half_removed() {
    let dir = scratch("destroyed");
    let store = store(&dir, "shop", &[NINE, NINE + HOUR], 11);
    let running = Running::start(Board::new(&dir), &store, NINE + 3 * HOUR);
    running.wait_for(2);
    let folder = Folder::new(&dir);
    // Killed between the archive and what stands beside it, when that came or went.
    for start in [NINE - 30 * HOUR, NINE - HOUR] {
        folder.make_day("shop", hour(start)).unwrap();
        fs::write(folder.books_of("shop", hour(start)), "{}").unwrap();
        fs::write(folder.uploaded("shop", hour(start)), "{}").unwrap();
    }
    // One hour is behind it.
    let upto = EventId::at(NINE + HOUR).get() - 1;
    assert_eq!(running.board.purge("shop", &Purge::of_all(upto)).unwrap(), 11);
    assert_eq!(files(&dir).len(), 2, "{:?}", files(&dir));
    assert_eq!(running.board.purge("shop", &Purge::of_all(u64::MAX >> 1)).unwrap(), 11);
    assert_eq!(fs::read_dir(dir.join("archives")).unwrap().count(), 0, "not even its name");
}

#[test]
fn what_cannot_be_read_is_told_in_the_books() {
    let dir = scratch("damaged");
    drop(store(&dir, "shop", &[NINE], 20_000));
    let segment = {
        let mut folders = vec![dir.join("logs")];
        let mut found = None;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|kind| kind == "seg") {
                    found = Some(path);
                }
            }
        }
        found.unwrap()
    };
    let mut bytes = fs::read(&segment).unwrap();
    bytes[4_000] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let store = Store::open(dir.join("logs"), Options::new()).unwrap();
    let running = Running::start(Board::new(&dir), &store, NINE + 2 * HOUR);
    running.wait_for(1);
    let books = books(&running.board, "shop", hour(NINE));
    assert!(books.damaged_blocks > 0 && books.lines < 20_000 && books.lines > 0, "{books:?}");
    assert!(books.missing().is_some_and(|missing| missing > 0), "{books:?}");
}

#[test]
fn archives_go_when_they_are_too_old_and_the_oldest_when_there_is_no_room() {
    Ground::each("go", |ground| {
        let store = store(&ground.dir, "shop", &[NINE - 40 * 24 * HOUR, NINE - 2 * HOUR, NINE - HOUR, NINE], 50);
        let running = Running::start(ground.take(), &store, NINE + 2 * HOUR);
        running.wait_for(4);
        let board = running.board.clone();
        let listed = || board.list("shop").unwrap().iter().map(|archive| archive.hour).collect::<Vec<_>>();
        // Nothing is deleted on a clock that has not been believed for long, then what is older than 30 days.
        assert_eq!(listed().len(), 4);
        drop(running);
        let running = Running::start(ground.take(), &store, NINE + 2 * HOUR);
        running.progress.time.trust(true);
        let began = Instant::now();
        while running.board.shown().expired < 1 && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(running);
        let board = ground.looked();
        board.add_up("shop").unwrap();
        let listed = || board.list("shop").unwrap().iter().map(|archive| archive.hour).collect::<Vec<_>>();
        assert_eq!(listed(), [NINE - 2 * HOUR, NINE - HOUR, NINE].map(hour));
        // Its lines are as old as its archives: it is the lines' turn.
        board.make_room(1, &store.accounts(), &|_| 0);
        assert_eq!(listed().len(), 3);
        // Without lines that old the oldest goes, for as much as is asked.
        let mut store = store;
        store.expire("shop", EventId::at(NINE));
        board.make_room(1, &store.accounts(), &|_| 0);
        assert_eq!(listed(), [NINE - HOUR, NINE].map(hour));
        // Within its share an account loses nothing.
        board.make_room(1, &store.accounts(), &|_| 1 << 30);
        assert_eq!(listed().len(), 2);
        board.make_room(u64::MAX, &store.accounts(), &|_| 0);
        assert_eq!(listed(), [hour(NINE)]);
        let bytes: u64 = board.list("shop").unwrap().iter().map(|archive| archive.bytes).sum();
        assert_eq!(board.bytes(), bytes);
        // Of those that went, all went.
        assert_eq!(ground.count(), 1);
    });
}

#[test]
fn a_gzip_of_another_program_reads_it() {
    let dir = scratch("gzip");
    let store = store(&dir, "shop", &[NINE], 3);
    let asked = Hour {
        reader: &store.reader(),
        account: "shop",
        hour: hour(NINE),
        system: &|_, _| Some(7),
        counted: None,
        damaged_files: 0,
        waits: true,
        go_on: &mut || true,
    };
    hour::write(&Folder::new(&dir), asked).unwrap();
    let output = std::process::Command::new("gzip").arg("-cd").arg(Folder::new(&dir).file("shop", hour(NINE))).output();
    let mut text = String::new();
    let file = File::open(Folder::new(&dir).file("shop", hour(NINE))).unwrap();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    assert!(text.ends_with("\tLocal7\tInfo\tapp/web.1\tline 2 of 1773478800000000\n"), "{text}");
    if let Ok(output) = output {
        assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
    }
}

#[test]
fn lines_that_are_purged_go_out_of_their_hours_and_nothing_else_does() {
    Ground::each("purge", |ground| {
        let store = store(&ground.dir, "shop", &[NINE, NINE + HOUR], 11);
        let running = Running::start(ground.take(), &store, NINE + 3 * HOUR);
        running.wait_for(2);
        let hours = [hour(NINE), hour(NINE + HOUR)];
        let (before, missing) =
            (hours.map(|hour| ids(&running.board, "shop", hour)), books(&running.board, "shop", hours[0]).missing());
        let purge = |query: String| Purge { query, upto: u64::MAX >> 1, ..Purge::default() };
        let copies: &dyn logs::Copies = &running.board;
        let one = purge(format!("\"3 of\" {NINE}"));
        assert_eq!(copies.purge("other", &one).unwrap(), 0);
        assert_eq!(copies.purge("shop", &one).unwrap(), 1);
        assert_eq!(copies.purge("shop", &one).unwrap(), 0, "once");
        let left: Vec<u64> = before[0].iter().enumerate().filter(|(at, _)| *at != 3).map(|(_, id)| *id).collect();
        assert_eq!(hours.map(|hour| ids(&running.board, "shop", hour)), [left, before[1].clone()]);
        let after = books(&running.board, "shop", hours[0]);
        assert_eq!((after.lines, after.purged, after.missing()), (10, 1, missing), "it is not missing");
        // All of an hour, by its time: the hour stays done.
        let all = Purge { from: Some(NINE + HOUR), ..purge(String::new()) };
        assert_eq!(copies.purge("shop", &all).unwrap(), 11);
        assert!(ids(&running.board, "shop", hours[1]).is_empty());
        assert_eq!(running.board.list("shop").unwrap().len(), 2);
        drop(running);
    });
}

/// The lines of all accounts stand behind a purge: it ends, whatever is on the disk.
#[test]
fn a_damaged_hour_is_left_by_a_purge_and_holds_nothing_up() {
    Ground::each("purge-damaged", |ground| {
        let store = store(&ground.dir, "shop", &[NINE, NINE + HOUR, NINE + 2 * HOUR], 2_000);
        let running = Running::start(ground.take(), &store, NINE + 5 * HOUR);
        running.wait_for(3);
        drop(running);
        ground.damage("shop", hour(NINE), |bytes| {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
        });
        ground.damage("shop", hour(NINE + HOUR), |bytes| bytes.truncate(bytes.len() - 20));
        let lying = || [NINE, NINE + HOUR].map(|start| ground.lying("shop", hour(start)));
        let (before, board) = (lying(), ground.take_cold());
        let copies: &dyn logs::Copies = &board;
        let purge = Purge { query: "\"7 of\"".to_owned(), upto: u64::MAX >> 1, ..Purge::default() };
        let wanted = (0..2_000).filter(|n| n % 10 == 7).count() as u64;
        assert_eq!(copies.purge("shop", &purge).unwrap(), wanted);
        assert!(lying() == before);
        assert_eq!(books(&board, "shop", hour(NINE + 2 * HOUR)).purged, wanted);
        // When the account goes, they go, too.
        assert!(copies.purge("shop", &Purge::of_all(u64::MAX >> 1)).unwrap() > 0);
        assert!(board.list("shop").unwrap().is_empty());
        assert_eq!(ground.count(), 0);
    });
}

/// `LOGDRAIN_FIGURES=LINES cargo test --profile dist -p logdrain-drain archives::tests::figure -- --nocapture`: an hour of so
/// many lines, beside gzip of the same rows at that level alone. Without it there is nothing to run.
#[test]
fn figure_of_an_hour_beside_gzip_alone() {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;
    let Ok(count) = std::env::var("LOGDRAIN_FIGURES") else { return };
    let count: i64 = count.parse().unwrap();
    let dir = scratch("figure");
    let mut store = Store::open(dir.join("logs"), Options::new()).unwrap();
    for line in 0..count {
        let text = format!(
            "at=info method=GET path=\"/cart/{line}\" host=shop.example.com request_id={:016x} fwd=\"192.0.2.{}\" dyno=web.{} \
             connect=1ms service={}ms status=200 bytes={}",
            line.wrapping_mul(0x1e37_79b9_7f4a_7c15),
            line % 251,
            line % 9,
            line % 997,
            line % 40_009
        );
        let at = NINE + line * (HOUR / 1_000 / count.max(1) + 1) * 1_000 % HOUR;
        let event = Event::new(EventId::new(EventId::at(NINE).get() + (line as u64) * 256), "default", text.as_bytes())
            .with_system(b"shop")
            .with_program(b"heroku/router")
            .with_generated(at);
        store.append(&event).unwrap();
    }
    store.flush().unwrap();
    store.publish(EventId::new(EventId::at(NINE).get() + count as u64 * 256));
    let reader = store.reader();
    let folder = Folder::new(&dir);
    let best = |work: &mut dyn FnMut()| {
        let times = (0..5).map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        });
        times.min().unwrap()
    };
    let writing = best(&mut || {
        let asked = Hour {
            reader: &reader,
            account: "default",
            hour: hour(NINE),
            system: &|_, _| Some(7),
            counted: None,
            damaged_files: 0,
            waits: true,
            go_on: &mut || true,
        };
        assert!(matches!(hour::write(&folder, asked), Ok(Outcome::Written { .. })));
    });
    let mut rows = Vec::new();
    let file = File::open(folder.file("default", hour(NINE))).unwrap();
    MultiGzDecoder::new(file).read_to_end(&mut rows).unwrap();
    let alone = best(&mut || {
        let file = File::create(dir.join("alone.gz")).unwrap();
        let mut zip = GzEncoder::new(std::io::BufWriter::with_capacity(128 << 10, file), Compression::new(LEVEL));
        zip.write_all(&rows).unwrap();
        zip.finish().unwrap().into_inner().unwrap().sync_all().unwrap();
    });
    let ratio = writing.as_secs_f64() / alone.as_secs_f64();
    println!(
        "{count} lines, {} MB of rows: {writing:?} for the archive, {alone:?} for gzip alone: {ratio:.2}",
        rows.len() >> 20
    );
    fs::remove_dir_all(dir).unwrap();
    assert!(ratio <= 1.3, "{ratio:.2}");
}
