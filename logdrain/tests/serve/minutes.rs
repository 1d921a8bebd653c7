//! Kept minutes, as whoever asks gets them: the same that the rows say.

use crate::harness::{
    Delivery, PATIENCE, Rows, Server, body, now_micros, scratch, time_of, truth, wait_for_rows, wait_until,
};
use crate::rights::{House, basic, change};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

/// Sums by name, tags and second.
type Sums = BTreeMap<(String, String, i64), f64>;

/// What the rows of all drains add up to.
fn sums_of(rows: &Rows) -> (Sums, BTreeSet<String>) {
    let mut sums = Sums::new();
    let mut names = BTreeSet::new();
    for row in rows.values() {
        // Without its revision, it lacks the end.
        let row: Value = serde_json::from_str(&format!("{row}}}")).unwrap_or_else(|error| panic!("{error}: {row}"));
        let name = row["name"].as_str().unwrap().to_owned();
        names.insert(name.clone());
        let key = (name, row["tags"].to_string(), row["window_unix"].as_i64().unwrap());
        *sums.entry(key).or_default() += row["sum"].as_f64().unwrap();
    }
    (sums, names)
}

pub(crate) fn get(address: SocketAddr, path: &str) -> Value {
    let answer = wait_until(path, || {
        let answer = crate::harness::request(address, "GET", path, &[], b"").ok()?;
        (answer.status != 503 && answer.status != 429).then_some(answer)
    });
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

/// Sums of what is kept, each second by itself; zeros are seconds in which a drain was heard.
fn kept(address: SocketAddr, names: &BTreeSet<String>, (from, to): (i64, i64)) -> Sums {
    let mut sums = Sums::new();
    for name in names {
        // As many seconds as one answer holds.
        for from in (from..to).step_by(300) {
            let to = to.min(from + 300);
            let path = format!("/api/v2/series?name={name}&function=sum&by=*&step=1&lines=500&from={from}&to={to}");
            let series = get(address, &path);
            assert_eq!((series["step"].as_i64(), series["more_lines"].as_i64()), (Some(1), Some(0)), "{path}");
            let start = series["start"].as_i64().unwrap();
            for line in series["lines"].as_array().unwrap() {
                for (second, value) in (start..).zip(line["values"].as_array().unwrap()) {
                    if let Some(value) = value.as_f64().filter(|value| *value != 0.0) {
                        sums.insert((name.clone(), line["tags"].to_string(), second), value);
                    }
                }
            }
        }
    }
    sums
}

/// Waits until the kept minutes are what the rows say, and says where they differ when they do not become so.
pub(crate) fn wait_for_minutes(address: SocketAddr, rows: &Rows) {
    let (mut expected, names) = sums_of(rows);
    expected.retain(|_, sum| *sum != 0.0);
    let seconds = || expected.keys().map(|(_, _, second)| *second);
    let span = (seconds().min().unwrap(), seconds().max().unwrap() + 1);
    let began = Instant::now();
    loop {
        let found = kept(address, &names, span);
        let is_same = |(key, sum): (&(String, String, i64), &f64)| {
            found.get(key).is_some_and(|found| (found - sum).abs() <= sum.abs() * 1e-12)
        };
        if found.len() == expected.len() && expected.iter().all(is_same) {
            return;
        }
        if began.elapsed() > PATIENCE {
            let lacking: Vec<_> = expected.iter().filter(|row| !is_same(*row)).take(3).collect();
            let more: Vec<_> = found.iter().filter(|(key, _)| !expected.contains_key(*key)).take(3).collect();
            panic!("of {} sums lack {lacking:?}, and there are {more:?}", expected.len());
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
fn minutes_are_what_the_rows_say_and_are_there_after_a_start() {
    let dir = scratch("minutes");
    let server = Server::start(&dir, &[]);
    let mut bodies = Vec::new();
    for number in 0..20 {
        let sent = Delivery { id: format!("{number:032X}"), token: "d.shop".to_owned(), body: body(number, 40) };
        assert_eq!(sent.send(server.address).unwrap(), 204);
        bodies.extend(sent.body);
    }
    // Before its second is over it is there as what it is so far.
    let open = wait_until("an open second", || {
        let series = get(server.address, "/api/v2/series?name=shop.orders&function=sum&step=3600");
        series["lines"].as_array().is_some_and(|lines| !lines.is_empty()).then_some(series)
    });
    assert!(open["closed_steps"].as_u64() < open["steps"].as_u64(), "the hour is not over: {open}");
    let expected = truth(&dir, [("d.shop", bodies)]);
    wait_for_rows(&dir.join("rows.jsonl"), &expected);
    wait_for_minutes(server.address, &expected);
    let names = get(server.address, "/api/v2/metrics?q=SHOP")["metrics"].clone();
    assert_eq!(names, serde_json::json!(["shop.orders"]));
    let tags = get(server.address, "/api/v2/metrics?name=shop.orders")["tags"].clone();
    assert_eq!(tags[0]["tag"], "market");
    assert_eq!(tags[0]["values"], serde_json::json!(["de"]));
    // As clients of Librato ask.
    let measured = get(server.address, "/v1/measurements/shop.orders?duration=600&resolution=60&summary_function=sum");
    let (sums, _) = sums_of(&expected);
    let orders: f64 = sums.iter().filter(|((name, ..), _)| name == "shop.orders").map(|(_, sum)| sum).sum();
    let values = measured["series"][0]["measurements"].as_array().unwrap();
    assert_eq!(values.iter().map(|value| value["value"].as_f64().unwrap()).sum::<f64>(), orders);
    assert_eq!(measured["series"][0]["tags"], serde_json::json!({ "market": "de" }));
    let p95 = get(server.address, "/v1/measurements/db.query.p95?duration=600&resolution=60&group_by=*");
    assert_eq!(p95["series"].as_array().unwrap().len(), 1);
    // Everything of a step at once, tags in one text, and several metrics put together.
    let of =
        |query: &str| get(server.address, &format!("/v1/measurements/shop.orders?duration=600&resolution=600&{query}"));
    let total = |answer: &Value, name: &str| -> f64 {
        let lines = answer["series"].as_array().unwrap().iter();
        lines.flat_map(|line| line["measurements"].as_array().unwrap()).map(|one| one[name].as_f64().unwrap()).sum()
    };
    let all = of("summary_function=all&tags_search=market%3Dde");
    assert_eq!((total(&all, "sum"), total(&all, "count") > 0.0), (orders, true), "{all}");
    assert_eq!(all["series"][0]["measurements"][0].get("max"), None, "counts have no greatest value");
    let queries = "/v1/measurements/db.query?duration=600&resolution=600&group_by=*&summary_function=all";
    let measured = get(server.address, queries)["series"][0]["measurements"][0].clone();
    let of_all =
        ["min", "value", "max", "sum"].map(|name| measured[name].as_f64().unwrap_or_else(|| panic!("{measured}")));
    assert!(of_all.is_sorted() && of_all[0] < of_all[2], "{measured}");
    assert_eq!(of("tags_search=market!%3Dde&summary_function=sum")["series"], serde_json::json!([]));
    let composed = of(
        "compose=scale(sum(s(%22shop.orders%22,%7B%22market%22:%22d*%22%7D,%7Bfunction:%22sum%22%7D)),%7Bfactor:%222%22%7D)",
    );
    assert_eq!(total(&composed, "value"), 2.0 * orders, "{composed}");
    let apart =
        get(server.address, "/v1/measurements/db.query?duration=600&resolution=600&group_by=*&summary_function=stddev");
    assert!(total(&apart, "value") > 0.0, "{apart}");
    for (path, status, why) in [
        (
            "/v1/measurements/x?duration=600&compose=s(",
            400,
            r#"{"errors":{"params":{"compose":["at character 3: a text was expected"]}}}"#,
        ),
        ("/v1/measurements/shop.orders?duration=600&tags_search=market", 400, ""),
        ("/v1/measurements/nothing?duration=600", 404, r#"{"errors":{"request":["Not Found"]}}"#),
        (
            "/v1/measurements/shop.orders",
            400,
            r#"{"errors":{"params":{"start_time":["is missing, and so is duration"]}}}"#,
        ),
        ("/api/v2/series", 400, ""),
        ("/api/v2/series?name=x&function=median", 400, ""),
        ("/api/v2/series?name=x&from=20&to=10", 400, ""),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(why.is_empty() || answer.body == why, "{path}: {}", answer.body);
    }
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    let server = Server::start(&dir, &[]);
    wait_for_minutes(server.address, &expected);
    server.stop();
}

/// Members of one group see the drains whose systems are in it, and no one sees another account's.
#[test]
fn minutes_are_seen_by_who_sees_their_drain() {
    let house = House::new("minutes-rights");
    let drains = [("shop:shop-s3cret-1", 1), ("shopdb:shop-s3cret-2", 2), ("blog:blog-s3cret-1", 4)];
    for (pair, count) in drains {
        let time = time_of(now_micros());
        let line = format!("<190>1 {time} host app web.1 - count#paid={count} count#only.{count}=1");
        let body = format!("{} {line}", line.len());
        let headers = [("Authorization", basic(pair)), ("Logplex-Drain-Token", "d.1".to_owned())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let sent = crate::harness::request(house.server.address, "POST", "/logs", &headers, body.as_bytes()).unwrap();
        assert_eq!(sent.status, 204);
    }
    change(&house, r#"{"add_group":{"account":"shop","group":{"name":"web","systems":["shop-web"]}}}"#);
    house.account(&["member", "add", "gus@example.com", "--account", "shop", "--group", "web"]);
    let of_group = house.token(&["--account", "shop", "--member", "gus@example.com"]);
    let [of_shop, of_blog] = ["shop", "blog"].map(|account| house.token(&["--account", account]));
    let recording = house.token(&["--account", "shop", "--kind", "record"]);
    let ask = |token: &str, path: &str| {
        wait_until(path, || {
            let answer = house.ask("GET", path, &[("X-Papertrail-Token", token)]);
            (answer.status != 503 && answer.status != 429).then_some(answer)
        })
    };
    let paid = "/api/v2/series?name=paid&function=sum&step=3600";
    let sum = |token: &str, path: &str| -> f64 {
        let answer: Value = serde_json::from_str(&ask(token, path).body).unwrap();
        let lines = answer["lines"].as_array().cloned().unwrap_or_default();
        lines.iter().flat_map(|line| line["values"].as_array().unwrap()).filter_map(Value::as_f64).sum()
    };
    wait_until("all of them", || (sum(&of_shop, paid) == 3.0 && sum(&of_blog, paid) == 4.0).then_some(()));
    assert_eq!(sum(&of_group, paid), 1.0, "of the one drain");
    for (token, names) in
        [(&of_group, vec!["only.1"]), (&of_shop, vec!["only.1", "only.2"]), (&of_blog, vec!["only.4"])]
    {
        let told: Value = serde_json::from_str(&ask(token, "/api/v2/metrics?q=only").body).unwrap();
        assert_eq!(told["metrics"], serde_json::json!(names));
    }
    // Whatever he names.
    for path in ["/api/v2/series?name=paid&account=blog", "/api/v2/metrics?account=blog"] {
        assert_eq!(ask(&of_group, path).status, 404, "{path}");
    }
    assert_eq!(ask(&of_group, "/v1/measurements/only.1?duration=3600").status, 200);
    assert_eq!(ask(&of_group, "/v1/measurements/only.2?duration=3600").status, 404);
    for path in [paid, "/api/v2/metrics", "/v1/measurements/paid?duration=60"] {
        assert_eq!(ask(&recording, path).status, 403, "{path}");
        assert_eq!(ask("nobody", path).status, 401, "{path}");
    }
    let refused = ask("nobody", "/v1/measurements/paid?duration=60");
    assert_eq!(refused.body, r#"{"errors":{"request":["Authorization Required"]}}"#);
}
