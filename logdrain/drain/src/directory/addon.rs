//! Resources of the add-on, where nodes share the directory: what has become of each, as a text that is its owner's, and the
//! sign-ons that were good already.

use super::{Directory, DirectoryError, counted};
use crate::sql::{Row, SqlError, Step, values};

/// Resources that are looked at together.
pub const DUE: i64 = 1_000;

/// A resource as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptResource {
    pub uuid: String,
    pub name: String,
    /// When it went, in seconds since 1970.
    pub gone: Option<i64>,
    /// From when on something is to be done about it; `None` if nothing is.
    pub due: Option<i64>,
    /// All that is known of it.
    pub value: String,
}

fn text(row: &Row<'_>) -> Result<String, SqlError> {
    row.get(0)
}

fn write(step: &mut Step<'_>, kept: &KeptResource) -> Result<(), SqlError> {
    let sql = "UPDATE addon SET name = $2, gone = $3, due = $4, value = $5 WHERE uuid = $1";
    let KeptResource { uuid, name, gone, due, value } = kept;
    step.execute(sql, values![uuid, name, *gone, *due, value]).map(drop)
}

impl Directory {
    /// What is known of a resource.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn resource(&self, uuid: &str) -> Result<Option<String>, DirectoryError> {
        self.read(|step| Ok(step.one("SELECT value FROM addon WHERE uuid = $1", values![uuid], text)?))
    }

    /// The same, of one that is there and is called so.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn resource_named(&self, name: &str) -> Result<Option<String>, DirectoryError> {
        let sql = "SELECT value FROM addon WHERE name = $1 AND gone IS NULL ORDER BY uuid LIMIT 1";
        self.read(|step| Ok(step.one(sql, values![name], text)?))
    }

    /// Those about which something is to be done by this time, each with its UUID: of those behind `after`, a thousand at most.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn resources_due(&self, now: i64, after: &str) -> Result<Vec<(String, String)>, DirectoryError> {
        let sql = "SELECT uuid, value FROM addon WHERE due <= $1 AND uuid > $2 ORDER BY uuid LIMIT $3";
        let both = |row: &Row<'_>| Ok::<_, SqlError>((row.get(0)?, row.get(1)?));
        self.read(|step| Ok(step.rows(sql, values![now, after, DUE], both)?))
    }

    /// Keeps one that is new, unless another node has kept it; answers what is there then. Of `most`, the one that went longest
    /// ago makes room, if that was before a time.
    ///
    /// # Errors
    /// When it cannot be written, or there are too many.
    pub fn keep_resource(&self, kept: &KeptResource, (most, before): (i64, i64)) -> Result<String, DirectoryError> {
        let KeptResource { uuid, name, gone, due, value } = kept;
        self.step(|step| {
            let sql =
                "INSERT INTO addon (uuid, name, gone, due, value) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
            if step.execute(sql, values![uuid, name, *gone, *due, value])? > 0 {
                let forget = "DELETE FROM addon WHERE uuid = (SELECT uuid FROM addon WHERE gone < $1 AND due IS NULL \
                              ORDER BY gone LIMIT 1)";
                if counted(step, "SELECT count(*) FROM addon", values![])? > most
                    && step.execute(forget, values![before])? == 0
                {
                    return Err(DirectoryError::TooMany("there are too many resources".to_owned()));
                }
            }
            let there = step.one("SELECT value FROM addon WHERE uuid = $1", values![uuid], text)?;
            there.ok_or_else(|| DirectoryError::NotFound("there is no such resource".to_owned()))
        })
    }

    /// Changes one, if it is there: nobody else does meanwhile. Answers what it is then.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn change_resource(
        &self,
        uuid: &str,
        change: impl FnOnce(&str) -> Option<KeptResource>,
    ) -> Result<Option<String>, DirectoryError> {
        self.step(|step| {
            let sql = "SELECT value FROM addon WHERE uuid = $1 FOR UPDATE";
            let Some(there) = step.one(sql, values![uuid], text)? else { return Ok(None) };
            match change(&there) {
                None => Ok(Some(there)),
                Some(kept) => {
                    write(step, &kept)?;
                    Ok(Some(kept.value))
                }
            }
        })
    }

    /// Notes sign-ons that were good, each of which is good no more; those that are over by now are forgotten. `false` when the
    /// first one was noted before, on any node.
    ///
    /// # Errors
    /// When it cannot be written: then nobody may be let in by it.
    pub fn note_sign_on(&self, tokens: &[String], until: i64, now: i64) -> Result<bool, DirectoryError> {
        self.step(|step| {
            step.execute("DELETE FROM sign_ons WHERE until < $1", values![now])?;
            for (number, token) in tokens.iter().enumerate() {
                let sql = "INSERT INTO sign_ons (token, until) VALUES ($1, $2) ON CONFLICT DO NOTHING";
                if step.execute(sql, values![token, until])? == 0 && number == 0 {
                    return Ok(false);
                }
            }
            Ok(!tokens.is_empty())
        })
    }
}
