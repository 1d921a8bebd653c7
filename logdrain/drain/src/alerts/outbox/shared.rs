//! What tables of nodes have besides: a lock of each account, what it holds, and numbers that all draw from one place.

use super::OutboxError;
use crate::sql::{Step, values};

/// Messages of an account that were sent are their heads from now on.
pub(super) fn let_go(step: &mut Step<'_>, account: &str, seqs: &[i64]) -> Result<(), OutboxError> {
    lock(step, account)?;
    for seq in seqs {
        step.execute("UPDATE told SET body = NULL, bytes = 0 WHERE seq = $1 AND open = 0", values![*seq])?;
    }
    step.execute(
        "UPDATE held SET bytes = (SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM told \
         WHERE body IS NOT NULL AND account = $1) WHERE account = $1",
        values![account],
    )?;
    Ok(())
}

/// Waits until nobody else keeps anything of an account.
pub(super) fn lock(step: &mut Step<'_>, account: &str) -> Result<(), OutboxError> {
    let lock =
        "INSERT INTO held (account, bytes) VALUES ($1, 0) ON CONFLICT (account) DO UPDATE SET bytes = held.bytes";
    step.execute(lock, values![account])?;
    Ok(())
}

/// What all accounts hold, in bytes.
pub(super) fn held(step: &mut Step<'_>) -> Result<i64, OutboxError> {
    let sum = "SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM held";
    Ok(step.one(sum, &[], |row| row.get(0))?.unwrap_or(0))
}

/// What an account holds that is locked.
pub(super) fn hold(step: &mut Step<'_>, account: &str, bytes: i64) -> Result<(), OutboxError> {
    step.execute("UPDATE held SET bytes = $2 WHERE account = $1", values![account, bytes])?;
    Ok(())
}

/// The number of the next message.
pub(super) fn next(step: &mut Step<'_>) -> Result<i64, OutboxError> {
    let none = || OutboxError::new("the database gives no numbers");
    step.one("SELECT nextval('told_seq')", &[], |row| row.get(0))?.ok_or_else(none)
}
