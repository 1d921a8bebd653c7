//! What the address of a dashboard asks for: an app, a range, how often it comes again. What is not understood is as not
//! said: a link from somewhere shows something.

use form_urlencoded::parse;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use logdrain_charts::series::{Selector, Span};
use logdrain_drain::journal;
use logdrain_terms::times::{self, Side};

/// Ranges by name, in seconds.
pub(crate) const RANGES: [(&str, i64, &str); 9] = [
    ("30m", 1_800, "30 min"),
    ("1h", 3_600, "1 h"),
    ("3h", 10_800, "3 h"),
    ("6h", 21_600, "6 h"),
    ("12h", 43_200, "12 h"),
    ("24h", 86_400, "24 h"),
    ("3d", 259_200, "3 d"),
    ("7d", 604_800, "7 d"),
    ("4w", 2_419_200, "4 weeks"),
];
/// The one that is shown unless another is asked for.
const USUAL: usize = 3;
/// The longest range that somebody asks for by two times, and the shortest.
const LONGEST: i64 = 400 * 86_400;
const SHORTEST: i64 = 60;
/// How long a step may be; and the most steps of a range.
const STEPS: [u32; 8] = [60, 300, 900, 3_600, 7_200, 21_600, 86_400, 172_800];
const MOST_STEPS: i64 = 400;
/// Steps of charts with many lines, of bars and of small lines.
pub(super) const FEW_STEPS: i64 = 120;
/// The longest name of an app that is looked for.
const APP: usize = 255;

/// Which time is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Range {
    /// Up to now: one of [`RANGES`].
    Last(usize),
    Fixed(Span),
}

/// All that is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted {
    /// `Some("")` is all apps, also where the dashboard names one.
    pub app: Option<String>,
    pub range: Range,
    /// Loaded again each so many seconds.
    pub every: Option<u32>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { app: None, range: Range::Last(USUAL), every: None }
    }
}

impl Wanted {
    /// Reads the part of an address behind its `?`; times in words are of a zone.
    pub(crate) fn of(query: &str, zone: &TimeZone) -> Self {
        let mut wanted = Self::default();
        let (mut from, mut to) = (None, None);
        let now = ZonedDateTime::new(Timestamp::now(), zone.clone());
        for (key, value) in parse(query.as_bytes()) {
            match &*key {
                "app_name" if value.len() <= APP => wanted.app = Some(value.into_owned()),
                "range" => {
                    if let Some(at) = RANGES.iter().position(|(name, ..)| *name == value) {
                        wanted.range = Range::Last(at);
                    }
                }
                "from" => from = time(&value, &now, Side::Earliest),
                "to" => to = time(&value, &now, Side::Latest),
                "every" => wanted.every = [60, 300].into_iter().find(|every| value == every.to_string()),
                _ => {}
            }
        }
        let now = now.timestamp().as_second();
        if let Some(start) = from {
            let end = to.unwrap_or(now).min(now + 60);
            if end > start {
                let start = start.max(end - LONGEST);
                wanted.range = Range::Fixed(Span { start: start.min(end - SHORTEST), end });
            }
        }
        wanted
    }

    /// The app that is shown on a dashboard which may name one itself.
    pub(crate) fn app<'a>(&'a self, own: Option<&'a str>) -> Option<&'a str> {
        self.app.as_deref().or(own).filter(|app| !app.is_empty())
    }

    /// The parameters that say the same, but for what is usual.
    pub(crate) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        all.extend(self.app.clone().map(|app| ("app_name", app)));
        match self.range {
            Range::Last(USUAL) => {}
            Range::Last(at) => all.push(("range", RANGES[at].0.to_owned())),
            Range::Fixed(span) => all.extend([("from", span.start.to_string()), ("to", span.end.to_string())]),
        }
        all.extend(self.every.map(|every| ("every", every.to_string())));
        all
    }
}

fn time(text: &str, now: &ZonedDateTime, side: Side) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    let instant = times::parse(text, now, side).ok()?;
    let seconds = instant.unix_micros.div_euclid(1_000_000);
    (0..=253_402_300_799).contains(&seconds).then_some(seconds)
}

impl Range {
    /// How long it is, in seconds.
    pub(crate) fn seconds(self) -> i64 {
        match self {
            Self::Last(at) => RANGES[at].1,
            Self::Fixed(span) => span.end - span.start,
        }
    }

    /// In words, as in *against 6 h before*.
    pub(crate) fn words(self) -> String {
        if let Self::Last(at) = self {
            return RANGES[at].2.to_owned();
        }
        match self.seconds() {
            seconds if seconds % 86_400 == 0 => format!("{} d", seconds / 86_400),
            seconds if seconds >= 7_200 => format!("{} h", (seconds + 1_800) / 3_600),
            seconds => format!("{} min", (seconds + 30) / 60),
        }
    }

    /// The same, no longer than so many seconds and not older than that.
    pub(crate) fn within(self, most: i64, now: i64) -> Self {
        match self {
            Self::Last(at) if RANGES[at].1 <= most => self,
            Self::Last(_) => {
                Self::Last(RANGES.iter().rposition(|(_, seconds, _)| *seconds <= most).unwrap_or_default())
            }
            Self::Fixed(span) => {
                let start = span.start.max(now - most);
                Self::Fixed(Span { start, end: span.end.max(start + SHORTEST) })
            }
        }
    }

    /// The time that it is, now, in whole steps; what is not over yet is in it.
    pub(crate) fn span(self, now: i64, step: u32) -> Span {
        let step = i64::from(step.max(1));
        match self {
            Self::Last(at) => {
                let end = (now.div_euclid(step) + 1) * step;
                let length = (RANGES[at].1 + step - 1) / step * step;
                Span { start: end - length, end }
            }
            Self::Fixed(span) => {
                let end = (span.end + step - 1).div_euclid(step) * step;
                Span { start: span.start.div_euclid(step) * step, end }
            }
        }
    }

    /// The shortest step that leaves no more than so many.
    pub(crate) fn step(self, most: i64) -> u32 {
        let fits = |step: &u32| self.seconds() <= most * i64::from(*step);
        STEPS.into_iter().find(fits).unwrap_or(STEPS[STEPS.len() - 1])
    }

    pub(crate) fn usual_step(self) -> u32 {
        self.step(MOST_STEPS)
    }
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    journal::now().unix_micros().div_euclid(1_000_000)
}

/// What holds of an app alone.
pub(super) fn of_app(app: Option<&str>) -> Vec<Selector> {
    let of = |app: &str| Selector { key: "app_name".to_owned(), values: vec![app.to_owned()], is_negated: false };
    app.map(of).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Wanted {
        Wanted::of(query, &TimeZone::UTC)
    }

    #[test]
    fn what_is_asked_for_stands_in_the_address_again() {
        let wanted = of("app_name=shop-web&range=24h&every=60&evil=%3Cscript%3E");
        assert_eq!(wanted.app.as_deref(), Some("shop-web"));
        let parameters: Vec<_> =
            wanted.parameters().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(parameters, ["app_name=shop-web", "range=24h", "every=60"]);
        assert_eq!(of("range=6h"), Wanted::default());
        assert_eq!(of("range=9y&every=1&from=x&to="), Wanted::default());
        assert_eq!(
            of("from=1700000000&to=1700003600").range,
            Range::Fixed(Span { start: 1_700_000_000, end: 1_700_003_600 })
        );
        assert_eq!(of("from=1700003600&to=1700000000").range, Range::Last(USUAL), "backwards");
        assert!(matches!(of("from=1000000000").range, Range::Fixed(span) if span.end - span.start == LONGEST));
        assert_eq!(of(&format!("app_name={}", "x".repeat(300))).app, None);
        // All apps, though the dashboard names one.
        assert_eq!(
            (of("app_name=").app(Some("a")), of("").app(Some("a")), of("app_name=b").app(Some("a"))),
            (None, Some("a"), Some("b"))
        );
    }

    #[test]
    fn steps_are_as_short_as_there_are_few_enough() {
        let steps: Vec<_> = (0..RANGES.len()).map(|at| Range::Last(at).usual_step()).collect();
        assert_eq!(steps, [60, 60, 60, 60, 300, 300, 900, 3_600, 7_200]);
        for at in 0..RANGES.len() {
            let range = Range::Last(at);
            let step = range.step(FEW_STEPS);
            let span = range.span(1_800_000_123, step);
            assert_eq!((span.end - span.start) % i64::from(step), 0);
            assert!(span.end > 1_800_000_123 && span.end - 1_800_000_123 <= i64::from(step));
            assert!((span.end - span.start) / i64::from(step) <= FEW_STEPS + 1);
        }
        let year = Range::Fixed(Span { start: 0, end: LONGEST });
        assert!(LONGEST / i64::from(year.usual_step()) <= MOST_STEPS);
    }

    #[test]
    fn a_plan_of_an_hour_shows_an_hour() {
        let now = 1_800_000_000;
        assert_eq!(Range::Last(8).within(3_600, now), Range::Last(1));
        assert_eq!(Range::Last(0).within(3_600, now), Range::Last(0));
        let old = Range::Fixed(Span { start: 0, end: 7_200 }).within(3_600, now);
        assert_eq!(old, Range::Fixed(Span { start: now - 3_600, end: now - 3_540 }));
        assert_eq!((Range::Last(3).words(), old.words()), ("6 h".to_owned(), "1 min".to_owned()));
    }
}
