//! Who sees what, and who changes what: every path with no token, another account's, a read and a record token, and as a member
//! of one group.

mod entering;

use crate::harness::{Answer, Server, request, scratch, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::{Path, PathBuf};
use std::process::Command;

const CONFIG: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n\
    [[drain]]\nname = \"shop-web\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\naccount = \"shop\"\napp = \"shop-web\"\nmax_tokens = 2\n\
    [[drain]]\nname = \"shop-db\"\nuser = \"shopdb\"\npassword = \"shop-s3cret-2\"\naccount = \"shop\"\napp = \"shop-db\"\n\
    [[drain]]\nname = \"blog-web\"\nuser = \"blog\"\npassword = \"blog-s3cret-1\"\naccount = \"blog\"\napp = \"blog-web\"\n";
const PASSWORD: &str = "correct horse battery";
/// In lines of `shop-web`, of `shop-db`, and of `blog-web`.
const WORDS: [&str; 3] = ["marmalade", "tangerine", "quicksilver"];

/// Every path that is answered, as the router has it, with what may be in place of its parts; see
/// [`this_is_every_path`].
pub(crate) const PATHS: [&str; 62] = [
    "/",
    "/status",
    "/theme",
    "/assets/{name}",
    "/account",
    "/account/{part}",
    "/archives",
    "/archives/{period}",
    "/metrics",
    "/healthz",
    "/readyz",
    "/logs",
    "/events",
    "/events/lines",
    "/events/line",
    "/events/counts",
    "/events/text",
    "/events/context",
    "/api/v2/tail",
    "/api/v1",
    "/api/v1/",
    "/api/v1/{*path}",
    "/api/v2/{*path}",
    "/v1/measurements",
    "/v1/metrics",
    "/v1/measurements/{name}",
    "/groups/{id}",
    "/groups/{id}/events",
    "/systems/{name}",
    "/systems/{name}/events",
    "/searches",
    "/searches/{id}",
    "/searches/{id}/edit",
    "/searches/{id}/delete",
    "/login",
    "/logout",
    "/invite/{link}",
    "/recipients/{link}",
    "/recipients/stop/{link}",
    "/explore",
    "/explore/{name}",
    "/explore/{name}/{file}",
    "/alerts",
    "/alerts/new",
    "/alerts/history",
    "/alerts/channels",
    "/alerts/{id}",
    "/alerts/{id}/edit",
    "/dashboards",
    "/dashboards/new",
    "/dashboards/{id}",
    "/dashboards/{id}/edit",
    "/dashboards/{id}/charts/{chart}",
    "/dashboards/{id}/share",
    "/dashboards/{id}/export",
    "/charts/{board}/{file}",
    "/shared/{link}",
    "/shared/{link}/{file}",
    // These are there for who is told of in the configuration alone; they have tests of their own.
    "/heroku/resources",
    "/heroku/resources/{id}",
    "/sso/login",
    "/apps/{app}/addons/{name}",
];

pub(crate) struct House {
    dir: PathBuf,
    pub(crate) server: Server,
}

fn run(dir: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .arg("account")
        .args(arguments)
        .args(["--store", dir.join("store").to_str().unwrap()])
        .output()
        .unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap().trim().to_owned())
}

fn start(dir: &Path, text: &str) -> Server {
    std::fs::write(dir.join("config.toml"), text).unwrap();
    Server::start(dir, &["--config", dir.join("config.toml").to_str().unwrap()])
}

pub(crate) fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

impl House {
    pub(crate) fn new(name: &str) -> Self {
        Self::with(name, "")
    }

    /// With these lines at the head of the configuration.
    pub(crate) fn with(name: &str, more: &str) -> Self {
        let dir = scratch(name);
        let server = start(&dir, &format!("{more}{CONFIG}"));
        let house = Self { dir, server };
        let drains = [("shop:shop-s3cret-1", 0), ("shopdb:shop-s3cret-2", 1), ("blog:blog-s3cret-1", 2)];
        for (pair, word) in drains {
            let line = format!("<190>1 2026-11-28T12:00:00+00:00 host app web.1 - a line with {}", WORDS[word]);
            let body = format!("{} {line}", line.len());
            let headers = [("Authorization", basic(pair)), ("Logplex-Drain-Token", "d.1".to_owned())];
            let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(request(house.server.address, "POST", "/logs", &headers, body.as_bytes()).unwrap().status, 204);
        }
        let watcher = basic("ops:ops-s3cret-12");
        for (account, word) in [("shop", WORDS[0]), ("shop", WORDS[1]), ("blog", WORDS[2])] {
            wait_until("lines", || {
                let answer = house.ask("GET", &format!("/events?account={account}"), &[("Authorization", &watcher)]);
                answer.body.contains(word).then_some(())
            });
        }
        house
    }

    /// Where its store and its configuration are.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn account(&self, arguments: &[&str]) -> String {
        let (is_done, said) = run(&self.dir, arguments);
        assert!(is_done, "{arguments:?}: {said}");
        said
    }

    pub(crate) fn token(&self, arguments: &[&str]) -> String {
        self.account(&[&["token", "add"], arguments].concat())
    }

    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        request(self.server.address, method, path, headers, b"").unwrap()
    }

    /// Sends a form as a browser does, with the cookies that it has.
    fn form(&self, path: &str, cookies: &str, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded(fields);
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        request(self.server.address, "POST", path, &[kind, ("Cookie", cookies)], body.as_bytes()).unwrap()
    }

    /// Gets a page with a form: its cookie, and its token.
    fn load(&self, path: &str) -> (String, String) {
        let page = self.ask("GET", path, &[]);
        assert_eq!(page.status, 200, "{page:?}");
        let token = page.body.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        (cookie(&page, "logdrain-form").unwrap(), token)
    }

    /// Adds a member who sets a password; answers his session's cookie.
    pub(crate) fn member(&self, email: &str, arguments: &[&str]) -> String {
        let link = self.account(&[&["member", "add", email], arguments].concat());
        let path = link.strip_prefix(&format!("http://{}", self.server.address)).unwrap_or_else(|| panic!("{link}"));
        let (cookie_of_form, token) = self.load(path);
        let answer = self.form(path, &cookie_of_form, &[("form", &token), ("password", PASSWORD)]);
        assert_eq!(answer.status, 303, "{answer:?}");
        assert!(answer.head.to_lowercase().contains("location: /\r\n"), "{answer:?}");
        cookie(&answer, "logdrain").unwrap()
    }
}

pub(crate) fn form_urlencoded(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

/// A cookie that an answer sets, as it is sent back.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.head.lines().filter_map(|line| line.split_once(": "));
    let set = lines.filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie")).map(|(_, value)| value);
    set.filter_map(|value| value.split(';').next())
        .find(|pair| pair.starts_with(&format!("{name}=")))
        .map(str::to_owned)
}

#[test]
fn an_address_that_names_no_account_is_answered_on_every_page_in_its_way() {
    let house = House::new("rights-no-account");
    let watcher = basic("ops:ops-s3cret-12");
    for page in ["/events", "/dashboards/overview", "/alerts", "/explore"] {
        let ask = |accept: &str| {
            let headers = [("Authorization", watcher.as_str()), ("Accept", accept)];
            request(house.server.address, "GET", &format!("{page}?account=No%20Such"), &headers, b"").unwrap()
        };
        let (people, program) = (ask("text/html"), ask("*/*"));
        assert!((400..404).contains(&people.status), "{page}: {people:?}");
        assert!(people.body.starts_with("<!DOCTYPE html>"), "{page}: {people:?}");
        assert_eq!(program.status, people.status, "{page}");
        assert_eq!(program.body.lines().count(), 1, "{page}: {program:?}");
    }
}

#[test]
fn this_is_every_path() {
    let host = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = ["src", "drain/src", "web/src"].map(|rooms| host.join(rooms)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for route in text.split(".route(").skip(1) {
                    let first = route.split(',').next().unwrap().trim();
                    found.push(match first {
                        "address::PAGE" => "/events".to_owned(),
                        "address::TAIL" => "/api/v2/tail".to_owned(),
                        quoted => quoted.trim_matches('"').to_owned(),
                    });
                }
            }
        }
    }
    let unknown: Vec<_> = found.iter().filter(|path| !PATHS.contains(&path.as_str())).collect();
    assert!(unknown.is_empty(), "say in PATHS, and so in the tests of this file, who sees what there: {unknown:?}");
    assert!(found.len() >= 11, "{found:?}");
}

/// What somebody may ask for who asks for a path: with something in place of its parts.
pub(crate) fn forms(path: &str) -> Vec<String> {
    match path {
        "/api/v1/{*path}" => {
            let known = [
                "events/search",
                "events/search.json",
                "systems",
                "systems/1",
                "systems/shop-web",
                "systems/blog-web",
                "groups",
                "groups/1",
                "groups/1000",
                "searches",
                "searches/1000",
                "destinations",
                "users",
                "accounts",
                "archives",
                "archives/2026-11-28-12/download",
                "nothing",
            ];
            known.iter().map(|path| format!("/api/v1/{path}")).collect()
        }
        "/api/v2/{*path}" => {
            let known = [
                "openapi.json",
                "accounts",
                "plan",
                "filters",
                "usage",
                "series",
                "metrics",
                "patterns",
                "context",
                "members",
                "tokens",
                "dashboards",
                "shares",
                "alerts",
                "alerts/templates",
                "alerts/history",
                "alerts/1000",
                "alerts/1000/history",
                "channels",
            ];
            known.iter().map(|path| format!("/api/v2/{path}")).collect()
        }
        "/invite/{link}" => vec!["/invite/x".to_owned()],
        "/recipients/{link}" => vec!["/recipients/x".to_owned()],
        "/recipients/stop/{link}" => vec!["/recipients/stop/x".to_owned()],
        // All lines that there can be.
        "/events/text" => {
            ["text", "json"].map(|form| format!("/events/text?r=100000000000-{}&form={form}", i64::MAX)).to_vec()
        }
        "/account/{part}" => {
            let parts =
                ["profile", "members", "plan", "destinations", "searches", "filters", "patterns", "usage", "none"];
            parts.iter().map(|part| format!("/account/{part}")).collect()
        }
        "/archives/{period}" => vec!["/archives/2026-11-28".to_owned(), "/archives/2026-11-28-12".to_owned()],
        path => vec![path.replace("{id}", "1000").replace("{name}", "shop-web")],
    }
}

/// Asks for everything that shows lines, settings or people, in every form of it; answers all that was said, but for the
/// follower of new lines, whose answer has no end.
fn everything(house: &House, headers: &[(&str, &str)]) -> Vec<(String, Answer)> {
    let mut all = Vec::new();
    for account in ["", "account=shop", "account=blog", "account=default"] {
        // The API slows whoever asks often, and guesses at links are slowed, too.
        let is_slow = |path: &str| ["/api/v", "/invite", "/recipients"].iter().any(|start| path.starts_with(start));
        let paths = PATHS.iter().filter(|path| **path != "/api/v2/tail");
        for path in paths.filter(|path| !is_slow(path) || account.is_empty()) {
            for path in forms(path) {
                let path = format!("{path}{}{account}", if path.contains('?') { '&' } else { '?' });
                let answer = house.ask("GET", &path, headers);
                all.push((path, answer));
            }
        }
    }
    all
}

/// What of lines can be seen by somebody: which of the words, over all paths.
fn seen(house: &House, headers: &[(&str, &str)]) -> [bool; 3] {
    let all = everything(house, headers);
    let seen = WORDS.map(|word| all.iter().any(|(_, answer)| answer.body.contains(word)));
    // Who follows new lines is somebody who sees some.
    let head = house.ask("HEAD", "/api/v2/tail", headers);
    assert!(head.status != 200 || seen != [false; 3], "{headers:?}");
    seen
}

/// Has the running server change something, as an operator's program does.
#[cfg(unix)]
pub(crate) fn change(house: &House, change: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(house.dir.join("store/operator.sock")).unwrap();
    stream.write_all(format!("{{\"do\":\"change\",\"change\":{change}}}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
#[test]
fn a_member_of_one_group_sees_its_systems_alone_and_cannot_give_himself_more() {
    let house = House::new("group");
    let add = |name: &str, system: &str| {
        let group = format!("{{\"name\":{name:?},\"systems\":[{system:?}]}}");
        change(&house, &format!("{{\"add_group\":{{\"account\":\"shop\",\"group\":{group}}}}}"))
    };
    let (web, db) = (add("web", "shop-web"), add("db", "shop-db"));
    assert!(web.contains("\"changed\":") && db.contains("\"changed\":"), "{web} {db}");
    let id = |told: &str| -> u32 { told.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap() };
    let cookie = house.member("gus@example.com", &["--account", "shop", "--group", "web", "--manage-members"]);
    let token = house.token(&["--account", "shop", "--member", "gus@example.com"]);
    let by_token = [("X-Papertrail-Token", token.as_str())];
    for _ in 0..2 {
        assert_eq!(seen(&house, &[("Cookie", &cookie)]), [true, false, false]);
        assert_eq!(seen(&house, &by_token), [true, false, false]);
        // He tries to widen what he sees, by every way that names a group, a system or a member.
        for (method, path, body) in [
            ("PUT", format!("groups/{}", id(&web)), r#"{"group":{"name":"web","system_wildcard":"*"}}"#.to_owned()),
            (
                "PUT",
                format!("groups/{}", id(&db)),
                r#"{"group":{"name":"db","system_wildcard":"shop-web"}}"#.to_owned(),
            ),
            ("DELETE", format!("groups/{}", id(&web)), String::new()),
            ("POST", "groups".to_owned(), r#"{"group":{"name":"all","system_wildcard":"*"}}"#.to_owned()),
            ("POST", "systems/shop-db/join".to_owned(), format!("{{\"group_id\":{}}}", id(&web))),
            ("POST", "users/invite".to_owned(), r#"{"user":{"email":"gus2@example.com"}}"#.to_owned()),
            ("PUT", "users/1".to_owned(), r#"{"user":{"read_only":0,"can_access_all_groups":1}}"#.to_owned()),
        ] {
            let len = body.len().to_string();
            let mut headers = vec![by_token[0], ("Content-Type", "application/json")];
            headers.extend((method != "POST").then_some(("Content-Length", len.as_str())));
            let path = format!("/api/v1/{path}");
            let answer = request(house.server.address, method, &path, &headers, body.as_bytes()).unwrap();
            assert!(matches!(answer.status, 400 | 403 | 404), "{method} {path}: {answer:?}");
        }
        for path in [
            "events/search?group_id=1",
            &format!("events/search?group_id={}", id(&db)),
            "events/search?system_id=shop-db",
        ] {
            let answer = house.ask("GET", &format!("/api/v1/{path}"), &by_token);
            assert!(!answer.body.contains(WORDS[1]) && !answer.body.contains(WORDS[2]), "{path}: {answer:?}");
        }
    }
    // What was taken from the group is seen no more, and the group itself is nothing then.
    change(&house, &format!("{{\"remove_group\":{{\"account\":\"shop\",\"id\":{}}}}}", id(&web)));
    for headers in [&by_token[..], &[("Cookie", &cookie)]] {
        let all = everything(&house, headers);
        assert!(WORDS.iter().all(|word| !all.iter().any(|(_, answer)| answer.body.contains(word))), "{headers:?}");
    }
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn each_sees_his_own_account_and_groups_alone_on_every_path() {
    let house = House::new("rights");
    assert!(house.ask("GET", "/events", &[]).status == 401);
    let admin = house.token(&["--account", "shop"]);
    let read = house.token(&["--account", "shop", "--kind", "read"]);
    let record = house.token(&["--account", "shop", "--kind", "record"]);
    let other = house.token(&["--account", "blog"]);
    let ann = house.member("ann@example.com", &["--account", "shop", "--manage-members"]);
    // A group of nothing that is there: its member sees nothing.
    let (is_done, why) =
        run(&house.dir, &["member", "add", "x@example.com", "--account", "shop", "--group", "no such"]);
    assert!(!is_done && why.contains("no group"), "{why}");
    fn of(token: &str) -> [(&str, &str); 1] {
        [("X-Papertrail-Token", token)]
    }
    let bearer = |token: &str| format!("Bearer {token}");
    assert_eq!(seen(&house, &[]), [false; 3]);
    assert_eq!(seen(&house, &[("Cookie", "logdrain=x; __Host-logdrain=x")]), [false; 3]);
    assert_eq!(seen(&house, &of(&admin)), [true, true, false]);
    assert_eq!(seen(&house, &of(&read)), [true, true, false]);
    assert_eq!(seen(&house, &[("Authorization", &bearer(&read))]), [true, true, false]);
    assert_eq!(seen(&house, &[("Authorization", &basic(&format!("{admin}:")))]), [true, true, false]);
    assert_eq!(seen(&house, &[("Authorization", &basic(&format!("x:{admin}")))]), [true, true, false]);
    assert_eq!(seen(&house, &[("Authorization", &basic(&format!("ann@example.com:{PASSWORD}")))]), [true, true, false]);
    assert_eq!(seen(&house, &[("Cookie", &ann)]), [true, true, false]);
    assert_eq!(seen(&house, &of(&record)), [false; 3]);
    assert_eq!(seen(&house, &of(&other)), [false, false, true]);
    assert_eq!(seen(&house, &[("Authorization", &basic("ops:ops-s3cret-12"))]), [true, true, true]);
    for path in ["/events?account=shop", "/api/v1/events/search", "/api/v2/tail"] {
        let answer = house.ask("GET", path, &[("Authorization", &basic("shop:shop-s3cret-1"))]);
        assert_eq!(answer.status, 401, "who sends does not read: {path}");
    }
    // A cookie is not for the API that other pages may ask.
    assert_eq!(house.ask("GET", "/api/v1/events/search", &[("Cookie", &ann)]).status, 401);
    // What is told of the whole server is for the operator.
    for headers in [&of(&admin)[..], &[("Cookie", &ann)], &[("Authorization", &bearer(&admin))]] {
        assert!(matches!(house.ask("GET", "/metrics", headers).status, 401 | 403), "{headers:?}");
        assert!(matches!(house.ask("GET", "/status", headers).status, 401 | 403), "{headers:?}");
    }
    // Nothing changes anything for who may not: what there is, is there after all of it was tried.
    let members = house.account(&["member", "list", "--account", "shop"]);
    let tokens = house.account(&["token", "list", "--account", "shop"]);
    let watcher = basic("ops:ops-s3cret-12");
    let state = |house: &House| {
        ["systems", "groups", "searches", "users", "destinations"].map(|path| {
            let answer = house.ask("GET", &format!("/api/v1/{path}?account=shop"), &[("Authorization", &watcher)]);
            (answer.status, if answer.status == 200 { answer.body } else { String::new() })
        })
    };
    let before = state(&house);
    let bodies = [
        "",
        r#"{"group":{"name":"taken","system_wildcard":"*"},"search":{"name":"taken","query":"x"},"system":{"name":"taken"},"user":{"email":"evil@example.com"}}"#,
    ];
    for headers in [&[][..], &of(&read), &of(&record), &of(&other), &[("Cookie", &ann)]] {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            for path in [
                "systems",
                "systems/1",
                "systems/shop-web",
                "groups",
                "groups/1000",
                "searches",
                "searches/1000",
                "users/invite",
                "users/1",
                "destinations/1",
            ] {
                if headers == of(&other) && matches!(path, "systems" | "groups" | "searches" | "users/invite") {
                    // He may, in his own account.
                    continue;
                }
                for body in bodies {
                    let kind = ("Content-Type", "application/json");
                    let len = body.len().to_string();
                    let headers: Vec<_> = headers
                        .iter()
                        .copied()
                        .chain([kind])
                        .chain((method != "POST").then_some(("Content-Length", len.as_str())))
                        .collect();
                    let path = format!("/api/v1/{path}");
                    let answer = request(house.server.address, method, &path, &headers, body.as_bytes()).unwrap();
                    // The system of that number may be his own: which is the first is a matter of chance. That nothing of
                    // others is gone is seen below.
                    let is_his = headers.starts_with(&of(&other))
                        && ["\"blog-web\"", "System deleted"].iter().any(|said| answer.body.contains(said));
                    assert!(is_his || answer.status != 200, "{method} {path} {headers:?}: {answer:?}");
                }
            }
        }
    }
    assert_eq!(state(&house), before);
    assert_eq!(house.account(&["member", "list", "--account", "shop"]), members);
    assert_eq!(house.account(&["token", "list", "--account", "shop"]), tokens);
    assert!(!format!("{:?}", everything(&house, &of(&admin))).contains("shop-s3cret"));
    // Gone with the next request.
    house.account(&["member", "remove", "ann@example.com", "--account", "shop"]);
    assert_eq!(house.ask("GET", "/events", &[("Cookie", &ann)]).status, 401);
    assert_eq!(house.server.stop().0, Some(0));
}

#[cfg(unix)]
#[test]
fn saved_searches_are_changed_by_forms_of_who_may() {
    let house = House::new("saving");
    let web = change(&house, r#"{"add_group":{"account":"shop","group":{"name":"web","systems":["shop-web"]}}}"#);
    let web: String = web.chars().filter(char::is_ascii_digit).collect();
    let ann = house.member("ann@example.com", &["--account", "shop"]);
    let gus = house.member("gus@example.com", &["--account", "shop", "--group", "web"]);
    let rob = house.member("rob@example.com", &["--account", "shop", "--read-only"]);
    let bob = house.member("bob@example.com", &["--account", "blog"]);
    let record = house.token(&["--account", "shop", "--kind", "record"]);
    // The token of a session's forms, as the page of lines has it; who may not save has no such form there.
    let page = |cookie: &str| house.ask("GET", "/events?q=with", &[("Cookie", cookie)]).body;
    let save = |cookie: &str| {
        let page = page(cookie);
        let form = page.split("action=\"/searches\"").nth(1)?.split("name=\"form\" value=\"").nth(1)?;
        Some(form.split('"').next().unwrap().to_owned())
    };
    let token = save(&ann).unwrap();
    let fields = |token: &'static str, name: &'static str| [("form", token), ("name", name), ("q", "with")];
    let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let own = leak(&token);
    let saved = house.form("/searches", &ann, &fields(own, "of ann"));
    assert!(saved.status == 303 && saved.head.contains("/events?search="), "{saved:?}");
    let id = saved.head.split("search=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // Without the form's token, or with another's, nothing is saved.
    for token in ["", "x", leak(&save(&bob).unwrap()), leak(&save(&gus).unwrap())] {
        assert_eq!(house.form("/searches", &ann, &fields(token, "never")).status, 403);
    }
    assert_eq!(house.form("/searches", "", &fields(own, "never")).status, 401);
    assert_eq!(save(&rob), None);
    let own = leak(&save(&gus).unwrap());
    // Who sees one group saves in it alone, and changes nothing of all systems.
    assert_eq!(house.form("/searches", &gus, &fields(own, "never")).status, 403);
    let in_group = [&fields(own, "of gus")[..], &[("group", leak(&web))]].concat();
    assert_eq!(house.form("/searches", &gus, &in_group).status, 303);
    let replace = [&in_group[..], &[("replace", leak(&id))]].concat();
    assert_eq!(house.form("/searches", &gus, &replace).status, 403);
    assert_eq!(house.form(&format!("/searches/{id}/edit"), &gus, &in_group).status, 403);
    assert_eq!(house.form(&format!("/searches/{id}/delete"), &gus, &fields(own, "")).status, 403);
    assert_eq!(house.ask("GET", &format!("/searches/{id}/edit"), &[("Cookie", &gus)]).status, 403);
    // Another account has none of this number, and cannot name this account.
    let own = leak(&save(&bob).unwrap());
    for account in [None, Some(("account", "shop"))] {
        let all = [&fields(own, "never")[..], account.as_slice()].concat();
        let answer = house.form(&format!("/searches/{id}/edit"), &bob, &all);
        assert!(matches!(answer.status, 403 | 404), "{answer:?}");
    }
    let by_token = [("Authorization", format!("Bearer {record}"))];
    let headers: Vec<_> = by_token.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let kind = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer =
        request(house.server.address, "POST", "/searches", &[&headers[..], &kind].concat(), b"name=never").unwrap();
    assert_eq!(answer.status, 403, "{answer:?}");
    let all = page(&ann);
    assert!(all.contains("of ann") && all.contains("of gus") && !all.contains("never"), "{all}");
    assert!(!page(&bob).contains("of ann"));
    assert_eq!(house.server.stop().0, Some(0));
}

#[test]
fn systems_that_were_heard_have_numbers() {
    let house = House::new("heard");
    // Where the API of systems is not there yet, the file itself says so.
    wait_until("numbers", || {
        let bytes = std::fs::read(house.dir.join("store/settings.db")).unwrap();
        ["shop-web", "shop-db", "blog-web"]
            .iter()
            .all(|name| bytes.windows(name.len()).any(|part| part == name.as_bytes()))
            .then_some(())
    });
    assert_eq!(house.server.stop().0, Some(0));
}
