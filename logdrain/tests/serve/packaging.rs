//! The systemd unit, the image, and what they rely on.
#![cfg(unix)]

use crate::harness::{self, PATIENCE, Server, scratch};
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output, Stdio};

const UNIT: &str = include_str!("../../../deploy/logdrain.service");
const DOCKERFILE: &str = include_str!("../../../Dockerfile");
const COMPOSE: &str = include_str!("../../../deploy/compose.yaml");
const NODE: &str = include_str!("../../../deploy/node.toml");

/// The values of a setting in a section of the unit.
fn setting<'a>(section: &str, key: &str) -> Vec<&'a str> {
    let start = UNIT.find(&format!("[{section}]")).unwrap() + section.len() + 2;
    let end = UNIT[start..].find("\n[").map_or(UNIT.len(), |end| start + end);
    UNIT[start..end].lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect()
}

fn health(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_logdrain")).arg("health").args(arguments).output().unwrap()
}

#[test]
fn the_unit_never_stops_to_restart() {
    assert_eq!(setting("Unit", "StartLimitIntervalSec"), ["0"]);
    assert_eq!(setting("Service", "Restart"), ["on-failure"]);
}

#[test]
fn the_unit_allows_the_memory_that_the_defaults_may_take() {
    let dir = scratch("packaging-memory");
    let server = Server::start(&dir, &[]);
    let log = server.log();
    let said = log.split("max_memory_mb=").nth(1).unwrap().split_whitespace().next().unwrap();
    let bound: u64 = said.parse().unwrap();
    let [limit] = setting("Service", "MemoryMax")[..] else { panic!("one MemoryMax") };
    let limit: u64 = limit.strip_suffix('M').unwrap().parse().unwrap();
    // SQLite's cache and the program are not in the bound.
    assert!(limit >= bound + 256 && limit <= bound + 1024, "MemoryMax={limit}M, and the bound is {bound} MB");
}

#[test]
fn the_image_opens_no_server_that_nobody_asked_for() {
    let command = DOCKERFILE.lines().find(|line| line.starts_with("CMD ")).unwrap();
    assert!(!command.contains("insecure") && command.contains("--config"), "{command}");
    assert!(DOCKERFILE.contains("HEALTHCHECK ") && DOCKERFILE.contains("logdrain health"));
    let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["serve", "--config", "/nonexistent/logdrain.toml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "without a configuration it does not start");
}

#[test]
fn what_nodes_of_one_machine_share_is_there_and_open_to_that_machine_alone() {
    let snapshots = NODE.lines().find_map(|line| line.strip_prefix("snapshots = ")).unwrap().trim_matches('"');
    assert!(DOCKERFILE.contains(&format!("install -d -o logdrain -g logdrain -m 0700 {snapshots}\n")));
    let nodes: Vec<_> = COMPOSE.lines().filter(|line| line.contains("./node.toml:")).collect();
    assert!(
        nodes.len() == 3 && nodes.iter().all(|node| node.contains(&format!("\"shared:{snapshots}\""))),
        "{nodes:?}"
    );
    let ports: Vec<_> = COMPOSE.lines().filter(|line| line.trim().starts_with("ports:")).collect();
    assert!(ports.len() == 3 && ports.iter().all(|port| port.contains("[\"127.0.0.1:")), "{ports:?}");
    // Who makes the database and who asks for it say the same.
    let password = COMPOSE.lines().find_map(|line| line.trim().strip_prefix("POSTGRES_PASSWORD: ")).unwrap();
    assert!(NODE.contains(&format!("postgres://logdrain:{password}@postgres/logdrain")), "{password}");
}

#[test]
fn health_tells_whether_a_server_is_ready() {
    let dir = scratch("packaging-health");
    let server = Server::start(&dir, &[]);
    let address = server.address.to_string();
    harness::wait_until("a server that is ready", || (server.get("/readyz").status == 200).then_some(()));
    let output = health(&["--listen", &address]);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"ready\n"[..]));
    server.kill();
    let output = health(&["--listen", &address, "--timeout", "1s"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("does not answer"), "{said}");
    assert_eq!(health(&["--config", "/nonexistent/logdrain.toml"]).status.code(), Some(2));
}

#[test]
fn health_speaks_tls_where_the_server_does() {
    let dir = scratch("packaging-health-tls");
    let key = rcgen::generate_simple_self_signed(vec!["drain.example.com".to_owned()]).unwrap();
    std::fs::write(dir.join("cert.pem"), key.cert.pem()).unwrap();
    std::fs::write(dir.join("key.pem"), key.signing_key.serialize_pem()).unwrap();
    let config = dir.join("logdrain.toml");
    std::fs::write(&config, "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n").unwrap();
    let config = config.to_str().unwrap();
    let server = Server::start(&dir, &["--config", config]);
    let address = server.address.to_string();
    let output = harness::wait_until("a server that is ready", || {
        Some(health(&["--config", config, "--listen", &address])).filter(|output| output.status.success())
    });
    assert_eq!(output.stdout, b"ready\n");
    let output = health(&["--listen", &address]);
    assert_eq!(output.status.code(), Some(1), "without TLS there is no answer");
}

#[test]
fn the_service_manager_hears_of_the_start_of_life_and_of_the_end() {
    let dir = scratch("packaging-notify");
    // A path that a socket's address has room for.
    let socket = std::env::temp_dir().join(format!("logdrain-notify-{}", std::process::id()));
    let _ = std::fs::remove_file(&socket);
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["serve", "--listen", "127.0.0.1:0", "--store", dir.join("store").to_str().unwrap()])
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "200000")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut heard = [0; 64];
    let mut next = || {
        let len = manager.recv(&mut heard).unwrap();
        String::from_utf8_lossy(&heard[..len]).into_owned()
    };
    let mut seen = Vec::new();
    while !(seen.contains(&"READY=1".to_owned()) && seen.iter().filter(|state| *state == "WATCHDOG=1").count() > 2) {
        seen.push(next());
    }
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    while next() != "STOPPING=1" {}
    assert_eq!(harness::wait_until("its end", || child.try_wait().unwrap()).code(), Some(0));
    std::fs::remove_file(&socket).unwrap();
}
