//! Writes the seeds that nobody writes by hand: `cargo run --manifest-path fuzz/Cargo.toml --example write-seeds`.
//!
//! They are what real state looks like. The fuzzer breaks it.

use family_fuzz::content;
use heroku_metrics::syslog::{Delivery, Frames};
use heroku_metrics::{Pipeline, PipelineConfig};
use minute_aggregator::{Aggregator, AggregatorConfig, MinuteSketch, Persist, Precision, Sketch};
use std::io::Result;
use std::path::Path;
use testkit::random::Random;

fn main() -> Result<()> {
    let demo = std::fs::read(testkit::testdata().join("demo.logplex"))?;
    let body = |frames: usize| {
        let end = Frames::new(&demo).flatten().take(frames).map(|raw| raw.offset() + raw.wire_len()).last();
        &demo[..end.unwrap_or(0) as usize]
    };

    for (name, frames) in [("empty", 0), ("one", 1), ("few", 12), ("more", 40)] {
        let mut pipeline = Pipeline::new(PipelineConfig::new()).expect("the defaults agree");
        let id = format!("{frames:032x}");
        pipeline.ingest(&Delivery::new(body(frames)).with_frame_id(&id).with_drain_token("d.1"));
        let bytes = pipeline.snapshot(b"here");
        write("restore", name, content(&bytes))?;
        write("resume", name, &[&[1][..], content(&bytes)].concat())?;
        // The position of the pipeline's aggregator is the pipeline's own state.
        let (_, state) = Aggregator::restore(AggregatorConfig::new(), &bytes).expect("our own snapshot");
        write("resume", &format!("{name}-state"), &[&[0][..], &state].concat())?;
    }

    for (name, count) in [("none", 0), ("few", 5), ("list", 40), ("counters", 200), ("many", 5_000)] {
        for (digits, precision) in [("two", Precision::TwoDigits), ("three", Precision::ThreeDigits)] {
            let mut random = Random::new(count);
            let mut sketch = MinuteSketch::with_precision(precision);
            (0..count).for_each(|_| sketch.record(random.latency(300) as f64 / 8.0 - 2.0));
            let mut bytes = Vec::new();
            sketch.encode(&mut bytes);
            write("sketch", &format!("{name}-{digits}"), &bytes)?;
        }
    }

    for target in ["programs", "merge", "sketch"] {
        for (seed, len) in [(1, 40), (2, 200), (3, 800), (4, 2_000)] {
            let mut random = Random::new(seed);
            let bytes: Vec<u8> = (0..len).map(|_| random.bits() as u8).collect();
            write(target, &format!("random-{len}"), &bytes)?;
        }
    }

    // Recovery, limits, tidiness, number of cuts, cuts, body.
    for (recovery, name) in [(0, "stop"), (1, "resync")] {
        write("reader", name, &[&[recovery, 5, 3, 1, 4, 7, 30, 255, 63], body(6)].concat())?;
        let damaged = [body(2), b"999999999 lost", &body(4)[body(2).len()..], b"\r\n \n007 <1>"].concat();
        write("reader", &format!("{name}-damaged"), &[&[recovery, 4, 1, 0, 3, 0, 64, 200], &damaged[..]].concat())?;
    }
    Ok(())
}

fn write(target: &str, name: &str, bytes: &[u8]) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), bytes)
}
