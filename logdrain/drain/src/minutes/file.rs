//! The file of the minutes: `minutes.db` in the store's folder.
//!
//! ```text
//! standing (what, value)                               position: events up to it are in; rolled, kept: hours
//! names    (id, account, name)                         metrics
//! drains   (id, account, drain)
//! pieces   (id, name, drain, level, hour, span, len, fresh, content)
//!          level 0: windows as they closed; 1: quarters of an hour; 2: hours
//!          hour, span: what it covers, in hours since 1970; len: of a window, in milliseconds
//!          fresh: what the levels above do not have yet (2 as it came, 1 put together); of two rows of one window the one in the later piece stands
//! marks    (drain, hour, bits)                         minutes of the hour in which the drain was heard
//! ```

mod read;
mod written;

use super::tables::TableError;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// "ldmn", so that nobody takes another file for it.
const APPLICATION: i32 = 0x6c64_6d6e;
const VERSION: i32 = 1;
/// An administrator's shell may look at it just now.
const BUSY: Duration = Duration::from_secs(5);
/// Pages that a connection keeps, in KiB.
const CACHE: i32 = 4_096;

const SCHEMA: &str = "
CREATE TABLE standing (what TEXT PRIMARY KEY, value BIGINT NOT NULL);
CREATE TABLE names (id INTEGER PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, UNIQUE (account, name));
CREATE TABLE drains (id INTEGER PRIMARY KEY, account TEXT NOT NULL, drain TEXT NOT NULL, UNIQUE (account, drain));
CREATE TABLE pieces (
    id INTEGER PRIMARY KEY,
    name BIGINT NOT NULL,
    drain BIGINT NOT NULL,
    level SMALLINT NOT NULL,
    hour BIGINT NOT NULL,
    span SMALLINT NOT NULL,
    len BIGINT NOT NULL,
    fresh SMALLINT NOT NULL,
    content BLOB NOT NULL
);
CREATE INDEX pieces_by_name ON pieces (name, level, hour, drain);
CREATE INDEX pieces_by_hour ON pieces (level, hour);
CREATE INDEX pieces_fresh ON pieces (hour, name) WHERE fresh > 0;
CREATE TABLE marks (drain BIGINT NOT NULL, hour BIGINT NOT NULL, bits BIGINT NOT NULL, PRIMARY KEY (drain, hour));
";

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("minutes.db")
}

/// Opens it to write, and makes it where there is none.
pub(super) fn open(dir: &Path) -> Result<Connection, TableError> {
    let path = path(dir);
    if is_empty(&path) {
        return Err(TableError::Empty);
    }
    let db = Connection::open(path)?;
    db.busy_timeout(BUSY)?;
    let (application, version) = header(&db)?;
    if (application, version) == (0, 0) {
        db.execute_batch(&format!(
            "PRAGMA page_size = 8192; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = wal; BEGIN IMMEDIATE; {SCHEMA}
             PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}; COMMIT"
        ))?;
    } else {
        check(application, version)?;
    }
    // What is said to be kept must be: the journal forgets it then.
    db.execute_batch(&format!(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = full; PRAGMA cache_size = -{CACHE};
         PRAGMA journal_size_limit = 16777216; PRAGMA temp_store = memory"
    ))?;
    Ok(db)
}

/// There, without a byte.
pub(super) fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
}

/// Opens it to read; `None` when there is none yet.
pub(super) fn reader(dir: &Path) -> Result<Option<Connection>, TableError> {
    let path = path(dir);
    if !path.exists() {
        return Ok(None);
    }
    // A reader of a file in this mode writes beside it, and nothing into it.
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(BUSY)?;
    let (application, version) = header(&db)?;
    if version == 0 {
        return Ok(None);
    }
    check(application, version)?;
    db.execute_batch(&format!("PRAGMA query_only = on; PRAGMA cache_size = -{CACHE}; PRAGMA temp_store = memory"))?;
    Ok(Some(db))
}

fn header(db: &Connection) -> Result<(i32, i32), TableError> {
    let number = |what: &str| db.query_row(&format!("PRAGMA {what}"), [], |row| row.get::<_, i32>(0));
    Ok((number("application_id")?, number("user_version")?))
}

fn check(application: i32, version: i32) -> Result<(), TableError> {
    match (application, version) {
        (APPLICATION, VERSION) => Ok(()),
        (APPLICATION, _) => {
            Err(TableError::Foreign(format!("it is of version {version}, and this program reads {VERSION}")))
        }
        _ => Err(TableError::Foreign("it is no file of minutes: move it away".to_owned())),
    }
}

/// Puts a damaged file out of the way; answers where it is now.
pub(super) fn set_aside(dir: &Path, second: i64) -> std::io::Result<PathBuf> {
    let (from, to) = (path(dir), dir.join(format!("minutes.damaged-{second}")));
    std::fs::rename(&from, &to)?;
    for end in ["-wal", "-shm"] {
        let mut name = from.clone().into_os_string();
        name.push(end);
        let _ = std::fs::remove_file(name);
    }
    Ok(to)
}

/// Up to which event everything is there; `None` when it does not say it.
pub(super) fn position(dir: &Path) -> Option<u64> {
    let db = reader(dir).ok()??;
    standing(&db, "position").ok()?.map(i64::cast_unsigned)
}

pub(super) fn standing(db: &Connection, what: &str) -> Result<Option<i64>, TableError> {
    let mut read = db.prepare_cached("SELECT value FROM standing WHERE what = ?1")?;
    Ok(read.query_row([what], |row| row.get(0)).optional()?)
}

pub(super) fn stand(db: &Connection, what: &str, value: i64) -> Result<(), TableError> {
    let mut write = db.prepare_cached(
        "INSERT INTO standing (what, value) VALUES (?1, ?2) ON CONFLICT (what) DO UPDATE SET value = excluded.value",
    )?;
    write.execute(params![what, value])?;
    Ok(())
}
