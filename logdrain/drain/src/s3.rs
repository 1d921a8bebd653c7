//! Speaks to a bucket as S3 wants it, by the outbound door: the crate signs, splits and reads answers, and never connects.

use crate::door::{Most, Outbound, Why};
use http_body_util::BodyExt as _;
use hyper::Request;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use object_store::{ClientOptions, RetryConfig};
use std::error::Error;
use std::fmt::Write as _;
use std::pin::Pin;

/// A bucket, and who asks it.
pub(crate) struct Access<'a> {
    /// Of Amazon, if there is none.
    pub(crate) endpoint: Option<&'a str>,
    pub(crate) region: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    /// Comes with keys that are lent for some hours.
    pub(crate) token: Option<&'a str>,
}

/// A bucket that is asked by the door, each time for so much.
pub(crate) fn store(
    outbound: &Outbound,
    access: &Access<'_>,
    most: Most,
    retry: RetryConfig,
) -> Result<AmazonS3, String> {
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(access.bucket)
        .with_region(access.region)
        .with_access_key_id(access.key_id)
        .with_secret_access_key(access.secret)
        .with_virtual_hosted_style_request(false)
        // The door says what may be asked without TLS.
        .with_allow_http(true)
        // Not every server that speaks S3 takes several at once.
        .with_disable_bulk_delete(true)
        .with_retry(retry)
        .with_http_connector(Way { outbound: outbound.clone(), most });
    if let Some(token) = access.token {
        builder = builder.with_token(token);
    }
    if let Some(endpoint) = access.endpoint {
        builder = builder.with_endpoint(endpoint.trim_end_matches('/'));
    }
    builder.build().map_err(|error| why(&error))
}

/// What is wrong, in words that may be shown: what S3 calls it, or else what the innermost error says.
pub(crate) fn why(error: &(dyn Error + 'static)) -> String {
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
struct Way {
    outbound: Outbound,
    most: Most,
}

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
            match self.outbound.send(request, self.most).await {
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
