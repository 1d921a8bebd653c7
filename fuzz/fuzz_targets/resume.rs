//! A pipeline's snapshot from anywhere: refused with a reason, or a pipeline that works and balances, whose own snapshot
//! comes back as itself.
#![no_main]

use family_fuzz::{Draw, sealed};
use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Pipeline, PipelineConfig, SeenDeliveries};
use libfuzzer_sys::fuzz_target;
use minute_aggregator::{Aggregator, AggregatorConfig};

const BODY: &[u8] = b"84 <190>1 2026-03-14T09:26:53Z host app web.1 - measure#query=200ms tag#a=b count#c=1\n\
    67 <190>1 2026-03-14T09:26:53Z host heroku logplex - Error L10 (output buffer overflow): 500 messages dropped";

fuzz_target!(|input: &[u8]| {
    let mut draw = Draw::new(input);
    let config = || PipelineConfig::new().with_seen_deliveries(SeenDeliveries::new(3, 4_096));
    // Half of the time the state of the pipeline alone, inside an aggregator that is right: else the fuzzer spends its
    // time on what `restore` tests.
    let snapshot = if draw.flag() { sealed(1, draw.rest()) } else { around(draw.rest()) };
    let Ok((mut pipeline, position)) = Pipeline::restore(config(), &snapshot).map_err(|error| {
        assert!(!error.to_string().is_empty());
    }) else {
        return;
    };
    let bytes = pipeline.snapshot(&position);
    let (mut again, same) = Pipeline::restore(config(), &bytes).expect("our own snapshot");
    assert_eq!(same, position);
    assert!(again.snapshot(&position) == bytes, "what was restored is what was written");
    assert_eq!(work(&mut pipeline), work(&mut again));
});

/// The snapshot of an empty aggregator whose position is this.
fn around(position: &[u8]) -> Vec<u8> {
    Aggregator::new(AggregatorConfig::new()).expect("the defaults agree").snapshot(position)
}

fn work(pipeline: &mut Pipeline) -> Vec<DataPointBuf> {
    assert!(pipeline.ledger().balances(), "{}", pipeline.ledger());
    for id in ["9C2F", "9C30", "9C2F"] {
        let receipt = pipeline.ingest(
            &Delivery::new(BODY)
                .with_header("Logplex-Frame-Id", id.as_bytes())
                .with_header("Logplex-Drain-Token", b"d.1"),
        );
        assert!(receipt.balances());
    }
    assert!(pipeline.ledger().balances(), "{}", pipeline.ledger());
    let mut points = Vec::new();
    let Ok(()) = pipeline.finish(&mut points);
    assert!(pipeline.ledger().entries().count() > 0 && !pipeline.ledger().to_string().is_empty());
    points
}
