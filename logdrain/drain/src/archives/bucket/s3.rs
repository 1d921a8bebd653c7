//! Speaks to a bucket as S3 wants it, by the outbound door: the crate signs, splits and reads answers, and never connects.

use crate::directory::Bucket;
use crate::door::{Most, Outbound, Why};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Bytes;
use log_archive::Keys;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, MultipartUpload as _, ObjectStoreExt as _, PutPayload, RetryConfig};
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::pin::Pin;
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
    mut file: File,
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
    let builder = AmazonS3Builder::new()
        .with_bucket_name(&bucket.name)
        .with_region(&bucket.region)
        .with_access_key_id(&bucket.key_id)
        .with_secret_access_key(secret)
        .with_virtual_hosted_style_request(false)
        // The door says what may be asked without TLS.
        .with_allow_http(true)
        // Whoever asks tries again, and says so.
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
        .with_http_connector(Way(outbound.clone()));
    let builder = match &bucket.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint.trim_end_matches('/')),
        None => builder,
    };
    builder.build().map_err(|error| why(&error))
}

/// The next part of a file; nothing at its end.
async fn part(mut file: File) -> Result<(File, Bytes), String> {
    let read = spawn_blocking(move || {
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(PART as u64).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>((file, bytes.into()))
    });
    let read = read.await.map_err(|error| error.to_string())?;
    read.map_err(|error| format!("the archive cannot be read: {error}"))
}

/// What is wrong, in words that may be shown: what S3 calls it, or else what the innermost error says.
fn why(error: &(dyn Error + 'static)) -> String {
    let mut chain = vec![error.to_string()];
    let mut inner = error.source();
    while let Some(error) = inner {
        chain.push(error.to_string());
        inner = error.source();
    }
    let between = |text: &str, start: &str, end: &str| {
        let rest = text.split_once(start)?.1;
        Some(rest.split_once(end)?.0.to_owned())
    };
    let code = chain.iter().find_map(|text| between(text, "<Code>", "</Code>"));
    let message = chain.iter().find_map(|text| between(text, "<Message>", "</Message>"));
    let mut said = match code {
        Some(code) => format!("the bucket answers {code}"),
        None => chain.pop().unwrap_or_default(),
    };
    if let Some(message) = message {
        let _ = write!(said, ": {message}");
    }
    said.chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// The door, as the crate asks.
#[derive(Clone, Debug)]
struct Way(Outbound);

impl HttpConnector for Way {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

type Answered<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Way {
    fn call<'me, 'future>(&'me self, request: HttpRequest) -> Answered<'future>
    where
        'me: 'future,
        Self: 'future,
    {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let request = Request::from_parts(parts, body.boxed());
            match self.0.send(request, MOST).await {
                Ok(answer) => Ok(answer.map(Into::into)),
                Err(shut) => {
                    let kind = match shut.why {
                        Why::Refused => HttpErrorKind::Unknown,
                        Why::Unreached => HttpErrorKind::Connect,
                        Why::Broken => HttpErrorKind::Interrupted,
                        Why::Late => HttpErrorKind::Timeout,
                    };
                    Err(HttpError::new(kind, shut))
                }
            }
        })
    }
}
