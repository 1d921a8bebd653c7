//! Plain syslog ports: what senders write is found as they mean it, and who should not send does not.

use crate::harness::{Server, now_micros, scratch, time_of, wait_until};
use crate::lines::kept;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TOKEN: &str = "0123456789-abcdef";

fn start(dir: &Path, text: &str) -> Server {
    let path = dir.join("config.toml");
    fs::write(&path, text).unwrap();
    Server::start(dir, &["--config", path.to_str().unwrap()])
}

/// Where a port listens, as the log says.
fn address(server: &Server, name: &str) -> SocketAddr {
    let log = server.log();
    let said = log.lines().find(|line| line.contains(&format!("port={name} "))).unwrap_or_else(|| panic!("{log}"));
    said.split("at=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
}

fn port(name: &str, rest: &str) -> String {
    format!("[[port]]\nname = \"{name}\"\nlisten = \"127.0.0.1:0\"\n{rest}\n")
}

/// What a search on the page finds, as text.
fn found(server: &Server, query: &str) -> String {
    let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    server.get(&format!("/events?q={query}")).body
}

fn number(server: &Server, name: &str) -> u64 {
    let metrics = server.get("/metrics").body;
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
}

fn old_time(micros: u64) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let time = time_of(micros);
    let month: usize = time[5..7].parse().unwrap();
    format!("{} {:>2} {}", MONTHS[month - 1], time[8..10].trim_start_matches('0'), &time[11..19])
}

#[test]
fn lines_of_known_senders_are_found_by_severity_program_and_address() {
    let dir = scratch("ports-found");
    let server = start(&dir, &(port("office", "") + &port("dgram", "protocol = \"udp\"")));
    let (old, new) = (old_time(now_micros()), time_of(now_micros()));
    let lines = [
        (
            format!("<38>{old} bastion sshd[4711]: Accepted publickey for deploy"),
            "program:sshd severity:info",
            "Accepted publickey",
        ),
        (
            format!("<28>{old} nms snmptrapd[911]: switch1 IF-MIB::linkDown ifIndex.3"),
            "program:snmptrapd severity:warning ip:127.0.0.1",
            "linkDown",
        ),
        (
            format!("<14>{old} db1 audisp-syslog: type=USER_LOGIN msg=audit(1.2:42): res=failed"),
            "program:audisp-syslog host:db1",
            "USER_LOGIN",
        ),
        (
            format!(
                "<11>1 {new} WIN-DC01 Microsoft-Windows-Security-Auditing 640 - [NXLOG@14506 EventID=\"4625\"] An account failed to log on."
            ),
            "program:Microsoft-Windows-Security-Auditing severity:err 4625",
            "An account failed to log on.",
        ),
        (
            format!("<190>{old} web1 nginx: 192.0.2.7 - - \"GET /checkout HTTP/1.1\" 200 612"),
            "program:nginx facility:local7 ip:127.0.0",
            "/checkout",
        ),
    ];
    let mut stream = TcpStream::connect(address(&server, "office")).unwrap();
    for (index, (line, ..)) in lines.iter().enumerate() {
        // By length and by line in turns.
        let framed = if index % 2 == 0 { format!("{} {line}", line.len()) } else { format!("{line}\n") };
        stream.write_all(framed.as_bytes()).unwrap();
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagram = format!("<3>{old} router kernel: eth0: link is not ready\n");
    socket.send_to(datagram.as_bytes(), address(&server, "dgram")).unwrap();
    let began = Instant::now();
    for (_, query, message) in &lines {
        wait_until(query, || found(&server, query).contains(message).then_some(()));
    }
    wait_until("a datagram", || {
        found(&server, "program:kernel severity:error").contains("link is not ready").then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10));
    // Nothing of it is counted, and no drain has a place for it.
    assert!(!server.get("/metrics").body.contains("logdrain_ledger_total{drain=\"office"));
    assert_eq!(number(&server, "logdrain_port_lines_total"), 6);
    // What came is there after a restart, each line once.
    drop(stream);
    assert_eq!(server.stop().0, Some(0));
    let all = kept(&dir);
    let systems: BTreeSet<_> = all.values().map(|(system, ..)| system.as_str()).collect();
    assert_eq!(systems, BTreeSet::from(["WIN-DC01", "bastion", "db1", "nms", "router", "web1"]));
    assert_eq!(all.len(), 6);
}

#[test]
fn a_token_lets_in_is_kept_nowhere_and_is_not_guessed() {
    let dir = scratch("ports-token");
    let server = start(&dir, &port("office", &format!("token = \"{TOKEN}\"")));
    let office = address(&server, "office");
    let mut good = TcpStream::connect(office).unwrap();
    good.write_all(format!("<13>1 - host app - - [{TOKEN}@41058] first\n  at trace\n").as_bytes()).unwrap();
    wait_until("the lines", || (number(&server, "logdrain_port_lines_total") == 2).then_some(()));
    // Guesses, many at a time: nobody gets in, and each waits longer.
    let began = Instant::now();
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            std::thread::spawn(move || {
                let mut tried = 0;
                while began.elapsed() < Duration::from_secs(3) && tried < 1_250 {
                    let Ok(mut stream) = TcpStream::connect(office) else { continue };
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                    let _ = stream.write_all(format!("<13>1 - h a - - - {thread:08}{tried:08}x guess\n").as_bytes());
                    let _ = stream.read(&mut [0; 8]);
                    tried += 1;
                }
                tried
            })
        })
        .collect();
    let tried: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(tried < 10_000, "{tried} guesses in three seconds");
    // The owner gets in from the same address meanwhile.
    let mut again = TcpStream::connect(office).unwrap();
    again.write_all(format!("<13>Nov 21 14:14:58 host app: {TOKEN} second\n").as_bytes()).unwrap();
    wait_until("the owner", || found(&server, "program:app").contains("second").then_some(()));
    drop((good, again));
    let (code, log) = server.stop();
    assert!(code == Some(0) && !log.contains(TOKEN), "{log}");
    let messages: BTreeSet<_> = kept(&dir).into_values().map(|(.., message)| message).collect();
    let said = ["first", "  at trace", "second"].map(|text| text.trim_start().to_owned());
    assert_eq!(messages.iter().map(|text| text.trim_start().to_owned()).collect::<BTreeSet<_>>(), BTreeSet::from(said));
    for file in ["journal.db", "journal.db-wal"] {
        let bytes = fs::read(dir.join("store").join(file)).unwrap_or_default();
        assert!(!bytes.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes()), "{file}");
    }
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

#[test]
fn a_port_is_encrypted_or_not_by_its_own_word_and_of_one_account() {
    let dir = scratch("ports-tls");
    let made = rcgen::generate_simple_self_signed(["drain.example.com".to_owned()]).unwrap();
    fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n".to_owned()
        + &port("safe", "protocol = \"tls\"\naccount = \"acme\"")
        + &port("plain", "account = \"acme\"\nallow = [\"127.0.0.1\"]")
        + &port("other", "allow = [\"192.0.2.0/24\"]");
    let server = start(&dir, &text);
    let mut stream = encrypted(address(&server, "safe"), made.cert.der().clone());
    stream.write_all(b"<13>Nov 21 14:14:58 host app: by tls\n").unwrap();
    let mut stream = TcpStream::connect(address(&server, "plain")).unwrap();
    stream.write_all(b"<13>Nov 21 14:14:58 host app: in the clear\n").unwrap();
    let mut closed = TcpStream::connect(address(&server, "other")).unwrap();
    closed.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let _ = closed.write_all(b"<13>Nov 21 14:14:58 host app: from elsewhere\n");
    assert!(matches!(closed.read(&mut [0; 8]), Ok(0) | Err(_)));
    // Any page of a browser may send a request to this machine.
    let mut page = TcpStream::connect(address(&server, "plain")).unwrap();
    page.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n<13>Nov 21 14:14:58 host app: forged\n").unwrap();
    page.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert!(matches!(page.read(&mut [0; 8]), Ok(0) | Err(_)));
    std::thread::sleep(Duration::from_millis(500));
    drop(stream);
    assert_eq!(server.stop().0, Some(0));
    let reader = log_store::Reader::open(dir.join("store/logs"), &log_store::Options::new()).unwrap();
    let count = |account: &str| {
        let view = reader.view(&log_store::Scope::account(account));
        let found = view.search(&log_store::Query::default(), &log_store::Page::new(), &mut || true);
        found.events().len()
    };
    assert_eq!((count("acme"), count("default")), (2, 0));
}

/// Bytes of any kind, connections that say nothing, senders of a byte at a time, lines that do not end, datagrams.
#[test]
#[cfg(target_os = "linux")]
fn a_flood_takes_no_more_memory_than_there_is_and_keeps_nobody_out() {
    let dir = scratch("ports-flood");
    let text =
        "memory = \"24MB\"\nbody_limit = \"4MB\"\ndrain_memory = \"32MB\"\nmax_drains = 2\nmax_connections = 700\n"
            .to_owned()
            + "answer_within = \"1s\"\n"
            + &port("office", "")
            + &port("dgram", "protocol = \"udp\"");
    let server = start(&dir, &text);
    let (office, dgram) = (address(&server, "office"), address(&server, "dgram"));
    let log = server.log();
    let bound: usize = log.split("max_memory_mb=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    let until = Instant::now() + Duration::from_secs(4);
    let mut threads = Vec::new();
    for kind in 0..6_u8 {
        threads.push(std::thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut idle = Vec::new();
            let mut seed = u64::from(kind) + 1;
            while Instant::now() < until {
                let Ok(mut stream) = TcpStream::connect(office) else { continue };
                let _ = stream.set_write_timeout(Some(Duration::from_millis(500)));
                let _ = match kind {
                    // No end, and more than a line may have.
                    0 => stream.write_all(&vec![b'x'; 300_000]),
                    // A beginning.
                    1 => stream.write_all(b"<13>Nov"),
                    2 => stream.write_all(&"60000 <13>z".repeat(8_000).into_bytes()),
                    3 => {
                        let bytes: Vec<u8> = (0..50_000)
                            .map(|_| {
                                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                                (seed >> 33) as u8
                            })
                            .collect();
                        stream.write_all(&bytes)
                    }
                    4 => (0..2_000).try_for_each(|number| {
                        socket.send_to(format!("<13>Nov 21 14:14:58 host-{number} a: b").as_bytes(), dgram).map(drop)
                    }),
                    _ => (0..50).try_for_each(|_| {
                        std::thread::sleep(Duration::from_millis(5));
                        stream.write_all(b"s")
                    }),
                };
                idle.push(stream);
                idle.truncate(100);
            }
        }));
    }
    // A healthy one gets its lines in meanwhile, each once.
    let mut sent = 0;
    let mut stream = TcpStream::connect(office).unwrap();
    while Instant::now() < until {
        let line = format!("<13>Nov 21 14:14:58 healthy app: number-{sent}-\n");
        if let Err(error) = stream.write_all(line.as_bytes()) {
            panic!("line {sent}: {error}\n{}", server.get("/metrics").body);
        }
        sent += 1;
        std::thread::sleep(Duration::from_millis(50));
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    drop(stream);
    let last = format!("number-{}-", sent - 1);
    wait_until("the last line", || found(&server, "host:healthy").contains(&last).then_some(()));
    let memory = server.memory();
    assert!(memory < (bound + 160) << 20, "{} of {bound} MB", memory >> 20);
    assert!(number(&server, "logdrain_port_cut_total") > 0);
    let (code, _) = server.stop();
    assert_eq!(code, Some(0));
    let all = kept(&dir);
    let healthy = all.values().filter(|(system, ..)| system == "healthy").count();
    assert_eq!(healthy, sent);
    // Names beyond what a port believes are kept under the address.
    let systems: BTreeSet<_> = all.values().map(|(system, ..)| system.clone()).collect();
    assert!(systems.len() <= 2_100 && systems.contains("127.0.0.1"), "{}", systems.len());
}

/// Lines that do not end have all of the memory for such, for as long as they may: who sends short ones gets in meanwhile.
#[test]
fn lines_that_do_not_end_keep_no_short_one_out() {
    let dir = scratch("ports-ends");
    let text = "memory = \"8MB\"\nbody_limit = \"1MB\"\nmax_connections = 100\nanswer_within = \"60s\"\n".to_owned()
        + &port("office", "");
    let server = start(&dir, &text);
    let office = address(&server, "office");
    let endless: Vec<_> = (0..60)
        .map(|_| {
            let mut stream = TcpStream::connect(office).unwrap();
            stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
            let _ = stream.write_all(&[b'x'; 60_000]);
            stream
        })
        .collect();
    for round in 0..3 {
        let mut stream = TcpStream::connect(office).unwrap();
        stream.write_all(format!("<13>Nov 21 14:14:58 healthy app: round-{round}-\n").as_bytes()).unwrap();
        wait_until("a short line", || {
            found(&server, "host:healthy").contains(&format!("round-{round}-")).then_some(())
        });
    }
    assert!(number(&server, "logdrain_connections") >= endless.len() as u64, "they have their places still");
    assert_eq!(number(&server, "logdrain_refused_total{reason=\"slow_body\"}"), 0);
    drop(endless);
    assert_eq!(server.stop().0, Some(0));
}

/// A server that is killed reads from its journal again what it had taken, as it was taken: under the same names, each once.
#[test]
fn lines_that_were_taken_outlive_a_crash() {
    let dir = scratch("ports-crash");
    let text = port("office", "zone = \"Europe/Berlin\"\naccount = \"default\"");
    let server = start(&dir, &text);
    // Beyond the names that a port believes, lines are of the address.
    let mut stream = TcpStream::connect(address(&server, "office")).unwrap();
    let mut lines = String::new();
    for number in 0..1_100 {
        lines.push_str(&format!("<13>Nov 21 14:14:58 host-{number} app: line-{number}-\n"));
    }
    stream.write_all(lines.as_bytes()).unwrap();
    wait_until("the last line", || found(&server, "program:app").contains("line-1099-").then_some(()));
    server.kill();
    let server = start(&dir, &text);
    wait_until("the lines again", || found(&server, "program:app").contains("line-1099-").then_some(()));
    assert_eq!(server.stop().0, Some(0));
    let all = kept(&dir);
    assert_eq!(all.len(), 1_100);
    let messages: BTreeSet<_> = all.values().map(|(.., message)| message.clone()).collect();
    assert_eq!(messages.len(), 1_100);
    let by_address = all.values().filter(|(system, ..)| system == "127.0.0.1").count();
    assert_eq!(by_address, 100);
}
