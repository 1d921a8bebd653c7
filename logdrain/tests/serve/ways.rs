//! The other ways in: TLS, syslog over TCP; and a configuration that changes while the server runs.

use crate::harness::{
    self, Server, body, now_micros, request, scratch, time_of, truth, wait_for_rows, wait_for_rows_after, wait_until,
    written,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

/// A certificate for `drain.example.com` that vouches for itself, and the section that uses it.
fn certificate(dir: &Path) -> (CertificateDer<'static>, String) {
    let made = rcgen::generate_simple_self_signed(["drain.example.com".to_owned()]).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    (made.cert.der().clone(), "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n".to_owned())
}

fn encrypted(address: SocketAddr, trusted: CertificateDer<'static>) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("drain.example.com").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    StreamOwned::new(connection, TcpStream::connect(address).unwrap())
}

fn config(dir: &Path, text: &str) -> String {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[test]
fn deliveries_come_encrypted_and_no_other_way() {
    let dir = scratch("tls");
    let (trusted, section) = certificate(&dir);
    let drains = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"s3cret\"\n";
    let config = config(&dir, &format!("{section}{drains}"));
    // With credentials and TLS a public address is fine.
    let server = Server::start(&dir, &["--config", &config, "--listen", "0.0.0.0:0"]);
    let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
    let body = body(1, 50);
    let mut stream = encrypted(address, trusted);
    let head = format!(
        "POST /logs HTTP/1.1\r\nHost: drain.example.com\r\nConnection: close\r\nLogplex-Drain-Token: d.1\r\n\
         Authorization: {}\r\nContent-Length: {}\r\n\r\n",
        basic("shop:s3cret"),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert!(request(address, "GET", "/healthz", &[], b"").is_err(), "nothing is answered in the clear");
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("shop/d.1", body)]));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn syslog_drains_are_known_by_their_token() {
    let dir = scratch("syslog");
    let text = "syslog = \"127.0.0.1:0\"\n[[drain]]\nname = \"shop\"\nuser = \"u\"\npassword = \"p\"\ntokens = [\"d.1\"]\n\
                [watcher]\nuser = \"ops\"\npassword = \"w\"\n";
    let server = Server::start(&dir, &["--config", &config(&dir, text)]);
    let log = server.log();
    let address: SocketAddr =
        log.split("syslog=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().parse().unwrap();
    let frames = |token: &str, count: u64| {
        let mut all = Vec::new();
        for number in 0..count {
            let time = time_of(now_micros() / 1_000 * 1_000 + number);
            let line = format!("<190>1 {time} {token} app web.1 - - measure#db.query={number}ms count#n=1\n");
            all.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
        }
        all
    };
    let (known, unknown) = (frames("d.1", 60), frames("d.2", 5));
    let mut stream = TcpStream::connect(address).unwrap();
    // In pieces that end anywhere.
    for piece in known.chunks(333) {
        stream.write_all(piece).unwrap();
        stream.flush().unwrap();
    }
    stream.write_all(&unknown).unwrap();
    drop(stream);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("shop/d.1", known)]));
    let metrics = request(server.address, "GET", "/metrics", &[("Authorization", &basic("ops:w"))], b"").unwrap();
    assert!(metrics.body.contains("logdrain_refused_total{reason=\"credentials\"} 5\n"), "{}", metrics.body);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_changed_configuration_holds_at_once() {
    let dir = scratch("reload");
    let text = |password: &str, app: &str| {
        format!("[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"{password}\"\napp = \"{app}\"\n")
    };
    let path = config(&dir, &text("old-one", "shop-one"));
    let server = Server::start(&dir, &["--config", &path]);
    let send = |password: &str, id: &str| {
        let authorization = basic(&format!("shop:{password}"));
        let headers = [("Authorization", authorization.as_str()), ("Logplex-Frame-Id", id)];
        request(server.address, "POST", "/logs", &headers, &body(1, 8)).unwrap().status
    };
    assert_eq!((send("old-one", "1"), send("new-one", "2")), (204, 401));
    let rows = dir.join("rows.jsonl");
    wait_until("rows", || (!written(&rows).is_empty()).then_some(()));
    fs::rename(&rows, dir.join("rows.1")).unwrap();
    config(&dir, &text("new-one", "shop-two"));
    server.signal("HUP");
    wait_until("the new password", || (send("new-one", "3") == 204).then_some(()));
    assert_eq!(send("old-one", "4"), 401);
    wait_until("rows under the new name", || {
        let rows = written(&rows);
        rows.values().any(|row| row.contains("\"app_name\":\"shop-two\"")).then_some(())
    });
    // What is wrong changes nothing.
    config(&dir, "no such key = 1");
    server.signal("HUP");
    wait_until("the message", || server.log().contains("the configuration was not read again").then_some(()));
    assert_eq!(send("new-one", "5"), 204);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains("old-one") && !log.contains("new-one"), "{log}");
}

#[test]
fn a_collector_gets_rows_when_it_can_take_them() {
    use std::net::TcpListener;
    use std::sync::mpsc;
    let dir = scratch("otlp");
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!("otlp = \"http://{}/v1/metrics\"\n", collector.local_addr().unwrap());
    let server = Server::start(&dir, &["--config", &config(&dir, &text)]);
    // Busy at first, then it takes what comes.
    let (taken, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for (number, stream) in collector.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let (mut octets, mut chunk) = (Vec::new(), [0; 4096]);
            let whole = |octets: &[u8]| {
                let head = octets.windows(4).position(|window| window == b"\r\n\r\n")?;
                let text = String::from_utf8_lossy(&octets[..head]).to_ascii_lowercase();
                let len: usize = text.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
                (octets.len() >= head + 4 + len).then(|| (text, octets[head + 4..].to_vec()))
            };
            let (head, body) = loop {
                if let Some(whole) = whole(&octets) {
                    break whole;
                }
                let len = stream.read(&mut chunk).unwrap();
                assert!(len > 0);
                octets.extend_from_slice(&chunk[..len]);
            };
            let status = if number == 0 { "503 Busy\r\nRetry-After: 1" } else { "200 OK" };
            stream.write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes()).unwrap();
            let _ = taken.send((number, head, body));
        }
    });
    let sent = harness::Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: body(1, 40) };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    let (first, again) =
        (requests.recv_timeout(harness::PATIENCE).unwrap(), requests.recv_timeout(harness::PATIENCE).unwrap());
    assert_eq!((first.0, again.0), (0, 1));
    assert_eq!(first.2, again.2, "what was refused for now comes again as it was");
    assert!(
        again.1.starts_with("post /v1/metrics http/1.1") && again.1.contains("application/x-protobuf"),
        "{}",
        again.1
    );
    let holds = |text: &str| again.2.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        holds("heroku.router.service.response_time")
            && holds("shop.orders")
            && holds(&harness::shown("d.1"))
            && !holds("d.1")
    );
    assert!(server.get("/metrics").body.contains("logdrain_otlp_sent_rows_total"));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_whose_rows_nobody_reads_ends_within_seconds_and_loses_none() {
    use crate::harness::Delivery;
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let dir = scratch("unread");
    let fifo = dir.join("rows.fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let server = Server::start(&dir, &["--out", fifo.to_str().unwrap()]);
    // More rows than the pipe holds.
    let mut lines = Vec::new();
    for number in 0..400 {
        let time = time_of(now_micros());
        let line = format!("<190>1 {time} host app web.1 - measure#db.query.{number}=7ms count#orders.{number}=1\n");
        lines.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
    }
    let sent = Delivery { id: "1".to_owned(), token: "d.1".to_owned(), body: lines.clone() };
    assert_eq!(sent.send(server.address).unwrap(), 204);
    std::thread::sleep(Duration::from_secs(4));
    let began = Instant::now();
    let (code, log) = server.stop();
    assert_eq!(code, Some(2), "{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(log.contains("nobody reads the rows"), "{log}");
    // Standard output that is a full pipe is the same.
    let mut child = Command::new(env!("CARGO_BIN_EXE_logdrain"))
        .args(["serve", "--listen", "127.0.0.1:0", "--window", "1s", "--lateness", "1s", "--store"])
        .arg(dir.join("store"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(2));
    let began = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    let code = wait_until("the end", || child.try_wait().unwrap()).code();
    assert_eq!(code, Some(2));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let server = Server::start(&dir, &[]);
    wait_for_rows(&dir.join("rows.jsonl"), &truth(&dir, [("d.1", lines)]));
    assert_eq!(server.stop().0, Some(0));
}

#[test]
#[cfg(unix)]
fn rows_are_in_the_new_file_at_once_when_the_old_one_was_moved_though_the_configuration_is_refused() {
    let dir = scratch("rotated");
    let path = config(&dir, "");
    let server = Server::start(&dir, &["--config", &path]);
    let rows = dir.join("rows.jsonl");
    let deliver = |id: &str, number: u64| {
        let body = body(number, 8);
        let sent = harness::Delivery { id: id.to_owned(), token: "d.1".to_owned(), body: body.clone() };
        assert_eq!(sent.send(server.address).unwrap(), 204);
        body
    };
    let first = truth(&dir, [("d.1", deliver("1", 1))]);
    wait_for_rows(&rows, &first);
    let moved = dir.join("rows.1");
    fs::rename(&rows, &moved).unwrap();
    let len = fs::metadata(&moved).unwrap().len();
    config(&dir, "no such key = 1");
    server.signal("HUP");
    let second = truth(&dir, [("d.1", deliver("2", 2))]);
    wait_for_rows_after(&rows, &first, &second);
    assert_eq!(fs::metadata(&moved).unwrap().len(), len, "nothing was written to the file that was moved");
    fs::remove_file(&rows).unwrap();
    let third = truth(&dir, [("d.1", deliver("3", 3))]);
    wait_for_rows_after(&rows, &second, &third);
    assert_eq!(server.stop().0, Some(0));
}
