//! What the tests share: folders that go away, random events, random queries, and the plain answer to each question.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::all)]

pub mod bucket;

use log_query::{Fields, Query};
use log_store::{Event, EventBuf, EventId, Options, Scope, Store};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use testkit::random::Random;

/// A folder of its own, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("log-store-{name}-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// All segments below, sorted.
    pub fn segments(&self) -> Vec<PathBuf> {
        let mut all = Vec::new();
        walk(&self.0, &mut all);
        all.retain(|path| path.extension().is_some_and(|ending| ending == "seg"));
        all.sort();
        all
    }
}

fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, all) } else { all.push(path) }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether the long form of tests is asked for.
pub fn long() -> bool {
    std::env::var_os("HEROKU_METRICS_LONG").is_some()
}

pub const ACCOUNTS: [&str; 3] = ["alpha", "beta", "gamma"];
const SYSTEMS: [&[u8]; 5] = [b"web-1", b"web-2", b"db", b"", b"Gr\xc3\xb6\xc3\x9fe"];
const PROGRAMS: [&[u8]; 6] = [b"nginx", b"app/web.1", b"", b"heroku/router", b"a:", b"\x1b[31mred\x1b[0m"];
const WORDS: [&str; 22] = [
    "at=info",
    "at=error",
    "GET",
    "/cart",
    "status=200",
    "status=503",
    "Timeout",
    "timeout",
    "größe",
    "GRÖSSE",
    "a",
    ":",
    ": ",
    "  ",
    "x: y",
    "nginx",
    "\u{1b}[31mred\u{1b}[0m",
    "re\u{1b}[1md",
    "\0",
    "ab",
    "abab",
    "needle",
];

/// A message of words that queries have, too, and sometimes of anything.
pub fn message(random: &mut Random) -> Vec<u8> {
    let mut message = Vec::new();
    if random.chance(30) {
        return message;
    }
    for _ in 0..random.between(1, 9) {
        match random.below(12) {
            0 => message.extend_from_slice(format!("{:08x}", random.bits() as u32).as_bytes()),
            1 => message.extend((0..random.below(4)).map(|_| random.bits() as u8)),
            _ => message.extend_from_slice(random.pick(&WORDS).as_bytes()),
        }
        if random.chance(700) {
            message.push(b' ');
        }
    }
    message
}

/// An event of one of the three accounts.
pub fn event(random: &mut Random, id: EventId) -> EventBuf {
    let message = message(random);
    let mut event = Event::new(id, random.pick(&ACCOUNTS), &message)
        .with_system(random.pick(&SYSTEMS))
        .with_program(random.pick(&PROGRAMS))
        .with_generated(id.unix_micros() - random.below(5_000_000) as i64)
        .with_severity(random.below(9) as u8)
        .with_facility(random.below(25) as u8);
    match random.below(3) {
        0 => event = event.with_source_ip([10, 0, 0, random.below(3) as u8].into()),
        1 => event = event.with_source_ip([0x2001, 0xdb8, 0, 0, 0, 0, 0, random.below(3) as u16].into()),
        _ => {}
    }
    event.to_event_buf()
}

/// The next id: mostly the next of the millisecond, sometimes seconds later.
pub fn next_id(random: &mut Random, id: EventId) -> EventId {
    match random.below(10) {
        0 => EventId::at(id.unix_micros() + 1_000 * random.between(1, 90_000) as i64),
        1 => EventId::new(id.get() + random.between(1, 1_000)),
        _ => id.next(),
    }
}

/// A query as people and attackers type them.
pub fn query(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(5) {
        if random.chance(250) {
            text.push('-');
        }
        match random.below(16) {
            0 => text.push_str("severity:error"),
            1 => text.push_str(random.pick(&[
                "severity:(info OR debug)",
                "facility:cron",
                "facility:local7",
                "severity:5",
            ])),
            2 => text.push_str(random.pick(&["ip:10.0.0.1", "ip:10.", "ip:2001:db8::2", "ip:9"])),
            3 => text.push_str(random.pick(&[
                "program:nginx",
                "program:app",
                "program:red",
                "system:web",
                "system:größe",
                "system:db",
            ])),
            4 => text.push_str(random.pick(&["message:nginx", "message:\"x: y\"", "message:größe"])),
            5 => text.push_str(&format!("({} OR {})", random.pick(&WORDS[..13]), random.pick(&WORDS[..13]))),
            6 => text.push_str(random.pick(&[
                "\"nginx: at=\"",
                "nginx:",
                "\": GET\"",
                "\"router: \"",
                "\"a:: \"",
                "\" a\"",
                "\"red: \"",
                "\"nginx: größe\"",
                "\"nginx: x: y\"",
            ])),
            7 => text.push_str(&format!("\"{} {}\"", random.pick(&WORDS), random.pick(&WORDS))),
            8 => text.push_str(random.pick(&["absent-word", "ffff", "zz", "\"\0\"", "*", "red"])),
            _ => text.push_str(random.pick(&WORDS)),
        }
        text.push_str(random.pick(&[" ", " ", " OR ", " AND "]));
    }
    text
}

/// Whether an event fits, line by line.
pub fn fits(query: &Query, event: &Event<'_>) -> bool {
    let mut fields = Fields::new(event.system(), event.program(), event.message());
    if let Some(severity) = event.severity() {
        fields = fields.with_severity(severity);
    }
    if let Some(facility) = event.facility() {
        fields = fields.with_facility(facility);
    }
    if let Some(source) = event.source_ip() {
        fields = fields.with_source_ip(source);
    }
    query.matches(&fields)
}

/// Of these events those that a scope allows and that fit, with ids above `after` and below `before`.
pub fn plain<'a>(
    events: &'a [EventBuf],
    scope: &Scope,
    query: &Query,
    after: Option<EventId>,
    before: EventId,
) -> Vec<&'a EventBuf> {
    let wanted = |event: &&EventBuf| {
        let event = event.as_event();
        after.is_none_or(|after| event.id() > after)
            && event.id() < before
            && scope.allows(event.account(), event.system())
            && fits(query, &event)
    };
    events.iter().filter(wanted).collect()
}

/// A scope of an account, at times of some of its systems.
pub fn scope(random: &mut Random) -> Scope {
    let scope = Scope::account(random.pick(&ACCOUNTS));
    match random.below(5) {
        0 => scope.with_systems(["web-*"]),
        1 => scope.with_systems(["db", "web-1"]),
        _ => scope,
    }
}

/// A store of random events, sealed now and then; published to the end unless it says otherwise.
pub fn fill(random: &mut Random, store: &mut Store, count: u64, mut id: EventId) -> Vec<EventBuf> {
    let mut events = Vec::new();
    for _ in 0..count {
        id = next_id(random, id);
        let event = event(random, id);
        store.append(&event.as_event()).unwrap();
        events.push(event);
        if random.chance(2) {
            store.flush().unwrap();
        }
    }
    store.publish(id);
    events
}

pub fn open(folder: &Folder) -> Store {
    Store::open(folder.path(), Options::new()).unwrap()
}
