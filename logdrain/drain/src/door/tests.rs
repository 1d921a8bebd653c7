use super::addresses::is_outside;
use super::{Allowed, LOOK_UP, LOOK_UPS_OF_ONE, Most, Outbound, Place, Why};
use http_body_util::{Empty, Full};
use hyper::Request;
use hyper::body::Bytes;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[test]
fn only_addresses_of_the_world_are_outside() {
    for address in [
        "8.8.8.8",
        "1.1.1.1",
        "9.255.255.255",
        "11.0.0.0",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.1",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.0.1.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "223.255.255.255",
        "52.216.1.1",
        "2600::1",
        "2a00:1450:4001::8",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2620:fe::fe",
        "3ffe:ffff::1",
    ] {
        assert!(is_outside(address.parse().unwrap()), "{address}");
    }
    for address in [
        // loopback, private, link-local with what clouds tell there, shared, this network
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "169.254.169.254",
        "169.254.0.0",
        "100.64.0.1",
        "100.127.255.255",
        "100.100.100.200",
        "0.0.0.0",
        "0.1.2.3",
        // multicast, broadcast, reserved, documents, benchmarks, protocols
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "198.18.0.1",
        "198.19.255.255",
        "192.0.0.8",
        "192.88.99.1",
        // the same of IPv6
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "3fff::1",
        "100::1",
        "5f00::1",
        "4000::1",
        // IPv4 in IPv6: mapped, compatible, NAT64, its local form, 6to4, Teredo, ISATAP's prefix, translated
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::808:808",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2001::1",
        "2001:0:53aa:64c::1",
        "::ffff:0:127.0.0.1",
    ] {
        assert!(!is_outside(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_url_is_refused_before_anything_is_looked_up() {
    let door = Outbound::new(Vec::new());
    for (url, said) in [
        ("https://example.com/path?x=1", None),
        ("https://example.com:8443/", None),
        ("https://EXAMPLE.com./", None),
        ("https://[2600::1]/", None),
        ("http://example.com/", Some("encrypted")),
        ("ftp://example.com/", Some("begins with https://")),
        ("file:///etc/passwd", Some("")),
        ("/etc/passwd", Some("begins with https://")),
        ("https://", Some("")),
        ("https://user@example.com/", Some("no user")),
        ("https://user:s3cret@example.com/", Some("no user")),
        ("https://example.com@127.0.0.1/", Some("no user")),
        ("https://example.com:22/", Some("below 1024")),
        ("https://example.com:25/", Some("below 1024")),
        ("https://example.com:0/", Some("")),
        ("https://example.com:99999/", Some("")),
        ("https://127.0.0.1/", Some("not asked from here")),
        ("https://[::1]/", Some("not asked from here")),
        ("https://[::ffff:127.0.0.1]/", Some("not asked from here")),
        ("https://[64:ff9b::a00:1]/", Some("not asked from here")),
        ("https://169.254.169.254/latest/meta-data", Some("not asked from here")),
        ("https://exa mple.com/", Some("no URL")),
        ("https://example.com/\r\nX: y", Some("no URL")),
    ] {
        let checked = door.check(url);
        match said {
            None => assert_eq!(checked, Ok(()), "{url}"),
            Some(said) => {
                let error = checked.expect_err(url);
                assert!(error.why == Why::Refused && error.to_string().contains(said), "{url}: {error}");
                assert!(!error.to_string().contains("s3cret"));
            }
        }
    }
    assert!(door.check(&format!("https://example.com/{}", "x".repeat(3_000))).is_err());
}

#[test]
fn what_the_operator_allows_is_a_network_or_a_host() {
    for (text, is_one) in [
        ("10.1.0.0/16", true),
        ("127.0.0.1", true),
        ("fd00::/8", true),
        ("minio.internal", true),
        ("minio.internal:9000", true),
        ("localhost", true),
        ("", false),
        ("*", false),
        ("*.internal", false),
        ("10.1.0.0/33", false),
        ("10.1.0.0:9000", false),
        ("https://minio.internal", false),
        ("minio.internal:0", false),
        ("minio.internal:port", false),
        ("a..b", false),
    ] {
        assert_eq!(Allowed::parse(text).is_some(), is_one, "{text}");
    }
    let door = Outbound::new(["10.1.0.0/16", "minio.internal:9000"].map(|text| Allowed::parse(text).unwrap()).into());
    for (url, is_fine) in [
        ("http://10.1.2.3:9000/", true),
        ("http://10.2.2.3:9000/", false),
        ("http://minio.internal:9000/", true),
        ("http://MINIO.internal:9000/", true),
        ("http://minio.internal:9001/", false),
        ("http://minio.internal.example.com:9000/", false),
        // Mapped, it is the same network.
        ("http://[::ffff:10.1.2.3]:9000/", true),
    ] {
        assert_eq!(door.check(url).is_ok(), is_fine, "{url}");
    }
}

fn place(host: &str) -> Place {
    Place { is_encrypted: true, host: host.to_owned(), port: 443 }
}

#[test]
fn a_name_with_one_address_inside_leads_nowhere() {
    let door = Outbound::new(vec![Allowed::parse("10.1.0.0/16").unwrap()]);
    let checked = |addresses: &[&str]| {
        let found = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 443)).collect();
        door.checked(&place("example.com"), found).map(|found| found.len())
    };
    assert_eq!(checked(&["8.8.8.8", "2600::1"]), Ok(2));
    assert_eq!(checked(&["8.8.8.8", "10.1.2.3"]), Ok(2), "the operator allows it");
    for mixed in [&["8.8.8.8", "127.0.0.1"][..], &["192.168.1.1"], &["2600::1", "::1"], &["8.8.8.8", "::ffff:10.0.0.1"]]
    {
        assert_eq!(checked(mixed).map_err(|shut| shut.why), Err(Why::Refused), "{mixed:?}");
    }
    assert_eq!(checked(&["8.8.8.8"; 40]), Ok(4), "not more than some are tried");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

const MOST: Most = Most { bytes: 1_000, time: Duration::from_secs(2) };

#[test]
fn every_way_to_write_this_machine_is_looked_up_and_refused() {
    let runtime = runtime();
    let door = Outbound::new(Vec::new());
    // As the system's own look-up reads them.
    for host in ["localhost", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "localhost.", "ip6-localhost"] {
        let request = Request::get(format!("https://{host}:8443/")).body(Empty::<Bytes>::new()).unwrap();
        let shut = runtime.block_on(door.send(request, MOST)).unwrap_err();
        // A machine may not know one of them at all.
        assert!(shut.why == Why::Refused || shut.to_string().contains("has no address"), "{host}: {shut}");
    }
}

#[test]
fn an_account_whose_names_are_never_found_leaves_others_theirs() {
    let runtime = runtime();
    let door = Outbound::new(Vec::new());
    let (evil, good) = (door.of("evil"), door.of("good"));
    // As if its server of names answered none of them.
    let held: Vec<_> = std::iter::from_fn(|| evil.own_look_ups().try_acquire_owned().ok()).collect();
    assert_eq!(held.len(), LOOK_UPS_OF_ONE);
    let ask = |door: &Outbound| {
        let request = Request::get("https://localhost:8443/").body(Empty::<Bytes>::new()).unwrap();
        runtime.block_on(door.send(request, MOST)).unwrap_err().why
    };
    let began = Instant::now();
    assert_eq!(ask(&good), Why::Refused, "it was looked up, and leads inside");
    assert!(began.elapsed() < LOOK_UP);
    assert_eq!(ask(&evil), Why::Unreached);
    assert!(began.elapsed() >= LOOK_UP);
    drop(held);
    assert_eq!(ask(&evil), Why::Refused);
    let _ = good.own_look_ups();
    assert_eq!(door.0.look_ups_of.lock().unwrap().len(), 1, "who looks nothing up is forgotten");
}

/// Answers each connection with these bytes, and hands on what came; without bytes it says nothing.
fn stand_in(answer: &'static [u8]) -> (SocketAddr, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let (told, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let told = told.clone();
            std::thread::spawn(move || {
                let mut chunk = [0; 4_096];
                let len = stream.read(&mut chunk).unwrap_or(0);
                let _ = told.send(String::from_utf8_lossy(&chunk[..len]).into_owned());
                if answer.is_empty() {
                    std::thread::sleep(Duration::from_secs(10));
                }
                let _ = stream.write_all(answer);
            });
        }
    });
    (at, heard)
}

#[test]
fn answers_are_bounded_and_no_redirect_is_followed() {
    let runtime = runtime();
    let door = Outbound::new(vec![Allowed::parse("127.0.0.1").unwrap()]);
    let ask = |at: SocketAddr| {
        let request = Request::post(format!("http://{at}/hook?x=1")).header("X-Own", "1");
        runtime.block_on(door.send(request.body(Full::new(Bytes::from_static(b"body"))).unwrap(), MOST))
    };
    let (at, heard) = stand_in(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let answer = ask(at).unwrap();
    assert_eq!((answer.status().as_u16(), &answer.body()[..]), (200, &b"ok"[..]));
    let came = heard.recv().unwrap();
    assert!(came.starts_with("POST /hook?x=1 HTTP/1.1\r\n") && came.contains(&format!("host: {at}\r\n")), "{came}");
    let (inside, never) = stand_in(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nin");
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://{inside}/\r\nContent-Length: 0\r\n\r\n");
    let (at, _heard) = stand_in(redirect.leak().as_bytes());
    assert_eq!(ask(at).unwrap().status().as_u16(), 302);
    assert!(never.try_recv().is_err(), "it was not followed");
    // Too long, without an end, cut off, no HTTP, a head without end.
    let long = format!("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{}", "x".repeat(5_000));
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(5_000));
    let head = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(20_000));
    for answer in
        [&long, &endless, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "SSH-2.0-OpenSSH_9.6\r\n", "", &head]
    {
        if answer.is_empty() {
            continue;
        }
        let (at, _heard) = stand_in(answer.to_owned().leak().as_bytes());
        let shut = ask(at).unwrap_err();
        assert_eq!(shut.why, Why::Broken, "{shut}");
        assert!(shut.to_string().len() < 400);
    }
    let (at, _heard) = stand_in(long.leak().as_bytes());
    let request = Request::post(format!("http://{at}/")).body(Full::new(Bytes::new())).unwrap();
    let told = runtime.block_on(door.tell(request, MOST)).unwrap();
    assert_eq!((told.status().as_u16(), told.body().len()), (200, 1_000), "its beginning, where its status matters");
    let (at, _heard) = stand_in(b"");
    let began = Instant::now();
    assert_eq!(ask(at).unwrap_err().why, Why::Late);
    assert!(began.elapsed() < Duration::from_secs(5));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(ask(closed).unwrap_err().why, Why::Unreached);
}

/// A place that answers by TLS, with a certificate of its own for this name.
fn tls_stand_in(runtime: &tokio::runtime::Runtime, name: &str) -> (u16, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // Who does not trust it breaks off.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = vec![0; 4_096];
            let len = stream.read(&mut request).await.unwrap_or(0);
            let is_whole = request[..len].starts_with(b"GET /hook HTTP/1.1\r\n");
            let answer = if is_whole { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" } else { "no" };
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, made.cert.der().clone())
}

#[test]
fn what_is_sent_is_encrypted_for_who_proves_the_name_that_was_asked() {
    let runtime = runtime();
    let (good, its_own) = tls_stand_in(&runtime, "localhost");
    let (other, of_other) = tls_stand_in(&runtime, "elsewhere.example.com");
    let (stranger, _) = tls_stand_in(&runtime, "localhost");
    let mut roots = RootCertStore::empty();
    roots.add(its_own).unwrap();
    roots.add(of_other).unwrap();
    let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let ask = |allowed: &[&str], port: u16| {
        let door = Outbound::new(allowed.iter().map(|allowed| Allowed::parse(allowed).unwrap()).collect());
        assert!(door.0.tls.set(Ok(TlsConnector::from(Arc::new(trusting.clone())))).is_ok());
        let request = Request::get(format!("https://localhost:{port}/hook")).body(Empty::<Bytes>::new()).unwrap();
        runtime.block_on(door.send(request, MOST))
    };
    // A machine may have a second address for it, where nobody listens.
    let inside = ["127.0.0.0/8", "::1"];
    assert_eq!(&ask(&inside, good).unwrap().body()[..], b"ok");
    // A certificate for another name, and one that nobody vouches for: nothing is sent.
    for port in [other, stranger] {
        let shut = ask(&inside, port).unwrap_err();
        assert_eq!(shut.why, Why::Unreached, "{shut}");
        assert!(shut.to_string().starts_with("TLS with localhost fails: "), "{shut}");
    }
    // Encrypted or not, the inside is not asked.
    assert_eq!(ask(&[], good).unwrap_err().why, Why::Refused);
    // Somebody who speaks no TLS.
    let (plain, heard) = stand_in(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(ask(&inside, plain.port()).unwrap_err().why, Why::Unreached);
    assert!(!heard.recv().unwrap().contains("/hook"), "nothing went out as it is");
}
