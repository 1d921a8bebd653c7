//! Pages over a store of their own. Tests are named after the rule that they hold.

use super::page::{Page, find};
use super::*;
use crate::v1::Method;
use crate::v1::lines::Lines;
use crate::v1::memory::WRITTEN;
use log_store::{Event, EventId, Options, Store};
use logdrain_drain::limits::Habits;
use std::path::PathBuf;

const START: i64 = 1_700_000_000_000_000;
/// The time of day in these tests: an hour after the first line.
const NOW: i64 = START + 3_600_000_000;

/// A store with its folder.
struct Kept {
    store: Store,
    dir: PathBuf,
    next: i64,
}

impl Kept {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("logdrain-v1-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        Self { store: Store::open(&dir, Options::new()).unwrap(), dir, next: START }
    }

    fn with_lines(name: &str, count: usize) -> (Self, Vec<u64>) {
        let mut kept = Self::new(name);
        let ids = kept.lines(count);
        (kept, ids)
    }

    /// Adds lines, ten a second, and lets them be seen.
    fn lines(&mut self, count: usize) -> Vec<u64> {
        let mut ids = Vec::new();
        for n in 0..count {
            let id = EventId::at(self.next);
            let message = format!("line {n} {}", if n % 3 == 0 { "three" } else { "other" });
            let event = Event::new(id, "default", message.as_bytes()).with_system(b"shop").with_program(b"app/web.1");
            self.store.append(&event.with_severity(6).with_facility(19)).unwrap();
            self.next += 100_000;
            ids.push(id.get());
        }
        self.store.publish(EventId::new(EventId::at(self.next).get() - 1));
        ids
    }

    fn page(&self, query: &str) -> Page {
        self.page_with(query, &mut || true)
    }

    fn page_with(&self, query: &str, go_on: &mut dyn FnMut() -> bool) -> Page {
        let wanted = wanted(query).unwrap();
        let reader = self.store.reader();
        let query = Query::parse(&wanted.query).into_query();
        let oldest = reader.accounts().unwrap().first().and_then(|account| account.oldest());
        find(Lines::default(), &reader.view(&Scope::account("default")), &query, &wanted, oldest, NOW, go_on)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn wanted(query: &str) -> Result<Wanted, Wrong> {
    Wanted::of(&Ask::new(Method::Read, "/events/search.json", query).unwrap(), Habits::default())
}

fn ids(page: &Page) -> Vec<u64> {
    page.events.iter().map(|event| event.id().get()).collect()
}

fn second(micros: i64) -> i64 {
    micros / 1_000_000
}

#[test]
fn row_4_4_1_direction_and_order_within_a_page() {
    let (kept, all) = Kept::with_lines("direction", 500);
    let from = all[99];
    // Forward: `tail=false`, or `min_id` without `tail`.
    for query in ["tail=false&limit=100", "tail=false&limit=100&q=line"] {
        assert_eq!(ids(&kept.page(query)), all[..100], "{query}");
    }
    assert_eq!(ids(&kept.page(&format!("min_id={from}&limit=100"))), all[100..200]);
    assert_eq!(ids(&kept.page(&format!("min_id={from}&max_id={}&limit=100", all[300]))), all[100..200]);
    assert_eq!(ids(&kept.page(&format!("min_id={from}&tail=false&limit=100"))), all[100..200]);
    // Backward: the newest of the range, oldest first all the same.
    for query in [
        "limit=100".to_owned(),
        "limit=100&tail=true".to_owned(),
        format!("limit=100&min_id={from}&tail=true"),
        format!("limit=100&max_time={}", second(NOW)),
    ] {
        assert_eq!(ids(&kept.page(&query)), all[400..], "{query}");
    }
}

#[test]
fn row_4_4_2_min_time_alone_is_the_newest_page_of_the_range() {
    let (kept, all) = Kept::with_lines("min-time", 500);
    let page = kept.page(&format!("min_time={}&limit=100", second(START) + 10));
    assert_eq!((ids(&page), page.reached_beginning), (all[400..].to_vec(), false));
    // By ids of its own it goes back to the range's beginning, with one line at each edge twice.
    let mut seen = ids(&page);
    let mut page = page;
    while !page.reached_beginning {
        page = kept.page(&format!("min_time={}&limit=100&max_id={}", second(START) + 10, page.min_id));
        let mut older = ids(&page);
        assert_eq!(older.pop(), seen.first().copied(), "the edge is there twice");
        older.append(&mut seen);
        seen = older;
    }
    assert_eq!(seen, all[100..]);
    // A float, as one client sends it: the tenth of a second counts.
    let page = kept.page(&format!("min_time={}.35", second(START)));
    assert_eq!(ids(&page)[0], all[4]);
}

#[test]
fn row_4_4_3_max_id_is_exclusive_and_inclusive_beside_min_time() {
    let (kept, all) = Kept::with_lines("max-id", 50);
    let last = |query: String| ids(&kept.page(&query)).last().copied();
    assert_eq!(last(format!("max_id={}", all[20])), Some(all[19]));
    assert_eq!(last(format!("max_id={}&min_time={}", all[20], second(START))), Some(all[20]));
    let without = Wanted::of(
        &Ask::new(Method::Read, "", &format!("max_id={}&min_time=0", all[20])).unwrap(),
        Habits { max_id_overlap: false, ..Habits::default() },
    );
    assert_eq!(without.unwrap().range().before, all[20], "the setting switches it off");
    assert_eq!(ids(&kept.page(&format!("min_id={}", all[20])))[0], all[21]);
    assert_eq!(ids(&kept.page(&format!("min_id={}&min_time={}", all[20], second(START))))[0], all[21]);
    // Times are bounds on ids, both of them part of the range.
    let page = kept.page(&format!("min_time={}&max_time={}", second(START) + 1, second(START) + 2));
    assert_eq!(ids(&page), all[10..=20]);
}

#[test]
fn row_4_4_4_of_min_id_and_min_time_the_stricter_wins() {
    let (kept, all) = Kept::with_lines("stricter", 100);
    let first = |query: String| kept.page(&query).events.first_id().unwrap().get();
    assert_eq!(first(format!("min_id={}&min_time={}", all[5], second(START) + 3)), all[30]);
    assert_eq!(first(format!("min_id={}&min_time={}", all[50], second(START) + 3)), all[51]);
}

#[test]
fn row_4_4_5_ids_are_always_there_and_an_empty_page_gives_the_place_back() {
    let (mut kept, all) = Kept::with_lines("always", 100);
    let seen = EventId::at(kept.next).get() - 1;
    // Who follows: the first page ends at what can be seen, each one goes on from there.
    let first = kept.page("limit=10");
    assert_eq!((first.min_id, first.max_id), (all[90], seen));
    let empty = kept.page(&format!("min_id={}&limit=1000", first.max_id));
    assert_eq!((ids(&empty), empty.min_id, empty.max_id), (vec![], seen, seen));
    assert!(empty.reached_end);
    // Nothing that fits is examined all the same.
    let none = kept.page(&format!("q=nothing+like+this&min_id={}", all[10]));
    assert_eq!((none.min_id, none.max_id, none.reached_end), (all[10], seen, true));
    let more = kept.lines(5);
    assert_eq!(ids(&kept.page(&format!("min_id={}", empty.max_id))), more);
    // Before the first line, too.
    let empty = Kept::new("nothing");
    let page = empty.page("");
    assert_eq!((page.min_id, page.max_id, page.min_time_at, page.max_time_at), (0, 0, NOW, NOW));
    assert_eq!(empty.page("min_id=7").max_id, 7);
}

#[test]
fn row_4_4_6_times_say_what_was_searched() {
    let (kept, all) = Kept::with_lines("times", 500);
    let of = |id: u64| EventId::new(id).unix_micros();
    // Forward as far as now, and not so far.
    assert_eq!(kept.page(&format!("min_id={}", all[400])).max_time_at, NOW);
    let page = kept.page("tail=false&limit=100");
    assert_eq!((page.min_time_at, page.max_time_at), (START, of(all[99])));
    // Back to the range's beginning, to the oldest line, and not so far.
    let begin = second(START) - 60;
    assert_eq!(kept.page(&format!("min_time={begin}")).min_time_at, begin * 1_000_000);
    assert_eq!(kept.page("").min_time_at, START);
    let page = kept.page("limit=100");
    assert_eq!((page.min_time_at, page.max_time_at), (of(all[400]), NOW));
    let page = kept.page(&format!("max_time={}", second(START) + 7));
    assert_eq!(page.max_time_at, START + 7_000_000);
}

#[test]
fn row_4_4_7_reached_is_said_of_the_end_that_was_reached() {
    let (kept, all) = Kept::with_lines("reached", 300);
    let reached = |query: &str| {
        let page = kept.page(query);
        (page.reached_beginning, page.reached_end)
    };
    for whole in ["", "tail=false", "q=three", &format!("min_id={}", all[200]), &format!("max_id={}", all[200])] {
        assert_eq!(reached(whole), (true, true), "{whole}");
    }
    for part in ["limit=100", "tail=false&limit=100", "q=three&limit=10", "min_id=0&limit=299"] {
        assert_eq!(reached(part), (false, false), "{part}");
    }
    // A walk forward ends, also when its last page was full.
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = kept.page(&format!("tail=false&min_time=0&min_id={after}&limit=100"));
        seen.extend(ids(&page));
        after = page.max_id;
        if page.reached_end {
            break;
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn row_4_4_8_limits_are_said_and_a_search_out_of_time_says_how_far_it_came() {
    let (kept, all) = Kept::with_lines("limits", 300);
    let page = kept.page("limit=100");
    assert!(page.reached_record_limit && !page.reached_time_limit);
    assert!(!kept.page("limit=301").reached_record_limit);
    // No time at all: no line, and nothing is passed over by who goes on from there.
    for query in ["q=three", "q=three&tail=false", "q=three&min_id=5"] {
        let page = kept.page_with(query, &mut || false);
        assert!(page.reached_time_limit && !page.reached_beginning && !page.reached_end, "{query}");
        let forward = query != "q=three";
        let rest =
            if forward { format!("q=three&min_id={}", page.max_id) } else { format!("q=three&max_id={}", page.min_id) };
        let expect: Vec<u64> = all.iter().copied().step_by(3).collect();
        assert_eq!([ids(&page), ids(&kept.page(&rest))].concat().len(), expect.len(), "{query}");
    }
}

#[test]
fn row_4_4_9_walking_by_min_id_skips_and_repeats_nothing_while_lines_come_in() {
    let (mut kept, mut all) = Kept::with_lines("late", 50);
    let (mut seen, mut after) = (Vec::new(), 0);
    for round in 0..200 {
        let limit = round % 13 + 1;
        let page = kept.page(&format!("min_id={after}&limit={limit}&q=line"));
        seen.extend(ids(&page));
        assert!(page.max_id >= after);
        after = page.max_id;
        all.extend(kept.lines(round % 7));
    }
    seen.extend(ids(&kept.page(&format!("min_id={after}&limit=10000"))));
    assert_eq!(seen, all);
}

#[test]
fn row_4_4_10_an_empty_interval_is_an_answer() {
    let (kept, all) = Kept::with_lines("interval", 100);
    let far = 9_000_000_000_000_000_000_u64;
    for query in [
        // A client that swaps its bounds.
        format!("min_time={}&max_id={}", all[50], all[10]),
        format!("min_time={far}"),
        format!("min_time={far}&tail=false"),
        format!("min_time={}&max_time={}", second(NOW) + 10, second(NOW)),
        format!("min_time={}", second(NOW) + 86_400),
        "max_time=1&min_time=2".to_owned(),
    ] {
        let page = kept.page(&query);
        assert!(page.events.is_empty() && page.reached_beginning && page.reached_end, "{query}");
        assert_eq!((page.min_time_at, page.max_time_at), (START, NOW), "{query}");
    }
    // The same client with its start in seconds, taken for an id: what was examined lies before that.
    let page = kept.page(&format!("min_time={}&max_id={}", all[50], second(START) - 60));
    assert!(page.min_time_at <= (second(START) - 60) * 1_000_000 && page.reached_end);
    // Bounds that cross give the place back.
    let page = kept.page(&format!("min_id={}&max_id={}", all[50], all[10]));
    assert_eq!((page.events.len(), page.min_id, page.max_id), (0, all[50], all[50]));
    assert!(page.reached_beginning && page.reached_end);
    for wrong in ["min_id=x", "max_id=-1", "min_id=9223372036854775808", "min_time=now", "max_time=1,5", "tail=maybe"] {
        let name = wrong.split('=').next().unwrap();
        assert!(super::tests::wanted(wrong).unwrap_err().0.contains(name), "{wrong}");
    }
}

#[test]
fn row_4_4_11_limits() {
    let limit = |query: &str| wanted(query).map(|wanted| wanted.limit);
    assert_eq!(limit(""), Ok(1_000));
    assert_eq!(limit("limit="), Ok(1_000));
    assert_eq!(limit("limit=7.0"), Ok(7));
    assert_eq!(limit("limit=10001"), Ok(10_000));
    assert_eq!(limit("limit=9223372036854775807"), Ok(10_000));
    for wrong in ["limit=0", "limit=-1", "limit=ten", "limit=99999999999999999999"] {
        assert!(limit(wrong).unwrap_err().0.contains("limit"), "{wrong}");
    }
    let long = format!("q={}", "a".repeat(8 << 10));
    assert!(wanted(&long).is_ok() && wanted(&format!("{long}a")).is_err());
}

#[test]
fn what_an_answer_cannot_hold_is_left_to_the_next_page() {
    let mut kept = Kept::new("long");
    let mut all = Vec::new();
    for n in 0..40_u32 {
        let id = EventId::at(START + i64::from(n) * 1_000_000);
        // Each is six times as long in JSON.
        let message = vec![1; 100_000];
        kept.store.append(&Event::new(id, "default", &message).with_system(b"shop")).unwrap();
        all.push(id.get());
    }
    kept.store.publish(EventId::at(NOW));
    let (mut seen, mut after) = (Vec::new(), 0);
    loop {
        let page = kept.page(&format!("min_id={after}"));
        assert!(page.reached_record_limit != page.reached_end);
        let mut text = Vec::new();
        Writer::new(&page, TimeZone::UTC, &Systems::default()).write(&mut text, |_| Ok(())).unwrap();
        assert!(text.len() <= WRITTEN + 1_000, "{}", text.len());
        seen.extend(ids(&page));
        after = page.max_id;
        if page.reached_end {
            break;
        }
    }
    assert_eq!(seen, all);
    let (mut seen, mut page) = (Vec::new(), kept.page(""));
    while !page.events.is_empty() {
        seen.splice(0..0, ids(&page));
        page = kept.page(&format!("max_id={}", page.min_id));
    }
    assert_eq!(seen, all);
}

#[test]
fn rows_4_3_an_event_is_written_in_the_forms_that_clients_read() {
    let mut kept = Kept::new("forms");
    let id = EventId::at(START + 123_456);
    let event = Event::new(id, "default", "GET / \"q\" \u{1b}[31m é".as_bytes())
        .with_system(b"shop")
        .with_generated(START - 1)
        .with_severity(6)
        .with_facility(19)
        .with_source_ip("::ffff:192.0.2.7".parse().unwrap());
    kept.store.append(&event).unwrap();
    kept.store.append(&Event::new(id.next(), "default", b"\xff\0").with_system(b"\xfe")).unwrap();
    kept.store.publish(id.next());
    let page = kept.page("");
    let directory = Directory::new(&kept.dir);
    directory.open().unwrap();
    let systems = || Systems::of(&directory, "default", page.events.iter());
    let text = |zone: &str| {
        let mut text = Vec::new();
        Writer::new(&page, TimeZone::get(zone).unwrap(), &systems()).write(&mut text, |_| Ok(())).unwrap();
        String::from_utf8(text).unwrap()
    };
    assert_eq!(systems().get(b"shop"), systems().get(b"shop"), "a number stays");
    let json: serde_json::Value = serde_json::from_str(&text("UTC")).unwrap();
    let source_id = json["events"][0]["source_id"].clone();
    assert!(source_id.as_u64().is_some_and(|id| id > 0 && id < 1 << 31));
    assert_eq!(
        json["events"][0],
        serde_json::json!({
            "id": id.to_string(), "source_ip": "192.0.2.7", "program": "", "message": "GET / \"q\" \u{1b}[31m é",
            "received_at": "2023-11-14T22:13:20+00:00", "generated_at": "2023-11-14T22:13:19+00:00",
            "display_received_at": "Nov 14 22:13:20", "source_id": source_id, "source_name": "shop",
            "hostname": "shop", "severity": "Info", "facility": "Local3"
        })
    );
    assert_eq!(json["events"][1]["message"], "\u{fffd}\0");
    assert_eq!((&json["events"][1]["hostname"], &json["events"][1]["severity"]), (&"\u{fffd}".into(), &().into()));
    assert_eq!(json["min_time_at"], "2023-11-14T22:13:20+00:00");
    assert_eq!((json["min_id"].as_str(), json["reached_end"].as_bool()), (Some(&*id.to_string()), Some(true)));
    assert!(json.get("reached_record_limit").is_none());
    assert!(text("UTC").contains(&format!("\"id\":\"{id}\",")), "compact");
    let mut text_with_null = Vec::new();
    let systems = systems();
    let mut with_null = Writer::new(&page, TimeZone::UTC, &systems).with_null_program(true);
    with_null.write(&mut text_with_null, |_| Ok(())).unwrap();
    let with_null: serde_json::Value = serde_json::from_slice(&text_with_null).unwrap();
    assert!(with_null["events"][0]["program"].is_null());
    let there: serde_json::Value = serde_json::from_str(&text("America/Los_Angeles")).unwrap();
    assert_eq!(there["events"][0]["received_at"], "2023-11-14T14:13:20-08:00");
    assert_eq!(there["events"][0]["display_received_at"], "Nov 14 14:13:20");
}

#[test]
fn what_the_plan_no_longer_shows_is_not_found_by_any_bound() {
    let (kept, all) = Kept::with_lines("floor", 100);
    let reader = kept.store.reader();
    let oldest = reader.accounts().unwrap().first().and_then(|account| account.oldest());
    for query in ["", "tail=false", "min_id=0", "min_time=0", "min_time=0&tail=false", "max_id=9223372036854775807"] {
        let wanted = Wanted { floor: all[60], ..wanted(query).unwrap() };
        let view = reader.view(&Scope::account("default"));
        let page = find(Lines::default(), &view, &Query::default(), &wanted, oldest, NOW, &mut || true);
        assert_eq!(ids(&page), all[60..], "{query}");
        assert!(page.reached_beginning && page.reached_end);
    }
    let wanted = Wanted { floor: all[60], ..wanted(&format!("max_id={}", all[50])).unwrap() };
    let view = reader.view(&Scope::account("default"));
    assert!(find(Lines::default(), &view, &Query::default(), &wanted, oldest, NOW, &mut || true).events.is_empty());
}

#[test]
fn notes_fit_into_a_header() {
    let of = |query: &str| notes(Query::parse(query).notes()).to_str().unwrap().to_owned();
    assert_eq!(of("a b"), "");
    assert!(!of("a b OR c").is_empty());
    for query in ["é\r\nX-Evil: 1 OR", "\"open\r\n", &"OR ".repeat(2_000), &"x:\u{1f680}\u{0} ".repeat(500)] {
        assert!(of(query).len() <= NOTES_BYTES + 3 && !of(query).contains(['\r', '\n']), "{query}");
    }
}
