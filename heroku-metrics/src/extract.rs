//! lines -> records: what a line says, under the names of the native tables or its own.

mod config;
mod custom;
mod cut;
mod out;
mod platform;
mod recent;
mod router;
mod samples;
mod visitor;

pub use config::{CustomFrom, DynoIdentity, ExtractorConfig, UnitPolicy};
pub use visitor::LineVisitor;

use crate::classify::{Class, Source};
use crate::line::{Found, Line};
use heroku_router::RouterLine;
use heroku_syslog::Frame;
use logfmt_metrics::colour::{self, Uncoloured};
use metric_model::{TagSet, Timestamp};
use out::Out;
use recent::Recent;
use samples::{PGBOUNCER, POSTGRES, REDIS, SAMPLES, Told};

/// Reads lines into records. Holds only its configuration and memory that it fills again for each line, so that one is as
/// good as another of the same configuration.
///
/// ```
/// use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, model::Record};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// let line = b"<190>1 2026-03-14T09:26:53Z host app web.1 - paid count#paid=1 measure#checkout=0.2s tag#method=card";
/// let frame = Frame::parse(line, Dialect::Logplex)?;
/// let mut extractor = Extractor::new(ExtractorConfig::new());
/// let mut numbers = Vec::new();
/// let recorded = |record: &Record<'_>| {
///     assert_eq!(record.tags().get("method"), Some("card"));
///     numbers.extend(record.observations().map(|seen| (seen.name().to_owned(), seen.value().number())));
/// };
/// extractor.read(&frame, &mut (recorded, |_: &LineRefusal| ()));
/// assert_eq!(numbers, [("paid".to_owned(), 1.0), ("checkout".to_owned(), 200.0)]);
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
    /// Those of a second record that the line is.
    more_tags: TagSet,
    recent: Recent,
    /// The values of a line's samples. Here, and not made again for each line.
    told: [Told; SAMPLES + 1],
}

impl Default for Extractor {
    fn default() -> Self {
        Self::new(ExtractorConfig::new())
    }
}

impl Extractor {
    /// A reader of lines.
    #[must_use]
    pub fn new(config: ExtractorConfig) -> Self {
        let reader = Reader {
            config,
            tags: TagSet::new(),
            more_tags: TagSet::new(),
            recent: Recent::default(),
            told: [Told::default(); SAMPLES + 1],
        };
        Self { reader, uncoloured: Uncoloured::new() }
    }

    /// What it takes on the heap at the most: the tags of the line at hand, and those of recent lines.
    pub(crate) fn max_memory(config: &ExtractorConfig) -> usize {
        const LINE: usize = 64 * 1024;
        LINE + Recent::max_memory(config.app_name().map_or(0, str::len))
    }

    /// Reads one frame's line: its records, its refusals, and what kind of line it is.
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
                let router = RouterLine::parse(message);
                if let Some(router) = &router
                    && !is_piece
                    && (router.is_free_of_colour() || !(router.is_cut() || colour::maybe(message)))
                {
                    self.reader.request(router, &mut out);
                    return Line { found: Found::Router(*router), ..Line::of(Class::Router) };
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
                    return self.reader.database(message, samples, &POSTGRES, &mut out);
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
            Source::Postgres => self.database(line, samples(), &POSTGRES, out),
            Source::Redis => self.database(line, samples(), &REDIS, out),
            Source::PgBouncer => self.database(line, samples(), &PGBOUNCER, out),
            Source::App => self.any_custom(line, out),
            Source::Sender if self.config.custom_from == CustomFrom::AnyApp => self.any_custom(line, out),
            Source::Sender => custom::sender(line),
            Source::Api => self.api(line, out),
            Source::Other => Line::of(Class::Text),
        }
    }
}
