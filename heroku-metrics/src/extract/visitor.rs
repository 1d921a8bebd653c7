//! Who is told what a line says.

use crate::refusal::LineRefusal;
use metric_model::Record;

/// Takes what an [`Extractor`](crate::Extractor) finds in a line. `()` looks away; a pair of closures takes records and
/// refusals.
///
/// ```
/// use heroku_metrics::{Extractor, ExtractorConfig, LineRefusal, LineVisitor, model::Record};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// #[derive(Default)]
/// struct Names(Vec<String>);
///
/// impl LineVisitor for Names {
///     fn record(&mut self, record: &Record<'_>) {
///         self.0.extend(record.observations().map(|observation| observation.name().to_owned()));
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
    /// What the line says under one tag set: most lines are one record, and none is empty. Records come in the order of the
    /// line, and so do the values of each.
    fn record(&mut self, record: &Record<'_>);

    /// One value, tag or field that was not taken.
    fn refusal(&mut self, refusal: &LineRefusal) {
        let _ = refusal;
    }
}

impl LineVisitor for () {
    fn record(&mut self, _: &Record<'_>) {}
}

impl<O: FnMut(&Record<'_>), R: FnMut(&LineRefusal)> LineVisitor for (O, R) {
    fn record(&mut self, record: &Record<'_>) {
        self.0(record);
    }

    fn refusal(&mut self, refusal: &LineRefusal) {
        self.1(refusal);
    }
}
