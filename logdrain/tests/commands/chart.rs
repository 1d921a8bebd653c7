//! `logdrain chart`: pictures of rows and of logs, and what is refused.

use crate::logdrain;
use std::path::{Path, PathBuf};
use testkit::program::errors;

const MEMORY: &str = "heroku.dyno.mem.total";
const REQUESTS: &str = "heroku.router.http.requests";
const TIMES: &str = "heroku.router.service.response_time";

fn demo() -> String {
    testkit::testdata().join("demo.logplex").to_str().unwrap().to_owned()
}

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chart");
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// The numbers that `chart` draws of the demo, as CSV; with rows, of rows on standard input.
fn numbers(arguments: &[&str], rows: Option<&[u8]>) -> Vec<Vec<String>> {
    let demo = demo();
    let file = scratch(&format!("{}.csv", arguments.join("_").replace(['/', '*', ' ', '='], "-")));
    let source = if rows.is_some() { "-" } else { demo.as_str() };
    let given = [&["chart", source, "--tz", "UTC", "-o", file.to_str().unwrap()], arguments].concat();
    let output = logdrain(&given, rows.unwrap_or_default());
    assert!(output.status.success(), "{given:?}: {}", errors(&output));
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Why it is not drawn.
fn refused(arguments: &[&str], rows: &str) -> String {
    let output = logdrain(&[&["chart", "-"], arguments].concat(), rows.as_bytes());
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
    assert!(output.stdout.is_empty());
    errors(&output)
}

fn row(window: i64, tags: &str, numbers: &str) -> String {
    format!(
        "{{\"window_unix\":{window},\"kind\":\"measure\",\"name\":\"query\",\"unit\":\"ms\",\"tags\":{{{tags}}},{numbers}}}\n"
    )
}

#[test]
fn a_picture_of_logs() {
    let demo = demo();
    let output = logdrain(&["chart", &demo, "-m", TIMES, "-f", "p50,p95,p99", "--tz", "Europe/Paris"], b"");
    assert!(output.status.success(), "{}", errors(&output));
    let svg = String::from_utf8(output.stdout).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{svg}");
    for part in [
        "<title id=\"t\">heroku.router.service.response_time</title>",
        "p50, p95, p99 of heroku.router.service.response_time",
        "(Europe/Paris)",
        "p99: last ",
        "class=\"ln s3\"",
    ] {
        assert!(svg.contains(part), "{part}: {svg}");
    }
}

/// Counts by class add up to all, in logs and in their rows; and rows say what logs say where they can.
#[test]
fn rows_and_logs_have_the_same_numbers() {
    let rows = logdrain(&["replay", &demo()], b"").stdout;
    for arguments in [
        vec!["-m", REQUESTS],
        vec!["-m", REQUESTS, "-g", "status_category"],
        vec!["-m", REQUESTS, "-g", "status_category", "--step", "5m"],
        vec!["-m", REQUESTS, "-t", "status_category!=2xx", "-f", "rate,count"],
        vec!["-m", MEMORY, "-g", "source", "-f", "avg,max,min"],
        vec!["-m", MEMORY, "-g", "dyno,source", "-f", "last"],
        vec!["-m", TIMES, "-f", "count,max,min"],
    ] {
        let (of_logs, of_rows) = (numbers(&arguments, None), numbers(&arguments, Some(&rows)));
        assert_eq!((&of_logs[0], of_logs.len()), (&of_rows[0], of_rows.len()), "{arguments:?}");
        for (a, b) in of_logs.iter().flatten().zip(of_rows.iter().flatten()) {
            // Sums of printed sums are rounded once more.
            let near = |(a, b): (f64, f64)| (a - b).abs() <= a.abs() * 1e-14;
            assert!(a == b || a.parse().ok().zip(b.parse().ok()).is_some_and(near), "{arguments:?}: {a} {b}");
        }
    }
    let all = numbers(&["-m", REQUESTS], None);
    let by = numbers(&["-m", REQUESTS, "-g", "status_category"], None);
    assert_eq!(all[0], ["time", "closed", "sum"]);
    assert!(by[0].len() > 3 && by[0][2..].contains(&"2xx".to_owned()), "{:?}", by[0]);
    for (all, by) in all[1..].iter().zip(&by[1..]) {
        let sum: f64 = by[2..].iter().map(|value| value.parse::<f64>().unwrap()).sum();
        assert_eq!(all[2].parse::<f64>().unwrap(), sum, "{all:?}");
    }
    let total: f64 = all[1..].iter().map(|row| row[2].parse::<f64>().unwrap()).sum();
    let of_steps: f64 =
        numbers(&["-m", REQUESTS, "--step", "1h"], None)[1..].iter().map(|row| row[2].parse::<f64>().unwrap()).sum();
    assert_eq!(total, of_steps);
}

/// The percentile of several streams is that of all their values, and is not told by their rows.
#[test]
fn percentiles_of_several_streams() {
    let line = |dyno: u32, ms: u32| {
        let text = format!(
            "<190>1 2026-03-14T09:26:5{}Z host app web.{dyno} - measure#query={ms}ms source=web.{dyno}",
            dyno % 10
        );
        format!("{} {text}", text.len())
    };
    // One dyno answers nine times in 10 ms, the other once in a second: p50 is 10 ms.
    let body: String = (0..9).map(|_| line(1, 10)).chain([line(2, 1_000)]).collect();
    let logs = scratch("two.logplex");
    std::fs::write(&logs, &body).unwrap();
    let logs = logs.to_str().unwrap();
    let drawn = |arguments: &[&str]| {
        let output = logdrain(&[&["chart", logs, "-m", "query", "--tz", "UTC", "-o"], arguments].concat(), b"");
        assert!(output.status.success(), "{}", errors(&output));
        std::fs::read_to_string(arguments[0]).unwrap()
    };
    let file = scratch("two.csv");
    let file = file.to_str().unwrap();
    assert_eq!(
        drawn(&[file, "-f", "p50,p90,p95,avg"]),
        "time,closed,p50 (ms),p90 (ms),p95 (ms),avg (ms)\n2026-03-14T09:26:00+00:00,true,10,10,1000,109\n"
    );

    let rows = logdrain(&["replay", logs], b"").stdout;
    let rows = String::from_utf8(rows).unwrap();
    let why = refused(&["-m", "query"], &rows);
    assert!(
        why.contains("p95 of several streams cannot be told from their rows") && why.contains("--group-by source"),
        "{why}"
    );
    let why = refused(&["-m", "query", "-g", "source", "-f", "p90"], &rows);
    assert!(why.contains("rows have p50, p95, p99 and p999, and no p90"), "{why}");
    let by = numbers(&["-m", "query.p95", "-g", "source"], Some(rows.as_bytes()));
    assert_eq!(by[0], ["time", "closed", "web.1 (ms)", "web.2 (ms)"]);
    assert_eq!(by[1][2..], ["10", "1000"]);
    // Two minutes of one stream are no step of five.
    let both = rows.clone() + &rows.replace("09:26:00", "09:27:00").replace("1773480360", "1773480420");
    let why = refused(&["-m", "query", "-g", "source", "--step", "5m"], &both);
    assert!(why.contains("p95 of a step with rows of several minutes") && why.contains("leave --step out"), "{why}");
}

#[test]
fn gaps_zeros_and_revisions_of_rows() {
    let row_of = |window, name: &str, sum: u32, more: &str| {
        format!(
            "{{\"id\":\"shop/d/{window}+60/0/x\",\"window_unix\":{window},\"kind\":\"count\",\"name\":\"{name}\",\"unit\":\"\",\
             \"tags\":{{}},\"count\":{sum},\"sum\":{sum},\"revision\":0{more}}}\n"
        )
    };
    let revised = row_of(0, "paid", 5, "").replace("\"revision\":0", "\"revision\":1");
    // The minute 1 was seen and had none; of the minute 2 nothing is known; the minute 4 is not over.
    let rows = [
        row_of(0, "paid", 3, ""),
        row_of(60, "other", 1, ""),
        revised,
        row_of(180, "paid", 2, ""),
        row_of(240, "paid", 1, ",\"partial\":true"),
    ]
    .concat();
    let table = numbers(&["-m", "paid"], Some(rows.as_bytes()));
    let values: Vec<_> = table[1..].iter().map(|row| (row[1].as_str(), row[2].as_str())).collect();
    assert_eq!(values, [("true", "5"), ("true", "0"), ("true", ""), ("true", "2"), ("false", "1")]);
    // Of another drain it is another row.
    let two = row_of(0, "paid", 3, "") + &row_of(0, "paid", 4, "").replace("shop/d/", "shop/e/");
    assert_eq!(numbers(&["-m", "paid"], Some(two.as_bytes()))[1][2], "7");
    // A part of the time.
    let part =
        numbers(&["-m", "paid", "--from", "1970-01-01 00:01", "--to", "1970-01-01 00:03:30"], Some(rows.as_bytes()));
    assert_eq!(part[1..].iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), ["0", "", "2"]);
}

#[test]
fn what_cannot_be_drawn_says_why() {
    let rows = row(
        0,
        "\"a\":\"1\"",
        "\"count\":1,\"sum\":2,\"min\":2,\"max\":2,\"mean\":2,\"last\":2,\"p50\":2,\"p95\":2,\"p99\":2,\"p999\":2",
    );
    for (arguments, part) in [
        (vec!["-m", "queries"], "there is no metric queries; there are query"),
        (vec!["-m", "app.query"], "there is no metric app.query; perhaps query"),
        (vec!["-m", "query", "-t", "a=2"], "query has no stream with these tags"),
        (vec!["-m", "query", "-f", "median"], "--function median: is none of avg, count"),
        (vec!["-m", "query.p95", "-f", "avg"], "has its function in its name"),
        (vec!["-m", "query", "--step", "7m"], "--step: whole seconds that divide a day"),
        (vec!["-m", "query", "--from", "now", "--to", "yesterday"], "--from is not before --to"),
        (vec!["-m", "query", "--from", "1990-01-01 00:00", "--tz", "UTC"], "there are no rows in this time"),
        (vec!["-m", "query", "--from", "last tuesdag"], "--from: `"),
        (vec!["-m", "query", "-o", "chart.png"], "a picture is named .svg"),
        (vec!["-m", "query", "-o", "/nowhere/chart.svg"], "the folder /nowhere does not exist"),
    ] {
        let why = refused(&arguments, &rows);
        assert!(why.contains(part), "{arguments:?}: {why}");
    }
    let flat = "{\"window_unix\":0,\"name\":\"query.p95\",\"tags\":{},\"value\":2}\n";
    assert!(refused(&["-m", "query"], flat).contains("line 1: is a row of `replay --flat`"));
    let torn = rows.clone() + "{\"window_unix\":60,\"na\n" + &rows;
    assert!(refused(&["-m", "query"], &torn).contains("line 2: is no row of `serve`"));
    let other = row(60, "", "\"count\":1,\"sum\":2").replace("\"ms\"", "\"bytes\"");
    assert!(refused(&["-m", "query", "-f", "sum"], &(rows.clone() + &other)).contains("is in `ms` and in `bytes`"));
    let far = rows.clone() + &row(9_000_000_000, "\"a\":\"1\"", "\"count\":1,\"sum\":2");
    assert!(refused(&["-m", "query", "-f", "sum"], &far).contains("are more than the 20000 of a chart"));
    for time in [i64::MAX, i64::MIN, -1, 253_402_300_800] {
        let none = rows.clone() + &row(time, "\"a\":\"1\"", "\"count\":1,\"sum\":2");
        let why = refused(&["-m", "query", "-f", "sum"], &none);
        assert!(why.contains(&format!("line 2: window_unix is no time in seconds since 1970: {time}")), "{why}");
    }
    let count = rows.replace("measure", "count");
    let none = count.replace(",\"p50\":2,\"p95\":2,\"p99\":2,\"p999\":2", "");
    assert!(
        refused(&["-m", "query", "-f", "p95"], &none)
            .contains("query has no percentiles, as it is a count; try --function sum")
    );
    // A line that is being written has no end yet.
    let output = logdrain(&["chart", "-", "-m", "query"], (rows.clone() + "{\"window_un").as_bytes());
    assert!(output.status.success(), "{}", errors(&output));
}

#[test]
fn hostile_tags_of_rows_are_text() {
    let rows = row(0, "\"a\":\"</text><script>alert(1)</script>\\u001b[31m\"", "\"count\":1,\"sum\":2");
    let output = logdrain(&["chart", "-", "-m", "query", "-g", "a", "-f", "sum"], rows.as_bytes());
    assert!(output.status.success(), "{}", errors(&output));
    let svg = String::from_utf8(output.stdout).unwrap();
    assert!(svg.contains("&lt;script&gt;") && !svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
}
