//! Lines of the dyno manager and of the log system: samples, R codes and L codes.

use super::{DynoIdentity, Extractor, LineVisitor, Out, SampleTags};
use crate::line::Found;
use crate::{Class, Line, native};
use heroku_router::{CodeClass, PlatformError};

impl Extractor {
    pub(super) fn dyno<'a, V: LineVisitor>(
        &mut self,
        line: &'a [u8],
        proc_id: Option<&'a str>,
        out: &mut Out<'_, V>,
    ) -> Line<'a> {
        if line.starts_with(b"Error ") {
            let Some(error) = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Runtime)
            else {
                return Line::of(Class::UnreadError);
            };
            self.error(&error, &native::RUNTIME_ERRORS, 1.0, line, out);
            return Line { found: Found::Error(error), ..Line::of(Class::PlatformError) };
        }
        // It quotes the command, which is the app's and may hold anything.
        if line.starts_with(b"Starting process ") {
            return Line::of(Class::Text);
        }
        let identity = self.config.dyno_identity;
        let place = |found: &SampleTags<'a>| {
            let source = found.source.or(proc_id.map(str::as_bytes));
            let dyno = if identity == DynoIdentity::Logical { source } else { found.dyno };
            [("source", source), ("dyno", dyno)]
        };
        let read = self.samples(line, [Class::Runtime, Class::UnreadRuntime], (&native::RUNTIME, 0), place, out);
        if read.class() == Class::UnreadRuntime && !is_like_samples(line) { Line::of(Class::Text) } else { read }
    }

    /// An L code; `None` when it is none.
    pub(super) fn logging<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Option<Line<'a>> {
        let error = PlatformError::parse(line).filter(|error| error.code().class() == CodeClass::Logging)?;
        // L14, L15 and L20 tell no number; the event itself is then the one message it is about.
        let affected = error.count().unwrap_or(1) as f64;
        self.error(&error, &native::LOGGING, affected, line, out);
        Some(Line { found: Found::Error(error), ..Line::of(Class::LogplexError) })
    }

    /// log-shuttle says other things besides, which are no errors.
    pub(super) fn shuttle<'a, V: LineVisitor>(&mut self, line: &'a [u8], out: &mut Out<'_, V>) -> Line<'a> {
        let unread = if line.starts_with(b"Error ") { Class::UnreadError } else { Class::Text };
        self.logging(line, out).unwrap_or(Line::of(unread))
    }
}

/// Whether a line of a dyno that holds no sample we know looks as if it held some: it begins with a pair, as no sentence
/// does, or there is a `sample#` on it. In 2013 it was `source=web.1 measure=load_avg_1m val=0.10`.
fn is_like_samples(line: &[u8]) -> bool {
    let first = line.split(|octet| *octet <= b' ').next().unwrap_or_default();
    first.iter().position(|octet| *octet == b'=').is_some_and(|place| place > 0)
        || line.windows(7).any(|window| window == b"sample#")
}
