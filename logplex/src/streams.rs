//! The streams that the traffic fills, under numbers, with the names, units and tags that the documentation gives them.
//!
//! They are written down here a second time, on purpose: the truth must not be read from the tables it is to judge.

use std::collections::{BTreeMap, HashMap};
use testkit::reference::{Key, Kind};

/// The number of a stream.
pub(crate) type Stream = u32;

/// One value of one stream, at one instant.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Observed {
    pub(crate) stream: Stream,
    pub(crate) value: f64,
    /// Microseconds since 1970.
    pub(crate) time: i64,
}

/// All streams that were opened.
#[derive(Debug)]
pub(crate) struct Streams {
    /// The name of the app, a tag of native metrics.
    app: Option<String>,
    keys: Vec<Key>,
    numbers: HashMap<Name, Stream>,
}

type Name = (String, BTreeMap<String, String>);
/// Name, kind, unit.
type Metric = (&'static str, Kind, &'static str);

impl Streams {
    pub(crate) fn new(app: Option<&str>) -> Self {
        Self { app: app.map(str::to_owned), keys: Vec::new(), numbers: HashMap::new() }
    }

    /// The stream of this metric and these tags, opened when it is new.
    pub(crate) fn open(&mut self, (name, kind, unit): Metric, tags: &[(&str, &str)]) -> Stream {
        let mut tags: BTreeMap<String, String> =
            tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if let Some(app) = self.app.as_ref().filter(|_| name.starts_with("heroku.")) {
            tags.insert("app_name".to_owned(), app.clone());
        }
        let (keys, name) = (&mut self.keys, (name.to_owned(), tags));
        *self.numbers.entry(name).or_insert_with_key(|(name, tags)| {
            keys.push(Key { name: name.clone(), kind, unit: unit.to_owned(), tags: tags.clone() });
            keys.len() as Stream - 1
        })
    }

    pub(crate) fn open_all<const N: usize>(&mut self, metrics: &[Metric; N], tags: &[(&str, &str)]) -> [Stream; N] {
        metrics.map(|metric| self.open(metric, tags))
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// Whether a measure has percentiles; the add-on's page lists none for the bytes of a response.
pub(crate) fn has_percentiles(key: &Key) -> bool {
    key.kind == Kind::Measure && key.name != BYTES.0
}

const REQUESTS: Metric = ("heroku.router.http.requests", Kind::Count, "");
const SERVICE: Metric = ("heroku.router.service.response_time", Kind::Measure, "ms");
const CONNECT: Metric = ("heroku.router.connect.latency", Kind::Measure, "ms");
const BYTES: Metric = ("heroku.router.bytes", Kind::Measure, "bytes");
pub(crate) const ROUTER: [Metric; 4] = [REQUESTS, SERVICE, CONNECT, BYTES];

pub(crate) const HTTP_ERRORS: Metric = ("heroku.errors.http", Kind::Count, "");
pub(crate) const LOGGING_ERRORS: Metric = ("heroku.errors.logging", Kind::Count, "");
pub(crate) const RUNTIME_ERRORS: Metric = ("heroku.errors.runtime", Kind::Count, "");

/// Load averages of 1, 5 and 15 minutes.
pub(crate) const LOAD: [Metric; 3] = [
    ("heroku.dyno.load.load1", Kind::Sample, ""),
    ("heroku.dyno.load.load5", Kind::Sample, ""),
    ("heroku.dyno.load.load15", Kind::Sample, ""),
];
/// As they stand on the line.
pub(crate) const MEMORY: [Metric; 7] = [
    ("heroku.dyno.mem.total", Kind::Sample, "bytes"),
    ("heroku.dyno.mem.rss", Kind::Sample, "bytes"),
    ("heroku.dyno.mem.cache", Kind::Sample, "bytes"),
    ("heroku.dyno.mem.swap", Kind::Sample, "bytes"),
    ("heroku.dyno.mem.pgin", Kind::Sample, "pages"),
    ("heroku.dyno.mem.pgout", Kind::Sample, "pages"),
    ("heroku.dyno.mem.quota", Kind::Sample, "bytes"),
];
/// As they stand on the line.
pub(crate) const POSTGRES: [Metric; 18] = [
    ("heroku.postgres.db.current_transaction", Kind::Sample, ""),
    ("heroku.postgres.db.size", Kind::Sample, "bytes"),
    ("heroku.postgres.db.size_used", Kind::Sample, ""),
    ("heroku.postgres.db.tables", Kind::Sample, ""),
    ("heroku.postgres.db.connections_active", Kind::Sample, ""),
    ("heroku.postgres.db.connections_waiting", Kind::Sample, ""),
    ("heroku.postgres.db.index_cache_hit_rate", Kind::Sample, ""),
    ("heroku.postgres.db.table_cache_hit_rate", Kind::Sample, ""),
    ("heroku.postgres.load.load1", Kind::Sample, ""),
    ("heroku.postgres.load.load5", Kind::Sample, ""),
    ("heroku.postgres.load.load15", Kind::Sample, ""),
    ("heroku.postgres.db.read_iops", Kind::Sample, ""),
    ("heroku.postgres.db.write_iops", Kind::Sample, ""),
    ("heroku.postgres.mem.total", Kind::Sample, "bytes"),
    ("heroku.postgres.mem.free", Kind::Sample, "bytes"),
    ("heroku.postgres.mem.used", Kind::Sample, ""),
    ("heroku.postgres.mem.cache", Kind::Sample, "bytes"),
    ("heroku.postgres.mem.postgres", Kind::Sample, "bytes"),
];
