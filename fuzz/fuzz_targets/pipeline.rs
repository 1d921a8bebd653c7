//! A body through everything, read as by default and with all that can be asked for: the books balance, and the same
//! bytes give the same points.
#![no_main]

use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{CustomFrom, DynoIdentity, ExtractorConfig, Families, NativeSet, Pipeline, PipelineConfig};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let all = ExtractorConfig::new()
        .with_native_set(NativeSet::Extended)
        .with_families(Families::ALL)
        .with_dyno_identity(DynoIdentity::Type)
        .with_one_off_dynos(false)
        .with_custom_from(CustomFrom::AnyApp);
    for config in [ExtractorConfig::new(), all] {
        assert_eq!(points(body, config.clone()), points(body, config));
    }
});

fn points(body: &[u8], config: ExtractorConfig) -> Vec<DataPointBuf> {
    let config = PipelineConfig::new().with_dialect(Dialect::ByHostname).with_extractor(config);
    let mut pipeline = Pipeline::new(config).expect("the defaults agree");
    let receipt = pipeline.ingest(&Delivery::new(body));
    assert!(receipt.balances(), "{receipt:?}");
    assert_eq!(receipt.bytes(), body.len() as u64);
    let mut points = Vec::new();
    let Ok(()) = pipeline.finish(&mut points);
    assert!(pipeline.ledger().balances(), "{}", pipeline.ledger());
    assert!(points.is_sorted_by_key(|point: &DataPointBuf| point.as_point().window()), "windows in order of time");
    points
}
