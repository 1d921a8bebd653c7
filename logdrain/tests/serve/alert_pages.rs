//! Alerts as people and programs have them: made by the API and by forms, from nothing, a search, a chart or a template, tried
//! on what was kept, muted, changed and removed.

use crate::browser::Browser;
use crate::dashboards::{House, account, lines, location};
use crate::harness::{Answer, Server, request, scratch, wait_until};
use serde_json::{Value, json};

const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

fn read(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

/// Asks the API, which says what was expected.
fn api(house: &House, (method, path): (&str, &str), body: &Value, status: u16) -> Value {
    let answer = house.ask(&house.admin, method, &format!("/api/v2/{path}"), body);
    assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
    if answer.body.is_empty() { Value::Null } else { read(&answer) }
}

fn page(house: &House, path: &str) -> String {
    let answer = house.get(path);
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    assert!(!answer.body.contains(" style=") && !answer.body.contains("<script>"), "{path}");
    answer.body
}

/// The lines that were sent are kept.
fn wait_for_lines(house: &House) {
    wait_until("lines", || {
        let found = read(&house.get("/api/v1/events/search.json?q=code%3DH12"));
        (found["events"].as_array()?.len() == 2).then_some(())
    });
}

#[test]
fn alerts_are_made_changed_muted_and_removed_by_the_api() {
    let house = House::new("alerts-api");
    assert_eq!(api(&house, ("GET", "alerts"), &Value::Null, 200), json!({ "alerts": [], "more": false }));
    let rule =
        json!({ "name": "Timeouts", "query": "code=H12", "period": "10 minutes", "minimum": 5, "systems": "shop*" });
    let made = api(&house, ("POST", "alerts"), &json!({ "log": rule }), 201);
    let id = made["id"].as_u64().unwrap();
    assert_eq!(made["says"], "at least 5 lines in 10 minutes with code=H12, of shop*");
    assert_eq!((&made["state"], &made["last"], &made["channels"]), (&json!("ok"), &Value::Null, &json!([])));
    assert_eq!((&made["log"]["systems"], &made["muted_until"]), (&json!(["shop*"]), &Value::Null));
    let one = format!("alerts/{id}");
    let mut known = api(&house, ("GET", &one), &Value::Null, 200);
    // Its lines may have been asked in between, or even before.
    known["since"] = made["since"].clone();
    assert_eq!(known, made);

    let load = json!({ "name": "Load", "when": [{ "metric": "heroku.dyno.load.load1", "above": 2, "for": "5m" }] });
    let changed = api(&house, ("PATCH", &one), &json!({ "metric": load, "on": false }), 200);
    assert_eq!((&changed["state"], &changed["on"], changed.get("log")), (&json!("off"), &json!(false), None));
    assert_eq!(changed["says"], "average of heroku.dyno.load.load1 above 2 for 5 minutes");
    let muted = api(&house, ("POST", &format!("{one}/mute")), &json!({ "for": "2h" }), 200);
    assert!(muted["muted_until"].is_string(), "{muted}");
    api(&house, ("PATCH", &one), &json!({ "on": true }), 200);
    assert_eq!(api(&house, ("GET", &one), &Value::Null, 200)["state"], "muted");
    assert_eq!(api(&house, ("DELETE", &format!("{one}/mute")), &Value::Null, 200)["state"], "no_data");
    assert_eq!(api(&house, ("POST", &format!("{one}/rearm")), &json!({}), 200)["id"], id);
    assert_eq!(api(&house, ("GET", &format!("{one}/history")), &Value::Null, 200), json!({ "messages": [] }));

    let templates = api(&house, ("GET", "alerts/templates"), &Value::Null, 200);
    assert_eq!(templates["templates"].as_array().unwrap().len(), 10, "{templates}");
    let from = api(&house, ("POST", "alerts"), &json!({ "template": "no-requests", "on": false }), 201);
    assert_eq!((&from["name"], &from["metric"]["when"][0]["absent"]), (&json!("No requests"), &json!("10m")));

    for (body, said) in [
        (json!({}), "the rule is missing"),
        (json!({ "template": "none" }), "there is no template of this name; there are h12"),
        (json!({ "template": "h12", "log": rule }), "say one of log, metric and template"),
        (json!({ "log": { "name": "a", "query": "b", "period": "2 days" } }), "period"),
        (json!({ "log": { "name": " ", "query": "b" } }), "a rule has no name"),
        (json!({ "log": { "name": "a", "query": "b", "colour": "red" } }), "colour"),
        (json!({ "metric": { "name": "a", "when": [] } }), "it asks for nothing"),
        (json!({ "metric": { "name": "a", "when": [{ "metric": "m" }] } }), "say one of above, below and absent"),
        (json!({ "template": "h12", "channels": [77] }), "there is no channel 77"),
    ] {
        let refused = api(&house, ("POST", "alerts"), &body, 400);
        assert!(refused["message"].as_str().unwrap().contains(said), "{body}: {refused}");
    }
    for (body, said) in [
        (json!({}), "say one of until and for"),
        (json!({ "for": "soon" }), "for"),
        (json!({ "until": "2001-01-01T00:00:00Z" }), "over already"),
        (json!({ "until": "2201-01-01T00:00:00Z" }), "a year at most"),
        (json!({ "until": "tomorrow" }), "no time"),
    ] {
        let refused = api(&house, ("POST", &format!("{one}/mute")), &body, 400);
        assert!(refused["message"].as_str().unwrap().contains(said), "{body}: {refused}");
    }

    // Of another account, by a token that may only read, or by nobody.
    let other = account(&house.dir, &["token", "add", "--account", "other"]);
    let reader = account(&house.dir, &["token", "add", "--kind", "read"]);
    let path = format!("/api/v2/{one}");
    assert_eq!(read(&house.ask(&other, "GET", "/api/v2/alerts", &Value::Null)), json!({ "alerts": [], "more": false }));
    assert_eq!(house.ask(&other, "DELETE", &path, &Value::Null).status, 404);
    assert_eq!(house.ask(&reader, "GET", &path, &Value::Null).status, 200);
    for (method, path, body) in [
        ("DELETE", path.clone(), Value::Null),
        ("PATCH", path.clone(), json!({ "on": false })),
        ("POST", format!("{path}/mute"), json!({ "for": "1h" })),
        ("POST", format!("{path}/rearm"), json!({})),
        ("POST", "/api/v2/alerts".to_owned(), json!({ "template": "h12" })),
    ] {
        assert_eq!(house.ask(&reader, method, &path, &body).status, 403, "{method} {path}");
    }
    assert_eq!(house.ask("", "GET", &path, &Value::Null).status, 401);
    api(&house, ("DELETE", &one), &Value::Null, 204);
    api(&house, ("GET", &one), &Value::Null, 404);
    api(&house, ("GET", &format!("{one}/history")), &Value::Null, 404);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_rule_is_tried_on_lines_and_minutes_that_were_kept() {
    let house = House::new("alerts-try");
    wait_for_lines(&house);
    let tried = |body: Value| api(&house, ("POST", "alerts/try"), &body, 200);
    let log = |rest: Value| {
        let mut rule = json!({ "name": "a", "query": "code=H12" });
        rule.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        tried(json!({ "log": rule }))
    };
    let found = log(json!({}));
    assert_eq!((&found["lines"], &found["complete"]), (&json!(2), &json!(true)), "{found}");
    // Both lines may lie on the two sides of a minute.
    let alerts = found["alerts"].as_array().unwrap();
    let shown: Vec<&Value> = alerts.iter().flat_map(|alert| alert["lines"].as_array().unwrap()).collect();
    assert_eq!((found["fired"].as_u64().unwrap() as usize, shown.len()), (alerts.len(), 2), "{found}");
    assert!(shown.iter().all(|line| line["message"].as_str().unwrap().contains("code=H12")), "{found}");
    let ids = read(&house.get("/api/v1/events/search.json?q=code%3DH12"));
    assert_eq!(shown[0]["id"], ids["events"][0]["id"]);
    assert!(alerts[0]["why"].as_str().unwrap().contains("in 1 minute"), "{found}");

    let hour = log(json!({ "period": "1 hour", "minimum": 2 }));
    assert_eq!(hour["fired"], 1, "{hour}");
    assert!(
        hour["alerts"][0]["why"].as_str().unwrap().starts_with("2 lines in 1 hour, at least 2 asked for"),
        "{hour}"
    );
    let counted = log(json!({ "period": "1 hour", "counts": true }));
    assert_eq!(counted["alerts"][0]["counts"].as_array().unwrap().len(), 2, "of each system: {counted}");
    let some = log(json!({ "period": "1 hour", "systems": ["shop"] }));
    assert_eq!((&some["lines"], &some["alerts"][0]["count"]), (&json!(1), &json!(1)), "{some}");
    let more = log(json!({ "period": "1 hour", "minimum": 3 }));
    assert_eq!(more["fired"], 0);
    assert!(more["standing"][0].as_str().unwrap().contains("2 lines in 1 hour, at least 3 asked for"), "{more}");
    assert_eq!(log(json!({ "inactivity": true }))["fired"], 0, "nothing is known of the time before");
    let none = tried(json!({ "log": { "name": "a", "query": "code=H12" }, "from": "2001-01-01", "to": "2001-01-02" }));
    assert_eq!((&none["fired"], &none["lines"], &none["standing"]), (&json!(0), &json!(0), &json!([])));

    let metric = |when: Value| tried(json!({ "metric": { "name": "m", "when": [when] } }));
    let above = wait_until("rows", || {
        let told = metric(json!({ "metric": "heroku.router.http.requests", "above": 0.5, "function": "sum",
            "tags": { "app_name": "shop", "status_category": "2*" } }));
        (told["fired"].as_u64().unwrap() > 0).then_some(told)
    });
    let first = &above["alerts"][0];
    assert_eq!((&first["change"], &first["readings"][0]["system"]), (&json!("fired"), &json!("shop")), "{above}");
    assert!(first["readings"][0]["why"].as_str().unwrap().contains("above 0.5"), "{above}");
    let all = metric(json!({ "metric": "heroku.router.service.*.p95", "above": 0 }));
    assert!(all["fired"].as_u64().unwrap() > 0 && all["rows"].as_u64().unwrap() > 0, "{all}");
    let no = metric(json!({ "metric": "heroku.router.http.requests", "above": 1e9 }));
    assert_eq!((&no["fired"], &no["complete"]), (&json!(0), &json!(true)), "{no}");
    assert!(!no["standing"].as_array().unwrap().is_empty(), "how near it came: {no}");
    // What another account sends is nobody else's.
    let other = metric(json!({ "metric": "*", "above": 0, "tags": { "app_name": "secret-app" } }));
    assert_eq!(other["fired"], 0, "{other}");
    assert_eq!(
        tried(json!({ "template": "h12" }))["says"],
        "at least 5 lines in 10 minutes with program:heroku/router code=H12"
    );

    // Who only reads tries them, too; by nobody else's lines.
    for (kind, who, lines) in [("read", "default", 2), ("admin", "other", 1)] {
        let token = account(&house.dir, &["token", "add", "--kind", kind, "--account", who]);
        let rule = json!({ "log": { "name": "a", "query": "code=H12" } });
        let told = house.ask(&token, "POST", "/api/v2/alerts/try", &rule);
        assert_eq!((told.status, &read(&told)["lines"]), (200, &json!(lines)), "{told:?}");
    }
    assert_eq!(house.ask("", "POST", "/api/v2/alerts/try", &json!({ "template": "h12" })).status, 401);
    for (body, said) in [
        (json!({}), "the rule is missing"),
        (json!({ "template": "h12", "from": "2026-01-02", "to": "2026-01-01" }), "from is not before to"),
        (json!({ "template": "h12", "from": "2001-01-01", "to": "2001-02-01" }), "seven days are the most"),
        (json!({ "template": "h12", "from": "once" }), "from"),
    ] {
        let refused = api(&house, ("POST", "alerts/try"), &body, 400);
        assert!(refused["message"].as_str().unwrap().contains(said), "{body}: {refused}");
    }
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn alerts_are_made_by_forms_from_a_template_a_search_and_a_chart() {
    let house = House::new("alerts-forms");
    wait_for_lines(&house);
    let empty = page(&house, "/alerts");
    assert!(empty.contains("There is no alert yet") && empty.contains("Request timeouts (H12)"), "{empty}");
    assert!(
        page(&house, "/events").contains("aria-current=\"page\">Events")
            && page(&house, "/events").contains(">Alerts</a>")
    );
    // One click.
    let made = location(&house.form("/alerts", &[("do", "template:h12")]));
    assert_eq!(made, "/alerts/1000?done=made");
    let one = page(&house, &made);
    for part in [
        "The alert is on",
        "at least 5 lines in 10 minutes with program:heroku/router code=H12",
        "state ok",
        "Nothing yet",
    ] {
        assert!(one.contains(part), "{part}: {one}");
    }
    assert_eq!(house.form("/alerts", &[("do", "template:none")]).status, 400);

    // From a search: what was looked for stands in the form, and is tried without being kept.
    let events = page(&house, "/events?q=code%3DH12&system=shop");
    assert!(events.contains("/alerts/new?q=code%3DH12&amp;system=shop"), "{events}");
    let form = page(&house, "/alerts/new?q=code%3DH12&system=shop");
    assert!(
        form.contains("name=\"query\" value=\"code=H12\"") && form.contains("name=\"systems\" value=\"shop\""),
        "{form}"
    );
    let hostile = "code=H12 -\"<img src=x>\"";
    let fields = |action: &'static str| {
        vec![
            ("do", action),
            ("of", "log"),
            ("name", HOSTILE),
            ("query", hostile),
            ("period", "1 hour"),
            ("asks", "lines"),
            ("minimum", "2"),
            ("systems", ""),
        ]
    };
    let tried = house.form("/alerts/new", &fields("try"));
    assert_eq!(tried.status, 200, "{tried:?}");
    for part in [
        "It would have fired once",
        "2 lines in 1 hour, at least 2 asked for",
        "/events?centered_on_id=",
        "value=\"1 hour\" selected",
    ] {
        assert!(tried.body.contains(part), "{part}: {}", tried.body);
    }
    assert!(!tried.body.contains("<img") && !page(&house, "/alerts").contains("img src"), "it is text, and not kept");
    let made = location(&house.form("/alerts/new", &fields("save")));
    assert_eq!(made, "/alerts/1001?done=made");
    for path in ["/alerts", "/alerts/1001", "/alerts/1001/edit", "/alerts/history"] {
        assert!(!page(&house, path).contains("<img"), "{path}");
    }
    // What is wrong is said, and what was typed stays.
    let mut wrong = fields("save");
    wrong[6].1 = "many";
    let refused = house.form("/alerts/1001/edit", &wrong);
    assert!(
        refused.status == 400 && refused.body.contains("The least number of lines is a whole number"),
        "{refused:?}"
    );
    assert!(
        refused.body.contains("value=\"1 hour\" selected") && refused.body.contains("value=\"many\""),
        "{refused:?}"
    );

    // From a chart.
    let chart = page(&house, "/explore/heroku.router.http.requests?range=30m&summary=max&tag[dyno]=web.1");
    assert!(
        chart.contains("/alerts/new?metric=heroku.router.http.requests&amp;summary=max&amp;tag%5Bdyno%5D=web.1"),
        "{chart}"
    );
    let form = page(&house, "/alerts/new?metric=heroku.router.http.requests&summary=max&tag%5Bdyno%5D=web.1");
    assert!(
        form.contains("value=\"heroku.router.http.requests\"")
            && form.contains("value=\"max\" selected")
            && form.contains("dyno=web.1")
    );
    let mut metric = vec![
        ("do", "more"),
        ("of", "metric"),
        ("name", "Requests"),
        ("conditions", "1"),
        ("metric-0", "heroku.router.http.requests"),
        ("is-0", "above"),
        ("value-0", "0"),
        ("per_signal", "1"),
    ];
    let more = house.form("/alerts/new", &metric);
    assert!(
        more.status == 200 && more.body.contains("name=\"metric-1\"") && more.body.contains("one of them holds"),
        "{more:?}"
    );
    metric[0].1 = "save";
    assert_eq!(location(&house.form("/alerts/new", &metric)), "/alerts/1002?done=made");
    let kept = api(&house, ("GET", "alerts/1002"), &Value::Null, 200);
    assert_eq!((&kept["metric"]["per_signal"], &kept["metric"]["when"][0]["above"]), (&json!(true), &json!(0.0)));
    // A rule that no form writes is left to the API.
    let odd =
        json!({ "metric": { "name": "Odd", "when": [{ "metric": "m", "above": 1, "tags": { "path": "/a,b" } }] } });
    let odd = api(&house, ("POST", "alerts"), &odd, 201);
    assert!(page(&house, &format!("/alerts/{}/edit", odd["id"])).contains("which the form cannot write"));

    for (action, done, state) in [
        ("off", "off", "off"),
        ("on", "on", "no data"),
        ("mute", "muted", "muted"),
        ("unmute", "unmuted", "no data"),
        ("rearm", "rearmed", "no data"),
    ] {
        let to = location(&house.form("/alerts/1002", &[("do", action), ("for", "4h")]));
        assert_eq!(to, format!("/alerts/1002?done={done}"));
        assert!(page(&house, &to).contains(&format!(">{state}")), "{action}");
    }
    let kept = house.form("/alerts/1002", &[("do", "remove")]);
    assert!(kept.status == 400 && kept.body.contains("Tick the box"), "{kept:?}");
    assert_eq!(location(&house.form("/alerts/1002", &[("do", "remove"), ("sure", "1")])), "/alerts?done=removed");
    for path in ["/alerts/1002", "/alerts/1002/edit", "/alerts/none", "/alerts/0"] {
        assert_eq!(house.get(path).status, 404, "{path}");
    }
    assert_eq!(house.form("/alerts/1000", &[("do", "dance")]).status, 400);

    // Who only reads sees them, and no form; what he sends changes nothing.
    let reader = account(&house.dir, &["token", "add", "--kind", "read"]);
    let seen = house.ask(&reader, "GET", "/alerts/1000", &Value::Null);
    assert!(seen.status == 200 && !seen.body.contains("value=\"remove\"") && !seen.body.contains("/edit"), "{seen:?}");
    let bearer = format!("Bearer {reader}");
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("Authorization", bearer.as_str())];
    let sent = request(house.server.address, "POST", "/alerts/1000", &headers, b"do=remove&sure=1").unwrap();
    assert!(sent.status == 403 && house.get("/alerts/1000").status == 200, "{sent:?}");
    assert!(matches!(house.ask("", "GET", "/alerts", &Value::Null).status, 303 | 401));
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn channels_are_made_by_api_and_form_and_their_secrets_are_shown_to_nobody() {
    const SECRET: &str = "T0K3N-of-the-hook";
    let house = House::new("alerts-channels");
    let url = format!("https://hooks.example.com/services/{SECRET}");
    let made = api(&house, ("POST", "channels"), &json!({ "name": "Ops", "kind": "slack", "url": url }), 201);
    let id = made["id"].as_u64().unwrap();
    assert_eq!(
        made,
        json!({ "id": id, "name": "Ops", "kind": "slack", "leads_to": "https://hooks.example.com", "notices": false, "hides_lines": false })
    );
    let one = format!("channels/{id}");
    let named = api(&house, ("PATCH", &one), &json!({ "name": format!("Ops {HOSTILE}"), "hides_lines": true }), 200);
    assert_eq!((&named["hides_lines"], &named["leads_to"]), (&json!(true), &json!("https://hooks.example.com")));
    assert_eq!(api(&house, ("PATCH", &one), &json!({ "notices": true }), 200)["notices"], true);
    assert!(page(&house, "/alerts/channels").contains("with notices of the plan"));
    let signed = json!({ "name": "Hook", "kind": "json", "url": "https://a.example.com/x", "secret": SECRET });
    let hook = api(&house, ("POST", "channels"), &signed, 201)["id"].as_u64().unwrap();
    for (body, said) in [
        (
            json!({ "name": "a", "kind": "pigeon", "url": "https://a.example.com/" }),
            "kind is one of webhook, json, slack, pagerduty or mail",
        ),
        (json!({ "name": "a", "url": "https://a.example.com/" }), "kind is one of"),
        (json!({ "name": "a", "kind": "slack" }), "url"),
        (
            json!({ "name": "a", "kind": "slack", "url": "https://a.example.com/", "secret": "x" }),
            "secret: a channel of this kind has no such field",
        ),
        (json!({ "kind": "slack", "url": "https://a.example.com/" }), "name"),
        (json!({ "name": "a", "kind": "json", "url": "http://127.0.0.1:80/" }), "url"),
        (json!({ "name": "a", "kind": "pagerduty", "routing_key": "short" }), "routing_key"),
        (json!({ "name": "a", "kind": "mail", "to": ["ann@example.com"] }), "mail"),
    ] {
        let refused = api(&house, ("POST", "channels"), &body, 400);
        assert!(refused["message"].as_str().unwrap().contains(said), "{body}: {refused}");
    }
    let refused = api(&house, ("PATCH", &one), &json!({ "kind": "json" }), 400);
    assert!(refused["message"].as_str().unwrap().contains("stays of its kind"), "{refused}");

    // An alert that tells it; a test of it stands in the history, and nothing of it says where the hook is.
    let alert =
        api(&house, ("POST", "alerts"), &json!({ "template": "h12", "channels": [id] }), 201)["id"].as_u64().unwrap();
    let sent = api(&house, ("POST", &format!("alerts/{alert}/test")), &json!({}), 200);
    assert_eq!(sent["channels"], json!([id]));
    let told = api(&house, ("GET", &format!("alerts/{alert}/history")), &Value::Null, 200);
    let message = &told["messages"][0];
    assert_eq!(
        (&message["id"], &message["kind"], &message["query"]),
        (&sent["message"], &json!("test"), &json!("program:heroku/router code=H12"))
    );
    assert_eq!((&message["deliveries"][0]["channel"], message["lines"].as_array().unwrap().len()), (&json!(id), 1));
    assert_eq!(
        api(&house, ("GET", &format!("alerts/{alert}")), &Value::Null, 200)["last"],
        Value::Null,
        "a test is no alert"
    );
    assert_eq!(api(&house, ("POST", &format!("{one}/test")), &json!({}), 200)["channels"], json!([id]));
    let of_all = api(&house, ("GET", "alerts/history?limit=1"), &Value::Null, 200);
    assert_eq!((of_all["messages"].as_array().unwrap().len(), &of_all["messages"][0]["alert"]), (1, &json!(0)));

    // By forms.
    let fields = [("do", "add:pagerduty"), ("name", "Night"), ("routing_key", "0123456789abcdef0123456789abcdef")];
    assert_eq!(location(&house.form("/alerts/channels", &fields)), "/alerts/channels?done=channel");
    let wrong = house.form("/alerts/channels", &[("do", "add:pagerduty"), ("name", "Night"), ("routing_key", "x")]);
    assert!(wrong.status == 400 && wrong.body.contains("integration key of a service"), "{wrong:?}");
    let saved = house.form("/alerts/channels", &[("do", &format!("set:{id}")), ("kind", "slack"), ("name", "Day")]);
    assert_eq!(location(&saved), "/alerts/channels?done=channel-saved");
    let tested = house.form("/alerts/channels", &[("do", &format!("test:{id}"))]);
    assert_eq!(location(&tested), "/alerts/channels?done=channel-tested");
    assert_eq!(
        location(&house.form(&format!("/alerts/{alert}"), &[("do", "test")])),
        format!("/alerts/{alert}?done=tested")
    );
    for path in [
        "/alerts/channels",
        "/alerts",
        &format!("/alerts/{alert}"),
        &format!("/alerts/{alert}/edit"),
        "/alerts/history",
    ] {
        let page = page(&house, path);
        assert!(!page.contains(SECRET) && !page.contains("0123456789abcdef") && !page.contains("<img"), "{path}");
    }
    assert!(
        page(&house, "/alerts/channels").contains("PagerDuty")
            && page(&house, &format!("/alerts/{alert}")).contains("Day")
    );
    // What turns the direction of text turns nothing, but in the field in which it was typed.
    api(&house, ("PATCH", &one), &json!({ "name": "Day\u{202e}" }), 200);
    let turned = |path: &str| page(&house, path).matches('\u{202e}').count();
    let (of_it, edit) = (format!("/alerts/{alert}"), format!("/alerts/{alert}/edit"));
    assert_eq!([turned("/alerts"), turned(&of_it), turned(&edit), turned("/alerts/channels")], [0, 0, 0, 1]);
    api(&house, ("PATCH", &one), &json!({ "name": "Day" }), 200);
    let all = house.get("/api/v2/channels").body;
    assert!(!all.contains(SECRET) && all.contains("\"Day\""), "{all}");

    // Of another account, or who may only read.
    let other = account(&house.dir, &["token", "add", "--account", "other"]);
    let reader = account(&house.dir, &["token", "add", "--kind", "read"]);
    assert_eq!(house.ask(&other, "GET", &format!("/api/v2/{one}"), &Value::Null).status, 404);
    assert_eq!(
        house.ask(&other, "POST", "/api/v2/alerts", &json!({ "template": "h12", "channels": [id] })).status,
        400
    );
    for (method, end) in [("DELETE", ""), ("PATCH", ""), ("POST", "/test")] {
        assert_eq!(house.ask(&reader, method, &format!("/api/v2/{one}{end}"), &json!({})).status, 403, "{method}");
        assert_eq!(house.ask(&other, method, &format!("/api/v2/{one}{end}"), &json!({})).status, 404, "{method}");
    }
    assert_eq!(
        location(&house.form("/alerts/channels", &[("do", &format!("remove:{id}"))])),
        "/alerts/channels?done=channel-removed"
    );
    api(&house, ("GET", &one), &Value::Null, 404);
    api(&house, ("DELETE", &format!("channels/{hook}")), &Value::Null, 204);
    // What is told to a channel that is gone is told to nobody else.
    assert!(!page(&house, &format!("/alerts/{alert}")).contains("Day"));
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_browser_makes_an_alert_by_the_keyboard_and_shows_it_on_a_phone() {
    let dir = scratch("alerts-browser");
    let Some(mut browser) = Browser::start(&dir) else { return };
    let server = Server::start(&dir, &[]);
    let headers =
        [("Content-Type", "application/logplex-1"), ("Logplex-Drain-Token", "shop"), ("Logplex-Frame-Id", "shop")];
    assert_eq!(request(server.address, "POST", "/logs?app=shop", &headers, &lines(6)).unwrap().status, 204);
    wait_until("lines", || server.get("/events?q=code%3DH12").body.contains("code=H12").then_some(()));
    browser.look(1_400, 1_000, "light");
    browser.go(&format!("http://{}/alerts/new?q=code%3DH12", server.address));
    // The first field has the focus, and Enter makes the alert.
    browser.until("document.activeElement.name === 'name'");
    browser.call("Input.insertText", json!({ "text": format!("Timeouts {HOSTILE}") }));
    let press = |browser: &Browser, kind: &str| {
        browser.call(
            "Input.dispatchKeyEvent",
            json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" }),
        );
    };
    press(&browser, "keyDown");
    press(&browser, "keyUp");
    browser.until("location.pathname === '/alerts/1000'");
    assert!(browser.value("document.querySelector('h1').textContent").as_str().unwrap().contains(HOSTILE));
    for template in ["memory", "slow", "no-requests"] {
        browser.go(&format!("http://{}/alerts", server.address));
        browser.value(&format!("document.querySelector('button[value=\"template:{template}\"]').click()"));
        browser.until("location.search === '?done=made'");
    }
    for (width, scheme) in [(1_400, "light"), (1_400, "dark"), (390, "light"), (390, "dark")] {
        browser.look(width, 1_100, scheme);
        for (name, path) in [
            ("list", "/alerts"),
            ("one", "/alerts/1000"),
            ("lines", "/alerts/1000/edit"),
            ("metric", "/alerts/1001/edit"),
            ("new", "/alerts/new"),
            ("history", "/alerts/history"),
            ("channels", "/alerts/channels"),
        ] {
            browser.go(&format!("http://{}{path}", server.address));
            browser.picture(&dir.join(format!("{name}-{width}-{scheme}.png")));
            assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "{name} at {width}");
        }
        browser.go(&format!("http://{}/alerts/1000/edit", server.address));
        browser.value("document.querySelector('button[value=try]').click()");
        browser.until("!!document.querySelector('.once')");
        browser.picture(&dir.join(format!("try-{width}-{scheme}.png")));
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth"), true, "try at {width}");
    }
    assert_ne!(browser.value("document.title"), "owned");
    assert_eq!(browser.listen(), [""; 0]);
    assert_eq!(server.stop().0, Some(0));
}
