//! lines -> observations: what a line says, under the names of the native tables or its own.

use crate::native::{self, Family, Native, NativeSet};
use crate::{Class, LineRefusal, Part, Reason, Source};
use heroku_router::{Code, CodeClass, PlatformError, RouterLine};
use heroku_syslog::Frame;
use logfmt_metrics::{Directive, RefusalKind};
use metric_model::{Kind, Observation, TagSet, Timestamp, Value};

/// What the `dyno` tag of runtime metrics holds.
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
    /// The logical name, `web.1`, in `dyno` and `source` alike: for who pays by the stream.
    Logical,
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

/// How lines are read.
///
/// ```
/// use heroku_metrics::{ExtractorConfig, NativeSet};
///
/// let config = ExtractorConfig::new().app_name("shop").native_set(NativeSet::Extended);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExtractorConfig {
    app_name: Option<String>,
    native_set: NativeSet,
    dyno_identity: DynoIdentity,
    units: UnitPolicy,
    websocket_latency: bool,
}

impl ExtractorConfig {
    /// The page's own metrics, no `app_name`, regular units, WebSocket lives kept out of latency.
    ///
    /// ```
    /// let config = heroku_metrics::ExtractorConfig::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            app_name: None,
            native_set: NativeSet::Standard,
            dyno_identity: DynoIdentity::Instance,
            units: UnitPolicy::Regular,
            websocket_latency: false,
        }
    }

    /// The `app_name` tag of native metrics. No line carries it; a drain has one app, and the host knows which.
    ///
    /// ```
    /// let config = heroku_metrics::ExtractorConfig::new().app_name("shop");
    /// ```
    #[must_use]
    pub fn app_name(mut self, name: impl Into<String>) -> Self {
        self.app_name = Some(name.into()).filter(|name| !name.is_empty());
        self
    }

    /// Which native metrics are collected; [`NativeSet::Standard`] by default.
    ///
    /// ```
    /// use heroku_metrics::{ExtractorConfig, NativeSet};
    /// let config = ExtractorConfig::new().native_set(NativeSet::Extended);
    /// ```
    #[must_use]
    pub const fn native_set(mut self, set: NativeSet) -> Self {
        self.native_set = set;
        self
    }

    /// What the `dyno` tag of runtime metrics holds; the instance by default.
    ///
    /// ```
    /// use heroku_metrics::{DynoIdentity, ExtractorConfig};
    /// let config = ExtractorConfig::new().dyno_identity(DynoIdentity::Logical);
    /// ```
    #[must_use]
    pub const fn dyno_identity(mut self, identity: DynoIdentity) -> Self {
        self.dyno_identity = identity;
        self
    }

    /// Whether units of custom metrics are made regular; they are by default.
    ///
    /// ```
    /// use heroku_metrics::{ExtractorConfig, UnitPolicy};
    /// let config = ExtractorConfig::new().units(UnitPolicy::AsWritten);
    /// ```
    #[must_use]
    pub const fn units(mut self, policy: UnitPolicy) -> Self {
        self.units = policy;
        self
    }

    /// Whether `service` of a `101` line, which is the life of a WebSocket, counts as a response time. Off by default:
    /// minutes and hours would wreck every percentile.
    ///
    /// ```
    /// let config = heroku_metrics::ExtractorConfig::new().websocket_latency(true);
    /// ```
    #[must_use]
    pub const fn websocket_latency(mut self, counted: bool) -> Self {
        self.websocket_latency = counted;
        self
    }
}

/// What a line turned out to be.
///
/// ```
/// use heroku_metrics::{Class, Extractor, ExtractorConfig};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// let frame = Frame::parse(b"<45>1 2026-03-14T09:26:53Z host heroku web.1 - Error R14 (Memory quota exceeded)", Dialect::Logplex)?;
/// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
/// assert_eq!(line.class(), Class::PlatformError);
/// assert_eq!(line.error().and_then(|error| error.description()), Some("Memory quota exceeded"));
/// # Ok::<(), heroku_metrics::syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    class: Class,
    router: Option<RouterLine<'a>>,
    error: Option<PlatformError<'a>>,
    ignored_samples: u32,
}

impl<'a> Line<'a> {
    const fn of(class: Class) -> Self {
        Self { class, router: None, error: None, ignored_samples: 0 }
    }

    /// The kind of line.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - hello", Dialect::Logplex)?;
    /// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
    /// assert_eq!(line.class(), Class::Text);
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The router line, where it is one.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=\"/\" status=200", Dialect::Logplex)?;
    /// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
    /// assert_eq!(line.router().and_then(|router| router.status()), Some(200));
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn router(&self) -> Option<&RouterLine<'a>> {
        self.router.as_ref()
    }

    /// The platform error, where it is one.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<172>1 2026-03-14T09:26:53Z host heroku logplex - Error L10 (output buffer overflow): 7 messages dropped since 2026-03-14T09:20:00+00:00.", Dialect::Logplex)?;
    /// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
    /// assert_eq!(line.error().and_then(|error| error.count()), Some(7));
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn error(&self) -> Option<&PlatformError<'a>> {
        self.error.as_ref()
    }

    /// Samples on a platform line that no native metric of the chosen set is made from.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<134>1 2026-03-14T09:26:53Z host app heroku-redis - source=REDIS sample#hit-rate=0.9", Dialect::Logplex)?;
    /// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
    /// assert_eq!(line.ignored_samples(), 1, "Redis is in the extended set");
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn ignored_samples(&self) -> u32 {
        self.ignored_samples
    }
}

/// Takes what an [`Extractor`] finds in a line. `()` looks away; a pair of closures takes observations and refusals.
///
/// ```
/// use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, LineVisitor, model::Observation};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// #[derive(Default)]
/// struct Names(Vec<String>);
///
/// impl LineVisitor for Names {
///     fn observation(&mut self, observation: &Observation<'_>) {
///         self.0.push(observation.name().to_owned());
///     }
/// }
///
/// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1 sample#b=2", Dialect::Logplex)?;
/// let mut names = Names::default();
/// Extractor::new(ExtractorConfig::new()).read(&frame, &mut names);
/// assert_eq!(names.0, ["a", "b"]);
/// # Ok::<(), heroku_metrics::syslog::FrameError>(())
/// ```
pub trait LineVisitor {
    /// One value of the line.
    fn observation(&mut self, observation: &Observation<'_>);

    /// One value, tag or field that was not taken.
    fn refusal(&mut self, refusal: &LineRefusal) {
        let _ = refusal;
    }
}

impl LineVisitor for () {
    fn observation(&mut self, _: &Observation<'_>) {}
}

impl<O: FnMut(&Observation<'_>), R: FnMut(&LineRefusal)> LineVisitor for (O, R) {
    fn observation(&mut self, observation: &Observation<'_>) {
        self.0(observation);
    }

    fn refusal(&mut self, refusal: &LineRefusal) {
        self.1(refusal);
    }
}

/// Reads lines into observations. Holds only its configuration and memory that it fills again for each line.
///
/// ```
/// use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, model::Observation};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// let line = b"<190>1 2026-03-14T09:26:53Z host app web.1 - paid measure#checkout=0.2s tag#method=card";
/// let frame = Frame::parse(line, Dialect::Logplex)?;
/// let mut extractor = Extractor::new(ExtractorConfig::new());
/// let mut seen = 0;
/// let observed = |observation: &Observation<'_>| {
///     assert_eq!(observation.value().number(), 200.0);
///     assert_eq!(observation.tags().get("method"), Some("card"));
///     seen += 1;
/// };
/// extractor.read(&frame, &mut (observed, |_: &LineRefusal| ()));
/// assert_eq!(seen, 1);
/// # Ok::<(), heroku_metrics::syslog::FrameError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Extractor {
    config: ExtractorConfig,
    tags: TagSet,
}

/// Where the values of one line go, and what they have in common.
struct Out<'o, V> {
    line: &'o [u8],
    time: Option<Timestamp>,
    visitor: &'o mut V,
}

impl<V: LineVisitor> Out<'_, V> {
    fn value(&mut self, kind: Kind, name: &str, value: Value<'_>, tags: &TagSet, at: (usize, usize)) {
        match self.time {
            Some(time) => self.visitor.observation(&Observation::new(kind, name, value, tags, time)),
            // Not a guess at "now": the value belongs to a minute that nobody knows.
            None => self.refuse(Reason::NoTimestamp, Part::Value, at),
        }
    }

    fn native(&mut self, metric: &Native, number: f64, tags: &TagSet, at: (usize, usize)) {
        self.value(metric.kind(), metric.name(), Value::new(number, metric.unit()), tags, at);
    }

    fn refuse(&mut self, reason: Reason, part: Part, (offset, len): (usize, usize)) {
        self.visitor.refusal(&LineRefusal::new(reason, part, offset, len));
    }

    /// Adds a tag whose value is a part of the line.
    fn tag(&mut self, tags: &mut TagSet, key: &str, value: &[u8]) {
        match std::str::from_utf8(value) {
            Ok(text) => {
                tags.insert(key, text);
            }
            Err(_) => {
                let offset = (value.as_ptr() as usize).saturating_sub(self.line.as_ptr() as usize);
                self.refuse(Reason::NotUtf8, Part::Tag, (offset, value.len()));
            }
        }
    }
}

impl Extractor {
    /// A reader of lines.
    ///
    /// ```
    /// use heroku_metrics::{Extractor, ExtractorConfig};
    /// let extractor = Extractor::new(ExtractorConfig::new().app_name("shop"));
    /// ```
    #[must_use]
    pub fn new(config: ExtractorConfig) -> Self {
        Self { config, tags: TagSet::new() }
    }

    /// Reads one frame's line: its observations in order of appearance, its refusals, and what kind of line it is.
    ///
    /// A refusal costs the value or tag it names and nothing else. Linear in the length of the line.
    ///
    /// ```
    /// use heroku_metrics::{Class, Extractor, ExtractorConfig};
    /// use heroku_metrics::syslog::{Dialect, Frame};
    ///
    /// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - count#signups=1", Dialect::Logplex)?;
    /// let line = Extractor::new(ExtractorConfig::new()).read(&frame, &mut ());
    /// assert_eq!(line.class(), Class::Custom);
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    pub fn read<'a>(&mut self, frame: &Frame<'a>, visitor: &mut impl LineVisitor) -> Line<'a> {
        let time = frame.timestamp().map(|time| Timestamp::from_unix_micros(time.unix_micros()));
        let line = frame.message();
        let mut out = Out { line, time, visitor };
        match Source::of(frame.app_name(), frame.proc_id()) {
            Source::Router => self.router(line, &mut out),
            Source::Dyno => self.dyno(line, frame.proc_id(), &mut out),
            Source::Logplex | Source::LogShuttle => self.logging(line, &mut out),
            Source::Postgres => self.database(line, Class::Postgres, &native::POSTGRES, &mut out),
            Source::Redis => self.database(line, Class::Redis, &native::REDIS, &mut out),
            Source::PgBouncer => self.database(line, Class::PgBouncer, &native::PGBOUNCER, &mut out),
            Source::App => self.custom(line, &mut out),
            Source::Other => Line::of(Class::Text),
        }
    }

    fn start_tags(&mut self) -> &mut TagSet {
        self.tags.clear();
        if let Some(name) = &self.config.app_name {
            self.tags.insert("app_name", name);
        }
        &mut self.tags
    }

    fn router<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        let Some(router) = RouterLine::parse(line) else { return Line::of(Class::Text) };
        let websocket_latency = self.config.websocket_latency;
        let tags = self.start_tags();
        for (keys, value) in [(&["dyno", "source"][..], router.dyno()), (&["method"][..], router.method())] {
            let Some(value) = value else { continue };
            for key in keys {
                out.tag(tags, key, value);
            }
        }
        let status = router.status();
        if let Some(status) = status {
            tags.insert("status_category", category(status));
            let digits =
                [b'0' + (status / 100 % 10) as u8, b'0' + (status / 10 % 10) as u8, b'0' + (status % 10) as u8];
            tags.insert("status_code", std::str::from_utf8(&digits).unwrap_or_default());
        }
        let whole = (0, line.len());
        out.native(&native::REQUESTS, 1.0, tags, whole);
        // A 101 line is written when the WebSocket closes: its `service` is the connection's whole life.
        if let Some(service) = router.service_ms().filter(|_| status != Some(101) || websocket_latency) {
            out.native(&native::SERVICE, service, tags, whole);
        }
        if let Some(connect) = router.connect_ms() {
            out.native(&native::CONNECT, connect, tags, whole);
        }
        if let Some(bytes) = router.bytes() {
            out.native(&native::BYTES, bytes as f64, tags, whole);
        }
        if let Some(code) = router.code() {
            tags.insert("code", code.as_str());
            insert_description(tags, code, router.desc().and_then(|desc| std::str::from_utf8(desc).ok()));
            out.native(&native::HTTP, 1.0, tags, whole);
        }
        for refusal in router.refusals() {
            let part = match refusal.field() {
                "service" | "connect" | "bytes" => Part::Value,
                "status" => Part::Tag,
                _ => Part::Field,
            };
            out.refuse(Reason::of_field(refusal.kind()), part, (refusal.offset(), refusal.len()));
        }
        Line { router: Some(router), ..Line::of(Class::Router) }
    }

    fn dyno<'a, V: LineVisitor>(&mut self, line: &'a [u8], proc_id: Option<&str>, out: &mut Out<'_, V>) -> Line<'a> {
        if line.starts_with(b"Error ") {
            let Some(error) = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Runtime)
            else {
                return Line::of(Class::Text);
            };
            self.error(&error, &native::RUNTIME_ERRORS, 1.0, line, out);
            return Line { error: Some(error), ..Line::of(Class::PlatformError) };
        }
        let Some((source, instance, _)) = sample_tags(line) else { return Line::of(Class::Text) };
        let identity = self.config.dyno_identity;
        let tags = self.start_tags();
        let source = source.or(proc_id.map(str::as_bytes));
        if let Some(source) = source {
            out.tag(tags, "source", source);
        }
        let dyno = if identity == DynoIdentity::Logical { source } else { instance };
        if let Some(dyno) = dyno {
            out.tag(tags, "dyno", dyno);
        }
        let ignored_samples = self.samples(line, &native::RUNTIME, out);
        Line { ignored_samples, ..Line::of(Class::Runtime) }
    }

    fn logging<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        let Some(error) = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Logging) else {
            return Line::of(Class::Text);
        };
        // L14, L15 and L20 tell no number; the event itself is then the one message it is about.
        let affected = error.count().unwrap_or(1) as f64;
        self.error(&error, &native::LOGGING, affected, line, out);
        Line { error: Some(error), ..Line::of(Class::LogplexError) }
    }

    fn error<V: LineVisitor>(
        &mut self,
        error: &PlatformError<'_>,
        metric: &Native,
        number: f64,
        line: &[u8],
        out: &mut Out<'_, V>,
    ) {
        let tags = self.start_tags();
        tags.insert("code", error.code().as_str());
        insert_description(tags, error.code(), error.description());
        out.native(metric, number, tags, (0, line.len()));
    }

    fn database<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        class: Class,
        family: &Family,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        let Some((source, _, addon)) = sample_tags(line) else { return Line::of(Class::Text) };
        let tags = self.start_tags();
        for (key, value) in [("database", source), ("addon", addon)] {
            if let Some(value) = value {
                out.tag(tags, key, value);
            }
        }
        let ignored_samples = self.samples(line, family, out);
        Line { ignored_samples, ..Line::of(class) }
    }

    /// The `sample#` pairs of a platform line, under the names of the family; returns how many no metric is made from.
    fn samples<V: LineVisitor>(&self, line: &[u8], family: &Family, out: &mut Out<'_, V>) -> u32 {
        let mut ignored = 0;
        for pair in logfmt_metrics::pairs(line) {
            let Some(field) = pair.key().strip_prefix(b"sample#") else { continue };
            let Some(metric) = family.find(field).filter(|metric| self.config.native_set.holds(metric)) else {
                ignored += 1;
                continue;
            };
            let text = pair.value().unwrap_or_default();
            let at = (pair.offset(), pair.value_offset().saturating_sub(pair.offset()) + text.len());
            match sample_value(metric, text) {
                Ok(number) => out.native(metric, number, &self.tags, at),
                Err(reason) => out.refuse(reason, Part::Value, at),
            }
        }
        ignored
    }

    fn custom<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        if !logfmt_metrics::maybe_metrics(line) {
            return Line::of(Class::Text);
        }
        // Tags hold for all metrics of the line, before and behind them, so they are gathered first.
        self.tags.clear();
        let mut metrics = 0_u32;
        for directive in logfmt_metrics::directives(line) {
            match directive {
                Ok(Directive::Metric(_)) => metrics += 1,
                Ok(Directive::Tag(tag)) => {
                    self.tags.insert(tag.key(), &tag.value());
                }
                Ok(_) => {}
                Err(refusal) => {
                    let part = if is_tag(refusal.kind(), line, refusal.offset()) { Part::Tag } else { Part::Value };
                    metrics += u32::from(part == Part::Value);
                    out.refuse(Reason::of_metric(refusal.kind()), part, (refusal.offset(), refusal.len()));
                }
            }
        }
        if metrics == 0 {
            return Line::of(Class::Text);
        }
        for directive in logfmt_metrics::directives(line) {
            let Ok(Directive::Metric(metric)) = directive else { continue };
            let value = match self.config.units {
                UnitPolicy::Regular => metric.value().regular(),
                UnitPolicy::AsWritten => metric.value(),
            };
            let len = metric.kind().as_str().len() + 1 + metric.name().len();
            out.value(metric.kind(), metric.name(), value, &self.tags, (metric.offset(), len));
        }
        Line::of(Class::Custom)
    }
}

/// Whether a refused token was a tag's.
fn is_tag(kind: RefusalKind, line: &[u8], offset: usize) -> bool {
    matches!(
        kind,
        RefusalKind::BadTagKey
            | RefusalKind::TagKeyTooLong
            | RefusalKind::BadTagValue
            | RefusalKind::TagValueTooLong
            | RefusalKind::TooManyTags
    ) || line.get(offset..).is_some_and(|token| token.starts_with(b"tag#") || token.starts_with(b"source="))
}

/// The number of a native sample, in the metric's regular unit.
///
/// A number without a unit is in the one Heroku writes for the field; any other unit must lead to the metric's own.
fn sample_value(metric: &Native, text: &[u8]) -> Result<f64, Reason> {
    let written = logfmt_metrics::number(text).map_err(|error| Reason::of_number(error.kind()))?;
    let written = if written.unit().is_none() { Value::new(written.number(), metric.written()) } else { written };
    let regular = written.regular();
    if regular.unit() != metric.unit() {
        return Err(Reason::BadUnit);
    }
    if regular.number().is_finite() { Ok(regular.number()) } else { Err(Reason::NotFinite) }
}

type SampleTags<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, Option<&'a [u8]>);

/// `source`, `dyno` and `addon` of a line with samples; `None` when it has no `sample#` at all.
fn sample_tags(line: &[u8]) -> Option<SampleTags<'_>> {
    if !logfmt_metrics::maybe_metrics(line) {
        return None;
    }
    let (mut source, mut dyno, mut addon, mut samples) = (None, None, None, false);
    for pair in logfmt_metrics::pairs(line) {
        let place = match pair.key() {
            b"source" => &mut source,
            b"dyno" => &mut dyno,
            b"addon" => &mut addon,
            key => {
                samples |= key.starts_with(b"sample#");
                continue;
            }
        };
        if place.is_none() {
            *place = pair.value().filter(|value| !value.is_empty());
        }
    }
    samples.then_some((source, dyno, addon))
}

/// The description on the line, else the title of the table.
fn insert_description(tags: &mut TagSet, code: Code, on_the_line: Option<&str>) {
    if let Some(text) = on_the_line.filter(|text| !text.is_empty()).or(code.title()) {
        tags.insert("code_description", text);
    }
}

fn category(status: u16) -> &'static str {
    const CATEGORIES: [&str; 10] = ["0xx", "1xx", "2xx", "3xx", "4xx", "5xx", "6xx", "7xx", "8xx", "9xx"];
    CATEGORIES[usize::from(status / 100 % 10)]
}
