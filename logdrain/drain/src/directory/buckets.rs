//! Buckets: where accounts have their archives put. The secret that goes with one is sealed before it comes here.

use super::{Directory, DirectoryError, Group};
use crate::sql::{Row, SqlError, Step, values};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Buckets of all accounts.
const ALL: usize = 4_000;
/// The most bytes that they take.
pub(super) const MOST: usize = ALL * 4_096;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bucket {
    /// A server that speaks as S3 does; `None` is AWS.
    pub endpoint: Option<String>,
    pub region: String,
    pub name: String,
    /// What keys begin with, before the account.
    pub prefix: String,
    pub key_id: String,
    /// Sealed.
    pub secret: String,
}

#[derive(Debug, Default)]
pub(super) struct Buckets(BTreeMap<String, Arc<Bucket>>);

impl Buckets {
    pub(super) fn forget(&mut self, account: &str) {
        self.0.remove(account);
    }

    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

impl Directory {
    pub fn bucket(&self, account: &str) -> Option<Arc<Bucket>> {
        self.known().buckets.0.get(account).cloned()
    }

    /// Of all accounts that have one.
    pub fn buckets(&self) -> Vec<(String, Arc<Bucket>)> {
        self.known().buckets.0.iter().map(|(account, bucket)| (account.clone(), bucket.clone())).collect()
    }

    pub fn set_bucket(&self, account: &str, bucket: Bucket) -> Result<(), DirectoryError> {
        let known = self.known();
        if known.buckets.0.len() >= ALL && !known.buckets.0.contains_key(account) {
            return Err(DirectoryError::TooMany(format!("there are {ALL} buckets, which is the most")));
        }
        drop(known);
        self.change(
            (&[Group::Buckets], account),
            |step| {
                let Bucket { endpoint, region, name, prefix, key_id, secret } = &bucket;
                step.execute("DELETE FROM buckets WHERE account = $1", values![account])?;
                step.execute(
                    "INSERT INTO buckets (account, endpoint, region, name, prefix, key_id, secret) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7)",
                    values![account, endpoint, region, name, prefix, key_id, secret],
                )?;
                Ok(())
            },
            |known, ()| {
                known.buckets.0.insert(account.to_owned(), Arc::new(bucket.clone()));
            },
        )
    }

    /// What is in the bucket stays there.
    pub fn remove_bucket(&self, account: &str) -> Result<(), DirectoryError> {
        let removed = self.change(
            (&[Group::Buckets], account),
            |step| Ok(step.execute("DELETE FROM buckets WHERE account = $1", values![account])?),
            |known, _| known.buckets.forget(account),
        )?;
        match removed {
            0 => Err(DirectoryError::NotFound("the account has no bucket".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Those of all accounts, or that of one.
pub(super) fn read(step: &mut Step<'_>, account: Option<&str>) -> Result<Buckets, DirectoryError> {
    let sql = "SELECT account, endpoint, region, name, prefix, key_id, secret FROM buckets \
               WHERE CAST($1 AS TEXT) IS NULL OR account = $1";
    let bucket = |row: &Row<'_>| -> Result<_, SqlError> {
        let bucket = Bucket {
            endpoint: row.get(1)?,
            region: row.get(2)?,
            name: row.get(3)?,
            prefix: row.get(4)?,
            key_id: row.get(5)?,
            secret: row.get(6)?,
        };
        Ok((row.get(0)?, Arc::new(bucket)))
    };
    Ok(Buckets(step.rows(sql, values![account], bucket)?.into_iter().collect()))
}
