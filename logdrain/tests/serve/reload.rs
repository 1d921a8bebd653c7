//! SIGHUP: what may change does, and a file that is empty, cut or dangerous changes nothing.

use crate::harness::{Answer, Server, body, request, scratch, wait_until};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DRAIN: &str = "[[drain]]\nname = \"shop\"\nuser = \"shop\"\npassword = \"shop-s3cret-1\"\napp = \"shop\"\n";
const OTHER: &str = "[[drain]]\nname = \"blog\"\nuser = \"blog\"\npassword = \"blog-s3cret-1\"\n";
const WATCHER: &str = "[watcher]\nuser = \"ops\"\npassword = \"ops-s3cret-12\"\n";
const TLS: &str = "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n";

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// A server on all addresses, by a configuration file in its folder.
struct Served {
    path: PathBuf,
    server: Server,
    address: SocketAddr,
}

impl Served {
    fn start(name: &str, text: &str, arguments: &[&str]) -> Self {
        let dir = scratch(name);
        let made = rcgen::generate_simple_self_signed(["drain.example.com".to_owned()]).unwrap();
        fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let path = dir.join("config.toml");
        fs::write(&path, text).unwrap();
        let server = Server::start(&dir, &[&["--config", path.to_str().unwrap()], arguments].concat());
        let address = SocketAddr::from(([127, 0, 0, 1], server.address.port()));
        Self { path, server, address }
    }

    fn dir(&self) -> &Path {
        self.path.parent().unwrap()
    }

    /// SIGHUP, and waits for the number of messages about it to grow.
    fn reload(&self) -> String {
        let said = || self.server.log().matches("the configuration was").count();
        let before = said();
        self.server.signal("HUP");
        wait_until("word of the reload", || (said() > before).then_some(()));
        let log = self.server.log();
        log.lines().rfind(|line| line.contains("the configuration was")).unwrap().to_owned()
    }

    fn rewrite(&self, text: &str) -> String {
        fs::write(&self.path, text).unwrap();
        self.reload()
    }

    fn send(&self, pair: &str, id: &str) -> Answer {
        let authorization = basic(pair);
        let headers = [("Authorization", authorization.as_str()), ("Logplex-Frame-Id", id)];
        request(self.address, "POST", "/logs", &headers, &body(1, 4)).unwrap()
    }
}

/// The status of a delivery over TLS; `None` when no such connection comes about.
fn encrypted(address: SocketAddr, dir: &Path, authorization: &str) -> Option<u16> {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, ServerName};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(dir.join("cert.pem")).unwrap()).unwrap();
    let config = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("drain.example.com").unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let head = format!(
        "POST /logs HTTP/1.1\r\nHost: drain.example.com\r\nConnection: close\r\nAuthorization: {authorization}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()
}

#[test]
fn an_empty_or_cut_file_opens_no_public_server() {
    let whole = format!("{TLS}{WATCHER}{DRAIN}{OTHER}");
    let served = Served::start("reload-empty", &whole, &["--listen", "0.0.0.0:0"]);
    let is_closed = |what: &str| {
        assert!(request(served.address, "GET", "/healthz", &[], b"").is_err(), "{what}: in the clear");
        assert_eq!(encrypted(served.address, served.dir(), "none"), Some(401), "{what}");
        assert_eq!(encrypted(served.address, served.dir(), &basic("shop:shop-s3cret-1")), Some(204), "{what}");
        assert_eq!(encrypted(served.address, served.dir(), &basic("blog:blog-s3cret-1")), Some(204), "{what}");
    };
    is_closed("at first");
    for text in [
        String::new(),
        "\n\n".to_owned(),
        "# nothing\n".to_owned(),
        "listen = \"127.0.0.1:8514\"\n".to_owned(),
        format!("{WATCHER}{DRAIN}{OTHER}"),
        format!("{TLS}{WATCHER}"),
        format!("{TLS}{DRAIN}{OTHER}"),
        format!("insecure = true\n{WATCHER}"),
        whole[..whole.len() - 30].to_owned(),
        whole[..TLS.len() + WATCHER.len() + DRAIN.len() - 13].to_owned(),
        "no such key = 1\n".to_owned(),
    ] {
        let said = served.rewrite(&text);
        assert!(said.contains("was not read again, and nothing has changed"), "{text:?}: {said}");
        is_closed(&text);
    }
    let said = served.rewrite(&format!("{TLS}{WATCHER}"));
    assert!(said.contains("restart for that"), "{said}");
    fs::remove_file(&served.path).unwrap();
    assert!(served.reload().contains("nothing has changed"));
    fs::create_dir(&served.path).unwrap();
    assert!(served.reload().contains("nothing has changed"));
    fs::remove_dir(&served.path).unwrap();
    is_closed("without a file");
    // What may change does.
    let said = served.rewrite(&format!("{TLS}{WATCHER}{}", DRAIN.replace("shop-s3cret-1", "shop-s3cret-2")));
    assert!(said.contains("was read again"), "{said}");
    assert_eq!(encrypted(served.address, served.dir(), &basic("shop:shop-s3cret-2")), Some(204));
    assert_eq!(encrypted(served.address, served.dir(), &basic("shop:shop-s3cret-1")), Some(401));
    assert_eq!(encrypted(served.address, served.dir(), &basic("blog:blog-s3cret-1")), Some(401));
    let (code, log) = served.server.stop();
    assert_eq!(code, Some(0));
    assert!(!log.contains("s3cret"), "{log}");
}

#[test]
fn a_reload_takes_credentials_away_from_nobody_on_loopback_either() {
    let served = Served::start("reload-loopback", &format!("{WATCHER}{DRAIN}"), &[]);
    let said = served.rewrite("window = \"1s\"\n");
    assert!(said.contains("restart for that"), "{said}");
    assert_eq!(served.send("", "1").status, 401);
    assert_eq!(request(served.address, "GET", "/metrics", &[], b"").unwrap().status, 401);
    assert_eq!(served.send("shop:shop-s3cret-1", "2").status, 204);
    assert_eq!(served.server.stop().0, Some(0));
}

#[test]
fn what_holds_from_the_next_start_on_is_named_and_not_taken() {
    let served = Served::start("reload-frozen", &format!("drain_memory = \"32MB\"\n{WATCHER}{DRAIN}"), &[]);
    let said = served.rewrite(&format!(
        "window = \"30s\"\nhorizon = \"2h\"\nextended = true\ndrain_memory = \"1GB\"\n\
         memory = \"80MB\"\nbody_limit = \"20kB\"\nmax_drains = 3\nmax_connections = 5\nidle_timeout = \"9s\"\n\
         answer_within = \"2s\"\nretention = \"1h\"\nlisten = \"127.0.0.1:1\"\nwebsockets = false\n{WATCHER}{}",
        DRAIN.replace("app = \"shop\"", "app = \"shop-two\"")
    ));
    for key in [
        "horizon",
        "extended",
        "drain_memory",
        "memory",
        "body_limit",
        "max_drains",
        "max_connections",
        "idle_timeout",
        "answer_within",
        "retention",
        "websockets",
    ] {
        assert!(said.contains(&format!("{key}, ")) || said.contains(&format!("{key}\"")), "{key}: {said}");
    }
    assert!(!said.contains("store_limit") && !said.contains("s3cret"), "{said}");
    // A body of 30 kB is fine still, windows are of a second, and the app has its new name.
    let authorization = basic("shop:shop-s3cret-1");
    let large = vec![b'x'; 30_000];
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(request(served.address, "POST", "/logs", &headers, &large).unwrap().status, 204);
    assert_eq!(served.send("shop:shop-s3cret-1", "1").status, 204);
    let rows = served.dir().join("rows.jsonl");
    let text =
        wait_until("rows", || fs::read_to_string(&rows).ok().filter(|text| text.contains("\"app_name\":\"shop-two\"")));
    assert!(!text.contains("s3cret"));
    assert_eq!(served.server.stop().0, Some(0));
}

#[test]
#[cfg(unix)]
fn a_file_that_never_comes_keeps_nobody_waiting_but_the_reload() {
    let fifo = |path: &Path| assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    let served = Served::start("reload-pipe", &format!("{WATCHER}{DRAIN}"), &[]);
    let sent = |id: &str| served.send("shop:shop-s3cret-1", id).status;
    fs::remove_file(&served.path).unwrap();
    fifo(&served.path);
    let said = served.reload();
    assert!(said.contains("nothing has changed: a pipe or a device stands where the file was"), "{said}");
    assert_eq!(sent("1"), 204);
    // A password's file on a disk that does not answer.
    let secret = served.dir().join("never");
    fifo(&secret);
    let drain = DRAIN.replace("password = \"shop-s3cret-1\"", "password_file = \"never\"");
    fs::remove_file(&served.path).unwrap();
    fs::write(&served.path, format!("{WATCHER}{drain}")).unwrap();
    served.server.signal("HUP");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!((sent("2"), sent("3")), (204, 204));
    served.server.signal("HUP");
    wait_until("word of the wait", || served.server.log().contains("is still being read").then_some(()));
    // It comes at last, once for each.
    for _ in 0..2 {
        fs::OpenOptions::new().write(true).open(&secret).unwrap().write_all(b"shop-s3cret-2\n").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    wait_until("the new password", || (served.send("shop:shop-s3cret-2", "4").status == 204).then_some(()));
    // Nor does the end wait for it.
    served.server.signal("HUP");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(served.server.stop().0, Some(0));
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_without_an_end_is_not_read_to_it() {
    let dir = scratch("reload-endless");
    let path = dir.join("config.toml");
    fs::write(&path, DRAIN.replace("password = \"shop-s3cret-1\"", "password_file = \"/dev/zero\"")).unwrap();
    for config in [path.to_str().unwrap(), "/dev/zero"] {
        let (code, said) = Server::try_start(&dir, &["--config", config]).err().expect("it is refused");
        assert!(code == Some(2) && said.contains("cannot be read: "), "{config}: {code:?}: {said}");
    }
}
