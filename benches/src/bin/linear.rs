//! Hostile inputs of growing size, for `benches/linear`: what a sender may write must cost what it is long, no more.
//!
//! Prints `CASE OCTETS WORK` for each run of `measured`, in the order in which they happen; the script has valgrind count
//! the instructions of each. Four sizes a case, each twice the one before. `linear PREFIX` runs the cases that begin so.

use heroku_metrics::aggregator::{Aggregator, AggregatorConfig, LatePolicy, StreamQuota};
use heroku_metrics::model::{DataPointBuf, Observation, TagSet, Timestamp, Value};
use heroku_metrics::router::{PlatformError, RouterLine};
use heroku_metrics::syslog::{Delivery, Dialect, Frame, FrameReader, Frames, Limits, Recovery, rendered};
use heroku_metrics::{Pipeline, PipelineConfig, Plan};
use logfmt_metrics::{colour::Uncoloured, directives, number, pairs};
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
