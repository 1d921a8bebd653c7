//! What an account says of its metrics: how often values come, in what unit, what they are.
//!
//! It is read from the file each time: few ask for one at a time, and all of it would be much to hold.

use super::parts::Part;
use super::{Directory, DirectoryError, counted, now};
use crate::sql::{Row, SqlError, values};

/// Metrics that something is said of, of all accounts, and of one.
const ALL: i64 = 200_000;
const OF_ACCOUNT: i64 = 5_000;
/// The longest texts.
const NAME: usize = 255;
const UNIT: usize = 24;
const DESCRIPTION: usize = 2_000;
/// The longest time between two values, in seconds.
const PERIOD: u32 = 7 * 86_400;

/// What is said of a metric. What is empty or 0 is not said.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct MetricFacts {
    /// Seconds from one value to the next: only what is longer than that is a gap.
    pub period: u32,
    pub unit: String,
    pub description: String,
    /// `s1` to `s6`.
    pub colour: String,
    /// The function that it is drawn by, in a word.
    pub summary: String,
}

impl MetricFacts {
    fn of(row: &Row<'_>) -> Result<Self, SqlError> {
        Ok(Self {
            period: row.get(0)?,
            unit: row.get(1)?,
            description: row.get(2)?,
            colour: row.get(3)?,
            summary: row.get(4)?,
        })
    }

    fn check(&self, name: &str) -> Result<(), DirectoryError> {
        let is_line = |text: &str| !text.chars().any(char::is_control);
        let wrong = |why: String| Err(DirectoryError::Invalid(why));
        if name.is_empty() || name.len() > NAME || !is_line(name) {
            return wrong(format!("the name of a metric is 1 to {NAME} bytes"));
        }
        if self.period > PERIOD {
            return wrong("a value comes at least once a week".to_owned());
        }
        if self.unit.len() > UNIT || !is_line(&self.unit) {
            return wrong(format!("a unit is one line of {UNIT} bytes at most"));
        }
        if self.description.len() > DESCRIPTION {
            return wrong(format!("a description has {DESCRIPTION} bytes at most"));
        }
        if self.colour.len() > 2 || self.summary.len() > 16 {
            return wrong("there is no such colour or function".to_owned());
        }
        Ok(())
    }
}

impl Directory {
    /// What an account says of a metric; nothing where it says nothing.
    pub fn metric_facts(&self, account: &str, name: &str) -> Result<MetricFacts, DirectoryError> {
        self.read(|step| {
            let sql = "SELECT period, unit, description, colour, summary FROM metrics WHERE account = $1 AND name = $2";
            Ok(step.one(sql, values![account, name], MetricFacts::of)?.unwrap_or_default())
        })
    }

    /// Says something else of a metric, or nothing any more.
    pub fn set_metric_facts(&self, account: &str, name: &str, facts: &MetricFacts) -> Result<(), DirectoryError> {
        facts.check(name)?;
        self.step(|step| {
            step.execute("DELETE FROM metrics WHERE account = $1 AND name = $2", values![account, name])?;
            if *facts == MetricFacts::default() {
                return Ok(());
            }
            let all = counted(step, "SELECT count(*) FROM metrics", &[])?;
            let own = counted(step, "SELECT count(*) FROM metrics WHERE account = $1", values![account])?;
            Part { own, of_account: OF_ACCOUNT, taken: all, all: ALL }.one_more("metrics that something is said of")?;
            let MetricFacts { period, unit, description, colour, summary } = facts;
            step.execute(
                "INSERT INTO metrics (account, name, period, unit, description, colour, summary, changed) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                values![account, name, *period, unit, description, colour, summary, now()],
            )?;
            Ok(())
        })
    }
}
