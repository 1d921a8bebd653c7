//! What a line is, besides the values it holds.

use crate::classify::Class;
use heroku_router::{PlatformError, RouterLine};

/// What a line turned out to be.
///
/// ```
/// use heroku_metrics::{Class, Extractor, ExtractorConfig};
/// use heroku_metrics::syslog::{Dialect, Frame};
///
/// let frame = Frame::parse(b"<45>1 2026-03-14T09:26:53Z host heroku web.1 - Error R14 (Memory quota exceeded)", Dialect::Logplex)?;
/// let mut extractor = Extractor::new(ExtractorConfig::new());
/// let line = extractor.read(&frame, &mut ());
/// assert_eq!(line.class(), Class::PlatformError);
/// assert_eq!(line.error().and_then(|error| error.description()), Some("Memory quota exceeded"));
/// # Ok::<(), heroku_metrics::syslog::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    pub(crate) class: Class,
    pub(crate) found: Found<'a>,
    pub(crate) ignored_samples: u32,
    /// Messages that were lost before they reached us. Beside `found`, which nobody need keep who looks at no line.
    pub(crate) lost_upstream: u64,
}

/// What was read of a line besides values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Nothing,
    Router(RouterLine<'a>),
    Error(PlatformError<'a>),
}

impl<'a> Line<'a> {
    pub(crate) const fn of(class: Class) -> Self {
        Self { class, found: Found::Nothing, ignored_samples: 0, lost_upstream: 0 }
    }

    /// The kind of line.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// The router line, where it is one.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<158>1 2026-03-14T09:26:53Z host heroku router - at=info method=GET path=\"/\" status=200", Dialect::Logplex)?;
    /// let mut extractor = Extractor::new(ExtractorConfig::new());
    /// let line = extractor.read(&frame, &mut ());
    /// assert_eq!(line.router().and_then(|router| router.status()), Some(200));
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn router(&self) -> Option<&RouterLine<'a>> {
        if let Found::Router(router) = &self.found { Some(router) } else { None }
    }

    /// The platform error, where it is one.
    ///
    /// ```
    /// # use heroku_metrics::{Class, Extractor, ExtractorConfig, syslog::{Dialect, Frame}};
    /// let frame = Frame::parse(b"<172>1 2026-03-14T09:26:53Z host heroku logplex - Error L10 (output buffer overflow): 7 messages dropped since 2026-03-14T09:20:00+00:00.", Dialect::Logplex)?;
    /// let mut extractor = Extractor::new(ExtractorConfig::new());
    /// let line = extractor.read(&frame, &mut ());
    /// assert_eq!(line.error().and_then(|error| error.count()), Some(7));
    /// # Ok::<(), heroku_metrics::syslog::FrameError>(())
    /// ```
    #[must_use]
    pub const fn error(&self) -> Option<&PlatformError<'a>> {
        if let Found::Error(error) = &self.found { Some(error) } else { None }
    }

    /// Samples on a platform line that no native metric of the chosen set is made from.
    pub(crate) const fn ignored_samples(&self) -> u32 {
        self.ignored_samples
    }
}
