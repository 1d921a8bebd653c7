//! Plans: what an account may have, as data. Products change without code.

use crate::native::families::Families;
use minute_aggregator::{CountingRule, StreamQuota};
use std::fmt;
use std::time::Duration;

/// What a plan allows: how many metric streams, counted how, which metrics at all, and how long a host shows them. Of log
/// lines it says nothing: what keeps those has plans of its own.
///
/// Two ship, for what the add-on's page states: [`development`](Self::development) and [`gold`](Self::gold). Any other
/// is the host's, built here or read from TOML or JSON with the `serde` feature.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, Plan, syslog::Delivery};
///
/// let mut pipeline = Pipeline::new(PipelineConfig::new().with_plan(Plan::new("tiny").with_streams(1)))?;
/// let line = "<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1 count#b=1 count#c=1";
/// pipeline.ingest(&Delivery::new(format!("{} {line}", line.len()).as_bytes()));
/// let observations = pipeline.ledger().observations().clone();
/// assert_eq!((observations.accepted(), observations.folded()), (1, 2), "the rest is in overflow streams: totals stay right");
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Plan {
    name: String,
    #[cfg_attr(feature = "serde", serde(default))]
    streams: Option<u32>,
    #[cfg_attr(feature = "serde", serde(default))]
    counting: CountingRule,
    #[cfg_attr(feature = "serde", serde(default = "natives"))]
    exempt: Vec<String>,
    #[cfg_attr(feature = "serde", serde(default))]
    collects: Option<Vec<String>>,
    #[cfg_attr(feature = "serde", serde(default))]
    overflow_streams: Option<u32>,
    #[cfg_attr(feature = "serde", serde(default, alias = "retention_hours"))]
    metrics_hours: Option<u32>,
    /// Older files and journals say it. It is no matter of metrics, and is read over.
    #[cfg(feature = "serde")]
    #[serde(default, skip_serializing, deserialize_with = "read_over")]
    log_bytes_per_day: (),
}

#[cfg(feature = "serde")]
fn read_over<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    <Option<u64> as serde::Deserialize>::deserialize(deserializer).map(drop)
}

/// "Capacity is consumed by runtime and custom metrics", says the page: router and Postgres natives are included.
fn natives() -> Vec<String> {
    vec!["heroku.router.".to_owned(), "heroku.postgres.".to_owned(), "heroku.errors.".to_owned()]
}

impl Plan {
    /// A plan without limits. Router, Postgres and error natives are exempt from whatever limit is set later.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            streams: None,
            counting: CountingRule::Streams,
            exempt: natives(),
            collects: None,
            overflow_streams: None,
            metrics_hours: None,
            #[cfg(feature = "serde")]
            log_bytes_per_day: (),
        }
    }

    /// Development, free: "native router and Postgres metrics, only the last hour shown; no runtime metrics, no custom
    /// metrics".
    ///
    /// ```
    /// let plan = heroku_metrics::Plan::development();
    /// assert_eq!(plan.retention(), Some(std::time::Duration::from_secs(3_600)));
    /// ```
    #[must_use]
    pub fn development() -> Self {
        let collects = Some(vec!["heroku.router.".to_owned(), "heroku.postgres.".to_owned()]);
        Self { collects, metrics_hours: Some(1), ..Self::new("development") }
    }

    /// Gold: 300 metric streams.
    #[must_use]
    pub fn gold() -> Self {
        Self::new("gold").with_streams(300)
    }

    /// The shipped plan of this name, in any case.
    ///
    /// ```
    /// use heroku_metrics::Plan;
    /// assert_eq!(Plan::shipped("Gold"), Some(Plan::gold()));
    /// assert_eq!(Plan::shipped("platinum"), None, "not on the page: the host's own");
    /// ```
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        [Self::development(), Self::gold()].into_iter().find(|plan| plan.name.eq_ignore_ascii_case(name))
    }

    /// The most metric streams.
    #[must_use]
    pub fn with_streams(mut self, limit: u32) -> Self {
        self.streams = Some(limit);
        self
    }

    /// How streams count: each metric stream (a measure takes five), or each tag set (one).
    #[must_use]
    pub fn with_counting(mut self, rule: CountingRule) -> Self {
        self.counting = rule;
        self
    }

    /// Metrics whose names begin like this take no place, besides those that are exempt already.
    ///
    /// ```
    /// use heroku_metrics::Plan;
    /// assert!(Plan::gold().with_exempt("heroku.dyno.").quota().is_some_and(|quota| quota.is_exempt("heroku.dyno.load.load1")));
    /// ```
    #[must_use]
    pub fn with_exempt(mut self, prefix: impl Into<String>) -> Self {
        self.exempt.push(prefix.into());
        self
    }

    /// Only metrics whose names begin like one of these are collected at all; others are counted as not in the plan.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, Plan, syslog::Delivery};
    ///
    /// let plan = Plan::new("web").with_collected(["heroku.router."]);
    /// let mut pipeline = Pipeline::new(PipelineConfig::new().with_plan(plan))?;
    /// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// assert_eq!((receipt.observed(), receipt.values_not_in_plan()), (0, 1));
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub fn with_collected(mut self, prefixes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.collects = Some(prefixes.into_iter().map(Into::into).collect());
        self
    }

    /// How long a host shows metrics. The pipeline does not look at it.
    #[must_use]
    pub fn retention(&self) -> Option<Duration> {
        self.metrics_hours.map(|hours| Duration::from_secs(u64::from(hours) * 3_600))
    }

    /// The plan's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The most metric streams; `None`: no limit.
    #[must_use]
    pub const fn streams(&self) -> Option<u32> {
        self.streams
    }

    /// Whether the plan has this metric at all.
    pub(crate) fn is_collected(&self, metric: &str) -> bool {
        self.collects.as_ref().is_none_or(|prefixes| prefixes.iter().any(|prefix| metric.starts_with(prefix.as_str())))
    }

    /// Whether there are metrics that it does not collect.
    pub(crate) const fn is_selective(&self) -> bool {
        self.collects.is_some()
    }

    /// The quota the aggregator enforces; `None`: no limit.
    ///
    /// ```
    /// let quota = heroku_metrics::Plan::gold().quota().unwrap();
    /// assert!(quota.is_exempt("heroku.router.bytes") && !quota.is_exempt("heroku.dyno.mem.rss"));
    /// ```
    #[must_use]
    pub fn quota(&self) -> Option<StreamQuota> {
        let limit = self.streams?;
        let quota = match self.counting {
            CountingRule::TagSets => StreamQuota::tag_sets(limit),
            _ => StreamQuota::streams(limit),
        };
        let quota = self.exempt.iter().fold(quota, |quota, prefix| quota.with_exempt(prefix.as_str()));
        Some(self.overflow_streams.into_iter().fold(quota, StreamQuota::with_overflow_streams))
    }

    /// How many of the plan's streams `dynos` with runtime metrics and `custom` custom streams take, and families that are
    /// collected on request. What those of states, ends and errors take depends on what happens: here it is all that Heroku
    /// documents, for each dyno 8 changes of state, 4 exit statuses and 4 codes.
    ///
    /// The page says "each dyno adds 10 metric streams" and then sizes with 9: 25 dynos × 9 + 50 = 275. Ten is what its
    /// list has (three loads, seven of memory; `mem.quota` came after the sizing was written), and ten is counted here.
    ///
    /// ```
    /// use heroku_metrics::{Families, Plan};
    ///
    /// let estimate = Plan::gold().estimate(Families::NONE, 25, 50);
    /// assert_eq!((estimate.streams(), estimate.fits()), (300, true));
    /// assert_eq!(estimate.to_string(), "25 dynos x 10 + 50 custom = 300 of 300 streams");
    /// assert!(!Plan::gold().estimate(Families::NONE, 26, 50).fits());
    /// let estimate = Plan::gold().estimate(Families::DYNO_STATE.with(Families::RELEASE), 10, 50);
    /// assert_eq!(estimate.to_string(), "10 dynos x 18 + 1 of the app + 50 custom = 231 of 300 streams");
    /// ```
    #[must_use]
    pub fn estimate(&self, families: Families, dynos: u32, custom: u32) -> Estimate {
        let takes_a_place =
            |name: &str| !self.exempt.iter().any(|prefix| name.starts_with(prefix.as_str())) && self.is_collected(name);
        let runtime = crate::native::RUNTIME.metrics().iter().filter(|metric| takes_a_place(metric.name())).count();
        let (per_dyno, per_app) = families.streams(takes_a_place);
        let per_dyno = runtime as u32 + per_dyno;
        // An app's own names never begin with `heroku.`; which others it has is not known here.
        let is_custom = |prefix: &String| !prefix.starts_with("heroku.");
        let custom =
            if self.collects.as_ref().is_none_or(|prefixes| prefixes.iter().any(is_custom)) { custom } else { 0 };
        Estimate { dynos, per_dyno, per_app, custom, limit: self.streams }
    }
}

/// The answer of [`Plan::estimate`]; printed, it shows its sum.
///
/// ```
/// assert!(heroku_metrics::Plan::gold().estimate(heroku_metrics::Families::NONE, 3, 20).fits());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Estimate {
    dynos: u32,
    per_dyno: u32,
    per_app: u32,
    custom: u32,
    limit: Option<u32>,
}

impl Estimate {
    /// Streams that count against the plan.
    #[must_use]
    pub const fn streams(&self) -> u64 {
        self.dynos as u64 * self.per_dyno as u64 + self.per_app as u64 + self.custom as u64
    }

    /// Whether they fit.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.limit.is_none_or(|limit| self.streams() <= u64::from(limit))
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dynos, per_dyno, per_app, custom, limit } = self;
        write!(f, "{dynos} dynos x {per_dyno}")?;
        if *per_app > 0 {
            write!(f, " + {per_app} of the app")?;
        }
        write!(f, " + {custom} custom = {}", self.streams())?;
        match limit {
            Some(limit) => write!(f, " of {limit} streams"),
            None => f.write_str(" streams, without limit"),
        }
    }
}
