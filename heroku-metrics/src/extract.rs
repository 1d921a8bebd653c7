//! lines -> observations: what a line says, under the names of the native tables or its own.

mod config;
mod cut;
mod platform;
mod samples;

use platform::dyno_type;
use samples::{PGBOUNCER, POSTGRES, REDIS};

pub use config::{CustomFrom, DynoIdentity, ExtractorConfig, UnitPolicy};

use crate::line::Found;
use crate::native::{self, Native};
use crate::remember::{Groups, Key};
use crate::{Class, Line, LineRefusal, Part, Reason, Source};
use cut::Piece;
use heroku_router::{Code, PlatformError, RouterLine};
use heroku_syslog::Frame;
use logfmt_metrics::colour::{self, Uncoloured};
use logfmt_metrics::{Directive, Directives, RefusalKind};
use metric_model::{Kind, Observation, TagSet, Timestamp, Value};
use minute_aggregator::StreamMemo;

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

    /// One value of a stream that the extractor has met before. `memo` is the extractor's place for this one stream, for
    /// [`Aggregator::observe_again`](minute_aggregator::Aggregator::observe_again); it is empty the first time. By
    /// default the same as [`observation`](Self::observation).
    fn observation_again(&mut self, observation: &Observation<'_>, memo: &mut StreamMemo) {
        let _ = memo;
        self.observation(observation);
    }

    /// The values of one line that often come together, as [`observation_again`](Self::observation_again) takes them one
    /// by one, which is the default. All have the same time, and there are as many memos.
    fn observations_again(&mut self, observations: &[Observation<'_>], memos: &mut [StreamMemo]) {
        for (observation, memo) in observations.iter().zip(memos) {
            self.observation_again(observation, memo);
        }
    }

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
#[derive(Clone, Debug)]
pub struct Extractor {
    reader: Reader,
    /// The last line that had colour codes, without them.
    uncoloured: Uncoloured,
}

/// What reads lines without colour codes.
#[derive(Clone, Debug)]
struct Reader {
    config: ExtractorConfig,
    tags: TagSet,
    /// The tags of a request's error: those of the request and two more.
    errors: TagSet,
    groups: Groups,
    /// In which order the samples of each family stood on its last line.
    orders: [[u8; SAMPLES]; 4],
    /// The values of a line's samples: which metric of the family, the number, and where it stands. Here, and not made anew
    /// for each line.
    values: [(u8, f64, (usize, usize)); SAMPLES],
}

/// Samples of one line that are read in one go; a longer line is read like the others, only not as fast.
const SAMPLES: usize = 32;

/// How many streams an extractor counts on that has no aggregator behind it.
const STREAMS: usize = 1 << 16;

impl Default for Extractor {
    fn default() -> Self {
        Self::new(ExtractorConfig::new())
    }
}

/// Where the values of one line go, and what they have in common.
struct Out<'o, V> {
    line: &'o [u8],
    time: Option<Timestamp>,
    /// Whether the line is a piece of a longer one.
    is_piece: bool,
    /// Where the line had colour codes.
    codes: Option<&'o Uncoloured>,
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

    /// A value of a native metric whose stream is remembered.
    #[inline]
    fn native(&mut self, metric: &Native, number: f64, tags: &TagSet, memo: &mut StreamMemo, at: (usize, usize)) {
        match self.time {
            Some(time) => self.visitor.observation_again(&metric.seen(number, tags, time), memo),
            None => self.refuse(Reason::NoTimestamp, Part::Value, at),
        }
    }

    fn refuse(&mut self, reason: Reason, part: Part, (offset, len): (usize, usize)) {
        // As it stands in the message.
        let (offset, len) = match self.codes {
            Some(codes) => {
                let range = codes.original(offset..offset + len);
                (range.start, range.len())
            }
            None => (offset, len),
        };
        self.visitor.refusal(&LineRefusal::new(reason, part, offset, len));
    }

    fn router_tags(&mut self, tags: &mut TagSet, dyno: Option<&[u8]>, method: Option<&[u8]>, status: Option<u16>) {
        for (keys, value) in [(&["dyno", "source"][..], dyno), (&["method"][..], method)] {
            let Some(value) = value else { continue };
            for key in keys {
                self.tag(tags, key, value);
            }
        }
        if let Some(status) = status {
            tags.insert("status_category", category(status));
            let digits = [status / 100, status / 10, status].map(|number| b'0' + (number % 10) as u8);
            tags.insert("status_code", std::str::from_utf8(&digits).unwrap_or_default());
        }
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
    /// let extractor = Extractor::new(ExtractorConfig::new().with_app_name("shop"));
    /// ```
    #[must_use]
    pub fn new(config: ExtractorConfig) -> Self {
        Self::with_streams(config, STREAMS)
    }

    /// A reader that remembers the tag sets of about so many streams.
    pub(crate) fn with_streams(config: ExtractorConfig, streams: usize) -> Self {
        // A seed that a sender cannot know, so that no one chooses tags that collide.
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0);
        let reader = Reader {
            config,
            tags: TagSet::new(),
            errors: TagSet::new(),
            groups: Groups::new(seed, streams),
            orders: [[0; SAMPLES]; 4],
            values: [(0, 0.0, (0, 0)); SAMPLES],
        };
        Self { reader, uncoloured: Uncoloured::new() }
    }

    /// What the remembered tag sets take at the most.
    pub(crate) fn max_memory(streams: usize) -> usize {
        Groups::max_memory(streams)
    }

    /// Reads one frame's line: its observations in order of appearance, its refusals, and what kind of line it is.
    ///
    /// A refusal costs the value or tag it names and nothing else, but of a router line that ends before its `status` the
    /// whole. Linear in the length of the line. Colour codes in the line are passed over: what is handed out of a coloured line
    /// borrows a copy without them, and refusals tell where their text stands in the message.
    ///
    /// ```
    /// use heroku_metrics::{Class, Extractor, ExtractorConfig};
    /// use heroku_metrics::syslog::{Dialect, Frame};
    ///
    /// let frame = Frame::parse(b"<190>1 2026-03-14T09:26:53Z host app web.1 - \x1b[32mcount#signups=1\x1b[0m", Dialect::Logplex)?;
    /// let mut extractor = Extractor::new(ExtractorConfig::new());
    /// assert_eq!(extractor.read(&frame, &mut ()).class(), Class::Custom);
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    pub fn read<'a>(&'a mut self, frame: &Frame<'a>, visitor: &mut impl LineVisitor) -> Line<'a> {
        let time = frame.timestamp().map(|time| Timestamp::from_unix_micros(time.unix_micros()));
        let message = frame.message();
        let is_piece = cut::is_piece(message);
        let source = Source::of_frame(frame);
        let mut out = Out { line: message, time, is_piece, codes: None, visitor: &mut *visitor };
        // Each way in sees at little cost, mostly by what it looks for anyway, that the line has no colour codes.
        match source {
            Source::Router => {
                if let Some(router) = RouterLine::parse(message)
                    && !is_piece
                    && (router.is_free_of_colour() || !(router.is_cut() || colour::maybe(message)))
                {
                    return self.reader.request(router, &mut out);
                }
            }
            Source::App => {
                if !logfmt_metrics::maybe_metrics(message) {
                    return Line::of(Class::Text);
                }
                let directives = logfmt_metrics::directives(message);
                if !directives.may_be_coloured() {
                    return self.reader.custom(message, directives, &mut out);
                }
            }
            Source::Dyno => {
                let samples = logfmt_metrics::samples(message);
                if !samples.may_be_coloured() {
                    return self.reader.dyno(message, samples, frame.proc_id(), &mut out);
                }
            }
            Source::Postgres => {
                let samples = logfmt_metrics::samples(message);
                if !samples.may_be_coloured() {
                    return self.reader.database(message, samples, POSTGRES, &mut out);
                }
            }
            _ => {}
        }
        // Not by the frame, which else would have to lie in memory for all lines.
        self.read_seldom(source, frame.proc_id(), message, time, visitor)
    }

    /// Reads a line as few are: one with colour codes, one of a source that writes little.
    #[inline(never)]
    fn read_seldom<'a>(
        &'a mut self,
        source: Source,
        proc_id: Option<&'a str>,
        message: &'a [u8],
        time: Option<Timestamp>,
        visitor: &mut impl LineVisitor,
    ) -> Line<'a> {
        let is_piece = cut::is_piece(message);
        if colour::maybe(message) {
            self.uncoloured.read(message);
            let codes = &self.uncoloured;
            let mut out = Out { line: codes.text(), time, is_piece, codes: Some(codes), visitor };
            return self.reader.read(source, proc_id, codes.text(), &mut out);
        }
        let mut out = Out { line: message, time, is_piece, codes: None, visitor };
        self.reader.read(source, proc_id, message, &mut out)
    }
}

impl Reader {
    fn read<'a, V: LineVisitor>(
        &mut self,
        source: Source,
        proc_id: Option<&'a str>,
        line: &'a [u8],
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        let samples = || logfmt_metrics::samples(line);
        match source {
            Source::Router => self.router(line, out),
            Source::Dyno => self.dyno(line, samples(), proc_id, out),
            Source::Logplex => self.logging(line, out).unwrap_or(Line::of(Class::UnreadError)),
            Source::LogShuttle => self.shuttle(line, out),
            Source::Postgres => self.database(line, samples(), POSTGRES, out),
            Source::Redis => self.database(line, samples(), REDIS, out),
            Source::PgBouncer => self.database(line, samples(), PGBOUNCER, out),
            Source::App => self.any_custom(line, out),
            Source::Sender if self.config.custom_from == CustomFrom::AnyApp => self.any_custom(line, out),
            Source::Sender => sender(line),
            Source::Api => self.api(line, out),
            Source::Other => Line::of(Class::Text),
        }
    }

    fn router<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        // Of a piece the last word may go on: it is read without.
        let torn = if out.is_piece { cut::last_word(line) } else { line.len()..line.len() };
        let Some(router) = line.get(..torn.start).and_then(RouterLine::parse) else {
            return Line::of(Class::UnreadRouter);
        };
        let is_cut = line.get(torn.start..).is_some_and(|word| word.starts_with(b"status="));
        let is_cut = is_cut || (!torn.is_empty() && !cut::is_same_request(&router, line));
        if is_cut || router.is_cut() {
            // Without its status the request would be one of other tags.
            out.refuse(Reason::Cut, Part::Value, (0, line.len()));
            return Line { found: Found::Router(router), ..Line::of(Class::Router) };
        }
        if !torn.is_empty() {
            out.refuse(Reason::Cut, Part::Field, (torn.start, torn.len()));
        }
        self.request(router, out)
    }

    /// In place where most lines pass: what is then handed out need not be copied.
    #[inline(always)]
    fn request<'a, V: LineVisitor>(&mut self, router: RouterLine<'a>, out: &mut Out<'_, V>) -> Line<'a> {
        let websocket_latency = self.config.websocket_latency;
        let (dyno, method, status) = (router.dyno(), router.method(), router.status());
        let dyno = if self.config.dyno_identity == DynoIdentity::Type { dyno.map(dyno_type) } else { dyno };
        let Self { config, groups, tags, errors, .. } = self;
        let key = Key::new(b'r', status.unwrap_or(0), [method, dyno]);
        let mut make = || {
            let mut tags = config.tags();
            out.router_tags(&mut tags, dyno, method, status);
            tags
        };
        // Text that is no UTF-8 is refused anew for each line, so it is not remembered.
        let is_clean = || [dyno, method].into_iter().flatten().all(<[u8]>::is_ascii);
        let place = key.and_then(|key| groups.find(&key).or_else(|| is_clean().then(|| groups.add(&key, make(), 4))));
        let mut unknown;
        let (tags, memos) = match place {
            Some(place) => groups.at(place),
            None => {
                (*tags, unknown) = (make(), [StreamMemo::new(); 4]);
                (&*tags, &mut unknown[..])
            }
        };
        let whole = (0, out.line.len());
        // A 101 line is written when the WebSocket closes: its `service` is the connection's whole life.
        let service = router.service_ms().filter(|_| status != Some(101) || websocket_latency);
        let values = [Some(1.0), service, router.connect_ms(), router.bytes().map(|size| size as f64)];
        let metrics = [&native::REQUESTS, &native::SERVICE, &native::CONNECT, &native::BYTES];
        match (out.time, values) {
            (Some(time), [Some(a), Some(b), Some(c), Some(d)]) => {
                let [n, o, p, q] = metrics;
                let seen = [(n, a), (o, b), (p, c), (q, d)].map(|(metric, number)| metric.seen(number, tags, time));
                out.visitor.observations_again(&seen, memos);
            }
            _ => {
                for ((metric, number), memo) in metrics.into_iter().zip(values).zip(memos) {
                    if let Some(number) = number {
                        out.native(metric, number, tags, memo, whole);
                    }
                }
            }
        }
        if let Some(code) = router.code() {
            errors.clear();
            for (key, value) in tags.iter() {
                errors.insert(key, value);
            }
            errors.insert("code", code.as_str());
            insert_description(errors, code, router.desc().and_then(|desc| std::str::from_utf8(desc).ok()));
            let value = Value::new(1.0, native::HTTP.unit());
            out.value(native::HTTP.kind(), native::HTTP.name(), value, errors, whole);
        }
        for refusal in router.refusals() {
            let part = match refusal.field() {
                "service" | "connect" | "bytes" => Part::Value,
                "status" => Part::Tag,
                _ => Part::Field,
            };
            out.refuse(Reason::of_field(refusal.kind()), part, (refusal.offset(), refusal.len()));
        }
        Line { found: Found::Router(router), ..Line::of(Class::Router) }
    }

    fn error<V: LineVisitor>(
        &mut self,
        error: &PlatformError<'_>,
        metric: &Native,
        number: f64,
        line: &[u8],
        out: &mut Out<'_, V>,
    ) {
        if error.is_cut() {
            return out.refuse(Reason::Cut, Part::Value, (0, line.len()));
        }
        self.config.fill(&mut self.tags);
        self.tags.insert("code", error.code().as_str());
        insert_description(&mut self.tags, error.code(), error.description());
        out.value(metric.kind(), metric.name(), Value::new(number, metric.unit()), &self.tags, (0, line.len()));
    }

    fn any_custom<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        if !logfmt_metrics::maybe_metrics(line) {
            return Line::of(Class::Text);
        }
        self.custom(line, logfmt_metrics::directives(line), out)
    }

    fn custom<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        mut directives: Directives<'a>,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        // Tags hold for all metrics of the line, before and behind them, so they are gathered first.
        self.tags.clear();
        let piece = Piece::of(line, out.is_piece);
        let mut metrics = u32::from(out.is_piece && out.refuse_torn_word(line));
        // By reference: the walk is large.
        let mut again = directives.clone();
        for directive in directives.by_ref() {
            match directive {
                Ok(Directive::Metric(metric)) => {
                    metrics += 1;
                    if piece.is_torn(metric.offset()) {
                        out.refuse(Reason::Cut, Part::Value, (metric.offset(), line.len() - metric.offset()));
                    }
                }
                Ok(Directive::Tag(tag)) if piece.is_torn(tag.offset()) => {
                    out.refuse(Reason::Cut, Part::Tag, (tag.offset(), line.len() - tag.offset()));
                }
                Ok(Directive::Tag(tag)) => {
                    self.tags.insert(tag.key(), &tag.value());
                }
                Ok(_) => {}
                Err(refusal) => {
                    let part = if is_tag(refusal.kind(), line, refusal.offset()) { Part::Tag } else { Part::Value };
                    metrics += u32::from(part == Part::Value);
                    let is_torn = piece.is_torn(refusal.offset());
                    let reason = if is_torn { Reason::Cut } else { Reason::of_metric(refusal.kind()) };
                    out.refuse(reason, part, (refusal.offset(), refusal.len()));
                }
            }
        }
        if metrics == 0 {
            return Line::of(Class::Text);
        }
        for directive in again.by_ref() {
            let Ok(Directive::Metric(metric)) = directive else { continue };
            if piece.is_torn(metric.offset()) {
                continue;
            }
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

/// A line of somebody who is not the app.
fn sender(line: &[u8]) -> Line<'_> {
    Line::of(if holds_metrics(line) { Class::PassedOver } else { Class::Text })
}

/// Whether there is a `count#`, `measure#` or `sample#` on the line, good or refused.
fn holds_metrics(line: &[u8]) -> bool {
    logfmt_metrics::maybe_metrics(line)
        && logfmt_metrics::directives(line).any(|directive| match directive {
            Ok(directive) => matches!(directive, Directive::Metric(_)),
            Err(refusal) => !is_tag(refusal.kind(), line, refusal.offset()),
        })
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
