//! `alerts`: rules on recorded logs, the file of rules in the documentation, templates, and what is said of what is wrong.

use crate::logdrain;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use testkit::program::errors;

fn testdata(name: &str) -> String {
    testkit::testdata().join(name).to_str().unwrap().to_owned()
}

fn file(name: &str, text: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alerts");
    std::fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn text(output: &Output) -> String {
    assert!(output.status.code() != Some(2), "{}", errors(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The first block of this kind in docs/alerts.md.
fn documented(kind: &str) -> String {
    let docs = std::fs::read_to_string(testkit::testdata().join("../docs/alerts.md")).unwrap();
    let (_, rest) = docs.split_once(&format!("```{kind}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_file_of_rules_in_the_documentation_fires_on_the_demo() {
    assert_eq!(documented("sh").trim(), "logdrain alerts check rules.toml testdata/demo.logplex");
    let rules = file("documented.toml", &documented("toml"));
    let output = logdrain(&["alerts", "check", &rules, &testdata("demo.logplex")], b"");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let told = text(&output);
    // Two of three timeouts are in one minute.
    let timeouts = "2026-03-14T09:28:00Z Request timeouts: 2 lines in 1 minute, at least 2 asked for\n    \
                    2026-03-14T09:27:14";
    assert!(told.contains(timeouts), "{told}");
    for fired in ["Request timeouts: fired once", "Errors by system: fired once", "Memory quota exceeded: fired"] {
        assert!(told.contains(fired), "{fired}: {told}");
    }
    assert!(told.contains("Slow checkout: did not fire\n    heroku.router.service.response_time"), "{told}");
    assert!(told.contains("above 5000, longest run"), "{told}");
}

#[test]
fn the_same_lines_fire_in_every_form() {
    let rules = file(
        "forms.toml",
        "[[log]]\nname = \"a\"\nquery = \"program:heroku/router code=H12\"\nminimum = 2\n\
         [[log]]\nname = \"b\"\nquery = \"severity:debug OR nowhere-at-all\"\ninactivity = true\n",
    );
    let check = |name: &str| {
        let output = logdrain(&["alerts", "check", &rules, &testdata(name), "--json", "--tz", "UTC"], b"");
        let lines: Vec<Value> = text(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of = |rule: &str| {
            let told = lines.iter().filter(|line| line["rule"] == rule);
            told.map(|line| (line["at"].as_str().unwrap().to_owned(), line["count"].as_u64().unwrap()))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("a"), [("2026-03-14T09:28:00Z".to_owned(), 2)], "{name}: {lines:#?}");
        let silent = of("b");
        assert!(!silent.is_empty() && silent.iter().all(|(_, count)| *count == 0), "{name}: {lines:#?}");
        silent
    };
    // The text has no severities; so it is silent all the same.
    assert_eq!(check("demo.logplex"), check("demo.txt"));
}

#[test]
fn minutes_of_rules_are_those_of_replay() {
    let rule = |name: &str, more: &str| {
        format!(
            "[[metric]]\nname = \"{name}\"\nrearm = \"60s\"\n[[metric.when]]\nmetric = \"heroku.router.http.requests\"\nabove = 0\n\
             tags = {{ status_code = \"503\" }}\nfunction = \"sum\"\n{more}"
        )
    };
    let rules = file("minutes.toml", &(rule("any", "") + &rule("whole", "together = \"sum\"\n")));
    let output = logdrain(&["alerts", "check", &rules, &testdata("demo.logplex"), "-j"], b"");
    // The demo is of two drains, which replay takes for one: what a minute has together is the same.
    let mut told: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
    for line in text(&output).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let minute = line["at"].as_str().unwrap();
        for reading in line["readings"].as_array().unwrap() {
            let of_rule = told.entry(line["rule"].as_str().unwrap().to_owned()).or_default();
            *of_rule.entry(minute.to_owned()).or_default() += reading["value"].as_f64().unwrap();
        }
    }
    let rows = logdrain(&["replay", "--format", "jsonl", "--ledger", "none", &testdata("demo.logplex")], b"");
    let mut made: BTreeMap<String, f64> = BTreeMap::new();
    for line in text(&rows).lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        if row["name"] == "heroku.router.http.requests" && row["tags"]["status_code"] == "503" {
            let end = row["window_unix"].as_i64().unwrap() + 60;
            let end = format!("2026-03-14T09:{:02}:00Z", end / 60 % 60);
            *made.entry(end).or_default() += row["sum"].as_f64().unwrap();
        }
    }
    assert_eq!(made.len(), 3, "{made:?}");
    // Stream by stream, and what one rule has of all of them.
    assert_eq!((&told["any"], &told["whole"]), (&made, &made));
}

#[test]
fn a_day_ends_by_the_clock_of_its_zone_and_what_was_not_recorded_is_not_silent() {
    let rules = file(
        "day.toml",
        "[[log]]\nname = \"day\"\nquery = \"batch done\"\nperiod = \"1 day\"\nat = \"05:00\"\nzone = \"Europe/Berlin\"\n\
         [[log]]\nname = \"silent\"\nquery = \"batch done\"\nperiod = \"1 hour\"\ninactivity = true\n",
    );
    let line = |time: &str, text: &str| format!("{time} app[web.1]: {text}\n");
    // A batch on both sides of the change to summer time, and three hours that nobody recorded.
    let mut logs = String::new();
    for minute in 0..60 {
        logs += &line(&format!("2026-03-29T00:{minute:02}:30+00:00"), if minute == 20 { "batch done" } else { "tick" });
    }
    logs += &line("2026-03-29T01:20:00+00:00", "batch done");
    logs += &line("2026-03-29T04:30:00+00:00", "tick");
    let output = logdrain(&["alerts", "check", &rules, "-"], logs.as_bytes());
    let told = text(&output);
    // 05:00 +02:00 is in the gap: the window ends with the first minute behind it, and has both.
    assert!(told.contains("2026-03-29T04:30:00Z day: 2 lines in 1 day"), "{told}");
    let unknown = "2026-03-29T04:30:00Z no line since 2026-03-29T01:21:00Z: not recorded, so no rule calls it silent";
    assert_eq!(told.matches("no line since").count(), 1, "{told}");
    assert!(told.contains(unknown), "{told}");
    assert!(told.contains("silent: did not fire"), "{told}");
}

#[test]
fn templates_are_listed_and_checked_as_they_are_printed() {
    let list = text(&logdrain(&["alerts", "templates"], b""));
    assert!(list.lines().count() >= 10 && list.contains("h12 "), "{list}");
    let all = text(&logdrain(&["alerts", "templates", "all"], b""));
    let output = logdrain(&["alerts", "check", &file("all.toml", &all), &testdata("demo.logplex")], b"");
    let told = text(&output);
    assert!(told.contains("Memory quota exceeded (R14, R15): fired"), "{told}");
    let wrong = logdrain(&["alerts", "templates", "h13"], b"");
    assert_eq!(wrong.status.code(), Some(2));
    assert!(errors(&wrong).contains("there is no template \"h13\"; there are h12, 5xx"), "{}", errors(&wrong));
}

#[test]
fn what_is_wrong_is_said_and_what_does_not_fire_is_1() {
    let quiet = file("quiet.toml", "[[log]]\nname = \"never\"\nquery = \"nowhere-at-all\"\n");
    let output = logdrain(&["alerts", "check", &quiet, &testdata("demo.logplex")], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("never: did not fire"));

    let wrong = file("wrong.toml", "[[log]]\nname = \"x\"\nquery = \"y\"\nperiod = \"5 minutes\"\n");
    let output = logdrain(&["alerts", "check", &wrong, &testdata("demo.logplex")], b"");
    assert_eq!(output.status.code(), Some(2));
    let said = errors(&output);
    assert!(said.contains("wrong.toml: rule \"x\": period = \"5 minutes\": it is 1 minute"), "{said}");

    // Files the wrong way round.
    let output = logdrain(&["alerts", "check", &testdata("demo.logplex"), &quiet], b"");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn hostile_lines_reach_no_terminal_as_they_are() {
    let rules = file("hostile.toml", "[[log]]\nname = \"any\"\nquery = \"boom\"\n");
    let logs = "2026-03-29T00:00:30+00:00 app[web.1]: boom \u{1b}]0;title\u{7} \u{202e}evil\n";
    let output = logdrain(&["alerts", "check", &rules, "-"], logs.as_bytes());
    let told = text(&output);
    assert!(told.contains("boom ") && !told.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{told:?}");
}
