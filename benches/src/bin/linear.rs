//! Hostile inputs of growing size, for `benches/linear`: what a sender may write must cost what it is long, no more.
//!
//! Prints `CASE OCTETS WORK` for each run of `measured`, in the order in which they happen; the script has valgrind count
//! the instructions of each. Four sizes a case, each twice the one before. `linear PREFIX` runs the cases that begin so.

use heroku_metrics::aggregator::{Aggregator, AggregatorConfig, LatePolicy, StreamQuota};
use heroku_metrics::model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
use heroku_metrics::router::{PlatformError, RouterLine};
use heroku_metrics::syslog::{Delivery, Dialect, Frame, FrameReader, Frames, Limits, Recovery, rendered};
use heroku_metrics::{Pipeline, PipelineConfig, Plan};
use log_query::{Fields, Query};
use log_store::{Event, EventId, Options, Page, Scope, Store};
use logfmt_metrics::{colour::Uncoloured, directives, number, pairs};
use std::fs;
use std::hint::black_box;
use std::time::Duration;

/// What a case does with its input; answers how much it found, so that nothing can be left out.
type Work = fn(&[u8]) -> u64;

struct Case {
    name: &'static str,
    /// About so many octets of input.
    input: fn(usize) -> Vec<u8>,
    work: Work,
    /// The smallest size.
    from: usize,
}

const fn case(name: &'static str, from: usize, input: fn(usize) -> Vec<u8>, work: Work) -> Case {
    Case { name, input, work, from }
}

const CASES: &[Case] = &[
    // Lines.
    case("pairs/quotes-in-quotes", 8 << 10, |n| storm(b"a=\"b=\\\"c=", n), walk_pairs),
    case("pairs/open-quotes", 8 << 10, |n| storm(b"=\"", n), walk_pairs),
    case("pairs/escapes", 8 << 10, |n| [b"k=\"", storm(b"\\\\\\\"", n).as_slice()].concat(), walk_pairs),
    case("pairs/equal-signs", 8 << 10, |n| storm(b"=", n), walk_pairs),
    case("pairs/spaces", 8 << 10, |n| storm(b" ", n), walk_pairs),
    case("directives/equal-signs", 8 << 10, |n| storm(b"a==", n), walk_directives),
    case("directives/words-in-words", 8 << 10, |n| storm(b"count#measure#sample#", n), walk_directives),
    case("directives/tags", 16 << 10, tags, walk_directives),
    case("directives/one-tag-again", 16 << 10, |n| storm(b"tag#k=v ", n), walk_directives),
    case("directives/metrics", 16 << 10, |n| storm(b"count#a=1 measure#b=2ms ", n), walk_directives),
    case("directives/refused", 16 << 10, |n| storm(b"measure#a=ms count#b=-1 tag#= ", n), walk_directives),
    case("directives/in-a-url", 16 << 10, |n| [b"/x?", storm(b"count#a=1&", n).as_slice()].concat(), walk_directives),
    case(
        "directives/in-a-string",
        16 << 10,
        |n| [b"{\"q\":\"", storm(b"count#a=1,", n).as_slice()].concat(),
        walk_directives,
    ),
    case(
        "directives/in-a-message",
        16 << 10,
        |n| [b"msg=\"", storm(b"\\ncount#a=1", n).as_slice(), b"\""].concat(),
        walk_directives,
    ),
    case("directives/single-quotes", 16 << 10, |n| storm(b"='a\"b\" 'c", n), walk_directives),
    case("directives/backslashes", 16 << 10, |n| [b"msg='", storm(b"\\\\\\'", n).as_slice()].concat(), walk_directives),
    case("directives/marks", 16 << 10, |n| [b"count#a=1", storm(b",;", n).as_slice()].concat(), walk_directives),
    case("directives/braces", 16 << 10, |n| storm(b"{\"msg\":\"#\",", n), walk_directives),
    case(
        "colours/codes",
        16 << 10,
        |n| storm(b"\x1b[1;2m\x1b[1;\x1b", n),
        |line| Uncoloured::new().read(line).len() as u64,
    ),
    case("numbers/digits", 8 << 10, |n| storm(b"7", n), |line| u64::from(number(line).is_ok())),
    case("numbers/zeros", 8 << 10, |n| [b"0.", storm(b"0", n).as_slice(), b"1"].concat(), read_number),
    case("numbers/exponent", 8 << 10, |n| [b"1e", storm(b"0", n).as_slice(), b"1"].concat(), read_number),
    case("router/forwarded-for", 8 << 10, |n| router(b"/", &storm(b"192.0.2.7, ", n)), walk_router),
    case("router/hosts-in-path", 8 << 10, |n| router(&storm(b"\" host=", n), b"192.0.2.7"), walk_router),
    case("router/fields-in-path", 8 << 10, |n| router(&storm(b" dyno=web.1 fwd=\"", n), b"192.0.2.7"), walk_router),
    case("router/fields-in-fwd", 8 << 10, |n| router(b"/", &storm(b"\" dyno=x status=1 ", n)), walk_router),
    case("router/unknown-fields", 8 << 10, |n| [b"at=info ", storm(b"a=\"b\" ", n).as_slice()].concat(), walk_router),
    case("router/one-field-again", 8 << 10, |n| [b"at=info ", storm(b"status=x ", n).as_slice()].concat(), walk_router),
    case("platform/brackets", 8 << 10, |n| [b"Error L10 ", storm(b"(", n).as_slice()].concat(), read_platform),
    case("platform/digits", 8 << 10, |n| [b"Error L10 (a): ", storm(b"9", n).as_slice()].concat(), read_platform),
    // Frames.
    case("header/elements", 8 << 10, |n| structured(&storm(b"[a b=\"c\"]", n)), walk_header),
    case("header/parameters", 8 << 10, |n| structured(&[b"[a", &*storm(b" b=\"c\"", n), b"]"].concat()), walk_header),
    case(
        "header/escapes",
        8 << 10,
        |n| structured(&[b"[a b=\"", &*storm(b"\\]\\\"", n), b"\"]"].concat()),
        walk_header,
    ),
    case("header/open-brackets", 8 << 10, |n| structured(&storm(b"[a ", n)), walk_header),
    case("frames/empty", 8 << 10, |n| storm(b"0 ", n), walk_frames),
    case("frames/one-octet", 8 << 10, |n| storm(b"1 a", n), walk_frames),
    case("frames/line-ends", 8 << 10, |n| storm(b"\r\n", n), walk_frames),
    case("frames/digits", 8 << 10, |n| storm(b"1", n), walk_frames),
    case("frames/nearly", 8 << 10, |n| storm(b"9 <1>1 x", n), walk_frames),
    case("frames/inside-each-other", 8 << 10, |n| storm(b"40 <1>1 ", n), walk_frames),
    case("frames/far-ends", 8 << 10, |n| storm(b"4000 <1>1 - ", n), walk_frames),
    case("frames/twenty-lengths", 8 << 10, twenty_lengths, walk_frames),
    case("frames/bad-length-again", 8 << 10, |n| storm(b"x16 <1>1 - - - - - -", n), walk_frames),
    case("reader/digits", 8 << 10, |n| storm(b"1", n), by_octet),
    case("reader/nearly", 8 << 10, |n| storm(b"9 <1>1 x", n), by_octet),
    case("reader/inside-each-other", 8 << 10, |n| storm(b"4000 <1>1 - ", n), by_octet),
    case(
        "reader/a-large-frame",
        8 << 10,
        |n| [b"60000 <1>1 ", storm(b"a", n.min(59_000)).as_slice()].concat(),
        by_octet,
    ),
    case("rendered/line-ends", 8 << 10, |n| storm(b"\n", n), walk_rendered),
    case("rendered/no-line", 8 << 10, |n| storm(b"2026-03-14T09:26:53+00:00 app[", n), walk_rendered),
    case(
        "rendered/colours",
        8 << 10,
        |n| storm(b"\x1b[36m2026-03-14T09:26:53+00:00 app[web.1]: \x1b[0m\n", n),
        walk_rendered,
    ),
    // The aggregator and everything together.
    case("streams/alike-tags", 1 << 10, alike, |input| observe(input, AggregatorConfig::new())),
    case("streams/refused", 1 << 10, alike, |input| observe(input, AggregatorConfig::new().with_max_streams(10))),
    case("streams/over-quota", 1 << 10, alike, |input| {
        observe(input, AggregatorConfig::new().with_quota(StreamQuota::streams(10)))
    }),
    case("streams/each-a-minute", 1 << 10, alike, every_minute),
    case("restore/tags", 4 << 10, one_stream, restore),
    case("pipeline/metrics", 16 << 10, |n| body(n, "measure#a.N=1ms count#b.N=1 tag#user=N tag#b=N"), ingest),
    case(
        "pipeline/router",
        16 << 10,
        |n| body(n, "at=info method=GET path=\"/N\" host=N fwd=N dyno=web.N service=Nms"),
        ingest,
    ),
    case(
        "pipeline/damaged",
        16 << 10,
        |n| storm(b"70 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1 ", n),
        ingest,
    ),
    // Queries, whoever types them, and lines that they are asked of.
    case("query/brackets", 1 << 10, |n| storm(b"(", n), read_query),
    case("query/brackets-in-words", 1 << 10, |n| storm(b"a(b", n), read_query),
    case("query/exclusions", 1 << 10, |n| storm(b"-", n), read_query),
    case("query/quotes", 1 << 10, |n| storm(b"\"", n), read_query),
    case("query/backslashes", 1 << 10, |n| [b"\"", storm(b"\\", n).as_slice()].concat(), read_query),
    case("query/alternatives", 1 << 10, |n| storm(b"(a b OR ", n), read_query),
    case("query/attributes", 1 << 10, |n| storm(b"program:(a -b ", n), read_query),
    case("query/facilities", 1 << 10, |n| storm(b"-facility:(cron OR x) ", n), read_query),
    case("matches/terms", 1 << 10, |n| storm(b"-ab OR ", n), |query| matches(query, &[b'a'; 512])),
    case("matches/joined", 1 << 10, |n| storm(b"\"web.1: a\" OR ", n), |query| matches(query, &[b'a'; 512])),
    case("matches/nearly", 8 << 10, |n| storm(b"a", n), |line| matches(b"aaaaaaaaaaaaaaab", line)),
    case("matches/nearly-at-first", 8 << 10, |n| storm(b"a", n), |line| matches(b"baaaaaaaaaaaaaaa", line)),
    case(
        "matches/a-long-term",
        8 << 10,
        |n| storm(b"ab", n),
        |line| matches(&[&storm(b"ab", 4_000)[..], b"c"].concat(), line),
    ),
    case("matches/colours", 8 << 10, |n| storm(b"\x1b[1;31ma", n), |line| matches(b"aaab", line)),
    case("matches/open-colours", 8 << 10, |n| storm(b"\x1b[1;", n), |line| matches(b"aaab", line)),
    case(
        "matches/letters",
        8 << 10,
        |n| storm("\u{130}\u{df}".as_bytes(), n),
        |line| matches("\u{df}x".as_bytes(), line),
    ),
    // Lines kept and found: 64 bytes each, or one long one.
    case("store/everywhere", 16 << 10, |n| storm(b"a=b ", n), |lines| keep(lines, 64, "\"a=b a\"")),
    case("store/nearly", 16 << 10, |n| storm(b"aab", n), |lines| keep(lines, 64, "aabaabaabaab -aaba OR aabaac")),
    case("store/one-line", 16 << 10, |n| storm(b"ab", n), |lines| keep(lines, usize::MAX, "abababababab")),
    case("store/zeros", 16 << 10, |n| storm(b"\0", n), |lines| keep(lines, 64, "\"\0\0\0\0\0\0\"")),
    case("store/colours", 16 << 10, |n| storm(b"\x1b[31ma", n), |lines| keep(lines, 64, "aaaaaa")),
    case("store/one-byte-lines", 4 << 10, |n| storm(b"a", n), |lines| keep(lines, 1, "a -b")),
    case("store/senders", 16 << 10, numbers, |lines| keep_senders(lines, "program:9 OR 99999999")),
    case(
        "store/terms",
        1 << 10,
        |n| storm(b"-ab OR ", n),
        |query| keep(&[b'a'; 4_096], 64, &String::from_utf8_lossy(query)),
    ),
];

fn main() {
    let only = std::env::args().nth(1).unwrap_or_default();
    for case in CASES.iter().filter(|case| case.name.starts_with(&only)) {
        for double in 0..4 {
            let input = (case.input)(case.from << double);
            let found = measured(case.work, &input);
            println!("{} {} {found}", case.name, input.len());
        }
    }
}

/// What is counted, and nothing else.
#[inline(never)]
fn measured(work: Work, input: &[u8]) -> u64 {
    black_box(work(black_box(input)))
}

fn storm(of: &[u8], octets: usize) -> Vec<u8> {
    of.iter().copied().cycle().take(octets / of.len() * of.len()).collect()
}

/// Tags that are all different.
fn tags(octets: usize) -> Vec<u8> {
    (0..octets / 16).flat_map(|n| format!("tag#k{n:06}=v{n:02} ").into_bytes()).collect()
}

/// Twenty lengths to try in front of each message, four of them within the limit; by the distance of 147 octets none
/// ends where another begins.
fn twenty_lengths(octets: usize) -> Vec<u8> {
    storm(&[&[b'x'; 121][..], b"99999999999999999999 <1>1 "].concat(), octets)
}

fn router(path: &[u8], fwd: &[u8]) -> Vec<u8> {
    [
        &b"at=info method=GET path=\""[..],
        path,
        b"\" host=shop.example.com request_id=5c1e fwd=\"",
        fwd,
        b"\" dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=https",
    ]
    .concat()
}

fn structured(data: &[u8]) -> Vec<u8> {
    [b"<190>1 2026-03-14T09:26:53Z host app web.1 - ", data, b" text"].concat()
}

/// Sixteen octets each that only differ in the order of a few of them, as those would choose who want keys to collide.
fn alike(octets: usize) -> Vec<u8> {
    (0..octets as u32)
        .flat_map(|n| (0..16).map(move |bit| if n >> bit & 1 == 1 { *b"Aa" } else { *b"BB" }))
        .flatten()
        .collect()
}

fn body(octets: usize, message: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let mut n = 0;
    while body.len() < octets {
        n += 1;
        let from = if message.starts_with("at=") { "heroku router" } else { "app web.1" };
        let message = message.replace('N', &n.to_string());
        let line = format!("<190>1 2026-03-14T09:{:02}:53Z host {from} - {message}\n", n % 60);
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    body
}

fn walk_pairs(line: &[u8]) -> u64 {
    pairs(line).map(|pair| 1 + pair.unescaped().unwrap_or_default().len() as u64).sum()
}

fn walk_directives(line: &[u8]) -> u64 {
    directives(line).map(|found| if found.is_ok() { 1 } else { 2 }).sum()
}

fn read_number(text: &[u8]) -> u64 {
    u64::from(number(text).is_ok())
}

fn walk_router(text: &[u8]) -> u64 {
    let Some(line) = RouterLine::parse(text) else { return 0 };
    let fields: usize = line.fields().map(|field| 1 + field.unescaped().unwrap_or_default().len()).sum();
    let asked =
        [line.dyno(), line.client().path(), line.client().host(), line.client().fwd(), line.client().request_id()]
            .into_iter()
            .flatten()
            .count();
    (fields + asked + line.client().fwd_list().count() + line.refusals().count()) as u64
}

fn read_platform(text: &[u8]) -> u64 {
    PlatformError::parse(text).map_or(0, |error| 1 + error.count().unwrap_or(0))
}

fn walk_header(message: &[u8]) -> u64 {
    let Ok(frame) = Frame::parse(message, Dialect::Rfc5424) else { return 0 };
    let data = frame.structured_data();
    data.map_or(1, |data| {
        data.elements().flat_map(|element| element.params()).map(|param| param.unescaped().len() as u64).sum()
    })
}

fn walk_frames(body: &[u8]) -> u64 {
    Frames::new(body).with_recovery(Recovery::Resync).map(|frame| if frame.is_ok() { 1 } else { 2 }).sum()
}

/// Octet by octet, as slow a sender as there is.
fn by_octet(body: &[u8]) -> u64 {
    let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    let mut found = 0;
    for octet in body.chunks(1) {
        reader.push(octet);
        while reader.next_frame().is_some() {
            found += 1;
        }
    }
    reader.finish();
    while reader.next_frame().is_some() {
        found += 1;
    }
    found
}

fn walk_rendered(text: &[u8]) -> u64 {
    rendered::Lines::new(text).map(|line| if line.parse(rendered::Form::Printed).is_ok() { 1 } else { 2 }).sum()
}

/// The snapshot of a stream of as many tags as there is room for.
fn one_stream(octets: usize) -> Vec<u8> {
    let tags: TagSet = (0..octets / 8).map(|n| (format!("k{n:05}"), "")).collect();
    let mut engine = Aggregator::new(unlimited()).expect("it does not contradict itself");
    let _ = engine.observe(&Observation::count("a", Value::plain(1.0), &tags, Timestamp::from_unix_seconds(0)));
    engine.snapshot(b"")
}

fn unlimited() -> AggregatorConfig {
    AggregatorConfig::new().with_max_key_len(u32::MAX)
}

fn restore(snapshot: &[u8]) -> u64 {
    Aggregator::restore(unlimited(), snapshot).map_or(0, |(engine, _)| engine.ledger().observed())
}

/// Each 32 octets a stream of its own.
fn observe(input: &[u8], config: AggregatorConfig) -> u64 {
    let mut engine = Aggregator::new(config).expect("it does not contradict itself");
    let mut tags = TagSet::new();
    for text in input.chunks(32) {
        tags.clear();
        tags.insert("user", core::str::from_utf8(text).unwrap_or_default());
        let value = Value::plain(1.0);
        let _ = engine.observe(&Observation::measure("query", value, &tags, Timestamp::from_unix_seconds(0)));
    }
    let mut points: Vec<DataPointBuf> = Vec::new();
    let Ok(()) = engine.finish(&mut points);
    engine.ledger().observed() + points.len() as u64
}

/// Each in a minute of its own, with closing and revising between.
fn every_minute(input: &[u8]) -> u64 {
    let late = LatePolicy::Revise { horizon: Duration::from_secs(3_600) };
    let mut engine =
        Aggregator::new(AggregatorConfig::new().with_late_policy(late)).expect("it does not contradict itself");
    let mut points: Vec<DataPointBuf> = Vec::new();
    let mut tags = TagSet::new();
    for (minute, text) in input.chunks(32).enumerate() {
        tags.clear();
        tags.insert("user", core::str::from_utf8(text).unwrap_or_default());
        let time = Timestamp::from_unix_seconds(minute as i64 * 60);
        let _ = engine.observe(&Observation::count("clicks", Value::plain(1.0), &tags, time));
        let Ok(()) = engine.advance(time, &mut points);
    }
    let Ok(()) = engine.finish(&mut points);
    points.len() as u64
}

fn ingest(body: &[u8]) -> u64 {
    let config = PipelineConfig::new().with_plan(Plan::gold());
    let mut pipeline = Pipeline::new(config).expect("the defaults agree");
    let receipt = pipeline.ingest(&Delivery::new(body));
    let mut points: Vec<DataPointBuf> = Vec::new();
    let Ok(()) = pipeline.finish(&mut points);
    receipt.frames() + receipt.observed() + points.len() as u64
}

/// Read, printed, told in words, and asked what it requires.
fn read_query(text: &[u8]) -> u64 {
    let parsed = Query::parse(&String::from_utf8_lossy(text));
    let query = parsed.query();
    let required = query.required();
    (query.to_string().len() + query.explain().len() + parsed.notes().len() + required.groups().len()) as u64
}

fn matches(query: &[u8], line: &[u8]) -> u64 {
    let parsed = Query::parse(&String::from_utf8_lossy(query));
    u64::from(parsed.query().matches(&Fields::new(b"shop", b"app/web.1", line)))
}

/// All different, 16 bytes each.
fn numbers(octets: usize) -> Vec<u8> {
    (0..octets / 16).flat_map(|n| format!("{n:016}").into_bytes()).collect()
}

/// Lines of so many bytes go into a file, and a query is asked of all of them.
fn keep(lines: &[u8], length: usize, query: &str) -> u64 {
    store(lines.chunks(length), query, |event, _| event)
}

/// Each 16 bytes are the program of a line.
fn keep_senders(lines: &[u8], query: &str) -> u64 {
    store(lines.chunks(16), query, |event, line| event.with_program(line))
}

fn store<'a>(
    lines: impl Iterator<Item = &'a [u8]>,
    query: &str,
    with: impl Fn(Event<'a>, &'a [u8]) -> Event<'a>,
) -> u64 {
    let folder = std::env::temp_dir().join(format!("family-benches-linear-{}", std::process::id()));
    let mut store = Store::open(&folder, Options::new()).expect("a folder of its own");
    let mut id = EventId::at(1_700_000_000_000_000);
    for line in lines {
        store.append(&with(Event::new(id, "shop", line), line)).expect("ids rise");
        id = id.next();
    }
    store.publish(id);
    store.flush().expect("room for a small file");
    let parsed = Query::parse(query);
    let view = store.reader().view(&Scope::account("shop"));
    let found = view.search(parsed.query(), &Page::new(), &mut || true).events().len();
    let counted = view.counts(parsed.query(), &Page::new(), 1_000, &mut || true).total();
    drop((view, store));
    fs::remove_dir_all(&folder).expect("its own folder");
    found as u64 + counted
}
