//! Dashboards that an account or one of its members has made, as text. What they say is nobody's matter here.
//!
//! They are read from the file each time: few ask for one at a time, and all of them would be much to hold.

use super::parts::Part;
use super::{Directory, DirectoryError, next, now};
use rusqlite::{OptionalExtension as _, Row};

/// Dashboards of all accounts, and of one.
const ALL: i64 = 20_000;
const OF_ACCOUNT: i64 = 100;

/// One of them, but for what it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DashboardHead {
    pub id: u32,
    /// Whose alone it is; `None` is the whole account's.
    pub member: Option<u32>,
    pub title: String,
    /// One more with each change.
    pub version: u32,
    /// Seconds since 1970.
    pub changed: i64,
}

const COLUMNS: &str = "id, member, title, version, changed";

fn head(row: &Row<'_>) -> rusqlite::Result<DashboardHead> {
    Ok(DashboardHead {
        id: row.get(0)?,
        member: row.get(1)?,
        title: row.get(2)?,
        version: row.get(3)?,
        changed: row.get(4)?,
    })
}

fn nothing() -> DirectoryError {
    DirectoryError::NotFound("there is no such dashboard".to_owned())
}

impl Directory {
    /// Those of an account that a member sees, by title: the account's, and his own.
    pub fn dashboards(&self, account: &str, member: Option<u32>) -> Result<Vec<DashboardHead>, DirectoryError> {
        self.read_file(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM dashboards WHERE account = $1 AND (member IS NULL OR member = $2) \
                 ORDER BY lower(title), id"
            ))?;
            select.query_map((account, member), head)?.collect()
        })
    }

    /// One that a member sees, with what it says.
    pub fn dashboard(
        &self,
        account: &str,
        member: Option<u32>,
        id: u32,
    ) -> Result<(DashboardHead, String), DirectoryError> {
        let found = self.read_file(|db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {COLUMNS}, body FROM dashboards WHERE account = $1 AND (member IS NULL OR member = $2) AND id = $3"
            ))?;
            select.query_row((account, member, id), |row| Ok((head(row)?, row.get(5)?))).optional()
        })?;
        found.ok_or_else(nothing)
    }

    /// Keeps a new one. Its title is in its text, too.
    pub fn add_dashboard(
        &self,
        account: &str,
        member: Option<u32>,
        title: &str,
        body: &str,
    ) -> Result<u32, DirectoryError> {
        self.change(|db| {
            let all: i64 = db.query_row("SELECT count(*) FROM dashboards", [], |row| row.get(0))?;
            let own: i64 =
                db.query_row("SELECT count(*) FROM dashboards WHERE account = $1", [account], |row| row.get(0))?;
            Part { own, of_account: OF_ACCOUNT, taken: all, all: ALL }.one_more("dashboards")?;
            let id = next(db, "dashboard")?;
            db.execute(
                "INSERT INTO dashboards (id, account, member, title, body, version, changed) \
                 VALUES ($1, $2, $3, $4, $5, 1, $6)",
                (id, account, member, title, body, now()),
            )?;
            Ok(id)
        })
    }

    /// Puts another text in place of the one of this version; answers the version that it has then.
    pub fn set_dashboard(
        &self,
        account: &str,
        head: &DashboardHead,
        title: &str,
        body: &str,
    ) -> Result<u32, DirectoryError> {
        let changed = self.change(|db| {
            Ok(db.execute(
                "UPDATE dashboards SET title = $1, body = $2, member = $3, version = version + 1, changed = $4 \
                 WHERE account = $5 AND id = $6 AND version = $7",
                (title, body, head.member, now(), account, head.id, head.version),
            )?)
        })?;
        match changed {
            0 => Err(DirectoryError::Taken(
                "somebody has changed or removed this dashboard since it was loaded: load it again, and repeat the change"
                    .to_owned(),
            )),
            _ => Ok(head.version + 1),
        }
    }

    /// Removes one, and the links that share it.
    pub fn remove_dashboard(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        let board = id.to_string();
        let gone = self.change(|db| {
            db.execute("DELETE FROM shares WHERE account = $1 AND board = $2", (account, &board))?;
            Ok(db.execute("DELETE FROM dashboards WHERE account = $1 AND id = $2", (account, id))?)
        })?;
        self.write().shares.retain(|_, share| share.account != account || share.board != board);
        if gone == 0 { Err(nothing()) } else { Ok(()) }
    }
}
