//! The paved path: deliveries in, data points out.

mod config;

pub use config::PipelineConfig;

use crate::deliveries::SeenDeliveries;
use crate::extract::{Extractor, LineVisitor};
use crate::ledger::{Ledger, Receipt};
use crate::native::COLUMNS;
use crate::plan::Plan;
use crate::refusal::LineRefusal;
use crate::tap::{Tap, Verdict};
use heroku_syslog::{
    Delivery, Dialect, Frame, FrameError, FrameParser, Frames, FramingError, Limits, RawFrame, Recovery,
};
use metric_model::{Record, Timestamp};
use minute_aggregator::{Aggregator, AggregatorConfig, ConfigError, MinuteSketch, RowSink, Sketch};

/// Deliveries in, data points out: parsers and aggregator joined, for one drain or one quota scope.
///
/// No clock, thread, socket or file: the host reads the request, says what time it is and owns the sink.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, model::DataPointBuf, syslog::Delivery};
///
/// let body = b"65 <190>1 2026-03-14T09:26:53Z host app web.1 - measure#query=200ms\n64 <190>1 2026-03-14T09:26:54Z host app web.1 - measure#query=0.3s\n";
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// pipeline.ingest(&Delivery::new(body));
/// let mut minutes: Vec<DataPointBuf> = Vec::new();
/// pipeline.finish(&mut minutes)?;
/// assert_eq!(minutes[0].as_point().stats().mean(), Some(250.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pipeline<S = MinuteSketch> {
    parser: FrameParser,
    extractor: Extractor,
    pub(crate) aggregator: Aggregator<S>,
    dialect: Dialect,
    limits: Limits,
    recovery: Recovery,
    plan: Option<Plan>,
    pub(crate) seen: SeenDeliveries,
    pub(crate) total: Receipt,
}

impl Pipeline {
    /// A pipeline with the sketch of the aggregator.
    ///
    /// # Errors
    /// A [`ConfigError`] when the configuration contradicts itself.
    pub fn new(config: PipelineConfig) -> Result<Self, ConfigError> {
        Self::with_sketch(config)
    }
}

impl<S: Sketch> Pipeline<S> {
    /// A pipeline with a sketch of the caller's.
    ///
    /// # Errors
    /// A [`ConfigError`] when the configuration contradicts itself.
    pub fn with_sketch(config: PipelineConfig) -> Result<Self, ConfigError> {
        Self::make(config, |settings| Ok((Aggregator::with_sketch(settings)?, ()))).map(|(made, ())| made)
    }

    /// A pipeline around an aggregator that `aggregator` makes from its configuration, with whatever that gave besides.
    pub(crate) fn make<T, E>(
        config: PipelineConfig,
        aggregator: impl FnOnce(AggregatorConfig) -> Result<(Aggregator<S>, T), E>,
    ) -> Result<(Self, T), E> {
        let (aggregator, besides) = aggregator(config.settings())?;
        let pipeline = Self {
            parser: FrameParser::new(),
            extractor: Extractor::new(config.extractor),
            aggregator,
            dialect: config.dialect,
            limits: config.limits,
            recovery: config.recovery,
            plan: config.plan,
            seen: config.seen,
            total: Receipt::default(),
        };
        Ok((pipeline, besides))
    }

    /// Reads one delivery. Nothing in it is an error: the receipt says what was refused.
    ///
    /// A delivery that was read before (see [`SeenDeliveries`]) is counted as a duplicate, and nothing of it is read: a
    /// drain delivers at least once, we count once.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, syslog::Delivery};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let receipt = pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// assert_eq!(receipt.observed(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub fn ingest(&mut self, delivery: &Delivery<'_>) -> Receipt {
        self.ingest_with(delivery, &mut ())
    }

    /// Reads one delivery and shows it to a tap as it passes.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, Tap, Line, syslog::{Delivery, Frame}};
    ///
    /// struct Classes(Vec<&'static str>);
    ///
    /// impl Tap for Classes {
    ///     fn line(&mut self, _: &Frame<'_>, line: &Line<'_>) {
    ///         self.0.push(line.class().as_str());
    ///     }
    /// }
    ///
    /// let mut classes = Classes(Vec::new());
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// pipeline.ingest_with(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"), &mut classes);
    /// assert_eq!(classes.0, ["custom"]);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub fn ingest_with(&mut self, delivery: &Delivery<'_>, tap: &mut impl Tap) -> Receipt {
        let body = delivery.body();
        let mut receipt = Receipt::default();
        if !self.seen.insert(delivery) {
            receipt.enter_duplicate();
            self.total.add(&receipt);
            return receipt;
        }
        receipt.enter_delivery(body.len() as u64);
        let before = Answers::of(&self.aggregator);
        let mut frames = Frames::new(body).with_limits(self.limits).with_recovery(self.recovery);
        for item in &mut frames {
            match item {
                Ok(raw) => self.raw_frame(raw, tap, &mut receipt),
                Err(error) => {
                    receipt.enter_skipped(&error);
                    tap.lost_framing(&error);
                }
            }
        }
        receipt.enter_separators(frames.separators());
        self.enter_observed(&before, &mut receipt);
        // It refuses nothing: some senders count what they then leave out.
        if delivery.msg_count().is_some_and(|count| count != receipt.frames()) {
            receipt.enter_miscount();
        }
        self.total.add(&receipt);
        receipt
    }

    /// Reads one frame of a stream that the host takes apart itself, with [`FrameReader`](heroku_syslog::FrameReader)
    /// over TCP, say. What the reader passes over goes to [`ingest_skipped`](Self::ingest_skipped).
    ///
    /// ```
    /// use heroku_metrics::syslog::{FrameReader, Limits, Recovery};
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    /// for chunk in [&b"55 <190>1 2026-03-14T09:26:53Z host a"[..], b"pp web.1 - count#a=1\n"] {
    ///     reader.push(chunk);
    ///     reader.flush(); // nothing more is at hand
    ///     while let Some(item) = reader.next_frame() {
    ///         match item {
    ///             Ok(raw) => assert_eq!(pipeline.ingest_frame(raw, &mut ()).observed(), 1),
    ///             Err(error) => pipeline.ingest_skipped(&error),
    ///         }
    ///     }
    /// }
    /// assert_eq!(pipeline.ledger().total().bytes(), 58);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub fn ingest_frame(&mut self, raw: RawFrame<'_>, tap: &mut impl Tap) -> Receipt {
        let mut receipt = Receipt::default();
        receipt.enter_bytes(raw.wire_len());
        let before = Answers::of(&self.aggregator);
        self.raw_frame(raw, tap, &mut receipt);
        self.enter_observed(&before, &mut receipt);
        self.total.add(&receipt);
        receipt
    }

    /// Enters into the books what a [`FrameReader`](heroku_syslog::FrameReader) passed over.
    ///
    /// ```
    /// use heroku_metrics::syslog::{FrameReader, Limits, Recovery};
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let mut reader = FrameReader::new(Limits::new(), Recovery::Resync);
    /// reader.push(b"junk");
    /// reader.finish();
    /// while let Some(Err(error)) = reader.next_frame() {
    ///     pipeline.ingest_skipped(&error);
    /// }
    /// assert_eq!(pipeline.ledger().total().skipped_bytes(), 4);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub fn ingest_skipped(&mut self, error: &FramingError) {
        self.total.enter_bytes(error.skipped());
        self.total.enter_skipped(error);
    }

    /// Enters into the books the line ends between frames or lines that a reader counted.
    pub fn ingest_separators(&mut self, bytes: u64) {
        self.total.enter_bytes(bytes);
        self.total.enter_separators(bytes);
    }

    /// Reads one line that was parsed by the host: [`rendered`](heroku_syslog::rendered) text, an archive, a queue.
    /// `wire_len` is what the line took of the input, for the books.
    ///
    /// ```
    /// use heroku_metrics::syslog::rendered;
    /// use heroku_metrics::{Pipeline, PipelineConfig};
    ///
    /// let text = b"2026-03-14T09:26:53+00:00 app[web.1]: count#signups=1";
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let receipt = pipeline.ingest_line(rendered::parse_line(text, rendered::Form::Printed), text, text.len() as u64, &mut ());
    /// assert_eq!(receipt.observed(), 1);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub fn ingest_line(
        &mut self,
        parsed: Result<Frame<'_>, FrameError>,
        bytes: &[u8],
        wire_len: u64,
        tap: &mut impl Tap,
    ) -> Receipt {
        let mut receipt = Receipt::default();
        receipt.enter_bytes(wire_len);
        receipt.enter_frame_bytes(wire_len);
        let before = Answers::of(&self.aggregator);
        self.parsed(parsed, bytes, None, tap, &mut receipt);
        self.enter_observed(&before, &mut receipt);
        self.total.add(&receipt);
        receipt
    }

    /// Says what time it is: closes the windows that are over, with their lateness, and writes their points, or to a
    /// [`RowSink`] whole rows, which can be kept and added up.
    ///
    /// # Errors
    /// What the sink answers; the window stays and is written again the next time.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, model::{DataPointBuf, Timestamp}, syslog::Delivery};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// let mut minutes: Vec<DataPointBuf> = Vec::new();
    /// pipeline.advance(Timestamp::from_unix_seconds(1_773_480_479), &mut minutes)?; // 09:27:59
    /// assert!(minutes.is_empty(), "the minute may still get late lines");
    /// pipeline.advance(Timestamp::from_unix_seconds(1_773_480_480), &mut minutes)?; // 09:28:00
    /// assert_eq!(minutes.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn advance<K: RowSink<S>>(&mut self, now: Timestamp, sink: &mut K) -> Result<(), K::Error> {
        self.aggregator.advance(now, sink)
    }

    /// Closes every window: the input is at its end.
    ///
    /// # Errors
    /// What the sink answers; the window stays and is written again the next time.
    pub fn finish<K: RowSink<S>>(&mut self, sink: &mut K) -> Result<(), K::Error> {
        self.aggregator.finish(sink)
    }

    /// The books so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        Ledger::new(self.total, self.aggregator.ledger().clone())
    }

    /// The aggregator inside: its watermark and its memory, and what is eating the quota.
    ///
    /// ```
    /// use heroku_metrics::{Pipeline, PipelineConfig, Plan, syslog::Delivery};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new().with_plan(Plan::gold()))?;
    /// pipeline.ingest(&Delivery::new(b"55 <190>1 2026-03-14T09:26:53Z host app web.1 - count#a=1\n"));
    /// let explanation = pipeline.aggregator().explain();
    /// assert_eq!((explanation.used(), explanation.limit()), (1, Some(300)));
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn aggregator(&self) -> &Aggregator<S> {
        &self.aggregator
    }

    /// The aggregator inside, to drive it by hand: with observations of the host's own beside those of the log, say. They are
    /// in the ledger's observations, not in its values: no line carried them.
    ///
    /// ```
    /// use heroku_metrics::model::{Observation, TagSet, Timestamp, Value};
    /// use heroku_metrics::{Pipeline, PipelineConfig, aggregator::Outcome};
    ///
    /// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
    /// let (none, time) = (TagSet::new(), Timestamp::from_unix_seconds(0));
    /// let outcome = pipeline.aggregator_mut().observe(&Observation::count("deploys", Value::plain(1.0), &none, time));
    /// assert_eq!(outcome, Outcome::Accepted);
    /// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
    /// ```
    pub const fn aggregator_mut(&mut self) -> &mut Aggregator<S> {
        &mut self.aggregator
    }

    /// Enters the values that were observed since then.
    fn enter_observed(&self, before: &Answers, receipt: &mut Receipt) {
        let now = Answers::of(&self.aggregator);
        receipt
            .enter_observed(now.observed.saturating_sub(before.observed), now.accepted.saturating_sub(before.accepted));
    }

    fn raw_frame(&mut self, raw: RawFrame<'_>, tap: &mut impl Tap, receipt: &mut Receipt) {
        receipt.enter_frame_bytes(raw.wire_len());
        if raw.is_repaired() {
            receipt.enter_repaired();
        }
        let parsed = self.parser.parse(raw, self.dialect);
        self.parsed(parsed, raw.bytes(), Some(raw), tap, receipt);
    }

    /// `raw` is what the frame was read from, where it can be read again.
    #[inline(always)]
    fn parsed(
        &mut self,
        parsed: Result<Frame<'_>, FrameError>,
        bytes: &[u8],
        raw: Option<RawFrame<'_>>,
        tap: &mut impl Tap,
        receipt: &mut Receipt,
    ) {
        // By reference: to copy a frame costs more than to read its header.
        let frame = match &parsed {
            Ok(frame) => frame,
            Err(error) => {
                receipt.enter_refused_frame(error);
                tap.bad_frame(bytes, error);
                return;
            }
        };
        if tap.frame(frame) == Verdict::Drop {
            receipt.enter_filtered_frame();
            return;
        }
        let Self { extractor, aggregator, plan, dialect, .. } = self;
        let plan = plan.as_ref();
        let shown = raw.map_or(Shown::Frame(*frame), |raw| Shown::Raw(raw, *dialect));
        let line = extractor.read(frame, &mut Ingest { shown, aggregator, plan, receipt, tap });
        receipt.enter_frame(line.class(), line.ignored_samples());
        if line.lost_upstream > 0 {
            receipt.enter_lost_upstream(line.lost_upstream);
        }
        tap.line(frame, &line);
    }
}

/// How many values the aggregator was asked to take, and took, so far. It counts them anyway: for a line or a whole delivery
/// the difference tells what became of them, and nothing is left to do for each value where the tap looks away.
struct Answers {
    observed: u64,
    accepted: u64,
}

impl Answers {
    fn of<S: Sketch>(aggregator: &Aggregator<S>) -> Self {
        let books = aggregator.ledger();
        Self { observed: books.observed(), accepted: books.accepted() }
    }
}

/// The frame of a line, for taps that see a refusal in it. It is read again when there is one: few lines have any, and of all
/// others nothing of the frame need lie in memory.
enum Shown<'i> {
    Frame(Frame<'i>),
    Raw(RawFrame<'i>, Dialect),
}

impl<'i> Shown<'i> {
    #[cold]
    fn frame(&mut self) -> Option<&Frame<'i>> {
        if let Self::Raw(raw, dialect) = self
            && let Ok(frame) = raw.parse(*dialect)
        {
            // Once, however many there are.
            *self = Self::Frame(frame);
        }
        if let Self::Frame(frame) = self { Some(frame) } else { None }
    }
}

/// Hands what a line says to the aggregator, the books and the tap.
struct Ingest<'i, S, T> {
    shown: Shown<'i>,
    aggregator: &'i mut Aggregator<S>,
    plan: Option<&'i Plan>,
    receipt: &'i mut Receipt,
    tap: &'i mut T,
}

impl<S: Sketch, T: Tap> LineVisitor for Ingest<'_, S, T> {
    #[inline]
    fn record(&mut self, record: &Record<'_>) {
        match self.plan {
            Some(plan) if plan.is_selective() => self.take_collected(record, plan),
            _ => self.take(record),
        }
    }

    fn refusal(&mut self, refusal: &LineRefusal) {
        let (why, part) = refusal.why();
        self.receipt.enter_refused(why, part);
        if let Some(frame) = self.shown.frame() {
            self.tap.refusal(frame, refusal);
        }
    }
}

impl<S: Sketch, T: Tap> Ingest<'_, S, T> {
    #[inline(never)]
    fn take(&mut self, record: &Record<'_>) {
        let Self { aggregator, tap, .. } = self;
        aggregator.record(record, |column, outcome| {
            if let Some(observation) = record.observation(column) {
                tap.observation(&observation, outcome);
            }
        });
    }

    /// The columns of a record that the plan has.
    #[inline(never)]
    fn take_collected(&mut self, record: &Record<'_>, plan: &Plan) {
        let mut collected = [None; COLUMNS];
        for ((kept, value), metric) in collected.iter_mut().zip(record.values()).zip(record.metrics()) {
            if value.is_some() && !plan.is_collected(metric.name()) {
                self.receipt.enter_not_in_plan();
            } else {
                *kept = *value;
            }
        }
        if collected.iter().any(Option::is_some) {
            self.take(&Record::new(record.metrics(), &collected, record.tags(), record.time()));
        }
    }
}
