//! Archives on their way to buckets of accounts.
//!
//! ```text
//! ARCHIVE.tsv.gz -> PREFIX/ACCOUNT/dt=DAY/ARCHIVE.tsv.gz    ; then HOUR.uploaded.json beside it says to which bucket
//! ```
//!
//! Whatever is archived here and is not known to be in the account's bucket goes there, the oldest first: also what was there
//! before the bucket, what was written again by a purge, and what a program that was killed had on its way. The same archive
//! gets the same key and the same bytes, so that one that comes twice does no harm. What fails is tried again, after a pause
//! that grows to an hour; nobody else waits for it, neither other accounts nor whoever writes archives or lets them go.

use super::board::Board;
use super::boards::Boards;
use super::bucket;
use super::shelf::{Archive, Shelf};
use crate::directory::{Bucket, Directory, now};
use crate::door::Outbound;
use crate::seal::KeyFile;
use log_archive::Period;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

const LOOK: Duration = Duration::from_secs(1);
/// Accounts whose archives are uploaded at a time.
const AT_A_TIME: usize = 3;
/// Archives of one account before others have their turn.
const IN_A_ROW: usize = 24;
/// The pause behind a failure: the first, and the longest.
const PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Buckets that are tried out at a time, and how long one may take: somebody waits for it.
pub const TRIALS: usize = 4;
const TRIAL: Duration = Duration::from_secs(20);
/// What all of it takes of the memory: what is tried out reads little.
pub const MEMORY: usize = AT_A_TIME * bucket::MEMORY + bucket::MEMORY;

/// What has become of an archive on its way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Upload {
    Waiting,
    /// Then, in seconds since 1970.
    Uploaded {
        at: i64,
    },
    /// It is tried again.
    Failed {
        why: String,
        tries: u32,
    },
}

/// Shared by who uploads and who looks at it.
#[derive(Clone, Debug)]
pub struct Uploads(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    boards: Boards,
    directory: Arc<Directory>,
    key: Arc<KeyFile>,
    outbound: Outbound,
    going: Mutex<BTreeMap<String, Going>>,
    places: Arc<Semaphore>,
}

/// How far an account is.
#[derive(Clone, Debug, Default)]
struct Going {
    bucket: Option<Arc<Bucket>>,
    /// Which owner of the archives it is: another one may have written some again.
    generation: u64,
    /// Hours that end by then are in it, in microseconds since 1970.
    done: i64,
    is_busy: bool,
    failed: Option<Failed>,
}

#[derive(Clone, Debug)]
struct Failed {
    hour: Period,
    why: String,
    tries: u32,
    again: Instant,
}

/// What stands beside an archive that was uploaded.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    bucket: String,
    key: String,
    bytes: u64,
    /// When that file was written, in nanoseconds since 1970: what a purge writes again may come to as many bytes. Older programs
    /// did not say it.
    #[serde(default)]
    written: Option<u64>,
    at: i64,
}

impl Uploads {
    pub fn new(boards: Boards, directory: Arc<Directory>, key: Arc<KeyFile>, outbound: Outbound) -> Self {
        Self(Arc::new(Inner {
            boards,
            directory,
            key,
            outbound,
            going: Mutex::default(),
            places: Arc::new(Semaphore::new(AT_A_TIME)),
        }))
    }

    pub fn outbound(&self) -> &Outbound {
        &self.0.outbound
    }

    /// Seals the secret of an account's bucket.
    ///
    /// # Errors
    /// Why it cannot be sealed.
    pub fn seal(&self, account: &str, secret: &str) -> Result<String, String> {
        self.0.key.seal(&of(account), secret).map_err(|error| format!("secrets cannot be sealed here: {error}"))
    }

    /// What became of archives of an account, in their order; `None` of all when it has no bucket. With many it takes a while.
    ///
    /// # Errors
    /// When that cannot be read now.
    pub fn states(&self, account: &str, archives: &[Archive]) -> io::Result<Option<Vec<Upload>>> {
        let Some(bucket) = self.0.directory.bucket(account) else { return Ok(None) };
        let failed = self.going().get(account).and_then(|going| going.failed.clone());
        let uploaded = uploaded(&*self.board(account).shelf()?, account, archives, &bucket::id(&bucket))?;
        let state = |(archive, uploaded): (&Archive, Option<i64>)| match uploaded {
            Some(at) => Upload::Uploaded { at },
            None => match &failed {
                Some(Failed { hour, why, tries, .. }) if *hour == archive.hour => {
                    Upload::Failed { why: why.clone(), tries: *tries }
                }
                _ => Upload::Waiting,
            },
        };
        Ok(Some(archives.iter().zip(uploaded).map(state).collect()))
    }

    /// Why an account's archives do not get to its bucket now.
    pub fn trouble(&self, account: &str) -> Option<String> {
        self.going().get(account)?.failed.as_ref().map(|failed| failed.why.clone())
    }

    /// Writes an object to a bucket, and removes it. Whoever asks sees to it that no more than [`TRIALS`] are at it.
    ///
    /// # Errors
    /// Why that does not go, in words for whoever has the bucket.
    pub async fn test(&self, account: &str, bucket: &Bucket) -> Result<(), String> {
        let secret = self.unsealed(account, bucket).await?;
        let tried =
            tokio::time::timeout(TRIAL, bucket::test(&self.0.outbound.of(account), account, bucket, &secret)).await;
        tried.unwrap_or_else(|_| Err(format!("no answer came within {} s", TRIAL.as_secs())))
    }

    /// The bucket is another one, or its keys are: it is tried at once.
    pub fn begin_again(&self, account: &str) {
        // Whoever is at it ends, and what comes of it is of a bucket that there is no more.
        if let Some(going) = self.going().get_mut(account) {
            *going = Going { is_busy: going.is_busy, ..Going::default() };
        }
    }

    /// Uploads, for ever.
    pub async fn run(self) {
        if !bucket::IS_THERE {
            return;
        }
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.0.directory.is_open() {
                continue;
            }
            for (account, bucket) in self.0.directory.buckets() {
                if !self.is_due(&account, &bucket) {
                    continue;
                }
                let Ok(place) = self.0.places.clone().acquire_owned().await else { return };
                self.set(&account, |going| going.is_busy = true);
                let uploads = self.clone();
                tokio::spawn(async move {
                    uploads.upload(&account, &bucket).await;
                    drop(place);
                });
            }
        }
    }

    fn is_due(&self, account: &str, bucket: &Arc<Bucket>) -> bool {
        let board = self.board(account);
        let is_rewritten = board.was_rewritten(account);
        let (newest, generation) = (board.held(account).done, board.generation());
        let mut all = self.going();
        let going = all.entry(account.to_owned()).or_default();
        if going.is_busy {
            // Whoever is at it looks again.
            if is_rewritten {
                board.rewritten(account);
            }
            return false;
        }
        if is_rewritten || going.bucket.as_ref() != Some(bucket) || going.generation != generation {
            *going = Going { bucket: Some(bucket.clone()), generation, ..Going::default() };
        }
        newest > going.done && going.failed.as_ref().is_none_or(|failed| failed.again <= Instant::now())
    }

    async fn upload(&self, account: &str, bucket: &Arc<Bucket>) {
        let outcome = self.some(account, bucket).await;
        let mut all = self.going();
        let Some(going) = all.get_mut(account) else { return };
        going.is_busy = false;
        // Of a bucket that it has no more, or archives that are another node's.
        if going.bucket.as_ref() != Some(bucket) || going.generation != self.board(account).generation() {
            return;
        }
        match outcome {
            Ok(done) => {
                going.done = done.unwrap_or(going.done);
                if going.failed.take().is_some() {
                    tracing::info!(account, "archives are uploaded again");
                }
            }
            Err((hour, why)) => {
                let tries = going.failed.as_ref().map_or(0, |failed| failed.tries) + 1;
                let pause = PAUSE.saturating_mul(1 << tries.min(11) >> 1).min(LONGEST_PAUSE);
                if going.failed.as_ref().is_none_or(|failed| failed.why != why) {
                    tracing::warn!(account, %hour, why, "an archive cannot be uploaded, and is tried again");
                }
                going.failed = Some(Failed { hour, why, tries, again: Instant::now() + pause });
            }
        }
    }

    /// Uploads the next archives. Answers up to where all are in the bucket, if that is all there are.
    async fn some(&self, account: &str, bucket: &Arc<Bucket>) -> Result<Option<i64>, (Period, String)> {
        let (owned, id) = (account.to_owned(), bucket::id(bucket));
        let done = self.going().get(account).map_or(0, |going| going.done);
        // Read before the list, which has all of them then, as far as they are there still.
        let board = self.board(account).clone();
        let newest = board.held(account).done;
        let shelf = board.shelf().map_err(|error| (Period::hour_of(done), error.to_string()))?;
        let here = shelf.clone();
        let found = spawn_blocking(move || {
            let archives = board.list_from(&owned, done)?;
            let newest = archives.last().map_or(newest, |archive| archive.hour.end().max(newest));
            let uploaded = uploaded(&*shelf, &owned, &archives, &id)?;
            let missing = archives.into_iter().zip(uploaded).filter(|(_, uploaded)| uploaded.is_none());
            Ok::<_, io::Error>((missing.map(|(archive, _)| archive).collect::<Vec<_>>(), newest))
        });
        let nowhere = Period::hour_of(done);
        let found = found.await.map_err(|error| (nowhere, error.to_string()))?;
        let (missing, newest) = found.map_err(|error| (nowhere, format!("archives cannot be listed: {error}")))?;
        let Some(first) = missing.first() else { return Ok(Some(newest)) };
        let secret = self.unsealed(account, bucket).await.map_err(|why| (first.hour, why))?;
        let is_all = missing.len() <= IN_A_ROW;
        for archive in missing.into_iter().take(IN_A_ROW) {
            self.one(&here, account, bucket, &secret, archive).await.map_err(|why| (archive.hour, why))?;
            self.set(account, |going| going.failed = None);
        }
        Ok(is_all.then_some(newest))
    }

    async fn one(
        &self,
        shelf: &Arc<dyn Shelf>,
        account: &str,
        bucket: &Bucket,
        secret: &str,
        archive: Archive,
    ) -> Result<(), String> {
        let (hour, bytes) = (archive.hour, archive.bytes);
        let (here, board, of) = (shelf.clone(), self.board(account).clone(), account.to_owned());
        let opened = spawn_blocking(move || {
            // Whoever has them now puts there what he has.
            here.check()?;
            board.open_hour(&of, archive)
        });
        let file = match opened.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(file) => file,
            // Let go meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("the archive cannot be read: {error}")),
        };
        let key = bucket::key(account, bucket, hour)?;
        bucket::put(&self.0.outbound.of(account), bucket, secret, &key, file, bytes).await?;
        let written = (archive.written > 0).then_some(archive.written);
        let mark = Mark { bucket: bucket::id(bucket), key, bytes, written, at: now() };
        let (here, of) = (shelf.clone(), account.to_owned());
        let noted = spawn_blocking(move || here.put_mark(&of, archive, &serde_json::to_vec(&mark)?));
        match noted.await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            // Its day went with it.
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("that it is uploaded cannot be noted: {error}"))
            }
            _ => {
                tracing::info!(account, %hour, bytes, "an archive was uploaded");
                Ok(())
            }
        }
    }

    async fn unsealed(&self, account: &str, bucket: &Bucket) -> Result<String, String> {
        let (key, account, sealed) = (self.0.key.clone(), of(account), bucket.secret.clone());
        let unsealed = spawn_blocking(move || key.unseal(&account, &sealed)).await;
        let none = || "its secret key cannot be unsealed: the key file is another one. Set the bucket again".to_owned();
        unsealed.ok().flatten().ok_or_else(none)
    }

    fn set(&self, account: &str, set: impl FnOnce(&mut Going)) {
        if let Some(going) = self.going().get_mut(account) {
            set(going);
        }
    }

    fn board(&self, account: &str) -> &Board {
        self.0.boards.of_account(account)
    }

    fn going(&self) -> MutexGuard<'_, BTreeMap<String, Going>> {
        self.0.going.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a secret is sealed for.
fn of(account: &str) -> String {
    format!("bucket/{account}")
}

/// Since when each of some archives, as it is now, is in a bucket, in seconds since 1970; `None` of those that are not.
fn uploaded(shelf: &dyn Shelf, account: &str, archives: &[Archive], bucket: &str) -> io::Result<Vec<Option<i64>>> {
    let mut all = vec![None; archives.len()];
    shelf.marks(account, archives, &mut |index, text| {
        let mark = serde_json::from_slice::<Mark>(text).ok();
        if let (Some(mark), Some(archive), Some(at)) = (mark, archives.get(index), all.get_mut(index)) {
            let is_it = mark.bytes == archive.bytes && mark.written.is_none_or(|written| written == archive.written);
            *at = (is_it && mark.bucket == bucket).then_some(mark.at);
        }
    })?;
    Ok(all)
}
