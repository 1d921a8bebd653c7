//! Payloads, compared byte for byte with what receivers have seen ever.

use super::classic::{Systems, payload};
use super::words::Links;
use super::{Settings, http, mail, pagerduty, plain, slack};
use crate::alerts::told::{Cleared, Condition, Counts, Facts, Kind, Line, LogFacts, MetricFacts, Reading, Told};
use crate::door::Outbound;
use serde_json::{Value, json};

fn links() -> Links {
    Links("https://papertrailapp.com".to_owned())
}

fn systems() -> Systems {
    Systems::from([("abc".to_owned(), (2, "abc".to_owned())), ("web-01".to_owned(), (2, "web-01".to_owned()))])
}

fn told(facts: Facts) -> Told {
    Told {
        id: "8a5d5fd0b9e0c7d3f6e1c2b4a5968778".to_owned(),
        account: "shop".to_owned(),
        alert: 7,
        name: "Important stuff".to_owned(),
        kind: Kind::Fired,
        at: 1_305_775_862_000_000,
        channels: vec![1],
        is_muted: false,
        description: String::new(),
        runbook: None,
        zone: Some("America/Los_Angeles".to_owned()),
        why: "1 line in 1 minute".to_owned(),
        facts,
    }
}

fn of_lines() -> LogFacts {
    let line = Line {
        id: 7_711_561_783_320_576,
        received: 1_305_775_802_000_000,
        source_ip: Some("208.75.57.121".parse().unwrap()),
        system: "abc".to_owned(),
        program: "CROND".to_owned(),
        severity: Some(6),
        facility: Some(9),
        message: "message body".to_owned(),
        ..Line::default()
    };
    LogFacts {
        query: "cron OR server1".to_owned(),
        search: Some(42),
        frequency: "1 minute".to_owned(),
        min_id: 7_711_561_783_320_576,
        max_id: 7_711_582_041_804_800,
        from: 1_305_775_800_000_000,
        until: 1_305_775_862_000_000,
        count: 1,
        lines: vec![line],
        ..LogFacts::default()
    }
}

fn text(told: &Told) -> String {
    payload(told, &links(), &systems()).unwrap().to_string()
}

#[test]
fn lines_are_told_as_papertrail_told_them() {
    let wanted = concat!(
        r#"{"events":[{"id":7711561783320576,"received_at":"2011-05-18T20:30:02-07:00","#,
        r#""display_received_at":"May 18 20:30:02","source_ip":"208.75.57.121","source_name":"abc","source_id":2,"#,
        r#""hostname":"abc","program":"CROND","severity":"Info","facility":"Cron","message":"message body"}],"#,
        r#""saved_search":{"id":42,"name":"Important stuff","query":"cron OR server1","#,
        r#""html_edit_url":"https://papertrailapp.com/searches/42/edit","#,
        r#""html_search_url":"https://papertrailapp.com/searches/42"},"max_id":"7711582041804800","#,
        r#""min_id":"7711561783320576","frequency":"1 minute","reached_record_limit":false}"#
    );
    assert_eq!(text(&told(Facts::Log(of_lines()))), wanted);
    assert_eq!(http::form("{\"a\":\"b c&d\"}"), "payload=%7B%22a%22%3A%22b+c%26d%22%7D");
}

#[test]
fn counts_are_told_by_minutes_and_without_events() {
    let counts = vec![Counts { system: "web-01".to_owned(), counts: vec![(1_305_775_801, 1), (1_305_775_802, 3)] }];
    let facts = LogFacts { counts: Some(counts), lines: Vec::new(), count: 4, ..of_lines() };
    let wanted = concat!(
        r#"{"counts":[{"source_name":"web-01","source_id":2,"timeseries":{"1305775800":4}}],"#,
        r#""saved_search":{"id":42,"name":"Important stuff","query":"cron OR server1","#,
        r#""html_edit_url":"https://papertrailapp.com/searches/42/edit","#,
        r#""html_search_url":"https://papertrailapp.com/searches/42"},"max_id":"7711582041804800","#,
        r#""min_id":"7711561783320576"}"#
    );
    assert_eq!(text(&told(Facts::Log(facts))), wanted);
}

#[test]
fn silence_has_an_empty_list_and_more_than_fits_is_said_with_its_time() {
    let silence = LogFacts { is_inactivity: true, count: 0, lines: Vec::new(), ..of_lines() };
    assert!(text(&told(Facts::Log(silence))).starts_with(r#"{"events":[],"saved_search":{"id":42,"#));
    let more = LogFacts { count: 30_000, ..of_lines() };
    let more = text(&told(Facts::Log(more)));
    assert!(more.ends_with(r#""reached_record_limit":true,"min_time_at":"2011-05-19T03:30:00Z"}"#), "{more}");
    // An alert that is of no saved search has a place of its own.
    let own = text(&told(Facts::Log(LogFacts { search: None, ..of_lines() })));
    assert!(
        own.contains(r#""saved_search":{"id":7,"#)
            && own.contains(r#""html_search_url":"https://papertrailapp.com/alerts/7""#)
    );
    assert!(!own.contains('?'), "receivers put a query behind it");
}

fn of_metrics() -> MetricFacts {
    let condition = Condition {
        kind: "above".to_owned(),
        metric: "x".to_owned(),
        threshold: Some(10.0),
        summary: Some("average".to_owned()),
        ..Condition::default()
    };
    let tags = [("app_name", "demo"), ("dyno", "web.1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let reading = Reading {
        metric: "x".to_owned(),
        tags: tags.into(),
        value: Some(100.0),
        time: 1_389_391_083,
        why: "1 of 1 points above 10".to_owned(),
        ..Reading::default()
    };
    MetricFacts {
        incident: "appoptics-123-987".to_owned(),
        conditions: vec![condition],
        readings: vec![reading],
        ..MetricFacts::default()
    }
}

fn of_appoptics(facts: MetricFacts, kind: Kind) -> Told {
    Told {
        account: "foo@example.com".to_owned(),
        alert: 123,
        name: "my alert".to_owned(),
        kind,
        at: 1_394_745_670_000_000,
        description: "...".to_owned(),
        runbook: Some("http://...".to_owned()),
        zone: None,
        why: "fired".to_owned(),
        ..told(Facts::Metric(facts))
    }
}

#[test]
fn metrics_are_told_as_appoptics_told_them() {
    let wanted = concat!(
        r#"{"alert":{"id":123,"name":"my alert","runbook_url":"http://...","version":2,"description":"..."},"#,
        r#""account":"foo@example.com","trigger_time":1394745670,"incident_key":"appoptics-123-987","#,
        r#""conditions":[{"id":1,"type":"above","threshold":10,"summary_function":"average"}],"#,
        r#""violations":{"app_name=demo,dyno=web.1":[{"metric":"x","value":100,"recorded_at":1389391083,"#,
        r#""condition_violated":1}]},"triggered_by_user_test":false}"#
    );
    assert_eq!(text(&of_appoptics(of_metrics(), Kind::Fired)), wanted);
    assert!(text(&of_appoptics(of_metrics(), Kind::Test)).ends_with(r#""triggered_by_user_test":true}"#));
    let cleared = concat!(
        r#"{"alert":{"id":123,"name":"my alert","runbook_url":"http://...","version":2,"description":"..."},"#,
        r#""account":"foo@example.com","trigger_time":1394745670,"clear":"normal","incident_key":"appoptics-123-987"}"#
    );
    for clear in [Cleared::Normal, Cleared::Auto, Cleared::Manual] {
        let facts = MetricFacts { clear: Some(clear), readings: Vec::new(), ..of_metrics() };
        assert_eq!(text(&of_appoptics(facts, Kind::Resolved)), cleared, "hooks are told of no other word");
    }
    let mut absent = of_metrics();
    absent.conditions[0] = Condition {
        kind: "absent".to_owned(),
        threshold: None,
        summary: None,
        duration: Some(600),
        ..Condition::default()
    };
    absent.readings[0] =
        Reading { value: None, tags: Vec::new(), system: "shop".to_owned(), ..absent.readings[0].clone() };
    let absent = text(&of_appoptics(absent, Kind::Fired));
    assert!(absent.contains(
        r#""conditions":[{"id":1,"type":"absent","duration":600}],"violations":{"shop":[{"metric":"x","value":null,"#
    ));
}

/// What Telegraf's receiver asks of a body; else it answers 400, or its handler ends.
fn telegraf_takes(kind: &str, body: &str) -> Result<(), String> {
    if kind != "application/x-www-form-urlencoded" {
        return Err("415".to_owned());
    }
    let payload = form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "payload");
    let (_, payload) = payload.ok_or("no payload")?;
    let payload: Value = serde_json::from_str(&payload).map_err(|error| error.to_string())?;
    let is = |value: &Value, what: &str, fits: fn(&Value) -> bool| {
        if fits(value) { Ok(()) } else { Err(format!("{what}: {value}")) }
    };
    let search = payload.get("saved_search").ok_or("a panic: no saved_search")?;
    is(&search["id"], "saved_search.id", Value::is_u64)?;
    for key in ["name", "query", "html_edit_url", "html_search_url"] {
        is(&search[key], key, Value::is_string)?;
    }
    for key in ["min_id", "max_id"] {
        is(&payload[key], key, |id| id.as_str().is_some_and(|id| id.parse::<u64>().is_ok()))?;
    }
    let (events, counts) = (payload.get("events"), payload.get("counts"));
    match (events, counts) {
        (None, None) => return Err("neither list".to_owned()),
        (Some(_), Some(_)) => return Err("the counts are lost".to_owned()),
        _ => {}
    }
    for event in events.and_then(Value::as_array).into_iter().flatten() {
        is(&event["id"], "id", Value::is_u64)?;
        is(&event["source_id"], "source_id", Value::is_u64)?;
        let is_rfc_3339 = |time: &Value| {
            let time = time.as_str().unwrap_or_default();
            time.len() == 25 && time.as_bytes()[10] == b'T' && time.as_bytes()[22] == b':'
        };
        is(&event["received_at"], "received_at", is_rfc_3339)?;
        for key in ["display_received_at", "source_name", "hostname", "program", "message"] {
            is(&event[key], key, Value::is_string)?;
        }
    }
    for count in counts.and_then(Value::as_array).into_iter().flatten() {
        let series = count.get("timeseries").and_then(Value::as_object).ok_or("a panic: no timeseries")?;
        for (second, count) in series {
            second.parse::<i64>().map_err(|_| "a key that is no time".to_owned())?;
            is(count, "a count", Value::is_u64)?;
        }
    }
    Ok(())
}

#[test]
fn telegraf_takes_every_payload_of_lines() {
    let quiet = LogFacts { count: 0, lines: Vec::new(), ..of_lines() };
    let odd =
        Line { system: "\u{fffd}".to_owned(), message: "a&b=c %00 \u{1b}[31m é \0".to_owned(), ..Line::default() };
    let v6 = Line { source_ip: Some("2001:db8::1".parse().unwrap()), ..odd.clone() };
    let zone = |zone: Option<&str>, facts: LogFacts| Told { zone: zone.map(str::to_owned), ..told(Facts::Log(facts)) };
    let none = Counts { system: "web-01".to_owned(), counts: Vec::new() };
    for (name, told) in [
        ("lines", told(Facts::Log(of_lines()))),
        ("odd ones", told(Facts::Log(LogFacts { lines: vec![odd, v6], count: 2, ..of_lines() }))),
        ("in UTC", zone(None, of_lines())),
        ("in a zone that nobody knows", zone(Some("Nowhere/At_All"), of_lines())),
        ("in a zone of half an hour", zone(Some("Asia/Kolkata"), of_lines())),
        ("silence", told(Facts::Log(LogFacts { is_inactivity: true, ..quiet.clone() }))),
        ("more than fits", told(Facts::Log(LogFacts { count: 99_999, ..of_lines() }))),
        ("no counts", told(Facts::Log(LogFacts { counts: Some(Vec::new()), ..quiet.clone() }))),
        ("counts without any", told(Facts::Log(LogFacts { counts: Some(vec![none]), ..quiet }))),
        ("of no search", told(Facts::Log(LogFacts { search: None, ..of_lines() }))),
    ] {
        let payload = payload(&told, &links(), &Systems::new()).unwrap();
        assert_eq!(telegraf_takes(http::FORM, &http::form(&payload.to_string())), Ok(()), "{name}");
        let mut wrong = payload;
        wrong["max_id"] = json!(1);
        assert!(telegraf_takes(http::FORM, &http::form(&wrong.to_string())).is_err(), "the table sees it");
    }
    assert!(telegraf_takes(http::JSON, "{}").is_err());
}

#[test]
fn slack_has_a_title_a_link_and_lines_in_one_block() {
    let message = slack::message(&told(Facts::Log(of_lines())), &links(), false);
    assert_eq!(
        message,
        json!({
            "text": "*\"Important stuff\" search found 1 match in the past minute* <https://papertrailapp.com/searches/42|Open>\n\
                     ```May 18 20:30:02 abc CROND: message body```"
        })
    );
    let hidden = slack::message(&told(Facts::Log(of_lines())), &links(), true);
    assert!(!hidden.to_string().contains("message body"));
    let sly =
        Line { message: "``` <!channel> & <http://evil|x>".to_owned(), system: "a".to_owned(), ..Line::default() };
    let text = slack::message(
        &told(Facts::Log(LogFacts { lines: vec![sly; 5_000], count: 6_000, ..of_lines() })),
        &links(),
        false,
    );
    let text = text["text"].as_str().unwrap();
    assert!(!text.contains("<!") && !text.contains("<http://evil") && text.matches("```").count() == 2);
    assert!(text.ends_with("more```"), "{}", &text[text.len() - 60..]);
    let cleared = MetricFacts { clear: Some(Cleared::Auto), readings: Vec::new(), ..of_metrics() };
    let text = slack::message(&of_appoptics(cleared, Kind::Resolved), &links(), false)["text"].to_string();
    assert!(text.contains("Alert my alert has cleared") && text.contains("cleared: auto"), "{text}");
    let fired = slack::message(&of_appoptics(of_metrics(), Kind::Fired), &links(), false)["text"].to_string();
    assert!(fired.contains("metric `x` of app_name=demo,dyno=web.1 was above threshold 10 with value 100 recorded at 2014-01-10T21:58:03+00:00"), "{fired}");
}

#[test]
fn titles_say_how_many_in_what_time() {
    for (frequency, count, said) in [
        ("1 minute", 1, "\"Important stuff\" search found 1 match in the past minute"),
        ("10 minutes", 2, "\"Important stuff\" search found 2 matches in the past 10 minutes"),
        ("1 hour", 0, "\"Important stuff\" search found 0 matches in the past hour"),
        ("1 day", 25_000, "\"Important stuff\" search found 25000 matches in the past day"),
    ] {
        let facts = LogFacts { frequency: frequency.to_owned(), count, ..of_lines() };
        assert_eq!(super::words::title(&told(Facts::Log(facts))), said);
    }
}

#[test]
fn pagerduty_opens_an_incident_and_resolves_it_by_its_key() {
    let event = pagerduty::event(&of_appoptics(of_metrics(), Kind::Fired), &links(), "R0UT1NGK3Y");
    assert_eq!(
        event,
        json!({
            "routing_key": "R0UT1NGK3Y", "event_action": "trigger", "dedup_key": "appoptics-123-987",
            "payload": {
                "summary": "Alert my alert has triggered!", "source": "foo@example.com", "severity": "error",
                "timestamp": "2014-03-13T21:21:10+00:00", "component": "my alert",
                "custom_details": {
                    "why": "fired",
                    "readings": "metric `x` of app_name=demo,dyno=web.1 was above threshold 10 with value 100 recorded at 2014-01-10T21:58:03+00:00"
                }
            },
            "links": [
                {"href": "https://papertrailapp.com/alerts/123", "text": "Open"}, {"href": "http://...", "text": "Runbook"}
            ],
            "client": "logdrain", "client_url": "https://papertrailapp.com/alerts/123"
        })
    );
    let resolved = pagerduty::event(&of_appoptics(of_metrics(), Kind::Resolved), &links(), "R0UT1NGK3Y");
    assert_eq!(
        resolved,
        json!({"routing_key": "R0UT1NGK3Y", "event_action": "resolve", "dedup_key": "appoptics-123-987"})
    );
    let test = pagerduty::event(&of_appoptics(of_metrics(), Kind::Test), &links(), "R0UT1NGK3Y");
    assert_ne!(test["dedup_key"], event["dedup_key"], "a test is told from what it tests");
    // Lines: whose they are, and no more of them than a body may have.
    let line =
        |system: usize| Line { system: format!("web-{system}"), message: "\u{1}".repeat(20_000), ..Line::default() };
    let few = LogFacts { lines: (0..4).map(line).collect(), ..of_lines() };
    let few = pagerduty::event(&told(Facts::Log(few)), &links(), "R0UT1NGK3Y");
    let summary = few["payload"]["summary"].as_str().unwrap();
    assert!(summary.ends_with(" from web-0, web-1, web-2, web-3"), "{summary}");
    let many = LogFacts { lines: (0..20).map(line).collect(), count: 20, ..of_lines() };
    let many = pagerduty::event(&told(Facts::Log(many)), &links(), "R0UT1NGK3Y");
    assert!(many["payload"]["summary"].as_str().unwrap().ends_with(" from 20 hosts"));
    let shown = many["payload"]["custom_details"]["messages"].as_array().unwrap().len();
    assert!((1..20).contains(&shown) && many.to_string().len() <= 512 << 10);
    let silence = LogFacts { is_inactivity: true, count: 0, lines: Vec::new(), ..of_lines() };
    let silence =
        pagerduty::event(&Told { why: "no line in 1 minute".to_owned(), ..told(Facts::Log(silence)) }, &links(), "K");
    assert_eq!(silence["payload"]["custom_details"]["messages"], json!(["no line in 1 minute"]));
}

#[test]
fn json_of_our_own_says_everything() {
    let body = plain::body(&told(Facts::Log(of_lines())), &links());
    assert_eq!((&body["id"], &body["kind"]), (&json!("8a5d5fd0b9e0c7d3f6e1c2b4a5968778"), &json!("fired")));
    assert_eq!(body["log"]["lines"][0]["id"], json!("7711561783320576"), "an id is a string, as in the API");
    assert_eq!(body["log"]["more"], json!(0));
    let body = plain::body(&of_appoptics(of_metrics(), Kind::Resolved), &links());
    assert_eq!((&body["kind"], &body["metric"]["incident"]), (&json!("resolved"), &json!("appoptics-123-987")));
    let notice = Told { kind: Kind::Notice, ..told(Facts::Nothing) };
    assert_eq!(plain::body(&notice, &links())["why"], json!("1 line in 1 minute"));
    assert_eq!(payload(&notice, &links(), &systems()), None);
}

#[test]
fn what_may_be_a_channel_is_said_and_no_secret_is_shown() {
    let outbound = Outbound::new(Vec::new());
    let url = |url: &str| Settings::Webhook { url: url.to_owned(), secret: Some("s3cret".to_owned()) };
    let of = |settings: &Settings| settings.check("ops", &outbound).err().unwrap_or_default();
    assert_eq!(of(&url("https://user:s3cret@hooks.example.com/T0/s3cret?key=s3cret")), "");
    for (settings, said) in [
        (url("http://hooks.example.com/"), "url: "),
        (url("https://127.0.0.1/"), "url: "),
        (url("https://user@[::ffff:10.0.0.1]/"), "url: "),
        (url("https://metadata@169.254.169.254/latest"), "url: "),
        (Settings::Json { url: "https://e.com".to_owned(), secret: Some(String::new()) }, "secret: "),
        (Settings::Slack { url: "hooks".to_owned(), hides_lines: false }, "url: "),
        (Settings::PagerDuty { routing_key: "short".to_owned(), url: None }, "routing_key: "),
        (Settings::PagerDuty { routing_key: "a\r\nb".repeat(4), url: None }, "routing_key: "),
        (Settings::PagerDuty { routing_key: "0".repeat(32), url: Some("http://e.com".to_owned()) }, "url: "),
    ] {
        let found = of(&settings);
        assert!(found.starts_with(said) && !found.contains("s3cret"), "{settings:?}: {found}");
    }
    let mail = |to: &[&str]| Settings::Mail { to: to.iter().map(|to| (*to).to_owned()).collect() };
    if mail::IS_THERE {
        assert_eq!(of(&mail(&["ann@example.com"])), "");
        for wrong in [&[][..], &["ann"], &["a@b\r\nBcc: c@d"], &["a@b, c@d"], &["x@y"; 21]] {
            assert!(of(&mail(wrong)).starts_with("to: "), "{wrong:?}");
        }
    } else {
        assert!(of(&mail(&["ann@example.com"])).contains("feature mail"));
    }
    assert!(
        url("https://e.com").check("", &outbound).is_err() && url("https://e.com").check("a\nb", &outbound).is_err()
    );
    let hook = url("https://user:s3cret@hooks.example.com:8443/T0/s3cret?key=s3cret");
    assert_eq!((hook.shown().as_str(), hook.kind()), ("https://hooks.example.com:8443", "webhook"));
    assert!(!format!("{hook:?}").contains("s3cret"));
    let key = Settings::PagerDuty { routing_key: "0123456789abcdef0123456789abcdef".to_owned(), url: None };
    assert_eq!(key.shown(), "key ...cdef");
}
