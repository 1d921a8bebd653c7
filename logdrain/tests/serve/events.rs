//! Kept lines over HTTP: who may see them, and what is answered to whom.

use crate::harness::{Answer, Server, raw, request, scratch};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::net::SocketAddr;

const PATHS: [&str; 2] = ["/events", "/api/v2/tail"];
const WATCHER: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";
const DRAIN: &str = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\n";

fn start(name: &str, text: &str, arguments: &[&str]) -> Server {
    let dir = scratch(name);
    std::fs::write(dir.join("config.toml"), text).unwrap();
    Server::start(&dir, &[&["--config", dir.join("config.toml").to_str().unwrap()], arguments].concat())
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// The head of an answer, whose body may have no end.
fn head(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    request(address, "HEAD", path, headers, b"").unwrap()
}

/// Where lines are not shown, nothing else of them is: neither how many there are nor whether there are any.
fn refuses(address: SocketAddr, headers: &[(&str, &str)], status: u16, part: &str) {
    for path in PATHS {
        let answer = request(address, "GET", path, headers, b"").unwrap();
        assert_eq!(answer.status, status, "{path} {headers:?}: {answer:?}");
        assert!(answer.body.contains(part) && answer.body.len() < 300, "{path}: {answer:?}");
        assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
    }
}

fn shows(address: SocketAddr, headers: &[(&str, &str)]) {
    for path in PATHS {
        let answer = head(address, path, headers);
        assert!(matches!(answer.status, 200 | 503), "{path} {headers:?}: {answer:?}");
        assert!(!answer.head.to_lowercase().contains("access-control"), "{answer:?}");
    }
}

#[test]
fn lines_are_for_this_machine_alone_where_nobody_is_asked_for_credentials() {
    let server = start("lines-open", "", &["--listen", "0.0.0.0:0", "--insecure"]);
    let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    // Whoever comes to an address that others reach may be anybody, whatever it calls the server.
    refuses(address, &[], 403, "[watcher]");
    let get = |path: &str, host: &str| {
        raw(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap()
    };
    for path in PATHS {
        assert_eq!(get(path, "localhost").status, 403);
        assert_eq!(get(path, "drain.example.com").status, 403);
    }
    assert_eq!(server.stop().0, Some(0));
    let server = start("lines-loopback", "", &[]);
    shows(server.address, &[]);
    let get = |path: &str, host: &str| {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        raw(server.address, text.as_bytes()).unwrap()
    };
    for path in PATHS {
        for host in ["evil.example", "localhost.evil.example", "192.0.2.1", ""] {
            assert_eq!(get(path, host).status, 403, "{path} {host}");
        }
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn lines_are_for_the_watcher_where_one_is_named_and_for_nobody_where_drains_alone_are() {
    let server = start("lines-watched", &format!("{DRAIN}{WATCHER}"), &[]);
    refuses(server.address, &[], 401, "credentials");
    refuses(server.address, &[("Authorization", &basic("shop:shop-s3cret-1"))], 401, "credentials");
    refuses(server.address, &[("Authorization", &basic("ops:wrong"))], 401, "credentials");
    shows(server.address, &[("Authorization", &basic("ops:ops-s3cret-12"))]);
    assert_eq!(server.stop().0, Some(0));
    let server = start("lines-unwatched", DRAIN, &[]);
    refuses(server.address, &[], 401, "credentials");
    refuses(server.address, &[("Authorization", &basic("shop:shop-s3cret-1"))], 401, "credentials");
    assert_eq!(server.stop().0, Some(0));
    // Also where anybody may send.
    let server = start("lines-watched-open", WATCHER, &["--listen", "0.0.0.0:0", "--insecure"]);
    let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    refuses(address, &[], 401, "credentials");
    shows(address, &[("Authorization", &basic("ops:ops-s3cret-12"))]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn pages_of_other_servers_take_no_place_and_links_on_them_work() {
    let server = start("lines-elsewhere", "", &[]);
    for site in ["cross-site", "same-site"] {
        let headers = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")];
        refuses(server.address, &headers, 403, "other servers");
        let frame = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")];
        refuses(server.address, &frame, 403, "other servers");
        let link = [("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")];
        shows(server.address, &link);
    }
    for site in ["same-origin", "none"] {
        shows(server.address, &[("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", "cors")]);
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_cannot_be_asked_is_refused_with_a_sentence() {
    let server = start("lines-wrong", "", &[]);
    let longest = format!("q={}", "(".repeat(8 << 10));
    for path in PATHS {
        assert_ne!(head(server.address, &format!("{path}?{longest}"), &[]).status, 400);
        let answer = server.get(&format!("{path}?{longest}("));
        assert!(answer.status == 400 && answer.body.contains("8192"), "{answer:?}");
        let answer = server.get(&format!("{path}?account=..%2Fx"));
        assert!(answer.status == 400 && answer.body.contains("account"), "{answer:?}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = request(server.address, method, path, &[], b"").unwrap();
            assert!(answer.status == 405 && answer.head.to_lowercase().contains("allow: get, head"), "{answer:?}");
        }
    }
    for id in ["9223372036854775808", "18446744073709551616", "-1", "1e3", "%00", "0x10"] {
        for name in ["max_id", "min_id", "centered_on_id"] {
            let answer = server.get(&format!("/events?{name}={id}"));
            assert!(answer.status == 400 && answer.body.contains(name), "{answer:?}");
        }
        assert_eq!(server.get(&format!("/api/v2/tail?after={id}")).status, 400);
    }
    for last in ["x", "-1", "9223372036854775808", "\u{e9}"] {
        let answer = request(server.address, "GET", "/api/v2/tail", &[("Last-Event-ID", last)], b"").unwrap();
        assert_eq!(answer.status, 400, "{last}: {answer:?}");
    }
    assert_ne!(head(server.address, "/api/v2/tail?after=9223372036854775807", &[]).status, 400);
    assert_eq!(server.stop().0, Some(0));
}
