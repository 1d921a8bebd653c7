//! Plan files, TOML and JSON: refused with a reason, or a plan that prints as a file that reads back the same and that a
//! pipeline can work under.
#![no_main]

use heroku_metrics::syslog::Delivery;
use heroku_metrics::{Families, Pipeline, PipelineConfig, Plan};
use libfuzzer_sys::fuzz_target;

const BODY: &[u8] =
    b"92 <190>1 2026-03-14T09:26:53Z host app web.1 - measure#query=200ms count#c=1 count#d=1 sample#e=1\n";

fuzz_target!(|file: &str| {
    match toml::from_str::<Plan>(file) {
        Ok(plan) => {
            let printed = toml::to_string(&plan).expect("a plan is a table");
            assert_eq!(toml::from_str(&printed), Ok(plan.clone()), "{printed}");
            under(plan);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.span().is_none_or(|span| span.end <= file.len()));
        }
    }
    if let Ok(plan) = serde_json::from_str::<Plan>(file) {
        let printed = serde_json::to_string(&plan).expect("a plan is an object");
        assert_eq!(serde_json::from_str::<Plan>(&printed).ok(), Some(plan.clone()), "{printed}");
        under(plan);
    }
});

fn under(plan: Plan) {
    let estimate = plan.estimate(Families::NONE, u32::MAX, u32::MAX);
    assert!(estimate.streams() <= 11 * u64::from(u32::MAX) && !estimate.to_string().is_empty());
    assert!(plan.estimate(Families::NONE, 0, 0).fits());
    assert_eq!(plan.quota().is_some(), plan.streams().is_some());
    assert_eq!(Plan::shipped(plan.name()).is_some(), ["development", "gold"].contains(&&*plan.name().to_lowercase()));
    let config = PipelineConfig::new().with_plan(plan.clone());
    assert!(config.max_memory() > 0);
    let mut pipeline = Pipeline::new(config).expect("a plan contradicts nothing");
    let receipt = pipeline.ingest(&Delivery::new(BODY));
    assert!(receipt.balances() && pipeline.ledger().balances(), "{}", pipeline.ledger());
    let explanation = pipeline.aggregator().explain();
    assert_eq!(explanation.limit(), plan.streams());
    assert!(plan.streams().is_none_or(|limit| explanation.used() <= u64::from(limit)));
}
