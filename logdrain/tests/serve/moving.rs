//! Moving in: an export on a running server, and exported series beside its minutes.

use crate::harness::{now_micros, request, wait_until};
use crate::rights::{House, basic};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its exit status, and what it printed.
fn run(house: &House, token: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(arguments)
        .args(["--server", &house.server.address.to_string()])
        .env("LOGDRAIN_TOKEN", token)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn get(house: &House, token: &str, path: &str) -> Value {
    let answer = house.ask("GET", path, &[("X-Papertrail-Token", token)]);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

fn export(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/exports").join(name)
}

#[test]
fn an_export_is_made_on_a_server_once() {
    let house = House::new("import");
    let token = house.token(&["--account", "shop", "--kind", "admin"]);
    let names = ["spaces.json", "charts.json", "papertrail.json", "alerts.json", "services.json"].map(export);
    let files: Vec<&str> = names.iter().map(|name| name.to_str().unwrap()).collect();
    let import = |more: &[&str]| run(&house, &token, &[&["import"][..], more, &files[..]].concat());
    let (status, told) = import(&["--dry-run"]);
    assert_eq!(status, Some(1), "a chart cannot be drawn: {told}");
    assert!(told.contains("dashboard  Shop: would be made") && told.contains("\n6 would be made, "), "{told}");
    assert_eq!(get(&house, &token, "/api/v2/dashboards")["dashboards"], json!([]));
    let (_, told) = import(&[]);
    for line in [
        "dashboard  Shop: made",
        "group      Shops: made",
        "search     Timeouts: made",
        "search     Errors: made",
        "alert      memory: made",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let (_, again) = import(&[]);
    assert!(again.contains("\n6 there already, "), "{again}");
    let boards = get(&house, &token, "/api/v2/dashboards")["dashboards"].clone();
    assert_eq!(boards.as_array().unwrap().len(), 1, "{boards}");
    let board = get(&house, &token, &format!("/api/v2/dashboards/{}", boards[0]["id"]))["dashboard"].clone();
    assert_eq!(board["charts"].as_array().unwrap().len(), 2, "{board}");
    let searches = get(&house, &token, "/api/v1/searches.json");
    let group = |name: &str| {
        let all = searches.as_array().unwrap();
        all.iter().find(|search| search["name"] == name).unwrap()["group"]["name"].as_str().unwrap().to_owned()
    };
    assert_eq!((group("Timeouts"), group("Errors")), ("Shops".to_owned(), "All Systems".to_owned()));
    let alerts = get(&house, &token, "/api/v2/alerts")["alerts"].clone();
    let load = alerts.as_array().unwrap().iter().find(|alert| alert["name"] == "web.load").unwrap();
    assert_eq!(load["says"], "max of heroku.dyno.load.load1 above 1 for 5 minutes, source web.*", "{load}");
    assert!(load["on"] == true && load["channels"] == json!([]), "{load}");
    assert!(!format!("{told}{alerts}").contains("not-for-anybody"), "a secret");
    // Somebody changed one here: it is his, but for --replace.
    let body = br#"{"search":{"name":"Errors","query":"mine"}}"#;
    let id = searches.as_array().unwrap().iter().find(|search| search["name"] == "Errors").unwrap()["id"].clone();
    let headers = [("X-Papertrail-Token", token.as_str()), ("Content-Type", "application/json")];
    let path = format!("/api/v1/searches/{id}.json");
    let length = body.len().to_string();
    let headers = [headers[0], headers[1], ("Content-Length", length.as_str())];
    assert_eq!(request(house.server.address, "PUT", &path, &headers, body).unwrap().status, 200);
    let (_, left) = import(&[]);
    assert!(left.contains("search     Errors: is there, and different: left as it is"), "{left}");
    let (_, replaced) = import(&["--replace"]);
    assert!(replaced.contains("search     Errors: put in place of the one that was there"), "{replaced}");
    let (_, again) = import(&["--replace"]);
    assert!(again.contains("\n6 there already, "), "{again}");
    // Whose token may not change anything learns so, and nothing else happens.
    let reader = house.token(&["--account", "blog", "--kind", "read"]);
    let (status, told) = run(&house, &reader, &[&["import"][..], &files[..]].concat());
    assert!(status == Some(2) && told.contains("the token has no right to that"), "{told}");
}

#[test]
fn exported_series_are_set_beside_kept_minutes() {
    let house = House::new("compare");
    let token = house.token(&["--account", "shop", "--kind", "admin"]);
    let minute = i64::try_from(now_micros() / 60_000_000 * 60).unwrap();
    let times = [minute - 180, minute - 120, minute - 60];
    let sent = |source: &str, values: [f64; 3]| -> Vec<Value> {
        let one = |(time, value): (i64, f64)| json!({ "name": "jobs", "time": time, "value": value, "source": source });
        times.into_iter().zip(values).map(one).collect()
    };
    let all = [sent("a", [1.0, 2.0, 3.0]), sent("b", [10.0, 20.0, 30.0])].concat();
    let body = json!({ "measurements": all }).to_string();
    let headers = [("Authorization", basic(&format!("{token}:"))), ("Content-Type", "application/json".to_owned())];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(
        request(house.server.address, "POST", "/v1/measurements", &headers, body.as_bytes()).unwrap().status,
        202
    );
    let dir = house.dir().join("exports");
    std::fs::create_dir_all(&dir).unwrap();
    let saved = |name: &str, series: Value| {
        let path = dir.join(name);
        std::fs::write(&path, json!({ "name": "jobs", "resolution": 60, "series": series }).to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let line = |source: &str, values: &[(i64, f64)]| {
        let points: Vec<Value> = values.iter().map(|(time, value)| json!({ "time": time, "value": value })).collect();
        json!({ "tags": { "Source": source }, "measurements": points })
    };
    let [one, two, three] = times;
    let same = saved(
        "same.json",
        json!([
            line("A", &[(one, 1.0), (two, 2.0), (three, 3.0)]),
            line("b", &[(one, 10.0), (two, 20.1), (three, 30.0)])
        ]),
    );
    wait_until("the same", || {
        let (status, told) = run(&house, &token, &["compare", &same]);
        (status == Some(0) && told == "6 steps: 5 equal, 1 within 1%, 0 different, 0 missing here, 0 extra here\n")
            .then_some(())
    });
    let (status, told) = run(&house, &token, &["compare", &same, "--tolerance", "0.1%"]);
    assert_eq!(status, Some(1));
    assert!(told.contains("jobs {source=b}: of 3 steps 1 different, 0 missing here, 0 extra here\n"), "{told}");
    assert!(told.contains("exported 20.1  here 20\n"), "{told}");
    let other = saved(
        "other.json",
        json!([line("a", &[(one, 1.0), (two, 9.0), (three - 3_600, 3.0)]), line("c", &[(one, 1.0)])]),
    );
    let (status, told) = run(&house, &token, &["compare", &other]);
    assert_eq!(status, Some(1));
    assert!(told.contains("jobs {source=c}") && told.contains("here nothing"), "{told}");
    // Up to the last exported step: what came later is nothing that it could have.
    assert!(told.ends_with("\n6 steps: 1 equal, 0 within 1%, 1 different, 2 missing here, 2 extra here\n"), "{told}");
    // A time in which nothing was exported.
    let (status, told) = run(&house, &token, &["compare", &same, "--to", "2001-01-01"]);
    assert!(status == Some(1) && told.contains("nothing was compared"), "{told}");
}
