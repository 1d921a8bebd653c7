//! Buckets: where accounts have their archives put. The secret that goes with one is sealed before it comes here.

use super::{Directory, DirectoryError};
use rusqlite::Connection;
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
        self.change(|db| {
            let Bucket { endpoint, region, name, prefix, key_id, secret } = &bucket;
            db.execute("DELETE FROM buckets WHERE account = $1", [account])?;
            db.execute(
                "INSERT INTO buckets (account, endpoint, region, name, prefix, key_id, secret) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                (account, endpoint, region, name, prefix, key_id, secret),
            )?;
            Ok(())
        })?;
        self.write().buckets.0.insert(account.to_owned(), Arc::new(bucket));
        Ok(())
    }

    /// What is in the bucket stays there.
    pub fn remove_bucket(&self, account: &str) -> Result<(), DirectoryError> {
        let removed = self.change(|db| Ok(db.execute("DELETE FROM buckets WHERE account = $1", [account])?))?;
        self.write().buckets.forget(account);
        match removed {
            0 => Err(DirectoryError::NotFound("the account has no bucket".to_owned())),
            _ => Ok(()),
        }
    }
}

pub(super) fn read(db: &Connection) -> Result<Buckets, DirectoryError> {
    let mut select = db.prepare("SELECT account, endpoint, region, name, prefix, key_id, secret FROM buckets")?;
    let rows = select.query_map([], |row| {
        let bucket = Bucket {
            endpoint: row.get(1)?,
            region: row.get(2)?,
            name: row.get(3)?,
            prefix: row.get(4)?,
            key_id: row.get(5)?,
            secret: row.get(6)?,
        };
        Ok((row.get(0)?, Arc::new(bucket)))
    })?;
    Ok(Buckets(rows.collect::<Result<_, _>>()?))
}
