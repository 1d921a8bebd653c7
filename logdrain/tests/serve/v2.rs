//! `/api/v2` as whoever uses it sees it: its document, filters, plans, usage, lines around a line, members and tokens.

use crate::harness::{Answer, Server, scratch, wait_until};
use crate::settings_api::{Api, By, again, ask, made_token, member, read, start};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn operator(api: &Api, method: &str, path: &str, body: Option<Value>) -> Answer {
    ask(&api.server, By::Operator, method, path, body.as_ref())
}

/// What goes well.
fn ok(api: &Api, status: u16, method: &str, path: &str, body: Option<Value>) -> Value {
    let answer = ask(&api.server, By::Token(&api.token), method, path, body.as_ref());
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    if answer.body.is_empty() { Value::Null } else { read(&answer) }
}

/// What is refused says why.
fn fails(api: &Api, status: u16, method: &str, path: &str, body: Option<Value>) -> String {
    let answer = ask(&api.server, By::Token(&api.token), method, path, body.as_ref());
    assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    read(&answer)["message"].as_str().unwrap().to_owned()
}

#[test]
fn every_path_of_the_document_is_answered_and_an_unknown_method_is_405() {
    let api = start("v2-document");
    let document = ask(&api.server, By::Nobody, "GET", "/api/v2/openapi.json", None);
    assert_eq!(document.status, 200);
    let document = read(&document);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let methods = BTreeSet::from(["get", "post", "put", "patch", "delete"]);
    for (path, known) in document["paths"].as_object().unwrap() {
        let known: BTreeSet<&str> = known.as_object().unwrap().keys().map(String::as_str).collect();
        let path = path.replace("{id}", "999999");
        for method in &methods {
            let by = By::Token(&api.token);
            let is_tail = path.ends_with("/tail");
            if is_tail && *method == "get" {
                continue;
            }
            let answer = ask(&api.server, by, &method.to_uppercase(), &path, Some(&json!({})));
            match known.contains(method) {
                true => assert_ne!(answer.status, 405, "{method} {path}: {}", answer.body),
                false => assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body),
            }
            if answer.status >= 400 && !is_tail {
                assert!(read(&answer)["message"].is_string(), "{method} {path}: {}", answer.body);
            }
            let nobody = ask(&api.server, By::Nobody, &method.to_uppercase(), &path, Some(&json!({})));
            let is_document = path.ends_with("openapi.json");
            if known.contains(method) && !is_document {
                assert_eq!(nobody.status, 401, "{method} {path}: {}", nobody.body);
            }
        }
    }
    for path in ["/api/v2/none", "/api/v2/filters/", "/api/v2/filters/0", "/api/v2/filters/x", "/api/v2/..%2fevents"] {
        fails(&api, 404, "GET", path, None);
    }
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn filters_are_made_changed_tried_and_removed() {
    let api = start("v2-filters");
    assert_eq!(ok(&api, 200, "GET", "/api/v2/filters", None), json!({ "filters": [] }));
    let text = "status=200 bytes=";
    let made = ok(&api, 201, "POST", "/api/v2/filters", Some(json!({ "text": text, "on": false })));
    assert_eq!(
        (&made["text"], &made["name"], &made["kind"], &made["on"]),
        (&json!(text), &json!(text), &json!("string"), &json!(false))
    );
    let path = format!("/api/v2/filters/{}", made["id"]);
    assert_eq!(ok(&api, 200, "GET", &path, None), made);
    let lines: Vec<(&str, String)> = (0..30)
        .map(|n| {
            if n % 3 == 0 {
                ("app web.1", format!("status=200 bytes={n}"))
            } else {
                ("heroku router", format!("status=403 n={n}"))
            }
        })
        .collect();
    let lines: Vec<(&str, &str)> = lines.iter().map(|(program, line)| (*program, line.as_str())).collect();
    api.deliver("shop", &lines);
    let preview = |query: &str| ok(&api, 200, "GET", &format!("/api/v2/filters/preview?{query}"), None);
    let string =
        wait_until("lines", || Some(preview("text=status%3D200+bytes%3D")).filter(|found| found["lines"] == 30));
    assert_eq!((&string["dropped_lines"], &string["complete"]), (&json!(10), &json!(true)));
    assert_eq!(
        string["programs"][0],
        json!({ "program": "app/web.1", "lines": 10, "dropped_lines": 10, "dropped_bytes": string["dropped_bytes"] })
    );
    let regex = preview("kind=regex&text=heroku/router:%20.*status%3D403");
    assert_eq!((&regex["dropped_lines"], &regex["programs"][0]["program"]), (&json!(20), &json!("heroku/router")));
    // A preview drops nothing; a filter does, from now on.
    assert_eq!(preview("text=nothing")["lines"], 30);
    let changed = ok(&api, 200, "PATCH", &path, Some(json!({ "on": true, "name": "Noise" })));
    assert_eq!((&changed["name"], &changed["on"], &changed["text"]), (&json!("Noise"), &json!(true), &json!(text)));
    api.deliver("shop", &lines);
    wait_until("a filter that drops", || (ok(&api, 200, "GET", &path, None)["dropped_today"] == 10).then_some(()));
    assert_eq!(preview("text=status%3D200+bytes%3D")["dropped_lines"], 10, "those of before");
    let usage = ok(&api, 200, "GET", "/api/v2/usage", None);
    assert_eq!(usage["filtered"], json!([{ "filter": made["id"], "events": 10 }]));
    for (body, word) in [
        (json!({}), "text"),
        (json!({ "text": "" }), "text"),
        (json!({ "text": "(", "kind": "regex" }), "text"),
        (json!({ "text": "a", "kind": "glob" }), "regex"),
        (json!({ "text": "a", "unknown": 1 }), "unknown"),
        (json!({ "text": "x".repeat(9_000) }), "8192"),
        (json!({ "text": "a", "name": "x".repeat(300) }), "name"),
        (json!({ "text": "(a{500}){500}", "kind": "regex" }), "text"),
    ] {
        let message = fails(&api, 400, "POST", "/api/v2/filters", Some(body));
        assert!(message.contains(word), "{message}");
    }
    fails(&api, 400, "PATCH", &path, Some(json!({ "kind": "regex", "text": "[" })));
    assert_eq!(ok(&api, 200, "GET", &path, None)["name"], "Noise", "nothing of it was changed");
    fails(&api, 400, "GET", "/api/v2/filters/preview", None);
    fails(&api, 404, "PATCH", "/api/v2/filters/999999", Some(json!({ "on": true })));
    assert_eq!(ok(&api, 204, "DELETE", &path, None), Value::Null);
    fails(&api, 404, "DELETE", &path, None);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn usage_is_told_by_system_and_program_with_the_end_of_the_day() {
    let api = start("v2-usage");
    api.deliver("shop", &[("app web.1", "0123456789"), ("app web.1", "01234"), ("heroku router", &"x".repeat(500))]);
    let usage =
        wait_until("usage", || Some(ok(&api, 200, "GET", "/api/v2/usage", None)).filter(|usage| usage["events"] == 3));
    let size = |message: usize, program: &str| message + "shop".len() + program.len() + 24;
    let (web, router) = (size(10, "app/web.1") + size(5, "app/web.1"), size(500, "heroku/router"));
    assert_eq!(usage["bytes"], web + router);
    assert_eq!(
        usage["by"],
        json!([
            { "system": "shop", "program": "heroku/router", "events": 1, "bytes": router },
            { "system": "shop", "program": "app/web.1", "events": 2, "bytes": web },
        ])
    );
    assert!(
        usage["projected_bytes"].as_u64() >= usage["bytes"].as_u64()
            && usage["limit"].is_null()
            && usage["notice"].is_null()
    );
    let day = usage["day"].as_str().unwrap();
    assert_eq!(ok(&api, 200, "GET", &format!("/api/v2/usage?day={day}"), None)["bytes"], web + router);
    assert_eq!(ok(&api, 200, "GET", "/api/v2/usage?day=2020-02-29", None)["bytes"], 0);
    for day in ["2021-02-29", "x", "2020-2-1", "20200201", "2020-02-29T00"] {
        fails(&api, 400, "GET", &format!("/api/v2/usage?day={day}"), None);
    }
    assert_eq!(ok(&api, 200, "PUT", "/api/v2/plan", Some(json!({ "plan": "choklad" })))["plan"]["name"], "choklad");
    let usage = wait_until("the plan", || {
        Some(ok(&api, 200, "GET", "/api/v2/usage", None)).filter(|usage| !usage["limit"].is_null())
    });
    assert_eq!((&usage["limit"], &usage["hard_limit"]), (&json!(10 << 20), &json!(10 << 20)));
    assert!(usage["percent"].as_f64().unwrap() > 0.0);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn a_plan_is_tried_before_it_is_taken() {
    let api = start("v2-plan");
    let plans = ok(&api, 200, "GET", "/api/v2/plans", None);
    assert!(plans["plans"].as_array().unwrap().iter().any(|plan| plan["name"] == "choklad"));
    assert_eq!(ok(&api, 200, "GET", "/api/v2/plan", None), json!({ "plan": null, "since": null }));
    let dry = ok(&api, 200, "PUT", "/api/v2/plan", Some(json!({ "plan": "choklad", "dry_run": true })));
    assert!(dry["effects"].to_string().contains("hidden at once") && dry["dry_run"] == true, "{dry}");
    assert_eq!(ok(&api, 200, "GET", "/api/v2/plan", None)["plan"], Value::Null);
    ok(&api, 200, "PUT", "/api/v2/plan", Some(json!({ "plan": "Choklad" })));
    let plan = ok(&api, 200, "GET", "/api/v2/plan", None);
    assert!(plan["plan"]["name"] == "choklad" && plan["since"].as_str().unwrap().ends_with('Z'), "{plan}");
    let own = json!({ "plan": { "name": "ours", "streams": 7, "logs": { "volume": "1MB", "search": "3d" } } });
    assert_eq!(ok(&api, 200, "PUT", "/api/v2/plan", Some(own))["plan"]["name"], "ours");
    for (body, word) in [
        (json!({}), "plan"),
        (json!({ "plan": "nickel" }), "choklad"),
        (json!({ "plan": 7 }), "name"),
        (json!({ "plan": { "name": "x", "strems": 7 } }), "strems"),
        (json!({ "plan": { "name": "x", "logs": { "volume": "many" } } }), "512MB"),
    ] {
        let message = fails(&api, 400, "PUT", "/api/v2/plan", Some(body));
        assert!(message.contains(word), "{message}");
    }
    // Without the right it is neither taken nor, of one group alone, tried.
    let (_, plain) = member(&api.server, "default", "ann@example.com", json!({ "manage_members": true }));
    let body = json!({ "plan": null });
    assert_eq!(ask(&api.server, By::Token(&plain), "PUT", "/api/v2/plan", Some(&body)).status, 403);
    let (_, billing) = member(&api.server, "default", "bob@example.com", json!({ "change_plans": true }));
    assert_eq!(ask(&api.server, By::Token(&billing), "PUT", "/api/v2/plan", Some(&body)).status, 200);
    let Api { server, dir, token } = api;
    server.kill();
    let api = Api { server: again(&dir), dir, token };
    assert_eq!(ok(&api, 200, "GET", "/api/v2/plan", None)["plan"], Value::Null, "it survives a kill");
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn patterns_and_lines_around_a_line_are_found() {
    let api = start("v2-lines");
    let lines: Vec<String> = (0..50).map(|n| format!("request {n} took {}ms", n * 7)).collect();
    let mut all: Vec<(&str, &str)> = lines.iter().map(|line| ("app web.1", line.as_str())).collect();
    all.insert(25, ("app worker.1", "the needle"));
    api.deliver("shop", &all);
    let found = wait_until("lines", || {
        Some(ok(&api, 200, "GET", "/api/v2/patterns", None)).filter(|found| found["lines"] == 51)
    });
    assert_eq!(found["patterns"][0]["lines"], 50);
    assert_eq!(
        (&found["patterns"][0]["text"], &found["patterns"][0]["program"]),
        (&json!("request <n> took <n>ms"), &json!("app/web.1"))
    );
    assert_eq!(
        (&found["complete"], &found["at_least"], &found["programs"][1]["program"]),
        (&json!(true), &json!(false), &json!("app/worker.1"))
    );
    assert_eq!(ok(&api, 200, "GET", "/api/v2/patterns?q=needle&limit=1", None)["lines"], 1);
    assert_eq!(ok(&api, 200, "GET", "/api/v2/patterns?to=2020-01-01", None)["lines"], 0);
    let search = ok(&api, 200, "GET", "/api/v1/events/search.json?q=needle", None);
    let id = search["events"][0]["id"].as_str().unwrap();
    let messages = |context: &Value| {
        let events = context["events"].as_array().unwrap();
        events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let context = ok(&api, 200, "GET", &format!("/api/v2/context?id={id}&before=2&after=1"), None);
    assert_eq!(messages(&context), [lines[23].as_str(), &lines[24], "the needle", &lines[25]]);
    assert_eq!(context["complete"], true);
    let time = context["events"][0]["received_at"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.starts_with("20"), "{time}");
    assert_eq!(messages(&ok(&api, 200, "GET", &format!("/api/v2/context?id={id}&of=program"), None)), ["the needle"]);
    fails(&api, 404, "GET", "/api/v2/context?id=7", None);
    for query in ["", "id=x", "id=7&before=501", "id=7&of=me", "id=9223372036854775808"] {
        fails(&api, 400, "GET", &format!("/api/v2/context?{query}"), None);
    }
    for query in ["limit=0", "limit=1001", "from=noonish", "from=06/07/2026"] {
        fails(&api, 400, "GET", &format!("/api/v2/patterns?{query}"), None);
    }
    fails(&api, 400, "GET", &format!("/api/v2/patterns?q={}", "x".repeat(8_193)), None);
    // Lines of systems that one does not see are not there, and patterns are for who sees all.
    let group =
        ok(&api, 200, "POST", "/api/v1/groups", Some(json!({ "group": { "name": "G", "system_wildcard": "other*" } })));
    let (_, token) = member(&api.server, "default", "ann@example.com", json!({ "groups": [group["id"]] }));
    let scoped = |path: &str| ask(&api.server, By::Token(&token), "GET", path, None).status;
    assert_eq!(scoped(&format!("/api/v2/context?id={id}")), 404);
    for path in ["patterns", "usage", "filters", "filters/preview?text=a", "account"] {
        assert_eq!(scoped(&format!("/api/v2/{path}")), 403, "{path}");
    }
    let other = made_token(&api.server, "other", &json!({ "kind": "read" }));
    assert_eq!(ask(&api.server, By::Token(&other), "GET", &format!("/api/v2/context?id={id}"), None).status, 404);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn lines_are_counted_before_they_are_purged() {
    let api = start("v2-purge");
    api.deliver(
        "shop",
        &[("app web.1", "keep this"), ("app web.1", "card 4111 1111"), ("app web.1", "card 4222 2222")],
    );
    let count = |query: &str| {
        let found = ok(&api, 200, "GET", &format!("/api/v1/events/search.json?q={query}"), None);
        found["events"].as_array().unwrap().len()
    };
    wait_until("lines", || (count("card") == 2).then_some(()));
    let dry = ok(&api, 200, "POST", "/api/v2/purge", Some(json!({ "query": "card" })));
    assert_eq!((&dry["lines"], &dry["dry_run"], &dry["position"]), (&json!(2), &json!(true), &Value::Null));
    assert_eq!(count("card"), 2, "they are counted, and stay");
    fails(&api, 400, "POST", "/api/v2/purge", Some(json!({ "dry_run": false })));
    fails(&api, 400, "POST", "/api/v2/purge", Some(json!({ "query": "x".repeat(9_000) })));
    fails(&api, 400, "POST", "/api/v2/purge", Some(json!({ "from": "noonish" })));
    let (_, plain) =
        member(&api.server, "default", "ann@example.com", json!({ "manage_members": true, "change_plans": true }));
    let body = json!({ "query": "card", "dry_run": false });
    assert_eq!(ask(&api.server, By::Token(&plain), "POST", "/api/v2/purge", Some(&body)).status, 403);
    let done = ok(&api, 200, "POST", "/api/v2/purge", Some(body));
    assert!(done["lines"] == 2 && done["position"].is_u64() && done["notes"].to_string().contains("minutes"), "{done}");
    wait_until("their end", || (count("card") == 0).then_some(()));
    assert_eq!(count("keep"), 1);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn members_and_tokens_come_and_go_and_nobody_gives_what_he_has_not() {
    let api = start("v2-members");
    let made = operator(
        &api,
        "POST",
        "/api/v2/members",
        Some(json!({ "email": "Ann@example.com", "rights": { "manage_members": true } })),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    let made = read(&made);
    assert_eq!((&made["member"]["email"], &made["member"]["has_password"]), (&json!("ann@example.com"), &json!(false)));
    assert!(made["link"].as_str().unwrap().contains("://"), "{made}");
    let ann = made["member"]["id"].as_u64().unwrap();
    let token = made_token(&api.server, "default", &json!({ "kind": "admin", "member": ann }));
    let by_ann = |method: &str, path: &str, body: Option<Value>| {
        ask(&api.server, By::Token(&token), method, path, body.as_ref())
    };
    // She gives what she has, and no more.
    let bob = by_ann("POST", "/api/v2/members", Some(json!({ "email": "bob@example.com" })));
    assert_eq!(bob.status, 201, "{}", bob.body);
    let bob = read(&bob)["member"]["id"].as_u64().unwrap();
    for rights in [json!({ "purge": true }), json!({ "change_plans": true })] {
        let body = json!({ "email": "eve@example.com", "rights": rights });
        assert_eq!(by_ann("POST", "/api/v2/members", Some(body)).status, 403, "{rights}");
        for id in [ann, bob] {
            let answer = by_ann("PATCH", &format!("/api/v2/members/{id}"), Some(json!({ "rights": rights })));
            assert_eq!(answer.status, 403, "{rights}");
        }
    }
    let all = json!({ "manage_members": true, "change_plans": true, "purge": true });
    let (chief, _) = member(&api.server, "default", "chief@example.com", all);
    assert_eq!(by_ann("DELETE", &format!("/api/v2/members/{chief}"), None).status, 403, "nor does she take it");
    assert_eq!(by_ann("POST", "/api/v2/tokens", Some(json!({ "kind": "admin", "member": chief }))).status, 403);
    let changed = by_ann("PATCH", &format!("/api/v2/members/{bob}"), Some(json!({ "rights": { "read_only": true } })));
    assert_eq!((changed.status, &read(&changed)["rights"]["read_only"]), (200, &json!(true)));
    assert_eq!(
        by_ann("PATCH", &format!("/api/v2/members/{bob}"), Some(json!({ "rights": { "groups": [999_999] } }))).status,
        400
    );
    // A token is shown once, and ends when it is removed, or its member is.
    let read_token = read(&by_ann("POST", "/api/v2/tokens", Some(json!({ "kind": "read", "name": "ci" }))));
    let secret = read_token["token"].as_str().unwrap().to_owned();
    let listed = by_ann("GET", "/api/v2/tokens", None);
    assert!(listed.body.contains("\"name\":\"ci\"") && !listed.body.contains(&secret), "{}", listed.body);
    assert_eq!(ask(&api.server, By::Token(&secret), "GET", "/api/v1/systems", None).status, 200);
    assert_eq!(
        ask(&api.server, By::Token(&secret), "POST", "/api/v2/tokens", Some(&json!({ "kind": "admin" }))).status,
        403
    );
    assert_eq!(by_ann("DELETE", &format!("/api/v2/tokens/{}", read_token["id"]), None).status, 204);
    assert_eq!(ask(&api.server, By::Token(&secret), "GET", "/api/v1/systems", None).status, 401);
    let of_bob = made_token(&api.server, "default", &json!({ "kind": "read", "member": bob }));
    assert_eq!(by_ann("DELETE", &format!("/api/v2/members/{bob}"), None).status, 204);
    assert_eq!(ask(&api.server, By::Token(&of_bob), "GET", "/api/v1/systems", None).status, 401);
    // Another account's are not there.
    let other = made_token(&api.server, "other", &json!({ "kind": "admin" }));
    let by_other = |method: &str, path: &str| {
        ask(&api.server, By::Token(&other), method, path, Some(&json!({ "rights": {} }))).status
    };
    assert_eq!(by_other("PATCH", &format!("/api/v2/members/{ann}")), 404);
    assert_eq!(by_other("DELETE", &format!("/api/v2/members/{ann}")), 404);
    assert_eq!(by_other("DELETE", "/api/v2/tokens/1"), 404);
    assert_eq!(by_other("GET", "/api/v2/account?account=default"), 404);
    assert_eq!(by_other("GET", "/api/v2/account?account=none"), 404);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn the_operator_chooses_and_makes_accounts() {
    let api = start("v2-accounts");
    let names = |answer: &Answer| {
        let all = read(answer);
        all["accounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|account| account["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&operator(&api, "GET", "/api/v2/accounts", None)), ["default", "other"]);
    assert_eq!(names(&ask(&api.server, By::Token(&api.token), "GET", "/api/v2/accounts", None)), ["default"]);
    fails(&api, 403, "POST", "/api/v2/accounts", Some(json!({ "name": "mine" })));
    assert_eq!(operator(&api, "POST", "/api/v2/accounts", Some(json!({ "name": "third" }))).status, 201);
    for name in ["third", "default", "other", "Up", "a b", "", "../x", &"a".repeat(64)] {
        let answer = operator(&api, "POST", "/api/v2/accounts", Some(json!({ "name": name })));
        assert_eq!(answer.status, 400, "{name}: {}", answer.body);
    }
    let set = operator(&api, "PATCH", "/api/v2/account?account=third", Some(json!({ "takes_unknown_systems": false })));
    assert_eq!((set.status, &read(&set)["takes_unknown_systems"]), (200, &json!(false)));
    assert_eq!(read(&operator(&api, "GET", "/api/v2/account", None))["takes_unknown_systems"], true);
    for account in ["none", "..%2f", "%00", "Third"] {
        assert_eq!(operator(&api, "GET", &format!("/api/v2/account?account={account}"), None).status, 404);
    }
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn bodies_are_bounded_and_what_is_no_json_is_told_so() {
    let api = start("v2-bodies");
    let long = json!({ "text": "x".repeat(70_000) });
    assert!(fails(&api, 400, "POST", "/api/v2/filters", Some(long)).contains("longer"));
    let deep: Value = (0..100).fold(json!(1), |inner, _| json!([inner]));
    fails(&api, 400, "POST", "/api/v2/filters", Some(deep));
    fails(&api, 400, "POST", "/api/v2/filters", Some(json!("text")));
    // Many at a time are answered, or told to come again.
    std::thread::scope(|scope| {
        for _ in 0..12 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let answer = ask(&api.server, By::Token(&api.token), "GET", "/api/v2/patterns", None);
                    assert!(matches!(answer.status, 200 | 503), "{}", answer.body);
                    assert!(
                        answer.status == 200 || answer.head.to_lowercase().contains("retry-after"),
                        "{}",
                        answer.head
                    );
                }
            });
        }
    });
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn an_open_server_on_this_machine_is_read_and_set_up_without_a_token_and_makes_no_members() {
    let dir = scratch("v2-open");
    let server = Server::start(&dir, &[]);
    let asked = |method: &str, path: &str, body: Value| ask(&server, By::Nobody, method, path, Some(&body)).status;
    assert_eq!(asked("GET", "/api/v2/account", json!({})), 200);
    assert_eq!(asked("POST", "/api/v2/filters", json!({ "text": "noise" })), 201);
    assert_eq!(asked("POST", "/api/v2/members", json!({ "email": "eve@example.com" })), 403);
    assert_eq!(asked("POST", "/api/v2/tokens", json!({ "kind": "admin" })), 400);
    assert_eq!(asked("POST", "/api/v2/accounts", json!({ "name": "mine" })), 403);
    assert_eq!(asked("PUT", "/api/v2/plan", json!({ "plan": "choklad" })), 403);
    assert_eq!(server.stop().0, Some(0));
}

/// What `logdrain account` prints, by the token of the account.
fn account(api: &Api, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .arg("account")
        .args(arguments)
        .args(["--server", &format!("http://{}", api.server.address)])
        .env("LOGDRAIN_TOKEN", &api.token)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn plans_and_filters_are_set_by_the_command_line() {
    let api = start("v2-command");
    let plan = |api: &Api| ok(api, 200, "GET", "/api/v2/plan", None)["plan"]["name"].clone();
    let (code, told, _) = account(&api, &["plan", "choklad", "--dry-run"]);
    assert!(
        code == Some(0) && told.contains("10485760 bytes may be kept a day") && told.contains("--dry-run"),
        "{told}"
    );
    assert_eq!(plan(&api), Value::Null);
    let (code, told, why) = account(&api, &["plan", "choklad"]);
    assert!(code == Some(0) && !told.contains("--dry-run"), "{told}{why}");
    assert_eq!(plan(&api), "choklad");
    assert_ne!(account(&api, &["plan", "no-such-plan"]).0, Some(0));
    assert_eq!(plan(&api), "choklad");

    let (code, told, why) = account(&api, &["filter", "add", "status=4[0-9]+", "--regex", "--name", "bots"]);
    assert!(code == Some(0) && told.contains("regex") && told.contains("bots"), "{told}{why}");
    let id = told.split(' ').next().unwrap().to_owned();
    assert_eq!(account(&api, &["filter", "off", &id]).0, Some(0));
    let (_, told, _) = account(&api, &["filter", "list"]);
    assert!(told.starts_with(&format!("{id}  off")) && told.contains("dropped 0 today"), "{told}");
    let (code, told, why) = account(&api, &["filter", "preview", "at=info"]);
    assert!(code == Some(0) && told.contains("lines of the last hour"), "{told}{why}");
    let (code, _, why) = account(&api, &["filter", "add", "(", "--regex"]);
    assert!(code != Some(0) && why.contains("text"), "{why}");

    let (code, told, why) = account(&api, &["status"]);
    assert!(code == Some(0), "{why}");
    for part in ["account       default", "plan          choklad", "today  ", "filters       1"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert_eq!(account(&api, &["filter", "remove", &id]).0, Some(0));
    assert_eq!(account(&api, &["filter", "list"]).1, "");
    assert!(account(&api, &["list"]).1.contains("default  choklad"));
    assert_ne!(account(&api, &["create", "other"]).0, Some(0), "accounts are made by the operator");
}
