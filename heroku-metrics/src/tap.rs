//! A look at everything that passes, and a filter in front of what is counted.

use crate::line::Line;
use crate::refusal::LineRefusal;
use heroku_syslog::{Frame, FrameError, FramingError};
use metric_model::Observation;
use minute_aggregator::Outcome;

/// What to do with a frame that a [`Tap`] was shown.
///
/// ```
/// assert_ne!(heroku_metrics::Verdict::Keep, heroku_metrics::Verdict::Drop);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Read it and count it.
    Keep,
    /// Leave it out: it is counted as filtered and nothing is read from it.
    Drop,
}

/// Sees everything that passes through a pipeline, without parsing it twice: for tail, search, archives, alerts, and
/// for a filter in front of the metrics. Every method has a default that does nothing.
///
/// ```
/// use heroku_metrics::{Pipeline, PipelineConfig, Tap, Verdict};
/// use heroku_metrics::syslog::{Delivery, Frame};
///
/// struct NoHealthChecks;
///
/// impl Tap for NoHealthChecks {
///     fn frame(&mut self, frame: &Frame<'_>) -> Verdict {
///         let check = frame.message().windows(14).any(|window| window == b"path=\"/healthz\"");
///         if check { Verdict::Drop } else { Verdict::Keep }
///     }
/// }
///
/// let body = b"77 <158>1 2026-03-14T09:26:53Z host heroku router - at=info path=\"/healthz\" x=1";
/// let mut pipeline = Pipeline::new(PipelineConfig::new())?;
/// assert_eq!(pipeline.ingest_with(&Delivery::new(body), &mut NoHealthChecks).observed(), 0);
/// # Ok::<(), heroku_metrics::aggregator::ConfigError>(())
/// ```
pub trait Tap {
    /// A frame whose header was read, before anything is counted.
    fn frame(&mut self, frame: &Frame<'_>) -> Verdict {
        let _ = frame;
        Verdict::Keep
    }

    /// What the line of a kept frame turned out to be.
    fn line(&mut self, frame: &Frame<'_>, line: &Line<'_>) {
        let _ = (frame, line);
    }

    /// One value of the line, and what the aggregator answered.
    fn observation(&mut self, observation: &Observation<'_>, outcome: Outcome) {
        let _ = (observation, outcome);
    }

    /// One value, tag or field that was refused.
    fn refusal(&mut self, frame: &Frame<'_>, refusal: &LineRefusal) {
        let _ = (frame, refusal);
    }

    /// A frame whose header could not be read. `message` is the frame without its length.
    fn bad_frame(&mut self, message: &[u8], error: &FrameError) {
        let _ = (message, error);
    }

    /// A place where the framing was lost.
    fn lost_framing(&mut self, error: &FramingError) {
        let _ = error;
    }
}

/// The tap that looks away.
impl Tap for () {}
