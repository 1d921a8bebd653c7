//! `search`, `tail`, `open` and `archive` of a running server: what they print is what is kept, each line once.

use crate::harness::{Answer, Delivery, Server, body, now_micros, request, scratch, time_of, wait_until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

/// The program without what the environment of the tests says of servers.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logdrain"));
    command.args(arguments).stdin(Stdio::null());
    for name in ["LOGDRAIN_URL", "LOGDRAIN_TOKEN", "PAPERTRAIL_API_TOKEN", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(output: &Output) -> String {
    assert!(output.status.code() != Some(2), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a search of the server prints.
fn search(server: &Server, arguments: &[&str]) -> Output {
    let address = format!("http://{}", server.address);
    command(&[&["search", "--tz", "UTC", "--server", &address], arguments].concat()).output().unwrap()
}

fn rows(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends deliveries of 500 lines, and waits until they can be found; gives what was sent.
fn deliver(server: &Server, ids: std::ops::Range<u64>) -> Vec<u8> {
    let mut all = Vec::new();
    for id in ids {
        let delivery = Delivery { id: format!("asked-{id}"), token: "d.asked".to_owned(), body: body(id, 500) };
        assert_eq!(delivery.send(server.address).unwrap(), 204);
        all.extend(delivery.body);
    }
    all
}

fn wait_for(server: &Server, lines: usize) {
    wait_until("the lines", || {
        let count = text(&search(server, &["--count"])).trim().parse::<usize>().unwrap();
        (count >= lines).then_some(())
    });
}

/// What offline search prints of the same bytes, but for what a file does not know.
fn offline(folder: &Path, sent: &[u8], arguments: &[&str]) -> Vec<(String, String)> {
    let file = folder.join("sent.logplex");
    fs::write(&file, sent).unwrap();
    let output = command(&[&["search", "-j", "--in", file.to_str().unwrap()], arguments].concat()).output().unwrap();
    pairs(&rows(&output))
}

fn pairs(rows: &[Value]) -> Vec<(String, String)> {
    rows.iter().map(|row| ["program", "message"].map(|key| row[key].as_str().unwrap().to_owned()).into()).collect()
}

#[test]
fn a_search_prints_what_is_kept_as_offline() {
    let dir = scratch("asked-search");
    let server = Server::start(&dir, &[]);
    let sent = deliver(&server, 0..7);
    wait_for(&server, 3_500);
    for words in [
        &[][..],
        &["status=200"],
        &["program:app/web.1", "market"],
        &["--", "-router", "-nothing"],
        &["\"nothing else\""],
    ] {
        let expected = offline(&dir, &sent, words);
        let found = rows(&search(&server, &[&["-j"], words].concat()));
        assert!(!expected.is_empty());
        assert_eq!(pairs(&found), expected, "{words:?}");
        let ids: Vec<u64> = found.iter().map(|row| row["id"].as_str().unwrap().parse().unwrap()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order");
        let count = text(&search(&server, &[&["--count"], words].concat()));
        assert_eq!(count.trim(), expected.len().to_string(), "{words:?}");
        for lines in [1, 10, 600] {
            let last = rows(&search(&server, &[&["-j", "-n", &lines.to_string()], words].concat()));
            assert_eq!(last, found[found.len().saturating_sub(lines)..], "{words:?} {lines}");
        }
    }

    // What is printed is what the API says of the line.
    let first = &rows(&search(&server, &["-j"]))[0];
    for key in ["received_at", "generated_at", "severity", "facility", "system", "source_ip"] {
        assert!(first[key].is_string(), "{key}: {first}");
    }
    let plain = text(&search(&server, &["-n", "1"]));
    assert!(plain.contains(" drain-") && plain.contains(": "), "{plain}");
    let patterns = rows(&search(&server, &["-j", "--patterns"]));
    assert!(patterns.iter().any(|row| row["kind"] == "program" && row["program"] == "heroku/router"), "{patterns:?}");

    // A range of time: the milliseconds of the first line's arrival.
    let found = rows(&search(&server, &["-j"]));
    let time = found[1_700]["received_at"].as_str().unwrap().to_owned();
    let same = found.iter().filter(|row| row["received_at"].as_str() <= Some(&time)).count();
    let until = rows(&search(&server, &["-j", "--max-time", &time]));
    assert_eq!(until.len(), same);
    let from = found.iter().filter(|row| row["received_at"].as_str() >= Some(&time)).count();
    assert_eq!(rows(&search(&server, &["-j", "--min-time", &time])).len(), from);
    let nothing = search(&server, &["--min-time", "1 second ago", "no-such-word"]);
    assert_eq!((nothing.status.code(), text(&nothing)), (Some(1), String::new()));
}

/// A tail that runs, and the lines that it has printed.
struct Tail {
    child: Child,
    lines: Arc<Mutex<Vec<Value>>>,
    said: Arc<Mutex<String>>,
}

impl Tail {
    fn start(address: std::net::SocketAddr, arguments: &[&str]) -> Self {
        let address = format!("http://{address}");
        let mut child = command(&[&["tail", "-j", "--server", &address], arguments].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, said) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(String::new())));
        let (stdout, stderr) =
            (BufReader::new(child.stdout.take().unwrap()), BufReader::new(child.stderr.take().unwrap()));
        let (of_lines, of_said) = (lines.clone(), said.clone());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                of_lines.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                of_said.lock().unwrap().push_str(&format!("{line}\n"));
            }
        });
        Self { child, lines, said }
    }

    fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    fn end(mut self) -> Vec<Value> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = wait_until("the end", || self.child.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{}", self.said.lock().unwrap());
        self.lines.lock().unwrap().clone()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines that nothing else has.
fn numbered(id: u64) -> Delivery {
    let mut body = Vec::new();
    for number in id * 100..(id + 1) * 100 {
        let line = format!("<190>1 {} host app web.1 - number={number}.\n", time_of(now_micros()));
        body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    Delivery { id: format!("numbered-{id}"), token: "d.asked".to_owned(), body }
}

#[test]
fn a_tail_skips_and_repeats_nothing_while_the_server_is_killed() {
    let dir = scratch("asked-tail");
    let mut server = Server::start(&dir, &[]);
    let address = server.address;
    assert_eq!(numbered(0).send(address).unwrap(), 204);
    wait_for(&server, 100);
    let tail = Tail::start(address, &["-n", "30"]);
    wait_until("the last lines", || (tail.count() >= 30).then_some(()));
    for round in 0..3 {
        for delivery in 0..5 {
            assert_eq!(numbered(1 + round * 5 + delivery).send(address).unwrap(), 204);
        }
        let shown = 30 + 100 * usize::try_from(round * 5).unwrap();
        wait_until("some of them", || (tail.count() > shown).then_some(()));
        server.kill();
        server = Server::start(&dir, &["--listen", &address.to_string()]);
    }
    assert_eq!(numbered(16).send(address).unwrap(), 204);
    wait_until("all of them", || (tail.count() >= 30 + 1_600).then_some(()));
    let said = tail.said.lock().unwrap().clone();
    let lines = tail.end();
    let numbers: Vec<u64> = lines
        .iter()
        .map(|row| {
            row["message"].as_str().unwrap().trim_start_matches("number=").trim_end_matches('.').parse().unwrap()
        })
        .collect();
    assert_eq!(numbers, (70..1_700).collect::<Vec<u64>>(), "{said}");
    let ids: BTreeSet<&str> = lines.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), lines.len());
}

#[test]
fn a_follow_after_a_range_goes_on_where_the_range_ends() {
    let dir = scratch("asked-follow");
    let server = Server::start(&dir, &[]);
    let sent = deliver(&server, 0..2);
    wait_for(&server, 1_000);
    let address = format!("http://{}", server.address);
    let mut child = command(&["search", "-f", "-j", "--min-time", "1 hour ago", "--server", &address, "market"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let more = deliver(&server, 2..4);
    let expected = offline(&dir, &[sent, more].concat(), &["market"]);
    let found: Vec<Value> =
        lines.take(expected.len()).map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert_eq!(pairs(&found), expected);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_server_may_be_named_by_the_environment_or_by_the_app() {
    let dir = scratch("asked-named");
    let server = Server::start(&dir, &[]);
    deliver(&server, 0..1);
    wait_for(&server, 500);
    let address = format!("http://{}", server.address);
    let count = |command: &mut Command| text(&command.output().unwrap());
    assert_eq!(count(command(&["search", "--count"]).env("LOGDRAIN_URL", &address)), "500\n");

    // What is in a file is asked for by its name all the same.
    let file = dir.join("one.logplex");
    fs::write(&file, body(9, 4)).unwrap();
    let of_file = ["search", "--count", "--in", file.to_str().unwrap()];
    assert_eq!(count(command(&of_file).env("LOGDRAIN_URL", &address)), "4\n");
    let both = command(&[&of_file[..], &["--server", &address]].concat()).output().unwrap();
    assert_eq!(both.status.code(), Some(2));

    let opened = command(&["open", "status=503", "\"a b\"", "--server", &address]).output().unwrap();
    assert_eq!(text(&opened), format!("{address}/events?q=status%3D503+%22a+b%22\n"));
    let opened = command(&["open", "--account", "shop", "--server", &address]).output().unwrap();
    assert_eq!(text(&opened), format!("{address}/?account=shop\n"));

    let bin = dir.join("bin");
    fs::create_dir_all(&bin).unwrap();
    let heroku = bin.join("heroku");
    let script = |vars: &str| {
        let script = format!("#!/bin/sh\n[ \"$*\" = \"config --json --app shop\" ] || exit 1\necho '{vars}'\n");
        fs::write(&heroku, script).unwrap();
        assert!(Command::new("chmod").args(["+x", heroku.to_str().unwrap()]).status().unwrap().success());
    };
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let of_app = |app: &str| command(&["search", "--count", "--heroku-app", app]).env("PATH", &path).output().unwrap();
    script(&format!("{{\"LOGDRAIN_URL\":\"{address}\",\"PAPERTRAIL_API_TOKEN\":\"s3cr3t\",\"OTHER\":\"x\"}}"));
    assert_eq!(text(&of_app("shop")), "500\n");
    for (vars, app, why) in [
        ("{\"OTHER\":\"s3cr3t\"}", "shop", "the app shop has no config var LOGDRAIN_URL"),
        ("s3cr3t", "shop", "is no list of config vars"),
        ("{}", "other", "`heroku config --app other` failed"),
        ("{}", "--help", "is no name of an app"),
    ] {
        script(vars);
        let output = command(&["search", &format!("--heroku-app={app}")]).env("PATH", &path).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains(why) && !told(&output).contains("s3cr3t"), "{}", told(&output));
    }
    let output = command(&["search", "--heroku-app", "shop"]).env("PATH", dir.join("none")).output().unwrap();
    assert!(told(&output).contains("there is no command `heroku` here"), "{}", told(&output));
}

#[test]
fn a_server_that_cannot_be_asked_is_named_with_what_to_do() {
    let dir = scratch("asked-refused");
    for (arguments, why) in [
        (
            &["search", "--server", "http://127.0.0.1:1", "--token", "s3cr3t", "private"][..],
            "http://127.0.0.1:1: cannot be reached",
        ),
        (&["tail", "--server", "http://127.0.0.1:1", "--token", "s3cr3t"], "does the server run"),
        (&["search", "--server", "ftp://example.com"], "is no address of a server; write it as https://"),
        (&["search", "--server", "https://s3cr3t:s3cr3t@example.com"], "give the address alone"),
        (
            &["search", "--server", "http://127.0.0.1:1", "--token", "s3cr3t\u{7}"],
            "the token holds characters that none has",
        ),
        (&["archive", "list"], "no server is named: --server URL, or LOGDRAIN_URL"),
        (&["open"], "no server is named"),
        (&["search", "-S", "errors"], "no server is named"),
        (&["search", "-g", "web", "--in", "x"], "name one of both"),
        (&["archive", "get", "--server", "http://127.0.0.1:1"], "nothing is asked for"),
        (&["archive", "get", "--hour", "2026-11-28", "--server", "http://127.0.0.1:1"], "write it as 2026-11-28-22"),
    ] {
        let output = command(arguments).current_dir(&dir).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
        assert!(told(&output).contains(why), "{arguments:?}: {}", told(&output));
        assert!(!told(&output).contains("s3cr3t") && !told(&output).contains("private"), "{}", told(&output));
    }
    let server = Server::start(&dir, &[]);
    let Answer { status, .. } = request(server.address, "GET", "/api/v1/events/search.json", &[], b"").unwrap();
    assert_eq!(status, 200);
    let output = search(&server, &["-C", "1000", "a"]);
    assert!(told(&output).contains("499 lines at the most"), "{}", told(&output));
}

#[test]
fn an_authority_of_ones_own_is_trusted_by_ssl_cert_file() {
    let dir = scratch("asked-tls");
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let config = dir.join("config.toml");
    fs::write(&config, "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    let address = format!("https://{}", server.address);
    let ask = |certificates: Option<&str>| {
        let mut command = command(&["search", "--count", "--server", &address]);
        if let Some(name) = certificates {
            command.env("SSL_CERT_FILE", dir.join(name));
        }
        command.output().unwrap()
    };
    let trusted = ask(Some("cert.pem"));
    assert_eq!((text(&trusted), trusted.status.code()), ("0\n".to_owned(), Some(1)), "{}", told(&trusted));
    for (certificates, why) in [
        (None, "certificate"),
        (Some("key.pem"), "SSL_CERT_FILE names nothing that holds certificates"),
        (Some("nothing.pem"), "SSL_CERT_FILE names nothing that holds certificates"),
    ] {
        let output = ask(certificates);
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains(why), "{}", told(&output));
    }
    let plain = address.replace("https", "http");
    let output = command(&["search", "--server", &plain]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
}

#[test]
fn a_token_or_who_watches_is_let_in_and_nobody_else() {
    let dir = scratch("asked-tokens");
    let config = dir.join("config.toml");
    fs::write(&config, "[watcher]\nuser = \"ops\"\npassword = \"w4tcher\"\n").unwrap();
    let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
    deliver(&server, 0..1);
    let address = format!("http://{}", server.address);
    let ask = |token: Option<&str>, variable: &str| {
        let mut command = command(&["search", "--count", "--server", &address]);
        if let Some(token) = token {
            command.env(variable, token);
        }
        command.output().unwrap()
    };
    wait_until("the lines", || (text(&ask(Some("ops:w4tcher"), "LOGDRAIN_TOKEN")) == "500\n").then_some(()));
    let store = dir.join("store");
    let token = |kind: &str| {
        let made =
            command(&["account", "token", "add", "--kind", kind, "--store", store.to_str().unwrap()]).output().unwrap();
        let made = text(&made);
        made.split_whitespace().max_by_key(|word| word.len()).unwrap().to_owned()
    };
    let (read, record) = (token("read"), token("record"));
    for variable in ["LOGDRAIN_TOKEN", "PAPERTRAIL_API_TOKEN"] {
        assert_eq!(text(&ask(Some(&read), variable)), "500\n");
    }
    for (given, why) in [
        (None, "it wants a token: LOGDRAIN_TOKEN, or --token"),
        (Some("s3cr3t-of-nobody"), "the token is none of this server"),
        (Some("ops:s3cr3t"), "the token is none of this server"),
        (Some(&*record), "the token has no right to that"),
    ] {
        let output = ask(given, "LOGDRAIN_TOKEN");
        assert_eq!(output.status.code(), Some(2), "{}", told(&output));
        assert!(told(&output).contains(why), "{}", told(&output));
        assert!(given.is_none_or(|given| !told(&output).contains(given)), "{}", told(&output));
        assert!(!told(&output).contains("s3cr3t"), "{}", told(&output));
    }
}

#[test]
fn who_pipes_lines_is_told_that_a_server_is_asked() {
    let dir = scratch("asked-piped");
    let server = Server::start(&dir, &[]);
    let address = format!("http://{}", server.address);
    let piped = |arguments: &[&str]| {
        let mut child = command(arguments)
            .env("LOGDRAIN_URL", &address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), &body(1, 4));
        child.wait_with_output().unwrap()
    };
    let output = piped(&["search", "--count"]);
    assert_eq!(text(&output), "0\n");
    assert!(told(&output).contains("what comes by the pipe is read with --in -"), "{}", told(&output));
    assert_eq!(text(&piped(&["search", "--count", "--in", "-"])), "4\n");
}

/// Sends a request that changes something, as a program of this machine may on an open server.
fn change(server: &Server, path: &str, parameters: &str) -> Value {
    let headers = [("Content-Type", "application/x-www-form-urlencoded"), ("X-Papertrail-Token", "any")];
    let answer = request(server.address, "POST", path, &headers, parameters.as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn systems_groups_and_saved_searches_are_found_by_their_names() {
    let dir = scratch("asked-names");
    let server = Server::start(&dir, &[]);
    let mut all = Vec::new();
    for (number, token) in ["d.one", "d.two", "d.three"].into_iter().enumerate() {
        let delivery = Delivery { id: token.to_owned(), token: token.to_owned(), body: body(number as u64, 500) };
        assert_eq!(delivery.send(server.address).unwrap(), 204);
        all.push(delivery.body);
    }
    wait_for(&server, 1_500);
    let of_all = rows(&search(&server, &["-j"]));
    let mut systems: Vec<String> = Vec::new();
    for row in &of_all {
        let system = row["system"].as_str().unwrap().to_owned();
        if !systems.contains(&system) {
            systems.push(system);
        }
    }
    assert_eq!(systems.len(), 3);
    // A server lists a system when its first lines are there.
    wait_until("the systems", || {
        let list: Value = serde_json::from_str(&server.get("/api/v1/systems.json").body).unwrap();
        (list.as_array().unwrap().len() == 3).then_some(())
    });
    let count = |arguments: &[&str]| text(&search(&server, &[&["--count"], arguments].concat())).trim().to_owned();
    let of = |systems: &[&str]| {
        of_all.iter().filter(|row| systems.contains(&row["system"].as_str().unwrap())).cloned().collect::<Vec<_>>()
    };
    let (one, two) = (systems[0].as_str(), systems[1].as_str());
    assert_eq!(rows(&search(&server, &["-j", "-s", &one.to_uppercase()])), of(&[one]));
    assert_eq!(rows(&search(&server, &["-j", "-s", one, "-s", two])), of(&[one, two]));
    let of_two = of(&[one, two]);
    assert_eq!(rows(&search(&server, &["-j", "-s", one, "-s", two, "-n", "700"])), of_two[of_two.len() - 700..]);
    assert_eq!(count(&["-s", "drain-*"]), "1500");
    let output = search(&server, &["-s", "shop"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("no system is called `shop`; there are drain-"), "{}", told(&output));

    change(&server, "/api/v1/groups.json", &format!("group[name]=First ones&group[system_wildcard]={one}, {two}"));
    change(&server, "/api/v1/searches.json", "search[name]=Slow requests&search[query]=status=200 OR market");
    let slow = offline(&dir, &all.concat(), &["status=200 OR market"]).len();
    assert_eq!(count(&["-g", "First ones"]), "1000");
    assert_eq!(rows(&search(&server, &["-j", "-g", "first"])), of(&[one, two]));
    assert_eq!(count(&["-S", "Slow requests"]), slow.to_string());
    let both = offline(&dir, &all.concat(), &["market"]).len();
    assert_eq!(count(&["-S", "slow", "market"]), both.to_string(), "words narrow it down");
    for (arguments, why) in [
        (["-g", "nobody"], "no group is called `nobody`; there are "),
        (["-S", "nothing"], "no saved search is called `nothing`; there are Slow requests"),
    ] {
        let output = search(&server, &arguments);
        assert_eq!(output.status.code(), Some(2));
        assert!(told(&output).contains(why), "{}", told(&output));
    }
}

#[test]
fn lines_around_others_are_those_of_the_file() {
    let dir = scratch("asked-around");
    let server = Server::start(&dir, &[]);
    let sent = deliver(&server, 0..2);
    wait_for(&server, 1_000);
    let file = dir.join("sent.logplex");
    fs::write(&file, &sent).unwrap();
    // The program and the message: when a line came, a file does not know.
    let shown = |output: &Output| -> Vec<String> {
        text(output).lines().map(|line| line.splitn(5, ' ').nth(4).unwrap_or(line).to_owned()).collect()
    };
    for options in [&["-C", "2"][..], &["-A", "3"], &["-B", "1"], &["-C", "300"]] {
        for words in ["service=7ms", "tag#market=de"] {
            let of_file = [&["search", "--tz", "UTC", "--in", file.to_str().unwrap(), words], options].concat();
            let expected = shown(&command(&of_file).output().unwrap());
            assert_eq!(shown(&search(&server, &[options, &[words]].concat())), expected, "{options:?} {words}");
        }
    }
}
