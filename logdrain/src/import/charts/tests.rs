//! Spaces and charts of the reference's shapes, and others.

use super::*;

fn found(text: &str) -> (Vec<Dashboard>, Vec<String>) {
    let mut found = Found::default();
    found.add("web-charts", text.as_bytes()).unwrap();
    let mut notes = Notes::default();
    let made = dashboards(&found, &mut notes);
    let said =
        notes.all.iter().map(|note| format!("{}{}: {}", if note.is_lost { "-" } else { "" }, note.name, note.why));
    (made, said.chain(notes.keys()).collect())
}

const EXPORT: &str = r##"{
    "spaces":[{"id":7,"name":"Web","charts":[{"id":1},{"id":"2"},{"id":99}],"tags":null}],
    "charts":[
      {"id":1,"name":"Response","type":"line","min":0,"max":"500","label":"ms","related_space":8,
       "threshold":[{"operator":">","value":400,"type":"red"}],
       "streams":[
         {"id":11,"name":"slow","metric":"router.service.perc95","type":"gauge","tags":[{"name":"app_name","dynamic":true}],
          "group_function":"average","summary_function":"average","color":"#fff"},
         {"id":12,"metric":"db.query","tags":[{"name":"dyno","grouped":true,"values":["web.*"]},{"name":"method","values":["!GET"]}],
          "summary_function":"max","transform_function":"x * 1000"}]},
      {"id":2,"name":"Requests","type":"bignumber","thresholds":null,
       "streams":[{"metric":"n","source":"web.*","group_function":"breakout","summary_function":"sum"},
                  {"composite":"divide([sum(s(\"a\",\"*\")),sum(s(\"b\",\"*\"))])","name":"share"},{"metric":"x"}]},
      {"id":3,"name":"Alone","type":"area","streams":[{"composite":"moving_average(s(\"a\",\"*\"),{size:\"5\"})"},{"metric":"memory_rss"}]}],
    "metrics":[{"name":"n","type":"gauge","display_name":"N","attributes":{"display_units_short":"req","display_min":0,"color":"#000"}},
               {"name":"c","type":"composite","composite":"s(\"a\",\"*\")"}]}"##;

#[test]
fn a_space_is_a_dashboard_with_its_charts() {
    let (made, notes) = found(EXPORT);
    let titles: Vec<_> = made.iter().map(|board| (board.title.as_str(), board.charts.len())).collect();
    assert_eq!(titles, [("Web", 2), ("web-charts", 1)]);
    let chart = &made[0].charts[0];
    assert_eq!(
        (chart.kind, chart.unit.as_deref(), chart.min, chart.max),
        (Kind::Line, Some("ms"), Some(0.0), Some(500.0))
    );
    assert_eq!(chart.thresholds, [Threshold { value: 400.0, label: "red".to_owned(), alarm: Some(Side::Above) }]);
    let [slow, query] = chart.series.as_slice() else { panic!("{chart:?}") };
    assert_eq!((slow.metric.as_str(), slow.label.as_str()), ("heroku.router.service.response_time", "slow"));
    assert_eq!((slow.function, query.function, query.scale), (Function::Quantile(0.95), Function::Max, 1000.0));
    assert_eq!(query.group_by, ["dyno"]);
    assert_eq!(serde_json::to_value(query).unwrap()["tags"], serde_json::json!(["dyno=web.*", "method!=GET"]));
    let number = &made[0].charts[1];
    assert_eq!((number.kind, number.unit.as_deref(), number.min), (Kind::Number, Some("req"), Some(0.0)));
    assert_eq!((number.series[0].function, &*number.series[0].group_by), (Function::Sum, &["source".to_owned()][..]));
    assert!(number.series[1].combine.is_some());
    assert_eq!(
        notes,
        [
            "-c: a composite metric is a series of a chart here: draw it there",
            "-Web: chart 99 of this space is in none of the files",
            "Web: Response: router.service.perc95 is heroku.router.service.response_time.p95 here",
            "Web: Response: its link to another space is left out",
            "Web: Requests: it has 2 series at the most: others are left out",
            "web-charts: Alone: there is no chart area: it is one of lines",
            "-web-charts: Alone: there is nothing like moving_average(...) for a chart",
            "web-charts: Alone: memory_rss is heroku.dyno.mem.rss here",
            "attributes of metrics: not used: color (1)",
            "metrics: not used: display_name (1)",
        ]
    );
}

#[test]
fn ten_thousand_charts_are_dashboards_that_are_within_their_bounds() {
    let charts: Vec<String> = (0..10_000)
        .map(|number| {
            let stream = format!(r#"{{"metric":"m.{number}","summary_function":"sum","name":"{}"}}"#, "n".repeat(90));
            format!(r#"{{"id":{number},"name":"c{number}","streams":[{}]}}"#, vec![stream; 1 + number % 14].join(","))
        })
        .collect();
    let ids: Vec<String> = (0..10_000).map(|number| format!(r#"{{"id":{number}}}"#)).collect();
    let text = format!(
        r#"{{"spaces":[{{"id":1,"name":"{}","charts":[{}]}}],"charts":[{}]}}"#,
        "Very large".repeat(50),
        ids.join(","),
        charts.join(",")
    );
    let (made, notes) = found(&text);
    assert_eq!(made.iter().map(|board| board.charts.len()).sum::<usize>(), 10_000);
    let titles: BTreeSet<_> = made.iter().map(|board| board.title.as_str()).collect();
    assert_eq!(titles.len(), made.len(), "each has a title of its own");
    for board in &made {
        assert_eq!(bounded(board.clone()).as_ref(), Ok(board), "as it is read again");
    }
    assert!(notes.iter().any(|note| note.contains("more charts than a dashboard")), "{:?}", notes.first());
}

#[test]
fn hostile_charts_are_told_and_cost_no_others() {
    let (made, notes) = found(
        r#"[{"id":1,"name":"a","streams":null},{"id":{},"name":7,"streams":[7,null,[],{}]},
            {"streams":[{"metric":"\u001b[2J\u0000","min":"x","tags":[{"name":"a=b!","values":["c"]}]}]},
            {"streams":[{"metric":"m","tags":[{"name":"k","values":["\u0000"]}]}]},
            {"name":"\u001b[2J","min":5,"max":1,"streams":[{"metric":"fine","transform_function":"rm -rf"}],
             "thresholds":[{"value":"1e999"},{"value":1},{"value":2},{"value":3},{"value":4},{"value":5},{"value":6},{"value":7}]}]"#,
    );
    let [board] = made.as_slice() else { panic!("{made:?}") };
    let titles: Vec<_> = board.charts.iter().map(|chart| chart.title.as_str()).collect();
    assert_eq!(titles, ["[2J"]);
    assert_eq!((board.charts[0].min, board.charts[0].thresholds.len()), (None, 5));
    assert_eq!(notes.iter().filter(|note| note.starts_with('-')).count(), 5, "{notes:?}");
}

#[test]
fn transforms_that_multiply_are_a_scale() {
    for (text, expected) in [
        ("x*100", Some(100.0)),
        ("x / 1024", Some(1.0 / 1024.0)),
        ("0.5*x", Some(0.5)),
        ("100/x", None),
        ("x*0", None),
        ("x", None),
        ("x*y", None),
        ("x*1e300", None),
        ("x*2*3", None),
        ("", None),
    ] {
        assert_eq!(scale(text), expected, "{text}");
    }
}
