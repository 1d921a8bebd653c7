//! What stands beside the events of a partition: what is said of it, what accounts have said, and who has a place.

use crate::journal::accounts::Accounts;
use crate::journal::failure::StoreError;
use crate::journal::ledger::Ledger;
use crate::journal::purges::Purges;
use crate::sql::Open;
use std::collections::HashMap;
use tokio_postgres::Error;
use tokio_postgres::types::ToSql;

pub(super) type All = (Vec<(String, String)>, Vec<(String, String, i64)>, Vec<(String, i64)>);

/// What stands beside the events.
pub(super) async fn read_all(open: &mut Open, p: i32) -> Result<All, Error> {
    let (client, of): (_, [&(dyn ToSql + Sync); 1]) = (&open.client, [&p]);
    let (said, accounts, drains) = tokio::try_join!(
        client.query("SELECT key, value FROM logdrain.said WHERE p = $1", &of),
        client.query("SELECT name, value, crc FROM logdrain.accounts WHERE p = $1", &of),
        client.query("SELECT key, drain FROM logdrain.drains WHERE p = $1", &of),
    )?;
    let said = said.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    let accounts = accounts.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?)));
    let drains = drains.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
    Ok((
        said.collect::<Result<_, Error>>()?,
        accounts.collect::<Result<_, Error>>()?,
        drains.collect::<Result<_, Error>>()?,
    ))
}

/// Has a ledger know all of it, and nothing of before. Answers the number that the next new drain gets, as far as it tells.
///
/// # Errors
/// When it is not what was written.
pub(super) fn know(ledger: &mut Ledger, (said, accounts, drains): All) -> Result<i64, StoreError> {
    let said: HashMap<String, String> = said.into_iter().collect();
    ledger.accounts = Accounts::default();
    for (name, value, crc) in accounts {
        if !ledger.accounts.take(name, &value, crc) {
            return Err(StoreError::elsewhere("the settings of an account are not what they were".to_owned()));
        }
    }
    ledger.know(said.get("settings").cloned());
    ledger.purges = Purges::read_text(said.get("purges").map(String::as_str));
    ledger.places.set_ended(said.get("ended").map(String::as_str));
    let next = drains.iter().map(|(_, number)| number + 1).max().unwrap_or(1);
    ledger.drains = drains.into_iter().map(|(key, number)| (key.into(), number)).collect();
    Ok(next)
}
