//! Links by which anybody sees one dashboard, or one chart of one: for a time, and until they are taken back. They are kept
//! as digests alone.

use super::parts::{Part, count};
use super::secrets::{Digest, Secret, digest_of};
use super::{Directory, DirectoryError, Group, next, now};
use crate::sql::{Row, SqlError, Step, values};
use std::collections::HashMap;
use std::sync::Arc;

/// Links of all accounts, and of one.
const ALL: usize = 2_000;
const OF_ACCOUNT: i64 = 100;
/// The longest text of one.
const TEXT: usize = 255;
/// How long one may be good.
const LONGEST: i64 = 366 * 86_400;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 1_536;

/// What a link opens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    pub id: u32,
    pub account: String,
    /// Who made it. It opens nothing when he is gone, or may not share any more.
    pub member: Option<u32>,
    /// What its maker calls it.
    pub name: String,
    /// `overview`, or the number of one of the account's.
    pub board: String,
    /// One chart of it alone.
    pub chart: Option<String>,
    /// The app and the time that are shown, as parameters of an address.
    pub wanted: String,
    /// Seconds since 1970.
    pub created: i64,
    pub ends: i64,
}

/// Those of all accounts, or of one; those that have ended open nothing.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<HashMap<Digest, Arc<Share>>, DirectoryError> {
    let sql = "SELECT digest, id, account, member, name, board, chart, wanted, created, ends FROM shares \
               WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let share = |row: &Row<'_>| -> Result<_, SqlError> {
        let share = Share {
            id: row.get(1)?,
            account: row.get(2)?,
            member: row.get(3)?,
            name: row.get(4)?,
            board: row.get(5)?,
            chart: row.get(6)?,
            wanted: row.get(7)?,
            created: row.get(8)?,
            ends: row.get(9)?,
        };
        Ok((Digest::from_hex(&row.get::<String>(0)?), Arc::new(share)))
    };
    let shares = step.rows(sql, values![account], share)?;
    Ok(shares.into_iter().filter_map(|(digest, share)| Some((digest?, share))).collect())
}

impl Directory {
    /// Links of an account that are good now, by their numbers.
    pub fn shares(&self, account: &str) -> Vec<Arc<Share>> {
        let now = now();
        let known = self.known();
        let own = known.shares.values().filter(|share| share.account == account && share.ends > now);
        let mut all: Vec<_> = own.cloned().collect();
        all.sort_by_key(|share| share.id);
        all
    }

    /// What a link opens; `None` when it is not good, or not any more.
    pub fn share(&self, secret: &str) -> Option<Arc<Share>> {
        let share = self.known().shares.get(&digest_of(secret)).cloned()?;
        (now() < share.ends).then_some(share)
    }

    /// The same; one that is not known may have been made on another node just now.
    pub async fn shared(&self, secret: &str) -> Option<Arc<Share>> {
        match self.share(secret) {
            None if self.look().await => self.share(secret),
            known => known,
        }
    }

    /// A new link. Its secret is in no file, and is not to be had again. `share` says what it opens; its number and when it
    /// was made are given here.
    pub fn new_share(&self, share: Share) -> Result<(Secret, Arc<Share>), DirectoryError> {
        let created = now();
        let texts = [&share.name, &share.board, share.chart.as_ref().unwrap_or(&share.board)];
        let is_text = |text: &&String| text.len() <= TEXT && !text.contains(char::is_control);
        if !texts.iter().all(is_text) || share.wanted.len() > 2 * TEXT {
            return Err(DirectoryError::Invalid(format!(
                "the name of a link has {TEXT} bytes at most, all of them text"
            )));
        }
        if share.ends <= created || share.ends > created + LONGEST {
            return Err(DirectoryError::Invalid("a link ends within a year".to_owned()));
        }
        let known = self.known();
        let good = || known.shares.values().filter(|known| known.ends > created);
        let own = count(good().filter(|known| known.account == share.account).count());
        let taken = count(good().count());
        drop(known);
        Part { own, of_account: OF_ACCOUNT, taken, all: count(ALL) }.one_more("shared links")?;
        let secret = Secret::link()?;
        let digest = secret.digest();
        let account = share.account.clone();
        let share = self.change(
            (&[Group::Shares], &account),
            |step| {
                let share = Share { id: next(step, "share")?, created, ..share };
                step.execute(
                    "INSERT INTO shares (digest, id, account, member, name, board, chart, wanted, created, ends) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    values![
                        &digest.hex(),
                        share.id,
                        &share.account,
                        share.member,
                        &share.name,
                        &share.board,
                        &share.chart,
                        &share.wanted,
                        created,
                        share.ends,
                    ],
                )?;
                Ok(Arc::new(share))
            },
            |known, share| drop(known.shares.insert(digest, share.clone())),
        )?;
        Ok((secret, share))
    }

    /// Takes a link back.
    pub fn remove_share(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        let sql = "DELETE FROM shares WHERE account = $1 AND id = $2";
        let gone = self.change(
            (&[Group::Shares], account),
            |step| Ok(step.execute(sql, values![account, id])?),
            |known, _| known.shares.retain(|_, share| share.account != account || share.id != id),
        )?;
        if gone == 0 { Err(DirectoryError::NotFound("there is no such link".to_owned())) } else { Ok(()) }
    }
}
