//! Channels, by which accounts are told of alerts, and whom mail may be sent to. What a channel was told to be is sealed before
//! it comes here.
//!
//! They are read from the file each time: only when something is told, or looked at.
//!
//! Mail goes to members of the account, and to whoever has said by a link that is good once that he wants it.

use super::parts::Part;
use super::secrets::{Secret, digest_of};
use super::{Directory, DirectoryError, members, next, now};
use rusqlite::{OptionalExtension as _, Row};
use std::collections::BTreeMap;

/// Channels of all accounts, and of one.
const ALL: i64 = 20_000;
const OF_ACCOUNT: i64 = 50;
/// Addresses that were asked, of all accounts and of one.
const ALL_ASKED: i64 = 100_000;
const ASKED_OF_ACCOUNT: i64 = 200;
/// How long a link is good.
pub(super) const LASTS: i64 = 7 * 86_400;
/// How long somebody is not asked again who has said that he wants no more.
const REFUSED_FOR: i64 = 365 * 86_400;
/// Between two links to one address.
const ASKED_EVERY: i64 = 3_600;

/// Where alerts of an account go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Channel {
    pub id: u32,
    pub name: String,
    /// `webhook`, `mail`...
    pub kind: String,
    /// What may be shown of where it leads.
    pub shown: String,
    /// The rest, sealed.
    pub settings: String,
    /// Seconds since 1970.
    pub created: i64,
}

const COLUMNS: &str = "id, name, kind, shown, settings, created";

fn channel(row: &Row<'_>) -> rusqlite::Result<Channel> {
    Ok(Channel {
        id: row.get(0)?,
        name: row.get(1)?,
        kind: row.get(2)?,
        shown: row.get(3)?,
        settings: row.get(4)?,
        created: row.get(5)?,
    })
}

fn nothing() -> DirectoryError {
    DirectoryError::NotFound("there is no such channel".to_owned())
}

/// Somebody whom mail is to go to, and no member.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recipient {
    pub account: String,
    pub address: String,
    /// When he said that he wants it, in seconds since 1970.
    pub confirmed: Option<i64>,
}

impl Directory {
    /// Those of an account, by name.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn channels(&self, account: &str) -> Result<Vec<Channel>, DirectoryError> {
        self.read_file(|db| {
            let sql = format!("SELECT {COLUMNS} FROM channels WHERE account = $1 ORDER BY lower(name), id");
            db.prepare_cached(&sql)?.query_map([account], channel)?.collect()
        })
    }

    /// One of an account.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn channel(&self, account: &str, id: u32) -> Result<Channel, DirectoryError> {
        let found = self.read_file(|db| {
            let sql = format!("SELECT {COLUMNS} FROM channels WHERE account = $1 AND id = $2");
            db.prepare_cached(&sql)?.query_row((account, id), channel).optional()
        })?;
        found.ok_or_else(nothing)
    }

    /// Keeps a new one; `id` and `created` are given here.
    ///
    /// # Errors
    /// When there are too many, or the file is closed.
    pub fn add_channel(&self, account: &str, new: &Channel) -> Result<u32, DirectoryError> {
        self.change(|db| {
            let all: i64 = db.query_row("SELECT count(*) FROM channels", [], |row| row.get(0))?;
            let own: i64 =
                db.query_row("SELECT count(*) FROM channels WHERE account = $1", [account], |row| row.get(0))?;
            Part { own, of_account: OF_ACCOUNT, taken: all, all: ALL }.one_more("channels")?;
            let id = next(db, "channel")?;
            let Channel { name, kind, shown, settings, .. } = new;
            db.execute(
                "INSERT INTO channels (id, account, name, kind, shown, settings, created) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                (id, account, name, kind, shown, settings, now()),
            )?;
            Ok(id)
        })
    }

    /// Puts another one in its place.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn set_channel(&self, account: &str, channel: &Channel) -> Result<(), DirectoryError> {
        let Channel { id, name, kind, shown, settings, .. } = channel;
        let changed = self.change(|db| {
            Ok(db.execute(
                "UPDATE channels SET name = $1, kind = $2, shown = $3, settings = $4 WHERE account = $5 AND id = $6",
                (name, kind, shown, settings, account, id),
            )?)
        })?;
        if changed == 0 { Err(nothing()) } else { Ok(()) }
    }

    /// Whether it is told of the plan, too: a volume that is used up, streams that are refused.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn set_notices(&self, account: &str, id: u32, wants: bool) -> Result<(), DirectoryError> {
        let changed = self.change(|db| {
            let sql = "UPDATE channels SET notices = $1 WHERE account = $2 AND id = $3";
            Ok(db.execute(sql, (i64::from(wants), account, id))?)
        })?;
        if changed == 0 { Err(nothing()) } else { Ok(()) }
    }

    /// The channels that are told of the plan, by account.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn channels_with_notices(&self) -> Result<BTreeMap<String, Vec<u32>>, DirectoryError> {
        self.read_file(|db| {
            let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            let mut select =
                db.prepare_cached("SELECT account, id FROM channels WHERE notices <> 0 ORDER BY account, id")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                all.entry(row.get(0)?).or_default().push(row.get(1)?);
            }
            Ok(all)
        })
    }

    /// What waits for it is not sent.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn remove_channel(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        let gone =
            self.change(|db| Ok(db.execute("DELETE FROM channels WHERE account = $1 AND id = $2", (account, id))?))?;
        if gone == 0 { Err(nothing()) } else { Ok(()) }
    }

    /// Whether mail of an account may go to an address.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn may_get_mail(&self, account: &str, address: &str) -> Result<bool, DirectoryError> {
        if self.member_called(account, address).is_some() {
            return Ok(true);
        }
        let address = address.trim().to_lowercase();
        self.read_file(|db| {
            let sql = "SELECT count(*) FROM recipients WHERE account = $1 AND address = $2 AND confirmed IS NOT NULL";
            db.prepare_cached(sql)?.query_row((account, &address), |row| Ok(row.get::<_, i64>(0)? > 0))
        })
    }

    /// Those of an account that were asked, by their addresses.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn recipients(&self, account: &str) -> Result<Vec<Recipient>, DirectoryError> {
        self.read_file(|db| {
            let sql = "SELECT account, address, confirmed FROM recipients WHERE account = $1 ORDER BY address";
            db.prepare_cached(sql)?.query_map([account], recipient)?.collect()
        })
    }

    /// A link by which somebody says that he wants an account's mail. `None` if he need not say so, has said it, or was asked
    /// within the hour.
    ///
    /// # Errors
    /// When the address is none, there are too many, or the file is closed.
    pub fn ask_recipient(&self, account: &str, address: &str) -> Result<Option<Secret>, DirectoryError> {
        let address = members::email(address)?;
        if self.member_called(account, &address).is_some() {
            return Ok(None);
        }
        let secret = Secret::opaque()?;
        let (digest, time) = (secret.digest().hex(), now());
        self.change(|db| {
            let sql = "SELECT confirmed, asked FROM recipients WHERE account = $1 AND address = $2";
            let row = |row: &Row<'_>| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, i64>(1)?));
            let known = db.query_row(sql, (account, &address), row).optional()?;
            match known {
                Some((Some(_), _)) => return Ok(None),
                Some((None, asked)) if time.saturating_sub(asked) < ASKED_EVERY => return Ok(None),
                _ => {}
            }
            let all: i64 = db.query_row("SELECT count(*) FROM recipients", [], |row| row.get(0))?;
            let own: i64 =
                db.query_row("SELECT count(*) FROM recipients WHERE account = $1", [account], |row| row.get(0))?;
            if known.is_none() && (all >= ALL_ASKED || own >= ASKED_OF_ACCOUNT) {
                return Err(DirectoryError::TooMany(format!(
                    "mail of an account goes to {ASKED_OF_ACCOUNT} addresses at most that are no members"
                )));
            }
            db.execute(
                "INSERT INTO recipients (account, address, digest, asked) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (account, address) DO UPDATE SET digest = $3, asked = $4",
                (account, &address, digest, time),
            )?;
            Ok(Some(secret))
        })
    }

    /// Whom a link is of; `None` when it was used, or is too old.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn asked_recipient(&self, secret: &str) -> Result<Option<Recipient>, DirectoryError> {
        let digest = digest_of(secret).hex();
        self.read_file(|db| {
            let sql = "SELECT account, address, confirmed FROM recipients WHERE digest = $1 AND asked >= $2";
            db.prepare_cached(sql)?.query_row((digest, now() - LASTS), recipient).optional()
        })
    }

    /// He wants it. The link is used up.
    ///
    /// # Errors
    /// When the link was used or is too old, or the file is closed.
    pub fn confirm_recipient(&self, secret: &str) -> Result<Recipient, DirectoryError> {
        let gone = || DirectoryError::NotFound("the link was used, or is too old: ask for another".to_owned());
        let found = self.asked_recipient(secret)?.ok_or_else(gone)?;
        let (digest, time) = (digest_of(secret).hex(), now());
        let used = self.change(|db| {
            let sql = "UPDATE recipients SET confirmed = $1, digest = NULL WHERE digest = $2";
            Ok(db.execute(sql, (time, digest))?)
        })?;
        if used == 0 { Err(gone()) } else { Ok(Recipient { confirmed: Some(time), ..found }) }
    }

    /// He wants it no more, and is not asked again for a year.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn refuse_recipient(&self, account: &str, address: &str) -> Result<(), DirectoryError> {
        let address = address.trim().to_lowercase();
        let sql =
            "UPDATE recipients SET confirmed = NULL, digest = NULL, asked = $1 WHERE account = $2 AND address = $3";
        self.change(|db| Ok(db.execute(sql, (now() + REFUSED_FOR, account, &address)).map(drop)?))
    }

    /// He is forgotten: he may be asked again.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn forget_recipient(&self, account: &str, address: &str) -> Result<(), DirectoryError> {
        let address = address.trim().to_lowercase();
        let sql = "DELETE FROM recipients WHERE account = $1 AND address = $2";
        self.change(|db| Ok(db.execute(sql, (account, &address)).map(drop)?))
    }
}

fn recipient(row: &Row<'_>) -> rusqlite::Result<Recipient> {
    Ok(Recipient { account: row.get(0)?, address: row.get(1)?, confirmed: row.get(2)? })
}
