//! Segments as objects of a bucket that speaks S3.
//!
//! What is small goes there in one request. What is larger goes in parts, which S3 puts together when the last one is there:
//! nobody finds a half. It is read in pieces of the same size, so that neither takes more memory than that. Parts of a server
//! that died in the midst are seen by nobody, and stay until a rule of the bucket removes them (`AbortIncompleteMultipartUpload`).
//!
//! Whoever calls waits: a thread, and no task of a runtime. Every request has a time limit, and what fails for a moment is asked
//! again for as long; twice that is the most that a part, a piece or a list takes.

mod address;
#[cfg(feature = "postgres")]
mod pieces;

pub(super) use address::Bucket;

use super::seam::{Segments, Writing};
use super::segments::aside;
use crate::door::Most;
use crate::s3::{self, Access, why};
use hyper::body::Bytes;
use object_store::aws::AmazonS3;
use object_store::client::{HttpError, HttpErrorKind};
use object_store::path::Path;
use object_store::{
    BackoffConfig, Error, GetOptions, MultipartUpload, ObjectStore as _, ObjectStoreExt as _, PutPayload, RetryConfig,
};
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How long a request may take, and how long one that fails for a moment is tried again.
const ANSWER: Duration = Duration::from_secs(60);
const RETRIES: usize = 4;
/// What is longer goes there in parts of so many bytes: S3 takes 10,000 of them, of 5 MB at least.
const PART: usize = 8 << 20;
/// One part, twice while it grows, and what signs and sends it.
const MEMORY: usize = 2 * PART + (1 << 20);
/// What is answered beside a part: its head, or a page of a list.
const BESIDE: usize = 1 << 20;

/// How long one waits for parts to be removed that nobody needs.
const ABORT: Duration = Duration::from_secs(10);
/// What S3 says to keys that it does not know, or that may not do this.
const REFUSED: [&str; 5] =
    ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "InvalidToken"];
/// What S3 says when not even the bucket is there.
const NO_BUCKET: &str = "NoSuchBucket";

/// A folder of a bucket. Names may have folders of their own: `p3/e17/name`.
pub(crate) struct Objects {
    /// Until it is dropped.
    runtime: Option<Runtime>,
    store: AmazonS3,
    /// How long a request may take.
    patience: Duration,
    folder: Path,
    /// Where people find the folder.
    place: String,
}

impl Objects {
    fn new(bucket: &Bucket, folder: &str, patience: Duration) -> io::Result<Self> {
        let place = format!("s3://{}/{folder}/", bucket.name);
        let unfit = |why: String| io::Error::other(format!("{place}: {why}"));
        let access = Access {
            endpoint: bucket.endpoint.as_deref(),
            region: &bucket.region,
            bucket: &bucket.name,
            key_id: &bucket.key_id,
            secret: &bucket.secret,
            token: bucket.token.as_deref(),
        };
        let most = Most { bytes: PART + BESIDE, time: patience };
        let backoff = BackoffConfig { init_backoff: patience / 100, max_backoff: patience / 10, base: 3.0 };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: patience };
        let store = s3::store(&bucket.door(), &access, most, retry).map_err(unfit)?;
        let folder = Path::parse(folder).map_err(|error| unfit(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime: Some(runtime), store, patience, folder, place })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.folder.clone(), |path, part| path.join(part))
    }

    /// Waits for an answer, no longer than twice as long as one request may take.
    fn ask<T>(&self, name: &str, asked: impl Future<Output = object_store::Result<T>>) -> io::Result<T> {
        let Some(runtime) = &self.runtime else { return Err(io::Error::other("the bucket is asked no more")) };
        let patience = self.patience.saturating_mul(2);
        match runtime.block_on(async { timeout(patience, asked).await }) {
            Ok(answered) => answered.map_err(|error| self.failed(name, &error)),
            Err(_) => {
                let said = format!("{}: no answer came within {} s", self.place(name), patience.as_secs_f32());
                Err(io::Error::new(io::ErrorKind::TimedOut, said))
            }
        }
    }

    /// A piece of an object, from an offset.
    async fn piece(&self, path: &Path, from: u64, tag: Option<String>) -> object_store::Result<Piece> {
        let range = Some((from..from.saturating_add(PART as u64)).into());
        let found = self.store.get_opts(path, GetOptions { range, if_match: tag, ..GetOptions::default() }).await?;
        let (len, tag) = (found.meta.size, found.meta.e_tag.clone());
        Ok(Piece { len, tag, bytes: found.bytes().await? })
    }

    /// The first piece. Of nothing there is none, and who asks for it is told that this is wrong.
    async fn first_piece(&self, path: &Path) -> object_store::Result<Piece> {
        match self.piece(path, 0, None).await {
            Err(error) if is_outside_of_it(&error) => {
                let found = self.store.head(path).await?;
                let is_empty = found.size == 0;
                if is_empty { Ok(Piece { len: 0, tag: None, bytes: Bytes::new() }) } else { Err(error) }
            }
            first => first,
        }
    }

    /// What happened, in words that hold no key.
    fn failed(&self, name: &str, error: &Error) -> io::Error {
        let why = why(error);
        let place = self.place(name);
        let is_late = is_late(error);
        // The crate tells it of some requests, and of others only what S3 said.
        let is_refused = matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. })
            || REFUSED.iter().any(|code| why.contains(code));
        match error {
            _ if is_refused => io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "{place}: {why}: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of this server, and that they may \
                     list the bucket and read, write and delete in this folder"
                ),
            ),
            // Without its bucket nothing is there, and that is no answer.
            _ if why.contains(NO_BUCKET) => {
                io::Error::other(format!("{place}: {why}: make the bucket, or name another one"))
            }
            Error::NotFound { .. } => io::Error::new(io::ErrorKind::NotFound, format!("{place}: {why}")),
            _ if is_late => io::Error::new(io::ErrorKind::TimedOut, format!("{place}: {why}")),
            _ => io::Error::other(format!("{place}: {why}")),
        }
    }
}

impl Segments for Objects {
    fn put(&self, name: &str, write: Writing<'_>) -> io::Result<()> {
        let mut parts = Parts { objects: self, name, bytes: Vec::new(), len: 0, upload: None, is_broken: false };
        write(&mut parts)?;
        parts.finish()
    }

    fn get(&self, name: &str) -> io::Result<(u64, Box<dyn Read + '_>)> {
        let path = self.path(name);
        let Piece { len, tag, bytes } = self.ask(name, self.first_piece(&path))?;
        let at = bytes.len() as u64;
        Ok((len, Box::new(Reading { objects: self, name: name.to_owned(), path, tag, len, at, piece: bytes })))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let listed = self.ask("", self.store.list_with_delimiter(Some(&self.folder)))?;
        let name = |path: &Path| {
            let mut parts = path.prefix_match(&self.folder)?;
            let name = parts.next()?.as_ref().to_owned();
            // Consoles make objects that stand for a folder.
            parts.next().is_none().then_some(name)
        };
        Ok(listed.objects.iter().filter_map(|object| name(&object.location)).collect())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        self.ask(name, self.store.delete(&path))
    }

    fn set_aside(&self, name: &str) -> io::Result<()> {
        let (from, to) = (self.path(name), self.path(&aside(name)));
        self.ask(name, self.store.copy(&from, &to))?;
        self.ask(name, self.store.delete(&from))
    }

    fn place(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // Whoever drops it may be a task, and a name that is looked up still is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Objects({})", self.place)
    }
}

/// What one request brought.
struct Piece {
    /// Of the whole object.
    len: u64,
    /// Tells it from another one under its name.
    tag: Option<String>,
    bytes: Bytes,
}

/// Reads an object piece by piece.
struct Reading<'a> {
    objects: &'a Objects,
    name: String,
    path: Path,
    tag: Option<String>,
    len: u64,
    /// Where the next piece begins.
    at: u64,
    piece: Bytes,
}

impl Read for Reading<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() && self.at < self.len {
            // What is there now under this name says the same in other bytes, perhaps: of two a piece each is none.
            let next = self.objects.piece(&self.path, self.at, self.tag.clone());
            let Piece { bytes, .. } = self.objects.ask(&self.name, next)?;
            if bytes.is_empty() {
                // Its end would be taken for damage.
                return Err(io::Error::other(format!("{}: nothing is answered", self.objects.place(&self.name))));
            }
            self.at += bytes.len() as u64;
            self.piece = bytes;
        }
        let len = into.len().min(self.piece.len());
        let (into, _) = into.split_at_mut(len);
        into.copy_from_slice(&self.piece.split_to(len));
        Ok(len)
    }
}

/// Sends what is written, part by part.
struct Parts<'a> {
    objects: &'a Objects,
    name: &'a str,
    /// The part that grows.
    bytes: Vec<u8>,
    /// Of all.
    len: u64,
    /// Begun when there is more than one part.
    upload: Option<Box<dyn MultipartUpload>>,
    /// One part was not taken, and whoever writes is told each time: some try once more when they are dropped.
    is_broken: bool,
}

impl Parts<'_> {
    fn send(&mut self) -> io::Result<()> {
        let part = PutPayload::from(std::mem::take(&mut self.bytes));
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => {
                let path = self.objects.path(self.name);
                self.objects.ask(self.name, self.objects.store.put_multipart(&path))?
            }
        };
        let sent = self.objects.ask(self.name, upload.put_part(part));
        self.upload = Some(upload);
        sent
    }

    fn finish(mut self) -> io::Result<()> {
        let path = self.objects.path(self.name);
        if self.is_broken {
            return Err(self.broken());
        }
        if self.upload.is_none() {
            let all = PutPayload::from(std::mem::take(&mut self.bytes));
            return self.objects.ask(self.name, self.objects.store.put(&path, all)).map(drop);
        }
        if !self.bytes.is_empty() {
            self.send()?;
        }
        let Some(upload) = &mut self.upload else { return Ok(()) };
        let completed = self.objects.ask(self.name, upload.complete());
        let is_there = || {
            let found = self.objects.ask(self.name, self.objects.store.head(&path));
            found.is_ok_and(|found| found.size == self.len)
        };
        // When the answer was lost, the second one says that there are no such parts any more.
        if let Err(error) = completed
            && !is_there()
        {
            return Err(error);
        }
        self.upload = None;
        Ok(())
    }

    fn broken(&self) -> io::Error {
        io::Error::other(format!("{}: a part of it was not taken", self.objects.place(self.name)))
    }
}

impl Write for Parts<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken {
            return Err(self.broken());
        }
        if self.bytes.len() == PART {
            self.is_broken = true;
            self.send()?;
            self.is_broken = false;
        }
        let (now, _) = bytes.split_at(bytes.len().min(PART - self.bytes.len()));
        self.bytes.extend_from_slice(now);
        self.len += now.len() as u64;
        Ok(now.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Parts<'_> {
    /// Parts that nobody puts together cost money.
    fn drop(&mut self) {
        let (Some(mut upload), Some(runtime)) = (self.upload.take(), &self.objects.runtime) else { return };
        // When it fails, the rule of the bucket removes them.
        drop(runtime.block_on(async { timeout(ABORT, upload.abort()).await }));
    }
}

/// Whether one asked for what is behind the end: so S3 calls the beginning of nothing.
fn is_outside_of_it(error: &Error) -> bool {
    why(error).contains("InvalidRange")
}

/// Whether no answer came in time.
fn is_late(error: &Error) -> bool {
    let mut inner = std::error::Error::source(error);
    while let Some(error) = inner {
        if error.downcast_ref::<HttpError>().is_some_and(|error| error.kind() == HttpErrorKind::Timeout) {
            return true;
        }
        inner = error.source();
    }
    false
}
