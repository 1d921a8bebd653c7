//! The bucket that an account has its archives put into, and what has become of each.

use super::problem::Problem;
use super::{Asked, Done, PATIENCE, blocking, json};
use log_archive::Keys;
use logdrain_drain::archives::{Upload, bucket};
use logdrain_drain::directory::Bucket;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The longest secret key.
const SECRET: usize = 256;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    endpoint: Option<String>,
    region: Option<String>,
    bucket: String,
    prefix: Option<String>,
    key_id: String,
    secret_key: Option<String>,
}

/// Where no other is said.
const REGION: &str = "us-east-1";

pub(super) fn show(asked: &Asked) -> Result<Done, Problem> {
    asked.sees_all()?;
    let account = &asked.viewer.account;
    Ok(Done::Json(json(&shape(asked, asked.site().directory.bucket(account).as_deref()))?))
}

fn shape(asked: &Asked, bucket: Option<&Bucket>) -> Value {
    let told = bucket.map(|Bucket { endpoint, region, name, prefix, key_id, .. }| {
        // The secret is not to be had again.
        json!({ "endpoint": endpoint, "region": region, "bucket": name, "prefix": prefix, "key_id": key_id })
    });
    let trouble = asked.site().uploads.trouble(&asked.viewer.account);
    json!({ "bucket": told, "trouble": trouble, "uploads": bucket::IS_THERE })
}

pub(super) async fn set(asked: &Arc<Asked>, said: Said) -> Result<Done, Problem> {
    asked.changes()?;
    if !bucket::IS_THERE {
        return Err(Problem::wrong("this server was built without the feature s3, and uploads nothing"));
    }
    let _alone = asked.alone().await?;
    let account = asked.account();
    let known = asked.site().directory.bucket(&account);
    let Said { endpoint, region, bucket: name, prefix, key_id, secret_key } = said;
    let endpoint = endpoint.map(|endpoint| endpoint.trim_end_matches('/').to_owned());
    let mut bucket = Bucket {
        endpoint: endpoint.filter(|endpoint| !endpoint.is_empty()),
        region: region.unwrap_or_else(|| REGION.to_owned()),
        name,
        prefix: prefix.unwrap_or_else(|| Keys::PREFIX.to_owned()),
        key_id,
        secret: String::new(),
    };
    bucket::check(&bucket, &account, asked.site().uploads.outbound()).map_err(Problem::wrong)?;
    match (secret_key, known) {
        (Some(secret), _)
            if (1..=SECRET).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            let sealed = blocking(asked, move |asked| {
                asked.site().uploads.seal(&asked.viewer.account, &secret).map_err(|why| {
                    tracing::error!(%why, "the secret key of a bucket cannot be kept");
                    Problem::later(why)
                })
            });
            bucket.secret = sealed.await?;
        }
        // With the same keys, at the same place: a key is not sent where its owner did not say.
        (None, Some(known)) if known.key_id == bucket.key_id && known.endpoint == bucket.endpoint => {
            bucket.secret.clone_from(&known.secret);
        }
        (Some(_), _) => return Err(Problem::wrong(format!("secret_key has at most {SECRET} letters and digits"))),
        (None, _) => return Err(Problem::wrong("secret_key is missing")),
    }
    let told = blocking(asked, move |asked| {
        asked.site().directory.set_bucket(&asked.viewer.account, bucket.clone())?;
        asked.site().uploads.begin_again(&asked.viewer.account);
        json(&shape(asked, Some(&bucket)))
    });
    Ok(Done::Json(told.await?))
}

pub(super) async fn remove(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    let _alone = asked.alone().await?;
    blocking(asked, move |asked| {
        asked.site().directory.remove_bucket(&asked.viewer.account)?;
        asked.site().uploads.begin_again(&asked.viewer.account);
        Ok(())
    })
    .await?;
    Ok(Done::Gone)
}

/// Writes an object there, and removes it.
pub(super) async fn test(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.changes()?;
    let account = asked.account();
    let Some(bucket) = asked.site().directory.bucket(&account) else {
        return Err(Problem::nothing("the account has no bucket"));
    };
    let one = asked.api.tries.take(asked.viewer.counts_as(), 1, PATIENCE).await.ok_or_else(Problem::busy)?;
    let tested = asked.site().uploads.test(&account, &bucket).await;
    drop(one);
    // What was wrong may be right now.
    if tested.is_ok() {
        asked.site().uploads.begin_again(&account);
    }
    Ok(Done::Json(json(&json!({ "ok": tested.is_ok(), "why": tested.err() }))?))
}

/// Archives, oldest first, with what has become of each on its way.
pub(super) async fn archives(asked: &Arc<Asked>) -> Result<Done, Problem> {
    asked.sees_all()?;
    let told = blocking(asked, move |asked| {
        let (site, account) = (asked.site(), &asked.viewer.account);
        let archives = site.archives.of_account(account).list(account);
        let found = archives.and_then(|all| site.uploads.states(account, &all).map(|states| (all, states)));
        let (archives, states) = found.map_err(|error| {
            tracing::warn!(%error, "archives cannot be listed");
            Problem::later("archives cannot be listed now")
        })?;
        let told = archives.iter().enumerate().map(|(index, archive)| {
            let (upload, at, why) = match states.as_ref().and_then(|states| states.get(index)) {
                None => (None, None, None),
                Some(Upload::Waiting) => (Some("waiting"), None, None),
                Some(Upload::Uploaded { at }) => (Some("uploaded"), Some(*at), None),
                Some(Upload::Failed { why, tries }) => {
                    (Some("failed"), None, Some(format!("{why} (tried {tries} times)")))
                }
            };
            json!({
                "hour": archive.hour.to_string(), "file": archive.hour.file_name(), "bytes": archive.bytes,
                "upload": upload, "uploaded_at": at, "why": why,
            })
        });
        json(&json!({ "archives": told.collect::<Vec<_>>() }))
    });
    Ok(Done::Json(told.await?))
}
