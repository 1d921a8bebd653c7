//! Tokens: what programs come in with. One belongs to a member, has his groups and ends with him; or to an account itself,
//! and ends with it.

use super::parts::{Part, count};
use super::secrets::{Digest, Secret, digest_of};
use super::{Directory, DirectoryError, Group, next, now};
use crate::sql::{Row, SqlError, Step, values};
use std::collections::HashMap;
use std::sync::Arc;

/// Tokens of all accounts, and of one.
const ALL: usize = 20_000;
const OF_ACCOUNT: i64 = 500;
/// The longest name of one.
const NAME: usize = 128;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 512;

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Whatever its member may do.
    Admin,
    /// Reading alone.
    Read,
    /// Sending alone.
    Record,
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Read => "read",
            Self::Record => "record",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        [Self::Admin, Self::Read, Self::Record].into_iter().find(|kind| kind.name() == name)
    }

    /// What tokens of this kind begin with, so that one that was found somewhere can be judged.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Admin => "lda_",
            Self::Read => "ldr_",
            Self::Record => "ldw_",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub id: u32,
    pub account: String,
    /// `None` when it belongs to the account itself.
    pub member: Option<u32>,
    pub kind: Kind,
    /// What its owner calls it.
    pub name: String,
    /// Its first letters, by which it is known again.
    pub shown: String,
    /// Seconds since 1970.
    pub created: i64,
}

/// Those of all accounts, or of one. One of a kind that is not known lets nobody in.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<HashMap<Digest, Arc<Token>>, DirectoryError> {
    let sql = "SELECT digest, id, account, member, kind, name, shown, created FROM tokens \
               WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let token = |row: &Row<'_>| -> Result<_, SqlError> {
        let Some(kind) = Kind::named(&row.get::<String>(4)?) else { return Ok(None) };
        let token = Token {
            id: row.get(1)?,
            account: row.get(2)?,
            member: row.get(3)?,
            kind,
            name: row.get(5)?,
            shown: row.get(6)?,
            created: row.get(7)?,
        };
        Ok(Digest::from_hex(&row.get::<String>(0)?).map(|digest| (digest, Arc::new(token))))
    };
    Ok(step.rows(sql, values![account], token)?.into_iter().flatten().collect())
}

/// A secret for a token that is none yet.
///
/// # Errors
/// When the system gives nothing random.
pub fn new_token(kind: Kind) -> Result<Secret, DirectoryError> {
    Secret::token(kind.prefix())
}

impl Directory {
    /// Tokens of an account, by their numbers.
    pub fn tokens(&self, account: &str) -> Vec<Arc<Token>> {
        let mut all: Vec<_> = self.known().tokens.values().filter(|token| token.account == account).cloned().collect();
        all.sort_by_key(|token| token.id);
        all
    }

    /// The token that this text is, and what it is looked up by.
    pub fn token(&self, secret: &str) -> Option<(Digest, Arc<Token>)> {
        let digest = digest_of(secret);
        self.token_of(&digest).map(|token| (digest, token))
    }

    pub fn token_of(&self, digest: &Digest) -> Option<Arc<Token>> {
        self.known().tokens.get(digest).cloned()
    }

    /// A token of an account itself with a secret that was [made](new_token) before; done again, it changes nothing.
    ///
    /// # Errors
    /// When it cannot be written, or there is no room for one more.
    pub fn keep_token(&self, account: &str, secret: &Secret, kind: Kind, name: &str) -> Result<(), DirectoryError> {
        let digest = secret.digest();
        if self.token_of(&digest).is_some_and(|token| token.account == account) {
            return Ok(());
        }
        self.add_token(account, None, secret, (kind, name)).map(drop)
    }

    /// A new token of a member, or of the account itself. The secret is in no file, and is not to be had again.
    pub fn issue_token(
        &self,
        account: &str,
        member: Option<u32>,
        kind: Kind,
        name: &str,
    ) -> Result<(Secret, Arc<Token>), DirectoryError> {
        if name.len() > NAME || name.contains(char::is_control) {
            return Err(DirectoryError::Invalid(format!("a token's name has {NAME} bytes at most, all of them text")));
        }
        if let Some(id) = member
            && self.member(id).is_none_or(|member| member.account != account)
        {
            return Err(DirectoryError::NotFound("there is no such member".to_owned()));
        }
        let secret = new_token(kind)?;
        let token = self.add_token(account, member, &secret, (kind, name))?;
        Ok((secret, token))
    }

    fn add_token(
        &self,
        account: &str,
        member: Option<u32>,
        secret: &Secret,
        (kind, name): (Kind, &str),
    ) -> Result<Arc<Token>, DirectoryError> {
        let known = self.known();
        let of_account = known.tokens.values().filter(|token| token.account == account).count();
        let taken = count(known.tokens.len());
        drop(known);
        Part { own: count(of_account), of_account: OF_ACCOUNT, taken, all: count(ALL) }.one_more("tokens")?;
        let shown: String = secret.reveal().chars().take(8).collect();
        let (digest, created) = (secret.digest(), now());
        self.will_ask()?;
        let token = self.change(
            (&[Group::People], account),
            |step| {
                let id = next(step, "token")?;
                // Another node may have added the same.
                step.execute(
                    "INSERT INTO tokens (id, account, member, kind, name, shown, digest, created) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING",
                    values![id, account, member, kind.name(), name, &shown, &digest.hex(), created],
                )?;
                let (account, name) = (account.to_owned(), name.to_owned());
                Ok(Arc::new(Token { id, account, member, kind, name, shown: shown.clone(), created }))
            },
            |known, token| drop(known.tokens.insert(digest, token.clone())),
        );
        if token.is_err() {
            self.mark()?;
        }
        token
    }

    /// Removes a token of an account.
    pub fn remove_token(&self, account: &str, id: u32) -> Result<(), DirectoryError> {
        let sql = "DELETE FROM tokens WHERE account = $1 AND id = $2";
        let gone = self.change(
            (&[Group::People], account),
            |step| Ok(step.execute(sql, values![account, id])?),
            |known, gone| known.tokens.retain(|_, token| *gone == 0 || token.id != id),
        )?;
        if gone == 0 {
            return Err(DirectoryError::NotFound("there is no such token".to_owned()));
        }
        self.mark()
    }
}
