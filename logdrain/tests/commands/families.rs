//! What is collected on request, as its users ask for it on the command line.

use serde_json::Value;
use std::collections::BTreeMap;

const TEXT: &str = "\
2026-03-14T09:26:01+00:00 heroku[web.1]: State changed from starting to up
2026-03-14T09:26:02+00:00 heroku[web.2]: State changed from starting to up
2026-03-14T09:26:03+00:00 heroku[web.1]: Process exited with status 143
2026-03-14T09:26:04+00:00 app[api]: Release v12 created by user ann@example.com
2026-03-14T09:26:05+00:00 heroku[run.4821]: Process exited with status 0
2026-03-14T09:26:06+00:00 heroku[run.4821]: Error R14 (Memory quota exceeded)
2026-03-14T09:26:07+00:00 heroku[web.2]: Error R14 (Memory quota exceeded)
2026-03-14T09:26:08+00:00 heroku[web.2]: source=web.2 measure=memory_total val=766.50 units=MB
2026-03-14T09:26:09+00:00 t.1234[web.1]: count#orders=2
";

/// The sums of all rows by metric and tags, and the frames of the books.
fn replay(arguments: &[&str]) -> (BTreeMap<String, f64>, Value) {
    let output = crate::logdrain(
        &[&["replay", "--ledger", "json", "--format", "jsonl"], arguments, &["-"]].concat(),
        TEXT.as_bytes(),
    );
    let errors = testkit::program::errors(&output);
    assert!(output.status.success(), "{errors}");
    let books: Value = serde_json::from_str(errors.lines().last().unwrap()).unwrap();
    assert_eq!(books["balanced"], true);
    let rows = String::from_utf8(output.stdout).unwrap();
    let sums = rows.lines().map(|row| {
        let row: Value = serde_json::from_str(row).unwrap();
        (format!("{} {}", row["name"].as_str().unwrap(), row["tags"]), row["sum"].as_f64().unwrap())
    });
    (sums.collect(), books["frames"].clone())
}

#[test]
fn nothing_of_them_is_collected_unless_asked_for() {
    let (rows, frames) = replay(&[]);
    let names: Vec<_> = rows.keys().map(|key| key.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["heroku.errors.runtime"]);
    assert_eq!((&frames["unread"]["runtime"], &frames["passed_over"]), (&1.into(), &1.into()));
    assert_eq!((&frames["native"], &frames["text"]), (&2.into(), &5.into()));
}

#[test]
fn families_are_asked_for_by_name() {
    let (rows, frames) = replay(&["--families", "dyno.state,release", "--app", "shop"]);
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(rows[r#"heroku.release {"app_name":"shop"}"#], 1.0);
    let web_2 = r#"heroku.dyno.state {"app_name":"shop","dyno":"web.2","from":"starting","source":"web.2","to":"up"}"#;
    assert_eq!(rows[web_2], 1.0);
    assert_eq!(frames["native"], 5);
}

#[test]
fn dynos_of_a_type_meet_and_one_off_dynos_stay_out_where_asked() {
    let (rows, frames) = replay(&["--families", "all", "--dyno-identity", "type", "--no-one-off"]);
    assert_eq!(rows[r#"heroku.dyno.state {"dyno":"web","from":"starting","source":"web","to":"up"}"#], 2.0);
    assert_eq!(rows[r#"heroku.dyno.exit {"dyno":"web","source":"web","status":"143"}"#], 1.0);
    assert_eq!(rows[r#"heroku.dyno.errors {"code":"R14","dyno":"web","source":"web"}"#], 1.0);
    assert!(!rows.keys().any(|key| key.contains("run.")), "{rows:?}");
    assert_eq!(frames["one_off"], 2);
}

#[test]
fn custom_metrics_of_other_senders_are_read_where_asked() {
    let (rows, frames) = replay(&["--custom-from", "any"]);
    assert_eq!(rows["orders {}"], 2.0);
    assert_eq!((&frames["passed_over"], &frames["custom"]), (&0.into(), &1.into()));
}

#[test]
fn a_family_that_there_is_not_is_refused_with_those_that_there_are() {
    let output = crate::logdrain(&["replay", "--families", "dyno.moods", "-"], TEXT.as_bytes());
    let errors = testkit::program::errors(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(errors.contains("expected a list of dyno.state, dyno.exit, release"), "{errors}");
}
