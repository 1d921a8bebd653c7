//! How lines are read: the choices of the host.

use crate::native::families::Families;
use crate::native::set::NativeSet;
use metric_model::TagSet;

/// What the `dyno` tag of runtime metrics holds. Lines that tell no instance, of the router and of a dyno's errors and
/// life, have the logical name in both tags, or the type.
///
/// ```
/// assert_eq!(heroku_metrics::DynoIdentity::default(), heroku_metrics::DynoIdentity::Instance);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum DynoIdentity {
    /// The instance, `heroku.<app>.<uuid>`, as on the line: a new stream after each restart.
    #[default]
    Instance,
    /// The logical name, `web.1`, in `dyno` and `source` alike: for hosts that pay by the stream.
    Logical,
    /// The process type, `web`, in `dyno` and `source` alike, of router metrics too. All dynos of a type share their
    /// streams: counts and measures add up, and of samples the mean is over all dynos, the last that of any of them.
    Type,
}

/// Whether units are made regular: times to `ms`, data to `bytes`.
///
/// ```
/// assert_eq!(heroku_metrics::UnitPolicy::default(), heroku_metrics::UnitPolicy::Regular);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum UnitPolicy {
    /// `200ms` and `0.2s` meet in one stream.
    #[default]
    Regular,
    /// Custom metrics keep number and unit as written. Native metrics are regular all the same.
    AsWritten,
}

/// Whose `count# measure# sample#` are read.
///
/// Whoever may write under other APP-NAMEs to a drain may then write custom metrics of any name; native ones remain the
/// platform's. Lines that are passed over are counted in the [`Ledger`](crate::Ledger).
///
/// ```
/// assert_eq!(heroku_metrics::CustomFrom::default(), heroku_metrics::CustomFrom::App);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum CustomFrom {
    /// Those of the app: APP-NAME `app`, which is what Heroku writes.
    #[default]
    App,
    /// Those of every APP-NAME but `heroku`, and of lines without one: log-shuttle writes its token there, other senders
    /// what they please.
    AnyApp,
}

/// How lines are read.
///
/// ```
/// use heroku_metrics::{ExtractorConfig, NativeSet};
///
/// let config = ExtractorConfig::new().with_app_name("shop").with_native_set(NativeSet::Extended);
/// ```
#[derive(Clone, Debug)]
pub struct ExtractorConfig {
    app_name: Option<String>,
    pub(super) native_set: NativeSet,
    pub(super) dyno_identity: DynoIdentity,
    pub(super) units: UnitPolicy,
    pub(super) websocket_latency: bool,
    pub(super) custom_from: CustomFrom,
    pub(super) families: Families,
    pub(super) one_off_dynos: bool,
}

impl Default for ExtractorConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ExtractorConfig {
    /// The page's own metrics, no `app_name`, regular units, WebSocket lives kept out of latency.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            app_name: None,
            native_set: NativeSet::Standard,
            dyno_identity: DynoIdentity::Instance,
            units: UnitPolicy::Regular,
            websocket_latency: false,
            custom_from: CustomFrom::App,
            families: Families::NONE,
            one_off_dynos: true,
        }
    }

    /// The `app_name` tag of native metrics. No line carries it; a drain has one app, and the host knows which.
    #[must_use]
    pub fn with_app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// The `app_name` tag of native metrics.
    #[must_use]
    pub(crate) fn app_name(&self) -> Option<&str> {
        self.app_name.as_deref()
    }

    /// Which native metrics are collected; [`NativeSet::Standard`] by default.
    #[must_use]
    pub const fn with_native_set(mut self, set: NativeSet) -> Self {
        self.native_set = set;
        self
    }

    /// What the `dyno` tag of runtime metrics holds; the instance by default.
    #[must_use]
    pub const fn with_dyno_identity(mut self, identity: DynoIdentity) -> Self {
        self.dyno_identity = identity;
        self
    }

    /// Whether units of custom metrics are made regular; they are by default.
    #[must_use]
    pub const fn with_units(mut self, policy: UnitPolicy) -> Self {
        self.units = policy;
        self
    }

    /// Whose custom metrics are read; those of the app by default.
    #[must_use]
    pub const fn with_custom_from(mut self, from: CustomFrom) -> Self {
        self.custom_from = from;
        self
    }

    /// Which families are collected besides those that always are; none by default. Each takes streams of its own: the last
    /// table of [`native::markdown`](crate::native::markdown) tells how many.
    #[must_use]
    pub const fn with_families(mut self, families: Families) -> Self {
        self.families = families;
        self
    }

    /// Whether native lines of one-off dynos count: `run.1234`, `release.1234`, `scheduler.1234` and `oneoff.1234`. They do
    /// by default, and each takes ten streams that are never written again. Where they do not, the books say how many were
    /// left out. A process type of the app's own with one of these names is taken for a one-off dyno.
    #[must_use]
    pub const fn with_one_off_dynos(mut self, counted: bool) -> Self {
        self.one_off_dynos = counted;
        self
    }

    /// Makes the set the tags that the host supplies.
    pub(super) fn fill(&self, tags: &mut TagSet) {
        tags.clear();
        if let Some(name) = &self.app_name {
            tags.insert("app_name", name);
        }
    }

    /// Whether `service` of a `101` line, which is the life of a WebSocket, counts as a response time. Off by default:
    /// minutes and hours would wreck every percentile.
    #[must_use]
    pub const fn with_websocket_latency(mut self, counted: bool) -> Self {
        self.websocket_latency = counted;
        self
    }
}
