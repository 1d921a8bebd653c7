//! What stands beside the events of a partition: what is said of it, what accounts have said, and who has a place.

use super::link::Open;
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
