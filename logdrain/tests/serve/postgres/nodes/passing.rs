//! Any node answers any request: it passes on what is about an account to that account's home.

use super::cluster::{ACCOUNTS as SENDING, Cluster, LEASE, Node, OPERATOR, PARTITIONS, account};
use super::seed;
use super::senders::Senders;
use crate::certified::certified;
use crate::harness::{Answer, Delivery, Server, body, free_port, request, scratch, wait_until};
use crate::logdrain;
use crate::postgres::relay::{Relay, Way};
use crate::tails::Tail;
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::postgres::Postgres;

/// What whoever waits for a home is told 503 after, and some for a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);
const ACCOUNTS: usize = 40;

/// Three nodes that know each other, each by a way of its own.
pub(super) struct Three {
    pub(super) cluster: Cluster,
    config: PathBuf,
    ways: Vec<Relay>,
    /// Where each listens.
    pub(super) ports: Vec<String>,
}

fn secret(dir: &Path, letter: &str) -> String {
    let path = dir.join(format!("{letter}.secret"));
    fs::write(&path, letter.repeat(40)).unwrap();
    format!("secret_file = {path:?}\n")
}

impl Three {
    pub(super) fn start(dir: &Path, postgres: &Postgres) -> Self {
        Self::start_as(dir, postgres, |node| node)
    }

    /// The same, each of them changed before it starts.
    pub(super) fn start_as(dir: &Path, postgres: &Postgres, change: impl Fn(Node) -> Node) -> Self {
        let mut ways = Vec::new();
        let nodes = ["a", "b", "c"].map(|name| {
            let port = free_port();
            let way = Relay::to(port);
            let node = Node::new(dir, name, &postgres.url()).with_lines();
            let node = node.at(&format!("http://127.0.0.1:{}", way.port));
            ways.push(way);
            (change(node), port)
        });
        let ports: Vec<_> = nodes.iter().map(|(_, port)| format!("127.0.0.1:{port}")).collect();
        for ((node, _), port) in nodes.iter().zip(&ports) {
            assert!(node.start(&["--listen", port]));
        }
        let cluster = Cluster { nodes: nodes.into_iter().map(|(node, _)| node).collect(), keeps_lines: true };
        cluster.wait_for_owners();
        // Each has looked at the others since.
        std::thread::sleep(Duration::from_secs(1));
        Self { cluster, config: dir.join("a/config.toml"), ways, ports }
    }

    /// Which node is home of an account, by what `cluster status` says.
    pub(super) fn home(&self, account: &str) -> Option<usize> {
        let digest = Sha256::digest(account);
        let first = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let part = usize::try_from(first % PARTITIONS as u64).unwrap();
        let status =
            logdrain(&["cluster", "status", "--config", self.config.to_str().unwrap(), "--format", "json"], b"");
        let told: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
        let node = told["partitions"][part]["node"].as_str()?;
        let node = told["nodes"].as_array().unwrap().iter().find(|known| known["node"] == node)?;
        let port = node["url"].as_str()?.rsplit(':').next()?.parse::<u16>().ok()?;
        self.ways.iter().position(|way| way.port == port)
    }

    fn ask(&self, node: usize, method: &str, account: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let address = self.cluster.nodes[node].address().unwrap();
        let path = format!("/api/v2/usage?account={account}");
        request(address, method, &path, &[&[OPERATOR], headers].concat(), body).unwrap()
    }

    /// What a node finds of an account's lines.
    pub(super) fn search(&self, node: usize, account: &str) -> Option<Vec<serde_json::Value>> {
        let path = format!("/api/v1/events/search.json?account={account}&limit=1000");
        let answer = request(self.cluster.nodes[node].address()?, "GET", &path, &[OPERATOR], b"").ok()?;
        let found: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
        found["events"].as_array().cloned().filter(|_| answer.status == 200)
    }

    fn get(&self, node: usize, account: &str) -> Answer {
        self.ask(node, "GET", account, &[], b"")
    }

    /// What a node counted of what it passed on.
    fn count(&self, node: usize, name: &str) -> u64 {
        let text =
            request(self.cluster.nodes[node].address().unwrap(), "GET", "/metrics", &[OPERATOR], b"").unwrap().body;
        text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap()
    }

    fn passed(&self, node: usize) -> u64 {
        self.count(node, "logdrain_requests_passed_total ")
    }
}

fn accounts() -> impl Iterator<Item = String> {
    (0..ACCOUNTS).map(|number| format!("account-{number}"))
}

#[test]
fn any_node_passes_on_what_is_about_an_account_to_its_home() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-passing");
    let three = Three::start(&dir, &postgres);
    let mut homes = [0; 3];
    for account in accounts() {
        let home = three.home(&account).unwrap();
        homes[home] += 1;
        let answers: Vec<_> = (0..3).map(|node| three.get(node, &account)).collect();
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (answers[home].status, &answers[home].body));
            assert!(!answer.head.to_lowercase().contains("x-logdrain-passed"), "{}", answer.head);
        }
    }
    assert!(homes.iter().all(|count| *count > 0), "{homes:?}");
    let passed: Vec<_> = (0..3).map(|node| three.passed(node)).collect();
    let wanted: Vec<_> = homes.iter().map(|own| (ACCOUNTS - own) as u64).collect();
    assert_eq!(passed, wanted);

    // Who says that it was passed on, and is no node, is told so; and so is nobody else's word taken.
    for said in ["127.0.0.1 00", "127.0.0.1", "", &format!("192.0.2.7 {}", "0".repeat(64))] {
        let answer = three.ask(0, "GET", "account-0", &[("X-Logdrain-Passed", said)], b"");
        assert_eq!(answer.status, 403, "{said}: {}", answer.body);
    }
    // A body goes along, however long; no connection's own headers do.
    let home = three.home("account-0").unwrap();
    let other = (home + 1) % 3;
    let headers = [("Connection", "close, X-Own"), ("X-Own", "x"), ("TE", "trailers")];
    let answer = three.ask(other, "POST", "account-0", &headers, &vec![b'x'; 3 << 20]);
    assert_eq!(answer.status, three.ask(home, "POST", "account-0", &[], b"{}").status);
    let several = request(
        three.cluster.nodes[0].address().unwrap(),
        "GET",
        "/api/v2/usage?account=account-0&account=account-1",
        &[OPERATOR],
        b"",
    );
    assert_eq!(several.unwrap().status, 400);
    // What is of the node itself is not passed on.
    let before = three.passed(other);
    for path in ["/healthz", "/readyz", "/metrics", "/status", "/login"] {
        let address = three.cluster.nodes[other].address().unwrap();
        assert!(request(address, "GET", path, &[OPERATOR], b"").unwrap().status < 400, "{path}");
    }
    assert_eq!(three.passed(other), before);
    let status = logdrain(&["cluster", "status", "--config", three.config.to_str().unwrap()], b"");
    let said = String::from_utf8(status.stdout).unwrap();
    assert!(three.ways.iter().all(|way| said.contains(&format!("  at http://127.0.0.1:{}", way.port))), "{said}");
    three.cluster.stop();
}

/// Asks until it is answered as before, and sees that each answer comes in time and says when to come again.
fn wait_for_home(three: &Three, node: usize, account: &str, wanted: u16) -> Duration {
    let began = Instant::now();
    wait_until("a new home", || {
        let asked = Instant::now();
        let answer = three.get(node, account);
        assert!(asked.elapsed() < PATIENCE, "{:?} for {}", asked.elapsed(), answer.status);
        if answer.status == 503 {
            assert!(answer.head.to_lowercase().contains("retry-after: 1"), "{}", answer.head);
            return None;
        }
        assert_eq!(answer.status, wanted, "{}", answer.body);
        Some(())
    });
    began.elapsed()
}

#[test]
fn a_home_that_is_killed_or_stopped_is_found_again_and_others_are_not_held_up() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-passing-killed");
    let three = Three::start(&dir, &postgres);
    let wanted = three.get(0, "account-0").status;
    for is_killed in [false, true] {
        let home = three.home("account-0").unwrap();
        let other = (home + 1) % 3;
        let unharmed = accounts().find(|account| three.home(account) != Some(home)).unwrap();
        if is_killed {
            three.cluster.nodes[home].kill();
        } else {
            three.cluster.nodes[home].pause(true);
        }
        std::thread::scope(|scope| {
            let three = &three;
            for _ in 0..40 {
                scope.spawn(move || three.get(other, "account-0"));
            }
            // Nobody knows of a change whether it was done, or it was not begun.
            scope.spawn(move || {
                let asked = Instant::now();
                let answer = three.ask(other, "POST", "account-0", &[], b"{}");
                assert!(matches!(answer.status, 502 | 503) || is_killed, "{} {}", answer.status, answer.body);
                assert!(asked.elapsed() < 2 * PATIENCE, "{:?}", asked.elapsed());
            });
            std::thread::sleep(Duration::from_millis(100));
            let asked = Instant::now();
            assert_eq!(three.get(other, &unharmed).status, wanted);
            assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
        });
        let took = wait_for_home(&three, other, "account-0", wanted);
        println!("killed: {is_killed}; answered again after {took:?}, with a lease of {LEASE:?}");
        assert_ne!(three.home("account-0"), Some(home));
        if !is_killed {
            three.cluster.nodes[home].pause(false);
            three.cluster.wait_for_owners();
        }
    }
}

#[test]
fn every_node_finds_the_same_lines_of_every_account() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-passing-lines");
    let three = Three::start(&dir, &postgres);
    let senders = Senders::new(&three.cluster, seed());
    senders.while_doing(|| wait_until("some deliveries", || (senders.taken() > 60).then_some(())));
    for account in (0..SENDING).map(account) {
        let sent = senders.messages(&account).len().min(1_000);
        let home = three.home(&account).unwrap();
        let kept = wait_until("all lines", || three.search(home, &account).filter(|found| found.len() == sent));
        assert!(!kept.is_empty(), "{account}");
        let page = |node: usize| {
            let address = three.cluster.nodes[node].address().unwrap();
            request(address, "GET", &format!("/events?account={account}"), &[OPERATOR], b"").unwrap()
        };
        let last = format!("id=\"e{}\"", kept.last().unwrap()["id"].as_str().unwrap());
        for node in 0..3 {
            assert!(three.search(node, &account) == Some(kept.clone()), "{account} at node {node}");
            let page = page(node);
            assert!(page.status == 200 && page.body.contains(&last), "{account} at node {node}: {}", page.status);
            // It leads to the pages that nodes have.
            let leads_to = |path: &str| page.body.contains(&format!("href=\"{path}"));
            assert!(["/alerts", "/archives", "/dashboards", "/explore"].into_iter().all(leads_to), "{account}");
        }
        // Nobody is let in by another node who is not let in by the home.
        let wrong = ("Authorization", "Basic b3BzOndyb25n");
        let path = format!("/events?account={account}");
        let address = three.cluster.nodes[(home + 1) % 3].address().unwrap();
        let answer = request(address, "GET", &path, &[wrong], b"").unwrap();
        assert!(answer.status == 401 && !answer.body.contains(&last), "{}", answer.status);
    }
    for node in &three.cluster.nodes {
        let first = request(node.address().unwrap(), "GET", "/", &[OPERATOR], b"").unwrap();
        assert!(first.status == 303 && first.head.to_ascii_lowercase().contains("location: /events"), "{}", first.head);
    }
}

#[test]
fn who_follows_lines_through_another_node_sees_each_once_though_their_home_is_killed() {
    follow_through("nodes-passing-tail-killed", true);
}

#[test]
fn who_follows_lines_through_another_node_sees_each_once_though_their_home_is_stopped() {
    follow_through("nodes-passing-tail-stopped", false);
}

fn follow_through(name: &str, is_killed: bool) {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch(name);
    let three = Three::start(&dir, &postgres);
    let senders = Senders::new(&three.cluster, seed() + 1);
    let account = account(0);
    let home = three.home(&account).unwrap();
    let through = (home + 1) % 3;
    let address = three.cluster.nodes[through].address().unwrap();
    let (is_over, query) = (AtomicBool::new(false), format!("account={account}"));
    let (told, times) = std::thread::scope(|scope| {
        let following = scope.spawn(|| {
            let headers = format!("{}: {}\r\n", OPERATOR.0, OPERATOR.1);
            let (mut told, mut last, mut times) = (Vec::new(), Some(0), 0);
            while !is_over.load(Ordering::SeqCst) {
                let Some(mut tail) = Tail::open_with(address, &query, last, &headers) else {
                    std::thread::sleep(Duration::from_millis(200));
                    continue;
                };
                times += 1;
                while let Some(line) = tail.next() {
                    told.push(line);
                    let is_all = || told.len() >= senders.messages(&account).len();
                    if is_over.load(Ordering::SeqCst) && is_all() {
                        break;
                    }
                }
                last = tail.last;
            }
            (told, times)
        });
        senders.while_doing(|| {
            wait_until("some deliveries", || (senders.taken() > 40).then_some(()));
            let node = &three.cluster.nodes[home];
            if is_killed {
                node.kill()
            } else {
                node.pause(true)
            }
            wait_until("another home", || three.home(&account).filter(|now| *now != home));
            std::thread::sleep(Duration::from_secs(2));
            if is_killed {
                assert!(node.start(&["--listen", &three.ports[home]]));
            } else {
                node.pause(false);
            }
            let before = senders.taken();
            wait_until("more deliveries", || (senders.taken() > before + 20).then_some(()));
        });
        three.cluster.wait_for_owners();
        let sent = senders.messages(&account).len();
        wait_until("all lines at their home", || {
            let found = three.search(three.home(&account)?, &account)?;
            (found.len() == sent.min(1_000)).then_some(())
        });
        // One more ends whoever waits for it.
        is_over.store(true, Ordering::SeqCst);
        let last = Delivery { id: "F".repeat(32), token: format!("{account}/d.00"), body: body(1, 1) };
        wait_until("a last line", || (last.send(address).ok()? == 204).then_some(()));
        following.join().unwrap()
    });
    println!("{} lines, connected {times} times", told.len());
    assert!(told.windows(2).all(|two| two[0].0 < two[1].0), "ids do not rise");
    let mut sent = senders.messages(&account);
    let mut messages: Vec<_> = told.iter().map(|(_, line)| line["message"].as_str().unwrap().to_owned()).collect();
    messages.truncate(sent.len());
    sent.sort_unstable();
    messages.sort_unstable();
    assert!(messages == sent, "{} lines were told, and {} sent", messages.len(), sent.len());
}

#[test]
fn a_home_that_others_do_not_reach_answers_who_asks_it_and_others_say_when_to_come_again() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-passing-cut");
    let three = Three::start(&dir, &postgres);
    let home = three.home("account-0").unwrap();
    let other = (home + 1) % 3;
    let wanted = three.get(home, "account-0").status;
    for way in [Way::ToDatabase, Way::FromDatabase] {
        three.ways[home].stop_all(way);
        let asked = Instant::now();
        let answer = three.get(other, "account-0");
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
        assert_eq!(three.get(home, "account-0").status, wanted);
        three.ways[home].resume();
        wait_for_home(&three, other, "account-0", wanted);
    }
    assert!(three.count(other, "logdrain_requests_unanswered_total ") >= 2);
}

#[test]
fn nodes_speak_tls_and_those_with_other_secrets_say_so() {
    let Some(postgres) = Postgres::start() else { return };
    let dir = scratch("nodes-passing-tls");
    let [authority, certificate, key] = certified("localhost");
    for (name, text) in [("ca.pem", &authority), ("own.pem", &certificate), ("own.key", &key)] {
        fs::write(dir.join(name), text).unwrap();
    }
    let shared = dir.join("shared");
    fs::create_dir_all(&shared).unwrap();
    let (same, others) = (secret(&dir, "s"), secret(&dir, "t"));
    let start = |name: &str, secret: &str, trusted: &str| {
        let dir = dir.join(name);
        fs::create_dir_all(&dir).unwrap();
        let port = free_port();
        let text = format!(
            "journal = \"{}\"\n[tls]\ncertificate = \"../own.pem\"\nkey = \"../own.key\"\n[cluster]\npartitions = 2\nsnapshots = {:?}\n\
             {secret}url = \"https://localhost:{port}\"\n",
            postgres.url(),
            shared
        );
        let config = dir.join("config.toml");
        fs::write(&config, text).unwrap();
        let trusted = format!("SSL_CERT_FILE={}", dir.join("..").join(trusted).display());
        let under = ["env", "-u", "SSL_CERT_DIR", &trusted];
        let listen = format!("127.0.0.1:{port}");
        Server::start_under(&under, &dir, &["--config", config.to_str().unwrap(), "--listen", &listen])
    };
    let one = start("one", &same, "ca.pem");
    let asked = |server: &Server, account: &str| {
        let path = format!("https://localhost:{}/api/v2/usage?account={account}", server.address.port());
        let status = ask_by_tls(server.address, &authority, &path);
        status.expect("an answer")
    };
    // Which of the two partitions an account is in.
    let [first, second] = ["account-0", "account-3"];
    let part = |account: &str| Sha256::digest(account)[7] % 2;
    assert_ne!(part(first), part(second));
    let two = start("two", &same, "ca.pem");
    wait_until("a share for each", || {
        let owned = "SELECT count(DISTINCT owner) FROM logdrain.leases";
        (postgres.sql(owned) == "2").then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    for server in [&one, &two] {
        assert_eq!([first, second].map(|account| asked(server, account)), [501, 501]);
    }
    assert_eq!(two.stop().0, Some(0));
    // Another authority: it passes nothing on to what it cannot check; another secret: it is known to nobody.
    for (name, secret, trusted, said) in [
        ("three", &same, "own.key", "no certificate can be checked"),
        ("four", &others, "ca.pem", "secret_file differ"),
    ] {
        let other = start(name, secret, trusted);
        wait_until("a share for it", || {
            let owned = "SELECT count(DISTINCT owner) FROM logdrain.leases WHERE until > clock_timestamp()";
            (postgres.sql(owned) == "2").then_some(())
        });
        std::thread::sleep(Duration::from_secs(1));
        let mut answers = [first, second].map(|account| asked(&other, account));
        answers.sort_unstable();
        assert_eq!(answers, [501, 503], "{name}");
        let (code, log) = other.stop();
        assert!(code == Some(0) && log.contains(said) && !log.contains("tttt"), "{log}");
    }
}

/// The status of an answer over TLS.
fn ask_by_tls(address: SocketAddr, authority: &str, path: &str) -> Option<u16> {
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring};
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(config.into(), ServerName::try_from("localhost").unwrap()).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    let path = path.splitn(4, '/').nth(3).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", address.port()).unwrap();
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

/// `LOGDRAIN_SEARCHES=200` is the long form: it says how much longer it may take, and prints what it measured.
#[test]
fn a_search_through_another_node_takes_little_longer() {
    let Some(postgres) = Postgres::start() else { return };
    let rounds = std::env::var("LOGDRAIN_SEARCHES").ok().and_then(|text| text.parse::<usize>().ok());
    let dir = scratch("nodes-passing-figures");
    let three = Three::start(&dir, &postgres);
    let account = account(0);
    let home = three.home(&account).unwrap();
    let deliveries = rounds.map_or(5, |_| 100);
    for number in 0..deliveries {
        let token = format!("{account}/d.{:02}", number % 10);
        let sent = Delivery { id: format!("{number:032X}"), token, body: body(number, 1_000) };
        let address = three.cluster.nodes[0].address().unwrap();
        wait_until("a delivery that is taken", || (sent.send(address).ok()? == 204).then_some(()));
    }
    wait_until("lines", || three.search(home, &account).filter(|found| found.len() == 1_000));
    for (what, query) in [("the newest lines", "q="), ("few of many", "q=%22depth%3D88%20nothing%22%20service")] {
        let mut times = [Vec::new(), Vec::new()];
        for _ in 0..rounds.unwrap_or(5) {
            for (times, node) in times.iter_mut().zip([home, (home + 1) % 3]) {
                let asked = Instant::now();
                let path = format!("/events?account={account}&{query}");
                let address = three.cluster.nodes[node].address().unwrap();
                let answer = request(address, "GET", &path, &[OPERATOR], b"").unwrap();
                assert_eq!(answer.status, 200, "{}", answer.body);
                times.push(asked.elapsed());
            }
        }
        let [at_home, passed] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        });
        let ratio = passed.as_secs_f64() / at_home.as_secs_f64();
        println!(
            "{what}, of {} lines: {at_home:?} at home, {passed:?} through another node: {ratio:.2} x",
            deliveries * 1_000
        );
        assert!(rounds.is_none() || ratio <= 1.5, "{ratio}");
    }
}
