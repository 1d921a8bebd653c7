//! Where a bucket is, as the configuration says it, and the keys to it.

use super::{ANSWER, Objects};
use crate::door::{Allowed, Outbound};
use crate::journal::snapshots::Named;
use crate::networks::Network;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";
/// The first one counts.
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// A bucket, a place in it, and who asks.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::journal) struct Bucket {
    /// Of Amazon, if there is none.
    pub(super) endpoint: Option<String>,
    pub(super) region: String,
    pub(super) name: String,
    /// Empty, or with a `/` at its end.
    pub(super) prefix: String,
    pub(super) key_id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

impl Bucket {
    pub(in crate::journal) const MEMORY: usize = super::MEMORY;

    /// Reads what stands behind `s3://`.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub(in crate::journal) fn parse(rest: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (path, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (name, prefix) = path.split_once('/').unwrap_or((path, ""));
        if name.contains(['@', ':']) {
            return Err(format!("holds no keys: they are in the environment, as {KEY_ID} and {SECRET}"));
        }
        if !is_bucket(name) {
            return Err("names its bucket behind s3://: 3 to 63 of a-z, 0-9, - and .".to_owned());
        }
        let prefix = prefix.trim_end_matches('/');
        if !prefix.is_empty() && !prefix.split('/').all(is_folder) {
            return Err("has a prefix whose parts are of letters, digits and ! - _ . * ' ( ), with one / between two"
                .to_owned());
        }
        let (mut endpoint, mut region) = (None, None);
        for (option, value) in form_urlencoded::parse(options.as_bytes()) {
            let known = match &*option {
                "endpoint" => &mut endpoint,
                "region" => &mut region,
                _ => return Err("has an option that is none: behind ? there are region and endpoint".to_owned()),
            };
            if known.replace(value.into_owned()).is_some() {
                return Err(format!("has {option} twice"));
            }
        }
        if let Some(endpoint) = &endpoint {
            check_endpoint(endpoint)?;
        }
        let Some(region) = region.or_else(|| REGIONS.into_iter().find_map(variable)) else {
            return Err("has no region: say it behind ?, as in s3://BUCKET/PREFIX?region=eu-central-1, or set \
                        AWS_REGION; servers of others often take us-east-1 or auto"
                .to_owned());
        };
        if !is_region(&region) {
            return Err("has a region that is none: a-z, 0-9 and -, as in region=eu-central-1".to_owned());
        }
        let key = |name: &str| {
            let missing = || format!("is a bucket, and {name} is not set: give this server {KEY_ID} and {SECRET}");
            variable(name).ok_or_else(missing)
        };
        let (key_id, secret, token) = (key(KEY_ID)?, key(SECRET)?, variable(TOKEN));
        // What goes into the head of a request.
        let is_clean = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_clean(&key_id) || !token.as_deref().is_none_or(is_clean) {
            return Err(format!("is a bucket, and {KEY_ID} or {TOKEN} holds what is no letter and no digit"));
        }
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { endpoint, region, name: name.to_owned(), prefix, key_id, secret, token })
    }

    /// Snapshots in a folder below its prefix.
    pub(in crate::journal) fn snapshots(&self, folder: &str) -> io::Result<Named> {
        Ok(Named::new(Arc::new(self.objects(folder, ANSWER)?)))
    }

    /// What lies in a folder below its prefix. A request is given up after so long.
    pub(in crate::journal) fn objects(&self, folder: &str, patience: Duration) -> io::Result<Objects> {
        Objects::new(self, &format!("{}{folder}", self.prefix), patience)
    }

    pub(in crate::journal) fn is_plain(&self) -> bool {
        let Some(rest) = self.endpoint.as_deref().and_then(|endpoint| endpoint.strip_prefix("http://")) else {
            return false;
        };
        let host = host(rest);
        host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// A door for it alone. The operator names it, so that it may be inside.
    pub(super) fn door(&self) -> Outbound {
        operators_door(self.endpoint.as_deref())
    }
}

fn operators_door(endpoint: Option<&str>) -> Outbound {
    let everywhere = ["0.0.0.0/0", "::/0"].into_iter().filter_map(Network::parse).map(Allowed::Network);
    let name = endpoint.and_then(|endpoint| endpoint.split_once("://")).map(|(_, rest)| host(rest));
    let named = name.map(|name| Allowed::Host { name: name.trim_end_matches('.').to_ascii_lowercase(), port: None });
    Outbound::new(everywhere.chain(named).collect())
}

/// What stands behind the scheme, without port and without brackets.
fn host(rest: &str) -> &str {
    let authority = rest.split('/').next().unwrap_or(rest);
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), String> {
    operators_door(Some(endpoint)).check(endpoint).map_err(|shut| format!("has an endpoint that is none: {shut}"))?;
    if endpoint.trim_end_matches('/').splitn(4, '/').nth(3).is_some() || endpoint.contains(['?', '#']) {
        return Err("has an endpoint with a path: it is its address alone, as in https://s3.example.com".to_owned());
    }
    Ok(())
}

fn is_bucket(name: &str) -> bool {
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
        && !name.contains("..")
}

fn is_region(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// What S3 calls safe in a key.
fn is_folder(name: &str) -> bool {
    !["", ".", ".."].contains(&name)
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!-_.*'()".contains(&byte))
}

/// Without keys.
#[cfg(feature = "postgres")]
impl Bucket {
    /// With where it is: another server may have one of the same name.
    pub(in crate::journal) fn with_server(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => format!("{self} of {endpoint}"),
            None => format!("{self} in {}", self.region),
        }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.name, self.prefix)
    }
}
