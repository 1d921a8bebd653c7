//! Real clients of Papertrail, unchanged: they speak TLS with `papertrailapp.com`, and a proxy brings them here. Those of
//! Librato and AppOptics can be told another host.
//!
//! `LOGDRAIN_CLIENTS=PYTHON cargo test -p logdrain --test serve clients::`, with a Python that has what
//! `tests/clients/requirements.txt` names (`.ci/run clients` makes one); without it there is nothing to run.

use crate::certified::certified;
use crate::harness::{Server, now_micros, request, scratch, time_of, wait_until};
use crate::rights::House;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name that all of them ask.
const HOST: &str = "papertrailapp.com";
const LINES: usize = 1_500;
const SYSTEM: &str = "shop";

/// A proxy that brings whoever it is to one address: `CONNECT HOST:443`, and then bytes to and fro.
fn proxy(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || connect(client, to));
        }
    });
    address
}

fn connect(mut client: TcpStream, to: SocketAddr) -> io::Result<()> {
    // Nothing comes behind the head before it is answered.
    let mut head = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    head.read_line(&mut line)?;
    assert!(line.starts_with(&format!("CONNECT {HOST}:443 ")), "{line}");
    while line.trim() != "" {
        line.clear();
        head.read_line(&mut line)?;
    }
    let mut server = TcpStream::connect(to)?;
    client.write_all(b"HTTP/1.1 200 connected\r\n\r\n")?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        to_server.shutdown(Shutdown::Write)
    });
    io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}

/// A certificate of the host, by an authority of our own; both as files.
fn certify(dir: &Path) -> PathBuf {
    let [authority, certificate, key] = certified(HOST);
    std::fs::write(dir.join("server.pem"), certificate).unwrap();
    std::fs::write(dir.join("server.key"), key).unwrap();
    let file = dir.join("authority.pem");
    std::fs::write(&file, authority).unwrap();
    file
}

/// A server with lines that clients reach as the host they know.
struct Served {
    dir: PathBuf,
    python: String,
    authority: PathBuf,
    proxy: SocketAddr,
    token: String,
    _server: Server,
}

impl Served {
    fn start(name: &str) -> Option<Self> {
        let Ok(python) = std::env::var("LOGDRAIN_CLIENTS") else {
            println!("LOGDRAIN_CLIENTS names no Python with the clients: not run");
            return None;
        };
        let dir = scratch(&format!("clients-{name}"));
        let authority = certify(&dir);
        // The lines come without TLS, before.
        let server = Server::start(&dir, &[]);
        send(&server);
        assert_eq!(server.stop().0, Some(0));
        archive(&dir);
        let token = crate::v1::token(&dir, "admin");
        let config = dir.join("logdrain.toml");
        let text = format!("url = \"https://{HOST}\"\n[tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n");
        std::fs::write(&config, text).unwrap();
        let server = Server::start(&dir, &["--config", config.to_str().unwrap()]);
        Some(Self { python, authority, proxy: proxy(server.address), token, dir, _server: server })
    }

    /// Runs one script, which says by itself what it expected.
    fn run(&self, script: &str, parts: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
        let run = Command::new(&self.python)
            .arg(&path)
            .current_dir(&self.dir)
            .env("HTTPS_PROXY", format!("http://{}", self.proxy))
            .env("REQUESTS_CA_BUNDLE", &self.authority)
            .env("SSL_CERT_FILE", &self.authority)
            .env("PAPERTRAIL_API_TOKEN", &self.token)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("LOGDRAIN_LINES", LINES.to_string())
            .env("LOGDRAIN_SYSTEM", SYSTEM)
            .env("LOGDRAIN_FOLDER", &self.dir)
            .env("LOGDRAIN_PARTS", parts)
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .output()
            .unwrap_or_else(|error| panic!("{}: {error}", self.python));
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(
            run.status.success(),
            "{script} ended with {}:\n{}{said}",
            run.status,
            String::from_utf8_lossy(&run.stdout)
        );
    }
}

fn send(server: &Server) {
    for part in 0..LINES / 100 {
        let mut body = Vec::new();
        for n in part * 100..(part + 1) * 100 {
            let line = format!("<190>1 {} host app web.1 - line {n} of many\n", time_of(now_micros()));
            body.extend_from_slice(format!("{} {line}", line.len()).as_bytes());
        }
        let id = part.to_string();
        let headers = [
            ("Content-Type", "application/logplex-1"),
            ("Logplex-Frame-Id", id.as_str()),
            ("Logplex-Drain-Token", "d.shop"),
        ];
        let sent = request(server.address, "POST", &format!("/logs?app={SYSTEM}"), &headers, &body).unwrap();
        assert_eq!(sent.status, 204, "{sent:?}");
    }
    wait_until("the lines", || {
        let found = server.get("/api/v1/events/search?limit=10000");
        (found.body.matches("\"message\":\"line ").count() == LINES).then_some(())
    });
}

/// Hours of some time ago, of two days.
fn archive(dir: &Path) {
    let week = now_micros() - 7 * 86_400_000_000;
    for hour in [0, 1, 26] {
        let time = time_of(week + hour * 3_600_000_000);
        let (day, hour) = (&time[..10], &time[11..13]);
        let folder = dir.join(format!("store/archives/default/dt={day}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        for line in 0..1_000 {
            let time = format!("{day}T{hour}:26:53Z");
            writeln!(
                zip,
                "{}\t{time}\t{time}\t1\t{SYSTEM}\t192.0.2.7\tUser\tInfo\tapp/web.1\tarchived line {line}",
                line + 7
            )
            .unwrap();
        }
        std::fs::write(folder.join(format!("{day}-{hour}.tsv.gz")), zip.finish().unwrap()).unwrap();
    }
}

/// What of the API the scripts use.
const PARTS: &str = "search,objects,archives";

#[test]
fn py_papertrail() {
    if let Some(served) = Served::start("py_papertrail") {
        served.run("py_papertrail.py", PARTS);
    }
}

#[test]
fn pypertrail() {
    if let Some(served) = Served::start("pypertrail") {
        served.run("pypertrail_1.py", PARTS);
    }
}

#[test]
fn paperctl() {
    if let Some(served) = Served::start("paperctl") {
        served.run("paperctl_1.py", PARTS);
    }
}

#[test]
fn ppad() {
    if let Some(served) = Served::start("ppad") {
        served.run("ppad_0.py", PARTS);
    }
}

/// Clients that measure: they are told the address, and who they are.
fn measuring(name: &str, script: &str) {
    let Ok(python) = std::env::var("LOGDRAIN_CLIENTS") else {
        println!("LOGDRAIN_CLIENTS names no Python with the clients: not run");
        return;
    };
    let house = House::new(&format!("clients-{name}"));
    let [record, read] = ["record", "read"].map(|kind| house.token(&["--account", "shop", "--kind", kind]));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let run = Command::new(&python)
        .arg(&path)
        .env("LOGDRAIN_HOST", house.server.address.to_string())
        .env("LOGDRAIN_RECORD_TOKEN", record)
        .env("LOGDRAIN_READ_TOKEN", read)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("{python}: {error}"));
    let said = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{script} ended with {}:\n{said}", run.status);
}

#[test]
fn librato_metrics() {
    measuring("librato", "librato_3.py");
}

#[test]
fn appoptics_metrics() {
    measuring("appoptics", "appoptics_5.py");
}
