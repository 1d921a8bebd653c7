//! The add-on provider, as Heroku speaks to it.

use crate::harness::{Answer, Server, free_port, now_micros, raw, request, scratch, time_of, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) const PASSWORD: &str = "s3cret-of-heroku";
pub(crate) const SALT: &str = "s3cret-salt";
pub(crate) const CLIENT: &str = "s3cret-client";

struct House {
    server: Server,
    door: Door,
}

/// Where somebody comes to a server.
pub(crate) struct Door {
    pub(crate) at: SocketAddr,
}

impl std::ops::Deref for House {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

fn start(dir: &Path, port: u16, more: &str, heroku: Option<SocketAddr>) -> House {
    let heroku = heroku.map_or(String::new(), |at| format!("api = \"http://{at}\"\nidentity = \"http://{at}\"\n"));
    let text = format!(
        "url = \"http://127.0.0.1:{port}\"\ndrain_memory = \"32MB\"\n{more}\n[addon]\nid = \"papertrail\"\n\
         password = \"{PASSWORD}\"\nsso_salt = \"{SALT}\"\nclient_secret = \"{CLIENT}\"\n\
         plans = [\"development\", \"gold\"]\n{heroku}"
    );
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    let listen = format!("127.0.0.1:{port}");
    let server = Server::start(dir, &["--config", path.to_str().unwrap(), "--listen", &listen]);
    House { door: Door { at: server.address }, server }
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

pub(crate) fn uuid(number: u32) -> String {
    format!("01234567-89ab-cdef-0123-{number:012x}")
}

pub(crate) fn token(number: u32) -> String {
    format!("d.{}", uuid(number))
}

impl Door {
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.at);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        raw(self.at, &[head.as_bytes(), body].concat()).unwrap()
    }

    pub(crate) fn heroku(&self, method: &str, path: &str, body: &Value) -> Answer {
        let credentials = basic(&format!("papertrail:{PASSWORD}"));
        let headers = [
            ("Authorization", credentials.as_str()),
            ("Content-Type", "application/json"),
            ("Accept", "application/vnd.heroku-addons+json; version=3"),
        ];
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.ask(method, path, &headers, &body)
    }

    pub(crate) fn provision(&self, number: u32) -> Answer {
        let body = json!({
            "uuid": uuid(number), "name": format!("papertrail-curly-{number}"), "plan": "gold",
            "region": "amazon-web-services::us-east-1", "callback_url": "https://api.heroku.com/addons/x",
            "options": {"foo": "bar"}, "oauth_grant": {"code": format!("s3cret-code-{number}"), "type": "authorization_code"},
            "log_drain_token": token(number), "of_a_later_day": [1],
        });
        self.heroku("POST", "/heroku/resources", &body)
    }

    /// One line by the drain of an answer.
    pub(crate) fn deliver(&self, answer: &Value, token: &str, text: &str) -> u16 {
        let url = answer["log_drain_url"].as_str().unwrap();
        let pair = url.strip_prefix("http://").unwrap().split('@').next().unwrap();
        let line = format!("<190>1 {} host app web.1 - {text}\n", time_of(now_micros()));
        let body = format!("{} {line}", line.len());
        let credentials = basic(pair);
        let headers =
            [("Authorization", credentials.as_str()), ("Logplex-Drain-Token", token), ("Logplex-Frame-Id", text)];
        request(self.at, "POST", "/logs", &headers, body.as_bytes()).unwrap().status
    }

    pub(crate) fn search(&self, answer: &Value, query: &str) -> Answer {
        let token = answer["config"]["PAPERTRAIL_API_TOKEN"].as_str().unwrap();
        let path = format!("/api/v1/events/search.json?q={query}");
        request(self.at, "GET", &path, &[("X-Papertrail-Token", token)], b"").unwrap()
    }

    pub(crate) fn sign_on(&self, form: &[(&str, String)], cookie: Option<&str>) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut headers = vec![
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", "https://addons-sso.heroku.com"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Sec-Fetch-Dest", "document"),
        ];
        headers.extend(cookie.map(|cookie| ("Cookie", cookie)));
        self.ask("POST", "/sso/login", &headers, body.as_bytes())
    }

    pub(crate) fn page(&self, cookie: &str) -> Answer {
        request(self.at, "GET", "/events", &[("Cookie", cookie)], b"").unwrap()
    }
}

pub(crate) fn json_of(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// The value of a cookie that an answer sets, with its name.
pub(crate) fn cookie(answer: &Answer, name: &str) -> String {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let mut set = lines.filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie")).map(|(_, value)| value);
    let found = set.find(|value| value.starts_with(&format!("{name}="))).unwrap_or_else(|| panic!("{answer:?}"));
    found.split(';').next().unwrap().to_owned()
}

pub(crate) fn location(answer: &Answer) -> String {
    let line = answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with("location: "));
    line.unwrap_or_else(|| panic!("{answer:?}"))[10..].to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn of_resource(number: u32, at: i64) -> Vec<(&'static str, String)> {
    let text = format!("{}:{SALT}:{at}", uuid(number));
    vec![
        ("resource_id", uuid(number)),
        ("timestamp", at.to_string()),
        ("resource_token", hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())),
        ("app", "shop".to_owned()),
        ("email", "a@example.com".to_owned()),
        ("nav-data", "e30".to_owned()),
    ]
}

pub(crate) fn of_user(number: u32, at: i64, user: &str) -> Vec<(&'static str, String)> {
    let text = format!("{}:{SALT}:{at}:{user}:a@example.com", uuid(number));
    let mut form = of_resource(number, at);
    form.push(("user_id", user.to_owned()));
    form.push(("user_scoped_resource_token", hex(digest(&SHA256, text.as_bytes()).as_ref())));
    form
}

pub(crate) fn now() -> i64 {
    i64::try_from(now_micros() / 1_000_000).unwrap()
}

#[test]
fn a_resource_is_made_once_has_its_lines_within_seconds_and_goes_for_good() {
    let dir = scratch("addon");
    let port = free_port();
    let house = start(&dir, port, "", None);
    // Credentials go before everything, also for what is not there.
    for (method, path) in
        [("POST", "/heroku/resources"), ("PUT", "/heroku/resources/x"), ("DELETE", "/heroku/resources/x")]
    {
        let refused = house.ask(method, path, &[], b"{}");
        assert_eq!(refused.status, 401, "{method}");
        assert!(refused.head.to_ascii_lowercase().contains("www-authenticate: basic"), "{refused:?}");
    }
    let began = Instant::now();
    let first = house.provision(1);
    let made = json_of(&first);
    assert_eq!(made["id"], json!(uuid(1)));
    assert!(
        made["message"].is_string() && made["config"]["PAPERTRAIL_URL"] == json!(format!("http://127.0.0.1:{port}"))
    );
    assert_eq!(house.deliver(&made, &token(1), "first-line"), 204);
    wait_until("the first line", || house.search(&made, "first-line").body.contains("first-line").then_some(()));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(house.search(&made, "first-line").body.contains("papertrail-curly-1"), "by the resource's name");
    // The token is pinned, and so are the credentials.
    assert_eq!(house.provision(1).body, first.body, "a repeat");
    let other = json_of(&house.provision(2));
    assert_eq!(house.deliver(&made, &token(2), "x"), 401);
    assert_eq!(house.deliver(&other, &token(1), "x"), 401);
    assert!(!house.search(&other, "first-line").body.contains("curly-1"), "of another account");
    // Two at a time are one.
    let at_once: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(|| house.provision(3).body)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(at_once.iter().all(|body| *body == at_once[0]), "{at_once:?}");
    let spare = house.heroku(
        "POST",
        "/heroku/resources",
        &json!({"uuid": uuid(4), "plan": "development", "oauth_grant": null}),
    );
    json_of(&spare);
    // What is refused says why.
    for (method, path, body, status) in [
        ("POST", "/heroku/resources".to_owned(), json!({"uuid": uuid(9), "plan": "platinum"}), 422),
        ("POST", "/heroku/resources".to_owned(), json!({"uuid": "../../etc", "plan": "gold"}), 422),
        ("POST", "/heroku/resources".to_owned(), json!({"plan": "gold"}), 422),
        ("POST", "/heroku/resources".to_owned(), json!([1]), 400),
        ("POST", "/heroku/resources".to_owned(), json!({"uuid": uuid(9), "x": "y".repeat(1 << 20)}), 413),
        ("PUT", format!("/heroku/resources/{}", uuid(1)), json!({"plan": "platinum"}), 422),
        ("PUT", format!("/heroku/resources/{}", uuid(9)), json!({"plan": "gold"}), 404),
        ("PUT", format!("/heroku/resources/{}", uuid(1)), json!({"plan": "gold"}), 200),
        ("PUT", format!("/heroku/resources/{}", uuid(1)), json!({"plan": "development", "uuid": uuid(1)}), 200),
        ("PUT", format!("/heroku/resources/{}", uuid(1)), json!({"plan": "gold"}), 200),
        ("DELETE", format!("/heroku/resources/{}", uuid(9)), Value::Null, 404),
    ] {
        let answer = house.heroku(method, &path, &body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let said: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(said["message"].is_string(), "{said}");
    }
    // All of it outlives a crash.
    house.server.kill();
    let house = start(&dir, port, "", None);
    assert_eq!(house.provision(1).body, first.body, "a repeat after a crash");
    assert_eq!(house.deliver(&made, &token(1), "second-line"), 204);
    wait_until("the second line", || house.search(&made, "second-line").body.contains("second-line").then_some(()));
    let path = format!("/heroku/resources/{}", uuid(1));
    let statuses = [(); 2].map(|()| house.heroku("DELETE", &path, &Value::Null).status);
    assert_eq!(statuses, [204, 410]);
    assert_eq!(house.provision(1).status, 410, "it is not made again");
    assert_eq!(house.heroku("PUT", &path, &json!({"plan": "gold"})).status, 410);
    assert_eq!(house.deliver(&made, &token(1), "third"), 401);
    assert_eq!(house.search(&made, "first-line").status, 401);
    assert_eq!(house.ask("DELETE", &path, &[], b"").status, 401, "also of one that is gone");
    let (code, log) = house.server.stop();
    assert_eq!(code, Some(0));
    let secrets =
        [PASSWORD, SALT, CLIENT, "s3cret-code", &token(1), made["config"]["PAPERTRAIL_API_TOKEN"].as_str().unwrap()];
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
    // Nor is what was answered in the store in the clear.
    let kept = fs::read_to_string(dir.join(format!("store/addon/{}.json", uuid(2)))).unwrap();
    assert!(
        !kept.contains(other["config"]["PAPERTRAIL_API_TOKEN"].as_str().unwrap()) && !kept.contains("log_drain_url")
    );
}

#[test]
fn nobody_orders_for_himself_what_heroku_is_paid_for() {
    let dir = scratch("addon-plan");
    let watcher = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";
    let house = start(&dir, free_port(), watcher, None);
    let made = json_of(&house.provision(1));
    let plan = |authorization: &str, query: &str, plan: Value| {
        let headers = [("Authorization", authorization), ("Content-Type", "application/json")];
        house.ask("PUT", &format!("/api/v2/plan{query}"), &headers, plan.to_string().as_bytes())
    };
    let own = format!("Bearer {}", made["config"]["PAPERTRAIL_API_TOKEN"].as_str().unwrap());
    let (free, large) = (json!({ "plan": null }), json!({ "plan": "numerar" }));
    for wanted in [&free, &large] {
        assert_eq!(plan(&own, "", wanted.clone()).status, 403, "{wanted}");
    }
    assert_eq!(plan(&own, "", json!({ "plan": "numerar", "dry_run": true })).status, 200, "to look is free");
    let page = house.ask("GET", "/account/plan", &[("Authorization", &own), ("Accept", "text/html")], b"");
    assert!(page.status == 200 && !page.body.contains("numerar"), "{page:?}");
    // The operator may, and Heroku's word is the last.
    let operator = basic("ops:ops-s3cret-12");
    let of = format!("?account=heroku-{}", uuid(1));
    assert_eq!(plan(&operator, &of, large).status, 200);
    let now = || house.ask("GET", "/api/v2/plan", &[("Authorization", &own)], b"").body;
    assert!(now().contains("\"name\":\"numerar\""), "{}", now());
    let changed = house.heroku("PUT", &format!("/heroku/resources/{}", uuid(1)), &json!({ "plan": "gold" }));
    assert!(changed.status == 200 && now().contains("\"name\":\"gold\""), "{changed:?} {}", now());
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn a_plan_of_the_overview_has_alerts_on_lines_alone() {
    let dir = scratch("addon-alerts");
    let house = start(&dir, free_port(), "", None);
    let order = json!({ "uuid": uuid(4), "plan": "development", "log_drain_token": token(4) });
    let made = json_of(&house.heroku("POST", "/heroku/resources", &order));
    let own = format!("Bearer {}", made["config"]["PAPERTRAIL_API_TOKEN"].as_str().unwrap());
    let ask = |method: &str, path: &str, body: &Value| {
        let headers = [("Authorization", own.as_str()), ("Content-Type", "application/json")];
        house.ask(method, &format!("/api/v2/{path}"), &headers, body.to_string().as_bytes())
    };
    let metric = json!({ "metric": { "name": "Slow", "when": [{ "metric": "checkout.time", "above": 1.0 }] } });
    for (path, body) in [("alerts", &metric), ("alerts", &json!({ "template": "memory" })), ("alerts/try", &metric)] {
        let answer = ask("POST", path, body);
        assert!(answer.status == 403 && answer.body.contains("alerts on lines alone"), "{path} {body}: {answer:?}");
    }
    assert_eq!(ask("POST", "alerts", &json!({ "template": "h12" })).status, 201, "on lines");
    let path = format!("/heroku/resources/{}", uuid(4));
    assert_eq!(house.heroku("PUT", &path, &json!({ "plan": "gold" })).status, 200);
    let made: Value = serde_json::from_str(&ask("POST", "alerts", &metric).body).unwrap();
    assert_eq!(house.heroku("PUT", &path, &json!({ "plan": "development" })).status, 200);
    // One that is there already can be turned off, and not on again.
    let one = format!("alerts/{}", made["id"]);
    let turned = [false, true].map(|on| ask("PATCH", &one, &json!({ "on": on })).status);
    assert_eq!(turned, [200, 403]);
    assert_eq!(ask("DELETE", &one, &Value::Null).status, 204);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn users_sign_on_by_heroku_once_and_to_one_resource() {
    let dir = scratch("addon-sso");
    let house = start(&dir, free_port(), "", None);
    let made = json_of(&house.provision(1));
    json_of(&house.provision(2));
    assert_eq!(house.deliver(&made, &token(1), "line-of-one"), 204);
    wait_until("the line", || house.search(&made, "line-of-one").body.contains("line-of-one").then_some(()));
    let at = now();
    // Who vouches for a user lets in; once.
    let good = house.sign_on(&of_user(1, at, "u-1"), None);
    assert_eq!((good.status, location(&good).as_str()), (303, "/"), "{good:?}");
    let session = cookie(&good, "logdrain");
    assert!(house.page(&session).body.contains("line-of-one"));
    assert_eq!(house.sign_on(&of_user(1, at, "u-1"), None).status, 403, "used before");
    assert_eq!(house.sign_on(&of_resource(1, at), None).status, 403, "a part of what was used");
    assert_eq!(house.sign_on(&of_user(1, at, "u-2"), None).status, 303, "another user of that second");
    // A session is of one resource, and a new one takes the place of the old one.
    let second = house.sign_on(&of_user(2, at, "u-1"), Some(&session));
    let other = cookie(&second, "logdrain");
    assert!(!house.page(&other).body.contains("line-of-one"));
    assert!(!house.page(&session).body.contains("line-of-one"), "the old one is over");
    // Without a user somebody looks and changes nothing.
    let looks = cookie(&house.sign_on(&of_resource(1, at - 10), None), "logdrain");
    assert!(house.page(&looks).body.contains("line-of-one"));
    let mut old = of_resource(1, at - 20);
    old.retain(|(key, _)| *key != "resource_token" && *key != "resource_id");
    old.extend([("id", uuid(1)), ("token", of_resource(1, at - 20)[2].1.clone())]);
    assert_eq!(house.sign_on(&old, None).status, 303, "the oldest kind");
    // Age, either way; a wrong one; another e-mail than the one that was vouched for.
    let mut forged = of_user(1, at, "u-3");
    forged.iter_mut().filter(|(key, _)| *key == "email").for_each(|(_, email)| "b@example.com".clone_into(email));
    for (form, what) in [
        (of_user(1, at - 360, "u-1"), "old"),
        (of_user(1, at + 360, "u-1"), "ahead"),
        (forged, "another e-mail"),
        (vec![("resource_id", uuid(1))], "nothing"),
    ] {
        assert_eq!(house.sign_on(&form, None).status, 403, "{what}");
    }
    assert_eq!(house.sign_on(&of_user(1, at - 240, "u-1"), None).status, 303, "four minutes old");
    assert_eq!(house.sign_on(&of_user(7, at, "u-1"), None).status, 404);
    // A link goes by Heroku, and back to the page that it named.
    let link = "/apps/shop/addons/papertrail-curly-1?return=%2Fevents%3Fq%3Dline-of-one";
    let away = request(house.at, "GET", link, &[], b"").unwrap();
    assert_eq!(location(&away), "https://addons-sso.heroku.com/apps/shop/addons/papertrail-curly-1");
    let back = house.sign_on(&of_user(1, at - 1, "u-1"), Some(&cookie(&away, "logdrain-return")));
    assert_eq!(location(&back), "/events?q=line-of-one");
    let session = cookie(&back, "logdrain");
    let direct = request(house.at, "GET", link, &[("Cookie", &session)], b"").unwrap();
    assert_eq!(location(&direct), "/events?q=line-of-one");
    for evil in ["https://evil.example", "//evil.example", "/\\evil.example", "/x%0d%0aSet-Cookie:a=b", "javascript:1"]
    {
        let path = format!("/apps/shop/addons/papertrail-curly-1?return={evil}");
        let answer = request(house.at, "GET", &path, &[("Cookie", &session)], b"").unwrap();
        assert_eq!(location(&answer), "/", "{evil}");
    }
    assert_eq!(request(house.at, "GET", "/apps/a/addons/%2e%2e%2fx", &[], b"").unwrap().status, 404);
    // What is gone lets nobody in, and ends who is in.
    assert_eq!(house.heroku("DELETE", &format!("/heroku/resources/{}", uuid(1)), &Value::Null).status, 204);
    assert_eq!(house.sign_on(&of_user(1, at - 2, "u-1"), None).status, 410);
    assert!(!house.page(&session).body.contains("line-of-one"));
    let (_, log) = house.server.stop();
    assert!(!log.contains(SALT) && !log.contains("a@example.com"), "{log}");
}

const GUESSES: usize = 10_000;

/// The status of one guess, on a connection that stays open as long as the server wants it.
fn guess(stream: &mut Option<std::io::BufReader<std::net::TcpStream>>, at: SocketAddr, request: &str) -> u16 {
    use std::io::BufRead as _;
    for _ in 0..10 {
        let open = stream.take().or_else(|| Some(std::io::BufReader::new(std::net::TcpStream::connect(at).ok()?)));
        let Some(mut open) = open else { continue };
        if open.get_mut().write_all(request.as_bytes()).is_err() {
            continue;
        }
        let (mut head, mut line) = (String::new(), String::new());
        while open.read_line(&mut line).is_ok_and(|len| len > 2) {
            head.push_str(&line.to_ascii_lowercase());
            line.clear();
        }
        let Some(status) = head.get(9..12).and_then(|status| status.parse().ok()) else { continue };
        let len = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let mut body = vec![0; len.unwrap_or(0)];
        if open.read_exact(&mut body).is_ok() && !head.contains("connection: close") {
            *stream = Some(open);
        }
        return status;
    }
    panic!("nobody answers a guess");
}

#[test]
fn nobody_guesses_the_password_or_a_sign_on() {
    let dir = scratch("addon-guesses");
    let house = start(&dir, free_port(), "", None);
    json_of(&house.provision(1));
    let at = now();
    // Each from connections that stay open, so that what slows it is the server.
    let began = Instant::now();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let tried: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..100_u32)
            .map(|thread| {
                let (house, next) = (&house, &next);
                scope.spawn(move || {
                    let mut tried = 0;
                    let mut stream = None;
                    while next.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < GUESSES {
                        let (path, kind, body) = if thread % 2 == 0 {
                            let credentials = basic(&format!("papertrail:{thread}-{tried}"));
                            ("/heroku/resources", format!("Authorization: {credentials}"), "{}".to_owned())
                        } else {
                            let mut form = of_resource(1, at);
                            form[2].1 = format!("{thread:08}{tried:032}");
                            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                            ("/sso/login", "Content-Type: application/x-www-form-urlencoded".to_owned(), body)
                        };
                        let request = format!(
                            "POST {path} HTTP/1.1\r\nHost: {}\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}",
                            house.at,
                            body.len()
                        );
                        let status = guess(&mut stream, house.at, &request);
                        assert!([401, 403, 429].contains(&status), "{status}");
                        tried += 1;
                    }
                    tried
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(tried, GUESSES);
    println!("{tried} guesses in {:?}", began.elapsed());
    assert_eq!(house.provision(2).status, 200, "Heroku gets in meanwhile");
    assert_eq!(house.sign_on(&of_user(1, at, "u-1"), None).status, 303);
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn where_no_drain_has_a_place_a_resource_is_refused_in_a_sentence() {
    let dir = scratch("addon-full");
    let house = start(&dir, free_port(), "max_drains = 1", None);
    json_of(&house.provision(1));
    let refused = house.provision(2);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.body.contains("There is no room for another app"), "{refused:?}");
    assert_eq!(house.heroku("DELETE", &format!("/heroku/resources/{}", uuid(1)), &Value::Null).status, 204);
    json_of(&house.provision(2));
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn what_heroku_removed_stays_for_its_grace_and_then_goes_for_good() {
    let dir = scratch("addon-grace");
    let port = free_port();
    let grace = |grace: &str| {
        let text = fs::read_to_string(dir.join("config.toml")).unwrap();
        fs::write(dir.join("config.toml"), format!("{text}deprovision_grace = \"{grace}\"\n")).unwrap();
    };
    let house = start(&dir, port, "journal_ahead = \"16kB\"", None);
    let made = json_of(&house.provision(1));
    assert_eq!(house.deliver(&made, &token(1), "line-of-one"), 204);
    wait_until("the line", || house.search(&made, "line-of-one").body.contains("line-of-one").then_some(()));
    let path = format!("/heroku/resources/{}", uuid(1));
    assert_eq!(house.heroku("DELETE", &path, &Value::Null).status, 204);
    // A day is what it has when nothing is said.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(house.server.stop().0, Some(0));
    let account = format!("heroku-{}", uuid(1));
    assert_eq!(crate::lines::kept_of(&dir, &account).0.len(), 1, "its lines are there still");
    grace("3s");
    let listen = format!("127.0.0.1:{port}");
    let config = dir.join("config.toml");
    let server = Server::start(&dir, &["--config", config.to_str().unwrap(), "--listen", &listen]);
    let house = House { door: Door { at: server.address }, server };
    wait_until("the end of its grace", || {
        let file = fs::read_to_string(dir.join(format!("store/addon/{}.json", uuid(1)))).unwrap();
        file.contains("is_destroyed").then_some(())
    });
    wait_until("its lines to go", || crate::lines::kept_of(&dir, &account).0.is_empty().then_some(()));
    // Its name is known for ever, and it is not made again.
    assert_eq!(house.provision(1).status, 410);
    assert_eq!(house.heroku("PUT", &path, &json!({"plan": "gold"})).status, 410);
    assert_eq!(house.heroku("DELETE", &path, &Value::Null).status, 410);
    let (code, log) = house.server.stop();
    assert!(code == Some(0) && !log.contains("ERROR"), "{log}");
}

/// A stand-in for Heroku: it takes the code of a resource, and says the app's name for the token that it gave.
fn heroku() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
            let (mut all, mut chunk) = (Vec::new(), [0; 4_096]);
            while let Ok(len @ 1..) = stream.read(&mut chunk) {
                all.extend_from_slice(&chunk[..len]);
            }
            let text = String::from_utf8_lossy(&all).into_owned();
            let is_token = text.starts_with("POST /oauth/token ")
                && text.contains("grant_type=authorization_code")
                && text.contains("code=s3cret-code-1")
                && text.contains(&format!("client_secret={CLIENT}"));
            let is_addon = text.starts_with(&format!("GET /addons/{} ", uuid(1)))
                && text.contains("Bearer s3cret-access")
                && text.contains("application/vnd.heroku+json; version=3");
            let (status, body) = match (is_token, is_addon) {
                (true, _) => (
                    "200 OK",
                    r#"{"access_token":"s3cret-access","refresh_token":"s3cret-refresh","expires_in":28799}"#,
                ),
                (_, true) => ("200 OK", r#"{"app":{"id":"x","name":"shop-production"},"state":"provisioned"}"#),
                _ => ("401 Unauthorized", "{}"),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    at
}

#[test]
fn the_app_is_called_as_heroku_says() {
    let dir = scratch("addon-grant");
    let house = start(&dir, free_port(), "", Some(heroku()));
    let made = json_of(&house.provision(1));
    let path = dir.join(format!("store/addon/{}.json", uuid(1)));
    let kept =
        wait_until("the app's name", || fs::read_to_string(&path).ok().filter(|kept| kept.contains("shop-production")));
    assert!(!kept.contains("s3cret"), "{kept}");
    assert_eq!(house.deliver(&made, &token(1), "named-line"), 204);
    wait_until("the line", || house.search(&made, "named-line").body.contains("shop-production").then_some(()));
    let (_, log) = house.server.stop();
    assert!(!log.contains("s3cret"), "{log}");
}
