//! Any events in a store, in memory, in files, in merged files and after a restart: each answer is the slow oracle's over all
//! of them.
#![no_main]

use family_fuzz::Draw;
use family_fuzz::stored::{ACCOUNTS, Folder};
use libfuzzer_sys::fuzz_target;
use log_query::Query;
use log_store::{Event, EventBuf, EventId, Options, Order, Page, Scope, Store};
use testkit::query::{Line, fits};

const WORDS: [&[u8]; 16] = [
    b"at=info",
    b"Timeout",
    b"timeout ",
    b"needle",
    b" ",
    b": ",
    b"a",
    b"abab",
    b"GET /cart",
    b"gr\xc3\xb6\xc3\x9fe",
    b"GR\xc3\x96SSE",
    b"\x1b[31mred\x1b[0m",
    b"\0",
    b"\xff",
    b"10.0.0.1",
    b"x:y",
];
const SYSTEMS: [&[u8]; 4] = [b"web-1", b"DB", b"", b"\x1b[1ms"];
const PROGRAMS: [&[u8]; 4] = [b"app/web.1", b"heroku/router", b"", b"a:"];

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let folder = Folder::new("query");
    let open = || Store::open(folder.path(), Options::new()).expect("a folder that nobody else writes to");
    let mut store = open();
    let mut events: Vec<EventBuf> = Vec::new();
    let mut id = EventId::at(1_700_000_000_000_000);
    for _ in 0..draw.below(24) {
        match draw.below(16) {
            0 => store.flush().expect("room for a small file"),
            1 => drop(store.merge_due(id.unix_micros()).expect("room for a small file")),
            2 => id = EventId::at(id.unix_micros() + 1_000 * i64::from(draw.short()).abs()).max(id.next()),
            3 => {
                // What is in no file is gone with the process; its host appends it again.
                drop(store);
                store = open();
                for event in &events {
                    store.append(&event.as_event()).expect("an event that was taken before");
                }
            }
            _ => {
                let message = message(&mut draw);
                let account = draw.pick(&ACCOUNTS);
                let mut event = Event::new(id, account, &message)
                    .with_system(draw.pick(&SYSTEMS))
                    .with_program(draw.pick(&PROGRAMS))
                    .with_severity(draw.below(9) as u8)
                    .with_facility(draw.below(25) as u8);
                if draw.flag() {
                    event = event.with_source_ip([10, 0, 0, draw.below(3) as u8].into());
                }
                store.append(&event).expect("an event with a rising id");
                events.push(event.to_event_buf());
                id = id.next();
            }
        }
    }
    store.publish(id);
    let text: String = String::from_utf8_lossy(draw.rest()).chars().take(300).collect();
    let parsed = Query::parse(&text);
    for account in ACCOUNTS {
        let view = store.reader().view(&Scope::account(account));
        let expected: Vec<&EventBuf> =
            events.iter().filter(|event| event.as_event().account() == account && fits(&text, &line(event))).collect();
        for order in [Order::Newest, Order::Oldest] {
            let found = view.search(parsed.query(), &Page::new().with_order(order), &mut || true);
            assert_eq!(found.events().iter().collect::<Vec<_>>(), expected, "{account}, {text:?}");
            assert!(found.examined().damage().is_empty());
        }
        let counts = view.counts(parsed.query(), &Page::new(), 60_000_000, &mut || true);
        assert_eq!(counts.total(), expected.len() as u64, "{account}, {text:?}");
    }
});

fn message(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..draw.below(6) {
        match draw.below(4) {
            0 => {
                let most = draw.below(12);
                message.extend_from_slice(draw.octets(most));
            }
            _ => message.extend_from_slice(draw.pick(&WORDS)),
        }
    }
    message
}

fn line(event: &EventBuf) -> Line {
    let event = event.as_event();
    let mut line = Line::new(event.system(), event.program(), event.message());
    (line.severity, line.facility, line.source_ip) = (event.severity(), event.facility(), event.source_ip());
    line
}
