//! Systems, groups, searches, destinations, users and accounts, as clients of `/api/v1` ask for them. Tests are named after
//! the rows of what clients need; shapes and sentences are compared as clients compare them.

use crate::harness::{Answer, Server, now_micros, raw, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Two accounts with a drain each, and an operator.
const CONFIG: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n\
                      [[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"a-long-password-of-the-shop\"\napp = \"shop\"\n\
                      [[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"a-long-password-of-the-blog\"\napp = \"blog\"\naccount = \"other\"\n";

pub(crate) struct Api {
    pub(crate) server: Server,
    pub(crate) dir: PathBuf,
    /// All rights, in the account `default`.
    pub(crate) token: String,
}

/// Who sends a request.
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    Operator,
    Token(&'a str),
    Nobody,
}

/// A request as clients make it: JSON if there is a body.
pub(crate) fn ask(server: &Server, by: By<'_>, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let text = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_some() { "Content-Type: application/json\r\n" } else { "" };
    send(server, by, method, path, kind, text.as_bytes())
}

pub(crate) fn send(server: &Server, by: By<'_>, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let who = match by {
        By::Operator => format!("Authorization: Basic {}\r\n", STANDARD.encode("ops:ops-s3cret-12")),
        By::Token(token) => format!("X-Papertrail-Token: {token}\r\n"),
        By::Nobody => String::new(),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{who}{headers}\r\n",
        server.address,
        body.len()
    );
    raw(server.address, &[head.as_bytes(), body].concat()).unwrap()
}

pub(crate) fn read(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {} {:?}", answer.status, answer.body))
}

pub(crate) fn start(name: &str) -> Api {
    let dir = scratch(name);
    std::fs::write(dir.join("logdrain.toml"), CONFIG).unwrap();
    let server = again(&dir);
    let token = made_token(&server, "default", &json!({ "kind": "admin" }));
    Api { server, dir, token }
}

pub(crate) fn again(dir: &Path) -> Server {
    Server::start(dir, &["--config", dir.join("logdrain.toml").to_str().unwrap()])
}

/// A token that the operator makes: of the account itself, or of a member.
pub(crate) fn made_token(server: &Server, account: &str, what: &Value) -> String {
    let path = format!("/api/v2/tokens?account={account}");
    let made = ask(server, By::Operator, "POST", &path, Some(what));
    assert_eq!(made.status, 201, "{}", made.body);
    read(&made)["token"].as_str().unwrap().to_owned()
}

/// A member with these rights, and a token of his.
pub(crate) fn member(server: &Server, account: &str, email: &str, rights: Value) -> (u64, String) {
    let path = format!("/api/v2/members?account={account}");
    let made = ask(server, By::Operator, "POST", &path, Some(&json!({ "email": email, "rights": rights })));
    assert_eq!(made.status, 201, "{}", made.body);
    let id = read(&made)["member"]["id"].as_u64().unwrap();
    (id, made_token(server, account, &json!({ "kind": "admin", "member": id })))
}

impl Api {
    pub(crate) fn by(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        ask(&self.server, By::Token(&self.token), method, path, body.as_ref())
    }

    /// As `by`; what comes back is 200 with JSON, as of everything that goes well.
    pub(crate) fn ok(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.by(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.body);
        let head = answer.head.to_lowercase();
        for name in ["x-rate-limit-limit: ", "x-rate-limit-remaining: ", "x-rate-limit-reset: "] {
            let value = head.split(name).nth(1).unwrap_or_else(|| panic!("no {name} in {head}"));
            assert!(value.lines().next().unwrap().parse::<u32>().is_ok(), "{head}");
        }
        read(&answer)
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        self.ok("GET", path, None)
    }

    /// What is refused says why, in `message`.
    pub(crate) fn fails(&self, status: u16, method: &str, path: &str, body: Option<Value>) -> String {
        let answer = self.by(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        read(&answer)["message"].as_str().unwrap().to_owned()
    }

    pub(crate) fn system(&self, name: &str) -> u64 {
        let body = json!({ "system": { "name": name, "hostname": name }, "destination_port": 443 });
        self.ok("POST", "/api/v1/systems.json", Some(body))["id"].as_u64().unwrap()
    }

    pub(crate) fn group(&self, name: &str, wildcard: &str) -> u64 {
        let body = json!({ "group": { "name": name, "system_wildcard": wildcard } });
        self.ok("POST", "/api/v1/groups.json", Some(body))["id"].as_u64().unwrap()
    }

    pub(crate) fn search(&self, name: &str, query: &str, group: Option<u64>) -> u64 {
        let body = json!({ "search": { "name": name, "query": query, "group_id": group } });
        self.ok("POST", "/api/v1/searches.json", Some(body))["id"].as_u64().unwrap()
    }

    /// Lines of a drain, as its app sends them.
    pub(crate) fn deliver(&self, user: &str, lines: &[(&str, &str)]) {
        deliver(&self.server, user, lines);
    }
}

pub(crate) fn deliver(server: &Server, user: &str, lines: &[(&str, &str)]) {
    let mut body = Vec::new();
    for (program, message) in lines {
        let line = format!("<190>1 {} host {program} - {message}\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let who = STANDARD.encode(format!("{user}:a-long-password-of-the-{user}"));
    let headers = format!(
        "Authorization: Basic {who}\r\nContent-Type: application/logplex-1\r\nLogplex-Frame-Id: {}\r\n\
         Logplex-Drain-Token: d.{user}\r\n",
        now_micros()
    );
    assert_eq!(send(server, By::Nobody, "POST", "/logs", &headers, &body).status, 204);
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// Waits until a system that sends is known.
fn heard(api: &Api, name: &str) -> u64 {
    wait_until("a system that was heard", || {
        let all = api.get(&format!("/api/v1/systems.json?system_name={name}"));
        all.as_array().unwrap().iter().find(|system| system["name"] == name)?["id"].as_u64()
    })
}

#[test]
fn row_get_systems_and_system_name() {
    let api = start("objects-systems");
    api.deliver("shop", &[("app web.1", "hello")]);
    let id = heard(&api, "shop");
    let system = api.get(&format!("/api/v1/systems/{id}.json"));
    assert_eq!(
        (&system["name"], &system["hostname"], &system["auto_delete"]),
        (&json!("shop"), &json!("shop"), &json!(false))
    );
    let last = system["last_event_at"].as_str().unwrap();
    assert!(last.len() == 20 && last.ends_with('Z') && last.starts_with("20"), "one Z and no fraction: {last}");
    assert!(system["ip_address"].is_null() && system["syslog"]["port"].as_u64().is_some());
    let base = format!("http://{}", api.server.address);
    for link in ["self", "html", "search"] {
        assert!(system["_links"][link]["href"].as_str().unwrap().starts_with(&base), "{link}");
    }
    // A link of it answers the same.
    let own = system["_links"]["self"]["href"].as_str().unwrap().strip_prefix(&base).unwrap();
    assert_eq!(api.get(own)["id"], id);
    // By name, with and without .json, and a part of the name in any case.
    assert_eq!(api.get("/api/v1/systems/shop")["id"], id);
    for name in ["web-1", "Web-2", "db"] {
        api.system(name);
    }
    assert_eq!(
        names(&api.get("/api/v1/systems.json?cli_version=0.11.2&system_name=WEB&cli_version=0.11.2")),
        ["web-1", "Web-2"]
    );
    assert_eq!(names(&api.get("/api/v1/systems?system_name=")), ["shop", "web-1", "Web-2", "db"]);
    assert_eq!(names(&api.get("/api/v1/systems?system_name=none")), [""; 0]);
    assert_eq!(api.fails(404, "GET", "/api/v1/systems/none.json", None), "System not found");
    api.fails(404, "GET", "/api/v1/systems/999999", None);
    let body = api.by("GET", "/api/v1/systems.json", None).body;
    assert!(!body.contains("\": ") && !body.contains(", \""), "compact: {body}");
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_post_systems_and_get_put_delete_by_id_or_name() {
    let api = start("objects-register");
    // As papertrail-cli does: a form, the port at the top.
    let form =
        "system%5Bname%5D=web+1&system%5Bhostname%5D=web-1&system%5Bip_address%5D=192.0.2.7&destination_port=12345&";
    let kind = "Content-Type: application/x-www-form-urlencoded\r\n";
    let made = send(
        &api.server,
        By::Token(&api.token),
        "POST",
        "/api/v1/systems.json?cli_version=0.11.2&",
        kind,
        form.as_bytes(),
    );
    assert_eq!(made.status, 200, "{}", made.body);
    let made = read(&made);
    assert_eq!(
        (&made["name"], &made["hostname"], &made["ip_address"]),
        (&json!("web 1"), &json!("web-1"), &json!("192.0.2.7"))
    );
    assert!(made["id"].is_u64() && made["last_event_at"].is_null());
    // As PyPapertrail does: all of it inside.
    let body = json!({ "system": { "name": "db", "hostname": "db", "destination_id": 1, "description": "the database", "auto_delete": true } });
    let db = api.ok("POST", "/api/v1/systems.json", Some(body));
    assert_eq!((&db["description"], &db["auto_delete"]), (&json!("the database"), &json!(true)));
    // As Terraform's providers do: everything in the query, and an empty body that is said to be JSON.
    let path = "/api/v1/systems?format=json&system[name]=cache&system[hostname]=cache&destination_port=443";
    let made = send(&api.server, By::Token(&api.token), "POST", path, "Content-Type: application/json\r\n", b"");
    assert_eq!((made.status, &read(&made)["name"]), (200, &json!("cache")));
    // The same again is taken.
    let message = api.fails(400, "POST", "/api/v1/systems.json", Some(json!({ "system": { "name": "db" } })));
    assert!(message.contains("already"), "{message}");
    for (body, word) in [
        (json!({}), "name"),
        (json!({ "system": { "name": "x", "ip_address": "not one" } }), "ip_address"),
        (json!({ "system": { "name": "x", "auto_delete": "perhaps" } }), "auto_delete"),
        (json!({ "system": { "name": "x", "destination_port": "many" } }), "destination_port"),
        (json!({ "system": { "name": "x".repeat(300) } }), "name"),
        (json!({ "system": { "name": "a\u{0}b" } }), "name"),
    ] {
        let message = api.fails(400, "POST", "/api/v1/systems", Some(body));
        assert!(message.contains(word), "{message}");
    }
    // A change answers the object, and the sentence that one client compares.
    let changed =
        api.ok("PUT", "/api/v1/systems/db.json", Some(json!({ "system": { "name": "Database", "description": "" } })));
    assert_eq!(
        (&changed["name"], &changed["hostname"], &changed["message"]),
        (&json!("Database"), &json!("db"), &json!("System updated"))
    );
    assert!(changed["description"].is_null() && changed["auto_delete"] == true && changed["id"] == db["id"]);
    let by_query = api.ok("PUT", &format!("/api/v1/systems/{}?system[name]=Data+base", db["id"]), None);
    assert_eq!(by_query["name"], "Data base");
    assert_eq!(api.get("/api/v1/systems/Data%20base.json")["id"], db["id"]);
    // The name under which it will send: what comes under that is taken, too.
    let body = json!({ "system": { "hostname": "db.example.com" } });
    let renamed = api.ok("PUT", &format!("/api/v1/systems/{}", db["id"]), Some(body));
    assert_eq!((&renamed["name"], &renamed["hostname"]), (&json!("Data base"), &json!("db.example.com")));
    assert_eq!(api.get(&format!("/api/v1/systems/{}", db["id"]))["hostname"], "db.example.com");
    api.fails(404, "PUT", "/api/v1/systems/none", Some(json!({ "system": { "name": "x" } })));
    // Removed, in the words that one client compares.
    assert_eq!(
        api.ok("DELETE", &format!("/api/v1/systems/{}.json", db["id"]), None),
        json!({ "message": "System deleted" })
    );
    api.fails(404, "GET", &format!("/api/v1/systems/{}", db["id"]), None);
    api.fails(404, "DELETE", "/api/v1/systems/db", None);
    assert_eq!(api.ok("DELETE", "/api/v1/systems/cache", None)["message"], "System deleted");
    assert_eq!(names(&api.get("/api/v1/systems")), ["web 1"]);
    // It may be made again, as another one.
    assert_ne!(api.system("db"), db["id"].as_u64().unwrap());
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_post_systems_join_and_leave() {
    let api = start("objects-join");
    let (web, group) = (api.system("web"), api.group("Web", ""));
    let group_path = format!("/api/v1/groups/{group}.json");
    let systems = || names(&api.get(&group_path)["systems"]).join(",");
    let body = json!({ "group_id": group });
    assert_eq!(
        api.ok("POST", &format!("/api/v1/systems/{web}/join.json"), Some(body.clone())),
        json!({ "message": "System updated" })
    );
    assert_eq!(systems(), "web");
    let path = format!("/api/v1/systems/web/join?group_id={group}");
    assert_eq!(api.ok("POST", &path, None)["message"], "System updated", "again, and by name");
    assert_eq!(api.ok("POST", &format!("/api/v1/systems/{web}/leave.json"), Some(body))["message"], "System updated");
    assert_eq!(systems(), "");
    api.fails(400, "POST", "/api/v1/systems/web/join", None);
    api.fails(404, "POST", "/api/v1/systems/web/join?group_id=999999", None);
    api.fails(404, "POST", &format!("/api/v1/systems/none/join?group_id={group}"), None);
    // Many at a time: none is lost.
    let ids: Vec<u64> = (0..20).map(|n| api.system(&format!("s{n}"))).collect();
    std::thread::scope(|scope| {
        let api = &api;
        for id in &ids {
            scope.spawn(move || api.ok("POST", &format!("/api/v1/systems/{id}/join?group_id={group}"), None));
        }
    });
    assert_eq!(api.get(&group_path)["systems"].as_array().unwrap().len(), 20);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_groups_list_create_show_change_and_delete() {
    let api = start("objects-groups");
    let all = api.get("/api/v1/groups.json");
    assert_eq!((&all[0]["name"], &all[0]["system_wildcard"]), (&json!("All Systems"), &json!("*")));
    assert_eq!(all.as_array().unwrap().len(), 1);
    let ids: Vec<u64> = ["web-1", "web-2", "db", "cache"].iter().map(|name| api.system(name)).collect();
    // A list of patterns, as one client joins it.
    let web =
        api.ok("POST", "/api/v1/groups", Some(json!({ "group": { "name": "Web", "system_wildcard": "web-*, c*e" } })));
    assert_eq!(names(&web["systems"]), ["web-1", "web-2", "cache"]);
    assert_eq!(web["system_wildcard"], "web-*, c*e");
    assert!(web["systems"][0]["_links"]["self"]["href"].is_string() && web["id"].as_u64() >= Some(1_000));
    // Systems by number, as another does.
    let body = json!({ "group": { "name": "Data", "system_ids": [ids[2], ids[3]] } });
    let data = api.ok("POST", "/api/v1/groups.json", Some(body));
    assert!(names(&data["systems"]) == ["db", "cache"] && data["system_wildcard"].is_null());
    api.fails(404, "POST", "/api/v1/groups", Some(json!({ "group": { "name": "x", "system_ids": [999_999] } })));
    // A bracket that is left open, as one provider sends it.
    let open = "/api/v1/groups?group[name]=Open&group[system_wildcard=db*";
    assert_eq!(names(&api.ok("POST", open, None)["systems"]), ["db"]);
    assert_eq!(names(&api.get("/api/v1/groups?group_name=a")), ["All Systems", "Data"]);
    let (id, path) = (web["id"].as_u64().unwrap(), format!("/api/v1/groups/{}.json", web["id"]));
    assert_eq!(api.get(&path), web);
    for link in ["self", "html", "search"] {
        assert!(web["_links"][link]["href"].as_str().unwrap().contains(&id.to_string()), "{link}");
    }
    let changed = api.ok("PUT", &path, Some(json!({ "group": { "name": "Front" } })));
    assert_eq!(
        (&changed["name"], &changed["system_wildcard"]),
        (&json!("Front"), &json!("web-*, c*e")),
        "the rest stays"
    );
    let changed = api.ok("PUT", &format!("{path}?group[system_wildcard]=*"), None);
    assert_eq!(changed["systems"].as_array().unwrap().len(), 4);
    for (body, word) in [
        (json!({ "group": {} }), "name"),
        (json!({ "group": { "name": "Data" } }), "already"),
        (json!({ "group": { "name": "All Systems" } }), "already"),
        (json!({ "group": { "name": "y", "system_wildcard": "x".repeat(9_000) } }), "wildcard"),
        (json!({ "group": { "name": "y", "system_ids": ["many"] } }), "system_ids"),
    ] {
        let message = api.fails(400, "POST", "/api/v1/groups", Some(body));
        assert!(message.contains(word), "{message}");
    }
    // What is always there stays.
    api.fails(400, "PUT", "/api/v1/groups/1", Some(json!({ "group": { "name": "x" } })));
    api.fails(400, "DELETE", "/api/v1/groups/1", None);
    assert_eq!(api.get("/api/v1/groups/1")["systems"].as_array().unwrap().len(), 4);
    assert_eq!(api.ok("DELETE", &path, None), json!({ "message": "Group deleted" }));
    api.fails(404, "DELETE", &path, None);
    api.fails(404, "GET", &path, None);
    api.fails(404, "GET", "/api/v1/groups/x", None);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_searches_list_create_show_change_and_delete() {
    let api = start("objects-searches");
    let group = api.group("Web", "web-*");
    let made = api.ok(
        "POST",
        "/api/v1/searches.json",
        Some(json!({ "search": { "name": "Errors", "query": "error OR \"a b\" -x", "group_id": group } })),
    );
    // Both, and as numbers: clients compare them by type.
    assert_eq!(
        (&made["group_id"], &made["group"]["id"], &made["group"]["name"]),
        (&json!(group), &json!(group), &json!("Web"))
    );
    assert_eq!(made["query"], "error OR \"a b\" -x");
    for link in ["self", "search", "html", "html_search"] {
        assert!(made["_links"][link]["href"].as_str().unwrap().starts_with("http://"), "{link}");
    }
    assert!(made["group"]["_links"]["self"]["href"].is_string());
    let path = format!("/api/v1/searches/{}.json", made["id"]);
    assert_eq!(api.get(&path), made);
    // Without a group it is in All Systems; without a query it is empty text, and never null.
    let all = api.ok("POST", "/api/v1/searches?search[name]=All", None);
    assert_eq!((&all["group_id"], &all["group"]["id"], &all["query"]), (&json!(1), &json!(1), &json!("")));
    let named = api.ok(
        "POST",
        "/api/v1/searches",
        Some(json!({ "search": { "name": "One", "query": null, "group_id": "1" } })),
    );
    assert_eq!((&named["query"], &named["group_id"]), (&json!(""), &json!(1)));
    assert_eq!(names(&api.get("/api/v1/searches.json?search_name=ERR")), ["Errors"]);
    assert_eq!(names(&api.get("/api/v1/searches")), ["Errors", "All", "One"]);
    let changed = api.ok("PUT", &path, Some(json!({ "search": { "query": "other" } })));
    assert_eq!(
        (&changed["name"], &changed["query"], &changed["group_id"]),
        (&json!("Errors"), &json!("other"), &json!(group))
    );
    assert_eq!(api.ok("PUT", &format!("{path}?search[group_id]=1"), None)["group"]["name"], "All Systems");
    api.fails(400, "POST", "/api/v1/searches", Some(json!({ "search": { "query": "x" } })));
    api.fails(404, "POST", "/api/v1/searches", Some(json!({ "search": { "name": "x", "group_id": 999_999 } })));
    api.fails(400, "POST", "/api/v1/searches", Some(json!({ "search": { "name": "x", "group_id": "many" } })));
    api.fails(400, "POST", "/api/v1/searches", Some(json!({ "search": { "name": "x", "query": "y".repeat(8_193) } })));
    // A group that goes leaves its searches in All Systems.
    api.ok("PUT", &format!("{path}?search[group_id]={group}"), None);
    api.ok("DELETE", &format!("/api/v1/groups/{group}"), None);
    assert_eq!(api.get(&path)["group_id"], 1);
    assert_eq!(api.ok("DELETE", &path, None), json!({ "message": "Search deleted" }));
    api.fails(404, "GET", &path, None);
    api.fails(404, "PUT", &path, Some(json!({ "search": { "name": "x" } })));
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_destinations_are_what_this_server_listens_on() {
    let api = start("objects-destinations");
    let all = api.get("/api/v1/destinations.json");
    let first = &all[0];
    assert!(first["id"].is_u64() && first.as_object().unwrap().contains_key("filter"));
    assert_eq!(first["syslog"]["hostname"], "127.0.0.1");
    assert_eq!(first["syslog"]["port"], api.server.address.port());
    assert!(first["syslog"]["description"].is_string());
    assert_eq!(api.get(&format!("/api/v1/destinations/{}.json", first["id"])), *first);
    api.fails(404, "GET", "/api/v1/destinations/999", None);
    api.fails(404, "POST", "/api/v1/destinations", None);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_users_list_invite_change_and_delete() {
    let api = start("objects-users");
    let group = api.group("Web", "web-*");
    assert_eq!(api.get("/api/v1/users.json"), json!([]));
    // As PyPapertrail does.
    let body = json!({ "user": { "email": "Ann@Example.com", "read_only": false, "manage_members": false, "manage_billing": true,
                                 "purge_logs": false, "can_access_all_groups": false, "group_ids": [group] } });
    let ann = api.ok("POST", "/api/v1/users/invite.json", Some(body));
    assert_eq!((&ann["email"], &ann["group_ids"]), (&json!("ann@example.com"), &json!([group])));
    assert_eq!((&ann["can_access_all_groups"], &ann["manage_billing"]), (&json!(false), &json!(true)));
    assert!(ann["link"].as_str().unwrap().starts_with("http://"), "nobody sends mail yet: {ann}");
    // As an old client does: by GET, with a token in its header.
    let bob = api.ok("GET", "/api/v1/users/invite.json?user%5Bemail%5D=bob%40example.com&user[read_only]=1", None);
    assert_eq!(
        (&bob["email"], &bob["read_only"], &bob["can_access_all_groups"]),
        (&json!("bob@example.com"), &json!(true), &json!(true))
    );
    let forged = ask(&api.server, By::Operator, "GET", "/api/v1/users/invite.json?user[email]=eve@example.com", None);
    assert_eq!(forged.status, 403, "a browser can be made to ask that: {}", forged.body);
    let all = api.get("/api/v1/users.json");
    assert_eq!(
        all.as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap()).collect::<Vec<_>>(),
        ["ann@example.com", "bob@example.com"]
    );
    let path = format!("/api/v1/users/{}.json", ann["id"]);
    let changed = api.ok("PUT", &path, Some(json!({ "user": { "purge_logs": true, "can_access_all_groups": true } })));
    assert_eq!(
        (&changed["purge_logs"], &changed["manage_billing"], &changed["can_access_all_groups"]),
        (&json!(true), &json!(true), &json!(true))
    );
    api.fails(400, "POST", "/api/v1/users/invite", Some(json!({ "user": { "email": "ann@example.com" } })));
    api.fails(400, "POST", "/api/v1/users/invite", Some(json!({ "user": { "email": "no address" } })));
    api.fails(400, "POST", "/api/v1/users/invite", Some(json!({})));
    api.fails(
        404,
        "POST",
        "/api/v1/users/invite",
        Some(json!({ "user": { "email": "x@example.com", "group_ids": [999_999] } })),
    );
    api.fails(404, "PUT", "/api/v1/users/999999", Some(json!({ "user": { "read_only": true } })));
    assert_eq!(api.ok("DELETE", &path, None), json!({ "message": "User deleted" }));
    api.fails(404, "DELETE", &path, None);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_accounts_has_four_keys_and_a_float() {
    let api = start("objects-accounts");
    let before = api.get("/api/v1/accounts.json");
    assert_eq!(before.as_object().unwrap().len(), 4);
    assert!(before["log_data_transfer_used_percent"].is_f64() && before["log_data_transfer_used"] == 0);
    assert_eq!(
        (&before["log_data_transfer_plan_limit"], &before["log_data_transfer_hard_limit"]),
        (&json!(0), &json!(0)),
        "no plan"
    );
    let plan = ask(&api.server, By::Operator, "PUT", "/api/v2/plan", Some(&json!({ "plan": "choklad" })));
    assert_eq!(plan.status, 200, "{}", plan.body);
    api.deliver("shop", &[("app web.1", &"x".repeat(10_000 - 4 - 9 - 24))]);
    let used = wait_until("usage", || {
        Some(api.get("/api/v1/accounts.json")).filter(|used| used["log_data_transfer_used"] != 0)
    });
    assert_eq!(used["log_data_transfer_used"], 10_000);
    assert_eq!(
        (&used["log_data_transfer_plan_limit"], &used["log_data_transfer_hard_limit"]),
        (&json!(10 << 20), &json!(10 << 20))
    );
    assert_eq!(used["log_data_transfer_used_percent"], 0.1);
    assert_eq!(api.server.stop().0, Some(0));
}

#[test]
fn row_viewer_links_lead_to_the_page_with_what_they_mean() {
    let api = start("objects-links");
    let group = api.group("Web", "web*");
    let search = api.search("S", "a \"b\" & c", Some(group));
    let to = |path: &str| {
        let answer = ask(&api.server, By::Operator, "GET", path, None);
        assert!(matches!(answer.status, 302 | 303 | 307), "{path}: {} {}", answer.status, answer.body);
        let at = answer.head.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();
        let page = ask(&api.server, By::Operator, "GET", &at, None);
        assert_eq!(page.status, 200, "{at}: {}", page.body);
        at
    };
    assert_eq!(
        to(&format!("/groups/{group}/events?q=program%3Adocker")),
        format!("/events?group={group}&q=program%3Adocker")
    );
    assert_eq!(to("/systems/web/events"), "/events?system=web");
    let searched = to(&format!("/searches/{search}?centered_on_id=1884123456789012480"));
    assert!(searched.contains("centered_on_id=1884123456789012480"), "{searched}");
    let edit = ask(&api.server, By::Operator, "GET", &format!("/searches/{search}/edit"), None);
    assert!(edit.status == 200 && edit.body.contains("Saved search"), "{edit:?}");
    assert_eq!(
        to("/systems/web/events?r=1884123456789012480-1884123456789012999"),
        "/events?system=web&centered_on_id=1884123456789012480&r=1884123456789012480-1884123456789012999"
    );
    // Nobody learns from a link what is there.
    for path in [format!("/groups/{group}/events"), format!("/searches/{search}"), "/systems/web/events".to_owned()] {
        let answer = ask(&api.server, By::Nobody, "GET", &path, None);
        assert!(!answer.head.contains("docker") && !answer.head.contains("%22b%22"), "{path}: {}", answer.head);
    }
    assert_eq!(api.server.stop().0, Some(0));
}
