//! Nodes on one journal, each in a folder of its own, and what can be done to them.

use crate::clock::shifted_with;
use crate::harness::{PATIENCE, Server};
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a silent node keeps its partitions.
pub(super) const LEASE: Duration = Duration::from_secs(2);
pub(super) const PARTITIONS: usize = 8;
/// Accounts, where lines are kept.
pub(super) const ACCOUNTS: u64 = 5;

/// What the operator comes with, where he has to: `ops:secret`.
pub(super) const OPERATOR: (&str, &str) = ("Authorization", "Basic b3BzOnNlY3JldA==");

/// How an account is called.
pub(super) fn account(number: u64) -> String {
    format!("acme-{}", number % ACCOUNTS)
}

/// One of them.
pub(super) struct Node {
    dir: PathBuf,
    config: String,
    /// What its clock is off by, if it is.
    clock: Option<PathBuf>,
    /// `NAME=value` of its environment.
    environment: Vec<String>,
    server: Mutex<Option<Server>>,
    /// Where it listens; 0 while it does not.
    port: AtomicU16,
}

/// All of them, and what they share.
pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) keeps_lines: bool,
}

impl Node {
    /// A node in a folder of its own below `dir`; `journal` is its own way to what all share.
    pub(super) fn new(dir: &Path, name: &str, journal: &str) -> Self {
        let (shared, dir) = (dir.join("shared"), dir.join(name));
        fs::create_dir_all(&shared).unwrap();
        fs::create_dir_all(&dir).unwrap();
        let config = dir.join("config.toml");
        // Snapshots all the time, so that some are cut short; and every event is kept until all have been compared.
        let text = format!(
            "journal = \"{journal}\"\nsnapshot_every = \"300ms\"\nanswer_within = \"2s\"\nretention = \"1d\"\nmax_drains = 64\n\n[cluster]\n\
             partitions = {PARTITIONS}\nsnapshots = \"{}\"\nlease = \"{}s\"\n",
            shared.display(),
            LEASE.as_secs()
        );
        fs::write(&config, text).unwrap();
        let config = config.to_str().unwrap().to_owned();
        Self { dir, config, clock: None, environment: Vec::new(), server: Mutex::default(), port: AtomicU16::new(0) }
    }

    /// The same, which lets events go as soon as two snapshots have them.
    pub(super) fn forgetful(self) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, text.replace("retention = \"1d\"", "retention = \"0s\"")).unwrap();
        self
    }

    /// The same, with more in its configuration, before its sections.
    pub(super) fn with(self, more: &str) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, format!("{more}\n{text}")).unwrap();
        self
    }

    /// The same, which may take longer for an answer than Logplex waits: the machine is a slow one.
    pub(super) fn patient(self) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, text.replace("answer_within = \"2s\"", "answer_within = \"20s\"")).unwrap();
        self
    }

    /// The same, with something else in its configuration than it says.
    pub(super) fn saying(self, before: &str, now: &str) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        assert!(text.contains(before), "{text}");
        fs::write(&self.config, text.replace(before, now)).unwrap();
        self
    }

    /// The same, with a section more at its end.
    pub(super) fn with_section(self, section: &str) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, format!("{text}\n{section}")).unwrap();
        self
    }

    /// Its folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same, which keeps lines, of several accounts.
    pub(super) fn with_lines(self) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        let mut text = format!("logs_limit = \"1GB\"\n{text}").replace("max_drains = 64", "max_drains = 128");
        let secret = self.dir.join("nodes.secret");
        fs::write(&secret, "what only the nodes of a test know").unwrap();
        text += &format!("secret_file = {secret:?}\n\n[watcher]\nuser = \"ops\"\npassword = \"secret\"\n");
        for number in 0..ACCOUNTS {
            let account = account(number);
            text += &format!(
                "\n[[drain]]\nname = \"{account}\"\nuser = \"{account}\"\npassword = \"secret\"\nmax_tokens = 16\naccount = \"{account}\"\n"
            );
        }
        fs::write(&self.config, text).unwrap();
        self
    }

    /// The same, with snapshots in a bucket.
    #[cfg(feature = "s3")]
    pub(super) fn in_bucket(mut self, address: &str) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        let folder = text.lines().find(|line| line.starts_with("snapshots = ")).unwrap();
        fs::write(&self.config, text.replace(folder, &format!("snapshots = \"{address}\""))).unwrap();
        let keys = ["AWS_ACCESS_KEY_ID=AKIATESTS", "AWS_SECRET_ACCESS_KEY=s3cret-of-bucket"];
        self.environment = keys.map(str::to_owned).to_vec();
        self
    }

    /// The same, which others reach at an address.
    pub(super) fn at(self, url: &str) -> Self {
        let text = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, text.replace("\nsecret_file", &format!("\nurl = \"{url}\"\nsecret_file"))).unwrap();
        self
    }

    /// The same, with a clock that is so far off, as `faketime` says it.
    pub(super) fn with_clock(mut self, shift: &str) -> Self {
        let clock = self.dir.join("clock");
        fs::write(&clock, shift).unwrap();
        self.clock = Some(clock);
        self
    }

    /// Waits until it takes deliveries. False if this machine cannot shift its clock.
    pub(super) fn start(&self, more: &[&str]) -> bool {
        let arguments = [&["--config", self.config.as_str()], more].concat();
        let server = match &self.clock {
            None if self.environment.is_empty() => Server::start(&self.dir, &arguments),
            None => {
                let under: Vec<_> = ["env"].into_iter().chain(self.environment.iter().map(String::as_str)).collect();
                Server::start_under(&under, &self.dir, &arguments)
            }
            Some(clock) => match shifted_with(&self.dir, clock, &arguments) {
                Some(server) => server,
                None => return false,
            },
        };
        self.port.store(server.address.port(), Ordering::SeqCst);
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        true
    }

    /// Waits until it says that it cannot begin yet; answers its log.
    pub(super) fn start_closed(&self, says: &str) -> String {
        let started = Server::start_until(says, &[], &self.dir, &["--config", self.config.as_str()]);
        let server = started.unwrap_or_else(|(code, log)| panic!("it ended with {code:?}: {log}"));
        self.port.store(server.address.port(), Ordering::SeqCst);
        let log = server.log();
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        log
    }

    /// The same; it dies when it passes a point of the program for so many times, maybe before it takes anything.
    #[cfg(debug_assertions)]
    pub(super) fn start_to_die_after(&self, point: &str, times: u64) {
        let wanted = format!("LOGDRAIN_DIES_AFTER={point}:{times}");
        let all = self.environment.iter().map(String::as_str);
        let under: Vec<_> = ["env", wanted.as_str()].into_iter().chain(all).collect();
        match Server::try_start_under(&under, &self.dir, &["--config", self.config.as_str()]) {
            Ok(server) => {
                self.port.store(server.address.port(), Ordering::SeqCst);
                *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
            }
            // A signal ended it.
            Err((None, log)) => self.keep_log(&log),
            Err((Some(code), log)) => panic!("it ended with {code}: {log}"),
        }
    }

    /// How it has ended, if it has: what was left of it is taken away then. It has no code where a signal ended it.
    #[cfg(debug_assertions)]
    pub(super) fn has_ended(&self) -> Option<Option<i32>> {
        let mut server = self.server.lock().unwrap();
        let Some(running) = server.as_mut() else { return Some(None) };
        let code = running.has_ended()?;
        self.port.store(0, Ordering::SeqCst);
        self.keep_log(&server.take().unwrap().log());
        Some(code)
    }

    /// Whether it has died, by a signal.
    #[cfg(debug_assertions)]
    pub(super) fn has_died(&self) -> bool {
        let ended = self.has_ended();
        assert!(!matches!(ended, Some(Some(_))), "{} ended by itself: {ended:?}", self.dir.display());
        ended.is_some()
    }

    /// Where it listens, if it does.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let port = self.port.load(Ordering::SeqCst);
        (port > 0).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
    }

    pub(super) fn rows(&self) -> PathBuf {
        self.dir.join("rows.jsonl")
    }

    fn taken(&self) -> Server {
        self.port.store(0, Ordering::SeqCst);
        let server = self.server.lock().unwrap().take().unwrap();
        self.keep_log(&server.log());
        server
    }

    /// What it says is beside its rows, for whoever looks why a test has failed.
    fn keep_log(&self, log: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.dir.join("said.log")).unwrap();
        file.write_all(log.as_bytes()).unwrap();
    }

    /// `kill -9`.
    pub(super) fn kill(&self) {
        self.taken().kill();
    }

    /// It does nothing any more; or goes on.
    pub(super) fn pause(&self, is_paused: bool) {
        let signal = if is_paused { "STOP" } else { "CONT" };
        self.server.lock().unwrap().as_ref().unwrap().signal(signal);
    }

    /// SIGTERM, and nobody waits.
    #[cfg(debug_assertions)]
    pub(super) fn ask_to_end(&self) {
        self.server.lock().unwrap().as_ref().unwrap().signal("TERM");
    }

    /// SIGTERM; it ends in good order, and answers its log.
    pub(super) fn stop(&self) -> String {
        self.port.store(0, Ordering::SeqCst);
        let server = self.server.lock().unwrap().take().unwrap();
        let (code, log) = server.stop();
        self.keep_log(&log);
        assert_eq!(code, Some(0), "{}: {log}", self.dir.display());
        log
    }

    /// Looks whether it has ended by itself, which no node does.
    pub(super) fn assert_is_there(&self) {
        let mut server = self.server.lock().unwrap();
        if let Some(server) = server.as_mut()
            && let Some(code) = server.has_ended()
        {
            panic!("{} ended by itself with {code:?}: {}", self.dir.display(), server.log());
        }
    }

    fn get(&self, path: &str) -> Option<String> {
        let answer = crate::harness::request(self.address()?, "GET", path, &[OPERATOR], b"").ok()?;
        (answer.status == 200).then_some(answer.body)
    }

    /// How many partitions it says to own.
    pub(super) fn owned(&self) -> Option<usize> {
        self.metric("logdrain_partitions_owned")
    }

    /// How many deliveries it says to have in its spool.
    pub(super) fn spooled(&self) -> Option<usize> {
        self.metric("logdrain_spooled_deliveries")
    }

    /// One of its numbers.
    pub(super) fn metric(&self, name: &str) -> Option<usize> {
        let text = self.get("/metrics")?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// What it says of whether it takes deliveries.
    pub(super) fn readiness(&self) -> Option<(u16, String)> {
        let answer = crate::harness::request(self.address()?, "GET", "/readyz", &[], b"").ok()?;
        Some((answer.status, answer.body))
    }

    pub(super) fn config(&self) -> &str {
        &self.config
    }

    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").is_some()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let server = self.server.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(server) = server {
            self.keep_log(&server.log());
        }
    }
}

impl Cluster {
    /// Three of them, on ways of their own to the journal.
    pub(super) fn new(dir: &Path, journals: [&str; 3]) -> Self {
        let names = ["a", "b", "c"];
        let nodes = names.iter().zip(journals).map(|(name, journal)| Node::new(dir, name, journal)).collect();
        Self { nodes, keeps_lines: false }
    }

    /// The same, which let events go as soon as two snapshots have them.
    pub(super) fn forgetful(self) -> Self {
        Self { nodes: self.nodes.into_iter().map(Node::forgetful).collect(), ..self }
    }

    /// The same, which may take longer for an answer than Logplex waits: the machine is a slow one.
    pub(super) fn patient(self) -> Self {
        Self { nodes: self.nodes.into_iter().map(Node::patient).collect(), ..self }
    }

    /// The same, which keep lines: each drain is of an account.
    pub(super) fn with_lines(self) -> Self {
        Self { nodes: self.nodes.into_iter().map(Node::with_lines).collect(), keeps_lines: true }
    }

    /// The same, with more lines of configuration each.
    pub(super) fn with(self, more: &str) -> Self {
        Self { nodes: self.nodes.into_iter().map(|node| node.with(more)).collect(), ..self }
    }

    /// The same, with a section more each.
    pub(super) fn with_section(self, section: &str) -> Self {
        Self { nodes: self.nodes.into_iter().map(|node| node.with_section(section)).collect(), ..self }
    }

    /// The same, each with a clock that is as far off as it says.
    pub(super) fn with_clocks(self, shifts: [&str; 3]) -> Self {
        let nodes = self.nodes.into_iter().zip(shifts).map(|(node, shift)| node.with_clock(shift)).collect();
        Self { nodes, ..self }
    }

    /// Starts all, and waits until each partition has an owner. False if this machine cannot shift clocks.
    pub(super) fn start(&self, more: &[&str]) -> bool {
        let is_up = self.nodes.iter().all(|node| node.start(more));
        if is_up {
            self.wait_for_owners();
        }
        is_up
    }

    /// Until each partition has one owner, and all nodes are ready.
    pub(super) fn wait_for_owners(&self) {
        let until = Instant::now() + 3 * PATIENCE;
        loop {
            let owned: Vec<_> = self.nodes.iter().map(Node::owned).collect();
            let ready: Vec<_> = self.nodes.iter().map(Node::is_ready).collect();
            let is_all = owned.iter().flatten().sum::<usize>() == PARTITIONS && owned.iter().all(Option::is_some);
            if is_all && ready.iter().all(|is_ready| *is_ready) {
                return;
            }
            assert!(
                Instant::now() < until,
                "partitions that the nodes own: {owned:?}; whether they are ready: {ready:?}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// How many deliveries wait in the spools of all that live.
    pub(super) fn spooled(&self) -> usize {
        self.nodes.iter().filter_map(Node::spooled).sum()
    }

    pub(super) fn stop(&self) {
        for node in &self.nodes {
            let log = node.stop();
            assert!(!log.contains(testkit::postgres::PASSWORD), "{log}");
        }
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.nodes.iter().map(Node::rows).collect()
    }
}
