//! A PostgreSQL of a test's own: from the distribution, on a free port of this machine alone, in a folder that goes with it.

use crate::program;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Its superuser's password; a test looks for it where it must not be.
pub const PASSWORD: &str = "s3cret-of-postgres";

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A server; it ends with this value.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Beside those that every one has, `name=value`.
    settings: Vec<String>,
    child: Option<Child>,
}

impl Postgres {
    /// The folder of its programs, if `LOGDRAIN_POSTGRES` names it.
    #[must_use]
    pub fn programs() -> Option<PathBuf> {
        let programs = std::env::var_os("LOGDRAIN_POSTGRES").map(PathBuf::from);
        if programs.is_none() {
            println!("LOGDRAIN_POSTGRES names no folder of PostgreSQL's programs: not run");
        }
        programs
    }

    /// Starts one, if `LOGDRAIN_POSTGRES` names the folder of its programs.
    ///
    /// # Panics
    /// When that cannot be started.
    pub fn start() -> Option<Self> {
        Self::start_with(&[], &[])
    }

    /// The same, with settings, `name=value`, and files beside its data, each a name and a text that it alone may read.
    ///
    /// # Panics
    /// When that cannot be started.
    pub fn start_with(settings: &[&str], files: &[(&str, &str)]) -> Option<Self> {
        let programs = Self::programs()?;
        let mut server = Self::none(programs, settings.iter().map(|setting| (*setting).to_owned()).collect());
        let password = server.folder.join("password");
        for (name, text) in [("password", PASSWORD)].iter().chain(files) {
            let file = server.folder.join(name);
            fs::write(&file, text).unwrap();
            done("chmod", &["600", path(&file)]);
        }
        server.give_away();
        server.make(&password);
        server.start_again();
        Some(server)
    }

    /// Makes its data, which are the same for all: made once, they lie beside the tests, since a copy takes a tenth of the time.
    fn make(&self, password: &Path) {
        let data = self.folder.join("data");
        let name = path(&self.programs).replace('/', "-");
        let made = std::env::current_exe().unwrap().with_file_name(format!("postgres{name}"));
        if made.exists() {
            done("cp", &["-a", path(&made), path(&data)]);
            return;
        }
        let output = self
            .command("initdb")
            .args(["--no-sync", "--locale=C", "--encoding=UTF8", "--username=postgres", "--auth-local=trust"])
            .args(["--auth-host=scram-sha-256", "--pwfile", path(password), "-D", path(&data)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", program::errors(&output));
        // Several tests may come here at once; what has the name is whole.
        let copy = made.with_extension(format!("{}-{}", std::process::id(), self.port));
        done("cp", &["-a", path(&data), path(&copy)]);
        if fs::rename(&copy, &made).is_err() {
            fs::remove_dir_all(&copy).unwrap();
        }
    }

    /// Starts one that follows this one, and is not heard by it before it answers: what is committed from then on is in both.
    ///
    /// # Panics
    /// When that cannot be started.
    pub fn standby(&self) -> Self {
        let mut standby = Self::none(self.programs.clone(), self.settings.clone());
        standby.give_away();
        let (data, port) = (standby.folder.join("data"), self.port.to_string());
        let copied = standby
            .command("pg_basebackup")
            .args(["-h", path(&self.folder), "-p", &port, "-U", "postgres", "-D", path(&data)])
            .args(["--wal-method=stream", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .output()
            .unwrap();
        assert!(copied.status.success(), "{}", program::errors(&copied));
        standby.start_again();
        self.sql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.sql("SELECT pg_reload_conf()");
        let began = Instant::now();
        while self.sql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1" {
            assert!(began.elapsed() < PATIENCE, "nobody follows");
            std::thread::sleep(Duration::from_millis(50));
        }
        standby
    }

    /// From now on it leads.
    ///
    /// # Panics
    /// When it does not.
    pub fn promote(&self) {
        assert_eq!(self.sql("SELECT pg_promote()"), "t");
    }

    /// One that is not there yet, with a folder.
    fn none(programs: PathBuf, settings: Vec<String>) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("logdrain-postgres-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self { programs, folder, port: free_port(), settings, child: None }
    }

    /// The folder becomes that of the user whom its programs are run by.
    fn give_away(&self) {
        if is_root() {
            done("chown", &["-R", "nobody", path(&self.folder)]);
        }
    }

    /// For `journal` in a configuration.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a statement answers, a line each row.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql(&self, text: &str) -> String {
        self.sql_in("postgres", text)
    }

    /// The same, in another of its databases.
    ///
    /// # Panics
    /// When it fails.
    pub fn sql_in(&self, database: &str, text: &str) -> String {
        let output = self.psql(database, text);
        assert!(output.status.success(), "{}", program::errors(&output));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Copies the database of [`url`](Self::url), whose connections end with that, and answers the address of the copy.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn copy_to(&self, database: &str) -> String {
        let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'postgres'";
        self.sql_in("template1", end);
        // It waits for them to go.
        self.sql_in("template1", &format!("CREATE DATABASE {database} TEMPLATE postgres"));
        self.url_of(database)
    }

    /// Ends it, as a crash of it alone does.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) {
        self.end("-QUIT");
    }

    /// Ends it in the middle of whatever it does.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&mut self) {
        self.end("-KILL");
    }

    fn end(&mut self, signal: &str) {
        if let Some(mut child) = self.child.take() {
            done("kill", &[signal, &child.id().to_string()]);
            child.wait().unwrap();
        }
    }

    /// Starts it once more, on the same port.
    ///
    /// # Panics
    /// When it does not answer.
    pub fn start_again(&mut self) {
        let log = fs::File::create(self.folder.join("log")).unwrap();
        let socket = format!("unix_socket_directories={}", path(&self.folder));
        let (data, port) = (self.folder.join("data"), self.port.to_string());
        let child = self
            .command("postgres")
            .args(["-D", path(&data), "-p", &port])
            .args(["listen_addresses=127.0.0.1", &socket, "fsync=off"].iter().flat_map(|setting| ["-c", setting]))
            .args(self.settings.iter().flat_map(|setting| ["-c", setting.as_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        let began = Instant::now();
        while !self.psql("postgres", "SELECT 1").status.success() {
            let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Keeps a copy of all it has, while it is ended.
    ///
    /// # Panics
    /// When it cannot be kept.
    pub fn back_up(&self) {
        assert!(self.child.is_none(), "it runs");
        self.copy("data", "backup");
    }

    /// Puts that copy back, while it is ended.
    ///
    /// # Panics
    /// When it cannot be put there.
    pub fn restore(&self) {
        assert!(self.child.is_none(), "it runs");
        self.copy("backup", "data");
    }

    fn copy(&self, from: &str, to: &str) {
        let [from, to] = [from, to].map(|name| self.folder.join(name));
        let _ = fs::remove_dir_all(&to);
        done("cp", &["-a", path(&from), path(&to)]);
    }

    /// It is there, and does nothing any more; or goes on.
    pub fn pause(&self, is_paused: bool) {
        let Some(child) = &self.child else { return };
        let signal = if is_paused { "-STOP" } else { "-CONT" };
        let pid = child.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for pid in [pid.to_string()].iter().map(String::as_str).chain(children.split_whitespace()) {
            // One of a connection may have ended.
            let _ = Command::new("kill").args([signal, pid]).stderr(Stdio::null()).status();
        }
    }

    fn psql(&self, database: &str, text: &str) -> std::process::Output {
        let (program, port) = (self.programs.join("psql"), self.port.to_string());
        let arguments = [
            "-h",
            path(&self.folder),
            "-p",
            &port,
            "-U",
            "postgres",
            "-d",
            database,
            "-X",
            "-q",
            "-A",
            "-t",
            "-c",
            text,
        ];
        program::run(path(&program), &arguments, b"")
    }

    /// One of its programs, as a user that it wants to be run by; it ends with us.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
        }
        command.args(["--pdeathsig", "QUIT", "--", path(&program)]).current_dir(&self.folder);
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.pause(false);
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A port below those that the system gives to connections: one of these could be taken while the server is down.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id() % 12_000;
    let mut ports = std::iter::repeat_with(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        u16::try_from(20_000 + (first.wrapping_add(number)) % 12_000).unwrap()
    });
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

fn done(program: &str, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success(), "{program} {arguments:?}");
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}
