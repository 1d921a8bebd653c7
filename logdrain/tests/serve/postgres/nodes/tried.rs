//! `deploy/three-nodes`: what it says to do works as it says.

use super::cluster::OPERATOR;
use crate::harness::{request, wait_until};
use crate::logdrain;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use testkit::postgres::Postgres;

/// Four ports beside each other that nobody listens on.
fn ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).is_ok();
    let mut first = 20_000 + u16::try_from(std::process::id() % 20_000).unwrap();
    while !(first..first + 4).all(is_free) {
        first += 4;
    }
    first
}

/// It runs in a group of its own, which is ended as Ctrl-C does.
struct Script(Child);

impl Script {
    fn end(&mut self) {
        let group = format!("-{}", self.0.id());
        Command::new("kill").args(["-s", "INT", "--", &group]).status().unwrap();
        wait_until("the end of it", || self.0.try_wait().unwrap());
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end();
        }
    }
}

#[test]
fn one_command_starts_three_nodes_that_take_lines_and_outlive_each_other() {
    let Some(programs) = Postgres::programs() else { return };
    let port = ports();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/three-nodes");
    let child = Command::new(script)
        .env("LOGDRAIN", env!("CARGO_BIN_EXE_logdrain"))
        .env("POSTGRES", programs)
        .env("PORT", port.to_string())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap();
    let mut script = Script(child);
    let mut said = Vec::new();
    for line in BufReader::new(script.0.stdout.take().unwrap()).lines() {
        said.push(line.unwrap().trim().to_owned());
        if said.last().is_some_and(|line| line.starts_with("Ctrl-C ends all of them")) {
            break;
        }
    }
    let one = |with: &str| said.iter().find(|line| line.contains(with)).unwrap_or_else(|| panic!("{with}: {said:?}"));
    let folder =
        one("Three nodes on one PostgreSQL, in ").split(' ').next_back().unwrap().trim_end_matches(':').to_owned();

    // Each as it is said.
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let output = logdrain(&words, b"");
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&format!("{} --lines 200", one(" send --to "))).0, Some(0));
    let page = one("/events?account=shop").strip_prefix("http://").unwrap();
    let (at, path) = page.split_once('/').unwrap();
    let at: SocketAddr = at.parse().unwrap();
    let lines = || request(at, "GET", &format!("/{path}"), &[OPERATOR], b"").unwrap();
    wait_until("lines at another node", || {
        let page = lines();
        (page.status == 200 && page.body.contains("heroku/router")).then_some(())
    });
    let status = || run(one(" cluster status "));
    assert!(status().1.starts_with("3 of 3 nodes live"), "{:?}", status());
    let kill: Vec<&str> = one("kill -9 ").split(' ').collect();
    assert!(Command::new(kill[0]).args(&kill[1..]).status().unwrap().success());
    wait_until("two nodes that are left", || status().1.starts_with("2 of 3 nodes live").then_some(()));
    wait_until("lines without the first", || (lines().status == 200).then_some(()));

    script.end();
    assert!(!Path::new(&folder).exists(), "{folder} is left");
}
