//! The pipeline: one input, read in every way, gives one output and books that balance.

use heroku_metrics::model::{DataPoint, DataPointBuf, Observation, TagSet, Timestamp, Value};
use heroku_metrics::syslog::{Delivery, Dialect, Frame, FrameError, FrameReader, FramingError, Limits, Recovery};
use heroku_metrics::{Line, LineRefusal, Pipeline, PipelineConfig, Tap, Verdict};

fn pipeline() -> Pipeline {
    Pipeline::new(PipelineConfig::new().with_dialect(Dialect::ByHostname)).unwrap()
}

fn finish(mut pipeline: Pipeline) -> Vec<DataPointBuf> {
    let mut points: Vec<DataPointBuf> = Vec::new();
    pipeline.finish(&mut points).unwrap();
    assert!(pipeline.ledger().balances());
    points
}

fn framed(line: &str) -> String {
    format!("{} {line}", line.len())
}

fn demo() -> Vec<u8> {
    std::fs::read(testkit::testdata().join("demo.logplex")).unwrap()
}

fn by_stream(body: &[u8], piece: usize) -> (Vec<DataPointBuf>, u64) {
    let mut pipeline = pipeline();
    let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    let mut pieces = body.chunks(piece);
    loop {
        match pieces.next() {
            Some(piece) => reader.push(piece),
            None => reader.finish(),
        }
        while let Some(item) = reader.next_frame() {
            match item {
                Ok(raw) => drop(pipeline.ingest_frame(raw, &mut ())),
                Err(error) => pipeline.ingest_skipped(&error),
            }
        }
        if pieces.len() == 0 && reader.buffered() == 0 {
            break;
        }
    }
    pipeline.ingest_separators(reader.separators());
    let octets = pipeline.ledger().total().bytes();
    (finish(pipeline), octets)
}

#[test]
fn a_body_and_a_stream_in_pieces_give_the_same_points() {
    let body = demo();
    let mut whole = pipeline();
    whole.ingest(&Delivery::new(&body));
    let whole = finish(whole);
    for piece in [1, 7, 100, 4096, body.len()] {
        let (points, octets) = by_stream(&body, piece);
        assert_eq!(points, whole, "pieces of {piece}");
        assert_eq!(octets, body.len() as u64);
    }
}

#[test]
fn the_books_balance_on_every_prefix_and_on_damage() {
    let body = demo();
    for end in (0..body.len().min(6_000)).step_by(7) {
        let mut pipeline = pipeline();
        let receipt = pipeline.ingest(&Delivery::new(&body[..end]));
        assert!(receipt.balances() && receipt.bytes() == end as u64, "{end}: {receipt:?}");
    }
    let mut damaged = body;
    for place in (3..damaged.len()).step_by(97) {
        damaged[place] ^= 0x15;
    }
    let mut pipeline = pipeline();
    let receipt = pipeline.ingest(&Delivery::new(&damaged));
    assert!(receipt.balances(), "{receipt:?}");
    assert!(receipt.skipped_bytes() > 0 && receipt.refused_frames() > 0, "{receipt:?}");
    assert!(pipeline.ledger().balances());
}

#[test]
fn the_books_print_a_line_a_stage_and_leave_zeros_out() {
    let mut pipeline = pipeline();
    assert_eq!(pipeline.ledger().to_string(), "nothing was read");
    let lines = ["count#a=1", "count#a=-1 sample#b=x tag#k=", "hello"];
    let body: String =
        lines.map(|line| framed(&format!("<190>1 2026-03-14T09:26:53Z host app web.1 - {line}\n"))).concat();
    pipeline.ingest(&Delivery::new(format!("{body}4 junk\nand no more").as_bytes()));
    let stages = [
        "deliveries   1 in, 1 new",
        "octets       207 in, 195 in frames, 1 separators, 11 skipped: bad_length",
        "frames       4 in, 2 custom, 1 text, 1 refused: bad_pri",
        "values       3 in, 1 observed, 1 refused: not_a_number, 1 refused: negative_count, 1 tag refused: bad_tag_value",
        "observations 1 in, 1 accepted",
    ];
    assert_eq!(pipeline.ledger().to_string(), stages.join("\n"));
}

#[test]
fn lines_that_could_not_be_read_have_lines_of_their_own_in_the_books() {
    let mut pipeline = pipeline();
    let lines = [
        "heroku router - something new",
        "heroku web.1 - source=web.1 measure=memory_total val=1 units=MB",
        "app heroku-postgres - size 17",
        "heroku web.1 - Error Q7 (Nobody knows)",
        "heroku logplex - Overflow",
        "t.1234 web.1 - count#a=1",
        "heroku web.1 - State changed from starting to up",
        "app web.1 - count#a=1",
    ];
    let body: String = lines.map(|line| framed(&format!("<190>1 2026-03-14T09:26:53Z host {line}"))).concat();
    let receipt = pipeline.ingest(&Delivery::new(body.as_bytes()));
    assert!(receipt.balances());
    assert_eq!((receipt.unread_lines(), receipt.observed()), (5, 1));
    let books = pipeline.ledger().to_string();
    let frames = "frames       8 in, 1 custom, 1 text, 1 unread: router, 1 unread: runtime, 1 unread: database, \
                  2 unread: error, 1 passed over";
    assert_eq!(books.lines().find(|line| line.starts_with("frames")), Some(frames));
    // All classes have a place, and only one.
    let parts = ["native", "custom", "text", "filtered", "passed over", "one off"];
    let ledger = pipeline.ledger();
    let parts = ledger.entries().filter(|entry| {
        let in_group = entry.reason().is_some_and(|(group, _)| ["unread", "refused"].contains(&group));
        entry.stage() == "frames" && (in_group || parts.contains(&entry.name().as_str()))
    });
    assert_eq!(parts.map(|entry| entry.count()).sum::<u64>(), receipt.frames());
}

/// The number that stands in the books under this name.
fn entry(pipeline: &Pipeline, name: &str) -> u64 {
    pipeline.ledger().entries().find(|entry| entry.name() == name).map(|entry| entry.count()).unwrap()
}

#[test]
fn a_bad_frame_costs_itself_alone() {
    let good = "55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n";
    let body = format!("{good}4 junk{good}12 <190>1 - - -{good}");
    let mut pipeline = pipeline();
    let receipt = pipeline.ingest(&Delivery::new(body.as_bytes()));
    assert_eq!((receipt.frames(), receipt.refused_frames(), receipt.observed()), (5, 2, 3));
    assert_eq!(finish(pipeline)[0].as_point().stats().sum(), 3.0);
}

#[test]
fn frames_whose_length_was_put_right_are_counted() {
    let body = "55 <190>1 2026-03-14T09:26:53Z host app web.1 - größe count#a=1\n".repeat(3);
    let mut pipeline = pipeline();
    let receipt = pipeline.ingest(&Delivery::new(body.as_bytes()));
    assert_eq!((receipt.frames(), receipt.observed()), (3, 3));
    assert_eq!(entry(&pipeline, "repaired"), 3);
    assert!(receipt.balances(), "{receipt:?}");
    // Without line ends nothing tells where a message ends, and a cut value is none.
    let stripped = "55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1".repeat(3);
    let receipt = pipeline.ingest(&Delivery::new(stripped.as_bytes()));
    assert_eq!((receipt.observed(), receipt.skipped_bytes()), (0, stripped.len() as u64));
}

#[test]
fn a_count_header_that_disagrees_refuses_nothing() {
    let body = b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n";
    let mut pipeline = pipeline();
    pipeline.ingest(&Delivery::new(body).with_header("Logplex-Msg-Count", b"1"));
    assert_eq!(entry(&pipeline, "count header disagrees"), 0);
    let receipt = pipeline.ingest(
        &Delivery::new(body).with_header("Logplex-Msg-Count", b"7").with_header("Logplex-Frame-Id", b"another"),
    );
    assert_eq!((entry(&pipeline, "count header disagrees"), receipt.observed()), (1, 1));
}

/// Counts what it is shown.
#[derive(Default)]
struct Counter {
    frames: u64,
    lines: u64,
    observations: u64,
    refusals: u64,
    bad_frames: u64,
    lost: u64,
    drop_all: bool,
}

impl Tap for Counter {
    fn frame(&mut self, _: &Frame<'_>) -> Verdict {
        self.frames += 1;
        if self.drop_all { Verdict::Drop } else { Verdict::Keep }
    }

    fn line(&mut self, _: &Frame<'_>, _: &Line<'_>) {
        self.lines += 1;
    }

    fn observation(&mut self, _: &Observation<'_>, _: heroku_metrics::aggregator::Outcome) {
        self.observations += 1;
    }

    fn refusal(&mut self, frame: &Frame<'_>, refusal: &LineRefusal) {
        assert!(!refusal.text(frame.message()).is_empty());
        self.refusals += 1;
    }

    fn bad_frame(&mut self, _: &[u8], _: &FrameError) {
        self.bad_frames += 1;
    }

    fn lost_framing(&mut self, error: &FramingError) {
        self.lost += error.skipped();
    }
}

#[test]
fn a_tap_sees_everything_once() {
    let mut body = demo();
    body.extend_from_slice(b"4 junk???");
    let mut counter = Counter::default();
    let receipt = pipeline().ingest_with(&Delivery::new(&body), &mut counter);
    assert_eq!(counter.frames + counter.bad_frames, receipt.frames());
    assert_eq!(counter.lines, counter.frames);
    assert_eq!(counter.observations, receipt.observed());
    assert_eq!(counter.lost, receipt.skipped_bytes());
    assert!(counter.refusals >= receipt.refused_values() && receipt.refused_values() > 0);

    let mut closed = Counter { drop_all: true, ..Counter::default() };
    let receipt = pipeline().ingest_with(&Delivery::new(&body), &mut closed);
    assert_eq!((receipt.observed(), closed.lines), (0, 0), "a filter stands in front of everything that is counted");
    assert!(receipt.balances());
}

#[test]
fn a_host_adds_its_own_observations() {
    let mut pipeline = pipeline();
    let tags = TagSet::from_iter([("region", "eu")]);
    let time = Timestamp::from_unix_seconds(1_773_480_413);
    let _ = pipeline.aggregator_mut().observe(&Observation::count("deploys", Value::plain(2.0), &tags, time));
    let body = framed("<190>1 2026-03-14T09:26:53Z host app web.1 - count#deploys=1 tag#region=eu");
    pipeline.ingest(&Delivery::new(body.as_bytes()));
    let points = finish(pipeline);
    assert_eq!(points.len(), 1);
    assert_eq!(points[0].as_point().stats().sum(), 3.0);
}

#[test]
fn a_sink_that_fails_gets_the_window_again() {
    let mut pipeline = pipeline();
    let body = framed("<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1 count#b=2");
    pipeline.ingest(&Delivery::new(body.as_bytes()));
    let mut first = true;
    let mut written = Vec::new();
    let mut sink = |point: &DataPoint<'_>| {
        if point.name() == "b" && std::mem::take(&mut first) {
            return Err("full");
        }
        written.push(point.name().to_owned());
        Ok(())
    };
    assert_eq!(pipeline.finish(&mut sink), Err("full"));
    assert_eq!(pipeline.finish(&mut sink), Ok(()));
    assert_eq!(pipeline.finish(&mut sink), Ok(()));
    assert_eq!(written, ["a", "a", "b"]);
}

#[test]
fn a_delivery_counts_once_however_often_it_comes() {
    let body = demo();
    let delivery =
        Delivery::new(&body).with_header("Logplex-Drain-Token", b"d.1").with_header("Logplex-Frame-Id", b"9C2F");
    let mut pipeline = pipeline();
    let first = pipeline.ingest(&delivery);
    for _ in 0..3 {
        let retry = pipeline.ingest(&delivery);
        assert_eq!((retry.duplicates(), retry.frames(), retry.bytes()), (1, 0, 0));
    }
    // A retry under the same id may lead with an L10 frame, and is a retry all the same.
    let changed = [&b"4 junk"[..], &body].concat();
    let retry =
        Delivery::new(&changed).with_header("Logplex-Drain-Token", b"d.1").with_header("Logplex-Frame-Id", b"9C2F");
    assert_eq!(pipeline.ingest(&retry).duplicates(), 1);
    assert_eq!(pipeline.ledger().total().frames(), first.frames());
    let mut once = self::pipeline();
    once.ingest(&delivery);
    assert_eq!(finish(pipeline), finish(once));
}
