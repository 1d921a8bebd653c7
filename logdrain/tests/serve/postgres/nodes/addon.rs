//! The add-on on nodes: Heroku may come to any of them, to several at once, and to another one when one has died in the middle.

use super::cluster::{Cluster, Node, OPERATOR};
use crate::addon::{CLIENT, Door, PASSWORD, SALT, cookie, json_of, now, of_user, token, uuid};
use crate::crash::Dice;
use crate::harness::{request, scratch, wait_until, wait_within};
use crate::purge::MINUTES;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use testkit::postgres::Postgres;

fn start(dir: &Path, postgres: &Postgres, heroku: Option<SocketAddr>) -> Cluster {
    let cluster = cluster(dir, postgres, heroku);
    assert!(cluster.start(&[]));
    cluster
}

fn cluster(dir: &Path, postgres: &Postgres, heroku: Option<SocketAddr>) -> Cluster {
    let url = postgres.url();
    let key = dir.join("seal.key");
    let top = format!(
        "window = \"1s\"\nlateness = \"1s\"\njournal_ahead = \"16kB\"\nurl = \"http://127.0.0.1:8514\"\nkey_file = {key:?}\n"
    );
    let heroku = heroku.map_or(String::new(), |at| {
        format!("api = \"http://{at}\"\nidentity = \"http://{at}\"\nclient_secret = \"{CLIENT}\"\n")
    });
    let section = format!(
        "[addon]\nid = \"papertrail\"\npassword = \"{PASSWORD}\"\nsso_salt = \"{SALT}\"\n\
         plans = [\"development\", \"gold\"]\ndeprovision_grace = \"4s\"\n{heroku}"
    );
    Cluster::new(dir, [&url; 3]).with_lines().with(&top).with_section(&section)
}

fn door(node: &Node) -> Door {
    Door { at: node.address().unwrap() }
}

fn account(number: u32) -> String {
    format!("heroku-{}", uuid(number))
}

fn resource(number: u32) -> String {
    format!("/heroku/resources/{}", uuid(number))
}

/// Until one of them answers that it is made; answers what it says.
fn provisioned(node: &Node, number: u32) -> String {
    wait_until("a resource that is made", || {
        let answer = door(node).provision(number);
        (answer.status == 200).then_some(answer.body)
    })
}

/// The plan that an account has, as a node says.
fn plan(node: &Node, number: u32) -> Option<String> {
    let path = format!("/api/v2/plan?account={}", account(number));
    let answer = request(node.address()?, "GET", &path, &[OPERATOR], b"").ok()?;
    let told: Value = serde_json::from_str(&answer.body).ok()?;
    Some(told["plan"]["name"].as_str()?.to_ascii_lowercase())
}

/// As who dies in the middle of something leaves it: it is said that it is to be, and not done.
fn leave(postgres: &Postgres, number: u32, what: &str) {
    let set = format!(
        "UPDATE logdrain.addon SET value = (value::jsonb || '{what}')::text, due = 0, gone = ('{what}'::jsonb ->> 'gone')::bigint \
         WHERE uuid = '{}'",
        uuid(number)
    );
    postgres.sql(&set);
}

#[test]
fn any_node_makes_a_resource_once_gives_it_another_plan_and_removes_it_whoever_dies_meanwhile() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-addon");
    let cluster = start(&dir, &postgres, None);
    let nodes = &cluster.nodes;
    // The same request at all nodes at once, and one of them is killed in the middle.
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for number in 1..=4 {
        let bodies: Vec<_> = std::thread::scope(|scope| {
            let ask = |node: &'_ Node| {
                let at = node.address().unwrap();
                move || {
                    std::panic::catch_unwind(|| Door { at }.provision(number))
                        .ok()
                        .filter(|answer| answer.status == 200)
                }
            };
            let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(ask(node))).collect();
            if number > 1 {
                std::thread::sleep(Duration::from_millis(dice.below(40)));
                nodes[number as usize - 2].kill();
            }
            threads.into_iter().filter_map(|thread| Some(thread.join().ok()??.body)).collect()
        });
        if number > 1 {
            assert!(nodes[number as usize - 2].start(&[]));
            cluster.wait_for_owners();
        }
        for node in nodes {
            let again = provisioned(node, number);
            assert!(bodies.iter().all(|body| *body == again), "{number}: {bodies:?}, and then {again}");
        }
    }
    let made: Vec<Value> =
        (1..=4).map(|number| serde_json::from_str(&provisioned(&nodes[0], number)).unwrap()).collect();
    for (number, made) in (1..).zip(&made) {
        for (at, node) in nodes.iter().enumerate() {
            let line = format!("line-{number}-at-{at}");
            wait_until("a line that is taken", || {
                (door(node).deliver(made, &token(number), &line) == 204).then_some(())
            });
            assert_eq!(door(node).deliver(made, &token(number + 1), "x"), 401, "each has its own token");
        }
        for node in nodes {
            wait_until("its lines, asked of any node", || {
                let found = door(node).search(made, "line").body;
                (0..3).all(|at| found.contains(&format!("line-{number}-at-{at}"))).then_some(())
            });
        }
    }
    let counts =
        "SELECT (SELECT count(*) FROM logdrain.addon WHERE uuid <> 'key'), (SELECT count(*) FROM logdrain.tokens)";
    assert_eq!(postgres.sql(counts), "4|4");

    // Another plan, asked for at one node, and one that was asked for at a node that has died.
    let answer = door(&nodes[1]).heroku("PUT", &resource(1), &json!({"plan": "development"}));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(door(&nodes[2]).heroku("PUT", &resource(1), &json!({"plan": "none"})).status, 422);
    assert_eq!(door(&nodes[2]).heroku("PUT", &resource(9), &json!({"plan": "gold"})).status, 404);
    leave(&postgres, 2, &format!("{{\"plan\": \"development\", \"changed\": {}}}", now() + 5));
    for number in [1, 2] {
        for node in nodes {
            wait_until("a plan", || (plan(node, number)? == "development").then_some(()));
        }
    }
    assert_eq!(plan(&nodes[0], 3).as_deref(), Some("gold"));

    // A sign-on at one node is good once, and the session that begins by it is known to all.
    let form = of_user(1, now(), "u-1");
    let signed_on = door(&nodes[0]).sign_on(&form, None);
    assert_eq!(signed_on.status, 303, "{signed_on:?}");
    let session = cookie(&signed_on, "logdrain");
    for node in &nodes[1..] {
        assert_eq!(door(node).sign_on(&form, None).status, 403, "used before");
        wait_until("the page of its lines", || door(node).page(&session).body.contains("line-1-at-0").then_some(()));
    }
    nodes[0].kill();
    wait_until("the page, when the first one has died", || {
        door(&nodes[1]).page(&session).body.contains("line-1-at-0").then_some(())
    });
    assert!(nodes[0].start(&[]));
    cluster.wait_for_owners();

    // It is removed, by all nodes at once; and one by a node that died in the middle of it.
    let removed: Vec<_> = std::thread::scope(|scope| {
        let ask = |node: &'_ Node| {
            let door = door(node);
            move || door.heroku("DELETE", &resource(1), &Value::Null).status
        };
        let threads: Vec<_> = nodes.iter().map(|node| scope.spawn(ask(node))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(removed.contains(&204) && removed.iter().all(|status| [204, 410].contains(status)), "{removed:?}");
    leave(&postgres, 2, &format!("{{\"gone\": {}}}", now()));
    for number in [1, 2] {
        let made = &made[number as usize - 1];
        for node in nodes {
            wait_until("nothing that comes in", || {
                (door(node).deliver(made, &token(number), "late") == 401).then_some(())
            });
            wait_until("nobody who comes in", || (door(node).search(made, "line").status == 401).then_some(()));
            // One that has not heard of all of it yet does it once more.
            wait_until("a resource that was removed", || {
                (door(node).heroku("DELETE", &resource(number), &Value::Null).status == 410).then_some(())
            });
            assert_eq!(door(node).heroku("PUT", &resource(number), &json!({"plan": "gold"})).status, 410);
            assert_eq!(door(node).sign_on(&of_user(number, now(), "u-2"), None).status, 410);
            assert_eq!(door(node).provision(number).status, 410);
        }
    }
    assert!(!door(&nodes[1]).page(&session).body.contains("line-1-at-0"), "its session is over");
    // Its grace is over, and the homes die.
    nodes[2].kill();
    assert!(nodes[2].start(&[]));
    let over = "SELECT count(*) FROM logdrain.destroyed WHERE is_over";
    wait_within(MINUTES, "the end of their accounts", || (postgres.sql(over) == "2").then_some(()));
    let left = format!(
        "SELECT (SELECT count(*) FROM logdrain_minutes.names WHERE account IN ('{0}', '{1}')), \
         (SELECT count(*) FROM logdrain.accounts WHERE name IN ('{0}', '{1}'))",
        account(1),
        account(2)
    );
    assert_eq!(postgres.sql(&left), "0|0");
    let due = "SELECT count(*) FROM logdrain.addon WHERE due = 0";
    wait_until("nothing that is to be done", || (postgres.sql(due) == "0").then_some(()));
    cluster.wait_for_owners();
    for node in nodes {
        assert_eq!(door(node).provision(1).status, 410, "its UUID is known for ever");
        assert!(door(node).search(&made[2], "line").body.contains("line-3-at-1"), "others are there");
    }
    for node in nodes {
        let log = node.stop();
        assert!(!log.contains("s3cret") && !log.contains("a@example.com"), "{log}");
    }
}

/// A stand-in for Heroku, which leaves so many without an answer; and how many have come with the code.
fn heroku(unanswered: usize) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (at, asked) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.set_read_timeout(Some(Duration::from_millis(300)));
            let (mut all, mut chunk) = (Vec::new(), [0; 4_096]);
            while let Ok(len @ 1..) = stream.read(&mut chunk) {
                all.extend_from_slice(&chunk[..len]);
            }
            let text = String::from_utf8_lossy(&all).into_owned();
            let body = if text.starts_with("POST /oauth/token ") && text.contains("code=s3cret-code-1") {
                if count.fetch_add(1, Ordering::SeqCst) < unanswered {
                    held.push(stream);
                    continue;
                }
                r#"{"access_token":"s3cret-access","refresh_token":"s3cret-refresh","expires_in":28799}"#
            } else {
                r#"{"app":{"id":"x","name":"shop-production"},"state":"provisioned"}"#
            };
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        }
    });
    (at, asked)
}

#[test]
fn the_apps_name_is_asked_for_by_another_node_when_the_one_that_asked_has_died() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-addon-grant");
    let (at, asked) = heroku(1);
    let cluster = start(&dir, &postgres, Some(at));
    let nodes = &cluster.nodes;
    let made = json_of(&door(&nodes[0]).provision(1));
    wait_until("a node that asks", || (asked.load(Ordering::SeqCst) == 1).then_some(()));
    nodes[0].kill();
    let kept = || postgres.sql(&format!("SELECT value FROM logdrain.addon WHERE uuid = '{}'", uuid(1)));
    assert!(kept().contains("\"grant\""), "{}", kept());
    let kept = wait_within(MINUTES, "the app's name", || Some(kept()).filter(|kept| kept.contains("shop-production")));
    assert!(!kept.contains("s3cret") && !kept.contains("\"grant\""), "{kept}");
    assert_eq!(asked.load(Ordering::SeqCst), 2, "once by whoever took over");
    assert!(nodes[0].start(&[]));
    cluster.wait_for_owners();
    for (node, line) in nodes.iter().zip(["named-0", "named-1", "named-2"]) {
        assert_eq!(door(node).deliver(&made, &token(1), line), 204);
        wait_until("a line of the app", || {
            let found = door(node).search(&made, line).body;
            (found.contains(line) && found.contains("shop-production")).then_some(())
        });
    }
    for node in nodes {
        let log = node.stop();
        assert!(!log.contains("s3cret"), "{log}");
    }
}

#[test]
fn a_node_with_another_key_says_so_and_answers_nothing_else_than_the_others() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-addon-key");
    let cluster = start(&dir, &postgres, None);
    let nodes = &cluster.nodes;
    let first = door(&nodes[0]).provision(1);
    assert_eq!(first.status, 200, "{first:?}");
    nodes[1].kill();
    let text = std::fs::read_to_string(nodes[1].config()).unwrap();
    std::fs::write(nodes[1].config(), text.replace("seal.key", "other.key")).unwrap();
    assert!(nodes[1].start(&[]));
    cluster.wait_for_owners();
    assert_eq!(door(&nodes[1]).provision(1).status, 503);
    assert_eq!(door(&nodes[2]).provision(1).body, first.body);
    let log = nodes[1].stop();
    assert!(log.contains("key_file is not that of the other nodes"), "{log}");
}

#[test]
fn a_sign_on_is_good_once_by_the_clock_that_all_nodes_go_by() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-addon-clocks");
    let cluster = cluster(&dir, &postgres, None).with_clocks(["+0", "+240", "+3600"]);
    if !cluster.start(&[]) {
        return;
    }
    let nodes = &cluster.nodes;
    provisioned(&nodes[0], 1);
    let first = of_user(1, now() - 70, "u-1");
    let signed_on = door(&nodes[0]).sign_on(&first, None);
    assert_eq!(signed_on.status, 303, "{signed_on:?}");
    // One comes in by a node whose clock is ahead, and by one of which it is far ahead.
    for (node, user) in nodes[1..].iter().zip(["u-2", "u-3"]) {
        let answer = door(node).sign_on(&of_user(1, now(), user), None);
        assert_eq!(answer.status, 303, "{answer:?}");
        for node in nodes {
            assert_eq!(door(node).sign_on(&first, None).status, 403, "used before");
        }
    }
    // No name of an add-on, and nothing that the database is asked for.
    let session = cookie(&signed_on, "logdrain");
    let link = door(&nodes[0]).ask("GET", "/apps/shop/addons/%00", &[("Cookie", &session)], b"");
    assert_eq!(link.status, 404, "{link:?}");
}
