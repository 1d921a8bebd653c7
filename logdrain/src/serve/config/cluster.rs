//! What the file says of nodes that share a journal.

use super::file::{Cluster as Section, Size, Span};
use super::{Wrong, secrets};
use logdrain_drain::journal::SnapshotPlace;
use logdrain_drain::neighbours::{Secret, Url};
use logdrain_drain::parts::{self, Parts, Split};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// How many partitions there are, when the file does not say it.
const PARTITIONS: u16 = 8;
/// How long a node that says nothing keeps what it owns: when the file does not say it, at least, and at most.
const LEASE: Duration = Duration::from_secs(2);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Of lines and archives that lie in a bucket, on a node's own disk: when the file does not say it, and at least.
const CACHE: u64 = 4 << 30;
const SMALLEST_CACHE: u64 = 64 << 20;

/// Which part a server has in others' work.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Cluster {
    pub(crate) parts: Parts,
    /// Where lines are kept, all of an account's are in one partition.
    pub(crate) split: Split,
    /// Where every node finds what another one counted.
    pub(crate) snapshots: SnapshotPlace,
    /// Bytes of its own disk for lines and archives that lie in a bucket.
    pub(crate) cache: u64,
    pub(crate) lease: Duration,
    /// What the nodes know each other by who pass requests on; without it none does.
    pub(crate) secret: Option<Secret>,
    /// How the others reach this one, if it is not where it listens.
    pub(crate) url: Option<Url>,
}

impl Cluster {
    /// How the others reach a node that listens there; `None` where requests are not passed on.
    pub(crate) fn url_at(&self, listen: SocketAddr) -> Option<Url> {
        self.secret.as_ref()?;
        self.url.clone().or_else(|| Url::parse(&format!("http://{listen}")))
    }

    /// The most drains of one partition, where there are so many in all: its share and a half, and some, since they are not
    /// spread evenly.
    pub(crate) fn drains(&self, all: usize) -> usize {
        let share = all.div_ceil(usize::from(self.parts.count()));
        all.min(share + share / 2 + 8)
    }

    /// What rules of one partition may remember, where those of all may so much: its share and a half, since accounts are not
    /// spread evenly.
    pub(super) fn alerts(&self, all: usize) -> usize {
        let share = all / usize::from(self.parts.count());
        all.min(share + share / 2)
    }
}

/// What else the file says that nodes look at.
pub(super) struct Others {
    pub(super) has_journal: bool,
    pub(super) has_addon: bool,
    pub(super) keeps_lines: bool,
}

/// Checks the section. `listen` is where the server listens, and whether that is encrypted.
pub(super) fn of_file(
    section: Option<Section>,
    others: &Others,
    (listen, is_encrypted): (SocketAddr, bool),
    beside: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Option<Cluster>, Wrong> {
    let Some(Section { partitions, snapshots, cache, lease, url, secret_file }) = section else { return Ok(None) };
    if !others.has_journal {
        return Err(Wrong::new(
            "[cluster]: nodes share a journal in a database: journal = \"postgres://...\" is missing",
        ));
    }
    if others.has_addon && !others.keeps_lines {
        return Err(Wrong::new(
            "[addon]: nodes keep what accounts say where they keep lines, all of an account's in one partition: logs_limit is \
             missing",
        ));
    }
    let parts = Parts::new(partitions.unwrap_or(PARTITIONS));
    let parts = parts.ok_or_else(|| Wrong(format!("[cluster], partitions: is from 1 to {}", parts::MOST)))?;
    let snapshots =
        SnapshotPlace::parse(&snapshots, variable).map_err(|why| Wrong(format!("[cluster], snapshots: {why}")))?;
    let is_bucket = snapshots.folder(0).is_none();
    if cache.is_some() && !(is_bucket && others.keeps_lines) {
        return Err(Wrong::new(
            "[cluster], cache: is for lines that lie in a bucket: logs_limit is missing, or snapshots is a folder",
        ));
    }
    let cache = cache.map_or(CACHE, |Size(bytes)| bytes as u64);
    if cache < SMALLEST_CACHE {
        return Err(Wrong::new("[cluster], cache: is 64MB at least"));
    }
    let split = if others.keeps_lines { Split::ByAccount } else { Split::ByDrain };
    if snapshots.is_plain() {
        warnings.push("[cluster], snapshots: names and numbers of metrics can be read on the way: http".to_owned());
    }
    let lease = lease.map_or(LEASE, |Span(lease)| lease);
    if !(SHORTEST..=LONGEST).contains(&lease) {
        return Err(Wrong::new("[cluster], lease: is from 1s to 60s"));
    }
    let url = url.map(|text| {
        Url::parse(&text).ok_or(Wrong::new(
            "[cluster], url: expected https://HOST:PORT, by which the other nodes reach this one; http:// is for a loopback \
             address",
        ))
    });
    let url = url.transpose()?;
    let secret = secret_file.map(|path| {
        let text = secrets::secret("secret", None, Some(path), beside, "[cluster]", warnings)?;
        Secret::new(text).ok_or(Wrong::new("[cluster], secret_file: a secret of nodes has 32 bytes at least"))
    });
    let secret = secret.transpose()?;
    match (&secret, &url) {
        (None, Some(_)) => {
            return Err(Wrong::new("[cluster], secret_file: is missing, by which nodes know who passes a request on"));
        }
        (Some(_), None) if is_encrypted || !listen.ip().is_loopback() => {
            return Err(Wrong::new(
                "[cluster], url: is missing: the other nodes have to reach this one, as url = \"https://10.0.0.11:8514\"",
            ));
        }
        (None, _) if others.keeps_lines => {
            return Err(Wrong::new(
                "[cluster], secret_file: is missing: nodes that keep lines pass requests on to each other",
            ));
        }
        _ => {}
    }
    Ok(Some(Cluster { parts, split, snapshots, cache, lease, secret, url }))
}
