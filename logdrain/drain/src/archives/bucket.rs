//! A bucket of an account: what may be one, and what is put there. What speaks to it is a part of the program that can be left
//! out.

#[cfg(feature = "s3")]
mod s3;

#[cfg(feature = "s3")]
pub(super) use s3::{MEMORY, put, test};

use crate::directory::Bucket;
use crate::door::Outbound;
use log_archive::{Keys, Period};
use sha2::{Digest as _, Sha256};

/// Whether anything is uploaded by this program.
pub const IS_THERE: bool = cfg!(feature = "s3");

/// What is said where that part was left out.
#[cfg(not(feature = "s3"))]
const LEFT_OUT: &str = "this logdrain was built without the feature s3, and uploads nothing";

/// Whether it may be one: as far as that can be told without asking it.
///
/// # Errors
/// Why not, in words.
pub fn check(bucket: &Bucket, account: &str, outbound: &Outbound) -> Result<(), String> {
    let Bucket { endpoint, region, name, prefix, key_id, .. } = bucket;
    let is_name = |text: &str| {
        (3..=63).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
            && !text.contains("..")
    };
    if !is_name(name) {
        return Err("bucket: its name has 3 to 63 of a-z, 0-9, - and .".to_owned());
    }
    let is_region = |text: &str| {
        (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    if !is_region(region) {
        return Err("region: as in eu-central-1".to_owned());
    }
    if !(1..=128).contains(&key_id.len()) || !key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("key_id: the access key's id, of at most 128 letters and digits".to_owned());
    }
    Keys::new(prefix, account).map_err(|error| format!("prefix: {error}"))?;
    if let Some(endpoint) = endpoint {
        outbound.check(endpoint).map_err(|shut| format!("endpoint: {shut}"))?;
        if endpoint.trim_end_matches('/').splitn(4, '/').nth(3).is_some() || endpoint.contains(['?', '#']) {
            return Err("endpoint: its address alone, as in https://s3.example.com".to_owned());
        }
    }
    Ok(())
}

/// What tells a bucket from others, with the place in it.
pub(super) fn id(bucket: &Bucket) -> String {
    let Bucket { endpoint, region, name, prefix, .. } = bucket;
    let all = format!("{}\n{region}\n{name}\n{prefix}", endpoint.as_deref().unwrap_or_default());
    Sha256::digest(all).iter().take(16).fold(String::new(), |id, byte| format!("{id}{byte:02x}"))
}

/// Where an hour lies in it.
pub(super) fn key(account: &str, bucket: &Bucket, hour: Period) -> Result<String, String> {
    Ok(Keys::new(&bucket.prefix, account).map_err(|error| error.to_string())?.key(hour))
}

#[cfg(not(feature = "s3"))]
pub(super) const MEMORY: usize = 0;

#[cfg(not(feature = "s3"))]
#[expect(clippy::unused_async, reason = "the other one waits")]
pub(super) async fn put(
    _: &Outbound,
    _: &Bucket,
    _: &str,
    _: &str,
    _: super::shelf::Opened,
    _: u64,
) -> Result<(), String> {
    Err(LEFT_OUT.to_owned())
}

#[cfg(not(feature = "s3"))]
#[expect(clippy::unused_async, reason = "the other one waits")]
pub(super) async fn test(_: &Outbound, _: &str, _: &Bucket, _: &str) -> Result<(), String> {
    Err(LEFT_OUT.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket() -> Bucket {
        Bucket {
            endpoint: None,
            region: "eu-central-1".to_owned(),
            name: "logs-of-shop".to_owned(),
            prefix: Keys::PREFIX.to_owned(),
            key_id: "AKIAEXAMPLE".to_owned(),
            secret: "sealed".to_owned(),
        }
    }

    #[test]
    fn what_may_be_a_bucket_is_said() {
        let outbound = Outbound::new(Vec::new());
        let checked = |bucket: Bucket| check(&bucket, "shop", &outbound).err().unwrap_or_default();
        assert_eq!(checked(bucket()), "");
        assert_eq!(checked(Bucket { endpoint: Some("https://s3.example.com".to_owned()), ..bucket() }), "");
        assert_eq!(checked(Bucket { prefix: String::new(), ..bucket() }), "");
        for (wrong, said) in [
            (Bucket { name: "a".to_owned(), ..bucket() }, "bucket: "),
            (Bucket { name: "../x".to_owned(), ..bucket() }, "bucket: "),
            (Bucket { name: "with/slash".to_owned(), ..bucket() }, "bucket: "),
            (Bucket { region: "eu\r\nX: y".to_owned(), ..bucket() }, "region: "),
            (Bucket { region: "evil.example.com/".to_owned(), ..bucket() }, "region: "),
            (Bucket { key_id: "a b".to_owned(), ..bucket() }, "key_id: "),
            (Bucket { prefix: "../../x".to_owned(), ..bucket() }, "prefix: "),
            (Bucket { endpoint: Some("http://s3.example.com".to_owned()), ..bucket() }, "endpoint: "),
            (Bucket { endpoint: Some("https://127.0.0.1:9000".to_owned()), ..bucket() }, "endpoint: "),
            (Bucket { endpoint: Some("https://s3.example.com/path".to_owned()), ..bucket() }, "endpoint: "),
            (Bucket { endpoint: Some("https://s3.example.com?x=y".to_owned()), ..bucket() }, "endpoint: "),
            (Bucket { endpoint: Some("https://u:p@s3.example.com".to_owned()), ..bucket() }, "endpoint: "),
        ] {
            let found = checked(wrong.clone());
            assert!(found.starts_with(said), "{wrong:?}: {found}");
        }
    }

    #[test]
    fn a_bucket_is_another_one_when_archives_come_to_lie_elsewhere() {
        let own = id(&bucket());
        assert_eq!(id(&Bucket { secret: "other".to_owned(), key_id: "B".to_owned(), ..bucket() }), own);
        assert_ne!(id(&Bucket { prefix: "other".to_owned(), ..bucket() }), own);
        assert_ne!(id(&Bucket { endpoint: Some("https://s3.example.com".to_owned()), ..bucket() }), own);
        let hour: Period = "2026-11-28-22".parse().unwrap();
        assert_eq!(key("shop", &bucket(), hour).unwrap(), "papertrail/logs/shop/dt=2026-11-28/2026-11-28-22.tsv.gz");
    }
}
