//! Dashboards that an account or one of its members has made, as text. What they say is nobody's matter here.
//!
//! They are read from the file each time: few ask for one at a time, and all of them would be much to hold.

use super::parts::Part;
use super::{Directory, DirectoryError, Group, counted, next, now};
use crate::sql::{Row, SqlError, values};

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

fn head(row: &Row<'_>) -> Result<DashboardHead, SqlError> {
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
        self.read(|step| {
            let sql = "SELECT id, member, title, version, changed FROM dashboards \
                       WHERE account = $1 AND (member IS NULL OR member = $2) ORDER BY lower(title), id";
            Ok(step.rows(sql, values![account, member], head)?)
        })
    }

    /// One that a member sees, with what it says.
    pub fn dashboard(
        &self,
        account: &str,
        member: Option<u32>,
        id: u32,
    ) -> Result<(DashboardHead, String), DirectoryError> {
        let found = self.read(|step| {
            let sql = "SELECT id, member, title, version, changed, body FROM dashboards \
                       WHERE account = $1 AND (member IS NULL OR member = $2) AND id = $3";
            let whole = |row: &Row<'_>| -> Result<_, SqlError> { Ok((head(row)?, row.get(5)?)) };
            Ok(step.one(sql, values![account, member, id], whole)?)
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
        self.step(|step| {
            let all = counted(step, "SELECT count(*) FROM dashboards", &[])?;
            let own = counted(step, "SELECT count(*) FROM dashboards WHERE account = $1", values![account])?;
            Part { own, of_account: OF_ACCOUNT, taken: all, all: ALL }.one_more("dashboards")?;
            let id = next(step, "dashboard")?;
            step.execute(
                "INSERT INTO dashboards (id, account, member, title, body, version, changed) \
                 VALUES ($1, $2, $3, $4, $5, 1, $6)",
                values![id, account, member, title, body, now()],
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
        let changed = self.step(|step| {
            Ok(step.execute(
                "UPDATE dashboards SET title = $1, body = $2, member = $3, version = version + 1, changed = $4 \
                 WHERE account = $5 AND id = $6 AND version = $7",
                values![title, body, head.member, now(), account, head.id, head.version],
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
        let gone = self.change(
            (&[Group::Shares], account),
            |step| {
                step.execute("DELETE FROM shares WHERE account = $1 AND board = $2", values![account, &board])?;
                Ok(step.execute("DELETE FROM dashboards WHERE account = $1 AND id = $2", values![account, id])?)
            },
            |known, _| known.shares.retain(|_, share| share.account != account || share.board != board),
        )?;
        if gone == 0 { Err(nothing()) } else { Ok(()) }
    }
}
