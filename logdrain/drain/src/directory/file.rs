//! The file, its tables, and the file beside it that says that somebody has to sign in.

use super::DirectoryError;
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// "ldst", so that nobody takes another file for it.
const APPLICATION: i32 = 0x6c64_7374;
/// An administrator's shell may look at it just now.
const BUSY: Duration = Duration::from_secs(5);

/// Each brings the file one version further. What stands here is never changed: a change is a further one. (The crate for
/// migrations that fits this version of SQLite's bindings asks for a newer compiler than ours.)
const MIGRATIONS: [&str; 6] = [
    "
CREATE TABLE numbers (kind TEXT PRIMARY KEY, last BIGINT NOT NULL);
CREATE TABLE members (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    email TEXT NOT NULL,
    read_only BOOLEAN NOT NULL,
    manage_members BOOLEAN NOT NULL,
    change_plans BOOLEAN NOT NULL,
    purge BOOLEAN NOT NULL,
    groups_allowed TEXT NOT NULL,
    password TEXT,
    zone TEXT,
    created BIGINT NOT NULL,
    UNIQUE (account, email)
);
CREATE TABLE tokens (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    member BIGINT REFERENCES members (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    shown TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL
);
CREATE TABLE sessions (
    digest TEXT PRIMARY KEY,
    account TEXT NOT NULL,
    member BIGINT REFERENCES members (id) ON DELETE CASCADE,
    whose TEXT NOT NULL,
    seen BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
CREATE TABLE links (
    digest TEXT PRIMARY KEY,
    member BIGINT NOT NULL UNIQUE REFERENCES members (id) ON DELETE CASCADE,
    ends BIGINT NOT NULL
);
CREATE TABLE systems (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    shown TEXT,
    hostname TEXT,
    ip TEXT,
    description TEXT,
    auto_delete BOOLEAN NOT NULL,
    is_made BOOLEAN NOT NULL,
    last_event BIGINT NOT NULL,
    UNIQUE (account, name)
);
CREATE TABLE used (
    account TEXT NOT NULL,
    day TEXT NOT NULL,
    system TEXT NOT NULL,
    program TEXT NOT NULL,
    events BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (account, day, system, program)
);
",
    "
CREATE TABLE dashboards (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    member BIGINT REFERENCES members (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    changed BIGINT NOT NULL
);
CREATE INDEX dashboards_of_account ON dashboards (account);
CREATE TABLE shares (
    digest TEXT PRIMARY KEY,
    id BIGINT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    member BIGINT REFERENCES members (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    board TEXT NOT NULL,
    chart TEXT,
    wanted TEXT NOT NULL,
    created BIGINT NOT NULL,
    ends BIGINT NOT NULL
);
",
    "
CREATE TABLE buckets (
    account TEXT PRIMARY KEY,
    endpoint TEXT,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    prefix TEXT NOT NULL,
    key_id TEXT NOT NULL,
    secret TEXT NOT NULL
);
",
    "
CREATE TABLE metrics (
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    period BIGINT NOT NULL,
    unit TEXT NOT NULL,
    description TEXT NOT NULL,
    colour TEXT NOT NULL,
    summary TEXT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (account, name)
);
",
    "
CREATE TABLE channels (
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    shown TEXT NOT NULL,
    settings TEXT NOT NULL,
    created BIGINT NOT NULL
);
CREATE INDEX channels_of_account ON channels (account);
CREATE TABLE recipients (
    account TEXT NOT NULL,
    address TEXT NOT NULL,
    digest TEXT UNIQUE,
    asked BIGINT NOT NULL,
    confirmed BIGINT,
    PRIMARY KEY (account, address)
);
",
    "
ALTER TABLE channels ADD COLUMN notices SMALLINT NOT NULL DEFAULT 0;
",
];

pub fn path(dir: &Path) -> PathBuf {
    dir.join("settings.db")
}

/// There as long as there is a member or token. It holds nothing.
pub(super) fn marker(dir: &Path) -> PathBuf {
    dir.join("settings.asks")
}

pub(super) fn mark(dir: &Path) -> io::Result<()> {
    private(&mut OpenOptions::new()).write(true).create(true).truncate(false).open(marker(dir))?.sync_all()?;
    File::open(dir)?.sync_all()
}

pub(super) fn unmark(dir: &Path) -> io::Result<()> {
    match fs::remove_file(marker(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// For its owner alone.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

pub(super) fn open(dir: &Path) -> Result<Connection, DirectoryError> {
    let file = path(dir);
    let closed = |why: String| {
        DirectoryError::Closed(format!(
            "{}: {why}; nobody but the operator comes in. Put a copy of it back, or move it away to begin anew, and \
             start again",
            file.display()
        ))
    };
    let unmade = |error: io::Error| closed(error.to_string());
    // No file of ours is left like that, but by who was killed while he made it: so it is no reason to keep everybody out.
    if fs::metadata(&file).is_ok_and(|file| file.len() == 0) {
        tracing::error!(
            path = %file.display(),
            "settings.db is empty: the members, tokens, dashboards and channels that it held, if any, are gone; a copy that \
             is put back holds from the next start on"
        );
    }
    private(&mut OpenOptions::new()).read(true).append(true).create(true).open(&file).map_err(unmade)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // What a copy that was put back gave to others.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(unmade)?;
    }
    prepared(&file).map_err(|why| match why {
        Unusable::Sql(error) => closed(format!("it is damaged or cannot be used ({error})")),
        Unusable::Words(why) => closed(why),
    })
}

enum Unusable {
    Sql(rusqlite::Error),
    Words(String),
}

impl From<rusqlite::Error> for Unusable {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

fn prepared(file: &Path) -> Result<Connection, Unusable> {
    let mut db = Connection::open(file)?;
    db.busy_timeout(BUSY)?;
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION && (application, version, tables) != (0, 0, 0) {
        return Err(Unusable::Words("it is no file of ours".to_owned()));
    }
    let newer = || Unusable::Words(format!("a newer logdrain has written it (version {version})"));
    let version = usize::try_from(version).map_err(|_| newer())?;
    let missing = MIGRATIONS.get(version..).ok_or_else(newer)?;
    // What was deleted leaves nothing, neither here nor in a log beside it.
    db.pragma_update(None, "secure_delete", true)?;
    db.pragma_update_and_check(None, "journal_mode", "truncate", |_| Ok(()))?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "cache_size", -1_024)?;
    let sound: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(Unusable::Words(format!("it is damaged ({sound})")));
    }
    for (sql, version) in missing.iter().zip(version + 1..) {
        let step = db.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "application_id", APPLICATION)?;
        step.pragma_update(None, "user_version", version as i64)?;
        step.commit()?;
    }
    Ok(db)
}
