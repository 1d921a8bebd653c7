//! Alerts of the reference's shapes, and others.

use super::*;

fn objects(text: &str) -> Vec<Object> {
    serde_json::from_str::<Vec<_>>(text).unwrap().into_iter().map(Object).collect()
}

fn rules(alerts: &str, services: &str) -> (Vec<Rule>, Vec<String>) {
    let mut notes = Notes::default();
    let rules = of_alerts(&objects(alerts), &objects(services), &mut Names::default(), &mut notes);
    let said =
        notes.all.iter().map(|note| format!("{}{}: {}", if note.is_lost { "-" } else { "" }, note.name, note.why));
    (rules, said.chain(notes.keys()).collect())
}

const ALERT: &str = r#"[{"id":120,"name":"web.load","version":2,"active":true,"rearm_seconds":600,"rearm_per_signal":true,
    "attributes":{"runbook_url":"https://wiki.example/load"},"description":"too\nmuch",
    "conditions":[{"id":1,"type":"above","metric_name":"heroku.dyno.load.avg.1m","threshold":1.0,"summary_function":"max",
      "duration":300,"tags":[{"name":"dyno","grouped":true,"values":["web.*","!web.9"]}]},
     {"id":2,"type":"absent","metric_name":"jobs","duration":7200,"source":"worker.1"},
     {"id":3,"type":"below","metric_name":"q.perc95","threshold":"5","summary_function":"derivative","detect_reset":false}],
    "services":[{"id":145,"type":"slack","title":"ops","settings":{"url":"https://hooks.example/s3cret"}},146],
    "created_at":1700000000,"updated_at":1700000500,"md":true,"new_key":7}]"#;

#[test]
fn an_alert_is_a_rule_that_reads_as_it_was() {
    let (rules, notes) = rules(ALERT, r#"[{"id":"145","type":"slack","title":"ops","settings":{"url":"s3cret"}}]"#);
    let expected = r#"# too much
# https://wiki.example/load
[[metric]]
name = "web.load"
rearm = "600s"
per_signal = true
[[metric.when]]
metric = "heroku.dyno.load.load1"
above = 1.0
for = "300s"
function = "max"
tags = { "dyno" = ["web.*"] }
without = { "dyno" = ["web.9"] }
[[metric.when]]
metric = "jobs"
absent = "3600s"
tags = { "source" = ["worker.1"] }
[[metric.when]]
metric = "q.p95"
below = 5.0
"#;
    assert_eq!(rules[0].toml, expected);
    assert_eq!(
        notes,
        [
            "web.load: heroku.dyno.load.avg.1m is heroku.dyno.load.load1 here",
            "web.load: a condition looks back 60 to 3600 s: 3600 s instead of 7200",
            "web.load: q.perc95 is q.p95 here",
            "web.load: a percentile is that of all values, and no derivative",
            "web.load: whom it tells is set up anew: slack \"ops\", service 146",
            "alerts: not used: new_key (1)",
        ]
    );
    assert!(!format!("{rules:?}{notes:?}").contains("s3cret"));
}

#[test]
fn what_cannot_be_a_rule_is_told_with_its_name() {
    let condition = |inside: &str| format!(r#"[{{"name":"a","conditions":[{{"metric_name":"m",{inside}}}]}}]"#);
    for (alert, why) in [
        (r#"[{"name":"a","active":false,"conditions":[{}]}]"#.to_owned(), "-a: it was switched off"),
        (r#"[{"name":"a","conditions":[]}]"#.to_owned(), "-a: it has no condition"),
        (r#"[{"name":"a","conditions":null}]"#.to_owned(), "-a: it has no condition"),
        (r#"[{"name":"a","conditions":[{"type":"above"}]}]"#.to_owned(), "-a: a condition names no metric"),
        (condition(r#""type":"above""#), "-a: a condition has no threshold"),
        (condition(r#""threshold":1"#), "-a: a condition says not what it is: above, below, absent"),
        (condition(r#""type":"near","threshold":1"#), "-a: there is no condition near"),
        (condition(r#""type":"above","threshold":1,"summary_function":"median""#), "-a: there is no function median"),
    ] {
        let (rules, notes) = rules(&alert, "[]");
        assert!(rules.is_empty() && notes == [why], "{alert}: {rules:?} {notes:?}");
    }
}

#[test]
fn hostile_names_make_no_other_rule() {
    let name = r#"\"\n[[metric]]\nname = \"b"#;
    let alert = format!(
        r#"[{{"name":"{name}","description":"{name}","conditions":[{{"type":"above","threshold":1,"metric_name":"{name}",
            "tags":[{{"name":"{name}","values":["{name}"]}}]}}]}},
            {{"name":"{name}","conditions":[{{"type":"above","threshold":1e308,"metric_name":"m"}}]}}]"#
    );
    let (rules, _) = rules(&alert, "[]");
    let all: Vec<&str> = rules.iter().map(|rule| rule.toml.as_str()).collect();
    assert_eq!(file::read(&all.join("\n")).unwrap().metrics.len(), 2, "{all:?}");
    assert_ne!(rules[0].name, rules[1].name);
}

#[test]
fn a_search_that_was_an_alert_is_a_rule_on_lines() {
    let said = objects(
        r#"[{"saved_search":{"id":1,"name":"H12s","query":"code=H12 \"a b\""},"frequency":"10 minutes","minimum":5},
            {"name":"Hourly","query":"x","frequency":3600},{"name":"Hours","query":"x","frequency":"3600"},
            {"name":"Odd","query":"x","frequency":"5 minutes"},{"name":"None","query":"x"}]"#,
    );
    let (mut notes, mut names) = (Notes::default(), Names::default());
    let rules: Vec<Rule> = said.iter().filter_map(|search| of_search(search, &mut names, &mut notes)).collect();
    let read = |rule: &Rule| file::read(&rule.toml).unwrap().logs[0].1.to_string();
    assert_eq!(read(&rules[0]), "at least 5 lines in 10 minutes with code=H12 \"a b\"");
    assert_eq!(rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["H12s", "Hourly", "Hours"]);
    assert_eq!(notes.all.len(), 1, "{notes:?}");
}
