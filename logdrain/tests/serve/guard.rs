//! Who is let in, and what is said of those who are not.

use crate::harness::{Delivery, PATIENCE, Server, body, raw, request, scratch, wait_until, written};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

const LOCKED: &str = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\ntokens = [\"d.tok3n\"]\n\
                      [watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";

fn start(name: &str, text: &str) -> (std::path::PathBuf, Server) {
    let dir = scratch(name);
    fs::write(dir.join("config.toml"), text).unwrap();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
    (dir, server)
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn metrics(server: &Server, pair: &str) -> String {
    let answer = request(server.address, "GET", "/metrics", &[("Authorization", &basic(pair))], b"").unwrap();
    assert_eq!(answer.status, 200);
    answer.body
}

fn refused(metrics: &str, reason: &str) -> u64 {
    let line = format!("logdrain_refused_total{{reason=\"{reason}\"}} ");
    metrics.split(&line).nth(1).unwrap().split('\n').next().unwrap().parse().unwrap()
}

#[test]
fn every_wrong_password_is_counted_and_told_of_with_its_address_once_a_minute() {
    let (_dir, server) = start("guesses", LOCKED);
    for (method, path) in [("GET", "/status"), ("GET", "/metrics"), ("POST", "/logs"), ("POST", "/logs/")] {
        for pair in ["ops:gu3ssed", "shop:gu3ssed"] {
            let answer = request(server.address, method, path, &[("Authorization", &basic(pair))], b"").unwrap();
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    assert_eq!(refused(&metrics(&server, "ops:ops-s3cret-12"), "credentials"), 8);
    let (_, log) = server.stop();
    let told: Vec<_> = log.lines().filter(|line| line.contains("wrong credentials")).collect();
    assert!(told.len() == 1 && told[0].contains("peer=\"127.0.0.1\"") && told[0].contains("count=1"), "{log}");
    assert!(!log.contains("gu3ssed") && !log.contains("s3cret"), "{log}");
}

#[test]
fn wrong_credentials_are_answered_before_their_body_has_come() {
    // Whoever waited for the body would wait longer than this test does.
    let (_dir, server) = start("unread", &format!("answer_within = \"10m\"\n{LOCKED}"));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"POST /logs HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\nbeginning").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401") && answer.to_lowercase().contains("connection: close"), "{answer}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_drain_url_with_a_slash_too_many_is_one_and_other_paths_are_counted() {
    let (dir, server) = start("paths", "");
    for (number, path) in ["/logs", "/logs/", "//logs", "//logs//", "/logs?a=b", "/logs/?"].into_iter().enumerate() {
        let id = number.to_string();
        let headers = [("Logplex-Frame-Id", id.as_str()), ("Logplex-Drain-Token", "d.1")];
        let answer = request(server.address, "POST", path, &headers, &body(7, 4)).unwrap();
        assert_eq!(answer.status, 204, "{path}");
    }
    for (method, path, status) in [
        ("POST", "/", 405),
        ("POST", "/log", 404),
        ("POST", "/logs/x", 404),
        ("POST", "/metrics", 405),
        ("POST", "/Logs", 404),
        ("PUT", "/logs", 405),
        ("GET", "/logs", 405),
        ("GET", "/nothing", 404),
    ] {
        assert_eq!(request(server.address, method, path, &[], b"").unwrap().status, status, "{method} {path}");
    }
    assert_eq!(refused(&server.get("/metrics").body, "other_path"), 6);
    wait_until("rows", || (!written(&dir.join("rows.jsonl")).is_empty()).then_some(()));
    let (_, log) = server.stop();
    assert_eq!(log.matches("deliveries to another path than /logs").count(), 1, "{log}");
}

#[test]
fn a_page_in_a_browser_reads_nothing_and_sends_nothing() {
    let (_dir, server) = start("browser", "");
    let get = |path: &str, host: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw(server.address, text.as_bytes()).unwrap()
    };
    let port = server.address.port();
    for path in ["/status", "/metrics"] {
        for host in ["evil.example", &format!("evil.example:{port}"), "localhost.evil.example", "192.0.2.1"] {
            let answer = get(path, host);
            assert!(answer.status == 403 && !answer.body.contains("logdrain_"), "{path} {host}: {answer:?}");
        }
        for host in ["localhost", &format!("localhost:{port}"), &format!("127.0.0.1:{port}"), &format!("[::1]:{port}")]
        {
            let answer = get(path, host);
            assert!(answer.status == 200 && !answer.head.to_lowercase().contains("access-control"), "{path} {host}");
        }
    }
    assert_eq!(get("/healthz", "evil.example").status, 200);
    for headers in [
        &[("Origin", "https://evil.example")][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "multipart/form-data; boundary=x")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "application/logplex-1"), ("Origin", "http://localhost:3000")],
    ] {
        let answer = request(server.address, "POST", "/logs", headers, &body(1, 4)).unwrap();
        assert_eq!(answer.status, 403, "{headers:?}");
    }
    assert_eq!(request(server.address, "OPTIONS", "/logs", &[("Origin", "x")], b"").unwrap().status, 405);
    let sent = Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: body(1, 4) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert_eq!(refused(&server.get("/metrics").body, "browser"), 13);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_drain_token_longer_than_any_of_logplex_is_refused() {
    let (_dir, server) = start("long-token", "");
    let send = |token: &str| {
        request(server.address, "POST", "/logs", &[("Logplex-Drain-Token", token)], &body(1, 4)).unwrap().status
    };
    assert_eq!((send(&"d".repeat(65)), send(&"d".repeat(15_000)), send("shop/d.1")), (400, 400, 400));
    assert_eq!((send(&"d".repeat(64)), send("d.01234567-89ab-cdef-0123-456789abcdef")), (204, 204));
    assert_eq!(refused(&server.get("/metrics").body, "token"), 3);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_configuration_that_cannot_be_used_ends_the_start_without_its_secrets() {
    let dir = scratch("secrets");
    for text in [
        "watcher = \"ops:s3cret\"\n",
        "drain = [\"shop:s3cret\"]\n",
        "drain = \"s3cret\"\n",
        "otlp = \"https://user:s3cret@collector.example.com/\"\n",
        "s3cret = 1\n",
        "[watcher]\nuser = \"ops\"\npassword_file = \"s3cret\"\n",
        "[[drain]]\nname = \"a\"\nuser = \"u\"\npassword = \"x\"\ntokens = \"s3cret\"\n",
        "idle_timeout = \"0s\"\n",
    ] {
        let path = dir.join("config.toml");
        fs::write(&path, text).unwrap();
        let Err((code, log)) = Server::try_start(&dir, &["--config", path.to_str().unwrap()]) else {
            panic!("it started with {text}")
        };
        assert_eq!(code, Some(2), "{text}: {log}");
        assert!(!log.contains("s3cret") && log.len() > 20, "{text}: {log}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn too_few_open_files_are_noticed_at_the_start() {
    let dir = scratch("open-files");
    let serve = |limit: &str| {
        let mut command = Command::new("sh");
        let line = format!("ulimit -n {limit}; exec \"$0\" serve --listen 127.0.0.1:0 --store \"$1\"");
        command.args(["-c", &line, env!("CARGO_BIN_EXE_logdrain")]).arg(dir.join("store"));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let few = serve("18").wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&few.stderr).into_owned();
    assert!(few.status.code() == Some(2) && said.contains("open files"), "{said}");
    // Some more: there are fewer connections, with a word about it.
    let mut some = serve("100");
    let mut said = String::new();
    let mut stderr = some.stderr.take().unwrap();
    let mut chunk = [0; 4_096];
    while !said.contains("deliveries are taken") {
        let len = stderr.read(&mut chunk).unwrap();
        assert!(len > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&chunk[..len]));
    }
    some.kill().unwrap();
    some.wait().unwrap();
    assert!(said.contains("there will be 60 connections at most"), "{said}");
}

/// The system takes open files away from a server that has them: there is one line in the log, however often it tries.
#[test]
#[cfg(target_os = "linux")]
fn connections_that_cannot_be_accepted_are_told_of_once_a_minute() {
    let server = Server::start(&scratch("not-accepted"), &[]);
    let pid = server.pid();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let limit = |soft: usize| {
        let (pid, limit) = (format!("--pid={pid}"), format!("--nofile={soft}:"));
        assert!(Command::new("prlimit").args([pid, limit]).status().unwrap().success());
    };
    limit(open + 3);
    let held: Vec<_> = (0..40).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    wait_until("a word", || server.log().contains("could not be accepted").then_some(()));
    // It tries fifty times a second.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(server.log().matches("could not be accepted").count(), 1, "{}", server.log());
    drop(held);
    limit(1_024);
    wait_until("an answer", || {
        (request(server.address, "GET", "/healthz", &[], b"").ok()?.status == 200).then_some(())
    });
}

#[test]
fn the_app_in_a_drains_url_is_its_name_where_the_configuration_has_none() {
    let drains = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\n\
                  [[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"blog-s3cret-1\"\napp = \"configured\"\n\
                  [watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";
    let (dir, server) = start("url-app", drains);
    let send = |server: &Server, name: &str, query: &str, id: &str| {
        let authorization = basic(&format!("{name}:{name}-s3cret-1"));
        let headers = [("Authorization", authorization.as_str()), ("Logplex-Frame-Id", id)];
        request(server.address, "POST", &format!("/logs{query}"), &headers, &body(4, 8)).unwrap().status
    };
    assert_eq!(send(&server, "shop", "?app=my-shop&x=1", "1"), 204);
    assert_eq!(send(&server, "blog", "?app=my-blog", "1"), 204);
    for (number, query) in ["?app=a%20b", "?", "?&&", "?app=", "?y"].into_iter().enumerate() {
        assert_eq!(send(&server, "shop", query, &format!("u{number}")), 204, "{query}");
    }
    // A name that changes all the time makes no pipeline anew each time.
    for number in 0..5 {
        assert_eq!(send(&server, "shop", &format!("?app=other-{number}"), &format!("o{number}")), 204);
    }
    let rows = dir.join("rows.jsonl");
    let names = |text: &str| {
        let names = text.split("\"app_name\":\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let expected = ["configured", "my-shop"].map(str::to_owned).into();
    wait_until("rows", || (names(&fs::read_to_string(&rows).unwrap_or_default()) == expected).then_some(()));
    let metrics = metrics(&server, "ops:ops-s3cret-12");
    assert!(metrics.contains("logdrain_unknown_parameter_total 4\n"), "{metrics}");
    assert_eq!(server.stop().0, Some(0));
    // After a restart it is called so still, without being told again.
    fs::remove_file(&rows).unwrap();
    let server = Server::start(&dir, &["--config", dir.join("config.toml").to_str().unwrap()]);
    assert_eq!(send(&server, "shop", "", "2"), 204);
    wait_until("rows", || {
        let names = names(&fs::read_to_string(&rows).unwrap_or_default());
        assert!(!names.iter().any(|name| name.starts_with("other")), "{names:?}");
        names.contains("my-shop").then_some(())
    });
    server.kill();
}
