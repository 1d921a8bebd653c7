//! Rules of alerts on a journal: what is told follows from what the journal holds, whenever the program is killed.
//!
//! Each test writes a journal of its own, in which hours pass at once, and has the program read it.
//! `LOGDRAIN_KILLS=200 cargo test --release -p logdrain --test serve alerts::` is the long form.

use crate::crash::{Dice, kills};
use crate::harness::{Server, now_micros, scratch, time_of, wait_until};
use crate::outbox;
use heroku_metrics::model::Timestamp;
use logdrain_drain::alerts::file;
use logdrain_drain::event::{Body, Entry, Event, Record};
use logdrain_drain::journal::{Kept, Offer, Old, Partition as _, Store, path};
use logdrain_drain::settings::Settings;
use logdrain_drain::settings::account::Alert;
use logdrain_drain::settings::change::Change;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;

/// What a server with windows of a minute writes into a new journal first.
fn settings() -> Settings {
    static SETTINGS: OnceLock<Settings> = OnceLock::new();
    let made = SETTINGS.get_or_init(|| {
        let dir = scratch("alerts-settings");
        let (code, log) = Server::start(&dir, &["--window", "60s"]).stop();
        assert_eq!(code, Some(0), "{log}");
        let store = Store::open(&dir.join("store"), 100, None).unwrap();
        Settings::clone(store.settings().unwrap())
    });
    made.clone()
}

/// A journal in the making. Times are seconds behind its beginning.
struct Journal {
    store: Store,
    /// In microseconds since 1970, at the beginning of a minute.
    start: i64,
    waiting: Vec<Offer>,
}

impl Journal {
    /// One that begins so many seconds ago.
    fn ago(dir: &Path, seconds: i64) -> Self {
        let now = i64::try_from(now_micros()).unwrap() / 1_000_000;
        Self::from(dir, (now - seconds) / MINUTE * MINUTE)
    }

    fn from(dir: &Path, second: i64) -> Self {
        let folder = dir.join("store");
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::open(&folder, 100, None).unwrap();
        let mut journal = Self { store, start: second * 1_000_000, waiting: Vec::new() };
        journal.write(Event::Settings(Box::new(settings())));
        journal
    }

    fn at(&self, seconds: f64) -> Timestamp {
        Timestamp::from_unix_micros(self.start + (seconds * 1e6) as i64)
    }

    fn write(&mut self, event: Event) {
        self.waiting.push(Offer { key: None, event });
        if self.waiting.len() >= 500 {
            self.flush();
        }
    }

    fn flush(&mut self) -> Vec<Kept> {
        let mut old = Old { behind: 0, before: Timestamp::MIN, ids: false, rows: 0, given: 0 };
        let offers = std::mem::take(&mut self.waiting);
        self.store.append(offers, 0, &mut old).unwrap()
    }

    /// Answers the number of the alert.
    fn change(&mut self, change: Change) -> u32 {
        self.flush();
        self.write(Event::Change { change: Box::new(change), id: None });
        match self.flush().pop() {
            Some(Kept::Changed(Entry { event: Event::Change { id: Some(id), .. }, .. })) => id,
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, rule: &str) -> u32 {
        self.change(Change::AddAlert { account: account(), alert: alert(rule) })
    }

    fn tick(&mut self, seconds: i64) {
        self.write(Event::Tick(self.at(seconds as f64)));
    }

    /// One delivery of these lines, of the time at which it comes.
    fn lines<'a>(&mut self, seconds: f64, lines: impl IntoIterator<Item = &'a str>) {
        let at = self.at(seconds);
        let time = time_of(at.unix_micros().unsigned_abs());
        let mut body = Vec::new();
        for line in lines {
            let frame = format!("<190>1 {time} host app web.1 - {line}\n");
            body.extend_from_slice(format!("{} {frame}", frame.len()).as_bytes());
        }
        self.write(Event::Delivery(Record::new("d.shop".into(), at, Body::new(body, None))));
    }

    fn not_taken(&mut self, from: i64, until: i64) {
        let (from, until) = (self.at(from as f64), self.at(until as f64));
        self.write(Event::NotTaken { from, until });
    }

    /// Answers its last number.
    fn close(mut self) -> u64 {
        self.flush();
        self.store.settle().unwrap();
        self.store.position()
    }
}

fn account() -> String {
    "default".to_owned()
}

fn alert(rule: &str) -> Alert {
    Alert::new(file::parse(rule).unwrap().remove(0))
}

fn log(name: &str, query: &str, rest: &str) -> String {
    format!("[[log]]\nname = \"{name}\"\nquery = \"{query}\"\n{rest}\n")
}

fn metric(name: &str, rest: &str, when: &str) -> String {
    format!("[[metric]]\nname = \"{name}\"\n{rest}\n[[metric.when]]\n{when}\n")
}

/// What stands of an alert in the outbox.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Told {
    name: String,
    /// 0 for what fired, 1 for what is resolved, 2 for a notice.
    kind: i64,
    /// In microseconds since 1970.
    at: i64,
    why: String,
}

/// By their ids.
fn told(dir: &Path) -> BTreeMap<String, Told> {
    let outbox = rusqlite::Connection::open(dir.join("store/outbox.db")).unwrap();
    let mut read = outbox.prepare("SELECT id, name, kind, at, why FROM told").unwrap();
    let rows = read.query_map([], |row| {
        let told = Told { name: row.get(1)?, kind: row.get(2)?, at: row.get(3)?, why: row.get(4)? };
        Ok((row.get::<_, String>(0)?, told))
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Of one alert, in the order of their times: the second behind the beginning, the kind, and why.
fn told_by(dir: &Path, start: i64, name: &str) -> Vec<(i64, i64, String)> {
    let all = told(dir).into_values().filter(|told| told.name == name);
    let mut all: Vec<_> = all.map(|told| ((told.at - start) / 1_000_000, told.kind, told.why)).collect();
    all.sort();
    all
}

/// How far rules of a kind have come, by what is on the disk.
fn position(dir: &Path, kind: &str) -> u64 {
    let Ok(bytes) = std::fs::read(dir.join(format!("store/rules-state/{kind}.state"))) else { return 0 };
    let head = bytes.split(|byte| *byte == b'\n').nth(1).unwrap();
    serde_json::from_slice::<serde_json::Value>(head).unwrap()["position"].as_u64().unwrap()
}

fn start(dir: &Path) -> Server {
    let config = dir.join("config.toml");
    // States and snapshots all the time, so that some are cut short, too.
    std::fs::write(&config, "snapshot_every = \"150ms\"\njournal_ahead = \"512kB\"\n").unwrap();
    Server::start(dir, &["--config", config.to_str().unwrap(), "--window", "60s", "--believe-clock"])
}

/// Has the program read a journal up to this event, and ends it.
fn read_up_to(dir: &Path, end: u64) {
    wait_until("the end of the journal", || {
        let server = start(dir);
        wait_until("its reading", || server.log().contains("has been read to its end").then_some(()));
        let (code, log) = server.stop();
        assert_eq!(code, Some(0), "{log}");
        ["lines", "minutes"].iter().all(|kind| position(dir, kind) >= end).then_some(())
    });
}

/// Hours of rules that come, change and go, of lines that fit them, and of stretches that nobody saw.
fn at_random(journal: &mut Journal, dice: &mut Dice, hours: i64) {
    let rules = [
        log("any", "boom", ""),
        log("five", "boom", "minimum = 5"),
        log("ten", "code=7", "period = \"10 minutes\"\nminimum = 3"),
        log("hour", "boom OR code=3", "period = \"1 hour\"\nminimum = 10"),
        log("silent", "boom", "inactivity = true"),
        log("quiet", "code=9", "period = \"10 minutes\"\ninactivity = true"),
        log("counts", "boom", "period = \"10 minutes\"\ncounts = true\nminimum = 0"),
        log("day", "boom", "period = \"1 day\"\nzone = \"Europe/Berlin\""),
        metric("deep", "rearm = \"3m\"", "metric = \"queue.depth\"\nabove = 50.0"),
        metric("long", "", "metric = \"queue.depth\"\nabove = 20.0\nfor = \"3m\""),
        metric("each", "per_signal = true", "metric = \"queue.depth\"\nabove = 70.0"),
        metric("gone", "per_signal = true", "metric = \"queue.depth\"\nabsent = \"5m\""),
        metric("few", "", "metric = \"orders\"\nbelow = 2.0\nfunction = \"sum\""),
    ];
    journal.tick(1);
    let mut ids: Vec<u32> = rules.iter().map(|rule| journal.add(rule)).collect();
    let mut minute = 1;
    while minute < hours * 60 {
        for _ in 0..dice.below(4) {
            let mut lines = Vec::new();
            for _ in 0..dice.below(30) {
                lines.push(match dice.below(12) {
                    0 => "boom went the web".to_owned(),
                    1 | 2 => format!("at=error code={} path=/", dice.below(10)),
                    3 => format!("sample#queue.depth={} source=q.{}", dice.below(100), dice.below(3)),
                    4 => format!("count#orders={}", dice.below(3)),
                    _ => format!("nothing of interest {}", dice.below(1_000)),
                });
            }
            let second = minute * MINUTE - 59 + i64::try_from(dice.below(58)).unwrap();
            journal.lines(second as f64, lines.iter().map(String::as_str));
        }
        let which = usize::try_from(dice.below(ids.len() as u64)).unwrap();
        let (account, id) = (account(), ids[which]);
        match dice.below(40) {
            0 => {
                let until = journal.at((minute * MINUTE) as f64 + 60.0 * dice.below(30) as f64).unix_micros();
                journal.change(Change::MuteAlert { account, id, until: Some(until) });
            }
            1 => _ = journal.change(Change::ClearAlert { account, id }),
            2 => {
                journal.change(Change::RemoveAlert { account, id });
                ids[which] = journal.add(&rules[which]);
            }
            3 => {
                let alert = Alert { description: format!("of {minute}"), ..alert(&rules[which]) };
                journal.change(Change::SetAlert { account, id, alert });
            }
            4 if minute + 201 < hours * 60 => {
                let away = i64::try_from(1 + dice.below(200)).unwrap();
                let from = (minute - 1) * MINUTE + 1;
                minute += away;
                journal.not_taken(from, minute * MINUTE + 1);
            }
            _ => {}
        }
        journal.tick(minute * MINUTE + 1);
        minute += 1;
    }
}

#[test]
fn what_is_told_is_that_of_a_fresh_run_whenever_it_is_killed() {
    let (dir, fresh) = (scratch("alerts-kills"), scratch("alerts-fresh"));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let kills = kills(10);
    // Some of it is left to read behind most of them.
    let hours = 6 + i64::try_from(kills / 4).unwrap();
    let mut journal = Journal::ago(&dir, hours * HOUR + 200);
    at_random(&mut journal, &mut dice, hours);
    let until = journal.at((hours * HOUR) as f64).unix_micros();
    let end = journal.close();
    std::fs::create_dir_all(fresh.join("store")).unwrap();
    std::fs::copy(path(&dir.join("store")), path(&fresh.join("store"))).unwrap();

    let mut seen = BTreeSet::new();
    for _ in 0..kills {
        let server = start(&dir);
        std::thread::sleep(Duration::from_millis(dice.below(250)));
        server.kill();
        seen.insert((position(&dir, "lines"), position(&dir, "minutes")));
    }
    read_up_to(&dir, end);
    read_up_to(&fresh, end);
    // Each start says of itself when nobody listened: what is told of that is told of other times.
    let of = |dir: &Path| {
        let mut told = told(dir);
        told.retain(|_, told| told.at <= until);
        told
    };
    let (killed, expected) = (of(&dir), of(&fresh));
    for (id, told) in &expected {
        assert_eq!(killed.get(id), Some(told), "missed; of {}", expected.len());
    }
    for (id, told) in &killed {
        assert_eq!(expected.get(id), Some(told), "of nothing, or twice");
    }
    let names: BTreeSet<&str> = expected.values().map(|told| &*told.name).collect();
    assert!(names.len() > 10 && expected.len() > 100, "{} of {names:?}", expected.len());
    println!("{} alerts, {kills} kills, {} different places where rules stood", expected.len(), seen.len());
}

#[test]
fn a_line_in_the_last_millisecond_of_a_window_is_in_that_window_and_in_no_other() {
    let dir = scratch("alerts-last-millisecond");
    let mut journal = Journal::ago(&dir, 600);
    journal.tick(0);
    journal.add(&log("any", "boom", ""));
    journal.lines(59.999, ["boom", "boom"]);
    journal.tick(60);
    journal.lines(60.0, ["boom"]);
    journal.tick(120);
    journal.tick(180);
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let expected = [(60, 0, "2 lines in 1 minute"), (120, 0, "1 line in 1 minute")];
    assert_eq!(told_by(&dir, start, "any"), expected.map(|(at, kind, why)| (at, kind, why.to_owned())));
}

#[test]
fn a_step_of_the_clock_is_no_silence_and_loses_no_line() {
    let dir = scratch("alerts-step");
    let mut journal = Journal::ago(&dir, 3 * HOUR);
    journal.tick(0);
    journal.add(&log("silent", "boom", "inactivity = true"));
    journal.add(&log("any", "boom", ""));
    journal.lines(30.0, ["boom"]);
    journal.tick(60);
    // An hour ahead at once.
    journal.lines(90.0, ["boom"]);
    journal.tick(HOUR);
    journal.tick(HOUR + 60);
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    assert_eq!(told_by(&dir, start, "silent")[0], (HOUR + 60, 0, "no line in 1 minute".to_owned()));
    let any = told_by(&dir, start, "any");
    assert_eq!(any.iter().map(|(at, _, _)| *at).collect::<Vec<_>>(), [60, HOUR]);
    assert!(any[1].2.starts_with("1 line in 1 minute; nothing is known from "), "{any:?}");
    // The pause between this journal and the server's first tick is told, too.
    let notices = told_by(&dir, start, "Not recorded");
    assert_eq!((notices[0].0, notices[0].1), (HOUR, 2), "{notices:?}");
}

#[test]
fn an_empty_window_is_told_by_whoever_asks_for_silence_or_for_any_number() {
    let dir = scratch("alerts-empty");
    let mut journal = Journal::ago(&dir, 600);
    journal.tick(0);
    journal.add(&log("any", "boom", ""));
    journal.add(&log("silent", "boom", "inactivity = true"));
    journal.add(&log("number", "boom", "counts = true\nminimum = 0"));
    journal.tick(60);
    journal.lines(61.0, ["boom"]);
    journal.tick(120);
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let first = |name| told_by(&dir, start, name).into_iter().filter(|told| told.0 <= 120).collect::<Vec<_>>();
    assert_eq!(first("any"), [(120, 0, "1 line in 1 minute".to_owned())]);
    assert_eq!(first("silent"), [(60, 0, "no line in 1 minute".to_owned())]);
    let number = [(60, 0, "no line in 1 minute".to_owned()), (120, 0, "1 line in 1 minute".to_owned())];
    assert_eq!(first("number"), number);
}

#[test]
fn three_hours_in_which_nobody_listened_are_told_once_and_are_no_silence() {
    let dir = scratch("alerts-outage");
    let mut journal = Journal::ago(&dir, 4 * HOUR);
    journal.tick(1);
    journal.add(&log("silent", "boom", "inactivity = true"));
    journal.add(&log("hour", "boom", "period = \"1 hour\"\ninactivity = true"));
    journal.add(&metric("gone", "", "metric = \"queue.depth\"\nabsent = \"5m\""));
    for minute in 0..10 {
        journal.lines((minute * MINUTE + 30) as f64, ["boom", "sample#queue.depth=7"]);
        journal.tick((minute + 1) * MINUTE + 1);
    }
    let (from, until) = (10 * MINUTE + 1, 10 * MINUTE + 1 + 3 * HOUR);
    journal.not_taken(from, until);
    journal.tick(until);
    for minute in 0..8 {
        journal.lines((until + minute * MINUTE + 30) as f64, ["boom", "sample#queue.depth=7"]);
        journal.tick(until + (minute + 1) * MINUTE);
    }
    let (start, last) = (journal.start, until + 8 * MINUTE);
    let end = journal.close();
    read_up_to(&dir, end);
    for name in ["silent", "hour", "gone"] {
        let told = told_by(&dir, start, name).into_iter().filter(|told| told.0 <= last).collect::<Vec<_>>();
        assert!(told.is_empty(), "{name}: {told:?}");
    }
    let notices = told_by(&dir, start, "Not recorded").into_iter().filter(|told| told.0 <= last).collect::<Vec<_>>();
    let [(at, 2, why)] = &notices[..] else { panic!("one notice: {notices:?}") };
    assert_eq!(*at, until);
    assert!(why.starts_with("nothing is known from ") && why.ends_with("no rule calls that silent"), "{why}");
}

#[test]
fn a_rule_that_asks_something_else_begins_anew_and_one_that_is_only_called_otherwise_goes_on() {
    let dir = scratch("alerts-changed");
    let mut journal = Journal::ago(&dir, HOUR);
    journal.tick(0);
    let ten = "period = \"10 minutes\"";
    let other = journal.add(&log("other", "boom", ten));
    let same = journal.add(&log("before", "boom", ten));
    journal.lines(30.0, ["boom"]);
    (1..=5).for_each(|minute| journal.tick(minute * MINUTE));
    journal.change(Change::SetAlert { account: account(), id: other, alert: alert(&log("other", "bang", ten)) });
    journal.change(Change::SetAlert { account: account(), id: same, alert: alert(&log("behind", "boom", ten)) });
    journal.lines(400.0, ["bang"]);
    (7..=15).for_each(|minute| journal.tick(minute * MINUTE));
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    assert_eq!(told_by(&dir, start, "other"), [(15 * MINUTE, 0, "1 line in 10 minutes".to_owned())]);
    assert_eq!(told_by(&dir, start, "behind"), [(10 * MINUTE, 0, "1 line in 10 minutes".to_owned())]);
    assert!(told_by(&dir, start, "before").is_empty());
}

#[test]
fn what_is_muted_off_or_removed_says_nothing_and_what_it_told_is_cleared() {
    let dir = scratch("alerts-muted");
    let mut journal = Journal::ago(&dir, HOUR);
    journal.tick(1);
    let muted = journal.add(&log("muted", "boom", ""));
    let off = journal.add(&log("off", "boom", ""));
    let removed = journal.add(&metric("removed", "", "metric = \"queue.depth\"\nabove = 5.0"));
    let cleared = journal.add(&metric("cleared", "rearm = \"1h\"", "metric = \"queue.depth\"\nabove = 5.0"));
    let until = Some(journal.at((5 * MINUTE + 1) as f64).unix_micros());
    journal.change(Change::MuteAlert { account: account(), id: muted, until });
    let is_off = Alert { is_on: false, ..alert(&log("off", "boom", "")) };
    journal.change(Change::SetAlert { account: account(), id: off, alert: is_off });
    for minute in 0..8 {
        journal.lines((minute * MINUTE + 30) as f64, ["boom", "sample#queue.depth=9"]);
        journal.tick((minute + 1) * MINUTE + 1);
        match minute {
            2 => _ = journal.change(Change::RemoveAlert { account: account(), id: removed }),
            3 => _ = journal.change(Change::ClearAlert { account: account(), id: cleared }),
            _ => {}
        }
    }
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let at = |name: &str| told_by(&dir, start, name).into_iter().map(|told| (told.0, told.1)).collect::<Vec<_>>();
    assert_eq!(at("muted"), [361, 421, 481].map(|second| (second, 0)), "each window since it speaks, none before");
    assert!(at("off").is_empty());
    assert_eq!(at("removed"), [(60, 0), (180, 1)]);
    // It still holds, and so it is told at once, whatever its rearm time.
    assert_eq!(at("cleared")[..3], [(60, 0), (240, 1), (300, 0)]);
}

#[test]
fn of_an_account_that_is_destroyed_no_rule_is_left() {
    let dir = scratch("alerts-destroyed");
    let mut journal = Journal::ago(&dir, 600);
    journal.tick(0);
    let shop = || "shop".to_owned();
    journal.write(Event::Change { change: Box::new(Change::Account { account: shop() }), id: None });
    for rule in [log("gone", "boom", "inactivity = true"), metric("few", "", "metric = \"orders\"\nbelow = 2.0")] {
        journal.change(Change::AddAlert { account: shop(), alert: alert(&rule) });
    }
    journal.add(&log("stays", "boom", "inactivity = true"));
    journal.tick(60);
    let destroy = Change::Destroy { account: shop(), at: journal.at(90.0).unix_micros(), upto: 0 };
    journal.write(Event::Change { change: Box::new(destroy), id: None });
    journal.tick(120);
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let late = told_by(&dir, start, "gone").into_iter().filter(|told| told.0 > 60).collect::<Vec<_>>();
    assert!(late.is_empty(), "{late:?}");
    let stays = told_by(&dir, start, "stays");
    assert_eq!(stays[..2].iter().map(|told| told.0).collect::<Vec<_>>(), [60, 120]);
    for kind in ["lines", "minutes"] {
        let state = std::fs::read(dir.join(format!("store/rules-state/{kind}.state"))).unwrap();
        assert!(!String::from_utf8_lossy(&state).contains("shop"), "{kind}");
    }
}

#[test]
fn beyond_the_record_limit_lines_are_only_counted() {
    let dir = scratch("alerts-many");
    let mut journal = Journal::ago(&dir, 600);
    journal.tick(0);
    journal.add(&log("any", "boom", ""));
    for second in 1..=26 {
        journal.lines(f64::from(second), std::iter::repeat_n("boom", 1_000));
    }
    journal.tick(60);
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let why = "26000 lines in 1 minute; not all of them are recorded".to_owned();
    assert_eq!(told_by(&dir, start, "any"), [(60, 0, why)]);
}

#[test]
fn days_end_at_midnight_of_their_zone_also_when_summer_begins() {
    /// 2026-03-28T12:00:00Z. In Berlin the night to the 29th has no hour between two and three.
    const NOON: i64 = 1_774_699_200;
    let dir = scratch("alerts-midnight");
    let mut journal = Journal::from(&dir, NOON);
    journal.tick(0);
    journal.add(&log("day", "boom", "period = \"1 day\"\nat = \"00:00\"\nzone = \"Europe/Berlin\""));
    let (first, second) = (11 * HOUR, 34 * HOUR);
    for minute in 1..=40 * 60 {
        let seconds = minute * MINUTE;
        if seconds == first || seconds == second {
            // It came in the last second of the day, with lines of both days.
            journal.lines((seconds - 1) as f64, ["boom before", "boom behind"]);
        }
        journal.tick(seconds);
        if seconds == first {
            journal.lines(seconds as f64, ["boom"]);
        }
    }
    let start = journal.start;
    let end = journal.close();
    read_up_to(&dir, end);
    let told = told_by(&dir, start, "day").into_iter().filter(|told| told.0 <= 40 * HOUR).collect::<Vec<_>>();
    assert_eq!(told, [(first, 0, "2 lines in 1 day".to_owned()), (second, 0, "3 lines in 1 day".to_owned())]);
}

#[test]
fn a_start_says_since_when_nobody_listened() {
    let dir = scratch("alerts-away");
    let count = |what: &str| {
        let journal = rusqlite::Connection::open(path(&dir.join("store"))).unwrap();
        let sql = format!("SELECT count(*) FROM journal WHERE {what}");
        journal.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap_or(0)
    };
    let (ticks, stretches) = ("kind = 1", "kind = 6 AND at > msg_count");
    let server = start(&dir);
    wait_until("the first tick", || (count(ticks) == 1).then_some(()));
    assert_eq!(count(stretches), 0, "before the first start there is nothing to miss");
    server.kill();
    let server = start(&dir);
    wait_until("the second tick", || (count(ticks) == 2).then_some(()));
    assert_eq!(count(stretches), 1);
    server.kill();
}

#[test]
fn what_lines_tell_goes_to_the_channels_of_the_rule() {
    let house = outbox::House::new("alerts-hook", outbox::CONFIG);
    let receiver = outbox::Receiver::start([]);
    let channel = house.hook("default", &receiver);
    let mut journal = Journal::ago(&house.dir, 10 * MINUTE);
    journal.tick(0);
    let rule = Alert { channels: BTreeSet::from([channel]), ..alert(&log("Booms", "boom", "minimum = 2")) };
    journal.change(Change::AddAlert { account: account(), alert: rule });
    journal.lines(70.0, ["boom one", "all is well", "boom two"]);
    for minute in 1..10 {
        journal.tick(minute * MINUTE);
    }
    journal.close();
    let server = Server::start(&house.dir, &["--config", &house.config, "--window", "60s", "--believe-clock"]);
    let came = wait_until("the hook", || receiver.came().pop());
    let (_, payload) = form_urlencoded::parse(came.body.as_bytes()).next().unwrap();
    let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
    assert_eq!(payload["saved_search"]["name"], "Booms", "{payload}");
    let messages: Vec<_> = payload["events"].as_array().unwrap().iter().map(|event| &event["message"]).collect();
    assert_eq!(messages, ["boom one", "boom two"]);
    assert_eq!(server.stop().0, Some(0));
    assert_eq!(receiver.came().len(), 1, "it is told once");
}
