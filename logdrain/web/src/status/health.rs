//! How the server does, at the top of the page: what an operator looks at first.

use super::{count, plain};
use heroku_metrics::model::Timestamp;
use logdrain_drain::alerts::outbox::Outbox;
use logdrain_drain::archives;
use logdrain_drain::counting::board::{Drain, Shown};
use logdrain_drain::intake::Intake;
use logdrain_drain::journal;
use logdrain_drain::logs;
use logdrain_drain::minutes::Minutes;
use logdrain_terms::number;
use maud::{Markup, html};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A watermark that is older than this is told in another colour.
const OLD: Duration = Duration::from_secs(300);
/// Rows that are so many events behind are.
const BEHIND: u64 = 100_000;

/// Where the server keeps what, and what it said at its start.
#[derive(Debug)]
pub struct House {
    pub store: PathBuf,
    pub journal_limit: Option<usize>,
    pub max_memory: usize,
    /// The lines: what there is to see of them, the reader of their store, and whose they are.
    pub logs: logs::Boards,
    /// The most bytes of their files; 0 when none are kept.
    pub logs_limit: u64,
    /// The kept minutes.
    pub minutes: Minutes,
    /// Their archives.
    pub archives: archives::Boards,
    /// Alerts on their way.
    pub outbox: Arc<Outbox>,
    pub began: Instant,
}

/// How bad something is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Fine,
    Odd,
    Bad,
}

impl Is {
    const fn if_bad(bad: bool) -> Self {
        if bad { Self::Bad } else { Self::Fine }
    }
}

/// One figure, and what belongs to it.
fn tile(is: Is, name: &str, value: &str, more: &str) -> Markup {
    html! { div.tile.warn[is == Is::Odd].bad[is == Is::Bad] { span { (name) } b { (plain(value)) } small { (plain(more)) } } }
}

pub(super) fn tiles(intake: &Intake, shown: &Shown, house: &House) -> Markup {
    let state = match (intake.is_ready(), intake.is_storing()) {
        (true, _) => "ready",
        (false, true) => "reading its journal",
        (false, false) => "cannot store",
    };
    let is_ready = intake.is_ready();
    html! {
        div.tiles {
            div.tile.ok[is_ready].bad[!is_ready] { span { "state" } b id="state" { (state) }
                small { "connections: " (count(intake.connections.count() as u64)) } }
            (taken(intake, shown))
            (counted(intake))
            (kept(intake, house))
            (machine(intake, house))
        }
    }
}

/// What came in.
fn taken(intake: &Intake, shown: &Shown) -> Markup {
    let counters = &intake.counters;
    let (deliveries, lines) = shown.rates();
    let refused: Vec<(&str, u64)> = counters.refused().filter(|(_, count)| *count > 0).collect();
    let sum: u64 = refused.iter().map(|(_, count)| count).sum();
    let reasons: Vec<String> = refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let (late, observed) = shown.drains.values().map(late).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    let share = if observed == 0 { 0.0 } else { late as f64 * 100.0 / observed as f64 };
    html! {
        (tile(Is::Fine, "lines/s", &number::human(lines, ""), &format!("{} deliveries/s", number::human(deliveries, ""))))
        (tile(Is::Fine, "deliveries", &count(counters.kept.get()), &format!("{} duplicates", count(counters.duplicates.get()))))
        (tile(if sum > 0 { Is::Odd } else { Is::Fine }, "refused requests", &count(sum), &reasons.join(", ")))
        (tile(if share > 1.0 { Is::Odd } else { Is::Fine }, "late values", &number::human(share, "%"),
            &format!("{} of {}", count(late), count(observed))))
    }
}

/// How far counting is.
fn counted(intake: &Intake) -> Markup {
    let counters = &intake.counters;
    let age = intake.progress.time.watermark_age();
    let clock = if intake.progress.time.is_in_doubt() { "the clock is in doubt" } else { "the clock is believed" };
    let (head, emitted) =
        (intake.progress.head.load(Ordering::Relaxed), intake.progress.emitted.load(Ordering::Relaxed));
    let behind = head.saturating_sub(emitted);
    let failed = counters.snapshots_failed.get();
    let last = match counters.snapshot_at.load(Ordering::Relaxed) {
        0 => "none yet".to_owned(),
        last => format!("{} ago", span(unix_now().saturating_sub(last))),
    };
    html! {
        (tile(Is::if_bad(age.is_some_and(|age| age > OLD)), "watermark",
            &age.map_or("none yet".to_owned(), |age| format!("{} old", span(age.as_secs()))), clock))
        (tile(if behind > BEHIND { Is::Odd } else { Is::Fine }, "rows behind the journal", &format!("{} events", count(behind)),
            &format!("{} rows written", count(counters.rows.get()))))
        (tile(Is::if_bad(failed > 0), "last snapshot", &last, &format!("{} failed", count(failed))))
    }
}

/// What is kept: the journal, lines, archives.
fn kept(intake: &Intake, house: &House) -> Markup {
    let file = journal::path(&house.store);
    let of_file = |suffix: &str| {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        std::fs::metadata(name).map_or(0, |meta| meta.len())
    };
    let size = of_file("") + of_file("-wal");
    let limit = house.journal_limit.map_or("no limit".to_owned(), |limit| format!("limit {}", bytes(limit as u64)));
    let is_full = house.journal_limit.is_some_and(|limit| of_file("") > limit as u64 / 10 * 9);
    let disk_errors = intake.counters.commits_failed.get() + intake.counters.damaged.get();
    let is_node = intake.progress.nodes.are_there();
    html! {
        @if is_node { (nodes(intake)) } @else {
            (tile(if is_full { Is::Odd } else { Is::Fine }, "journal", &bytes(size), &limit))
        }
        @if intake.progress.spooled.is_there.load(Ordering::Relaxed) { (spool(intake)) }
        @if house.logs_limit > 0 { (lines(house)) }
        @if !is_node { (minutes(house)) }
        @if let Some(why) = house.archives.shown().trouble { (tile(Is::Bad, "archives", "not written", &why)) }
        (tile(Is::if_bad(disk_errors > 0), "disk errors", &count(disk_errors),
            &format!("{} damaged events", count(intake.counters.damaged.get()))))
    }
}

/// What this node counts of a journal that several share.
fn nodes(intake: &Intake) -> Markup {
    let nodes = &intake.progress.nodes;
    let of = |number: &AtomicU64| count(number.load(Ordering::Relaxed));
    html! {
        (tile(Is::Fine, "partitions", &format!("{} of {}", of(&nodes.owned), of(&nodes.parts)),
            &format!("nodes live: {}", of(&nodes.live))))
    }
}

/// What waits for a database that is away.
fn spool(intake: &Intake) -> Markup {
    let spooled = &intake.progress.spooled;
    let waiting = spooled.deliveries.load(Ordering::Relaxed);
    let is_away = spooled.is_away.load(Ordering::Relaxed);
    let age = span(spooled.age_seconds(intake.progress.time.believed()) as u64);
    let (is, more) = match (is_away, spooled.is_full.load(Ordering::Relaxed)) {
        (true, true) => (Is::Bad, "the database is away, and the spool is full".to_owned()),
        (true, false) => (Is::Odd, format!("{}, the oldest {age} old", bytes(spooled.bytes.load(Ordering::Relaxed)))),
        (false, _) => (Is::Fine, "deliveries that wait for the database".to_owned()),
    };
    tile(is, "spool", &count(waiting), &more)
}

fn minutes(house: &House) -> Markup {
    let minutes = house.minutes.counts();
    let kept = bytes(minutes.bytes.load(Ordering::Relaxed));
    match minutes.is_failing.load(Ordering::Relaxed) {
        true => tile(Is::Bad, "minutes", "not written", "rows wait for the disk; the log says why"),
        false => tile(Is::Fine, "minutes", &kept, "rows of closed windows, kept for charts"),
    }
}

fn lines(house: &House) -> Markup {
    let lines = house.logs.shown();
    let trouble = match &lines.trouble {
        Some(why) => why.clone(),
        None if lines.books.no_room > 0 => format!("{} found no room", count(lines.books.no_room)),
        None if lines.damaged_files > 0 => format!("{} files are damaged", count(lines.damaged_files)),
        None => format!("{} in {} files, limit {}", bytes(lines.bytes), count(lines.files), bytes(house.logs_limit)),
    };
    let is = match (&lines.trouble, lines.books.no_room + lines.damaged_files) {
        (Some(_), _) => Is::Bad,
        (None, 0) => Is::Fine,
        _ => Is::Odd,
    };
    tile(is, "lines kept", &count(lines.there), &trouble)
}

/// What the machine has.
fn machine(intake: &Intake, house: &House) -> Markup {
    let bound = house.max_memory as u64;
    let used = memory();
    html! {
        @if let Some((free, all)) = disk(&house.store) {
            (tile(Is::if_bad(free < all / 20), "disk free", &bytes(free), &format!("of {}", bytes(all))))
        }
        (tile(if used.is_some_and(|used| used > bound.saturating_add(64 << 20)) { Is::Odd } else { Is::Fine }, "memory",
            &used.map_or("unknown".to_owned(), bytes),
            &format!("bound {}, {} free for bodies", bytes(bound), bytes(intake.free_memory() as u64))))
    }
}

fn bytes(number: u64) -> String {
    number::human(number as f64, "bytes")
}

/// Values of a drain that came too late, and all that came.
pub(super) fn late(drain: &Drain) -> (u64, u64) {
    drain.ledger.as_ref().map_or((0, 0), |ledger| (ledger.observations().late(), ledger.observations().observed()))
}

/// How long ago a drain was heard last.
pub(super) fn ago(drain: &Drain) -> String {
    match drain.heard {
        Some(time) => {
            let seconds = unix_now().saturating_sub(u64::try_from(time.unix_seconds()).unwrap_or(0));
            format!("{} ago", span(seconds))
        }
        None => "not since the start".to_owned(),
    }
}

/// The same, with the time.
pub(super) fn heard(drain: &Drain) -> String {
    let time = drain.heard.map(|time| Timestamp::from_unix_seconds(time.unix_seconds()));
    time.map_or_else(|| ago(drain), |time| format!("{} ({time})", ago(drain)))
}

/// Seconds in the largest unit that fits: `12 s`, `3 min`, `5 h`, `2 d`.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn unix_now() -> u64 {
    u64::try_from(journal::now().unix_seconds()).unwrap_or(0)
}

/// What is free on the disk of a folder, and what it has.
#[cfg(unix)]
fn disk(dir: &std::path::Path) -> Option<(u64, u64)> {
    let of = rustix::fs::statvfs(dir).ok()?;
    Some((of.f_bavail.saturating_mul(of.f_frsize), of.f_blocks.saturating_mul(of.f_frsize)))
}

#[cfg(not(unix))]
fn disk(_: &std::path::Path) -> Option<(u64, u64)> {
    None
}

/// What the process has in memory now.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kb| kb * 1_024)
}
