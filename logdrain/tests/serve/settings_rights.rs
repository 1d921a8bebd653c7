//! Who may do what with systems, groups, searches and users; hostile texts in all of them; and what survives a kill.

use crate::settings_api::{Api, By, again, ask, made_token, member, names, read, send, start};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[test]
fn a_member_of_one_group_sees_his_systems_in_every_list() {
    let api = start("objects-scoped");
    for name in ["web-1", "web-2", "db"] {
        api.system(name);
    }
    let (web, data) = (api.group("Web", "web-*"), api.group("Data", "db"));
    let (of_web, of_data) = (api.search("W", "w", Some(web)), api.search("D", "secret", Some(data)));
    let of_all = api.search("A", "a", None);
    let rights = json!({ "manage_members": true, "change_plans": true, "purge": true, "groups": [web] });
    let (id, token) = member(&api.server, "default", "ann@example.com", rights);
    let ann = |method: &str, path: &str, body: Option<Value>| {
        ask(&api.server, By::Token(&token), method, path, body.as_ref())
    };
    let list = |path: &str| read(&ann("GET", path, None));
    assert_eq!(names(&list("/api/v1/systems")), ["web-1", "web-2"]);
    let groups = list("/api/v1/groups");
    assert_eq!(names(&groups), ["All Systems", "Web"]);
    assert!(names(&groups[0]["systems"]) == ["web-1", "web-2"] && !groups.to_string().contains("db"));
    assert_eq!(names(&list("/api/v1/searches")), ["W", "A"]);
    assert!(list("/api/v1/users").as_array().unwrap().iter().all(|user| user["id"] == id), "himself");
    let db = api.get("/api/v1/systems/db")["id"].as_u64().unwrap();
    for path in [
        format!("/api/v1/systems/{db}"),
        "/api/v1/systems/db".to_owned(),
        format!("/api/v1/groups/{data}"),
        format!("/api/v1/searches/{of_data}"),
    ] {
        assert_eq!(ann("GET", &path, None).status, 404, "{path}");
    }
    // He changes nothing by which he would see more, or which others see.
    for (method, path, body) in [
        ("PUT", format!("/api/v1/groups/{web}"), json!({ "group": { "system_wildcard": "*" } })),
        ("POST", "/api/v1/groups".to_owned(), json!({ "group": { "name": "Mine", "system_wildcard": "*" } })),
        ("POST", format!("/api/v1/systems/db/join?group_id={web}"), json!({})),
        ("POST", "/api/v1/systems".to_owned(), json!({ "system": { "name": "x" } })),
        ("DELETE", "/api/v1/systems/web-1".to_owned(), json!({})),
        ("PUT", "/api/v1/systems/web-1".to_owned(), json!({ "system": { "name": "x" } })),
        ("POST", "/api/v1/users/invite".to_owned(), json!({ "user": { "email": "eve@example.com" } })),
        ("PUT", format!("/api/v1/users/{id}"), json!({ "user": { "can_access_all_groups": true } })),
        ("PUT", format!("/api/v1/searches/{of_web}"), json!({ "search": { "group_id": data } })),
        ("PUT", format!("/api/v1/searches/{of_all}"), json!({ "search": { "query": "x" } })),
        ("DELETE", format!("/api/v1/searches/{of_data}"), json!({})),
        ("GET", "/api/v1/accounts".to_owned(), json!({})),
    ] {
        let status = ann(method, &path, Some(body)).status;
        assert!(matches!(status, 403 | 404), "{method} {path}: {status}");
    }
    // Searches of his group are his to change.
    let changed = ann("PUT", &format!("/api/v1/searches/{of_web}"), Some(json!({ "search": { "query": "mine" } })));
    assert_eq!((changed.status, &read(&changed)["query"]), (200, &json!("mine")));
    assert_eq!(api.get(&format!("/api/v1/groups/{web}"))["system_wildcard"], "web-*");
    assert_eq!(api.get(&format!("/api/v1/searches/{of_data}"))["query"], "secret");
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn who_may_only_read_changes_nothing_and_who_may_only_send_sees_nothing() {
    let api = start("objects-kinds");
    let (system, group) = (api.system("web"), api.group("Web", "web*"));
    let search = api.search("S", "s", None);
    let reads = made_token(&api.server, "default", &json!({ "kind": "read" }));
    let sends = made_token(&api.server, "default", &json!({ "kind": "record" }));
    let (_, member) =
        member(&api.server, "default", "ro@example.com", json!({ "read_only": true, "manage_members": true }));
    let changes = [
        ("POST", "/api/v1/systems?system[name]=x".to_owned()),
        ("PUT", format!("/api/v1/systems/{system}?system[name]=x")),
        ("DELETE", format!("/api/v1/systems/{system}")),
        ("POST", format!("/api/v1/systems/{system}/join?group_id={group}")),
        ("POST", format!("/api/v1/systems/{system}/leave?group_id={group}")),
        ("POST", "/api/v1/groups?group[name]=x".to_owned()),
        ("PUT", format!("/api/v1/groups/{group}?group[name]=x")),
        ("DELETE", format!("/api/v1/groups/{group}")),
        ("POST", "/api/v1/searches?search[name]=x".to_owned()),
        ("PUT", format!("/api/v1/searches/{search}?search[name]=x")),
        ("DELETE", format!("/api/v1/searches/{search}")),
        ("POST", "/api/v1/users/invite?user[email]=x@example.com".to_owned()),
        ("GET", "/api/v1/users/invite?user[email]=x@example.com".to_owned()),
        ("DELETE", "/api/v1/users/1".to_owned()),
    ];
    let before =
        [api.get("/api/v1/systems"), api.get("/api/v1/groups"), api.get("/api/v1/searches"), api.get("/api/v1/users")];
    for token in [&reads, &sends, &member] {
        for (method, path) in &changes {
            let status = ask(&api.server, By::Token(token), method, path, None).status;
            assert!(matches!(status, 403 | 404), "{method} {path}: {status}");
        }
    }
    for (method, path) in &changes {
        assert_eq!(ask(&api.server, By::Nobody, method, path, None).status, 401, "{method} {path}");
    }
    // A page of another server, in the browser of the operator.
    let evil = "Origin: https://evil.example\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let forged = send(&api.server, By::Operator, "POST", "/api/v1/groups", evil, b"group[name]=evil");
    assert_eq!(forged.status, 403, "{}", forged.body);
    let after =
        [api.get("/api/v1/systems"), api.get("/api/v1/groups"), api.get("/api/v1/searches"), api.get("/api/v1/users")];
    assert_eq!(before, after);
    for path in ["systems", "groups", "searches", "users", "destinations", "accounts"] {
        let path = format!("/api/v1/{path}.json");
        assert_eq!(ask(&api.server, By::Token(&reads), "GET", &path, None).status, 200, "{path}");
        let sends = ask(&api.server, By::Token(&sends), "GET", &path, None);
        assert!(sends.status == 403 || !sends.body.contains("web"), "{path}: {}", sends.body);
    }
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn nobody_changes_anything_by_the_second_api_who_may_not() {
    let api = start("v2-changes");
    let other = made_token(&api.server, "other", &json!({ "kind": "admin" }));
    let reads = made_token(&api.server, "default", &json!({ "kind": "read" }));
    let sends = made_token(&api.server, "default", &json!({ "kind": "record" }));
    let (id, _) = member(&api.server, "default", "ann@example.com", json!({}));
    let group = api.group("Web", "web*");
    let in_group = json!({ "groups": [group], "manage_members": true, "purge": true, "change_plans": true });
    let (_, some) = member(&api.server, "default", "some@example.com", in_group);
    let all = json!({ "read_only": true, "manage_members": true, "purge": true, "change_plans": true });
    let (_, only_reads) = member(&api.server, "default", "ro@example.com", all);
    let (_, plain) = member(&api.server, "default", "plain@example.com", json!({}));
    let filter = api.by("POST", "/api/v2/filters", Some(json!({ "text": "abc" })));
    let filter = read(&filter)["id"].as_u64().unwrap();
    let made = |path: &str, body: Value| read(&api.by("POST", path, Some(body)))["id"].as_u64().unwrap().to_string();
    let alert = made("/api/v2/alerts", json!({ "template": "h12" }));
    let hook = json!({ "name": "Ops", "kind": "slack", "url": "https://hooks.example.com/x" });
    let channel = made("/api/v2/channels", hook.clone());
    let tokens = |by: &str| read(&ask(&api.server, By::Token(by), "GET", "/api/v2/tokens", None));
    let token = tokens(&api.token)["tokens"][0]["id"].as_u64().unwrap();
    let bucket = json!({ "bucket": "logs-of-shop", "key_id": "AKIA", "secret_key": "s3cret" });
    let rights = json!({ "rights": { "purge": true } });
    // Every change of the document, with a body that would be taken of whoever may.
    let changes = [
        ("POST", "accounts", "", json!({ "name": "new" })),
        ("PATCH", "account", "", json!({ "takes_unknown_systems": false })),
        ("POST", "account/destroy", "", json!({ "name": "default" })),
        ("PUT", "bucket", "", bucket),
        ("DELETE", "bucket", "", json!(null)),
        ("POST", "bucket/test", "", json!(null)),
        ("PUT", "plan", "", json!({ "plan": "gold" })),
        ("POST", "filters", "", json!({ "text": "def" })),
        ("PATCH", "filters/{id}", &filter.to_string(), json!({ "on": false })),
        ("DELETE", "filters/{id}", &filter.to_string(), json!(null)),
        ("POST", "purge", "", json!({ "query": "abc", "dry_run": false })),
        ("POST", "members", "", json!({ "email": "new@example.com" })),
        ("PATCH", "members/{id}", &id.to_string(), rights),
        ("DELETE", "members/{id}", &id.to_string(), json!(null)),
        ("POST", "tokens", "", json!({ "kind": "admin", "member": id })),
        ("DELETE", "tokens/{id}", &token.to_string(), json!(null)),
        ("POST", "alerts", "", json!({ "template": "memory" })),
        ("PATCH", "alerts/{id}", &alert, json!({ "on": false })),
        ("DELETE", "alerts/{id}", &alert, json!(null)),
        ("POST", "alerts/{id}/mute", &alert, json!({ "for": "1h" })),
        ("DELETE", "alerts/{id}/mute", &alert, json!(null)),
        ("POST", "alerts/{id}/rearm", &alert, json!(null)),
        ("POST", "alerts/{id}/test", &alert, json!(null)),
        ("POST", "channels", "", hook),
        ("PATCH", "channels/{id}", &channel, json!({ "name": "Others" })),
        ("DELETE", "channels/{id}", &channel, json!(null)),
        ("POST", "channels/{id}/test", &channel, json!(null)),
    ];
    let document = read(&ask(&api.server, By::Nobody, "GET", "/api/v2/openapi.json", None));
    // Dashboards and their links are made by members, too; they have tests of their own.
    // To try a rule changes nothing.
    let is_own = |path: &str| {
        path.starts_with("/api/v2/dashboards") || path.starts_with("/api/v2/shares") || path == "/api/v2/alerts/try"
    };
    for (path, methods) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| !is_own(path)) {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "get" && *method != "parameters") {
            let is_known = |(known, at, ..): &&(&str, &str, &str, Value)| {
                known.eq_ignore_ascii_case(method) && *path == format!("/api/v2/{at}")
            };
            assert!(changes.iter().any(|change| is_known(&change)), "say here who may not: {method} {path}");
        }
    }
    let looks = [
        "account",
        "bucket",
        "plan",
        "filters",
        "members",
        "tokens",
        "accounts",
        "alerts",
        "alerts/history",
        "channels",
    ];
    let seen = || looks.map(|path| ask(&api.server, By::Operator, "GET", &format!("/api/v2/{path}"), None).body);
    let before = seen();
    // What these may is nothing of it, by their own account's name or another's.
    for (who, by) in [("read", &reads), ("record", &sends), ("one group", &some), ("read only", &only_reads)] {
        for (method, path, id, body) in &changes {
            for account in ["", "?account=default", "?account=other"] {
                let path = format!("/api/v2/{}{account}", path.replace("{id}", id));
                let body = (!body.is_null()).then_some(body);
                let status = ask(&api.server, By::Token(by), method, &path, body).status;
                assert!(matches!(status, 403 | 404), "{who}: {method} {path}: {status}");
            }
        }
    }
    // Another account does not get at this one, by its name or its numbers.
    for (method, path, id, body) in &changes {
        for account in ["?account=default", ""] {
            if account.is_empty() && id.is_empty() {
                continue;
            }
            let path = format!("/api/v2/{}{account}", path.replace("{id}", id));
            let status = ask(&api.server, By::Token(&other), method, &path, (!body.is_null()).then_some(body)).status;
            assert!(matches!(status, 400 | 403 | 404), "another account: {method} {path}: {status}");
        }
    }
    // A member without further rights does not take them.
    for (method, path, id, body) in &changes {
        if ["plan", "purge", "accounts", "account/destroy"].contains(path) || path.starts_with("members") {
            let path = format!("/api/v2/{}", path.replace("{id}", id));
            let status = ask(&api.server, By::Token(&plain), method, &path, (!body.is_null()).then_some(body)).status;
            assert!(matches!(status, 403 | 404), "a member: {method} {path}: {status}");
        }
    }
    for (method, path, id, body) in &changes {
        let path = format!("/api/v2/{}", path.replace("{id}", id));
        let body = (!body.is_null()).then_some(body);
        assert_eq!(ask(&api.server, By::Nobody, method, &path, body).status, 401, "{method} {path}");
        // A page of another server, in the browser of the operator.
        let evil = "Origin: https://evil.example\r\nContent-Type: text/plain\r\n";
        let text = body.map(Value::to_string).unwrap_or_default();
        let status = send(&api.server, By::Operator, method, &path, evil, text.as_bytes()).status;
        assert_eq!(status, 403, "from elsewhere: {method} {path}");
    }
    assert_eq!(seen(), before);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn numbers_of_another_account_are_404_and_its_names_are_not_seen() {
    let api = start("objects-accounts-apart");
    let (system, group) = (api.system("web"), api.group("Web", "web*"));
    let search = api.search("S", "s", Some(group));
    let (member_id, _) = member(&api.server, "default", "ann@example.com", json!({}));
    let other = made_token(&api.server, "other", &json!({ "kind": "admin" }));
    for path in [
        format!("systems/{system}"),
        "systems/web".to_owned(),
        format!("groups/{group}"),
        format!("searches/{search}"),
        format!("users/{member_id}"),
    ] {
        for method in ["GET", "PUT", "DELETE"] {
            let answer = ask(&api.server, By::Token(&other), method, &format!("/api/v1/{path}?name=x"), None);
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
            let answer = ask(&api.server, By::Token(&other), method, &format!("/api/v1/{path}?account=default"), None);
            assert_eq!(answer.status, 404, "{method} {path}: {}", answer.body);
        }
    }
    for path in ["systems", "searches", "users"] {
        let answer = ask(&api.server, By::Token(&other), "GET", &format!("/api/v1/{path}?account=default"), None);
        assert_eq!(read(&answer), json!([]), "{path}");
    }
    let made = ask(
        &api.server,
        By::Token(&other),
        "POST",
        "/api/v1/searches",
        Some(&json!({ "search": { "name": "x", "group_id": group } })),
    );
    assert_eq!(made.status, 404, "a group of another account: {}", made.body);
    assert_eq!(
        ask(&api.server, By::Token(&other), "POST", &format!("/api/v1/systems/web/join?group_id={group}"), None).status,
        404
    );
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn sql_headers_and_markup_in_every_text_stay_text() {
    let api = start("objects-hostile");
    let texts = [
        "'; DROP TABLE members; --",
        "\" OR 1=1 --",
        "Robert'); DELETE FROM systems WHERE ('1'='1",
        "</script><script>alert(1)</script>",
        "a\u{202e}b \u{1f680} é %00 %0d%0aSet-Cookie: x=1",
        "${jndi:ldap://192.0.2.7/a} {{7*7}} $(id) `id`",
    ];
    for (n, text) in texts.iter().enumerate() {
        let body = json!({ "system": { "name": format!("{n}{text}"), "description": text } });
        let system = api.ok("POST", "/api/v1/systems", Some(body));
        assert_eq!(system["description"], *text);
        let escaped: String = form_urlencoded::byte_serialize(format!("{n}{text}").as_bytes()).collect();
        assert_eq!(api.get(&format!("/api/v1/systems?system_name={escaped}"))[0]["id"], system["id"]);
        let path = escaped.replace('+', "%20");
        assert_eq!(api.get(&format!("/api/v1/systems/{path}"))["id"], system["id"], "{path}");
        let group =
            api.ok("POST", "/api/v1/groups", Some(json!({ "group": { "name": text, "system_wildcard": text } })));
        assert_eq!((&group["name"], &group["system_wildcard"]), (&json!(text), &json!(text)));
        let search = api.ok("POST", "/api/v1/searches", Some(json!({ "search": { "name": text, "query": text } })));
        assert_eq!((&search["name"], &search["query"]), (&json!(text), &json!(text)));
        let link = search["_links"]["html_search"]["href"].as_str().unwrap();
        assert!(link.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'<' && byte != b'"'), "{link}");
        let user = api.by(
            "POST",
            "/api/v1/users/invite",
            Some(json!({ "user": { "email": format!("a{text}@example.com") } })),
        );
        assert_eq!(user.status, 400, "{}", user.body);
    }
    // Line ends get into no name, and into no header.
    for text in ["a\r\nX-Evil: 1", "a\nb", "a\u{0}b", "a\u{85}b"] {
        api.fails(400, "POST", "/api/v1/systems", Some(json!({ "system": { "name": text } })));
        api.fails(400, "POST", "/api/v1/groups", Some(json!({ "group": { "name": text } })));
        api.fails(400, "POST", "/api/v1/searches", Some(json!({ "search": { "name": text } })));
        api.fails(
            400,
            "POST",
            "/api/v1/users/invite",
            Some(json!({ "user": { "email": format!("{text}@example.com") } })),
        );
    }
    let query =
        api.ok("POST", "/api/v1/searches", Some(json!({ "search": { "name": "lines", "query": "a\r\nX-Evil: 1" } })));
    let answer = api.by("GET", &format!("/searches/{}", query["id"]), None);
    assert!(!answer.head.to_lowercase().contains("\nx-evil"), "{}", answer.head);
    for path in [
        "/api/v1/systems/1%20OR%201=1",
        "/api/v1/groups/1;DROP%20TABLE%20x",
        "/api/v1/searches/%00",
        "/api/v1/users/1'--",
        "/api/v1/systems/..%2f..%2fetc%2fpasswd",
    ] {
        assert_eq!(api.by("GET", path, None).status, 404, "{path}");
    }
    assert_eq!(names(&api.get("/api/v1/systems")).len(), texts.len());
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn who_makes_things_without_end_is_slowed_and_stopped() {
    let api = start("objects-hammer");
    let began = Instant::now();
    // More than may wait at a time: each is answered, with 200 or with when to come again.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let api = &api;
                scope.spawn(move || {
                    let make = |n: usize| {
                        let body = json!({ "search": { "name": format!("{thread}-{n}"), "query": "x".repeat(1_000) } });
                        api.by("POST", "/api/v1/searches", Some(body)).status
                    };
                    (0..25).map(make).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 200 | 400 | 429 | 503)), "{statuses:?}");
    let made = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(api.get("/api/v1/searches").as_array().unwrap().len(), made);
    assert!(made > 0 && began.elapsed() > Duration::from_secs(4), "{made} in {:?}", began.elapsed());
    assert_eq!(api.server.get("/readyz").status, 200);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn changes_and_removals_survive_a_kill_and_a_restart() {
    let api = start("objects-kill");
    let (web, db) = (api.system("web"), api.system("db"));
    let (group, gone) = (api.group("Web", "web*"), api.group("Gone", "x*"));
    let (search, removed) = (api.search("S", "s", Some(group)), api.search("R", "r", None));
    api.ok("POST", &format!("/api/v1/systems/{db}/join?group_id={group}"), None);
    api.ok("PUT", &format!("/api/v1/systems/{web}?system[name]=Front"), None);
    api.ok("DELETE", &format!("/api/v1/groups/{gone}"), None);
    api.ok("DELETE", &format!("/api/v1/searches/{removed}"), None);
    api.ok("PUT", &format!("/api/v1/searches/{search}?search[query]=changed"), None);
    let paths = ["systems", "groups", "searches", "users"].map(|path| format!("/api/v1/{path}"));
    let port = api.server.address.to_string();
    let all = |api: &Api| {
        paths
            .iter()
            .map(|path| {
                let text = api.get(path).to_string().replace(&api.server.address.to_string(), "HERE");
                text.replace(&format!("\"port\":{}", api.server.address.port()), "\"port\":0")
            })
            .collect::<Vec<_>>()
    };
    let before = all(&api);
    let Api { server, dir, token } = api;
    server.kill();
    let api = Api { server: again(&dir), dir, token };
    assert_eq!(all(&api), before, "after a kill; it was at {port}");
    // Numbers are not given again.
    let new = api.group("New", "y*");
    assert!(new > gone.max(search).max(removed));
    api.ok("DELETE", &format!("/api/v1/systems/{web}"), None);
    let before = all(&api);
    let Api { server, dir, token } = api;
    assert_eq!(server.stop().0, Some(0));
    let api = Api { server: again(&dir), dir, token };
    assert_eq!(all(&api), before);
    assert!(api.system("web") != web);
    assert_eq!(api.server.stop().0, Some(0));
}
