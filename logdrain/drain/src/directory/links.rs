//! One-time links: by them a new member, or one who forgot it, sets the password.

use super::secrets::{Digest, Secret, digest_of};
use super::{Directory, DirectoryError, Member, now};
use rusqlite::Connection;
use std::collections::HashMap;
use std::sync::Arc;

/// How long a link is good.
const LASTS: i64 = 7 * 86_400;

/// Whose password a link sets, and until when.
pub(super) type Links = HashMap<Digest, (u32, i64)>;

pub(super) fn read(db: &Connection) -> Result<Links, DirectoryError> {
    let mut select = db.prepare("SELECT digest, member, ends FROM links")?;
    let mut links = Links::new();
    for row in select.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))? {
        let (digest, member, ends) = row?;
        if let Some(digest) = Digest::from_hex(&digest) {
            links.insert(digest, (member, ends));
        }
    }
    Ok(links)
}

impl Directory {
    /// A link for this member: what stands behind `/invite/`. One that was open before is good no more.
    pub fn new_link(&self, member: u32) -> Result<Secret, DirectoryError> {
        if self.member(member).is_none() {
            return Err(DirectoryError::NotFound("there is no such member".to_owned()));
        }
        let secret = Secret::opaque()?;
        let (digest, ends) = (secret.digest(), now() + LASTS);
        self.change(|db| {
            db.execute("DELETE FROM links WHERE member = $1", [member])?;
            db.execute("INSERT INTO links (digest, member, ends) VALUES ($1, $2, $3)", (digest.hex(), member, ends))?;
            Ok(())
        })?;
        let links = &mut self.write().links;
        links.retain(|_, (whose, _)| *whose != member);
        links.insert(digest, (member, ends));
        Ok(secret)
    }

    /// Whose password a link sets; `None` when it is not good, or not any more.
    pub fn linked(&self, secret: &str) -> Option<Arc<Member>> {
        let known = self.known();
        let (member, ends) = known.links.get(&digest_of(secret))?;
        (now() < *ends).then(|| known.members.get(member).cloned()).flatten()
    }

    /// Sets the password by a link, which is used up then; sessions that the member had are over.
    ///
    /// It hashes the password, which takes a [`CHECK`](super::CHECK) of memory.
    pub fn set_password_by(&self, secret: &str, password: &str) -> Result<Arc<Member>, DirectoryError> {
        let gone = || DirectoryError::NotFound("the link was used, or is too old: ask for another".to_owned());
        let member = self.linked(secret).ok_or_else(gone)?;
        let hash = super::passwords::hash(password)?;
        let digest = digest_of(secret);
        // Whoever comes second with the same link has none.
        let used = self.change(|db| {
            let used = db.execute("DELETE FROM links WHERE digest = $1", [digest.hex()])?;
            if used > 0 {
                db.execute("UPDATE members SET password = $1 WHERE id = $2", (&hash, member.id))?;
                db.execute("DELETE FROM sessions WHERE member = $1", [member.id])?;
            }
            Ok(used)
        })?;
        let mut known = self.write();
        known.links.remove(&digest);
        if used == 0 {
            return Err(gone());
        }
        known.sessions.retain(|_, session| session.member() != Some(member.id));
        if let Some(member) = known.members.get_mut(&member.id) {
            Arc::make_mut(member).password = Some(hash);
        }
        drop(known);
        self.passwords.forget(member.id);
        Ok(member)
    }
}
