//! Writer, journal and pipelines with clocks that a test sets: what comes out of a clock that jumps, whatever keeps the journal.

mod memory;
#[cfg(feature = "s3")]
mod objects;
mod partitions;
mod segments;
#[cfg(all(unix, feature = "postgres"))]
mod sharing;
mod snapshot_place;
mod spooling;

use self::memory::{Bytes, Memory};
use super::*;
use crate::alerts::outbox::Outbox;
use crate::clock::{Clocks, Last, Reading};
use crate::counting::Pipelines;
use crate::counting::board::Board;
use crate::counting::snapshot;
use crate::counting::{Consumer, Settling};
use crate::event::Body;
use crate::event::{Entry, Event};
use crate::logs;
use crate::minutes::{Gather, Keeping, Minutes};
use crate::outlets::{JsonLines, Outlet, Row, Shared, Stopped};
use crate::parts::Part;
use crate::settings::DrainLimits;
use crate::watching::{MinuteRules, Owed};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::mpsc::SyncSender;
use std::sync::{Mutex, mpsc};
use std::thread::JoinHandle;

/// In seconds; the beginning of a minute.
const NOON: i64 = 1_800_000_000;
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const TWO_YEARS: i64 = 730 * DAY;

pub(super) fn settings() -> Settings {
    Settings {
        apps: BTreeMap::new(),
        accounts: BTreeMap::new(),
        next_id: 0,
        window_ms: 60_000,
        lateness_ms: 60_000,
        horizon_ms: 3_600_000,
        extended: false,
        websockets: true,
        reading: logdrain_terms::reading::Reading::default(),
        limits: DrainLimits::within(32 << 20).unwrap(),
        drains: BTreeMap::new(),
    }
}

/// The last revision of each row: (drain, start of the window, name) -> sum.
type Sums = BTreeMap<(String, i64, String), f64>;

#[derive(Clone, Default)]
struct Collected(Arc<Mutex<Sums>>);

impl Outlet for Collected {
    fn write(&mut self, row: &Row<'_>) -> Result<(), Stopped> {
        let (point, drain) = (row.point, row.drain.to_owned());
        let key = (drain, point.window().start().unix_seconds(), point.name().to_owned());
        self.0.lock().unwrap().insert(key, point.stats().sum());
        Ok(())
    }

    fn commit(&mut self) -> Result<bool, Stopped> {
        Ok(true)
    }
}

struct Running {
    queue: SyncSender<Message>,
    writer: JoinHandle<Result<(), Halt>>,
    consumer: JoinHandle<Result<(), Stopped>>,
    keeper: Option<JoinHandle<()>>,
}

/// What keeps the journal.
enum KeptIn {
    File,
    Memory(Memory),
    /// A database of its own, which has one partition.
    #[cfg(all(unix, feature = "postgres"))]
    Postgres(testkit::postgres::Postgres),
}

impl KeptIn {
    /// Where there is a PostgreSQL, all tests are of it: of the file they are without.
    fn usual() -> Self {
        #[cfg(all(unix, feature = "postgres"))]
        if let Some(postgres) = testkit::postgres::Postgres::start() {
            return Self::Postgres(postgres);
        }
        Self::File
    }
}

/// A server without sockets.
struct Trial {
    dir: PathBuf,
    kept_in: KeptIn,
    snapshots: Named,
    wall: Arc<AtomicI64>,
    steady: Arc<AtomicI64>,
    rows: Collected,
    /// (drain, window) -> what must come out.
    expected: Sums,
    running: Option<Running>,
    progress: Arc<Progress>,
    part: Part,
    /// Where rows go, if lines are kept, too.
    out: Option<Shared<JsonLines>>,
    lines: logs::Board,
    /// How its journal does, if it is told to.
    mood: Option<spooling::Mood>,
    has_spool: bool,
}

impl Trial {
    fn new(name: &str) -> Self {
        Self::on(name, KeptIn::usual())
    }

    fn on(name: &str, kept_in: KeptIn) -> Self {
        let mut trial = Self::made(name, kept_in);
        trial.start();
        trial
    }

    /// One that does not run yet.
    fn made(name: &str, kept_in: KeptIn) -> Self {
        let dir = std::env::temp_dir().join(format!("logdrain-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("snapshots")).unwrap();
        let snapshots = match &kept_in {
            KeptIn::Memory(_) => Named::new(Arc::new(Bytes::default())),
            _ => Named::in_folder(&dir.join("snapshots")),
        };
        Self {
            dir,
            kept_in,
            snapshots,
            wall: Arc::new(AtomicI64::new(NOON * 1_000_000)),
            steady: Arc::default(),
            rows: Collected::default(),
            expected: Sums::new(),
            running: None,
            progress: Arc::default(),
            part: Part::WHOLE,
            out: None,
            lines: logs::Board::default(),
            mood: None,
            has_spool: false,
        }
    }

    fn snapshot(&self) -> Option<Pipelines> {
        let newest = self.snapshots.positions().unwrap().into_iter().next()?;
        Some(snapshot::read(&self.snapshots, newest).unwrap())
    }

    fn start(&mut self) {
        let (store, reader) = (self.writing(), self.reading());
        let emitted = store.emitted().unwrap();
        let pipelines = self.snapshot().unwrap_or_else(|| Pipelines::new(settings()));
        let (wall, steady) = (self.wall.clone(), self.steady.clone());
        let clocks =
            Clocks::new(move || Reading { wall: wall.load(Ordering::SeqCst), steady: steady.load(Ordering::SeqCst) });
        let time = Timekeeper::new(clocks, &settings(), reader.last_time().unwrap(), pipelines.time(), false);
        let (queue, messages) = mpsc::sync_channel(64);
        let (commits, entries) = mpsc::sync_channel(2);
        self.progress = Arc::default();
        self.progress.head.store(store.position(), Ordering::SeqCst);
        let (lines, keeper) = if self.out.is_some() { self.keeper() } else { (None, None) };
        let desk = Desk {
            dir: self.dir.clone(),
            queue: messages,
            pipelines: commits,
            logs: lines,
            progress: self.progress.clone(),
            counters: Arc::default(),
            retention: Duration::ZERO,
            group_bytes: 1 << 20,
            time,
            publish: Publish::to(|_| {}),
            erase: Erase::by(|_, _, _, _| None),
            owed: None,
        };
        let spool = self.has_spool.then(|| spooling::spool(&self.dir));
        let writer = Writer { store, spool, desk };
        let stands = (pipelines.position(), pipelines.settings());
        let owed = Owed::new(Outbox::new(&self.dir));
        let rules = MinuteRules::open(&self.dir, owed, stands, u64::MAX, |_, drain| drain.into());
        let consumer = Consumer {
            rules,
            pipelines,
            rows: (self.rows.clone(), self.out.clone()),
            minutes: Gather::nothing(),
            kept: Minutes::new(&self.dir, Keeping::by(|| Arc::new(settings())), 4 << 30),
            board: Board::default(),
            entries,
            reader,
            snapshots: Box::new(self.snapshots.clone()),
            dir: self.dir.clone(),
            snapshot_every: Duration::from_secs(3_600),
            progress: self.progress.clone(),
            counters: Arc::default(),
            ready: Arc::default(),
            stop: Arc::default(),
            emitted,
            settling: Settling::default(),
            doubts: Doubts::default(),
            asked: None,
        };
        let writer = std::thread::spawn(move || writer.run());
        let consumer = std::thread::spawn(move || consumer.run());
        let keeper = keeper.map(|keeper| std::thread::spawn(move || keeper.run()));
        self.running = Some(Running { queue, writer, consumer, keeper });
    }

    fn writing(&self) -> Box<dyn Partition> {
        match &self.kept_in {
            KeptIn::Memory(memory) => spooling::moody(memory.writing(self.part), self.mood.as_ref()),
            KeptIn::File => Box::new(Store::open_part(self.part, &self.dir, 16, None).unwrap()),
            #[cfg(all(unix, feature = "postgres"))]
            KeptIn::Postgres(postgres) => {
                let address = Address::parse(&postgres.url(), None).unwrap();
                open_database(&address, &self.dir, 16).unwrap().0
            }
        }
    }

    fn reading(&self) -> Box<dyn Events> {
        match &self.kept_in {
            KeptIn::Memory(memory) => Box::new(memory.clone()),
            KeptIn::File => Box::new(JournalReader::open(&self.dir).unwrap()),
            #[cfg(all(unix, feature = "postgres"))]
            KeptIn::Postgres(server) => postgres::reader(&Address::parse(&server.url(), None).unwrap()).unwrap(),
        }
    }

    fn stop(&mut self) {
        let Running { queue, writer, consumer, keeper } = self.running.take().unwrap();
        drop(queue);
        writer.join().unwrap().unwrap();
        consumer.join().unwrap().unwrap();
        keeper.into_iter().for_each(|keeper| keeper.join().unwrap());
    }

    fn queue(&self) -> &SyncSender<Message> {
        &self.running.as_ref().unwrap().queue
    }

    /// Time passes on both clocks, all at once: sleep, or nothing to do.
    fn pass(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        self.steady.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    fn jump(&self, seconds: i64) {
        self.wall.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
    }

    /// So many seconds, in each of which each drain sends a line; `off` is how far its time is from the wall clock's.
    fn load(&mut self, drains: &[&str], seconds: i64, off: i64) {
        for _ in 0..seconds {
            self.pass(1);
            for drain in drains {
                let time = self.wall.load(Ordering::SeqCst) + off * 1_000_000;
                self.send(drain, time);
            }
        }
    }

    fn send(&mut self, drain: &str, micros: i64) {
        // RFC 3339 of a time that counts from noon of a known day.
        let at = micros.div_euclid(1_000_000);
        let line = format!("<190>1 {} host app web.1 - count#n=1", rfc3339(at));
        let body = Body::new(format!("{} {line}", line.len()).into_bytes(), None);
        let record = Box::new(Record::new(drain.into(), Timestamp::from_unix_micros(0), body));
        assert_eq!(self.deliver(None, record), Answer::Kept);
        *self.expected.entry((drain.to_owned(), at.div_euclid(60) * 60, "n".to_owned())).or_default() += 1.0;
    }

    fn deliver(&self, key: Option<DeliveryKey>, record: Box<Record>) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.queue().send(Message::Delivery { key, record, answer }).unwrap();
        answered.blocking_recv().unwrap()
    }

    /// Three more minutes without lines, a minute at a time: every window is closed.
    fn settle(&mut self) {
        for _ in 0..3 {
            let head = self.progress.head.load(Ordering::SeqCst);
            self.pass(60);
            self.wait_for(head + 1);
        }
    }

    /// Until the journal is that far, or does not come so far.
    fn wait_for(&self, head: u64) {
        for _ in 0..100 {
            if self.progress.head.load(Ordering::SeqCst) >= head {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything was counted where it belongs.
    fn assert_right(mut self) {
        self.settle();
        self.stop();
        let pipelines = self.snapshot().unwrap();
        let sent: f64 = self.expected.values().sum();
        let mut accepted = 0;
        for (drain, pipeline) in pipelines.drains() {
            let ledger = pipeline.ledger();
            let books = ledger.observations();
            assert_eq!((books.future(), books.late()), (0, 0), "{drain}");
            accepted += books.accepted();
        }
        assert_eq!(accepted as f64, sent);
        assert_eq!(*self.rows.0.lock().unwrap(), self.expected);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn rfc3339(unix_seconds: i64) -> String {
    // Days to a date: the year begins in March, and eras of 400 years are all alike.
    let (days, second) = (unix_seconds.div_euclid(86_400) + 719_468, unix_seconds.rem_euclid(86_400));
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let (year, date) = (year + era * 400 + i64::from(month <= 2), day_of_year - (153 * shifted + 2) / 5 + 1);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

#[test]
fn after_two_hours_of_sleep_no_value_of_the_only_drain_is_of_the_future() {
    let mut trial = Trial::new("sleep");
    trial.load(&["d.shop"], 90, 0);
    trial.pass(2 * HOUR);
    trial.load(&["d.shop"], 30, 0);
    trial.assert_right();
}

#[test]
fn after_two_hours_that_the_steady_clock_missed_no_value_is_of_the_future() {
    let mut trial = Trial::new("missed-sleep");
    trial.load(&["d.shop"], 90, 0);
    trial.jump(2 * HOUR);
    trial.load(&["d.shop"], 30, 0);
    trial.assert_right();
}

#[test]
fn started_after_26_hours_no_value_of_the_only_drain_is_of_the_future() {
    let mut trial = Trial::new("26-hours");
    trial.load(&["d.shop"], 90, 0);
    trial.settle();
    trial.stop();
    trial.jump(26 * HOUR);
    // Another boot of the machine.
    trial.steady.store(7_000_000, Ordering::SeqCst);
    trial.start();
    trial.load(&["d.shop"], 90, 0);
    trial.assert_right();
}

#[test]
fn two_years_ahead_for_three_seconds_makes_nothing_late() {
    for drains in [&["d.shop"][..], &["d.shop", "d.blog"]] {
        let mut trial = Trial::new(&format!("three-seconds-{}", drains.len()));
        trial.load(drains, 70, 0);
        trial.jump(TWO_YEARS);
        trial.load(drains, 3, -TWO_YEARS);
        trial.jump(-TWO_YEARS);
        trial.load(drains, 70, 0);
        trial.assert_right();
    }
}

#[test]
fn two_years_ahead_for_five_minutes_makes_nothing_late() {
    let drains = ["d.shop", "d.blog"];
    let mut trial = Trial::new("five-minutes");
    trial.load(&drains, 30, 0);
    trial.jump(TWO_YEARS);
    trial.load(&drains, 300, -TWO_YEARS);
    assert!(trial.progress.time.is_in_doubt());
    trial.jump(-TWO_YEARS);
    trial.load(&drains, 70, 0);
    assert!(!trial.progress.time.is_in_doubt());
    trial.assert_right();
}

#[test]
fn a_day_backwards_loses_nothing_and_minutes_go_on() {
    let mut trial = Trial::new("backwards");
    trial.load(&["d.shop"], 70, 0);
    trial.jump(-DAY);
    trial.load(&["d.shop"], 150, DAY);
    assert!(trial.rows.0.lock().unwrap().len() >= 2, "minutes are closed by the steady clock");
    trial.jump(DAY);
    trial.load(&["d.shop"], 30, 0);
    trial.assert_right();
}

#[test]
fn what_waited_for_the_time_is_counted_after_a_restart() {
    let mut trial = Trial::new("doubt-restart");
    trial.load(&["d.shop"], 70, 0);
    trial.jump(5 * HOUR);
    // Stopped before one drain alone is enough.
    trial.load(&["d.shop"], 3, 0);
    trial.stop();
    assert!(trial.rows.0.lock().unwrap().len() < trial.expected.len());
    trial.pass(20);
    trial.start();
    trial.load(&["d.shop"], 30, 0);
    trial.assert_right();
}

#[test]
fn what_is_counted_is_the_same_whatever_keeps_the_journal() {
    for (name, kept_in) in [
        ("kept-in-a-file", KeptIn::File),
        ("kept-in-memory", KeptIn::Memory(Memory::default())),
        ("kept", KeptIn::usual()),
    ] {
        let mut trial = Trial::on(name, kept_in);
        trial.load(&["d.shop", "d.blog"], 70, 0);
        // Offered twice, and once more after a restart.
        let again = |trial: &Trial| {
            let body = Body::new(b"52 <190>1 2027-01-15T08:00:00Z host app web.1 - nothing".to_vec(), None);
            let record = Record::new("d.shop".into(), Timestamp::from_unix_micros(0), body);
            trial.deliver(Some(DeliveryKey([7; 16])), Box::new(record))
        };
        assert_eq!([again(&trial), again(&trial)], [Answer::Kept, Answer::Duplicate], "{name}");
        trial.jump(5 * HOUR);
        trial.load(&["d.shop"], 3, 0);
        let head = trial.progress.head.load(Ordering::SeqCst);
        trial.stop();
        assert!(trial.rows.0.lock().unwrap().len() < trial.expected.len(), "{name}: what time it is is not known");
        trial.pass(20);
        trial.start();
        assert!(trial.progress.head.load(Ordering::SeqCst) >= head, "{name}");
        assert_eq!(again(&trial), Answer::Duplicate, "{name}");
        trial.load(&["d.shop", "d.blog"], 60, 0);
        trial.assert_right();
    }
}

#[test]
fn a_clock_that_jumps_again_in_a_doubt_moves_no_time_over_a_restart() {
    let mut trial = Trial::new("doubt-jumps");
    trial.load(&["d.shop"], 70, 0);
    trial.stop();
    // Started with a clock that fell back and leaps ahead then, and started again before frames have refused it.
    trial.jump(-HOUR);
    trial.start();
    trial.load(&["d.shop"], 2, HOUR);
    trial.jump(HOUR + TWO_YEARS);
    trial.load(&["d.shop"], 2, -TWO_YEARS);
    trial.stop();
    trial.pass(5);
    trial.start();
    trial.load(&["d.shop"], 2, -TWO_YEARS);
    let Some(Last::Doubt { believed, .. }) = trial.reading().last_time().unwrap() else {
        panic!("no sign of a doubt");
    };
    let off = trial.wall.load(Ordering::SeqCst) - TWO_YEARS * 1_000_000 - believed;
    assert!(off.abs() < 200_000_000, "{} s off", off / 1_000_000);
    trial.jump(-TWO_YEARS);
    trial.load(&["d.shop"], 60, 0);
    trial.assert_right();
}

#[test]
fn a_doubt_of_more_than_the_horizon_makes_nothing_late() {
    let mut trial = Trial::new("long-doubt");
    trial.load(&["d.shop"], 70, 0);
    trial.jump(10 * HOUR);
    // Two senders who contradict each other, for two hours.
    for _ in 0..240 {
        trial.pass(29);
        let wall = trial.wall.load(Ordering::SeqCst);
        trial.send("d.shop", wall);
        trial.pass(1);
        let head = trial.progress.head.load(Ordering::SeqCst);
        trial.hear_wrong("d.evil", wall - 10 * HOUR * 1_000_000);
        assert!(trial.progress.head.load(Ordering::SeqCst) > head);
    }
    assert!(trial.progress.time.is_in_doubt());
    trial.load(&["d.shop", "d.blog"], 30, 0);
    trial.assert_right();
}

impl Trial {
    /// A delivery whose time is right in no one's eyes, and that has no value.
    fn hear_wrong(&mut self, drain: &str, micros: i64) {
        let line = format!("<190>1 {} host app web.1 - nothing", rfc3339(micros.div_euclid(1_000_000)));
        let body = Body::new(format!("{} {line}", line.len()).into_bytes(), None);
        let record = Box::new(Record::new(drain.into(), Timestamp::from_unix_micros(0), body));
        assert_eq!(self.deliver(None, record), Answer::Kept);
    }
}
