//! Archives on their way to a bucket.

use crate::archives::shelf::Opened;
use crate::directory::Bucket;
use crate::door::{Most, Outbound};
use crate::s3::{self, Access, why};
use hyper::body::Bytes;
use log_archive::Keys;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{MultipartUpload as _, ObjectStoreExt as _, PutPayload, RetryConfig};
use std::io::Read;
use std::time::Duration;
use tokio::task::spawn_blocking;

/// An archive that is longer goes there in parts of so many bytes: S3 takes 10,000 of them.
const PART: usize = 5 << 20;
/// One part, and what signs and sends it.
pub(in crate::archives) const MEMORY: usize = 2 * PART + (1 << 20);
/// What a bucket answers to what is asked here, and how long one part may take.
const MOST: Most = Most { bytes: 1 << 20, time: Duration::from_secs(120) };

/// Puts a file there, under its key.
pub(in crate::archives) async fn put(
    outbound: &Outbound,
    bucket: &Bucket,
    secret: &str,
    key: &str,
    mut file: Opened,
    len: u64,
) -> Result<(), String> {
    let store = store(outbound, bucket, secret)?;
    let path = Path::parse(key).map_err(|error| why(&error))?;
    if len <= PART as u64 {
        let (_, bytes) = part(file).await?;
        return store.put(&path, bytes.into()).await.map(drop).map_err(|error| why(&error));
    }
    let mut upload = store.put_multipart(&path).await.map_err(|error| why(&error))?;
    let sent = async {
        loop {
            let (rest, bytes) = part(file).await?;
            file = rest;
            if bytes.is_empty() {
                break;
            }
            upload.put_part(PutPayload::from(bytes)).await.map_err(|error| why(&error))?;
        }
        upload.complete().await.map(drop).map_err(|error| why(&error))
    };
    let sent = sent.await;
    if sent.is_err() {
        // Parts that nobody puts together cost money.
        let _ = upload.abort().await;
    }
    sent
}

/// Writes an object and removes it.
pub(in crate::archives) async fn test(
    outbound: &Outbound,
    account: &str,
    bucket: &Bucket,
    secret: &str,
) -> Result<(), String> {
    let store = store(outbound, bucket, secret)?;
    let keys = Keys::new(&bucket.prefix, account).map_err(|error| error.to_string())?;
    let path = Path::parse(format!("{}logdrain-test", keys.folder())).map_err(|error| why(&error))?;
    let text = PutPayload::from_static(b"logdrain writes archives here. This is a test, and is removed at once.\n");
    store.put(&path, text).await.map_err(|error| format!("an object cannot be written: {}", why(&error)))?;
    let removed = store.delete(&path).await;
    removed.map_err(|error| format!("an object was written, and cannot be removed: {}", why(&error)))
}

fn store(outbound: &Outbound, bucket: &Bucket, secret: &str) -> Result<AmazonS3, String> {
    let access = Access {
        endpoint: bucket.endpoint.as_deref(),
        region: &bucket.region,
        bucket: &bucket.name,
        key_id: &bucket.key_id,
        secret,
        token: None,
    };
    // Whoever asks tries again, and says so.
    s3::store(outbound, &access, MOST, RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

/// The next part of a file; nothing at its end.
async fn part(mut file: Opened) -> Result<(Opened, Bytes), String> {
    let read = spawn_blocking(move || {
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(PART as u64).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>((file, bytes.into()))
    });
    let read = read.await.map_err(|error| error.to_string())?;
    read.map_err(|error| format!("the archive cannot be read: {error}"))
}
