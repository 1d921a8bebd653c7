//! Plans: what they admit, what they fold, and that totals stay right.

use heroku_metrics::aggregator::{CountingRule, Standing};
use heroku_metrics::model::DataPointBuf;
use heroku_metrics::syslog::Delivery;
use heroku_metrics::syslog::Dialect;
use heroku_metrics::{Families, Pipeline, PipelineConfig, Plan};
use std::collections::BTreeMap;

fn demo() -> Vec<u8> {
    std::fs::read(testkit::testdata().join("demo.logplex")).unwrap()
}

fn run(plan: Option<Plan>) -> (Pipeline, Vec<DataPointBuf>) {
    let config = PipelineConfig::new().with_dialect(Dialect::ByHostname);
    let mut pipeline = Pipeline::new(plan.into_iter().fold(config, PipelineConfig::with_plan)).unwrap();
    pipeline.ingest(&Delivery::new(&demo()));
    let mut rows: Vec<DataPointBuf> = Vec::new();
    pipeline.finish(&mut rows).unwrap();
    assert!(pipeline.ledger().balances());
    (pipeline, rows)
}

/// Observations and sum of each metric over all its streams and windows.
fn totals(rows: &[DataPointBuf]) -> BTreeMap<(String, String), (u64, i64)> {
    let mut totals: BTreeMap<_, (u64, i64)> = BTreeMap::new();
    for row in rows.iter().map(DataPointBuf::as_point) {
        let total = totals.entry((row.name().to_owned(), row.unit().as_str().to_owned())).or_default();
        total.0 += row.stats().observations();
        // To a millionth, in whole numbers: adding doubles in another order would round otherwise.
        total.1 += (row.stats().sum() * 1e6).round() as i64;
    }
    totals
}

#[test]
fn folding_keeps_the_totals() {
    let (_, free) = run(None);
    for plan in
        [Plan::new("ten").with_streams(10), Plan::new("sets").with_streams(25).with_counting(CountingRule::TagSets)]
    {
        let (pipeline, rows) = run(Some(plan.clone()));
        assert!(pipeline.ledger().observations().folded() > 50, "{}", plan.name());
        let (ours, theirs) = (totals(&rows), totals(&free));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (name, (count, sum)) in &ours {
            assert_eq!(*count, theirs[name].0, "{name:?}");
            assert!((sum - theirs[name].1).abs() <= 10, "{name:?}: {sum} {}", theirs[name].1);
        }
        let overflow = rows.iter().filter(|row| row.as_point().tags().get("overflow") == Some("true")).count();
        assert!(overflow > 0);
    }
}

#[test]
fn gold_admits_three_hundred_streams_and_natives_are_exempt() {
    let (pipeline, _) = run(Some(Plan::gold()));
    let explanation = pipeline.aggregator().explain();
    assert!(explanation.used() <= 300);
    for row in explanation.iter() {
        let native = ["heroku.router.", "heroku.postgres.", "heroku.errors."].iter().any(|p| row.name().starts_with(p));
        assert_eq!(row.standing() == Standing::Exempt, native, "{}", row.name());
    }
    assert_eq!(pipeline.ledger().observations().folded(), 0, "the demo fits");
}

#[test]
fn development_has_router_and_postgres_and_nothing_else() {
    let (pipeline, rows) = run(Some(Plan::development()));
    assert!(!rows.is_empty());
    for row in &rows {
        assert!(
            row.as_point().name().starts_with("heroku.router.")
                || row.as_point().name().starts_with("heroku.postgres."),
            "{}",
            row.as_point().name()
        );
    }
    assert!(pipeline.ledger().total().values_not_in_plan() > 100);
}

#[test]
fn first_come_first_served_in_the_order_of_the_input() {
    let line = |name: &str| {
        let line = format!("<190>1 2026-03-14T09:26:53Z host app web.1 - count#{name}=1");
        format!("{} {line}", line.len())
    };
    let body: String = ["c", "a", "b", "c", "d"].map(line).concat();
    let mut pipeline = Pipeline::new(PipelineConfig::new().with_plan(Plan::new("two").with_streams(2))).unwrap();
    pipeline.ingest(&Delivery::new(body.as_bytes()));
    let standing: Vec<_> = pipeline
        .aggregator()
        .explain()
        .iter()
        .filter(|row| row.standing() != Standing::Overflow)
        .map(|row| (row.name().to_owned(), row.standing(), row.observations()))
        .collect();
    assert_eq!(
        standing,
        [
            ("a".to_owned(), Standing::Admitted, 1),
            ("b".to_owned(), Standing::Folded, 1),
            ("c".to_owned(), Standing::Admitted, 2),
            ("d".to_owned(), Standing::Folded, 1),
        ]
    );
}

#[test]
fn estimates_show_their_sum() {
    assert_eq!(
        Plan::gold().estimate(Families::NONE, 25, 50).to_string(),
        "25 dynos x 10 + 50 custom = 300 of 300 streams"
    );
    assert_eq!(Plan::development().estimate(Families::NONE, 25, 50).streams(), 0, "no runtime, no custom");
    assert_eq!(
        Plan::gold().with_exempt("heroku.dyno.mem.").estimate(Families::NONE, 4, 1).streams(),
        13,
        "three loads a dyno count"
    );
    assert_eq!(
        Plan::gold().with_collected(["heroku.dyno.load."]).estimate(Families::NONE, 4, 7).streams(),
        12,
        "nothing else is collected"
    );
    assert_eq!(Plan::gold().with_collected(["shop.", "heroku.router."]).estimate(Families::NONE, 4, 7).streams(), 7);
    assert!(
        Plan::gold().estimate(Families::NONE, 25, 50).fits() && !Plan::gold().estimate(Families::NONE, 25, 51).fits()
    );
    assert!(Plan::new("free").estimate(Families::NONE, u32::MAX, u32::MAX).fits(), "without limit");
    assert_eq!(
        Plan::new("free").estimate(Families::NONE, 1, 1).to_string(),
        "1 dynos x 10 + 1 custom = 11 streams, without limit"
    );
    let all = Plan::gold().estimate(Families::ALL, 2, 5);
    assert_eq!(all.to_string(), "2 dynos x 28 + 1 of the app + 5 custom = 62 of 300 streams");
    let few =
        Plan::gold().with_exempt("heroku.dyno.mem.").estimate(Families::MEM_SHARE.with(Families::DYNO_EXIT), 1, 0);
    assert_eq!(few.streams(), 7, "three loads and four exit statuses");
    let none = Plan::development().estimate(Families::ALL, 9, 0);
    assert_eq!(none.streams(), 0, "collected on request, if the plan has them");
}

#[cfg(feature = "serde")]
#[test]
fn plans_are_data() {
    let plan: Plan = serde_json::from_str(r#"{"name": "ours", "streams": 50, "counting": "tag_sets"}"#).unwrap();
    assert_eq!(plan.streams(), Some(50));
    let pipeline = Pipeline::new(PipelineConfig::new().with_plan(plan.clone())).unwrap();
    assert_eq!(pipeline.aggregator().explain().rule(), Some(CountingRule::TagSets));
    assert!(
        plan.quota().unwrap().is_exempt("heroku.router.bytes"),
        "exempt as the page says, unless the file says otherwise"
    );
    for plan in [Plan::gold(), Plan::development(), plan] {
        let text = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan, "{text}");
    }
    let error = serde_json::from_str::<Plan>(r#"{"name": "x", "stream": 5}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `stream`"), "{error}");
}
