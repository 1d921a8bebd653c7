//! How a pipeline reads and aggregates: the choices of the host.

use crate::deliveries::SeenDeliveries;
use crate::extract::{Extractor, ExtractorConfig};
use crate::native;
use crate::plan::Plan;
use heroku_syslog::{Dialect, Limits, Recovery};
use minute_aggregator::AggregatorConfig;

/// How a pipeline reads and aggregates: one value, checked when the pipeline is made.
///
/// ```
/// use std::time::Duration;
/// use heroku_metrics::aggregator::AggregatorConfig;
/// use heroku_metrics::{ExtractorConfig, PipelineConfig};
///
/// let config = PipelineConfig::new()
///     .with_extractor(ExtractorConfig::new().with_app_name("shop"))
///     .with_aggregator(AggregatorConfig::new().with_allowed_lateness(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    pub(super) extractor: ExtractorConfig,
    pub(super) aggregator: AggregatorConfig,
    pub(super) dialect: Dialect,
    pub(super) limits: Limits,
    pub(super) recovery: Recovery,
    pub(super) plan: Option<Plan>,
    pub(super) seen: SeenDeliveries,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl PipelineConfig {
    /// The defaults of each part: HTTPS drain dialect, resynchronising, minutes with a minute of allowed lateness, the
    /// ids of the last 4,096 deliveries of each drain in at most 8 MiB.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            extractor: ExtractorConfig::new(),
            aggregator: AggregatorConfig::new(),
            dialect: Dialect::Logplex,
            limits: Limits::new(),
            recovery: Recovery::Resync,
            plan: None,
            seen: SeenDeliveries::new(4_096, 8 << 20),
        }
    }

    /// How lines are read.
    #[must_use]
    pub fn with_extractor(mut self, config: ExtractorConfig) -> Self {
        self.extractor = config;
        self
    }

    /// How observations are aggregated.
    #[must_use]
    pub fn with_aggregator(mut self, config: AggregatorConfig) -> Self {
        self.aggregator = config;
        self
    }

    /// Which dialect the frames are in. An HTTPS drain of Heroku is [`Dialect::Logplex`], the default, a syslog drain
    /// [`Dialect::Rfc5424`]; what holds frames of both is read [`Dialect::ByHostname`].
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// What the account may have; no limits by default. The plan's quota replaces one set in
    /// [`with_aggregator`](Self::with_aggregator).
    #[must_use]
    pub fn with_plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// The deliveries that are remembered, so that none counts twice; a memory of 0 ids counts every delivery.
    #[must_use]
    pub fn with_seen_deliveries(mut self, seen: SeenDeliveries) -> Self {
        self.seen = seen;
        self
    }

    /// The most bytes a pipeline of this configuration ever has on the heap, computed before it starts: streams, open
    /// windows and delivery ids at their limits. An upper bound that input cannot exceed; what the host holds itself (a
    /// body, a snapshot) is not in it, and neither is the heap of a sketch of its own that does not tell.
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, SeenDeliveries, aggregator::AggregatorConfig};
    ///
    /// let small = AggregatorConfig::new().with_max_streams(1_000).with_max_key_bytes(100_000).with_max_window_bytes(4_000_000);
    /// let config = PipelineConfig::new().with_aggregator(small).with_seen_deliveries(SeenDeliveries::new(4_096, 1 << 20));
    /// assert!(config.max_memory() < 32_000_000);
    /// ```
    #[must_use]
    pub fn max_memory(&self) -> usize {
        let reading = Extractor::max_memory(&self.extractor);
        self.settings().max_memory().saturating_add(self.seen.max_memory()).saturating_add(reading)
    }

    /// The aggregator's configuration with what the native tables and the plan say.
    pub(super) fn settings(&self) -> AggregatorConfig {
        let mut settings = self.aggregator.clone();
        let plain = native::families().iter().flat_map(native::Family::metrics);
        for metric in plain.filter(|metric| metric.kind() == metric_model::Kind::Measure && !metric.has_percentiles()) {
            settings = settings.without_percentiles(metric.name());
        }
        settings = native::all_columns().fold(settings, AggregatorConfig::with_family);
        match self.plan.as_ref().and_then(Plan::quota) {
            Some(quota) => settings.with_quota(quota),
            None => settings,
        }
    }

    /// How long a frame may be.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What to do when a length cannot be read: look for the next frame (the default) or give the rest up.
    #[must_use]
    pub fn with_recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }
}
