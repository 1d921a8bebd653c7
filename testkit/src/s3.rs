//! An S3 server of a test's own, on a free port of this machine alone.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Who looks into the bucket: this server checks no signature until it is told to.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIALOOKS/20261129/us-east-1/s3/aws4_request, \
    SignedHeaders=host, Signature=none\r\n";
/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server; it ends with this value, and what it has is in its memory.
#[derive(Debug)]
pub struct S3 {
    child: Child,
    /// Where it listens.
    pub at: SocketAddr,
}

impl S3 {
    /// Starts one with a bucket, if `LOGDRAIN_S3` names a Python that has what `logdrain/tests/clients/s3-requirements.txt` says
    /// (`.ci/run s3` makes one).
    ///
    /// # Panics
    /// When that cannot be started.
    pub fn start(bucket: &str) -> Option<Self> {
        let Ok(python) = std::env::var("LOGDRAIN_S3") else {
            println!("LOGDRAIN_S3 names no Python with an S3 server: not run");
            return None;
        };
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = Command::new(python)
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &at.port().to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let s3 = Self { child, at };
        let began = Instant::now();
        while TcpStream::connect(at).is_err() {
            assert!(began.elapsed() < PATIENCE, "the S3 server does not come");
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(s3.ask("PUT", &format!("/{bucket}"), b"").starts_with(b"HTTP/1.1 200"));
        Some(s3)
    }

    /// One request; its whole answer.
    ///
    /// # Panics
    /// When there is none.
    pub fn ask(&self, method: &str, path: &str, body: &[u8]) -> Vec<u8> {
        let (at, len) = (self.at, body.len());
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {at}\r\n{SIGNED}Connection: close\r\nContent-Length: {len}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(at).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// The keys of a bucket.
    ///
    /// # Panics
    /// When it does not say them.
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        loop {
            let after = all.last().map(|last| format!("&start-after={last}")).unwrap_or_default();
            let listed = self.ask("GET", &format!("/{bucket}?list-type=2{after}"), b"");
            let listed = String::from_utf8(listed).unwrap();
            let before = all.len();
            all.extend(listed.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()));
            if all.len() == before {
                return all;
            }
        }
    }

    /// An object of a bucket, if it is there.
    ///
    /// # Panics
    /// When it is answered in another way than whole.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        let answer = self.ask("GET", &format!("/{bucket}/{key}"), b"");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
        if head.starts_with("http/1.1 404") {
            return None;
        }
        let body = answer[end + 4..].to_vec();
        assert!(
            head.starts_with("http/1.1 200") && head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        Some(body)
    }

    /// It is there, and does nothing any more; or goes on.
    ///
    /// # Panics
    /// When that cannot be said to it.
    pub fn pause(&self, is_paused: bool) {
        let signal = if is_paused { "-STOP" } else { "-CONT" };
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
