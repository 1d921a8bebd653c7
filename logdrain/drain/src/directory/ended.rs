//! What is over: sessions, links by which passwords are set, shared links, and addresses that never said whether they want mail.
//!
//! Each is looked at when somebody comes with it, and opens nothing then. It is deleted here and nowhere else, by a clock that
//! may be trusted with that: a server that started with a wrong one would lose everybody's links for good.

use super::channels::LASTS;
use super::{Directory, DirectoryError};

impl Directory {
    /// Deletes what was over at a time, in seconds since 1970.
    ///
    /// # Errors
    /// When the file cannot be written: then all of it is there still.
    pub fn forget_ended(&self, now: i64) -> Result<(), DirectoryError> {
        let known = self.known();
        // When one was used last is in the file later than in memory.
        let sessions: Vec<_> = known.sessions.iter().filter(|(_, session)| session.is_over(now)).collect();
        let sessions: Vec<_> = sessions.into_iter().map(|(digest, _)| *digest).collect();
        drop(known);
        self.change(|db| {
            for digest in &sessions {
                db.execute("DELETE FROM sessions WHERE digest = $1", [digest.hex()])?;
            }
            db.execute("DELETE FROM links WHERE ends <= $1", [now])?;
            db.execute("DELETE FROM shares WHERE ends <= $1", [now])?;
            db.execute("DELETE FROM recipients WHERE confirmed IS NULL AND asked < $1", [now - LASTS])?;
            Ok(())
        })?;
        let mut known = self.write();
        for digest in &sessions {
            known.sessions.remove(digest);
        }
        known.links.retain(|_, (_, ends)| *ends > now);
        known.shares.retain(|_, share| share.ends > now);
        Ok(())
    }
}
