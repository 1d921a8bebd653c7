//! A server to be killed, a sender that tries again, and the rows that must come out.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Long enough for a busy machine; nothing waits for it unless something is wrong.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A folder of its own for each test, empty.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("serve-{name}"));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    dir
}

/// A port for a server that has to be on one that is known before, below those that the system gives to connections: one of these
/// could be taken before the server has it, or while it is down.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let first = u64::from(std::process::id());
    let mut ports = std::iter::repeat_with(|| {
        let number = first.wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        u16::try_from(10_000 + number % 10_000).unwrap()
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// `logdrain serve` with windows of a second, on a port that the system chose.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    pub(crate) fn start(dir: &Path, arguments: &[&str]) -> Self {
        Self::try_start(dir, arguments).unwrap_or_else(|(code, log)| panic!("it ended with {code:?}: {log}"))
    }

    /// As `start`; when the server ends instead, its exit code and what it said.
    pub(crate) fn try_start(dir: &Path, arguments: &[&str]) -> Result<Self, (Option<i32>, String)> {
        Self::start_until("deliveries are taken", &[], dir, arguments)
    }

    /// As `start`, by a command in front that becomes the server.
    pub(crate) fn start_under(under: &[&str], dir: &Path, arguments: &[&str]) -> Self {
        let started = Self::try_start_under(under, dir, arguments);
        started.unwrap_or_else(|(code, log)| panic!("it ended with {code:?}: {log}"))
    }

    /// As `try_start`, by a command in front that becomes the server.
    pub(crate) fn try_start_under(
        under: &[&str],
        dir: &Path,
        arguments: &[&str],
    ) -> Result<Self, (Option<i32>, String)> {
        Self::start_until("deliveries are taken", under, dir, arguments)
    }

    /// A server that listens, though it cannot open its store.
    pub(crate) fn start_closed(dir: &Path, arguments: &[&str]) -> Self {
        let started = Self::start_until("until the store can be opened", &[], dir, arguments);
        started.unwrap_or_else(|(code, log)| panic!("it ended with {code:?}: {log}"))
    }

    /// A server that has said something.
    pub(crate) fn start_until(
        state: &str,
        under: &[&str],
        dir: &Path,
        arguments: &[&str],
    ) -> Result<Self, (Option<i32>, String)> {
        let mut words = under.iter().copied().chain([env!("CARGO_BIN_EXE_logdrain")]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        let (store, rows) = (dir.join("store"), dir.join("rows.jsonl"));
        command.arg("serve").args(arguments);
        for (name, value) in [
            ("--store", store.to_str().unwrap()),
            ("--out", rows.to_str().unwrap()),
            ("--window", "1s"),
            ("--lateness", "1s"),
            ("--listen", "127.0.0.1:0"),
        ] {
            if !arguments.contains(&name) {
                command.args([name, value]);
            }
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (found, is_there) = mpsc::channel();
        let (kept, state) = (log.clone(), state.to_owned());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let is_it = line.contains(&state);
                let mut log = kept.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
                drop(log);
                if is_it {
                    let _ = found.send(());
                }
            }
        });
        match is_there.recv_timeout(PATIENCE) {
            Ok(()) => {
                let said = log.lock().unwrap().clone();
                let address =
                    said.split("listen=").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
                Ok(Self { child, address: address.unwrap(), log })
            }
            Err(_) => {
                let _ = child.kill();
                let code = child.wait().unwrap().code();
                let log = log.lock().unwrap().clone();
                Err((code, log))
            }
        }
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The code with which it has ended by itself, if it has.
    #[cfg(feature = "postgres")]
    pub(crate) fn has_ended(&mut self) -> Option<Option<i32>> {
        self.child.try_wait().unwrap().map(|status| status.code())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// SIGTERM; answers the exit code and the log.
    pub(crate) fn stop(mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        let code = wait_until("the end", || self.child.try_wait().unwrap()).code();
        // Who reads the log lets go of it behind its last line.
        wait_until("its last words", || (Arc::strong_count(&self.log) == 1).then_some(()));
        (code, self.log())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, &[], b"").unwrap()
    }
}

#[cfg(target_os = "linux")]
impl Server {
    /// The most bytes that the process ever had in memory.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(PATIENCE, what, look)
}

/// The same, for what is much work.
pub(crate) fn wait_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// One request on a connection of its own, as simple as HTTP gets.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if method == "POST" {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    raw(address, &[head.as_bytes(), body].concat())
}

/// Sends bytes as they are, and reads an answer to its end.
pub(crate) fn raw(address: SocketAddr, octets: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    // A server that refuses may answer before it has read everything.
    let sent = stream.write_all(octets);
    read_answer(&mut stream).map_err(|error| sent.err().unwrap_or(error))
}

pub(crate) fn read_answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut all = Vec::new();
    let ended = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    match (status, text.split_once("\r\n\r\n")) {
        (Some(status), Some((head, body))) => Ok(Answer { status, head: head.to_owned(), body: body.to_owned() }),
        _ => Err(ended.err().unwrap_or(io::ErrorKind::UnexpectedEof.into())),
    }
}

/// A delivery of a drain.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// Sends it once; answers the status. A token `NAME/TOKEN` goes with the credentials of that drain, which are its name and
    /// `secret`.
    pub(crate) fn send(&self, address: SocketAddr) -> io::Result<u16> {
        self.offer(address).map(|answer| answer.status)
    }

    /// The same; answers all that is said.
    pub(crate) fn offer(&self, address: SocketAddr) -> io::Result<Answer> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;
        let (name, token) = self.token.split_once('/').unwrap_or(("", &self.token));
        let credentials = format!("Basic {}", STANDARD.encode(format!("{name}:secret")));
        let mut headers = vec![
            ("Content-Type", "application/logplex-1"),
            ("Logplex-Frame-Id", self.id.as_str()),
            ("Logplex-Drain-Token", token),
        ];
        if !name.is_empty() {
            headers.push(("Authorization", &credentials));
        }
        request(address, "POST", "/logs", &headers, &self.body)
    }
}

pub(crate) fn now_micros() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// A time of now that no other line of this program has, so that the last of two samples is the same in any order.
fn own_micros() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = now_micros();
    let next = |last: u64| now.max(last + 1);
    LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(next(last))).map_or(now, next)
}

/// Frames of now.
pub(crate) fn body(number: u64, lines: u64) -> Vec<u8> {
    body_at(number, lines, |_| own_micros())
}

/// The same, each line of a time of its own.
pub(crate) fn body_at(number: u64, lines: u64, mut time: impl FnMut(u64) -> u64) -> Vec<u8> {
    let mut body = Vec::new();
    for line in 0..lines {
        let seed = number * 1_000 + line;
        let time = time_of(time(line));
        let text = match seed % 4 {
            0 => format!(
                "<158>1 {time} host heroku router - at=info method=GET path=\"/{seed}\" host=shop.example.com \
                 request_id=7b2e fwd=\"192.0.2.7\" dyno=web.{} connect={}ms service={}ms status=200 bytes={}\n",
                seed % 3,
                seed % 5,
                seed % 997,
                seed % 4_001
            ),
            1 => format!("<190>1 {time} host app web.1 - count#shop.orders={} tag#market=de\n", seed % 7 + 1),
            2 => format!("<190>1 {time} host app web.1 - measure#db.query={}ms source=db.{}\n", seed % 311, seed % 2),
            _ => format!("<190>1 {time} host app worker.1 - sample#queue.depth={} nothing else\n", seed % 89),
        };
        body.extend_from_slice(format!("{} {text}", text.len()).as_bytes());
    }
    body
}

/// RFC 3339, in microseconds.
pub(crate) fn time_of(unix_micros: u64) -> String {
    let (seconds, micros) = (unix_micros / 1_000_000, unix_micros % 1_000_000);
    // Days to a date: the year begins in March, and eras of 400 years are all alike.
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}.{micros:06}Z", second % 60)
}

/// What a row is of, and what it says: key -> row without id and revision.
pub(crate) type Rows = BTreeMap<(String, String), String>;

/// The rows that `replay` makes of these bodies.
pub(crate) fn truth<'a>(dir: &Path, drains: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Rows {
    let mut rows = Rows::new();
    for (drain, body) in drains {
        let path = dir.join("truth.logplex");
        std::fs::write(&path, body).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_logdrain"))
            .args(["replay", "--format", "jsonl", "--window", "1s", "--ledger", "none"])
            .arg(&path)
            .output()
            .unwrap();
        assert!(output.status.success());
        rows.extend(rows_of(drain, &String::from_utf8(output.stdout).unwrap()));
    }
    rows
}

/// How a drain is called where people look, by name and token: the token is a password.
pub(crate) fn shown(key: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let (name, token) = key.rsplit_once('/').map_or(("", key), |(name, token)| (name, token));
    let slash = if name.is_empty() { "" } else { "/" };
    let digest = Sha256::digest(token);
    format!("{name}{slash}drain-{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3])
}

/// The rows of a drain, as `replay` and `send --truth` print them.
pub(crate) fn rows_of(drain: &str, text: &str) -> Rows {
    let mut rows = Rows::new();
    let drain = shown(drain);
    for line in text.lines() {
        let (key, row) = taken_apart(line);
        assert!(rows.insert((drain.clone(), key), row).is_none(), "twice: {line}");
    }
    rows
}

/// The last revision of each row that a server wrote. A row that came twice must have come as the same bytes.
pub(crate) fn written(path: &Path) -> Rows {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut by_id: BTreeMap<String, &str> = BTreeMap::new();
    let mut last: BTreeMap<(String, String), (u64, String)> = BTreeMap::new();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let id = value["id"].as_str().unwrap().to_owned();
        let drain = id.rsplitn(4, '/').nth(3).unwrap().to_owned();
        if let Some(before) = by_id.insert(id.clone(), line) {
            assert_eq!(before, line, "two rows under one id");
        }
        let rest = line.strip_prefix(&format!("{{\"id\":\"{id}\",")).unwrap();
        let (key, row) = taken_apart(&format!("{{{rest}"));
        let revision = value["revision"].as_u64().unwrap();
        let entry = last.entry((drain, key)).or_default();
        if entry.1.is_empty() || revision >= entry.0 {
            *entry = (revision, row);
        }
    }
    last.into_iter().map(|(key, (_, row))| (key, row)).collect()
}

/// The identity of a row, and the row without its revision.
pub(crate) fn taken_apart(line: &str) -> (String, String) {
    let (identity, _) = line.split_once(",\"count\":").unwrap();
    let (row, _) = line.rsplit_once(",\"revision\":").unwrap();
    (identity.to_owned(), row.to_owned())
}

/// Waits until what was written is what must come out, and says where it differs when it does not become so.
pub(crate) fn wait_for_rows(path: &Path, expected: &Rows) {
    wait_for_rows_after(path, &Rows::new(), expected);
}

/// As [`wait_for_rows`], in a file that took the place of one with the rows `before`: of those, what was not yet known to
/// be on the disk stands in both.
pub(crate) fn wait_for_rows_after(path: &Path, before: &Rows, expected: &Rows) {
    let began = Instant::now();
    loop {
        let mut rows = written(path);
        rows.retain(|key, row| expected.contains_key(key) || before.get(key) != Some(row));
        if rows == *expected {
            return;
        }
        if began.elapsed() > PATIENCE {
            for (key, row) in expected {
                assert_eq!(rows.get(key), Some(row), "of {} rows", expected.len());
            }
            let more: Vec<_> = rows.keys().filter(|key| !expected.contains_key(*key)).collect();
            panic!("rows of nothing: {more:?}");
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
