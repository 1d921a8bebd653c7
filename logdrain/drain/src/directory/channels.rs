//! Channels, by which accounts are told of alerts, and whom mail may be sent to. What a channel was told to be is sealed before
//! it comes here.
//!
//! They are read from the file each time: only when something is told, or looked at.
//!
//! Mail goes to members of the account, and to whoever has said by a link that is good once that he wants it.

use super::parts::Part;
use super::secrets::{Secret, digest_of};
use super::{Directory, DirectoryError, counted, members, next, now};
use crate::sql::{Row, SqlError, values};
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

fn channel(row: &Row<'_>) -> Result<Channel, SqlError> {
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
        self.read(|step| {
            let sql = "SELECT id, name, kind, shown, settings, created FROM channels WHERE account = $1 \
                       ORDER BY lower(name), id";
            Ok(step.rows(sql, values![account], channel)?)
        })
    }

    /// One of an account.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn channel(&self, account: &str, id: u32) -> Result<Channel, DirectoryError> {
        let found = self.read(|step| {
            let sql = "SELECT id, name, kind, shown, settings, created FROM channels WHERE account = $1 AND id = $2";
            Ok(step.one(sql, values![account, id], channel)?)
        })?;
        found.ok_or_else(nothing)
    }

    /// Keeps a new one; `id` and `created` are given here.
    ///
    /// # Errors
    /// When there are too many, or the file is closed.
    pub fn add_channel(&self, account: &str, new: &Channel) -> Result<u32, DirectoryError> {
        self.step(|step| {
            let all = counted(step, "SELECT count(*) FROM channels", &[])?;
            let own = counted(step, "SELECT count(*) FROM channels WHERE account = $1", values![account])?;
            Part { own, of_account: OF_ACCOUNT, taken: all, all: ALL }.one_more("channels")?;
            let id = next(step, "channel")?;
            let Channel { name, kind, shown, settings, .. } = new;
            step.execute(
                "INSERT INTO channels (id, account, name, kind, shown, settings, created) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                values![id, account, name, kind, shown, settings, now()],
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
        let changed = self.step(|step| {
            Ok(step.execute(
                "UPDATE channels SET name = $1, kind = $2, shown = $3, settings = $4 WHERE account = $5 AND id = $6",
                values![name, kind, shown, settings, account, *id],
            )?)
        })?;
        if changed == 0 { Err(nothing()) } else { Ok(()) }
    }

    /// Whether it is told of the plan, too: a volume that is used up, streams that are refused.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn set_notices(&self, account: &str, id: u32, wants: bool) -> Result<(), DirectoryError> {
        let changed = self.step(|step| {
            let sql = "UPDATE channels SET notices = $1 WHERE account = $2 AND id = $3";
            Ok(step.execute(sql, values![i64::from(wants), account, id])?)
        })?;
        if changed == 0 { Err(nothing()) } else { Ok(()) }
    }

    /// The channels that are told of the plan, by account.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn channels_with_notices(&self) -> Result<BTreeMap<String, Vec<u32>>, DirectoryError> {
        self.read(|step| {
            let mut all: BTreeMap<String, Vec<u32>> = BTreeMap::new();
            let sql = "SELECT account, id FROM channels WHERE notices <> 0 ORDER BY account, id";
            let of = |row: &Row<'_>| -> Result<_, SqlError> { Ok((row.get(0)?, row.get(1)?)) };
            for (account, id) in step.rows(sql, &[], of)? {
                all.entry(account).or_default().push(id);
            }
            Ok(all)
        })
    }

    /// What waits for it is not sent.
    ///
    /// # Errors
    /// When there is none, or the file is closed.
    pub fn remove_channel(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        let sql = "DELETE FROM channels WHERE account = $1 AND id = $2";
        let gone = self.step(|step| Ok(step.execute(sql, values![account, id])?))?;
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
        self.read(|step| {
            let sql = "SELECT count(*) FROM recipients WHERE account = $1 AND address = $2 AND confirmed IS NOT NULL";
            Ok(counted(step, sql, values![account, &address])? > 0)
        })
    }

    /// Those of an account that were asked, by their addresses.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn recipients(&self, account: &str) -> Result<Vec<Recipient>, DirectoryError> {
        self.read(|step| {
            let sql = "SELECT account, address, confirmed FROM recipients WHERE account = $1 ORDER BY address";
            Ok(step.rows(sql, values![account], recipient)?)
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
        self.step(|step| {
            let sql = "SELECT confirmed, asked FROM recipients WHERE account = $1 AND address = $2";
            let row = |row: &Row<'_>| -> Result<(Option<i64>, i64), SqlError> { Ok((row.get(0)?, row.get(1)?)) };
            let known = step.one(sql, values![account, &address], row)?;
            match known {
                Some((Some(_), _)) => return Ok(None),
                Some((None, asked)) if time.saturating_sub(asked) < ASKED_EVERY => return Ok(None),
                _ => {}
            }
            let all = counted(step, "SELECT count(*) FROM recipients", &[])?;
            let own = counted(step, "SELECT count(*) FROM recipients WHERE account = $1", values![account])?;
            if known.is_none() && (all >= ALL_ASKED || own >= ASKED_OF_ACCOUNT) {
                return Err(DirectoryError::TooMany(format!(
                    "mail of an account goes to {ASKED_OF_ACCOUNT} addresses at most that are no members"
                )));
            }
            step.execute(
                "INSERT INTO recipients (account, address, digest, asked) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (account, address) DO UPDATE SET digest = $3, asked = $4",
                values![account, &address, &digest, time],
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
        self.read(|step| {
            let sql = "SELECT account, address, confirmed FROM recipients WHERE digest = $1 AND asked >= $2";
            Ok(step.one(sql, values![&digest, now() - LASTS], recipient)?)
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
        let used = self.step(|step| {
            let sql = "UPDATE recipients SET confirmed = $1, digest = NULL WHERE digest = $2";
            Ok(step.execute(sql, values![time, &digest])?)
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
        self.step(|step| Ok(step.execute(sql, values![now() + REFUSED_FOR, account, &address]).map(drop)?))
    }

    /// He is forgotten: he may be asked again.
    ///
    /// # Errors
    /// When the file is closed.
    pub fn forget_recipient(&self, account: &str, address: &str) -> Result<(), DirectoryError> {
        let address = address.trim().to_lowercase();
        let sql = "DELETE FROM recipients WHERE account = $1 AND address = $2";
        self.step(|step| Ok(step.execute(sql, values![account, &address]).map(drop)?))
    }
}

fn recipient(row: &Row<'_>) -> Result<Recipient, SqlError> {
    Ok(Recipient { account: row.get(0)?, address: row.get(1)?, confirmed: row.get(2)? })
}
