//! Pages and API of alerts, channels, dashboards and accounts, on nodes: what is done through one of them is so on all, also when
//! the home of the account was killed; and a database that hangs keeps nobody from what does not need it.

use super::cluster::{ACCOUNTS, Node, OPERATOR, account};
use super::passing::Three;
use super::people::set_password;
use crate::harness::{Answer, Delivery, now_micros, request, scratch, time_of, wait_until};
use crate::outbox::Receiver;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use testkit::postgres::Postgres;

const CONFIG: &str = "window = \"1s\"\nlateness = \"0s\"\noutbound_allow = [\"127.0.0.1\"]\n";

/// Three nodes that seal with the same key.
pub(super) fn three(dir: &Path, postgres: &Postgres, lease: &str) -> Three {
    let key = dir.join("nodes.key");
    std::fs::write(&key, "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").unwrap();
    let lease = format!("lease = \"{lease}\"");
    Three::start_as(dir, postgres, |node| {
        node.with(&format!("{CONFIG}key_file = {key:?}")).saying("lease = \"2s\"", &lease)
    })
}

/// Somebody who asks about one account.
pub(super) struct Person<'a> {
    pub(super) three: &'a Three,
    pub(super) account: String,
}

impl Person<'_> {
    fn node(&self, node: usize) -> &Node {
        &self.three.cluster.nodes[node]
    }

    pub(super) fn ask(&self, node: usize, method: &str, path: &str, body: &Value) -> Answer {
        self.try_to_ask(node, method, path, body).unwrap()
    }

    /// The same; it fails where there is no answer within ten seconds.
    fn try_to_ask(&self, node: usize, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let mark = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{mark}account={}", self.account);
        let len = text.len().to_string();
        let mut headers = vec![OPERATOR, ("Content-Type", "application/json"), ("Accept", "text/html")];
        headers.extend((method != "POST").then_some(("Content-Length", len.as_str())));
        request(self.node(node).address().unwrap(), method, &path, &headers, text.as_bytes())
    }

    /// The same, which is answered as expected.
    pub(super) fn api(&self, node: usize, (method, path): (&str, &str), body: &Value, status: u16) -> Value {
        let answer = self.ask(node, method, &format!("/api/v2/{path}"), body);
        assert_eq!(answer.status, status, "{method} {path} {body}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { serde_json::from_str(&answer.body).unwrap() }
    }

    /// What there is by all nodes that live, which is the same.
    fn everywhere(&self, path: &str) -> Value {
        let live = (0..3).filter(|node| self.node(*node).address().is_some());
        let mut all: Vec<_> = live.map(|node| self.api(node, ("GET", path), &Value::Null, 200)).collect();
        all.dedup();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub(super) fn page(&self, node: usize, path: &str) -> String {
        let answer = self.ask(node, "GET", path, &Value::Null);
        assert_eq!(answer.status, 200, "{path} at {node}: {answer:?}");
        answer.body
    }

    /// Values of a stream come to a node until something is there.
    pub(super) fn send_until<T>(
        &self,
        node: usize,
        stream: &str,
        value: u32,
        mut look: impl FnMut() -> Option<T>,
    ) -> T {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        wait_until("what comes of a value", || {
            let time = time_of(now_micros());
            let frame = format!("<190>1 {time} host app web.1 - sample#queue.depth={value} source={stream}\n");
            let id = format!("{:032X}", NUMBER.fetch_add(1, Ordering::SeqCst) + 0xF000);
            let token = format!("{}/d.pages", self.account);
            let body = format!("{} {frame}", frame.len()).into_bytes();
            let _ = Delivery { id, token, body }.send(self.node(node).address()?);
            std::thread::sleep(Duration::from_millis(100));
            look()
        })
    }

    /// Another one has become home of the account, which all who live know.
    fn wait_for_other_home(&self, before: usize) -> usize {
        let home = wait_until("another home", || self.three.home(&self.account).filter(|home| *home != before));
        for node in (0..3).filter(|node| *node != before) {
            wait_until("an answer", || {
                (self.ask(node, "GET", "/api/v2/account", &Value::Null).status == 200).then_some(())
            });
        }
        home
    }
}

#[test]
fn an_alert_that_was_made_through_another_node_is_told_also_when_its_home_was_killed() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-pages-alerts");
    let three = three(&dir, &postgres, "2s");
    let acme = Person { three: &three, account: account(0) };
    let receiver = Receiver::start([]);
    let home = three.home(&acme.account).unwrap();
    let (b, c) = ((home + 1) % 3, (home + 2) % 3);

    let hook = json!({ "kind": "json", "name": "hook", "url": receiver.url(), "secret": "a secret of the test" });
    let channel = acme.api(b, ("POST", "channels"), &hook, 201)["id"].as_u64().unwrap();
    let one = format!("channels/{channel}");
    acme.api(c, ("PATCH", &one), &json!({ "name": "the hook" }), 200);
    assert_eq!(acme.everywhere(&one)["name"], "the hook");
    acme.api(c, ("POST", &format!("{one}/test")), &json!({}), 200);
    let tested = wait_until("a test", || receiver.came().pop());
    assert!(!tested.id().is_empty());

    let rule = json!({ "name": "long queues", "per_signal": true, "when": [{ "metric": "queue.depth", "above": 5 }] });
    let alert = acme.api(b, ("POST", "alerts"), &json!({ "metric": rule, "channels": [channel] }), 201);
    let of_one = format!("alerts/{}", alert["id"]);
    acme.api(c, ("POST", &format!("{of_one}/mute")), &json!({ "for": "1h" }), 200);
    assert_eq!(acme.everywhere(&of_one)["state"], "muted");
    acme.api(b, ("DELETE", &format!("{of_one}/mute")), &Value::Null, 200);
    assert_ne!(acme.everywhere(&of_one)["state"], "muted");

    // Lines come to one node, another one counts them, and what it tells arrives once.
    let told = |stream: &str| {
        let came = receiver.came();
        came.into_iter().filter(|came| came.body.contains("fired") && came.body.contains(stream)).collect::<Vec<_>>()
    };
    acme.send_until(c, "q.first", 9, || told("q.first").pop());
    let sent = |node: usize| {
        let history = acme.api(node, ("GET", &format!("{of_one}/history")), &Value::Null, 200);
        let all = history["messages"].as_array().unwrap().clone();
        (!all.is_empty() && all.iter().all(|told| told["deliveries"][0]["state"] == "sent")).then_some(all.len())
    };
    wait_until("a note that it has arrived", || sent(b));
    for (path, said) in [
        ("/alerts", "long queues"),
        ("/alerts/channels", "the hook"),
        ("/alerts/history", "long queues"),
        ("/alerts/new", "metric"),
        (&format!("/{of_one}"), "long queues"),
        (&format!("/{of_one}/edit"), "long queues"),
    ] {
        for node in 0..3 {
            assert!(acme.page(node, path).contains(said), "{path}");
        }
    }

    // A form does it, too, by a session that began at another node.
    let link = crate::dashboards::account(
        three.cluster.nodes[b].dir(),
        &["member", "add", "ann@example.com", "--account", &acme.account],
    );
    let cookie = set_password(&three.cluster.nodes[b], link.lines().find(|line| line.contains("/invite/")).unwrap());
    let at = three.cluster.nodes[c].address().unwrap();
    let page = request(at, "GET", "/alerts/channels", &[("Cookie", &cookie)], b"").unwrap();
    let form = page.body.split("name=\"form\" value=\"").nth(1).unwrap_or_else(|| panic!("{page:?}"));
    let body = format!("form={}&do=test%3A{channel}", form.split('"').next().unwrap());
    let before = receiver.came().len();
    let headers = [("Cookie", cookie.as_str()), ("Content-Type", "application/x-www-form-urlencoded")];
    let done = request(at, "POST", "/alerts/channels", &headers, body.as_bytes()).unwrap();
    assert_eq!(done.status, 303, "{done:?}");
    wait_until("another test", || (receiver.came().len() > before).then_some(()));

    three.cluster.nodes[home].kill();
    acme.wait_for_other_home(home);
    assert_eq!(acme.everywhere(&one)["name"], "the hook");
    assert_eq!(acme.everywhere(&of_one)["name"], "long queues");
    acme.send_until(c, "q.second", 9, || told("q.second").pop());
    wait_until("a note that it has arrived", || sent(c).filter(|count| *count >= 2));
    for stream in ["q.first", "q.second"] {
        let mut ids: Vec<_> = told(stream).iter().map(crate::outbox::Came::id).collect();
        assert!(ids.len() == 1 && ids.pop().is_some_and(|id| !id.is_empty()), "{stream}: {ids:?}");
    }

    acme.api(c, ("PATCH", &of_one), &json!({ "on": false }), 200);
    assert_eq!(acme.everywhere(&of_one)["state"], "off");
    acme.api(b, ("DELETE", &of_one), &Value::Null, 204);
    acme.api(c, ("DELETE", &one), &Value::Null, 204);
    assert_eq!(acme.everywhere("alerts")["alerts"], json!([]));
    assert_eq!(acme.everywhere("channels")["channels"], json!([]));
}

#[test]
fn a_dashboard_made_on_one_node_is_seen_at_once_on_the_others_and_outlives_its_home() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-pages-dashboards");
    let three = three(&dir, &postgres, "2s");
    let acme = Person { three: &three, account: account(1) };
    let home = three.home(&acme.account).unwrap();
    let (b, c) = ((home + 1) % 3, (home + 2) % 3);
    acme.send_until(c, "q.first", 9, || {
        let found = acme.api(b, ("GET", "metrics"), &Value::Null, 200);
        found.to_string().contains("queue.depth").then_some(())
    });
    let chart = json!({ "title": "depth", "series": [{ "metric": "queue.depth" }] });
    let board = json!({ "dashboard": { "title": "Queues", "charts": [chart] } });
    let made = acme.api(b, ("POST", "dashboards"), &board, 201);
    let (id, version) = (made["id"].to_string(), made["version"].clone());
    let of_one = format!("dashboards/{id}");
    assert_eq!(acme.everywhere(&of_one)["title"], "Queues");
    let mut changed = json!({ "dashboard": made["dashboard"], "version": version });
    changed["dashboard"]["title"] = json!("All queues");
    acme.api(c, ("PUT", &of_one), &changed, 200);
    // Who had read what was there before is told so, by any node.
    assert_eq!(acme.ask(b, "PUT", &format!("/api/v2/{of_one}"), &changed).status, 409);
    let chart = made["dashboard"]["charts"][0]["id"].as_str().unwrap();
    for path in [
        "/dashboards/overview".to_owned(),
        format!("/{of_one}"),
        format!("/{of_one}/edit"),
        format!("/{of_one}/share"),
        format!("/{of_one}/export"),
        format!("/charts/{id}/{chart}.csv"),
        "/explore".to_owned(),
        "/explore/queue.depth".to_owned(),
    ] {
        for node in 0..3 {
            acme.page(node, &path);
        }
    }
    assert!(acme.page(b, &format!("/{of_one}")).contains("All queues"));

    // A link that is made by one opens by the next, and not for long after it was taken back.
    let opens = |node: usize, link: &str| {
        let address = three.cluster.nodes[node].address().unwrap();
        request(address, "GET", &link[link.find("/shared/").unwrap()..], &[], b"").unwrap()
    };
    let share = acme.api(b, ("POST", "shares"), &json!({ "dashboard": id, "range": "1h" }), 201);
    let link = share["link"].as_str().unwrap().to_owned();
    for node in [c, home, b] {
        let page = opens(node, &link);
        assert!(page.status == 200 && page.body.contains("All queues"), "{page:?}");
    }
    assert_eq!(opens(c, "/shared/nothing").status, 404);
    let other = acme.api(c, ("POST", "shares"), &json!({ "dashboard": "overview" }), 201);
    acme.api(b, ("DELETE", &format!("shares/{}", other["id"])), &Value::Null, 204);
    let gone = other["link"].as_str().unwrap();
    wait_until("a link that is good nowhere", || (0..3).all(|node| opens(node, gone).status == 404).then_some(()));

    three.cluster.nodes[home].kill();
    acme.wait_for_other_home(home);
    assert_eq!(acme.everywhere(&of_one)["title"], "All queues");
    assert!(opens(b, &link).body.contains("All queues") && opens(c, &link).body.contains("All queues"));
    acme.api(b, ("DELETE", &of_one), &Value::Null, 204);
    assert_eq!(acme.ask(c, "GET", &format!("/api/v2/{of_one}"), &Value::Null).status, 404);
    wait_until("a link that opens nothing", || {
        [b, c].iter().all(|node| opens(*node, &link).status == 404).then_some(())
    });
}

#[test]
fn nodes_that_keep_no_lines_have_dashboards_and_links_to_them_too() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-pages-no-lines");
    let nodes = ["a", "b"].map(|name| Node::new(&dir, name, &postgres.url()));
    assert!(nodes.iter().all(|node| node.start(&[])));
    let made = crate::dashboards::account(&dir.join("a"), &["token", "add", "--account", "shop"]);
    let token = format!("Bearer {}", made.trim());
    let ask = |node: usize, method: &str, path: &str, body: &str| {
        let headers = [("Authorization", token.as_str()), ("Content-Type", "application/json")];
        request(nodes[node].address().unwrap(), method, path, &headers, body.as_bytes()).unwrap()
    };
    // Before there was anybody, nobody had to sign in there.
    let nobody = || request(nodes[1].address().unwrap(), "GET", "/api/v2/dashboards", &[], b"").unwrap().status;
    wait_until("a node that knows that somebody is there", || (nobody() == 401).then_some(()));
    let board = r#"{"copy":"overview","title":"Own"}"#;
    let made = wait_until("a node that knows who asks", || {
        let made = ask(0, "POST", "/api/v2/dashboards", board);
        (made.status != 503).then_some(made)
    });
    assert_eq!(made.status, 201, "{made:?}");
    let made: Value = serde_json::from_str(&made.body).unwrap();
    let (id, path) = (made["id"].to_string(), format!("/api/v2/dashboards/{}", made["id"]));
    let seen = ask(1, "GET", &path, "");
    assert!(seen.status == 200 && seen.body.contains("Own"), "{seen:?}");
    let share = ask(1, "POST", "/api/v2/shares", &json!({ "dashboard": id }).to_string());
    assert_eq!(share.status, 201, "{share:?}");
    let share: Value = serde_json::from_str(&share.body).unwrap();
    let link = share["link"].as_str().unwrap();
    let page = request(nodes[0].address().unwrap(), "GET", &link[link.find("/shared/").unwrap()..], &[], b"").unwrap();
    assert!(page.status == 200 && page.body.contains("Own"), "{page:?}");
    for (path, status) in [("/explore", 200), ("/dashboards/overview", 200), ("/alerts", 501), ("/events", 501)] {
        let page = ask(1, "GET", path, "");
        assert_eq!(page.status, status, "{path}: {page:?}");
        assert!(["/alerts", "/events", "/archives"].iter().all(|path| !page.body.contains(&format!("href=\"{path}"))));
    }
}

/// Two accounts that are at home with the same node, and that node.
fn neighbours(three: &Three) -> (String, String, usize) {
    let homes: Vec<_> = (0..ACCOUNTS).map(|number| (account(number), three.home(&account(number)).unwrap())).collect();
    let pairs = homes.iter().enumerate().flat_map(|(at, one)| homes[at + 1..].iter().map(move |other| (one, other)));
    let mut same = pairs.filter(|(one, other)| one.1 == other.1);
    let (one, other) = same.next().expect("five accounts, and three nodes");
    (one.0.clone(), other.0.clone(), one.1)
}

#[test]
fn a_database_that_hangs_keeps_nobody_from_what_does_not_need_it() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-pages-hung");
    // Nobody moves house meanwhile.
    let three = three(&dir, &postgres, "40s");
    let (busy, other, home) = neighbours(&three);
    let (busy, other) = (Person { three: &three, account: busy }, Person { three: &three, account: other });
    for (person, stream) in [(&busy, "q.busy"), (&other, "q.other")] {
        person.send_until(home, stream, 9, || person.page(home, "/events").contains(stream).then_some(()));
    }
    let own = busy.api(home, ("POST", "dashboards"), &json!({ "copy": "overview", "title": "Own" }), 201);
    let own = format!("/dashboards/{}", own["id"]);
    postgres.pause(true);
    let (is_over, asked, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        let paths = ["/api/v2/dashboards", "/api/v2/channels", &own, "/alerts/channels", "/dashboards/overview"];
        for number in 0..40_usize {
            let (busy, is_over, asked, failed) = (&busy, &is_over, &asked, &failed);
            let path = paths[number % paths.len()];
            scope.spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    let answer = busy.try_to_ask(home, "GET", path, &Value::Null);
                    asked.fetch_add(1, Ordering::SeqCst);
                    // Pages wait for those before them, one after the other.
                    let answer = match answer {
                        Err(error) if path.starts_with("/api/") => panic!("{path}: {error}"),
                        Err(_) => continue,
                        Ok(answer) => answer,
                    };
                    match answer.status {
                        200 => {}
                        503 => drop(failed.fetch_add(1, Ordering::SeqCst)),
                        _ => panic!("{path}: {answer:?}"),
                    }
                }
            });
        }
        let ended = Ended(&is_over);
        wait_until("some who ask in vain", || (failed.load(Ordering::SeqCst) > 20).then_some(()));
        let at = three.cluster.nodes[home].address().unwrap();
        for number in 0..15_u64 {
            assert_eq!(request(at, "GET", "/healthz", &[], b"").unwrap().status, 200);
            let page = other.ask(home, "GET", "/events", &Value::Null);
            assert!(page.status == 200 && page.body.contains("q.other"), "{number}: {page:?}");
            let delivery = Delivery {
                id: format!("{:032X}", 0xE0000 + number),
                token: format!("{}/d.hung", other.account),
                body: crate::harness::body(number, 2),
            };
            assert_eq!(delivery.send(at).unwrap(), 204, "{number}");
            std::thread::sleep(Duration::from_millis(300));
        }
        drop(ended);
    });
    postgres.pause(false);
    println!("{asked:?} were asked, {failed:?} of them were told to come again");
    wait_until("its dashboards are there again", || {
        (busy.ask(home, "GET", &own, &Value::Null).status == 200).then_some(())
    });
    assert!(busy.page(home, &own).contains("Own"));
}

/// It is over, also when a test fails on its way.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
