//! The tables, and how older ones become those.
//!
//! Each step is one transaction under a lock, so that of two programs that start at once one waits for the other. It is done
//! here, as for the file: libraries for it take no lock, or need a newer compiler than the rest.

use crate::journal::failure::StoreError;
use crate::journal::snapshot_place::{FOLDER, SnapshotPlace};
use crate::parts::{Parts, Split};
use crate::sql::{Address, Elsewhere, Link};
use std::fmt::Write as _;
use std::time::Duration;

/// The layout that this program knows. [`MIGRATIONS`] leads to it.
const SCHEMA: usize = MIGRATIONS.len();
/// "LDRN": whoever brings the tables up to date holds it.
const LOCK: i64 = 0x4c44_524e;
/// `server_version_num` of the oldest that was tried.
const OLDEST: i32 = 150_000;

/// How long older tables may take to become those.
const RENEWAL: Duration = Duration::from_secs(3_600);

/// What makes each layout from the one before it; the first makes it from nothing.
const MIGRATIONS: [&str; 9] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
];

/// Looks at the database, and makes or renews the tables. Answers which journal it is.
pub(super) fn prepare(link: &mut Link, address: &Address) -> Result<String, StoreError> {
    let unfit = |why: String| StoreError::Elsewhere(Elsewhere::for_good(why));
    let (version, encoding, fsync, is_there) = link.ask(async |open| {
        let sql = "SELECT current_setting('server_version_num')::int, current_setting('server_encoding'),
            current_setting('fsync'), to_regclass('logdrain.meta') IS NOT NULL";
        let row = open.client.query_one(sql, &[]).await?;
        Ok((row.try_get::<_, i32>(0)?, row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?, row.try_get(3)?))
    })?;
    if version < OLDEST {
        return Err(unfit(format!("{address}: is PostgreSQL {}; 15 and later are fit", version / 10_000)));
    }
    if encoding != "UTF8" {
        return Err(unfit(format!("{address}: the database keeps {encoding}; one of ENCODING 'UTF8' is needed")));
    }
    if fsync != "on" {
        tracing::warn!(
            "{address}: fsync is off: what is acknowledged does not outlive a crash of the database's machine"
        );
    }
    let mut known = if is_there { version_of(link)? } else { 0 };
    if known < SCHEMA {
        let id = random()?;
        link.ask_within(RENEWAL, async |open| {
            let step = open.client.transaction().await?;
            // Tables may be large.
            step.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
            step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
            // Not by its name: who waited for the lock may remember that there was none.
            let sql = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'logdrain' AND tablename = 'meta')";
            let is_there: bool = step.query_one(sql, &[]).await?.try_get(0)?;
            let mut done = 0;
            if is_there {
                let row = step.query_one("SELECT value FROM logdrain.meta WHERE key = 'schema'", &[]).await?;
                done = row.try_get::<_, String>(0)?.parse().unwrap_or(usize::MAX);
            }
            for migration in MIGRATIONS.iter().skip(done) {
                step.batch_execute(migration).await?;
            }
            if done < SCHEMA {
                let set = "INSERT INTO logdrain.meta VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = $1";
                step.execute(set, &[&SCHEMA.to_string()]).await?;
                let set = "INSERT INTO logdrain.meta VALUES ('journal', $1) ON CONFLICT DO NOTHING";
                step.execute(set, &[&id]).await?;
            }
            step.commit().await
        })?;
        known = version_of(link)?;
    }
    if known > SCHEMA {
        return Err(unfit(format!(
            "{address}: was written by a later version (layout {known}, this one knows {SCHEMA}); use that one"
        )));
    }
    link.ask(async |open| {
        let row = open.client.query_one("SELECT value FROM logdrain.meta WHERE key = 'journal'", &[]).await?;
        row.try_get(0)
    })
    .map_err(Into::into)
}

/// Of how many partitions the journal is that nodes share; `None` where there is none.
pub(super) fn parts(link: &mut Link) -> Result<Option<Parts>, StoreError> {
    link.ask(async |open| {
        let sql = "SELECT to_regclass('logdrain.meta') IS NOT NULL";
        if !open.client.query_one(sql, &[]).await?.try_get::<_, bool>(0)? {
            return Ok(None);
        }
        let row = open.client.query_opt("SELECT value FROM logdrain.meta WHERE key = 'partitions'", &[]).await?;
        let count = row.map(|row| row.try_get::<_, String>(0)).transpose()?;
        Ok(count.and_then(|count| count.parse().ok()).and_then(Parts::new))
    })
    .map_err(Into::into)
}

/// Makes the partitions of a journal that nodes share, unless they are there.
pub(super) fn part(link: &mut Link, address: &Address, (wanted, split): (Parts, Split)) -> Result<(), StoreError> {
    let unfit = |why: String| Err(StoreError::Elsewhere(Elsewhere::for_good(why)));
    if parts(link)?.is_none() {
        let is_used = link.ask_within(RENEWAL, async |open| {
            let step = open.client.transaction().await?;
            step.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0").await?;
            step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
            let sql = "SELECT EXISTS (SELECT FROM logdrain.meta WHERE key = 'partitions'),
                (SELECT head > 0 OR epoch > 0 FROM logdrain.part WHERE p = 0)";
            let row = step.query_one(sql, &[]).await?;
            let (is_made, is_used): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
            if !is_made && !is_used {
                step.execute("SELECT logdrain.make_partitions($1)", &[&i32::from(wanted.count())]).await?;
                if split == Split::ByAccount {
                    step.execute("INSERT INTO logdrain.meta VALUES ('split', 'accounts')", &[]).await?;
                }
            }
            step.commit().await?;
            Ok(!is_made && is_used)
        })?;
        if is_used {
            return unfit(format!(
                "{address}: holds the journal of a single server; nodes begin in a database of their own"
            ));
        }
    }
    let is_by_account = link.ask(async |open| {
        let row = open.client.query_opt("SELECT value FROM logdrain.meta WHERE key = 'split'", &[]).await?;
        Ok(row.is_some())
    })?;
    match (is_by_account, split) {
        (true, Split::ByDrain) => {
            return unfit(format!("{address}: lines of the journal are kept, by all nodes: logs_limit is missing"));
        }
        (false, Split::ByAccount) => {
            return unfit(format!(
                "{address}: the journal was made by nodes that keep no lines, and splits accounts; nodes with logs_limit \
                 begin in a database of their own"
            ));
        }
        _ => {}
    }
    match parts(link)? {
        Some(made) if made == wanted => Ok(()),
        Some(made) => unfit(format!(
            "{address}: the journal was made with partitions = {}, and keeps them; {} are asked for",
            made.count(),
            wanted.count()
        )),
        None => unfit(format!("{address}: of how many partitions the journal is cannot be read")),
    }
}

/// Sees that lines of a journal that nodes share lie there, where this one looks for them. Of one that was never counted it is
/// noted; one of before that has them in a folder.
///
/// # Errors
/// When the database does not answer, or they lie elsewhere.
pub fn find_lines(address: &Address, place: &SnapshotPlace) -> Result<(), StoreError> {
    let mut link = Link::new(address)?;
    let wanted = place.of_lines();
    let lie = link.ask(async |open| {
        let step = open.client.transaction().await?;
        step.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
        let note =
            "INSERT INTO logdrain.meta SELECT 'lines', CASE WHEN EXISTS (SELECT FROM logdrain.leases WHERE epoch > 0)
            THEN $2 ELSE $1 END ON CONFLICT DO NOTHING";
        step.execute(note, &[&wanted, &FOLDER]).await?;
        let lie: String =
            step.query_one("SELECT value FROM logdrain.meta WHERE key = 'lines'", &[]).await?.try_get(0)?;
        step.commit().await?;
        Ok(lie)
    })?;
    if lie == wanted {
        return Ok(());
    }
    Err(StoreError::Elsewhere(Elsewhere::for_good(format!(
        "{address}: lines of the journal lie in {lie}, and [cluster], snapshots names {wanted}: name what it was, nobody moves \
         them. To begin without them, stop all nodes, and: UPDATE logdrain.meta SET value = '{}' WHERE key = 'lines'",
        wanted.replace('\'', "''")
    ))))
}

fn version_of(link: &mut Link) -> Result<usize, StoreError> {
    link.ask(async |open| {
        let row = open.client.query_one("SELECT value FROM logdrain.meta WHERE key = 'schema'", &[]).await?;
        // What cannot be read is of nobody that is known here.
        Ok(row.try_get::<_, String>(0)?.parse().unwrap_or(usize::MAX))
    })
    .map_err(Into::into)
}

/// A name that nobody else has.
pub(super) fn random() -> Result<String, StoreError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| StoreError::elsewhere(format!("no random number is to be had: {error}")))?;
    let mut text = String::with_capacity(32);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
