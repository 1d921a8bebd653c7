//! What is over: sessions, links by which passwords are set, shared links, and addresses that never said whether they want mail.
//!
//! Each is looked at when somebody comes with it, and opens nothing then. It is deleted here and nowhere else, by a clock that
//! may be trusted with that: a server that started with a wrong one would lose everybody's links for good.

use super::channels::LASTS;
use super::secrets::Digest;
use super::sessions::IDLE;
use super::{Directory, DirectoryError, Group};
use crate::sql::{Value, values};
use std::collections::BTreeSet;

impl Directory {
    /// Deletes what was over at a time, in seconds since 1970.
    ///
    /// # Errors
    /// When the file cannot be written: then all of it is there still.
    pub fn forget_ended(&self, now: i64) -> Result<(), DirectoryError> {
        let known = self.known();
        let mut accounts: BTreeSet<String> = BTreeSet::new();
        // When one was used last is kept later than it is known.
        let mut sessions: Vec<(Digest, String)> = Vec::new();
        for (digest, session) in known.sessions.iter().filter(|(_, session)| session.is_over(now)) {
            sessions.push((*digest, digest.hex()));
            accounts.insert(session.account.clone());
        }
        accounts.extend(known.shares.values().filter(|share| share.ends <= now).map(|share| share.account.clone()));
        let ended = known.links.values().filter(|(_, ends)| *ends <= now);
        accounts.extend(ended.filter_map(|(member, _)| Some(known.members.get(member)?.account.clone())));
        drop(known);
        // On another node one may have been used since.
        let over: Vec<[Value<'_>; 3]> =
            sessions.iter().map(|(_, hex)| [Value::from(hex), now.into(), (now - IDLE).into()]).collect();
        let groups = [Group::People, Group::Sessions, Group::Shares];
        let touched: Vec<_> = accounts.iter().map(|account| (&groups[..], account.as_str())).collect();
        self.change_all(
            &touched,
            |step| {
                let sql = "DELETE FROM sessions WHERE digest = $1 AND (ends <= $2 OR seen <= $3)";
                step.execute_each(sql, &over)?;
                step.execute("DELETE FROM links WHERE ends <= $1", values![now])?;
                step.execute("DELETE FROM shares WHERE ends <= $1", values![now])?;
                let sql = "DELETE FROM recipients WHERE confirmed IS NULL AND asked < $1";
                step.execute(sql, values![now - LASTS])?;
                Ok(())
            },
            |known, ()| {
                for (digest, _) in &sessions {
                    known.sessions.remove(digest);
                }
                known.links.retain(|_, (_, ends)| *ends > now);
                known.shares.retain(|_, share| share.ends > now);
            },
        )
    }
}
