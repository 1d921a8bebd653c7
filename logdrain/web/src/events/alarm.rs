//! Lines that want to be looked at: by their severity, and by what Heroku says in lines that all have the same one.
//!
//! What marks a line counts it, too: both are the same query.

use log_query::Fields;
use log_store::{Event, Query};
use std::sync::LazyLock;

/// What an error is, and what a warning, as one would search for it.
pub(super) const ERRORS: &str = "severity:(emergency alert critical error) OR (program:heroku/router \"at=error\") \
                                 OR (program:heroku/ \"Error R\" -\"Error R14\")";
pub(super) const WARNINGS: &str = "severity:warning OR (program:heroku \"Error R14\") OR (program:heroku \"Error L\")";

static QUERIES: LazyLock<[Query; 2]> = LazyLock::new(|| [ERRORS, WARNINGS].map(|text| Query::parse(text).into_query()));

/// How much a line wants to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Alarm {
    Error,
    Warning,
}

impl Alarm {
    pub(super) fn of(event: &Event<'_>) -> Option<Self> {
        let mut fields = Fields::new(event.system(), event.program(), event.message());
        if let Some(severity) = event.severity() {
            fields = fields.with_severity(severity);
        }
        let [errors, warnings] = &*QUERIES;
        match () {
            () if errors.matches(&fields) => Some(Self::Error),
            () if warnings.matches(&fields) => Some(Self::Warning),
            () => None,
        }
    }

    /// Its class in the style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Error => "err",
            Self::Warning => "warn",
        }
    }
}

/// The word for a severity.
pub(super) const fn word(severity: u8) -> &'static str {
    match severity {
        0 => "emergency",
        1 => "alert",
        2 => "critical",
        3 => "error",
        4 => "warning",
        5 => "notice",
        6 => "info",
        _ => "debug",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log_store::EventId;

    #[test]
    fn severities_and_errors_of_heroku_are_marked() {
        let alarm = |severity: u8, program: &str, message: &str| {
            let event = Event::new(EventId::MIN, "default", message.as_bytes()).with_program(program.as_bytes());
            Alarm::of(&event.with_severity(severity))
        };
        assert_eq!(alarm(0, "app/web.1", "x"), Some(Alarm::Error));
        assert_eq!(alarm(3, "app/web.1", "x"), Some(Alarm::Error));
        assert_eq!(alarm(4, "app/web.1", "x"), Some(Alarm::Warning));
        assert_eq!(alarm(6, "app/web.1", "at=error Error R10"), None, "an app may say anything");
        assert_eq!(alarm(6, "heroku/router", "at=error code=H12"), Some(Alarm::Error));
        assert_eq!(alarm(6, "heroku/router", "at=info status=200"), None);
        assert_eq!(alarm(6, "heroku/web.1", "Error R14 (Memory quota exceeded)"), Some(Alarm::Warning));
        assert_eq!(alarm(6, "heroku/web.1", "Error R10 (Boot timeout)"), Some(Alarm::Error));
        assert_eq!(alarm(5, "heroku/logplex", "Error L10 (output buffer overflow)"), Some(Alarm::Warning));
        for text in [ERRORS, WARNINGS] {
            assert!(Query::parse(text).notes().is_empty(), "{text}");
        }
    }
}
