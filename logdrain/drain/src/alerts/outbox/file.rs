//! The file and its tables.
//!
//! ```text
//! told       (seq, id, account, alert, ...)    messages; `body` is nothing when only the head is left,
//!                                              `is_shown` is 0 when it is there for its id alone, `open` deliveries wait
//! deliveries (seq, channel, state, ...)        one of each message to each channel
//! ```

use rusqlite::{Connection, OpenFlags};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// "ldob", so that nobody takes another file for it.
const APPLICATION: i32 = 0x6c64_6f62;
/// An administrator's shell may look at it just now.
const BUSY: Duration = Duration::from_secs(5);
const EMPTY: &str = "it is empty";

/// Each brings the file one version further. What stands here is never changed: a change is a further one.
const MIGRATIONS: [&str; 1] = ["
CREATE TABLE told (
    seq BIGINT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    alert BIGINT NOT NULL,
    name TEXT NOT NULL,
    kind SMALLINT NOT NULL,
    at BIGINT NOT NULL,
    is_muted BOOLEAN NOT NULL,
    why TEXT NOT NULL,
    kept BIGINT NOT NULL,
    open BIGINT NOT NULL,
    is_shown SMALLINT NOT NULL DEFAULT 1,
    bytes BIGINT NOT NULL,
    body BLOB
);
CREATE INDEX told_of_alert ON told (account, alert, seq) WHERE is_shown = 1;
CREATE INDEX told_with_body ON told (account, seq, open, bytes) WHERE body IS NOT NULL;
CREATE INDEX told_for_id ON told (kept) WHERE is_shown = 0;
CREATE TABLE deliveries (
    seq BIGINT NOT NULL,
    channel BIGINT NOT NULL,
    account TEXT NOT NULL,
    alert BIGINT NOT NULL,
    state SMALLINT NOT NULL,
    tries BIGINT NOT NULL,
    said TEXT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (seq, channel)
);
CREATE INDEX deliveries_waiting ON deliveries (account, alert, channel, seq) WHERE state = 0;
CREATE INDEX deliveries_of_account ON deliveries (account);
"];

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("outbox.db")
}

/// Why the file cannot be used.
#[derive(Debug)]
pub(super) enum Unusable {
    /// What was written is not what is read: waiting does not help.
    Damaged(String),
    Words(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "outbox.db: is damaged: {why}"),
            Self::Words(why) => write!(f, "outbox.db: {why}"),
        }
    }
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Words(error.to_string()),
        }
    }
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Words(error.to_string())
    }
}

/// Opens it to write, and makes it where there is none.
pub(super) fn open(dir: &Path) -> Result<Connection, Unusable> {
    let path = path(dir);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    // Lines of accounts stand in it.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // No file of ours is left like that, but by who was killed while he made it.
    if fs::metadata(&path).is_ok_and(|file| file.len() == 0) {
        return Err(Unusable::Damaged(EMPTY.to_owned()));
    }
    options.open(&path)?;
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let mut db = Connection::open(&path)?;
    db.busy_timeout(BUSY)?;
    let version = version(&db)?;
    // What was purged leaves nothing, neither here nor in a log beside it.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update_and_check(None, "journal_mode", "truncate", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "cache_size", -4_096)?;
    let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Unusable::Damaged(sound));
    }
    for (sql, version) in MIGRATIONS.iter().zip(1..).skip(version) {
        let step = db.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(db)
}

/// Up to which migration it was brought.
fn version(db: &Connection) -> Result<usize, Unusable> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (application, version, tables) != (0, 0, 0) {
        return Err(Unusable::Words("is no file of ours: move it away".to_owned()));
    }
    usize::try_from(version)
        .ok()
        .filter(|version| *version <= MIGRATIONS.len())
        .ok_or_else(|| Unusable::Words(format!("a newer logdrain has written it (version {version})")))
}

/// Puts a damaged file out of the way; answers where it is now.
pub(super) fn set_aside(dir: &Path, second: i64) -> io::Result<PathBuf> {
    let (from, to) = (path(dir), dir.join(format!("outbox.damaged-{second}")));
    fs::rename(&from, &to)?;
    Ok(to)
}

/// Whether the file can be read: for `logdrain doctor`, also beside a running server. Tells what it finds, and answers how much
/// of it is wrong.
pub fn check(dir: &Path, say: &mut dyn FnMut(&str)) -> u64 {
    let path = path(dir);
    if !path.exists() {
        return 0;
    }
    let look = || -> Result<(i64, i64), Unusable> {
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(BUSY)?;
        if version(&db)? == 0 {
            return Err(Unusable::Damaged(EMPTY.to_owned()));
        }
        let sound: String = db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if sound != "ok" {
            return Err(Unusable::Damaged(sound));
        }
        let count = |sql: &str| db.query_row(sql, [], |row| row.get(0));
        let shown = count("SELECT count(*) FROM told WHERE is_shown = 1")?;
        Ok((shown, count("SELECT count(*) FROM deliveries WHERE state = 0")?))
    };
    match look() {
        Ok((shown, waiting)) => {
            say(&format!("alerts     {shown} are kept, {waiting} deliveries wait"));
            0
        }
        Err(Unusable::Damaged(why)) => {
            say(&format!(
                "alerts     outbox.db is damaged: {why}; the next start sets it aside, and what waits in it is not sent"
            ));
            1
        }
        Err(error) => {
            say(&format!("alerts     {error}"));
            1
        }
    }
}
