//! Places of drains: nobody takes another's, who is gone gives his back, and an operator lists and drops them.

use crate::harness::{Delivery, Server, body, request, scratch, shown, truth, wait_for_rows, wait_until, written};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn section(name: &str, more: &str) -> String {
    format!("[[drain]]\nname = \"{name}\"\nuser = \"{name}\"\npassword = \"{name}-password\"\n{more}\n")
}

/// A delivery with the credentials of a name; answers the status.
fn send(address: SocketAddr, name: &str, token: &str, id: &str, body: &[u8]) -> u16 {
    let basic = format!("Basic {}", STANDARD.encode(format!("{name}:{name}-password")));
    let headers = [("Authorization", basic.as_str()), ("Logplex-Drain-Token", token), ("Logplex-Frame-Id", id)];
    request(address, "POST", "/logs", &headers, body).unwrap().status
}

fn drains(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logdrain"));
    let output = command.arg("drains").args(arguments).arg("--store").arg(dir.join("store")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code(), text)
}

#[test]
fn a_tenant_with_made_up_tokens_locks_no_other_out_and_a_drain_added_again_is_taken() {
    let dir = scratch("tenants");
    let config = config(&dir, &(section("blog", "") + &section("shop", "tokens = [\"d.shop\"]")));
    let server = Server::start(&dir, &["--config", &config]);
    let mut expected = Vec::new();
    for number in 0..30 {
        let body = body(number, 8);
        assert_eq!(send(server.address, "blog", &format!("d.{number}"), "1", &body), 204, "{number}");
        expected.push((format!("blog/d.{number}"), body));
    }
    let own = body(99, 40);
    assert_eq!(send(server.address, "shop", "d.shop", "1", &own), 204);
    expected.push(("shop/d.shop".to_owned(), own));
    // Each that gave way has its rows, and is refused while a window of its could be revised.
    let rows = truth(&dir, expected.iter().map(|(drain, body)| (drain.as_str(), body.clone())));
    wait_for_rows(&dir.join("rows.jsonl"), &rows);
    assert_eq!(send(server.address, "blog", "d.3", "2", &body(1, 1)), 503);
    server.kill();
    // What is read again from the journal is the same.
    let server = Server::start(&dir, &["--config", &config]);
    wait_until("readiness", || (server.get("/readyz").status == 200).then_some(()));
    assert_eq!(send(server.address, "blog", "d.3", "3", &body(1, 1)), 503);
    assert_eq!(send(server.address, "shop", "d.shop", "1", &body(1, 1)), 204, "a duplicate");
    wait_for_rows(&dir.join("rows.jsonl"), &rows);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains("blog/d."), "no token is told: {log}");
}

#[test]
fn drains_of_an_open_server_make_room_for_those_with_credentials() {
    let dir = scratch("migration");
    let open = config(&dir, "max_drains = 2\n");
    let server = Server::start(&dir, &["--config", &open]);
    for token in ["d.1", "d.2"] {
        let sent = Delivery { id: "1".to_owned(), token: token.to_owned(), body: body(1, 8) };
        assert_eq!(sent.send(server.address).unwrap(), 204);
    }
    assert_eq!(server.stop().0, Some(0));
    let closed = config(&dir, &format!("max_drains = 2\n{}{}", section("blog", ""), section("shop", "")));
    let server = Server::start(&dir, &["--config", &closed]);
    assert_eq!(send(server.address, "shop", "d.1", "2", &body(2, 8)), 204);
    assert_eq!(send(server.address, "blog", "d.2", "2", &body(2, 8)), 204);
    let (_, list) = drains(&dir, &["list"]);
    assert!(
        list.starts_with(&shown("blog/d.2")) && list.contains(&format!("\n{}  heard", shown("shop/d.1"))),
        "{list}"
    );
    assert!(list.contains(&format!("{}  lost its place", shown("d.1"))), "{list}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn an_operator_lists_and_drops_drains_beside_the_server_and_without_it() {
    let dir = scratch("drops");
    assert_eq!(drains(&dir, &["list"]).0, Some(2), "there is no store");
    let open = config(&dir, "max_drains = 2\nhorizon = \"1s\"\n");
    let server = Server::start(&dir, &["--config", &open]);
    let deliver = |server: &Server, token: &str, id: &str, body: Vec<u8>| {
        Delivery { id: id.to_owned(), token: token.to_owned(), body }.send(server.address).unwrap()
    };
    let (one, two) = (body(1, 20), body(2, 20));
    assert_eq!((deliver(&server, "d.1", "1", one.clone()), deliver(&server, "d.2", "1", two.clone())), (204, 204));
    assert_eq!(deliver(&server, "d.3", "1", body(3, 8)), 503);
    assert_eq!(drains(&dir, &["drop", "d.1"]).0, Some(2), "a token is no name");
    assert_eq!(drains(&dir, &["drop", "shop"]).0, Some(2));
    let (code, said) = drains(&dir, &["drop", &shown("d.1")]);
    assert_eq!((code, said.as_str()), (Some(0), format!("{} has no place any more\n", shown("d.1")).as_str()));
    let three = body(3, 8);
    assert_eq!((deliver(&server, "d.1", "2", body(4, 8)), deliver(&server, "d.3", "1", three.clone())), (503, 204));
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.1", one), ("d.2", two), ("d.3", three)]));
    let before = written(&dir.join("rows.jsonl"));
    assert_eq!(server.stop().0, Some(0));
    assert!(!dir.join("store/operator.sock").exists());
    // Without a server.
    let (code, list) = drains(&dir, &["list"]);
    assert_eq!((code, list.lines().count()), (Some(0), 3), "{list}");
    assert_eq!(drains(&dir, &["drop", &shown("d.2")]).0, Some(0));
    assert_eq!(drains(&dir, &["drop", &shown("d.2")]).0, Some(2), "it is gone");
    let server = Server::start(&dir, &["--config", &open]);
    wait_until("readiness", || (server.get("/readyz").status == 200).then_some(()));
    assert_eq!(deliver(&server, "d.4", "1", body(5, 8)), 204);
    assert_eq!(deliver(&server, "d.2", "9", body(5, 8)), 503);
    let rows = written(&dir.join("rows.jsonl"));
    assert!(before.iter().all(|(key, row)| rows.get(key) == Some(row)), "rows that are out stay");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
#[cfg(unix)]
fn operators_who_hang_or_talk_nonsense_harm_nobody() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;
    let dir = scratch("door");
    let server = Server::start(&dir, &[]);
    let door = dir.join("store/operator.sock");
    assert_eq!(fs::metadata(&door).unwrap().permissions().mode() & 0o777, 0o600);
    for nonsense in ["\n", "{}\n", "{\"do\":\"destroy\"}\n", "{\"do\":\"drop\"}\n", &"x".repeat(5_000)] {
        let mut stream = UnixStream::connect(&door).unwrap();
        let _ = stream.write_all(nonsense.as_bytes());
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.starts_with("{\"error\":") || nonsense.len() > 4_096, "{nonsense:?}: {answer}");
    }
    let hanging: Vec<_> = (0..40).map(|_| UnixStream::connect(&door).unwrap()).collect();
    let began = Instant::now();
    let sent = Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: body(1, 8) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    assert!(began.elapsed() < Duration::from_secs(3));
    // They are sent away after a while, and the door is free again.
    wait_until("the list", || {
        let (code, list) = drains(&dir, &["list"]);
        (code == Some(0) && list.contains(&shown("d.1"))).then_some(())
    });
    drop(hanging);
    let began = Instant::now();
    let hanging = UnixStream::connect(&door).unwrap();
    assert_eq!(server.stop().0, Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(hanging);
}
