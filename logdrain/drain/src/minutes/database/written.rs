//! The database as the keeper of a partition has it.

use super::{Keepers, PIECE, clean, number, texts};
use crate::minutes::Keeping;
use crate::minutes::levels::{HOUR, HOURS, MINUTES, QUARTERS};
use crate::minutes::tables::{
    Forgot, Fresh, GROUPS, Group, MANY, Named, OfAccount, Place, ShowStored, Stored, TableError, Tables,
};
use crate::parts::Part;
use crate::sql::{Row, SqlError, Step, Value, values};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Statements that are on their way together.
const TOGETHER: usize = 500;
/// Names that are asked for together.
const NAMES: usize = 1_000;
/// Pieces of a group that are read together.
const PAGE: i64 = 32;
/// Groups that are looked for in one go, and handed out some at a time.
const AHEAD: i64 = 16 * GROUPS;
/// Between two looks for what is to be put together when there was nothing: as many times as long as the look took, at least
/// so long.
const RESTS: u32 = 20;
const REST: Duration = Duration::from_millis(900);
/// Between two looks for days.
const DAYS: Duration = Duration::from_secs(60);
/// Between two looks at what all take.
const WEIGHED: Duration = Duration::from_secs(10);
/// Steps that delete what is old, before something else may be written.
const ROUNDS: u32 = 20;
/// Names that one step looks at whether they name anything.
const LOOKED_AT: i64 = 2_000;

const INSERT: &str = "INSERT INTO pieces (p, name, drain, level, hour, span, len, fresh, content)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const MARK: &str = "INSERT INTO marks (drain, hour, bits) VALUES ($1, $2, $3)
    ON CONFLICT (drain, hour) DO UPDATE SET bits = marks.bits | excluded.bits";
const STAND: &str =
    "UPDATE standing SET position = coalesce(CAST($2 AS BIGINT), position) WHERE p = $1 RETURNING removals";
const WEIGH: &str = "UPDATE drains SET bytes = bytes + $2 WHERE id = $1";
const REMOVE: &str =
    "DELETE FROM pieces WHERE name = $1 AND level = $2 AND hour >= $3 AND hour < $4 AND drain = $5 AND id <= $6";
const REMOVE_ABOVE: &str = "WITH gone AS (
        DELETE FROM pieces WHERE name = $1 AND level IN (1, 2) AND hour = $2 AND drain = $3 AND span = 1
        RETURNING octet_length(content) + CAST($4 AS BIGINT) AS bytes)
    UPDATE drains SET bytes = bytes - (SELECT CAST(sum(gone.bytes) AS BIGINT) FROM gone)
    WHERE id = $3 AND EXISTS (SELECT FROM gone)";
const FRESH: &str = "SELECT name, drain, hour FROM pieces WHERE p = $1 AND fresh > 0 GROUP BY hour, name, drain
    HAVING hour < $2 OR count(*) FILTER (WHERE fresh = 2) >= $3 ORDER BY hour, name, drain LIMIT $4";
const OF_DAYS: &str = "SELECT DISTINCT name, drain, hour / 24 FROM pieces
    WHERE p = $1 AND level = $2 AND hour < $3 AND level > 0 AND span = 1 LIMIT $4";
const STORED: &str =
    "SELECT CAST(coalesce(sum(octet_length(content)), 0) AS BIGINT), coalesce(max(id), 0), count(*) FROM pieces
    WHERE name = $1 AND level = $2 AND hour >= $3 AND hour < $4 AND drain = $5";
const PIECES: &str = "SELECT id, hour, len, content FROM pieces
    WHERE name = $1 AND level = $2 AND hour >= $3 AND hour < $4 AND drain = $5 AND id > $6 AND id <= $7
    ORDER BY id LIMIT $8";
/// What deletes pieces tells the drains what they take no more.
const OLD: &str = "WITH gone AS (
        DELETE FROM pieces WHERE id IN (
            SELECT pieces.id FROM names JOIN pieces ON pieces.name = names.id
            WHERE names.account = $2 AND names.p = $1 AND pieces.level = $3 AND pieces.hour < $4
                AND pieces.hour + pieces.span <= $4 LIMIT 256)
        RETURNING drain, octet_length(content) + CAST($5 AS BIGINT) AS bytes),
    of AS (SELECT drain, CAST(sum(bytes) AS BIGINT) AS bytes FROM gone GROUP BY drain),
    paid AS (UPDATE drains SET bytes = drains.bytes - of.bytes FROM of WHERE drains.id = of.drain)
    SELECT count(*) FROM gone";
const OLDEST: &str = "WITH gone AS (
        DELETE FROM pieces WHERE id IN (
            SELECT pieces.id FROM pieces JOIN drains ON drains.id = pieces.drain
            WHERE pieces.p = $1 AND pieces.level = $3 AND drains.account = $2
            ORDER BY pieces.hour, pieces.id LIMIT 1024)
        RETURNING drain, octet_length(content) + CAST($4 AS BIGINT) AS bytes),
    of AS (SELECT drain, CAST(sum(bytes) AS BIGINT) AS bytes FROM gone GROUP BY drain),
    paid AS (UPDATE drains SET bytes = drains.bytes - of.bytes FROM of WHERE drains.id = of.drain)
    SELECT count(*) FROM gone";

/// The tables, for who owns a partition.
#[derive(Clone, Debug)]
pub struct Shelf {
    pub(in crate::minutes) db: Arc<Keepers>,
    pub(in crate::minutes) part: Part,
    pub(in crate::minutes) epoch: i64,
}

impl Shelf {
    fn p(&self) -> i64 {
        i64::from(self.part.number())
    }

    /// Reads something.
    fn rows<T>(
        &self,
        sql: &'static str,
        values: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T, SqlError>,
    ) -> Result<Vec<T>, TableError> {
        self.db.step(|step| Ok(step.rows(sql, values, read)?))
    }

    /// Writes something, as long as nobody else has the partition.
    fn write<T>(&self, work: impl FnOnce(&mut Step<'_>) -> Result<T, TableError>) -> Result<T, TableError> {
        self.db.step(|step| {
            step.owns(self.part, self.epoch)?;
            work(step)
        })
    }

    /// How many rows a statement says that it has changed.
    fn count(&self, sql: &'static str, values: &[Value<'_>]) -> Result<i64, TableError> {
        self.write(|step| Ok(step.one(sql, values, number)?.unwrap_or(0)))
    }

    /// Up to which event everything of the partition is there. Whoever owned it before writes nothing behind that.
    pub(in crate::minutes) fn position(&self) -> Result<u64, TableError> {
        let position = self.write(|step| {
            step.execute("INSERT INTO standing (p) VALUES ($1) ON CONFLICT DO NOTHING", values![self.p()])?;
            Ok(step.one("SELECT position FROM standing WHERE p = $1", values![self.p()], number)?)
        })?;
        Ok(position.unwrap_or(0).cast_unsigned())
    }
}

/// What a step is to write.
#[derive(Default, Debug)]
struct Writes {
    above: Vec<[i64; 3]>,
    removed: Vec<(Group, i64)>,
    inserted: Vec<(Place, Fresh, Vec<u8>)>,
    marks: Vec<[i64; 3]>,
    position: Option<i64>,
    /// How much more the pieces of drains take then.
    weights: BTreeMap<i64, i64>,
}

impl Writes {
    fn weigh(&mut self, drain: i64, bytes: u64, pieces: u64, is_more: bool) {
        let bytes = i64::try_from(bytes.saturating_add(pieces.saturating_mul(PIECE))).unwrap_or(i64::MAX);
        *self.weights.entry(drain).or_default() += if is_more { bytes } else { -bytes };
    }

    /// What is taken away comes first: what stands for it is there before the step ends.
    fn write(&self, step: &mut Step<'_>, p: i64) -> Result<(), SqlError> {
        let each = |step: &mut Step<'_>, sql, all: &[Vec<Value<'_>>]| step.execute_each(sql, all).map(drop);
        for above in self.above.chunks(TOGETHER) {
            let all: Vec<_> = above.iter().map(|of| values![of[0], of[1], of[2], piece()].to_vec()).collect();
            each(step, REMOVE_ABOVE, &all)?;
        }
        for removed in self.removed.chunks(TOGETHER) {
            let values =
                |(of, last): &(Group, i64)| values![of.name, of.level, of.from, of.to, of.drain, *last].to_vec();
            each(step, REMOVE, &removed.iter().map(values).collect::<Vec<_>>())?;
        }
        for inserted in self.inserted.chunks(TOGETHER) {
            each(step, INSERT, &inserted.iter().map(|one| of_piece(p, one)).collect::<Vec<_>>())?;
        }
        for marks in self.marks.chunks(TOGETHER) {
            each(step, MARK, &marks.iter().map(|mark| mark.map(Value::from).to_vec()).collect::<Vec<_>>())?;
        }
        let weights: Vec<_> = self.weights.iter().filter(|(_, more)| **more != 0).collect();
        for weights in weights.chunks(TOGETHER) {
            let all: Vec<_> = weights.iter().map(|(drain, more)| values![**drain, **more].to_vec()).collect();
            each(step, WEIGH, &all)?;
        }
        Ok(())
    }
}

fn of_piece<'a>(p: i64, (place, fresh, content): &'a (Place, Fresh, Vec<u8>)) -> Vec<Value<'a>> {
    let Place { name, drain, level, hour, span, len } = *place;
    values![p, name, drain, level, hour, span, len, *fresh as i64, content].to_vec()
}

fn piece() -> i64 {
    i64::try_from(PIECE).unwrap_or(i64::MAX)
}

/// The tables as one keeper writes them.
#[derive(Debug)]
pub struct Database {
    at: Shelf,
    writes: Writes,
    /// How often accounts had been removed when numbers were asked for.
    removals: Option<i64>,
    /// Groups that were found, and when it is looked for others.
    groups: VecDeque<(i64, i64, i64)>,
    groups_after: Option<Instant>,
    days: VecDeque<(i64, i64, i64, i64)>,
    days_after: Option<(i64, Instant)>,
    /// The hour in which what is old was deleted, and up to where names were looked at meanwhile.
    forgot: Option<i64>,
    looked: Option<i64>,
    weighed: Option<(Instant, u64)>,
}

impl Database {
    /// The numbers that are known of names of one account.
    fn known(
        step: &mut Step<'_>,
        of: Named,
        p: i64,
        account: &str,
        names: &[&str],
    ) -> Result<HashMap<i64, i64>, SqlError> {
        let sql = match of {
            Named::Metric => {
                "SELECT of.at, names.id FROM unnest(CAST(CAST($3 AS TEXT) AS TEXT[])) WITH ORDINALITY AS of (name, at)
                 JOIN names ON names.p = $1 AND names.account = $2 AND names.name = of.name"
            }
            Named::Drain => {
                "SELECT of.at, drains.id FROM unnest(CAST(CAST($3 AS TEXT) AS TEXT[])) WITH ORDINALITY AS of (name, at)
                 JOIN drains ON drains.p = $1 AND drains.account = $2 AND drains.drain = of.name"
            }
        };
        let wanted = texts(names.iter().copied());
        let found =
            step.rows(sql, values![p, account, &wanted], |row| Ok::<_, SqlError>((row.get(0)?, row.get(1)?)))?;
        Ok(found.into_iter().collect())
    }

    fn numbers(&self, of: Named, account: &str, names: &[&str]) -> Result<Vec<i64>, TableError> {
        let (p, account) = (self.at.p(), &*clean(account));
        let numbered = |known: &HashMap<i64, i64>| -> Option<Vec<i64>> {
            (1_i64..).zip(names).map(|(at, _)| known.get(&at).copied()).collect()
        };
        let known = self.at.db.step(|step| Ok(Self::known(step, of, p, account, names)?))?;
        if let Some(all) = numbered(&known) {
            return Ok(all);
        }
        let make = match of {
            Named::Metric => "INSERT INTO names (p, account, name) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            Named::Drain => "INSERT INTO drains (p, account, drain) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        };
        let unknown = (1_i64..).zip(names).filter(|(at, _)| !known.contains_key(at));
        let unknown: Vec<_> = unknown.map(|(_, name)| clean(name)).collect();
        let known = self.at.write(|step| {
            let values: Vec<_> = unknown.iter().map(|name| values![p, account, &**name].to_vec()).collect();
            step.execute_each(make, &values)?;
            Ok(Self::known(step, of, p, account, names)?)
        })?;
        numbered(&known).ok_or_else(|| TableError::Database("a name has no number".to_owned()))
    }

    /// Deletes what is old of all accounts; `false` when there is more than it has time for.
    fn delete_old(&self, now: i64, keeping: &Keeping) -> Result<bool, TableError> {
        let (p, hour) = (self.at.p(), now.div_euclid(HOUR));
        let text = |row: &Row<'_>| row.get::<String>(0);
        let accounts = self.at.rows("SELECT DISTINCT account FROM drains WHERE p = $1", values![p], text)?;
        let mut rounds = 0;
        for account in &accounts {
            let kept = keeping.hours(account, now);
            for (level, hours) in [MINUTES, QUARTERS, HOURS].into_iter().zip(kept) {
                while self.at.count(OLD, values![p, account, level, hour - hours, piece()])? > 0 {
                    rounds += 1;
                    if rounds >= ROUNDS {
                        return Ok(false);
                    }
                }
            }
            let oldest = hour - kept.into_iter().max().unwrap_or_default();
            let sql =
                "DELETE FROM marks WHERE hour < $3 AND drain IN (SELECT id FROM drains WHERE p = $1 AND account = $2)";
            self.at.write(|step| Ok(step.execute(sql, values![p, account, oldest])?))?;
        }
        Ok(true)
    }

    /// Deletes names behind a number that name nothing any more, as many as are looked at in one go; answers where it came
    /// to, or `None` at their end.
    fn delete_names(&self, behind: i64) -> Result<Option<i64>, TableError> {
        let p = self.at.p();
        let last = "SELECT max(id) FROM (SELECT id FROM names WHERE p = $1 AND id > $2 ORDER BY id LIMIT $3) AS these";
        let last = self.at.rows(last, values![p, behind, LOOKED_AT], |row| row.get::<Option<i64>>(0))?;
        let Some(last) = last.into_iter().next().flatten() else {
            // What a drain's pieces take is known to the byte.
            let sql = "DELETE FROM drains WHERE p = $1 AND bytes <= 0
                AND NOT EXISTS (SELECT FROM marks WHERE marks.drain = drains.id)";
            self.at.write(|step| Ok(step.execute(sql, values![p])?))?;
            return Ok(None);
        };
        let sql = "DELETE FROM names WHERE p = $1 AND id > $2 AND id <= $3
            AND NOT EXISTS (SELECT FROM pieces WHERE pieces.name = names.id)";
        self.at.write(|step| Ok(step.execute(sql, values![p, behind, last])?))?;
        Ok(Some(last))
    }
}

impl Tables for Database {
    type At = Shelf;

    fn open(at: &Shelf) -> Result<Self, TableError> {
        Ok(Self {
            at: at.clone(),
            writes: Writes::default(),
            removals: None,
            groups: VecDeque::new(),
            groups_after: None,
            days: VecDeque::new(),
            days_after: None,
            forgot: None,
            looked: None,
            weighed: None,
        })
    }

    fn set_aside(_: &Shelf, _: i64) -> std::io::Result<String> {
        Err(std::io::Error::other("a database is not set aside"))
    }

    fn begin(&mut self) -> Result<(), TableError> {
        self.writes = Writes::default();
        Ok(())
    }

    fn end(&mut self, is_well: bool) -> Result<(), TableError> {
        let writes = std::mem::take(&mut self.writes);
        if !is_well {
            return Ok(());
        }
        let (p, before, mut removals) = (self.at.p(), self.removals, None);
        let done = self.at.write(|step| {
            // Before anything else, as a removal does: they wait for each other, and not crosswise.
            let now = step.one(STAND, values![p, writes.position], number)?.unwrap_or(0);
            removals = Some(now);
            if before.is_some_and(|before| before != now) {
                return Err(TableError::Database(
                    "an account was removed meanwhile: its names are asked for again".to_owned(),
                ));
            }
            Ok(writes.write(step, p)?)
        });
        self.removals = removals.or(before);
        done
    }

    fn number(&mut self, of: Named, all: &[OfAccount]) -> Result<Vec<i64>, TableError> {
        if self.removals.is_none() {
            let sql = "SELECT removals FROM standing WHERE p = $1";
            self.removals = self.at.rows(sql, values![self.at.p()], number)?.pop();
        }
        let mut by_account: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
        for (index, (account, name)) in all.iter().enumerate() {
            by_account.entry(account).or_default().push((index, name));
        }
        let mut numbers = vec![0; all.len()];
        for (account, names) in by_account {
            for names in names.chunks(NAMES) {
                let texts: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
                for ((index, _), number) in names.iter().zip(self.numbers(of, account, &texts)?) {
                    if let Some(place) = numbers.get_mut(*index) {
                        *place = number;
                    }
                }
            }
        }
        Ok(numbers)
    }

    fn insert(&mut self, place: Place, fresh: Fresh, content: Vec<u8>) -> Result<(), TableError> {
        self.writes.weigh(place.drain, content.len() as u64, 1, true);
        self.writes.inserted.push((place, fresh, content));
        Ok(())
    }

    fn mark(&mut self, drain: i64, hour: i64, bits: i64) -> Result<(), TableError> {
        self.writes.marks.push([drain, hour, bits]);
        Ok(())
    }

    fn stand(&mut self, position: i64) -> Result<(), TableError> {
        self.writes.position = Some(position);
        Ok(())
    }

    fn fresh(&mut self, below: i64) -> Result<Vec<(i64, i64, i64)>, TableError> {
        // Whether anything is due of hours that are over is asked but now and then.
        let rests = below == i64::MIN && self.groups_after.is_some_and(|after| Instant::now() < after);
        if self.groups.is_empty() && !rests {
            let began = Instant::now();
            let found = self.at.rows(FRESH, values![self.at.p(), below, MANY, AHEAD], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            let rest = REST.max(began.elapsed() * RESTS);
            self.groups_after = found.is_empty().then(|| Instant::now() + rest);
            self.groups.extend(found);
        }
        let some = self.groups.len().min(usize::try_from(GROUPS).unwrap_or(1));
        Ok(self.groups.drain(..some).collect())
    }

    fn days(&mut self, over: i64) -> Result<Vec<(i64, i64, i64, i64)>, TableError> {
        let rests = self.days_after.is_some_and(|(of, after)| of == over && Instant::now() < after);
        if self.days.is_empty() && !rests {
            for level in [QUARTERS, HOURS] {
                let found = self.at.rows(OF_DAYS, values![self.at.p(), level, over, AHEAD], |row| {
                    Ok((row.get(0)?, row.get(1)?, level, row.get(2)?))
                })?;
                self.days.extend(found);
            }
            self.days_after = self.days.is_empty().then(|| (over, Instant::now() + DAYS));
        }
        let some = self.days.len().min(usize::try_from(GROUPS).unwrap_or(1));
        Ok(self.days.drain(..some).collect())
    }

    fn stored(&mut self, group: Group) -> Result<Stored, TableError> {
        let Group { name, drain, level, from, to } = group;
        let found = self.at.rows(STORED, values![name, level, from, to, drain], |row| {
            Ok(Stored { bytes: row.get(0)?, last: row.get(1)?, count: row.get(2)? })
        })?;
        found.into_iter().next().ok_or_else(|| TableError::Database("a sum has no row".to_owned()))
    }

    fn pieces(&mut self, group: Group, stored: Stored, show: &mut ShowStored<'_>) -> Result<(), TableError> {
        let Group { name, drain, level, from, to } = group;
        let mut behind = 0;
        while behind < stored.last {
            let page = values![name, level, from, to, drain, behind, stored.last, PAGE];
            let read = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get::<Vec<u8>>(3)?));
            let found: Vec<((i64, i64, i64), Vec<u8>)> = self.at.rows(PIECES, page, read)?;
            let Some(((last, ..), _)) = found.last() else { break };
            behind = *last;
            for (of, content) in &found {
                show(*of, content);
            }
        }
        Ok(())
    }

    fn remove_stored(&mut self, group: Group, stored: Stored) -> Result<(), TableError> {
        if stored.count > 0 {
            self.writes.weigh(group.drain, stored.bytes, stored.count, false);
            self.writes.removed.push((group, stored.last));
        }
        Ok(())
    }

    fn remove_above(&mut self, name: i64, hour: i64, drain: i64) -> Result<(), TableError> {
        self.writes.above.push([name, hour, drain]);
        Ok(())
    }

    /// Once in an hour: what is kept is kept by the hour.
    fn forget(&mut self, now: i64, keeping: &Keeping) -> Result<Forgot, TableError> {
        let hour = now.div_euclid(HOUR);
        if self.forgot == Some(hour) {
            return Ok(Forgot::default());
        }
        if self.looked.is_none() && !self.delete_old(now, keeping)? {
            return Ok(Forgot { is_more: true, names: false });
        }
        self.looked = self.delete_names(self.looked.unwrap_or(0))?;
        if self.looked.is_none() {
            self.forgot = Some(hour);
        }
        Ok(Forgot { is_more: self.looked.is_some(), names: true })
    }

    fn bytes(&mut self) -> Result<u64, TableError> {
        if let Some((at, bytes)) = self.weighed
            && at.elapsed() < WEIGHED
        {
            return Ok(bytes);
        }
        let sum = self.at.rows("SELECT CAST(coalesce(sum(bytes), 0) AS BIGINT) FROM drains", values![], number)?;
        let bytes = sum.first().copied().unwrap_or(0).max(0).unsigned_abs();
        self.weighed = Some((Instant::now(), bytes));
        Ok(bytes)
    }

    fn largest(&mut self) -> Result<Option<String>, TableError> {
        let sql = "SELECT account FROM drains GROUP BY account ORDER BY sum(bytes) DESC, account LIMIT 1";
        Ok(self.at.rows(sql, values![], |row| row.get::<String>(0))?.pop())
    }

    fn shorten(&mut self, account: &str) -> Result<bool, TableError> {
        self.weighed = None;
        for level in [MINUTES, QUARTERS, HOURS] {
            if self.at.count(OLDEST, values![self.at.p(), account, level, piece()])? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn remove(&mut self, account: &str) -> Result<(), TableError> {
        super::remove(&self.at.db, account, None, Instant::now() + DAYS)
    }

    fn close(&mut self) {}
}
