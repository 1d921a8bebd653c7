//! One-time links: by them a new member, or one who forgot it, sets the password.

use super::secrets::{Digest, Secret, digest_of};
use super::{Directory, DirectoryError, Group, Member, now};
use crate::sql::{Row, SqlError, Step, values};
use std::collections::HashMap;
use std::sync::Arc;

/// How long a link is good.
const LASTS: i64 = 7 * 86_400;

/// Whose password a link sets, and until when.
pub(super) type Links = HashMap<Digest, (u32, i64)>;

/// Those of all accounts, or of one.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<Links, DirectoryError> {
    let sql = "SELECT links.digest, links.member, links.ends FROM links JOIN members ON members.id = links.member \
               WHERE CAST($1 AS TEXT) IS NULL OR members.account = $1";
    let link = |row: &Row<'_>| -> Result<_, SqlError> {
        Ok((Digest::from_hex(&row.get::<String>(0)?), (row.get(1)?, row.get(2)?)))
    };
    let links = step.rows(sql, values![account], link)?;
    Ok(links.into_iter().filter_map(|(digest, link)| Some((digest?, link))).collect())
}

impl Directory {
    /// A link for this member: what stands behind `/invite/`. One that was open before is good no more.
    pub fn new_link(&self, member: u32) -> Result<Secret, DirectoryError> {
        let unknown = || DirectoryError::NotFound("there is no such member".to_owned());
        let account = self.member(member).ok_or_else(unknown)?.account.clone();
        let secret = Secret::opaque()?;
        let (digest, ends) = (secret.digest(), now() + LASTS);
        self.change(
            (&[Group::People], &account),
            |step| {
                step.execute("DELETE FROM links WHERE member = $1", values![member])?;
                let sql = "INSERT INTO links (digest, member, ends) VALUES ($1, $2, $3)";
                step.execute(sql, values![&digest.hex(), member, ends])?;
                Ok(())
            },
            |known, ()| {
                known.links.retain(|_, (whose, _)| *whose != member);
                known.links.insert(digest, (member, ends));
            },
        )?;
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
        let used = self.change(
            (&[Group::People, Group::Sessions], &member.account),
            |step| {
                let used = step.execute("DELETE FROM links WHERE digest = $1", values![&digest.hex()])?;
                if used > 0 {
                    step.execute("UPDATE members SET password = $1 WHERE id = $2", values![&hash, member.id])?;
                    step.execute("DELETE FROM sessions WHERE member = $1", values![member.id])?;
                }
                Ok(used)
            },
            |known, used| {
                known.links.remove(&digest);
                if *used > 0 {
                    known.sessions.retain(|_, session| session.member() != Some(member.id));
                    if let Some(member) = known.members.get_mut(&member.id) {
                        Arc::make_mut(member).password = Some(hash.clone());
                    }
                }
            },
        )?;
        if used == 0 {
            return Err(gone());
        }
        self.passwords.forget(member.id);
        Ok(member)
    }
}
