//! Where rules stand, in the database of a journal that nodes share.
//!
//! ```text
//! rules (p, kind, piece, body)      a file as on a disk, packed, and cut into pieces
//! ```
//!
//! The owner of a partition writes it, at its epoch: so it never goes back, and who takes over has what the last owner knew when
//! he kept his last snapshot, or something newer.

use super::file::{self, LONGEST, Standing};
use crate::alerts::outbox::Teller;
use crate::alerts::standing::Of;
use crate::parts::Part;
use crate::sql::{Db, SqlError, values};
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of a piece: each is a statement, which has its time.
const PIECE: usize = 256 << 10;

/// Where those of all partitions stand that a node owns.
#[derive(Clone, Debug)]
pub struct States(Arc<Mutex<Db>>);

/// How rules stood, and the state of each account.
pub(super) type Stood = (Standing, Vec<Vec<u8>>);

impl States {
    /// By a connection to the database.
    pub fn new(db: Db) -> Self {
        Self(Arc::new(Mutex::new(db)))
    }

    fn db(&self) -> MutexGuard<'_, Db> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it was written last; `None` if it never was, or is damaged: then rules begin anew, which is said.
    ///
    /// # Errors
    /// In words, when it cannot be read now.
    pub(super) fn read(&self, part: Part, of: Of) -> Result<Option<Stood>, String> {
        let sql = "SELECT body FROM rules WHERE p = $1 AND kind = $2 AND piece = $3";
        let (p, kind) = (part.number(), kind(of));
        // Whoever could write it was before us.
        let packed = self.db().step(|step| {
            let mut all = Vec::new();
            for number in 0_i64.. {
                let piece: Option<Vec<u8>> = step.one(sql, values![p, kind, number], |row| row.get(0))?;
                let Some(piece) = piece else { break };
                all.extend(piece);
            }
            Ok::<_, SqlError>(all)
        });
        let packed = packed.map_err(|error| error.to_string())?;
        if packed.is_empty() {
            return Ok(None);
        }
        let stood = unpack(&packed);
        if let Err(why) = &stood {
            tracing::error!(%part, rules = kind, %why, "where rules stand is damaged in the database: they begin anew");
        }
        Ok(stood.ok())
    }

    /// Writes it in place of what was there.
    pub(super) fn write(
        &self,
        Teller { part, epoch }: Teller,
        of: Of,
        standing: Standing,
        states: &[Vec<u8>],
    ) -> io::Result<()> {
        let content = file::content(standing, states)?;
        let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1)?;
        packed.write_all(&file::first_line(&content))?;
        packed.write_all(&content)?;
        let packed = packed.finish()?;
        drop(content);
        let (p, of) = (part.number(), kind(of));
        let written = self.db().step(|step| {
            step.execute("DELETE FROM rules WHERE p = $1 AND kind = $2", values![p, of])?;
            for (number, piece) in (0_i64..).zip(packed.chunks(PIECE)) {
                let put = "INSERT INTO rules (p, kind, piece, body) VALUES ($1, $2, $3, $4)";
                step.execute(put, values![p, of, number, piece])?;
            }
            // Last, so that whoever takes the partition over waits no longer than he has to.
            step.owns(part, epoch)
        });
        written.map_err(|error: SqlError| io::Error::other(error.to_string()))
    }
}

fn unpack(packed: &[u8]) -> Result<Stood, String> {
    let mut bytes = Vec::new();
    zstd::stream::read::Decoder::new(packed)
        .and_then(|decoder| decoder.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    file::parse(&bytes)
}

const fn kind(of: Of) -> &'static str {
    match of {
        Of::Lines => "lines",
        Of::Minutes => "minutes",
    }
}
