//! Lines that are purged go out of messages, too: how many there were stays.

use super::packing::{pack, unpack};
use super::{Outbox, OutboxError};
use crate::alerts::told::{Facts, Line};
use crate::sql::values;

impl Outbox {
    /// Takes lines out of all messages of an account, for good, also of those that wait; answers how many.
    ///
    /// # Errors
    /// When they cannot be read or written; it is asked again then.
    pub fn purge(&self, account: &str, finds: &dyn Fn(&Line) -> bool) -> Result<u64, OutboxError> {
        let seqs: Vec<i64> = self.step(|step| {
            let sql = "SELECT seq FROM told WHERE account = $1 AND body IS NOT NULL";
            Ok(step.rows(sql, values![account], |row| row.get(0))?)
        })?;
        let mut gone = 0;
        for seq in seqs {
            // One by one, so that who keeps and who sends come between.
            gone += self.step(|step| {
                let sql = "SELECT body FROM told WHERE seq = $1 AND body IS NOT NULL";
                let body: Option<Vec<u8>> = step.one(sql, values![seq], |row| row.get(0))?;
                let Some(mut told) = body.and_then(|body| unpack(&body)) else { return Ok(0) };
                let Facts::Log(facts) = &mut told.facts else { return Ok(0) };
                let before = facts.lines.len();
                facts.lines.retain(|line| !finds(line));
                let gone = (before - facts.lines.len()) as u64;
                if gone > 0 {
                    let body = pack(&told)?;
                    let bytes = i64::try_from(body.len()).unwrap_or(i64::MAX);
                    // Unless what was sent made room meanwhile.
                    let put = "UPDATE told SET body = $1, bytes = $2 WHERE seq = $3 AND body IS NOT NULL";
                    step.execute(put, values![&body, bytes, seq])?;
                }
                Ok(gone)
            })?;
        }
        Ok(gone)
    }
}
