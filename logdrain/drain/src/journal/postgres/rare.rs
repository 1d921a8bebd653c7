//! What a step writes now and then, beside events and ids: each table at once, however much of it there is.

use super::batch::Batch;
use crate::sql::Open;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, GenericClient, Statement};

/// What goes comes first: a drain may come again in the same step.
const STATEMENTS: [&str; 5] = [
    "WITH ids AS (DELETE FROM logdrain.ids WHERE p = $1 AND drain = ANY($2))
        DELETE FROM logdrain.drains WHERE p = $1 AND drain = ANY($2)",
    "INSERT INTO logdrain.drains (p, drain, key, since) SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::bigint[])",
    "DELETE FROM logdrain.accounts WHERE p = $1 AND name = ANY($2)",
    "INSERT INTO logdrain.accounts (p, name, value, crc) SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bigint[])
        ON CONFLICT (p, name) DO UPDATE SET value = excluded.value, crc = excluded.crc",
    "INSERT INTO logdrain.said (p, key, value) SELECT $1, * FROM unnest($2::text[], $3::text[])
        ON CONFLICT (p, key) DO UPDATE SET value = excluded.value",
];

/// Column by column.
#[derive(Default)]
pub(super) struct Rare<'a> {
    p: i32,
    dropped: &'a [i64],
    numbers: Vec<i64>,
    keys: Vec<&'a str>,
    sinces: Vec<i64>,
    removed: Vec<&'a str>,
    names: Vec<&'a str>,
    values: Vec<&'a str>,
    sums: Vec<i64>,
    subjects: Vec<&'a str>,
    said: Vec<&'a str>,
}

impl<'a> Rare<'a> {
    pub(super) fn of(p: i32, batch: &'a Batch, settings: Option<&'a str>, purges: Option<&'a str>) -> Self {
        let mut rare = Self { p, dropped: &batch.dropped, ..Self::default() };
        for (number, key, since) in &batch.added {
            rare.numbers.push(*number);
            rare.keys.push(key);
            rare.sinces.push(*since);
        }
        // Of an account that is told more than once the last word counts, and a statement takes each once.
        for (number, (name, value)) in batch.accounts.iter().enumerate() {
            if batch.accounts[number + 1..].iter().any(|(later, _)| later == name) {
                continue;
            }
            match value {
                None => rare.removed.push(name),
                Some((value, sum)) => {
                    rare.names.push(name);
                    rare.values.push(value);
                    rare.sums.push(i64::from(*sum));
                }
            }
        }
        for (subject, text) in [("ended", batch.ended.as_deref()), ("settings", settings), ("purges", purges)] {
            if let Some(text) = text {
                rare.subjects.push(subject);
                rare.said.push(text);
            }
        }
        rare
    }

    /// Those that there is something for.
    fn is_due(&self) -> [bool; 5] {
        [
            self.dropped.is_empty(),
            self.numbers.is_empty(),
            self.removed.is_empty(),
            self.names.is_empty(),
            self.said.is_empty(),
        ]
        .map(|is_empty| !is_empty)
    }

    pub(super) async fn statements(&self, open: &mut Open) -> Result<[Option<Statement>; 5], Error> {
        let mut statements = [const { None }; 5];
        for ((statement, sql), is_due) in statements.iter_mut().zip(STATEMENTS).zip(self.is_due()) {
            if is_due {
                *statement = Some(open.statement(sql).await?);
            }
        }
        Ok(statements)
    }

    /// Sends all of it, and then waits for what becomes of it.
    pub(super) async fn write(
        &self,
        step: &impl GenericClient,
        statements: &[Option<Statement>; 5],
    ) -> Result<(), Error> {
        let [drop, add, remove, set, say] = statements.each_ref().map(Option::as_ref);
        let dropped: Values<'_, 2> = [&self.p, &self.dropped];
        let added: Values<'_, 4> = [&self.p, &self.numbers, &self.keys, &self.sinces];
        let removed: Values<'_, 2> = [&self.p, &self.removed];
        let told: Values<'_, 4> = [&self.p, &self.names, &self.values, &self.sums];
        let said: Values<'_, 3> = [&self.p, &self.subjects, &self.said];
        tokio::try_join!(
            biased;
            run(step, drop, &dropped),
            run(step, add, &added),
            run(step, remove, &removed),
            run(step, set, &told),
            run(step, say, &said),
        )?;
        Ok(())
    }
}

type Values<'a, const N: usize> = [&'a (dyn ToSql + Sync); N];

async fn run(
    step: &impl GenericClient,
    statement: Option<&Statement>,
    values: &[&(dyn ToSql + Sync)],
) -> Result<u64, Error> {
    match statement {
        Some(statement) => step.execute(statement, values).await,
        None => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_account_the_last_word_counts() {
        let value = |text: &str| Some((text.to_owned(), 7));
        let mut batch = Batch::new(std::collections::HashMap::new(), None, 1);
        let told = [("shop", value("1")), ("blog", None), ("shop", None), ("blog", value("2")), ("blog", value("3"))];
        batch.accounts = told.map(|(name, value)| (name.to_owned(), value)).into();
        let rare = Rare::of(0, &batch, Some("{}"), None);
        assert_eq!(
            (rare.removed.as_slice(), rare.names.as_slice(), rare.values.as_slice()),
            (&["shop"][..], &["blog"][..], &["3"][..])
        );
        assert_eq!((rare.subjects.as_slice(), rare.is_due()), (&["settings"][..], [false, false, true, true, true]));
    }
}
