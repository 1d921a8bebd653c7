//! How a pipeline reads and aggregates: the choices of the host.

use crate::{DialectPolicy, Extractor, ExtractorConfig, Plan, SeenDeliveries, native};
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
///     .extractor(ExtractorConfig::new().app_name("shop"))
///     .aggregator(AggregatorConfig::new().allowed_lateness(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug)]
pub struct PipelineConfig {
    pub(super) extractor: ExtractorConfig,
    pub(super) aggregator: AggregatorConfig,
    pub(super) dialect: DialectPolicy,
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
    ///
    /// ```
    /// let config = heroku_metrics::PipelineConfig::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            extractor: ExtractorConfig::new(),
            aggregator: AggregatorConfig::new(),
            dialect: DialectPolicy::Fixed(Dialect::Logplex),
            limits: Limits::new(),
            recovery: Recovery::Resync,
            plan: None,
            seen: SeenDeliveries::new(4_096, 8 << 20),
        }
    }

    /// How lines are read.
    ///
    /// ```
    /// use heroku_metrics::{ExtractorConfig, PipelineConfig};
    /// let config = PipelineConfig::new().extractor(ExtractorConfig::new().app_name("shop"));
    /// ```
    #[must_use]
    pub fn extractor(mut self, config: ExtractorConfig) -> Self {
        self.extractor = config;
        self
    }

    /// How observations are aggregated.
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, aggregator::AggregatorConfig};
    /// let config = PipelineConfig::new().aggregator(AggregatorConfig::new());
    /// ```
    #[must_use]
    pub fn aggregator(mut self, config: AggregatorConfig) -> Self {
        self.aggregator = config;
        self
    }

    /// Which dialect the frames are in.
    ///
    /// ```
    /// use heroku_metrics::{DialectPolicy, PipelineConfig};
    /// let config = PipelineConfig::new().dialect(DialectPolicy::ByHostname);
    /// ```
    #[must_use]
    pub fn dialect(mut self, policy: DialectPolicy) -> Self {
        self.dialect = policy;
        self
    }

    /// What the account may have; no limits by default. The plan's quota takes the place of one set in
    /// [`aggregator`](Self::aggregator).
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, Plan};
    /// let config = PipelineConfig::new().plan(Plan::gold());
    /// ```
    #[must_use]
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plan = Some(plan);
        self
    }

    /// How many delivery ids are remembered of each drain, and in how many octets for all; 0 ids counts every delivery.
    ///
    /// ```
    /// let config = heroku_metrics::PipelineConfig::new().seen_deliveries(1_024, 1 << 20);
    /// ```
    #[must_use]
    pub fn seen_deliveries(mut self, ids_per_drain: usize, max_octets: usize) -> Self {
        self.seen = SeenDeliveries::new(ids_per_drain, max_octets);
        self
    }

    /// The most octets a pipeline of this configuration ever has on the heap, computed before it starts: streams, open
    /// windows and delivery ids at their limits. An upper bound that input cannot exceed; what the host holds itself (a
    /// body, a snapshot) is not in it, and neither is the heap of a sketch of its own that does not tell.
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, Plan, aggregator::AggregatorConfig};
    ///
    /// let small = AggregatorConfig::new().max_streams(1_000).max_key_bytes(100_000).max_window_bytes(4_000_000);
    /// let config = PipelineConfig::new().aggregator(small).seen_deliveries(4_096, 1 << 20);
    /// assert!(config.max_memory() < 32_000_000);
    /// ```
    #[must_use]
    pub fn max_memory(&self) -> usize {
        // Besides: the tags of the line at hand.
        const LINE: usize = 64 * 1024;
        let reading = LINE + Extractor::max_memory(self.aggregator.stream_limit() as usize);
        self.settings().max_memory().saturating_add(self.seen.max_memory()).saturating_add(reading)
    }

    /// The aggregator's configuration with what the native tables and the plan say.
    pub(super) fn settings(&self) -> AggregatorConfig {
        let mut settings = self.aggregator.clone();
        let plain = native::families().iter().flat_map(native::Family::metrics);
        for metric in plain.filter(|metric| metric.kind() == metric_model::Kind::Measure && !metric.has_percentiles()) {
            settings = settings.without_percentiles(metric.name());
        }
        match self.plan.as_ref().and_then(Plan::quota) {
            Some(quota) => settings.quota(quota),
            None => settings,
        }
    }

    /// How long a frame may be.
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, syslog::Limits};
    /// let config = PipelineConfig::new().limits(Limits::new().max_frame(16 * 1024));
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What to do when a length cannot be read: look for the next frame (the default) or give the rest up.
    ///
    /// ```
    /// use heroku_metrics::{PipelineConfig, syslog::Recovery};
    /// let config = PipelineConfig::new().recovery(Recovery::Stop);
    /// ```
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }
}
