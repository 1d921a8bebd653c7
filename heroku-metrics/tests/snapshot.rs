//! Snapshots: whatever the position, the resumed run gives the bytes of the uninterrupted one; damage is refused.

use heroku_metrics::aggregator::AggregatorConfig;
use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::{Delivery, Dialect, Frames};
use heroku_metrics::{Pipeline, PipelineConfig, Plan};
use std::time::Duration;

fn config() -> PipelineConfig {
    PipelineConfig::new()
        .with_dialect(Dialect::ByHostname)
        .with_aggregator(
            AggregatorConfig::new()
                .with_allowed_lateness(Duration::from_secs(5))
                .with_max_future(Duration::from_secs(3_600)),
        )
        .with_plan(Plan::new("small").with_streams(60))
}

/// The frames of a body, each as a delivery of its own with an id.
fn frames(body: &[u8]) -> Vec<(String, &[u8])> {
    Frames::new(body)
        .enumerate()
        .map(|(place, raw)| {
            let raw = raw.unwrap();
            let (from, to) = (raw.offset() as usize, (raw.offset() + raw.wire_len()) as usize);
            (format!("{place:032X}"), &body[from..to])
        })
        .collect()
}

/// A run with rows as they are written: deliveries, and now and then the clock.
struct Run {
    pipeline: Pipeline,
    rows: Vec<DataPointBuf>,
}

impl Run {
    fn new() -> Self {
        Self { pipeline: Pipeline::new(config()).unwrap(), rows: Vec::new() }
    }

    fn take(&mut self, place: usize, (id, frame): &(String, &[u8])) {
        self.pipeline.ingest(
            &Delivery::new(frame)
                .with_header("Logplex-Drain-Token", b"d.1")
                .with_header("Logplex-Frame-Id", id.as_bytes()),
        );
        let latest = self.pipeline.aggregator().latest();
        if let Some(latest) = latest.filter(|_| place.is_multiple_of(16)) {
            self.pipeline.advance(latest, &mut self.rows).unwrap();
        }
    }

    fn end(mut self) -> (Vec<DataPointBuf>, String) {
        self.pipeline.finish(&mut self.rows).unwrap();
        let ledger = self.pipeline.ledger();
        assert!(ledger.balances());
        (self.rows, ledger.to_string())
    }
}

/// Runs to every `step`th position, snapshots, restores and goes on; each must end like the uninterrupted run.
fn resume_everywhere(body: &[u8], step: usize) {
    let frames = frames(body);
    let mut whole = Run::new();
    for (place, frame) in frames.iter().enumerate() {
        whole.take(place, frame);
    }
    let whole = whole.end();
    assert!(whole.0.len() > 100, "{} rows", whole.0.len());
    assert!(whole.1.contains("folded"), "the plan is meant to be too small: {}", whole.1);

    let mut going = Run::new();
    for (place, frame) in frames.iter().enumerate() {
        going.take(place, frame);
        if !place.is_multiple_of(step) {
            continue;
        }
        let bytes = going.pipeline.snapshot(&place.to_le_bytes());
        let (pipeline, position) = Pipeline::restore(config(), &bytes).unwrap();
        assert_eq!(position, place.to_le_bytes());
        let mut resumed = Run { pipeline, rows: going.rows.clone() };
        for (place, frame) in frames.iter().enumerate().skip(place + 1) {
            resumed.take(place, frame);
        }
        assert!(resumed.end() == whole, "resumed at {place}");
    }
}

#[test]
fn a_run_resumed_at_any_position_of_the_demo_gives_the_same_bytes() {
    let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    resume_everywhere(&body, 1);
}

/// One hour of generated traffic; every position with `HEROKU_METRICS_LONG=1`, else one in 50.
#[test]
fn a_run_resumed_in_a_generated_hour_gives_the_same_bytes() {
    let hour = testkit::traffic::Traffic::new(0x5eed).lines_per_second(1).bytes(1_090_000).generate();
    let step = if std::env::var_os("HEROKU_METRICS_LONG").is_some() { 1 } else { 200 };
    resume_everywhere(hour.body(), step);
}

#[test]
fn every_damaged_octet_and_every_truncation_is_refused() {
    let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    let mut run = Run::new();
    for (place, frame) in frames(&body).iter().enumerate().take(120) {
        run.take(place, frame);
    }
    let bytes = run.pipeline.snapshot(b"here");
    assert!(bytes.len() > 1_000);
    for len in 0..bytes.len() {
        assert!(Pipeline::restore(config(), &bytes[..len]).is_err(), "cut to {len}");
    }
    let mut damaged = bytes.clone();
    for place in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            damaged[place] ^= flip;
            assert!(Pipeline::restore(config(), &damaged).is_err(), "{flip:#x} at {place}");
            damaged[place] ^= flip;
        }
    }
    assert!(Pipeline::restore(config(), &[&bytes[..], b"\0"].concat()).is_err());
    assert!(Pipeline::restore(config(), &bytes).is_ok());
}

#[test]
fn a_snapshot_of_a_bare_aggregator_is_not_a_pipelines() {
    let mut engine = heroku_metrics::aggregator::Aggregator::new(AggregatorConfig::new()).unwrap();
    let error = Pipeline::restore(PipelineConfig::new(), &engine.snapshot(b"mine")).unwrap_err();
    assert_eq!(error.to_string(), "snapshot of an aggregator, not of a pipeline");
    let error = Pipeline::restore(PipelineConfig::new(), &engine.snapshot(b"HMPIPE\x09")).unwrap_err();
    assert_eq!(error.to_string(), "pipeline state of version 9, this is 2");
    let error = Pipeline::restore(PipelineConfig::new(), &engine.snapshot(b"HMPIPE\x02\x01\xff")).unwrap_err();
    assert_eq!(error.to_string(), "pipeline state of the snapshot makes no sense");
    let error = Pipeline::restore(PipelineConfig::new(), &engine.snapshot(b"HMPIPE\x01\xff")).unwrap_err();
    assert_eq!(error.to_string(), "pipeline state of the snapshot makes no sense");
}

/// Numbers that were forged into books: adding them up must not overflow, nor may they go on to.
#[test]
fn books_that_cannot_be_are_refused() {
    let mut pipeline = Pipeline::new(PipelineConfig::new()).unwrap();
    for _ in 0..2 {
        pipeline.ingest(&Delivery::new(b"4 junk\n").with_header("Logplex-Frame-Id", b"9C2F"));
    }
    let bytes = pipeline.snapshot(b"");
    let config = || AggregatorConfig::new();
    let (mut engine, state) = heroku_metrics::aggregator::Aggregator::restore(config(), &bytes).unwrap();
    // groups:u8 *(numbers:u16 *u64)
    let (mut places, mut at) = (Vec::new(), 8);
    for _ in 0..state[7] {
        let count = usize::from(u16::from_le_bytes([state[at], state[at + 1]]));
        places.extend((0..count).map(|number| at + 2 + 8 * number));
        at += 2 + 8 * count;
    }
    let count = places.len();
    let mut forged = |change: &dyn Fn(usize) -> Option<u64>| {
        let mut state = state.clone();
        for (number, place) in places.iter().enumerate() {
            if let Some(value) = change(number) {
                state[*place..][..8].copy_from_slice(&value.to_le_bytes());
            }
        }
        Pipeline::restore(PipelineConfig::new(), &engine.snapshot(&state))
            .map(|(pipeline, _)| pipeline.ledger().to_string())
    };
    let books = forged(&|_| None).unwrap();
    assert!(books.starts_with("deliveries   2 in, 1 new, 1 duplicate"), "{books}");
    for number in 0..count {
        assert!(forged(&|at| (at == number).then_some(u64::MAX)).is_err(), "number {number}");
    }
    assert!(forged(&|_| Some(u64::MAX)).is_err());
    assert!(forged(&|at| (at == 1).then_some(3)).is_err(), "more duplicates than deliveries");
}

#[test]
fn parts_merge_in_any_order() {
    let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
    let frames = frames(&body);
    let config = || PipelineConfig::new().with_dialect(Dialect::ByHostname);
    let mut whole = Pipeline::new(config()).unwrap();
    let mut parts: Vec<_> = (0..3).map(|_| Pipeline::new(config()).unwrap()).collect();
    for (place, (id, frame)) in frames.iter().enumerate() {
        let delivery = Delivery::new(frame).with_header("Logplex-Frame-Id", id.as_bytes());
        whole.ingest(&delivery);
        parts[place * 7 % 3].ingest(&delivery);
    }
    let finish = |mut pipeline: Pipeline| {
        let mut rows: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut rows).unwrap();
        (rows, pipeline.ledger().to_string())
    };
    let bytes: Vec<_> = parts.iter_mut().map(|part| part.snapshot(b"")).collect();
    let whole = finish(whole);
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let mut made = order.map(|place| Pipeline::restore(config(), &bytes[place]).unwrap().0).into_iter();
        let mut sum = made.next().unwrap();
        for part in made {
            sum.merge(part).unwrap();
        }
        assert!(finish(sum) == whole, "{order:?}");
    }
}

/// Each was written by its version, of the first 200 frames of the demo as it was then. They must be readable for as long
/// as snapshots are: `HEROKU_METRICS_WRITE=1` writes the last anew, for a new version under a new name. Lines that came to
/// the books after a snapshot was written read as 0.
#[test]
fn snapshots_of_all_versions_are_readable() {
    let folder = testkit::testdata().join("snapshots");
    if std::env::var_os("HEROKU_METRICS_WRITE").is_some() {
        let body = std::fs::read(testkit::testdata().join("demo.logplex")).unwrap();
        let mut run = Run::new();
        for (place, frame) in frames(&body).iter().enumerate().take(200) {
            run.take(place, frame);
        }
        std::fs::write(folder.join("pipeline-2.bin"), run.pipeline.snapshot(b"frame 200")).unwrap();
    }
    for name in ["pipeline-1.bin", "pipeline-2.bin"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let (mut pipeline, position) = Pipeline::restore(config(), &bytes).unwrap();
        assert_eq!(position, b"frame 200");
        let ledger = pipeline.ledger();
        assert!(ledger.balances());
        assert_eq!((ledger.total().frames(), ledger.observations().observed()), (200, 609), "{name}");
        let mut rows: Vec<DataPointBuf> = Vec::new();
        pipeline.finish(&mut rows).unwrap();
        let clicks: Vec<_> = rows.iter().filter(|row| row.as_point().name() == "shop.orders").collect();
        assert!(!clicks.is_empty());
        let seen = format!("{:032X}", 7);
        let again = Delivery::new(b"")
            .with_header("Logplex-Drain-Token", b"d.1")
            .with_header("Logplex-Frame-Id", seen.as_bytes());
        assert_eq!(pipeline.ingest(&again).duplicates(), 1, "{name}");
    }
}
