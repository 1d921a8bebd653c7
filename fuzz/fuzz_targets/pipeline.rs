//! A body through everything: the books balance, and the same octets give the same points.
#![no_main]

use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::{DialectPolicy, Pipeline, PipelineConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    assert_eq!(points(body), points(body));
});

fn points(body: &[u8]) -> Vec<DataPointBuf> {
    let config = PipelineConfig::new().dialect(DialectPolicy::ByHostname);
    let mut pipeline = Pipeline::new(config).expect("the defaults agree");
    let receipt = pipeline.ingest(&Delivery::new(body));
    assert!(receipt.balances(), "{receipt:?}");
    assert_eq!(receipt.octets(), body.len() as u64);
    let mut points = Vec::new();
    let Ok(()) = pipeline.finish(&mut points);
    assert!(pipeline.ledger().balances(), "{}", pipeline.ledger());
    assert!(points.is_sorted_by_key(|point: &DataPointBuf| point.as_point().window()), "windows in order of time");
    points
}
