//! What accounts used on days that are over, by system and program.

use super::{Directory, DirectoryError};
use crate::sql::{Row, SqlError, Value, values};

/// What one program of a system used on a day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Used {
    pub system: String,
    pub program: String,
    pub events: u64,
    pub bytes: u64,
}

/// Programs of a day that are told apart; what is beyond them stands under empty names.
const OF_DAY: usize = 1_000;
/// Days that are kept.
const DAYS: i64 = 400;

impl Directory {
    /// Notes a day (`YYYY-MM-DD`) of an account: what was noted of it before is replaced.
    pub fn put_usage(&self, account: &str, day: &str, used: &[Used]) -> Result<(), DirectoryError> {
        let mut all: Vec<&Used> = used.iter().collect();
        all.sort_by_key(|used| std::cmp::Reverse(used.bytes));
        let rest = all.split_off(all.len().min(OF_DAY));
        let events = rest.iter().map(|used| used.events).sum();
        let rest = Used {
            system: String::new(),
            program: String::new(),
            events,
            bytes: rest.iter().map(|used| used.bytes).sum(),
        };
        all.extend((events > 0).then_some(&rest));
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let rows: Vec<_> = all
            .iter()
            .map(|used| {
                let (system, program) = (Value::from(&used.system), Value::from(&used.program));
                let (events, bytes) = (number(used.events).into(), number(used.bytes).into());
                [Value::from(account), Value::from(day), system, program, events, bytes]
            })
            .collect();
        self.step(|step| {
            step.execute("DELETE FROM used WHERE account = $1 AND day = $2", values![account, day])?;
            step.execute_each(
                "INSERT INTO used (account, day, system, program, events, bytes) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (account, day, system, program) DO UPDATE SET events = used.events + excluded.events, \
                 bytes = used.bytes + excluded.bytes",
                &rows,
            )?;
            let days = "SELECT DISTINCT day FROM used WHERE account = $1 ORDER BY day DESC LIMIT 1 OFFSET $2";
            let oldest: Option<String> = step.one(days, values![account, DAYS], |row| row.get(0))?;
            if let Some(oldest) = oldest {
                step.execute("DELETE FROM used WHERE account = $1 AND day <= $2", values![account, &oldest])?;
            }
            Ok(())
        })
    }

    /// What an account used from one day to another, both with it: the day, and what it used.
    pub fn usage(&self, account: &str, from: &str, to: &str) -> Result<Vec<(String, Used)>, DirectoryError> {
        self.read(|step| {
            let sql = "SELECT day, system, program, events, bytes FROM used \
                       WHERE account = $1 AND day >= $2 AND day <= $3 ORDER BY day, bytes DESC, system, program";
            let used = |row: &Row<'_>| -> Result<_, SqlError> {
                let number = |at| row.get::<i64>(at).map(|number| u64::try_from(number).unwrap_or(0));
                let used = Used { system: row.get(1)?, program: row.get(2)?, events: number(3)?, bytes: number(4)? };
                Ok((row.get(0)?, used))
            };
            Ok(step.rows(sql, values![account, from, to], used)?)
        })
    }
}
